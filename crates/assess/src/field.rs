//! What can be asked of an entry of the inventory: each field with its name, its kind, the attributes that it rests on, and
//! what its value means. A value that no source gave is unknown, with the reason.

use std::borrow::Cow;

use countersign_estate::{Factor, Kind, Moment};
use serde::Serialize;

use crate::truth::Truth;
use crate::view::{Entry, Use, View, Way};
use crate::when::When;

/// How a field is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldKind {
    /// `enabled`, `not enabled`
    Flag,
    /// `= x`, `!= x`, `contains x`, in any case
    Text,
    /// `= 3`, `!= 3`, `< 3`, `<= 3`, `> 3`, `>= 3`
    Number,
    /// `older-than 90 days`
    Date,
}

#[derive(Debug)]
pub(crate) enum Value<'v> {
    Unknown(&'static str),
    Flag(Truth),
    Texts(Vec<Cow<'v, str>>),
    Number(u64),
    Date(When),
}

pub(crate) struct Field {
    pub(crate) name: FieldName,
    pub(crate) kind: FieldKind,
    /// What it rests on, for the evidence.
    pub(crate) attributes: &'static [&'static str],
    pub(crate) means: &'static str,
    pub(crate) value: for<'v, 'i> fn(&'v View<'i>, &'v Entry<'i>) -> Value<'v>,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name.name())
    }
}

/// Every field with its kind and what it means, for help and documentation.
pub fn fields() -> impl Iterator<Item = (&'static str, FieldKind, &'static str)> {
    FIELDS.iter().map(|field| (field.name.name(), field.kind, field.means))
}

impl Serialize for FieldName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

pub(crate) fn find(name: &str) -> Option<&'static Field> {
    FIELDS.iter().copied().find(|field| field.name.name() == name)
}

macro_rules! table {
    ($($name:ident $text:literal $kind:ident [$($attribute:literal),*] $means:literal $value:expr;)*) => {
        /// The name of a field.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum FieldName {
            $(#[doc = $means] $name,)*
        }

        impl FieldName {
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            pub(crate) const fn field(self) -> &'static Field {
                match self {
                    $(Self::$name => const {
                        &Field {
                            name: FieldName::$name,
                            kind: FieldKind::$kind,
                            attributes: &[$($attribute),*],
                            means: $means,
                            value: $value,
                        }
                    },)*
                }
            }
        }

        const FIELDS: &[&Field] = &[$(FieldName::$name.field(),)*];
    };
}

