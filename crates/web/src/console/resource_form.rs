//! Adding a resource, changing one, taking one away, with forms that need no script. What is wrong is said beside what
//! was typed, all of it at once; what a resource has to be is the administrator's to say.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use countersign_administrator::ActError;
use countersign_model::{
    ActionClass, ActionRule, Entitled, GroupId, PathPattern, Resource, ResourceId, ResourceKind, Route, Source, Tier,
    Timestamp, Upstream,
};
use http::StatusCode;
use serde::Deserialize;

use crate::Site;
use crate::error::{Fault, PageFault};
use crate::extract::{Form, PagePath};
use crate::guard::Caller;
use crate::page::{Done, Shell, done, html};

const PLACE: &str = "/console/resources";

/// As typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Typed {
    id: String,
    display_name: String,
    tier: String,
    owner: String,
    segment: String,
    /// One in a line: host and path prefix.
    routes: String,
    url: String,
    ca: String,
    preserve_host: bool,
    readers: String,
    writers: String,
    administrators: String,
    /// One in a line: methods, path, what it counts as.
    rules: String,
    /// `keep`, days from now, or nothing: enforced.
    observe: String,
}

/// For how long observe mode can be chosen: as posted, in days, in words.
const OBSERVE: [(&str, u64, &str); 4] =
    [("1", 1, "a day"), ("7", 7, "a week"), ("30", 30, "30 days"), ("90", 90, "90 days")];

/// Observe mode ends when it would have ended.
const KEEP: &str = "keep";

#[derive(Template)]
#[template(path = "console/resource_form.html")]
struct FormPage {
    shell: Shell,
    /// Where there is one already.
    existing: Option<ResourceId>,
    /// A configuration file will say otherwise again.
    configured: bool,
    /// Where to post.
    target: String,
    mistakes: Vec<String>,
    tiers: [Tier; 4],
    /// Where it is in observe mode: until when.
    observed_until: Option<Timestamp>,
    observe: [(&'static str, u64, &'static str); 4],
    typed: Typed,
}

impl FormPage {
    fn new(site: &Site, caller: &Caller, existing: Option<&Resource>, typed: Typed, mistakes: Vec<String>) -> Self {
        Self {
            shell: Shell::new(caller, PLACE, site.now(), None),
            existing: existing.map(|one| one.id.clone()),
            configured: existing.is_some_and(|one| one.source == Source::Configuration),
            target: existing.map_or_else(|| NEW.to_owned(), |one| format!("{}/edit", super::resource_url(&one.id))),
            mistakes,
            tiers: Tier::ALL,
            observed_until: existing.and_then(|one| one.observed_until(site.now())),
            observe: OBSERVE,
            typed,
        }
    }
}

/// Where a new one is written.
pub(super) const NEW: &str = "/console/new-resource";

fn joined(groups: &[GroupId]) -> String {
    groups.iter().map(GroupId::as_str).collect::<Vec<_>>().join(", ")
}

impl Typed {
    fn of(one: &Resource, now: Timestamp) -> Self {
        let (url, ca, preserve_host) = match &one.upstream {
            Upstream::Origin { url, ca, preserve_host } => (url.clone(), ca.clone(), *preserve_host),
            Upstream::Internal { .. } => Default::default(),
        };
        let route = |route: &Route| format!("{}{}", route.host, route.path_prefix);
        let rule = |rule: &ActionRule| {
            let methods = if rule.methods.is_empty() { "*".to_owned() } else { rule.methods.join(",") };
            format!("{methods} {} {}", rule.path.0, rule.action.name())
        };
        Self {
            id: one.id.to_string(),
            display_name: one.display_name.clone(),
            tier: one.tier.name().to_owned(),
            owner: one.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
            segment: one.segment.as_ref().map(ToString::to_string).unwrap_or_default(),
            routes: one.routes.iter().map(route).collect::<Vec<_>>().join("\n"),
            url,
            ca: ca.unwrap_or_default(),
            preserve_host,
            readers: joined(&one.entitled.readers),
            writers: joined(&one.entitled.writers),
            administrators: joined(&one.entitled.administrators),
            rules: one.rules.iter().map(rule).collect::<Vec<_>>().join("\n"),
            observe: one.observed_until(now).map_or("", |_| KEEP).to_owned(),
        }
    }
}

/// Collects what is wrong.
#[derive(Default)]
struct Mistakes(Vec<String>);

impl Mistakes {
    fn read<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        text.trim().parse().map_err(|error| self.0.push(format!("{field}: {error}"))).ok()
    }

    fn given<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        if text.trim().is_empty() { None } else { self.read(field, text) }
    }

    fn groups(&mut self, field: &str, text: &str) -> Vec<GroupId> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.filter_map(|name| self.read(field, name)).collect()
    }

    fn route(&mut self, line: &str) -> Route {
        let path = line.find('/').unwrap_or(line.len());
        let (host, path_prefix) = line.split_at(path);
        let path_prefix = if path_prefix.is_empty() { "/" } else { path_prefix };
        Route { host: host.trim().to_owned(), path_prefix: path_prefix.trim().to_owned() }
    }

    fn observe(&mut self, text: &str, existing: Option<&Resource>, now: Timestamp) -> Option<Timestamp> {
        match OBSERVE.into_iter().find(|(value, ..)| text == *value) {
            Some((_, days, _)) => Some(now.plus(Duration::from_secs(days * 24 * 3600))),
            None if text.is_empty() => None,
            None if text == KEEP => existing.and_then(|one| one.observed_until(now)),
            None => {
                self.0.push("Enforcement: choose one".to_owned());
                None
            }
        }
    }

    fn rule(&mut self, line: &str) -> Option<ActionRule> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [methods, path, class] = words.as_slice() else {
            self.0
                .push(format!("Exceptions: {line:?} is not METHODS PATH CLASS, such as POST,PUT /admin/* administer"));
            return None;
        };
        let action = ActionClass::ALL.into_iter().find(|one| one.name() == *class);
        if action.is_none() {
            self.0.push(format!("Exceptions: {class:?} is none of read, write, administer and connect"));
        }
        let methods = match *methods {
            "*" => Vec::new(),
            methods => methods.split(',').map(str::to_owned).collect(),
        };
        action.map(|action| ActionRule { methods, path: PathPattern((*path).to_owned()), action })
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

