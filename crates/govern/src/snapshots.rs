//! The past of the gap map, in the folder `snapshots`: a snapshot for each day, which is that day's last, and in `closed.json` the steps
//! that the evidence closed. What is damaged is named and left out; it takes nothing else down, and nothing here decides anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use countersign_assess::{Assessment, Own, Snapshot};
use countersign_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::assessing::{Assessed, NotAssessed};
use crate::estate::Estate;
use crate::files::{KeptError, document, folder, put, read, replace};
use crate::importing::blocking;

/// For so many days back each day is kept, before that one of seven.
const EACH_DAY: i64 = 90;
/// More than eleven years.
const MOST: usize = 600;
const DAY: i64 = 24 * 3600;
/// More in one file was not written here.
const MOST_BYTES: u64 = 4 << 20;

#[derive(Clone, Debug)]
pub(crate) struct Snapshots(PathBuf);

/// Why a step is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// Another inventory.
    Evidence,
    /// The same inventory, and another count or word of the server's own.
    Counts,
    /// The same of both on a later date.
    Time,
}

impl Because {
    pub const fn words(self) -> &'static str {
        match self {
            Self::Evidence => "because the evidence changed",
            Self::Counts => "because what this server counts changed",
            Self::Time => "because time passed",
        }
    }
}

/// A step that was there and is not any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Closed {
    pub step: String,
    pub title: String,
    /// The date of the first assessment without it.
    pub at: Timestamp,
    pub because: Because,
    /// How many it was about.
    pub count: u64,
    /// Who had taken it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// The oldest first.
    pub snapshots: Vec<Snapshot>,
    /// The newest first.
    pub closed: Vec<Closed>,
    /// Files that cannot be read, by name.
    pub damaged: Vec<String>,
}

impl Snapshots {
    pub(crate) fn below(root: &Path) -> Self {
        Self(root.join("snapshots"))
    }

    fn closed(&self) -> PathBuf {
        self.0.join("closed.json")
    }

    fn path(&self, day: &str) -> PathBuf {
        self.0.join(format!("{day}.json"))
    }