table! {
    Key "key" Text [] "the inventory's own name for it"
        |_, entry| Value::Texts(vec![Cow::Borrowed(&entry.node.key)]);
    Name "name" Text [] "the name in the newest sighting"
        |_, entry| Value::Texts(vec![Cow::Borrowed(entry.node.name())]);
    KindField "kind" Text [] "account, human, service, agent, key, group, role, device, resource and the estate's other kinds"
        |_, entry| kind(entry.kind);
    Source "source" Text [] "the systems that it is in, such as active-directory"
        sources;
    UsedBy "use" Text ["managed_password", "trust_account", "built_in", "service_principals", "has_service_principal"]
        "who uses the account as far as sources say: person, service, system (nobody's: trusts, krbtgt, built-in), undetermined, other"
        |_, entry| Value::Texts(vec![Cow::Borrowed(entry.usage.name())]);
    Account "account" Flag [] "an account of a person or programme; devices and keys are none"
        |_, entry| flag(entry.is_account() && !entry.listed_only);
    System "system" Flag ["trust_account", "built_in"] "nobody's account: of a trust or device, krbtgt, built-in"
        |_, entry| flag(entry.usage == Use::System);
    Krbtgt "krbtgt" Flag ["built_in"] "the account that Kerberos encrypts tickets with, or that of a read-only controller"
        |_, entry| flag(entry.is_krbtgt());
    IsService "is-service" Flag ["managed_password", "service_principals", "has_service_principal"] "a programme uses it"
        is_service;
    Application "application" Flag [] "a resource that people sign in to; what directories keep for themselves is none"
        application;
    Enabled "enabled" Flag ["enabled"] "not disabled; a locked account is enabled"
        |_, entry| said(entry.attributes.enabled, "the source does not say whether it is enabled");
    Locked "locked" Flag ["locked"] "locked for a while after wrong passwords"
        |_, entry| said(entry.attributes.locked, "the source does not say whether it is locked now");
    Guest "guest" Flag ["guest"] "of somebody from outside the organisation"
        |_, entry| said(entry.attributes.guest, "the source does not say who is a guest");
    DomainController "domain-controller" Flag ["domain_controller"] "a controller of a Windows domain"
        domain_controller;
    Domain "domain" Text ["domain"] "the Windows domain"
        |_, entry| text(entry.attributes.domain.as_deref(), "the source does not say the domain");
    Department "department" Text ["department"] "the department of its person"
        |_, entry| text(entry.attributes.department.as_deref(), "the source does not say the department");
    Title "title" Text ["title"] "the title of its person"
        |_, entry| text(entry.attributes.title.as_deref(), "the source does not say the title");
    Created "created" Date ["created"] "when it was made"
        |_, entry| match entry.attributes.created {
            Some(created) => Value::Date(When::once(created)),
            None => Value::Unknown("the source does not say when it was made"),
        };
    Expires "expires" Date ["expires"] "when the account ends"
        |_, entry| match entry.attributes.expires {
            Some(Moment::At(at)) => Value::Date(When::once(at)),
            Some(Moment::Never) => Value::Date(When::never()),
            None => Value::Unknown("the source does not say when it ends"),
        };
    HasExpiry "has-expiry" Flag ["expires"] "the account or key ends some day"
        |_, entry| said(
            entry.attributes.expires.map(|expires| expires != Moment::Never),
            "the source does not say when it ends",
        );
    Left "left" Date ["left"] "when its person left"
        |view, entry| match view.left(entry) {
            Ok(left) => Value::Date(left),
            Err(why) => Value::Unknown(why),
        };
    LastUse "last-use" Date ["sign_ins"] "the last sign-in or use, as an interval"
        |_, entry| match last_use(entry) {
            Some(when) => Value::Date(when),
            None => Value::Unknown(NO_SIGN_INS),
        };
    NeverUsed "never-used" Flag ["sign_ins"] "it has never signed in"
        |_, entry| match last_use(entry) {
            Some(when) => Value::Flag(when.never_happened()),
            None => Value::Unknown(NO_SIGN_INS),
        };
    PasswordLastSet "password-last-set" Date ["password_last_set"] "when the password, or the key, was last changed"
        |_, entry| match entry.attributes.password_last_set {
            Some(moment) => Value::Date(When::recurring(moment, entry.seen)),
            None => Value::Unknown("the source does not say when the password was set"),
        };
    PasswordNeverExpires "password-never-expires" Flag ["password_never_expires"] "its password need never be changed"
        |_, entry| said(entry.attributes.password_never_expires, "the source does not say whether its password expires");
    PasswordNotRequired "password-not-required" Flag ["password_not_required"] "an empty password is allowed"
        |_, entry| said(entry.attributes.password_not_required, "the source does not say whether it needs a password");
    PasswordInDirectory "password-in-directory" Flag ["password_in_directory"] "a password stands readable in the directory"
        |view, entry| positive(view, entry, entry.attributes.password_in_directory, "password_in_directory",
            "no account of the export has a password attribute: it may not have been asked for");
    ManagedPassword "managed-password" Flag ["managed_password"] "the directory changes the password itself"
        |_, entry| flag(entry.attributes.managed_password == Some(true));
    Mfa "mfa" Flag ["factors"] "more than a password is set up for it"
        |_, entry| said(entry.attributes.factors.as_ref().map(|factors| !factors.is_empty()), NO_FACTORS);
    PhishingResistant "phishing-resistant" Flag ["factors"] "a passkey, FIDO2 key, smart card or the like is set up"
        |_, entry| phishing_resistant(entry);
    SingleSignOn "single-sign-on" Flag ["single_sign_on"] "of an identity provider, linked with an account of one, or permitted by one"
        single_sign_on;
    AnsweredFor "answered-for" Flag ["owner", "left", "enabled"] "an owner who is there, or the person whose account it is, answers for it"
        |view, entry| Value::Flag(view.answered_for(entry));
    People "people" Number [] "people who share it, by the links of the inventory"
        |view, entry| Value::Number(view.persons(entry) as u64);
    FunctionName "function-name" Flag ["account_name"] "named for a function and not for somebody: a sign, no proof"
        |_, entry| flag(is_function(entry.account_name()));
    SessionDevices "session-devices" Number [] "devices on which it was seen signed in at one time"
        |view, entry| match view.session_devices(entry) {
            0 if !view.sessions_known(entry) => Value::Unknown("sessions were not collected"),
            devices => Value::Number(devices as u64),
        };
    PrivilegedSessions "privileged-sessions" Number [] "accounts privileged by membership that are signed in on the device"
        |view, entry| match view.privileged_sessions(entry).len() {
            0 if !view.sessions_known(entry) => Value::Unknown("sessions were not collected"),
            0 if !view.memberships_known(entry) => Value::Unknown(NO_MEMBERS),
            sessions => Value::Number(sessions as u64),
        };
    LocalPasswordManaged "local-password-managed" Flag ["local_password_managed"] "the directory changes the local administrator's password (LAPS)"
        |_, entry| said(entry.attributes.local_password_managed, "the source does not say whether its local password is managed");
    ServicePrincipals "service-principals" Number ["service_principals", "has_service_principal"]
        "service principal names on it; 1 if the source says only that there are any"
        |view, entry| match (entry.attributes.service_principals.len(), entry.attributes.has_service_principal) {
            (0, Some(any)) => Value::Number(u64::from(any)),
            (0, None) if !view.exported(entry, "service_principals") => {
                Value::Unknown("no account of the export has a service principal name: they may not have been asked for")
            }
            (names, _) => Value::Number(names as u64),
        };
    WithoutPreauthentication "without-preauthentication" Flag ["without_preauthentication"] "Kerberos gives out what its password encrypts to anybody"
        |_, entry| said(entry.attributes.without_preauthentication, "the source does not say whether it pre-authenticates");
    UnconstrainedDelegation "unconstrained-delegation" Flag ["unconstrained_delegation"] "whoever signs in there can be impersonated everywhere"
        |_, entry| said(entry.attributes.unconstrained_delegation, "the source does not say whether delegation is unconstrained");
    Memberships "memberships" Number [] "groups and roles that it is directly in, but for those of every user"
        |view, entry| match view.memberships(entry).len() {
            0 if !view.memberships_known(entry) => Value::Unknown(NO_MEMBERS),
            memberships => Value::Number(memberships as u64),
        };
    UnusualMemberships "unusual-memberships" Number ["department", "title"] "memberships that few of the same department and title have"
        |view, entry| match view.unusual_memberships(entry) {
            Some(unusual) => Value::Number(unusual as u64),
            None => Value::Unknown("its department, title or memberships are not known, or too few have the same"),
        };
    Privilege "privilege" Text [] "how it comes to tier zero: direct, nested (groups in groups), rights, none"
        privilege;
    Privileged "privileged" Flag [] "of tier zero by membership, direct or nested"
        privileged;
    PrivilegeByRights "privilege-by-rights" Flag [] "controls tier zero by rights over others, and is no member"
        by_rights;
    ReachesTierZero "reaches-tier-zero" Flag [] "gets to tier zero by memberships, rights and sessions together, or is of it"
        reaches_tier_zero;
}

