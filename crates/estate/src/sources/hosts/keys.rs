//! The grammar of `authorized_keys` (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"): options, type, key, comment. A key is known by its
//! fingerprint, which is the same wherever the key stands. Forced commands are not kept: they hold passwords too often.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

const TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ssh-dss",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
];

fn is_type(word: &str) -> bool {
    TYPES.contains(&word) || word == "sk-ecdsa-sha2-nistp256@openssh.com"
}

/// One key that opens an account.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'l> {
    pub(super) print: String,
    pub(super) comment: &'l str,
    /// It opens the account only so.
    pub(super) condition: Option<String>,
    /// It ends by itself.
    pub(super) ends: bool,
}

/// `SHA256:…` of a public key as it is written, `ssh-ed25519 AAAA… comment`.
pub(crate) fn fingerprint(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let (kind, key) = (words.next().filter(|word| is_type(word))?, words.next()?);
    let blob = STANDARD.decode(key).ok()?;
    // The key says its type itself, with its length before it.
    let (length, rest) = blob.split_first_chunk::<4>()?;
    let said = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    (said == kind.as_bytes()).then(|| format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&blob))))
}

/// `None`: an empty line or a comment.
pub(super) fn entry(line: &str) -> Result<Option<Entry<'_>>, &'static str> {
    const UNREADABLE: &str = "a line of authorized_keys that is no key";
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let first = line.split_whitespace().next().unwrap_or_default();
    let (options, key) = if is_type(first) { ("", line) } else { split_options(line).ok_or(UNREADABLE)? };
    let print = fingerprint(key).ok_or(UNREADABLE)?;
    let comment = key.splitn(3, char::is_whitespace).nth(2).unwrap_or_default().trim();
    let (mut conditions, mut ends) = (Vec::new(), false);
    for (name, value) in options_of(options) {
        match name.to_ascii_lowercase().as_str() {
            "from" => conditions.push("only from certain addresses".to_owned()),
            "command" => conditions.push("only for one command".to_owned()),
            "principals" => conditions.push("only for certain principals".to_owned()),
            "cert-authority" => conditions.push("by a certificate that it signs".to_owned()),
            "expiry-time" => {
                ends = true;
                let until: String = value.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
                conditions.push(format!("until {until}"));
            }
            // They take away forwarding and terminals, and leave the account open.
            _ => {}
        }
    }
    let condition = (!conditions.is_empty()).then(|| conditions.join(", "));
    Ok(Some(Entry { print, comment, condition, ends }))
}

/// Options end at the first space outside of quotes.
fn split_options(line: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let end = line.find(|character: char| {
        let ends = character.is_whitespace() && !quoted;
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = character == '\\' && !escaped;
        ends
    })?;
    let (options, key) = line.split_at_checked(end)?;
    Some((options, key.trim_start()))
}

fn options_of(options: &str) -> Vec<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let separate = |character: char| {
        let separates = character == ',' && !quoted;
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = character == '\\' && !escaped;
        separates
    };
    let split = options.split(separate).filter(|option| !option.is_empty());
    split
        .map(|option| option.split_once('=').map_or((option, ""), |(name, value)| (name, value.trim_matches('"'))))
        .collect()
}
