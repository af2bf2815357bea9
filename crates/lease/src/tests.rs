//! The gate gives a lease only with a receipt, a cut reaches every holder, and the end is told once.
#![expect(clippy::unwrap_used, reason = "a test may stop")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_ledger::{Entry, EntryBody, Ledger, Options, SigningKey};
use countersign_model::{
    AccessRequest, Action, ActionClass, Credential, DecisionId, DeviceEvidence, EnforcementPoint, Entitled, LeaseId,
    Resource, ResourceId, ResourceKind, Route, Source, SubjectId, Tier, Timestamp, Upstream,
};
use parking_lot::Mutex;

use crate::{
    Admission, Authority, AuthorityFuture, Catalog, EndReason, Ended, Gate, HandOff, HandOffError, Principal, Refusal,
    RefusalKind, Revocation, RevocationCause, SessionCookie, Tether,
};

#[derive(Debug)]
struct Scripted {
    ledger: Ledger,
    ended: Mutex<Vec<Ended>>,
    tethers: Mutex<Vec<Tether>>,
    /// Whether the tether is cut before the admission is given.
    cut_early: bool,
    next: AtomicU64,
    _directory: tempfile::TempDir,
}

fn scripted(cut_early: bool) -> Arc<Scripted> {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::new("test.example/log", SigningKey::from_seed([1; 32]));
    Arc::new(Scripted {
        ledger: Ledger::open(directory.path(), options).unwrap(),
        ended: Mutex::default(),
        tethers: Mutex::default(),
        cut_early,
        next: AtomicU64::new(1),
        _directory: directory,
    })
}

fn revocation(message: &str) -> Revocation {
    Revocation {
        cause: RevocationCause::FactChanged,
        at: Timestamp::from_seconds(1),
        decision: None,
        message: message.to_owned(),
    }
}

impl Authority for Scripted {
    fn admit(&self, request: AccessRequest, tether: Tether) -> AuthorityFuture<'_, Result<Admission, Refusal>> {
        Box::pin(async move {
            let unavailable = Refusal { decision: None, kind: RefusalKind::Unavailable };
            let body = EntryBody::Started { version: "0".to_owned(), node: request.point.node };
            let entry = Entry { at: Timestamp::from_seconds(1), body };
            let receipt = self.ledger.append(&entry).await.map_err(|_| unavailable)?;
            if self.cut_early {
                tether.cut(revocation("while recorded"));
            }
            self.tethers.lock().push(tether);
            let id = u128::from(self.next.fetch_add(1, Ordering::Relaxed));
            let principal = Principal {
                subject: SubjectId::anonymous(),
                display_name: String::new(),
                email: None,
                groups: vec![],
                session: None,
                device: None,
                resource: ResourceId::new("wiki").unwrap(),
            };
            Ok(Admission::new(LeaseId::from_random(id), DecisionId::from_random(id), receipt, principal))
        })
    }

    fn end(&self, ended: Ended) {
        self.ended.lock().push(ended);
    }

    fn catalog(&self) -> Arc<Catalog> {
        Arc::default()
    }

    fn redeem(&self, _: HandOff) -> AuthorityFuture<'_, Result<SessionCookie, HandOffError>> {
        Box::pin(async { Err(HandOffError::Invalid) })
    }
}

fn request() -> AccessRequest {
    AccessRequest {
        point: EnforcementPoint { node: "n".to_owned(), channel: "http/1.1", caller: None },
        credential: Credential::Absent,
        device: DeviceEvidence::Absent,
        action: Action::http(ActionClass::Read),
        resource: None,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        encrypted: false,
        http: None,
    }
}

#[tokio::test]
async fn a_lease_carries_its_receipt_and_tells_its_end_once() {
    let authority = scripted(false);
    let gate = Gate::new(Arc::clone(&authority) as Arc<dyn Authority>);
    let first = gate.open(request()).await.unwrap();
    let second = gate.open(request()).await.unwrap();
    assert_ne!(first.receipt().index(), second.receipt().index());
    first.usage().add_sent(3);
    first.usage().add_received(4);
    assert!(authority.ended.lock().is_empty());
    let (lease, decision) = (first.id(), first.decision());
    drop(first);
    let expect = Ended { lease, decision, reason: EndReason::Completed, bytes_sent: 3, bytes_received: 4 };
    assert_eq!(*authority.ended.lock(), [expect]);
    drop(second);
    assert_eq!(authority.ended.lock().len(), 2);
}

