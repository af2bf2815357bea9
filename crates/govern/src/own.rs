//! What this Countersign knows of itself, as the document that `countersign_estate` reads.

use countersign_administrator::{Administrator, Page, SessionFilter, SubjectFilter};
use countersign_estate::{OwnInventory, OwnKey, OwnSession};
use countersign_model::SubjectKind;

/// How many subjects and devices are taken at a time.
const AT_ONCE: usize = 10_000;

/// Looks at everything: not for the path of a request.
pub(crate) fn document(administrator: &Administrator) -> Result<Vec<u8>, serde_json::Error> {
    let mut own = OwnInventory::new(administrator.settings().control_host.clone());
    own.segments = administrator.segments();
    own.groups = administrator.groups();
    own.resources = administrator.resources().iter().map(|resource| (**resource).clone()).collect();
    let mut page = Page { after: None, limit: AT_ONCE };
    loop {
        let subjects = administrator.subjects(&page, &SubjectFilter::default());
        page.after = subjects.last().map(|last| last.id.to_string());
        let whole = subjects.len() < AT_ONCE;
        own.subjects.extend(subjects);
        if whole {
            break;
        }
    }
    page.after = None;
    loop {
        let devices = administrator.devices(&page, None);
        page.after = devices.last().map(|last| last.id.to_string());
        let whole = devices.len() < AT_ONCE;
        own.devices.extend(devices);
        if whole {
            break;
        }
    }
    let keys = administrator.keys(None).into_iter().map(|key| OwnKey {
        id: key.id.to_string(),
        subject: key.subject,
        owner: key.owner,
        created: key.created,
        expires: key.expires,
        last_used: key.last_used,
    });
    own.keys = keys.collect();
    let sessions = administrator.sessions(&SessionFilter::default()).into_iter();
    let mut sessions: Vec<OwnSession> = sessions
        .filter_map(|session| Some(OwnSession { subject: session.subject, device: session.device?.to_string() }))
        .collect();
    // The same two in two sessions are one fact, and the order of a table is none.
    sessions.sort_by(|one, other| (&one.subject, &one.device).cmp(&(&other.subject, &other.device)));
    sessions.dedup_by(|one, other| one.subject == other.subject && one.device == other.device);
    own.sessions = sessions;
    let people = own.subjects.iter().map(|subject| &subject.id).filter(|id| id.kind() == SubjectKind::Human);
    own.passkeys = people.filter(|id| administrator.has_passkey(id)).cloned().collect();
    serde_json::to_vec(&own)
}
