//! What everything rests on: files with their hashes, dates, and how to check it.

use countersign_estate::Kind;

use crate::Content;
use crate::document::{Block, Column, Section, Table, Text};
use crate::text::{counted, grouped, instant};

/// Beyond it a list of files helps nobody; the evidence pack has them all.
const MOST_FILES: usize = 200;

pub(super) fn section(content: &Content<'_>) -> Section {
    let assessment = content.assessment;
    let mut parts = Table::new(
        "Parts of sources, each with its newest import.",
        [Column::text("Part", 4.0), Column::text("Newest import", 2.0)],
    );
    for source in &assessment.sources {
        parts.row([Text::default().name(&source.part).into(), instant(source.at).into()]);
    }
    let mut counted_kinds: Vec<_> = assessment.population.iter().collect();
    counted_kinds.sort_by_key(|counted| std::cmp::Reverse(counted.count));
    let kinds: Vec<String> = counted_kinds
        .iter()
        .map(|counted| format!("{} {}", grouped(counted.count), kind(counted.kind, counted.count)))
        .collect();
    let shown = content.files.len().min(MOST_FILES);
    let caption = if shown < content.files.len() {
        format!("The first {shown} of {} files; the evidence pack lists all.", grouped(content.files.len() as u64))
    } else {
        "Files as they were read.".to_owned()
    };
    let mut files =
        Table::new(caption, [Column::text("File", 3.2), Column::number("Bytes", 1.1), Column::text("SHA-256", 4.6)]);
    for file in content.files.iter().take(MOST_FILES) {
        files.row([
            Text::default().name(&file.name).into(),
            grouped(file.bytes).into(),
            Text::default().code(&file.sha256).into(),
        ]);
    }
    let check = "Anybody can check these figures: the evidence pack that goes with this report has every one of them with its query and \
                 its evidence, under one root hash. `countersign report verify` checks it, with the files beside it if need be; and \
                 assessing the same files on the same date gives the same estate, byte for byte.";
    let blocks = vec![
        Block::Text(Text::new(format!("Inventoried: {}.", kinds.join(", ")))),
        Block::Table(parts),
        Block::Table(files),
        Block::Text(
            Text::new(format!(
                "The inventory made from {} has the SHA-256 ",
                counted(content.files.len() as u64, "file", "files")
            ))
            .code(&assessment.inventory_sha256),
        ),
        Block::Text(check.replace('`', "").into()),
    ];
    Section { id: "sources", title: "Sources and how to check them".to_owned(), blocks }
}

/// A kind, for so many.
const fn kind(kind: Kind, count: u64) -> &'static str {
    let (one, many) = match kind {
        Kind::Unknown => ("of an unknown kind", "of an unknown kind"),
        Kind::Account => ("account", "accounts"),
        Kind::Human => ("person", "people"),
        Kind::Service => ("service", "services"),
        Kind::Agent => ("agent", "agents"),
        Kind::Key => ("key", "keys"),
        Kind::Group => ("group", "groups"),
        Kind::Role => ("role", "roles"),
        Kind::Entitlement => ("entitlement", "entitlements"),
        Kind::Device => ("device", "devices"),
        Kind::Workload => ("workload", "workloads"),
        Kind::Resource => ("resource", "resources"),
        Kind::Segment => ("segment", "segments"),
        Kind::Policy => ("policy", "policies"),
        Kind::Container => ("container", "containers"),
        Kind::Scope => ("scope", "scopes"),
    };
    if count == 1 { one } else { many }
}
