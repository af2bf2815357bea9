//! What a matrix asks about. The kinds are all there always; groups, subjects, resources, segments, zones, ages and risks are
//! those that the policies name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Literal};
use countersign_model::{
    ActionClass, Authentication, AuthenticationMethod as Method, Circumstances, DeviceCircumstances, DeviceId,
    Entitled, ExceptionCircumstances, Finding, GrantCircumstances, GrantId, GroupId, HttpCircumstances, Methods,
    NameError, NetworkCircumstances, PostureAspect, Resource, ResourceId, ResourceKind, SegmentId, Source, Subject,
    SubjectId, SubjectKind, SubjectState, Tier, TimeCircumstances, Timestamp, Upstream, ZoneName,
};

use crate::compile::{path, root};
use crate::facts::Fact;
use crate::matrix::{MOST, NoMatrix};
use crate::set::PolicySet;

/// Wednesday, 2026-01-07, at noon.
const NOON: Timestamp = Timestamp::from_seconds(1_767_787_200);
const LOOPBACK: &str = "loopback";

/// The parts of Countersign itself, with who may read them.
const PARTS: [(&str, Tier, &[&str]); 8] = [
    ("sign-in", Tier::Public, &[]),
    ("device", Tier::Public, &[]),
    ("portal", Tier::Standard, &[]),
    ("console", Tier::High, &["auditors"]),
    ("api", Tier::High, &["auditors"]),
    ("ledger", Tier::High, &["auditors"]),
    ("bridge", Tier::High, &[]),
    ("authzen", Tier::High, &[]),
];

/// The groups that the resources of a matrix entitle.
const ENTITLED: [&[&str]; 3] = [&["readers"], &["writers"], &["administrators"]];

pub(crate) struct Enumeration {
    pub(crate) subjects: Vec<(String, Asker)>,
    pub(crate) places: Vec<(String, Circumstances)>,
    pub(crate) resources: Vec<(String, Resource)>,
}

pub(crate) struct Asker {
    pub(crate) subject: Subject,
    pub(crate) groups: Vec<GroupId>,
    pub(crate) authentication: Option<Authentication>,
}

/// What the policies name.
#[derive(Default)]
struct Named {
    /// Entity type → ids.
    entities: BTreeMap<String, BTreeSet<String>>,
    texts: BTreeSet<String>,
    zones: BTreeSet<ZoneName>,
    sign_in_ages: BTreeSet<u64>,
    posture_ages: BTreeSet<u64>,
    risks: BTreeSet<u64>,
}

impl Named {
    fn of(sets: &[&PolicySet]) -> Self {
        let zones = sets.iter().flat_map(|set| set.everything().zones.iter().cloned()).collect();
        let mut named = Self { zones, ..Self::default() };
        for policy in sets.iter().flat_map(|set| &set.policies) {
            for part in policy.condition().subexpressions() {
                match part.expr_kind() {
                    ExprKind::Lit(Literal::EntityUID(uid)) => {
                        let id: &str = uid.eid().as_ref();
                        named.entities.entry(uid.entity_type().to_string()).or_default().insert(id.to_owned());
                    }
                    ExprKind::Lit(Literal::String(text)) => {
                        named.texts.insert(text.to_string());
                    }
                    ExprKind::BinaryApp { op, arg1, arg2 } => named.threshold(*op, arg1, arg2),
                    _ => {}
                }
            }
        }
        named
    }

    /// The value from which on a comparison is another than below it.
    fn threshold(&mut self, operator: BinaryOp, left: &Expr, right: &Expr) {
        let fact = |side: &Expr| {
            let (var, attributes) = path(side)?;
            Fact::at(root(var)?, &attributes)
        };
        let (fact, literal, after) = match (fact(left), fact(right), operator) {
            (Some(fact), _, BinaryOp::Less) => (fact, right, 0),
            (Some(fact), _, BinaryOp::LessEq) => (fact, right, 1),
            (_, Some(fact), BinaryOp::LessEq) => (fact, left, 0),
            (_, Some(fact), BinaryOp::Less) => (fact, left, 1),
            _ => return,
        };
        let ExprKind::Lit(Literal::Long(number)) = literal.expr_kind() else { return };
        let Ok(value) = u64::try_from(number.saturating_add(after)) else { return };
        match fact {
            Fact::AuthenticationAge => self.sign_in_ages.insert(value),
            Fact::PostureAge => self.posture_ages.insert(value),
            Fact::Risk => self.risks.insert(value),
            _ => false,
        };
    }

