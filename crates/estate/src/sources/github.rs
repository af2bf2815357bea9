//! An organisation at GitHub, as its REST and GraphQL interfaces give it: members with their role, collaborators from outside,
//! teams, repositories with whom they are open to, deploy keys, installed applications and fine-grained tokens.
//!
//! What protects a branch is not read: it can only take away.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::document::{Document, Own, Row, Several};
use super::hosts::fingerprint;
use crate::batch::Intake;
use crate::fault::{Cause, Fault};
use crate::json::lenient::Text;
use crate::observation::{Attributes, Factor, Kind, Moment, Relation, SignIn, SignInKind};

const LISTS: [&str; 8] = [
    "organization",
    "samlIdentities",
    "members",
    "outsideCollaborators",
    "teams",
    "repositories",
    "installations",
    "personalAccessTokens",
];

#[derive(Deserialize)]
struct Organization {
    login: String,
    default_repository_permission: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SamlIdentity {
    user: Option<Person>,
    saml_identity: Option<NameId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NameId {
    name_id: Option<String>,
}

/// An edge of GraphQL's list of members, or somebody of REST's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    node: Option<Person>,
    login: Option<String>,
    #[serde(alias = "role_name")]
    role: Option<String>,
    has_two_factor_enabled: Option<bool>,
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    login: String,
    name: Option<String>,
    email: Option<String>,
    #[serde(default)]
    organization_verified_domain_emails: Several<String>,
}

#[derive(Deserialize, Clone, Copy)]
struct Permissions {
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    maintain: bool,
    #[serde(default)]
    push: bool,
    #[serde(default)]
    pull: bool,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
    name: Option<String>,
    parent: Option<Parent>,
    #[serde(default)]
    members: Several<Member>,
    #[serde(default, alias = "repos")]
    repositories: Several<Repository>,
}

#[derive(Deserialize)]
struct Parent {
    slug: String,
}

#[derive(Deserialize)]
struct Repository {
    name: String,
    archived: Option<bool>,
    created_at: Option<String>,
    role_name: Option<String>,
    permissions: Option<Permissions>,
    #[serde(default)]
    collaborators: Several<Member>,
    #[serde(default, alias = "deployKeys")]
    deploy_keys: Several<DeployKey>,
}

#[derive(Deserialize)]
struct DeployKey {
    id: Text,
    key: Option<String>,
    title: Option<String>,
    created_at: Option<String>,
    last_used: Option<String>,
    added_by: Option<String>,
    read_only: Option<bool>,
}

#[derive(Deserialize)]
struct Installation {
    id: Text,
    app_slug: Option<String>,
    repository_selection: Option<String>,
    created_at: Option<String>,
    suspended_at: Option<String>,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Token {
    token_id: Text,
    token_name: Option<String>,
    owner: Person,
    repository_selection: Option<String>,
    access_granted_at: Option<String>,
    token_expired: Option<bool>,
    token_expires_at: Option<String>,
    token_last_used_at: Option<String>,
    permissions: Option<TokenPermissions>,
}

#[derive(Deserialize)]
struct TokenPermissions {
    #[serde(default)]
    organization: BTreeMap<String, String>,
    #[serde(default)]
    repository: BTreeMap<String, String>,
}

pub(crate) fn read(document: &Document<'_>, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    document.known(intake, &LISTS);
    let mut names = HashMap::new();
    document.each(intake, "samlIdentities", &mut |row, it: SamlIdentity| {
        match (it.user, it.saml_identity.and_then(|it| it.name_id)) {
            (Some(user), Some(name)) => {
                names.insert(user.login.to_ascii_lowercase(), name);
            }
            _ => row.skip("an identity of the provider that no member has taken"),
        }
        Ok(())
    })?;
    let realm = document.realm().to_ascii_lowercase();
    let mut organization = Organisation {
        own: Own::new(format!("github:org/{realm}")),
        realm,
        names: document.has("samlIdentities").then_some(names),
    };
    document.each(intake, "organization", &mut |row, it| organization.organization(row, &it))?;
    document.each(intake, "members", &mut |row, it| organization.member(row, &it, false))?;
    document.each(intake, "outsideCollaborators", &mut |row, it| organization.member(row, &it, true))?;
    document.each(intake, "teams", &mut |row, it| organization.team(row, &it))?;
    document.each(intake, "repositories", &mut |row, it| organization.repository(row, &it))?;
    document.each(intake, "installations", &mut |row, it| organization.installation(row, &it))?;
    document.each(intake, "personalAccessTokens", &mut |row, it| organization.token(row, &it))
}

/// What a permission on a repository is: all of it, writing, or reading.
fn permission(name: Option<&str>, flags: Option<Permissions>) -> Option<Relation> {
    match (name.map(str::to_ascii_lowercase).as_deref(), flags) {
        (Some("admin"), _) | (_, Some(Permissions { admin: true, .. })) => Some(Relation::Administers),
        (Some("maintain" | "write" | "push"), _)
        | (_, Some(Permissions { maintain: true, .. } | Permissions { push: true, .. })) => {
            Some(Relation::WriteAttributes)
        }
        (Some("triage" | "read" | "pull"), _) | (_, Some(Permissions { pull: true, .. })) => Some(Relation::Permits),
        _ => None,
    }
}

/// The same for applications and tokens.
fn access(permissions: &BTreeMap<String, String>) -> Option<Relation> {
    let has = |name: &str, level: &str| permissions.get(name).is_some_and(|has| has == level);
    if has("administration", "write") {
        Some(Relation::Administers)
    } else if has("contents", "write") || has("workflows", "write") {
        Some(Relation::WriteAttributes)
    } else if has("contents", "read") {
        Some(Relation::Permits)
    } else {
        None
    }
}

struct Organisation {
    realm: String,
    own: Own,
    /// By login, the name that the organisation's provider gives; `None`: not exported.
    names: Option<HashMap<String, String>>,
}

/// Of GitHub, whichever organisation they are in.
fn user(row: &mut Row<'_, '_, '_>, login: &str) -> Result<u32, Cause> {
    row.key(&format!("github:user/{}", login.to_ascii_lowercase()))
}

impl Organisation {
    fn key(&self, row: &mut Row<'_, '_, '_>, rest: &str) -> Result<u32, Cause> {
        self.own.key(row, &rest.to_ascii_lowercase())
    }