impl Typed {
    fn resource(&self, existing: Option<&Resource>, now: Timestamp) -> Result<Resource, Vec<String>> {
        let mut mistakes = Mistakes::default();
        let id = mistakes.read::<ResourceId>("Identifier", &self.id);
        let tier = Tier::ALL.into_iter().find(|tier| tier.name() == self.tier);
        if tier.is_none() {
            mistakes.0.push("Sensitivity: choose one".to_owned());
        }
        let display_name = match self.display_name.trim() {
            "" => self.id.trim().to_owned(),
            name => name.to_owned(),
        };
        let owner = mistakes.given("Who answers for it", &self.owner);
        let segment = mistakes.given("Segment", &self.segment);
        let routes = lines(&self.routes).map(|line| mistakes.route(line)).collect();
        let rules = lines(&self.rules).filter_map(|line| mistakes.rule(line)).collect();
        let entitled = Entitled {
            readers: mistakes.groups("May read", &self.readers),
            writers: mistakes.groups("May read and write", &self.writers),
            administrators: mistakes.groups("May administer", &self.administrators),
        };
        let observe_until = mistakes.observe(&self.observe, existing, now);
        let ca = Some(self.ca.trim().to_owned()).filter(|ca| !ca.is_empty());
        let upstream = Upstream::Origin { url: self.url.trim().to_owned(), ca, preserve_host: self.preserve_host };
        match (id, tier) {
            (Some(id), Some(tier)) if mistakes.0.is_empty() => Ok(Resource {
                id,
                display_name,
                kind: ResourceKind::Http,
                tier,
                segment,
                owner,
                source: Source::Administrator,
                routes,
                upstream,
                rules,
                entitled,
                observe_until,
            }),
            _ => Err(mistakes.0),
        }
    }
}

/// One that may be changed: Countersign's own are built in.
fn editable(site: &Site, id: &ResourceId) -> Result<std::sync::Arc<Resource>, Fault> {
    let found = site.administrator().resource(id).filter(|one| one.source != Source::Countersign);
    found.ok_or(Fault::Absent)
}

pub(super) async fn new(State(site): State<Site>, caller: Caller) -> Response {
    let typed = Typed { tier: Tier::Standard.name().to_owned(), ..Typed::default() };
    html(&FormPage::new(&site, &caller, None, typed, Vec::new()))
}

pub(super) async fn edit(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ResourceId>,
) -> Result<Response, PageFault> {
    let one = editable(&site, &id)?;
    Ok(html(&FormPage::new(&site, &caller, Some(&one), Typed::of(&one, site.now()), Vec::new())))
}

pub(super) async fn add(
    State(site): State<Site>,
    caller: Caller,
    Form(typed): Form<Typed>,
) -> Result<Response, PageFault> {
    let taken = typed.id.trim().parse().is_ok_and(|id| site.administrator().resource(&id).is_some());
    if taken {
        let mistake = format!("Identifier: there is a resource {} already", typed.id.trim());
        let page = html(&FormPage::new(&site, &caller, None, typed, vec![mistake]));
        return Ok((StatusCode::CONFLICT, page).into_response());
    }
    put(&site, &caller, None, typed).await
}

pub(super) async fn change(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ResourceId>,
    Form(typed): Form<Typed>,
) -> Result<Response, PageFault> {
    let one = editable(&site, &id)?;
    put(&site, &caller, Some(&one), Typed { id: id.to_string(), ..typed }).await
}

async fn put(site: &Site, caller: &Caller, existing: Option<&Resource>, typed: Typed) -> Result<Response, PageFault> {
    let outcome = match typed.resource(existing, site.now()) {
        Err(mistakes) => Err(mistakes),
        Ok(resource) => {
            let url = super::resource_url(&resource.id);
            // The page says which resource it is about.
            let whose = format!("resource {}: ", resource.id);
            let said = |mistake: &str| mistake.strip_prefix(&whose).unwrap_or(mistake).to_owned();
            match site.administrator().put_resource(resource, &caller.actor()).await {
                Ok(()) => Ok(url),
                Err(ActError::Refused(mistakes)) => Err(mistakes.lines().map(said).collect()),
                Err(error) => return Err(error.into()),
            }
        }
    };
    match outcome {
        Ok(url) => Ok(done(&url, Done::ResourcePut)),
        Err(mistakes) => {
            let page = html(&FormPage::new(site, caller, existing, typed, mistakes));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

pub(super) async fn remove(
    State(site): State<Site>,
    caller: Caller,
    PagePath(id): PagePath<ResourceId>,
) -> Result<Response, PageFault> {
    site.administrator().remove_resource(&id, &caller.actor()).await?;
    Ok(done(PLACE, Done::ResourceRemoved))
}
