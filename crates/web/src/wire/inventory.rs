//! The estate as JSON: what was imported, nodes with everything about them, links and classifications. What the health check and the
//! graph answer has the form that the command line prints too (docs/health.md, docs/graph.md), and is not spelled again here.

use countersign_govern as govern;
use countersign_model::SubjectId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Instant;

/// How an import is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Only tell what would change.
    #[serde(default)]
    pub dry_run: bool,
    /// When it was collected; now, if absent. Imports of one source come in the order of collection.
    #[param(value_type = Option<String>, format = DateTime)]
    pub at: Option<Instant>,
    /// What Countersign knows of itself, too.
    #[serde(default)]
    pub own: bool,
    /// The file's name, where the body is the file.
    pub name: Option<String>,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportedFile {
    pub name: String,
    pub sha256: String,
    pub bytes: u64,
}

/// What was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkippedRows {
    pub reason: String,
    pub count: u64,
    pub file: String,
    /// Where the first of them stands.
    pub first: Option<String>,
}

/// How much changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportCounts {
    pub nodes_added: u64,
    pub nodes_changed: u64,
    pub nodes_gone: u64,
    pub nodes_back: u64,
    pub edges_added: u64,
    pub edges_changed: u64,
    pub edges_gone: u64,
    pub edges_back: u64,
}

/// One thing that changed: a node, or an edge where there is a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportChange {
    /// `added`, `changed`, `gone` or `back`.
    pub how: String,
    pub key: String,
    pub relation: Option<String>,
    pub to: Option<String>,
    pub fields: Vec<String>,
}

/// Fields on which the files differ; the greater value was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contradiction {
    pub key: String,
    pub fields: Vec<String>,
}

/// One import. Lists are cut at 200; counts are whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstateImport {
    /// 0: it was only tried.
    pub number: u64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub recorded: Instant,
    #[schema(value_type = String)]
    pub by: SubjectId,
    /// System, realm and part: `active-directory:CORP.EXAMPLE/users`.
    pub parts: Vec<String>,
    pub files: Vec<ImportedFile>,
    pub file_count: u64,
    pub counts: ImportCounts,
    pub changes: Vec<ImportChange>,
    pub change_count: u64,
    pub contradictions: Vec<Contradiction>,
    pub contradiction_count: u64,
    pub skipped: Vec<SkippedRows>,
}

impl From<&govern::Imported> for EstateImport {
    fn from(import: &govern::Imported) -> Self {
        let counts = &import.counts;
        Self {
            number: import.number,
            at: import.at,
            recorded: import.recorded,
            by: import.by.clone(),
            parts: import.parts.clone(),
            files: import
                .files
                .iter()
                .map(|file| ImportedFile {
                    name: file.name.to_string(),
                    sha256: file.sha256.to_string(),
                    bytes: file.bytes,
                })
                .collect(),
            file_count: import.file_count,
            counts: ImportCounts {
                nodes_added: counts.nodes_added,
                nodes_changed: counts.nodes_changed,
                nodes_gone: counts.nodes_gone,
                nodes_back: counts.nodes_back,
                edges_added: counts.edges_added,
                edges_changed: counts.edges_changed,
                edges_gone: counts.edges_gone,
                edges_back: counts.edges_back,
            },
            changes: import
                .changes
                .iter()
                .map(|change| ImportChange {
                    how: govern::word(change.how),
                    key: change.key.clone(),
                    relation: change.relation.map(govern::word),
                    to: change.to.clone(),
                    fields: change.fields.clone(),
                })
                .collect(),
            change_count: import.change_count,
            contradictions: import
                .contradictions
                .iter()
                .map(|(key, fields)| Contradiction { key: key.clone(), fields: fields.clone() })
                .collect(),
            contradiction_count: import.contradiction_count,
            skipped: import
                .skipped
                .iter()
                .map(|skipped| SkippedRows {
                    reason: skipped.reason.clone(),
                    count: skipped.count,
                    file: skipped.file.clone(),
                    first: skipped.first.as_ref().map(ToString::to_string),
                })
                .collect(),
        }
    }
}

/// How far something long is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkStep {
    pub phase: String,
    /// What is being read, where files are.
    pub file: String,
    pub done: u64,
    /// 0 where nobody knows.
    pub of: u64,
}

impl From<govern::Step> for WorkStep {
    fn from(step: govern::Step) -> Self {
        Self { phase: step.phase.to_owned(), file: step.file, done: step.done, of: step.of }
    }
}

/// A part of a source, and its newest import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstateSource {
    pub part: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
}

/// How many there are of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KindCount {
    pub kind: String,
    pub count: u64,
}

/// How the newest import ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastImport {
    pub import: Option<EstateImport>,
    /// Why it did nothing.
    pub fault: Option<String>,
}