    fn root(&mut self, row: &mut Row<'_, '_, '_>) -> Result<u32, Cause> {
        let name = format!("GitHub organisation {}", self.realm);
        self.own.made(row, "", Kind::Scope, &name, true)
    }

    fn every_repository(&mut self, row: &mut Row<'_, '_, '_>) -> Result<u32, Cause> {
        let all =
            self.own.made(row, "every-repository", Kind::Container, "every repository of the organisation", false)?;
        let root = self.root(row)?;
        row.edge(root, Relation::Contains, all);
        Ok(all)
    }

    fn organization(&mut self, row: &mut Row<'_, '_, '_>, it: &Organization) -> Result<(), Cause> {
        if !it.login.eq_ignore_ascii_case(&self.realm) {
            return Err(Cause::malformed("an organisation that is not that of this document"));
        }
        self.root(row)?;
        let members = self.own.made(row, "role/member", Kind::Role, "every member", false)?;
        let all = self.every_repository(row)?;
        match it.default_repository_permission.as_deref() {
            None | Some("none") => {}
            name => match permission(name, None) {
                Some(relation) => row.edge(members, relation, all),
                None => row.skip("a permission that is not known here"),
            },
        }
        Ok(())
    }

    fn member(&mut self, row: &mut Row<'_, '_, '_>, it: &Member, outside: bool) -> Result<(), Cause> {
        let person = it.node.as_ref();
        let Some(login) = person.map(|person| person.login.as_str()).or(it.login.as_deref()) else {
            return Err(Cause::malformed("a member without a login"));
        };
        let key = user(row, login)?;
        let named = self.names.as_ref().map(|names| names.get(&login.to_ascii_lowercase()).cloned());
        let verified = person.and_then(|person| person.organization_verified_domain_emails.0.first());
        let attributes = Attributes {
            guest: Some(outside),
            factors: it.has_two_factor_enabled.map(|it| if it { vec![Factor::Unspecified] } else { Vec::new() }),
            account_name: row.text(Some(login))?,
            display_name: row.text(person.and_then(|person| person.name.as_deref()))?,
            email: row.text(verified.or(person.and_then(|person| person.email.as_ref())).map(String::as_str))?,
            email_verified: verified.map(|_| true),
            principal_name: row.text(named.as_ref().and_then(|name| name.as_deref()))?,
            // People from outside do not sign in at the organisation's provider.
            single_sign_on: named.map(|name| name.is_some() && !outside),
            ..Attributes::default()
        };
        row.node(key, Kind::Account, login, attributes)?;
        if outside {
            return Ok(());
        }
        match it.role.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("admin" | "owner") => {
                let role = self.own.made(row, "role/owner", Kind::Role, "owner", true)?;
                let root = self.root(row)?;
                row.edge(role, Relation::Administers, root);
                row.edge(key, Relation::MemberOf, role);
            }
            Some(_) => {}
            None => row.skip("a member without a role"),
        }
        let members = self.own.made(row, "role/member", Kind::Role, "every member", false)?;
        row.edge(key, Relation::MemberOf, members);
        Ok(())
    }

