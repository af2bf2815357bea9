//! What entries of Active Directory mean: accounts, groups, devices, units, policies, trusts, and who has which power
//! over them. Traps that are minded: never signed in is not the same as not asked; disabled, locked and expired are
//! three things; the accounts of trusts, krbtgt and managed accounts are not people.

use std::collections::HashSet;

use countersign_model::Timestamp;

use super::descriptor;
use super::{Attribute, Entry};
use super::{name, posix};
use crate::batch::{Intake, System};
use crate::fault::Cause;
use crate::observation::{Attributes, Factor, Kind, Moment, Place, Relation, SignIn, SignInKind};
use crate::sid;
use crate::sources::bloodhound;

pub(super) type Failed = (Cause, Option<u64>);

/// What the schema's own entries tell, if the file has them.
#[derive(Default)]
pub(super) struct Schema {
    /// Identifiers of the attributes that hold devices' passwords.
    local_passwords: Vec<String>,
    /// The file is of Active Directory, which has classes of other directories too.
    microsoft: bool,
}

impl Schema {
    pub(super) fn learn(&mut self, entry: &Entry<'_>) {
        self.microsoft |= ["objectsid", "objectguid", "ntsecuritydescriptor"].iter().any(|name| entry.has(name))
            || entry.all("objectclass").filter_map(Attribute::text).any(|class| {
                matches!(class.to_ascii_lowercase().as_str(), "user" | "group" | "computer" | "domaindns")
            });
        let holds_password = entry.all("ldapdisplayname").filter_map(Attribute::text).any(|name| {
            matches!(
                name.to_ascii_lowercase().as_str(),
                "ms-mcs-admpwd" | "mslaps-password" | "mslaps-encryptedpassword"
            )
        });
        if holds_password {
            self.local_passwords.extend(entry.all("schemaidguid").filter_map(|guid| guid_of(guid)));
        }
    }
}

/// What can only be said once the whole file was read.
#[derive(Default)]
pub(super) struct Seen {
    /// Some account has `lastLogonTimestamp`: it was asked for, and whoever has none has never signed in.
    sign_in_asked: bool,
    /// Some account says that it is locked: it was asked for, and whoever does not say so is not.
    pub(super) lock_asked: bool,
    /// Accounts that have one which cannot be: of them nothing is known.
    unreadable: HashSet<u32>,
}

impl Seen {
    pub(super) fn finish(&self, intake: &mut Intake<'_, '_>, start: usize) {
        if self.lock_asked {
            for node in intake.nodes_since(start) {
                let account = matches!(node.kind, Kind::Account | Kind::Service);
                let Some(attributes) = node.attributes.as_mut().filter(|_| account) else { continue };
                attributes.enabled = attributes.enabled.or(Some(true));
            }
        }
        if !self.sign_in_asked {
            return;
        }
        for node in intake.nodes_since(start) {
            let account = matches!(node.kind, Kind::Account | Kind::Service | Kind::Device);
            let known = account && !self.unreadable.contains(&node.key);
            let Some(attributes) = node.attributes.as_mut().filter(|_| known) else { continue };
            if !attributes.sign_ins.iter().any(|sign_in| sign_in.kind == SignInKind::Replicated) {
                attributes.sign_ins.push(SignIn { kind: SignInKind::Replicated, when: Moment::Never });
                attributes.sign_ins.sort();
            }
        }
    }
}

/// `userAccountControl` ([MS-ADTS] 2.2.16).
mod control {
    pub(super) const DISABLED: i64 = 0x2;
    pub(super) const LOCKED: i64 = 0x10;
    pub(super) const PASSWORD_NOT_REQUIRED: i64 = 0x20;
    pub(super) const TRUST: i64 = 0x800;
    pub(super) const CONTROLLER: i64 = 0x2000;
    pub(super) const PASSWORD_NEVER_EXPIRES: i64 = 0x1_0000;
    pub(super) const SMARTCARD_REQUIRED: i64 = 0x4_0000;
    pub(super) const TRUSTED_FOR_DELEGATION: i64 = 0x8_0000;
    pub(super) const NOT_DELEGATED: i64 = 0x10_0000;
    pub(super) const WITHOUT_PREAUTHENTICATION: i64 = 0x40_0000;
    pub(super) const TRUSTED_TO_AUTHENTICATE: i64 = 0x100_0000;
    pub(super) const READ_ONLY_CONTROLLER: i64 = 0x400_0000;
}

