//! The configuration as written: which keys there are and what a value may look like, each with where it stands.
//! Defaults, and what the values mean together, are the business of the configuration as meant.

use std::net::SocketAddr;
use std::time::Duration;

use countersign_administrator::{Network, PolicyApproval};
use countersign_gateway::AddressRange;
use countersign_model::{
    ActionClass, ActionRule, GroupId, PathPattern, PostureAspect, PostureRequirement, ResourceId, SegmentId, SubjectId,
    Tier, Timestamp,
};

use super::reader::{
    Reader, Spanned, address, boolean, bytes, duration, instant, list, number, one_of, parsed, target_bytes, text,
};
use crate::proofs::Demand;

type Written<T> = Option<Spanned<T>>;

#[derive(Debug)]
pub(super) struct File {
    pub(super) organisation: Written<String>,
    pub(super) node: Written<String>,
    pub(super) domain: Written<String>,
    pub(super) control_host: Written<String>,
    pub(super) time_zone: Written<String>,
    pub(super) data_directory: Written<String>,
    pub(super) policies: Written<String>,
    pub(super) proofs: Written<Demand>,
    pub(super) listen: Listen,
    pub(super) bridge: Bridge,
    pub(super) tls: Tls,
    pub(super) zones: Vec<(Spanned<String>, Spanned<Vec<Network>>)>,
    pub(super) posture: Posture,
    pub(super) sessions: Sessions,
    pub(super) decisions: Decisions,
    pub(super) limits: Limits,
    pub(super) telemetry: Telemetry,
    pub(super) providers: Vec<Provider>,
    pub(super) segments: Vec<Segment>,
    pub(super) groups: Vec<Group>,
    pub(super) subjects: Vec<Subject>,
    pub(super) resources: Vec<Resource>,
}

#[derive(Debug)]
pub(super) struct Listen {
    pub(super) http: Written<Option<SocketAddr>>,
    pub(super) https: Written<Option<SocketAddr>>,
    pub(super) operations: Written<Option<SocketAddr>>,
    pub(super) public_url: Written<String>,
    pub(super) trusted_proxies: Written<Vec<AddressRange>>,
}

#[derive(Debug)]
pub(super) struct Bridge {
    pub(super) listen: Written<Option<SocketAddr>>,
    pub(super) open: Written<bool>,
    pub(super) tls: Written<bool>,
}

#[derive(Debug)]
pub(super) struct Tls {
    pub(super) certificate: Written<String>,
    pub(super) key: Written<String>,
}

#[derive(Debug)]
pub(super) struct Posture {
    pub(super) max_age: Written<Duration>,
    /// `Some(None)` takes a default requirement away.
    pub(super) required: Vec<(PostureAspect, Option<PostureRequirement>)>,
}

#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) lifetime: Written<Duration>,
    pub(super) idle: Written<Duration>,
}

#[derive(Debug)]
pub(super) struct Decisions {
    pub(super) disclose_remedy: Written<bool>,
    pub(super) shadow_one_in: Written<u64>,
    pub(super) policy_approval: Written<PolicyApproval>,
    pub(super) longest_exception_days: Written<u64>,
}

#[derive(Debug)]
pub(super) struct Limits {
    pub(super) requests_in_flight: Written<u64>,
    pub(super) header_bytes: Written<u64>,
    pub(super) target_bytes: Written<u64>,
    pub(super) body_bytes: Written<u64>,
    pub(super) header_timeout: Written<Duration>,
    pub(super) idle_timeout: Written<Duration>,
    pub(super) connect_timeout: Written<Duration>,
    pub(super) response_timeout: Written<Duration>,
}

#[derive(Debug)]
pub(super) struct Telemetry {
    pub(super) otlp: Written<String>,
}

#[derive(Debug)]
pub(super) struct Provider {
    pub(super) span: std::ops::Range<usize>,
    pub(super) id: Written<String>,
    pub(super) name: Written<String>,
    pub(super) issuer: Written<String>,
    pub(super) client_id: Written<String>,
    pub(super) client_secret_file: Written<String>,
    pub(super) client_secret_env: Written<String>,
    pub(super) scopes: Written<Vec<String>>,
    pub(super) phishing_resistant_amr: Written<Vec<String>>,
    pub(super) phishing_resistant_acr: Written<Vec<String>>,
    pub(super) multi_factor_amr: Written<Vec<String>>,
    pub(super) multi_factor_acr: Written<Vec<String>>,
    pub(super) email_domains: Written<Vec<String>>,
    pub(super) groups: Written<Vec<GroupId>>,
    pub(super) ca: Written<String>,
}

