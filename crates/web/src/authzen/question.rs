//! From the words of AuthZEN to a question that can be decided or searched by. What only Countersign can know or check
//! is taken from nobody: neither what a subject belongs to, nor how a device is, nor a sign-in at Countersign itself.
//! Nothing is looked up here.

use std::time::Duration;

use countersign_administrator::{Administrator, Inquiry, Stated};
use countersign_model::{
    Action, ActionClass, AuthenticationMethod, DeviceId, HttpCircumstances, Methods, Name, Resource, ResourceId,
    SubjectId, SubjectKind,
};
use serde_json::{Value, json};

use crate::wire::{ActionName, Entity, Evaluation, StatedAuthentication, StatedContext, StatedHttp};

/// The methods of HTTP that are actions here, where the context says of what.
pub(super) const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

/// An entry of the ledger holds host and path.
const LONGEST_HOST: usize = 253;
const LONGEST_PATH: usize = 8192;

/// A question that could be read.
#[derive(Debug)]
pub(super) struct Question {
    subject: SubjectId,
    wish: Wish,
    resource: ResourceId,
    context: Context,
}

/// `None` for a kind of subject or an action that does not exist here: an answer, and not a mistake.
pub(super) fn read(asked: Evaluation) -> Result<Option<Question>, String> {
    let Evaluation { subject, action, resource, context } = asked;
    let context = Context::read(context)?;
    let (subject, wish, resource) = (subject_id(&subject)?, context.wish(&action)?, resource_id(&resource)?);
    let (Some(subject), Some(wish)) = (subject, wish) else { return Ok(None) };
    Ok(Some(Question { subject, wish, resource, context }))
}

impl Question {
    pub(super) fn inquiry(self, administrator: &Administrator) -> Inquiry {
        let Self { subject, wish, resource, context } = self;
        let action = wish.action_at(administrator.resource(&resource).as_deref());
        let stated = Stated { http: wish.request().cloned(), ..context.stated };
        Inquiry { subject, action, resource, stated }
    }
}

/// What is wanted: an action, or a request of HTTP, of which each resource says what action it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    Action(Action),
    Request(HttpCircumstances),
}

impl Wish {
    pub(super) fn action_at(&self, resource: Option<&Resource>) -> Action {
        match (self, resource) {
            (Self::Action(action), _) => *action,
            (Self::Request(http), Some(resource)) => resource.http_action(&http.method, &http.path, false),
            (Self::Request(_), None) => Action::http(ActionClass::Write),
        }
    }

    pub(super) const fn request(&self) -> Option<&HttpCircumstances> {
        match self {
            Self::Action(_) => None,
            Self::Request(http) => Some(http),
        }
    }
}

/// A context that could be read.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// Without the request: whether it counts is for the action to say.
    pub(super) stated: Stated,
    http: Option<StatedHttp>,
}

impl Context {
    pub(super) fn read(context: StatedContext) -> Result<Self, String> {
        let StatedContext { ip_address: address, encrypted, device, authentication, http } = context;
        let device = device.map(DeviceId::new).transpose().map_err(|error| format!("the device: {error}"))?;
        let authentication = authentication.map(methods).transpose()?;
        let http = http.map(plain).transpose()?;
        Ok(Self { stated: Stated { authentication, device, address, encrypted, http: None }, http })
    }

    /// `None` for an action that does not exist here.
    pub(super) fn wish(&self, action: &ActionName) -> Result<Option<Wish>, String> {
        let name = name("the name of an action", &action.name)?;
        match METHODS.into_iter().find(|method| *method == name.as_str()) {
            Some(method) => self
                .request(method)
                .map(Some)
                .ok_or_else(|| "a method of HTTP says something about context.http only".to_owned()),
            None => Ok(named(name.as_str()).map(Wish::Action)),
        }
    }

    /// What the context is about, by this method; `None` where it is about no request.
    pub(super) fn request(&self, method: &str) -> Option<Wish> {
        let StatedHttp { host, path } = self.http.clone()?;
        Some(Wish::Request(HttpCircumstances { method: method.to_owned(), host, path }))
    }

    /// All of it that counts, for the record.
    pub(super) fn recorded(&self) -> Value {
        let Stated { authentication, device, address, encrypted, http: _ } = &self.stated;
        let authentication = authentication.as_ref().map(|(methods, age)| {
            let methods: Vec<&str> = methods.iter().map(|method| method.name()).collect();
            json!({ "methods": methods, "age": age.as_secs() })
        });
        json!({ "ip_address": address, "encrypted": encrypted, "device": device, "authentication": authentication,
            "http": self.http })
    }
}

fn name(what: &str, text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| format!("{what}: {error}"))
}

/// `None` for a kind that does not exist here.
pub(super) fn subject_kind(kind: &str) -> Result<Option<SubjectKind>, String> {
    Ok(match name("the type of a subject", kind)?.as_str() {
        "human" | "user" => Some(SubjectKind::Human),
        "service" => Some(SubjectKind::Service),
        "agent" => Some(SubjectKind::Agent),
        _ => None,
    })
}

/// `None` for one of a kind that does not exist here.
pub(super) fn subject_id(subject: &Entity) -> Result<Option<SubjectId>, String> {
    let (kind, name) = (subject_kind(&subject.kind)?, name("the id of a subject", &subject.id)?);
    Ok(kind.map(|kind| SubjectId::new(kind, name)))
}

/// What the ids of a type begin with: those of other types stand beside those of resources without being taken for one.
pub(super) fn prefix(kind: &str) -> Result<String, String> {
    Ok(match name("the type of a resource", kind)?.as_str() {
        "resource" => String::new(),
        kind => format!("{kind}/"),
    })
}

pub(super) fn resource_id(resource: &Entity) -> Result<ResourceId, String> {
    let name = name("the id of a resource", &resource.id)?;
    let id = ResourceId::new(format!("{}{}", prefix(&resource.kind)?, name.as_str()));
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
fn plain(http: StatedHttp) -> Result<StatedHttp, String> {
    let StatedHttp { host, path } = &http;
    let segments = || path.split('/').skip(1);
    let last = segments().count().saturating_sub(1);
    let one_way = path.len() <= LONGEST_PATH
        && path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\;?#%".contains(&byte))
        && segments().enumerate().all(|(at, it)| !matches!(it, "." | "..") && (!it.is_empty() || at == last));
    if !one_way {
        return Err(format!(
            "context.http.path is a path of {LONGEST_PATH} bytes at most without query and encodings, and without empty or dot \
             segments"
        ));
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if host.is_empty() || host.len() > LONGEST_HOST || !host.bytes().all(plain) {
        return Err("context.http.host is a name in lower case, without a port".to_owned());
    }
    Ok(http)
}
