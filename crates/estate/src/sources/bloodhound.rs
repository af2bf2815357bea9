//! What BloodHound's formats have in common: the names of its edges, and the properties of its nodes.

use serde::Deserialize;

use crate::batch::Intake;
use crate::fault::Cause;
use crate::json::lenient::{Flag, Seconds, Text, Texts};
use crate::observation::{Attributes, Kind, Relation, SignIn, SignInKind};
use crate::sid;

/// BloodHound's name of an edge or right, as ours. `None`: it opens nothing by itself, or is not known here.
pub(crate) fn relation(name: &str) -> Option<Relation> {
    use Relation as R;
    Some(match name {
        "MemberOf" | "MemberOfLocalGroup" => R::MemberOf,
        "Contains" => R::Contains,
        "GPLink" | "GpLink" | "GPOAppliesTo" => R::AppliesTo,
        "AdminTo" => R::Administers,
        "Owns" | "Owner" | "OwnsLimitedRights" => R::Owns,
        "GenericAll" => R::FullControl,
        "GenericWrite" => R::WriteAttributes,
        "WriteOwner" | "WriteOwnerLimitedRights" => R::WriteOwner,
        "WriteDacl" => R::WritePermissions,
        "AllExtendedRights" => R::AllExtendedRights,
        "ForceChangePassword" => R::ResetPassword,
        "AddMember" | "AddMembers" => R::AddMember,
        "AddSelf" => R::AddSelf,
        "WriteSPN" => R::WriteServicePrincipal,
        "AddKeyCredentialLink" => R::AddKeyCredential,
        "AddAllowedToAct" => R::WriteDelegation,
        "WriteAccountRestrictions" => R::WriteAccountRestrictions,
        "WriteGPLink" => R::WriteGroupPolicyLink,
        "ReadLAPSPassword" | "SyncLAPSPassword" => R::ReadLocalPassword,
        "ReadGMSAPassword" | "DumpSMSAPassword" => R::ReadManagedPassword,
        "GetChanges" => R::GetChanges,
        "GetChangesAll" => R::GetChangesAll,
        "GetChangesInFilteredSet" => R::GetChangesFiltered,
        "DCSync" => R::DcSync,
        "HasSession" => R::HasSession,
        "AllowedToDelegate" => R::DelegatesTo,
        "AllowedToAct" => R::ActsOnBehalf,
        "HasSIDHistory" => R::HasSidHistory,
        "CanRDP" => R::RemoteDesktop,
        "ExecuteDCOM" => R::RemoteDcom,
        "CanPSRemote" => R::RemotePowerShell,
        "SQLAdmin" => R::SqlAdministrator,
        // "A is trusted by B": who has A signs in at B.
        "TrustedBy" | "SameForestTrust" => R::TrustedBy,
        "Enroll" => R::Enroll,
        "ManageCA" | "ManageCertificates" => R::ManageAuthority,
        _ => return None,
    })
}

/// The kind that BloodHound's labels say. A node of several labels is the one that acts.
pub(crate) fn kind<'a>(labels: impl IntoIterator<Item = &'a str>) -> Kind {
    let of = |label: &str| match label {
        "User" | "AZUser" => Kind::Account,
        "Computer" | "AZDevice" | "AZVM" => Kind::Device,
        "AZServicePrincipal" | "AZApp" | "AZManagedIdentity" => Kind::Service,
        "Group" | "LocalGroup" | "ADLocalGroup" | "AZGroup" => Kind::Group,
        "AZRole" => Kind::Role,
        "Domain" | "AZTenant" | "AZSubscription" => Kind::Scope,
        "OU" | "Container" | "AZResourceGroup" | "AZManagementGroup" => Kind::Container,
        "GPO" | "CertTemplate" | "IssuancePolicy" => Kind::Policy,
        "EnterpriseCA" | "RootCA" | "AIACA" | "NTAuthStore" | "AZKeyVault" => Kind::Resource,
        _ => Kind::Unknown,
    };
    let rank = |kind: Kind| match kind {
        Kind::Account | Kind::Service => 3,
        Kind::Device => 2,
        Kind::Unknown => 0,
        _ => 1,
    };
    labels.into_iter().map(of).max_by_key(|kind| (rank(*kind), std::cmp::Reverse(*kind))).unwrap_or(Kind::Unknown)
}

