//! What is recorded, and its one encoding. An entry is canonical JSON, version 1: one line, fields in the order of
//! these types, no white space; [`Entry::decode`] refuses every other spelling of the same content. No type here has
//! room for a secret: credentials are named by kind, never by value.

use std::net::IpAddr;

use countersign_model::{
    Action, Circumstances, Decision, DecisionId, DeviceId, EnforcementPoint, LeaseId, Methods, Observed, PolicyId,
    Proof, Proofs, Question, ResourceId, SessionId, Shown, ShownId, Signal, SignalKind, SubjectId, Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest entry that an entry bundle can hold: its length is two bytes (C2SP tlog-tiles, "Log entries").
pub const MAX_ENTRY: usize = u16::MAX as usize;

const VERSION: u8 = 1;

/// What was [shown](EntryBody::Shown) is recorded again once it was last recorded so many entries ago: whoever reads from
/// somewhere in the middle finds it within this distance, and a few that were on their way, before the decision.
pub const SHOWN_AGAIN: u64 = 1 << 18;

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When, by the clock of the node that recorded it.
    pub at: Timestamp,
    pub body: EntryBody,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryBody {
    Decision(Box<DecisionEntry>),
    /// Of a subject or a resource: before the decisions that name it by its [content](shown_id).
    Shown(Box<Shown>),
    LeaseEnded(LeaseEndedEntry),
    /// What the change of facts that comes next takes the place of, as the change that would bring it back.
    Former(Box<SignalKind>),
    Signal(Box<Signal>),
    SessionStarted {
        session: SessionId,
        subject: SubjectId,
        device: Option<DeviceId>,
        methods: Methods,
        /// The external provider that vouched, where one did.
        provider: Option<String>,
        address: Option<IpAddr>,
        expires: Timestamp,
    },
    SessionEnded {
        session: SessionId,
        subject: SubjectId,
        cause: String,
        /// Who ended it, where it was somebody else.
        by: Option<SubjectId>,
    },
    SignInRefused {
        /// Whom it was tried for, where that is known.
        subject: Option<SubjectId>,
        /// `passkey`, `oidc`, `invitation`, ….
        method: String,
        cause: String,
        address: Option<IpAddr>,
    },
    /// A set too large for one entry is recorded in several: see [`EntryBody::policy_published`].
    PolicyPublished {
        /// Of the whole set.
        hash: String,
        policies: Vec<PublishedPolicy>,
        /// Counted from 1.
        part: u32,
        parts: u32,
        by: Option<SubjectId>,
        /// Somebody else, where it takes two.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<SubjectId>,
        /// What became of its guardrails: absent where nothing was tried, and from ledgers that are older than proofs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proofs: Option<Box<Proofs>>,
    },
    ConfigurationChanged {
        hash: String,
        by: Option<SubjectId>,
    },
    Act(ActEntry),
    Started {
        version: String,
        node: String,
    },
    Stopped {
        node: String,
    },
    /// The compiled plan and Cedar's own evaluator did not agree.
    ShadowDifference {
        decision: DecisionId,
        policy_set: String,
        plan: String,
        reference: String,
    },
}

/// One decision, with all that it rested on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DecisionEntry {
    pub id: DecisionId,
    pub question: Asked,
    pub decision: Decision,
    pub point: Point,
    /// SHA-256 of the policy set, in hex.
    pub policy_set: String,
    /// Of the world.
    pub generation: u64,
    /// `absent`, `session-cookie`, `bearer`, `ambiguous`: never the credential.
    pub credential_kind: String,
    /// Present exactly when access was given.
    pub lease: Option<LeaseId>,
    /// The decision that this one takes the place of, when a live lease was decided again.
    pub supersedes: Option<DecisionId>,
    /// What the policies were shown beside the question; absent where none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<ShownPair>,
    /// What was decided and not enforced, where observe mode made a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Box<Observed>>,
}

/// Two [`EntryBody::Shown`], by content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShownPair {
    pub subject: ShownId,
    pub resource: ShownId,
}

/// A [`Question`] as recorded: where no route covered the request there is no resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Asked {
    pub subject: SubjectId,
    pub action: Action,
    pub resource: Option<ResourceId>,
    pub session: Option<SessionId>,
    pub circumstances: Circumstances,
}

impl From<Question> for Asked {
    fn from(question: Question) -> Self {
        let Question { subject, action, resource, session, circumstances } = question;
        Self { subject, action, resource: Some(resource), session, circumstances }
    }
}

impl Asked {
    /// The question, to ask it again.
    pub fn question(&self) -> Option<Question> {
        let Self { subject, action, resource, session, circumstances } = self.clone();
        Some(Question { subject, action, resource: resource?, session, circumstances })
    }
}

/// Where it was enforced.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Point {
    pub node: String,
    pub channel: String,
    /// Whoever enforces what the node decided, where that is not the node itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<SubjectId>,
}

