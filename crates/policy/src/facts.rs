//! Where a condition finds its facts. A condition was compiled to slots, numbers for paths such as
//! `context.device.compliant`; here a slot becomes a value, read straight from the records and the question. Freshness
//! is settled before the question is asked; nothing here judges.

use countersign_model::{Circumstances, SessionId};

use crate::records::{ResourceRecord, SubjectRecord};
use crate::symbols::{Symbol, Symbols};
use crate::value::{AddressRange, Set, Uncovered, Value};

/// A path, as a number that the [`Layout`] gave out.
pub(crate) type Slot = u16;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Root {
    Principal,
    Resource,
    Context,
}

/// Which paths have a slot; asked while compiling.
pub(crate) trait Layout {
    fn slot(&mut self, root: Root, path: &[&str]) -> Option<Slot>;
}

/// What the slots hold for one question; asked while evaluating.
pub(crate) trait Facts<'a> {
    fn principal(&self) -> Symbol;
    fn resource(&self) -> Symbol;
    /// Whether the principal, or the resource, is in `group` by membership (not: is it).
    fn principal_within(&self, group: Symbol) -> bool;
    fn resource_within(&self, group: Symbol) -> bool;
    fn principal_ancestors(&self) -> &[Symbol];
    fn resource_ancestors(&self) -> &[Symbol];
    /// `None` where an optional attribute is absent.
    fn read(&self, slot: Slot) -> Result<Option<Value<'a>>, Uncovered>;
    fn has(&self, slot: Slot) -> Result<bool, Uncovered>;
}

macro_rules! facts {
    ($($fact:ident $path:literal)*) => {
        /// Every path of the product's schema.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub(crate) enum Fact { $($fact),* }

        impl Fact {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$fact),*];

            /// As a policy writes it.
            pub(crate) const fn path(self) -> &'static str {
                match self { $(Self::$fact => $path),* }
            }
        }
    };
}

facts! {
    Owner "principal.owner"
    ActsFor "principal.acts_for"
    ResourceKind "resource.kind"
    Tier "resource.tier"
    Segment "resource.segment"
    ResourceOwner "resource.owner"
    Readers "resource.readers"
    Writers "resource.writers"
    Administrators "resource.administrators"
    Authentication "context.authentication"
    Methods "context.authentication.methods"
    PhishingResistant "context.authentication.phishing_resistant"
    MultiFactor "context.authentication.multi_factor"
    AuthenticationAge "context.authentication.age"
    Device "context.device"
    DeviceId "context.device.id"
    Managed "context.device.managed"
    Compliant "context.device.compliant"
    PostureAge "context.device.posture_age"
    Network "context.network"
    Address "context.network.address"
    Zones "context.network.zones"
    Encrypted "context.network.encrypted"
    Time "context.time"
    Now "context.time.now"
    Hour "context.time.hour"
    Weekday "context.time.weekday"
    TimeZone "context.time.zone"
    Risk "context.risk"
    Grant "context.grant"
    GrantId "context.grant.id"
    GrantClass "context.grant.class"
    GrantExpires "context.grant.expires"
    Exception "context.exception"
    ExceptionRelaxes "context.exception.relaxes"
    Http "context.http"
    Method "context.http.method"
    Host "context.http.host"
    Path "context.http.path"
    Session "context.session"
}

impl Fact {
    pub(crate) fn of(slot: Slot) -> Option<Self> {
        Self::ALL.get(usize::from(slot)).copied()
    }

    /// What stands in the records of who and what; `None`: it is of the circumstances.
    #[inline]
    pub(crate) fn of_records<'a>(
        self,
        subject: &'a SubjectRecord,
        resource: &'a ResourceRecord,
    ) -> Option<Option<Value<'a>>> {
        Some(match self {
            Self::Owner => subject.owner.map(Value::Entity),
            Self::ActsFor => subject.acts_for.map(Value::Entity),
            Self::ResourceKind => Some(Value::Text(resource.kind.name())),
            Self::Tier => Some(Value::Text(resource.tier.name())),
            Self::Segment => resource.segment.map(Value::Entity),
            Self::ResourceOwner => resource.owner.map(Value::Entity),
            Self::Readers => Some(Value::Set(Set::Groups(&resource.readers))),
            Self::Writers => Some(Value::Set(Set::Groups(&resource.writers))),
            Self::Administrators => Some(Value::Set(Set::Groups(&resource.administrators))),
            _ => return None,
        })
    }

    pub(crate) const fn slot(self) -> Slot {
        self as Slot
    }

    pub(crate) fn at(root: Root, path: &[&str]) -> Option<Self> {
        let root = match root {
            Root::Principal => "principal",
            Root::Resource => "resource",
            Root::Context => "context",
        };
        Self::ALL.iter().copied().find(|fact| {
            let mut parts = fact.path().split('.');
            parts.next() == Some(root) && parts.eq(path.iter().copied())
        })
    }
}

/// The layout of the product's schema.
#[derive(Debug)]
pub(crate) struct ProductLayout;

