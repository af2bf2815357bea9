//! What a running Countersign knows of itself: subjects, groups, devices, resources with who is entitled to them, keys, and who
//! is signed in where. A source like any other, read from a document like any other; who may do what under which circumstances
//! is the policies' business and not told here, so that reach is told too large rather than too small.

use std::collections::BTreeSet;

use countersign_model::{
    Device, DeviceState, Group, Resource, Segment, Subject, SubjectId, SubjectKind, SubjectState, Timestamp,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::batch::{Intake, System};
use crate::fault::{Cause, Fault};
use crate::json;
use crate::observation::{Attributes, Factor, Kind, Moment, Place, Relation, SignIn, SignInKind};

const VERSION: u32 = 1;

/// The group that every person is in, wherever a resource names it.
const EVERYONE: &str = "everyone";
/// Administers the installation, and is entitled to every resource.
const OWNERS: &str = "owners";

/// The document.
#[derive(Clone, Debug, Serialize)]
pub struct OwnInventory {
    /// The version of this form.
    #[serde(rename = "countersign-inventory")]
    version: u32,
    /// The control host: what tells two installations apart.
    pub installation: String,
    pub segments: Vec<Segment>,
    pub groups: Vec<Group>,
    pub subjects: Vec<Subject>,
    pub devices: Vec<Device>,
    pub resources: Vec<Resource>,
    pub keys: Vec<OwnKey>,
    pub sessions: Vec<OwnSession>,
    /// Who has a passkey.
    pub passkeys: Vec<SubjectId>,
}

/// An API key, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnKey {
    pub id: String,
    /// Whoever has it acts as this one.
    pub subject: SubjectId,
    pub owner: SubjectId,
    pub created: Timestamp,
    pub expires: Timestamp,
    pub last_used: Option<Timestamp>,
}

/// Somebody signed in on a device.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnSession {
    pub subject: SubjectId,
    pub device: String,
}

impl OwnInventory {
    /// Of an installation, so far empty.
    pub fn new(installation: String) -> Self {
        Self {
            version: VERSION,
            installation,
            segments: Vec::new(),
            groups: Vec::new(),
            subjects: Vec::new(),
            devices: Vec::new(),
            resources: Vec::new(),
            keys: Vec::new(),
            sessions: Vec::new(),
            passkeys: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "countersign-inventory")]
    version: u32,
    installation: String,
}

pub(crate) fn read(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let head: Head = serde_json::from_str(text).map_err(|error| {
        let (cause, place) = json::fault(&error);
        intake.fault(cause, Some(place))
    })?;
    if head.version != VERSION {
        let cause = Cause::Version { format: "Countersign's inventory", version: head.version.into(), known: "1" };
        return Err(intake.fault(cause, None));
    }
    let part = intake.part(System::Countersign, &head.installation, "inventory");
    let part = part.map_err(|cause| intake.fault(cause, None))?;
    let mut own =
        Own { intake, part, installation: head.installation, text, passkeys: BTreeSet::new(), everyone: false };
    own.all()
}

type Failed = (Cause, Option<Place>);

struct Own<'e, 'a, 'w> {
    intake: &'e mut Intake<'a, 'w>,
    part: u32,
    installation: String,
    text: &'e str,
    passkeys: BTreeSet<SubjectId>,
    /// Whether some resource is open to everybody who is a person.
    everyone: bool,
}

