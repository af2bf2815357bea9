//! The collector, against machines made of files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use countersign_model::{PostureAspect as A, PostureValue as V, Timestamp};
use proptest::prelude::*;

use super::{DAY, NOW, laptop};
use crate::collector::{self, Machine};
use crate::report::Report;

fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in files {
        write(directory.path(), path, content);
    }
    let machine = Machine { root: directory.path().to_owned(), home: Some(directory.path().join("home/alice")) };
    (directory, machine)
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn told(files: &[(&str, &str)]) -> Vec<(A, V)> {
    let (_directory, machine) = machine(files);
    machine.collect(NOW)
}

#[test]
fn an_empty_machine_tells_nothing() {
    assert_eq!(told(&[]), []);
}

#[test]
fn what_this_machine_tells_can_be_signed() {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = Timestamp::from_seconds(i64::try_from(now).unwrap());
    let report = Report::new(laptop(), collector::collect(now), now);
    assert!(crate::report::sign(&crate::DeviceKey::generate().unwrap(), &report).is_ok());
}

#[test]
fn the_version_comes_from_where_the_distribution_keeps_it() {
    let ubuntu = "NAME=\"Ubuntu\"\nVERSION_ID=\"24.04\"\nID=ubuntu\n";
    assert_eq!(told(&[("etc/os-release", ubuntu)]), [(A::OsVersion, V::Version("24.04".to_owned()))]);
    let debian = "ID=debian\nVERSION_ID=\"12\"\n";
    let point = told(&[("usr/lib/os-release", debian), ("etc/debian_version", "12.5\n")]);
    assert_eq!(point, [(A::OsVersion, V::Version("12.5".to_owned()))]);
    let testing = told(&[("etc/os-release", "ID=debian\n"), ("etc/debian_version", "trixie/sid\n")]);
    assert_eq!(testing, [], "a name is no version");
}

#[test]
fn packages_that_changed_long_ago_show_their_age() {
    let (directory, machine) = machine(&[("var/lib/dpkg/status", "x")]);
    let file = fs::File::options().write(true).open(directory.path().join("var/lib/dpkg/status")).unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(u64::try_from(NOW.seconds()).unwrap());
    file.set_modified(now - DAY * 40).unwrap();
    assert_eq!(machine.collect(NOW), [(A::PatchAge, V::Days(40))]);
    file.set_modified(now + DAY).unwrap();
    assert_eq!(machine.collect(NOW), [], "a clock is wrong: not known");
}

#[test]
fn a_firewall_is_on_off_or_unknown() {
    assert_eq!(told(&[("etc/ufw/ufw.conf", "# ENABLED=yes\nENABLED=no\n")]), [(A::Firewall, V::Off)]);
    assert_eq!(told(&[("etc/ufw/ufw.conf", "ENABLED=yes\n")]), [(A::Firewall, V::On)]);
    assert_eq!(told(&[("etc/ufw/ufw.conf", "ENABLED=maybe\n")]), []);
    let (directory, machine) = machine(&[("etc/ufw/ufw.conf", "ENABLED=no\n")]);
    let units = directory.path().join("run/systemd/units");
    fs::create_dir_all(&units).unwrap();
    symlink("0123", units.join("invocation:nftables.service")).unwrap();
    assert_eq!(machine.collect(NOW), [(A::Firewall, V::On)]);
}

#[test]
fn a_known_agent_and_a_screen_lock_are_told() {
    let told = told(&[
        ("proc/17/comm", "clamd\n"),
        ("home/alice/.config/kscreenlockerrc", "[Greeter]\nAutolock=false\n[Daemon]\nAutolock=true\n"),
    ]);
    assert_eq!(told, [(A::EndpointProtection, V::On), (A::ScreenLock, V::On)]);
}

/// A machine whose root lies on `/dev/mapper/root`, which is `dm-0`, on these layers: name, uuid, what is below it.
fn stacked(layers: &[(&str, &str, &[&str])]) -> Vec<(A, V)> {
    let (directory, machine) =
        machine(&[("proc/self/mounts", "/dev/sda9 / ext4 rw 0 0\n/dev/mapper/root / ext4 rw 0 0\n")]);
    let root = directory.path();
    fs::create_dir_all(root.join("dev/mapper")).unwrap();
    symlink("../dm-0", root.join("dev/mapper/root")).unwrap();
    for (name, uuid, below) in layers {
        let device = format!("sys/class/block/{name}");
        write(root, &format!("{device}/size"), "1");
        if !uuid.is_empty() {
            write(root, &format!("{device}/dm/uuid"), uuid);
        }
        for slave in *below {
            write(root, &format!("{device}/slaves/{slave}/size"), "1");
        }
    }
    machine.collect(NOW)
}

#[test]
fn a_disk_is_encrypted_when_all_of_it_is() {
    let (on, off) = ([(A::DiskEncryption, V::On)], [(A::DiskEncryption, V::Off)]);
    assert_eq!(stacked(&[("dm-0", "CRYPT-LUKS2-x", &["sda2"]), ("sda2", "", &[])]), on);
    let lvm = ("dm-0", "LVM-x", &["dm-1"] as &[&str]);
    assert_eq!(stacked(&[lvm, ("dm-1", "CRYPT-LUKS2-x", &["sda2"])]), on, "volumes on an encrypted disk");
    assert_eq!(stacked(&[lvm, ("dm-1", "LVM-y", &["sda2"]), ("sda2", "", &[])]), off);
    let mirror = ("dm-0", "LVM-x", &["dm-1", "sdb1"] as &[&str]);
    assert_eq!(stacked(&[mirror, ("dm-1", "CRYPT-LUKS2-x", &[]), ("sdb1", "", &[])]), off, "one plain disk in it");
    assert_eq!(stacked(&[("dm-0", "LVM-x", &["dm-0"])]), [], "a loop: not known");
    assert_eq!(stacked(&[lvm]), [], "a layer that the kernel does not describe");
    assert_eq!(told(&[("proc/self/mounts", "overlay / overlay rw 0 0\n")]), [], "a container");
    assert_eq!(told(&[("proc/self/mounts", "/dev/../../x / ext4 rw 0 0\n")]), []);
}

proptest! {
    #[test]
    fn reading_files_never_panics(text in "(\\PC|\n){0,200}") {
        let _ = collector::os_version(&text, Some(&text));
        let _ = collector::enabled_by_ufw(&text);
        let _ = collector::root_source(&text);
        let _ = collector::section_value(&text, "Daemon", "Autolock");
    }
}
