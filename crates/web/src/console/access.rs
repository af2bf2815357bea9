//! Access as the policies have it: the matrix of groups and resources under circumstances that the reader changes, the
//! people behind a cell, why somebody is let in or not, and what policy does not speak for. Forms that send queries; no
//! script.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use countersign_administrator::{
    Coverage, DeviceCondition, Holder, MatrixRow, Members, Page, SignIn, Under, Way, WhoCan, Why,
};
use countersign_model::{Action, DecisionId, ObservedBecause, ResourceId, SubjectId, SubjectKind, Timestamp};
use serde::{Deserialize, Serialize};

use super::ROWS;
use crate::Site;
use crate::asking::{self, Stated, parsed};
use crate::error::{Fault, PageFault};
use crate::extract::PageQuery;
use crate::guard::Caller;
use crate::page::{Shell, html, query};
use crate::words::{Sign, sign};

pub(super) const MATRIX: &str = "/console/access";
const WHO: &str = "/console/access/who";
const WHY: &str = "/console/access/why";
pub(super) const COVERAGE: &str = "/console/coverage";

/// Columns that a screen takes; rows scroll.
const COLUMNS: usize = 12;

/// What the forms send: empty means what is not said.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Form {
    action: String,
    sign_in: String,
    /// In minutes.
    sign_in_age: String,
    device: String,
    network: String,
    unencrypted: String,
    at: String,
    resource: String,
    subject: String,
    group: String,
    kind: String,
    decision: String,
    groups_after: String,
    resources_after: String,
    cursor: String,
}

