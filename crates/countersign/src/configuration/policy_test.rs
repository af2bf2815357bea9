//! Policy tests as files, version 1: subjects, resources and devices in the words of `countersign.toml`, and tests about
//! them. Every mistake is reported with its line, an unknown key is one, and so is a test that could not mean anything.
//! It reads text and gives trials; deciding them is the policy engine's.

mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign_model::{
    Action, ActionClass, Authentication, AuthenticationMethod, Circumstances, DeviceCircumstances, DeviceId, Entitled,
    ExceptionCircumstances, Finding, GrantCircumstances, GrantId, GroupId, HttpCircumstances, Methods,
    NetworkCircumstances, PolicyId, PostureAspect, Resource, ResourceId, ResourceKind, SegmentId, Source, Subject,
    SubjectId, SubjectKind, SubjectState, Tier, TimeCircumstances, Timestamp, Upstream, ZoneName,
};
use countersign_policy::{Effect, Expectation, Mode, NEEDS, Trial};
use toml_edit::Item;

use super::mistake::{Mistake, Mistakes, nearest, position};
use super::reader::{Findings, Reader, Spanned, boolean, duration, list, number, one_of, parsed, text};
use super::written::rule;

/// Wednesday, 2026-01-07, at noon: policies about office hours are no surprise.
const AT: &str = "2026-01-07T12:00:00";
const AFAR: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
const LOOPBACK: &str = "loopback";
/// How long ago a sign-in and a posture report were, where a test does not say.
const FRESH: Duration = Duration::from_secs(60);

pub(crate) use writing::written;

#[derive(Debug, Clone)]
pub(crate) struct PolicyTest {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    /// From 1: the line that the test begins at.
    pub(crate) line: usize,
    /// Whether what policies in observe mode would do is tested too.
    pub(crate) mode: Mode,
    pub(crate) trial: Trial,
    pub(crate) expectation: Expectation,
}

/// Reads the text of one file of tests.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Vec<PolicyTest>, Mistakes> {
    let fail = |list| Mistakes { path: path.to_owned(), text: text.to_owned(), list };
    let document = toml_edit::Document::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        fail(vec![Mistake { span, message: format!("this is not TOML: {}", error.message()), help: None }])
    })?;
    let findings = Findings::default();
    let tests = File::read(Reader::root(document.as_table(), &findings), path, text);
    let mut mistakes = findings.mistakes.into_inner();
    if mistakes.is_empty() {
        return Ok(tests);
    }
    mistakes.sort_by_key(|mistake| mistake.span.start);
    Err(fail(mistakes))
}

type Written<T> = Option<Spanned<T>>;

/// What the tests of one file share.
struct File<'a> {
    findings: &'a Findings,
    zone: jiff::tz::TimeZone,
    zone_name: String,
    subjects: BTreeMap<SubjectId, Known>,
    resources: BTreeMap<ResourceId, Described>,
    devices: BTreeMap<String, Option<DeviceCircumstances>>,
}

struct Known {
    subject: Subject,
    proof: Option<Methods>,
}

#[derive(Clone)]
struct Described {
    resource: Resource,
    host: String,
}

fn methods(item: &Item) -> Result<Methods, String> {
    let known: Vec<(&str, AuthenticationMethod)> =
        AuthenticationMethod::ALL.iter().map(|method| (method.name(), *method)).collect();
    match item.as_str() {
        Some("none") => Ok(Methods::new()),
        Some(_) => one_of(&known)(item).map(|method| Methods::from([method])),
        None => list(one_of(&known))(item).map(Methods::from_iter),
    }
}

/// A span, or seconds as policies count them, and as far as they do.
fn age(item: &Item) -> Result<Duration, String> {
    if item.is_integer() { number(0, i64::MAX.unsigned_abs())(item).map(Duration::from_secs) } else { duration(item) }
}

fn tier(item: &Item) -> Result<Tier, String> {
    one_of(&Tier::ALL.map(|tier| (tier.name(), tier)))(item)
}

fn class(item: &Item) -> Result<ActionClass, String> {
    one_of(&ActionClass::ALL.map(|class| (class.name(), class)))(item)
}

