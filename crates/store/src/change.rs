//! What can be changed, as values: several in one [`crate::Store::commit`] are one transaction.

use countersign_model::{
    Device, DeviceId, Exception, Fact, Group, GroupId, KeyId, PostureAspect, PostureValue, Resource, ResourceId,
    Review, ReviewId, ReviewLine, Segment, SegmentId, SessionId, Subject, SubjectId, Timestamp,
};

use crate::{Hash, KeyRecord, LinkRecord, PasskeyRecord, RiskRecord, SessionRecord, TokenRecord};

/// One change. `Put` makes or replaces; `Remove` of what is not there does nothing.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// With its memberships; its groups have to exist.
    PutSubject(Subject),
    /// With its memberships, credentials, sessions, links and risk. Its devices stay.
    RemoveSubject(SubjectId),
    PutGroup(Group),
    /// With every membership in it.
    RemoveGroup(GroupId),
    PutSegment(Segment),
    /// Fails while a resource is in it.
    RemoveSegment(SegmentId),
    PutResource(Resource),
    RemoveResource(ResourceId),
    /// Never removed: it is evidence.
    PutException(Box<Exception>),
    /// With all its lines, which replace the former. Never removed: it is evidence.
    PutReview(Box<Review>),
    /// Of a review that is there; the others stay as they were.
    PutReviewLine {
        review: ReviewId,
        line: Box<ReviewLine>,
    },
    /// With its posture, which replaces the former.
    PutDevice(Device),
    RemoveDevice(DeviceId),
    /// These aspects only; the others stay as they were.
    PutPosture {
        device: DeviceId,
        facts: Vec<(PostureAspect, Fact<PostureValue>)>,
    },
    PutRisk(RiskRecord),
    /// Whoever it is proved themselves then, by any credential. Never earlier than what is known.
    SubjectUsed {
        id: SubjectId,
        at: Timestamp,
    },
    PutPasskey(PasskeyRecord),
    RemovePasskey {
        credential: String,
    },
    PutKey(KeyRecord),
    RemoveKey(KeyId),
    KeyUsed {
        id: KeyId,
        at: Timestamp,
    },
    /// With its secrets, which replace the former.
    PutSession(SessionRecord),
    RemoveSession(SessionId),
    SessionUsed {
        id: SessionId,
        at: Timestamp,
    },
    PutToken(TokenRecord),
    /// Fails with [`crate::StoreError::AlreadyUsed`] unless the token is there and `now` is before its expiry.
    ConsumeToken {
        hash: Hash,
        now: Timestamp,
    },
    RemoveToken {
        hash: Hash,
    },
    PutLink(LinkRecord),
    RemoveLink {
        issuer: String,
        provider_subject: String,
    },
    /// Fails with [`crate::StoreError::AlreadyUsed`] when the same was used before and is still remembered.
    UseOnce {
        purpose: &'static str,
        id: String,
        expires: Timestamp,
    },
    PutBlob {
        name: String,
        value: Vec<u8>,
    },
    RemoveBlob {
        name: String,
    },
    /// Forgets the sessions, tokens and used values that expired at or before this instant.
    Forget {
        before: Timestamp,
    },
}
