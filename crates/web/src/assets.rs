//! The style sheet, the mark and the scripts, in the binary. A file's address carries the hash of its content, so a
//! browser may keep it for ever and still sees a new one at once. Nothing is ever fetched from elsewhere.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use crate::error::{Fault, PageFault};

#[derive(rust_embed::RustEmbed)]
#[folder = "assets"]
struct Files;

/// File name → address. The hash stands before the extension.
static ADDRESSES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|name| {
            let file = Files::get(&name)?;
            let (stem, extension) = name.rsplit_once('.')?;
            let hash: String = file.metadata.sha256_hash().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            Some((name.to_string(), format!("/assets/{stem}.{hash}.{extension}")))
        })
        .collect()
});

/// Where a page finds `name`.
pub(crate) fn url(name: &str) -> &'static str {
    // A name that is not there is a mistake in a template; the test that renders every page finds it.
    ADDRESSES.get(name).map_or("/assets/", String::as_str)
}

/// `GET /assets/{file}`
pub(crate) async fn serve(Path(file): Path<String>) -> Response {
    let wanted = format!("/assets/{file}");
    let found = ADDRESSES.iter().find(|(_, address)| **address == wanted).and_then(|(name, _)| {
        let content_type = match name.rsplit_once('.')?.1 {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => return None,
        };
        Some((content_type, Files::get(name)?.data))
    });
    let Some((content_type, data)) = found else { return PageFault(Fault::Absent).into_response() };
    let mut response = data.into_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}
