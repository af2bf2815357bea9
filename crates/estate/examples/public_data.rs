//! Holds the readers against public exports that are not part of this repository: every file is read and counted against a
//! count that shares no code with them. `cargo run -p countersign-estate --example public_data -- FOLDER`, where the folder
//! has `adsynth/*.jsonl` and `aws-iam/authz-details-example.json`, unpacked. It stops at the first difference.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a check may stop, and say what it skipped"
)]

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use countersign_estate::{Edge, Input, Inventory, Kind, Limits, Node, Relation, Watch, read};
use countersign_model::Timestamp;

const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("a folder"));
    let data = |path: &str| fs::read(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    for name in ["vul_10k", "secure_10k", "secure_100k"] {
        generated_directory(name, &data(&format!("adsynth/{name}.jsonl")));
    }
    account_built_to_be_attacked(&data("aws-iam/authz-details-example.json"));
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

/// A generated directory (ADSynth), counted line by line as text.
fn generated_directory(name: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let nodes = text.lines().filter(|line| line.contains(r#""type":"node""#)).count();
    let relationships = text.lines().filter(|line| line.contains(r#""type":"relationship""#)).count();
    let (inventory, skipped) = inventory(name, bytes);
    assert_eq!(inventory.nodes().len(), nodes, "{name}");
    let computers = text.lines().filter(|line| line.contains(r#""type":"node""#) && line.contains(r#""Computer""#));
    assert_eq!(kinds(&inventory).get(&Kind::Device), Some(&computers.count()), "{name}");
    let edges = inventory.edges().len();
    assert_eq!(edges as u64 + skipped, relationships as u64, "{name}");
    let projection = inventory.project().expect("numbers suffice");
    println!("{name}: {nodes} nodes, {edges} edges, {} in the graph", projection.graph.edge_count());
}

/// An account that was built to be attacked (from the examples of Cloudsplaining): its users are named for the way by
/// which they raise their permissions, or for not having one (`fp`).
fn account_built_to_be_attacked(bytes: &[u8]) {
    let (inventory, _) = inventory("authz-details-example.json", bytes);
    let kinds = kinds(&inventory);
    assert_eq!((kinds.get(&Kind::Account), kinds.get(&Kind::Group)), (Some(&44), Some(&5)));
    let plain = [Relation::MemberOf, Relation::HasEntitlement];
    let ways = |node: &Node| -> Vec<(Relation, bool)> {
        let of = |edge: &&Edge| inventory.nodes().get(edge.from as usize).is_some_and(|from| from.key == node.key);
        let powers = inventory.edges().iter().filter(of).filter(|edge| !plain.contains(&edge.relation));
        powers.map(|edge| (edge.relation, edge.is_conditional())).collect()
    };
    let of_name = |beginning: &str| -> Vec<&Node> {
        let accounts = inventory.nodes().iter().filter(|node| node.kind() == Kind::Account);
        accounts.filter(|node| node.name().starts_with(beginning)).collect()
    };
    for safe in ["fp1-", "fp2-", "fp3-", "fp4-"].into_iter().flat_map(of_name) {
        assert_eq!(ways(safe), [], "{}", safe.name());
    }
    // Its condition lies in the past; that it never holds again is for whoever knows the time to say.
    for past in of_name("fp5-") {
        assert!(ways(past).iter().all(|(_, conditional)| *conditional));
    }
    // Who may write the permissions of roles, in an account whose roles it cannot become.
    let nowhere = ["privesc9-", "privesc12-", "privesc-AssumeRole-start"];
    let mut found = 0;
    for user in of_name("privesc").into_iter().chain(of_name("fn")) {
        let expected = !nowhere.iter().any(|beginning| user.name().starts_with(beginning));
        assert_eq!(!ways(user).is_empty(), expected, "{}", user.name());
        found += usize::from(expected);
    }
    println!("{found} users with a way to more permissions");
}
