//! What directory roles and permissions of applications open, by the identifiers and names that are the same in every
//! tenant (Microsoft's reference of built-in roles and of Graph permissions). What is not named here opens nothing that is
//! known here: it is a membership like any other.

use crate::observation::Relation;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Power {
    /// Everything: gives out any role, or signs in as whoever has one.
    Tenant,
    /// Makes credentials of every application.
    Applications,
    /// Resets passwords, but for those of administrators.
    People,
    /// Adds members to groups, but for those that hold roles.
    Groups,
}

impl Power {
    pub(super) const fn relation(self) -> Relation {
        match self {
            Self::Tenant => Relation::Administers,
            Self::Applications => Relation::CreateCredential,
            Self::People => Relation::ResetPassword,
            Self::Groups => Relation::AddMember,
        }
    }
}

/// By the template of a built-in role.
pub(super) fn of_role(template: &str) -> &'static [Power] {
    match template {
        // Global, Privileged Role, Privileged Authentication Administrator; Partner Tier2 Support.
        "62e90394-69f5-4237-9190-012177145e10"
        | "e8611ab8-c189-46e8-94e1-60213ab1f814"
        | "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
        | "e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8" => &[Power::Tenant],
        // Application and Cloud Application Administrator.
        "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3" | "158c047a-c907-4556-b7ef-446551a6b5f7" => &[Power::Applications],
        // User Administrator.
        "fe930be7-5e62-47db-91af-98c3a49a38b1" => &[Power::People, Power::Groups],
        // Helpdesk, Authentication and Password Administrator.
        "729827e3-9c14-49f7-bb1b-9608f156bbb8"
        | "c4e39bd9-1100-46d3-8c65-fb160da0071f"
        | "966707d0-3269-4727-9be2-8c3a10f19b9d" => &[Power::People],
        // Groups and Intune Administrator.
        "fdd7a751-b60b-444a-984c-02652fe8fa1c" | "3a2c62db-5318-420d-8d74-23affee5d9d5" => &[Power::Groups],
        _ => &[],
    }
}

/// By the name of an application permission of Microsoft Graph.
pub(super) fn of_permission(value: &str) -> Option<Power> {
    Some(match value {
        "RoleManagement.ReadWrite.Directory"
        | "RoleAssignmentSchedule.ReadWrite.Directory"
        | "RoleEligibilitySchedule.ReadWrite.Directory"
        | "AppRoleAssignment.ReadWrite.All"
        | "UserAuthenticationMethod.ReadWrite.All" => Power::Tenant,
        "Application.ReadWrite.All" => Power::Applications,
        "User-PasswordProfile.ReadWrite.All" => Power::People,
        "Directory.ReadWrite.All" | "Group.ReadWrite.All" | "GroupMember.ReadWrite.All" => Power::Groups,
        _ => return None,
    })
}

/// Whether an action of a custom role makes credentials of applications.
pub(super) fn adds_credentials(action: &str) -> bool {
    matches!(
        action,
        "microsoft.directory/applications/credentials/update"
            | "microsoft.directory/applications/allProperties/allTasks"
            | "microsoft.directory/servicePrincipals/credentials/update"
            | "microsoft.directory/servicePrincipals/allProperties/allTasks"
    )
}
