//! What a page shows of a session, a device, a key or a decision: shared by the console and the portal, so that both
//! say the same about the same thing.

use countersign_administrator::{KeyView, SessionView};
use countersign_ledger::DecisionEntry;
use countersign_model::{
    Decision, Device, DeviceState, KeyId, Observed, ObservedBecause, PostureAspect, PostureRequirements, SubjectId,
    Timestamp,
};

use crate::page::encode;
use crate::words::{self, Sign, sign};

/// A decision as recorded.
#[derive(Debug, Clone)]
pub(crate) struct DecisionRow {
    pub(crate) index: u64,
    pub(crate) at: Timestamp,
    pub(crate) entry: Box<DecisionEntry>,
}

impl DecisionRow {
    pub(crate) fn sign(&self) -> Sign {
        match self.entry.decision {
            Decision::Allow(_) => sign("good", "allowed"),
            Decision::Challenge(_) => sign("warn", "challenged"),
            Decision::Deny(_) => sign("bad", "denied"),
        }
    }

    pub(crate) fn resource(&self) -> String {
        match &self.entry.question.resource {
            Some(id) => id.to_string(),
            None => "an unknown address".to_owned(),
        }
    }

    pub(crate) fn request(&self) -> String {
        match &self.entry.question.circumstances.http {
            Some(http) => format!("{} {}", http.method, http.path),
            None => self.entry.question.action.to_string(),
        }
    }

    /// What it would have been without observe mode.
    pub(crate) fn observed(&self) -> Option<Sign> {
        self.entry.observed.as_deref().map(words::observed)
    }

    /// In a few words: what would change it, or what decided.
    pub(crate) fn why(&self) -> String {
        let own = why(&self.entry.decision);
        match self.entry.observed.as_deref() {
            None => own,
            Some(Observed { because: ObservedBecause::Resource, decision }) => {
                format!("Observe mode. Enforced: {}", why(decision))
            }
            Some(Observed { because: ObservedBecause::Policies, decision }) => {
                format!("{own} Observed: {}", why(decision)).trim_start().to_owned()
            }
        }
    }

    pub(crate) fn sentence(&self) -> &'static str {
        match &self.entry.decision {
            Decision::Allow(_) if self.let_through() => "It was let through: no policy was enforced.",
            Decision::Allow(_) => "It was allowed: a policy permits it and none forbids it.",
            Decision::Challenge(_) => "It was not allowed yet: whoever asked can do something about it at once.",
            Decision::Deny(denial) => words::cause(denial.cause),
        }
    }

    /// Whether only the resource's observe mode allowed it.
    pub(crate) fn let_through(&self) -> bool {
        self.entry.observed.as_ref().is_some_and(|observed| observed.because == ObservedBecause::Resource)
    }

    pub(crate) fn remedies(&self) -> Vec<String> {
        remedies(&self.entry.decision)
    }
}

/// What would change a decision.
pub(crate) fn remedies(decision: &Decision) -> Vec<String> {
    match decision {
        Decision::Allow(_) => Vec::new(),
        Decision::Challenge(challenge) => challenge.remedy.steps(),
        Decision::Deny(denial) => denial.remedy.as_ref().map(countersign_model::Remedy::steps).unwrap_or_default(),
    }
}