impl<'a> File<'a> {
    fn read(root: Reader<'a>, path: &Path, text_of_file: &str) -> Vec<PolicyTest> {
        root.require("version", number(1, 1));
        let zone = root.take("time_zone", |item| {
            let name = text(item)?;
            let zone = jiff::tz::TimeZone::get(&name);
            zone.map(|zone| (name.clone(), zone))
                .map_err(|_| format!("{name:?} is no time zone, such as Europe/Berlin"))
        });
        let (zone_name, zone) = zone.map_or_else(|| ("UTC".to_owned(), jiff::tz::TimeZone::UTC), |zone| zone.value);
        let mut file = Self {
            findings: root.findings,
            zone,
            zone_name,
            subjects: BTreeMap::new(),
            resources: BTreeMap::new(),
            devices: BTreeMap::new(),
        };
        for device in ["none", "unmanaged", "failing", "healthy"] {
            file.devices.insert(device.to_owned(), built_in(device));
        }
        root.tables("subject").into_iter().for_each(|reader| file.subject(reader));
        root.tables("resource").into_iter().for_each(|reader| file.resource(reader));
        root.tables("device").into_iter().for_each(|reader| file.device(reader));
        let mut names = BTreeSet::new();
        let mut tests = Vec::new();
        let readers = root.tables("test");
        if readers.is_empty() {
            let help = "write [[test]] and, below it, name, subject, resource and expect".to_owned();
            file.wrong(0..0, "there is no test in this file: it would pass whatever the policies say", Some(help));
        }
        for reader in readers {
            let line = position(text_of_file, reader.span.start).line;
            if let Some((name, mode, trial, expectation)) = file.test(reader) {
                if !names.insert(name.value.clone()) {
                    file.wrong(name.span, format!("two tests are named {:?}", name.value), None);
                }
                tests.push(PolicyTest { name: name.value, file: path.to_owned(), line, mode, trial, expectation });
            }
        }
        root.finish();
        tests
    }

    fn wrong(&self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.findings.report(span, message, help);
    }

    fn subject(&mut self, r: Reader<'a>) {
        let id: Written<SubjectId> = r.require("id", parsed);
        let groups = r.take("groups", list(parsed::<GroupId>));
        let (owner, acts_for) = (r.take("owner", parsed), r.take("acts_for", parsed));
        let proof = r.take("authentication", methods);
        r.finish();
        let Some(id) = id else { return };
        let known = Known {
            subject: Subject {
                owner: owner.map(|owner| owner.value),
                acts_for: acts_for.map(|human| human.value),
                groups: groups.map(|groups| groups.value).unwrap_or_default(),
                ..subject(id.value.clone())
            },
            proof: proof.map(|proof| proof.value),
        };
        if self.subjects.insert(id.value.clone(), known).is_some() {
            self.wrong(id.span, format!("the subject {} stands here twice", id.value), None);
        }
    }

    fn resource(&mut self, r: Reader<'a>) {
        let id: Written<ResourceId> = r.require("id", parsed);
        let kind = r.take("kind", one_of(&ResourceKind::ALL.map(|kind| (kind.name(), kind))));
        let written_tier = r.require("tier", tier);
        let segment: Written<SegmentId> = r.take("segment", parsed);
        let owner = r.take("owner", parsed);
        let host = r.take("host", text);
        let groups = |key| r.take(key, list(parsed::<GroupId>)).map(|groups| groups.value).unwrap_or_default();
        let entitled = Entitled {
            readers: groups("readers"),
            writers: groups("writers"),
            administrators: groups("administrators"),
        };
        let rules = r.tables("rules").into_iter().filter_map(rule).collect();
        r.finish();
        let (Some(id), Some(tier)) = (id, written_tier) else { return };
        let mut described = resource(id.value.clone(), tier.value);
        described.resource.kind = kind.map_or(ResourceKind::Http, |kind| kind.value);
        described.resource.segment = segment.map(|segment| segment.value);
        described.resource.owner = owner.map(|owner| owner.value);
        (described.resource.entitled, described.resource.rules) = (entitled, rules);
        if let Some(host) = host {
            described.host = host.value;
        }
        if self.resources.insert(id.value.clone(), described).is_some() {
            self.wrong(id.span, format!("the resource {} stands here twice", id.value), None);
        }
    }

