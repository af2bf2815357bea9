//! Microsoft Entra ID as the Graph API gives it: users with how they sign in, groups and members, applications and the service
//! principals that act as them, with their credentials, who is assigned to what, directory roles held and only eligible.
//!
//! What a conditional access policy asks for at a sign-in can only take away, and is not weighed. Delegated permissions of
//! applications are those of whoever uses them, and are nobody's reach.

mod objects;
mod powers;
mod scuba;

use std::collections::{HashMap, HashSet};

use countersign_model::Timestamp;

use self::objects::{
    Application, Assigned, ConditionalAccess, Credential, DirectoryRole, Federated, Group, Organization, Registration,
    RoleAssignment, RoleDefinition, ServicePrincipal, User,
};
use self::powers::Power;
use super::document::{Document, Reference, Row};
use crate::batch::Intake;
use crate::fault::{Cause, Fault};
use crate::observation::{Attributes, Kind, Moment, Relation, SignIn, SignInKind};

pub(crate) use scuba::read as read_scuba;

const LISTS: [&str; 13] = [
    "organization",
    "users",
    "userRegistrationDetails",
    "groups",
    "servicePrincipals",
    "applications",
    "appRoleAssignments",
    "roleDefinitions",
    "roleAssignments",
    "roleAssignmentScheduleInstances",
    "roleEligibilityScheduleInstances",
    "directoryRoles",
    "conditionalAccessPolicies",
];

/// Those that say who has a role.
const HOLDERS: [&str; 4] =
    ["roleAssignments", "roleAssignmentScheduleInstances", "roleEligibilityScheduleInstances", "directoryRoles"];

/// Microsoft Graph, whose permissions are those over the directory itself.
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";

/// Since April 2020 sign-ins are kept for good: who was made later and has none has never signed in.
const KEPT_SINCE: Timestamp = Timestamp::from_seconds(1_588_291_200);

pub(crate) fn read(document: &Document<'_>, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    document.known(intake, &LISTS);
    let mut tenant = Tenant::new(document.realm());
    document.each(intake, "organization", &mut |row, it| tenant.organization(row, &it))?;
    tenant.users(document, intake)?;
    document.each(intake, "userRegistrationDetails", &mut |row, it| tenant.registration(row, &it))?;
    document.each(intake, "groups", &mut |row, it| tenant.group(row, &it))?;
    document.each(intake, "servicePrincipals", &mut |row, it| tenant.service_principal(row, &it))?;
    document.each(intake, "servicePrincipals", &mut |row, it: ServicePrincipal| {
        it.app_role_assigned_to.0.iter().try_for_each(|assigned| tenant.assigned(row, assigned))
    })?;
    document.each(intake, "applications", &mut |row, it| tenant.application(row, &it))?;
    document.each(intake, "appRoleAssignments", &mut |row, it| tenant.assigned(row, &it))?;
    document.each(intake, "roleDefinitions", &mut |row, it| tenant.role_definition(row, &it))?;
    let told_with_ends = document.has("roleAssignmentScheduleInstances");
    document.each(intake, "roleAssignments", &mut |row, it| {
        if told_with_ends {
            row.skip("an assignment of a role that roleAssignmentScheduleInstances tells with its end");
            return Ok(());
        }
        tenant.role_assignment(row, &it, false)
    })?;
    document.each(intake, "roleAssignmentScheduleInstances", &mut |row, it| tenant.role_assignment(row, &it, false))?;
    document.each(intake, "roleEligibilityScheduleInstances", &mut |row, it| tenant.role_assignment(row, &it, true))?;
    document.each(intake, "directoryRoles", &mut |row, it| tenant.directory_role(row, &it))?;
    document.each(intake, "conditionalAccessPolicies", &mut |row, it| policy(row, &it))?;
    if document.has("users") && HOLDERS.iter().any(|list| document.has(list)) {
        tenant.without_roles(&mut document.whole(intake, "reset")?)?;
    }
    Ok(())
}

fn policy(row: &mut Row<'_, '_, '_>, it: &ConditionalAccess) -> Result<(), Cause> {
    let key = object(row, &it.id)?;
    let enabled = it.state.as_deref().map(|state| state == "enabled");
    let attributes =
        Attributes { enabled, created: row.instant(it.created_date_time.as_deref()), ..Attributes::default() };
    row.node(key, Kind::Policy, it.display_name.as_deref().unwrap_or(&it.id), attributes)
}

/// Identifiers are unique in all tenants.
fn object(row: &mut Row<'_, '_, '_>, id: &str) -> Result<u32, Cause> {
    row.key(&format!("entra:{}", id.to_ascii_lowercase()))
}