fn said(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

impl Form {
    fn action(&self) -> Result<Action, Fault> {
        said(&self.action).map_or(Ok(Action::http(countersign_model::ActionClass::Read)), parsed)
    }

    fn stated(&self) -> Result<Stated<'_>, Fault> {
        let minutes: Option<u64> = said(&self.sign_in_age).map(parsed).transpose()?;
        let at: Option<Timestamp> = match said(&self.at) {
            None => None,
            // A browser's field for a moment has no zone: it is meant in UTC, and the page says so.
            Some(text) if text.len() == 16 => Some(parsed(&format!("{text}:00Z"))?),
            Some(text) => Some(parsed(text)?),
        };
        Ok(Stated {
            sign_in: said(&self.sign_in),
            sign_in_age: minutes.map(|minutes| minutes.saturating_mul(60)),
            device: said(&self.device),
            network: said(&self.network),
            encrypted: said(&self.unencrypted).map(|_| false),
            at,
            ..Stated::default()
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{path}{}", query(self))
    }

    /// Without circumstances next to nothing is allowed: a page opens on the best, and its form shows them.
    fn begin_with_the_best(&mut self) {
        if self.sign_in.is_empty() && self.device.is_empty() {
            self.sign_in = SignIn::Passkey.name().to_owned();
            self.device = DeviceCondition::Compliant.name().to_owned();
        }
    }

    /// The same circumstances for another page.
    fn circumstances(&self) -> Self {
        Self {
            groups_after: String::new(),
            resources_after: String::new(),
            cursor: String::new(),
            resource: String::new(),
            subject: String::new(),
            group: String::new(),
            kind: String::new(),
            decision: String::new(),
            ..self.clone()
        }
    }
}

/// A choice of the form: its value, its words, and whether it is the one.
#[derive(Debug, Clone)]
struct Choice {
    value: String,
    words: &'static str,
    chosen: bool,
}

fn choices(all: &[(&'static str, &'static str)], chosen: &str) -> Vec<Choice> {
    let choice = |(value, words): &(&'static str, &'static str)| Choice {
        value: (*value).to_owned(),
        words,
        chosen: *value == chosen,
    };
    all.iter().map(choice).collect()
}

/// What the form of circumstances shows.
#[derive(Debug, Clone)]
struct Fields {
    actions: Vec<Choice>,
    sign_ins: Vec<Choice>,
    devices: Vec<Choice>,
    networks: Vec<(String, bool)>,
    age: String,
    at: String,
    unencrypted: bool,
}

impl Fields {
    fn new(site: &Site, form: &Form) -> Self {
        let action = if form.action.is_empty() { "http:read" } else { &form.action };
        let mut networks = vec!["elsewhere".to_owned(), "loopback".to_owned()];
        networks.extend(site.administrator().settings().zones.keys().map(ToString::to_string));
        let network = if form.network.is_empty() { "elsewhere" } else { &form.network };
        if !networks.iter().any(|one| one == network) {
            networks.push(network.to_owned());
        }
        Self {
            actions: choices(
                &[
                    ("http:read", "read"),
                    ("http:write", "write"),
                    ("http:administer", "administer"),
                    ("http:connect", "connect"),
                ],
                action,
            ),
            sign_ins: choices(
                &[
                    (SignIn::None.name(), "not signed in"),
                    (SignIn::Federated.name(), "identity provider"),
                    (SignIn::MultiFactor.name(), "multi-factor"),
                    (SignIn::PhishingResistant.name(), "phishing-resistant"),
                    (SignIn::Passkey.name(), "passkey"),
                ],
                &form.sign_in,
            ),
            devices: choices(
                &[
                    (DeviceCondition::None.name(), "no device"),
                    (DeviceCondition::Quarantine.name(), "enrolled, in quarantine"),
                    (DeviceCondition::Managed.name(), "managed, not compliant"),
                    (DeviceCondition::Compliant.name(), "compliant"),
                ],
                &form.device,
            ),
            networks: networks.into_iter().map(|one| (one == network, one)).map(|(is, one)| (one, is)).collect(),
            age: form.sign_in_age.clone(),
            at: form.at.clone(),
            unencrypted: !form.unencrypted.is_empty(),
        }
    }
}

#[derive(Template)]
#[template(path = "console/access.html")]
struct AccessPage {
    shell: Shell,
    fields: Fields,
    columns: Vec<Column>,
    rows: Vec<Row>,
    first: Option<String>,
    more_groups: Option<String>,
    more_resources: Option<String>,
}

#[derive(Debug, Clone)]
struct Column {
    id: ResourceId,
    name: String,
    /// Whether whoever asks is let through.
    observed: bool,
}

#[derive(Debug, Clone)]
struct Row {
    name: String,
    hint: &'static str,
    members: usize,
    cells: Vec<Cell>,
}

#[derive(Debug, Clone)]
struct Cell {
    resource: String,
    can: usize,
    tone: &'static str,
    words: &'static str,
    url: String,
}

const fn kind_words(kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Human => "Everybody who is a person",
        SubjectKind::Service => "Services",
        SubjectKind::Agent => "Agents",
        SubjectKind::Anonymous => "Not signed in",
    }
}

pub(super) async fn matrix(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(mut form): PageQuery<Form>,
) -> Result<Response, PageFault> {
    form.begin_with_the_best();
    let action = form.action()?;
    let conditions = form.stated()?.conditions()?;
    let situation = site.administrator().situation(&conditions).map_err(Fault::from)?;
    let (of, next_groups) = crate::api::ask::rows(&site, said(&form.groups_after), ROWS);
    let (resources, next_resources) = crate::api::ask::columns(&site, said(&form.resources_after), COLUMNS);
    let found = asking::ask(&site, move |administrator, tick| {
        administrator.access_matrix(action, &of, &resources, &situation, tick)
    });
    let found = found.await?;
    let name = |id: &ResourceId| site.administrator().resource(id).map(|one| one.display_name.clone());
    let columns: Vec<Column> = found
        .resources
        .iter()
        .map(|id| Column {
            name: name(id).unwrap_or_else(|| id.to_string()),
            id: id.clone(),
            observed: found.not_enforced.iter().any(|(observed, _)| observed == id),
        })
        .collect();
    let rows = found.rows.iter().map(|row| Row::new(row, &columns, &form)).collect();
    let (paged, circumstances) = (said(&form.groups_after).or(said(&form.resources_after)), form.circumstances());
    Ok(html(&AccessPage {
        shell: Shell::new(&caller, MATRIX, site.now(), None),
        fields: Fields::new(&site, &form),
        columns,
        rows,
        first: paged.map(|_| circumstances.url(MATRIX)),
        more_groups: next_groups.map(|groups_after| Form { groups_after, ..form.clone() }.url(MATRIX)),
        more_resources: next_resources
            .map(|resources_after| Form { resources_after, groups_after: String::new(), ..form.clone() }.url(MATRIX)),
    }))
}

impl Row {
    fn new(row: &MatrixRow, columns: &[Column], form: &Form) -> Self {
        let (name, hint) = match &row.of {
            Members::Kind(kind) => (kind_words(*kind).to_owned(), ""),
            Members::Group(id) => (id.to_string(), "group"),
        };
        let cell = |(column, can): (&Column, &usize)| {
            let mut there = Form { resource: column.id.to_string(), ..form.circumstances() };
            match &row.of {
                Members::Kind(kind) => there.kind = kind.to_string(),
                Members::Group(id) => there.group = id.to_string(),
            }
            let (tone, words) = match (*can, row.members) {
                (0, _) => ("plain", "none"),
                (can, members) if can == members => ("good", "all"),
                _ => ("warn", "some"),
            };
            Cell { resource: column.name.clone(), can: *can, tone, words, url: there.url(WHO) }
        };
        Self { name, hint, members: row.members, cells: columns.iter().zip(&row.can).map(cell).collect() }
    }
}

#[derive(Template)]
#[template(path = "console/access_who.html")]
struct WhoPage {
    shell: Shell,
    action: Action,
    resource: ResourceId,
    among: String,
    found: usize,
    considered: usize,
    rows: Vec<Person>,
    caveats: Vec<String>,
    /// Whether the circumstances are those of the form, or any.
    stated: bool,
    other: String,
    back: String,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Debug, Clone)]
