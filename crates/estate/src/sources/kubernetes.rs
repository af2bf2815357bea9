//! Kubernetes, as `kubectl get … -A -o json` or `-o yaml` prints it: namespaces, service accounts, roles, bindings, and pods if
//! they are there. Which cluster it is, a list does not say: the identifier of the namespace `kube-system` does, so that
//! namespaces have to be in it. What a secret holds is not read.

mod object;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::object::{Object, Subject};
use self::rules::{Power, powers};
use crate::batch::{Intake, System};
use crate::fault::{Cause, Fault};
use crate::json;
use crate::observation::{Attributes, Kind, Place, Relation};

/// Objects of one file; clusters have no more.
const MOST_OBJECTS: usize = 1_000_000;

pub(crate) fn read_json(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    let mut objects = Vec::new();
    let read = json::each::<Object>(text, &["items"], &mut |index, object| {
        let place = Place::record("items", index);
        intake.record().map_err(|cause| (cause, Some(place.clone())))?;
        if objects.len() >= MOST_OBJECTS {
            return Err((Cause::TooManyValues { limit: MOST_OBJECTS }, Some(place)));
        }
        objects.push((place, object));
        Ok(())
    });
    read.map_err(|fault| json::located(intake.file_name(), fault))?;
    take(intake, &objects)
}

pub(crate) fn read_yaml(text: &str, intake: &mut Intake<'_, '_>) -> Result<(), Fault> {
    // kubectl writes neither anchors nor aliases: what has them was made to grow.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_aliases: 0,
            max_anchors: 0,
            max_events: 50_000_000,
            max_nodes: 20_000_000,
            max_total_scalar_bytes: intake.limits().file_bytes,
        },
    };
    let documents: Vec<object::Document> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|fault| yaml_fault(&fault, intake))?;
    let mut objects = Vec::new();
    let all = documents.into_iter().flat_map(|document| match document {
        object::Document { items: Some(items), .. } => items,
        object::Document { items: None, object } => vec![object],
    });
    for (index, object) in (0u32..).zip(all) {
        let place = Place::record("items", index);
        intake.record().map_err(|cause| intake.fault(cause, Some(place.clone())))?;
        objects.push((place, object));
    }
    take(intake, &objects)
}

/// The place, and not what stood there.
fn yaml_fault(fault: &serde_saphyr::Error, intake: &Intake<'_, '_>) -> Fault {
    let place = fault.location().map(|at| Place::Text { line: at.line(), column: at.column() });
    intake.fault(Cause::malformed("not the YAML of a list of Kubernetes objects"), place)
}

type Failed = (Cause, Option<Place>);

fn take(intake: &mut Intake<'_, '_>, objects: &[(Place, Object)]) -> Result<(), Fault> {
    let system = objects.iter().find(|(_, object)| object.is("Namespace") && object.metadata.name == "kube-system");
    let Some(uid) = system.and_then(|(_, object)| object.metadata.uid.clone()) else {
        let why = "it says not of which cluster it is: export the namespaces with it (kubectl get namespaces,…)";
        return Err(intake.fault(Cause::malformed(why), None));
    };
    let taken = Cluster::new(intake, uid, objects).and_then(|mut cluster| cluster.all());
    taken.map_err(|(cause, place)| intake.fault(cause, place))
}

struct Cluster<'e, 'a, 'w> {
    intake: &'e mut Intake<'a, 'w>,
    part: u32,
    uid: String,
    objects: &'e [(Place, Object)],
    /// What each role permits, by namespace (empty for the cluster's) and name.
    roles: BTreeMap<(&'e str, &'e str), Arc<BTreeSet<Power>>>,
    /// Nodes of subjects that were made already.
    subjects: BTreeSet<String>,
    /// Groups that a binding names: every service account is in some of them.
    bound_groups: BTreeSet<&'e str>,
}

impl<'e, 'a, 'w> Cluster<'e, 'a, 'w> {
    fn new(intake: &'e mut Intake<'a, 'w>, uid: String, objects: &'e [(Place, Object)]) -> Result<Self, Failed> {
        let part = intake.part(System::Kubernetes, &uid, "all").map_err(nowhere)?;
        let mut roles = BTreeMap::new();
        let mut bound_groups = BTreeSet::new();
        for (place, object) in objects {
            if object.is("Role") || object.is("ClusterRole") {
                let name = (object.namespace(), object.metadata.name.as_str());
                if roles.insert(name, Arc::new(powers(&object.rules))).is_some() {
                    return Err((Cause::malformed("a role that stands twice"), Some(place.clone())));
                }
            }
            let groups = object.subjects.iter().filter(|subject| subject.kind == "Group");
            bound_groups.extend(groups.map(|subject| subject.name.as_str()));
        }
        Ok(Self { intake, part, uid, objects, roles, subjects: BTreeSet::new(), bound_groups })
    }

