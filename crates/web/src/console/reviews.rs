//! Reviews in the console: every campaign, one with all its lines, and the form that opens one. Lines are decided on the
//! reviewers' own pages.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_administrator::{ActError, NewReview};
use countersign_model::{Review, ReviewAbout, ReviewId, ReviewScope, SubjectId, SubjectKind, Timestamp};
use http::StatusCode;
use serde::Deserialize;

use super::exceptions::Mistakes;
use crate::Site;
use crate::error::{Fault, PageFault};
use crate::extract::{Form, PagePath, PageQuery};
use crate::guard::Caller;
use crate::page::{Done, Shell, done, encode, html};
use crate::portal::After;
use crate::review_rows::{LineRow, SHOWN, standing};
use crate::wire;

pub(super) const PLACE: &str = "/console/reviews";
pub(super) const NEW: &str = "/console/new-review";
const DAY: Duration = Duration::from_secs(24 * 3600);

fn url(id: &ReviewId) -> String {
    format!("{PLACE}/{}", encode(id.as_str()))
}

struct Row {
    url: String,
    tone: &'static str,
    it: wire::Review,
}

fn row(review: &Arc<Review>, now: Timestamp) -> Row {
    let it = wire::Review::of(review, now);
    Row { url: url(&review.id), tone: standing(review, &now).0, it }
}

#[derive(Template)]
#[template(path = "console/reviews.html")]
struct ReviewsPage {
    shell: Shell,
    rows: Vec<Row>,
}

pub(super) async fn reviews(State(site): State<Site>, caller: Caller, PageQuery(after): PageQuery<After>) -> Response {
    let rows = site.administrator().reviews().iter().map(|review| row(review, site.now())).collect();
    html(&ReviewsPage { shell: Shell::new(&caller, PLACE, site.now(), after.done.as_deref()), rows })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    done: Option<String>,
    /// After the line of this number.
    after: Option<u32>,
}

#[derive(Template)]
#[template(path = "console/review.html")]
struct ReviewPage {
    shell: Shell,
    mistake: Option<String>,
    one: Row,
    open: bool,
    /// Whether whoever looks at it may decide some lines, and where.
    mine: Option<String>,
    rows: Vec<LineRow>,
    first: Option<String>,
    next: Option<String>,
}

fn page(
    site: &Site,
    caller: &Caller,
    id: &ReviewId,
    from: &Shown,
    mistake: Option<String>,
) -> Result<Response, PageFault> {
    let review = site.administrator().review(id).ok_or(Fault::Absent)?;
    let after = from.after.unwrap_or_default();
    let rest: Vec<_> = review.lines.iter().filter(|line| line.number > after).take(SHOWN + 1).collect();
    let rows: Vec<LineRow> = rest.iter().take(SHOWN).map(|line| LineRow::new(&review, line)).collect();
    let last = rows.last().filter(|_| rest.len() > SHOWN).map(|row| row.number);
    let mine = !site.administrator().decidable(&review, &caller.principal.subject).is_empty();
    let status = if mistake.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = ReviewPage {
        shell: Shell::new(caller, PLACE, site.now(), from.done.as_deref()),
        mistake,
        open: review.is_open(site.now()),
        mine: mine.then(|| crate::portal::review_url(id)),
        first: (after > 0).then(|| url(id)),
        next: last.map(|last| format!("{}?after={last}", url(id))),
        one: row(&review, site.now()),
        rows,
    };
    Ok((status, html(&page)).into_response())
}

pub(super) async fn show(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ReviewId>,
    PageQuery(from): PageQuery<Shown>,
) -> Result<Response, PageFault> {
    page(&site, &caller, &id, &from, None)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    how: String,
    why: String,
}