/// What an entry is, and the name of the part that it belongs to.
fn class(entry: &Entry<'_>) -> Option<(Kind, &'static str)> {
    let is = |class: &str| entry.all("objectclass").any(|value| value.value.eq_ignore_ascii_case(class.as_bytes()));
    // Computers and managed accounts are users too: the most special first.
    if is("msDS-GroupManagedServiceAccount") || is("msDS-ManagedServiceAccount") {
        Some((Kind::Service, "services"))
    } else if is("computer") {
        Some((Kind::Device, "computers"))
    } else if is("user") || is("inetOrgPerson") {
        Some((Kind::Account, "users"))
    } else if is("group") {
        Some((Kind::Group, "groups"))
    } else if is("domainDNS") {
        Some((Kind::Scope, "domains"))
    } else if is("organizationalUnit") {
        Some((Kind::Container, "units"))
    } else if is("groupPolicyContainer") {
        Some((Kind::Policy, "policies"))
    } else if is("container") || is("builtinDomain") {
        Some((Kind::Container, "containers"))
    } else if is("foreignSecurityPrincipal") {
        Some((Kind::Unknown, "foreign"))
    } else if is("pKICertificateTemplate") {
        Some((Kind::Policy, "templates"))
    } else if is("pKIEnrollmentService") {
        Some((Kind::Resource, "authorities"))
    } else {
        None
    }
}

pub(super) fn take(
    intake: &mut Intake<'_, '_>,
    schema: &Schema,
    seen: &mut Seen,
    entry: &Entry<'_>,
) -> Result<(), Failed> {
    intake.record().map_err(|cause| (cause, None))?;
    if !schema.microsoft && posix::is_of(entry) {
        return posix::take(intake, seen, entry);
    }
    let place = Place::Line(entry.line);
    let dn = name::canonical(&entry.dn);
    let domain = name::domain(&dn);
    if entry.all("objectclass").any(|value| value.value.eq_ignore_ascii_case(b"trustedDomain")) {
        return trust(intake, entry, &dn, &domain);
    }
    let Some((kind, part)) = class(entry) else {
        intake.skip("an entry of a class that is no part of the estate", &place);
        return Ok(());
    };
    let own_sid = entry.one("objectsid")?.map(|value| sid_of(value).ok_or((bad("objectSid"), Some(value.line))));
    let own_guid = entry.one("objectguid")?.map(|value| guid_of(value).ok_or((bad("objectGUID"), Some(value.line))));
    let (own_sid, own_guid) = (own_sid.transpose()?, own_guid.transpose()?);
    let Some(key) = own_sid.as_deref().or(own_guid.as_deref()).map(|id| sid::key(id, &domain)) else {
        intake.skip("an entry with neither objectSid nor objectGUID", &place);
        return Ok(());
    };
    let own = intake.key(&key).map_err(nowhere)?;
    intake.alias(&format!("dn:{dn}"), own).map_err(nowhere)?;
    let mut attributes = attributes(intake, entry, kind, &key)?;
    seen.sign_in_asked |= entry.has("lastlogontimestamp");
    if entry.number("lastlogontimestamp")?.is_some_and(|ticks| file_time(ticks).is_none()) {
        seen.unreadable.insert(own);
    }
    let shown = shown(entry, kind, &domain)?;
    let own_domain = own_sid.as_deref().and_then(|sid| sid.rsplit_once('-')).map(|(domain, _)| domain.to_owned());
    attributes.sid = own_sid.as_deref().map(Into::into);
    attributes.guid = own_guid.as_deref().map(Into::into);
    attributes.domain = Some(domain.clone().into());
    if kind == Kind::Device {
        bloodhound::host_alias(intake, &shown, own).map_err(nowhere)?;
    }
    let number = intake.part(System::ActiveDirectory, &domain, part).map_err(nowhere)?;
    intake.node(number, own, kind, &shown, attributes, place).map_err(nowhere)?;
    Edges { intake, entry, own, part, domain: &domain }.all(schema, kind, &dn, own_domain.as_deref())
}

pub(super) fn nowhere(cause: Cause) -> Failed {
    (cause, None)
}

pub(super) fn bad(what: &str) -> Cause {
    Cause::malformed(format!("{what} that is none"))
}

