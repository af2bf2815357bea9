//! Bytes to UTF-8: as they are, with a byte order mark, or UTF-16 as PowerShell writes it. Anything else is refused
//! rather than read with holes.

use std::borrow::Cow;

use crate::fault::Cause;

/// At most `limit` bytes of text.
pub(crate) fn utf8(bytes: &[u8], limit: usize) -> Result<Cow<'_, str>, Cause> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => borrowed(rest, 3)?,
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes, limit)?),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes, limit)?),
        other => borrowed(other, 0)?,
    };
    if text.len() > limit {
        return Err(Cause::TooLarge { limit });
    }
    Ok(text)
}

fn borrowed(bytes: &[u8], skipped: usize) -> Result<Cow<'_, str>, Cause> {
    let text = std::str::from_utf8(bytes).map_err(|fault| Cause::Encoding { offset: skipped + fault.valid_up_to() })?;
    match text.find('\0') {
        // UTF-16 without its mark, or no text at all.
        Some(offset) => Err(Cause::Encoding { offset: skipped + offset }),
        None => Ok(Cow::Borrowed(text)),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, limit: usize) -> Result<String, Cause> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Cause::Encoding { offset: bytes.len() + 1 });
    }
    let mut text = String::with_capacity(pairs.len().min(limit));
    let mut offset = 2;
    for read in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let Ok(character) = read else { return Err(Cause::Encoding { offset }) };
        if character == '\0' {
            return Err(Cause::Encoding { offset });
        }
        offset += 2 * character.len_utf16();
        text.push(character);
        if text.len() > limit {
            return Err(Cause::TooLarge { limit });
        }
    }
    Ok(text)
}
