//! The real binary as a running process: started on files in a directory of its own, heard through what it prints,
//! told through signals. What it says is waited for by reading it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use countersign::browser::Browser;
use countersign::dial::Dialler;
use serde_json::Value;

use crate::offline::succeeds;

pub(crate) struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
    /// What it printed of itself when it was up.
    pub(crate) said: Value,
    pub(crate) file: PathBuf,
}

/// The top of a configuration file: one plain listener, on a port that the system chooses.
pub(crate) const PLAIN: &str = "version = 1\nproofs = \"off\"\ndata_directory = \"data\"\n";
pub(crate) const LISTEN: &str = "[listen]\nhttp = \"127.0.0.1:0\"\nhttps = \"off\"\noperations = \"off\"\n";

impl Program {
    /// Writes `text` as the configuration file of `directory`, and starts on it.
    pub(crate) fn up(directory: &Path, text: &str) -> Self {
        let file = directory.join("countersign.toml");
        std::fs::write(&file, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["up", "--json", "--config", file.to_str().unwrap()])
            .env_remove("COUNTERSIGN_DATA")
            .env_remove("COUNTERSIGN_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            said += &line;
            if line == "}" {
                break;
            }
        }
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, log, said: serde_json::from_str(&said).unwrap(), file }
    }

    /// Reads its log up to the line with `text` in it, and returns that line with all before it.
    pub(crate) fn logged(&mut self, text: &str) -> String {
        tokio::task::block_in_place(|| {
            let mut log = String::new();
            loop {
                let start = log.len();
                assert!(self.log.read_line(&mut log).unwrap() > 0, "it ended without saying {text:?}: {log}");
                if log.get(start..).unwrap().contains(text) {
                    return log;
                }
            }
        })
    }

    pub(crate) fn rewrite(&self, text: &str) {
        std::fs::write(&self.file, text).unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal("-TERM");
        let Self { child, log, .. } = &mut self;
        // Read to the end, so that a full pipe holds nothing up.
        tokio::task::block_in_place(|| {
            std::io::copy(log, &mut std::io::sink()).unwrap();
            child.wait().unwrap()
        })
    }

    pub(crate) fn url(&self, application: &str, path: &str) -> String {
        let origin = self.said["origin"].as_str().unwrap();
        format!("{}{path}", origin.replace("countersign.", &format!("{application}.")))
    }

    /// Runs a command against this server.
    pub(crate) fn tell(&self, arguments: &[&str]) -> String {
        let config = ["--config", self.file.to_str().unwrap()];
        tokio::task::block_in_place(|| succeeds(&[arguments, &config].concat()))
    }

    /// A person who has followed an invitation and is signed in.
    pub(crate) async fn person(&self, subject: &str) -> Browser {
        let link = self.tell(&["subject", "invite", subject]);
        let mut browser = Browser::new(Dialler::new("", None).unwrap());
        browser.enrol(link.trim(), "test").await.unwrap();
        browser
    }
}