pub(super) async fn end(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ReviewId>,
    Form(form): Form<End>,
) -> Result<Response, PageFault> {
    let administrator = site.administrator();
    let outcome = match form.how.as_str() {
        "close" => administrator.close_review(&id, &form.why, &caller.actor()).await,
        "withdraw" => administrator.withdraw_review(&id, &form.why, &caller.actor()).await,
        _ => return Err(Fault::Malformed("a review is ended by close or withdraw".to_owned()).into()),
    };
    match outcome {
        Ok(_) => Ok(done(&url(&id), Done::ReviewEnded)),
        Err(ActError::Refused(why)) => page(&site, &caller, &id, &Shown::default(), Some(why)),
        Err(error) => Err(error.into()),
    }
}

/// As typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    title: String,
    about: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    groups: String,
    #[serde(default)]
    resources: String,
    #[serde(default)]
    segments: String,
    fallbacks: String,
    within: String,
    days: String,
}

#[derive(Template)]
#[template(path = "console/review_form.html")]
struct FormPage {
    shell: Shell,
    mistakes: Vec<String>,
    typed: Typed,
}

fn form_page(site: &Site, caller: &Caller, typed: Typed, mistakes: Vec<String>) -> Response {
    let status = if mistakes.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shell = Shell::new(caller, PLACE, site.now(), None);
    (status, html(&FormPage { shell, mistakes, typed })).into_response()
}

pub(super) async fn new(State(site): State<Site>, caller: Caller) -> Response {
    let subject = &caller.principal.subject;
    let fallbacks = if subject.kind() == SubjectKind::Human { subject.to_string() } else { String::new() };
    let typed = Typed {
        about: "access".to_owned(),
        fallbacks,
        within: "21".to_owned(),
        days: "90".to_owned(),
        ..Typed::default()
    };
    form_page(&site, &caller, typed, Vec::new())
}

impl Typed {
    fn meant(&self, now: Timestamp) -> Result<NewReview, Vec<String>> {
        let mut wrong = Mistakes::default();
        let within: Option<u16> = wrong.one("Days until the deadline", &self.within);
        let days: Option<u32> = wrong.one("Days of use", &self.days);
        let names = self.fallbacks.split(',').map(str::trim).filter(|name| !name.is_empty());
        let fallbacks: Vec<SubjectId> = names.filter_map(|name| wrong.one("Who else reviews", name)).collect();
        let kinds = match self.kind.as_str() {
            "" => BTreeSet::new(),
            "human" => BTreeSet::from([SubjectKind::Human]),
            "service" => BTreeSet::from([SubjectKind::Service]),
            "agent" => BTreeSet::from([SubjectKind::Agent]),
            _ => {
                wrong.0.push("Of whom: there is no such kind".to_owned());
                BTreeSet::new()
            }
        };
        let about = match self.about.as_str() {
            "policies" => ReviewAbout::Policies,
            "access" => ReviewAbout::Access {
                scope: ReviewScope {
                    groups: wrong.list("Groups", &self.groups),
                    kinds,
                    resources: wrong.list("Resources", &self.resources),
                    segments: wrong.list("Segments", &self.segments),
                },
            },
            _ => {
                wrong.0.push("A review is about access or policies".to_owned());
                ReviewAbout::Policies
            }
        };
        match (within, days, wrong.0.as_slice()) {
            (Some(within), Some(days), []) => {
                let deadline = now.plus(DAY * u32::from(within));
                Ok(NewReview { title: self.title.clone(), about, deadline, fallbacks, days })
            }
            _ => Err(wrong.0),
        }
    }
}

pub(super) async fn open(
    State(site): State<Site>,
    caller: Caller,
    Form(typed): Form<Typed>,
) -> Result<Response, PageFault> {
    let asked = match typed.meant(site.now()) {
        Ok(asked) => asked,
        Err(mistakes) => return Ok(form_page(&site, &caller, typed, mistakes)),
    };
    match site.administrator().open_review(asked, &caller.actor()).await {
        Ok(review) => Ok(done(&url(&review.id), Done::ReviewOpened)),
        Err(ActError::Refused(why)) => Ok(form_page(&site, &caller, typed, vec![why])),
        Err(error) => Err(error.into()),
    }
}
