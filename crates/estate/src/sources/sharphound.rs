//! SharpHound collections: JSON files of users, computers, groups, domains, units, policies, of versions 3 to 6. The
//! collector writes what a file is about at its end, so that it is read twice: once for that, once for the records.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::bloodhound::{self, Properties};
use crate::batch::{Intake, System};
use crate::fault::{Cause, Fault};
use crate::json;
use crate::observation::{Kind, Place, Relation};
use crate::sid;

/// Values of one list, such as the members of one group: more is an attack or a fault of the collector.
const MOST_VALUES: usize = 5_000_000;

#[derive(serde::Deserialize)]
struct Header {
    meta: Meta,
}

#[derive(serde::Deserialize)]
struct Meta {
    #[serde(rename = "type")]
    what: String,
    count: Option<u64>,
    version: Option<i64>,
    methods: Option<i64>,
}

/// What one file is about: the list's name in it, and the kind of its records.
fn about(what: &str) -> Option<(&'static &'static str, Kind)> {
    Some(match what {
        "users" => (&"users", Kind::Account),
        "computers" => (&"computers", Kind::Device),
        "groups" => (&"groups", Kind::Group),
        "domains" => (&"domains", Kind::Scope),
        "ous" => (&"ous", Kind::Container),
        "containers" => (&"containers", Kind::Container),
        "gpos" => (&"gpos", Kind::Policy),
        "enterprisecas" => (&"enterprisecas", Kind::Resource),
        "rootcas" => (&"rootcas", Kind::Resource),
        "aiacas" => (&"aiacas", Kind::Resource),
        "ntauthstores" => (&"ntauthstores", Kind::Resource),
        "certtemplates" => (&"certtemplates", Kind::Policy),
        "issuancepolicies" => (&"issuancepolicies", Kind::Policy),
        _ => return None,
    })
}

