//! The inventory as the graph that is computed on: what is still there, in the kinds of `countersign_graph`, with what only
//! follows from several statements together. Every edge of the graph says what it rests on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use countersign_graph::{
    BuildError, Builder, Edge as GraphEdge, EdgeKind, Evidence as GraphEvidence, Graph, NodeId, NodeKind,
};

use crate::inventory::{Inventory, Node};
use crate::observation::{Kind, Relation};
use crate::sid;

/// What an edge of the graph rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Because {
    /// One edge of the inventory, by its index.
    Edge(u32),
    /// Both rights together replicate a domain: edges of the inventory that give one of them each, to groups that the
    /// holder may be a member of.
    BothReplicationRights { changes: Arc<[u32]>, all: Arc<[u32]> },
    /// Every account of a Windows domain is a member of these groups, and no directory says so.
    EveryAccount,
}

/// A graph, and the evidence that its edges point to by their number.
#[derive(Debug)]
pub struct Projection {
    pub graph: Graph,
    pub because: Vec<Because>,
    /// Edges of the inventory that open nothing by themselves, such as one of two rights that are needed together.
    pub left_out: u64,
}

impl Inventory {
    /// # Errors
    /// When there are more nodes or edges than a graph can number.
    pub fn project(&self) -> Result<Projection, BuildError> {
        let mut builder = Builder::new();
        builder.reserve(self.nodes().len(), self.edges().len());
        let mut ids = Vec::with_capacity(self.nodes().len());
        let mut kinds = Vec::with_capacity(self.nodes().len());
        let mut accounts = Vec::new();
        for node in self.nodes() {
            let kind = node.kind();
            kinds.push(kind);
            // What is gone keeps its number, so that numbers agree, but none of its edges.
            let id = builder.node(&node.key, node_kind(kind))?;
            ids.push(id);
            let attributes = node.attributes();
            builder.set_enabled(id, attributes.enabled.unwrap_or(true) && !node.is_gone())?;
            builder.set_tier(id, self.tier(node))?;
            builder.set_tier_zero(id, is_tier_zero(node, kind, attributes.domain_controller, attributes.high_value))?;
            if matches!(kind, Kind::Account | Kind::Service | Kind::Device) && !node.is_gone() {
                accounts.extend(attributes.domain.map(|domain| (id, domain.to_ascii_uppercase())));
            }
        }
        let mut building = Building { inventory: self, builder, ids, kinds, because: Vec::new(), left_out: 0 };
        building.told()?;
        building.every_account(&accounts)?;
        building.replication()?;
        let Building { builder, because, left_out, .. } = building;
        Ok(Projection { graph: builder.finish(), because, left_out })
    }
}

/// Whoever has it has everything: by what it is in every domain, or because its source counts it so.
fn is_tier_zero(node: &Node, kind: Kind, controller: Option<bool>, high_value: Option<bool>) -> bool {
    let domain = kind == Kind::Scope && node.key.starts_with("sid:");
    domain || sid::is_tier_zero(&node.key) || controller == Some(true) || high_value == Some(true)
}

const fn node_kind(kind: Kind) -> NodeKind {
    match kind {
        Kind::Unknown => NodeKind::Unknown,
        // Who uses it is not told: it can be compromised like a person's.
        Kind::Account | Kind::Human => NodeKind::Human,
        Kind::Service => NodeKind::Service,
        Kind::Agent => NodeKind::Agent,
        Kind::Key => NodeKind::Key,
        Kind::Group => NodeKind::Group,
        Kind::Role => NodeKind::Role,
        Kind::Entitlement => NodeKind::Entitlement,
        Kind::Device => NodeKind::Device,
        Kind::Workload => NodeKind::Workload,
        Kind::Resource => NodeKind::Resource,
        Kind::Segment => NodeKind::Segment,
        Kind::Policy => NodeKind::Settings,
        Kind::Container => NodeKind::Container,
        Kind::Scope => NodeKind::Domain,
    }
}

