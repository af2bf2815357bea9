#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench prints, and may stop")]
//! Who can what, for 100,000 subjects at 1,000 resources under one set of circumstances, exactly; beside it, in the same
//! run, deciding each pair of a sample. And the weakest circumstances for everybody at one resource. `cargo bench -p
//! countersign-policy --bench ask [-- SUBJECTS RESOURCES]`

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_model::*;
use countersign_policy::ask::{Asker, Of, Population, Proven, SignIn, Situation, Terrain, Wanted, each};
use countersign_policy::{PolicySet, Record, SourceFile, Symbols};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const TEAMS: usize = 500;
/// Pairs that are decided one by one for comparison.
const SAMPLE: usize = 200_000;

/// The starter policies, filled up to a hundred with permits for teams.
fn files() -> Vec<SourceFile> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files: Vec<SourceFile> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cedar"))
        .map(|path| SourceFile { text: std::fs::read_to_string(&path).unwrap(), path })
        .collect();
    let have: usize = files.iter().map(|file| file.text.matches("@id(").count()).sum();
    let filling = (have..100).map(|number| {
        format!(
            "@id(\"team-{number}\") @owner(\"bench\") @review_by(\"2030-01-01\")\n\
             permit (principal in Group::\"team{number}\", action in Action::\"read\", resource)\n\
             when {{ resource.tier == \"high\" && context.risk < {number} }};\n"
        )
    });
    files.push(SourceFile { path: "filling.cedar".into(), text: filling.collect() });
    files
}

fn team(number: usize) -> GroupId {
    GroupId::new(format!("team{}", number % TEAMS)).unwrap()
}

fn person(symbols: &Symbols, number: usize) -> Record {
    let subject = Subject {
        id: SubjectId::human(&format!("person{number}@example.org")).unwrap(),
        display_name: String::new(),
        email: None,
        owner: None,
        acts_for: None,
        state: SubjectState::Active,
        groups: Vec::new(),
        source: Source::Administrator,
        created: NOW,
        last_used: None,
    };
    let direct = [number, number / 7, number / 13];
    let groups: Vec<GroupId> = direct.into_iter().flat_map(|number| [team(number), team(number % 50)]).collect();
    Record::subject(symbols, &subject, &groups)
}

/// Every application has its own readers and writers, and some have an owner.
fn application(symbols: &Symbols, number: usize) -> Record {
    let teams = |from: usize, count: usize| (0..count).map(|step| team(from * 31 + step * 97)).collect::<Vec<_>>();
    let resource = Resource {
        id: ResourceId::new(format!("application{number}")).unwrap(),
        display_name: String::new(),
        kind: ResourceKind::Http,
        tier: Tier::ALL[number % 4],
        segment: None,
        owner: number
            .is_multiple_of(3)
            .then(|| SubjectId::human(&format!("person{}@example.org", number * 17)).unwrap()),
        source: Source::Configuration,
        routes: Vec::new(),
        upstream: Upstream::Internal { part: "none".to_owned() },
        rules: Vec::new(),
        entitled: Entitled {
            readers: teams(number, 1 + number % 20),
            writers: teams(number + 1, 1 + number % 5),
            administrators: teams(number + 2, 1),
        },
        observe_until: None,
    };
    Record::resource(symbols, &resource)
}

fn situation() -> Situation {
    let circumstances = Circumstances {
        authentication: None,
        device: Some(DeviceCircumstances {
            id: DeviceId::new("any-device").unwrap(),
            managed: true,
            compliant: true,
            findings: Default::default(),
            posture_age: Some(60),
        }),
        network: NetworkCircumstances {
            address: "203.0.113.7".parse().unwrap(),
            zones: Default::default(),
            encrypted: true,
        },
        time: TimeCircumstances { now: NOW, hour: 12, weekday: 3, zone: "UTC".into() },
        risk: 0,
        grant: None,
        exception: None,
        http: None,
    };
    Situation { circumstances, proven: Proven::By(SignIn::Passkey, 60), risk: None }
}

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (people, applications) = match sizes.as_slice() {
        [people, applications] => (*people, *applications),
        _ => (100_000, 1_000),
    };
    let symbols = Arc::new(Symbols::default());
    let set = PolicySet::load(files(), &symbols).unwrap();
    let subjects: Vec<Record> = (0..people).map(|number| person(&symbols, number)).collect();
    let resources: Vec<Record> = (0..applications).map(|number| application(&symbols, number)).collect();
    let situation = situation();
    let action = Action::http(ActionClass::Read);
    let wanted: Vec<Wanted<'_>> = resources.iter().map(|record| Wanted { action, record, http: None }).collect();

    let began = Instant::now();
    let askers = || subjects.iter().map(|record| Asker { record, risk: 0 }).collect::<Vec<_>>();
    let population = Population::new(&set, askers(), &wanted);
    let go_on = |_: usize| ControlFlow::Continue(());
    let answers = each(wanted.len(), &go_on, |at| {
        let wanted = &wanted[at];
        let classes = population.classes(wanted);
        let found = population.decide(&classes, wanted, &situation);
        (classes.len(), classes.spread(&found).filter(|allowed| **allowed).count())
    })
    .unwrap();
    let exact = began.elapsed();
    let (classes, allowed) = answers.iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));

    // The same question for pairs spread over the whole, on every core as well.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pairs = people * applications;
    let sampled = SAMPLE.min(pairs);
    let began = Instant::now();
    let agreed = each(cores, &go_on, |core| {
        let mut agreed = 0_usize;
        for turn in (core..sampled).step_by(cores) {
            let pair = turn.wrapping_mul(2_654_435_761) % pairs;
            let asker = Asker { record: &subjects[pair % people], risk: 0 };
            agreed += usize::from(set.allows(&asker, &wanted[pair / people], black_box(&situation)));
        }
        agreed
    })
    .unwrap();
    black_box(agreed);
    let brute = began.elapsed().mul_f64(pairs as f64 / sampled as f64);

    let terrain = Terrain::new(&set, Of::All, &situation, &[], &|_| Default::default());
    let began = Instant::now();
    let one = std::slice::from_ref(&wanted[2]);
    let population = Population::new(&set, askers(), one);
    let of_one = population.classes(&one[0]);
    let weakest = each(of_one.len(), &go_on, |class| {
        let asker = population.asker(of_one.representatives()[class]).unwrap();
        set.suffices(asker, &one[0], &terrain).len()
    });
    black_box(weakest.unwrap());
    let conditions = began.elapsed();

    let seconds = |span: Duration| span.as_secs_f64();
    println!("<!-- figures -->");
    println!("| question, {} policies | s | |", set.policies().len());
    println!("|---|---|---|");
    println!(
        "| who can, {people} subjects × {applications} resources, one action | {:.2} | {allowed} of {pairs} pairs allowed, {classes} decided |",
        seconds(exact)
    );
    println!(
        "| the same pair by pair, from a sample of {sampled} | {:.1} | {:.0} × as long |",
        seconds(brute),
        seconds(brute) / seconds(exact)
    );
    println!(
        "| who can, one resource, with the weakest circumstances | {:.2} | {} classes × {} circumstances |",
        seconds(conditions),
        of_one.len(),
        terrain.combinations()
    );
    println!("<!-- end of figures -->");
}
