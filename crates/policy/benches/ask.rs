#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench prints, and may stop")]
//! Who can what, for 100,000 subjects at 1,000 resources, exactly: under one set of circumstances, and with the weakest
//! that suffice; beside it, in the same run, deciding each pair of a sample. And what one subject can. `cargo bench -p
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

    let askers = || subjects.iter().map(|record| Asker { record, risk: 0 }).collect::<Vec<_>>();
    let go_on = |_: usize| ControlFlow::Continue(());
    let began = Instant::now();
    let population = Population::new(&set, askers(), &wanted);
    let survey = population.under(&situation);
    let allowed = each(wanted.len(), &go_on, |at| {
        let classes = survey.classes(at);
        classes.spread(&survey.answers(&classes)).filter(|allowed| **allowed).count()
    });
    let allowed: usize = allowed.unwrap().into_iter().sum();
    let exact = began.elapsed();

    // The same question for pairs spread over the whole, on every core as well.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pairs = people * applications;
    let pair = |turn: usize| turn.wrapping_mul(2_654_435_761) % pairs;
    let one_by_one = |sampled: usize, decide: &(dyn Fn(&Asker<'_>, &Wanted<'_>) -> bool + Sync)| {
        let began = Instant::now();
        let agreed = each(cores, &go_on, |core| {
            let mine = (core..sampled).step_by(cores).map(pair);
            let asker = |pair: usize| Asker { record: &subjects[pair % people], risk: 0 };
            mine.filter(|pair| decide(&asker(*pair), &wanted[pair / people])).count()
        });
        black_box(agreed.unwrap());
        began.elapsed().mul_f64(pairs as f64 / sampled as f64)
    };
    let sampled = SAMPLE.min(pairs);
    let brute = one_by_one(sampled, &|asker, wanted| set.allows(asker, wanted, black_box(&situation)));

    let terrain = Terrain::new(&set, Of::All, &situation, &[], &|_| Default::default());
    let weakest_of = |wanted: &[Wanted<'_>], askers: Vec<Asker<'_>>| {
        let began = Instant::now();
        let population = Population::new(&set, askers, wanted);
        let survey = population.sufficient(&terrain);
        let somehow = each(wanted.len(), &go_on, |at| {
            let classes = survey.classes(at);
            classes.spread(&survey.answers(&classes)).filter(|found| !found.is_empty()).count()
        });
        (somehow.unwrap().into_iter().sum::<usize>(), began.elapsed())
    };
    let (of_one, weakest_one) = weakest_of(&wanted[2..3], askers());
    let (of_all, weakest_all) = weakest_of(&wanted, askers());
    let combinations = terrain.combinations();
    let sampled_weakest = (SAMPLE / combinations).min(pairs);
    let brute_weakest =
        one_by_one(sampled_weakest, &|asker, wanted| !set.suffices(asker, wanted, black_box(&terrain)).is_empty());

    let actions: Vec<Action> = Action::all().collect();
    let everything: Vec<Wanted<'_>> = resources
        .iter()
        .flat_map(|record| actions.iter().map(move |action| Wanted { action: *action, record, http: None }))
        .collect();
    let (of_subject, what) = weakest_of(&everything, askers().into_iter().take(1).collect());

    let seconds = |span: Duration| span.as_secs_f64();
    println!("<!-- figures -->");
    let line = |question: String, exact: Duration, brute: Option<Duration>, found: usize| {
        let brute = brute.map_or_else(
            || "|".to_owned(),
            |brute| format!("{:.0} | {:.0} ×", seconds(brute), seconds(brute) / seconds(exact)),
        );
        println!("| {question} | {:.3} | {brute} | {found} |", seconds(exact));
    };
    println!("| question, {} policies | s | pair by pair, s | ratio | found |", set.policies().len());
    println!("|---|---|---|---|---|");
    let all = format!("{people} subjects × {applications} resources");
    line(format!("who can, {all}, stated circumstances"), exact, Some(brute), allowed);
    line(
        format!("who can, {all}, the weakest of {combinations} circumstances"),
        weakest_all,
        Some(brute_weakest),
        of_all,
    );
    line(format!("the same for {people} subjects at one resource"), weakest_one, None, of_one);
    line(format!("what can one subject, {} actions × {applications} resources", actions.len()), what, None, of_subject);
    println!();
    println!(
        "Pair by pair is reckoned from samples of {sampled} and {sampled_weakest} pairs, decided in the same run on every core."
    );
    println!("<!-- end of figures -->");
}
