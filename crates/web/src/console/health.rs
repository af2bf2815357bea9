//! The identity health check: the worst first, down to each account with its evidence; the query that reproduces a finding, and any other.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use countersign_assess::{Checked, Finding, Health, Outcome, RadiusSummary};
use countersign_govern::{Assessed, NeverExercised, NodeRow, NotAssessed, QueryAnswer, Status};
use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::ROWS;
use super::as_of::Slider;
use crate::Site;
use crate::error::{Fault, PageFault};
use crate::extract::{PagePath, PageQuery};
use crate::guard::Caller;
use crate::page::{Shell, encode, html, query};
use crate::words::{Sign, sign};

pub(super) const HEALTH: &str = "/console/health";
pub(super) const QUERY: &str = "/console/health/query";

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AsOf {
    /// A day, as a browser's field writes it.
    as_of: String,
    /// The same, as the slider says it.
    #[serde(skip_serializing)]
    day: String,
    skip: Option<usize>,
}

impl AsOf {
    /// As far as it goes into a link.
    fn query(&self, skip: Option<usize>) -> String {
        query(&Self { skip, ..self.clone() })
    }

    /// The slider of a page; from then on the day is known by its date alone.
    async fn slider(&mut self, site: &Site, action: &'static str) -> Result<Slider, Fault> {
        let slider = Slider::new(site, action, Vec::new(), &self.as_of, &self.day).await?;
        self.as_of = slider.word();
        Ok(slider)
    }
}

/// The newest check, or the one on the day that was chosen.
async fn health(site: &Site, chosen: Option<Timestamp>) -> Result<(Arc<Assessed>, Option<Arc<Health>>), Fault> {
    let assessed = site.estate().assessed().ok_or(NotAssessed::NotYet)?;
    let other = match chosen {
        None => None,
        Some(as_of) => Some(on(site, as_of).await?),
    };
    Ok((assessed, other))
}

/// The check on a day.
pub(super) async fn on(site: &Site, as_of: Timestamp) -> Result<Arc<Health>, Fault> {
    let health = site.estate().ask(move |standing| standing.health_as_of(as_of)).await?;
    health.map_err(|error| Fault::Internal(error.to_string()))
}

#[derive(Template)]
#[template(path = "console/health.html")]
struct HealthPage {
    shell: Shell,
    status: Status,
    slider: Slider,
    as_of: Timestamp,
    indicators: Vec<Line>,
    sources: usize,
    radius: RadiusSummary,
    never: Option<NeverExercised>,
}

/// An indicator without its findings.
#[derive(Debug, Clone)]
struct Line {
    url: String,
    title: String,
    meaning: String,
    severity: Sign,
    outcome: Sign,
    found: u64,
    population: u64,
    not_assessed: u64,
}

impl Line {
    fn new(checked: &Checked, asked: &AsOf) -> Self {
        Self {
            url: format!("{HEALTH}/indicators/{}{}", checked.id, asked.query(None)),
            title: checked.title.clone(),
            meaning: checked.meaning.clone(),
            severity: super::identity::severity(&checked.severity),
            outcome: outcome(checked.outcome),
            found: checked.found,
            population: checked.population,
            not_assessed: checked.not_assessed,
        }
    }
}

const fn outcome(outcome: Outcome) -> Sign {
    match outcome {
        Outcome::Found => sign("bad", "found"),
        Outcome::NotAssessed => sign("warn", "not assessed"),
        Outcome::Passed => sign("good", "passed"),
        Outcome::NotApplicable => sign("plain", "nobody to ask"),
    }
}

#[derive(Template)]
#[template(path = "console/health_empty.html")]
struct EmptyPage {
    shell: Shell,
    status: Status,
}

