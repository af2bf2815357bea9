//! What the tests need beside cargo. Installed where this may install (Debian, as root); named where it may not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::run::{available, cargo, root, step};

/// A programme, and the Debian package that has it.
const PROGRAMS: &[(&str, &str)] = &[
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3"),
    ("g++", "g++"),
];

/// A file, and the Debian package that has it: what a test runs without there being a programme to ask for.
const FILES: &[(&str, &str)] = &[
    ("/usr/share/perl5/Lemonldap/NG/Portal.pm", "liblemonldap-ng-portal-perl"),
    ("/usr/share/perl5/String/Random.pm", "libstring-random-perl"),
    ("/usr/share/perl5/IO/String.pm", "libio-string-perl"),
    ("/usr/lib/python3/dist-packages/hpack/__init__.py", "python3-hpack"),
    ("/usr/lib/python3/dist-packages/websockets/__init__.py", "python3-websockets"),
];

/// Tools from the crates registry, pinned, kept under `target/tools`.
const CRATES: &[(&str, &str, &[&str])] =
    &[("cargo-deny", "0.20.2", &["--no-default-features"]), ("cargo-fuzz", "0.13.2", &[])];

pub(crate) fn set_up() -> Result<()> {
    let programs = PROGRAMS.iter().filter(|(program, _)| !available(program));
    let files = FILES.iter().filter(|(file, _)| !Path::new(file).exists());
    let packages: Vec<&str> = programs.chain(files).map(|(_, package)| *package).collect();
    if !packages.is_empty() {
        if !may_install() {
            bail!("the tests need programmes that are not installed: install the packages {}", packages.join(", "));
        }
        let apt = |arguments: &[&str]| {
            let mut command = Command::new("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
            command
        };
        step("package lists", &mut apt(&["update", "-q"]))?;
        step("packages", apt(&["install", "-y", "-q", "--no-install-recommends"]).args(&packages))?;
    }
    // A folder of its own: a tool's features must not rebuild the workspace.
    let build = root().join("target/tools/build");
    for (name, version, options) in CRATES {
        if !tool(name, version).exists() {
            step(
                name,
                cargo()
                    .args(["install", name, "--version", version, "--locked", "--debug", "--root"])
                    .arg(folder(name, version))
                    .args(*options)
                    .env("CARGO_TARGET_DIR", &build),
            )?;
        }
    }
    if build.exists() {
        fs::remove_dir_all(&build)?;
    }
    let provider = root().join("tests/oidc-provider");
    if !provider.join("node_modules").exists() {
        step("OpenID provider", Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(provider))?;
    }
    Ok(())
}

/// `cargo deny`, as installed by [`set_up`].
pub(crate) fn cargo_deny() -> Result<Command> {
    installed("cargo-deny")
}

/// `cargo fuzz`, as installed by [`set_up`].
pub(crate) fn cargo_fuzz() -> Result<Command> {
    let mut command = installed("cargo-fuzz")?;
    command.arg("fuzz");
    Ok(command)
}

fn installed(name: &str) -> Result<Command> {
    let Some((_, version, _)) = CRATES.iter().find(|(tool, ..)| *tool == name) else {
        bail!("{name} is not among the tools");
    };
    let mut command = Command::new(tool(name, version));
    command.current_dir(root());
    Ok(command)
}

fn folder(name: &str, version: &str) -> PathBuf {
    root().join("target/tools").join(format!("{name}-{version}"))
}

fn tool(name: &str, version: &str) -> PathBuf {
    folder(name, version).join("bin").join(name)
}

/// Debian, as root.
fn may_install() -> bool {
    let root = fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")));
    root && Path::new("/usr/bin/apt-get").exists()
}
