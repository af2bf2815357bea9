//! `countersign.toml`, version 1. The file as written is read with all its mistakes at once; only a file without one
//! becomes a [`Configuration`], in which every default is filled in and every path is resolved. It holds no secret: a
//! provider's secret is named by its file or its environment variable, and read where it is used.
//!
//! Not here: what any of it does. The wiring turns it into the settings of the parts.

mod live;
mod mistake;
mod policy_test;
mod reader;
#[cfg(test)]
mod tests;
mod written;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_administrator::{Network, PolicyApproval, Provision};
use countersign_gateway::AddressRange;
use countersign_identity::oidc::MethodMapping;
use countersign_model::{
    Entitled, Group, GroupId, PostureRequirements, Resource, ResourceKind, Route, Segment, Source, Subject, SubjectId,
    SubjectKind, SubjectState, Tier, Timestamp, Upstream, ZoneName,
};

use crate::proofs::Demand;

pub(crate) use live::{at_start, over};
pub(crate) use mistake::nearest;
pub use mistake::{Mistake, Mistakes};
pub(crate) use policy_test::{PolicyTest, parse as parse_policy_tests, written as written_policy_test};
pub(crate) use reader::parse_duration;

use reader::{Findings, Reader, Spanned};

/// What `init` writes.
pub const STARTER: &str = include_str!("starter.toml");

/// Beside the file, where it says nothing else.
const DATA_DIRECTORY: &str = "countersign-data";

/// Everything the product needs to know, as meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// What it was read from.
    pub file: Option<PathBuf>,
    pub organisation: String,
    pub node: String,
    pub domain: String,
    pub control_host: String,
    pub time_zone: String,
    pub data_directory: PathBuf,
    /// Where the policies are; `None` is `policies` in the data directory.
    pub policies: Option<PathBuf>,
    /// What becomes of guardrails when a policy set goes live.
    pub proofs: Demand,
    pub listen: Listen,
    pub bridge: Option<Bridge>,
    pub tls: Option<TlsFiles>,
    pub zones: BTreeMap<ZoneName, Vec<Network>>,
    pub posture: PostureRequirements,
    pub session_lifetime: Duration,
    pub session_idle: Duration,
    pub disclose_remedy: bool,
    /// Of how many live decisions one is checked against Cedar's own authorizer; 0 for none.
    pub shadow_one_in: u32,
    pub policy_approval: PolicyApproval,
    pub longest_exception: Duration,
    pub limits: Limits,
    pub otlp: Option<String>,
    pub providers: Vec<Provider>,
    pub inventory: Inventory,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    pub http: Option<SocketAddr>,
    pub https: Option<SocketAddr>,
    pub operations: Option<SocketAddr>,
    /// The control host as browsers reach it, where something in front changes scheme or port.
    pub public_url: Option<String>,
    pub trusted_proxies: Vec<AddressRange>,
}

/// Where other proxies ask for decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bridge {
    pub listen: SocketAddr,
    /// Whether whoever is on this machine may ask.
    pub open: bool,
    /// Always, beyond loopback.
    pub encrypted: bool,
}

/// The operator's own certificate, in place of the internal authority's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub requests_in_flight: usize,
    pub header_bytes: usize,
    pub target_bytes: usize,
    pub body_bytes: u64,
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    pub connect_timeout: Duration,
    pub response_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_in_flight: 20_000,
            header_bytes: 64 << 10,
            target_bytes: 8 << 10,
            body_bytes: 1 << 30,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(60),
        }
    }
}

/// An external OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    pub id: String,
    pub name: String,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<SecretPlace>,
    pub scopes: Vec<String>,
    /// Which `amr` and `acr` values mean phishing-resistant, or several factors.
    pub methods: MethodMapping,
    pub provision: Provision,
    pub ca: Option<PathBuf>,
}

/// Where a secret is kept. The secret itself is never in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    File(PathBuf),
    Environment(String),
}

/// What the file says there is, beside what people put in through the console or the API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    pub segments: Vec<Segment>,
    pub groups: Vec<Group>,
    pub subjects: Vec<Subject>,
    pub resources: Vec<Resource>,
}

/// What is allowed and probably not meant.
pub type Warning = Mistake;

