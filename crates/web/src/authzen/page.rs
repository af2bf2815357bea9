//! Pages of a search. Where the next one begins stands in its token, sealed together with who asks and what: a token fits
//! its own search and no other, and nothing is kept for it here. It counts until the next start.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_identity::secret::{self, SecretHash};
use countersign_model::{CredentialSecret, SubjectId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::Fault;
use crate::wire::{FoundPage, SearchPage};

/// Results on a page where nothing is said, and however much is asked for.
const USUAL: usize = 1000;
const MOST: usize = 10_000;

/// Which page of which search.
#[derive(Debug)]
pub(super) struct Turn {
    /// Who asks what, as it was sent.
    query: String,
    pub(super) limit: usize,
    /// It begins after this one.
    pub(super) after: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    limit: usize,
    after: Option<String>,
    seal: SecretHash,
}

impl Turn {
    pub(super) fn read(
        key: &CredentialSecret,
        caller: &SubjectId,
        of: &str,
        body: &Map<String, Value>,
        page: SearchPage,
    ) -> Result<Self, Fault> {
        let said = ["subject", "action", "resource", "context"].map(|name| body.get(name));
        let query = json!([of, caller, said]).to_string();
        let limit = page.limit.map(|limit| usize::try_from(limit).unwrap_or(MOST).min(MOST));
        let Some(token) = page.token else {
            return Ok(Self { query, limit: limit.unwrap_or(USUAL), after: None });
        };
        let read = || serde_json::from_slice::<Token>(&URL_SAFE_NO_PAD.decode(&token).ok()?).ok();
        let opened = read().and_then(|Token { limit: kept, after, seal }| {
            let turn = Self { query, limit: kept, after };
            (turn.seal(key) == seal && limit.is_none_or(|limit| limit == kept)).then_some(turn)
        });
        opened.ok_or_else(|| Fault::Malformed("page.token is not of this search: begin again without it".to_owned()))
    }

    /// Hashed twice: what is sealed cannot be lengthened without the key.
    fn seal(&self, key: &CredentialSecret) -> SecretHash {
        let once = secret::hash(&json!([key.expose(), self.query, self.limit, self.after]).to_string());
        secret::hash(&json!([key.expose(), once]).to_string())
    }

    /// The page that `found` is, with the way to the next.
    pub(super) fn answered(self, key: &CredentialSecret, found: &Found) -> FoundPage {
        let next = found.more.then(|| {
            let next = Self { after: found.last.clone().or(self.after), ..self };
            let seal = next.seal(key);
            URL_SAFE_NO_PAD.encode(json!(Token { limit: next.limit, after: next.after, seal }).to_string())
        });
        FoundPage { next_token: next.unwrap_or_default(), count: found.names.len() as u64, total: found.total as u64 }
    }
}

/// What is on one page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) names: Vec<String>,
    /// Whether others follow, after `last`.
    pub(super) more: bool,
    pub(super) last: Option<String>,
    /// On all pages.
    pub(super) total: usize,
}

impl Found {
    /// One page of all that there is.
    pub(super) fn of(mut all: Vec<String>, limit: usize, after: Option<&str>) -> Self {
        all.sort_unstable();
        let total = all.len();
        all.retain(|name| after.is_none_or(|after| name.as_str() > after));
        let more = all.len() > limit;
        all.truncate(limit);
        Self { last: all.last().cloned(), names: all, more, total }
    }
}
