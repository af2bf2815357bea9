//! Under which circumstances somebody is allowed: every combination of sign-in, device, network and hour that the
//! policies tell apart is decided, and the weakest that suffice are told. Weaker and stronger are an order in which a
//! younger sign-in is stronger than an older one, a managed device than any other, and so on; a combination *suffices*
//! when it and everything stronger is allowed. Where policies allow something and refuse something stronger, the
//! weakest of it is told as exactly that. The request itself (method, path) and the risk are as they are.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use countersign_model::{
    Action, Authentication, Circumstances, DeviceCircumstances, DeviceId, ExceptionCircumstances, GrantCircumstances,
    GrantId, Methods, NetworkCircumstances, PolicyId, ZoneName,
};

use super::named::Part;
use super::{Asker, Of, Profile, SignIn, Situation, Wanted};
use crate::facts::Fact;
use crate::records::Shape;
use crate::set::PolicySet;

/// Where a zone is, for those that exist: the policies know only names.
pub type ZonesOf<'z> = &'z dyn Fn(IpAddr) -> BTreeSet<ZoneName>;

/// Circumstances that suffice: all of this together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sufficient {
    /// `None`: without signing in.
    pub sign_in: Option<SignInBound>,
    /// `None`: from any device, or from none.
    pub device: Option<DeviceBound>,
    pub encrypted: bool,
    /// `None`: from anywhere.
    pub place: Option<Place>,
    /// Anywhere but from here.
    pub not_from: Vec<Place>,
    /// `None`: at any time.
    pub windows: Option<Vec<Window>>,
    pub way: Way,
    /// Whether something stronger is refused, so that only exactly this is meant.
    pub exactly: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignInBound {
    /// `None`: with the key of a service or an agent.
    pub strength: Option<SignIn>,
    /// In seconds; `None`: however old.
    pub younger_than: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceBound {
    pub managed: bool,
    pub compliant: bool,
    /// The oldest fact of its posture, in seconds; `None`: however old, or never reported.
    pub reported_within: Option<u64>,
    /// Whether it has to have reported at all.
    pub reported: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    Zone(ZoneName),
    /// An address range that a policy writes out.
    Range(String),
}

/// Some days of the week, 1 (Monday) to 7, and the hours of each, from and to, without the last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Window {
    pub days: Vec<u8>,
    pub hours: Vec<(u8, u8)>,
}

/// What the access would rest on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    /// Privilege without an end.
    Standing,
    /// Only with a grant in force.
    Grant,
    /// Only with an exception in force.
    Exception,
}

/// The steps of one part of the circumstances, each before those that are stronger.
#[derive(Clone, Debug)]
struct Ladder<V, B> {
    values: Vec<V>,
    /// What has to hold for a step.
    bounds: Vec<B>,
    /// For each step those that are stronger with nothing in between.
    above: Vec<Vec<usize>>,
}

impl<V, B> Ladder<V, B> {
    const fn new() -> Self {
        Self { values: Vec::new(), bounds: Vec::new(), above: Vec::new() }
    }

    /// `below` are the steps that it is right above of.
    fn push(&mut self, value: V, bound: B, below: impl IntoIterator<Item = usize>) -> usize {
        let at = self.values.len();
        self.values.push(value);
        self.bounds.push(bound);
        self.above.push(Vec::new());
        for step in below {
            if let Some(above) = self.above.get_mut(step) {
                above.push(at);
            }
        }
        at
    }
}

type Proofs = Ladder<Option<Authentication>, Option<SignInBound>>;
type Devices = Ladder<Option<DeviceCircumstances>, Option<DeviceBound>>;
type Networks = Ladder<NetworkCircumstances, Option<Place>>;

#[derive(Clone, Copy, Debug)]
struct Moment {
    /// From and to, without the last.
    weekdays: (u8, u8),
    hours: (u8, u8),
}

/// Everything that the policies tell apart, for one set of policies and one network of zones.
#[derive(Debug)]
pub struct Terrain {
    nobody: Proofs,
    people: Proofs,
    machines: Proofs,
    operator: Proofs,
    devices: Devices,
    networks: Networks,
    moments: Vec<Moment>,
    ways: Vec<Way>,
    /// What an exception could relax at most.
    relaxable: BTreeSet<PolicyId>,
    situation: Situation,
}

