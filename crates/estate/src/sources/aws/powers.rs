//! What each user, group and role of an account can do to the others, and to the account: the ways by which people who
//! attack AWS raise their permissions, as edges.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::account::{Account, Principal, Sort, account_of};
use super::policy::{Answer, Effect, Principals, Statement, decide, matches};
use crate::batch::{Intake, System};
use crate::fault::Cause;
use crate::observation::{Attributes, Kind, Moment, Place, Relation, SignIn, SignInKind};

type Failed = (Cause, Option<Place>);

/// Services that run code as a role that they were handed, and the actions that make one do so.
const SERVICES: [(&str, &[&str]); 11] = [
    ("ec2.amazonaws.com", &["ec2:RunInstances"]),
    ("lambda.amazonaws.com", &["lambda:CreateFunction", "lambda:InvokeFunction"]),
    ("lambda.amazonaws.com", &["lambda:CreateFunction", "lambda:CreateEventSourceMapping"]),
    ("cloudformation.amazonaws.com", &["cloudformation:CreateStack"]),
    ("glue.amazonaws.com", &["glue:CreateDevEndpoint"]),
    ("datapipeline.amazonaws.com", &["datapipeline:CreatePipeline", "datapipeline:PutPipelineDefinition"]),
    ("sagemaker.amazonaws.com", &["sagemaker:CreateNotebookInstance", "sagemaker:CreatePresignedNotebookInstanceUrl"]),
    ("sagemaker.amazonaws.com", &["sagemaker:CreateTrainingJob"]),
    ("sagemaker.amazonaws.com", &["sagemaker:CreateProcessingJob"]),
    ("codebuild.amazonaws.com", &["codebuild:CreateProject", "codebuild:StartBuild"]),
    ("ecs-tasks.amazonaws.com", &["ecs:RegisterTaskDefinition", "ecs:RunTask"]),
];

/// Services in which something may run as a role already, and the actions that take it over. What really runs is in no
/// file of this kind, so that such a way always has a condition.
const RUNNING: [(&str, &str); 8] = [
    ("cloudformation.amazonaws.com", "cloudformation:UpdateStack"),
    ("ec2.amazonaws.com", "ec2-instance-connect:SendSSHPublicKey"),
    ("ec2.amazonaws.com", "ssm:SendCommand"),
    ("ec2.amazonaws.com", "ssm:StartSession"),
    ("glue.amazonaws.com", "glue:UpdateDevEndpoint"),
    ("lambda.amazonaws.com", "lambda:UpdateFunctionCode"),
    ("codebuild.amazonaws.com", "codebuild:UpdateProject"),
    ("sagemaker.amazonaws.com", "sagemaker:CreatePresignedNotebookInstanceUrl"),
];

/// Whoever may do everything but one of these does not have the account yet: the other ways are looked at.
const DECISIVE: [&str; 4] = ["iam:AttachRolePolicy", "iam:CreateAccessKey", "iam:PutUserPolicy", "sts:AssumeRole"];

pub(super) fn take(intake: &mut Intake<'_, '_>, account: &Account) -> Result<(), Failed> {
    let part = intake.part(System::AwsIam, &account.number, "all").map_err(nowhere)?;
    let root = intake.key(&format!("{}:root", account.prefix)).map_err(nowhere)?;
    let mut keys = Vec::with_capacity(account.principals.len());
    for principal in &account.principals {
        keys.push(intake.key(&principal.arn).map_err(|cause| (cause, Some(principal.place.clone())))?);
    }
    let services = account.principals.iter().map(trusted_services).collect();
    let weighed = Cell::new(0);
    let mut powers = Powers { intake, account, part, root, keys, collected: BTreeSet::new(), services, weighed };
    powers.nodes()?;
    let mut assumed = BTreeMap::new();
    for (number, role) in account.principals.iter().enumerate().filter(|(_, role)| role.sort == Sort::Role) {
        powers.trust(number, role, &mut assumed)?;
    }
    for (number, principal) in account.principals.iter().enumerate() {
        powers.of(number, principal, &assumed)?;
    }
    Ok(())
}

fn nowhere(cause: Cause) -> Failed {
    (cause, None)
}