    fn all(&mut self) -> Result<(), Failed> {
        let root = self.key("")?;
        let name = format!("Kubernetes cluster {}", self.uid);
        let first = self.objects.first().map_or_else(|| Place::record("items", 0), |(place, _)| place.clone());
        let masters = self.key("groups/system:masters")?;
        self.node(root, Kind::Scope, &name, Attributes::default(), &first)?;
        self.node(masters, Kind::Group, "system:masters", Attributes::default(), &first)?;
        self.subjects.insert("groups/system:masters".to_owned());
        // Built into the API server: no binding says so and none can take it away.
        self.intake.edge(self.part, masters, Relation::Administers, root, first);
        for (place, object) in self.objects {
            self.intake.record().map_err(|cause| (cause, Some(place.clone())))?;
            self.object(root, place, object).map_err(|(cause, at)| (cause, at.or_else(|| Some(place.clone()))))?;
        }
        Ok(())
    }

    fn key(&mut self, rest: &str) -> Result<u32, Failed> {
        let separator = if rest.is_empty() { "" } else { "/" };
        self.intake.key(&format!("k8s:{}{separator}{rest}", self.uid)).map_err(nowhere)
    }

    fn node(&mut self, key: u32, kind: Kind, name: &str, attributes: Attributes, place: &Place) -> Result<(), Failed> {
        self.intake.node(self.part, key, kind, name, attributes, place.clone()).map_err(nowhere)
    }

    fn object(&mut self, root: u32, place: &Place, object: &'e Object) -> Result<(), Failed> {
        let name = &object.metadata.name;
        let created = object.metadata.creation_timestamp.as_deref().and_then(|text| text.parse().ok());
        let attributes = Attributes { created, ..Attributes::default() };
        match object.kind.as_str() {
            "Namespace" => {
                let own = self.key(&format!("namespaces/{name}"))?;
                self.node(own, Kind::Container, name, attributes, place)?;
                self.intake.edge(self.part, root, Relation::Contains, own, place.clone());
                let accounts = self.key(&format!("serviceaccounts/{name}/*"))?;
                let shown = format!("every service account of {name}");
                self.node(accounts, Kind::Container, &shown, Attributes::default(), place)?;
                self.intake.edge(self.part, own, Relation::Contains, accounts, place.clone());
            }
            "ServiceAccount" => self.service_account(place, object, attributes)?,
            "RoleBinding" | "ClusterRoleBinding" => self.binding(root, place, object, attributes)?,
            "Pod" => self.pod(place, object, attributes)?,
            "Role" | "ClusterRole" => {}
            _ => self.intake.skip("an object of a kind that is no part of the estate", place),
        }
        Ok(())
    }

    fn service_account(&mut self, place: &Place, object: &'e Object, attributes: Attributes) -> Result<(), Failed> {
        let (namespace, name) = (object.namespace(), &object.metadata.name);
        let own = self.key(&format!("serviceaccounts/{namespace}/{name}"))?;
        self.node(own, Kind::Service, &format!("{namespace}/{name}"), attributes, place)?;
        let together = self.key(&format!("serviceaccounts/{namespace}/*"))?;
        self.intake.edge(self.part, together, Relation::Contains, own, place.clone());
        let of_namespace = format!("system:serviceaccounts:{namespace}");
        for group in ["system:authenticated", "system:serviceaccounts", of_namespace.as_str()] {
            if self.bound_groups.contains(group) {
                let group = self.key(&format!("groups/{group}"))?;
                self.intake.edge(self.part, own, Relation::MemberOf, group, place.clone());
            }
        }
        if let Some(role) = object.metadata.annotations.get("eks.amazonaws.com/role-arn") {
            let role = self.intake.key(role).map_err(nowhere)?;
            let condition = Some("the role trusts the cluster's identity provider".into());
            self.intake.conditional(self.part, own, Relation::Assume, role, condition, place.clone());
        }
        Ok(())
    }

    /// Who is in a pod acts as its service account.
    fn pod(&mut self, place: &Place, object: &'e Object, attributes: Attributes) -> Result<(), Failed> {
        let (namespace, name) = (object.namespace(), &object.metadata.name);
        let own = self.key(&format!("pods/{namespace}/{name}"))?;
        self.node(own, Kind::Workload, &format!("{namespace}/{name}"), attributes, place)?;
        let container = self.key(&format!("namespaces/{namespace}"))?;
        self.intake.edge(self.part, container, Relation::Contains, own, place.clone());
        let account = object.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default");
        let account = self.key(&format!("serviceaccounts/{namespace}/{account}"))?;
        self.intake.edge(self.part, own, Relation::RunsAs, account, place.clone());
        Ok(())
    }