    fn team(&mut self, row: &mut Row<'_, '_, '_>, it: &Team) -> Result<(), Cause> {
        let key = self.key(row, &format!("team/{}", it.slug))?;
        row.node(key, Kind::Group, it.name.as_deref().unwrap_or(&it.slug), Attributes::default())?;
        let root = self.root(row)?;
        row.edge(root, Relation::Contains, key);
        if let Some(parent) = &it.parent {
            // A team has what its parent has.
            let parent = self.key(row, &format!("team/{}", parent.slug))?;
            row.edge(key, Relation::MemberOf, parent);
        }
        for (number, member) in it.members.0.iter().enumerate() {
            let mut row = row.at("members", number);
            let Some(login) = member.node.as_ref().map(|it| &it.login).or(member.login.as_ref()) else {
                return Err(Cause::malformed("a member without a login"));
            };
            let member_key = user(&mut row, login)?;
            row.edge(member_key, Relation::MemberOf, key);
            if member.role.as_deref().is_some_and(|role| role.eq_ignore_ascii_case("maintainer")) {
                row.edge(member_key, Relation::AddMember, key);
            }
        }
        for (number, repository) in it.repositories.0.iter().enumerate() {
            let mut row = row.at("repositories", number);
            let target = self.key(&mut row, &format!("repository/{}", repository.name))?;
            match permission(repository.role_name.as_deref(), repository.permissions) {
                Some(relation) => row.edge(key, relation, target),
                None => row.skip("a permission that is not known here"),
            }
        }
        Ok(())
    }

    fn repository(&mut self, row: &mut Row<'_, '_, '_>, it: &Repository) -> Result<(), Cause> {
        let key = self.key(row, &format!("repository/{}", it.name))?;
        let attributes = Attributes {
            created: row.instant(it.created_at.as_deref()),
            enabled: it.archived.map(|archived| !archived),
            ..Attributes::default()
        };
        row.node(key, Kind::Resource, &it.name, attributes)?;
        let all = self.every_repository(row)?;
        row.edge(all, Relation::Contains, key);
        for (number, member) in it.collaborators.0.iter().enumerate() {
            let mut row = row.at("collaborators", number);
            let Some(login) = &member.login else { return Err(Cause::malformed("a collaborator without a login")) };
            let from = user(&mut row, login)?;
            match permission(member.role.as_deref(), member.permissions) {
                Some(relation) => row.edge(from, relation, key),
                None => row.skip("a permission that is not known here"),
            }
        }
        for (number, deploy) in it.deploy_keys.0.iter().enumerate() {
            self.deploy_key(&mut row.at("deployKeys", number), deploy, key)?;
        }
        Ok(())
    }

