//! How handlers take what came over the wire: each failure becomes a [`Fault`], a body has the content type that its
//! address takes, and an unknown field is a mistake rather than a wish that nobody hears.

use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::error::{Fault, PageFault};

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    value.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Fault;
    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        if !is_json(request.headers()) {
            return Err(Fault::MediaType("application/json"));
        }
        let bytes = Bytes::from_request(request, state).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Fault::Malformed(error.to_string()))
    }
}

macro_rules! from_parts {
    ($(#[$doc:meta] $name:ident $inner:ty, $fault:ty;)*) => {$(
        #[$doc]
        #[derive(Debug)]
        pub(crate) struct $name<T>(pub(crate) T);
        impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for $name<T> {
            type Rejection = $fault;
            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, $fault> {
                let inner = <$inner>::from_request_parts(parts, state).await?;
                Ok(Self(inner.0))
            }
        }
    )*};
}

from_parts! {
    /// The identifiers in the path.
    Path axum::extract::Path<T>, Fault;
    /// The query string.
    Query axum::extract::Query<T>, Fault;
    /// The identifiers in the path of a page.
    PagePath axum::extract::Path<T>, PageFault;
    /// The query string of a page.
    PageQuery axum::extract::Query<T>, PageFault;
}

/// A form that a page sent.
#[derive(Debug)]
pub(crate) struct Form<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = PageFault;
    async fn from_request(request: Request, state: &S) -> Result<Self, PageFault> {
        let axum::extract::Form(inner) = axum::extract::Form::from_request(request, state).await?;
        Ok(Self(inner))
    }
}