impl Configuration {
    /// Reads a file. Relative paths in it are relative to its directory.
    pub fn read(path: &Path) -> anyhow::Result<(Self, Vec<Warning>)> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let path = path.display();
            anyhow::anyhow!("cannot read the configuration {path}: {error}. `countersign init` writes one")
        })?;
        Ok(Self::parse(path, &text)?)
    }

    /// Reads the text of the file at `path`, and reports every mistake in it.
    pub fn parse(path: &Path, text: &str) -> Result<(Self, Vec<Warning>), Mistakes> {
        let fail = |list| Mistakes { path: path.to_owned(), text: text.to_owned(), list };
        let document = toml_edit::Document::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            fail(vec![Mistake { span, message: format!("this is not TOML: {}", error.message()), help: None }])
        })?;
        let findings = Findings::default();
        let written = written::File::read(Reader::root(document.as_table(), &findings));
        let base = path.parent().unwrap_or(Path::new(""));
        let mut meaning = Meaning { base, findings: &findings, warnings: Vec::new() };
        let configuration = Configuration { file: Some(path.to_owned()), ..meaning.of(written) };
        let warnings = meaning.warnings;
        let mut mistakes = findings.mistakes.into_inner();
        if mistakes.is_empty() {
            return Ok((configuration, warnings));
        }
        mistakes.sort_by_key(|mistake| mistake.span.start);
        Err(fail(mistakes))
    }

    /// What counts where there is no file: everything on loopback, nothing protected yet.
    pub fn for_directory(data_directory: &Path) -> Self {
        let findings = Findings::default();
        let written = written::File::read(Reader::survey(&findings));
        let mut meaning = Meaning { base: Path::new(""), findings: &findings, warnings: Vec::new() };
        let mut configuration = meaning.of(written);
        configuration.inventory = Inventory::default();
        configuration.providers = Vec::new();
        data_directory.clone_into(&mut configuration.data_directory);
        configuration
    }

    /// Every key there is, by its full path, for the test of the reference.
    pub fn keys() -> BTreeSet<String> {
        let findings = Findings::default();
        written::File::read(Reader::survey(&findings));
        findings.keys.into_inner()
    }

    pub fn policies_directory(&self) -> PathBuf {
        self.policies.clone().unwrap_or_else(|| self.data_directory.join("policies"))
    }
}

/// From written to meant: defaults, and what values mean together.
struct Meaning<'a> {
    base: &'a Path,
    findings: &'a Findings,
    warnings: Vec<Warning>,
}

fn or<T>(written: Option<Spanned<T>>, default: T) -> T {
    written.map_or(default, |written| written.value)
}