/// What a relation means towards a target of this kind, and whether the graph reads it from its second end.
const fn edge_kind(relation: Relation, target: Kind) -> Option<(EdgeKind, bool)> {
    use Relation as R;
    let kind = match relation {
        R::MemberOf => EdgeKind::MemberOf,
        R::HasEntitlement => EdgeKind::HasEntitlement,
        R::Contains => EdgeKind::Contains,
        R::AppliesTo => EdgeKind::AppliesTo,
        R::Administers => EdgeKind::Administers,
        R::Owns => EdgeKind::Owns,
        R::FullControl => EdgeKind::FullControl,
        R::WriteOwner => EdgeKind::CanTakeOwnership,
        R::WritePermissions => EdgeKind::CanChangePermissions,
        R::WriteAttributes
        | R::WriteServicePrincipal
        | R::WriteDelegation
        | R::WriteAccountRestrictions
        | R::WriteGroupPolicyLink => EdgeKind::CanWrite,
        R::AllExtendedRights => match target {
            Kind::Scope => EdgeKind::CanDcSync,
            Kind::Device => EdgeKind::CanReadCredential,
            Kind::Account | Kind::Human | Kind::Service => EdgeKind::CanResetPassword,
            // Towards groups and units the rights are empty.
            _ => return None,
        },
        R::ResetPassword => EdgeKind::CanResetPassword,
        R::AddMember | R::AddSelf => EdgeKind::CanAddMember,
        R::AddKeyCredential | R::CreateCredential => EdgeKind::CanAddCredential,
        R::ReadLocalPassword | R::ReadManagedPassword => EdgeKind::CanReadCredential,
        R::DcSync => EdgeKind::CanDcSync,
        R::HasSession => EdgeKind::HasSession,
        R::HoldsKey => EdgeKind::HoldsKey,
        R::RunsAs => EdgeKind::RunsAs,
        R::DelegatesTo | R::ActsOnBehalf => EdgeKind::CanDelegate,
        R::HasSidHistory => EdgeKind::AuthenticatesAs,
        R::RemoteDesktop | R::LogsOnTo => EdgeKind::LogsOnTo,
        R::RemoteDcom | R::RemotePowerShell | R::SqlAdministrator => EdgeKind::CanExecute,
        // The graph's sentence is the other way round: the second trusts the first.
        R::TrustedBy => return Some((EdgeKind::Trusts, true)),
        R::ManageAuthority => EdgeKind::CanIssueCertificate,
        R::Assume | R::PassRole => EdgeKind::CanAssume,
        R::ChangePermissions => EdgeKind::CanGrant,
        R::Permits | R::Enroll => EdgeKind::CanAccess,
        R::GetChanges | R::GetChangesAll | R::GetChangesFiltered => return None,
    };
    Some((kind, false))
}

struct Building<'i> {
    inventory: &'i Inventory,
    builder: Builder,
    /// By the inventory's number of a node.
    ids: Vec<NodeId>,
    kinds: Vec<Kind>,
    because: Vec<Because>,
    left_out: u64,
}

