//! What the evidence means in the words of others: each row of a framework with the indicators that speak for it, and the state that follows
//! from theirs. A row that nothing here can evidence reads "not assessed", with the reason. Titles and numbers are the frameworks' own, tenets
//! and outcomes are given in short words of ours; an indicator speaks for a part of a row, never for the whole of it.

mod csf;
mod nist_800_207;
mod owasp_nhi;
mod ztmm;

use serde::Serialize;

use crate::gaps::{GapMap, State};

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Framework {
    pub id: &'static str,
    pub title: &'static str,
    pub version: &'static str,
    pub rows: Vec<Row>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    pub id: &'static str,
    pub title: &'static str,
    pub state: State,
    /// Indicators of the gap map that speak for it.
    pub indicators: Vec<&'static str>,
    /// Why it is in that state, or why it was not assessed.
    pub why: String,
}

/// A row, before anything was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowDefined {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) indicators: &'static [&'static str],
    /// What is outside of what an access platform sees.
    pub(crate) outside: &'static str,
}

#[derive(Debug)]
pub(crate) struct FrameworkDefined {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) version: &'static str,
    pub(crate) rows: &'static [RowDefined],
}

pub(crate) static FRAMEWORKS: [FrameworkDefined; 4] =
    [nist_800_207::FRAMEWORK, csf::FRAMEWORK, ztmm::FRAMEWORK, owasp_nhi::FRAMEWORK];

const fn row(
    id: &'static str,
    title: &'static str,
    indicators: &'static [&'static str],
    outside: &'static str,
) -> RowDefined {
    RowDefined { id, title, indicators, outside }
}

pub(crate) fn crosswalk(map: &GapMap) -> Vec<Framework> {
    let framework = |defined: &FrameworkDefined| Framework {
        id: defined.id,
        title: defined.title,
        version: defined.version,
        rows: defined.rows.iter().map(|row| told(row, map)).collect(),
    };
    FRAMEWORKS.iter().map(framework).collect()
}

fn told(row: &RowDefined, map: &GapMap) -> Row {
    let measured: Vec<_> = row.indicators.iter().filter_map(|id| map.find(id)).collect();
    let state = State::together(measured.iter().filter_map(|measured| measured.state)).unwrap_or(State::NotAssessed);
    // INVARIANT: what lies outside is not known to be there, so the whole row is never more than partial.
    let state = if row.outside.is_empty() { state } else { state.min(State::Partial) };
    let count = |state: State| measured.iter().filter(|measured| measured.state == Some(state)).count();
    let mut why: Vec<String> = Vec::new();
    for state in [State::InPlace, State::Partial, State::NotInPlace, State::NotAssessed] {
        if count(state) > 0 {
            why.push(format!("{} {}", count(state), state.name()));
        }
    }
    let nobody = measured.iter().filter(|measured| measured.state.is_none()).count();
    if nobody > 0 {
        why.push(format!("{nobody} concerning nobody"));
    }
    let mut why =
        if why.is_empty() { String::new() } else { format!("of {} indicators: {}", measured.len(), why.join(", ")) };
    if !row.outside.is_empty() {
        if !why.is_empty() {
            why.push_str("; ");
        }
        why.push_str("outside of what is seen here: ");
        why.push_str(row.outside);
    }
    Row { id: row.id, title: row.title, state, indicators: row.indicators.to_vec(), why }
}