const NO_SIGN_INS: &str = "the source has no sign-in stamps";
const NO_FACTORS: &str = "the source does not say what it signs in with";
const NO_MEMBERS: &str = "the members of groups were not imported";
const NO_RIGHTS: &str = "rights over other objects were not imported";
const CONDITIONAL: &str = "only under a condition that is not decided here";

fn flag<'v>(holds: bool) -> Value<'v> {
    Value::Flag(holds.into())
}

fn said<'v>(said: Option<bool>, why: &'static str) -> Value<'v> {
    Value::Flag(Truth::said(said, why))
}

fn text<'v>(text: Option<&'v str>, why: &'static str) -> Value<'v> {
    text.map_or(Value::Unknown(why), |text| Value::Texts(vec![Cow::Borrowed(text)]))
}

/// An attribute that is only ever said where it holds.
fn positive<'v>(view: &View<'_>, entry: &Entry<'_>, holds: Option<bool>, name: &str, why: &'static str) -> Value<'v> {
    match holds {
        Some(holds) => flag(holds),
        None if view.exported(entry, name) => flag(false),
        None => Value::Unknown(why),
    }
}

fn last_use(entry: &Entry<'_>) -> Option<When> {
    When::last_use(&entry.attributes.sign_ins, entry.seen)
}

