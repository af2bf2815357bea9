//! RFC 6962, sections 2.1 to 2.1.2, written down from the text: recursive, slow, and sharing no code with the ledger.

use sha2::{Digest as _, Sha256};

pub(super) type Node = [u8; 32];

pub(super) fn leaf(entry: &[u8]) -> Node {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

fn node(left: &Node, right: &Node) -> Node {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The largest power of two smaller than `n`.
const fn split(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// MTH(D[n]).
pub(super) fn root(leaves: &[Node]) -> Node {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// PATH(m, D[n]).
pub(super) fn path(m: usize, leaves: &[Node]) -> Vec<Node> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut rest, other) = if m < k { (path(m, left), root(right)) } else { (path(m - k, right), root(left)) };
    rest.push(other);
    rest
}

/// PROOF(m, D[n]).
pub(super) fn proof(m: usize, leaves: &[Node]) -> Vec<Node> {
    subproof(m, leaves, true)
}

fn subproof(m: usize, leaves: &[Node], whole: bool) -> Vec<Node> {
    let n = leaves.len();
    if m == n {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let k = split(n);
    let (left, right) = leaves.split_at(k);
    let (mut rest, other) =
        if m <= k { (subproof(m, left, whole), root(right)) } else { (subproof(m - k, right, false), root(left)) };
    rest.push(other);
    rest
}