struct Person {
    subject: SubjectId,
    name: String,
    when: Vec<String>,
    way: &'static str,
    why: String,
}

pub(super) async fn who(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(form): PageQuery<Form>,
) -> Result<Response, PageFault> {
    let (action, resource) = (form.action()?, parsed::<ResourceId>(&form.resource)?);
    let under = form.stated()?.under(site.administrator())?;
    let stated = under != Under::Any;
    let asked = WhoCan {
        action,
        resource: resource.clone(),
        under,
        request: form.stated()?.request(),
        group: said(&form.group).map(parsed).transpose()?,
        kind: said(&form.kind).map(asking::kind).transpose()?,
        page: Page { after: said(&form.cursor).map(str::to_owned), limit: ROWS },
    };
    let answer = asking::ask(&site, move |administrator, tick| administrator.who_can(&asked, tick)).await?;
    let person = |holder: &Holder| Person {
        subject: holder.subject.clone(),
        name: holder.display_name.clone(),
        when: holder.suffices.iter().map(ToString::to_string).collect(),
        way: holder.suffices.first().map_or(Way::Standing, |one| one.way).name(),
        why: Form { subject: holder.subject.to_string(), resource: form.resource.clone(), ..form.circumstances() }
            .url(WHY),
    };
    let any = Form {
        action: form.action.clone(),
        resource: form.resource.clone(),
        group: form.group.clone(),
        kind: form.kind.clone(),
        ..Form::default()
    };
    Ok(html(&WhoPage {
        shell: Shell::new(&caller, MATRIX, site.now(), None),
        action,
        resource,
        among: match (said(&form.group), said(&form.kind)) {
            (Some(group), _) => format!(" in the group {group}"),
            (None, Some(kind)) => format!(" of kind {kind}"),
            (None, None) => String::new(),
        },
        found: answer.found,
        considered: answer.considered,
        rows: answer.items.iter().map(person).collect(),
        caveats: answer.caveats,
        stated,
        other: any.url(WHO),
        back: form.circumstances().url(MATRIX),
        first: said(&form.cursor).map(|_| Form { cursor: String::new(), ..form.clone() }.url(WHO)),
        next: answer.next.map(|cursor| Form { cursor, ..form.clone() }.url(WHO)),
    }))
}

