//! All facts, in memory, with a generation. It decides nothing and stores nothing: `circumstances` reads it, `signals`
//! changes it, `store` remembers it.
//!
//! A [`View`] is immutable and whole. A change makes the next view, which shares with the last everything but the
//! records that changed (see [`trie`]), and publishes it with one pointer: a decision loads that pointer once, never
//! waits, and sees either all of a change or nothing of it. Epoch pointers per record would save a writer the copied
//! path, but could show a decision half of a change to the group graph.

mod change;
mod exceptions;
mod records;
mod shown;
mod taking;
mod trie;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use countersign_model::{
    Device, DeviceEvidence, DeviceId, GroupId, NameError, ResourceId, SegmentId, Signal, SubjectId, SubjectKind,
};
use countersign_policy::Symbols;
use countersign_store::{Store, StoreError};
use parking_lot::Mutex;

pub(crate) use change::Touched;
use records::{CertificateRecord, Fingerprint, GroupRecord, SegmentRecord};
pub(crate) use records::{DeviceRecord, ResourceRecord, SubjectRecord};
pub(crate) use shown::ShownOnce;
pub(crate) use taking::{moved, taking};
use trie::Trie;

/// All facts at one instant.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) generation: u64,
    subjects: Trie<SubjectRecord>,
    groups: Trie<GroupRecord>,
    devices: Trie<DeviceRecord>,
    certificates: Trie<CertificateRecord>,
    resources: Trie<ResourceRecord>,
    segments: Trie<SegmentRecord>,
    exceptions: Arc<exceptions::Exceptions>,
}

#[derive(Debug)]
pub(crate) struct World {
    current: ArcSwap<View>,
    symbols: Arc<Symbols>,
    /// Which subjects are in a group directly. For writers only; may name subjects that have left meanwhile, never
    /// misses one that is in.
    members: Mutex<Members>,
}

/// The next view, not in force yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) view: View,
    pub(crate) touched: Touched,
}

type Members = HashMap<GroupId, HashSet<SubjectId>>;

/// Why a change is refused. Nothing of it has been applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    #[error("there is no subject {0}")]
    UnknownSubject(SubjectId),
    #[error("there is no group {0}")]
    UnknownGroup(GroupId),
    #[error("there is no device {0}")]
    UnknownDevice(DeviceId),
    #[error("there is no resource {0}")]
    UnknownResource(ResourceId),
    #[error("there is no segment {0}")]
    UnknownSegment(SegmentId),
    #[error("group {0} would be a member of itself")]
    Cycle(GroupId),
    #[error("{0} belongs to Countersign and is not changed")]
    BuiltIn(String),
    #[error("the certificate fingerprint of device {0} is not 64 lower-case hexadecimal digits")]
    Fingerprint(DeviceId),
    #[error("the certificate of device {device} belongs to device {holder}")]
    CertificateTaken { device: DeviceId, holder: DeviceId },
    #[error("{host}{path} leads to resource {holder} already")]
    RouteTaken { host: String, path: String, holder: ResourceId },
    #[error("resource {resource} is in segment {segment}")]
    SegmentInUse { segment: SegmentId, resource: ResourceId },
    #[error("a risk is 0 to 100, not {0}")]
    Risk(u8),
    #[error(transparent)]
    Name(#[from] NameError),
}

impl World {
    pub(crate) fn new(symbols: Arc<Symbols>) -> Self {
        Self { current: ArcSwap::from_pointee(View::default()), symbols, members: Mutex::default() }
    }

    /// Never waits, and holds nothing up.
    pub(crate) fn view(&self) -> Guard<Arc<View>> {
        self.current.load()
    }

    pub(crate) const fn symbols(&self) -> &Arc<Symbols> {
        &self.symbols
    }

    /// Works out what all of `signals` as one change would make of the world, and changes nothing.
    pub(crate) fn prepare(&self, signals: &[Signal]) -> Result<Prepared, WorldError> {
        let mut draft = change::Draft::new(&self.current.load(), &self.symbols, self.members.lock());
        signals.iter().try_for_each(|signal| draft.apply(signal))?;
        Ok(Prepared { view: draft.view, touched: draft.touched })
    }

    /// Puts in force what was prepared. The caller serializes changes: nothing was published since.
    pub(crate) fn publish(&self, prepared: Prepared) -> Touched {
        let Prepared { mut view, touched } = prepared;
        view.generation = self.current.load().generation + 1;
        self.current.store(Arc::new(view));
        touched
    }

    /// Everything that the store remembers, as one change.
    pub(crate) fn fill(&self, store: &dyn Store) -> Result<(), FillError> {
        let mut draft = change::Draft::new(&self.current.load(), &self.symbols, self.members.lock());
        draft.fill(store)?;
        let prepared = Prepared { view: draft.view, touched: Touched::default() };
        drop(draft.members);
        self.publish(prepared);
        Ok(())
    }

