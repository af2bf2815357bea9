//! What entries of other directories than Microsoft's mean: people, groups and accounts of RFC 4519, RFC 2798 and RFC 2307,
//! as OpenLDAP, 389 Directory Server and their like hold them. Who may change what is in such a server's own configuration
//! and not in its entries: nothing is said of it here.
//!
//! Nearly every attribute may have several values; where one is needed it is the first.

use countersign_model::Timestamp;

use super::directory::{Failed, Seen, bad, generalized_time, nowhere};
use super::name;
use super::{Attribute, Entry};
use crate::batch::{Intake, System};
use crate::observation::{Attributes, Kind, Moment, Place, Relation, SignIn, SignInKind};
use crate::sid;

/// What an entry is, and the name of the part that it belongs to.
fn class(entry: &Entry<'_>) -> Option<(Kind, &'static str)> {
    let is = |classes: &[&str]| {
        entry.all("objectclass").any(|value| classes.iter().any(|it| value.value.eq_ignore_ascii_case(it.as_bytes())))
    };
    if is(&["groupOfNames", "groupOfUniqueNames", "groupOfMembers", "posixGroup"]) {
        Some((Kind::Group, "groups"))
    } else if is(&["person", "inetOrgPerson", "account", "posixAccount"]) {
        Some((Kind::Account, "users"))
    } else if is(&["applicationProcess", "simpleSecurityObject"]) {
        Some((Kind::Service, "services"))
    } else if is(&["organizationalRole"]) {
        Some((Kind::Role, "roles"))
    } else if is(&["device", "ipHost"]) {
        Some((Kind::Device, "devices"))
    } else if is(&["organizationalUnit"]) {
        Some((Kind::Container, "units"))
    } else if is(&["organization", "dcObject", "domain"]) {
        Some((Kind::Scope, "domains"))
    } else {
        None
    }
}

/// Whether an entry of another directory than Microsoft's is part of an estate.
pub(super) fn is_of(entry: &Entry<'_>) -> bool {
    class(entry).is_some()
}

pub(super) fn take(intake: &mut Intake<'_, '_>, seen: &mut Seen, entry: &Entry<'_>) -> Result<(), Failed> {
    let Some((kind, part)) = class(entry) else { return Ok(()) };
    let dn = name::canonical(&entry.dn);
    let realm = realm(&dn);
    // Without the identifier that the server gives, an entry that was renamed is another one.
    let key = match first(entry, "entryuuid").filter(|uuid| sid::is_guid(uuid)) {
        Some(uuid) => format!("guid:{}", uuid.to_ascii_uppercase()),
        None => format!("ldap:{dn}"),
    };
    let own = intake.key(&key).map_err(nowhere)?;
    intake.alias(&format!("dn:{dn}"), own).map_err(nowhere)?;
    let by_number: &[&str] = if kind == Kind::Group { &["gidnumber"] } else { &[] };
    let by_name: &[&str] = if kind == Kind::Account { &["uid"] } else { &[] };
    for attribute in by_number.iter().chain(by_name) {
        for value in entry.all(attribute) {
            let known_as = value.text().ok_or((bad("a name or number of an account"), Some(value.line)))?;
            if intake.alias_in_file(attribute, &known_as.to_lowercase(), own).is_err() {
                intake.skip(
                    "a name or number that two have; memberships by it go to one of them",
                    &Place::Line(value.line),
                );
            }
        }
    }
    let shown = match kind {
        Kind::Scope => realm.clone(),
        _ => {
            let short = first(entry, "uid").or_else(|| first(entry, "cn")).unwrap_or_else(|| name::first(&entry.dn));
            format!("{short}@{realm}")
        }
    };
    let attributes = attributes(intake, entry, kind, &realm)?;
    seen.lock_asked |= entry.has("pwdaccountlockedtime") || entry.has("nsaccountlock");
    let number = intake.part(System::Ldap, &realm, part).map_err(nowhere)?;
    intake.node(number, own, kind, &shown, attributes, Place::Line(entry.line)).map_err(nowhere)?;
    edges(intake, entry, own, &realm, part, &dn, kind)
}

/// `DC=corp,DC=example` is `CORP.EXAMPLE`; what is named otherwise, such as `o=Example`, is called by its outermost part.
fn realm(dn: &str) -> String {
    let domain = name::domain(dn);
    if !domain.is_empty() {
        return domain;
    }
    let outermost = dn.rsplit(',').next().unwrap_or(dn);
    name::first(outermost).to_uppercase()
}

fn first<'e>(entry: &'e Entry<'_>, name: &str) -> Option<&'e str> {
    entry.all(name).find_map(Attribute::text).map(str::trim).filter(|text| !text.is_empty())
}