#[derive(Template)]
#[template(path = "console/access_why.html")]
struct WhyPage {
    shell: Shell,
    fields: Fields,
    subject: String,
    resource: String,
    why: Option<Taken>,
}

/// A decision taken apart, as the page shows it.
struct Taken {
    why: Why,
    sign: Sign,
    sentence: &'static str,
    turns: Vec<String>,
    suffices: Vec<String>,
    policies: Vec<(String, String, &'static str, String, String)>,
    chains: Vec<(String, String)>,
}

pub(super) async fn why(
    State(site): State<Site>,
    caller: Caller,
    PageQuery(mut form): PageQuery<Form>,
) -> Result<Response, PageFault> {
    form.begin_with_the_best();
    let shell = Shell::new(&caller, MATRIX, site.now(), None);
    let asked = match (said(&form.decision), said(&form.subject), said(&form.resource)) {
        (Some(id), ..) => {
            let id = parsed::<DecisionId>(id)?;
            Some(asking::ask(&site, move |administrator, _| administrator.why_decided(id)).await?)
        }
        (None, Some(subject), Some(resource)) => {
            let (subject, resource, action) =
                (parsed::<SubjectId>(subject)?, parsed::<ResourceId>(resource)?, form.action()?);
            let (conditions, request) = (form.stated()?.conditions()?, form.stated()?.request());
            let question = site
                .administrator()
                .question(&subject, action, &resource, &conditions, None, &request)
                .map_err(Fault::from)?;
            Some(asking::ask(&site, move |administrator, _| administrator.why(&question)).await?)
        }
        (None, ..) => None,
    };
    let (subject, resource) = match &asked {
        Some(why) => (why.question.subject.to_string(), why.question.resource.to_string()),
        None => (form.subject.clone(), form.resource.clone()),
    };
    Ok(html(&WhyPage { shell, fields: Fields::new(&site, &form), subject, resource, why: asked.map(Taken::from) }))
}

impl From<Why> for Taken {
    fn from(why: Why) -> Self {
        use countersign_model::Decision;
        let (sign, sentence) = match &why.decision {
            Decision::Allow(_) if let_through(&why) => (sign("good", "allowed"), "Let through: no policy is enforced."),
            Decision::Allow(_) => (sign("good", "allowed"), "A policy permits it and none forbids it."),
            Decision::Challenge(_) => {
                (sign("warn", "challenged"), "Not yet: whoever asks can do something about it at once.")
            }
            Decision::Deny(denial) => (sign("bad", "denied"), crate::words::cause(denial.cause)),
        };
        let policy = |info: &countersign_administrator::PolicyInfo| {
            let place = format!("{}:{}", info.file.display(), info.line);
            (info.id.to_string(), super::policy_url(&info.id), super::role(info.role), place, info.text.clone())
        };
        let chain = |chain: &countersign_administrator::Chain| {
            let groups: Vec<&str> = chain.groups.iter().map(|group| group.as_str()).collect();
            (groups.join(" → "), chain.counts_as.join(", "))
        };
        Self {
            sign,
            sentence,
            turns: why.turns.iter().map(ToString::to_string).collect(),
            suffices: why.suffices.iter().map(ToString::to_string).collect(),
            policies: why.policies.iter().map(policy).collect(),
            chains: why.chains.iter().map(chain).collect(),
            why,
        }
    }
}

fn let_through(why: &Why) -> bool {
    why.observed.as_ref().is_some_and(|observed| observed.because == ObservedBecause::Resource)
}

/// Where the page about a recorded decision leads.
pub(crate) fn why_url(id: &DecisionId) -> String {
    format!("{WHY}?decision={id}")
}

#[derive(Template)]
#[template(path = "console/coverage.html")]
struct CoveragePage {
    shell: Shell,
    coverage: Coverage,
}

pub(super) async fn coverage(State(site): State<Site>, caller: Caller) -> Result<Response, PageFault> {
    let coverage = asking::ask(&site, |administrator, tick| administrator.coverage(tick)).await?;
    Ok(html(&CoveragePage { shell: Shell::new(&caller, COVERAGE, site.now(), None), coverage }))
}