/// What is known of a tenant while its lists are read.
struct Tenant {
    realm: String,
    name: Option<String>,
    /// By application, the service principal that acts as it.
    services: HashMap<String, u32>,
    /// The service principal of Microsoft Graph, and what its permissions open.
    graph: HashSet<String>,
    permissions: HashMap<(String, String), Power>,
    users: Vec<(u32, crate::observation::Place)>,
    members: HashMap<u32, Vec<u32>>,
    /// Who has a directory role, or could have: their passwords are not everybody's to reset.
    holders: Vec<u32>,
    /// Nodes that were made already: of roles, of applications that people sign in to.
    made: HashSet<(u32, u32)>,
}

impl Tenant {
    fn new(realm: &str) -> Self {
        Self {
            realm: realm.to_ascii_lowercase(),
            name: None,
            services: HashMap::new(),
            graph: HashSet::new(),
            permissions: HashMap::new(),
            users: Vec::new(),
            members: HashMap::new(),
            holders: Vec::new(),
            made: HashSet::new(),
        }
    }

    fn own(&self, row: &mut Row<'_, '_, '_>, rest: &str) -> Result<u32, Cause> {
        let separator = if rest.is_empty() { "" } else { "/" };
        row.key(&format!("entra:{}{separator}{rest}", self.realm))
    }

    fn organization(&mut self, row: &mut Row<'_, '_, '_>, it: &Organization) -> Result<(), Cause> {
        if !it.id.eq_ignore_ascii_case(&self.realm) {
            return Err(Cause::malformed("an organisation that is not the tenant of this document"));
        }
        self.name.clone_from(&it.display_name);
        self.root(row)?;
        Ok(())
    }

    /// The tenant itself, once for each part that speaks of it.
    fn root(&mut self, row: &mut Row<'_, '_, '_>) -> Result<u32, Cause> {
        let key = self.own(row, "")?;
        if self.made.insert((row.part, key)) {
            let shown = self.name.clone().unwrap_or_else(|| format!("Entra tenant {}", self.realm));
            let attributes = Attributes { high_value: Some(true), ..Attributes::default() };
            row.node(key, Kind::Scope, &shown, attributes)?;
        }
        Ok(key)
    }

    fn users(&mut self, document: &Document<'_>, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
        let start = intake.node_count();
        let mut stamped = false;
        document.each(intake, "users", &mut |row, it: User| {
            stamped |= it.sign_in_activity.is_some();
            self.user(row, &it)
        })?;
        for node in intake.nodes_since(start).iter_mut().filter(|_| stamped) {
            let Some(attributes) = node.attributes.as_mut().filter(|_| node.kind == Kind::Account) else { continue };
            if attributes.sign_ins.is_empty() && attributes.created.is_some_and(|created| created >= KEPT_SINCE) {
                attributes.sign_ins.push(SignIn { kind: SignInKind::Provider, when: Moment::Never });
            }
        }
        Ok(())
    }

    fn user(&mut self, row: &mut Row<'_, '_, '_>, it: &User) -> Result<(), Cause> {
        let key = object(row, &it.id)?;
        let attributes = it.attributes(row)?;
        let name = it.user_principal_name.as_deref().or(it.display_name.as_deref()).unwrap_or(&it.id);
        row.node(key, Kind::Account, name, attributes)?;
        let root = self.root(row)?;
        row.edge(root, Relation::Contains, key);
        self.users.push((key, row.place.clone()));
        Ok(())
    }

    fn registration(&mut self, row: &mut Row<'_, '_, '_>, it: &Registration) -> Result<(), Cause> {
        let key = object(row, &it.id)?;
        let name = it.user_principal_name.as_deref().unwrap_or(&it.id);
        let attributes = Attributes { factors: it.factors(), ..Attributes::default() };
        row.node(key, Kind::Account, name, attributes)
    }

    fn group(&mut self, row: &mut Row<'_, '_, '_>, it: &Group) -> Result<(), Cause> {
        if it.more_members.is_some() {
            return Err(Cause::malformed("a group with more members on another page; export all of them"));
        }
        let key = object(row, &it.id)?;
        let attributes = Attributes {
            created: row.instant(it.created_date_time.as_deref()),
            email: row.text(it.mail.as_deref())?,
            sid: row.text(it.on_premises_security_identifier.as_deref())?,
            owner: owner(&it.owners.0),
            ..Attributes::default()
        };
        row.node(key, Kind::Group, it.display_name.as_deref().unwrap_or(&it.id), attributes)?;
        for (number, Reference(id)) in it.members.0.iter().enumerate() {
            let mut row = row.at("members", number);
            let member = object(&mut row, id)?;
            row.edge(member, Relation::MemberOf, key);
            self.members.entry(key).or_default().push(member);
        }
        owners(row, &it.owners.0, key)?;
        let root = self.root(row)?;
        row.edge(root, Relation::Contains, key);
        let dynamic = it.group_types.0.iter().any(|kind| kind == "DynamicMembership");
        if it.is_assignable_to_role != Some(true) && it.on_premises_sync_enabled != Some(true) && !dynamic {
            let all = self.together(row, Power::Groups)?;
            row.edge(all, Relation::Contains, key);
        }
        Ok(())
    }