    fn device(&mut self, r: Reader<'a>) {
        let id: Written<DeviceId> = r.require("id", parsed);
        let (managed, compliant) = (r.take("managed", boolean), r.take("compliant", boolean));
        let posture_age = r.take("posture_age", |item| match item.as_str() {
            Some("never") => Ok(None),
            _ => age(item).map(Some),
        });
        r.finish();
        let Some(id) = id else { return };
        let compliant = compliant.is_some_and(|compliant| compliant.value);
        let device = DeviceCircumstances {
            id: id.value.clone(),
            managed: managed.is_some_and(|managed| managed.value),
            compliant,
            findings: findings(compliant),
            posture_age: posture_age.map_or(Some(FRESH), |age| age.value).map(|age| age.as_secs()),
        };
        if self.devices.insert(id.value.to_string(), Some(device)).is_some() {
            self.wrong(id.span, format!("the device {} is there already", id.value), None);
        }
    }

    fn test(&self, r: Reader<'a>) -> Option<(Spanned<String>, Mode, Trial, Expectation)> {
        let name = r.require("name", text);
        let subject = self.asker(&r);
        let resource = self.asked_for(&r);
        let (action, http) = self.request(&r, resource.as_ref());
        let time = self.time(&r);
        let now = time.now;
        let proof = r.take("authentication", methods).map(|proof| proof.value);
        let proof_age = r.take("authentication_age", age);
        let proof = proof.or_else(|| subject.as_ref().and_then(|known| known.proof.clone())).unwrap_or_default();
        if let (true, Some(age)) = (proof.is_empty(), &proof_age) {
            self.wrong(age.span.clone(), "nobody signed in, so a sign-in has no age", None);
        }
        let proof_age = proof_age.map_or(FRESH, |age| age.value);
        let authentication = (!proof.is_empty()).then(|| Authentication {
            methods: proof,
            at: now.minus(proof_age),
            age: proof_age.as_secs(),
        });
        let device = r.take("device", text).and_then(|device| self.find_device(device));
        let zones = r.take("zones", list(parsed::<ZoneName>)).map(|zones| zones.value).unwrap_or_default();
        let address = r.take("address", parsed::<IpAddr>).map(|address| address.value);
        let local = zones.iter().any(|zone| zone.as_str() == LOOPBACK);
        let address = address.unwrap_or(if local { Ipv4Addr::LOCALHOST.into() } else { AFAR });
        let mut zones: BTreeSet<ZoneName> = zones.into_iter().collect();
        if address.is_loopback() {
            zones.extend(ZoneName::new(LOOPBACK));
        }
        let encrypted = r.take("encrypted", boolean).is_none_or(|encrypted| encrypted.value);
        let risk = r.take("risk", number(0, 100)).and_then(|risk| u8::try_from(risk.value).ok()).unwrap_or_default();
        let expires = now.plus(Duration::from_secs(3600));
        let grant = r.take("grant", class).map(|class| GrantCircumstances {
            id: GrantId::from_random(0),
            class: class.value,
            expires,
        });
        let exception = r.take("exception", list(parsed::<PolicyId>));
        let exception = exception.map(|relaxes| ExceptionCircumstances {
            ids: BTreeSet::new(),
            relaxes: relaxes.value.into_iter().collect(),
            expires,
        });
        let mode = r.take("mode", one_of(&Mode::ALL.map(|mode| (mode.name(), mode))));
        let expectation = self.expectation(&r);
        r.finish();
        let (known, described) = (subject?, resource?);
        let trial = Trial {
            groups: known.subject.groups.clone(),
            subject: known.subject,
            resource: described.resource,
            action,
            circumstances: Circumstances {
                authentication,
                device: device.flatten(),
                network: NetworkCircumstances { address, zones, encrypted },
                time,
                risk,
                grant,
                exception,
                http: Some(Arc::new(http)),
            },
        };
        Some((name?, mode.map_or(Mode::Enforce, |mode| mode.value), trial, expectation?))
    }

