//! The circumstances that all uses of something had.

use std::collections::BTreeSet;

use countersign_model::{AuthenticationMethod, Circumstances, SubjectKind};
use countersign_policy::Demand;

use super::Circumstance;

/// Hours and weekdays that nobody used yet are no sign of misuse until there was occasion for them: so many days.
const DAYS: usize = 10;
/// And so many uses.
const USES: u64 = 50;

pub(super) struct Common {
    had: BTreeSet<Demand>,
    /// A bit for each.
    hours: u32,
    weekdays: u32,
    days: BTreeSet<i64>,
    uses: u64,
}

impl Common {
    pub(super) fn of(circumstances: &Circumstances) -> Self {
        let mut all = vec![
            Demand::SignIn,
            Demand::MultiFactor,
            Demand::PhishingResistant,
            Demand::Device,
            Demand::ManagedDevice,
            Demand::CompliantDevice,
            Demand::Encrypted,
        ];
        all.extend(AuthenticationMethod::ALL.map(|method| Demand::Method { method }));
        all.extend(circumstances.network.zones.iter().map(|zone| Demand::Zone { zone: zone.clone() }));
        let mut common = Self { had: all.into_iter().collect(), hours: 0, weekdays: 0, days: BTreeSet::new(), uses: 0 };
        common.meet(circumstances);
        common
    }

    pub(super) fn meet(&mut self, circumstances: &Circumstances) {
        self.had.retain(|demand| demand.holds(circumstances));
        let time = &circumstances.time;
        self.hours |= 1_u32.checked_shl(time.hour.into()).unwrap_or_default();
        self.weekdays |= 1_u32.checked_shl(time.weekday.into()).unwrap_or_default();
        self.days.insert(time.now.seconds().div_euclid(86_400));
        self.uses += 1;
    }

    /// The strongest of what all had. A person may come by another method tomorrow; a programme has but one.
    pub(super) fn demands(&self, kind: SubjectKind, of: &BTreeSet<Circumstance>) -> BTreeSet<Demand> {
        let mut demands = self.had.clone();
        let implied: &[(Demand, &[Demand])] = &[
            (Demand::PhishingResistant, &[Demand::MultiFactor, Demand::SignIn]),
            (Demand::MultiFactor, &[Demand::SignIn]),
            (Demand::ManagedDevice, &[Demand::Device]),
            (Demand::CompliantDevice, &[Demand::Device]),
        ];
        for (_, weaker) in implied.iter().filter(|(strong, _)| self.had.contains(strong)) {
            demands.retain(|demand| !weaker.contains(demand));
        }
        demands.retain(|demand| match demand {
            Demand::Method { .. } => kind != SubjectKind::Human && of.contains(&Circumstance::SignIn),
            Demand::SignIn | Demand::MultiFactor | Demand::PhishingResistant => of.contains(&Circumstance::SignIn),
            Demand::Device | Demand::ManagedDevice | Demand::CompliantDevice => of.contains(&Circumstance::Device),
            Demand::Encrypted | Demand::Zone { .. } => of.contains(&Circumstance::Network),
            Demand::Hours { .. } | Demand::Weekdays { .. } => false,
        });
        if of.contains(&Circumstance::Time) && self.days.len() >= DAYS && self.uses >= USES {
            let bounds =
                |bits: u32| Some((u8::try_from(bits.trailing_zeros()).ok()?, u8::try_from(bits.ilog2()).ok()?));
            demands.extend(
                bounds(self.hours).filter(|it| *it != (0, 23)).map(|(first, last)| Demand::Hours { first, last }),
            );
            let weekdays = bounds(self.weekdays).filter(|it| *it != (1, 7));
            demands.extend(weekdays.map(|(first, last)| Demand::Weekdays { first, last }));
        }
        demands
    }
}
