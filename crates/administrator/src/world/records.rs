//! Subjects, groups, devices and resources as the world keeps them: small, and with what a decision needs already
//! worked out. The model's types go in and come out; what stands here is only how they lie in memory.

use std::sync::Arc;
use std::time::Duration;

use countersign_model::{
    Device, DeviceId, DeviceState, Fact, Group, GroupId, Posture, PostureAspect, PostureValue, Resource, ResourceId,
    Segment, SegmentId, Source, Subject, SubjectId, SubjectState, Timestamp,
};
use countersign_policy::Record;

use super::shown::ShownOnce;
use super::trie::Keyed;

#[derive(Debug)]
pub(crate) struct SubjectRecord {
    id: SubjectId,
    display_name: Box<str>,
    email: Option<Box<str>>,
    owner: Option<SubjectId>,
    acts_for: Option<SubjectId>,
    groups: Box<[GroupId]>,
    created: Timestamp,
    last_used: Option<Timestamp>,
    pub(crate) state: SubjectState,
    source: Source,
    pub(crate) risk: u8,
    /// For the policy engine, with every group that it is in, directly or not.
    pub(crate) record: Record,
    pub(crate) shown: ShownOnce,
}

impl SubjectRecord {
    pub(crate) fn new(subject: Subject, risk: u8, record: Record) -> Self {
        let Subject { id, display_name, email, owner, acts_for, state, groups, source, created, last_used } = subject;
        Self {
            id,
            display_name: display_name.into_boxed_str(),
            email: email.map(String::into_boxed_str),
            owner,
            acts_for,
            groups: groups.into_boxed_slice(),
            created,
            last_used,
            state,
            source,
            risk,
            record,
            shown: ShownOnce::default(),
        }
    }

    pub(crate) fn subject(&self) -> Subject {
        Subject {
            id: self.id.clone(),
            display_name: self.display_name.to_string(),
            email: self.email.as_deref().map(str::to_owned),
            owner: self.owner.clone(),
            acts_for: self.acts_for.clone(),
            state: self.state,
            groups: self.groups.to_vec(),
            source: self.source,
            created: self.created,
            last_used: self.last_used,
        }
    }

    pub(crate) const fn id(&self) -> &SubjectId {
        &self.id
    }

    pub(crate) const fn source(&self) -> Source {
        self.source
    }

    pub(crate) const fn acts_for(&self) -> Option<&SubjectId> {
        self.acts_for.as_ref()
    }

    pub(crate) const fn groups(&self) -> &[GroupId] {
        &self.groups
    }

    pub(crate) const fn display_name(&self) -> &str {
        &self.display_name
    }

    pub(crate) fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }
}

impl Keyed for SubjectRecord {
    type Key = SubjectId;
    fn key(&self) -> &SubjectId {
        &self.id
    }
}

#[derive(Debug)]
pub(crate) struct DeviceRecord {
    id: DeviceId,
    display_name: Box<str>,
    owner: SubjectId,
    certificate: Option<Fingerprint>,
    certificate_expires: Timestamp,
    enrolled: Timestamp,
    posture: Box<[PackedFact]>,
    pub(crate) managed: bool,
    state: DeviceState,
}

/// One aspect of a posture in 40 bytes; the map of facts that it unpacks to takes several times that.
#[derive(Debug)]
struct PackedFact {
    value: PackedValue,
    observed: Timestamp,
    max_age_seconds: u32,
    aspect: PostureAspect,
    source: Source,
}

#[derive(Debug)]
enum PackedValue {
    On,
    Off,
    Days(u32),
    Version(Box<str>),
}

impl DeviceRecord {
    /// `certificate` is the device's, parsed; absent for one that has none yet.
    pub(crate) fn new(device: Device, certificate: Option<Fingerprint>) -> Self {
        let Device { id, display_name, owner, managed, state, certificate: _, certificate_expires, enrolled, posture } =
            device;
        Self {
            id,
            display_name: display_name.into_boxed_str(),
            owner,
            certificate,
            certificate_expires,
            enrolled,
            posture: posture.into_iter().map(|(aspect, fact)| PackedFact::new(aspect, fact)).collect(),
            managed,
            state,
        }
    }