impl Meaning<'_> {
    fn path(&self, written: &str) -> PathBuf {
        self.base.join(written)
    }

    fn wrong(&self, span: &Range<usize>, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.findings.report(span.clone(), message, help.into());
    }

    fn warn(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.warnings.push(Warning { span: span.clone(), message: message.into(), help: None });
    }

    fn of(&mut self, file: written::File) -> Configuration {
        let domain = or(file.domain, "localhost".to_owned());
        let control_host = or(file.control_host, format!("countersign.{domain}"));
        if let Some(zone) = &file.time_zone
            && jiff::tz::TimeZone::get(&zone.value).is_err()
        {
            self.wrong(
                &zone.span,
                format!("{:?} is no time zone", zone.value),
                "write such as Europe/Berlin".to_owned(),
            );
        }
        let mut posture = PostureRequirements::default();
        posture.max_age = or(file.posture.max_age, posture.max_age);
        for (aspect, requirement) in file.posture.required {
            match requirement {
                Some(requirement) => posture.required.insert(aspect, requirement),
                None => posture.required.remove(&aspect),
            };
        }
        let session_lifetime = or(file.sessions.lifetime, Duration::from_secs(12 * 3600));
        let session_idle = file.sessions.idle.as_ref().map_or(Duration::from_secs(3600), |idle| idle.value);
        if let Some(idle) = &file.sessions.idle
            && idle.value > session_lifetime
        {
            self.wrong(&idle.span, "a session cannot idle longer than it lives", None);
        }
        let limits = limits(&file.limits);
        let zones = self.zones(file.zones);
        let listen = self.listen(file.listen);
        let bridge = self.bridge(&file.bridge);
        let tls = self.tls(file.tls);
        let segments = self.segments(file.segments);
        let groups = self.groups(file.groups);
        let subjects = self.subjects(file.subjects, &groups);
        let resources = self.resources(
            file.resources,
            &Known {
                domain: &domain,
                control_host: &control_host,
                segments: &segments,
                subjects: &subjects,
                groups: &groups,
            },
        );
        let providers = self.providers(file.providers, &groups);
        Configuration {
            file: None,
            organisation: or(file.organisation, "Countersign".to_owned()),
            node: or(file.node, "local".to_owned()),
            time_zone: or(file.time_zone, "UTC".to_owned()),
            data_directory: self.path(&or(file.data_directory, DATA_DIRECTORY.to_owned())),
            policies: file.policies.map(|path| self.path(&path.value)),
            proofs: or(file.proofs, Demand::default()),
            disclose_remedy: or(file.decisions.disclose_remedy, true),
            shadow_one_in: u32::try_from(or(file.decisions.shadow_one_in, 1000)).unwrap_or(u32::MAX),
            policy_approval: or(file.decisions.policy_approval, PolicyApproval::None),
            longest_exception: Duration::from_secs(or(file.decisions.longest_exception_days, 90) * 24 * 3600),
            otlp: file.telemetry.otlp.map(|url| url.value),
            inventory: Inventory { segments, groups, subjects, resources },
            domain,
            control_host,
            listen,
            bridge,
            tls,
            zones,
            posture,
            session_lifetime,
            session_idle,
            limits,
            providers,
        }
    }

    fn zones(&mut self, written: Vec<(Spanned<String>, Spanned<Vec<Network>>)>) -> BTreeMap<ZoneName, Vec<Network>> {
        let mut zones = BTreeMap::new();
        for (name, networks) in written {
            if name.value == "loopback" {
                self.wrong(&name.span, "the zone `loopback` is built in and cannot be changed", None);
            }
            match ZoneName::new(name.value) {
                Ok(zone) => {
                    zones.insert(zone, networks.value);
                }
                Err(error) => self.wrong(&name.span, error.to_string(), None),
            }
        }
        zones
    }

    fn listen(&mut self, written: written::Listen) -> Listen {
        let at = |port| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        for (what, written) in [("http", &written.http), ("operations", &written.operations)] {
            if let Some(Spanned { value: Some(address), span }) = written
                && !address.ip().is_loopback()
            {
                let help =
                    "beyond loopback TLS is required: use listen.https, or keep this one at 127.0.0.1".to_owned();
                self.wrong(span, format!("listen.{what} is not encrypted and would be reachable from outside"), help);
            }
        }
        let listen = Listen {
            http: written.http.as_ref().map_or(at(8080), |http| http.value),
            https: written.https.as_ref().map_or(at(8443), |https| https.value),
            operations: or(written.operations, at(9090)),
            public_url: written.public_url.as_ref().map(|url| url.value.trim_end_matches('/').to_owned()),
            trusted_proxies: or(written.trusted_proxies, Vec::new()),
        };
        if let (None, None, Some(off)) = (listen.http, listen.https, written.https.or(written.http)) {
            self.wrong(&off.span, "http and https are both off: nothing could be reached", None);
        }
        if let Some(url) = written.public_url {
            let uri = url.value.parse::<hyper::Uri>().ok();
            let origin = uri.filter(|u| u.host().is_some() && matches!(u.path(), "" | "/") && u.query().is_none());
            if origin.is_none_or(|u| !matches!(u.scheme_str(), Some("http" | "https"))) {
                self.wrong(&url.span, "public_url is an origin, such as https://countersign.example.org", None);
            }
        }
        listen
    }

    fn bridge(&mut self, written: &written::Bridge) -> Option<Bridge> {
        let open = written.open.as_ref().filter(|open| open.value);
        let Some(listen) = written.listen.as_ref().and_then(|listen| listen.value) else {
            let encrypted = written.tls.as_ref().filter(|tls| tls.value);
            for (name, said) in [("open", open), ("tls", encrypted)] {
                if let Some(said) = said {
                    self.wrong(&said.span, format!("`{name}` says something about `listen`, which is off"), None);
                }
            }
            return None;
        };
        let beyond = !listen.ip().is_loopback();
        if let Some(open) = open.filter(|_| beyond) {
            let help = "listen on loopback, or give each proxy an API key".to_owned();
            self.wrong(&open.span, "beyond loopback every proxy has to prove who it is", help);
            return None;
        }
        if let Some(plain) = written.tls.as_ref().filter(|tls| beyond && !tls.value) {
            let help = "take `tls` away, or listen on loopback".to_owned();
            self.wrong(&plain.span, "beyond loopback proxies ask over TLS", help);
            return None;
        }
        let encrypted = beyond || written.tls.as_ref().is_some_and(|tls| tls.value);
        Some(Bridge { listen, open: open.is_some(), encrypted })
    }

    fn tls(&mut self, written: written::Tls) -> Option<TlsFiles> {
        match (written.certificate, written.key) {
            (Some(certificate), Some(key)) => {
                Some(TlsFiles { certificate: self.path(&certificate.value), key: self.path(&key.value) })
            }
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => {
                self.wrong(&one.span, "[tls] needs both `certificate` and `key`, or neither for the internal CA", None);
                None
            }
        }
    }

    fn segments(&mut self, written: Vec<written::Segment>) -> Vec<Segment> {
        let mut seen = HashSet::new();
        let mut segments = Vec::new();
        for segment in written {
            let Some(id) = segment.id else { continue };
            if !seen.insert(id.value.clone()) {
                self.wrong(&id.span, format!("the segment {} stands here twice", id.value), None);
            }
            let display_name = or(segment.name, id.value.to_string());
            segments.push(Segment { id: id.value, display_name, source: Source::Configuration });
        }
        segments
    }

    fn groups(&mut self, written: Vec<written::Group>) -> Vec<Group> {
        let mut seen = HashSet::new();
        let mut groups = Vec::new();
        let mut parents = Vec::new();
        for group in written {
            let Some(id) = group.id else { continue };
            if !seen.insert(id.value.clone()) {
                self.wrong(&id.span, format!("the group {} stands here twice", id.value), None);
            }
            let member_of = group.member_of.map(|m| {
                parents.push((id.value.clone(), m.span, m.value.clone()));
                m.value
            });
            groups.push(Group {
                display_name: or(group.name, id.value.to_string()),
                id: id.value,
                member_of: member_of.unwrap_or_default(),
                source: Source::Configuration,
            });
        }
        for (id, span, direct) in parents {
            for parent in &direct {
                self.known_group(parent, &span, &groups);
            }
            if reaches(&groups, &direct, &id) {
                self.wrong(&span, format!("the group {id} would be a member of itself"), None);
            }
        }
        groups
    }

    fn known_group(&mut self, group: &GroupId, span: &Range<usize>, groups: &[Group]) {
        let builtin = ["owners", "auditors", "enforcement-points", "everyone"];
        if !builtin.contains(&group.as_str()) && !groups.iter().any(|g| g.id == *group) {
            let names = groups.iter().map(|g| g.id.as_str()).chain(builtin);
            let help = mistake::nearest(group.as_str(), names).map(|near| format!("did you mean {near:?}?"));
            let help = help.unwrap_or_else(|| format!("describe it: [[group]] id = {:?}", group.as_str()));
            self.wrong(span, format!("there is no group {group}"), help);
        }
    }

    fn subjects(&mut self, written: Vec<written::Subject>, groups: &[Group]) -> Vec<Subject> {
        let mut seen = HashSet::new();
        let mut subjects = Vec::new();
        let people = |subject: &written::Subject| [subject.owner.clone(), subject.acts_for.clone()];
        let people: Vec<Spanned<SubjectId>> = written.iter().flat_map(people).flatten().collect();
        for subject in written {
            let Some(id) = subject.id else { continue };
            if !seen.insert(id.value.clone()) {
                self.wrong(&id.span, format!("the subject {} stands here twice", id.value), None);
            }
            match id.value.kind() {
                SubjectKind::Anonymous => self.wrong(&id.span, "nobody can be made `anonymous`", None),
                SubjectKind::Service | SubjectKind::Agent if subject.owner.is_none() => {
                    let help = "owner = \"human:…\", who answers for it".to_owned();
                    self.wrong(&subject.span, format!("{} needs an owner", id.value), help);
                }
                SubjectKind::Human | SubjectKind::Service | SubjectKind::Agent => {}
            }
            if let Some(list) = &subject.groups {
                for group in &list.value {
                    self.known_group(group, &list.span, groups);
                }
            }
            let disabled = or(subject.disabled, false);
            subjects.push(Subject {
                display_name: or(subject.name, id.value.name().to_owned()),
                email: subject.email.map(|email| email.value),
                owner: subject.owner.map(|owner| owner.value),
                acts_for: subject.acts_for.map(|acts_for| acts_for.value),
                state: if disabled { SubjectState::Disabled } else { SubjectState::Active },
                groups: subject.groups.map(|groups| groups.value).unwrap_or_default(),
                source: Source::Configuration,
                created: Timestamp::default(),
                last_used: None,
                id: id.value,
            });
        }
        for person in people.iter().filter(|person| !subjects.iter().any(|subject| subject.id == person.value)) {
            self.elsewhere(person);
        }
        subjects
    }

    /// Whoever answers for something has to be there when it is put into force, and that only the server knows.
    fn elsewhere(&mut self, person: &Spanned<SubjectId>) {
        let words =
            "is not among the subjects of this file: without somebody of that name already there, it is refused";
        self.warn(&person.span, format!("{} {words}", person.value));
    }

    fn resources(&mut self, written: Vec<written::Resource>, known: &Known<'_>) -> Vec<Resource> {
        let mut seen = HashSet::new();
        let mut taken: HashSet<(String, String)> = HashSet::new();
        let mut resources = Vec::new();
        for resource in written {
            let (Some(id), Some(upstream)) = (resource.id, resource.upstream) else { continue };
            if !seen.insert(id.value.clone()) {
                self.wrong(&id.span, format!("the resource {} stands here twice", id.value), None);
            }
            if id.value.as_str().starts_with("countersign") {
                self.wrong(&id.span, "names that begin with `countersign` are for its own parts", None);
            }
            let hosts = resource.hosts.unwrap_or_else(|| {
                let host = format!("{}.{}", id.value, known.domain);
                Spanned { value: vec![host], span: id.span.clone() }
            });
            let paths = or(resource.paths, vec!["/".to_owned()]);
            let mut routes = Vec::new();
            for host in &hosts.value {
                if host == known.control_host {
                    self.wrong(&hosts.span, format!("{host} is the host of Countersign itself"), None);
                }
                for path in &paths {
                    let route = Route { host: host.clone(), path_prefix: path.clone() };
                    if !taken.insert((host.clone(), path.to_ascii_lowercase())) {
                        self.wrong(&hosts.span, format!("{host}{path} already belongs to another resource"), None);
                    }
                    routes.push(route);
                }
            }
            if let Some(segment) = &resource.segment
                && !known.segments.iter().any(|s| s.id == segment.value)
            {
                let help = format!("describe it: [[segment]] id = {:?}", segment.value.as_str());
                self.wrong(&segment.span, format!("there is no segment {}", segment.value), help);
            }
            if let Some(owner) = &resource.owner
                && !known.subjects.iter().any(|s| s.id == owner.value)
            {
                self.elsewhere(owner);
            }
            for list in [&resource.readers, &resource.writers, &resource.administrators].into_iter().flatten() {
                for group in &list.value {
                    self.known_group(group, &list.span, known.groups);
                }
            }
            let tier = or(resource.tier, Tier::Standard);
            let groups = |list: Option<Spanned<Vec<GroupId>>>| list.map(|list| list.value).unwrap_or_default();
            let entitled = Entitled {
                readers: groups(resource.readers),
                writers: groups(resource.writers),
                administrators: groups(resource.administrators),
            };
            if entitled == Entitled::default() && tier != Tier::Public {
                let advice = "say who may use it, such as writers = [\"everyone\"]";
                self.warn(&resource.span, format!("nobody is entitled to {}: {advice}", id.value));
            }
            resources.push(Resource {
                display_name: or(resource.name, id.value.to_string()),
                kind: ResourceKind::Http,
                tier,
                segment: resource.segment.map(|segment| segment.value),
                owner: resource.owner.map(|owner| owner.value),
                source: Source::Configuration,
                routes,
                upstream: Upstream::Origin {
                    url: upstream.value,
                    ca: resource.ca.map(|ca| self.path(&ca.value).display().to_string()),
                    preserve_host: or(resource.preserve_host, false),
                },
                rules: resource.rules,
                entitled,
                observe_until: resource.observe_until.map(|until| until.value),
                id: id.value,
            });
        }
        resources
    }

    fn providers(&mut self, written: Vec<written::Provider>, groups: &[Group]) -> Vec<Provider> {
        let mut seen = HashSet::new();
        let mut providers = Vec::new();
        for provider in written {
            if let Some(list) = &provider.groups {
                for group in &list.value {
                    self.known_group(group, &list.span, groups);
                }
            }
            let client_secret = match (provider.client_secret_file, provider.client_secret_env) {
                (Some(_), Some(env)) => {
                    self.wrong(&env.span, "give client_secret_file or client_secret_env, not both", None);
                    None
                }
                (Some(file), None) => Some(SecretPlace::File(self.path(&file.value))),
                (None, Some(env)) => Some(SecretPlace::Environment(env.value)),
                (None, None) => None,
            };
            let (Some(id), Some(issuer), Some(client_id)) = (provider.id, provider.issuer, provider.client_id) else {
                continue;
            };
            if !seen.insert(id.value.clone()) {
                self.wrong(&provider.span, format!("the provider {} stands here twice", id.value), None);
            }
            let host = issuer.value.parse::<hyper::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
            let local =
                host.is_some_and(|h| h == "localhost" || h.ends_with(".localhost") || h == "127.0.0.1" || h == "[::1]");
            if issuer.value.starts_with("http://") && !local {
                self.wrong(&issuer.span, "an issuer beyond loopback has to be https", None);
            }
            providers.push(Provider {
                name: or(provider.name, id.value.clone()),
                id: id.value,
                issuer: issuer.value,
                client_id: client_id.value,
                client_secret,
                scopes: or(provider.scopes, ["openid", "profile", "email"].map(str::to_owned).to_vec()),
                methods: MethodMapping {
                    phishing_resistant_amr: or(provider.phishing_resistant_amr, Vec::new()).into_iter().collect(),
                    phishing_resistant_acr: or(provider.phishing_resistant_acr, Vec::new()).into_iter().collect(),
                    multi_factor_amr: or(provider.multi_factor_amr, Vec::new()).into_iter().collect(),
                    multi_factor_acr: or(provider.multi_factor_acr, Vec::new()).into_iter().collect(),
                },
                provision: match provider.email_domains {
                    None => Provision::LinkedOnly,
                    Some(domains) => {
                        Provision::VerifiedEmail { domains: domains.value, groups: or(provider.groups, Vec::new()) }
                    }
                },
                ca: provider.ca.map(|ca| self.path(&ca.value)),
            });
        }
        providers
    }
}

