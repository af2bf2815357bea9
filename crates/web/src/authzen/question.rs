//! From the words of AuthZEN to a question that can be decided. What only Countersign can know or check is taken from
//! nobody: neither what a subject belongs to, nor how a device is, nor a sign-in at Countersign itself.

use std::time::Duration;

use countersign_administrator::{Administrator, Inquiry, Stated};
use countersign_model::{
    Action, ActionClass, AuthenticationMethod, DeviceId, HttpCircumstances, Methods, ResourceId, SubjectId,
};

use crate::wire::{Entity, Evaluation, StatedAuthentication, StatedContext, StatedHttp};

/// `None` for a kind of subject or an action that does not exist here: an answer, and not a mistake.
pub(super) fn read(administrator: &Administrator, asked: Evaluation) -> Result<Option<Inquiry>, String> {
    let Evaluation { subject, action, resource, context } = asked;
    for (what, text) in [
        ("the type of a subject", &subject.kind),
        ("the id of a subject", &subject.id),
        ("the type of a resource", &resource.kind),
        ("the id of a resource", &resource.id),
        ("the name of an action", &action.name),
    ] {
        if text.is_empty() {
            return Err(format!("{what} is not empty"));
        }
    }
    let resource = resource_id(&resource)?;
    let StatedContext { ip_address: address, encrypted, device, authentication, http } = context;
    let device = device.map(DeviceId::new).transpose().map_err(|error| format!("the device: {error}"))?;
    let authentication = authentication.map(methods).transpose()?;
    let method = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"].contains(&&*action.name);
    let http = http.map(|http| plain(&action.name, http)).transpose()?;
    let action = match (&http, administrator.resource(&resource)) {
        (Some(http), Some(resource)) if method => Some(resource.http_action(&action.name, &http.path, false)),
        (None, Some(_)) if method => return Err("a method of HTTP says something about context.http only".to_owned()),
        (_, None) if method => Some(Action::http(ActionClass::Write)),
        _ => named(&action.name),
    };
    let (Some(subject), Some(action)) = (subject_id(&subject)?, action) else { return Ok(None) };
    let stated = Stated { authentication, device, address, encrypted, http: http.filter(|_| method) };
    Ok(Some(Inquiry { subject, action, resource, stated }))
}

fn subject_id(subject: &Entity) -> Result<Option<SubjectId>, String> {
    let id = subject.id.as_str();
    match subject.kind.as_str() {
        "human" | "user" => SubjectId::human(id),
        "service" => SubjectId::service(id),
        "agent" => SubjectId::agent(id),
        _ => return Ok(None),
    }
    .map(Some)
    .map_err(|error| format!("the subject: {error}"))
}

/// Ids of other types stand beside those of resources without being taken for one.
fn resource_id(resource: &Entity) -> Result<ResourceId, String> {
    let id = match resource.kind.as_str() {
        "resource" => ResourceId::new(resource.id.as_str()),
        kind => ResourceId::new(format!("{kind}/{}", resource.id)),
    };
    id.map_err(|error| format!("the resource: {error}"))
}

fn named(name: &str) -> Option<Action> {
    let class = ActionClass::ALL.into_iter().find(|class| class.name() == name);
    class.map(Action::http).or_else(|| name.parse().ok())
}

/// The ways of proving oneself that somebody else can have seen.
fn methods(stated: StatedAuthentication) -> Result<(Methods, Duration), String> {
    use AuthenticationMethod as M;
    const OTHERS: [M; 4] = [M::Federated, M::FederatedMultiFactor, M::FederatedPhishingResistant, M::ApiKey];
    let method = |name: &String| {
        let known = OTHERS.into_iter().find(|method| method.name() == name);
        known.ok_or_else(|| format!("{name:?} is no way of proving oneself that a caller can vouch for"))
    };
    let methods = stated.methods.iter().map(method).collect::<Result<Methods, _>>()?;
    Ok((methods, Duration::from_secs(stated.age)))
}

/// Rules compare paths in one spelling. Callers are servers and can write it: what is not in it is refused.
fn plain(method: &str, http: StatedHttp) -> Result<HttpCircumstances, String> {
    let StatedHttp { host, path } = http;
    let segments = || path.split('/').skip(1);
    let last = segments().count().saturating_sub(1);
    let one_way = path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\;?#%".contains(&byte))
        && segments().enumerate().all(|(at, it)| !matches!(it, "." | "..") && (!it.is_empty() || at == last));
    if !one_way {
        return Err(
            "context.http.path is a path without query and encodings, and without empty or dot segments".to_owned()
        );
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if host.is_empty() || !host.bytes().all(plain) {
        return Err("context.http.host is a name in lower case, without a port".to_owned());
    }
    Ok(HttpCircumstances { method: method.to_owned(), host, path })
}