    /// A subject of the file, or one that the test describes by its groups.
    fn asker(&self, r: &Reader<'a>) -> Option<Known> {
        let id: Spanned<SubjectId> = r.require("subject", parsed)?;
        let groups = r.take("groups", list(parsed::<GroupId>));
        let known = self.subjects.get(&id.value);
        let mut asker = Known {
            subject: known.map_or_else(|| subject(id.value.clone()), |known| known.subject.clone()),
            proof: known.and_then(|known| known.proof.clone()),
        };
        let alone = id.value.kind() == SubjectKind::Anonymous || id.value.to_string() == "service:local-operator";
        match groups {
            Some(groups) => asker.subject.groups = groups.value,
            None if known.is_none() && !alone => {
                let names: Vec<String> = self.subjects.keys().map(ToString::to_string).collect();
                let text = id.value.to_string();
                let help = match nearest(&text, names.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => "describe it: [[subject]], or groups = […] in the test".to_owned(),
                };
                self.wrong(id.span, format!("there is no subject {text} in this file"), Some(help));
                return None;
            }
            None => {}
        }
        Some(asker)
    }

    /// A resource of the file, or one that the test describes by its tier.
    fn asked_for(&self, r: &Reader<'a>) -> Option<Described> {
        let id: Spanned<ResourceId> = r.require("resource", parsed)?;
        let tier = r.take("tier", tier);
        match (self.resources.get(&id.value), tier) {
            (Some(described), None) => Some(described.clone()),
            (Some(described), Some(tier)) => {
                let mut described = described.clone();
                described.resource.tier = tier.value;
                Some(described)
            }
            (None, Some(tier)) => Some(resource(id.value, tier.value)),
            (None, None) => {
                let text = id.value.to_string();
                let help = match nearest(&text, self.resources.keys().map(ResourceId::as_str)) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => "describe it: [[resource]], or tier = \"…\" in the test".to_owned(),
                };
                self.wrong(id.span, format!("there is no resource {text} in this file"), Some(help));
                None
            }
        }
    }

    /// `action = "read"`, or `request = "POST /path"`, which the resource's rules make an action.
    fn request(&self, r: &Reader<'a>, resource: Option<&Described>) -> (Action, HttpCircumstances) {
        let action = r.take("action", class);
        let upgrade = r.take("upgrade", boolean).is_some_and(|upgrade| upgrade.value);
        let request = r.take("request", |item| {
            let written = text(item)?;
            let wrong = || format!("{written:?} is no request: write a method and a path, such as \"POST /users\"");
            let (method, path) = written.split_once(' ').ok_or_else(wrong)?;
            let plain = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
            if !plain || !path.starts_with('/') || path.contains(['?', '#', ' ']) {
                return Err(wrong());
            }
            // As the gateway reads it: policies see no other.
            let path = countersign_gateway::normalize_path(path)
                .map_err(|fault| format!("the gateway refuses it: {fault}"))?;
            Ok((method.to_owned(), path.into_owned()))
        });
        let host = resource.map(|resource| resource.host.clone()).unwrap_or_default();
        match (action, request) {
            (Some(action), Some(_)) => {
                self.wrong(action.span, "a test has an action or a request: the request says which action it is", None);
                (Action::http(action.value), HttpCircumstances { method: String::new(), host, path: String::new() })
            }
            (None, Some(Spanned { value: (method, path), .. })) => {
                let read = Action::http(ActionClass::Read);
                let action = resource.map_or(read, |found| found.resource.http_action(&method, &path, upgrade));
                (action, HttpCircumstances { method, host, path })
            }
            (action, None) => {
                let class = action.map_or(ActionClass::Read, |action| action.value);
                let method = match class {
                    ActionClass::Read | ActionClass::Connect => "GET",
                    ActionClass::Write | ActionClass::Administer => "POST",
                };
                (Action::http(class), HttpCircumstances { method: method.to_owned(), host, path: "/".to_owned() })
            }
        }
    }

    fn time(&self, r: &Reader<'a>) -> TimeCircumstances {
        let read = |written: &str| -> Result<jiff::Zoned, String> {
            let instant = written.parse::<jiff::Timestamp>().map(|instant| instant.to_zoned(self.zone.clone()));
            let civil = || written.parse::<jiff::civil::DateTime>().and_then(|local| local.to_zoned(self.zone.clone()));
            instant
                .or_else(|_| civil())
                .map_err(|_| format!("{written:?} is no time: write such as {AT}, or with an offset"))
        };
        let at = r.take("at", |item| match item.as_datetime() {
            Some(datetime) => read(&datetime.to_string()),
            None => read(&text(item)?),
        });
        let at = at.map(|at| at.value).or_else(|| read(AT).ok());
        let number = |number: Option<i8>| number.and_then(|number| u8::try_from(number).ok()).unwrap_or_default();
        TimeCircumstances {
            now: Timestamp::from_millis(at.as_ref().map_or(0, |at| at.timestamp().as_millisecond())),
            hour: number(at.as_ref().map(jiff::Zoned::hour)),
            weekday: number(at.as_ref().map(|at| at.weekday().to_monday_one_offset())),
            zone: self.zone_name.as_str().into(),
        }
    }

    fn find_device(&self, name: Spanned<String>) -> Option<Option<DeviceCircumstances>> {
        let found = self.devices.get(&name.value).cloned();
        if found.is_none() {
            let help = match nearest(&name.value, self.devices.keys().map(String::as_str)) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "describe it with [[device]], or use none, unmanaged, failing or healthy".to_owned(),
            };
            self.wrong(name.span, format!("there is no device {:?} in this file", name.value), Some(help));
        }
        found
    }

    fn expectation(&self, r: &Reader<'a>) -> Option<Expectation> {
        let effect = r.require("expect", one_of(&Effect::ALL.map(|effect| (effect.name(), effect))));
        let by = r.take("by", list(parsed::<PolicyId>));
        let needs = r.take("needs", list(text));
        let remedy = r.take("remedy", text);
        for name in needs.iter().flat_map(|needs| &needs.value) {
            if !NEEDS.contains(&name.as_str()) && !name.starts_with("network:") {
                let span = needs.as_ref().map_or(0..0, |needs| needs.span.clone());
                let help = Some(format!("there are {}", NEEDS.join(", ")));
                self.wrong(span, format!("there is no need {name:?}"), help);
            }
        }
        let effect = effect?;
        if effect.value == Effect::Allow && (needs.is_some() || remedy.is_some()) {
            self.wrong(effect.span, "what is allowed has no remedy and needs nothing", None);
        }
        Some(Expectation {
            effect: effect.value,
            by: by.map(|by| by.value.into_iter().collect()),
            needs: needs.map(|needs| needs.value.into_iter().collect()),
            remedy: remedy.map(|remedy| remedy.value),
        })
    }
}

