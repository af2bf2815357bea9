//! One account as it is written: who and what is in it, and which statements speak for each.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use countersign_model::Timestamp;
use serde::Deserialize;

use super::policy::{Document, Statement};
use crate::fault::Cause;
use crate::observation::Place;

type Failed = (Cause, Option<Place>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct User {
    pub(super) user_name: String,
    pub(super) arn: String,
    #[serde(default)]
    pub(super) create_date: Option<String>,
    #[serde(default)]
    pub(super) group_list: Vec<String>,
    #[serde(default)]
    user_policy_list: Vec<Inline>,
    #[serde(default)]
    pub(super) attached_managed_policies: Vec<Attached>,
    #[serde(default)]
    permissions_boundary: Option<Boundary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Group {
    pub(super) group_name: String,
    pub(super) arn: String,
    #[serde(default)]
    pub(super) create_date: Option<String>,
    #[serde(default)]
    group_policy_list: Vec<Inline>,
    #[serde(default)]
    pub(super) attached_managed_policies: Vec<Attached>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Role {
    pub(super) role_name: String,
    pub(super) arn: String,
    #[serde(default)]
    pub(super) create_date: Option<String>,
    pub(super) assume_role_policy_document: Document,
    #[serde(default)]
    role_policy_list: Vec<Inline>,
    #[serde(default)]
    pub(super) attached_managed_policies: Vec<Attached>,
    #[serde(default)]
    permissions_boundary: Option<Boundary>,
    #[serde(default)]
    pub(super) role_last_used: Option<LastUsed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LastUsed {
    #[serde(default)]
    pub(super) last_used_date: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Policy {
    policy_name: String,
    arn: String,
    #[serde(default)]
    create_date: Option<String>,
    #[serde(default)]
    policy_version_list: Vec<Version>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    document: Document,
    is_default_version: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inline {
    policy_document: Document,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attached {
    pub(super) policy_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Boundary {
    permissions_boundary_arn: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sort {
    User,
    Group,
    Role,
}

/// A user, group or role with what speaks for it.
pub(super) struct Principal {
    pub(super) sort: Sort,
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) place: Place,
    /// Shared by all that a policy is attached to.
    policies: Vec<Arc<Vec<Statement>>>,
    /// `None`: no boundary. An empty list: one that the file does not have.
    pub(super) boundary: Option<Arc<Vec<Statement>>>,
    /// Of a user: indices of its groups.
    pub(super) groups: Vec<usize>,
    pub(super) attached: Vec<String>,
    pub(super) created: Option<Timestamp>,
    pub(super) last_used: Option<Timestamp>,
    /// Of a role: whom it trusts.
    pub(super) trust: Vec<Statement>,
    /// Policies that are attached and not in the file: what they permit is not known.
    pub(super) unread: usize,
    /// Groups that are not in the file.
    pub(super) strange_groups: usize,
}

impl Principal {
    pub(super) fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.policies.iter().flat_map(|statements| statements.iter())
    }

    /// Made and changed by AWS alone.
    pub(super) fn is_service_linked(&self) -> bool {
        self.arn.contains(":role/aws-service-role/")
    }
}

pub(super) struct Account {
    /// `arn:aws:iam::123456789012`, of which everything in it is the beginning of the name.
    pub(super) prefix: String,
    pub(super) number: String,
    pub(super) principals: Vec<Principal>,
    pub(super) policies: Vec<PolicyNamed>,
}

/// A managed policy; what it says speaks for those whom it is attached to.
pub(super) struct PolicyNamed {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) created: Option<Timestamp>,
}

/// Which policy each attachment means.
type Documents = HashMap<String, Arc<Vec<Statement>>>;

/// The lists of a file, each record with its place.
pub(super) struct Lists {
    pub(super) users: Vec<(Place, User)>,
    pub(super) groups: Vec<(Place, Group)>,
    pub(super) roles: Vec<(Place, Role)>,
    pub(super) policies: Vec<(Place, Policy)>,
}

impl Account {
    /// The accounts of a file: one, unless somebody put several together.
    pub(super) fn all(lists: Lists) -> Result<Vec<Self>, Failed> {
        let mut documents = Documents::new();
        for (place, policy) in &lists.policies {
            let versions = place.field("PolicyVersionList", None);
            let current = policy.policy_version_list.iter().filter(|version| version.is_default_version);
            let statements = current.flat_map(|version| placed(&version.document, &versions)).collect();
            if documents.insert(policy.arn.clone(), Arc::new(statements)).is_some() {
                return Err((Cause::malformed("a policy that stands twice"), Some(place.clone())));
            }
        }
        let mut accounts = BTreeMap::new();
        let mut groups = HashMap::new();
        for (place, group) in lists.groups {
            let account = of(&mut accounts, &group.arn, &place)?;
            groups.insert((account.number.clone(), group.group_name.clone()), account.principals.len());
            let mut principal = Principal::new(Sort::Group, group.group_name, group.arn, place);
            principal.created = instant(group.create_date.as_deref());
            principal.permit("GroupPolicyList", &group.group_policy_list, group.attached_managed_policies, &documents);
            account.principals.push(principal);
        }
        for (place, user) in lists.users {
            let account = of(&mut accounts, &user.arn, &place)?;
            let mut principal = Principal::new(Sort::User, user.user_name, user.arn, place);
            principal.created = instant(user.create_date.as_deref());
            principal.permit("UserPolicyList", &user.user_policy_list, user.attached_managed_policies, &documents);
            principal.bound(user.permissions_boundary, &documents);
            let named = |name: &String| groups.get(&(account.number.clone(), name.clone())).copied();
            principal.groups = user.group_list.iter().filter_map(named).collect();
            principal.strange_groups = user.group_list.len() - principal.groups.len();
            principal.groups.sort_unstable();
            principal.groups.dedup();
            account.principals.push(principal);
        }
        for (place, role) in lists.roles {
            let account = of(&mut accounts, &role.arn, &place)?;
            let mut principal = Principal::new(Sort::Role, role.role_name, role.arn, place.clone());
            principal.created = instant(role.create_date.as_deref());
            principal.last_used = instant(role.role_last_used.and_then(|used| used.last_used_date).as_deref());
            principal.permit("RolePolicyList", &role.role_policy_list, role.attached_managed_policies, &documents);
            principal.bound(role.permissions_boundary, &documents);
            principal.trust =
                placed(&role.assume_role_policy_document, &place.field("AssumeRolePolicyDocument", None)).collect();
            account.principals.push(principal);
        }
        let mut accounts: Vec<Self> = accounts.into_values().collect();
        for account in &mut accounts {
            account.only_once()?;
            let attached: HashSet<&str> =
                account.principals.iter().flat_map(|principal| &principal.attached).map(String::as_str).collect();
            let own = |policy: &Policy| account_of(&policy.arn).is_some_and(|(_, number)| number == account.number);
            let policies = lists.policies.iter().filter(|(_, policy)| own(policy) || attached.contains(&*policy.arn));
            account.policies = policies
                .map(|(place, policy)| PolicyNamed {
                    place: place.clone(),
                    name: policy.policy_name.clone(),
                    arn: policy.arn.clone(),
                    created: instant(policy.create_date.as_deref()),
                })
                .collect();
        }
        Ok(accounts)
    }

    fn only_once(&self) -> Result<(), Failed> {
        let mut seen = HashSet::new();
        match self.principals.iter().find(|principal| !seen.insert(principal.arn.as_str())) {
            None => Ok(()),
            Some(twice) => {
                Err((Cause::malformed("a user, group or role that stands twice"), Some(twice.place.clone())))
            }
        }
    }
}

/// The account that the name is of.
fn of<'a>(accounts: &'a mut BTreeMap<String, Account>, arn: &str, place: &Place) -> Result<&'a mut Account, Failed> {
    let Some((prefix, number)) = account_of(arn) else {
        return Err((Cause::malformed("a name that is none of an account"), Some(place.clone())));
    };
    Ok(accounts.entry(number.clone()).or_insert_with(|| Account {
        prefix,
        number,
        principals: Vec::new(),
        policies: Vec::new(),
    }))
}

impl Principal {
    fn new(sort: Sort, name: String, arn: String, place: Place) -> Self {
        Self {
            sort,
            name,
            arn,
            place,
            policies: Vec::new(),
            boundary: None,
            groups: Vec::new(),
            attached: Vec::new(),
            created: None,
            last_used: None,
            trust: Vec::new(),
            unread: 0,
            strange_groups: 0,
        }
    }

    fn permit(&mut self, list: &'static str, inline: &[Inline], attached: Vec<Attached>, documents: &Documents) {
        for (number, policy) in inline.iter().enumerate() {
            let place = self.place.field(list, Some(number));
            self.policies.push(Arc::new(placed(&policy.policy_document, &place).collect()));
        }
        for policy in attached {
            match documents.get(&policy.policy_arn) {
                Some(statements) => self.policies.push(Arc::clone(statements)),
                None => self.unread += 1,
            }
            self.attached.push(policy.policy_arn);
        }
    }

    fn bound(&mut self, boundary: Option<Boundary>, documents: &Documents) {
        self.boundary =
            boundary.map(|boundary| documents.get(&boundary.permissions_boundary_arn).cloned().unwrap_or_default());
    }
}

fn placed<'d>(document: &'d Document, place: &'d Place) -> impl Iterator<Item = Statement> + 'd {
    document.0.iter().map(|said| Statement { said: said.clone(), place: place.clone() })
}

/// `arn:aws:iam::123456789012:user/a` is of `arn:aws:iam::123456789012`, number `123456789012`.
pub(super) fn account_of(arn: &str) -> Option<(String, String)> {
    let mut parts = arn.splitn(6, ':');
    let (Some("arn"), Some(partition), Some("iam" | "sts"), Some(""), Some(number)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let known = number.len() == 12 && number.bytes().all(|byte| byte.is_ascii_digit());
    (known && parts.next().is_some()).then(|| (format!("arn:{partition}:iam::{number}"), number.to_owned()))
}

/// As the API writes it, and as Python prints it.
fn instant(text: Option<&str>) -> Option<Timestamp> {
    text.and_then(|text| text.replacen(' ', "T", 1).parse().ok())
}
