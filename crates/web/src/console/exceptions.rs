//! The register of exceptions: who asked, who agreed, what relaxes what for whom, until when, and every act on one. Forms
//! need no script; what an exception has to be, and who may agree, is the administrator's to say.

use std::collections::BTreeSet;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_administrator::{
    ActError, ExceptionFigures, ExceptionView, NewException, PolicyInfo, Undocumented, Works,
};
use countersign_model::{
    ActionClass, CompensatingControl, Exception, ExceptionId, ExceptionScope, ExceptionStanding, Probe, SubjectId,
    Timestamp,
};
use http::StatusCode;
use serde::Deserialize;

use super::exception_url;
use crate::Site;
use crate::error::{Fault, PageFault};
use crate::extract::{Form, PagePath, PageQuery};
use crate::guard::Caller;
use crate::page::{Done, Shell, done, html};
use crate::portal::After;
use crate::words::{Sign, sign};

const PLACE: &str = "/console/exceptions";
pub(super) const NEW: &str = "/console/new-exception";
const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Template)]
#[template(path = "console/exceptions.html")]
struct RegisterPage {
    shell: Shell,
    rows: Vec<ExceptionView>,
    figures: ExceptionFigures,
}

fn standing(standing: &ExceptionStanding) -> Sign {
    match standing {
        ExceptionStanding::Requested => sign("warn", "requested"),
        ExceptionStanding::InForce => sign("good", "in force"),
        ExceptionStanding::Expired => sign("plain", "expired"),
        ExceptionStanding::Ownerless => sign("bad", "owner gone"),
        ExceptionStanding::Ended => sign("plain", "ended"),
    }
}

fn works(works: &Works) -> Sign {
    match works {
        Works::Yes => sign("good", "works"),
        Works::No => sign("bad", "fails"),
        Works::Unknown => sign("plain", "not asked yet"),
    }
}

fn rate(rate: &Option<f64>) -> String {
    rate.map_or_else(|| "–".to_owned(), |rate| format!("{rate:.2}"))
}

fn joined<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

/// For whom, in one line.
fn whom(exception: &Exception) -> String {
    let scope = &exception.scope;
    let groups = scope.groups.iter().map(|group| format!("group {group}"));
    joined(scope.subjects.iter().map(ToString::to_string).chain(groups))
}

/// For what, in one line.
fn about(exception: &Exception) -> String {
    let scope = &exception.scope;
    let segments = scope.segments.iter().map(|segment| format!("segment {segment}"));
    joined(scope.resources.iter().map(ToString::to_string).chain(segments))
}

fn relaxed(exception: &Exception) -> String {
    joined(&exception.relaxes)
}

fn classes(exception: &Exception) -> String {
    joined(exception.scope.classes.iter().map(|class| class.name()))
}

pub(super) async fn register(State(site): State<Site>, caller: Caller, PageQuery(after): PageQuery<After>) -> Response {
    html(&RegisterPage {
        shell: Shell::new(&caller, PLACE, site.now(), after.done.as_deref()),
        rows: site.administrator().exceptions(),
        figures: site.administrator().exception_figures(),
    })
}

#[derive(Template)]
#[template(path = "console/undocumented.html")]
struct UndocumentedPage {
    shell: Shell,
    rows: Vec<Undocumented>,
}

pub(super) async fn undocumented(State(site): State<Site>, caller: Caller) -> Result<Response, PageFault> {
    let rows = crate::api::exceptions::deviations(&site).await?;
    Ok(html(&UndocumentedPage { shell: Shell::new(&caller, PLACE, site.now(), None), rows }))
}

#[derive(Template)]
#[template(path = "console/exception.html")]
struct ExceptionPage {
    shell: Shell,
    one: ExceptionView,
    /// Why the last act was not done.
    mistake: Option<String>,
    longest: u64,
}

