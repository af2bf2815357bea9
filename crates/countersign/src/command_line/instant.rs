//! Instants as people write them: a date, which is its first moment in UTC, or RFC 3339 to the second. No words such as "yesterday":
//! what is measured from them has to be the same tomorrow.

use countersign_model::Timestamp;

pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    let date = text.len() == "2026-11-01".len();
    let whole = if date { format!("{text}T00:00:00Z") } else { text.to_owned() };
    whole.parse().map_err(|_| "write a date, as in 2026-11-01, or an instant, as in 2026-11-01T06:00:00Z".to_owned())
}
