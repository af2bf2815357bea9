#![expect(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench prints, and may stop")]
//! What `countersign assess` does with a collection of 100,000 nodes and 600,000 edges, step by step, beside parsing the same bytes as
//! JSON and nothing else in the same run. The collection is made up here, in the form of SharpHound's. `cargo bench -p
//! countersign-report --bench assess [-- NODES]`

use std::fmt::Write as _;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Duration;

use countersign_assess::{Assessment, Own, Parameters};
use countersign_estate::{Input, Inventory, Limits, Watch, read};
use countersign_model::Timestamp;
use countersign_report::{Content, Pack, html, pdf};

const NOW: i64 = 1_790_000_000;
const DAY: usize = 86_400;

/// The same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end.max(1)
    }
}

#[derive(Clone, Copy)]
enum Shape {
    /// Whoever stands high controls what stands lower, and only some mistakes lead back.
    Tiered,
    /// Everybody signs in everywhere.
    Flat,
}

/// Two fifths people, two fifths devices, one fifth groups, six edges for each; the first of each list stand highest, and the first
/// group is that of the domain's administrators.
fn collection(nodes: usize, shape: Shape) -> Vec<(&'static str, String)> {
    let mut numbers = Numbers(7);
    let (people, devices) = (nodes * 2 / 5, nodes * 2 / 5);
    let groups = nodes - people - devices - 1;
    let sid = |kind: usize, n: usize| match (kind, n) {
        (2, 0) => "S-1-5-21-1-2-3-512".to_owned(),
        _ => format!("S-1-5-21-1-2-3-{}", 100_000 * 10 * (kind + 1) + n),
    };
    let mut members = vec![Vec::new(); groups];
    let mut sessions = vec![Vec::new(); devices];
    let mut administrators = vec![Vec::new(); devices];
    let mut rights = vec![Vec::new(); people];
    for n in 0..nodes * 6 {
        let (from, to) = match n % 20 {
            0..12 => (people, groups),
            12 => (groups, groups),
            13..17 => (devices, people),
            17 | 18 => (groups, devices),
            _ => (groups, people),
        };
        let at = numbers.below(from);
        let highest = match shape {
            Shape::Tiered if n % 50_000 != 0 => at * to / from,
            Shape::Tiered | Shape::Flat => 0,
        };
        let end = highest + numbers.below(to - highest);
        match n % 20 {
            0..12 => members[end].push((0, at, "User")),
            12 => members[end].push((2, at, "Group")),
            13..17 => sessions[at].push(end),
            17 | 18 => administrators[end].push(at),
            _ => rights[end].push(at),
        }
    }
    let file = |kind: &str, records: Vec<String>| {
        let count = records.len();
        format!(
            "{{\"data\":[{}],\"meta\":{{\"methods\":0,\"type\":\"{kind}\",\"count\":{count},\"version\":6}}}}",
            records.join(",\n")
        )
    };
    let listed = |lines: Vec<String>| lines.join(",");
    let person = |n: usize, numbers: &mut Numbers| {
        let right = |at: &usize| {
            let group = sid(2, *at);
            format!(
                "{{\"PrincipalSID\":\"{group}\",\"PrincipalType\":\"Group\",\"RightName\":\"ForceChangePassword\",\"IsInherited\":false}}"
            )
        };
        let (used, set) = (NOW as usize - numbers.below(400) * DAY, NOW as usize - numbers.below(900) * DAY);
        format!(
            "{{\"ObjectIdentifier\":\"{}\",\"PrimaryGroupSID\":\"S-1-5-21-1-2-3-513\",\"Properties\":{{\"domain\":\"CORP.EXAMPLE\",\
             \"name\":\"PERSON{n}@CORP.EXAMPLE\",\"enabled\":{},\"hasspn\":{},\"lastlogontimestamp\":{used},\"pwdlastset\":{set},\
             \"pwdneverexpires\":{},\"displayname\":\"Person {n}\"}},\"Aces\":[{}]}}",
            sid(0, n),
            !n.is_multiple_of(20),
            n % 100 == 1,
            n % 10 == 1,
            listed(rights[n].iter().map(right).collect())
        )
    };
    let device = |n: usize, numbers: &mut Numbers| {
        let own = sid(1, n);
        let session = |at: &usize| format!("{{\"UserSID\":\"{}\",\"ComputerSID\":\"{own}\"}}", sid(0, *at));
        let admitted = |at: &usize| format!("{{\"ObjectIdentifier\":\"{}\",\"ObjectType\":\"Group\"}}", sid(2, *at));
        let used = NOW as usize - numbers.below(200) * DAY;
        format!(
            "{{\"ObjectIdentifier\":\"{own}\",\"PrimaryGroupSID\":\"S-1-5-21-1-2-3-515\",\"Properties\":{{\"domain\":\"CORP.EXAMPLE\",\
             \"name\":\"PC{n}.CORP.EXAMPLE\",\"enabled\":true,\"lastlogontimestamp\":{used},\"unconstraineddelegation\":{},\
             \"haslaps\":{}}},\"Sessions\":{{\"Results\":[{}],\"Collected\":true}},\"LocalGroups\":[{{\"ObjectIdentifier\":\"{own}-544\",\
             \"Results\":[{}],\"Collected\":true}}],\"Aces\":[]}}",
            n % 1000 == 1,
            n.is_multiple_of(2),
            listed(sessions[n].iter().map(session).collect()),
            listed(administrators[n].iter().map(admitted).collect())
        )
    };
    let group = |n: usize| {
        let member = |(kind, at, name): &(usize, usize, &str)| {
            format!("{{\"ObjectIdentifier\":\"{}\",\"ObjectType\":\"{name}\"}}", sid(*kind, *at))
        };
        format!(
            "{{\"ObjectIdentifier\":\"{}\",\"Properties\":{{\"domain\":\"CORP.EXAMPLE\",\"name\":\"GROUP{n}@CORP.EXAMPLE\"}},\
             \"Members\":[{}],\"Aces\":[]}}",
            sid(2, n),
            listed(members[n].iter().map(member).collect())
        )
    };
    let domain = "{\"ObjectIdentifier\":\"S-1-5-21-1-2-3\",\"Properties\":{\"domain\":\"CORP.EXAMPLE\",\"name\":\"CORP.EXAMPLE\"},\
                  \"Aces\":[{\"PrincipalSID\":\"S-1-5-21-1-2-3-512\",\"PrincipalType\":\"Group\",\"RightName\":\"GenericAll\",\"IsInherited\":false}]}";
    vec![
        ("users.json", file("users", (0..people).map(|n| person(n, &mut numbers)).collect())),
        ("computers.json", file("computers", (0..devices).map(|n| device(n, &mut numbers)).collect())),
        ("groups.json", file("groups", (0..groups).map(group).collect())),
        ("domains.json", file("domains", vec![domain.to_owned()])),
    ]
}