impl Layout for ProductLayout {
    fn slot(&mut self, root: Root, path: &[&str]) -> Option<Slot> {
        Fact::at(root, path).map(Fact::slot)
    }
}

/// One question on one slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) subject: &'a SubjectRecord,
    pub(crate) resource: &'a ResourceRecord,
    pub(crate) circumstances: &'a Circumstances,
    pub(crate) session: Option<SessionId>,
    pub(crate) symbols: &'a Symbols,
}

/// Ages and times beyond Cedar's range are as good as the end of it.
pub(crate) fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl<'a> Facts<'a> for View<'a> {
    fn principal(&self) -> Symbol {
        self.subject.symbol
    }

    fn resource(&self) -> Symbol {
        self.resource.symbol
    }

    fn principal_within(&self, group: Symbol) -> bool {
        self.subject.within(group)
    }

    fn resource_within(&self, group: Symbol) -> bool {
        self.resource.segment == Some(group)
    }

    fn principal_ancestors(&self) -> &[Symbol] {
        &self.subject.groups
    }

    fn resource_ancestors(&self) -> &[Symbol] {
        self.resource.segment.as_slice()
    }

    fn has(&self, slot: Slot) -> Result<bool, Uncovered> {
        let context = self.circumstances;
        // The parts of the context that are records have no value of their own; the rest is there when it has one.
        match Fact::of(slot).ok_or(Uncovered)? {
            Fact::Authentication => Ok(context.authentication.is_some()),
            Fact::Device => Ok(context.device.is_some()),
            Fact::Network | Fact::Time => Ok(true),
            Fact::Grant | Fact::GrantId => Ok(context.grant.is_some()),
            Fact::Exception => Ok(context.exception.is_some()),
            Fact::Http => Ok(context.http.is_some()),
            _ => self.read(slot).map(|value| value.is_some()),
        }
    }

    fn read(&self, slot: Slot) -> Result<Option<Value<'a>>, Uncovered> {
        let context = self.circumstances;
        let authentication = context.authentication.as_ref();
        let device = context.device.as_ref();
        let network = &context.network;
        let fact = Fact::of(slot).ok_or(Uncovered)?;
        if let Some(value) = fact.of_records(self.subject, self.resource) {
            return Ok(value);
        }
        Ok(match fact {
            Fact::Methods => authentication.map(|proof| Value::Set(Set::Methods(&proof.methods))),
            Fact::PhishingResistant => authentication.map(|proof| Value::Bool(proof.phishing_resistant())),
            Fact::MultiFactor => authentication.map(|proof| Value::Bool(proof.multi_factor())),
            Fact::AuthenticationAge => authentication.map(|proof| Value::Long(long(proof.age))),
            Fact::DeviceId => device.map(|device| Value::Entity(self.symbols.find("Device", device.id.as_str()))),
            Fact::Managed => device.map(|device| Value::Bool(device.managed)),
            Fact::Compliant => device.map(|device| Value::Bool(device.compliant)),
            Fact::PostureAge => device.and_then(|device| device.posture_age).map(|age| Value::Long(long(age))),
            Fact::Address => Some(Value::Address(AddressRange::one(network.address))),
            Fact::Zones => Some(Value::Set(Set::Zones(&network.zones))),
            Fact::Encrypted => Some(Value::Bool(network.encrypted)),
            Fact::Now => Some(Value::Instant(context.time.now.millis())),
            Fact::Hour => Some(Value::Long(context.time.hour.into())),
            Fact::Weekday => Some(Value::Long(context.time.weekday.into())),
            Fact::TimeZone => Some(Value::Text(&context.time.zone)),
            Fact::Risk => Some(Value::Long(context.risk.into())),
            Fact::GrantClass => context.grant.as_ref().map(|grant| Value::Text(grant.class.name())),
            Fact::GrantExpires => context.grant.as_ref().map(|grant| Value::Instant(grant.expires.millis())),
            Fact::ExceptionRelaxes => {
                context.exception.as_ref().map(|exception| Value::Set(Set::Policies(&exception.relaxes)))
            }
            Fact::Method => context.http.as_ref().map(|http| Value::Text(&http.method)),
            Fact::Host => context.http.as_ref().map(|http| Value::Text(&http.host)),
            Fact::Path => context.http.as_ref().map(|http| Value::Text(&http.path)),
            Fact::Session => {
                self.session.map(|session| Value::Entity(self.symbols.find("Session", &session.to_string())))
            }
            // A record as a whole, a text that exists nowhere yet, or what the records have told.
            Fact::Owner
            | Fact::ActsFor
            | Fact::ResourceKind
            | Fact::Tier
            | Fact::Segment
            | Fact::ResourceOwner
            | Fact::Readers
            | Fact::Writers
            | Fact::Administrators
            | Fact::Authentication
            | Fact::Device
            | Fact::Network
            | Fact::Time
            | Fact::Grant
            | Fact::GrantId
            | Fact::Exception
            | Fact::Http => return Err(Uncovered),
        })
    }
}
