//! The basic encoding rules as far as LDAP uses them (RFC 4511, 5.1): definite lengths, tags of one byte. It reads what it is
//! asked for, one element at a time, so that nothing that nests can exhaust a stack; it builds no tree.

/// Bytes that are no LDAP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the answer is no LDAP: {0}")]
pub struct Mangled(pub(crate) &'static str);

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// A tag of the class that depends on where it stands, such as `[0]`.
pub(crate) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// The same with elements in it.
pub(crate) const fn context_of(number: u8) -> u8 {
    0xa0 | number
}

/// What is left of an element's content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element: its tag and its content.
    pub(crate) fn any(&mut self) -> Result<(u8, &'b [u8]), Mangled> {
        const SHORT: Mangled = Mangled("an element ends too early");
        let [tag, first, rest @ ..] = self.0 else { return Err(SHORT) };
        if tag & 0x1f == 0x1f {
            return Err(Mangled("a tag of several bytes"));
        }
        let (length, rest) = match long(*first)? {
            None => (usize::from(*first), rest),
            Some(count) => {
                let (length, rest) = rest.split_at_checked(count).ok_or(SHORT)?;
                (length_of(length), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(SHORT)?;
        self.0 = rest;
        Ok((*tag, content))
    }

    pub(crate) fn expect(&mut self, tag: u8) -> Result<&'b [u8], Mangled> {
        match self.any()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(Mangled("an element of another kind than belongs here")),
        }
    }

    pub(crate) fn inside(&mut self, tag: u8) -> Result<Self, Mangled> {
        self.expect(tag).map(Self)
    }

    /// The next element, if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'b [u8]>, Mangled> {
        match self.0.first() {
            Some(next) if *next == tag => self.expect(tag).map(Some),
            _ => Ok(None),
        }
    }

    pub(crate) fn number(&mut self, tag: u8) -> Result<i64, Mangled> {
        let bytes = self.expect(tag)?;
        let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
        if bytes.is_empty() || bytes.len() > 8 {
            return Err(Mangled("a number of no length or too many bytes"));
        }
        Ok(bytes.iter().fold(if negative { -1 } else { 0 }, |number, byte| (number << 8) | i64::from(*byte)))
    }

    pub(crate) fn text(&mut self) -> Result<&'b str, Mangled> {
        std::str::from_utf8(self.expect(OCTETS)?).map_err(|_| Mangled("a text that is no UTF-8"))
    }
}

/// Of the first byte of a length: how many bytes of it follow; `None`: it is the length.
pub(crate) fn long(first: u8) -> Result<Option<usize>, Mangled> {
    match first {
        0..=0x7f => Ok(None),
        0x81..=0x84 => Ok(Some(usize::from(first & 0x7f))),
        _ => Err(Mangled("a length that is not said, or of more than four bytes")),
    }
}

/// A length of at most four bytes.
pub(crate) fn length_of(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte))
}

/// Appends an element whose content `content` writes.
pub(crate) fn element(out: &mut Vec<u8>, tag: u8, content: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    content(&mut inner);
    octets(out, tag, &inner);
}

/// Appends an element with this content.
pub(crate) fn octets(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    let length = (content.len() as u64).to_be_bytes();
    match u8::try_from(content.len()) {
        Ok(short @ 0..0x80) => out.push(short),
        _ => {
            let leading = length.iter().take_while(|byte| **byte == 0).count();
            out.push(0x80 | u8::try_from(length.len() - leading).unwrap_or(8));
            out.extend(length.iter().skip(leading));
        }
    }
    out.extend_from_slice(content);
}

/// Appends a number that is not negative.
pub(crate) fn number(out: &mut Vec<u8>, tag: u8, value: u32) {
    // A leading zero, so that no first bit is taken for a sign; the shortest form of that.
    let bytes = u64::from(value).to_be_bytes();
    let unneeded = bytes.windows(2).take_while(|pair| matches!(pair, [0, next] if next & 0x80 == 0)).count();
    octets(out, tag, bytes.get(unneeded..).unwrap_or_default());
}

pub(crate) fn flag(out: &mut Vec<u8>, value: bool) {
    octets(out, BOOLEAN, &[if value { 0xff } else { 0 }]);
}
