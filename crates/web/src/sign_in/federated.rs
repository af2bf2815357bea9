//! Sign-in through an external OpenID Connect provider: out, back, and its word that a session has ended there.

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use countersign_administrator::Client;
use countersign_model::CredentialSecret;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Wish, destination, session_cookie};
use crate::Site;
use crate::error::{Fault, PageFault};
use crate::extract::{Json, PagePath, PageQuery, Path};
use crate::guard::Caller;

/// Binds the way out to the way back: whoever brings the provider's answer has to be the browser that was sent. `Lax`,
/// because the way back begins at the provider. Not under the names that the gateway takes out of every request.
const FLOW_COOKIE: &str = "__Host-federated-flow";

pub(super) async fn begin(
    State(site): State<Site>,
    caller: Caller,
    PagePath(provider): PagePath<String>,
    PageQuery(wish): PageQuery<Wish>,
) -> Result<Response, PageFault> {
    let step_up = if wish.steps_up() { caller.principal.session } else { None };
    let continuation = serde_json::to_string(&wish).map_err(|error| Fault::Internal(error.to_string()))?;
    let client = Client::from(&caller.arrival);
    let start = site.administrator().begin_federated(&provider, step_up, continuation, &client).await?;
    let mut response = Redirect::to(&start.url).into_response();
    response.headers_mut().append(header::SET_COOKIE, flow_cookie(&start.flow)?);
    Ok(response)
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invited {
    secret: String,
}

/// Follows an invitation. Posted by the page's script, which alone knows the secret, and which then goes to the
/// provider by itself.
pub(super) async fn begin_enrolment(
    State(site): State<Site>,
    caller: Caller,
    Path(provider): Path<String>,
    Json(invited): Json<Invited>,
) -> Result<Response, Fault> {
    let secret = CredentialSecret::new(invited.secret);
    let continuation = serde_json::to_string(&Wish::default()).map_err(|error| Fault::Internal(error.to_string()))?;
    let client = Client::from(&caller.arrival);
    let start = site.administrator().begin_federated_enrolment(&provider, &secret, continuation, &client).await?;
    let mut response = axum::Json(serde_json::json!({ "location": start.url })).into_response();
    response.headers_mut().append(header::SET_COOKIE, flow_cookie(&start.flow)?);
    Ok(response)
}

fn flow_cookie(flow: &CredentialSecret) -> Result<HeaderValue, Fault> {
    let cookie = format!("{FLOW_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600", flow.expose());
    let mut cookie =
        HeaderValue::try_from(cookie).map_err(|_| Fault::Internal("a flow secret is no cookie value".to_owned()))?;
    cookie.set_sensitive(true);
    Ok(cookie)
}

fn flow(headers: &HeaderMap) -> Option<CredentialSecret> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut found = cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == FLOW_COOKIE)
        .map(|(_, value)| CredentialSecret::new(value));
    // Two cookies of one name: one of them is somebody else's.
    found.next().filter(|_| found.next().is_none())
}

pub(super) async fn callback(
    State(site): State<Site>,
    caller: Caller,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageFault> {
    let client = Client::from(&caller.arrival);
    let begin_again = || Fault::NotProven("that did not work: begin again".to_owned());
    let flow = flow(&headers).ok_or_else(begin_again)?;
    let (signed_in, continuation) =
        site.administrator().finish_federated(&flow, query.as_deref().unwrap_or_default(), &client).await?;
    let wish: Wish = serde_json::from_str(&continuation).map_err(|error| Fault::Internal(error.to_string()))?;
    let location = destination(&site, &wish, signed_in.session, &caller).await?;
    let mut response = Redirect::to(&location).into_response();
    let gone = format!("{FLOW_COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
    let gone = HeaderValue::try_from(gone).map_err(|error| Fault::Internal(error.to_string()))?;
    response.headers_mut().append(header::SET_COOKIE, session_cookie(&site, &signed_in)?);
    response.headers_mut().append(header::SET_COOKIE, gone);
    Ok(response)
}

/// OpenID Connect Back-Channel Logout 1.0, section 2.5: a form with `logout_token`, from the provider's server.
pub(super) async fn logout(
    State(site): State<Site>,
    caller: Caller,
    Path(provider): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Fault> {
    const FORM: &str = "application/x-www-form-urlencoded";
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(FORM)) {
        return Err(Fault::MediaType(FORM));
    }
    let text = std::str::from_utf8(&body).map_err(|error| Fault::Malformed(error.to_string()))?;
    // A JWT consists of characters that a form does not encode.
    let mut tokens = text.split('&').filter_map(|pair| pair.strip_prefix("logout_token="));
    let token = tokens.next().filter(|_| tokens.next().is_none());
    let token = token.ok_or_else(|| Fault::Malformed("one logout_token is needed".to_owned()))?;
    match site.administrator().back_channel_logout(&provider, token, caller.arrival.address).await {
        Ok(_) => Ok(StatusCode::OK),
        // The specification's answer to a token that does not count.
        Err(countersign_administrator::SignInError::Refused) => {
            Err(Fault::Malformed("the logout token does not count".to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}
