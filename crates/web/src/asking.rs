//! Questions to the policy that compute for a while: circumstances read from a query string, and the work itself on a
//! thread that stops when nobody waits for it any more. The answers are the administrator's.

use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_administrator::{
    Administrator, AskError, Conditions, DeviceCondition, NetworkCondition, RequestCondition, SignIn, Tick, Under,
};
use countersign_model::{SubjectKind, Timestamp, ZoneName};

use crate::Site;
use crate::error::Fault;

/// Circumstances as somebody wrote them; what is absent was not said.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stated<'q> {
    pub(crate) sign_in: Option<&'q str>,
    pub(crate) sign_in_age: Option<u64>,
    pub(crate) device: Option<&'q str>,
    pub(crate) posture_age: Option<u64>,
    pub(crate) network: Option<&'q str>,
    pub(crate) encrypted: Option<bool>,
    pub(crate) at: Option<Timestamp>,
    /// The past time that is asked about: no circumstance, but when it is if nothing else is said.
    pub(crate) as_of: Option<Timestamp>,
    pub(crate) risk: Option<u8>,
    pub(crate) method: Option<&'q str>,
    pub(crate) path: Option<&'q str>,
}

fn one_of<T: Copy>(what: &str, text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, Fault> {
    let names = || all.iter().map(|one| name(*one)).collect::<Vec<_>>().join(", ");
    let found = all.iter().copied().find(|one| name(*one) == text);
    found.ok_or_else(|| Fault::Malformed(format!("{text:?} is no {what}: there are {}", names())))
}

pub(crate) fn parsed<T: FromStr>(text: &str) -> Result<T, Fault>
where
    T::Err: std::fmt::Display,
{
    text.trim().parse().map_err(|error| Fault::Malformed(format!("{text:?}: {error}")))
}

pub(crate) fn kind(text: &str) -> Result<SubjectKind, Fault> {
    let name = |kind| match kind {
        SubjectKind::Human => "human",
        SubjectKind::Service => "service",
        SubjectKind::Agent => "agent",
        SubjectKind::Anonymous => "anonymous",
    };
    one_of("kind of subject", text, &SubjectKind::ALL, name)
}

impl Stated<'_> {
    fn says_something(&self) -> bool {
        let Self { sign_in, sign_in_age, device, posture_age, network, encrypted, at, risk, .. } = self;
        sign_in.is_some()
            || sign_in_age.is_some()
            || device.is_some()
            || posture_age.is_some()
            || network.is_some()
            || encrypted.is_some()
            || at.is_some()
            || risk.is_some()
    }

    /// What was not said is as in `otherwise`.
    fn over(&self, otherwise: Conditions) -> Result<Conditions, Fault> {
        let network = match self.network {
            None => otherwise.network,
            Some("elsewhere") => NetworkCondition::Elsewhere,
            Some(text) => match text.parse() {
                Ok(address) => NetworkCondition::Address(address),
                Err(_) => NetworkCondition::Zone(parsed::<ZoneName>(text)?),
            },
        };
        if self.risk.is_some_and(|risk| risk > 100) {
            return Err(Fault::Malformed("a risk is 0 to 100".to_owned()));
        }
        let sign_in =
            self.sign_in.map(|text| one_of("way to sign in", text, &SignIn::ALL, SignIn::name)).transpose()?;
        let device =
            self.device.map(|text| one_of("state of a device", text, &DeviceCondition::ALL, DeviceCondition::name));
        Ok(Conditions {
            sign_in: sign_in.unwrap_or(otherwise.sign_in),
            sign_in_age: self.sign_in_age.unwrap_or(otherwise.sign_in_age),
            device: device.transpose()?.unwrap_or(otherwise.device),
            posture_age: self.posture_age.unwrap_or(otherwise.posture_age),
            network,
            encrypted: self.encrypted.unwrap_or(otherwise.encrypted),
            at: self.at.or(self.as_of).or(otherwise.at),
            risk: self.risk.or(otherwise.risk),
        })
    }

    pub(crate) fn as_of(self, as_of: Option<Timestamp>) -> Self {
        Self { as_of, ..self }
    }

    /// As stated: what was not said is nothing, from elsewhere, now.
    pub(crate) fn conditions(&self) -> Result<Conditions, Fault> {
        self.over(Conditions::default())
    }

    /// As stated; where nothing was, the best there are.
    pub(crate) fn or_best(&self) -> Result<Conditions, Fault> {
        if self.says_something() { self.conditions() } else { Ok(Conditions::best()) }
    }

    /// As stated; where nothing was, any.
    pub(crate) fn under(&self, administrator: &Administrator) -> Result<Under, Fault> {
        if !self.says_something() {
            return Ok(Under::Any);
        }
        Ok(Under::These(Box::new(administrator.situation(&self.conditions()?)?)))
    }

    pub(crate) fn request(&self) -> RequestCondition {
        RequestCondition::Typical { method: self.method.map(str::to_owned), path: self.path.map(str::to_owned) }
    }
}

/// Tells the work to stop when the request that waits for it is dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does the work off the runtime's threads, no more than a few at a time, and stops it when nobody waits any more.
pub(crate) async fn ask<T: Send + 'static, E>(
    site: &Site,
    work: impl FnOnce(&Administrator, Tick<'_>) -> Result<T, E> + Send + 'static,
) -> Result<T, Fault>
where
    E: Send + 'static + Into<Fault>,
{
    let _turn = site.asking().acquire().await.map_err(|_| Fault::from(AskError::Cancelled))?;
    let gone = Arc::new(AtomicBool::new(false));
    let _waiting = Waiting(Arc::clone(&gone));
    let tick = move |_: usize, _: usize| {
        if gone.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    site.read(move |administrator| work(administrator, &tick)).await?.map_err(Into::into)
}