    /// A key pair: the same one on a host is the same node.
    fn deploy_key(&mut self, row: &mut Row<'_, '_, '_>, it: &DeployKey, repository: u32) -> Result<(), Cause> {
        let number = it.id.get().unwrap_or_default();
        let key = match it.key.as_deref().and_then(fingerprint) {
            Some(print) => row.key(&format!("ssh-key:{print}"))?,
            None => self.key(row, &format!("deploy-key/{number}"))?,
        };
        let used = row.instant(it.last_used.as_deref()).map(Moment::At);
        let attributes = Attributes {
            created: row.instant(it.created_at.as_deref()),
            expires: Some(Moment::Never),
            sign_ins: used.map(|when| SignIn { kind: SignInKind::Key, when }).into_iter().collect(),
            owner: row.text(it.added_by.as_deref())?,
            ..Attributes::default()
        };
        row.node(key, Kind::Key, &format!("deploy key {}", it.title.as_deref().unwrap_or(number)), attributes)?;
        // What is not said to be for reading only can write.
        let relation = if it.read_only == Some(true) { Relation::Permits } else { Relation::WriteAttributes };
        row.edge(key, relation, repository);
        Ok(())
    }

    fn installation(&mut self, row: &mut Row<'_, '_, '_>, it: &Installation) -> Result<(), Cause> {
        let number = it.id.get().unwrap_or_default();
        let key = self.key(row, &format!("installation/{number}"))?;
        let attributes = Attributes {
            created: row.instant(it.created_at.as_deref()),
            enabled: Some(it.suspended_at.is_none()),
            ..Attributes::default()
        };
        row.node(key, Kind::Service, it.app_slug.as_deref().unwrap_or(number), attributes)?;
        self.permitted(row, key, &it.permissions, it.repository_selection.as_deref(), None)?;
        self.over_organization(row, key, &it.permissions, None)
    }

    fn permitted(
        &mut self,
        row: &mut Row<'_, '_, '_>,
        holder: u32,
        permissions: &BTreeMap<String, String>,
        selection: Option<&str>,
        condition: Option<&str>,
    ) -> Result<(), Cause> {
        let Some(relation) = access(permissions) else { return Ok(()) };
        let all = self.every_repository(row)?;
        let selected = (selection != Some("all")).then_some("only repositories that were selected and are not told");
        let conditions: Vec<&str> = selected.into_iter().chain(condition).collect();
        if conditions.is_empty() {
            row.edge(holder, relation, all);
            return Ok(());
        }
        row.conditional(holder, relation, all, &conditions.join(", "))
    }

    fn over_organization(
        &mut self,
        row: &mut Row<'_, '_, '_>,
        holder: u32,
        permissions: &BTreeMap<String, String>,
        condition: Option<&str>,
    ) -> Result<(), Cause> {
        let writes = |name: &str| permissions.get(name).is_some_and(|level| level == "write");
        // Who writes members gives out the role of an owner.
        if !writes("members") && !writes("organization_administration") {
            return Ok(());
        }
        let root = self.root(row)?;
        match condition {
            Some(condition) => row.conditional(holder, Relation::ChangePermissions, root, condition),
            None => {
                row.edge(holder, Relation::ChangePermissions, root);
                Ok(())
            }
        }
    }

    fn token(&mut self, row: &mut Row<'_, '_, '_>, it: &Token) -> Result<(), Cause> {
        let number = it.token_id.get().unwrap_or_default();
        let key = self.key(row, &format!("token/{number}"))?;
        let used = row.instant(it.token_last_used_at.as_deref()).map(Moment::At);
        let ends = match it.token_expires_at.as_deref() {
            None => Some(Moment::Never),
            some => row.instant(some).map(Moment::At),
        };
        let attributes = Attributes {
            created: row.instant(it.access_granted_at.as_deref()),
            enabled: it.token_expired.map(|expired| !expired),
            expires: ends,
            sign_ins: used.map(|when| SignIn { kind: SignInKind::Key, when }).into_iter().collect(),
            owner: Some(row.intake.clean(&it.owner.login)?),
            ..Attributes::default()
        };
        row.node(key, Kind::Key, &format!("token {}", it.token_name.as_deref().unwrap_or(number)), attributes)?;
        let owner = user(row, &it.owner.login)?;
        row.edge(owner, Relation::HoldsKey, key);
        // A token has no more than its owner.
        const OWN: Option<&str> = Some("as far as its owner may");
        let Some(permissions) = &it.permissions else { return Ok(()) };
        self.permitted(row, key, &permissions.repository, it.repository_selection.as_deref(), OWN)?;
        self.over_organization(row, key, &permissions.organization, OWN)
    }
}

#[cfg(test)]
pub(crate) mod tests;
