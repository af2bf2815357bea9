//! The estate: subjects, groups, devices and resources, and the acts on them that cannot wait for a configuration.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use countersign_administrator::{Page, PasskeyView, SubjectFilter};
use countersign_model::{
    DeviceId, Group, Resource, ResourceId, ResourceKind, Subject, SubjectId, SubjectKind, SubjectState, Timestamp,
    Upstream,
};
use serde::{Deserialize, Serialize};

use super::ROWS;
use crate::Site;
use crate::error::{Fault, PageFault};
use crate::extract::{Form, PagePath, PageQuery};
use crate::guard::Caller;
use crate::page::{Done, Shell, done, encode, html, query};
use crate::portal::After;
use crate::rows::DeviceRow;

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    search: String,
    kind: String,
    cursor: Option<String>,
    #[serde(skip_serializing)]
    done: Option<String>,
}

impl Search {
    fn page(&self) -> Page {
        // One more than is shown tells whether there is another page.
        Page { after: self.cursor.clone(), limit: ROWS + 1 }
    }

    fn url(&self, path: &str, cursor: Option<String>) -> String {
        format!("{path}{}", query(&Self { cursor, ..self.clone() }))
    }

    fn first(&self, path: &str) -> Option<String> {
        self.cursor.is_some().then(|| self.url(path, None))
    }

    /// Cuts `rows` to a page, and tells where the next one is.
    fn next<T>(&self, path: &str, rows: &mut Vec<T>, id: impl Fn(&T) -> String) -> Option<String> {
        let more = rows.len() > ROWS;
        rows.truncate(ROWS);
        rows.last().filter(|_| more).map(|last| self.url(path, Some(id(last))))
    }
}

