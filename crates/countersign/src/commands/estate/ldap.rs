//! `estate import ldaps://…`: a directory that is asked while it runs. What it says is a file from there on, and is kept as one
//! (the mirror) where somebody wants evidence, or to go on from it the next time.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use countersign_directory::{
    Account, AccountFault, Address, Authorities, How, Limits, Mirror, ReadFault, Reading, Request, WireFault,
};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::import;
use crate::command_line::{EstateImport, LiveDirectory};
use crate::commands::work::Work;
use crate::terminal::{Terminal, Tone};

/// Beside `--password-file`: a command line is seen by everybody on the machine, and kept by the shell.
const PASSWORD: &str = "COUNTERSIGN_DIRECTORY_PASSWORD";
const LONGEST_PASSWORD: u64 = 4096;
const LARGEST_AUTHORITY: u64 = 1 << 20;

/// What the directory at `address` holds, as LDIF, with the name that evidence has of it.
pub(super) fn read(
    address: &str,
    options: &EstateImport,
    work: &Work,
    terminal: &Terminal,
) -> anyhow::Result<(String, Vec<u8>)> {
    let live = &options.live;
    let mut address = Address::parse(address)?;
    if live.plaintext {
        address = address.plain()?;
    }
    let authorities = match &live.directory_ca {
        None => Authorities::public(),
        Some(path) => {
            let pem = bounded(path, LARGEST_AUTHORITY)?;
            Authorities::from_pem(&pem).with_context(|| path.display().to_string())?
        }
    };
    let name = live.bind_dn.as_deref().ok_or(AccountFault::NoName).context("--bind-dn says who reads")?;
    let account = Account::new(name, &password(name, live)?)?;
    let before = before(live, terminal)?;
    let reading = work.run(|| {
        let request = Request { account: &account, bases: &live.bases, before, limits: Limits::default() };
        countersign_directory::read(&address, Some(&authorities), request, &mut work.asking()).map_err(advised)
    })?;
    tell(&reading, terminal);
    let text = reading.mirror.to_ldif();
    // Before the estate has it: a mirror is always whole, and the next import takes all of it again.
    if let Some(path) = live.mirror.as_ref().filter(|_| !options.dry_run) {
        import::put(path, |out| Ok(out.write_all(text.as_bytes())?))?;
    }
    Ok((address.to_string(), text.into_bytes()))
}

/// With what to do about it on this command line.
fn advised(fault: ReadFault) -> anyhow::Error {
    let advice = match &fault {
        ReadFault::Wire(WireFault::UnknownAuthority { .. }) => "name the authority with --directory-ca FILE",
        ReadFault::NoBase => "name a base with --base DN",
        _ => return fault.into(),
    };
    anyhow::Error::new(fault).context(advice)
}

/// What was read the last time, if that is to be gone on from.
fn before(live: &LiveDirectory, terminal: &Terminal) -> anyhow::Result<Option<Mirror>> {
    let Some(path) = live.mirror.as_ref().filter(|_| live.incremental) else { return Ok(None) };
    if !path.exists() {
        terminal.note(format!("{} is not there yet: everything is read", path.display()));
        return Ok(None);
    }
    let most = u64::try_from(countersign_estate::Limits::default().file_bytes).unwrap_or(u64::MAX);
    let text = String::from_utf8(bounded(path, most)?).unwrap_or_default();
    let mirror = Mirror::parse(&text)
        .with_context(|| format!("{}; without --incremental it is written anew", path.display()))?;
    Ok(Some(mirror))
}

fn tell(reading: &Reading, terminal: &Terminal) {
    let entries = reading.mirror.len();
    terminal.note(match reading.how {
        How::Whole(None) => format!("{entries} entries were read"),
        How::Whole(Some(why)) => format!("{entries} entries were read, all of them: {why}"),
        How::Changes { read, gone } => {
            format!("{read} of {entries} entries were read, since they may have changed; {gone} are gone")
        }
    });
    let attention = |text: String| terminal.note(format!("{} {text}", terminal.paint(Tone::Attention, "warning:")));
    if reading.mirror.without_rights() > 0 {
        attention(format!(
            "of {} users, groups and domains the account cannot read who has rights over them; the graph lacks those",
            reading.mirror.without_rights()
        ));
    }
    if reading.referrals > 0 {
        attention(format!("{} answers point to other servers, which are not asked", reading.referrals));
    }
}

/// A file that is no larger than it should be.
fn bounded(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let unreadable = || format!("{} cannot be read", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .with_context(unreadable)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(unreadable)?;
    if bytes.len() as u64 > most {
        bail!("{} is larger than {most} bytes", path.display());
    }
    Ok(bytes)
}

/// From a file, the environment, or whoever sits at the terminal.
fn password(name: &str, live: &LiveDirectory) -> anyhow::Result<Vec<u8>> {
    if let Some(path) = &live.password_file {
        let mut password = bounded(path, LONGEST_PASSWORD)?;
        // Editors end a file with a line's end.
        for end in [b'\n', b'\r'] {
            if password.last() == Some(&end) {
                password.pop();
            }
        }
        return Ok(password);
    }
    if let Some(password) = std::env::var_os(PASSWORD) {
        return Ok(password.into_encoded_bytes());
    }
    asked(name).with_context(|| format!("no password: name a file with --password-file, or set {PASSWORD}"))
}

/// Asked for on the terminal itself, which does not show it.
fn asked(name: &str) -> anyhow::Result<Vec<u8>> {
    let mut terminal = fs::OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let quiet = Quiet::begin(terminal.try_clone()?)?;
    write!(terminal, "password of {}: ", crate::terminal::plain(name))?;
    let mut line = String::new();
    BufReader::new(terminal.try_clone()?.take(LONGEST_PASSWORD)).read_line(&mut line)?;
    drop(quiet);
    writeln!(terminal)?;
    Ok(line.trim_end_matches(['\r', '\n']).as_bytes().to_vec())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet {
    terminal: File,
    before: Termios,
}

impl Quiet {
    fn begin(terminal: File) -> anyhow::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Where the terminal is gone there is nobody to see anything.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}
