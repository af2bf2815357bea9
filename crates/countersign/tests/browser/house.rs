//! The house of a story: the built program with a configuration written by hand, and the application behind it.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::application::Application;
use crate::browser::Browser;
use crate::chromedriver::Chromedriver;

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");

/// A step-up that a test can wait for: the proof is too old after a few seconds already.
const PAYROLL: &str = r#"
@id("payroll-wants-a-fresh-proof")
@owner("security")
@review_by("2099-12-31")
@remedy("Confirm that it is you: payroll wants a proof that is a few seconds old.")
forbid (principal is Human, action, resource == Resource::"payroll")
unless { context has authentication && context.authentication.phishing_resistant && context.authentication.age <= 15 };
"#;

pub(crate) struct House {
    // Dropped in this order: nobody talks to something that is gone.
    chromedriver: Chromedriver,
    up: Child,
    application: Application,
    directory: TempDir,
    pub(crate) domain: &'static str,
    port: u16,
    owner_link: Option<String>,
}

impl House {
    pub(crate) async fn open(domain: &'static str) -> Self {
        Self::furnished(domain, "", &[]).await
    }

    /// With these lines in its configuration, and these files in place of the starter policies, where there are some.
    pub(crate) async fn furnished(domain: &'static str, settings: &str, files: &[(&str, &str)]) -> Self {
        let chromedriver = Chromedriver::start();
        let application = Application::start().await;
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let upstream = application.address();
        let resource = |id: &str, tier: &str| {
            format!(
                "[[resource]]\nid = \"{id}\"\nupstream = \"http://{upstream}\"\ntier = \"{tier}\"\nwriters = [\"staff\"]\n"
            )
        };
        let configuration = format!(
            "version = 1\norganisation = \"Acme\"\ndomain = \"{domain}\"\npolicies = \"policies\"\n\
             [listen]\nhttp = \"127.0.0.1:{port}\"\nhttps = \"off\"\noperations = \"off\"\n{settings}\
             [[group]]\nid = \"staff\"\n[[group]]\nid = \"visitors\"\n{}{}{}{}",
            resource("wiki", "standard"),
            resource("payroll", "standard"),
            resource("vault", "crown-jewel"),
            resource("blog", "public"),
        );
        std::fs::write(directory.path().join("countersign.toml"), configuration).unwrap();
        let policies = directory.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies")).unwrap() {
            let file = file.unwrap();
            // The tests and the matrix beside the policies are nothing that `up` reads.
            if file.path().extension().is_some_and(|extension| extension == "cedar") {
                std::fs::copy(file.path(), policies.join(file.file_name())).unwrap();
            }
        }
        std::fs::write(policies.join("payroll.cedar"), PAYROLL).unwrap();
        if !files.is_empty() {
            std::fs::remove_dir_all(&policies).unwrap();
            std::fs::create_dir_all(policies.join("guardrails")).unwrap();
        }
        for (name, text) in files {
            std::fs::write(policies.join(name), text).unwrap();
        }

        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let mut up = program(directory.path())
            .arg("up")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let said = up.stdout.take().unwrap();
        let mut house = Self { chromedriver, up, application, directory, domain, port, owner_link: None };
        // What `up` prints has a blank line after the invitation. The rest is read on, so that it never blocks.
        let mut lines = BufReader::new(said).lines().map_while(Result::ok);
        let link = lines.by_ref().map(|line| line.trim().to_owned()).find(|line| line.contains("/invite#"));
        assert!(link.is_some(), "up does not print a link for the first owner:\n{}", house.log());
        std::thread::spawn(move || lines.for_each(drop));
        house.owner_link = link;
        house
    }

    /// What the first owner is told to open.
    pub(crate) fn owner_link(&self) -> &str {
        self.owner_link.as_deref().unwrap()
    }

    pub(crate) async fn browser(&self) -> Browser {
        Browser::start(&self.chromedriver).await
    }

    /// A browser in which the owner has enrolled.
    pub(crate) async fn owner(&self) -> Browser {
        let browser = self.browser().await;
        browser.enrol(self.owner_link()).await;
        browser
    }

    /// A browser in which this person has followed an invitation.
    pub(crate) async fn person(&self, id: &str, group: &str) -> Browser {
        self.run(&["subject", "add", id, "--group", group]);
        let link = self.run(&["subject", "invite", id]);
        let browser = self.browser().await;
        browser.enrol(link.trim()).await;
        browser
    }

    /// Where the application is, behind the gateway.
    pub(crate) fn upstream(&self) -> String {
        format!("http://{}", self.application.address())
    }

    pub(crate) fn control(&self, path: &str) -> String {
        self.at("countersign", path)
    }

    pub(crate) fn at(&self, application: &str, path: &str) -> String {
        format!("http://{application}.{}:{}{path}", self.domain, self.port)
    }

    /// The command line, as an administrator on the same machine uses it.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = program(self.directory.path()).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "countersign {arguments:?} failed:\n{said}{complained}");
        said
    }

    /// Puts a policy beside the others, as an editor does.
    pub(crate) fn add_policy(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join("policies").join(format!("{name}.cedar")), text).unwrap();
    }

    /// A file on the disk of whoever sits at a browser.
    pub(crate) fn file(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

fn program(directory: &Path) -> Command {
    let mut program = Command::new(PROGRAM);
    program.current_dir(directory).env_remove("COUNTERSIGN_SERVER").env_remove("COUNTERSIGN_API_KEY");
    program
        .env("COUNTERSIGN_CONFIG", directory.join("countersign.toml"))
        .env("COUNTERSIGN_DATA", directory.join("data"));
    program
}

/// The address stands in the configuration before anybody listens there: an origin with its port is what a passkey is
/// bound to.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.up.kill();
        let _ = self.up.wait();
        if std::thread::panicking() {
            // The one place where a failed story explains itself.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), self.log().as_bytes());
        }
    }
}