    /// What a power is over, as one node.
    fn together(&mut self, row: &mut Row<'_, '_, '_>, power: Power) -> Result<u32, Cause> {
        let (rest, name) = match power {
            Power::Tenant => return self.root(row),
            Power::Applications => ("every-application", "every application of the tenant"),
            Power::People => ("every-user-without-role", "every user without a directory role"),
            Power::Groups => ("every-group-without-role", "every group that can hold no directory role"),
        };
        let key = self.own(row, rest)?;
        if self.made.insert((row.part, key)) {
            row.node(key, Kind::Container, name, Attributes::default())?;
        }
        Ok(key)
    }

    fn service_principal(&mut self, row: &mut Row<'_, '_, '_>, it: &ServicePrincipal) -> Result<(), Cause> {
        let key = object(row, &it.id)?;
        let id = it.id.to_ascii_lowercase();
        if it.app_id.as_deref() == Some(GRAPH) {
            self.graph.insert(id.clone());
            for role in &it.app_roles.0 {
                if let Some(power) = role.value.as_deref().and_then(powers::of_permission) {
                    self.permissions.insert((id.clone(), role.id.to_ascii_lowercase()), power);
                }
            }
        }
        if let Some(app) = &it.app_id {
            self.services.insert(app.to_ascii_lowercase(), key);
        }
        let managed = it.service_principal_type.as_deref() == Some("ManagedIdentity");
        let attributes = Attributes {
            enabled: it.account_enabled,
            created: row.instant(it.created_date_time.as_deref()),
            managed_password: managed.then_some(true),
            owner: owner(&it.owners.0),
            ..Attributes::default()
        };
        let name = it.display_name.as_deref().unwrap_or(&it.id);
        row.node(key, Kind::Service, name, attributes)?;
        owners(row, &it.owners.0, key)?;
        credentials(row, &it.password_credentials.0, &it.key_credentials.0, key)?;
        let root = self.root(row)?;
        row.edge(root, Relation::Contains, key);
        let all = self.together(row, Power::Applications)?;
        row.edge(all, Relation::Contains, key);
        let people = it.app_role_assigned_to.0.iter().any(|assigned| !assigned.by_service());
        if people || it.preferred_single_sign_on_mode.is_some() {
            let own = self.signed_in_to(row, &id)?;
            let single_sign_on = match it.preferred_single_sign_on_mode.as_deref() {
                Some("saml" | "oidc") => Some(true),
                // The provider keeps the password and types it in.
                Some("password" | "notSupported") => Some(false),
                _ => None,
            };
            self.made.insert((row.part, own));
            row.node(own, Kind::Resource, name, Attributes { single_sign_on, ..Attributes::default() })?;
        }
        Ok(())
    }

    /// An application as what people sign in to; the service principal is what it does itself.
    fn signed_in_to(&mut self, row: &mut Row<'_, '_, '_>, service: &str) -> Result<u32, Cause> {
        row.key(&format!("entra:{service}/sign-in"))
    }

    fn application(&mut self, row: &mut Row<'_, '_, '_>, it: &Application) -> Result<(), Cause> {
        let service = it.app_id.as_deref().and_then(|app| self.services.get(&app.to_ascii_lowercase())).copied();
        let key = match service {
            Some(service) => service,
            None => object(row, &it.id)?,
        };
        let attributes = Attributes {
            created: row.instant(it.created_date_time.as_deref()),
            owner: owner(&it.owners.0),
            ..Attributes::default()
        };
        row.node(key, Kind::Service, it.display_name.as_deref().unwrap_or(&it.id), attributes)?;
        owners(row, &it.owners.0, key)?;
        credentials(row, &it.password_credentials.0, &it.key_credentials.0, key)?;
        for (number, federated) in it.federated_identity_credentials.0.iter().enumerate() {
            federation(&mut row.at("federatedIdentityCredentials", number), federated, key)?;
        }
        if service.is_none() {
            let all = self.together(row, Power::Applications)?;
            row.edge(all, Relation::Contains, key);
        }
        Ok(())
    }