impl From<&EnforcementPoint> for Point {
    fn from(point: &EnforcementPoint) -> Self {
        Self { node: point.node.clone(), channel: point.channel.to_owned(), caller: point.caller.clone() }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaseEndedEntry {
    pub lease: LeaseId,
    /// The decision that gave it.
    pub decision: DecisionId,
    pub cause: String,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// The decision that took it away, where one did.
    pub by_decision: Option<DecisionId>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PublishedPolicy {
    pub id: PolicyId,
    /// SHA-256, in hex.
    pub hash: String,
}

/// An administrative act.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ActEntry {
    pub by: SubjectId,
    /// The decision that allowed it; a break-in has none.
    pub decision: Option<DecisionId>,
    pub verb: String,
    pub target: String,
    pub detail: String,
}

impl EntryBody {
    /// The decision that it is, if it is one.
    pub fn decision(&self) -> Option<&DecisionEntry> {
        if let Self::Decision(decision) = self { Some(decision) } else { None }
    }

    pub fn into_decision(self) -> Option<Box<DecisionEntry>> {
        if let Self::Decision(decision) = self { Some(decision) } else { None }
    }

    /// The same word as in the encoding.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Decision(_) => "decision",
            Self::Shown(_) => "shown",
            Self::LeaseEnded(_) => "lease-ended",
            Self::Former(_) => "former",
            Self::Signal(_) => "signal",
            Self::SessionStarted { .. } => "session-started",
            Self::SessionEnded { .. } => "session-ended",
            Self::SignInRefused { .. } => "sign-in-refused",
            Self::PolicyPublished { .. } => "policy-published",
            Self::ConfigurationChanged { .. } => "configuration-changed",
            Self::Act(_) => "act",
            Self::Started { .. } => "started",
            Self::Stopped { .. } => "stopped",
            Self::ShadowDifference { .. } => "shadow-difference",
        }
    }

    /// The publication of a policy set, in as many entries as it takes. The results of proofs are divided like the
    /// policies; each part says what they are about.
    pub fn policy_published(
        hash: &str,
        policies: Vec<PublishedPolicy>,
        by: Option<&SubjectId>,
        approved_by: Option<&SubjectId>,
        proofs: Option<&Proofs>,
    ) -> Vec<Self> {
        // A name is at most 256 bytes, each of which JSON may write as two; the hash and the punctuation fit in 128. Half
        // of an entry is the policies', half the proofs'.
        const PER_ENTRY: usize = MAX_ENTRY / 2 / (2 * 256 + 128) - 4;
        let results: &[Proof] = proofs.map_or(&[], |proofs| &proofs.results);
        let (mut chunks, mut of_proofs) = (policies.chunks(PER_ENTRY), results.chunks(PER_ENTRY));
        let count = chunks.len().max(of_proofs.len()).max(1);
        let parts = u32::try_from(count).unwrap_or(u32::MAX);
        let mut entry = |part| Self::PolicyPublished {
            hash: hash.to_owned(),
            policies: chunks.next().unwrap_or_default().to_vec(),
            part,
            parts,
            by: by.cloned(),
            approved_by: approved_by.cloned(),
            proofs: proofs.map(|proofs| {
                Box::new(Proofs { results: of_proofs.next().unwrap_or_default().to_vec(), ..proofs.about() })
            }),
        };
        (1..=parts).map(&mut entry).collect()
    }
}

/// The line as it is written; the order of the fields is the format.
#[derive(Serialize)]
struct Written<'a> {
    v: u8,
    at: Timestamp,
    body: &'a EntryBody,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    v: u8,
    at: Timestamp,
    body: EntryBody,
}

/// Why an entry cannot be recorded. It is never shortened to fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("the entry is {0} bytes long, an entry has at most {MAX_ENTRY}")]
    TooLong(usize),
    #[error("the entry cannot be written as JSON: {0}")]
    Json(String),
}

/// Why bytes are not an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the entry is {0} bytes long, an entry has at most {MAX_ENTRY}")]
    TooLong(usize),
    #[error("the entry is not a JSON record of a known kind: {0}")]
    Json(String),
    #[error("the entry is of version {0}, known is {VERSION}")]
    Version(u8),
    #[error("the entry is not in canonical form")]
    NotCanonical,
}

/// Names what was shown, and by what it was: nothing else has this name. Where it is too large for an entry it has none.
pub fn shown_id(shown: &Shown) -> Option<ShownId> {
    /// Of an entry, around it.
    const REST: usize = 128;
    let content = serde_json::to_vec(shown).ok()?;
    (content.len() + REST <= MAX_ENTRY).then(|| shown_id_of(&content))
}

/// The same, of the content as it stands in an entry.
pub fn shown_id_of(content: &[u8]) -> ShownId {
    let digest: [u8; 32] = Sha256::digest(content).into();
    let (half, _) = digest.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    ShownId::from_random(u128::from_be_bytes(*half))
}

impl Entry {
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let line = Written { v: VERSION, at: self.at, body: &self.body };
        // Room for a usual decision at once: growing into it would copy it several times.
        let mut bytes = Vec::with_capacity(1536);
        serde_json::to_writer(&mut bytes, &line).map_err(|error| EncodeError::Json(error.to_string()))?;
        if bytes.len() > MAX_ENTRY {
            return Err(EncodeError::TooLong(bytes.len()));
        }
        Ok(bytes)
    }

    /// Reads foreign bytes. What it accepts, [`encode`](Self::encode) writes back byte for byte.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_ENTRY {
            return Err(DecodeError::TooLong(bytes.len()));
        }
        let Read { v, at, body } =
            serde_json::from_slice(bytes).map_err(|error| DecodeError::Json(error.to_string()))?;
        if v != VERSION {
            return Err(DecodeError::Version(v));
        }
        let entry = Self { at, body };
        match entry.encode() {
            Ok(again) if again == bytes => Ok(entry),
            _ => Err(DecodeError::NotCanonical),
        }
    }

    /// The instant of an encoded entry without decoding the rest: it stands at a fixed place. For searching; what is
    /// found is decoded in full.
    pub(crate) fn peek_at(bytes: &[u8]) -> Option<Timestamp> {
        let rest = bytes.strip_prefix(br#"{"v":1,"at":""#)?;
        let end = rest.iter().position(|&b| b == b'"')?;
        std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()
    }
}
