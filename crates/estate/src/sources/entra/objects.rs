//! The records of the Graph API, as far as they are read, and what they say of a user. Values of secrets and hints of them are
//! no fields here: they are passed over by the reader.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::fault::Cause;
use crate::observation::{Attributes, Factor, Moment, SignIn, SignInKind};
use crate::sid;
use crate::sources::document::{Reference, Row, Several};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organization {
    pub(super) id: String,
    pub(super) display_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    pub(super) id: String,
    pub(super) display_name: Option<String>,
    pub(super) user_principal_name: Option<String>,
    mail: Option<String>,
    account_enabled: Option<bool>,
    created_date_time: Option<String>,
    user_type: Option<String>,
    department: Option<String>,
    job_title: Option<String>,
    employee_id: Option<String>,
    on_premises_security_identifier: Option<String>,
    on_premises_immutable_id: Option<String>,
    on_premises_sam_account_name: Option<String>,
    on_premises_domain_name: Option<String>,
    last_password_change_date_time: Option<String>,
    password_policies: Option<String>,
    pub(super) sign_in_activity: Option<Activity>,
    employee_leave_date_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Activity {
    last_sign_in_date_time: Option<String>,
    last_non_interactive_sign_in_date_time: Option<String>,
    last_successful_sign_in_date_time: Option<String>,
}

impl User {
    pub(super) fn attributes(&self, row: &mut Row<'_, '_, '_>) -> Result<Attributes, Cause> {
        let mut sign_ins = Vec::new();
        if let Some(activity) = &self.sign_in_activity {
            // The successful one is kept since the end of 2023 only; the others count attempts too.
            let successful = row.instant(activity.last_successful_sign_in_date_time.as_deref());
            let attempted = [&activity.last_sign_in_date_time, &activity.last_non_interactive_sign_in_date_time];
            let last = successful.or_else(|| attempted.into_iter().filter_map(|at| row.instant(at.as_deref())).max());
            sign_ins.extend(last.map(|at| SignIn { kind: SignInKind::Provider, when: Moment::At(at) }));
        }
        let never = |policies: &String| policies.contains("DisablePasswordExpiration");
        Ok(Attributes {
            enabled: self.account_enabled,
            created: row.instant(self.created_date_time.as_deref()),
            password_last_set: row.instant(self.last_password_change_date_time.as_deref()).map(Moment::At),
            password_never_expires: self.password_policies.as_ref().map(never),
            sign_ins,
            email: row.text(self.mail.as_deref())?,
            principal_name: row.text(self.user_principal_name.as_deref())?,
            account_name: row.text(self.on_premises_sam_account_name.as_deref())?,
            employee_number: row.text(self.employee_id.as_deref())?,
            display_name: row.text(self.display_name.as_deref())?,
            title: row.text(self.job_title.as_deref())?,
            department: row.text(self.department.as_deref())?,
            left: row.instant(self.employee_leave_date_time.as_deref()),
            guest: self.user_type.as_deref().map(|kind| kind.eq_ignore_ascii_case("guest")),
            domain: row.text(self.on_premises_domain_name.as_deref())?,
            sid: row.text(self.on_premises_security_identifier.as_deref())?,
            immutable_id: match immutable(self.on_premises_immutable_id.as_deref()) {
                Some(guid) => Some(guid.into()),
                None => row.text(self.on_premises_immutable_id.as_deref())?,
            },
            ..Attributes::default()
        })
    }
}

/// The anchor of a synchronisation is the GUID of the account in its directory, unless somebody chose another.
pub(super) fn immutable(id: Option<&str>) -> Option<String> {
    sid::guid(&STANDARD.decode(id?.trim()).ok()?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Registration {
    pub(super) id: String,
    pub(super) user_principal_name: Option<String>,
    is_mfa_registered: Option<bool>,
    methods_registered: Option<Vec<String>>,
}

impl Registration {
    /// What signs in beyond a password; what only resets one is no factor.
    pub(super) fn factors(&self) -> Option<Vec<Factor>> {
        let of = |method: &String| {
            Some(match method.as_str() {
                "fido2SecurityKey"
                | "fido2"
                | "windowsHelloForBusiness"
                | "macOsSecureEnclaveKey"
                | "x509Certificate" => Factor::PhishingResistant,
                other if other.starts_with("passKey") => Factor::PhishingResistant,
                "microsoftAuthenticatorPush" | "microsoftAuthenticatorPasswordless" => Factor::App,
                "softwareOneTimePasscode" | "hardwareOneTimePasscode" => Factor::OneTimeCode,
                "mobilePhone" | "alternateMobilePhone" | "officePhone" => Factor::Phone,
                // For resetting a password, and for the first hour.
                "email" | "securityQuestion" | "temporaryAccessPass" => return None,
                _ => Factor::Unspecified,
            })
        };
        let methods = self.methods_registered.as_ref().map(|all| {
            let mut factors: Vec<Factor> = all.iter().filter_map(of).collect();
            factors.sort();
            factors.dedup();
            factors
        });
        match (methods, self.is_mfa_registered) {
            (Some(factors), Some(true)) if factors.is_empty() => Some(vec![Factor::Unspecified]),
            (Some(factors), _) => Some(factors),
            (None, Some(true)) => Some(vec![Factor::Unspecified]),
            (None, Some(false)) => Some(Vec::new()),
            (None, None) => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) display_name: Option<String>,
    pub(super) mail: Option<String>,
    pub(super) created_date_time: Option<String>,
    pub(super) on_premises_security_identifier: Option<String>,
    pub(super) on_premises_sync_enabled: Option<bool>,
    pub(super) is_assignable_to_role: Option<bool>,
    #[serde(default)]
    pub(super) group_types: Several<String>,
    #[serde(default)]
    pub(super) members: Several<Reference>,
    #[serde(rename = "members@odata.nextLink")]
    pub(super) more_members: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) owners: Several<Reference>,
}

/// A secret or certificate of an application or service principal: when it ends, and not what it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Credential {
    #[serde(alias = "KeyId")]
    pub(super) key_id: Option<String>,
    #[serde(alias = "DisplayName")]
    pub(super) display_name: Option<String>,
    #[serde(alias = "StartDateTime")]
    pub(super) start_date_time: Option<String>,
    #[serde(alias = "EndDateTime")]
    pub(super) end_date_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePrincipal {
    pub(super) id: String,
    pub(super) app_id: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) account_enabled: Option<bool>,
    pub(super) created_date_time: Option<String>,
    pub(super) service_principal_type: Option<String>,
    pub(super) preferred_single_sign_on_mode: Option<String>,
    #[serde(default)]
    pub(super) app_roles: Several<AppRole>,
    #[serde(default)]
    pub(super) app_role_assigned_to: Several<Assigned>,
    #[serde(default)]
    pub(super) owners: Several<Reference>,
    #[serde(default)]
    pub(super) password_credentials: Several<Credential>,
    #[serde(default)]
    pub(super) key_credentials: Several<Credential>,
}

#[derive(Deserialize)]
pub(super) struct AppRole {
    pub(super) id: String,
    pub(super) value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Assigned {
    pub(super) principal_id: String,
    principal_type: Option<String>,
    pub(super) resource_id: String,
    pub(super) resource_display_name: Option<String>,
    pub(super) app_role_id: Option<String>,
}

impl Assigned {
    pub(super) fn by_service(&self) -> bool {
        self.principal_type.as_deref() == Some("ServicePrincipal")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Application {
    pub(super) id: String,
    pub(super) app_id: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) created_date_time: Option<String>,
    #[serde(default)]
    pub(super) owners: Several<Reference>,
    #[serde(default)]
    pub(super) federated_identity_credentials: Several<Federated>,
    #[serde(default)]
    pub(super) password_credentials: Several<Credential>,
    #[serde(default)]
    pub(super) key_credentials: Several<Credential>,
}

#[derive(Deserialize)]
pub(super) struct Federated {
    #[serde(alias = "Issuer")]
    pub(super) issuer: Option<String>,
    #[serde(alias = "Subject")]
    pub(super) subject: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleDefinition {
    pub(super) id: String,
    pub(super) template_id: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) is_built_in: Option<bool>,
    #[serde(default)]
    pub(super) role_permissions: Several<RolePermission>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RolePermission {
    #[serde(default)]
    pub(super) allowed_resource_actions: Several<String>,
}

/// Of `roleAssignments`, and of the instances that Privileged Identity Management keeps.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoleAssignment {
    #[serde(alias = "PrincipalId")]
    pub(super) principal_id: String,
    #[serde(alias = "RoleDefinitionId")]
    pub(super) role_definition_id: String,
    #[serde(alias = "DirectoryScopeId")]
    pub(super) directory_scope_id: Option<String>,
    #[serde(alias = "AppScopeId")]
    pub(super) app_scope_id: Option<String>,
    #[serde(alias = "AssignmentType")]
    pub(super) assignment_type: Option<String>,
    #[serde(alias = "EndDateTime")]
    pub(super) end_date_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DirectoryRole {
    pub(super) role_template_id: Option<String>,
    pub(super) display_name: Option<String>,
    #[serde(default)]
    pub(super) members: Several<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConditionalAccess {
    #[serde(alias = "Id")]
    pub(super) id: String,
    #[serde(alias = "DisplayName")]
    pub(super) display_name: Option<String>,
    #[serde(alias = "State")]
    pub(super) state: Option<String>,
    #[serde(alias = "CreatedDateTime")]
    pub(super) created_date_time: Option<String>,
}