/// Who may become which role, as found.
type Assumed = BTreeMap<(usize, usize), Answer>;

struct Powers<'e, 'a, 'w> {
    intake: &'e mut Intake<'a, 'w>,
    account: &'e Account,
    part: u32,
    root: u32,
    /// By the number of a principal.
    keys: Vec<u32>,
    /// Sorts of which there is a node for all of them together.
    collected: BTreeSet<&'static str>,
    /// By the number of a principal: of the services that are known here, those that the role trusts.
    services: Vec<Vec<&'static str>>,
    /// Statements so far: everybody is held against everything, so that a small file can ask for much work.
    weighed: Cell<u64>,
}

impl<'e> Powers<'e, '_, '_> {
    fn nodes(&mut self) -> Result<(), Failed> {
        let account = self.account;
        let place = account.principals.first().map_or_else(|| Place::record("", 0), |first| first.place.clone());
        let name = format!("AWS account {}", account.number);
        let attributes = Attributes { arn: self.clean(&format!("{}:root", account.prefix))?, ..Attributes::default() };
        self.intake.node(self.part, self.root, Kind::Scope, &name, attributes, place).map_err(nowhere)?;
        for policy in &account.policies {
            let at = |cause| (cause, Some(policy.place.clone()));
            let key = self.intake.key(&policy.arn).map_err(at)?;
            let attributes = Attributes {
                arn: self.clean(&policy.arn)?,
                created: policy.created,
                built_in: policy.arn.contains(":iam::aws:").then_some(true),
                ..Attributes::default()
            };
            let place = policy.place.clone();
            self.intake.node(self.part, key, Kind::Entitlement, &policy.name, attributes, place).map_err(at)?;
        }
        for (number, principal) in account.principals.iter().enumerate() {
            let own = self.key(number);
            let kind = match principal.sort {
                Sort::User => Kind::Account,
                Sort::Group => Kind::Group,
                Sort::Role => Kind::Role,
            };
            let used = principal.last_used.map(|at| SignIn { kind: SignInKind::Role, when: Moment::At(at) });
            let attributes = Attributes {
                arn: self.clean(&principal.arn)?,
                account_name: self.clean(&principal.name)?,
                created: principal.created,
                sign_ins: used.into_iter().collect(),
                built_in: principal.is_service_linked().then_some(true),
                ..Attributes::default()
            };
            let at = |cause| (cause, Some(principal.place.clone()));
            self.intake.node(self.part, own, kind, &principal.name, attributes, principal.place.clone()).map_err(at)?;
            self.intake.edge(self.part, self.root, Relation::Contains, own, principal.place.clone());
            for group in &principal.groups {
                let group = self.key(*group);
                let place = principal.place.field("GroupList", None);
                self.intake.edge(self.part, own, Relation::MemberOf, group, place);
            }
            for policy in &principal.attached {
                let policy = self.intake.key(policy).map_err(at)?;
                let place = principal.place.field("AttachedManagedPolicies", None);
                self.intake.edge(self.part, own, Relation::HasEntitlement, policy, place);
            }
            for _ in 0..principal.unread {
                self.intake.skip("an attached policy whose text is not in the file", &principal.place);
            }
            for _ in 0..principal.strange_groups {
                self.intake.skip("a group that is not in the file", &principal.place);
            }
        }
        Ok(())
    }

    /// Before each step of a loop over principals: told, stopped and bounded.
    fn step(&mut self) -> Result<(), Failed> {
        let limit = self.intake.limits().decisions;
        if self.weighed.get() > limit {
            return Err((Cause::TooMuchWork { limit }, None));
        }
        self.intake.record().map_err(nowhere)
    }

    fn clean(&self, text: &str) -> Result<Option<Box<str>>, Failed> {
        self.intake.clean(text).map(Some).map_err(nowhere)
    }

    fn key(&self, principal: usize) -> u32 {
        self.keys.get(principal).copied().unwrap_or(u32::MAX)
    }