#[tokio::test]
async fn no_record_no_lease() {
    let authority = scripted(false);
    authority.ledger.clone().close();
    let refusal = Gate::new(Arc::clone(&authority) as Arc<dyn Authority>).open(request()).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unavailable);
    assert!(authority.ended.lock().is_empty(), "what never began does not end");
}

#[tokio::test]
async fn the_first_cut_stays_and_reaches_every_watch() {
    let authority = scripted(false);
    let lease = Gate::new(Arc::clone(&authority) as Arc<dyn Authority>).open(request()).await.unwrap();
    let (early, tether) = (lease.watch(), authority.tethers.lock().pop().unwrap());
    assert!(early.revocation().is_none() && !tether.is_cut());
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn({
                let watch = lease.watch();
                async move { watch.revoked().await }
            })
        })
        .collect();
    tokio::task::yield_now().await;
    assert!(tether.cut(revocation("first")));
    assert!(!tether.cut(revocation("second")));
    for watch in waiting {
        assert_eq!(watch.await.unwrap().message, "first");
    }
    assert_eq!(early.revoked().await.message, "first");
    assert_eq!(lease.watch().revoked().await.message, "first");
    drop(lease);
    let reason = authority.ended.lock().pop().unwrap().reason;
    assert_eq!(reason, EndReason::Revoked(revocation("first")));
}

#[tokio::test]
async fn a_cut_before_the_lease_is_handed_out_is_not_lost() {
    let authority = scripted(true);
    let lease = Gate::new(Arc::clone(&authority) as Arc<dyn Authority>).open(request()).await.unwrap();
    assert_eq!(lease.watch().revoked().await.message, "while recorded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_is_never_missed_whoever_is_first() {
    for _ in 0..2000 {
        let tether = Tether::default();
        let watch = tether.watch();
        let waiting = tokio::spawn(async move { watch.revoked().await });
        let cutting = tokio::spawn(async move { tether.cut(revocation("now")) });
        assert_eq!(waiting.await.unwrap().message, "now");
        assert!(cutting.await.unwrap());
    }
}

#[test]
fn the_longest_prefix_wins_and_hosts_are_apart() {
    let resource = |id: &str, routes: &[(&str, &str)]| {
        let route = |(host, path): &(&str, &str)| Route { host: (*host).into(), path_prefix: (*path).into() };
        Arc::new(Resource {
            id: ResourceId::new(id).unwrap(),
            display_name: id.to_owned(),
            kind: ResourceKind::Http,
            tier: Tier::Standard,
            segment: None,
            owner: None,
            source: Source::Configuration,
            entitled: Entitled::default(),
            routes: routes.iter().map(route).collect(),
            upstream: Upstream::Internal { part: "x".to_owned() },
            rules: vec![],
            observe_until: None,
        })
    };
    let root = resource("root", &[("a", "/"), ("b", "/only")]);
    let admin = resource("admin", &[("a", "/admin")]);
    let deep = resource("deep", &[("a", "/admin/deep")]);
    let twin = resource("twin", &[("a", "/admin")]);
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]];
    let all = [root, admin, deep, twin];
    for order in orders {
        let catalog = Catalog::new(order.iter().filter_map(|&at: &usize| all.get(at).cloned()));
        let check = |host: &str, path: &str, expect: Option<&str>| {
            assert_eq!(catalog.find(host, path).map(|found| found.id.as_str()), expect, "{host}{path}");
        };
        check("a", "/", Some("root"));
        check("a", "/administrator", Some("root"));
        check("a", "/admin", Some("admin"));
        check("a", "/admin/x", Some("admin"));
        check("a", "/admin/deep/x", Some("deep"));
        check("b", "/", None);
        check("b", "/only/x", Some("root"));
        check("c", "/", None);
        assert!(catalog.serves("b") && !catalog.serves("c"));
    }
}
