//! Which entries are asked for. Filters are built from parts and never read from a text: nothing that a person or server
//! wrote can change their form.

use crate::ber::{OCTETS, context, context_of, element, octets};

#[derive(Clone, Debug)]
pub(crate) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Present(&'static str),
    Is(&'static str, &'static str),
    AtLeast(&'static str, u64),
}

impl Filter {
    /// Entries of any of these classes.
    pub(crate) fn of_classes(classes: &[&'static str]) -> Self {
        Self::Any(classes.iter().map(|class| Self::Is("objectClass", class)).collect())
    }

    /// RFC 4511, 4.5.1.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let pair = |out: &mut Vec<u8>, tag: u8, name: &str, value: &[u8]| {
            element(out, context_of(tag), |out| {
                octets(out, OCTETS, name.as_bytes());
                octets(out, OCTETS, value);
            });
        };
        match self {
            Self::All(parts) => element(out, context_of(0), |out| parts.iter().for_each(|part| part.encode(out))),
            Self::Any(parts) => element(out, context_of(1), |out| parts.iter().for_each(|part| part.encode(out))),
            Self::Is(name, value) => pair(out, 3, name, value.as_bytes()),
            Self::AtLeast(name, value) => pair(out, 5, name, value.to_string().as_bytes()),
            Self::Present(name) => octets(out, context(7), name.as_bytes()),
        }
    }
}