/// A record that says whom a device lets in, and with which rights: the device's own, or that of a policy for each device that it
/// applies to. Flattening one struct into both would keep whatever else a hostile record holds in memory.
macro_rules! admitting {
    ($(#[$meta:meta])* struct $name:ident { $($field:tt)* }) => {
        $(#[$meta])*
        struct $name {
            $($field)*
            #[serde(default)]
            local_admins: Many<Target>,
            #[serde(default)]
            remote_desktop_users: Many<Target>,
            #[serde(default)]
            dcom_users: Many<Target>,
            #[serde(default, rename = "PSRemoteUsers")]
            remote_powershell: Many<Target>,
        }

        impl $name {
            fn admitted(&mut self) -> [(&'static str, Many<Target>, Relation); 4] {
                use std::mem::take;
                [
                    ("LocalAdmins", take(&mut self.local_admins), Relation::Administers),
                    ("RemoteDesktopUsers", take(&mut self.remote_desktop_users), Relation::RemoteDesktop),
                    ("DcomUsers", take(&mut self.dcom_users), Relation::RemoteDcom),
                    ("PSRemoteUsers", take(&mut self.remote_powershell), Relation::RemotePowerShell),
                ]
            }
        }
    };
}

admitting! {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Record {
        object_identifier: String,
        #[serde(default)]
        properties: Properties,
        #[serde(default)]
        aces: Many<Ace>,
        #[serde(default, rename = "PrimaryGroupSID", alias = "PrimaryGroupSid")]
        primary_group: Option<String>,
        #[serde(default)]
        allowed_to_delegate: Many<Target>,
        #[serde(default)]
        allowed_to_act: Many<Target>,
        #[serde(default, rename = "HasSIDHistory")]
        sid_history: Many<Target>,
        #[serde(default, rename = "DumpSMSAPassword")]
        dump_managed: Many<Target>,
        #[serde(default, rename = "SPNTargets")]
        services: Many<ServiceTarget>,
        #[serde(default)]
        sessions: Many<Session>,
        #[serde(default)]
        privileged_sessions: Many<Session>,
        #[serde(default)]
        registry_sessions: Many<Session>,
        #[serde(default)]
        local_groups: Many<LocalGroup>,
        #[serde(default)]
        members: Many<Target>,
        #[serde(default)]
        child_objects: Many<Target>,
        /// Version 3.
        #[serde(default)]
        users: Many<Target>,
        #[serde(default)]
        computers: Many<Target>,
        #[serde(default)]
        child_ous: Many<Target>,
        #[serde(default)]
        links: Many<Link>,
        #[serde(default)]
        trusts: Many<Trust>,
        #[serde(default)]
        contained_by: Option<Target>,
        #[serde(default)]
        is_deleted: bool,
        #[serde(default, rename = "IsDC")]
        is_controller: Option<bool>,
        #[serde(default)]
        unconstrained_delegation: Option<bool>,
        #[serde(default, rename = "CASecurity")]
        authority_security: Option<AuthoritySecurity>,
        #[serde(default)]
        hosting_computer: Option<String>,
        #[serde(default, rename = "GPOChanges")]
        policy_changes: Option<PolicyChanges>,
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ace {
    #[serde(rename = "PrincipalSID", alias = "PrincipalSid")]
    principal: String,
    right_name: String,
    /// Version 3.
    #[serde(default)]
    ace_type: Option<String>,
}

/// An object named by another one: by its identifier alone, or with its type, under the names of three versions.
struct Target(String);

#[derive(serde::Deserialize)]
struct ServiceTarget {
    #[serde(rename = "ComputerSID", alias = "ComputerSid")]
    computer: String,
    #[serde(default, rename = "Service")]
    service: String,
}

#[derive(serde::Deserialize)]
struct Session {
    #[serde(rename = "UserSID", alias = "UserId")]
    user: String,
    #[serde(rename = "ComputerSID", alias = "ComputerId")]
    computer: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LocalGroup {
    object_identifier: String,
    #[serde(default)]
    results: Many<Target>,
    #[serde(default)]
    collected: Option<bool>,
}

#[derive(serde::Deserialize)]
struct Link {
    #[serde(rename = "GUID", alias = "Guid")]
    policy: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Trust {
    target_domain_sid: Option<String>,
    #[serde(default)]
    trust_direction: Option<Direction>,
    #[serde(default)]
    sid_filtering_enabled: Option<bool>,
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Direction {
    Number(i64),
    Name(String),
}

#[derive(serde::Deserialize)]
struct AuthoritySecurity {
    #[serde(default, rename = "Data")]
    data: Many<Ace>,
}

admitting! {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct PolicyChanges {
        #[serde(default)]
        affected_computers: Many<Target>,
    }
}

/// A list, or `null`, or (since version 4) an object that says whether the list could be collected.
struct Many<T> {
    values: Vec<T>,
    collected: bool,
}

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self { values: Vec::new(), collected: true }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ManyVisitor(PhantomData))
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of results")
    }

    fn visit_unit<E>(self) -> Result<Many<T>, E> {
        Ok(Many::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element::<T>()? {
            if values.len() >= MOST_VALUES {
                return Err(A::Error::custom(format!("a list, expected at most {MOST_VALUES} values")));
            }
            values.push(value);
        }
        Ok(Many { values, collected: true })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Many<T>, A::Error> {
        let mut many: Option<Self::Value> = None;
        let mut collected = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "Results" if many.is_some() => return Err(A::Error::duplicate_field("Results")),
                "Results" => many = Some(map.next_value()?),
                "Collected" => collected = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Many { values: many.map(|many| many.values).unwrap_or_default(), collected: collected.unwrap_or(true) })
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TargetVisitor)
    }
}

struct TargetVisitor;

impl<'de> Visitor<'de> for TargetVisitor {
    type Value = Target;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an identifier, alone or with a type")
    }

    fn visit_str<E>(self, text: &str) -> Result<Target, E> {
        Ok(Target(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Target, A::Error> {
        let mut id: Option<String> = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "ObjectIdentifier" | "MemberId" | "ObjectId" if id.is_some() => {
                    return Err(A::Error::duplicate_field("ObjectIdentifier"));
                }
                "ObjectIdentifier" | "MemberId" | "ObjectId" => id = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        id.map(Target).ok_or_else(|| A::Error::missing_field("ObjectIdentifier"))
    }
}

pub(crate) fn read(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let Header { meta } = serde_json::from_str(text).map_err(|error| {
        let (cause, place) = json::fault(&error);
        intake.fault(cause, Some(place))
    })?;
    let (what, kind) = about(&meta.what.to_ascii_lowercase()).ok_or_else(|| {
        intake.fault(Cause::malformed("the collector's file is of a type that is not known here"), None)
    })?;
    let version = meta.version.unwrap_or(0);
    let (path, list): (&[_], _) = match version {
        3 => (std::slice::from_ref(what), *what),
        4..=6 => (&["data"], "data"),
        version => {
            return Err(intake.fault(Cause::Version { format: "SharpHound", version, known: "3 to 6" }, None));
        }
    };
    let part = meta.methods.map_or_else(|| (*what).to_owned(), |methods| format!("{what}/methods-{methods}"));
    let read = json::each::<Record>(text, path, &mut |index, record| {
        let place = Place::record(list, index);
        take(intake, &part, kind, record, &place).map_err(|cause| (cause, Some(place)))
    });
    let read = read.map_err(|fault| json::located(intake.file_name(), fault))?;
    if meta.count.is_some_and(|count| count > u64::from(read)) {
        intake.skip("the file counts more records than it has", &Place::record("meta", 0));
    }
    Ok(())
}

fn take(intake: &mut Intake<'_, '_>, part: &str, kind: Kind, mut record: Record, place: &Place) -> Result<(), Cause> {
    intake.record()?;
    if record.is_deleted {
        intake.skip("a deleted object", place);
        return Ok(());
    }
    let domain = record.properties.domain.get().unwrap_or_default().to_ascii_uppercase();
    let part = intake.part(System::Sharphound, &domain, part)?;
    let key = sid::key(&record.object_identifier, &domain);
    let (name, mut attributes) = std::mem::take(&mut record.properties).attributes(intake, &key, kind)?;
    attributes.domain_controller = attributes.domain_controller.or(record.is_controller);
    attributes.unconstrained_delegation = attributes.unconstrained_delegation.or(record.unconstrained_delegation);
    let name = name.unwrap_or_else(|| record.object_identifier.clone());
    let kind = if attributes.managed_password == Some(true) { Kind::Service } else { kind };
    let own = intake.key(&key)?;
    if kind == Kind::Device {
        bloodhound::host_alias(intake, &name, own)?;
    }
    intake.node(part, own, kind, &name, attributes, place.clone())?;
    let mut edges = Edges { intake, part, domain: &domain, own, place };
    edges.all(record)?;
    Ok(())
}

/// The edges of one record.
struct Edges<'e, 'a, 'w> {
    intake: &'e mut Intake<'a, 'w>,
    part: u32,
    domain: &'e str,
    own: u32,
    place: &'e Place,
}

impl Edges<'_, '_, '_> {
    fn end(&mut self, id: &str) -> Result<u32, Cause> {
        let key = sid::key(id, self.domain);
        if key.starts_with("object:") && id.contains('.') {
            return bloodhound::host(self.intake, id);
        }
        self.intake.key(&key)
    }

    /// `true`: the own object is `from`.
    fn each(
        &mut self,
        field: &'static str,
        many: Many<Target>,
        relation: Relation,
        outward: bool,
    ) -> Result<(), Cause> {
        if !many.collected {
            self.intake.skip(
                "could not be collected: sessions, local groups or rights of a device",
                &self.place.field(field, None),
            );
        }
        for (number, Target(id)) in many.values.into_iter().enumerate() {
            let other = self.end(&id)?;
            let (from, to) = if outward { (self.own, other) } else { (other, self.own) };
            self.intake.edge(self.part, from, relation, to, self.place.field(field, Some(number)));
        }
        Ok(())
    }

    fn all(&mut self, mut record: Record) -> Result<(), Cause> {
        use Relation as R;
        let admitted = record.admitted();
        if let Some(group) = record.primary_group {
            let group = self.end(&group)?;
            self.intake.edge(self.part, self.own, R::MemberOf, group, self.place.field("PrimaryGroupSID", None));
        }
        if let Some(Target(container)) = record.contained_by {
            let container = self.end(&container)?;
            self.intake.edge(self.part, container, R::Contains, self.own, self.place.field("ContainedBy", None));
        }
        for (field, list, relation) in admitted {
            self.each(field, list, relation, false)?;
        }
        self.each("Members", record.members, R::MemberOf, false)?;
        self.each("ChildObjects", record.child_objects, R::Contains, true)?;
        self.each("Users", record.users, R::Contains, true)?;
        self.each("Computers", record.computers, R::Contains, true)?;
        self.each("ChildOus", record.child_ous, R::Contains, true)?;
        self.each("AllowedToDelegate", record.allowed_to_delegate, R::DelegatesTo, true)?;
        self.each("AllowedToAct", record.allowed_to_act, R::ActsOnBehalf, false)?;
        self.each("HasSIDHistory", record.sid_history, R::HasSidHistory, true)?;
        self.each("DumpSMSAPassword", record.dump_managed, R::ReadManagedPassword, true)?;
        for (field, sessions) in [
            ("Sessions", record.sessions),
            ("PrivilegedSessions", record.privileged_sessions),
            ("RegistrySessions", record.registry_sessions),
        ] {
            self.sessions(field, sessions)?;
        }
        for (number, group) in record.local_groups.values.into_iter().enumerate() {
            self.local_group(number, group)?;
        }
        for (number, service) in record.services.values.into_iter().enumerate() {
            let place = self.place.field("SPNTargets", Some(number));
            if service.service.eq_ignore_ascii_case("SQLAdmin") {
                let computer = self.end(&service.computer)?;
                self.intake.edge(self.part, self.own, R::SqlAdministrator, computer, place);
            } else {
                self.intake.skip("a service of a kind that is not known here", &place);
            }
        }
        for (number, link) in record.links.values.into_iter().enumerate() {
            let policy = self.end(&link.policy)?;
            self.intake.edge(self.part, policy, R::AppliesTo, self.own, self.place.field("Links", Some(number)));
        }
        for (number, trust) in record.trusts.values.into_iter().enumerate() {
            self.trust(number, &trust)?;
        }
        self.aces("Aces", record.aces)?;
        if let Some(security) = record.authority_security {
            self.aces("CASecurity", security.data)?;
        }
        if let Some(host) = record.hosting_computer {
            let host = self.end(&host)?;
            self.intake.edge(self.part, host, R::ManageAuthority, self.own, self.place.field("HostingComputer", None));
        }
        if let Some(changes) = record.policy_changes {
            self.policy_changes(changes)?;
        }
        Ok(())
    }

    fn sessions(&mut self, field: &'static str, sessions: Many<Session>) -> Result<(), Cause> {
        if !sessions.collected {
            self.intake.skip(
                "could not be collected: sessions, local groups or rights of a device",
                &self.place.field(field, None),
            );
        }
        for (number, session) in sessions.values.into_iter().enumerate() {
            let (user, computer) = (self.end(&session.user)?, self.end(&session.computer)?);
            let place = self.place.field(field, Some(number));
            self.intake.edge(self.part, computer, Relation::HasSession, user, place);
        }
        Ok(())
    }

    fn local_group(&mut self, number: usize, group: LocalGroup) -> Result<(), Cause> {
        let place = self.place.field("LocalGroups", Some(number));
        if group.collected == Some(false) {
            self.intake.skip("could not be collected: sessions, local groups or rights of a device", &place);
        }
        let relation = match group.object_identifier.rsplit('-').next() {
            Some("544") => Relation::Administers,
            Some("555") => Relation::RemoteDesktop,
            Some("562") => Relation::RemoteDcom,
            Some("580") => Relation::RemotePowerShell,
            _ => {
                self.intake.skip("a local group that opens nothing that is known here", &place);
                return Ok(());
            }
        };
        for Target(member) in group.results.values {
            let member = self.end(&member)?;
            self.intake.edge(self.part, member, relation, self.own, place.clone());
        }
        Ok(())
    }

    /// Settings that a policy makes on each device that it applies to.
    fn policy_changes(&mut self, mut changes: PolicyChanges) -> Result<(), Cause> {
        let place = self.place.field("GPOChanges", None);
        let admitted = changes.admitted();
        let devices = changes.affected_computers.values;
        for (_, members, relation) in admitted {
            for Target(member) in &members.values {
                let member = self.end(member)?;
                for Target(device) in &devices {
                    // The product of two lists: its size is bounded here, and not by the file's.
                    self.intake.record()?;
                    let device = self.end(device)?;
                    self.intake.edge(self.part, member, relation, device, place.clone());
                }
            }
        }
        Ok(())
    }

    fn trust(&mut self, number: usize, trust: &Trust) -> Result<(), Cause> {
        let place = self.place.field("Trusts", Some(number));
        let Some(other) = trust.target_domain_sid.as_deref().filter(|sid| !sid.is_empty()) else {
            self.intake.skip("a trust without the identifier of the other domain", &place);
            return Ok(());
        };
        let other = self.end(other)?;
        // Inbound: the other domain trusts this one. Outbound: this one trusts the other.
        let (inbound, outbound) = match &trust.trust_direction {
            Some(Direction::Number(0)) => (false, false),
            Some(Direction::Number(1)) => (true, false),
            Some(Direction::Number(2)) => (false, true),
            Some(Direction::Number(3)) => (true, true),
            Some(Direction::Name(name)) => {
                let name = name.to_ascii_lowercase();
                (
                    matches!(name.as_str(), "inbound" | "bidirectional"),
                    matches!(name.as_str(), "outbound" | "bidirectional"),
                )
            }
            _ => {
                self.intake.skip("a trust of a direction that is not known here", &place);
                return Ok(());
            }
        };
        let condition: Option<Box<str>> =
            (trust.sid_filtering_enabled == Some(true)).then(|| "SID filtering is on".into());
        for (holds, from, to) in [(inbound, self.own, other), (outbound, other, self.own)] {
            if holds {
                self.intake.conditional(self.part, from, Relation::TrustedBy, to, condition.clone(), place.clone());
            }
        }
        Ok(())
    }

    fn aces(&mut self, field: &'static str, aces: Many<Ace>) -> Result<(), Cause> {
        for (number, ace) in aces.values.into_iter().enumerate() {
            let place = self.place.field(field, Some(number));
            match right(&ace) {
                Some(relation) => {
                    let principal = self.end(&ace.principal)?;
                    self.intake.edge(self.part, principal, relation, self.own, place);
                }
                None => self.intake.skip("a right that opens nothing that is known here", &place),
            }
        }
        Ok(())
    }
}

/// Version 3 says the kind of right and what it is about apart.
fn right(ace: &Ace) -> Option<Relation> {
    let name = match (ace.right_name.as_str(), ace.ace_type.as_deref().unwrap_or_default()) {
        ("ExtendedRight", "" | "All") => "AllExtendedRights",
        ("ExtendedRight", "User-Force-Change-Password") => "ForceChangePassword",
        ("WriteProperty", "Member" | "AddMember") => "AddMember",
        ("WriteProperty", "AllowedToAct") => "AddAllowedToAct",
        ("ExtendedRight" | "WriteProperty", other) => other,
        (name, _) => name,
    };
    bloodhound::relation(name)
}