#[derive(Debug)]
pub(super) struct Segment {
    pub(super) id: Written<SegmentId>,
    pub(super) name: Written<String>,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: Written<GroupId>,
    pub(super) name: Written<String>,
    pub(super) member_of: Written<Vec<GroupId>>,
}

#[derive(Debug)]
pub(super) struct Subject {
    pub(super) span: std::ops::Range<usize>,
    pub(super) id: Written<SubjectId>,
    pub(super) name: Written<String>,
    pub(super) email: Written<String>,
    pub(super) owner: Written<SubjectId>,
    pub(super) acts_for: Written<SubjectId>,
    pub(super) groups: Written<Vec<GroupId>>,
    pub(super) disabled: Written<bool>,
}

#[derive(Debug)]
pub(super) struct Resource {
    pub(super) span: std::ops::Range<usize>,
    pub(super) id: Written<ResourceId>,
    pub(super) name: Written<String>,
    pub(super) tier: Written<Tier>,
    pub(super) hosts: Written<Vec<String>>,
    pub(super) paths: Written<Vec<String>>,
    pub(super) upstream: Written<String>,
    pub(super) ca: Written<String>,
    pub(super) preserve_host: Written<bool>,
    pub(super) segment: Written<SegmentId>,
    pub(super) owner: Written<SubjectId>,
    pub(super) rules: Vec<ActionRule>,
    pub(super) readers: Written<Vec<GroupId>>,
    pub(super) writers: Written<Vec<GroupId>>,
    pub(super) administrators: Written<Vec<GroupId>>,
    pub(super) observe_until: Written<Timestamp>,
}

impl File {
    pub(super) fn read(root: Reader<'_>) -> Self {
        root.require("version", number(1, 1));
        let file = Self {
            organisation: root.take("organisation", text),
            node: root.take("node", text),
            domain: root.take("domain", host_name),
            control_host: root.take("control_host", host_name),
            time_zone: root.take("time_zone", text),
            data_directory: root.take("data_directory", text),
            policies: root.take("policies", text),
            proofs: root.take("proofs", one_of(&Demand::ALL.map(|demand| (demand.name(), demand)))),
            listen: Listen::read(root.section("listen")),
            bridge: Bridge::read(root.section("bridge")),
            tls: Tls::read(root.section("tls")),
            zones: root.section("zones").named("NAME", list(parsed::<Network>)),
            posture: Posture::read(root.section("posture")),
            sessions: Sessions::read(root.section("sessions")),
            decisions: Decisions::read(root.section("decisions")),
            limits: Limits::read(root.section("limits")),
            telemetry: Telemetry::read(root.section("telemetry")),
            providers: root.tables("provider").into_iter().map(Provider::read).collect(),
            segments: root.tables("segment").into_iter().map(Segment::read).collect(),
            groups: root.tables("group").into_iter().map(Group::read).collect(),
            subjects: root.tables("subject").into_iter().map(Subject::read).collect(),
            resources: root.tables("resource").into_iter().map(Resource::read).collect(),
        };
        root.finish();
        file
    }
}

impl Listen {
    fn read(r: Reader<'_>) -> Self {
        let listen = Self {
            http: r.take("http", address),
            https: r.take("https", address),
            operations: r.take("operations", address),
            public_url: r.take("public_url", text),
            trusted_proxies: r.take("trusted_proxies", list(parsed)),
        };
        r.finish();
        listen
    }
}

impl Bridge {
    fn read(r: Reader<'_>) -> Self {
        let bridge =
            Self { listen: r.take("listen", address), open: r.take("open", boolean), tls: r.take("tls", boolean) };
        r.finish();
        bridge
    }
}

impl Tls {
    fn read(r: Reader<'_>) -> Self {
        let tls = Self { certificate: r.take("certificate", text), key: r.take("key", text) };
        r.finish();
        tls
    }
}