pub(super) async fn overview(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(mut asked): PageQuery<AsOf>,
) -> Result<Response, PageFault> {
    let shell = Shell::new(&caller, HEALTH, site.now(), None);
    let status = site.estate().status();
    if status.assessed.is_none() {
        return Ok(html(&EmptyPage { shell, status }));
    }
    let slider = asked.slider(&site, HEALTH).await?;
    let (assessed, other) = health(&site, slider.chosen).await?;
    let health = other.as_deref().unwrap_or(&assessed.health);
    Ok(html(&HealthPage {
        shell,
        status,
        as_of: health.as_of,
        indicators: health.indicators.iter().map(|checked| Line::new(checked, &asked)).collect(),
        sources: health.sources.len(),
        radius: assessed.radius.clone(),
        never: assessed.never_exercised.clone().filter(|never| never.count > 0),
        slider,
    }))
}

#[derive(Template)]
#[template(path = "console/health_indicator.html")]
struct IndicatorPage {
    shell: Shell,
    checked: Checked,
    outcome: Sign,
    as_of: Timestamp,
    findings: Vec<Finding>,
    from: usize,
    query_url: String,
    unknown_url: String,
    back: String,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn indicator(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<String>,
    PageQuery(mut asked): PageQuery<AsOf>,
) -> Result<Response, PageFault> {
    let slider = asked.slider(&site, HEALTH).await?;
    let (assessed, other) = health(&site, slider.chosen).await?;
    let health = other.as_deref().unwrap_or(&assessed.health);
    let checked = health.indicators.iter().find(|checked| checked.id == id).ok_or(Fault::Absent)?;
    let skip = asked.skip.unwrap_or(0);
    let findings: Vec<Finding> = checked.findings.iter().skip(skip).take(ROWS).cloned().collect();
    let until = skip + findings.len();
    let url = |skip| format!("{HEALTH}/indicators/{id}{}", asked.query(skip));
    Ok(html(&IndicatorPage {
        shell: Shell::new(&caller, HEALTH, site.now(), None),
        outcome: outcome(checked.outcome),
        as_of: health.as_of,
        from: skip,
        query_url: query_url(&checked.query),
        unknown_url: query_url(&checked.query_not_assessed),
        back: format!("{HEALTH}{}", asked.query(None)),
        first: (skip > 0).then(|| url(None)),
        next: (until < checked.findings.len()).then(|| url(Some(until))),
        checked: Checked { findings: Vec::new(), ..checked.clone() },
        findings,
    }))
}

pub(super) fn query_url(text: &str) -> String {
    format!("{QUERY}?text={}", encode(text))
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    text: String,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "console/health_query.html")]
struct QueryPage {
    shell: Shell,
    text: String,
    mistake: Option<String>,
    /// `None`: nothing was asked.
    answer: Option<QueryAnswer>,
    rows: Vec<NodeRow>,
    unknown_url: String,
    fields: Vec<(&'static str, &'static str)>,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn ask(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(asked): PageQuery<Asked>,
) -> Result<Response, PageFault> {
    let assessed = site.estate().assessed().ok_or(Fault::from(NotAssessed::NotYet))?;
    let mut page = QueryPage {
        shell: Shell::new(&caller, HEALTH, site.now(), None),
        text: asked.text.clone(),
        mistake: None,
        answer: None,
        rows: Vec::new(),
        unknown_url: query_url(&format!("unknown ({})", asked.text)),
        fields: countersign_assess::fields().map(|(name, _, means)| (name, means)).collect(),
        first: None,
        next: None,
    };
    if !asked.text.trim().is_empty() {
        let (text, cursor, as_of) = (asked.text.clone(), asked.cursor.clone(), assessed.as_of);
        let found = site.estate().ask(move |standing| standing.query(&text, as_of, cursor.as_deref(), ROWS));
        match found.await.map_err(Fault::from)? {
            Err(mistake) => page.mistake = Some(mistake.to_string()),
            Ok(answer) => {
                let url = |cursor| format!("{QUERY}{}", query(&Asked { cursor, ..asked.clone() }));
                page.first = asked.cursor.is_some().then(|| url(None));
                let last = answer.matching.rows.last().filter(|_| answer.matching.more);
                page.next = last.map(|last| url(Some(last.key.clone())));
                page.rows.clone_from(&answer.matching.rows);
                page.answer = Some(answer);
            }
        }
    }
    Ok(html(&page))
}