    /// A binding is a role of its own: what removing it takes away.
    fn binding(&mut self, root: u32, place: &Place, object: &'e Object, attributes: Attributes) -> Result<(), Failed> {
        let (namespace, name) = (object.namespace(), &object.metadata.name);
        let Some(reference) = &object.role_ref else {
            return Err((Cause::malformed("a binding without a role"), None));
        };
        let role_namespace = if reference.kind == "ClusterRole" { "" } else { namespace };
        let Some(powers) = self.roles.get(&(role_namespace, reference.name.as_str())).cloned() else {
            self.intake.skip("a binding of a role that is not in the file", place);
            return Ok(());
        };
        let own = self.key(&format!("bindings/{namespace}/{name}"))?;
        let shown = format!("{} by {name}", reference.name);
        self.node(own, Kind::Role, &shown, attributes, place)?;
        for (number, subject) in object.subjects.iter().enumerate() {
            let place = place.field("subjects", Some(number));
            let subject = self.subject(namespace, subject, &place)?;
            self.intake.edge(self.part, subject, Relation::MemberOf, own, place);
        }
        let scope = if namespace.is_empty() { root } else { self.key(&format!("namespaces/{namespace}"))? };
        for power in powers.iter() {
            self.power(own, scope, namespace, power, place)?;
        }
        Ok(())
    }

    fn subject(&mut self, namespace: &str, subject: &Subject, place: &Place) -> Result<u32, Failed> {
        let (sort, kind) = match subject.kind.as_str() {
            "User" => ("users", Kind::Account),
            "Group" => ("groups", Kind::Group),
            "ServiceAccount" => {
                let namespace = subject.namespace.as_deref().unwrap_or(namespace);
                return self.key(&format!("serviceaccounts/{namespace}/{}", subject.name));
            }
            _ => {
                return Err((
                    Cause::malformed("a subject of a kind that Kubernetes does not have"),
                    Some(place.clone()),
                ));
            }
        };
        let rest = format!("{sort}/{}", subject.name);
        let key = self.key(&rest)?;
        if self.subjects.insert(rest) {
            let built_in = subject.name.starts_with("system:").then_some(true);
            let attributes = Attributes { built_in, ..Attributes::default() };
            self.node(key, kind, &subject.name, attributes, place)?;
        }
        Ok(key)
    }

    fn power(&mut self, own: u32, scope: u32, namespace: &str, power: &Power, place: &Place) -> Result<(), Failed> {
        let add = |intake: &mut Intake<'_, '_>, relation, to, condition: Option<&str>| {
            intake.conditional(self.part, own, relation, to, condition.map(Into::into), place.clone());
        };
        match power {
            Power::Everything => add(self.intake, Relation::Administers, scope, None),
            Power::Grants => add(self.intake, Relation::ChangePermissions, scope, None),
            // Only as a right over the whole cluster.
            Power::Kubelets | Power::Webhooks | Power::ImpersonatesAnybody if !namespace.is_empty() => {}
            Power::Kubelets => add(self.intake, Relation::Administers, scope, Some("its nodes can be reached")),
            Power::Webhooks | Power::ImpersonatesAnybody => add(self.intake, Relation::Administers, scope, None),
            Power::ReadsSecrets => add(self.intake, Relation::Permits, scope, Some("as far as its secrets go")),
            Power::Account(only, how) => {
                let (relation, condition) = how.relation();
                for account in self.accounts(namespace, only.as_deref())? {
                    self.intake.conditional(
                        self.part,
                        own,
                        relation,
                        account,
                        condition.map(Into::into),
                        place.clone(),
                    );
                }
            }
        }
        Ok(())
    }

    /// The service accounts of a namespace, or of all of them; all, or of one name.
    fn accounts(&mut self, namespace: &str, only: Option<&str>) -> Result<Vec<u32>, Failed> {
        let mut keys = Vec::new();
        match (namespace, only) {
            ("", only) => {
                // A right over the cluster is one in every namespace.
                let namespaces = self.objects.iter().filter(|(_, object)| object.is("Namespace"));
                for (_, object) in namespaces {
                    // One binding for every namespace: what comes of it is bounded here, and not by the file's size.
                    self.intake.record().map_err(nowhere)?;
                    let account = only.unwrap_or("*");
                    keys.push(self.key(&format!("serviceaccounts/{}/{account}", object.metadata.name))?);
                }
            }
            (namespace, only) => {
                self.intake.record().map_err(nowhere)?;
                keys.push(self.key(&format!("serviceaccounts/{namespace}/{}", only.unwrap_or("*")))?);
            }
        }
        Ok(keys)
    }
}

fn nowhere(cause: Cause) -> Failed {
    (cause, None)
}

#[cfg(test)]
mod tests;
