//! Which facts a decision was made on, for the record: the subject and the resource as the policies saw them. They are
//! recorded by themselves, once, before the first decision that saw them, and every decision names them by their
//! content: so each can be decided again later on exactly the facts of its time (docs/decisions/0004).

use std::sync::Arc;

use countersign_ledger::{AppendError, EntryBody, Receipt, ShownPair};
use smallvec::SmallVec;

use crate::Administrator;
use crate::circumstances::Judgement;
use crate::world::{ResourceRecord, ShownOnce, SubjectRecord};

/// One that the ledger has to be told of first.
#[derive(Debug)]
pub(crate) enum Due {
    Subject(Arc<SubjectRecord>),
    Resource(Arc<ResourceRecord>),
}

impl Due {
    pub(crate) fn once(&self) -> &ShownOnce {
        match self {
            Self::Subject(record) => &record.shown,
            Self::Resource(record) => &record.shown,
        }
    }

    pub(crate) fn body(&self, administrator: &Administrator) -> Option<EntryBody> {
        let record = match self {
            Self::Subject(record) => &record.record,
            Self::Resource(record) => &record.record,
        };
        Some(EntryBody::Shown(Box::new(record.shown(administrator.symbols())?)))
    }
}

impl Administrator {
    /// What the policies were shown, by content; `None` where none was asked, or it cannot be recorded.
    pub(crate) fn pair(&self, judgement: &Judgement) -> Option<ShownPair> {
        let (subject, resource) = judgement.shown.as_ref()?;
        let symbols = self.symbols();
        Some(ShownPair {
            subject: subject.shown.id(&subject.record, symbols)?,
            resource: resource.shown.id(&resource.record, symbols)?,
        })
    }

    /// What of it has to be recorded before the decision. A decision without a [pair](Self::pair) names nothing.
    pub(crate) fn due(&self, judgement: &Judgement) -> SmallVec<[Due; 2]> {
        let mut due = SmallVec::new();
        let Some((subject, resource)) = &judgement.shown else { return due };
        let reached = self.0.recorder.reached();
        if subject.shown.due(reached) {
            due.push(Due::Subject(Arc::clone(subject)));
        }
        if resource.shown.due(reached) {
            due.push(Due::Resource(Arc::clone(resource)));
        }
        due
    }

    /// Records `body` behind what it names, and waits for all of it.
    //
    // INVARIANT: a record is marked as recorded once its entry is durable, not before: a decision that relies on the mark
    // stands behind that entry, whatever happens to those that are on their way.
    pub(crate) async fn record_behind(&self, due: SmallVec<[Due; 2]>, body: EntryBody) -> Result<Receipt, AppendError> {
        let bodies = due.iter().filter_map(|due| Some((due.once(), due.body(self)?)));
        let first: SmallVec<[_; 2]> = bodies.map(|(once, body)| (once, self.append(body))).collect();
        let receipt = self.append(body).await;
        for (once, pending) in first {
            once.recorded(pending.await?.index());
        }
        receipt
    }
}