    /// How many cells there are at the least: every name has its row, its column or its place.
    fn least(&self) -> u128 {
        let groups = groups(self).len() + 1;
        let proven = SubjectKind::ALL.map(|kind| proofs(self, kind).len());
        let people = ["Human", "Service", "Agent"].map(|kind| self.ids(kind).count());
        let subjects = product([groups, proven.iter().sum()]) + people.iter().map(|count| *count as u128).sum::<u128>();
        let places = 1 + self.zones.len() + self.posture_ages.len() + self.risks.len().min(101);
        let resources = Tier::ALL.len() * (1 + self.ids("Segment").count()) + self.ids("Resource").count();
        subjects.saturating_mul(product([places, resources]))
    }

    fn ids(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.entities.get(kind).into_iter().flatten().map(String::as_str)
    }
}

impl Enumeration {
    /// Of everything that any of the sets names.
    pub(crate) fn of(sets: &[&PolicySet], known: &[Resource]) -> Result<Self, NoMatrix> {
        let named = Named::of(sets);
        // INVARIANT: Counted before anything is made of it.
        let least = |cells: u128| if cells > MOST { Err(NoMatrix::TooLarge { cells }) } else { Ok(()) };
        least(named.least())?;
        let (subjects, places) = (subjects(&named)?, places(sets, &named)?);
        let resources = resources(&named, known)?;
        least(product([subjects.len(), places.len(), resources.len()]))?;
        Ok(Self { subjects: plain(subjects), places: plain(places), resources: plain(resources) })
    }
}

/// Two spaces end a name in the table, so a name has none.
fn plain<T>(named: Vec<(String, T)>) -> Vec<(String, T)> {
    let one_space = |name: String| name.split_whitespace().collect::<Vec<_>>().join(" ");
    named.into_iter().map(|(name, what)| (one_space(name), what)).collect()
}

/// Short words for a span, exact to the second.
fn span(seconds: u64) -> String {
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let shown: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if shown.is_empty() { "0s".to_owned() } else { shown.join(" ") }
}

fn proof(method: Method, age: u64) -> Authentication {
    Authentication { methods: Methods::from([method]), at: NOON.minus(Duration::from_secs(age)), age }
}

fn product<const N: usize>(counts: [usize; N]) -> u128 {
    counts.iter().fold(1, |product, count| product.saturating_mul(*count as u128))
}

/// The groups that a subject of the matrix may be in, one at a time.
fn groups(named: &Named) -> BTreeSet<&str> {
    let mut groups: BTreeSet<&str> = named.ids("Group").filter(|group| *group != crate::EVERYONE).collect();
    groups.extend(ENTITLED.concat());
    groups
}

/// How this kind of subject may have signed in, and how long ago.
fn proofs(named: &Named, kind: SubjectKind) -> Vec<(Method, u64)> {
    let methods = Method::ALL.into_iter().filter(|method| match (kind, method) {
        (SubjectKind::Human, Method::Passkey | Method::FederatedMultiFactor | Method::Federated) => true,
        (SubjectKind::Human, Method::FederatedPhishingResistant | Method::Invitation) => {
            named.texts.contains(method.name())
        }
        (SubjectKind::Service | SubjectKind::Agent, Method::ApiKey) => true,
        _ => false,
    });
    let fresh = methods.map(|method| (method, 0));
    let ages = named.sign_in_ages.iter().copied();
    let aged = ages.filter(|_| kind == SubjectKind::Human).map(|age| (Method::Passkey, age));
    fresh.chain(aged).collect()
}