    fn add(&mut self, from: u32, relation: Relation, to: u32, answer: Answer) -> Result<(), Failed> {
        if let Answer::Yes { by, condition } = answer {
            let condition = match condition {
                // A condition too long to keep is cut; that there is one stays.
                Some(condition) => {
                    let short: String = condition.chars().take(500).collect();
                    Some(self.intake.clean(&short).map_err(nowhere)?)
                }
                None => None,
            };
            self.intake.conditional(self.part, from, relation, to, condition, by);
        }
        Ok(())
    }

    fn may(&self, principal: &Principal, action: &str, resource: &str) -> Answer {
        let own: Vec<&Statement> = principal.statements().collect();
        self.may_by(&own, principal, action, resource)
    }

    /// Its own permissions, less the denials of its groups; the permissions of groups are the groups' edges.
    fn may_by(&self, own: &[&Statement], principal: &Principal, action: &str, resource: &str) -> Answer {
        self.weighed.set(self.weighed.get().saturating_add(1 + own.len() as u64));
        let allows =
            |statement: &&&Statement| statement.said.effect == Effect::Allow && statement.said.speaks_of(action);
        if !own.iter().any(|statement| allows(&statement)) {
            return Answer::No;
        }
        let mut all = own.to_vec();
        let mut passed = 0;
        for group in principal.groups.iter().filter_map(|group| self.account.principals.get(*group)) {
            let statements = group.statements().inspect(|_| passed += 1);
            all.extend(statements.filter(|statement| statement.said.effect == Effect::Deny));
        }
        self.weighed.set(self.weighed.get().saturating_add(passed));
        let answer = decide(&all, &principal.name, action, resource);
        match principal.boundary.as_deref() {
            None => answer,
            Some(boundary) if boundary.is_empty() => answer.under("a permissions boundary that is not in the file"),
            Some(boundary) => {
                let boundary: Vec<&Statement> = boundary.iter().collect();
                answer.and(&decide(&boundary, &principal.name, action, resource))
            }
        }
    }

    /// Who may become this role: by its trust, and where that leaves it to the account, by their own permissions.
    fn trust(&mut self, number: usize, role: &Principal, assumed: &mut Assumed) -> Result<(), Failed> {
        let at = |cause| (cause, Some(role.place.clone()));
        let target = self.key(number);
        let denials: Vec<&Statement> =
            role.trust.iter().filter(|statement| statement.said.effect == Effect::Deny).collect();
        for statement in role.trust.iter().filter(|statement| statement.said.effect == Effect::Allow) {
            let said = &statement.said;
            let assumes = ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"];
            if !assumes.iter().any(|action| said.speaks_of(action)) {
                continue;
            }
            let mut answer =
                Answer::Yes { by: statement.place.clone(), condition: said.condition.as_ref().map(|c| c.0.clone()) };
            for denial in &denials {
                let words = denial.said.condition.as_ref().map_or("somebody whom the role denies", |c| c.0.as_str());
                answer = answer.under(&format!("unless {words}"));
            }
            let nobody = Principals::default();
            let trusted = said.principal.as_ref().unwrap_or(&nobody);
            if said.not_principal.is_some() {
                answer = answer.under("everybody but those whom the role names");
            }
            if trusted.anybody || said.not_principal.is_some() {
                let anybody = self.intake.key("arn:aws:iam::*:root").map_err(at)?;
                let taken = self.intake.node(
                    self.part,
                    anybody,
                    Kind::Unknown,
                    "anybody with an AWS account",
                    Attributes::default(),
                    statement.place.clone(),
                );
                taken.map_err(at)?;
                self.add(anybody, Relation::Assume, target, answer.clone())?;
                self.by_account(number, role, &answer, assumed)?;
            }
            for name in trusted.aws.iter().filter(|name| *name != "*") {
                self.trusted(number, role, name, &answer, assumed)?;
            }
            for provider in &trusted.federated {
                let provider = self.intake.key(&provider_key(provider)).map_err(at)?;
                self.add(provider, Relation::Assume, target, answer.clone())?;
            }
            for _ in &trusted.canonical {
                self.intake.skip("a trusted principal of a kind that assumes no role", &statement.place);
            }
        }
        Ok(())
    }