impl Posture {
    fn read(r: Reader<'_>) -> Self {
        use PostureAspect as A;
        let max_age = r.take("max_age", duration);
        let mut required = Vec::new();
        for (key, aspect) in [
            ("disk_encryption", A::DiskEncryption),
            ("firewall", A::Firewall),
            ("endpoint_protection", A::EndpointProtection),
            ("management_enrolment", A::ManagementEnrolment),
            ("screen_lock", A::ScreenLock),
            ("integrity", A::Integrity),
        ] {
            if let Some(on) = r.take(key, boolean) {
                required.push((aspect, on.value.then_some(PostureRequirement::On)));
            }
        }
        let unless_false = |read: &dyn Fn(&toml_edit::Item) -> Result<PostureRequirement, String>,
                            item: &toml_edit::Item| {
            if item.as_bool() == Some(false) { Ok(None) } else { read(item).map(Some) }
        };
        let days = |item: &toml_edit::Item| {
            number(0, 3650)(item).map(|n| PostureRequirement::AtMostDays(u32::try_from(n).unwrap_or(u32::MAX)))
        };
        let version = |item: &toml_edit::Item| {
            let version = text(item)?;
            let dotted = version.split('.').all(|part| part.parse::<u64>().is_ok());
            if dotted {
                Ok(PostureRequirement::AtLeastVersion(version))
            } else {
                Err("a dotted version is needed here, such as \"14.2\"".to_owned())
            }
        };
        if let Some(value) = r.take("patch_age_days", |item| unless_false(&days, item)) {
            required.push((A::PatchAge, value.value));
        }
        if let Some(value) = r.take("os_version", |item| unless_false(&version, item)) {
            required.push((A::OsVersion, value.value));
        }
        r.finish();
        Self { max_age, required }
    }
}

impl Sessions {
    fn read(r: Reader<'_>) -> Self {
        let sessions = Self { lifetime: r.take("lifetime", duration), idle: r.take("idle", duration) };
        r.finish();
        sessions
    }
}

impl Decisions {
    fn read(r: Reader<'_>) -> Self {
        let decisions = Self {
            disclose_remedy: r.take("disclose", one_of(&[("remedy", true), ("nothing", false)])),
            shadow_one_in: r.take("shadow_one_in", number(0, 1_000_000_000)),
            policy_approval: r.take(
                "policy_approval",
                one_of(&[("none", PolicyApproval::None), ("second-person", PolicyApproval::SecondPerson)]),
            ),
            longest_exception_days: r.take("longest_exception_days", number(1, 366)),
        };
        r.finish();
        decisions
    }
}

impl Limits {
    fn read(r: Reader<'_>) -> Self {
        let limits = Self {
            requests_in_flight: r.take("requests_in_flight", number(1, 10_000_000)),
            header_bytes: r.take("header_bytes", bytes),
            target_bytes: r.take("target_bytes", target_bytes),
            body_bytes: r.take("body_bytes", bytes),
            header_timeout: r.take("header_timeout", duration),
            idle_timeout: r.take("idle_timeout", duration),
            connect_timeout: r.take("connect_timeout", duration),
            response_timeout: r.take("response_timeout", duration),
        };
        r.finish();
        limits
    }
}

impl Telemetry {
    fn read(r: Reader<'_>) -> Self {
        let telemetry = Self { otlp: r.take("otlp", url(&["http", "https"])) };
        r.finish();
        telemetry
    }
}

impl Provider {
    fn read(r: Reader<'_>) -> Self {
        let provider = Self {
            span: r.span.clone(),
            id: r.require("id", identifier),
            name: r.take("name", text),
            issuer: r.require("issuer", url(&["https", "http"])),
            client_id: r.require("client_id", text),
            client_secret_file: r.take("client_secret_file", text),
            client_secret_env: r.take("client_secret_env", text),
            scopes: r.take("scopes", list(text)),
            phishing_resistant_amr: r.take("phishing_resistant_amr", list(text)),
            phishing_resistant_acr: r.take("phishing_resistant_acr", list(text)),
            multi_factor_amr: r.take("multi_factor_amr", list(text)),
            multi_factor_acr: r.take("multi_factor_acr", list(text)),
            email_domains: r.take("email_domains", list(host_name)),
            groups: r.take("groups", list(parsed)),
            ca: r.take("ca", text),
        };
        r.finish();
        provider
    }
}

impl Segment {
    fn read(r: Reader<'_>) -> Self {
        let segment = Self { id: r.require("id", parsed), name: r.take("name", text) };
        r.finish();
        segment
    }
}

impl Group {
    fn read(r: Reader<'_>) -> Self {
        let group = Self {
            id: r.require("id", parsed),
            name: r.take("name", text),
            member_of: r.take("member_of", list(parsed)),
        };
        r.finish();
        group
    }
}

