//! The policy asked: who can, what can somebody, why, who did, and the access matrix. Reading, like the policies
//! themselves.

use axum::extract::State;
use countersign_administrator::{Administrator, DidFilter, Members, Page, Tick, WhatCan, WhoCan, WhyError};
use countersign_model::{Action, GroupId, ResourceId, ResourceKind, SubjectKind};

use crate::Site;
use crate::asking::{self, parsed};
use crate::error::{Fault, Problem};
use crate::extract::Query;
use crate::guard::Caller;
use crate::wire::{
    AccessMatrix, Coverage, DidQuery, Done, Holders, MatrixQuery, MatrixRow, ObservedResource, Reaches, WhatCanQuery,
    WhoCanQuery, Why, WhyQuery,
};

/// How far back "who did" looks where nothing is said.
const DAYS: u64 = 30;

fn page(cursor: Option<String>, limit: Option<u16>) -> Result<Page, Fault> {
    match limit.unwrap_or(1000) {
        limit @ 1..=10_000 => Ok(Page { after: cursor, limit: usize::from(limit) }),
        _ => Err(Fault::Malformed("limit is 1 to 10000".to_owned())),
    }
}

/// Everybody who can do something, under stated circumstances or with the weakest that suffice. Exact.
#[utoipa::path(get, path = "/api/v1/ask/who-can", tag = "ask", params(WhoCanQuery),
    responses((status = 200, body = Holders), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn who_can(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<WhoCanQuery>,
) -> Result<axum::Json<Holders>, Fault> {
    let asked = WhoCan {
        action: parsed(&query.action)?,
        resource: parsed(&query.resource)?,
        under: query.stated().as_of(query.as_of).under(site.administrator())?,
        request: query.stated().request(),
        kind: query.kind.as_deref().map(asking::kind).transpose()?,
        page: page(query.cursor, query.limit)?,
        group: query.group,
    };
    let could = move |administrator: &Administrator, tick: Tick<'_>| administrator.who_could(&asked, query.as_of, tick);
    let answer = asking::ask(&site, could).await?;
    Ok(axum::Json(Holders::from(answer)))
}

/// Everything that somebody can do, under stated circumstances or with the weakest that suffice. Exact.
#[utoipa::path(get, path = "/api/v1/ask/what-can", tag = "ask", params(WhatCanQuery),
    responses((status = 200, body = Reaches), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn what_can(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<WhatCanQuery>,
) -> Result<axum::Json<Reaches>, Fault> {
    let asked = WhatCan {
        subject: parsed(&query.subject)?,
        action: query.action.as_deref().map(parsed).transpose()?,
        under: query.stated().as_of(query.as_of).under(site.administrator())?,
        request: query.stated().request(),
        page: page(query.cursor, query.limit)?,
    };
    let could =
        move |administrator: &Administrator, tick: Tick<'_>| administrator.what_could(&asked, query.as_of, tick);
    let answer = asking::ask(&site, could).await?;
    Ok(axum::Json(Reaches::from(answer)))
}

/// A decision taken apart: policies with their source, facts with source and age, groups, and what would turn it around.
#[utoipa::path(get, path = "/api/v1/ask/why", tag = "ask", params(WhyQuery),
    responses((status = 200, body = Why), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn why(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<WhyQuery>,
) -> Result<axum::Json<Why>, Fault> {
    Ok(axum::Json(Why::from(taken_apart(&site, query).await?)))
}

pub(crate) async fn taken_apart(site: &Site, query: WhyQuery) -> Result<countersign_administrator::Why, Fault> {
    if query.as_of.is_some() && (query.decision.is_some() || query.from_device.is_some()) {
        let message = "as_of is about a subject, an action and a resource: a decision has its own time, and of devices only today is known";
        return Err(Fault::Malformed(message.to_owned()));
    }
    if let Some(id) = query.decision {
        return asking::ask(site, move |administrator, _| administrator.why_decided(id)).await;
    }
    let (Some(subject), Some(action), Some(resource)) = (&query.subject, &query.action, &query.resource) else {
        return Err(Fault::Malformed("name a decision, or a subject, an action and a resource".to_owned()));
    };
    let stated = query.stated().as_of(query.as_of);
    let (action, conditions, request) = (parsed(action)?, stated.or_best()?, stated.request());
    if let Some(as_of) = query.as_of {
        let (subject, resource) = (subject.clone(), resource.clone());
        let why = move |administrator: &Administrator, tick: Tick<'_>| {
            administrator.why_then((&subject, action, &resource), &conditions, &request, as_of, tick)
        };
        return asking::ask(site, why).await;
    }
    let from = query.from_device.as_ref();
    let question = site.administrator().question(subject, action, resource, &conditions, from, &request)?;
    asking::ask(site, move |administrator, _| administrator.why(&question).map_err(WhyError::from)).await
}

/// Who did, and what somebody did: accesses that were allowed, from the ledger.
#[utoipa::path(get, path = "/api/v1/ask/did", tag = "ask", params(DidQuery),
    responses((status = 200, body = Done), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn did(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<DidQuery>,
) -> Result<axum::Json<Done>, Fault> {
    let to = query.to.unwrap_or_else(|| site.now());
    let filter = DidFilter {
        subject: query.subject,
        resource: query.resource,
        action: query.action.as_deref().map(parsed).transpose()?,
        from: query.from.unwrap_or_else(|| to.minus(std::time::Duration::from_secs(DAYS * 86_400))),
        to,
    };
    let done = asking::ask(&site, move |administrator, tick| administrator.did(&filter, tick)).await?;
    Ok(axum::Json(Done::from(done)))
}

/// How many of each group can do something at each resource.
#[utoipa::path(get, path = "/api/v1/ask/matrix", tag = "ask", params(MatrixQuery),
    responses((status = 200, body = AccessMatrix), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn matrix(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<MatrixQuery>,
) -> Result<axum::Json<AccessMatrix>, Fault> {
    let limit = super::limit(query.limit)?;
    let action = query.action.as_deref().map(parsed).transpose()?;
    let situation = site.administrator().situation(&query.stated().conditions()?)?;
    let (of, next_groups) = rows(&site, query.groups_after.as_deref(), limit);
    let (resources, next_resources) = columns(&site, query.resources_after.as_deref(), limit);
    let action = action.unwrap_or_else(|| Action::http(countersign_model::ActionClass::Read));
    let matrix = asking::ask(&site, move |administrator, tick| {
        administrator.access_matrix(action, &of, &resources, &situation, tick)
    });
    let matrix = matrix.await?;
    let row = |row: countersign_administrator::MatrixRow| MatrixRow {
        group: matches!(row.of, Members::Group(_)),
        of: match row.of {
            Members::Group(id) => id.to_string(),
            Members::Kind(kind) => kind.to_string(),
        },
        members: row.members as u64,
        can: row.can.into_iter().map(|count| count as u64).collect(),
    };
    Ok(axum::Json(AccessMatrix {
        action: matrix.action.to_string(),
        resources: matrix.resources,
        not_enforced: matrix
            .not_enforced
            .into_iter()
            .map(|(resource, until)| ObservedResource { resource, until })
            .collect(),
        rows: matrix.rows.into_iter().map(row).collect(),
        next_groups,
        next_resources,
        policy_set: matrix.policy_set,
        generation: matrix.generation,
    }))
}

/// What policy does not speak for.
#[utoipa::path(get, path = "/api/v1/coverage", tag = "ask",
    responses((status = 200, body = Coverage), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn coverage(State(site): State<Site>, _: Caller) -> Result<axum::Json<Coverage>, Fault> {
    let coverage = asking::ask(&site, |administrator, tick| administrator.coverage(tick)).await?;
    Ok(axum::Json(Coverage::from(coverage)))
}

/// One page of groups; before the first stand the kinds of subjects.
pub(crate) fn rows(site: &Site, after: Option<&str>, limit: usize) -> (Vec<Members>, Option<String>) {
    let groups = site.administrator().groups().into_iter().map(|group| group.id);
    let mut groups: Vec<GroupId> = groups.filter(|id| after.is_none_or(|after| id.as_str() > after)).collect();
    let more = groups.len() > limit;
    groups.truncate(limit);
    let next = groups.last().filter(|_| more).map(ToString::to_string);
    let kinds = if after.is_none() { SubjectKind::ALL.to_vec() } else { Vec::new() };
    (kinds.into_iter().map(Members::Kind).chain(groups.into_iter().map(Members::Group)).collect(), next)
}

/// One page of resources; the parts of Countersign itself come last.
pub(crate) fn columns(site: &Site, after: Option<&str>, limit: usize) -> (Vec<ResourceId>, Option<String>) {
    let all = site.administrator().resources();
    let own = |id: &str| all.iter().any(|one| one.id.as_str() == id && one.kind == ResourceKind::Countersign);
    let after = after.map(|after| (own(after), after));
    let mut keys: Vec<(bool, &str)> =
        all.iter().map(|one| (one.kind == ResourceKind::Countersign, one.id.as_str())).collect();
    keys.retain(|key| after.is_none_or(|after| *key > after));
    keys.sort_unstable();
    let more = keys.len() > limit;
    keys.truncate(limit);
    let next = keys.last().filter(|_| more).map(|(_, id)| (*id).to_owned());
    (keys.into_iter().filter_map(|(_, id)| id.parse().ok()).collect(), next)
}
