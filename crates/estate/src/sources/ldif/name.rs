//! Distinguished names (RFC 4514) in one form, so that the same name written differently is the same name.

/// In lower case, without spaces around separators, special characters as `\xx`. What cannot be read as a name is
/// compared as it stands.
pub(super) fn canonical(dn: &str) -> String {
    let mut form = Vec::with_capacity(dn.len());
    let mut bytes = dn.bytes().peekable();
    // Spaces that count only if something other than a separator follows.
    let mut spaces = 0;
    let mut at_start = true;
    while let Some(byte) = bytes.next() {
        let (byte, escaped) = match byte {
            b'\\' => match bytes.next() {
                Some(high) if high.is_ascii_hexdigit() && bytes.peek().is_some_and(u8::is_ascii_hexdigit) => {
                    let low = bytes.next().unwrap_or(b'0');
                    (hex(high) << 4 | hex(low), true)
                }
                Some(other) => (other, true),
                None => (b'\\', true),
            },
            other => (other, false),
        };
        match (byte, escaped) {
            (b' ', false) if at_start => {}
            (b' ', false) => spaces += 1,
            (b',' | b'=' | b'+' | b';', false) => {
                spaces = 0;
                form.push(if byte == b';' { b',' } else { byte });
                at_start = true;
            }
            (byte, _) => {
                form.extend(std::iter::repeat_n(b' ', spaces));
                spaces = 0;
                at_start = false;
                if matches!(byte, b',' | b'=' | b'+' | b';' | b'\\' | b'"' | b'<' | b'>' | b'#') {
                    form.extend_from_slice(format!("\\{byte:02x}").as_bytes());
                } else {
                    form.push(byte);
                }
            }
        }
    }
    String::from_utf8_lossy(&form).to_lowercase()
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// What the named thing is in; of a canonical name.
pub(super) fn parent(canonical: &str) -> Option<&str> {
    canonical.split_once(',').map(|(_, parent)| parent)
}

/// `DC=corp,DC=example` is `CORP.EXAMPLE`; of a canonical name.
pub(super) fn domain(canonical: &str) -> String {
    let parts: Vec<&str> = canonical.split(',').filter_map(|part| part.strip_prefix("dc=")).collect();
    parts.join(".").to_ascii_uppercase()
}

/// The value of the first part, as written.
pub(super) fn first(dn: &str) -> &str {
    let mut escaped = false;
    let end = dn.find(|c: char| {
        let ends = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let first = dn.get(..end.unwrap_or(dn.len())).unwrap_or(dn);
    first.split_once('=').map_or(first, |(_, value)| value)
}