/// The name that people know it by.
fn shown(entry: &Entry<'_>, kind: Kind, domain: &str) -> Result<String, Failed> {
    let account = entry.text("samaccountname")?;
    Ok(match kind {
        Kind::Scope => domain.to_owned(),
        Kind::Device => match entry.text("dnshostname")? {
            Some(host) => host.to_ascii_uppercase(),
            None => {
                let short = account.unwrap_or_else(|| name::first(&entry.dn)).trim_end_matches('$');
                format!("{short}.{domain}").to_ascii_uppercase()
            }
        },
        Kind::Policy => format!("{}@{domain}", entry.text("displayname")?.unwrap_or_else(|| name::first(&entry.dn))),
        _ => format!("{}@{domain}", account.unwrap_or_else(|| name::first(&entry.dn))),
    })
}

fn attributes(intake: &Intake<'_, '_>, entry: &Entry<'_>, kind: Kind, key: &str) -> Result<Attributes, Failed> {
    let text = |name: &str| -> Result<Option<Box<str>>, Failed> {
        entry.text(name)?.map(|text| intake.clean(text)).transpose().map_err(nowhere)
    };
    let mut found = Attributes {
        created: entry.text("whencreated")?.and_then(generalized_time),
        distinguished_name: Some(intake.clean(&entry.dn).map_err(nowhere)?),
        display_name: text("displayname")?,
        account_name: text("samaccountname")?,
        admin_count: entry.number("admincount")?.map(|count| count > 0),
        owner: text("managedby")?,
        ..Attributes::default()
    };
    if !matches!(kind, Kind::Account | Kind::Service | Kind::Device) {
        return Ok(found);
    }
    let flags = entry.number("useraccountcontrol")?;
    let flag = |bit: i64| flags.map(|flags| flags & bit != 0);
    found.enabled = flag(control::DISABLED).map(|disabled| !disabled);
    // A lock that was set may have run out: only what the server computed, or that there was none, is certain.
    found.locked = match (entry.number("msds-user-account-control-computed")?, entry.number("lockouttime")?) {
        (Some(computed), _) => Some(computed & control::LOCKED != 0),
        (None, Some(0)) => Some(false),
        (None, _) => None,
    };
    found.password_not_required = flag(control::PASSWORD_NOT_REQUIRED);
    found.password_never_expires = flag(control::PASSWORD_NEVER_EXPIRES);
    found.trust_account = flag(control::TRUST).filter(|trust| *trust);
    found.domain_controller =
        flag(control::CONTROLLER | control::READ_ONLY_CONTROLLER).filter(|_| kind == Kind::Device);
    found.unconstrained_delegation = flag(control::TRUSTED_FOR_DELEGATION);
    found.protocol_transition = flag(control::TRUSTED_TO_AUTHENTICATE);
    found.not_delegated = flag(control::NOT_DELEGATED);
    found.without_preauthentication = flag(control::WITHOUT_PREAUTHENTICATION);
    found.factors =
        flag(control::SMARTCARD_REQUIRED).filter(|required| *required).map(|_| vec![Factor::PhishingResistant]);
    found.password_last_set = entry.number("pwdlastset")?.and_then(file_time);
    found.expires = entry.number("accountexpires")?.map(|ticks| file_time(ticks).unwrap_or(Moment::Never));
    for (name, kind) in [("lastlogontimestamp", SignInKind::Replicated), ("lastlogon", SignInKind::OneController)] {
        found.sign_ins.extend(entry.number(name)?.and_then(file_time).map(|when| SignIn { kind, when }));
    }
    found.sign_ins.sort();
    found.email = text("mail")?;
    found.principal_name = text("userprincipalname")?;
    found.employee_number = text("employeenumber")?.or(text("employeeid")?);
    found.title = text("title")?;
    found.department = text("department")?;
    found.operating_system = text("operatingsystem")?;
    found.built_in = sid::is_built_in_account(key).then_some(true);
    found.managed_password = (kind == Kind::Service).then_some(true);
    let secret = ["userpassword", "unixuserpassword", "unicodepwd", "mssfu30password"];
    found.password_in_directory = secret.iter().any(|name| entry.has(name)).then_some(true);
    let managed = ["ms-mcs-admpwdexpirationtime", "mslaps-passwordexpirationtime"];
    found.local_password_managed = managed.iter().any(|name| entry.has(name)).then_some(true);
    for value in entry.all("serviceprincipalname") {
        let name = value.text().ok_or((bad("a service principal name"), Some(value.line)))?;
        found.service_principals.push(intake.clean(name).map_err(|cause| (cause, Some(value.line)))?);
    }
    found.service_principals.sort();
    found.service_principals.dedup();
    Ok(found)
}

/// The edges of one entry.
struct Edges<'e, 'a, 'w> {
    intake: &'e mut Intake<'a, 'w>,
    entry: &'e Entry<'e>,
    own: u32,
    part: &'static str,
    domain: &'e str,
}

