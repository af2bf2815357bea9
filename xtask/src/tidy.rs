//! What no compiler checks: the floors, that ARCHITECTURE.md tells the truth, that no file grows past reading, and
//! that every dependency has its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::floors::{BESIDE, FLOORS};
use crate::run::{cargo, output, root};

/// Above this a file has to be looked at twice; above it by half, it has to be cut.
const LONGEST_FILE: usize = 1000;

pub(crate) fn check() -> Result<()> {
    let metadata = metadata()?;
    let mut faults = floor_faults(&metadata);
    faults.extend(reason_faults(&metadata)?);
    faults.extend(architecture_faults()?);
    faults.extend(length_faults()?);
    if faults.is_empty() {
        return Ok(());
    }
    for fault in &faults {
        eprintln!("tidy: {fault}");
    }
    bail!("tidy: {} faults", faults.len())
}

fn metadata() -> Result<Value> {
    let text = output(cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    serde_json::from_str(&text).context("cargo metadata printed no JSON")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The packages of this workspace.
fn members(metadata: &Value) -> Vec<&Value> {
    list(metadata, "packages").iter().filter(|package| package.get("source").is_some_and(Value::is_null)).collect()
}

/// Direct dependencies outside tests, by package name.
fn direct(package: &Value) -> BTreeSet<&str> {
    let normal = |dependency: &&Value| dependency.get("kind").is_some_and(Value::is_null);
    list(package, "dependencies").iter().filter(normal).map(|dependency| text(dependency, "name")).collect()
}

fn floor_faults(metadata: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let members = members(metadata);
    let edges: BTreeMap<&str, BTreeSet<&str>> = members.iter().map(|p| (text(p, "name"), direct(p))).collect();
    let level = |name: &str| FLOORS.iter().find(|floor| floor.name == name).map(|floor| floor.level);

    for (name, used) in &edges {
        if BESIDE.contains(name) {
            continue;
        }
        let Some(floor) = FLOORS.iter().find(|floor| floor.name == *name) else {
            faults.push(format!("{name} has no floor: give it one in xtask/src/floors.rs"));
            continue;
        };
        for other in used.iter().filter(|other| edges.contains_key(*other)) {
            if BESIDE.contains(other) {
                faults.push(format!("{name} uses {other} outside its tests: it stands beside the house"));
            } else if !floor.may.contains(other) {
                faults.push(format!("{name} → {other} is not in the table of floors"));
            } else if level(other) >= Some(floor.level) {
                faults.push(format!("{name} → {other} does not go downwards"));
            }
        }
        // `never` holds for what is reached through our own crates too.
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> = used.iter().copied().collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(edges.get(next).into_iter().flatten().copied());
            }
        }
        for (other, reason) in floor.never {
            if reached.contains(other) {
                faults.push(format!("{name} must never depend on {other}: {reason}"));
            }
        }
    }
    faults
}

/// Every dependency of ours stands in docs/dependencies.md, with its reason.
fn reason_faults(metadata: &Value) -> Result<Vec<String>> {
    let reasons = fs::read_to_string(root().join("docs/dependencies.md")).context("docs/dependencies.md")?;
    let members = members(metadata);
    let ours: BTreeSet<&str> = members.iter().map(|package| text(package, "name")).collect();
    let used: BTreeSet<&str> = members
        .iter()
        .flat_map(|package| list(package, "dependencies"))
        .map(|dependency| text(dependency, "name"))
        .filter(|name| !ours.contains(name))
        .collect();
    let unexplained = |name: &&&str| !reasons.contains(&format!("`{name}`"));
    Ok(used.iter().filter(unexplained).map(|name| format!("{name} has no line in docs/dependencies.md")).collect())
}

/// Every path that ARCHITECTURE.md names in backticks exists.
fn architecture_faults() -> Result<Vec<String>> {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).context("ARCHITECTURE.md")?;
    let named = page.split('`').skip(1).step_by(2);
    let paths = named.filter(|word| word.contains('/') && !word.contains([' ', '<', '*', ':', '{']));
    Ok(paths
        .filter(|path| !path.starts_with('/') && !root().join(path).exists())
        .map(|path| format!("ARCHITECTURE.md names {path}, which does not exist"))
        .collect())
}

fn length_faults() -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in output(std::process::Command::new("git").args(["ls-files", "*.rs"]).current_dir(root()))?.lines() {
        let path = root().join(file);
        if path.exists() {
            let lines = fs::read_to_string(&path)?.lines().count();
            if lines > LONGEST_FILE {
                faults.push(format!("{file} has {lines} lines: cut it"));
            }
            faults.extend(header_fault(file, &path)?);
        }
    }
    Ok(faults)
}

/// Every file opens with what it is; only its own attributes may come first.
fn header_fault(file: &str, path: &Path) -> Result<Option<String>> {
    let text = fs::read_to_string(path)?;
    let opens = text.lines().take(8).any(|line| line.starts_with("//!"));
    Ok((!opens).then(|| format!("{file} does not open with what it is (//!)")))
}

#[cfg(test)]
mod tests {
    //! The workspace against its own table, and the table against itself.
    #![expect(clippy::unwrap_used, reason = "a test may stop")]

    use super::{BESIDE, FLOORS, floor_faults, metadata};

    #[test]
    fn the_floors_hold() {
        assert_eq!(floor_faults(&metadata().unwrap()), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_edge_is_found_with_its_reason() {
        let mut metadata = metadata().unwrap();
        let packages = metadata.get_mut("packages").unwrap().as_array_mut().unwrap();
        let gateway = packages.iter_mut().find(|p| p.get("name").unwrap() == "countersign-gateway").unwrap();
        let edge = serde_json::json!({ "name": "countersign-policy", "kind": null });
        gateway.get_mut("dependencies").unwrap().as_array_mut().unwrap().push(edge);
        let faults = floor_faults(&metadata);
        assert!(faults.iter().any(|fault| fault.contains("cannot decide what it cannot see")), "{faults:?}");
    }

    #[test]
    fn the_table_only_goes_down() {
        for floor in FLOORS {
            for other in floor.may {
                let lower = FLOORS.iter().find(|f| f.name == *other).unwrap();
                assert!(lower.level < floor.level, "{} → {other}", floor.name);
            }
            assert!(!BESIDE.contains(&floor.name));
        }
    }
}
