//! After a deny: what would have to change. Tries the stronger circumstances that this subject could reach, cheapest
//! first, with the plan that has just denied; the first that would be allowed is the remedy. Because every need costs
//! more than all cheaper ones together, a remedy never asks for more than is needed. It promises nothing: whoever comes
//! back is decided anew.

use std::collections::BTreeSet;

use countersign_model::{
    Action, Authentication, AuthenticationMethod, Challenge, Circumstances, Decision, Denial, DenialCause,
    DeviceCircumstances, DeviceId, GrantCircumstances, GrantId, Methods, Need, Reasons, Remedy, SubjectKind,
};
use std::time::Duration;

use crate::decide::{Engine, Verdict};
use crate::facts::{Fact, View};
use crate::plan::Number;
use crate::records::{SubjectRecord, sorted};

/// No search looks at more combinations than this: a denial has to stay cheap, however many zones the policies name.
/// With the starter policies there are fifteen at most.
const MOST: usize = 128;

/// One thing that could be different, on its own.
#[derive(Clone, Debug)]
struct Step {
    cost: u32,
    needs: Vec<Need>,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Nothing,
    Authentication(Authentication),
    Device(DeviceCircumstances),
    Grant(GrantCircumstances),
    Zone(countersign_model::ZoneName),
}

impl Step {
    const NOTHING: Self = Self { cost: 0, needs: Vec::new(), change: Change::Nothing };

    fn apply(&self, circumstances: &mut Circumstances) {
        match &self.change {
            Change::Nothing => {}
            Change::Authentication(proof) => circumstances.authentication = Some(proof.clone()),
            Change::Device(device) => circumstances.device = Some(device.clone()),
            Change::Grant(grant) => circumstances.grant = Some(grant.clone()),
            Change::Zone(zone) => {
                circumstances.network.zones.insert(zone.clone());
            }
        }
    }
}

