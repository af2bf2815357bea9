//! The `git` programme, asked about a repository that somebody hostile wrote: it changes nothing, fetches nothing, asks
//! nobody, and neither its time nor what it says is without bound. What its answers mean is not looked at here.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// Most that is taken of one answer, in bytes. No folder that people review comes near it.
const MOST: u64 = 16 << 20;

/// Most of what git says of a failure.
const WORDS: u64 = 4 << 10;

/// One level of a tree and one small file are answered at once, on a slow disk too.
const PATIENCE: Duration = Duration::from_secs(20);

/// What git says.
pub(super) fn git(arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::new("git");
    command
        .args(["--no-replace-objects", "--no-pager"])
        .args(arguments)
        .env("GIT_LITERAL_PATHSPECS", "1")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0");
    let asked = arguments.first().unwrap_or(&"");
    said(command, MOST, PATIENCE).with_context(|| format!("git {asked}"))
}

/// The standard output of a programme that ends well, in time, and with no more than `most` bytes.
pub(super) fn said(mut command: Command, most: u64, patience: Duration) -> anyhow::Result<Vec<u8>> {
    let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut process = Running(process.context("the programme does not start: a revision is read with it")?);
    let (Some(stdout), Some(stderr)) = (process.0.stdout.take(), process.0.stderr.take()) else {
        bail!("a process without pipes");
    };
    // Neither thread outlives the process by more than what its pipe holds: the other end closes with it.
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(most + 1).read_to_end(&mut bytes);
        let _ = sender.send(read.map(|_| bytes));
    });
    let words = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What it says of a failure, and no more than that: whatever cannot be read is not said.
        let _ = stderr.take(WORDS).read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).trim().to_owned()
    });
    let bytes = match receiver.recv_timeout(patience) {
        Ok(read) => read?,
        Err(RecvTimeoutError::Timeout) => bail!("no answer within {} s", patience.as_secs()),
        Err(RecvTimeoutError::Disconnected) => bail!("the reader of a process stopped"),
    };
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
        bail!("its answer is longer than {most} bytes, which a review does not read");
    }
    // Its output has ended, and so has it, or will at once.
    if !process.0.wait()?.success() {
        bail!("{}", words.join().unwrap_or_default());
    }
    Ok(bytes)
}

/// A process that does not outlive its question, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for a process that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