    /// Somebody or something is assigned to an application: people sign in to it, programmes have its permission.
    fn assigned(&mut self, row: &mut Row<'_, '_, '_>, it: &Assigned) -> Result<(), Cause> {
        let principal = object(row, &it.principal_id)?;
        let resource = it.resource_id.to_ascii_lowercase();
        let role = it.app_role_id.as_deref().unwrap_or_default().to_ascii_lowercase();
        if !it.by_service() {
            let own = self.signed_in_to(row, &resource)?;
            if self.made.insert((row.part, own)) {
                let name = it.resource_display_name.as_deref().unwrap_or(&it.resource_id);
                row.node(own, Kind::Resource, name, Attributes::default())?;
            }
            row.edge(principal, Relation::Permits, own);
            return Ok(());
        }
        match self.permissions.get(&(resource.clone(), role)).copied() {
            Some(power) => self.power(row, principal, power, None),
            None => {
                if !self.graph.contains(&resource) {
                    let service = object(row, &resource)?;
                    row.edge(principal, Relation::Permits, service);
                } else {
                    row.skip("a permission of an application that gives no power over identities");
                }
                Ok(())
            }
        }
    }

    fn power(
        &mut self,
        row: &mut Row<'_, '_, '_>,
        holder: u32,
        power: Power,
        condition: Option<&str>,
    ) -> Result<(), Cause> {
        let target = self.together(row, power)?;
        match condition {
            Some(condition) => row.conditional(holder, power.relation(), target, condition),
            None => {
                row.edge(holder, power.relation(), target);
                Ok(())
            }
        }
    }

    fn role_definition(&mut self, row: &mut Row<'_, '_, '_>, it: &RoleDefinition) -> Result<(), Cause> {
        let template = it.template_id.as_deref().unwrap_or(&it.id);
        let key = self.role(row, template, it.display_name.as_deref())?;
        if it.is_built_in == Some(false)
            && it
                .role_permissions
                .0
                .iter()
                .flat_map(|all| &all.allowed_resource_actions.0)
                .any(|action| powers::adds_credentials(action))
        {
            self.power(row, key, Power::Applications, None)?;
        }
        Ok(())
    }

    /// A directory role over the whole tenant, with what it opens.
    fn role(&mut self, row: &mut Row<'_, '_, '_>, template: &str, name: Option<&str>) -> Result<u32, Cause> {
        let template = template.to_ascii_lowercase();
        let key = self.own(row, &format!("role/{template}"))?;
        // Once, whichever list names it first.
        if !self.made.insert((u32::MAX, key)) {
            return Ok(key);
        }
        let known = powers::of_role(&template);
        let high_value = known.contains(&Power::Tenant).then_some(true);
        row.node(key, Kind::Role, name.unwrap_or(&template), Attributes { high_value, ..Attributes::default() })?;
        for power in known {
            self.power(row, key, *power, None)?;
        }
        Ok(key)
    }

    fn role_assignment(&mut self, row: &mut Row<'_, '_, '_>, it: &RoleAssignment, eligible: bool) -> Result<(), Cause> {
        let principal = object(row, &it.principal_id)?;
        let scope = it.directory_scope_id.as_deref().or(it.app_scope_id.as_deref()).unwrap_or("/");
        let role = if scope == "/" {
            self.role(row, &it.role_definition_id, None)?
        } else {
            self.scoped_role(row, &it.role_definition_id, scope)?
        };
        self.holders.push(principal);
        let end = row.instant(it.end_date_time.as_deref());
        let activated = it.assignment_type.as_deref() == Some("Activated");
        let until = end.map(|end| format!("until {end}"));
        let condition = match (eligible, activated, until) {
            (true, _, None) => Some("once activated (PIM)".to_owned()),
            (true, _, Some(until)) => Some(format!("once activated (PIM), {until}")),
            (false, true, Some(until)) => Some(format!("activated {until}")),
            (false, true, None) => Some("as long as it is activated".to_owned()),
            (false, false, until) => until,
        };
        match condition {
            Some(condition) => row.conditional(principal, Relation::MemberOf, role, &condition),
            None => {
                row.edge(principal, Relation::MemberOf, role);
                Ok(())
            }
        }
    }

