//! What waits for somebody who answers for a resource or a policy: the lines of open reviews that they may decide, and no other.
//! One form decides many lines for one reason; it needs no script.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_administrator::{ActError, NewVerdict};
use countersign_model::{ReviewId, Timestamp};
use http::StatusCode;

use super::{After, shell};
use crate::Site;
use crate::error::{Fault, PageFault};
use crate::extract::{Form, PagePath, PageQuery};
use crate::guard::Caller;
use crate::page::{Done, Shell, done, encode, html};
use crate::review_rows::{LineRow, SHOWN, standing};

pub(super) const PLACE: &str = "/my/reviews";

pub(crate) fn url(id: &ReviewId) -> String {
    format!("{PLACE}/{}", encode(id.as_str()))
}

struct Waiting {
    url: String,
    title: String,
    lines: usize,
    tone: &'static str,
    standing: String,
    deadline: Timestamp,
}

#[derive(Template)]
#[template(path = "portal/reviews.html")]
struct ReviewsPage {
    shell: Shell,
    rows: Vec<Waiting>,
}

pub(super) async fn reviews(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    let rows = site.administrator().reviews_for(&caller.principal.subject).into_iter().map(|(review, lines)| {
        let (tone, standing) = standing(&review, &site.now());
        let (url, title) = (url(&review.id), review.title.clone());
        Waiting { url, title, lines: lines.len(), tone, standing, deadline: review.deadline }
    });
    let rows = rows.collect();
    Ok(html(&ReviewsPage { shell: shell(&site, &caller, PLACE, &after).await?, rows }))
}

#[derive(Template)]
#[template(path = "portal/review.html")]
struct ReviewPage {
    shell: Shell,
    mistake: Option<String>,
    url: String,
    title: String,
    tone: &'static str,
    standing: String,
    deadline: Timestamp,
    counted_from: Timestamp,
    rows: Vec<LineRow>,
    /// Beyond those that are shown.
    more: usize,
    ticked: Vec<u32>,
    reason: String,
}

async fn page(
    site: &Site,
    caller: &Caller,
    id: &ReviewId,
    after: &After,
    typed: Option<(String, NewVerdict)>,
) -> Result<Response, PageFault> {
    let review = site.administrator().review(id).ok_or(Fault::Absent)?;
    let mine = site.administrator().decidable(&review, &caller.principal.subject);
    // Whoever has nothing to decide is not told that it is there.
    if mine.is_empty() && typed.is_none() {
        return Err(Fault::Absent.into());
    }
    let lines = review.lines.iter().filter(|line| mine.contains(&line.number));
    let rows: Vec<LineRow> = lines.take(SHOWN).map(|line| LineRow::new(&review, line)).collect();
    let (tone, standing) = standing(&review, &site.now());
    let status = if typed.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let (mistake, ticked, reason) = match typed {
        Some((mistake, verdict)) => (Some(mistake), verdict.lines, verdict.reason),
        None => (None, Vec::new(), String::new()),
    };
    let page = ReviewPage {
        shell: shell(site, caller, PLACE, after).await?,
        mistake,
        url: url(id),
        title: review.title.clone(),
        tone,
        standing,
        deadline: review.deadline,
        counted_from: review.counted_from,
        more: mine.len().saturating_sub(rows.len()),
        rows,
        ticked,
        reason,
    };
    Ok((status, html(&page)).into_response())
}

pub(super) async fn review(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ReviewId>,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    page(&site, &caller, &id, &after, None).await
}

/// Boxes that are ticked come with one name several times, so this is read from pairs.
fn read(pairs: Vec<(String, String)>) -> Result<NewVerdict, Fault> {
    let odd = || Fault::Malformed("the form has a field that does not belong there".to_owned());
    let mut verdict = NewVerdict { lines: Vec::new(), keep: false, reason: String::new() };
    let mut decision = None;
    for (name, value) in pairs {
        match (name.as_str(), value.as_str()) {
            ("line", number) => verdict.lines.push(number.parse().map_err(|_| odd())?),
            ("reason", reason) => verdict.reason = reason.to_owned(),
            ("decision", "keep") if decision.is_none() => decision = Some(true),
            ("decision", "revoke") if decision.is_none() => decision = Some(false),
            _ => return Err(odd()),
        }
    }
    verdict.keep = decision.ok_or_else(odd)?;
    Ok(verdict)
}

pub(super) async fn decide(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ReviewId>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<Response, PageFault> {
    let verdict = read(pairs)?;
    let review = site.administrator().review(&id).ok_or(Fault::Absent)?;
    // The same answer as for a review that is not there.
    let asked = review.lines.iter().any(|line| line.reviewers.contains(&caller.principal.subject))
        || review.fallbacks.contains(&caller.principal.subject);
    if !asked {
        return Err(Fault::Absent.into());
    }
    match site.administrator().decide_review(&id, &verdict, &caller.actor()).await {
        Ok(review) => match site.administrator().decidable(&review, &caller.principal.subject).is_empty() {
            true => Ok(done(PLACE, Done::LinesDecided)),
            false => Ok(done(&url(&id), Done::LinesDecided)),
        },
        Err(ActError::Refused(why)) => page(&site, &caller, &id, &After::default(), Some((why, verdict))).await,
        Err(error) => Err(error.into()),
    }
}