impl Edges<'_, '_, '_> {
    /// What one attribute says is a part of its own: a file without that attribute says nothing about it.
    fn part(&mut self, attribute: &str) -> Result<u32, Failed> {
        let part = format!("{}/{attribute}", self.part);
        self.intake.part(System::ActiveDirectory, self.domain, &part).map_err(nowhere)
    }

    fn named(&mut self, value: &Attribute<'_>) -> Result<u32, Failed> {
        let dn = value.text().ok_or((bad("a name"), Some(value.line)))?;
        self.intake.loose(&format!("dn:{}", name::canonical(dn))).map_err(|cause| (cause, Some(value.line)))
    }

    fn key(&mut self, id: &str) -> Result<u32, Failed> {
        self.intake.key(&sid::key(id, self.domain)).map_err(nowhere)
    }

    fn all(&mut self, schema: &Schema, kind: Kind, dn: &str, own_domain: Option<&str>) -> Result<(), Failed> {
        let entry = self.entry;
        if kind != Kind::Scope
            && let Some(parent) = name::parent(dn)
        {
            let part = self.part("dn")?;
            let parent = self.intake.loose(&format!("dn:{parent}")).map_err(nowhere)?;
            self.intake.edge(part, parent, Relation::Contains, self.own, Place::Line(entry.line));
        }
        self.members(own_domain)?;
        for link in entry.all("gplink") {
            self.policy_links(link)?;
        }
        for value in entry.all("msds-allowedtodelegateto") {
            let service = value.text().ok_or((bad("a service principal name"), Some(value.line)))?;
            // class/host[:port][/name]
            let host = service.split('/').nth(1).unwrap_or(service);
            let part = self.part("msds-allowedtodelegateto")?;
            let host = bloodhound::host(self.intake, host).map_err(|cause| (cause, Some(value.line)))?;
            self.intake.edge(part, self.own, Relation::DelegatesTo, host, Place::Line(value.line));
        }
        for value in entry.all("sidhistory") {
            let former = sid_of(value).ok_or((bad("sIDHistory"), Some(value.line)))?;
            let former = self.key(&former)?;
            let part = self.part("sidhistory")?;
            self.intake.edge(part, self.own, Relation::HasSidHistory, former, Place::Line(value.line));
        }
        for (name, relation) in [
            ("msds-allowedtoactonbehalfofotheridentity", Relation::ActsOnBehalf),
            ("msds-groupmsamembership", Relation::ReadManagedPassword),
        ] {
            for value in entry.all(name) {
                let trustees = descriptor::trustees(&value.value);
                let part = self.part(name)?;
                for trustee in trustees.ok_or((bad("a security descriptor"), Some(value.line)))? {
                    let trustee = self.key(&trustee)?;
                    self.intake.edge(part, trustee, relation, self.own, Place::Line(value.line));
                }
            }
        }
        self.rights(schema, kind)
    }

    fn members(&mut self, own_domain: Option<&str>) -> Result<(), Failed> {
        let entry = self.entry;
        for (name, outward) in [("member", false), ("memberof", true)] {
            for value in entry.all(name) {
                let other = self.named(value)?;
                let part = self.part(name)?;
                let (from, to) = if outward { (self.own, other) } else { (other, self.own) };
                self.intake.edge(part, from, Relation::MemberOf, to, Place::Line(value.line));
                if value.partial {
                    self.intake.skip("members beyond the range that the server gave", &Place::Line(value.line));
                }
            }
        }
        if let (Some(group), Some(domain)) = (entry.number("primarygroupid")?, own_domain) {
            let group = self.key(&format!("{domain}-{group}"))?;
            let part = self.part("primarygroupid")?;
            let line = entry.all("primarygroupid").next().map_or(entry.line, |value| value.line);
            self.intake.edge(part, self.own, Relation::MemberOf, group, Place::Line(line));
        }
        Ok(())
    }

    /// `[LDAP://cn={…},cn=policies,…;0][…;2]`: 1 is disabled, 2 enforced.
    fn policy_links(&mut self, value: &Attribute<'_>) -> Result<(), Failed> {
        let part = self.part("gplink")?;
        let text = value.text().ok_or((bad("gPLink"), Some(value.line)))?;
        for link in text.split(['[', ']']).map(str::trim).filter(|link| !link.is_empty()) {
            let Some((dn, options)) = link.rsplit_once(';') else { return Err((bad("gPLink"), Some(value.line))) };
            let dn = dn.get(..7).filter(|start| start.eq_ignore_ascii_case("ldap://")).and(dn.get(7..)).unwrap_or(dn);
            if options.parse::<u32>().is_ok_and(|options| options & 1 == 1) {
                self.intake.skip("a link of a policy that is switched off", &Place::Line(value.line));
                continue;
            }
            let policy = self.intake.loose(&format!("dn:{}", name::canonical(dn))).map_err(nowhere)?;
            self.intake.edge(part, policy, Relation::AppliesTo, self.own, Place::Line(value.line));
        }
        Ok(())
    }

    fn rights(&mut self, schema: &Schema, kind: Kind) -> Result<(), Failed> {
        let Some(value) = self.entry.one("ntsecuritydescriptor")? else { return Ok(()) };
        let place = Place::Line(value.line);
        if value.value.starts_with(b"O:") || value.value.starts_with(b"D:") {
            self.intake.skip("a security descriptor as text (SDDL); export it in its binary form", &place);
            return Ok(());
        }
        let rights = descriptor::rights(&value.value, kind, &schema.local_passwords);
        let rights = rights.ok_or((bad("a security descriptor"), Some(value.line)))?;
        let part = self.part(if rights.without_list { "owner" } else { "rights" })?;
        for right in rights.rights {
            let trustee = self.key(&right.trustee)?;
            let condition = right.condition.map(Into::into);
            self.intake.conditional(part, trustee, right.relation, self.own, condition, place.clone());
        }
        if rights.without_list {
            self.intake.skip("a security descriptor without its list of rights", &place);
        }
        for _ in 0..rights.unweighed {
            self.intake.skip("a denial for others than whom it meets; the permission stands", &place);
        }
        Ok(())
    }
}

