//! How many refused sign-ins, hand-offs, reports and logout tokens, and how many refused requests of nobody known, get an
//! entry of their own. Strangers cause them, so what they can make the ledger grow by is bounded, for each address and in
//! all. What is above that is counted, and one entry tells how much it was: never silence. Nothing here decides whether
//! anybody is refused, and nothing that is allowed comes here.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use countersign_ledger::EntryBody;
use countersign_model::Timestamp;
use parking_lot::Mutex;

use crate::Administrator;
use crate::one_time::{Origin, origin};

/// What the two bounds count over.
const WINDOW: Duration = Duration::from_secs(60);
/// More than anybody mistypes.
const PER_ADDRESS: u32 = 30;
const IN_ALL: u32 = 600;

/// How [`EntryBody::SignInRefused`] calls those that are told of together.
const SEVERAL: &str = "several";

#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    since: Option<Timestamp>,
    recorded: u32,
    /// No more addresses than were recorded.
    by_address: HashMap<Option<Origin>, u32>,
    unrecorded: Option<Unrecorded>,
}

/// Refused without an entry of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unrecorded {
    count: u64,
    since: Timestamp,
    /// The last of them.
    address: Option<IpAddr>,
}

impl Refusals {
    /// Whether this one gets an entry of its own.
    pub(crate) fn records(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let mut table = self.0.lock();
        // A clock that jumps back begins anew, rather than waiting for the instant to come again.
        if table.since.is_none_or(|since| now < since || now.since(since) >= WINDOW) {
            (table.since, table.recorded) = (Some(now), 0);
            table.by_address.clear();
        }
        let party = address.map(origin);
        let here = table.by_address.get(&party).copied().unwrap_or_default();
        if table.recorded < IN_ALL && here < PER_ADDRESS {
            table.recorded += 1;
            table.by_address.insert(party, here + 1);
            return true;
        }
        let unrecorded = table.unrecorded.get_or_insert(Unrecorded { count: 0, since: now, address });
        unrecorded.count += 1;
        unrecorded.address = address;
        metrics::counter!("countersign_refusals_without_an_entry_total").increment(1);
        false
    }

    /// The entry about those that got none; from here on they are told of.
    fn summary(&self, what: &str) -> Option<EntryBody> {
        let Unrecorded { count, since, address } = self.0.lock().unrecorded.take()?;
        let cause =
            format!("{count} more {what} since {since}: too many for an entry each; the address is that of the last");
        Some(EntryBody::SignInRefused { subject: None, method: SEVERAL.to_owned(), cause, address })
    }
}

impl Administrator {
    /// Now and then, and before the end. A crash in between loses a number, at most of the last half minute.
    pub(crate) fn record_summary_of_refusals(&self) {
        let accounts = &self.0.accounts;
        let refusals = accounts.refusals.summary("refused proofs");
        let strangers = accounts.strangers.summary("refused requests of nobody known");
        refusals.into_iter().chain(strangers).for_each(|summary| self.record_later(summary));
    }
}