/// From a value on and up to the next.
fn segments(cuts: Option<BTreeSet<i64>>, every: impl Iterator<Item = i64>, from: i64, to: i64) -> Vec<(i64, i64)> {
    let cuts = cuts.unwrap_or_else(|| every.collect());
    let mut bounds: Vec<i64> = cuts.into_iter().filter(|cut| *cut > from && *cut < to).collect();
    bounds.insert(0, from);
    let ends = bounds.iter().skip(1).copied().chain([to]);
    bounds.iter().copied().zip(ends.collect::<Vec<_>>()).collect()
}

impl Terrain {
    /// `situation` gives what the policies may look at and no ladder has: the instant, and the address from elsewhere.
    /// `places` has an address for each zone that exists.
    pub fn new(
        set: &PolicySet,
        of: Of,
        situation: &Situation,
        places: &[(ZoneName, IpAddr)],
        zones_of: ZonesOf<'_>,
    ) -> Self {
        let set = Part { set, of };
        let ages = |fact| {
            let known = || set.set.time().ages.iter().filter_map(|age| i64::try_from(*age).ok()).collect::<Vec<_>>();
            segments(set.cuts(fact), known().into_iter(), 0, i64::MAX)
        };
        let sign_in_ages = ages(Fact::AuthenticationAge);
        let now = situation.circumstances.time.now;
        let proofs = |profile: Profile, strengths: &[SignIn]| {
            let mut proofs = Proofs::new();
            let none = proofs.push(None, None, []);
            let mut weaker: Vec<usize> = Vec::new();
            for strength in strengths {
                let mut steps = Vec::new();
                for ((from, to), age) in sign_in_ages.iter().rev().zip(0..) {
                    let seconds = seconds(*from);
                    let authentication = profile.method(*strength).map(|method| Authentication {
                        methods: Methods::from([method]),
                        at: now.minus(Duration::from_secs(seconds)),
                        age: seconds,
                    });
                    let bound = SignInBound {
                        strength: (profile == Profile::Person).then_some(*strength),
                        younger_than: bound(*to),
                    };
                    let older = steps.last().copied();
                    let first = (older.is_none() && weaker.is_empty()).then_some(none);
                    let below = [older, weaker.get(age).copied(), first].into_iter().flatten();
                    steps.push(proofs.push(authentication, Some(bound), below));
                }
                weaker = steps;
            }
            proofs
        };
        let strengths = SignIn::ALL.get(1..).unwrap_or_default();
        let some = |names: &[Fact], way| set.may_read(names).then_some(way);
        let grants = [Fact::Grant, Fact::GrantId, Fact::GrantClass, Fact::GrantExpires];
        let exceptions = [Fact::Exception, Fact::ExceptionRelaxes];
        let ways = [Some(Way::Standing), some(&grants, Way::Grant), some(&exceptions, Way::Exception)];
        Self {
            nobody: proofs(Profile::Nobody, &[]),
            people: proofs(Profile::Person, strengths),
            machines: proofs(Profile::Machine, &[SignIn::Federated]),
            operator: proofs(Profile::LocalOperator, &[SignIn::Federated]),
            devices: devices(&set, &ages(Fact::PostureAge)),
            networks: reachable(&set, situation, places, zones_of),
            moments: moments(&set),
            ways: ways.into_iter().flatten().collect(),
            relaxable: set.set.relaxable().map(|info| info.id.clone()).collect(),
            situation: situation.clone(),
        }
    }

    const fn proofs(&self, profile: Profile) -> &Proofs {
        match profile {
            Profile::Nobody => &self.nobody,
            Profile::Person => &self.people,
            Profile::Machine => &self.machines,
            Profile::LocalOperator => &self.operator,
        }
    }

    /// How many combinations are decided for a person, at most.
    pub const fn combinations(&self) -> usize {
        let here = self.people.values.len() * self.devices.values.len() * self.networks.values.len();
        here * self.moments.len() * self.ways.len()
    }
}