fn findings(compliant: bool) -> BTreeMap<PostureAspect, Finding> {
    if compliant { BTreeMap::new() } else { BTreeMap::from([(PostureAspect::Firewall, Finding::Failed)]) }
}

/// The devices that need no description.
fn built_in(name: &str) -> Option<DeviceCircumstances> {
    let (managed, compliant) = match name {
        "unmanaged" => (false, true),
        "failing" => (true, false),
        "healthy" => (true, true),
        _ => return None,
    };
    let id = DeviceId::new(name).ok()?;
    let findings = findings(compliant);
    Some(DeviceCircumstances { id, managed, compliant, findings, posture_age: Some(FRESH.as_secs()) })
}

fn subject(id: SubjectId) -> Subject {
    Subject {
        display_name: id.to_string(),
        id,
        email: None,
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: Vec::new(),
        source: Source::Configuration,
        created: Timestamp::default(),
        last_used: None,
    }
}

fn resource(id: ResourceId, tier: Tier) -> Described {
    Described {
        host: format!("{id}.localhost"),
        resource: Resource {
            display_name: id.to_string(),
            id,
            kind: ResourceKind::Http,
            tier,
            segment: None,
            owner: None,
            source: Source::Configuration,
            routes: Vec::new(),
            upstream: Upstream::Internal { part: String::new() },
            rules: Vec::new(),
            entitled: Entitled::default(),
            observe_until: None,
        },
    }
}
