//! The searches of the Authorization API: which subjects, resources or actions an evaluation with the same words answers
//! with yes. The answers are those of asking, exact, under the circumstances that the caller states. What is sought has
//! a type and no id: one that is sent is not looked at. Who or what is not known is in no answer, and no mistake.

use axum::extract::State;
use countersign_administrator::{
    Administrator, AskError, Page, RequestCondition, Situation, Stated, Under, WhatCan, WhoCan,
};
use countersign_model::{Action, Protocol, ResourceId, SubjectId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::page::{Found, Turn};
use super::question::{self, Context, Wish};
use super::{Body, Site};
use crate::asking;
use crate::error::{Fault, Problem};
use crate::guard::Caller;
use crate::wire::{
    ActionName, ActionSearch, Entity, FoundActions, FoundEntities, FoundPage, ResourceSearch, SubjectSearch,
};

/// More than there are resources. One more than this is a number too.
const ALL: usize = usize::MAX - 1;

/// Who may do something, of one kind of subject.
#[utoipa::path(post, path = "/access/v1/search/subject", tag = "authzen", request_body = SubjectSearch,
    responses((status = 200, body = FoundEntities), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn subjects(
    State(site): State<Site>,
    caller: Caller,
    body: Body,
) -> Result<axum::Json<FoundEntities>, Fault> {
    let search = Search { site: &site, caller: &caller, of: "subject" };
    let (asked, turn) = search.read::<SubjectSearch>(body)?;
    let SubjectSearch { subject, action, resource, context, page: _ } = asked;
    let (kind, resource) =
        (readable(question::subject_kind(&subject.kind))?, readable(question::resource_id(&resource))?);
    let context = readable(Context::read(context))?;
    let wish = readable(context.wish(&action))?;
    let query = json!({ "type": subject.kind, "action": action.name, "context": context.recorded() });
    let found = match (kind, wish) {
        (Some(kind), Some(wish)) => {
            let (by, id) = (search.by(), resource.clone());
            let page = Page { after: turn.after.clone(), limit: turn.limit };
            asking::ask(&site, move |administrator, tick| {
                let Some(resource) = administrator.resource(&id) else { return Ok(Found::default()) };
                let asked = WhoCan {
                    action: wish.action_at(Some(&resource)),
                    resource: id,
                    under: Under::These(Box::new(situation(administrator, &by, &context, Some(&wish)))),
                    request: RequestCondition::Exactly(wish.request().cloned()),
                    group: None,
                    kind: Some(kind),
                    page,
                };
                let Some(answer) = known(administrator.who_can(&asked, tick))? else { return Ok(Found::default()) };
                Ok::<_, AskError>(Found {
                    names: answer.items.iter().map(|holder| holder.subject.name().to_owned()).collect(),
                    more: answer.next.is_some() || (asked.page.limit == 0 && answer.found > 0),
                    last: answer.next,
                    total: answer.found,
                })
            })
            .await?
        }
        (None, _) | (_, None) => Found::default(),
    };
    let page = search.answered(resource.as_str(), query, turn, &found).await?;
    Ok(axum::Json(FoundEntities { page, results: entities(&subject.kind, found) }))
}

/// What somebody may do something with, of one type of resource.
#[utoipa::path(post, path = "/access/v1/search/resource", tag = "authzen", request_body = ResourceSearch,
    responses((status = 200, body = FoundEntities), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn resources(
    State(site): State<Site>,
    caller: Caller,
    body: Body,
) -> Result<axum::Json<FoundEntities>, Fault> {
    let search = Search { site: &site, caller: &caller, of: "resource" };
    let (asked, turn) = search.read::<ResourceSearch>(body)?;
    let ResourceSearch { subject, action, resource, context, page: _ } = asked;
    let (asker, prefix) = (readable(question::subject_id(&subject))?, readable(question::prefix(&resource.kind))?);
    let context = readable(Context::read(context))?;
    let wish = readable(context.wish(&action))?;
    let query = json!({ "type": resource.kind, "action": action.name, "context": context.recorded() });
    let all = match (asker, wish) {
        (Some(asker), Some(wish)) => {
            let by = search.by();
            asking::ask(&site, move |administrator, tick| {
                let asked = WhatCan {
                    subject: asker,
                    // What action a request is, is for each resource to say.
                    action: wish.request().is_none().then(|| wish.action_at(None)),
                    under: Under::These(Box::new(situation(administrator, &by, &context, Some(&wish)))),
                    request: RequestCondition::Exactly(wish.request().cloned()),
                    page: Page { after: None, limit: ALL },
                };
                let Some(answer) = known(administrator.what_can(&asked, tick))? else { return Ok(Vec::new()) };
                let meant = |id: &ResourceId, action: Action| {
                    let resource = administrator.resource(id);
                    resource.is_some_and(|resource| wish.action_at(Some(&resource)) == action)
                };
                let reached = answer.items.iter().filter(|reach| meant(&reach.resource, reach.action));
                let names = reached.filter_map(|reach| reach.resource.as_str().strip_prefix(&prefix));
                Ok::<_, AskError>(names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
            })
            .await?
        }
        (None, _) | (_, None) => Vec::new(),
    };
    let found = Found::of(all, turn.limit, turn.after.as_deref());
    let page = search.answered(&named(&subject), query, turn, &found).await?;
    Ok(axum::Json(FoundEntities { page, results: entities(&resource.kind, found) }))
}

/// What somebody may do with a resource. Methods of HTTP are among it where the context says of what.
#[utoipa::path(post, path = "/access/v1/search/action", tag = "authzen", request_body = ActionSearch,
    responses((status = 200, body = FoundActions), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn actions(
    State(site): State<Site>,
    caller: Caller,
    body: Body,
) -> Result<axum::Json<FoundActions>, Fault> {
    let search = Search { site: &site, caller: &caller, of: "action" };
    let (asked, turn) = search.read::<ActionSearch>(body)?;
    let ActionSearch { subject, resource, context, page: _ } = asked;
    let (asker, id) = (readable(question::subject_id(&subject))?, readable(question::resource_id(&resource))?);
    let context = readable(Context::read(context))?;
    let query = json!({ "resource": id, "context": context.recorded() });
    let all = match asker {
        Some(asker) => {
            let by = search.by();
            asking::ask(&site, move |administrator, _| {
                let which = |wish: Option<&Wish>| {
                    let situation = situation(administrator, &by, &context, wish);
                    let request = RequestCondition::Exactly(wish.and_then(Wish::request).cloned());
                    known(administrator.which_actions(&asker, &id, &request, &situation))
                };
                let actions = which(None)?.unwrap_or_default();
                let mut names: Vec<String> = actions.into_iter().map(name).map(str::to_owned).collect();
                let resource = administrator.resource(&id);
                for method in question::METHODS {
                    let Some(wish) = context.request(method) else { continue };
                    let action = wish.action_at(resource.as_deref());
                    if which(Some(&wish))?.is_some_and(|actions| actions.contains(&action)) {
                        names.push(method.to_owned());
                    }
                }
                Ok::<_, AskError>(names)
            })
            .await?
        }
        None => Vec::new(),
    };
    let found = Found::of(all, turn.limit, turn.after.as_deref());
    let page = search.answered(&named(&subject), query, turn, &found).await?;
    let action = |name| ActionName { name, properties: serde_json::Map::new() };
    Ok(axum::Json(FoundActions { page, results: found.names.into_iter().map(action).collect() }))
}

/// One search, as it is asked.
#[derive(Clone, Copy)]
struct Search<'s> {
    site: &'s Site,
    caller: &'s Caller,
    of: &'static str,
}

impl Search<'_> {
    fn by(self) -> SubjectId {
        self.caller.principal.subject.clone()
    }

    fn read<T: DeserializeOwned + Paged>(self, Body(body): Body) -> Result<(T, Turn), Fault> {
        let value = Value::Object(body.clone());
        let mut asked: T = readable(serde_json::from_value(value))?;
        let page = std::mem::take(asked.page());
        let turn = Turn::read(self.site.sealing_key(), &self.caller.principal.subject, self.of, &body, page)?;
        Ok((asked, turn))
    }

    /// Recorded before anything is said.
    async fn answered(self, target: &str, query: Value, turn: Turn, found: &Found) -> Result<FoundPage, Fault> {
        let page = turn.answered(self.site.sealing_key(), found);
        let detail = json!({ "query": query, "found": page.total, "told": page.count }).to_string();
        let administrator = self.site.administrator();
        administrator.record_search(&self.caller.actor(), self.of, target, detail).await?;
        Ok(page)
    }
}

/// A search whose page is asked for beside it.
trait Paged {
    fn page(&mut self) -> &mut crate::wire::SearchPage;
}

macro_rules! paged {
    ($($search:ty)*) => {$(
        impl Paged for $search {
            fn page(&mut self) -> &mut crate::wire::SearchPage {
                &mut self.page
            }
        }
    )*};
}

paged! { SubjectSearch ResourceSearch ActionSearch }

fn readable<T, E: ToString>(read: Result<T, E>) -> Result<T, Fault> {
    read.map_err(|error| Fault::Malformed(error.to_string()))
}

fn situation(administrator: &Administrator, by: &SubjectId, context: &Context, wish: Option<&Wish>) -> Situation {
    let http = wish.and_then(Wish::request).cloned();
    administrator.stated_situation(by, Stated { http, ..context.stated.clone() })
}

fn known<T>(answer: Result<T, AskError>) -> Result<Option<T>, AskError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(AskError::UnknownSubject(_) | AskError::UnknownResource(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The name that an evaluation takes.
const fn name(action: Action) -> &'static str {
    match action.protocol {
        Protocol::Http => action.class.name(),
    }
}

/// A subject in the record: known or not, as it was named.
fn named(subject: &Entity) -> String {
    format!("{}:{}", subject.kind, subject.id)
}

fn entities(kind: &str, found: Found) -> Vec<Entity> {
    let entity = |id| Entity { kind: kind.to_owned(), id, properties: serde_json::Map::new() };
    found.names.into_iter().map(entity).collect()
}