/// The other name of a device that delegation and old collections use.
pub(crate) fn host(intake: &mut Intake<'_, '_>, name: &str) -> Result<u32, Cause> {
    let name = name.rsplit('/').next().unwrap_or(name).split(':').next().unwrap_or(name);
    intake.loose(&format!("host:{}", name.to_ascii_uppercase()))
}

pub(crate) fn host_alias(intake: &mut Intake<'_, '_>, name: &str, key: u32) -> Result<(), Cause> {
    intake.alias(&format!("host:{}", name.to_ascii_uppercase()), key)
}

/// Properties of a node, of which the value types differ from version to version.
#[derive(Deserialize, Default, Debug)]
#[serde(default)]
pub(crate) struct Properties {
    pub(crate) name: Text,
    pub(crate) domain: Text,
    #[serde(alias = "objectId")]
    pub(crate) objectid: Text,
    distinguishedname: Text,
    samaccountname: Text,
    displayname: Text,
    email: Text,
    title: Text,
    enabled: Flag,
    lockedout: Flag,
    whencreated: Seconds,
    pwdlastset: Seconds,
    lastlogon: Seconds,
    lastlogontimestamp: Seconds,
    pwdneverexpires: Flag,
    passwordnotreqd: Flag,
    dontreqpreauth: Flag,
    serviceprincipalnames: Texts,
    hasspn: Flag,
    unconstraineddelegation: Flag,
    trustedtoauth: Flag,
    sensitive: Flag,
    admincount: Flag,
    highvalue: Flag,
    haslaps: Flag,
    gmsa: Flag,
    msa: Flag,
    isdc: Flag,
    operatingsystem: Text,
    /// Only whether they are there.
    userpassword: Text,
    unixpassword: Text,
    unicodepassword: Text,
    sfupassword: Text,
}

impl Properties {
    /// The node's name, and what the properties say of it.
    pub(crate) fn attributes(
        self,
        intake: &Intake<'_, '_>,
        key: &str,
        kind: Kind,
    ) -> Result<(Option<String>, Attributes), Cause> {
        let text = |text: &Text| text.get().map(|text| intake.clean(text)).transpose();
        let account = matches!(kind, Kind::Account | Kind::Service | Kind::Device);
        let mut sign_ins = Vec::new();
        if account {
            for (when, kind) in
                [(self.lastlogon, SignInKind::OneController), (self.lastlogontimestamp, SignInKind::Replicated)]
            {
                sign_ins.extend(when.0.map(|when| SignIn { kind, when }));
            }
            sign_ins.sort();
        }
        let secrets = [&self.userpassword, &self.unixpassword, &self.unicodepassword, &self.sfupassword];
        let mut service_principals = Vec::new();
        if account {
            for name in &self.serviceprincipalnames.0 {
                service_principals.push(intake.clean(name)?);
            }
            service_principals.sort();
            service_principals.dedup();
        }
        let sid = key.strip_prefix("sid:").filter(|sid| sid::is_sid(sid)).map(Into::into);
        let managed = matches!((self.gmsa.0, self.msa.0), (Some(true), _) | (_, Some(true))).then_some(true);
        let attributes = Attributes {
            enabled: self.enabled.0,
            locked: self.lockedout.0,
            created: self.whencreated.instant(),
            password_last_set: if account { self.pwdlastset.0 } else { None },
            password_never_expires: self.pwdneverexpires.0,
            password_not_required: self.passwordnotreqd.0,
            password_in_directory: secrets.iter().any(|secret| secret.get().is_some()).then_some(true),
            managed_password: managed,
            sign_ins,
            email: text(&self.email)?,
            account_name: text(&self.samaccountname)?,
            display_name: text(&self.displayname)?,
            title: text(&self.title)?,
            built_in: sid::is_built_in_account(key).then_some(true),
            domain_controller: self.isdc.0,
            high_value: self.highvalue.0,
            admin_count: self.admincount.0,
            without_preauthentication: self.dontreqpreauth.0,
            service_principals,
            has_service_principal: if account { self.hasspn.0 } else { None },
            unconstrained_delegation: self.unconstraineddelegation.0,
            protocol_transition: self.trustedtoauth.0,
            not_delegated: self.sensitive.0,
            local_password_managed: self.haslaps.0,
            operating_system: text(&self.operatingsystem)?,
            domain: text(&self.domain)?,
            distinguished_name: text(&self.distinguishedname)?,
            sid,
            guid: key.strip_prefix("guid:").map(Into::into),
            ..Attributes::default()
        };
        Ok((self.name.0, attributes))
    }
}
