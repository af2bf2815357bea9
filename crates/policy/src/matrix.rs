//! The access matrix of a policy set: every kind of subject and sign-in × device and place × action × tier, and the groups,
//! subjects, resources, segments and zones that the policies name, decided and drawn as a table that is kept under
//! version control. What it enumerates follows from the policies, so that a new threshold or a new group brings its own
//! rows. It samples: what holds for all requests is a matter of proof, not of a table.

mod enumeration;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use countersign_model::{Action, Decision, NameError, Resource};

use crate::set::PolicySet;
use crate::trial::Trial;
use enumeration::Enumeration;

/// Place and sign-in, subject, resource: the text of one cell, a letter for each action.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matrix {
    pub(crate) columns: Vec<String>,
    pub(crate) sections: Vec<Section>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Section {
    pub(crate) place: String,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) subject: String,
    pub(crate) cells: Vec<String>,
}

/// What is not as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    Cell {
        place: String,
        subject: String,
        resource: String,
        was: String,
        is: String,
    },
    /// A whole place, subject or resource that the policies speak about now.
    New {
        kind: &'static str,
        name: String,
    },
    /// One that they no longer speak about.
    Gone {
        kind: &'static str,
        name: String,
    },
}

/// A file that is no matrix, by line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line} is no line of an access matrix: {reason}")]
pub struct MatrixError {
    pub line: usize,
    pub reason: &'static str,
}

/// Why there is no matrix.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoMatrix {
    #[error(
        "the access matrix would have at least {cells} cells, and above {MOST} it is too large to decide or to read"
    )]
    TooLarge { cells: u128 },
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Most cells. Whoever changes a policy has a hundred thousand to look at in the worst of organisations; a hostile change
/// can ask for as many as it likes, since names multiply.
pub(crate) const MOST: u128 = 1_000_000;

impl Matrix {
    /// `known` are the resources that the policies may name; one that is not there counts as an application of the
    /// standard tier.
    pub fn of(set: &PolicySet, known: &[Resource]) -> Result<Self, NoMatrix> {
        Self::decided(set, known, |trial| trial.decide_by_plan(set))
    }

    /// The matrices of two sets, with the same places, subjects and resources: those that either of them names. So a row
    /// that comes with a change can be compared too.
    pub fn of_both(before: &PolicySet, after: &PolicySet, known: &[Resource]) -> Result<[Self; 2], NoMatrix> {
        let all = Enumeration::of(&[before, after], known)?;
        Ok([before, after].map(|set| Self::over(&all, |trial| trial.decide_by_plan(set))))
    }

    pub(crate) fn decided(
        set: &PolicySet,
        known: &[Resource],
        decide: impl Fn(&Trial) -> Decision,
    ) -> Result<Self, NoMatrix> {
        Ok(Self::over(&Enumeration::of(&[set], known)?, decide))
    }

    fn over(all: &Enumeration, decide: impl Fn(&Trial) -> Decision) -> Self {
        let mut sections = Vec::new();
        for (place, circumstances) in &all.places {
            let mut rows = Vec::new();
            for (name, subject) in &all.subjects {
                let mut cells = Vec::new();
                for (_, resource) in &all.resources {
                    let cell = Action::all().map(|action| {
                        let mut trial = Trial {
                            subject: subject.subject.clone(),
                            groups: subject.groups.clone(),
                            resource: resource.clone(),
                            action,
                            circumstances: circumstances.clone(),
                        };
                        trial.circumstances.authentication = subject.authentication.clone();
                        letter(&decide(&trial))
                    });
                    cells.push(cell.collect());
                }
                rows.push(Row { subject: name.clone(), cells });
            }
            sections.push(Section { place: place.clone(), rows });
        }
        Self { columns: all.resources.iter().map(|(name, _)| name.clone()).collect(), sections }
    }

    pub(crate) fn cells(&self) -> BTreeMap<(&str, &str, &str), &str> {
        let mut cells = BTreeMap::new();
        for section in &self.sections {
            for row in &section.rows {
                for (column, cell) in self.columns.iter().zip(&row.cells) {
                    cells.insert((section.place.as_str(), row.subject.as_str(), column.as_str()), cell.as_str());
                }
            }
        }
        cells
    }

    /// How many cells there are, each with every action.
    pub fn len(&self) -> usize {
        self.sections.iter().flat_map(|section| &section.rows).map(|row| row.cells.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is different from `before`: what came, what went, and each changed cell in the order of the table.
    pub fn changes(&self, before: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for ((kind, is), (_, was)) in self.names().into_iter().zip(before.names()) {
            let name = |name: &&str| (*name).to_owned();
            changes.extend(is.difference(&was).map(|new| Change::New { kind, name: name(new) }));
            changes.extend(was.difference(&is).map(|gone| Change::Gone { kind, name: name(gone) }));
        }
        let was = before.cells();
        for section in &self.sections {
            for row in &section.rows {
                for (column, cell) in self.columns.iter().zip(&row.cells) {
                    let key = (section.place.as_str(), row.subject.as_str(), column.as_str());
                    if let Some(was) = was.get(&key).filter(|was| *was != cell) {
                        changes.push(Change::Cell {
                            place: section.place.clone(),
                            subject: row.subject.clone(),
                            resource: column.clone(),
                            was: (*was).to_owned(),
                            is: cell.clone(),
                        });
                    }
                }
            }
        }
        changes
    }

    /// Every place, subject and resource.
    fn names(&self) -> [(&'static str, BTreeSet<&str>); 3] {
        let rows = self.sections.iter().flat_map(|section| &section.rows);
        [
            ("place", self.sections.iter().map(|section| section.place.as_str()).collect()),
            ("subject", rows.map(|row| row.subject.as_str()).collect()),
            ("resource", self.columns.iter().map(String::as_str).collect()),
        ]
    }
}

impl Change {
    /// Whether some action is allowed that was not, and whether one is no longer. Of what came or went, neither.
    pub fn allows(&self) -> (bool, bool) {
        let Self::Cell { was, is, .. } = self else { return (false, false) };
        let some = |of: &dyn Fn(char, char) -> bool| was.chars().zip(is.chars()).any(|(was, is)| of(was, is));
        (some(&|was, is| was != '+' && is == '+'), some(&|was, is| was == '+' && is != '+'))
    }

    /// Of a cell, what became of each action: `read deny → allow, …`.
    pub fn actions(&self) -> String {
        let Self::Cell { was, is, .. } = self else { return String::new() };
        let changed = Action::all().zip(was.chars().zip(is.chars())).filter(|(_, (was, is))| was != is);
        let changed: Vec<String> = changed
            .map(|(action, (was, is))| format!("{} {} → {}", action.class.name(), word(was), word(is)))
            .collect();
        changed.join(", ")
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { kind, name } => write!(f, "new {kind}: {name}"),
            Self::Gone { kind, name } => write!(f, "no more {kind}: {name}"),
            Self::Cell { place, subject, resource, .. } => {
                write!(f, "{place} / {subject} / {resource}: {}", self.actions())
            }
        }
    }
}

/// `+` allowed, `?` challenged, `-` denied, `=` denied with a remedy that takes longer.
fn letter(decision: &Decision) -> char {
    match decision {
        Decision::Allow(_) => '+',
        Decision::Challenge(_) => '?',
        Decision::Deny(denial) if denial.remedy.as_ref().is_some_and(|remedy| !remedy.needs.is_empty()) => '=',
        Decision::Deny(_) => '-',
    }
}

const fn word(letter: char) -> &'static str {
    match letter {
        '+' => "allow",
        '?' => "challenge",
        '=' => "deny with needs",
        _ => "deny",
    }
}