fn seconds(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The end of a segment; the last one has none.
fn bound(to: i64) -> Option<u64> {
    (to < i64::MAX).then(|| seconds(to))
}

fn devices(set: &Part<'_>, ages: &[(i64, i64)]) -> Devices {
    let mut devices = Devices::new();
    let none = devices.push(None, None, []);
    let facts = [Fact::Device, Fact::DeviceId, Fact::Managed, Fact::Compliant, Fact::PostureAge];
    let Ok(id) = DeviceId::new("any-device") else { return devices };
    if !set.may_read(&facts) {
        return devices;
    }
    // Never reported, then reports from old to new.
    let reports: Vec<(Option<u64>, Option<u64>)> = std::iter::once((None, None))
        .chain(ages.iter().rev().map(|(from, to)| (Some(seconds(*from)), bound(*to))))
        .collect();
    let mut first = Vec::new();
    for (managed, compliant) in [(false, false), (false, true), (true, false), (true, true)] {
        let begin = devices.values.len();
        first.push(begin);
        for ((posture_age, reported_within), age) in reports.iter().copied().zip(0..) {
            let value =
                DeviceCircumstances { id: id.clone(), managed, compliant, findings: Default::default(), posture_age };
            let bound = DeviceBound { managed, compliant, reported_within, reported: posture_age.is_some() };
            let plainer = match (managed, compliant) {
                (false, false) => [None, None],
                (false, true) | (true, false) => [first.first(), None],
                (true, true) => [first.get(1), first.get(2)],
            };
            let plainer = plainer.into_iter().flatten().map(|begin| begin + age);
            let older = (age > 0).then(|| begin + age - 1);
            let bare = (age == 0 && begin == none + 1).then_some(none);
            let below: Vec<usize> = plainer.chain(older).chain(bare).collect();
            devices.push(Some(value), Some(bound), below);
        }
    }
    devices
}

fn reachable(set: &Part<'_>, situation: &Situation, places: &[(ZoneName, IpAddr)], zones_of: ZonesOf<'_>) -> Networks {
    let elsewhere = situation.circumstances.network.address;
    let mut from = vec![(elsewhere, None)];
    // Of a policy that does more with zones than ask for one by name, nobody knows which count.
    let any = set.may_read(&[]) || !set.set.infos.iter().all(|info| info.compiled);
    let zones = places.iter().filter(|(zone, _)| any || set.set.enforced.zones.contains(zone));
    from.extend(zones.map(|(zone, address)| (*address, Some(Place::Zone(zone.clone())))));
    from.extend(set.networks().into_iter().map(|range| (range.address, Some(Place::Range(range.to_string())))));
    let encrypted: &[bool] = if set.may_read(&[Fact::Encrypted]) { &[false, true] } else { &[true] };
    let mut all = Networks::new();
    for (address, place) in from {
        let begin = all.values.len();
        for (encrypted, at) in encrypted.iter().zip(0..) {
            let zones = if place.is_none() { BTreeSet::new() } else { zones_of(address) };
            let network = NetworkCircumstances { address, zones, encrypted: *encrypted };
            let open = (at > 0).then(|| begin + at - 1);
            let elsewhere = place.is_some().then_some(at);
            all.push(network, place.clone(), open.into_iter().chain(elsewhere));
        }
    }
    all
}

fn moments(set: &Part<'_>) -> Vec<Moment> {
    let cells = |fact, from: i64, to: i64| -> Vec<(u8, u8)> {
        if !set.may_read(&[fact]) {
            return vec![(u8::try_from(from).unwrap_or(0), u8::try_from(to).unwrap_or(u8::MAX))];
        }
        let byte = |number: i64| u8::try_from(number).unwrap_or(u8::MAX);
        segments(set.cuts(fact), from..to, from, to).into_iter().map(|(from, to)| (byte(from), byte(to))).collect()
    };
    let hours = cells(Fact::Hour, 0, 24);
    let of = |weekdays: (u8, u8)| hours.iter().map(move |hours| Moment { weekdays, hours: *hours });
    cells(Fact::Weekday, 1, 8).into_iter().flat_map(of).collect()
}

/// A combination, by the place of each part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Point {
    network: usize,
    device: usize,
    proof: usize,
}

/// What was decided at one moment: for each network, device and proof, in this order.
struct Grid<'t> {
    allowed: Vec<bool>,
    proofs: &'t Proofs,
    devices: &'t Devices,
    networks: &'t Networks,
}

