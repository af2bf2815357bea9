//! One control of the gap map: what it rests on, who answers for it with their name, what to do about it; and the form with which a person
//! gives their word.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_assess::{Control, Measured, Step};
use countersign_govern::{Assessed, DecideError, NotAssessed, Status, Word};
use countersign_model::Timestamp;
use http::StatusCode;
use serde::Deserialize;

use super::board::end_of;
use super::gaps::GAPS;
use super::health::query_url;
use crate::Site;
use crate::api::remediation::claim;
use crate::error::{Fault, PageFault};
use crate::extract::{Form, PagePath, PageQuery};
use crate::guard::Caller;
use crate::page::{Done, Shell, done, html};
use crate::portal::After;
use crate::wire::Attestation;

/// Until when a word is offered to count, and at the latest: the end of that day is within a year.
const OFFERED: Duration = Duration::from_secs(180 * 24 * 3600);
const LATEST: Duration = Duration::from_secs(364 * 24 * 3600);

/// As typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    claim: String,
    statement: String,
    until: String,
}

#[derive(Template)]
#[template(path = "console/gap_control.html")]
struct ControlPage {
    shell: Shell,
    status: Status,
    assessed: Arc<Assessed>,
    area: &'static str,
    control: Control,
    words: Vec<Attestation>,
    steps: Vec<Step>,
    tomorrow: Timestamp,
    latest: Timestamp,
    typed: Typed,
    /// Why the last act was not done.
    mistake: Option<String>,
}

fn url(id: &str) -> String {
    format!("{GAPS}/{}", crate::page::encode(id))
}

/// Where the list of an indicator is, if it is a query of the inventory.
pub(crate) fn list_url(measured: &Measured) -> Option<String> {
    (!measured.query.starts_with("countersign ")).then(|| query_url(&measured.query))
}

fn page(
    site: &Site,
    caller: &Caller,
    id: &str,
    done: Option<&str>,
    typed: Option<Typed>,
    mistake: Option<String>,
) -> Result<Response, Fault> {
    let status = site.estate().status();
    let assessed = status.assessed.clone().ok_or(NotAssessed::NotYet)?;
    let mut areas = assessed.gaps.areas.iter();
    let found = areas.find_map(|area| Some((area.title, area.controls.iter().find(|control| control.id == id)?)));
    let (area, control) = found.ok_or(Fault::Absent)?;
    let (control, now) = (control.clone(), site.now());
    let words = site.estate().attestations()?;
    let words = words.iter().filter(|word| word.control == id).map(|word| Attestation::new(word, now)).collect();
    let (_, steps) = site.estate().steps()?;
    let offered = || Typed { until: super::board::date(&now.plus(OFFERED)), ..Typed::default() };
    let answer = if mistake.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = ControlPage {
        shell: Shell::new(caller, GAPS, now, done),
        status,
        area,
        control,
        words,
        steps: steps.into_iter().filter(|step| step.control == id).collect(),
        tomorrow: now.plus(Duration::from_secs(24 * 3600)),
        latest: now.plus(LATEST),
        typed: typed.unwrap_or_else(offered),
        mistake,
        assessed: Arc::clone(&assessed),
    };
    Ok((answer, html(&page)).into_response())
}

pub(super) async fn control(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<String>,
    PageQuery(after): PageQuery<After>,
) -> Result<Response, PageFault> {
    Ok(page(&site, &caller, &id, after.done.as_deref(), None, None)?)
}

async fn decide(
    site: &Site,
    caller: &Caller,
    id: &str,
    word: Word,
    typed: Option<Typed>,
    what: Done,
) -> Result<Response, PageFault> {
    match site.estate().decide(vec![word], &caller.actor()).await {
        Ok(()) => {
            super::inventory::settle(site).await;
            Ok(done(&url(id), what))
        }
        Err(DecideError::Refused(why)) => Ok(page(site, caller, id, None, typed, Some(why))?),
        Err(error) => Err(PageFault::from(error)),
    }
}

pub(super) async fn attest(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, PageFault> {
    let until = end_of(&typed.until)?.ok_or_else(|| Fault::Malformed("an attestation ends".to_owned()))?;
    let claim = claim(&typed.claim)?;
    let word = Word::Attest { control: id.clone(), claim, statement: typed.statement.clone(), until };
    decide(&site, &caller, &id, word, Some(typed), Done::Attested).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TakeBack {
    by: String,
}

pub(super) async fn take_back(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<String>,
    Form(TakeBack { by }): Form<TakeBack>,
) -> Result<Response, PageFault> {
    decide(&site, &caller, &id, Word::TakeBack { control: id.clone(), by: Some(by) }, None, Done::TakenBack).await
}
