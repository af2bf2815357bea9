//! A hash trie with shared structure: a changed copy shares everything with the original but the path to the change,
//! a few hundred bytes. That is what lets a decision hold one consistent view of two million records while a writer
//! replaces one of them, with neither waiting for the other.
//!
//! Written here because the published ones cost too much or may not be used: `rpds` boxes each entry twice more,
//! `imbl` repeats the key beside each value and is under a copyleft licence.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// A record that knows its own key, so that it is not kept twice.
pub(crate) trait Keyed {
    type Key: Hash + Eq;
    fn key(&self) -> &Self::Key;
}

pub(crate) struct Trie<T> {
    root: Node<T>,
    len: usize,
    hasher: RandomState,
}

/// 64 ways per level: a million records are four levels deep. A node lies in its parent's slot and only its own slots
/// lie elsewhere: in a large world each level of a look-up waits for the memory once.
struct Node<T> {
    /// Which of the 64 slots are there. In a bucket, below the last bit of the hash, it says nothing.
    present: u64,
    slots: Arc<[Slot<T>]>,
}

enum Slot<T> {
    Leaf(Arc<T>),
    Branch(Node<T>),
}

// Derived, these would ask the records to be `Clone`.
impl<T> Clone for Trie<T> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), len: self.len, hasher: self.hasher.clone() }
    }
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Self {
        Self { present: self.present, slots: Arc::clone(&self.slots) }
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(Arc::clone(leaf)),
            Self::Branch(branch) => Self::Branch(branch.clone()),
        }
    }
}

const BITS: u32 = 6;

/// From here on the hash is used up, and a node is a plain list.
const BUCKET: u32 = 60;

impl<T> Node<T> {
    fn empty() -> Self {
        Self { present: 0, slots: Arc::new([]) }
    }

    /// The position of the slot for `hash` at this level, and whether it is there.
    fn place(&self, hash: u64, shift: u32) -> (u64, usize, bool) {
        let bit = 1_u64 << ((hash >> shift) & 63);
        let index = (self.present & (bit - 1)).count_ones() as usize;
        (bit, index, self.present & bit != 0)
    }

    fn insert_slot(&mut self, index: usize, slot: Slot<T>) {
        let (before, after) = self.slots.split_at_checked(index).unwrap_or((&self.slots, &[]));
        self.slots = before.iter().cloned().chain([slot]).chain(after.iter().cloned()).collect();
    }

    fn remove_slot(&mut self, index: usize) -> Option<Slot<T>> {
        let (before, rest) = self.slots.split_at_checked(index)?;
        let (removed, after) = rest.split_first()?;
        let removed = removed.clone();
        self.slots = before.iter().chain(after).cloned().collect();
        Some(removed)
    }
}

impl<T: Keyed> Default for Trie<T> {
    fn default() -> Self {
        Self { root: Node::empty(), len: 0, hasher: RandomState::new() }
    }
}

impl<T: Keyed> Trie<T> {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, key: &T::Key) -> Option<&Arc<T>> {
        let hash = self.hasher.hash_one(key);
        let mut node = &self.root;
        let mut shift = 0;
        loop {
            if shift >= BUCKET {
                return node.slots.iter().find_map(|slot| match slot {
                    Slot::Leaf(leaf) if leaf.key() == key => Some(leaf),
                    Slot::Leaf(_) | Slot::Branch(_) => None,
                });
            }
            let (_, index, true) = node.place(hash, shift) else { return None };
            match node.slots.get(index)? {
                Slot::Leaf(leaf) => return (leaf.key() == key).then_some(leaf),
                Slot::Branch(branch) => node = branch,
            }
            shift += BITS;
        }
    }

    /// Puts `record` in place of the one with the same key, if there was one. What no other copy shares is changed in
    /// place, so that filling an empty world allocates no path twice.
    pub(crate) fn put(&mut self, record: Arc<T>) {
        let hash = self.hasher.hash_one(record.key());
        if put(&mut self.root, &self.hasher, hash, 0, record) {
            self.len += 1;
        }
    }

    pub(crate) fn remove(&mut self, key: &T::Key) -> Option<Arc<T>> {
        let hash = self.hasher.hash_one(key);
        let removed = remove(&mut self.root, hash, 0, key)?;
        self.len -= 1;
        Some(removed)
    }

    /// In no order that means anything.
    pub(crate) fn iter(&self) -> Iter<'_, T> {
        Iter { stack: vec![self.root.slots.iter()] }
    }
}

/// Whether the key is new.
fn put<T: Keyed>(node: &mut Node<T>, hasher: &RandomState, hash: u64, shift: u32, record: Arc<T>) -> bool {
    if shift >= BUCKET {
        for slot in Arc::make_mut(&mut node.slots) {
            if let Slot::Leaf(leaf) = slot
                && leaf.key() == record.key()
            {
                *leaf = record;
                return false;
            }
        }
        node.insert_slot(node.slots.len(), Slot::Leaf(record));
        return true;
    }
    let (bit, index, present) = node.place(hash, shift);
    if !present {
        node.present |= bit;
        node.insert_slot(index, Slot::Leaf(record));
        return true;
    }
    match Arc::make_mut(&mut node.slots).get_mut(index) {
        Some(Slot::Branch(branch)) => put(branch, hasher, hash, shift + BITS, record),
        Some(slot @ Slot::Leaf(_)) => {
            let Slot::Leaf(leaf) = slot else { return false };
            if leaf.key() == record.key() {
                *leaf = record;
                return false;
            }
            let other = Arc::clone(leaf);
            let mut branch = Node::empty();
            put(&mut branch, hasher, hasher.hash_one(other.key()), shift + BITS, other);
            put(&mut branch, hasher, hash, shift + BITS, record);
            *slot = Slot::Branch(branch);
            true
        }
        None => false,
    }
}

fn remove<T: Keyed>(node: &mut Node<T>, hash: u64, shift: u32, key: &T::Key) -> Option<Arc<T>> {
    if shift >= BUCKET {
        let index = node.slots.iter().position(|slot| matches!(slot, Slot::Leaf(leaf) if leaf.key() == key))?;
        return leaf(node.remove_slot(index));
    }
    let (bit, index, true) = node.place(hash, shift) else { return None };
    match Arc::make_mut(&mut node.slots).get_mut(index)? {
        Slot::Leaf(leaf) if leaf.key() != key => return None,
        Slot::Leaf(_) => {}
        Slot::Branch(branch) => {
            let removed = remove(branch, hash, shift + BITS, key)?;
            if !branch.slots.is_empty() {
                return Some(removed);
            }
            node.present &= !bit;
            node.remove_slot(index);
            return Some(removed);
        }
    }
    node.present &= !bit;
    leaf(node.remove_slot(index))
}

fn leaf<T>(slot: Option<Slot<T>>) -> Option<Arc<T>> {
    match slot? {
        Slot::Leaf(leaf) => Some(leaf),
        Slot::Branch(_) => None,
    }
}

pub(crate) struct Iter<'a, T> {
    stack: Vec<std::slice::Iter<'a, Slot<T>>>,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a Arc<T>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.stack.last_mut()?.next() {
                None => {
                    self.stack.pop();
                }
                Some(Slot::Leaf(leaf)) => return Some(leaf),
                Some(Slot::Branch(branch)) => self.stack.push(branch.slots.iter()),
            }
        }
    }
}

impl<T> fmt::Debug for Trie<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trie").field("len", &self.len).finish_non_exhaustive()
    }
}