    /// A role over an administrative unit or one object. What is in the unit is not told here.
    fn scoped_role(&mut self, row: &mut Row<'_, '_, '_>, template: &str, scope: &str) -> Result<u32, Cause> {
        let template = template.to_ascii_lowercase();
        let scope = scope.trim_start_matches('/').to_ascii_lowercase();
        let key = self.own(row, &format!("role/{template}/over/{scope}"))?;
        if !self.made.insert((u32::MAX, key)) {
            return Ok(key);
        }
        row.node(key, Kind::Role, &format!("{template} over {scope}"), Attributes::default())?;
        for power in powers::of_role(&template) {
            match (power, scope.split_once('/')) {
                (Power::Applications, None) => {
                    let target = object(row, &scope)?;
                    row.edge(key, power.relation(), target);
                }
                (Power::People | Power::Groups, Some(("administrativeunits", unit))) => {
                    self.power(row, key, *power, Some(&format!("in the administrative unit {unit}")))?;
                }
                _ => row.skip("what a role opens over a part of the tenant that is not told"),
            }
        }
        Ok(key)
    }

    fn directory_role(&mut self, row: &mut Row<'_, '_, '_>, it: &DirectoryRole) -> Result<(), Cause> {
        let Some(template) = it.role_template_id.as_deref() else {
            return Err(Cause::malformed("a directory role without its template"));
        };
        let role = self.role(row, template, it.display_name.as_deref())?;
        for (number, Reference(id)) in it.members.0.iter().enumerate() {
            let mut row = row.at("members", number);
            let member = object(&mut row, id)?;
            self.holders.push(member);
            row.edge(member, Relation::MemberOf, role);
        }
        Ok(())
    }

    /// Whose password every little administrator may reset: whoever holds no role, not by a group either.
    fn without_roles(&mut self, row: &mut Row<'_, '_, '_>) -> Result<(), Fault> {
        let mut holding: HashSet<u32> = self.holders.iter().copied().collect();
        let mut waiting: Vec<u32> = holding.iter().copied().collect();
        while let Some(holder) = waiting.pop() {
            for member in self.members.get(&holder).map_or(&[][..], Vec::as_slice) {
                if holding.insert(*member) {
                    waiting.push(*member);
                }
            }
        }
        let users = std::mem::take(&mut self.users);
        for (user, place) in users.into_iter().filter(|(user, _)| !holding.contains(user)) {
            row.place = place;
            let all = self.together(row, Power::People).and_then(|all| row.intake.record().map(|()| all));
            let all = all.map_err(|cause| row.intake.fault(cause, Some(row.place.clone())))?;
            row.edge(all, Relation::Contains, user);
        }
        Ok(())
    }
}

/// Whoever has a secret or a certificate's key is the application.
fn credentials(
    row: &mut Row<'_, '_, '_>,
    secrets: &[Credential],
    certificates: &[Credential],
    of: u32,
) -> Result<(), Cause> {
    for (list, kind, all) in
        [("passwordCredentials", "secret", secrets), ("keyCredentials", "certificate", certificates)]
    {
        for (number, credential) in all.iter().enumerate() {
            let mut row = row.at(list, number);
            let Some(id) = &credential.key_id else {
                row.skip("a credential without an identifier");
                continue;
            };
            let key = object(&mut row, id)?;
            let name = format!("{kind} {}", credential.display_name.as_deref().unwrap_or(id));
            let attributes = Attributes {
                created: row.instant(credential.start_date_time.as_deref()),
                expires: row.instant(credential.end_date_time.as_deref()).map(Moment::At),
                ..Attributes::default()
            };
            row.node(key, Kind::Key, &name, attributes)?;
            row.edge(key, Relation::Assume, of);
        }
    }
    Ok(())
}

/// The first owner answers for it.
fn owner(owners: &[Reference]) -> Option<Box<str>> {
    owners.first().map(|Reference(id)| format!("entra:{}", id.to_ascii_lowercase()).into())
}

fn owners(row: &mut Row<'_, '_, '_>, owners: &[Reference], of: u32) -> Result<(), Cause> {
    for (number, Reference(id)) in owners.iter().enumerate() {
        let mut row = row.at("owners", number);
        let owner = object(&mut row, id)?;
        row.edge(owner, Relation::Owns, of);
    }
    Ok(())
}

/// Whoever another issuer calls so is the application.
fn federation(row: &mut Row<'_, '_, '_>, it: &Federated, service: u32) -> Result<(), Cause> {
    let (Some(issuer), Some(subject)) = (&it.issuer, &it.subject) else {
        row.skip("a federated credential that does not name one subject");
        return Ok(());
    };
    let key = row.key(&format!("federated:{issuer}|{subject}"))?;
    row.node(key, Kind::Workload, &format!("{subject} of {issuer}"), Attributes::default())?;
    row.edge(key, Relation::Assume, service);
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
