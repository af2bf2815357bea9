//! Files as somebody sends them: a form with files in it, or one file as the body. Bounded in bytes, files and time, and read only by
//! whoever has the turn to import: nobody fills the memory from several sides at once.

use std::time::Duration;

use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use countersign_govern::{ImportError, Turn, UPLOAD_BYTES, Upload};
use futures_util::StreamExt as _;
use http::{HeaderMap, header};
use multer::{Constraints, Multipart, SizeLimit};

use crate::error::Fault;

/// Files of one form. More of them come as an archive.
const FILES: usize = 1000;
/// Bytes of a field that is no file.
const WORD: usize = 200;
/// However slowly they come: by then the last byte has to be there.
const TIME: Duration = Duration::from_secs(600);

/// What a form with files said.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) uploads: Vec<Upload>,
    /// Fields that are no files, by name.
    pub(crate) words: Vec<(String, String)>,
}

impl Received {
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        let found = self.words.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

/// Reads the body: a form (`multipart/form-data`), or else one file, called `name`.
pub(crate) async fn receive(turn: &Turn, request: Request, name: Option<&str>) -> Result<Received, Fault> {
    let form = boundary(request.headers())?;
    if announced(request.headers()).is_some_and(|bytes| bytes > UPLOAD_BYTES as u64 + (1 << 20)) {
        return Err(Fault::TooLarge);
    }
    let reading = async {
        match form {
            Some(boundary) => self::form(turn, request, boundary).await,
            None => one(turn, request, name.unwrap_or("upload")).await,
        }
    };
    tokio::time::timeout(TIME, reading)
        .await
        .map_err(|_| Fault::Unacceptable(format!("the files did not arrive within {} minutes", TIME.as_secs() / 60)))?
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn boundary(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return Ok(None) };
    if !kind.to_ascii_lowercase().starts_with("multipart/") {
        return Ok(None);
    }
    multer::parse_boundary(kind).map(Some).map_err(|_| Fault::MediaType("multipart/form-data with a boundary"))
}

/// Tells the turn; an import that was stopped is read no further.
fn go_on(turn: &Turn, file: &str, bytes: usize) -> Result<(), Fault> {
    if turn.uploaded(file, bytes) { Ok(()) } else { Err(Fault::from(ImportError::Stopped)) }
}

async fn one(turn: &Turn, request: Request, name: &str) -> Result<Received, Fault> {
    let mut body = request.into_body().into_data_stream();
    let mut bytes = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Fault::Malformed("the file broke off".to_owned()))?;
        if bytes.len() + chunk.len() > UPLOAD_BYTES {
            return Err(Fault::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
        go_on(turn, name, bytes.len())?;
    }
    Ok(Received { uploads: vec![Upload { name: label(name), bytes: bytes.freeze() }], words: Vec::new() })
}

async fn form(turn: &Turn, request: Request, boundary: String) -> Result<Received, Fault> {
    let limit = SizeLimit::new().whole_stream(UPLOAD_BYTES as u64 + (1 << 20)).per_field(UPLOAD_BYTES as u64);
    let constraints = Constraints::new().size_limit(limit);
    let mut form = Multipart::with_constraints(request.into_body().into_data_stream(), boundary, constraints);
    let mut received = Received::default();
    let mut spent = 0;
    while let Some(mut field) = form.next_field().await.map_err(fault)? {
        let (name, file) = (field.name().unwrap_or_default().to_owned(), field.file_name().map(str::to_owned));
        if received.uploads.len() + received.words.len() >= FILES {
            return Err(Fault::Malformed(format!("more than {FILES} files at once: send them as one archive")));
        }
        let shown = label(file.as_deref().unwrap_or("upload"));
        let mut bytes = BytesMut::new();
        while let Some(chunk) = field.chunk().await.map_err(fault)? {
            if file.is_none() && bytes.len() + chunk.len() > WORD {
                return Err(Fault::Malformed(format!("the field {name:?} is too long")));
            }
            spent += chunk.len();
            if spent > UPLOAD_BYTES {
                return Err(Fault::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
            if file.is_some() {
                go_on(turn, &shown, spent)?;
            }
        }
        let bytes: Bytes = bytes.freeze();
        match file {
            // A browser sends a field for files without a file with neither name nor content.
            Some(name) if name.is_empty() && bytes.is_empty() => {}
            Some(_) => received.uploads.push(Upload { name: shown, bytes }),
            None => received.words.push((name, String::from_utf8_lossy(&bytes).into_owned())),
        }
    }
    Ok(received)
}

/// The name without folders: some browsers and programmes send a whole path.
fn label(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let name: String = name.chars().take(200).collect();
    if name.trim().is_empty() { "upload".to_owned() } else { name }
}

fn fault(error: multer::Error) -> Fault {
    match error {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => Fault::TooLarge,
        _ => Fault::Malformed("the form with the files is damaged or broke off".to_owned()),
    }
}