impl Subject {
    fn read(r: Reader<'_>) -> Self {
        let subject = Self {
            span: r.span.clone(),
            id: r.require("id", parsed),
            name: r.take("name", text),
            email: r.take("email", text),
            owner: r.take("owner", parsed),
            acts_for: r.take("acts_for", parsed),
            groups: r.take("groups", list(parsed)),
            disabled: r.take("disabled", boolean),
        };
        r.finish();
        subject
    }
}

impl Resource {
    fn read(r: Reader<'_>) -> Self {
        let tiers = Tier::ALL.map(|tier| (tier.name(), tier));
        let resource = Self {
            span: r.span.clone(),
            id: r.require("id", parsed),
            name: r.take("name", text),
            tier: r.take("tier", one_of(&tiers)),
            hosts: r.take("hosts", list(host_name)),
            paths: r.take("paths", list(path_prefix)),
            upstream: r.require("upstream", url(&["http", "https", "h2c"])),
            ca: r.take("ca", text),
            preserve_host: r.take("preserve_host", boolean),
            segment: r.take("segment", parsed),
            owner: r.take("owner", parsed),
            rules: r.tables("rules").into_iter().filter_map(rule).collect(),
            readers: r.take("readers", list(parsed)),
            writers: r.take("writers", list(parsed)),
            administrators: r.take("administrators", list(parsed)),
            observe_until: r.take("observe_until", instant),
        };
        r.finish();
        resource
    }
}

pub(super) fn rule(r: Reader<'_>) -> Option<ActionRule> {
    let classes = ActionClass::ALL.map(|class| (class.name(), class));
    let methods = r.take("methods", list(method));
    let path = r.require("path", path_pattern);
    let action = r.require("action", one_of(&classes));
    r.finish();
    Some(ActionRule {
        methods: methods.map(|m| m.value).unwrap_or_default(),
        path: PathPattern(path?.value),
        action: action?.value,
    })
}

type Read<T> = Result<T, String>;

fn method(item: &toml_edit::Item) -> Read<String> {
    let method = text(item)?;
    if method.bytes().all(|b| b.is_ascii_uppercase()) {
        Ok(method)
    } else {
        Err(format!("{method:?} is no method: write such as GET"))
    }
}

fn path_pattern(item: &toml_edit::Item) -> Read<String> {
    let pattern = path_prefix(item)?;
    match pattern.find('*') {
        Some(star) if star + 1 != pattern.len() || !pattern.ends_with("/*") => {
            Err(format!("{pattern:?}: a star stands at the end only, as in /admin/*"))
        }
        _ => Ok(pattern),
    }
}

fn path_prefix(item: &toml_edit::Item) -> Read<String> {
    let path = text(item)?;
    let clean = path.starts_with('/') && !path.contains(['?', '#', '\\', ' ', '%']) && !path.contains("//");
    let dots = path.split('/').any(|segment| segment == "." || segment == "..");
    if clean && !dots { Ok(path) } else { Err(format!("{path:?} is no path: it begins with / and is written plainly")) }
}

/// A host as the gateway compares it: lower case, no port.
fn host_name(item: &toml_edit::Item) -> Read<String> {
    let host = text(item)?;
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if host.len() <= 253 && host.split('.').all(label) {
        Ok(host)
    } else {
        Err(format!("{host:?} is no host name: lower case, without a port or a scheme"))
    }
}

fn identifier(item: &toml_edit::Item) -> Read<String> {
    let id = text(item)?;
    let plain = id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if plain { Ok(id) } else { Err(format!("{id:?}: small letters, digits and - only, since it stands in addresses")) }
}

fn url(schemes: &'static [&'static str]) -> impl Fn(&toml_edit::Item) -> Read<String> {
    move |item| {
        let url = text(item)?;
        let uri: hyper::Uri = url.parse().map_err(|error| format!("{url:?} is no URL: {error}"))?;
        let authority = uri.authority().ok_or_else(|| format!("{url:?} names no host"))?;
        if authority.as_str().contains('@') {
            // Whoever writes a password there would find it in logs.
            return Err("a URL here carries no user and no password".to_owned());
        }
        match uri.scheme_str() {
            Some(scheme) if schemes.contains(&scheme) => Ok(url),
            _ => Err(format!("{url:?} has to begin with {}", schemes.join(":// or ") + "://")),
        }
    }
}
