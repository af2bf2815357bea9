//! What a directory answers: after a true beginning, which the first byte chooses, whatever comes. It is read whole or
//! refused; what was read is written, read back the same, and goes into an estate or is refused there.
#![no_main]

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use countersign_directory::{Account, Limits, Mirror, Request, read_over};
use countersign_estate::{Input, Watch};

/// Small enough that a run is many answers.
const LIMITS: Limits = Limits {
    page: 2,
    entries: 1000,
    bytes: 1 << 20,
    message: 1 << 16,
    values: 1000,
    silence: Duration::from_secs(1),
    time: Duration::from_secs(60),
};

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).expect("short").to_be_bytes();
    [&[tag, 0x82], &length[..], &content].concat()
}

/// The answer that ends operation `id` well.
fn done(id: u8, tag: u8) -> Vec<u8> {
    element(0x30, &[&[2, 1, id], &element(tag, &[&[0x0a, 1, 0, 4, 0, 4, 0]])])
}

fn entry(id: u8, attributes: &[(&str, &str)]) -> Vec<u8> {
    let attributes: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(name, value)| {
            let value = element(0x31, &[&element(4, &[value.as_bytes()])]);
            element(0x30, &[&element(4, &[name.as_bytes()]), &value])
        })
        .collect();
    let attributes = element(0x30, &[&attributes.concat()]);
    element(0x30, &[&[2, 1, id], &element(0x64, &[&[4, 0], &attributes])])
}

fn beginning(family: u8) -> Vec<u8> {
    let domain = ("defaultNamingContext", "DC=a");
    let microsoft = [("supportedCapabilities", "1.2.840.113556.1.4.800"), domain];
    match family % 4 {
        0 => Vec::new(),
        1 => done(1, 0x61),
        2 => [done(1, 0x61), entry(2, &microsoft), done(2, 0x65)].concat(),
        _ => [done(1, 0x61), entry(2, &[("namingContexts", "dc=a")]), done(2, 0x65)].concat(),
    }
}

struct Server(io::Cursor<Vec<u8>>);

impl Read for Server {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Server {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((family, rest)) = bytes.split_first() else { return };
    let server = Server(io::Cursor::new([beginning(*family), rest.to_vec()].concat()));
    let account = Account::new("reader", b"secret").expect("an account");
    let request = Request { account: &account, bases: &[], before: None, limits: LIMITS };
    let Ok(reading) = read_over(server, "fuzz", request, &mut |_| ControlFlow::Continue(())) else { return };
    let text = reading.mirror.to_ldif();
    assert_eq!(Mirror::parse(&text).expect("what was written is read"), reading.mirror);
    let input = Input { name: "mirror", bytes: text.as_bytes() };
    let limits = countersign_estate::Limits::default();
    let _ = countersign_estate::read(&[input], &limits, &mut Watch::new(&mut |_| ControlFlow::Continue(())));
});