impl Engine<'_> {
    /// The denial, or the challenge that it is when the subject can mend it at once.
    pub(crate) fn with_remedy(
        &self,
        view: &View<'_>,
        action: Action,
        cause: DenialCause,
        reasons: Reasons,
        forbids: &[Number],
    ) -> Decision {
        let needs = match cause {
            DenialCause::NoPermit | DenialCause::Forbidden => self.needs(view, action),
            // A policy is broken: nothing that the subject does mends it.
            _ => None,
        };
        let mut advice: Vec<&str> = Vec::new();
        for text in forbids.iter().filter_map(|number| self.set.info(*number)?.remedy.as_deref()) {
            if !advice.contains(&text) {
                advice.push(text);
            }
        }
        let advice = (!advice.is_empty()).then(|| advice.join(" "));
        let remedy = Remedy { needs: needs.unwrap_or_default(), advice };
        if remedy.immediate() {
            Decision::Challenge(Challenge { reasons, remedy })
        } else {
            let helps = !remedy.needs.is_empty() || remedy.advice.is_some();
            Decision::Deny(Denial { cause, reasons, remedy: helps.then_some(remedy) })
        }
    }

    /// Whether the denial is a challenge: nothing that can be done at once costs more than anything that cannot.
    pub(crate) fn mends_at_once(&self, view: &View<'_>, action: Action, cause: DenialCause) -> bool {
        if !matches!(cause, DenialCause::NoPermit | DenialCause::Forbidden) {
            return false;
        }
        let proofs = self.proofs(view);
        let somebody = self.somebody(view);
        let subjects = if somebody.is_empty() { std::slice::from_ref(view.subject) } else { &somebody };
        subjects.iter().flat_map(|subject| proofs.iter().map(move |step| (subject, step))).any(|(subject, step)| {
            let mut circumstances = view.circumstances.clone();
            step.apply(&mut circumstances);
            let changed = View { subject, circumstances: &circumstances, ..*view };
            step.cost > 0 && self.verdict(&changed, action) == Verdict::Allow
        })
    }

    fn needs(&self, view: &View<'_>, action: Action) -> Option<Vec<Need>> {
        let somebody = self.somebody(view);
        let subjects = if somebody.is_empty() { std::slice::from_ref(view.subject) } else { &somebody };
        let mut steps = Vec::new();
        let (proofs, devices) = (self.proofs(view), self.devices(view));
        let (grants, zones) = (self.grants(view, action), self.zones(view));
        // What costs least is innermost, and so among the first.
        for zone in &zones {
            for grant in &grants {
                for device in &devices {
                    for proof in &proofs {
                        if steps.len() < MOST {
                            steps.push([proof, device, grant, zone]);
                        }
                    }
                }
            }
        }
        steps.sort_by_key(|steps| steps.iter().map(|step| step.cost).sum::<u32>());
        let some = steps.iter().filter(|steps| steps.iter().any(|step| step.cost > 0));
        for (subject, steps) in subjects.iter().flat_map(|subject| some.clone().map(move |steps| (subject, steps))) {
            let mut circumstances = view.circumstances.clone();
            for step in steps {
                step.apply(&mut circumstances);
            }
            let changed = View { subject, circumstances: &circumstances, ..*view };
            if self.verdict(&changed, action) == Verdict::Allow {
                return Some(steps.iter().flat_map(|step| step.needs.iter().cloned()).collect());
            }
        }
        None
    }

    fn read_any(&self, facts: &[Fact]) -> bool {
        facts.iter().any(|fact| self.by.read_somewhere.contains(fact))
    }

    /// Whom an anonymous subject could turn out to be, at best: a human with every group that could help here; and, since
    /// a forbid may spare whom it names, one who besides is whoever policies about this resource name. Signing in settles
    /// whether it is so.
    fn somebody(&self, view: &View<'_>) -> Vec<SubjectRecord> {
        if view.subject.kind != SubjectKind::Anonymous {
            return Vec::new();
        }
        let mut groups = vec![view.symbols.intern("Group", crate::EVERYONE)];
        groups.extend_from_slice(&self.by.groups);
        for more in [&view.resource.readers, &view.resource.writers, &view.resource.administrators] {
            groups.extend_from_slice(&more.symbols);
        }
        let human = |groups| SubjectRecord {
            kind: SubjectKind::Human,
            // A name is never empty, so this is nobody in particular.
            symbol: view.symbols.intern("Human", ""),
            owner: None,
            acts_for: None,
            groups: sorted(groups),
        };
        let mut named = groups.clone();
        // To be one of the people that a list names is to be within that list.
        named.extend(self.set.named().about(view.resource.symbol, view.resource.segment));
        let (plain, named) = (human(groups), human(named));
        if named.groups.len() == plain.groups.len() { vec![plain] } else { vec![plain, named] }
    }

    /// Only humans sign in: a service has its key, an agent its own credential.
    fn proofs(&self, view: &View<'_>) -> Vec<Step> {
        let now = view.circumstances.time.now;
        let fresh = |cost, need, methods| Step {
            cost,
            needs: vec![need],
            change: Change::Authentication(Authentication { methods, at: now, age: 0 }),
        };
        let current = view.circumstances.authentication.as_ref();
        // The same sign-in as last time, now. Whoever used a passkey is not asked for less here, but the question is
        // whether less would do: only then is "sign in" the whole answer.
        let federated = |method: &AuthenticationMethod| {
            matches!(method, AuthenticationMethod::FederatedMultiFactor | AuthenticationMethod::Federated)
        };
        let mut again: Methods =
            current.into_iter().flat_map(|proof| &proof.methods).copied().filter(federated).collect();
        if again.is_empty() || current.is_some_and(Authentication::phishing_resistant) {
            again = Methods::from([AuthenticationMethod::FederatedMultiFactor]);
        }
        let sign_in = fresh(1, Need::SignIn, again);
        let resistant = fresh(2, Need::PhishingResistantSignIn, Methods::from([AuthenticationMethod::Passkey]));
        match view.subject.kind {
            SubjectKind::Anonymous => vec![sign_in, resistant],
            SubjectKind::Human => vec![Step::NOTHING, sign_in, resistant],
            SubjectKind::Service | SubjectKind::Agent => vec![Step::NOTHING],
        }
    }

    fn devices(&self, view: &View<'_>) -> Vec<Step> {
        let facts = [Fact::Device, Fact::DeviceId, Fact::Managed, Fact::Compliant, Fact::PostureAge];
        let mut steps = vec![Step::NOTHING];
        if !self.read_any(&facts) {
            return steps;
        }
        let current = view.circumstances.device.as_ref();
        let device = match current {
            Some(device) => device.clone(),
            None => {
                let Ok(id) = DeviceId::new("enrolled-device") else { return steps };
                DeviceCircumstances {
                    id,
                    managed: false,
                    compliant: false,
                    findings: Default::default(),
                    posture_age: None,
                }
            }
        };
        let failing: BTreeSet<_> = device.findings.keys().copied().collect();
        for (managed, compliant) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut step = Step { cost: 0, needs: Vec::new(), change: Change::Nothing };
            let mut wanted = device.clone();
            if current.is_none() {
                step.cost += 8;
                step.needs.push(Need::EnrolledDevice);
            }
            if managed && !wanted.managed {
                step.cost += 16;
                step.needs.push(Need::ManagedDevice);
                wanted.managed = true;
            }
            if compliant && !(wanted.compliant && wanted.posture_age == Some(0)) {
                step.cost += 4;
                step.needs.push(Need::CompliantDevice { failing: failing.clone() });
                (wanted.compliant, wanted.posture_age) = (true, Some(0));
                wanted.findings.clear();
            }
            step.change = Change::Device(wanted);
            if step.cost > 0 {
                steps.push(step);
            }
        }
        steps
    }

    fn grants(&self, view: &View<'_>, action: Action) -> Vec<Step> {
        let mut steps = vec![Step::NOTHING];
        let facts = [Fact::Grant, Fact::GrantId, Fact::GrantClass, Fact::GrantExpires];
        if view.circumstances.grant.is_none() && self.read_any(&facts) {
            let grant = GrantCircumstances {
                id: GrantId::from_random(0),
                class: action.class,
                expires: view.circumstances.time.now.plus(Duration::from_secs(3600)),
            };
            steps.push(Step { cost: 32, needs: vec![Need::Grant], change: Change::Grant(grant) });
        }
        steps
    }

    /// The zones that policies name; nobody is told to go and sit at the server.
    fn zones(&self, view: &View<'_>) -> Vec<Step> {
        let other = |zone: &&countersign_model::ZoneName| {
            zone.as_str() != "loopback" && !view.circumstances.network.zones.contains(*zone)
        };
        let step = |zone: &countersign_model::ZoneName| Step {
            cost: 64,
            needs: vec![Need::Network { zone: zone.clone() }],
            change: Change::Zone(zone.clone()),
        };
        std::iter::once(Step::NOTHING).chain(self.by.zones.iter().filter(other).map(step)).collect()
    }
}
