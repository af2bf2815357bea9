//! What ScubaGear (CISA's assessment of Microsoft 365) collected of a tenant: who has privileged roles and until when,
//! privileged and risky applications with credentials and permissions, conditional access policies. It has no ordinary users.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::objects::{ConditionalAccess, Credential, Federated, RoleAssignment, immutable};
use super::{Tenant, credentials, federation, object, policy, powers};
use crate::batch::{Intake, System};
use crate::fault::{Cause, Fault};
use crate::json;
use crate::observation::{Attributes, Kind, Place, Relation};
use crate::sources::document::{Row, Several};

#[derive(Deserialize)]
struct Export {
    #[serde(default)]
    tenant_details: Several<Details>,
    #[serde(default)]
    privileged_users: BTreeMap<String, Privileged>,
    #[serde(default)]
    privileged_service_principals: BTreeMap<String, Privileged>,
    #[serde(default)]
    privileged_roles: Several<Role>,
    #[serde(default)]
    conditional_access_policies: Several<ConditionalAccess>,
    #[serde(default)]
    risky_applications: Several<Application>,
    #[serde(default)]
    risky_third_party_service_principals: Several<Application>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Details {
    tenant_id: String,
    display_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Privileged {
    display_name: Option<String>,
    #[serde(default, rename = "roles")]
    roles: Several<String>,
    on_premises_immutable_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Role {
    display_name: String,
    role_template_id: String,
    #[serde(default)]
    assignments: Several<RoleAssignment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Application {
    object_id: ObjectId,
    display_name: Option<String>,
    #[serde(default)]
    key_credentials: Several<Credential>,
    #[serde(default)]
    password_credentials: Several<Credential>,
    #[serde(default)]
    federated_credentials: Several<Federated>,
    #[serde(default)]
    permissions: Several<Permission>,
}

/// Of an application and its service principal, or of the service principal of somebody else's application.
#[derive(Deserialize)]
#[serde(untagged)]
enum ObjectId {
    Service(String),
    Both {
        #[serde(rename = "ServicePrincipal")]
        service_principal: Option<String>,
        #[serde(rename = "Application")]
        application: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Permission {
    role_type: Option<String>,
    role_display_name: Option<String>,
    application_display_name: Option<String>,
    is_admin_consented: Option<bool>,
}

pub(crate) fn read(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let export: Export = serde_json::from_str(text).map_err(|error| {
        let (cause, place) = json::fault(&error);
        intake.fault(cause, Some(place))
    })?;
    let Some(details) = export.tenant_details.0.first() else {
        return Err(intake.fault(Cause::malformed("it does not say of which tenant it is"), None));
    };
    let mut tenant = Tenant::new(&details.tenant_id);
    tenant.name.clone_from(&details.display_name);
    let mut at = None;
    tenant.scuba(intake, &export, &mut at).map_err(|cause| intake.fault(cause, at))
}

impl Tenant {
    /// `at`: where it was when it stopped.
    fn scuba(&mut self, intake: &mut Intake<'_, '_>, export: &Export, at: &mut Option<Place>) -> Result<(), Cause> {
        let part = intake.part(System::Entra, &self.realm, "scubagear")?;
        self.root(&mut row(intake, part, "tenant_details", 0, at))?;
        let mut templates = BTreeMap::new();
        for (index, role) in export.privileged_roles.0.iter().enumerate() {
            let mut row = row(intake, part, "privileged_roles", index, at);
            row.intake.record()?;
            templates.insert(role.display_name.as_str(), role.role_template_id.as_str());
            self.role(&mut row, &role.role_template_id, Some(&role.display_name))?;
            for (number, assignment) in role.assignments.0.iter().enumerate() {
                self.role_assignment(&mut row.at("Assignments", number), assignment, false)?;
            }
        }
        let holders = [
            ("privileged_users", Kind::Account, &export.privileged_users),
            ("privileged_service_principals", Kind::Service, &export.privileged_service_principals),
        ];
        for (list, kind, holders) in holders {
            for (index, (id, holder)) in holders.iter().enumerate() {
                let mut row = row(intake, part, list, index, at);
                row.intake.record()?;
                let key = object(&mut row, id)?;
                let attributes = Attributes {
                    immutable_id: immutable(holder.on_premises_immutable_id.as_deref()).map(Into::into),
                    ..Attributes::default()
                };
                row.node(key, kind, holder.display_name.as_deref().unwrap_or(id), attributes)?;
                self.holds(&mut row, key, &holder.roles.0, &templates)?;
            }
        }
        for (index, it) in export.conditional_access_policies.0.iter().enumerate() {
            policy(&mut row(intake, part, "conditional_access_policies", index, at), it)?;
        }
        let applications = [
            ("risky_applications", &export.risky_applications),
            ("risky_third_party_service_principals", &export.risky_third_party_service_principals),
        ];
        for (list, applications) in applications {
            for (index, it) in applications.0.iter().enumerate() {
                let mut row = row(intake, part, list, index, at);
                row.intake.record()?;
                self.risky(&mut row, it)?;
            }
        }
        Ok(())
    }

    /// The list of holders does not tell a role that is held from one that is only eligible; the list of assignments has those
    /// that are held.
    fn holds(
        &mut self,
        row: &mut Row<'_, '_, '_>,
        holder: u32,
        roles: &[String],
        templates: &BTreeMap<&str, &str>,
    ) -> Result<(), Cause> {
        for role in roles {
            let Some(template) = templates.get(role.as_str()) else {
                row.skip("a role that the export does not describe");
                continue;
            };
            let role = self.role(row, template, Some(role))?;
            row.conditional(holder, Relation::MemberOf, role, "held, or once activated (PIM): not told which")?;
        }
        Ok(())
    }

    fn risky(&mut self, row: &mut Row<'_, '_, '_>, it: &Application) -> Result<(), Cause> {
        let id = match &it.object_id {
            ObjectId::Service(id) => Some(id),
            ObjectId::Both { service_principal, application } => service_principal.as_ref().or(application.as_ref()),
        };
        let Some(id) = id else { return Err(Cause::malformed("an application without an identifier")) };
        let key = object(row, id)?;
        row.node(key, Kind::Service, it.display_name.as_deref().unwrap_or(id), Attributes::default())?;
        credentials(row, &it.password_credentials.0, &it.key_credentials.0, key)?;
        for (number, federated) in it.federated_credentials.0.iter().enumerate() {
            federation(&mut row.at("FederatedCredentials", number), federated, key)?;
        }
        let graph = |it: &&Permission| {
            it.application_display_name.as_deref() == Some("Microsoft Graph")
                && it.role_type.as_deref() == Some("Application")
        };
        for permission in it.permissions.0.iter().filter(graph) {
            let Some(power) = permission.role_display_name.as_deref().and_then(powers::of_permission) else { continue };
            // Asked for is not given.
            if permission.is_admin_consented == Some(true) {
                self.power(row, key, power, None)?;
            } else {
                row.skip("a permission that nobody consented to");
            }
        }
        Ok(())
    }
}

fn row<'r, 'a, 'w>(
    intake: &'r mut Intake<'a, 'w>,
    part: u32,
    list: &'static str,
    index: usize,
    at: &mut Option<Place>,
) -> Row<'r, 'a, 'w> {
    let place = Place::record(list, u32::try_from(index).unwrap_or(u32::MAX));
    *at = Some(place.clone());
    Row { intake, part, place }
}