fn trust(intake: &mut Intake<'_, '_>, entry: &Entry<'_>, dn: &str, domain: &str) -> Result<(), Failed> {
    let place = Place::Line(entry.line);
    let Some(other) = entry.one("securityidentifier")?.and_then(sid_of) else {
        intake.skip("a trust without the identifier of the other domain", &place);
        return Ok(());
    };
    let other = intake.key(&sid::key(&other, domain)).map_err(nowhere)?;
    // The entry stands in CN=System of its domain.
    let root = name::parent(dn).and_then(name::parent).unwrap_or_default();
    let own = intake.loose(&format!("dn:{root}")).map_err(nowhere)?;
    let part = intake.part(System::ActiveDirectory, domain, "trusts").map_err(nowhere)?;
    let filtered = entry.number("trustattributes")?.is_some_and(|attributes| attributes & 0x4 != 0);
    let condition: Option<Box<str>> = filtered.then(|| "SID filtering is on".into());
    let direction = entry.number("trustdirection")?.unwrap_or(0);
    for (bit, from, to) in [(1, own, other), (2, other, own)] {
        if direction & bit != 0 {
            intake.conditional(part, from, Relation::TrustedBy, to, condition.clone(), place.clone());
        }
    }
    Ok(())
}

/// Binary, or as some tools write it.
fn sid_of(value: &Attribute<'_>) -> Option<String> {
    match value.text().map(str::trim).filter(|text| sid::is_sid(text)) {
        Some(text) => Some(text.to_owned()),
        None => sid::from_bytes(&value.value).filter(|(_, length)| *length == value.value.len()).map(|(sid, _)| sid),
    }
}

fn guid_of(value: &Attribute<'_>) -> Option<String> {
    match value.text().map(|text| text.trim().trim_matches(['{', '}'])).filter(|text| sid::is_guid(text)) {
        Some(text) => Some(text.to_ascii_uppercase()),
        None => sid::guid(&value.value),
    }
}

/// Tenths of microseconds since 1601. Zero and the greatest number are "never"; what lies past the end of time is not said.
fn file_time(ticks: i64) -> Option<Moment> {
    const TO_1970: i64 = 11_644_473_600_000;
    if ticks <= 0 || ticks == i64::MAX {
        return Some(Moment::Never);
    }
    let at = Timestamp::from_millis(ticks / 10_000 - TO_1970);
    (at <= Timestamp::FOREVER).then_some(Moment::At(at))
}

/// `20240131120000.0Z` (RFC 4517, 3.3.13); other precisions are not written by directories.
pub(super) fn generalized_time(text: &str) -> Option<Timestamp> {
    let digits = text.get(..14).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    if !text.ends_with('Z') {
        return None;
    }
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let (year, month, day) = (part(0, 4), part(4, 6), part(6, 8));
    let (hour, minute, second) = (part(8, 10), part(10, 12), part(12, 14));
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()
}
