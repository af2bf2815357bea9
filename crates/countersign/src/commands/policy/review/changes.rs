//! What a change does to policies and guardrails, one by one: which came, went or say something else, whose they are, and
//! the lines.

use std::collections::BTreeMap;

use countersign_model::PolicyRole;
use countersign_policy::{Guardrail, Mode, PolicyInfo, PolicySet};
use serde_json::{Value, json};

use crate::commands::policy::markdown::{Block, code, fence, fold, html_code};

/// Above so many pairs of lines the fewest changed ones are not looked for.
const PAIRS: usize = 4_000_000;

/// Longest difference that is shown of one policy, in bytes.
const LONGEST: usize = 5_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Removed,
    Changed,
    Added,
    /// Another text, and the same meaning: comments and layout.
    Reworded,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Reworded => "reworded",
        }
    }
}

/// A policy or a guardrail, as far as a change of it is looked at.
#[derive(Clone, Debug)]
struct Written {
    what: &'static str,
    owner: String,
    file: String,
    line: usize,
    text: String,
    hash: String,
}

impl Written {
    fn policy(of: &PolicyInfo) -> Self {
        let what = match (of.role, of.mode) {
            (PolicyRole::Permit, Mode::Enforce) => "permit",
            (PolicyRole::Forbid, Mode::Enforce) => "forbid",
            (PolicyRole::Permit, Mode::Observe) => "permit (observed)",
            (PolicyRole::Forbid, Mode::Observe) => "forbid (observed)",
        };
        let (file, line) = (of.file.display().to_string(), of.line);
        Self { what, owner: of.owner.clone(), file, line, text: of.text.clone(), hash: of.hash.clone() }
    }

    fn guardrail(of: &Guardrail) -> Self {
        let (file, line) = (of.file.display().to_string(), of.line);
        Self { what: "guardrail", owner: of.owner.clone(), file, line, text: of.text.clone(), hash: of.hash.clone() }
    }
}

#[derive(Debug)]
pub(super) struct Change {
    pub(super) id: String,
    pub(super) kind: Kind,
    before: Option<Written>,
    after: Option<Written>,
}

/// By id, guardrails after policies.
fn all(set: &PolicySet) -> BTreeMap<(bool, String), Written> {
    let policies = set.policies().iter().map(|one| ((false, one.id.to_string()), Written::policy(one)));
    // What is built in stands in no file.
    let guardrails = set.guardrails().iter().filter(|one| one.line > 0);
    policies.chain(guardrails.map(|one| ((true, one.id.to_string()), Written::guardrail(one)))).collect()
}

/// What is different, the removed first.
pub(super) fn changes(before: Option<&PolicySet>, after: &PolicySet) -> Vec<Change> {
    let (mut was, is) = (before.map(all).unwrap_or_default(), all(after));
    let mut changes = Vec::new();
    for (key, now) in is {
        let before = was.remove(&key);
        let kind = match &before {
            None => Kind::Added,
            Some(before) if before.hash != now.hash || before.what != now.what => Kind::Changed,
            Some(before) if before.text != now.text => Kind::Reworded,
            Some(_) => continue,
        };
        changes.push(Change { id: key.1, kind, before, after: Some(now) });
    }
    let gone = was.into_iter().map(|(key, before)| (key.1, before));
    changes.extend(gone.map(|(id, before)| Change { id, kind: Kind::Removed, before: Some(before), after: None }));
    let place = |kind| [Kind::Removed, Kind::Changed, Kind::Added, Kind::Reworded].iter().position(|it| *it == kind);
    changes.sort_by_key(|change| (place(change.kind), !change.is_guardrail()));
    changes
}

impl Change {
    pub(super) fn is_guardrail(&self) -> bool {
        self.now().is_some_and(|one| one.what == "guardrail")
    }

    pub(super) const fn after_is_gone(&self) -> bool {
        self.after.is_none()
    }

    /// As it is, or as it was before it went.
    fn now(&self) -> Option<&Written> {
        self.after.as_ref().or(self.before.as_ref())
    }

    fn owner(&self) -> String {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if before.owner != after.owner => {
                format!("{} → {}", code(&before.owner), code(&after.owner))
            }
            _ => code(self.now().map_or("", |one| &one.owner)),
        }
    }

    /// Its effect, and the one that it had.
    fn what(&self) -> String {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) if before.what != after.what => format!("{} → {}", before.what, after.what),
            _ => self.now().map_or("", |one| one.what).to_owned(),
        }
    }

    fn diff(&self) -> Vec<String> {
        let text = |one: &Option<Written>| one.as_ref().map(|one| one.text.clone()).unwrap_or_default();
        unified(&text(&self.before), &text(&self.after))
    }

    pub(super) fn row(&self) -> String {
        let (what, owner) = (self.what(), self.owner());
        let place = self.now().map(|one| format!("{}:{}", one.file, one.line)).unwrap_or_default();
        format!("| {} | {what} | {} | {owner} | {} |", self.kind.word(), code(&self.id), code(&place))
    }

    pub(super) fn folded(&self) -> Block {
        let summary = format!("{} {} {}", self.kind.word(), self.what(), html_code(&self.id));
        fold(&summary, &fence("diff", &self.diff(), LONGEST))
    }

    pub(super) fn json(&self) -> Value {
        let side = |one: &Option<Written>| {
            one.as_ref().map(|one| {
                json!({"what": one.what, "owner": one.owner, "file": one.file, "line": one.line, "text": one.text})
            })
        };
        json!({
            "id": self.id, "change": self.kind.word(), "guardrail": self.is_guardrail(),
            "before": side(&self.before), "after": side(&self.after), "diff": self.diff(),
        })
    }
}

/// Every line with a sign: what stays, goes and comes. The fewest that go and come, where that can be found in time.
pub(super) fn unified(before: &str, after: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let signed = |sign: char, line: &str| format!("{sign}{line}");
    if old.len().saturating_mul(new.len()) > PAIRS {
        let gone = old.iter().map(|line| signed('-', line));
        return gone.chain(new.iter().map(|line| signed('+', line))).collect();
    }
    // Of the rest of both from each pair of lines on: the most lines that can stay.
    let width = new.len() + 1;
    let mut stay = vec![0_u32; (old.len() + 1) * width];
    let at = |stay: &[u32], i: usize, j: usize| stay.get(i * width + j).copied().unwrap_or_default();
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let most = match one == other {
                true => at(&stay, i + 1, j + 1) + 1,
                false => at(&stay, i + 1, j).max(at(&stay, i, j + 1)),
            };
            if let Some(cell) = stay.get_mut(i * width + j) {
                *cell = most;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    loop {
        match (old.get(i), new.get(j)) {
            (Some(one), Some(other)) if one == other => {
                lines.push(signed(' ', one));
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), other) if other.is_none() || at(&stay, i + 1, j) >= at(&stay, i, j + 1) => {
                lines.push(signed('-', one));
                i += 1;
            }
            (_, Some(other)) => {
                lines.push(signed('+', other));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}