fn subjects(named: &Named) -> Result<Vec<(String, Asker)>, NameError> {
    let mut all = Vec::new();
    let groups = groups(named);
    for kind in SubjectKind::ALL {
        if kind == SubjectKind::Anonymous {
            let subject = subject(SubjectId::anonymous());
            all.push(("anonymous".to_owned(), Asker { subject, groups: Vec::new(), authentication: None }));
            continue;
        }
        for group in std::iter::once(None).chain(groups.iter().copied().map(Some)) {
            for (method, age) in proofs(named, kind) {
                let within = group.map_or_else(|| "no group".to_owned(), str::to_owned);
                let mut name = format!("{kind}, {within}, {method}");
                if age > 0 {
                    name += &format!(" {} ago", span(age));
                }
                let id = match kind {
                    SubjectKind::Service => SubjectId::service("somebody")?,
                    SubjectKind::Agent => SubjectId::agent("somebody")?,
                    SubjectKind::Human | SubjectKind::Anonymous => SubjectId::human("somebody")?,
                };
                let groups = group.into_iter().map(GroupId::new).collect::<Result<_, _>>()?;
                all.push((name, Asker { subject: subject(id), groups, authentication: Some(proof(method, age)) }));
            }
        }
    }
    let kinds = [("Human", "human"), ("Service", "service"), ("Agent", "agent")];
    for (kind, id) in kinds.iter().flat_map(|(of, kind)| named.ids(of).map(move |id| (*kind, id))) {
        let method = match (kind, id) {
            ("human", _) => Method::Passkey,
            ("service", "local-operator") => Method::LocalOperator,
            _ => Method::ApiKey,
        };
        let Ok(id) = format!("{kind}:{id}").parse::<SubjectId>() else { continue };
        let name = format!("{id}, {method}");
        all.push((name, Asker { subject: subject(id), groups: Vec::new(), authentication: Some(proof(method, 0)) }));
    }
    Ok(all)
}

fn subject(id: SubjectId) -> Subject {
    let owner = || SubjectId::human("owner").ok();
    Subject {
        display_name: id.to_string(),
        email: None,
        owner: if matches!(id.kind(), SubjectKind::Service | SubjectKind::Agent) { owner() } else { None },
        acts_for: if id.kind() == SubjectKind::Agent { owner() } else { None },
        state: SubjectState::Active,
        groups: Vec::new(),
        source: Source::Configuration,
        created: NOON,
        last_used: None,
        id,
    }
}

fn device(managed: bool, compliant: bool, posture_age: u64) -> Result<DeviceCircumstances, NameError> {
    let findings =
        if compliant { BTreeMap::new() } else { BTreeMap::from([(PostureAspect::Firewall, Finding::Failed)]) };
    Ok(DeviceCircumstances {
        id: DeviceId::new("laptop")?,
        managed,
        compliant,
        findings,
        posture_age: Some(posture_age),
    })
}

fn places(sets: &[&PolicySet], named: &Named) -> Result<Vec<(String, Circumstances)>, NameError> {
    let bare = Circumstances {
        authentication: None,
        device: None,
        network: NetworkCircumstances {
            address: std::net::Ipv4Addr::new(203, 0, 113, 7).into(),
            zones: BTreeSet::new(),
            encrypted: true,
        },
        time: TimeCircumstances { now: NOON, hour: 12, weekday: 3, zone: "UTC".into() },
        risk: 0,
        grant: None,
        exception: None,
        http: Some(Arc::new(HttpCircumstances {
            method: "GET".to_owned(),
            host: "application.localhost".to_owned(),
            path: "/".to_owned(),
        })),
    };
    let healthy = Circumstances { device: Some(device(true, true, 0)?), ..bare.clone() };
    let reads =
        |facts: &[Fact]| sets.iter().any(|set| facts.iter().any(|fact| set.everything().read_somewhere.contains(fact)));
    let mut places = vec![("no device".to_owned(), bare.clone())];
    let mut add = |name: String, from: &Circumstances, change: &dyn Fn(&mut Circumstances)| {
        let mut circumstances = from.clone();
        change(&mut circumstances);
        places.push((name, circumstances));
    };
    if reads(&[Fact::Encrypted]) {
        add("no device, not encrypted".to_owned(), &bare, &|c| c.network.encrypted = false);
    }
    for zone in &named.zones {
        add(format!("no device, zone {zone}"), &bare, &|c| {
            c.network.zones.insert(zone.clone());
            if zone.as_str() == LOOPBACK {
                c.network.address = std::net::Ipv4Addr::LOCALHOST.into();
                c.network.encrypted = false;
            }
        });
    }
    for (name, managed, compliant) in [
        ("unmanaged device, failing", false, false),
        ("unmanaged device, compliant", false, true),
        ("managed device, failing", true, false),
        ("managed device, compliant", true, true),
    ] {
        let device = device(managed, compliant, 0)?;
        add(name.to_owned(), &bare, &|c| c.device = Some(device.clone()));
    }
    let name = |more: &str| format!("managed device, compliant, {more}");
    for age in &named.posture_ages {
        let device = device(true, true, *age)?;
        add(name(&format!("posture {} old", span(*age))), &bare, &|c| c.device = Some(device.clone()));
    }
    for risk in named.risks.iter().filter_map(|risk| u8::try_from(*risk).ok()) {
        add(name(&format!("risk {risk}")), &healthy, &|c| c.risk = risk);
    }
    if reads(&[Fact::Hour, Fact::Weekday, Fact::Now]) {
        // Saturday of the same week, at 23:00.
        let night = NOON.plus(Duration::from_secs((3 * 24 + 11) * 3600));
        add(name("Saturday at 23:00"), &healthy, &|c| (c.time.now, c.time.hour, c.time.weekday) = (night, 23, 6));
    }
    if reads(&[Fact::Grant, Fact::GrantId, Fact::GrantClass, Fact::GrantExpires]) {
        for class in ActionClass::ALL {
            let expires = NOON.plus(Duration::from_secs(3600));
            let grant = GrantCircumstances { id: GrantId::from_random(0), class, expires };
            add(name(&format!("grant to {}", class.name())), &healthy, &|c| c.grant = Some(grant.clone()));
        }
    }
    let relaxes: BTreeSet<_> = sets.iter().flat_map(|set| set.relaxable()).map(|info| info.id.clone()).collect();
    if !relaxes.is_empty() {
        let expires = NOON.plus(Duration::from_secs(3600));
        let exception = ExceptionCircumstances { ids: BTreeSet::new(), relaxes, expires };
        let device = device(false, false, 0)?;
        add("unmanaged device, failing, all relaxed that can be".to_owned(), &bare, &|c| {
            (c.device, c.exception) = (Some(device.clone()), Some(exception.clone()));
        });
    }
    Ok(places)
}