    /// What `changes` make of `view`, in no world.
    pub(crate) fn taken_back(view: &View, symbols: &Arc<Symbols>, changes: &[Signal]) -> Result<View, WorldError> {
        let mut members = Members::new();
        for record in view.subjects() {
            for group in record.groups() {
                members.entry(group.clone()).or_default().insert(record.id().clone());
            }
        }
        let members = Mutex::new(members);
        let mut draft = change::Draft::new(view, symbols, members.lock());
        changes.iter().try_for_each(|signal| draft.apply(signal))?;
        Ok(draft.view)
    }

    /// Puts back what was there before a change that could not be kept. The caller serializes changes.
    pub(crate) fn restore(&self, before: &View, touched: &Touched) {
        let mut members = self.members.lock();
        for record in touched.subjects.iter().filter_map(|id| before.subject(id)) {
            for group in record.groups() {
                members.entry(group.clone()).or_default().insert(record.id().clone());
            }
        }
        let generation = self.current.load().generation + 1;
        self.current.store(Arc::new(View { generation, ..before.clone() }));
    }
}

/// Why the world could not be filled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FillError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    World(#[from] WorldError),
}

impl View {
    pub(crate) fn subject(&self, id: &SubjectId) -> Option<&Arc<SubjectRecord>> {
        self.subjects.get(id)
    }

    pub(crate) fn resource(&self, id: &ResourceId) -> Option<&Arc<ResourceRecord>> {
        self.resources.get(id)
    }

    pub(crate) fn device(&self, id: &DeviceId) -> Option<&Arc<DeviceRecord>> {
        self.devices.get(id)
    }

    pub(crate) fn device_by_certificate(&self, fingerprint: &str) -> Option<&Arc<DeviceRecord>> {
        self.device(&self.certificates.get(&Fingerprint::parse(fingerprint)?)?.device)
    }

    /// The device behind what the transport proved, whether or not that still proves anything.
    pub(crate) fn evident_device(&self, evidence: &DeviceEvidence) -> Option<&Arc<DeviceRecord>> {
        match evidence {
            DeviceEvidence::Absent => None,
            DeviceEvidence::Certificate { fingerprint } => self.device_by_certificate(fingerprint),
        }
    }

    pub(crate) fn group(&self, id: &GroupId) -> Option<&countersign_model::Group> {
        self.groups.get(id).map(|record| &record.group)
    }

    pub(crate) fn segment(&self, id: &SegmentId) -> Option<&countersign_model::Segment> {
        self.segments.get(id).map(|record| &record.0)
    }

    /// Everyone who is known, without `anonymous`, in no order.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = &Arc<SubjectRecord>> {
        self.subjects.iter().filter(|record| record.id().kind() != SubjectKind::Anonymous)
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = &Arc<DeviceRecord>> {
        self.devices.iter()
    }

    pub(crate) fn resources(&self) -> impl Iterator<Item = &Arc<ResourceRecord>> {
        self.resources.iter()
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &countersign_model::Group> {
        self.groups.iter().map(|record| &record.group)
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = &countersign_model::Segment> {
        self.segments.iter().map(|record| &record.0)
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            subjects: self.subjects.len(),
            groups: self.groups.len(),
            devices: self.devices.len(),
            resources: self.resources.len(),
            segments: self.segments.len(),
        }
    }

    /// The groups of these and all that they are in, sorted, each once. A group that does not exist has no members.
    pub(crate) fn closure<'a>(&self, groups: impl IntoIterator<Item = &'a GroupId>) -> Vec<GroupId> {
        let mut closed: Vec<GroupId> = Vec::new();
        for group in groups {
            if let Some(record) = self.groups.get(group) {
                closed.extend(record.closed.iter().cloned());
            }
        }
        closed.sort_unstable();
        closed.dedup();
        closed
    }

    /// The group itself and every group that is in it, directly or not.
    pub(crate) fn below(&self, group: &GroupId) -> HashSet<GroupId> {
        let is = |record: &&Arc<GroupRecord>| record.closed.binary_search(group).is_ok();
        self.groups.iter().filter(is).map(|record| record.group.id.clone()).collect()
    }

    fn certificate_holder(&self, device: &Device, fingerprint: Fingerprint) -> Option<&DeviceId> {
        self.certificates.get(&fingerprint).map(|record| &record.device).filter(|&holder| *holder != device.id)
    }
}

/// How many of each are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub subjects: usize,
    pub groups: usize,
    pub devices: usize,
    pub resources: usize,
    pub segments: usize,
}

#[cfg(test)]
mod tests;