    /// The days of which there is a file, the oldest first, and what else is called like one.
    fn days(&self) -> Result<BTreeSet<String>, KeptError> {
        let failed = |error| KeptError::Io(self.0.clone(), error);
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut days = BTreeSet::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let day = name.to_str().and_then(|name| name.strip_suffix(".json"));
            days.extend(day.filter(|day| number(day).is_some()).map(str::to_owned));
        }
        Ok(days)
    }

    fn read(&self, day: &str) -> Result<Snapshot, KeptError> {
        let path = self.path(day);
        let damaged = |why: String| KeptError::Damaged(path.clone(), why);
        if fs::metadata(&path).is_ok_and(|about| about.len() > MOST_BYTES) {
            return Err(damaged("too large".to_owned()));
        }
        let bytes = read(&path)?.ok_or_else(|| damaged("gone".to_owned()))?;
        let snapshot = Snapshot::from_bytes(&bytes).map_err(|error| damaged(error.to_string()))?;
        match date(snapshot.as_of) == day {
            true => Ok(snapshot),
            false => Err(damaged(format!("it is of {}", snapshot.as_of))),
        }
    }

    /// Keeps what was found, and which steps it is without for the first time. An empty estate has no past.
    pub(crate) fn keep(&self, assessment: &Assessment, own: &Own) -> Result<(), KeptError> {
        if assessment.sources.is_empty() {
            return Ok(());
        }
        let now = Snapshot::of(assessment);
        let today = date(now.as_of);
        folder(&self.0)?;
        let days = self.days()?;
        // One that is of later, by a clock that was wrong, is no past.
        let mut earlier = days.iter().rev().filter(|day| **day <= today).filter_map(|day| self.read(day).ok());
        if let Some(before) = earlier.find(|before| before.as_of < now.as_of) {
            self.close(&before, &now, assessment, own)?;
        }
        // A crash here finds the same steps closed again, by the next assessment.
        let path = self.path(&today);
        let bytes = now.to_bytes().map_err(|error| KeptError::Damaged(path.clone(), error.to_string()))?;
        replace(&path, |out| out.write_all(&bytes))?;
        self.thin(days.into_iter().chain([today.clone()]).collect(), &today)
    }

    fn close(&self, before: &Snapshot, now: &Snapshot, assessment: &Assessment, own: &Own) -> Result<(), KeptError> {
        // What cannot be read is begun anew: the snapshots have it still.
        let known: BTreeMap<String, Closed> = document(&self.closed()).unwrap_or_default();
        let mut closed = known.clone();
        closed.retain(|step, _| !now.steps.contains_key(step));
        let because = match (before.inventory_sha256 == now.inventory_sha256, before.own_sha256 == now.own_sha256) {
            (false, _) => Because::Evidence,
            (true, false) => Because::Counts,
            (true, true) => Because::Time,
        };
        for step in now.since(before).closed {
            let indicator = step.strip_prefix("assess-").unwrap_or(&step);
            // An indicator that this version does not have any more closed nothing.
            let Some(measured) = assessment.gaps.find(indicator) else { continue };
            let title =
                if indicator == step { measured.title.clone() } else { format!("Find out: {}", measured.title) };
            let count = before.steps.get(&step).copied().unwrap_or_default();
            let owner = own.assigned.get(&step).map(|assigned| assigned.owner.clone());
            closed.insert(step.clone(), Closed { step, title, at: now.as_of, because, count, owner });
        }
        if closed == known { Ok(()) } else { put(&self.closed(), &closed) }
    }

    fn thin(&self, days: BTreeSet<String>, today: &str) -> Result<(), KeptError> {
        let Some(today) = number(today) else { return Ok(()) };
        let (mut weeks, mut kept) = (BTreeSet::new(), 0);
        for day in days.iter().rev() {
            let number = number(day).unwrap_or_default();
            let wanted = number > today - EACH_DAY || weeks.insert(number.div_euclid(7));
            if wanted && kept < MOST {
                kept += 1;
                continue;
            }
            let path = self.path(day);
            fs::remove_file(&path).map_err(|error| KeptError::Io(path, error))?;
        }
        Ok(())
    }

    pub(crate) fn past(&self) -> Past {
        let mut past = Past::default();
        let mut damaged = |error: KeptError| {
            tracing::warn!(%error, "a part of the past cannot be read, and is left out");
            let (KeptError::Io(path, _) | KeptError::Inventory(path, _) | KeptError::Damaged(path, _)) = error;
            past.damaged.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        };
        let days = self.days().unwrap_or_else(|error| {
            damaged(error);
            BTreeSet::new()
        });
        let newest = days.len().saturating_sub(MOST);
        past.snapshots = days.iter().skip(newest).filter_map(|day| self.read(day).map_err(&mut damaged).ok()).collect();
        let closed: BTreeMap<String, Closed> = document(&self.closed()).unwrap_or_else(|error| {
            damaged(error);
            BTreeMap::new()
        });
        past.closed = closed.into_values().collect();
        past.closed.sort_by(|one, other| other.at.cmp(&one.at).then_with(|| one.step.cmp(&other.step)));
        past
    }
}

fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// The number of a day that is written `2026-11-22`.
fn number(day: &str) -> Option<i64> {
    let at: Timestamp = format!("{day}T00:00:00Z").parse().ok()?;
    (date(at) == day).then(|| at.seconds().div_euclid(DAY))
}

impl Estate {
    /// What was found on earlier days.
    ///
    /// # Errors
    /// When it could not be read at all.
    pub async fn past(&self) -> Result<Past, NotAssessed> {
        let snapshots = self.0.snapshots.clone();
        blocking(move || snapshots.past()).await.map_err(|_| NotAssessed::Failed)
    }

    /// The assessment counts whether or not it can be kept.
    pub(crate) fn remember(&self, assessed: &Assessed) {
        if let Err(error) = self.0.snapshots.keep(assessed, &assessed.own) {
            tracing::error!(%error, "what was found could not be kept for the trend");
        }
    }
}
