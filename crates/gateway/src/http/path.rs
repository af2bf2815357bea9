//! One spelling for each path. A request is decided on this spelling and sent upstream in this spelling, so gateway and
//! application cannot read it differently. What has no single meaning is refused, not repaired.

use std::borrow::Cow;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    #[error("the path has an empty, `.` or `..` segment")]
    Segment,
    #[error("the path has a character that servers read differently")]
    Character,
    #[error("the path has a percent-encoding that servers read differently")]
    Encoding,
}

/// `path` in the one spelling: characters that need no encoding are decoded (RFC 3986, 6.2.2.2), all others are encoded
/// in upper case. Refused: encoded `/`, `\`, `;` and control characters, what would decode twice, what is not UTF-8,
/// empty and dot segments, backslashes, and parameters (`;`).
pub fn normalize(path: &str) -> Result<Cow<'_, str>, PathFault> {
    if !path.starts_with('/') {
        return Err(PathFault::NotAbsolute);
    }
    let spelled = if path.bytes().all(stands_for_itself) { Cow::Borrowed(path) } else { Cow::Owned(respell(path)?) };
    let mut segments = spelled.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if matches!(segment, "." | "..") || (segment.is_empty() && !last) {
            return Err(PathFault::Segment);
        }
    }
    Ok(spelled)
}

/// `pchar` of RFC 3986 without `;`, and the slash.
const fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+')
        || matches!(byte, b',' | b'=' | b':' | b'@')
}

fn respell(path: &str) -> Result<String, PathFault> {
    let mut bytes = path.bytes();
    let mut decoded = Vec::with_capacity(path.len());
    let mut spelled = String::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        let (byte, encoded) = match byte {
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).ok_or(PathFault::Encoding);
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                (u8::try_from(high * 16 + low).map_err(|_| PathFault::Encoding)?, true)
            }
            _ => (byte, false),
        };
        match (byte, encoded) {
            (b'/' | b'\\' | b';' | 0..=0x1f | 0x7f, true) => return Err(PathFault::Encoding),
            (b'\\' | b';' | b'?' | b'#' | 0..=0x20 | 0x7f, false) => return Err(PathFault::Character),
            (byte, _) if stands_for_itself(byte) => spelled.push(char::from(byte)),
            (byte, _) => {
                const HEX: [char; 16] =
                    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
                spelled.push('%');
                spelled.extend([byte >> 4, byte & 15].iter().filter_map(|&half| HEX.get(usize::from(half))));
            }
        }
        decoded.push(byte);
    }
    // `%2541` is `%41` to whoever decodes once and `A` to whoever decodes twice.
    let twice = decoded.windows(3).any(|w| matches!(w, [b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()));
    if twice || std::str::from_utf8(&decoded).is_err() {
        return Err(PathFault::Encoding);
    }
    Ok(spelled)
}
