//! Roots and proofs against the reference.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tlog_tiles::Hash;

use super::memory_disk::MemoryDisk;
use super::reference::{self, Node};
use super::{NOW, append, options, small, verifier};
use crate::tree::Frontier;
use crate::{Entry, EntryBody, InclusionProof, Ledger, ProofError};

fn leaves(range: std::ops::Range<u64>) -> Vec<Node> {
    range.map(|n| reference::leaf(&small(n).encode().unwrap())).collect()
}

fn texts(path: &[Node]) -> Vec<String> {
    path.iter().map(|hash| BASE64_STANDARD.encode(hash)).collect()
}

/// Those around the ends and the borders of tiles, and a few between.
fn places(size: u64) -> impl Iterator<Item = u64> {
    (0..size).filter(move |n| *n < 3 || size - n < 3 || (n + 2) % 256 < 4 || n % 61 == 0)
}

#[test]
fn every_root_is_the_references() {
    let leaves = leaves(0..1030);
    let mut frontier = Frontier::default();
    for size in 0..=leaves.len() {
        if size < 300 || size % 256 < 3 || size % 256 == 255 || size % 97 == 0 {
            assert_eq!(frontier.root().0, reference::root(&leaves[..size]), "size {size}");
        }
        if let Some(leaf) = leaves.get(size) {
            frontier.push(Hash(*leaf), |_, _| {});
        }
    }
}

#[test]
fn every_proof_is_the_references() {
    let ledger = Ledger::open(Path::new("/log"), options(Arc::new(MemoryDisk::default()))).unwrap();
    let leaves = leaves(0..770);
    let mut kept = Vec::new();
    for size in [1, 2, 3, 4, 7, 255, 256, 257, 511, 512, 513, 770] {
        append(&ledger, (ledger.size()..size).map(small));
        let checkpoint = ledger.checkpoint_now().unwrap().unwrap();
        let here = &leaves[..usize::try_from(size).unwrap()];
        assert_eq!((checkpoint.size(), checkpoint.hash().0), (size, reference::root(here)));
        for index in places(size) {
            let proof = ledger.prove_inclusion(index).unwrap();
            assert_eq!(proof.path, texts(&reference::path(usize::try_from(index).unwrap(), here)), "{index} of {size}");
            let proven = proof.check(&verifier()).unwrap();
            assert_eq!((proven.index, proven.entry), (index, small(index)));
            assert_eq!(InclusionProof::parse(proof.to_json().as_bytes()).unwrap(), proof);
        }
        kept.push(checkpoint);
        for old in &kept {
            let proof = ledger.prove_consistency(old.size(), size).unwrap();
            assert_eq!(proof.path, texts(&reference::proof(usize::try_from(old.size()).unwrap(), here)));
            proof.check(old, kept.last().unwrap()).unwrap();
        }
        assert!(matches!(ledger.prove_inclusion(size), Err(ProofError::NotCovered { .. })));
        assert!(matches!(ledger.prove_consistency(size, size + 1), Err(ProofError::Range { .. })));
        assert!(matches!(ledger.prove_consistency(0, size), Err(ProofError::Range { .. })));
    }
    // Between any two sizes, not only those that were signed.
    for (old, new) in [(1, 769), (100, 300), (255, 256), (256, 512), (300, 769), (513, 770)] {
        let proof = ledger.prove_consistency(old, new).unwrap();
        let (old, new) = (usize::try_from(old).unwrap(), usize::try_from(new).unwrap());
        assert_eq!(proof.path, texts(&reference::proof(old, &leaves[..new])), "{old} to {new}");
    }
}

