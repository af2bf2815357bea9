//! The remediation board: what to do in the right order, what somebody has taken on, what is late, and what the evidence closed. Each step
//! leads to the list that it came from. Forms need no script.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use countersign_assess::{Sequence, Step};
use countersign_govern::{Assessed, Closed, DecideError, Status, Word};
use countersign_model::Timestamp;
use http::StatusCode;
use serde::Deserialize;

use crate::Site;
use crate::error::{Fault, PageFault};
use crate::extract::{Form, PageQuery};
use crate::guard::Caller;
use crate::page::{Done, Shell, encode, html};
use crate::portal::After;

pub(super) const BOARD: &str = "/console/board";

#[derive(Template)]
#[template(path = "console/board.html")]
struct BoardPage {
    shell: Shell,
    status: Status,
    assessed: Arc<Assessed>,
    /// In the right order, without what is empty.
    to_do: Vec<(Sequence, Vec<Step>)>,
    assigned: Vec<Step>,
    overdue: Vec<Step>,
    closed: Vec<Closed>,
    /// Why the last act was not done.
    mistake: Option<String>,
}

impl BoardPage {
    fn waiting(&self) -> usize {
        self.to_do.iter().map(|(_, steps)| steps.len()).sum()
    }
}

async fn page(site: &Site, caller: &Caller, done: Option<&str>, mistake: Option<String>) -> Result<Response, Fault> {
    let (assessed, steps) = site.estate().steps()?;
    let (free, taken): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|step| step.owner.is_none());
    let (mut overdue, mut assigned): (Vec<Step>, Vec<Step>) = taken.into_iter().partition(|step| step.overdue);
    // What is due first comes first, and what has no date last.
    for steps in [&mut overdue, &mut assigned] {
        steps.sort_by_key(|step| step.due.unwrap_or(Timestamp::FOREVER));
    }
    let group = |sequence: Sequence| {
        let steps: Vec<Step> = free.iter().filter(|step| step.sequence == sequence).cloned().collect();
        (!steps.is_empty()).then_some((sequence, steps))
    };
    let status = if mistake.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let board = BoardPage {
        shell: Shell::new(caller, BOARD, site.now(), done),
        status: site.estate().status(),
        assessed,
        to_do: Sequence::ALL.into_iter().filter_map(group).collect(),
        assigned,
        overdue,
        closed: site.estate().past().await?.closed,
        mistake,
    };
    Ok((status, html(&board)).into_response())
}

pub(super) async fn board(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    Ok(page(&site, &caller, after.done.as_deref(), None).await?)
}

/// Back to the step, with what was done, or to the board with why it was not.
async fn decide(site: &Site, caller: &Caller, step: &str, word: Word, what: Done) -> Result<Response, PageFault> {
    match site.estate().decide(vec![word], &caller.actor()).await {
        Ok(()) => Ok(Redirect::to(&format!("{BOARD}?done={}#step-{}", what.code(), encode(step))).into_response()),
        Err(DecideError::Refused(why)) => Ok(page(site, caller, None, Some(why)).await?),
        Err(error) => Err(PageFault::from(error)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Assignment {
    step: String,
    owner: String,
    due: String,
}

pub(super) async fn assign(
    State(site): State<Site>,
    caller: Caller,
    Form(Assignment { step, owner, due }): Form<Assignment>,
) -> Result<Response, PageFault> {
    let word = Word::Assign { step: step.clone(), owner, due: end_of(&due)? };
    decide(&site, &caller, &step, word, Done::StepAssigned).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    step: String,
}

pub(super) async fn release(
    State(site): State<Site>,
    caller: Caller,
    Form(Release { step }): Form<Release>,
) -> Result<Response, PageFault> {
    decide(&site, &caller, &step, Word::Release { step: step.clone() }, Done::StepReleased).await
}

/// The end of a day, as a browser's field writes it.
pub(super) fn end_of(day: &str) -> Result<Option<Timestamp>, Fault> {
    match day.trim() {
        "" => Ok(None),
        day => crate::asking::parsed(&format!("{day}T23:59:59Z")).map(Some),
    }
}

/// `2026-11-22`
pub(crate) fn date(at: &Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

pub(crate) fn due_date(step: &Step) -> String {
    step.due.as_ref().map(date).unwrap_or_default()
}

pub(crate) fn owner(step: &Step) -> &str {
    step.owner.as_deref().unwrap_or_default()
}

/// Points of the whole score.
pub(crate) fn gain(step: &Step) -> String {
    match (format!("{:.1}", step.gain.at_least), format!("{:.1}", step.gain.at_most)) {
        (least, most) if least == most => format!("{least} points"),
        (least, most) => format!("{least} to {most} points"),
    }
}