    pub(crate) fn device(&self) -> Device {
        Device {
            id: self.id.clone(),
            display_name: self.display_name.to_string(),
            owner: self.owner.clone(),
            managed: self.managed,
            state: self.state,
            certificate: self.certificate.map(|it| it.to_string()).unwrap_or_default(),
            certificate_expires: self.certificate_expires,
            enrolled: self.enrolled,
            posture: self.posture(),
        }
    }

    pub(crate) fn posture(&self) -> Posture {
        self.posture.iter().map(|packed| (packed.aspect, packed.fact())).collect()
    }

    pub(crate) fn fact(&self, aspect: PostureAspect) -> Option<Fact<PostureValue>> {
        self.posture.iter().find(|packed| packed.aspect == aspect).map(PackedFact::fact)
    }

    pub(crate) const fn id(&self) -> &DeviceId {
        &self.id
    }

    pub(crate) const fn display_name(&self) -> &str {
        &self.display_name
    }

    pub(crate) const fn owner(&self) -> &SubjectId {
        &self.owner
    }

    pub(crate) const fn certificate(&self) -> Option<Fingerprint> {
        self.certificate
    }

    pub(crate) const fn certificate_expires(&self) -> Timestamp {
        self.certificate_expires
    }

    /// Whether its certificate proves anything.
    pub(crate) fn proves(&self, now: Timestamp) -> bool {
        self.state == DeviceState::Active && now < self.certificate_expires
    }
}

impl Keyed for DeviceRecord {
    type Key = DeviceId;
    fn key(&self) -> &DeviceId {
        &self.id
    }
}

impl PackedFact {
    fn new(aspect: PostureAspect, fact: Fact<PostureValue>) -> Self {
        Self {
            value: match fact.value {
                PostureValue::On => PackedValue::On,
                PostureValue::Off => PackedValue::Off,
                PostureValue::Days(days) => PackedValue::Days(days),
                PostureValue::Version(version) => PackedValue::Version(version.into_boxed_str()),
            },
            observed: fact.observed,
            // Saturates after 136 years.
            max_age_seconds: u32::try_from(fact.max_age.as_secs()).unwrap_or(u32::MAX),
            aspect,
            source: fact.source,
        }
    }

    fn fact(&self) -> Fact<PostureValue> {
        Fact {
            value: match &self.value {
                PackedValue::On => PostureValue::On,
                PackedValue::Off => PostureValue::Off,
                PackedValue::Days(days) => PostureValue::Days(*days),
                PackedValue::Version(version) => PostureValue::Version(version.to_string()),
            },
            source: self.source,
            observed: self.observed,
            max_age: Duration::from_secs(u64::from(self.max_age_seconds)),
        }
    }
}

/// SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Lower-case hex, as the model writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }
}

const fn digit(hex: u8) -> Option<u8> {
    match hex {
        b'0'..=b'9' => Some(hex - b'0'),
        b'a'..=b'f' => Some(hex - b'a' + 10),
        _ => None,
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// From a certificate to the device it was issued to.
#[derive(Debug)]
pub(crate) struct CertificateRecord {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) device: DeviceId,
}

impl Keyed for CertificateRecord {
    type Key = Fingerprint;
    fn key(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

#[derive(Debug)]
pub(crate) struct GroupRecord {
    pub(crate) group: Group,
    /// The group itself and every group that it is in, sorted.
    pub(crate) closed: Box<[GroupId]>,
}

impl Keyed for GroupRecord {
    type Key = GroupId;
    fn key(&self) -> &GroupId {
        &self.group.id
    }
}

#[derive(Debug)]
pub(crate) struct ResourceRecord {
    pub(crate) resource: Arc<Resource>,
    pub(crate) record: Record,
    pub(crate) shown: ShownOnce,
}

impl Keyed for ResourceRecord {
    type Key = ResourceId;
    fn key(&self) -> &ResourceId {
        &self.resource.id
    }
}

#[derive(Debug)]
pub(crate) struct SegmentRecord(pub(crate) Segment);

impl Keyed for SegmentRecord {
    type Key = SegmentId;
    fn key(&self) -> &SegmentId {
        &self.0.id
    }
}
