//! Who can do what, for everybody and everything: exact answers, not samples. Subjects that no policy can tell apart are
//! found together ([`Population`], `ask/classes.rs`), and what is left of the policies for each is evaluated once for all for
//! whom it is the same ([`Survey`], `ask/survey.rs`); under which circumstances somebody can is found by trying every
//! circumstance that the policies tell apart ([`Terrain`], `ask/conditions.rs`). It searches no remedy and records nothing.

mod classes;
mod conditions;
mod named;
mod survey;
mod words;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use countersign_model::{
    Action, Authentication, AuthenticationMethod, Circumstances, GroupId, HttpCircumstances, Methods, SubjectKind,
};

use crate::decide::Verdict;
use crate::facts::{Fact, View};
use crate::records::{Record, Shape, SubjectRecord};
use crate::set::PolicySet;

pub use classes::Population;
pub use conditions::{DeviceBound, Place, SignInBound, Sufficient, Terrain, Way, Window, ZonesOf};
pub(crate) use named::Named;
pub use survey::{Classes, Survey};

/// The service that the command line on the machine itself acts as: it has a proof of its own.
const LOCAL_OPERATOR: &str = "local-operator";

/// Somebody who could ask.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    pub record: &'a Record,
    /// 0 to 100.
    pub risk: u8,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub action: Action,
    pub record: &'a Record,
    /// The request that stands for it, where there is one.
    pub http: Option<Arc<HttpCircumstances>>,
}

/// How a person proves who they are, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SignIn {
    None,
    Federated,
    MultiFactor,
    /// Through the identity provider.
    PhishingResistant,
    Passkey,
}

impl SignIn {
    pub const ALL: [Self; 5] = [Self::None, Self::Federated, Self::MultiFactor, Self::PhishingResistant, Self::Passkey];

    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Federated => "federated",
            Self::MultiFactor => "multi-factor",
            Self::PhishingResistant => "phishing-resistant",
            Self::Passkey => "passkey",
        }
    }

    const fn method(self) -> Option<AuthenticationMethod> {
        match self {
            Self::None => None,
            Self::Federated => Some(AuthenticationMethod::Federated),
            Self::MultiFactor => Some(AuthenticationMethod::FederatedMultiFactor),
            Self::PhishingResistant => Some(AuthenticationMethod::FederatedPhishingResistant),
            Self::Passkey => Some(AuthenticationMethod::Passkey),
        }
    }
}

/// How those who ask have proven who they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proven {
    /// People like this, so many seconds ago; services and agents with their key, unless it is [`SignIn::None`].
    By(SignIn, u64),
    /// As the circumstances say, whoever it is.
    AsStated,
}

/// The circumstances under which everybody is taken to ask. Risk and request in them are not read: the one is each
/// subject's own, the other comes with what is [`Wanted`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Situation {
    pub circumstances: Circumstances,
    pub proven: Proven,
    /// In place of each subject's own.
    pub risk: Option<u8>,
}

impl Situation {
    /// As they are when `asker` asks for what `http` stands for.
    pub fn circumstances_of(
        &self,
        set: &PolicySet,
        asker: &Asker<'_>,
        http: Option<&Arc<HttpCircumstances>>,
    ) -> Circumstances {
        let profile = match &asker.record.0 {
            Shape::Subject(subject) => Profile::of(set, subject),
            Shape::Resource(_) => Profile::Nobody,
        };
        self.of(asker, profile, http)
    }

    /// As they are when `asker` asks for what `http` stands for.
    fn of(&self, asker: &Asker<'_>, profile: Profile, http: Option<&Arc<HttpCircumstances>>) -> Circumstances {
        let mut circumstances = self.circumstances.clone();
        if let Proven::By(sign_in, age) = self.proven {
            let at = circumstances.time.now.minus(std::time::Duration::from_secs(age));
            let proof = |method| Authentication { methods: Methods::from([method]), at, age };
            circumstances.authentication = profile.method(sign_in).map(proof);
        }
        circumstances.risk = self.risk.unwrap_or(asker.risk);
        circumstances.http = http.cloned();
        circumstances
    }
}

/// Which policies are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    All,
    Permits,
}

/// With what somebody can prove who it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Profile {
    Nobody,
    Person,
    Machine,
    LocalOperator,
}

impl Profile {
    fn of(set: &PolicySet, subject: &SubjectRecord) -> Self {
        match subject.kind {
            SubjectKind::Anonymous => Self::Nobody,
            SubjectKind::Human => Self::Person,
            SubjectKind::Service if subject.symbol == set.symbols.find("Service", LOCAL_OPERATOR) => {
                Self::LocalOperator
            }
            SubjectKind::Service | SubjectKind::Agent => Self::Machine,
        }
    }

    const fn method(self, sign_in: SignIn) -> Option<AuthenticationMethod> {
        match (self, sign_in) {
            (Self::Nobody, _) | (_, SignIn::None) => None,
            (Self::Person, sign_in) => sign_in.method(),
            (Self::Machine, _) => Some(AuthenticationMethod::ApiKey),
            (Self::LocalOperator, _) => Some(AuthenticationMethod::LocalOperator),
        }
    }
}

impl PolicySet {
    /// Whether `asker` is allowed what is `wanted`: the same decision as [`PolicySet::decide`] makes, without reasons. That a
    /// resource is in observe mode allows nothing by policy.
    pub fn allows(&self, asker: &Asker<'_>, wanted: &Wanted<'_>, situation: &Situation) -> bool {
        let Shape::Subject(subject) = &asker.record.0 else { return false };
        let circumstances = situation.of(asker, Profile::of(self, subject), wanted.http.as_ref());
        self.allowed(subject, wanted, &circumstances)
    }

    fn allowed(&self, subject: &SubjectRecord, wanted: &Wanted<'_>, circumstances: &Circumstances) -> bool {
        let Shape::Resource(resource) = &wanted.record.0 else { return false };
        let view = View { subject, resource, circumstances, session: None, symbols: &self.symbols };
        self.engine().verdict(&view, wanted.action) == Verdict::Allow
    }

    /// Whether it may matter which device is asked from, beside the state that it is in.
    pub fn tells_devices_apart(&self) -> bool {
        named::Part { set: self, of: Of::All }.may_read(&[Fact::DeviceId])
    }

    /// The groups that policies name, sorted.
    pub fn named_groups(&self) -> Vec<GroupId> {
        let named = Named::of(self);
        let all = named.anywhere.into_iter().chain(named.at.into_values().flatten());
        let mut groups: Vec<GroupId> = all
            .filter_map(|symbol| self.symbols.name(symbol))
            .filter(|(kind, _)| kind.as_ref() == "Group")
            .filter_map(|(_, id)| GroupId::new(id).ok())
            .collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

/// Does `count` pieces of work on every core. `tick` hears how many are done after each, and ends it with `Break`: then
/// there is no answer.
pub fn each<T: Send>(
    count: usize,
    tick: &(dyn Fn(usize) -> ControlFlow<()> + Sync),
    work: impl Fn(usize) -> T + Sync,
) -> Option<Vec<T>> {
    let (next, done, stopped) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let take = || {
        let mut mine = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                break;
            }
            mine.push((at, work(at)));
            if tick(done.fetch_add(1, Ordering::Relaxed) + 1).is_break() {
                stopped.store(true, Ordering::Relaxed);
            }
        }
        mine
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(count.max(1));
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(take)).collect();
        let mut all = take();
        for other in others {
            match other.join() {
                Ok(found) => all.extend(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(at, _)| *at);
    (all.len() == count).then(|| all.into_iter().map(|(_, found)| found).collect())
}