/// Where a tile of the second level fills.
#[test]
fn beyond_65536_entries() {
    let ledger = Ledger::open(Path::new("/log"), options(Arc::new(MemoryDisk::default()))).unwrap();
    let tiny = |n: u64| Entry { at: NOW, body: EntryBody::Stopped { node: format!("{n}") } };
    let leaves: Vec<Node> = (0..65_538).map(|n| reference::leaf(&tiny(n).encode().unwrap())).collect();
    for size in [65_535, 65_536, 65_537, 65_538] {
        append(&ledger, (ledger.size()..size).map(tiny));
        let checkpoint = ledger.checkpoint_now().unwrap().unwrap();
        let here = &leaves[..usize::try_from(size).unwrap()];
        assert_eq!(checkpoint.hash().0, reference::root(here), "size {size}");
        let index = size - 1;
        let proof = ledger.prove_inclusion(index).unwrap();
        assert_eq!(proof.path, texts(&reference::path(usize::try_from(index).unwrap(), here)));
        proof.check(&verifier()).unwrap();
    }
    let proof = ledger.prove_consistency(65_536, 65_538).unwrap();
    assert_eq!(proof.path, texts(&reference::proof(65_536, &leaves)));
    assert_eq!(ledger.file("tile/2/000.p/1").map(|tile| tile.len()), Some(32));
    assert_eq!(ledger.file("tile/1/000").map(|tile| tile.len()), Some(256 * 32));
}

/// A proof is foreign: whatever is changed in it, it no longer holds.
#[test]
fn a_forged_proof_is_refused() {
    let ledger = Ledger::open(Path::new("/log"), options(Arc::new(MemoryDisk::default()))).unwrap();
    append(&ledger, (0..300).map(small));
    let first = ledger.checkpoint_now().unwrap().unwrap();
    append(&ledger, (300..600).map(small));
    let second = ledger.checkpoint_now().unwrap().unwrap();
    let right = ledger.prove_inclusion(258).unwrap();
    let forge = |change: &dyn Fn(&mut InclusionProof)| {
        let mut proof = right.clone();
        change(&mut proof);
        proof.check(&verifier())
    };
    assert!(matches!(forge(&|proof| proof.index = 259), Err(ProofError::Wrong)));
    assert!(matches!(forge(&|proof| proof.entry = proof.entry.replace("258", "259")), Err(ProofError::Wrong)));
    assert!(matches!(forge(&|proof| drop(proof.path.pop())), Err(ProofError::Wrong)));
    assert!(matches!(forge(&|proof| proof.path.push(proof.path[0].clone())), Err(ProofError::Wrong)));
    assert!(matches!(forge(&|proof| proof.path.swap(0, 1)), Err(ProofError::Wrong)));
    assert!(matches!(forge(&|proof| proof.path = vec![proof.path[0].clone(); 66]), Err(ProofError::Wrong)));
    assert!(matches!(forge(&|proof| proof.path[0] = "x".to_owned()), Err(ProofError::Malformed(_))));
    assert!(matches!(forge(&|proof| proof.checkpoint = first.note().to_owned()), Err(ProofError::Wrong)));
    assert!(matches!(
        forge(&|proof| proof.checkpoint = proof.checkpoint.replace("600", "601")),
        Err(ProofError::Checkpoint(_))
    ));
    assert!(matches!(forge(&|proof| proof.v = 2), Err(ProofError::Malformed(_))));
    let other = crate::SigningKey::from_seed([8; 32]).verifier_key(super::ORIGIN).unwrap();
    assert!(matches!(right.check(&other), Err(ProofError::Checkpoint(_))));

    let right = ledger.prove_consistency(300, 600).unwrap();
    right.check(&first, &second).unwrap();
    assert!(matches!(right.check(&second, &first), Err(ProofError::Inconsistent)));
    let mut wrong = right.clone();
    wrong.path.swap(0, 1);
    assert!(matches!(wrong.check(&first, &second), Err(ProofError::Inconsistent)));
    for text in
        ["", "{}", "[]", r#"{"v":1,"old":1,"new":2,"path":[],"more":0}"#, r#"{"v":9,"old":1,"new":2,"path":[]}"#]
    {
        assert!(matches!(crate::ConsistencyProof::parse(text.as_bytes()), Err(ProofError::Malformed(_))), "{text}");
    }
}