fn sources<'v>(view: &'v View<'_>, entry: &'v Entry<'_>) -> Value<'v> {
    let systems = entry
        .parts
        .iter()
        .filter_map(|part| view.inventory.part(*part))
        .map(|part| Cow::Owned(part.system.to_string()));
    Value::Texts(systems.collect())
}

fn is_service<'v>(_: &'v View<'_>, entry: &'v Entry<'_>) -> Value<'v> {
    Value::Flag(match entry.usage {
        Use::Service => Truth::Yes,
        Use::Person | Use::System | Use::Other => Truth::No,
        Use::Undetermined => Truth::Unknown("no source says whether a person or a programme uses it"),
    })
}

fn application<'v>(view: &'v View<'_>, entry: &'v Entry<'_>) -> Value<'v> {
    let lists = |part: &u32| view.inventory.part(*part).is_some_and(|part| part.system.lists_applications());
    flag(entry.kind == Kind::Resource && entry.parts.iter().any(lists))
}

fn domain_controller<'v>(view: &'v View<'_>, entry: &'v Entry<'_>) -> Value<'v> {
    let controllers = view.memberships(entry).iter().filter_map(|edge| view.inventory.edges().get(*edge as usize));
    let mut groups = controllers.filter_map(|edge| view.entry(edge.to));
    match entry.attributes.domain_controller {
        Some(is) => flag(is),
        None if entry.kind != Kind::Device => flag(false),
        // Domain controllers, read-only ones among them, by their primary group.
        None if groups.any(|group| group.node.key.ends_with("-516") || group.node.key.ends_with("-521")) => flag(true),
        None if view.in_any_group(entry) => flag(false),
        None => Value::Unknown("the source does not say which devices are domain controllers"),
    }
}

fn phishing_resistant<'v>(entry: &Entry<'_>) -> Value<'v> {
    let Some(factors) = &entry.attributes.factors else { return Value::Unknown(NO_FACTORS) };
    if factors.contains(&Factor::PhishingResistant) {
        flag(true)
    } else if factors.contains(&Factor::Unspecified) {
        Value::Unknown("the source does not say of which kind its factor is")
    } else {
        flag(false)
    }
}

fn single_sign_on<'v>(view: &'v View<'_>, entry: &'v Entry<'_>) -> Value<'v> {
    if let Some(said) = entry.attributes.single_sign_on {
        return flag(said);
    }
    let linked = || view.people().linked(entry.number).filter_map(|number| view.entry(number));
    if view.in_provider(entry) || view.permitted_by_provider(entry) || linked().any(|other| view.in_provider(other)) {
        flag(true)
    } else if view.any_provider() {
        flag(false)
    } else {
        Value::Unknown("no identity provider was imported")
    }
}