impl Building<'_> {
    fn add(&mut self, from: NodeId, kind: EdgeKind, to: NodeId, because: Because) -> Result<(), BuildError> {
        self.conditional(from, kind, to, because, false)
    }

    fn conditional(
        &mut self,
        from: NodeId,
        kind: EdgeKind,
        to: NodeId,
        because: Because,
        conditional: bool,
    ) -> Result<(), BuildError> {
        let evidence = GraphEvidence(u32::try_from(self.because.len()).unwrap_or(u32::MAX));
        let edge = GraphEdge { conditional, ..GraphEdge::granted(from, kind, to, evidence) };
        self.builder.edge(edge)?;
        self.because.push(because);
        Ok(())
    }

    fn id(&self, node: u32) -> Option<NodeId> {
        self.ids.get(node as usize).copied()
    }

    fn told(&mut self) -> Result<(), BuildError> {
        for (number, edge) in (0u32..).zip(self.inventory.edges()) {
            if edge.is_gone() {
                continue;
            }
            let target = self.kinds.get(edge.to as usize).copied().unwrap_or(Kind::Unknown);
            let (Some(from), Some(to)) = (self.id(edge.from), self.id(edge.to)) else { continue };
            match edge_kind(edge.relation, target) {
                Some((kind, turned)) => {
                    let (from, to) = if turned { (to, from) } else { (from, to) };
                    self.conditional(from, kind, to, Because::Edge(number), edge.is_conditional())?;
                }
                None => self.left_out += 1,
            }
        }
        Ok(())
    }

    /// "Everyone" and "Authenticated Users", where a right was given to them.
    fn every_account(&mut self, accounts: &[(NodeId, String)]) -> Result<(), BuildError> {
        let mut groups: HashMap<&str, Vec<NodeId>> = HashMap::new();
        for (node, id) in self.inventory.nodes().iter().zip(&self.ids) {
            let everyone = ["/S-1-1-0", "/S-1-5-11"].iter().find_map(|suffix| node.key.strip_suffix(suffix));
            if let Some(domain) = everyone.and_then(|key| key.strip_prefix("sid:")) {
                groups.entry(domain).or_default().push(*id);
            }
        }
        let mut memberships = Vec::new();
        for (account, domain) in accounts {
            let groups = groups.get(domain.as_str()).map_or(&[][..], Vec::as_slice);
            memberships.extend(groups.iter().map(|group| (*account, *group)));
        }
        memberships.sort();
        memberships.dedup();
        for (account, group) in memberships {
            self.add(account, EdgeKind::MemberOf, group, Because::EveryAccount)?;
        }
        Ok(())
    }

    /// Each of the two rights may come to somebody by another group.
    fn replication(&mut self) -> Result<(), BuildError> {
        let mut domains: BTreeMap<u32, BothRights> = BTreeMap::new();
        for (number, edge) in (0u32..).zip(self.inventory.edges()) {
            match edge.relation {
                _ if edge.is_gone() => {}
                Relation::GetChanges => domains.entry(edge.to).or_default().0.push(number),
                Relation::GetChangesAll => domains.entry(edge.to).or_default().1.push(number),
                _ => {}
            }
        }
        if domains.is_empty() {
            return Ok(());
        }
        let mut members: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        let graph = self.builder.graph();
        for edge in graph.edge_ids().filter_map(|id| graph.edge(id)) {
            if edge.kind == EdgeKind::MemberOf {
                members.entry(edge.to).or_default().push(edge.from);
            }
        }
        for (domain, (changes, all)) in domains {
            let Some(domain) = self.id(domain) else { continue };
            let holders = |edges: &[u32]| {
                let from = edges.iter().filter_map(|edge| self.inventory.edges().get(*edge as usize));
                with_members(from.filter_map(|edge| self.id(edge.from)), &members)
            };
            let (some, other) = (holders(&changes), holders(&all));
            let mut both: Vec<NodeId> = some.intersection(&other).copied().collect();
            both.sort();
            // Shared: there may be as many holders as there are rights.
            let (changes, all): (Arc<[u32]>, Arc<[u32]>) = (changes.into(), all.into());
            for holder in both {
                let because = Because::BothReplicationRights { changes: Arc::clone(&changes), all: Arc::clone(&all) };
                self.add(holder, EdgeKind::CanDcSync, domain, because)?;
            }
        }
        Ok(())
    }
}

/// The edges that give one of the two rights of replication, and those that give the other.
type BothRights = (Vec<u32>, Vec<u32>);

/// These, and whoever is a member of them through any number of groups.
fn with_members(holders: impl Iterator<Item = NodeId>, members: &HashMap<NodeId, Vec<NodeId>>) -> HashSet<NodeId> {
    let mut waiting: Vec<NodeId> = holders.collect();
    let mut found: HashSet<NodeId> = waiting.iter().copied().collect();
    while let Some(group) = waiting.pop() {
        for member in members.get(&group).map_or(&[][..], Vec::as_slice) {
            if found.insert(*member) {
                waiting.push(*member);
            }
        }
    }
    found
}
