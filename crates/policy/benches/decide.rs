#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench prints, and may stop"
)]
//! Decision latency with full reasons, by the plan and by Cedar's `Authorizer` in one run, at 100, 1,000 and 10,000
//! policies. `cargo bench -p countersign-policy`. A million identities are the world's bench, not this one's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_model::*;
use countersign_policy::{PolicySet, Record, Slice, SourceFile, Symbols};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const SUBJECTS: usize = 512;

fn files(policies: usize) -> Vec<SourceFile> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cedar"))
        .map(|path| SourceFile { text: std::fs::read_to_string(&path).unwrap(), path })
        .collect();
    let starter: usize = files.iter().map(|file| file.text.matches("@id(").count()).sum();
    let mut text = String::new();
    for number in starter..policies {
        let (effect, condition) = match number % 5 {
            0 => ("permit", "when { context has device && context.device.compliant && context.risk < 40 }"),
            1 => ("permit", "when { resource.tier == \"standard\" && context.network.zones.contains(\"office\") }"),
            2 => ("permit", "when { context.time.hour >= 7 && context.time.hour < 20 && context.time.weekday <= 5 }"),
            3 => ("permit", "when { context has authentication && context.authentication.age < 28800 }"),
            _ => ("forbid", "when { !context.network.address.isInRange(ip(\"10.0.0.0/8\")) && context.risk > 20 }"),
        };
        // One in fifty looks at everybody; the others are somebody's.
        let scope = if number % 50 == 0 {
            "principal is Human, action in Action::\"write\", resource".to_owned()
        } else {
            format!("principal in Group::\"team-{}\", action in Action::\"access\", resource", number % (policies / 4))
        };
        text.push_str(&format!(
            "@id(\"generated-{number}\") @owner(\"bench\") @review_by(\"2027-01-01\") @remedy(\"none\")\n{effect} ({scope}) {condition};\n"
        ));
    }
    files.push(SourceFile { path: "generated.cedar".into(), text });
    files
}

fn subject(number: usize) -> Subject {
    Subject {
        id: SubjectId::human(&format!("person-{number}")).unwrap(),
        display_name: String::new(),
        email: None,
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: Vec::new(),
        source: Source::Configuration,
        created: NOW,
        last_used: None,
    }
}

fn resource(tier: Tier) -> Resource {
    Resource {
        id: ResourceId::new(tier.name()).unwrap(),
        display_name: String::new(),
        kind: ResourceKind::Http,
        tier,
        segment: Some(SegmentId::new("main").unwrap()),
        owner: None,
        source: Source::Configuration,
        routes: Vec::new(),
        upstream: Upstream::Internal { part: String::new() },
        rules: Vec::new(),
        entitled: Entitled { readers: vec![GroupId::new("everyone").unwrap()], ..Entitled::default() },
        observe_until: None,
    }
}

fn circumstances(number: usize) -> Circumstances {
    let age = (number as u64 * 7919) % 50_000;
    Circumstances {
        authentication: Some(Authentication {
            methods: Methods::from([AuthenticationMethod::Passkey]),
            at: NOW.minus(Duration::from_secs(age)),
            age,
        }),
        device: Some(DeviceCircumstances {
            id: DeviceId::new(format!("laptop-{number}")).unwrap(),
            managed: !number.is_multiple_of(7),
            compliant: !number.is_multiple_of(5),
            findings: Default::default(),
            posture_age: Some(age % 700),
        }),
        network: NetworkCircumstances {
            address: [10, 0, 0, (number % 250) as u8].into(),
            zones: Default::default(),
            encrypted: true,
        },
        time: TimeCircumstances { now: NOW, hour: 12, weekday: 3, zone: "Europe/Berlin".into() },
        risk: (number % 30) as u8,
        grant: None,
        exception: None,
        http: Some(Arc::new(HttpCircumstances {
            method: "GET".into(),
            host: "wiki.example.org".into(),
            path: "/page".into(),
        })),
    }
}

struct Measured {
    p50: f64,
    p99: f64,
}

/// Microseconds per call; `rounds` passes over all questions, each call timed alone.
fn measure(rounds: usize, questions: &[usize], mut decide: impl FnMut(usize)) -> Measured {
    let mut times = Vec::with_capacity(rounds * questions.len());
    for _ in 0..rounds {
        for question in questions {
            let start = Instant::now();
            decide(*question);
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    Measured { p50: at(0.5), p99: at(0.99) }
}

fn main() {
    // `cargo test --benches` runs this too: a glance is enough there.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    println!("<!-- figures -->");
    println!(
        "| policies | answer | share | plan p50 µs | plan p99 µs | Authorizer p50 µs | Authorizer p99 µs | ratio p50 |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for policies in if quick { vec![100] } else { vec![100, 1_000, 10_000] } {
        let symbols = Arc::new(Symbols::default());
        let start = Instant::now();
        let set = PolicySet::load(files(policies), &symbols).expect("the bench's policies load");
        let load = start.elapsed();
        let resources = [Tier::Public, Tier::Standard, Tier::High, Tier::CrownJewel].map(resource);
        let resource_records = resources.each_ref().map(|resource| Record::resource(&symbols, resource));
        let cases: Vec<_> = (0..SUBJECTS)
            .map(|number| {
                let subject = subject(number);
                let groups: Vec<_> =
                    (0..8).map(|more| GroupId::new(format!("team-{}", number * 8 + more)).unwrap()).collect();
                let record = Record::subject(&symbols, &subject, &groups);
                let question = Question {
                    subject: subject.id,
                    action: Action::http(ActionClass::Read),
                    resource: resources[number % 4].id.clone(),
                    session: None,
                    circumstances: circumstances(number),
                };
                (record, question, number % 4)
            })
            .collect();
        let slice = |number: usize| Slice { subject: &cases[number].0, resource: &resource_records[cases[number].2] };
        let mut kinds: [(&str, Vec<usize>); 3] = [("allow", vec![]), ("challenge", vec![]), ("deny", vec![])];
        for (number, (_, question, _)) in cases.iter().enumerate() {
            let decision = set.decide(&slice(number), question);
            if number % 8 == 0 {
                assert_eq!(decision, set.decide_by_reference(&slice(number), question));
            }
            for (name, numbers) in &mut kinds {
                if *name == decision.name() {
                    numbers.push(number);
                }
            }
        }
        for (name, numbers) in &kinds {
            if numbers.is_empty() {
                continue;
            }
            let plan = measure(if quick { 1 } else { 400 }, numbers, |number| {
                std::hint::black_box(set.decide(&slice(number), &cases[number].1));
            });
            let few = &numbers[..numbers.len().min(if quick { 2 } else { 100 })];
            let reference = measure(1, few, |number| {
                std::hint::black_box(set.decide_by_reference(&slice(number), &cases[number].1));
            });
            println!(
                "| {policies} | {name} | {:.0} % | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} |",
                100.0 * numbers.len() as f64 / SUBJECTS as f64,
                plan.p50,
                plan.p99,
                reference.p50,
                reference.p99,
                reference.p50 / plan.p50
            );
        }
        println!("<!-- {policies} policies loaded, validated and compiled in {load:.1?} -->");
    }
    println!("<!-- end of figures -->");
}
