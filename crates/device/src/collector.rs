//! Collects what a Linux machine really knows about its own posture, without running anything and without being root.
//! What cannot be told for certain is left out: the receiver counts an unknown aspect as not passed, and a guess would
//! be worse. Aspects never told here: management enrolment and integrity, which need somebody else's word.

mod disk;
mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use countersign_model::{PostureAspect, PostureValue, Timestamp};

pub use text::{enabled_by_ufw, os_version, root_source, section_value};

/// Where to look. Tests look elsewhere.
#[derive(Debug, Clone)]
pub struct Machine {
    pub root: PathBuf,
    /// The home directory of the person at the screen.
    pub home: Option<PathBuf>,
}

/// What can be told about this machine.
pub fn collect(now: Timestamp) -> Vec<(PostureAspect, PostureValue)> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    Machine { root: PathBuf::from("/"), home }.collect(now)
}

impl Machine {
    pub fn collect(&self, now: Timestamp) -> Vec<(PostureAspect, PostureValue)> {
        use PostureAspect as A;

        let switch = |on: bool| if on { PostureValue::On } else { PostureValue::Off };
        let told = [
            (A::OsVersion, self.os_version().map(PostureValue::Version)),
            (A::PatchAge, self.patch_age(now).map(PostureValue::Days)),
            (A::DiskEncryption, disk::encrypted(&self.root).map(switch)),
            (A::Firewall, self.firewall().map(switch)),
            (A::EndpointProtection, self.endpoint_protection().then_some(PostureValue::On)),
            (A::ScreenLock, self.screen_lock().map(switch)),
        ];
        told.into_iter().filter_map(|(aspect, value)| Some((aspect, value?))).collect()
    }

    fn os_version(&self) -> Option<String> {
        let release = self.read("etc/os-release").or_else(|| self.read("usr/lib/os-release"))?;
        // Debian's point releases stand in a file of their own.
        os_version(&release, self.read("etc/debian_version").as_deref())
    }

    /// Days since packages last changed: each update shows there, and a machine that is not updated shows its age.
    fn patch_age(&self, now: Timestamp) -> Option<u32> {
        let databases = [
            "var/lib/dpkg/status",
            "var/lib/rpm/rpmdb.sqlite",
            "usr/lib/sysimage/rpm/rpmdb.sqlite",
            "var/lib/pacman/local",
            "lib/apk/db/installed",
        ];
        let changed = |path: &&str| {
            let modified = fs::metadata(self.root.join(path)).ok()?.modified().ok()?;
            i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
        };
        let last = Timestamp::from_seconds(databases.iter().filter_map(changed).max()?);
        // From the future: some clock is wrong, and so would be the age.
        (last <= now).then(|| u32::try_from(now.since(last).as_secs() / 86_400).unwrap_or(u32::MAX))
    }

    /// On when a firewall service runs, off when the one that is installed says that it is off. Rules that somebody
    /// loaded by hand cannot be read without being root.
    fn firewall(&self) -> Option<bool> {
        // systemd keeps a link for each unit that is active.
        let units = self.root.join("run/systemd/units");
        let running = |unit: &str| fs::symlink_metadata(units.join(format!("invocation:{unit}"))).is_ok();
        let ufw = self.read("etc/ufw/ufw.conf").and_then(|conf| enabled_by_ufw(&conf));
        if running("firewalld.service") || running("nftables.service") || ufw == Some(true) {
            return Some(true);
        }
        ufw
    }

    /// Whether a known agent runs. That none was found proves nothing: there are others.
    fn endpoint_protection(&self) -> bool {
        const AGENTS: [&str; 8] = [
            "clamd",
            "falcon-sensor",
            "wdavdaemon",
            "sentinelone-age",
            "cbagentd",
            "osqueryd",
            "wazuh-agentd",
            "sophos-spl",
        ];
        let Ok(processes) = fs::read_dir(self.root.join("proc")) else { return false };
        processes.filter_map(Result::ok).any(|process| {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            AGENTS.contains(&name.trim_end())
        })
    }

    /// KDE keeps this in a text file. GNOME's database is binary, and asking it means running a programme.
    fn screen_lock(&self) -> Option<bool> {
        let settings = fs::read_to_string(self.home.as_ref()?.join(".config/kscreenlockerrc")).ok()?;
        match section_value(&settings, "Daemon", "Autolock")? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    fn read(&self, path: &str) -> Option<String> {
        read_short(&self.root.join(path))
    }
}

/// A small text file. A device file or something huge in its place is not read to the end.
fn read_short(path: &Path) -> Option<String> {
    use std::io::Read as _;

    let mut text = String::new();
    fs::File::open(path).ok()?.take(1 << 20).read_to_string(&mut text).ok()?;
    Some(text)
}
