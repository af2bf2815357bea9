//! The Authorization API 1.0 of OpenID AuthZEN, for applications that enforce by themselves. Who asks has been decided
//! about like any caller of the API, and stands as the enforcement point in the record of each decision. A question
//! that cannot be read is answered with no where it stands among others, and with 400 where it stands alone. The searches
//! are in `authzen/search.rs`.

mod page;
mod question;
pub(crate) mod search;

use axum::Router;
use axum::extract::{FromRequest, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use countersign_administrator::{Answered, InquiryError};
use countersign_identity::secret;
use countersign_model::{Decision, Observed, SubjectId};
use futures_util::stream::{self, StreamExt};
use http::{HeaderName, StatusCode, header};
use serde_json::{Map, Value};

use crate::Site;
use crate::error::{Fault, Problem};
use crate::extract::is_json;
use crate::guard::Caller;
use crate::wire::{
    DecisionPoint, Evaluation, Evaluations, Remedy, Semantic, Verdict, VerdictContext, VerdictError, VerdictObserved,
    Verdicts,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// So that one call cannot keep everybody else waiting.
const MOST: usize = 1000;
/// Decided side by side, so that one write to the ledger's disk serves many.
const AT_ONCE: usize = 64;

pub(crate) fn router() -> Router<Site> {
    Router::new()
        .route("/access/v1/evaluation", post(evaluation))
        .route("/access/v1/evaluations", post(evaluations))
        .route("/access/v1/search/subject", post(search::subjects))
        .route("/access/v1/search/resource", post(search::resources))
        .route("/access/v1/search/action", post(search::actions))
        .layer(from_fn(echo))
}

/// `X-Request-ID` comes back as it was sent.
async fn echo(request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    if let Some(id) = id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A JSON object. The standard has 400 for whatever is none, also by its content type.
pub(crate) struct Body(Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Fault;
    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        if !is_json(request.headers()) {
            return Err(Fault::Malformed("the content type has to be application/json".to_owned()));
        }
        let bytes = Bytes::from_request(request, state).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Fault::Malformed(error.to_string()))
    }
}

/// One question, decided and recorded.
#[utoipa::path(post, path = "/access/v1/evaluation", tag = "authzen", request_body = Evaluation,
    responses((status = 200, body = Verdict), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn evaluation(
    State(site): State<Site>,
    caller: Caller,
    Body(body): Body,
) -> Result<axum::Json<Verdict>, Fault> {
    Ok(axum::Json(alone(&site, &caller.principal.subject, body).await?))
}

async fn alone(site: &Site, caller: &SubjectId, body: Map<String, Value>) -> Result<Verdict, Fault> {
    match decide(site, caller, body).await {
        Ok(verdict) => Ok(verdict),
        Err(Undecided::Unreadable(why)) => Err(Fault::Malformed(why)),
        Err(Undecided::Failed(_)) => Err(Fault::Unavailable),
    }
}

/// Several questions, each decided and recorded.
#[utoipa::path(post, path = "/access/v1/evaluations", tag = "authzen", request_body = Evaluations,
    responses((status = 200, body = Verdicts), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn evaluations(State(site): State<Site>, caller: Caller, Body(body): Body) -> Result<Response, Fault> {
    let caller = &caller.principal.subject;
    let Some(Several { questions, semantic }) = Several::read(&body)? else {
        return Ok(axum::Json(alone(&site, caller, body).await?).into_response());
    };
    let at_once = match semantic {
        Semantic::ExecuteAll => AT_ONCE,
        // What comes after the end is not decided, and not recorded as if it had been asked.
        Semantic::DenyOnFirstDeny | Semantic::PermitOnFirstPermit => 1,
    };
    let mut verdicts = stream::iter(questions)
        .map(|question| async { decide(&site, caller, question).await.unwrap_or_else(Verdict::from) })
        .buffered(at_once);
    let mut evaluations = Vec::new();
    while let Some(verdict) = verdicts.next().await {
        let decision = verdict.decision;
        evaluations.push(verdict);
        match (semantic, decision) {
            (Semantic::DenyOnFirstDeny, false) | (Semantic::PermitOnFirstPermit, true) => break,
            (Semantic::ExecuteAll | Semantic::DenyOnFirstDeny | Semantic::PermitOnFirstPermit, _) => {}
        }
    }
    Ok(axum::Json(Verdicts { evaluations }).into_response())
}

/// Questions with what is said for all of them.
struct Several {
    questions: Vec<Map<String, Value>>,
    semantic: Semantic,
}

impl Several {
    /// `None` where there is one alone.
    fn read(body: &Map<String, Value>) -> Result<Option<Self>, Fault> {
        let all: Evaluations =
            serde_json::from_value(Value::Object(body.clone())).map_err(|error| Fault::Malformed(error.to_string()))?;
        if all.evaluations.is_empty() {
            return Ok(None);
        }
        if all.evaluations.len() > MOST {
            return Err(Fault::Malformed(format!("{MOST} evaluations at most go into one request")));
        }
        let said =
            [("subject", all.subject), ("action", all.action), ("resource", all.resource), ("context", all.context)];
        let questions = all.evaluations.into_iter().map(|mut question| {
            for (name, value) in said.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
                question.entry(*name).or_insert_with(|| value.clone());
            }
            question
        });
        Ok(Some(Self { questions: questions.collect(), semantic: all.options.evaluations_semantic }))
    }
}

fn evaluation_of(question: Map<String, Value>) -> Result<Option<question::Question>, String> {
    let asked = serde_json::from_value::<Evaluation>(Value::Object(question)).map_err(|error| error.to_string())?;
    question::read(asked)
}

/// How many questions of a body can be read, whoever sends it: nobody is asked, and nothing looked up. A page of a
/// search is read as well, of which no token is genuine here.
pub fn authzen_questions(body: &[u8]) -> usize {
    let Ok(body) = serde_json::from_slice::<Map<String, Value>>(body) else { return 0 };
    if let Some(Ok(page)) = body.get("page").cloned().map(serde_json::from_value) {
        let (key, _) = secret::generate();
        // Either is an answer.
        let _turn = page::Turn::read(&key, &SubjectId::anonymous(), "subject", &body, page);
    }
    let questions = match Several::read(&body) {
        Ok(Some(several)) => several.questions,
        Ok(None) => vec![body],
        Err(_) => Vec::new(),
    };
    questions.into_iter().filter(|question| evaluation_of(question.clone()).is_ok()).count()
}

/// Why a question has no decision.
enum Undecided {
    Unreadable(String),
    Failed(InquiryError),
}

async fn decide(site: &Site, caller: &SubjectId, question: Map<String, Value>) -> Result<Verdict, Undecided> {
    let Some(question) = evaluation_of(question).map_err(Undecided::Unreadable)? else {
        // No such kind of subject or action: nothing that anybody could be allowed.
        let context = VerdictContext { reason: Some("unknown".to_owned()), ..VerdictContext::default() };
        return Ok(Verdict { decision: false, context });
    };
    let inquiry = question.inquiry(site.administrator());
    site.administrator().inquire(inquiry, caller).await.map(Verdict::from).map_err(Undecided::Failed)
}

impl From<Answered> for Verdict {
    fn from(answered: Answered) -> Self {
        let Answered { id, decision, observed } = answered;
        let (reason, remedy) = told(&decision);
        let without = |observed: Observed| {
            let (reason, remedy) = told(&observed.decision);
            let because = observed.because.name().to_owned();
            VerdictObserved { because, effect: observed.decision.name().to_owned(), reason, remedy }
        };
        let context = VerdictContext {
            decision: Some(id.to_string()),
            effect: Some(decision.name().to_owned()),
            reason,
            remedy,
            observed: observed.map(without),
            error: None,
        };
        Self { decision: matches!(decision, Decision::Allow(_)), context }
    }
}

/// Why not, and what would change it.
fn told(decision: &Decision) -> (Option<String>, Option<Remedy>) {
    match decision {
        Decision::Allow(_) => (None, None),
        Decision::Challenge(challenge) => (None, Some(Remedy::from(&challenge.remedy))),
        Decision::Deny(denial) => (Some(denial.cause.to_string()), denial.remedy.as_ref().map(Remedy::from)),
    }
}

impl From<Undecided> for Verdict {
    fn from(undecided: Undecided) -> Self {
        let (status, message) = match undecided {
            Undecided::Unreadable(why) => (StatusCode::BAD_REQUEST, why),
            Undecided::Failed(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        };
        let error = Some(VerdictError { status: status.as_u16(), message });
        Self { decision: false, context: VerdictContext { error, ..VerdictContext::default() } }
    }
}

/// Where the rest is. Anybody may read it.
#[utoipa::path(get, path = "/.well-known/authzen-configuration", tag = "authzen",
    responses((status = 200, body = DecisionPoint)))]
pub(crate) async fn metadata(State(site): State<Site>) -> Response {
    let origin = site.administrator().settings().control_origin.clone();
    let point = DecisionPoint {
        access_evaluation_endpoint: format!("{origin}/access/v1/evaluation"),
        access_evaluations_endpoint: format!("{origin}/access/v1/evaluations"),
        search_subject_endpoint: format!("{origin}/access/v1/search/subject"),
        search_resource_endpoint: format!("{origin}/access/v1/search/resource"),
        search_action_endpoint: format!("{origin}/access/v1/search/action"),
        policy_decision_point: origin,
    };
    ([(header::CACHE_CONTROL, "public, max-age=300")], axum::Json(point)).into_response()
}
