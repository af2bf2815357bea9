//! Public exports that are not part of this repository: with `COUNTERSIGN_DATA` naming the folder that holds them, every
//! file that this crate can read is read and counted against a count that shares no code with it. Without it there is
//! nothing to read, and nothing is claimed.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may stop, and say what it skipped"
)]

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use countersign_estate::{Input, Inventory, Kind, Limits, Watch, read};
use countersign_model::Timestamp;

const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn data(path: &str) -> Option<Vec<u8>> {
    let folder = PathBuf::from(std::env::var_os("COUNTERSIGN_DATA")?);
    fs::read(folder.join(path)).ok()
}

/// The inventory of one file, and how many rows of it were left out.
fn inventory(name: &str, bytes: &[u8]) -> (Inventory, u64) {
    let batch = read(&[Input { name, bytes }], &Limits::default(), &mut Watch::new(&mut |_| ControlFlow::Continue(())));
    let batch = batch.unwrap_or_else(|fault| panic!("{fault}"));
    let mut inventory = Inventory::new();
    let report = inventory.merge(&batch, AT).unwrap_or_else(|fault| panic!("{fault}"));
    for skipped in &report.skipped {
        println!("{name}: {} × {}", skipped.count, skipped.reason);
    }
    let skipped = report.skipped.iter().map(|skipped| skipped.count).sum();
    (inventory, skipped)
}

fn kinds(inventory: &Inventory) -> BTreeMap<Kind, usize> {
    let mut kinds = BTreeMap::new();
    for node in inventory.nodes() {
        *kinds.entry(node.kind()).or_default() += 1;
    }
    kinds
}

/// Generated directories (ADSynth), unpacked from their `.zst`: counted line by line as text.
#[test]
fn generated_directories() {
    for name in ["vul_10k", "secure_10k", "secure_100k"] {
        let Some(bytes) = data(&format!("adsynth/{name}.jsonl")) else { continue };
        let text = std::str::from_utf8(&bytes).expect("UTF-8");
        let nodes = text.lines().filter(|line| line.contains(r#""type":"node""#)).count();
        let relationships = text.lines().filter(|line| line.contains(r#""type":"relationship""#)).count();
        let (inventory, skipped) = inventory(name, &bytes);
        assert_eq!(inventory.nodes().len(), nodes, "{name}");
        let computers = text.lines().filter(|line| line.contains(r#""type":"node""#) && line.contains(r#""Computer""#));
        assert_eq!(kinds(&inventory).get(&Kind::Device), Some(&computers.count()), "{name}");
        let edges = inventory.edges().len();
        assert_eq!(edges as u64 + skipped, relationships as u64, "{name}");
        let projection = inventory.project().expect("numbers suffice");
        println!("{name}: {} nodes, {edges} edges, {} in the graph", nodes, projection.graph.edge_count());
    }
}