/// The estate: what there is, and what is going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstateStatus {
    /// Why it cannot be asked now.
    pub not_ready: Option<String>,
    pub nodes: u64,
    pub edges: u64,
    pub kinds: Vec<KindCount>,
    pub sources: Vec<EstateSource>,
    pub imports: u64,
    pub importing: Option<WorkStep>,
    pub last_import: Option<LastImport>,
    pub assessing: Option<WorkStep>,
    /// The date of the assessment that answers.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub assessed: Option<Instant>,
    /// Whether that is of the estate as it is now.
    pub current: bool,
    /// Why the newest assessment did not come about.
    pub failed: Option<String>,
    /// Things that a person is to classify, and how many nobody has.
    pub classifiable: u64,
    pub unclassified: u64,
    /// Of the inventory in its saved form, as it was assessed.
    pub inventory_sha256: Option<String>,
}

impl From<govern::Status> for EstateStatus {
    fn from(status: govern::Status) -> Self {
        let assessed = status.assessed.as_deref();
        Self {
            not_ready: status.not_ready.map(|why| why.to_string()),
            nodes: status.nodes as u64,
            edges: status.edges as u64,
            kinds: assessed
                .map(|assessed| assessed.population.iter())
                .into_iter()
                .flatten()
                .map(|counted| KindCount { kind: govern::word(counted.kind), count: counted.count })
                .collect(),
            sources: status.sources.iter().map(|(part, at)| EstateSource { part: part.to_string(), at: *at }).collect(),
            imports: status.imports as u64,
            importing: status.importing.map(WorkStep::from),
            last_import: status.last.map(|last| match last {
                Ok(import) => LastImport { import: Some(EstateImport::from(&*import)), fault: None },
                Err(fault) => LastImport { import: None, fault: Some(fault.to_string()) },
            }),
            assessing: status.assessing.map(WorkStep::from),
            assessed: assessed.map(|assessed| assessed.as_of),
            current: status.current,
            failed: status.failed,
            classifiable: assessed.map_or(0, |assessed| assessed.classifiable),
            unclassified: assessed.map_or(0, |assessed| assessed.unclassified),
            inventory_sha256: assessed.map(|assessed| assessed.inventory_sha256.clone()),
        }
    }
}

/// Which nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NodesQuery {
    /// Part of a name, key, address or account name.
    pub search: Option<String>,
    /// `account`, `human`, `service`, `group`, `device`, `resource` and so on.
    pub kind: Option<String>,
    /// The system of a source, such as `active-directory`.
    pub source: Option<String>,
    /// Only what an indicator of the health check found.
    #[serde(default)]
    pub found: bool,
    /// Only what a person is to classify and nobody has.
    #[serde(default)]
    pub unclassified: bool,
    /// A query of the health check's language (docs/health.md) instead of the others.
    pub query: Option<String>,
    /// `name`, or `findings`: the worst first.
    pub sort: Option<String>,
    /// From the `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; 50 if absent.
    pub limit: Option<u16>,
}

/// A node in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstateNode {
    pub key: String,
    pub name: String,
    pub kind: String,
    /// Absent: no source says.
    pub enabled: Option<bool>,
    pub gone: bool,
    pub tier: Option<String>,
    pub tier_zero: bool,
    /// The systems that know it.
    pub systems: Vec<String>,
    /// How many indicators found it, and the severity of the worst.
    pub findings: u64,
    pub worst: Option<String>,
}

impl From<&govern::NodeRow> for EstateNode {
    fn from(row: &govern::NodeRow) -> Self {
        Self {
            key: row.key.clone(),
            name: row.name.clone(),
            kind: govern::word(row.kind),
            enabled: row.enabled,
            gone: row.gone,
            tier: row.tier.map(|tier| tier.name().to_owned()),
            tier_zero: row.tier_zero,
            systems: row.systems.clone(),
            findings: row.findings as u64,
            worst: row.worst.map(govern::word),
        }
    }
}

/// A page of nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstateNodes {
    /// Of all pages.
    pub total: u64,
    /// Of a query: of how many it cannot be told.
    pub unknown: Option<u64>,
    pub items: Vec<EstateNode>,
    /// Give it as `cursor` to get the next page; absent on the last one.
    pub next: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub assessed: Option<Instant>,
}

/// Which node. Keys are long and hold every character, so they stand in the query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NodeQuery {
    /// Its key, or a name that only it has.
    pub key: String,
}

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstateEvidence {
    /// System, realm and part.
    pub part: String,
    #[schema(value_type = String, format = DateTime)]
    pub first: Instant,
    #[schema(value_type = String, format = DateTime)]
    pub last: Instant,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub gone: Option<Instant>,
    pub file: String,
    /// The line, or the JSON pointer.
    pub place: String,
    pub sha256: String,
}

impl From<&govern::SeenAt> for EstateEvidence {
    fn from(seen: &govern::SeenAt) -> Self {
        Self {
            part: seen.part.clone(),
            first: seen.first,
            last: seen.last,
            gone: seen.gone,
            file: seen.file.clone(),
            place: seen.place.clone(),
            sha256: seen.sha256.clone(),
        }
    }
}