/// Processor time of this process, which has one thread: what it took, whatever else the machine was doing.
fn processor() -> Duration {
    let times = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(times.split_whitespace().next().unwrap().parse().unwrap())
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let began = processor();
    let done = black_box(work());
    ((processor() - began).as_secs_f64(), done)
}

fn main() {
    let nodes: usize = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let now = Timestamp::from_seconds(NOW);
    let mut rows = String::new();
    for (name, shape) in [("tiers kept apart", Shape::Tiered), ("everybody everywhere", Shape::Flat)] {
        let files = collection(nodes, shape);
        let bytes: usize = files.iter().map(|(_, text)| text.len()).sum();
        let (plain, _) = timed(|| {
            let parse =
                |(_, text): &(&str, String)| serde_json::from_slice::<serde_json::Value>(text.as_bytes()).unwrap();
            files.iter().map(parse).collect::<Vec<_>>()
        });
        let inputs: Vec<Input<'_>> = files.iter().map(|(name, text)| Input { name, bytes: text.as_bytes() }).collect();
        let (reading, inventory) = timed(|| {
            let mut unwatched = |_: countersign_estate::Progress<'_>| ControlFlow::Continue(());
            let batch = read(&inputs, &Limits::default(), &mut Watch::new(&mut unwatched)).unwrap();
            let mut inventory = Inventory::new();
            inventory.merge(&batch, now).unwrap();
            inventory
        });
        let (graph, projection) = timed(|| inventory.project().unwrap());
        let (assessing, assessment) =
            timed(|| Assessment::of(&inventory, &projection, &Own::default(), &Parameters::default(), now).unwrap());
        let content = Content { assessment: &assessment, files: inventory.files(), before: None, trend: &[] };
        let (writing, written) = timed(|| (html(&content).len(), pdf(&content).unwrap().len()));
        let (packing, pack) = timed(|| Pack::of(&content).unwrap().to_json().len());
        let all = reading + graph + assessing + writing + packing;
        writeln!(
            rows,
            "| {name} | {} / {} | {} | {plain:.2} | {reading:.2} | {graph:.2} | {assessing:.2} | {writing:.2} | {packing:.2} | **{all:.1}** | {:.1} × |",
            assessment.radius.nodes,
            assessment.radius.edges,
            bytes / 1_000_000,
            all / plain,
        )
        .unwrap();
        let found: u64 = assessment.health.indicators.iter().map(|one| one.found).sum();
        eprintln!(
            "{name}: {found} findings, {} of {} reach tier zero; page {} kB, PDF {} kB, pack {} kB",
            assessment.radius.reach_tier_zero,
            assessment.radius.identities,
            written.0 / 1000,
            written.1 / 1000,
            pack / 1000
        );
    }
    println!("<!-- figures -->");
    println!(
        "| directory | nodes / edges | MB | parsed as JSON alone s | read and merged s | graph s | checked, followed, counted s | page and PDF s | pack s | all s | × parsing |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    print!("{rows}");
    println!("<!-- end of figures -->");
}