fn attributes(intake: &Intake<'_, '_>, entry: &Entry<'_>, kind: Kind, realm: &str) -> Result<Attributes, Failed> {
    let text = |name: &str| -> Result<Option<Box<str>>, Failed> {
        first(entry, name).map(|text| intake.clean(text)).transpose().map_err(nowhere)
    };
    let instant = |name: &str| first(entry, name).and_then(generalized_time).map(Moment::At);
    // Days since 1970 (RFC 2307, as shadow(5) has them).
    let days = |name: &str| first(entry, name).and_then(|days| days.parse::<i64>().ok());
    let day = |days: i64| Moment::At(Timestamp::from_seconds(days.saturating_mul(86_400)));
    let past_the_end = |moment: &Moment| matches!(moment, Moment::At(at) if *at > Timestamp::FOREVER);
    let mut found = Attributes {
        created: first(entry, "createtimestamp").and_then(generalized_time),
        distinguished_name: Some(intake.clean(&entry.dn).map_err(nowhere)?),
        display_name: text("displayname")?.or(text("cn")?),
        owner: text("owner")?,
        domain: Some(intake.clean(realm).map_err(nowhere)?),
        guid: text("entryuuid")?.filter(|uuid| sid::is_guid(uuid)),
        ..Attributes::default()
    };
    if !matches!(kind, Kind::Account | Kind::Service) {
        return Ok(found);
    }
    found.account_name = text("uid")?;
    found.email = text("mail")?;
    found.principal_name = text("krbprincipalname")?;
    found.title = text("title")?;
    found.department = text("departmentnumber")?;
    // An administrator locks for good with the year 0; any other lock may have run out (draft-behera-ldap-password-policy).
    let locked_for_good = first(entry, "pwdaccountlockedtime").is_some_and(|since| since.starts_with("0000"));
    found.enabled = match first(entry, "nsaccountlock") {
        _ if locked_for_good => Some(false),
        Some(locked) => Some(!locked.eq_ignore_ascii_case("true")),
        None => None,
    };
    found.expires = days("shadowexpire").map(|at| if at < 0 { Moment::Never } else { day(at) });
    if found.expires.as_ref().is_some_and(past_the_end) {
        found.expires = Some(Moment::Never);
    }
    found.password_never_expires = days("shadowmax").map(|most| !(0..99_999).contains(&most));
    let changed = days("shadowlastchange").filter(|at| *at > 0).map(day).filter(|at| !past_the_end(at));
    found.password_last_set = instant("pwdchangedtime").or(changed);
    let last = instant("pwdlastsuccess").max(instant("authtimestamp"));
    // Servers of one directory do not tell each other.
    found.sign_ins.extend(last.map(|when| SignIn { kind: SignInKind::OneController, when }));
    Ok(found)
}

fn edges(
    intake: &mut Intake<'_, '_>,
    entry: &Entry<'_>,
    own: u32,
    realm: &str,
    part: &str,
    dn: &str,
    kind: Kind,
) -> Result<(), Failed> {
    // What one attribute says is a part of its own: a file without that attribute says nothing about it.
    let of = |intake: &mut Intake<'_, '_>, attribute: &str| {
        intake.part(System::Ldap, realm, &format!("{part}/{attribute}")).map_err(nowhere)
    };
    if kind != Kind::Scope
        && let Some(parent) = name::parent(dn)
    {
        let part = of(intake, "dn")?;
        let parent = intake.loose(&format!("dn:{parent}")).map_err(nowhere)?;
        intake.edge(part, parent, Relation::Contains, own, Place::Line(entry.line));
    }
    for (attribute, outward) in
        [("member", false), ("uniquemember", false), ("roleoccupant", false), ("memberof", true)]
    {
        for value in entry.all(attribute) {
            let named = value.text().ok_or((bad("a name"), Some(value.line)))?;
            let named = format!("dn:{}", name::canonical(without_number(named)));
            let other = intake.loose(&named).map_err(|cause| (cause, Some(value.line)))?;
            let part = of(intake, attribute)?;
            let (from, to) = if outward { (own, other) } else { (other, own) };
            intake.edge(part, from, Relation::MemberOf, to, Place::Line(value.line));
        }
    }
    // Members by the account's name, and the group of an account by its number (RFC 2307).
    let by_number = if kind == Kind::Account { "gidnumber" } else { "" };
    for (attribute, by, outward) in [("memberuid", "uid", false), (by_number, "gidnumber", true)] {
        for value in entry.all(attribute) {
            let named = value.text().ok_or((bad("a name or number of an account"), Some(value.line)))?;
            let other = intake.loose_in_file(by, &named.to_lowercase()).map_err(|cause| (cause, Some(value.line)))?;
            let part = of(intake, attribute)?;
            let (from, to) = if outward { (own, other) } else { (other, own) };
            intake.edge(part, from, Relation::MemberOf, to, Place::Line(value.line));
        }
    }
    Ok(())
}

/// A name may have a number behind it, `#'0101'B`, that tells apart who bore it one after the other (RFC 4517, 3.3.21).
fn without_number(named: &str) -> &str {
    match named.rsplit_once("#'") {
        Some((name, number)) if number.ends_with("'B") => name,
        _ => named,
    }
}