/// An attribute as a source says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstateAttribute {
    pub name: String,
    pub value: String,
}

/// What one source says of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstateFacts {
    pub evidence: EstateEvidence,
    pub kind: String,
    pub name: String,
    pub attributes: Vec<EstateAttribute>,
}

/// An edge of the inventory, with the node at its other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstateEdge {
    pub relation: String,
    pub node: EstateNode,
    pub gone: bool,
    pub evidence: Vec<EstateEvidence>,
    /// It holds only under these, in the sources' own words.
    pub conditions: Vec<String>,
}

impl From<&govern::EdgeLine> for EstateEdge {
    fn from(line: &govern::EdgeLine) -> Self {
        Self {
            relation: govern::word(line.relation),
            node: EstateNode::from(&line.node),
            gone: line.gone,
            evidence: line.seen.iter().map(|seen| EstateEvidence::from(&seen.at)).collect(),
            conditions: line.seen.iter().filter_map(|seen| seen.condition.clone()).collect(),
        }
    }
}

/// A page of edges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EstateEdges {
    /// Of all pages.
    pub total: u64,
    pub items: Vec<EstateEdge>,
    pub next: Option<String>,
}

/// Which edges of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EdgesQuery {
    pub key: String,
    /// `outgoing` (what it has power over) or `incoming`.
    pub direction: String,
    pub cursor: Option<String>,
    /// 1 to 200; 50 if absent.
    pub limit: Option<u16>,
}

/// Another node that is the same person or programme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkedIdentity {
    pub node: EstateNode,
    pub basis: String,
}

/// What a thing probably is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClassificationSuggestion {
    pub tier: Option<String>,
    pub owner: Option<String>,
    pub segment: Option<String>,
    pub because: String,
}

impl From<&govern::Suggestion> for ClassificationSuggestion {
    fn from(one: &govern::Suggestion) -> Self {
        Self {
            tier: one.tier.map(|tier| tier.name().to_owned()),
            owner: one.owner.clone(),
            segment: one.segment.clone(),
            because: one.because.clone(),
        }
    }
}

/// Everything about one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EstateNodePage {
    pub node: EstateNode,
    pub facts: Vec<EstateFacts>,
    pub linked: Vec<LinkedIdentity>,
    /// As the health check tells them: indicator and evidence.
    pub findings: Vec<serde_json::Value>,
    pub outgoing: EstateEdges,
    pub incoming: EstateEdges,
    pub owner: Option<String>,
    pub segment: Option<String>,
    /// Who said what it is, and when.
    pub classified_by: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub classified_at: Option<Instant>,
    pub suggestions: Vec<ClassificationSuggestion>,
    /// As `/graph/blast-radius` tells it, with a shortest way to tier zero.
    pub radius: Option<serde_json::Value>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub assessed: Option<Instant>,
}

/// Two identities that may be one, or that are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentityPair {
    pub one: EstateNode,
    pub other: EstateNode,
    /// Of a proposal: of 100.
    pub score: Option<u32>,
    /// Why they are, or may be, one.
    pub reasons: Vec<String>,
}

/// Which pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LinksQuery {
    /// `proposed` (if absent) or `linked`.
    pub state: Option<String>,
    pub cursor: Option<String>,
    /// 1 to 200; 50 if absent.
    pub limit: Option<u16>,
}

/// A page of pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdentityPairs {
    pub total: u64,
    pub items: Vec<IdentityPair>,
    pub next: Option<String>,
}

/// A person's word on two identities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkDecision {
    pub one: String,
    pub other: String,
    pub same: bool,
}

/// At most 200, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkDecisions {
    pub decisions: Vec<LinkDecision>,
}

/// A person's word on what a thing is, in place of what was said before. Nothing said takes it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassificationBody {
    pub key: String,
    /// `crown-jewel`, `high`, `standard` or `public`.
    pub tier: Option<String>,
    /// A key of the estate, or a name.
    pub owner: Option<String>,
    pub segment: Option<String>,
}

/// At most 200, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassificationsBody {
    pub items: Vec<ClassificationBody>,
}

/// The health check, on a date.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HealthQuery {
    /// The date of the assessment, if absent.
    #[param(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Instant>,
    /// One indicator alone, with all its findings. Without it each has its first ten.
    pub indicator: Option<String>,
}

/// Whose blast radius.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RadiusQuery {
    /// A key, or a name that only it has. Absent: the summary of all.
    pub of: Option<String>,
}

/// From where to where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PathsQuery {
    /// A key, or a name that only it has.
    pub from: String,
    /// A key or a name; all of tier zero, if absent.
    pub to: Option<String>,
    /// The least effort instead of the fewest steps.
    #[serde(default)]
    pub by_effort: bool,
    /// How many of the shortest: 1 to 100; 10 if absent.
    pub limit: Option<u16>,
}