fn why(decision: &Decision) -> String {
    let determining = || {
        let ids: Vec<&str> = decision.reasons().determining.iter().map(|one| one.id.as_str()).collect();
        ids.join(", ")
    };
    let first = |remedy: &countersign_model::Remedy| remedy.steps().into_iter().next();
    match decision {
        Decision::Allow(_) => determining(),
        Decision::Challenge(challenge) => first(&challenge.remedy).unwrap_or_else(determining),
        Decision::Deny(denial) => {
            denial.remedy.as_ref().and_then(first).unwrap_or_else(|| words::cause(denial.cause).to_owned())
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct SessionRow {
    pub(crate) view: SessionView,
    /// Whether it is the session that looks at it.
    pub(crate) own: bool,
    pub(crate) leases: usize,
}

impl SessionRow {
    pub(crate) fn methods(&self) -> String {
        let methods: Vec<&str> = self.view.methods.iter().map(words::method).collect();
        methods.join(", ")
    }

    pub(crate) fn kill_url(&self) -> String {
        crate::console::kill_url(&self.view.id)
    }

    pub(crate) fn my_end_url(&self) -> String {
        format!("/my/sessions/{}/end", self.view.id)
    }
}

/// A device, judged.
#[derive(Debug, Clone)]
pub(crate) struct DeviceRow {
    pub(crate) device: Device,
    requirements: PostureRequirements,
    now: Timestamp,
}

/// What is known about one aspect, beside what is required.
#[derive(Debug, Clone)]
pub(crate) struct FactRow {
    pub(crate) aspect: &'static str,
    pub(crate) verdict: Sign,
    pub(crate) value: String,
    pub(crate) required: String,
    pub(crate) source: &'static str,
    pub(crate) observed: Option<Timestamp>,
}

impl DeviceRow {
    pub(crate) fn new(device: Device, requirements: &PostureRequirements, now: Timestamp) -> Self {
        Self { device, requirements: requirements.clone(), now }
    }

    pub(crate) fn revoked(&self) -> bool {
        match self.device.state {
            DeviceState::Active => false,
            DeviceState::Revoked => true,
        }
    }

    /// Whether it has a name beside its id.
    pub(crate) fn renamed(&self) -> bool {
        self.device.display_name != self.device.id.as_str()
    }

    pub(crate) fn compliant(&self) -> bool {
        self.requirements.assess(&self.device.posture, self.now).compliant()
    }

    pub(crate) fn management(&self) -> Sign {
        match (self.device.state, self.device.managed) {
            (DeviceState::Revoked, _) => sign("bad", "revoked"),
            (DeviceState::Active, true) => sign("good", "managed"),
            (DeviceState::Active, false) => sign("warn", "in quarantine"),
        }
    }

    pub(crate) fn posture_sign(&self) -> Sign {
        if self.compliant() { sign("good", "compliant") } else { sign("bad", "not compliant") }
    }

    /// The newest report.
    pub(crate) fn reported(&self) -> Option<Timestamp> {
        self.device.posture.values().map(|fact| fact.observed).max()
    }

    /// Every aspect that is required or reported.
    pub(crate) fn facts(&self) -> Vec<FactRow> {
        let assessment = self.requirements.assess(&self.device.posture, self.now);
        let spoken_of = |aspect: &PostureAspect| {
            self.requirements.required.contains_key(aspect) || self.device.posture.contains_key(aspect)
        };
        let row = |aspect: PostureAspect| {
            let fact = self.device.posture.get(&aspect);
            let required = self.requirements.required.get(&aspect);
            let verdict = match (assessment.findings.get(&aspect), required) {
                (Some(finding), _) => words::finding(finding),
                (None, Some(_)) => sign("good", "passed"),
                (None, None) => sign("plain", "not required"),
            };
            FactRow {
                aspect: words::aspect(&aspect),
                verdict,
                value: fact.map_or_else(|| "–".to_owned(), |fact| words::posture(&fact.value)),
                required: required.map_or_else(|| "–".to_owned(), words::requirement),
                source: fact.map_or("–", |fact| words::source(&fact.source)),
                observed: fact.map(|fact| fact.observed),
            }
        };
        PostureAspect::ALL.into_iter().filter(spoken_of).map(row).collect()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct KeyRow {
    pub(crate) id: KeyId,
    pub(crate) subject: SubjectId,
    pub(crate) owner: SubjectId,
    pub(crate) classes: String,
    pub(crate) resources: String,
    pub(crate) expires: Timestamp,
    pub(crate) last_used: Option<Timestamp>,
    /// Where to post to revoke it.
    pub(crate) revoke: String,
}

impl KeyRow {
    /// `area` is the path of the list that it stands in.
    pub(crate) fn new(view: KeyView, area: &str) -> Self {
        let classes: Vec<&str> = view.scope.classes.iter().map(|class| class.name()).collect();
        let resources = match &view.scope.resources {
            None => "wherever policy allows".to_owned(),
            Some(ids) => ids.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", "),
        };
        Self {
            revoke: format!("{area}/{}/revoke", encode(view.id.as_str())),
            id: view.id,
            subject: view.subject,
            owner: view.owner,
            classes: classes.join(", "),
            resources,
            expires: view.expires,
            last_used: view.last_used,
        }
    }
}