fn resources(named: &Named, known: &[Resource]) -> Result<Vec<(String, Resource)>, NameError> {
    let mut all = Vec::new();
    for tier in Tier::ALL {
        all.push((tier.name().to_owned(), resource(tier.name(), ResourceKind::Http, tier, ENTITLED)?));
    }
    for (part, tier, readers) in PARTS {
        let writers: &[&str] = if part == "portal" { &[crate::EVERYONE] } else { &[] };
        let id = format!("countersign-{part}");
        all.push((id.clone(), resource(&id, ResourceKind::Countersign, tier, [readers, writers, &[]])?));
    }
    for segment in named.ids("Segment") {
        for tier in Tier::ALL {
            let id = format!("{segment}/{tier}");
            let mut resource = resource(tier.name(), ResourceKind::Http, tier, ENTITLED)?;
            resource.segment = SegmentId::new(segment).ok();
            all.push((id, resource));
        }
    }
    let there: BTreeSet<String> = all.iter().map(|(_, resource)| resource.id.to_string()).collect();
    let known: BTreeMap<&str, &Resource> = known.iter().map(|known| (known.id.as_str(), known)).collect();
    for id in named.ids("Resource").filter(|id| !there.contains(*id)) {
        let mut named = resource(id, ResourceKind::Http, Tier::Standard, ENTITLED)?;
        if let Some(known) = known.get(id) {
            (named.kind, named.tier, named.segment) = (known.kind, known.tier, known.segment.clone());
        }
        all.push((format!("{id}:{}", named.tier), named));
    }
    Ok(all)
}

fn resource(id: &str, kind: ResourceKind, tier: Tier, entitled: [&[&str]; 3]) -> Result<Resource, NameError> {
    let groups = |names: &[&str]| names.iter().copied().map(GroupId::new).collect::<Result<Vec<_>, _>>();
    let [readers, writers, administrators] = entitled;
    Ok(Resource {
        id: ResourceId::new(id)?,
        display_name: id.to_owned(),
        kind,
        tier,
        segment: None,
        owner: None,
        source: Source::Configuration,
        routes: Vec::new(),
        upstream: Upstream::Internal { part: String::new() },
        rules: Vec::new(),
        entitled: Entitled {
            readers: groups(readers)?,
            writers: groups(writers)?,
            administrators: groups(administrators)?,
        },
        observe_until: None,
    })
}