    fn trusted(
        &mut self,
        number: usize,
        role: &Principal,
        name: &str,
        answer: &Answer,
        assumed: &mut Assumed,
    ) -> Result<(), Failed> {
        let at = |cause| (cause, Some(role.place.clone()));
        let target = self.key(number);
        let of_account = if name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit()) {
            Some(name.to_owned())
        } else {
            account_of(name).filter(|_| name.ends_with(":root")).map(|(_, account)| account)
        };
        match of_account {
            Some(account) if account == self.account.number => self.by_account(number, role, answer, assumed),
            Some(account) => {
                let partition = self.account.prefix.split(':').nth(1).unwrap_or("aws");
                let other = self.intake.key(&format!("arn:{partition}:iam::{account}:root")).map_err(at)?;
                self.add(other, Relation::Assume, target, answer.clone())
            }
            None if session_of(name).is_some() => {
                let (role_name, session) = session_of(name).unwrap_or_default();
                let prefix = account_of(name).map(|(prefix, _)| prefix).unwrap_or_default();
                let of_name = |role: &&Principal| role.sort == Sort::Role && role.name == role_name;
                let known = self.account.principals.iter().find(of_name).filter(|_| prefix == self.account.prefix);
                let from = known.map_or_else(|| format!("{prefix}:role/{role_name}"), |role| role.arn.clone());
                let from = self.intake.key(&from).map_err(at)?;
                self.add(from, Relation::Assume, target, answer.clone().under(&format!("as its session {session}")))
            }
            None if account_of(name).is_none() || !(name.contains(":user/") || name.contains(":role/")) => {
                self.intake
                    .skip("a trusted principal that was deleted, or is of no kind that is known here", &role.place);
                Ok(())
            }
            None => {
                let known = self.account.principals.iter().position(|principal| principal.arn == name);
                // Named by the role itself: within an account that suffices, unless its own policies deny it.
                if let Some((known, principal)) =
                    known.and_then(|known| Some((known, self.account.principals.get(known)?)))
                {
                    let denials: Vec<&Statement> = principal.statements().collect();
                    if denied(&denials, principal, &role.arn) {
                        return Ok(());
                    }
                    assumed.insert((known, number), answer.clone());
                }
                let from = self.intake.key(name).map_err(at)?;
                self.add(from, Relation::Assume, target, answer.clone())
            }
        }
    }

    /// The role trusts the account: whoever in it may assume the role by its own permissions.
    fn by_account(
        &mut self,
        number: usize,
        role: &Principal,
        trust: &Answer,
        assumed: &mut Assumed,
    ) -> Result<(), Failed> {
        let account = self.account;
        for (other, principal) in account.principals.iter().enumerate().filter(|(other, _)| *other != number) {
            self.step()?;
            let answer = self.may(principal, "sts:AssumeRole", &role.arn).and(trust);
            if answer != Answer::No {
                self.add(self.key(other), Relation::Assume, self.key(number), answer.clone())?;
                assumed.insert((other, number), answer);
            }
        }
        Ok(())
    }

    fn of(&mut self, number: usize, principal: &'e Principal, assumed: &Assumed) -> Result<(), Failed> {
        self.step()?;
        let own = self.key(number);
        // Everything on everything: the rest follows from the account.
        let mut everything = self.may(principal, "*:*", "*");
        for action in DECISIVE {
            everything = everything.and(&self.may(principal, action, "*"));
        }
        let whole = matches!(everything, Answer::Yes { condition: None, .. });
        self.add(own, Relation::Administers, self.root, everything)?;
        if whole || principal.is_service_linked() {
            return Ok(());
        }
        self.raising_itself(number, principal, assumed)?;
        self.targets(
            number,
            principal,
            Sort::User,
            "user",
            Relation::CreateCredential,
            &["iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile"],
        )?;
        self.targets(
            number,
            principal,
            Sort::Role,
            "role",
            Relation::WritePermissions,
            &["iam:UpdateAssumeRolePolicy"],
        )?;
        if principal.sort != Sort::Role {
            self.targets(number, principal, Sort::Group, "group", Relation::AddMember, &["iam:AddUserToGroup"])?;
        }
        self.passing(own, principal)
    }

    /// Ways to write one's own permissions: directly, through a group, a role that can be assumed, or an attached policy.
    fn raising_itself(&mut self, number: usize, principal: &Principal, assumed: &Assumed) -> Result<(), Failed> {
        let account = self.account;
        let mut ways: Vec<(&str, String, Option<&Answer>)> = Vec::new();
        let of = |sort: Sort| match sort {
            Sort::User => ["iam:AttachUserPolicy", "iam:PutUserPolicy"],
            Sort::Group => ["iam:AttachGroupPolicy", "iam:PutGroupPolicy"],
            Sort::Role => ["iam:AttachRolePolicy", "iam:PutRolePolicy"],
        };
        let mut over = |other: &Principal, answer| {
            ways.extend(of(other.sort).map(|action| (action, other.arn.clone(), answer)));
        };
        over(principal, None);
        let groups = principal.groups.iter().filter_map(|group| account.principals.get(*group));
        groups.clone().for_each(|group| over(group, None));
        for ((_, role), answer) in assumed.range((number, 0)..(number + 1, 0)) {
            if let Some(role) = account.principals.get(*role).filter(|role| !role.is_service_linked()) {
                over(role, Some(answer));
            }
        }
        let attached = principal.attached.iter().chain(groups.flat_map(|group| &group.attached));
        for policy in attached.filter(|policy| !policy.contains(":iam::aws:")) {
            for action in ["iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"] {
                ways.push((action, policy.clone(), None));
            }
        }
        let own: Vec<&Statement> = principal.statements().collect();
        let mut found = Answer::No;
        for (action, resource, assuming) in ways {
            let mut answer = self.may_by(&own, principal, action, &resource);
            if action == "iam:SetDefaultPolicyVersion" {
                answer = answer.under("an older version of the policy permits more");
            }
            if let Some(assuming) = assuming {
                answer = answer.and(assuming);
            }
            let better = matches!(
                (&found, &answer),
                (Answer::No, Answer::Yes { .. })
                    | (Answer::Yes { condition: Some(_), .. }, Answer::Yes { condition: None, .. })
            );
            if better {
                found = answer;
            }
        }
        self.add(self.key(number), Relation::ChangePermissions, self.root, found)
    }

    /// One edge for each target, or one for all of them where nothing sets them apart.
    fn targets(
        &mut self,
        number: usize,
        principal: &Principal,
        sort: Sort,
        name: &'static str,
        relation: Relation,
        actions: &[&str],
    ) -> Result<(), Failed> {
        let account = self.account;
        let own: Vec<&Statement> = principal.statements().collect();
        let allows = |statement: &Statement, action: &str| {
            statement.said.effect == Effect::Allow && statement.said.speaks_of(action)
        };
        let actions: Vec<&str> =
            actions.iter().copied().filter(|action| own.iter().any(|statement| allows(statement, action))).collect();
        if actions.is_empty() {
            return Ok(());
        }
        let all = || {
            let of_sort = account.principals.iter().enumerate().filter(|(_, other)| other.sort == sort);
            of_sort.filter(|(_, other)| !other.is_service_linked())
        };
        let mut answers = Vec::new();
        for (other, target) in all().filter(|(other, _)| *other != number) {
            self.step()?;
            let mut best = Answer::No;
            for action in &actions {
                let answer = self.may_by(&own, principal, action, &target.arn);
                if best == Answer::No || matches!(answer, Answer::Yes { condition: None, .. }) {
                    best = if answer == Answer::No { best } else { answer };
                }
            }
            answers.push((other, best));
        }
        let same = answers.first().map(|(_, first)| first.clone()).filter(|first| {
            *first != Answer::No && answers.len() > 2 && answers.iter().all(|(_, answer)| answer == first)
        });
        match same {
            Some(answer) => {
                let together = self.together(sort, name)?;
                self.add(self.key(number), relation, together, answer)
            }
            None => {
                for (other, answer) in answers {
                    self.add(self.key(number), relation, self.key(other), answer)?;
                }
                Ok(())
            }
        }
    }

    /// The node for all users, groups or roles of the account together.
    fn together(&mut self, sort: Sort, name: &'static str) -> Result<u32, Failed> {
        let account = self.account;
        let key = self.intake.key(&format!("{}:{name}/*", account.prefix)).map_err(nowhere)?;
        if self.collected.insert(name) {
            let shown = format!("every {name} of AWS account {}", account.number);
            let members: Vec<(usize, &Principal)> =
                account.principals.iter().enumerate().filter(|(_, other)| other.sort == sort).collect();
            let place = members.first().map_or_else(|| Place::record("", 0), |(_, first)| first.place.clone());
            let taken = self.intake.node(self.part, key, Kind::Container, &shown, Attributes::default(), place);
            taken.map_err(nowhere)?;
            for (number, member) in members.into_iter().filter(|(_, member)| !member.is_service_linked()) {
                self.intake.edge(self.part, key, Relation::Contains, self.key(number), member.place.clone());
            }
        }
        Ok(key)
    }

    fn trusts(&self, role: usize, service: &str) -> bool {
        self.services.get(role).is_some_and(|services| services.contains(&service))
    }

    /// Handing a role to a service that then runs one's code as it.
    fn passing(&mut self, own: u32, principal: &Principal) -> Result<(), Failed> {
        let account = self.account;
        let mut started: Vec<(&str, Answer)> = Vec::new();
        for (service, actions) in SERVICES {
            let mut answers = actions.iter().map(|action| self.may(principal, action, "*"));
            let first = answers.next().unwrap_or(Answer::No);
            let all = answers.fold(first, |all, answer| all.and(&answer));
            if all != Answer::No {
                started.push((service, all));
            }
        }
        let mut running: Vec<(&str, Answer)> = Vec::new();
        for (service, action) in RUNNING {
            let answer = self.may(principal, action, "*").under("something runs there as it already");
            if answer != Answer::No && !running.iter().any(|(known, _)| *known == service) {
                running.push((service, answer));
            }
        }
        if started.is_empty() && running.is_empty() {
            return Ok(());
        }
        for (number, role) in account.principals.iter().enumerate().filter(|(_, role)| role.sort == Sort::Role) {
            self.step()?;
            for (service, start) in &started {
                if self.trusts(number, service) {
                    let answer = self.may(principal, "iam:PassRole", &role.arn).and(start);
                    self.add(own, Relation::PassRole, self.key(number), answer)?;
                }
            }
            for (service, taken) in &running {
                if self.trusts(number, service) {
                    self.add(own, Relation::PassRole, self.key(number), taken.clone())?;
                }
            }
        }
        Ok(())
    }
}