#[derive(Template)]
#[template(path = "console/subjects.html")]
struct SubjectsPage {
    shell: Shell,
    rows: Vec<Subject>,
    search: String,
    kind: String,
    filtered: bool,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn subjects(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(search): PageQuery<Search>,
) -> Result<Response, PageFault> {
    const PATH: &str = "/console/subjects";
    let kind = SubjectKind::ALL.into_iter().find(|kind| kind.to_string() == search.kind);
    let text = search.search.trim().to_lowercase();
    let filter = SubjectFilter { kind, group: None, text: (!text.is_empty()).then_some(text) };
    let page = search.page();
    let mut rows = site.read(move |administrator| administrator.subjects(&page, &filter)).await?;
    let next = search.next(PATH, &mut rows, |subject| subject.id.to_string());
    Ok(html(&SubjectsPage {
        shell: Shell::new(&caller, PATH, site.now(), None),
        rows,
        filtered: !(search.search.is_empty() && search.kind.is_empty()),
        first: search.first(PATH),
        next,
        search: search.search,
        kind: search.kind,
    }))
}

#[derive(Template)]
#[template(path = "console/subject.html")]
struct SubjectPage {
    shell: Shell,
    active: bool,
    /// Where to post to turn the state round.
    state_url: String,
    needs_owner: bool,
    encoded: String,
    passkeys: Vec<PasskeyView>,
    one: Subject,
}

pub(super) async fn subject(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<SubjectId>,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    let one = site.administrator().subject(&id).ok_or(Fault::Absent)?;
    let active = match one.state {
        SubjectState::Active => true,
        SubjectState::Disabled => false,
    };
    let needs_owner = match one.id.kind() {
        SubjectKind::Service | SubjectKind::Agent => true,
        SubjectKind::Human | SubjectKind::Anonymous => false,
    };
    Ok(html(&SubjectPage {
        shell: Shell::new(&caller, "/console/subjects", site.now(), after.done.as_deref()),
        active,
        state_url: format!("{}/{}", super::subject_url(&id), if active { "disable" } else { "enable" }),
        needs_owner,
        encoded: encode(&id.to_string()),
        passkeys: site.administrator().passkeys(&id).await?,
        one,
    }))
}

pub(super) async fn enable(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<SubjectId>,
) -> Result<Response, PageFault> {
    site.administrator().set_subject_state(&id, SubjectState::Active, &caller.actor()).await?;
    Ok(done(&super::subject_url(&id), Done::SubjectEnabled))
}

pub(super) async fn disable(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<SubjectId>,
) -> Result<Response, PageFault> {
    site.administrator().set_subject_state(&id, SubjectState::Disabled, &caller.actor()).await?;
    Ok(done(&super::subject_url(&id), Done::SubjectDisabled))
}

#[derive(Template)]
#[template(path = "console/groups.html")]
struct GroupsPage {
    shell: Shell,
    rows: Vec<Group>,
}

pub(super) async fn groups(State(site): State<Site>, caller: Caller) -> Response {
    let shell = Shell::new(&caller, "/console/groups", site.now(), None);
    html(&GroupsPage { shell, rows: site.administrator().groups() })
}

#[derive(Template)]
#[template(path = "console/devices.html")]
struct DevicesPage {
    shell: Shell,
    rows: Vec<DeviceRow>,
    search: String,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn devices(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(search): PageQuery<Search>,
) -> Result<Response, PageFault> {
    const PATH: &str = "/console/devices";
    let text = search.search.trim().to_lowercase();
    let page = search.page();
    let mut found = site
        .read(move |administrator| match text.is_empty() {
            true => administrator.devices(&page, None),
            false => administrator.devices_containing(&page, &text),
        })
        .await?;
    let next = search.next(PATH, &mut found, |device| device.id.to_string());
    let settings = site.administrator().settings();
    let shell = Shell::new(&caller, PATH, site.now(), None);
    Ok(html(&DevicesPage {
        rows: found.into_iter().map(|device| DeviceRow::new(device, &settings.posture, shell.now)).collect(),
        first: search.first(PATH),
        next,
        search: search.search,
        shell,
    }))
}

#[derive(Template)]
#[template(path = "console/device.html")]
struct DevicePage {
    shell: Shell,
    managed_url: String,
    revoke_url: String,
    one: DeviceRow,
}

pub(super) async fn device(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<DeviceId>,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    let device = site.administrator().device(&id).ok_or(Fault::Absent)?;
    let settings = site.administrator().settings();
    let shell = Shell::new(&caller, "/console/devices", site.now(), after.done.as_deref());
    let url = super::device_url(&id);
    Ok(html(&DevicePage {
        managed_url: format!("{url}/managed"),
        revoke_url: format!("{url}/revoke"),
        one: DeviceRow::new(device, &settings.posture, shell.now),
        shell,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Managed {
    /// Absent to release it.
    #[serde(default)]
    managed: bool,
}

pub(super) async fn managed(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<DeviceId>,
    Form(Managed { managed }): Form<Managed>,
) -> Result<Response, PageFault> {
    site.administrator().set_managed(&id, managed, &caller.actor()).await?;
    Ok(done(&super::device_url(&id), if managed { Done::DeviceManaged } else { Done::DeviceUnmanaged }))
}

pub(super) async fn revoke(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<DeviceId>,
) -> Result<Response, PageFault> {
    site.administrator().revoke_device(&id, &caller.actor()).await?;
    Ok(done(&super::device_url(&id), Done::DeviceRevoked))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enrolment {
    owner: String,
    device: String,
}

/// Something secret that is shown this once.
#[derive(Template)]
#[template(path = "console/once.html")]
pub(super) struct OncePage {
    pub(super) shell: Shell,
    pub(super) title: &'static str,
    pub(super) explanation: &'static str,
    pub(super) secret: String,
    pub(super) expires: Timestamp,
}

/// Somebody typed something that is no id: said as it is.
pub(super) fn typed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Fault> {
    text.trim().parse().map_err(|error| Fault::Unacceptable(format!("{error}")))
}

pub(super) async fn enrolment(
    State(site): State<Site>,
    caller: Caller,
    Form(form): Form<Enrolment>,
) -> Result<Response, PageFault> {
    let (owner, device) = (typed(&form.owner)?, typed::<DeviceId>(&form.device)?);
    let lifetime = Duration::from_secs(24 * 3600);
    let made = site.administrator().invite_device(&owner, &device, lifetime, &caller.actor()).await?;
    Ok(html(&OncePage {
        shell: Shell::new(&caller, "/console/devices", site.now(), None),
        title: "A token for a device",
        explanation: "Whoever has it can enrol this one device. On the device: countersign device enroll",
        secret: made.secret.expose().to_owned(),
        expires: made.expires,
    }))
}

#[derive(Template)]
#[template(path = "console/resources.html")]
struct ResourcesPage {
    shell: Shell,
    rows: Vec<Resource>,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn resources(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(search): PageQuery<Search>,
) -> Response {
    const PATH: &str = "/console/resources";
    let all = site.administrator().resources();
    let after = |id: &ResourceId| search.cursor.as_deref().is_none_or(|cursor| id.as_str() > cursor);
    let mut rows: Vec<Resource> =
        all.iter().filter(|one| after(&one.id)).take(ROWS + 1).map(|one| Resource::clone(one)).collect();
    let next = search.next(PATH, &mut rows, |one| one.id.to_string());
    let shell = Shell::new(&caller, PATH, site.now(), search.done.as_deref());
    html(&ResourcesPage { shell, rows, first: search.first(PATH), next })
}

#[derive(Template)]
#[template(path = "console/resource.html")]
struct ResourcePage {
    shell: Shell,
    upstream: String,
    built_in: bool,
    encoded: String,
    one: Resource,
}

pub(super) async fn resource(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ResourceId>,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    let one = site.administrator().resource(&id).ok_or(Fault::Absent)?;
    let upstream = match &one.upstream {
        Upstream::Origin { url, .. } => url.clone(),
        Upstream::Internal { part } => format!("Countersign itself: {part}"),
    };
    Ok(html(&ResourcePage {
        shell: Shell::new(&caller, "/console/resources", site.now(), after.done.as_deref()),
        upstream,
        built_in: match one.kind {
            ResourceKind::Countersign => true,
            ResourceKind::Http => false,
        },
        encoded: encode(id.as_str()),
        one: Resource::clone(&one),
    }))
}