/// What a resource may refer to.
struct Known<'a> {
    domain: &'a str,
    control_host: &'a str,
    segments: &'a [Segment],
    subjects: &'a [Subject],
    groups: &'a [Group],
}

/// Whether going up from `from` leads to `target`.
fn reaches(groups: &[Group], from: &[GroupId], target: &GroupId) -> bool {
    let mut seen = HashSet::new();
    let mut open: Vec<&GroupId> = from.iter().collect();
    while let Some(id) = open.pop() {
        if id == target {
            return true;
        }
        if seen.insert(id) {
            open.extend(groups.iter().filter(|g| g.id == *id).flat_map(|g| &g.member_of));
        }
    }
    false
}

fn limits(written: &written::Limits) -> Limits {
    let default = Limits::default();
    let span = |written: &Option<Spanned<Duration>>, default| written.as_ref().map_or(default, |w| w.value);
    let count = |written: &Option<Spanned<u64>>, default: usize| {
        written.as_ref().map_or(default, |w| usize::try_from(w.value).unwrap_or(usize::MAX))
    };
    Limits {
        requests_in_flight: count(&written.requests_in_flight, default.requests_in_flight),
        header_bytes: count(&written.header_bytes, default.header_bytes),
        target_bytes: count(&written.target_bytes, default.target_bytes),
        body_bytes: written.body_bytes.as_ref().map_or(default.body_bytes, |w| w.value),
        header_timeout: span(&written.header_timeout, default.header_timeout),
        idle_timeout: span(&written.idle_timeout, default.idle_timeout),
        connect_timeout: span(&written.connect_timeout, default.connect_timeout),
        response_timeout: span(&written.response_timeout, default.response_timeout),
    }
}
