//! A server in memory: it reads requests as they are written and answers what it is told to.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use crate::ber::{BOOLEAN, ENUMERATED, INTEGER, OCTETS, Reader, SEQUENCE, SET, context_of, element, number, octets};

pub(super) const BIND: u8 = 0x60;
pub(super) const SEARCH: u8 = 0x63;

/// A request, as far as tests look at it.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) id: u32,
    pub(super) kind: u8,
    pub(super) base: String,
    pub(super) one: bool,
    pub(super) filter: Vec<u8>,
    pub(super) attributes: Vec<String>,
    pub(super) cookie: Vec<u8>,
}

impl Asked {
    pub(super) fn filters_by(&self, word: &str) -> bool {
        self.filter.windows(word.len()).any(|part| part == word.as_bytes())
    }
}

type Serve = Box<dyn FnMut(&Asked) -> Vec<u8> + Send>;

pub(super) struct Fake {
    serve: Serve,
    answers: VecDeque<u8>,
}

impl Fake {
    pub(super) fn new(serve: impl FnMut(&Asked) -> Vec<u8> + Send + 'static) -> Self {
        Self { serve: Box::new(serve), answers: VecDeque::new() }
    }
}

impl Read for Fake {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.answers.read(buffer)
    }
}

impl Write for Fake {
    /// A request is written whole.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let asked = parse(bytes);
        self.answers.extend((self.serve)(&asked));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Asked {
    let mut message = Reader::new(bytes).inside(SEQUENCE).unwrap();
    let id = u32::try_from(message.number(INTEGER).unwrap()).unwrap();
    let (kind, content) = message.any().unwrap();
    let mut asked = Asked { id, kind, ..Asked::default() };
    if kind != SEARCH {
        return asked;
    }
    let mut search = Reader::new(content);
    asked.base = search.text().unwrap().to_owned();
    asked.one = search.number(ENUMERATED).unwrap() == 0;
    search.number(ENUMERATED).unwrap();
    search.number(INTEGER).unwrap();
    search.number(INTEGER).unwrap();
    search.expect(BOOLEAN).unwrap();
    asked.filter = search.any().unwrap().1.to_vec();
    let mut attributes = search.inside(SEQUENCE).unwrap();
    while !attributes.is_empty() {
        asked.attributes.push(attributes.text().unwrap().to_owned());
    }
    let Some(controls) = message.optional(context_of(0)).unwrap() else { return asked };
    let mut controls = Reader::new(controls);
    while !controls.is_empty() {
        let mut control = controls.inside(SEQUENCE).unwrap();
        let paged = control.text().unwrap() == "1.2.840.113556.1.4.319";
        control.optional(BOOLEAN).unwrap();
        let value = control.expect(OCTETS).unwrap();
        if paged {
            let mut page = Reader::new(value).inside(SEQUENCE).unwrap();
            page.number(INTEGER).unwrap();
            asked.cookie = page.expect(OCTETS).unwrap().to_vec();
        }
    }
    asked
}

pub(super) fn message(id: u32, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    element(&mut out, SEQUENCE, |out| {
        number(out, INTEGER, id);
        write(out);
    });
    out
}

/// How an operation ended: a code, and words.
pub(super) fn outcome(id: u32, operation: u8, code: u32, said: &str) -> Vec<u8> {
    message(id, |out| {
        element(out, operation, |out| {
            number(out, ENUMERATED, code);
            octets(out, OCTETS, b"");
            octets(out, OCTETS, said.as_bytes());
        });
    })
}

pub(super) fn bound(id: u32) -> Vec<u8> {
    outcome(id, 0x61, 0, "")
}

/// The end of a page, and where the next one begins.
pub(super) fn done(id: u32, cookie: &[u8]) -> Vec<u8> {
    message(id, |out| {
        element(out, 0x65, |out| {
            number(out, ENUMERATED, 0);
            octets(out, OCTETS, b"");
            octets(out, OCTETS, b"");
        });
        element(out, context_of(0), |out| {
            element(out, SEQUENCE, |out| {
                octets(out, OCTETS, b"1.2.840.113556.1.4.319");
                element(out, OCTETS, |out| {
                    element(out, SEQUENCE, |out| {
                        number(out, INTEGER, 0);
                        octets(out, OCTETS, cookie);
                    });
                });
            });
        });
    })
}

pub(super) fn entry(id: u32, name: &str, attributes: &[(&str, Vec<Vec<u8>>)]) -> Vec<u8> {
    message(id, |out| {
        element(out, 0x64, |out| {
            octets(out, OCTETS, name.as_bytes());
            element(out, SEQUENCE, |out| {
                for (name, values) in attributes {
                    element(out, SEQUENCE, |out| {
                        octets(out, OCTETS, name.as_bytes());
                        element(out, SET, |out| values.iter().for_each(|value| octets(out, OCTETS, value)));
                    });
                }
            });
        });
    })
}

/// Values that are texts.
pub(super) fn texts(values: &[&str]) -> Vec<Vec<u8>> {
    values.iter().map(|value| value.as_bytes().to_vec()).collect()
}

/// What Active Directory says of itself first, and then whatever `serve` says.
pub(super) fn active_directory(
    newest: u64,
    mut serve: impl FnMut(&Asked) -> Vec<u8> + Send + 'static,
) -> impl FnMut(&Asked) -> Vec<u8> + Send + 'static {
    move |asked| match (asked.kind, asked.base.as_str()) {
        (BIND, _) => bound(asked.id),
        (SEARCH, "") => {
            let root = [
                ("supportedCapabilities", texts(&["1.2.840.113556.1.4.800"])),
                ("defaultNamingContext", texts(&["DC=corp,DC=example"])),
                ("dsServiceName", texts(&["CN=NTDS Settings"])),
                ("highestCommittedUSN", texts(&[&newest.to_string()])),
            ];
            [entry(asked.id, "", &root), done(asked.id, b"")].concat()
        }
        (SEARCH, "CN=NTDS Settings") => {
            [entry(asked.id, "CN=NTDS Settings", &[("invocationId", vec![vec![7; 16]])]), done(asked.id, b"")].concat()
        }
        (SEARCH, _) => serve(asked),
        _ => Vec::new(),
    }
}