fn page(
    site: &Site,
    caller: &Caller,
    id: &ExceptionId,
    done: Option<&str>,
    mistake: Option<String>,
) -> Result<Response, PageFault> {
    let one = site.administrator().exception(id).ok_or(Fault::Absent)?;
    let status = if mistake.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let shell = Shell::new(caller, PLACE, site.now(), done);
    Ok((status, html(&ExceptionPage { shell, one, mistake, longest: longest(site) })).into_response())
}

pub(super) async fn show(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ExceptionId>,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    page(&site, &caller, &id, after.done.as_deref(), None)
}

/// Back to the exception, with what was done, or with why it was not.
fn after<T>(
    site: &Site,
    caller: &Caller,
    id: &ExceptionId,
    outcome: Result<T, ActError>,
    what: Done,
) -> Result<Response, PageFault> {
    match outcome {
        Ok(_) => Ok(done(&exception_url(id), what)),
        Err(ActError::Refused(why)) => page(site, caller, id, None, Some(why)),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn approve(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ExceptionId>,
) -> Result<Response, PageFault> {
    let outcome = site.administrator().approve_exception(&id, &caller.actor()).await;
    after(&site, &caller, &id, outcome, Done::ExceptionApproved)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Review {
    days: u16,
    note: String,
}

pub(super) async fn review(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ExceptionId>,
    Form(form): Form<Review>,
) -> Result<Response, PageFault> {
    let expires = site.now().plus(DAY * u32::from(form.days));
    let outcome = site.administrator().review_exception(&id, expires, &form.note, &caller.actor()).await;
    after(&site, &caller, &id, outcome, Done::ExceptionReviewed)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    why: String,
}

pub(super) async fn end(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ExceptionId>,
    Form(form): Form<End>,
) -> Result<Response, PageFault> {
    let outcome = site.administrator().end_exception(&id, &form.why, &caller.actor()).await;
    after(&site, &caller, &id, outcome, Done::ExceptionEnded)
}

pub(super) async fn probe(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ExceptionId>,
) -> Result<Response, PageFault> {
    let outcome = site.administrator().probe_exception(&id, &caller.actor()).await;
    after(&site, &caller, &id, outcome, Done::ExceptionProbed)
}

/// As typed. Boxes that are ticked come with one name several times, so this is read from pairs.
#[derive(Debug, Clone, Default)]
struct Typed {
    owner: String,
    reason: String,
    subjects: String,
    groups: String,
    resources: String,
    segments: String,
    classes: BTreeSet<String>,
    relaxes: BTreeSet<String>,
    control: String,
    probe: String,
    probe_of: String,
    probe_status: String,
    probe_private: bool,
    days: String,
}

#[derive(Template)]
#[template(path = "console/exception_form.html")]
struct FormPage {
    shell: Shell,
    mistakes: Vec<String>,
    /// What can be relaxed at all.
    relaxable: Vec<PolicyInfo>,
    classes: [ActionClass; 4],
    longest: u64,
    typed: Typed,
}

fn longest(site: &Site) -> u64 {
    site.administrator().settings().longest_exception.as_secs() / DAY.as_secs()
}

fn form_page(site: &Site, caller: &Caller, typed: Typed, mistakes: Vec<String>) -> Response {
    let relaxable = site.administrator().policies().relaxable().cloned().collect();
    let shell = Shell::new(caller, PLACE, site.now(), None);
    html(&FormPage { shell, mistakes, relaxable, classes: ActionClass::ALL, longest: longest(site), typed })
}

pub(super) async fn new(State(site): State<Site>, caller: Caller) -> Response {
    let typed = Typed {
        days: longest(&site).min(30).to_string(),
        classes: BTreeSet::from([ActionClass::Read.name().to_owned()]),
        probe_status: "200".to_owned(),
        ..Typed::default()
    };
    form_page(&site, &caller, typed, Vec::new())
}

impl Typed {
    fn read(pairs: Vec<(String, String)>) -> Result<Self, Fault> {
        let mut typed = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "owner" => typed.owner = value,
                "reason" => typed.reason = value,
                "subjects" => typed.subjects = value,
                "groups" => typed.groups = value,
                "resources" => typed.resources = value,
                "segments" => typed.segments = value,
                "class" => drop(typed.classes.insert(value)),
                "relaxes" => drop(typed.relaxes.insert(value)),
                "control" => typed.control = value,
                "probe" => typed.probe = value,
                "probe_of" => typed.probe_of = value,
                "probe_status" => typed.probe_status = value,
                "probe_private" => typed.probe_private = true,
                "days" => typed.days = value,
                _ => return Err(Fault::Malformed(format!("there is no field {:?}", name.get(..40).unwrap_or("that")))),
            }
        }
        Ok(typed)
    }

    /// What is asked for, or every mistake that can be seen without knowing anything.
    fn meant(&self, now: Timestamp) -> Result<NewException, Vec<String>> {
        let mut wrong = Mistakes::default();
        let probe = match (self.probe.as_str(), self.probe_of.trim()) {
            ("", _) => None,
            ("segment", of) => wrong.one("Probe", of).map(|segment| Probe::Segment { segment }),
            ("policy", of) => wrong.one("Probe", of).map(|policy| Probe::Policy { policy }),
            (_, of) => {
                let status = wrong.one("Expected status", &self.probe_status);
                status.map(|status| Probe::Http { url: of.to_owned(), status, private: self.probe_private })
            }
        };
        let owner: Option<SubjectId> = wrong.one("Who answers for it", &self.owner);
        let days: Option<u16> = wrong.one("Days", &self.days);
        let scope = ExceptionScope {
            subjects: wrong.list("Subjects", &self.subjects),
            groups: wrong.list("Groups", &self.groups),
            resources: wrong.list("Resources", &self.resources),
            segments: wrong.list("Segments", &self.segments),
            classes: ActionClass::ALL.into_iter().filter(|class| self.classes.contains(class.name())).collect(),
        };
        let relaxes: Vec<_> = self.relaxes.iter().filter_map(|id| wrong.one("Relaxes", id)).collect();
        match (owner, days, wrong.0.as_slice()) {
            (Some(owner), Some(days), []) => Ok(NewException {
                owner,
                reason: self.reason.clone(),
                scope,
                relaxes: relaxes.into_iter().collect(),
                control: CompensatingControl { description: self.control.clone(), probe },
                expires: now.plus(DAY * u32::from(days)),
            }),
            _ => Err(wrong.0),
        }
    }
}

#[derive(Default)]
pub(super) struct Mistakes(pub(super) Vec<String>);

impl Mistakes {
    pub(super) fn one<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        text.trim().parse().map_err(|error| self.0.push(format!("{field}: {error}"))).ok()
    }

    pub(super) fn list<T: std::str::FromStr<Err: std::fmt::Display> + Ord>(
        &mut self,
        field: &str,
        text: &str,
    ) -> BTreeSet<T> {
        let parts = text.split(',').map(str::trim).filter(|one| !one.is_empty());
        parts.filter_map(|one| self.one(field, one)).collect()
    }
}

pub(super) async fn request(
    State(site): State<Site>,
    caller: Caller,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageFault> {
    let typed = Typed::read(pairs)?;
    let new = match typed.meant(site.now()) {
        Ok(new) => new,
        Err(mistakes) => {
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, form_page(&site, &caller, typed, mistakes)).into_response());
        }
    };
    match site.administrator().request_exception(new, &caller.actor()).await {
        Ok(requested) => Ok(done(&exception_url(&requested.id), Done::ExceptionRequested)),
        Err(ActError::Refused(why)) => {
            Ok((StatusCode::UNPROCESSABLE_ENTITY, form_page(&site, &caller, typed, vec![why])).into_response())
        }
        Err(error) => Err(error.into()),
    }
}
