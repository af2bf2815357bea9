//! An Okta organisation as its API gives it: users with factors and administrator roles, groups with members, applications with
//! whom they are assigned to. What belongs to an object stands in it, under the name of its sub-resource.
//!
//! The last sign-in of a user is that to the dashboard. An application to which Okta types in a password, or only links, is not
//! signed on by it.

use std::collections::HashSet;

use serde::Deserialize;

use super::document::{Document, Own, Reference, Row, Several};
use crate::batch::Intake;
use crate::fault::{Cause, Fault};
use crate::observation::{Attributes, Factor, Kind, Moment, Place, Relation, SignIn, SignInKind};

const LISTS: [&str; 3] = ["users", "groups", "apps"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    status: Option<String>,
    created: Option<String>,
    last_login: Option<String>,
    password_changed: Option<String>,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    credentials: Credentials,
    /// Not there: not asked for. Empty: none.
    factors: Option<Vec<OktaFactor>>,
    #[serde(default)]
    roles: Several<Role>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Profile {
    login: Option<String>,
    email: Option<String>,
    display_name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    title: Option<String>,
    department: Option<String>,
    employee_number: Option<String>,
}

#[derive(Deserialize, Default)]
struct Credentials {
    #[serde(default)]
    emails: Several<Email>,
}

#[derive(Deserialize)]
struct Email {
    value: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OktaFactor {
    factor_type: String,
    status: Option<String>,
}

#[derive(Deserialize)]
struct Role {
    #[serde(rename = "type")]
    kind: String,
    label: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize)]
struct Group {
    id: String,
    created: Option<String>,
    profile: GroupProfile,
    #[serde(default, alias = "users")]
    members: Several<Reference>,
    #[serde(default)]
    roles: Several<Role>,
}

#[derive(Deserialize)]
struct GroupProfile {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct App {
    id: String,
    label: Option<String>,
    status: Option<String>,
    created: Option<String>,
    sign_on_mode: Option<String>,
    #[serde(default)]
    users: Several<Reference>,
    #[serde(default)]
    groups: Several<Reference>,
}

pub(crate) fn read(document: &Document<'_>, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    document.known(intake, &LISTS);
    let realm = document.realm().to_ascii_lowercase();
    let mut organisation = Organisation {
        own: Own::new(format!("okta:{realm}")),
        realm,
        users: Vec::new(),
        holders: HashSet::new(),
        members: Vec::new(),
    };
    document.each(intake, "users", &mut |row, it| organisation.user(row, &it))?;
    document.each(intake, "groups", &mut |row, it| organisation.group(row, &it))?;
    document.each(intake, "apps", &mut |row, it| organisation.app(row, &it))?;
    if document.has("users") {
        organisation.without_roles(&mut document.whole(intake, "reset")?)?;
    }
    Ok(())
}

struct Organisation {
    realm: String,
    own: Own,
    users: Vec<(u32, Place)>,
    /// Who holds a role, and groups that do.
    holders: HashSet<u32>,
    /// Members and their groups.
    members: Vec<(u32, u32)>,
}

impl Organisation {
    fn root(&mut self, row: &mut Row<'_, '_, '_>) -> Result<u32, Cause> {
        let name = format!("Okta organisation {}", self.realm);
        self.own.made(row, "", Kind::Scope, &name, true)
    }

    fn every_user(&mut self, row: &mut Row<'_, '_, '_>) -> Result<u32, Cause> {
        self.own.made(
            row,
            "every-user-without-role",
            Kind::Container,
            "every user without an administrator role",
            false,
        )
    }

    fn every_app(&mut self, row: &mut Row<'_, '_, '_>) -> Result<u32, Cause> {
        self.own.made(row, "every-application", Kind::Container, "every application of the organisation", false)
    }

    fn user(&mut self, row: &mut Row<'_, '_, '_>, it: &User) -> Result<(), Cause> {
        let key = self.own.key(row, &it.id)?;
        let attributes = it.attributes(row)?;
        row.node(key, Kind::Account, it.profile.login.as_deref().unwrap_or(&it.id), attributes)?;
        let root = self.root(row)?;
        row.edge(root, Relation::Contains, key);
        self.users.push((key, row.place.clone()));
        self.roles(row, key, &it.roles.0)
    }

    fn roles(&mut self, row: &mut Row<'_, '_, '_>, holder: u32, roles: &[Role]) -> Result<(), Cause> {
        for (number, role) in roles.iter().enumerate() {
            let mut row = row.at("roles", number);
            if role.status.as_deref().is_some_and(|status| status != "ACTIVE") {
                row.skip("a role that is not active");
                continue;
            }
            self.holders.insert(holder);
            let sort = role.kind.to_ascii_uppercase();
            // A role that an organisation made itself is told by its name only.
            let named = if sort == "CUSTOM" {
                format!("role/custom/{}", role.label.as_deref().unwrap_or_default())
            } else {
                format!("role/{sort}")
            };
            let own = self.own.key(&mut row, &named)?;
            let new = !self.own.has(&row, own);
            let label = role.label.as_deref().unwrap_or(&role.kind);
            self.own.made(&mut row, &named, Kind::Role, label, sort == "SUPER_ADMIN")?;
            row.edge(holder, Relation::MemberOf, own);
            if new {
                self.power(&mut row, own, &sort)?;
            }
        }
        Ok(())
    }

    fn power(&mut self, row: &mut Row<'_, '_, '_>, role: u32, sort: &str) -> Result<(), Cause> {
        /// Targets of a role are a list of their own.
        const WITHIN: &str = "within the groups or applications that the role is limited to, if any";
        match sort {
            "SUPER_ADMIN" => {
                let root = self.root(row)?;
                row.edge(role, Relation::Administers, root);
            }
            "ORG_ADMIN" => {
                let users = self.every_user(row)?;
                row.edge(role, Relation::ResetPassword, users);
            }
            "USER_ADMIN" | "HELP_DESK_ADMIN" => {
                let users = self.every_user(row)?;
                row.conditional(role, Relation::ResetPassword, users, WITHIN)?;
            }
            "APP_ADMIN" => {
                let apps = self.every_app(row)?;
                row.conditional(role, Relation::ChangePermissions, apps, WITHIN)?;
            }
            "CUSTOM" => row.skip("what a role of the organisation's own making may do"),
            _ => {}
        }
        Ok(())
    }

    fn group(&mut self, row: &mut Row<'_, '_, '_>, it: &Group) -> Result<(), Cause> {
        let key = self.own.key(row, &it.id)?;
        let attributes = Attributes { created: row.instant(it.created.as_deref()), ..Attributes::default() };
        row.node(key, Kind::Group, &it.profile.name, attributes)?;
        let root = self.root(row)?;
        row.edge(root, Relation::Contains, key);
        for (number, Reference(id)) in it.members.0.iter().enumerate() {
            let mut row = row.at("members", number);
            let member = self.own.key(&mut row, id)?;
            self.members.push((member, key));
            row.edge(member, Relation::MemberOf, key);
        }
        self.roles(row, key, &it.roles.0)
    }

    fn app(&mut self, row: &mut Row<'_, '_, '_>, it: &App) -> Result<(), Cause> {
        let key = self.own.key(row, &format!("app/{}", it.id))?;
        let attributes = Attributes {
            enabled: it.status.as_deref().map(|status| status == "ACTIVE"),
            created: row.instant(it.created.as_deref()),
            single_sign_on: it.sign_on_mode.as_deref().and_then(single_sign_on),
            ..Attributes::default()
        };
        row.node(key, Kind::Resource, it.label.as_deref().unwrap_or(&it.id), attributes)?;
        let all = self.every_app(row)?;
        row.edge(all, Relation::Contains, key);
        let root = self.root(row)?;
        row.edge(root, Relation::Contains, all);
        for (list, assigned) in [("users", &it.users.0), ("groups", &it.groups.0)] {
            for (number, Reference(id)) in assigned.iter().enumerate() {
                let mut row = row.at(list, number);
                let principal = self.own.key(&mut row, id)?;
                row.edge(principal, Relation::Permits, key);
            }
        }
        Ok(())
    }

    /// Whose password little administrators reset: whoever has no role, not by a group either. Groups of Okta have no groups.
    fn without_roles(&mut self, row: &mut Row<'_, '_, '_>) -> Result<(), Fault> {
        let by_group = self.members.iter().filter(|(_, group)| self.holders.contains(group)).map(|(member, _)| *member);
        let holding: HashSet<u32> = by_group.chain(self.holders.iter().copied()).collect();
        for (user, place) in std::mem::take(&mut self.users) {
            if !holding.contains(&user) {
                row.place = place;
                let all = row.intake.record().and_then(|()| self.every_user(row));
                let all = all.map_err(|cause| row.intake.fault(cause, Some(row.place.clone())))?;
                row.edge(all, Relation::Contains, user);
            }
        }
        Ok(())
    }
}

fn single_sign_on(mode: &str) -> Option<bool> {
    match mode {
        "SAML_2_0" | "SAML_1_1" | "OPENID_CONNECT" | "WS_FEDERATION" => Some(true),
        "BROWSER_PLUGIN" | "AUTO_LOGIN" | "SECURE_PASSWORD_STORE" | "BASIC_AUTH" | "BOOKMARK" => Some(false),
        _ => None,
    }
}

impl User {
    fn attributes(&self, row: &mut Row<'_, '_, '_>) -> Result<Attributes, Cause> {
        let status = self.status.as_deref();
        let enabled = match status {
            Some("ACTIVE" | "PROVISIONED" | "RECOVERY" | "PASSWORD_EXPIRED" | "LOCKED_OUT") => Some(true),
            // Nobody can sign in to these, for now or for good.
            Some("STAGED" | "SUSPENDED" | "DEPROVISIONED") => Some(false),
            Some(_) => {
                row.skip("a status that is not known here");
                None
            }
            None => None,
        };
        let profile = &self.profile;
        let email = row.text(profile.email.as_deref())?;
        let same = |it: &Email| {
            it.value.as_deref().zip(email.as_deref()).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
        };
        let verified =
            self.credentials.emails.0.iter().find(|it| same(it)).map(|it| it.status.as_deref() == Some("VERIFIED"));
        let last = match self.last_login.as_deref() {
            None => Some(Moment::Never),
            some => row.instant(some).map(Moment::At),
        };
        let full = match (profile.first_name.as_deref(), profile.last_name.as_deref()) {
            (Some(first), Some(last)) => Some(format!("{first} {last}")),
            _ => None,
        };
        Ok(Attributes {
            enabled,
            locked: status.map(|status| status == "LOCKED_OUT"),
            created: row.instant(self.created.as_deref()),
            password_last_set: row.instant(self.password_changed.as_deref()).map(Moment::At),
            sign_ins: last.map(|when| SignIn { kind: SignInKind::Dashboard, when }).into_iter().collect(),
            factors: self.factors.as_ref().map(|all| factors(row, all)),
            email,
            email_verified: verified,
            principal_name: row.text(profile.login.as_deref())?,
            employee_number: row.text(profile.employee_number.as_deref())?,
            display_name: row.text(profile.display_name.as_deref().or(full.as_deref()))?,
            title: row.text(profile.title.as_deref())?,
            department: row.text(profile.department.as_deref())?,
            ..Attributes::default()
        })
    }
}

fn factors(row: &mut Row<'_, '_, '_>, all: &[OktaFactor]) -> Vec<Factor> {
    let mut factors = Vec::new();
    for factor in all {
        if factor.status.as_deref().is_some_and(|status| status != "ACTIVE") {
            row.skip("a factor that is not set up to its end");
            continue;
        }
        factors.push(match factor.factor_type.as_str() {
            "webauthn" | "u2f" | "signed_nonce" => Factor::PhishingResistant,
            "push" | "web" => Factor::App,
            "token:software:totp" | "token:hotp" | "token:hardware" | "token" => Factor::OneTimeCode,
            "sms" | "call" => Factor::Phone,
            "email" => Factor::Email,
            "question" => {
                row.skip("a security question, which is another password");
                continue;
            }
            _ => Factor::Unspecified,
        });
    }
    factors.sort();
    factors.dedup();
    factors
}

#[cfg(test)]
pub(crate) mod tests;
