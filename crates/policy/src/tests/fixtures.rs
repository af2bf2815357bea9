//! The starter policies, and a small organisation to decide on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use countersign_model::*;

use crate::{Effect, PolicySet, Record, Slice, SourceFile, Symbols};

pub(super) const NOON: Timestamp = Timestamp::from_seconds(1_800_000_000);

pub(super) fn starter_files() -> Vec<SourceFile> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .expect("the starter policies")
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cedar"))
        .map(|path| SourceFile {
            text: std::fs::read_to_string(&path).unwrap(),
            path: PathBuf::from(path.file_name().unwrap()),
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

pub(super) fn file(text: &str) -> SourceFile {
    SourceFile { path: PathBuf::from("test.cedar"), text: text.to_owned() }
}

/// Loads policies written without annotations: each gets an id by its place.
pub(super) fn set(symbols: &Arc<Symbols>, policies: &[&str]) -> PolicySet {
    let mut text = String::new();
    for (policy, at) in policies.iter().zip(0..) {
        text.push_str(&format!(
            "@id(\"p{at:05}\") @owner(\"o\") @review_by(\"2027-01-01\") @remedy(\"remedy {at}\")\n{policy}\n"
        ));
    }
    PolicySet::load(vec![file(&text)], symbols).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

pub(super) struct Case {
    pub(super) subject: Subject,
    pub(super) groups: Vec<GroupId>,
    pub(super) resource: Resource,
    pub(super) action: Action,
    pub(super) circumstances: Circumstances,
}

impl Case {
    /// `id` wants to read an application of the standard tier, from afar, with nothing proven.
    pub(super) fn new(id: &str) -> Self {
        Self {
            subject: subject(id),
            groups: Vec::new(),
            resource: resource("wiki", ResourceKind::Http, Tier::Standard),
            action: Action::http(ActionClass::Read),
            circumstances: circumstances(),
        }
    }

    pub(super) fn records(&self, symbols: &Symbols) -> (Record, Record) {
        (Record::subject(symbols, &self.subject, &self.groups), Record::resource(symbols, &self.resource))
    }

    pub(super) fn question(&self) -> Question {
        Question {
            subject: self.subject.id.clone(),
            action: self.action,
            resource: self.resource.id.clone(),
            session: None,
            circumstances: self.circumstances.clone(),
        }
    }

    /// By the plan, after checking that Cedar's `Authorizer` says the same, and which of the three answers it is.
    pub(super) fn decide(&self, policies: &PolicySet) -> Decision {
        let (subject, resource) = self.records(&policies.symbols);
        let slice = Slice { subject: &subject, resource: &resource };
        let question = self.question();
        let decision = policies.decide(&slice, &question);
        assert_eq!(
            decision,
            policies.decide_by_reference(&slice, &question),
            "plan and Authorizer differ: {question:?}"
        );
        let effect = policies.effect(&slice, question.action, question.session, &question.circumstances);
        assert_eq!(effect, Effect::of(&policies.judge(&slice, &question).decision), "{question:?}");
        decision
    }
}

pub(super) fn subject(id: &str) -> Subject {
    Subject {
        id: id.parse().unwrap(),
        display_name: id.to_owned(),
        email: None,
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: Vec::new(),
        source: Source::Configuration,
        created: NOON,
        last_used: None,
    }
}

pub(super) fn resource(id: &str, kind: ResourceKind, tier: Tier) -> Resource {
    let group = |name: &str| vec![GroupId::new(name).unwrap()];
    Resource {
        id: ResourceId::new(id).unwrap(),
        display_name: id.to_owned(),
        kind,
        tier,
        segment: None,
        owner: None,
        source: Source::Configuration,
        routes: Vec::new(),
        upstream: Upstream::Internal { part: "none".to_owned() },
        rules: Vec::new(),
        entitled: Entitled {
            readers: group("readers"),
            writers: group("writers"),
            administrators: group("administrators"),
        },
        observe_until: None,
    }
}

pub(super) fn circumstances() -> Circumstances {
    Circumstances {
        authentication: None,
        device: None,
        network: NetworkCircumstances {
            address: "203.0.113.7".parse().unwrap(),
            zones: BTreeSet::new(),
            encrypted: true,
        },
        time: TimeCircumstances { now: NOON, hour: 12, weekday: 3, zone: "Europe/Berlin".into() },
        risk: 0,
        grant: None,
        exception: None,
        http: Some(Arc::new(HttpCircumstances {
            method: "GET".to_owned(),
            host: "wiki.localhost".to_owned(),
            path: "/".to_owned(),
        })),
    }
}

pub(super) fn proof(method: AuthenticationMethod, age: u64) -> Authentication {
    Authentication { methods: Methods::from([method]), at: Timestamp::from_seconds(NOON.seconds() - age as i64), age }
}

pub(super) fn device(managed: bool, compliant: bool, posture_age: Option<u64>) -> DeviceCircumstances {
    let findings =
        if compliant { BTreeMap::new() } else { BTreeMap::from([(PostureAspect::Firewall, Finding::Failed)]) };
    DeviceCircumstances { id: DeviceId::new("laptop").unwrap(), managed, compliant, findings, posture_age }
}

pub(super) fn loopback(circumstances: &mut Circumstances) {
    circumstances.network.address = "127.0.0.1".parse().unwrap();
    circumstances.network.zones.insert(ZoneName::new("loopback").unwrap());
    circumstances.network.encrypted = false;
}
