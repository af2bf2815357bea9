//! Google Workspace as the Admin SDK's Directory API gives it: users with two-step verification and last sign-in, groups with
//! members, administrator roles and who has them.

use std::collections::HashMap;

use countersign_model::Timestamp;
use serde::Deserialize;

use super::document::{Document, Own, Row, Several};
use crate::batch::Intake;
use crate::fault::{Cause, Fault};
use crate::json::lenient::Text;
use crate::observation::{Attributes, Factor, Kind, Moment, Relation, SignIn, SignInKind};

const LISTS: [&str; 4] = ["users", "groups", "roles", "roleAssignments"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    primary_email: String,
    name: Option<Name>,
    suspended: Option<bool>,
    archived: Option<bool>,
    is_admin: Option<bool>,
    is_enrolled_in_2_sv: Option<bool>,
    creation_time: Option<String>,
    last_login_time: Option<String>,
    #[serde(default)]
    organizations: Several<Organization>,
    #[serde(default)]
    external_ids: Several<ExternalId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Name {
    full_name: Option<String>,
}

#[derive(Deserialize)]
struct Organization {
    title: Option<String>,
    department: Option<String>,
    primary: Option<bool>,
}

#[derive(Deserialize)]
struct ExternalId {
    value: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Group {
    id: String,
    email: Option<String>,
    name: Option<String>,
    #[serde(default)]
    members: Several<Member>,
}

#[derive(Deserialize)]
struct Member {
    /// Not there for the member that stands for everybody.
    id: Option<String>,
    email: Option<String>,
    role: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Role {
    role_id: Text,
    role_name: Option<String>,
    is_super_admin_role: Option<bool>,
    #[serde(default)]
    role_privileges: Several<Privilege>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Privilege {
    privilege_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assignment {
    role_id: Text,
    assigned_to: Option<String>,
    scope_type: Option<String>,
    condition: Option<String>,
}

pub(crate) fn read(document: &Document<'_>, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    document.known(intake, &LISTS);
    let realm = document.realm().to_ascii_lowercase();
    let mut customer = Customer { own: Own::new(format!("google:{realm}")), realm, roles: HashMap::new() };
    document.each(intake, "users", &mut |row, it| customer.user(row, &it))?;
    document.each(intake, "groups", &mut |row, it| customer.group(row, &it))?;
    document.each(intake, "roles", &mut |row, it| customer.role(row, &it))?;
    document.each(intake, "roleAssignments", &mut |row, it| customer.assignment(row, &it))
}

struct Customer {
    realm: String,
    own: Own,
    /// By its number, the node of a role.
    roles: HashMap<String, u32>,
}

impl Customer {
    fn root(&mut self, row: &mut Row<'_, '_, '_>) -> Result<u32, Cause> {
        let name = format!("Google Workspace {}", self.realm);
        self.own.made(row, "", Kind::Scope, &name, true)
    }

    fn super_administrator(&mut self, row: &mut Row<'_, '_, '_>) -> Result<u32, Cause> {
        let own = self.own.made(row, "role/super-administrator", Kind::Role, "Super Admin", true)?;
        let root = self.root(row)?;
        row.edge(own, Relation::Administers, root);
        Ok(own)
    }

    fn every_user(&mut self, row: &mut Row<'_, '_, '_>) -> Result<u32, Cause> {
        self.own.made(
            row,
            "every-user-but-administrators",
            Kind::Container,
            "every user who is no administrator",
            false,
        )
    }

    fn user(&mut self, row: &mut Row<'_, '_, '_>, it: &User) -> Result<(), Cause> {
        let key = self.own.key(row, &it.id)?;
        let attributes = it.attributes(row)?;
        row.node(key, Kind::Account, &it.primary_email, attributes)?;
        let root = self.root(row)?;
        row.edge(root, Relation::Contains, key);
        match it.is_admin {
            Some(true) => {
                let role = self.super_administrator(row)?;
                row.edge(key, Relation::MemberOf, role);
            }
            Some(false) => {
                let all = self.every_user(row)?;
                row.edge(all, Relation::Contains, key);
            }
            None => {}
        }
        Ok(())
    }

    fn group(&mut self, row: &mut Row<'_, '_, '_>, it: &Group) -> Result<(), Cause> {
        let key = self.own.key(row, &it.id)?;
        let attributes = Attributes { email: row.text(it.email.as_deref())?, ..Attributes::default() };
        let name = it.name.as_deref().or(it.email.as_deref()).unwrap_or(&it.id);
        row.node(key, Kind::Group, name, attributes)?;
        let root = self.root(row)?;
        row.edge(root, Relation::Contains, key);
        for (number, member) in it.members.0.iter().enumerate() {
            let mut row = row.at("members", number);
            if member.status.as_deref().is_some_and(|status| status != "ACTIVE") {
                row.skip("a member that is not active");
                continue;
            }
            let own = match (member.kind.as_deref(), &member.id) {
                (Some("CUSTOMER"), _) => {
                    row.skip("a group of everybody in the organisation");
                    continue;
                }
                (_, Some(id)) => self.own.key(&mut row, id)?,
                (_, None) => {
                    row.skip("a member without an identifier");
                    continue;
                }
            };
            if member.kind.as_deref() == Some("EXTERNAL") {
                let name = member.email.as_deref().unwrap_or_default();
                let attributes = Attributes { guest: Some(true), ..Attributes::default() };
                row.node(own, Kind::Account, name, attributes)?;
            }
            row.edge(own, Relation::MemberOf, key);
            if matches!(member.role.as_deref(), Some("OWNER" | "MANAGER")) {
                row.edge(own, Relation::AddMember, key);
            }
        }
        Ok(())
    }

    fn role(&mut self, row: &mut Row<'_, '_, '_>, it: &Role) -> Result<(), Cause> {
        let Some(id) = it.role_id.get() else { return Err(Cause::malformed("a role without a number")) };
        let own = if it.is_super_admin_role == Some(true) {
            self.super_administrator(row)?
        } else {
            let name = it.role_name.as_deref().unwrap_or(id);
            self.own.made(row, &format!("role/{id}"), Kind::Role, name, false)?
        };
        if self.roles.insert(id.to_owned(), own).is_some() {
            return Err(Cause::malformed("a role that stands twice"));
        }
        for privilege in it.role_privileges.0.iter().filter_map(|it| it.privilege_name.as_deref()) {
            match privilege {
                "USERS_ALL" | "USERS_UPDATE" | "USERS_RESET_PASSWORD" => {
                    let all = self.every_user(row)?;
                    row.edge(own, Relation::ResetPassword, all);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn assignment(&mut self, row: &mut Row<'_, '_, '_>, it: &Assignment) -> Result<(), Cause> {
        let role = it.role_id.get().and_then(|id| self.roles.get(id)).copied();
        let (Some(role), Some(holder)) = (role, &it.assigned_to) else {
            row.skip("an assignment of a role that the document does not describe");
            return Ok(());
        };
        let holder = self.own.key(row, holder)?;
        let condition = match (it.scope_type.as_deref(), it.condition.as_deref()) {
            (_, Some(condition)) if !condition.is_empty() => Some(condition.to_owned()),
            (Some("ORG_UNIT"), _) => Some("within one organisational unit".to_owned()),
            _ => None,
        };
        match condition {
            Some(condition) => row.conditional(holder, Relation::MemberOf, role, &condition),
            None => {
                row.edge(holder, Relation::MemberOf, role);
                Ok(())
            }
        }
    }
}

impl User {
    fn attributes(&self, row: &mut Row<'_, '_, '_>) -> Result<Attributes, Cause> {
        let work = self.organizations.0.iter().find(|it| it.primary == Some(true)).or(self.organizations.0.first());
        let number = self.external_ids.0.iter().find(|it| it.kind.as_deref() == Some("organization"));
        let enabled = match (self.suspended, self.archived) {
            (Some(true), _) | (_, Some(true)) => Some(false),
            (Some(false), _) => Some(true),
            _ => None,
        };
        // Whoever has never signed in was last there in 1970.
        let last = row
            .instant(self.last_login_time.as_deref())
            .map(|at| if at == Timestamp::from_seconds(0) { Moment::Never } else { Moment::At(at) });
        Ok(Attributes {
            enabled,
            created: row.instant(self.creation_time.as_deref()),
            sign_ins: last.map(|when| SignIn { kind: SignInKind::Interactive, when }).into_iter().collect(),
            factors: self.is_enrolled_in_2_sv.map(|it| if it { vec![Factor::Unspecified] } else { Vec::new() }),
            email: row.text(Some(&self.primary_email))?,
            // The address is of a domain whose owner proved it, and the mailbox is here.
            email_verified: Some(true),
            employee_number: row.text(number.and_then(|it| it.value.as_deref()))?,
            display_name: row.text(self.name.as_ref().and_then(|name| name.full_name.as_deref()))?,
            title: row.text(work.and_then(|it| it.title.as_deref()))?,
            department: row.text(work.and_then(|it| it.department.as_deref()))?,
            ..Attributes::default()
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
