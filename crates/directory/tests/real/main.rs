//! Real servers, started here on addresses of this machine and asked over TLS: Samba as a domain controller of Active
//! Directory, and OpenLDAP. What is read live is compared with what their own tools export, read from a file.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop"
)]

mod active_directory;
mod open_ldap;
mod servers;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use countersign_directory::{Account, Address, Authorities, Limits, Mirror, ReadFault, Reading, Request, read};
use countersign_estate::{Input, Inventory, SignInKind, Watch};
use countersign_model::Timestamp;

/// What is asked, by whom, with pages so small that there are several.
struct Question<'q> {
    address: &'q str,
    authority: &'q str,
    account: &'q str,
    password: &'q str,
    before: Option<Mirror>,
}

fn try_ask(question: Question<'_>) -> Result<Reading, ReadFault> {
    let account = Account::new(question.account, question.password.as_bytes()).unwrap();
    let limits = Limits { page: 50, ..Limits::default() };
    let request = Request { account: &account, bases: &[], before: question.before, limits };
    let authorities = Authorities::from_pem(question.authority.as_bytes()).unwrap();
    let address = Address::parse(question.address).unwrap();
    read(&address, Some(&authorities), request, &mut |_| ControlFlow::Continue(()))
}

/// The estate that files make.
fn inventory(files: &[&str]) -> Inventory {
    let inputs: Vec<Input<'_>> = files.iter().map(|text| Input { name: "file", bytes: text.as_bytes() }).collect();
    let mut tell = |_: countersign_estate::Progress<'_>| ControlFlow::Continue(());
    let batch = countersign_estate::read(&inputs, &countersign_estate::Limits::default(), &mut Watch::new(&mut tell));
    let mut inventory = Inventory::new();
    inventory.merge(&batch.unwrap(), Timestamp::from_seconds(1_700_000_000)).unwrap();
    inventory
}

/// All that an inventory says, but for where it read it.
fn said(inventory: &Inventory) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for node in inventory.nodes().iter().filter(|node| !node.sightings.is_empty()) {
        let mut attributes = node.attributes();
        // Not replicated: it differs from controller to controller, and is not asked for live.
        attributes.sign_ins.retain(|sign_in| sign_in.kind != SignInKind::OneController);
        said.insert(format!("{} {:?} {} {attributes:?}", node.key, node.kind(), node.name()));
    }
    for edge in inventory.edges() {
        let key = |number: u32| &inventory.nodes()[number as usize].key;
        let conditions: Vec<_> = edge.sightings.iter().map(|sighting| &sighting.condition).collect();
        let conditions: BTreeSet<_> = conditions.into_iter().collect();
        said.insert(format!("{} {:?} {} {conditions:?}", key(edge.from), edge.relation, key(edge.to)));
    }
    said
}

/// Fails with what only one of the two says.
fn assert_same(one: &BTreeSet<String>, other: &BTreeSet<String>) {
    let only: Vec<&String> = one.difference(other).take(20).collect();
    let missing: Vec<&String> = other.difference(one).take(20).collect();
    assert!(only.is_empty() && missing.is_empty(), "only in the first: {only:#?}\nonly in the second: {missing:#?}");
}
