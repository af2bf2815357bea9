//! Questions to the policy engine that open nothing: which applications this person could open now, and what an
//! administrator asks about somebody else. The answers are the engine's; here the circumstances are put together.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use countersign_administrator::{Conditions, Disclosure, Judged, NetworkCondition, RequestCondition};
use countersign_model::{
    Action, ActionClass, Authentication, AuthenticationMethod, Circumstances, Decision, HttpCircumstances, Methods,
    Question, Resource, ResourceId, ResourceKind, Tier,
};

use crate::error::Fault;
use crate::guard::{Caller, origin};
use crate::page::encode;
use crate::{Site, decisions, wire};

/// An application as the portal shows it.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    pub(crate) name: String,
    pub(crate) tier: Tier,
    pub(crate) url: Option<String>,
    pub(crate) remedy: Vec<String>,
    pub(crate) state: Openness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Openness {
    Open,
    /// After more proof, which this person can give now.
    StepUp,
    Shut,
}

impl Application {
    pub(crate) fn letter(&self) -> String {
        self.name.chars().next().unwrap_or('?').to_string()
    }
}

/// The circumstances that the caller's own request was decided under, a moment ago: they are on record.
async fn own_circumstances(site: &Site, caller: &Caller) -> Result<Circumstances, Fault> {
    let id = caller.arrival.decision;
    let row = site.read(move |administrator| decisions::find(administrator.ledger(), id)).await??;
    let row = row.ok_or_else(|| Fault::Internal(format!("decision {id} is not in the ledger")))?;
    Ok(row.entry.question.circumstances.clone())
}

/// What this person could open now, from here. What is denied without a remedy is left out: that it exists is not
/// theirs to know.
pub(crate) async fn applications(site: &Site, caller: &Caller) -> Result<Vec<Application>, Fault> {
    let circumstances = own_circumstances(site, caller).await?;
    let resources = site.administrator().resources();
    let shown = resources.iter().filter(|resource| match resource.kind {
        ResourceKind::Http => true,
        ResourceKind::Countersign => false,
    });
    Ok(shown.filter_map(|resource| application(site, caller, &circumstances, resource)).collect())
}

/// Whether the caller could open the resource now, if need be after a step-up.
pub(crate) async fn could_open(site: &Site, caller: &Caller, id: &str) -> Result<bool, Fault> {
    let circumstances = own_circumstances(site, caller).await?;
    let found = ResourceId::new(id).ok().and_then(|id| site.administrator().resource(&id));
    Ok(found.is_some_and(|resource| match decide(site, caller, &circumstances, &resource).decision {
        Decision::Allow(_) | Decision::Challenge(_) => true,
        Decision::Deny(_) => false,
    }))
}

fn decide(site: &Site, caller: &Caller, circumstances: &Circumstances, resource: &Resource) -> Judged {
    let http = resource.routes.first().map(|route| {
        Arc::new(HttpCircumstances {
            method: "GET".to_owned(),
            host: route.host.clone(),
            path: route.path_prefix.clone(),
        })
    });
    site.administrator().explain(&Question {
        subject: caller.principal.subject.clone(),
        action: Action::http(ActionClass::Read),
        resource: resource.id.clone(),
        session: caller.principal.session,
        circumstances: Circumstances { http, ..circumstances.clone() },
    })
}

fn application(
    site: &Site,
    caller: &Caller,
    circumstances: &Circumstances,
    resource: &Resource,
) -> Option<Application> {
    let arrival = &caller.arrival;
    let url = resource.routes.first().map(|route| {
        let there = origin(arrival.scheme, &route.host, arrival.port);
        // Where nothing asks who comes, whoever comes from here says it first.
        let asks = match resource.tier {
            Tier::Public => false,
            Tier::Standard | Tier::High | Tier::CrownJewel => resource.observed_until(site.now()).is_none(),
        };
        match asks {
            false => format!("{there}/.countersign/sign-in?return={}", encode(&route.path_prefix)),
            true => format!("{there}{}", route.path_prefix),
        }
    });
    let (state, remedy) = match decide(site, caller, circumstances, resource).decision {
        Decision::Allow(_) => (Openness::Open, Vec::new()),
        Decision::Challenge(challenge) => (Openness::StepUp, challenge.remedy.steps()),
        Decision::Deny(denial) => match (denial.remedy, site.administrator().settings().disclosure) {
            (Some(remedy), Disclosure::Remedy) => (Openness::Shut, remedy.steps()),
            (None, Disclosure::Remedy) | (_, Disclosure::None) => return None,
        },
    };
    Some(Application { name: resource.display_name.clone(), tier: resource.tier, url, remedy, state })
}

/// What would be decided about somebody, somewhere, now.
pub(crate) fn answer(site: &Site, asked: wire::Question) -> Result<wire::Explained, Fault> {
    let administrator = site.administrator();
    let action: Action = asked.action.parse().map_err(|error| Fault::Malformed(format!("{error}")))?;
    let methods = methods(&asked.methods)?;
    let address = asked.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let conditions = Conditions { network: NetworkCondition::Address(address), ..Conditions::default() };
    let (from, request) = (asked.device.as_ref(), RequestCondition::default());
    let mut question = administrator.question(&asked.subject, action, &asked.resource, &conditions, from, &request)?;
    let at = question.circumstances.time.now;
    question.circumstances.authentication = (!methods.is_empty()).then_some(Authentication { methods, at, age: 0 });
    question.circumstances.http = None;
    let Judged { decision, observed } = administrator.explain(&question);
    Ok(wire::Explained { decision: (&decision).into(), observed: observed.as_ref().map(wire::Observed::from) })
}

fn methods(names: &[String]) -> Result<Methods, Fault> {
    let method = |name: &String| {
        let known = AuthenticationMethod::ALL.into_iter().find(|method| method.name() == name);
        known.ok_or_else(|| Fault::Malformed(format!("{name:?} is no authentication method")))
    };
    names.iter().map(method).collect()
}