impl Grid<'_> {
    const fn point(&self, at: usize) -> Point {
        let (proofs, devices) = (self.proofs.values.len(), self.devices.values.len());
        Point { proof: at % proofs, device: at / proofs % devices, network: at / proofs / devices }
    }

    const fn at(&self, point: Point) -> usize {
        (point.network * self.devices.values.len() + point.device) * self.proofs.values.len() + point.proof
    }

    /// What is right above a point, by place: never before it. From elsewhere no way leads up to a hostile place.
    fn above<'g>(&'g self, at: usize, hostile: &'g [Place]) -> impl Iterator<Item = usize> + 'g {
        let point = self.point(at);
        let steps =
            |above: &'g [Vec<usize>], from: usize| above.get(from).map_or(&[][..], Vec::as_slice).iter().copied();
        let place = |network: usize| self.networks.bounds.get(network).and_then(Option::as_ref);
        let leads =
            move |to: &usize| place(point.network).is_some() || place(*to).is_none_or(|place| !hostile.contains(place));
        let proofs = steps(&self.proofs.above, point.proof).map(move |proof| Point { proof, ..point });
        let devices = steps(&self.devices.above, point.device).map(move |device| Point { device, ..point });
        let networks = steps(&self.networks.above, point.network).filter(leads);
        let networks = networks.map(move |network| Point { network, ..point });
        proofs.chain(devices).chain(networks).map(|point| self.at(point))
    }

    /// Places from which something is refused that is allowed from elsewhere, and nothing the other way round.
    fn hostile(&self) -> Vec<Place> {
        let each = self.proofs.values.len() * self.devices.values.len();
        let mut hostile: Vec<Place> = Vec::new();
        let mut friendly: Vec<&Place> = Vec::new();
        for (from, place) in self.networks.bounds.iter().enumerate() {
            if place.is_some() {
                continue;
            }
            for to in self.networks.above.get(from).into_iter().flatten() {
                let Some(Some(place)) = self.networks.bounds.get(*to) else { continue };
                let points = |network: usize| self.allowed.iter().skip(network * each).take(each);
                let pairs = || points(from).zip(points(*to));
                if pairs().any(|(elsewhere, here)| *here && !elsewhere) {
                    friendly.push(place);
                } else if pairs().any(|(elsewhere, here)| *elsewhere && !here) && !hostile.contains(place) {
                    hostile.push(place.clone());
                }
            }
        }
        hostile.retain(|place| !friendly.contains(&place));
        hostile
    }

    /// What suffices, and what is allowed though something stronger is refused; of each the weakest.
    fn weakest(&self, hostile: &[Place]) -> (Vec<Point>, Vec<Point>) {
        let mut solid = self.allowed.clone();
        for at in (0..solid.len()).rev() {
            let is = |at: usize| solid.get(at).copied().unwrap_or(false);
            let holds = is(at) && self.above(at, hostile).all(is);
            if let Some(point) = solid.get_mut(at) {
                *point = holds;
            }
        }
        let loose: Vec<bool> = self.allowed.iter().zip(&solid).map(|(is, solid)| *is && !solid).collect();
        (self.lowest(&solid, hostile), self.lowest(&loose, hostile))
    }

    /// Those of `points` that nothing else of them is weaker than.
    fn lowest(&self, points: &[bool], hostile: &[Place]) -> Vec<Point> {
        let mut over = vec![false; points.len()];
        let mut lowest = Vec::new();
        for (at, is) in points.iter().enumerate() {
            let covered = over.get(at).copied().unwrap_or(false);
            if *is && !covered {
                lowest.push(self.point(at));
            }
            if *is || covered {
                for above in self.above(at, hostile) {
                    if let Some(over) = over.get_mut(above) {
                        *over = true;
                    }
                }
            }
        }
        lowest
    }
}

impl PolicySet {
    /// The weakest circumstances under which `asker` is allowed what is `wanted`; nothing where there are none. Decides
    /// every one of them as a whole: for many, there is [`Population::sufficient`](super::Population::sufficient).
    pub fn suffices(&self, asker: &Asker<'_>, wanted: &Wanted<'_>, terrain: &Terrain) -> Vec<Sufficient> {
        let Shape::Subject(subject) = &asker.record.0 else { return Vec::new() };
        let profile = Profile::of(self, subject);
        let circumstances = terrain.situation.of(asker, profile, wanted.http.as_ref());
        terrain.weakest(profile, wanted.action, &circumstances, |circumstances| {
            self.allowed(subject, wanted, circumstances)
        })
    }
}

impl Terrain {
    pub(super) const fn situation(&self) -> &Situation {
        &self.situation
    }

    /// The weakest circumstances that are `allowed`, in the first way in which there are any.
    pub(super) fn weakest(
        &self,
        profile: Profile,
        action: Action,
        circumstances: &Circumstances,
        allowed: impl Fn(&Circumstances) -> bool,
    ) -> Vec<Sufficient> {
        let mut found = Vec::new();
        for way in &self.ways {
            if found.is_empty() {
                found = self.weakest_by(*way, profile, self.rest_on(*way, action, circumstances.clone()), &allowed);
            }
        }
        found
    }