/// Whether the principal's own statements deny the role to it whatever else is said.
fn denied(statements: &[&Statement], principal: &Principal, role: &str) -> bool {
    let denials: Vec<&Statement> =
        statements.iter().copied().filter(|statement| statement.said.effect == Effect::Deny).collect();
    // With a permission for everything before it, only an unconditional denial is left as "no".
    let permission = Statement { said: super::policy::everything(), place: principal.place.clone() };
    let all: Vec<&Statement> = denials.into_iter().chain([&permission]).collect();
    decide(&all, &principal.name, "sts:AssumeRole", role) == Answer::No
}

fn trusted_services(role: &Principal) -> Vec<&'static str> {
    let known: BTreeSet<&'static str> =
        SERVICES.iter().map(|(service, _)| *service).chain(RUNNING.iter().map(|(service, _)| *service)).collect();
    let trusts = |service: &&'static str| {
        role.trust.iter().any(|statement| {
            let said = &statement.said;
            let named = said.principal.as_ref().is_some_and(|trusted| {
                trusted.anybody || trusted.service.iter().any(|name| matches(name, service, true))
            });
            said.effect == Effect::Allow && named && said.speaks_of("sts:AssumeRole")
        })
    };
    known.into_iter().filter(trusts).collect()
}

/// A provider in the account has a name of its own; a public one is the same for all.
fn provider_key(name: &str) -> String {
    if name.starts_with("arn:") { name.to_owned() } else { format!("provider:{name}") }
}

/// The role behind a session, and the session's name.
fn session_of(name: &str) -> Option<(&str, &str)> {
    name.split_once(":assumed-role/")?.1.split_once('/')
}
