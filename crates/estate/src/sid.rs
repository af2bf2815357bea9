//! Security identifiers and GUIDs of Windows directories ([MS-DTYP] 2.4.2, 2.3.4), and the keys that come of them. Whoever
//! collected an object, its key is the same: this is what makes a collection and an LDIF file of one domain one estate.

use std::fmt::Write as _;

/// `S-1-5-21-…` of its binary form, and how many bytes it took.
pub(crate) fn from_bytes(bytes: &[u8]) -> Option<(String, usize)> {
    let [revision, count, a, b, c, d, e, f, rest @ ..] = bytes else { return None };
    let count = usize::from(*count);
    if *revision != 1 || count > 15 {
        return None;
    }
    let parts = rest.get(..count * 4)?;
    let authority = u64::from_be_bytes([0, 0, *a, *b, *c, *d, *e, *f]);
    let mut text = format!("S-1-{authority}");
    for part in parts.as_chunks::<4>().0 {
        let _ = write!(text, "-{}", u32::from_le_bytes(*part));
    }
    Some((text, 8 + count * 4))
}

pub(crate) fn is_sid(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("S-1-") else { return false };
    let mut parts = 0;
    rest.split('-').all(|part| {
        parts += 1;
        !part.is_empty() && part.len() <= 15 && part.bytes().all(|byte| byte.is_ascii_digit())
    }) && parts <= 16
}

/// The 16 bytes of a GUID as Windows writes them: the first three parts little-endian.
pub(crate) fn guid(bytes: &[u8]) -> Option<String> {
    let [a, b, c, d, e, f, g, h, rest @ ..] = bytes else { return None };
    let [i, j, k, l, m, n, o, p] = rest else { return None };
    Some(format!(
        "{d:02X}{c:02X}{b:02X}{a:02X}-{f:02X}{e:02X}-{h:02X}{g:02X}-{i:02X}{j:02X}-{k:02X}{l:02X}{m:02X}{n:02X}{o:02X}{p:02X}"
    ))
}

pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The key of an object of a Windows directory. A well-known identifier (`S-1-5-32-544`) means another thing in each
/// domain, so that it carries the domain's name.
pub(crate) fn key(id: &str, domain: &str) -> String {
    let id = id.trim();
    let upper = id.to_ascii_uppercase();
    if upper.starts_with("S-1-5-21-") {
        format!("sid:{upper}")
    } else if upper.starts_with("S-1-") {
        format!("sid:{}/{upper}", domain.to_ascii_uppercase())
    } else if let Some((domain, rest)) = upper.split_once("-S-1-") {
        format!("sid:{domain}/S-1-{rest}")
    } else if is_guid(&upper) {
        format!("guid:{upper}")
    } else {
        format!("object:{id}")
    }
}

/// The last part of the identifier in a key: what it means in every domain.
pub(crate) fn relative(key: &str) -> Option<u32> {
    key.strip_prefix("sid:")?.rsplit_once('-')?.1.parse().ok()
}

/// Whether the key is a group that every Windows domain has, and controls the domain or everything in it.
pub(crate) fn is_tier_zero(key: &str) -> bool {
    let Some(relative) = relative(key) else { return false };
    if key.contains("/S-1-5-32-") {
        // Administrators, Account, Server, Print and Backup Operators.
        return matches!(relative, 544 | 548..=551);
    }
    // Administrator, krbtgt; read-only and other controllers; Domain, Schema and Enterprise Admins; Key Admins.
    in_domain(key) && matches!(relative, 498 | 500 | 502 | 512 | 516 | 518 | 519 | 521 | 526 | 527)
        || key.ends_with("/S-1-5-9")
}

/// Whether the key is `S-1-5-21-a-b-c-RID`: an object of a domain, not the domain and not a part of a device.
fn in_domain(key: &str) -> bool {
    key.strip_prefix("sid:S-1-5-21-").is_some_and(|rest| rest.split('-').count() == 4)
}

/// Accounts that every domain has and that belong to nobody.
pub(crate) fn is_built_in_account(key: &str) -> bool {
    in_domain(key) && relative(key).is_some_and(|relative| matches!(relative, 500..=503))
}

/// Groups that every domain has, by their identifier: known for groups before anything describes them.
pub(crate) fn is_known_group(key: &str) -> bool {
    let Some(relative) = relative(key) else { return false };
    match key.split_once("/S-1-") {
        Some((_, well_known)) => well_known.starts_with("5-32-") || matches!(well_known, "1-0" | "5-11" | "5-9"),
        None => in_domain(key) && matches!(relative, 498 | 512..=522 | 525..=527 | 553 | 571 | 572),
    }
}