    fn weakest_by(
        &self,
        way: Way,
        profile: Profile,
        mut circumstances: Circumstances,
        is_allowed: impl Fn(&Circumstances) -> bool,
    ) -> Vec<Sufficient> {
        let proofs = self.proofs(profile);
        let mut found: Vec<(Point, bool, Vec<Place>, Vec<Moment>)> = Vec::new();
        for moment in &self.moments {
            (circumstances.time.weekday, circumstances.time.hour) = (moment.weekdays.0, moment.hours.0);
            let mut allowed = Vec::new();
            let _all = self.walk(&mut circumstances, proofs, |circumstances| {
                allowed.push(is_allowed(circumstances));
                ControlFlow::Continue(())
            });
            let grid = Grid { allowed, proofs, devices: &self.devices, networks: &self.networks };
            let hostile = grid.hostile();
            let (suffices, exactly) = grid.weakest(&hostile);
            let both = suffices.into_iter().map(|it| (it, false)).chain(exactly.into_iter().map(|it| (it, true)));
            for (point, exactly) in both {
                let same = found.iter_mut().find(|(other, same_exactly, other_hostile, _)| {
                    (*other, *same_exactly, other_hostile) == (point, exactly, &hostile)
                });
                match same {
                    Some((.., moments)) => moments.push(*moment),
                    None => found.push((point, exactly, hostile.clone(), vec![*moment])),
                }
            }
        }
        let all = self.moments.len();
        found
            .into_iter()
            .filter_map(|(point, exactly, hostile, moments)| {
                let network = self.networks.values.get(point.network)?;
                let place = self.networks.bounds.get(point.network)?.clone();
                Some(Sufficient {
                    sign_in: *proofs.bounds.get(point.proof)?,
                    device: *self.devices.bounds.get(point.device)?,
                    encrypted: network.encrypted && self.networks.values.iter().any(|it| !it.encrypted),
                    not_from: if place.is_none() { hostile } else { Vec::new() },
                    place,
                    windows: (moments.len() < all).then(|| windows(&moments)),
                    way,
                    exactly,
                })
            })
            .collect()
    }

    /// The first way in which anything at all is `permitted`.
    pub(super) fn first_way(
        &self,
        profile: Profile,
        action: Action,
        circumstances: &Circumstances,
        permitted: impl Fn(&Circumstances) -> bool,
    ) -> Option<Way> {
        let somehow = |way: &Way| {
            let mut circumstances = self.rest_on(*way, action, circumstances.clone());
            self.moments.iter().any(|moment| {
                (circumstances.time.weekday, circumstances.time.hour) = (moment.weekdays.0, moment.hours.0);
                let found = self.walk(&mut circumstances, self.proofs(profile), |circumstances| {
                    if permitted(circumstances) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                found.is_break()
            })
        };
        self.ways.iter().copied().find(somehow)
    }

    /// Every network, device and proof, in this order.
    fn walk(
        &self,
        circumstances: &mut Circumstances,
        proofs: &Proofs,
        mut each: impl FnMut(&Circumstances) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // Each proof changes places with what the circumstances hold, so that nothing is copied.
        let mut held = proofs.values.clone();
        for network in &self.networks.values {
            circumstances.network.clone_from(network);
            for device in &self.devices.values {
                circumstances.device.clone_from(device);
                for proof in &mut held {
                    std::mem::swap(&mut circumstances.authentication, proof);
                    let next = each(circumstances);
                    std::mem::swap(&mut circumstances.authentication, proof);
                    next?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn rest_on(&self, way: Way, action: Action, mut circumstances: Circumstances) -> Circumstances {
        let expires = circumstances.time.now.plus(Duration::from_secs(3600));
        match way {
            Way::Standing => (circumstances.grant, circumstances.exception) = (None, None),
            Way::Grant => {
                let grant = GrantCircumstances { id: GrantId::from_random(0), class: action.class, expires };
                circumstances.grant = Some(grant);
            }
            Way::Exception => {
                let relaxes = self.relaxable.clone();
                circumstances.exception = Some(ExceptionCircumstances { ids: BTreeSet::new(), relaxes, expires });
            }
        }
        circumstances
    }
}

/// Days with the same hours together.
fn windows(moments: &[Moment]) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for day in 1..8_u8 {
        let here = moments.iter().filter(|moment| moment.weekdays.0 <= day && day < moment.weekdays.1);
        let mut hours: Vec<(u8, u8)> = Vec::new();
        let mut spans: Vec<(u8, u8)> = here.map(|moment| moment.hours).collect();
        spans.sort_unstable();
        for (from, to) in spans {
            match hours.last_mut() {
                Some((_, end)) if *end == from => *end = to,
                _ => hours.push((from, to)),
            }
        }
        if hours.is_empty() {
            continue;
        }
        match windows.iter_mut().find(|window| window.hours == hours) {
            Some(window) => window.days.push(day),
            None => windows.push(Window { days: vec![day], hours }),
        }
    }
    windows
}
