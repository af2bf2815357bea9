//! Which policies, and which of their conditions, a suite of tests has made true and false. It counts what was reached:
//! a condition behind a false `&&` was not tested by that test.

use std::path::PathBuf;

use countersign_model::PolicyId;

use crate::conditions::{Node, Shape, Walk};
use crate::set::PolicySet;
use crate::trial::Trial;

/// A policy, or a condition of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Covered {
    pub policy: PolicyId,
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// A condition as written; `None` for the policy as a whole.
    pub condition: Option<String>,
    pub made_true: bool,
    pub made_false: bool,
    /// A policy without a condition is never false where its scope holds.
    pub can_be_false: bool,
}

impl Covered {
    /// How many outcomes there are, and how many of them were seen.
    pub fn outcomes(&self) -> (usize, usize) {
        let possible = 1 + usize::from(self.can_be_false);
        (possible, usize::from(self.made_true) + usize::from(self.made_false && self.can_be_false))
    }
}

#[derive(Debug)]
pub struct Coverage<'s> {
    set: &'s PolicySet,
    /// By policy; the policy as a whole comes first.
    policies: Vec<(Option<Node<'s>>, Vec<Covered>)>,
}

impl<'s> Coverage<'s> {
    pub fn of(set: &'s PolicySet) -> Self {
        let mut policies = Vec::new();
        for (policy, info) in set.policies.iter().zip(&set.infos) {
            let root = policy.non_scope_constraints().map(Node::of);
            let whole = Covered {
                policy: info.id.clone(),
                file: info.file.clone(),
                line: info.line,
                condition: None,
                made_true: false,
                made_false: false,
                can_be_false: root.is_some(),
            };
            let mut covered = vec![whole.clone()];
            if let Some(root) = &root {
                each_counted(root, &mut |node| {
                    let (line, text) = node.place();
                    covered.push(Covered { line, condition: Some(text), can_be_false: true, ..whole.clone() });
                });
            }
            policies.push((root, covered));
        }
        Self { set, policies }
    }

    pub fn observe(&mut self, trial: &Trial) {
        let Some(case) = trial.case(self.set) else { return };
        let walk = Walk::new(&case);
        for (policy, (root, covered)) in self.set.policies.iter().zip(&mut self.policies) {
            if !walk.in_scope(policy) {
                continue;
            }
            let mut reached = Vec::new();
            let holds = match root {
                None => Some(true),
                Some(root) => walk.run(root, &mut |node, truth| reached.push((std::ptr::from_ref(node), truth))),
            };
            let (Some(whole), mut conditions) = (covered.first_mut(), 1..) else { continue };
            see(whole, holds);
            let Some(root) = root else { continue };
            each_counted(root, &mut |node| {
                let at = conditions.next().unwrap_or_default();
                let found = reached.iter().find(|(reached, _)| std::ptr::eq(*reached, node));
                if let (Some((_, truth)), Some(covered)) = (found, covered.get_mut(at)) {
                    see(covered, *truth);
                }
            });
        }
    }

    /// By policy, in the order of the set; each policy before its conditions.
    pub fn all(&self) -> impl Iterator<Item = &Covered> {
        self.policies.iter().flat_map(|(_, covered)| covered)
    }

    /// How many outcomes there are, and how many of them were seen.
    pub fn outcomes(&self) -> (usize, usize) {
        self.all().map(Covered::outcomes).fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
    }

    /// From 0 to 100, rounded down: 100 only when nothing is missing.
    pub fn percent(&self) -> usize {
        let (possible, seen) = self.outcomes();
        (seen * 100).checked_div(possible).unwrap_or(100)
    }
}

fn see(covered: &mut Covered, truth: Option<bool>) {
    covered.made_true |= truth == Some(true);
    covered.made_false |= truth == Some(false);
}

/// The conditions that count on their own: not the whole, which the policy stands for, and not a negation, which its
/// inside stands for. In the order of the text.
fn each_counted<'n, 'p>(root: &'n Node<'p>, each: &mut impl FnMut(&'n Node<'p>)) {
    let root = root.plain();
    for part in root.parts() {
        let part = part.plain();
        each(part);
        each_counted_below(part, each);
    }
}

fn each_counted_below<'n, 'p>(node: &'n Node<'p>, each: &mut impl FnMut(&'n Node<'p>)) {
    if matches!(node.shape, Shape::All(_) | Shape::Any(_)) {
        each_counted(node, each);
    }
}
