//! Where devices enrol, renew their certificate and report. What proves the device (a one-time token, the certificate
//! of this very connection, a signature) is checked by the administrator; no browser comes here.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use countersign_administrator::{Client, EnrolledDevice};
use countersign_model::CredentialSecret;
use http::StatusCode;

use crate::Site;
use crate::error::Fault;
use crate::extract::Json;
use crate::guard::Caller;
use crate::wire::{DeviceCertificate, EnrolDevice, RenewDevice, ReportDevice};

pub(crate) fn router() -> Router<Site> {
    Router::new()
        .route("/device/enroll", post(enroll))
        .route("/device/renew", post(renew))
        .route("/device/report", post(report))
}

impl From<EnrolledDevice> for DeviceCertificate {
    fn from(enrolled: EnrolledDevice) -> Self {
        let EnrolledDevice { device, certificate_pem, authority_pem, expires } = enrolled;
        Self { device, certificate: certificate_pem, authority: authority_pem, expires }
    }
}

#[utoipa::path(post, path = "/device/enroll", tag = "device", request_body = EnrolDevice,
    description = "The first certificate of a device, for a one-time token.",
    responses((status = 200, body = DeviceCertificate), (status = "default", body = crate::error::Problem, content_type = "application/problem+json")))]
pub(crate) async fn enroll(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<EnrolDevice>,
) -> Result<axum::Json<DeviceCertificate>, Fault> {
    let token = CredentialSecret::new(body.token);
    let client = Client::from(&caller.arrival);
    let enrolled = site.administrator().enroll_device(&token, &body.csr, &client).await?;
    Ok(axum::Json(enrolled.into()))
}

#[utoipa::path(post, path = "/device/renew", tag = "device", request_body = RenewDevice,
    description = "A new certificate for the device that proves itself with its present one in this connection's TLS handshake.",
    responses((status = 200, body = DeviceCertificate), (status = "default", body = crate::error::Problem, content_type = "application/problem+json")))]
pub(crate) async fn renew(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<RenewDevice>,
) -> Result<axum::Json<DeviceCertificate>, Fault> {
    let enrolled = site.administrator().renew_device(&Client::from(&caller.arrival), &body.csr).await?;
    Ok(axum::Json(enrolled.into()))
}

#[utoipa::path(post, path = "/device/report", tag = "device", request_body = ReportDevice,
    description = "A posture report, signed by the device's key.",
    responses((status = 204), (status = "default", body = crate::error::Problem, content_type = "application/problem+json")))]
pub(crate) async fn report(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<ReportDevice>,
) -> Result<StatusCode, Fault> {
    site.administrator().report_posture(&body.report, caller.arrival.address).await?;
    Ok(StatusCode::NO_CONTENT)
}