impl Own<'_, '_, '_> {
    fn all(&mut self) -> Result<(), Fault> {
        self.each::<SubjectId>(&["passkeys"], |own, _, subject| {
            own.passkeys.insert(subject);
            Ok(())
        })?;
        self.each(&["segments"], Self::segment)?;
        self.each(&["groups"], Self::group)?;
        self.each(&["resources"], Self::resource)?;
        self.each(&["subjects"], Self::subject)?;
        self.each(&["devices"], Self::device)?;
        self.each(&["keys"], Self::api_key)?;
        self.each(&["sessions"], Self::session)?;
        self.installation().map_err(|cause| self.intake.fault(cause, None))
    }

    fn each<T: DeserializeOwned>(
        &mut self,
        path: &'static [&'static str],
        take: impl Fn(&mut Self, &Place, T) -> Result<(), Cause>,
    ) -> Result<(), Fault> {
        let list = path.first().copied().unwrap_or_default();
        let text = self.text;
        let read = json::each::<T>(text, path, &mut |index, record| -> Result<(), Failed> {
            let place = Place::record(list, index);
            let taken = self.intake.record().and_then(|()| take(self, &place, record));
            taken.map_err(|cause| (cause, Some(place)))
        });
        read.map(drop).map_err(|fault| json::located(self.intake.file_name(), fault))
    }

    /// The key of something of this installation.
    fn named(&mut self, what: &str) -> Result<u32, Cause> {
        let key = format!("countersign:{}/{what}", self.installation);
        self.intake.key(&key)
    }

    fn subject_key(&mut self, id: &SubjectId) -> Result<u32, Cause> {
        self.named(&id.to_string())
    }

    fn group_key(&mut self, id: &str) -> Result<u32, Cause> {
        self.named(&format!("group:{id}"))
    }

    /// Whoever owns the installation has all of it.
    fn installation(&mut self) -> Result<(), Cause> {
        let (own, owners) = (self.named("installation")?, self.group_key(OWNERS)?);
        let place = Place::record("installation", 0);
        let name = format!("Countersign at {}", self.installation);
        let attributes = Attributes { high_value: Some(true), ..Attributes::default() };
        self.intake.node(self.part, own, Kind::Scope, &name, attributes, place.clone())?;
        self.intake.edge(self.part, owners, Relation::Administers, own, place);
        Ok(())
    }

    fn segment(&mut self, place: &Place, segment: Segment) -> Result<(), Cause> {
        let own = self.named(&format!("segment:{}", segment.id))?;
        self.intake.node(self.part, own, Kind::Segment, &segment.display_name, Attributes::default(), place.clone())
    }

    fn group(&mut self, place: &Place, group: Group) -> Result<(), Cause> {
        let own = self.group_key(group.id.as_str())?;
        let attributes = Attributes { account_name: Some(group.id.as_str().into()), ..Attributes::default() };
        self.intake.node(self.part, own, Kind::Group, &group.display_name, attributes, place.clone())?;
        for above in &group.member_of {
            let above = self.group_key(above.as_str())?;
            self.intake.edge(self.part, own, Relation::MemberOf, above, place.field("member_of", None));
        }
        Ok(())
    }

    fn resource(&mut self, place: &Place, resource: Resource) -> Result<(), Cause> {
        let own = self.named(&format!("resource:{}", resource.id))?;
        let attributes = Attributes {
            owner: resource.owner.as_ref().map(|owner| self.owner(owner)),
            tier: Some(resource.tier),
            segment: resource.segment.as_ref().map(|segment| segment.as_str().into()),
            ..Attributes::default()
        };
        self.intake.node(self.part, own, Kind::Resource, &resource.display_name, attributes, place.clone())?;
        if let Some(segment) = &resource.segment {
            let segment = self.named(&format!("segment:{segment}"))?;
            self.intake.edge(self.part, segment, Relation::Contains, own, place.field("segment", None));
        }
        let installation = self.named("installation")?;
        self.intake.edge(self.part, installation, Relation::Contains, own, place.clone());
        let entitled = &resource.entitled;
        for (groups, relation, field) in [
            (&entitled.readers, Relation::Permits, "readers"),
            (&entitled.writers, Relation::Permits, "writers"),
            (&entitled.administrators, Relation::Administers, "administrators"),
        ] {
            for (number, group) in groups.iter().enumerate() {
                self.everyone |= group.as_str() == EVERYONE;
                let group = self.group_key(group.as_str())?;
                self.intake.edge(self.part, group, relation, own, place.field(field, Some(number)));
            }
        }
        Ok(())
    }

    /// As the key of the one who answers for something.
    fn owner(&self, id: &SubjectId) -> Box<str> {
        format!("countersign:{}/{id}", self.installation).into()
    }

    fn subject(&mut self, place: &Place, subject: Subject) -> Result<(), Cause> {
        let (kind, sign_in) = match subject.id.kind() {
            SubjectKind::Human => (Kind::Human, SignInKind::Interactive),
            SubjectKind::Service => (Kind::Service, SignInKind::Key),
            SubjectKind::Agent => (Kind::Agent, SignInKind::Key),
            // Nobody: there is nothing to compromise.
            SubjectKind::Anonymous => return Ok(()),
        };
        let own = self.subject_key(&subject.id)?;
        let passkey = self.passkeys.contains(&subject.id);
        let attributes = Attributes {
            enabled: Some(subject.state == SubjectState::Active),
            created: Some(subject.created).filter(|created| *created > Timestamp::default()),
            sign_ins: vec![SignIn { kind: sign_in, when: subject.last_used.map_or(Moment::Never, Moment::At) }],
            factors: passkey.then(|| vec![Factor::PhishingResistant]),
            owner: subject.owner.as_ref().map(|owner| self.owner(owner)),
            email: subject.email.as_deref().map(Into::into),
            account_name: Some(subject.id.name().into()),
            display_name: Some(subject.display_name.as_str().into()),
            ..Attributes::default()
        };
        self.intake.node(self.part, own, kind, &subject.display_name, attributes, place.clone())?;
        for (number, group) in subject.groups.iter().enumerate() {
            let group = self.group_key(group.as_str())?;
            self.intake.edge(self.part, own, Relation::MemberOf, group, place.field("groups", Some(number)));
        }
        if self.everyone && kind == Kind::Human {
            let everyone = self.group_key(EVERYONE)?;
            self.intake.edge(self.part, own, Relation::MemberOf, everyone, place.clone());
        }
        Ok(())
    }

    fn device(&mut self, place: &Place, device: Device) -> Result<(), Cause> {
        let own = self.named(&format!("device:{}", device.id))?;
        let attributes = Attributes {
            enabled: Some(device.state == DeviceState::Active),
            created: Some(device.enrolled),
            owner: Some(self.owner(&device.owner)),
            ..Attributes::default()
        };
        self.intake.node(self.part, own, Kind::Device, &device.display_name, attributes, place.clone())?;
        let owner = self.subject_key(&device.owner)?;
        self.intake.edge(self.part, owner, Relation::Owns, own, place.field("owner", None));
        Ok(())
    }

    fn api_key(&mut self, place: &Place, key: OwnKey) -> Result<(), Cause> {
        let own = self.named(&format!("key:{}", key.id))?;
        let attributes = Attributes {
            enabled: Some(true),
            created: Some(key.created),
            password_last_set: Some(Moment::At(key.created)),
            expires: Some(if key.expires == Timestamp::FOREVER { Moment::Never } else { Moment::At(key.expires) }),
            sign_ins: vec![SignIn { kind: SignInKind::Key, when: key.last_used.map_or(Moment::Never, Moment::At) }],
            owner: Some(self.owner(&key.owner)),
            ..Attributes::default()
        };
        self.intake.node(self.part, own, Kind::Key, &key.id, attributes, place.clone())?;
        let (subject, owner) = (self.subject_key(&key.subject)?, self.subject_key(&key.owner)?);
        self.intake.edge(self.part, own, Relation::Assume, subject, place.field("subject", None));
        self.intake.edge(self.part, owner, Relation::HoldsKey, own, place.field("owner", None));
        Ok(())
    }

    fn session(&mut self, place: &Place, session: OwnSession) -> Result<(), Cause> {
        let device = self.named(&format!("device:{}", session.device))?;
        let subject = self.subject_key(&session.subject)?;
        self.intake.edge(self.part, device, Relation::HasSession, subject, place.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