fn membership(view: &View<'_>, entry: &Entry<'_>) -> Truth {
    match view.privilege().membership(entry.number) {
        Way::Direct | Way::Nested => Truth::Yes,
        Way::Conditional => Truth::Unknown(CONDITIONAL),
        _ => {
            if view.memberships_known(entry) {
                Truth::No
            } else {
                Truth::Unknown(NO_MEMBERS)
            }
        }
    }
}

fn rights(view: &View<'_>, entry: &Entry<'_>) -> Truth {
    match view.privilege().rights(entry.number) {
        Way::Rights => Truth::Yes,
        Way::Conditional => Truth::Unknown(CONDITIONAL),
        // A member has no need of rights over others.
        _ if membership(view, entry) == Truth::Yes => Truth::No,
        _ if !view.rights_known(entry) => Truth::Unknown(NO_RIGHTS),
        _ => {
            if view.memberships_known(entry) {
                Truth::No
            } else {
                Truth::Unknown(NO_MEMBERS)
            }
        }
    }
}

fn privileged<'v>(view: &'v View<'_>, entry: &'v Entry<'_>) -> Value<'v> {
    Value::Flag(membership(view, entry))
}

fn by_rights<'v>(view: &'v View<'_>, entry: &'v Entry<'_>) -> Value<'v> {
    Value::Flag(rights(view, entry))
}

fn reaches_tier_zero<'v>(view: &'v View<'_>, entry: &'v Entry<'_>) -> Value<'v> {
    Value::Flag(match view.reaches_tier_zero(entry) {
        (true, _) => Truth::Yes,
        (false, true) => Truth::Unknown(CONDITIONAL),
        _ if !view.rights_known(entry) => Truth::Unknown(NO_RIGHTS),
        _ if !view.memberships_known(entry) => Truth::Unknown(NO_MEMBERS),
        _ if !view.sessions_known(entry) => Truth::Unknown("sessions were not collected"),
        _ => Truth::No,
    })
}

fn privilege<'v>(view: &'v View<'_>, entry: &'v Entry<'_>) -> Value<'v> {
    match (view.privilege().membership(entry.number), rights(view, entry)) {
        (Way::Direct, _) => Value::Texts(vec![Cow::Borrowed("direct")]),
        (Way::Nested, _) => Value::Texts(vec![Cow::Borrowed("nested")]),
        (_, Truth::Yes) => Value::Texts(vec![Cow::Borrowed("rights")]),
        (_, Truth::Unknown(why)) => Value::Unknown(why),
        (_, Truth::No) => match membership(view, entry) {
            Truth::Unknown(why) => Value::Unknown(why),
            Truth::Yes | Truth::No => Value::Texts(vec![Cow::Borrowed("none")]),
        },
    }
}

/// Words that say what an account is for. A name made of one of them, or with one of them set apart, is no person's.
const FUNCTIONS: [&str; 20] = [
    "accounting",
    "common",
    "frontdesk",
    "generic",
    "helpdesk",
    "hotline",
    "info",
    "kiosk",
    "mailbox",
    "office",
    "reception",
    "room",
    "sales",
    "scan",
    "scanner",
    "shared",
    "team",
    "temp",
    "training",
    "warehouse",
];

fn is_function(name: &str) -> bool {
    let name = name.to_lowercase();
    name.split(|letter: char| !letter.is_alphabetic()).any(|word| FUNCTIONS.contains(&word))
}

/// By the estate's own word.
fn kind<'v>(kind: Kind) -> Value<'v> {
    let word = serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned));
    Value::Texts(vec![Cow::Owned(word.unwrap_or_default())])
}
