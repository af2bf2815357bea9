//! Collections of each version, and graphs as lines.

use super::{COMPUTERS, GROUPS, NOON, USERS, batch, edges, import, inventory, reasons, saved, sid, zipped};
use crate::{Factor, Inventory, Kind, Moment, Relation, SignIn, SignInKind};

#[test]
fn a_collection_becomes_nodes_and_edges() {
    let mut inventory = Inventory::new();
    let files = [("users", USERS.as_bytes()), ("groups", GROUPS.as_bytes()), ("computers", COMPUTERS.as_bytes())];
    let report = inventory.merge(&batch(&files), NOON).unwrap();
    use Relation as R;
    let administrators = "sid:CORP.EXAMPLE/S-1-5-32-544".to_owned();
    let mut expected = vec![
        (sid(1101), R::MemberOf, sid(513)),
        (sid(1101), R::DelegatesTo, sid(1201)),
        (sid(1102), R::ResetPassword, sid(1101)),
        (sid(1102), R::MemberOf, sid(513)),
        (sid(1101), R::MemberOf, sid(512)),
        (sid(512), R::MemberOf, administrators),
        (sid(1201), R::MemberOf, sid(515)),
        (sid(1201), R::HasSession, sid(1101)),
        (sid(512), R::Administers, sid(1201)),
    ];
    expected.sort();
    assert_eq!(edges(&inventory), expected);
    assert_eq!(
        reasons(&report),
        [
            ("a right that opens nothing that is known here", 1),
            ("could not be collected: sessions, local groups or rights of a device", 1)
        ]
    );
    assert_eq!(report.changes.counts.nodes_added, 5);
}

#[test]
fn attributes_say_never_and_unknown_apart_and_keep_no_secret() {
    let inventory = inventory(USERS);
    let ana = inventory.node(&sid(1101)).unwrap().attributes();
    assert_eq!(ana.enabled, Some(true));
    assert_eq!(ana.password_never_expires, Some(true));
    assert_eq!(ana.password_in_directory, Some(true));
    assert_eq!(ana.factors, None::<Vec<Factor>>);
    assert_eq!(
        ana.sign_ins,
        [
            SignIn {
                kind: SignInKind::Replicated,
                when: Moment::At(countersign_model::Timestamp::from_seconds(1_690_000_000))
            },
            SignIn { kind: SignInKind::OneController, when: Moment::Never },
        ]
    );
    let ben = inventory.node(&sid(1102)).unwrap().attributes();
    assert_eq!(ben.enabled, Some(false));
    assert_eq!(ben.password_never_expires, None);
    assert_eq!(ben.sign_ins, [SignIn { kind: SignInKind::Replicated, when: Moment::Never }]);
    assert!(!saved(&inventory).contains("hunter2"));
}

#[test]
fn zipped_and_loose_are_the_same() {
    let loose = batch(&[("a:users.json", USERS.as_bytes()), ("a:groups.json", GROUPS.as_bytes())]);
    let archive = zipped(&[("users.json", USERS.as_bytes()), ("groups.json", GROUPS.as_bytes())]);
    let packed = batch(&[("a", &archive)]);
    let (mut one, mut other) = (Inventory::new(), Inventory::new());
    one.merge(&loose, NOON).unwrap();
    other.merge(&packed, NOON).unwrap();
    assert_eq!(saved(&one), saved(&other));
}

#[test]
fn evidence_leads_back_to_the_place() {
    let inventory = inventory(USERS);
    let edge = inventory.edge(&sid(1102), Relation::ResetPassword, &sid(1101)).unwrap();
    let cited = inventory.cite(&edge.sightings[0].evidence);
    assert!(cited.starts_with("file, /data/0/Aces/0 (SHA-256 "), "{cited}");
}

#[test]
fn version_three_is_read() {
    let text = r#"{"computers":[
      {"ObjectIdentifier":"S-1-5-21-1-2-3-1201","PrimaryGroupSid":"S-1-5-21-1-2-3-515","AllowedToDelegate":["DB.CORP.EXAMPLE"],
       "Properties":{"domain":"CORP.EXAMPLE","name":"WEB.CORP.EXAMPLE"},
       "AllowedToAct":[{"MemberId":"S-1-5-21-1-2-3-1101","MemberType":"User"}],
       "LocalAdmins":[{"MemberId":"S-1-5-21-1-2-3-512","MemberType":"Group"}],
       "Sessions":[{"UserId":"S-1-5-21-1-2-3-1101","ComputerId":"S-1-5-21-1-2-3-1201"}],
       "Aces":[{"PrincipalSID":"S-1-5-21-1-2-3-1102","PrincipalType":"User","RightName":"ExtendedRight","AceType":"All","IsInherited":false}]},
      {"ObjectIdentifier":"S-1-5-21-1-2-3-1202","Properties":{"domain":"CORP.EXAMPLE","name":"DB.CORP.EXAMPLE"}}
     ],"meta":{"type":"computers","count":2,"version":3}}"#;
    use Relation as R;
    let mut expected = vec![
        (sid(1201), R::MemberOf, sid(515)),
        (sid(1201), R::DelegatesTo, sid(1202)),
        (sid(1101), R::ActsOnBehalf, sid(1201)),
        (sid(512), R::Administers, sid(1201)),
        (sid(1201), R::HasSession, sid(1101)),
        (sid(1102), R::AllExtendedRights, sid(1201)),
    ];
    expected.sort();
    assert_eq!(edges(&inventory(text)), expected);
}

#[test]
fn a_trust_is_one_edge_for_each_direction() {
    let text = r#"{"data":[{"ObjectIdentifier":"S-1-5-21-1-2-3","Properties":{"domain":"CORP.EXAMPLE","name":"CORP.EXAMPLE"},
      "Trusts":[{"TargetDomainSid":"S-1-5-21-7-8-9","TrustDirection":"Inbound","SidFilteringEnabled":true},
                {"TargetDomainSid":"S-1-5-21-4-5-6","TrustDirection":3,"SidFilteringEnabled":false}],
      "Links":[{"GUID":"AAAAAAAA-0000-0000-0000-000000000001","IsEnforced":true}],"ChildObjects":[],"Aces":[]}],
      "meta":{"type":"domains","count":1,"version":5}}"#;
    let inventory = inventory(text);
    let (own, other) = ("sid:S-1-5-21-1-2-3", "sid:S-1-5-21-7-8-9");
    assert!(inventory.edge(own, Relation::TrustedBy, other).unwrap().is_conditional());
    assert!(inventory.edge(other, Relation::TrustedBy, own).is_none());
    assert!(inventory.edge(own, Relation::TrustedBy, "sid:S-1-5-21-4-5-6").is_some());
    assert!(inventory.edge("sid:S-1-5-21-4-5-6", Relation::TrustedBy, own).is_some());
    assert!(inventory.edge("guid:AAAAAAAA-0000-0000-0000-000000000001", Relation::AppliesTo, own).is_some());
}

const LINES: &str = r#"{"type":"relationship","id":"r0","properties":{"isacl":false},"start":{"id":"1","labels":["Base"]},"end":{"id":"2","labels":["Base"]},"label":"MemberOf"}
{"id":"1","labels":["Base","Group","User"],"properties":{"domain":"CORP.EXAMPLE","name":"ANA@CORP.EXAMPLE","objectid":"S-1-5-21-1-2-3-1101","enabled":[false],"serviceprincipalnames":"","hasspn":true,"displayname":"null","lastlogon":-1},"type":"node"}
{"id":"2","labels":["Base","Group"],"properties":{"domain":"CORP.EXAMPLE","name":"ADMINISTRATORS@CORP.EXAMPLE","objectid":"CORP.EXAMPLE-S-1-5-32-544"},"type":"node"}
{"type":"relationship","id":"r1","start":{"id":"1"},"end":{"id":"99"},"label":"AdminTo"}
{"type":"relationship","id":"r2","start":{"id":"1"},"end":{"id":"2"},"label":"RemoteInteractiveLogonRight"}
"#;

#[test]
fn lines_of_nodes_and_edges_are_read_in_any_order() {
    let mut inventory = Inventory::new();
    let report = import(&mut inventory, LINES, NOON);
    let administrators = "sid:CORP.EXAMPLE/S-1-5-32-544".to_owned();
    assert_eq!(edges(&inventory), [(sid(1101), Relation::MemberOf, administrators)]);
    let ana = inventory.node(&sid(1101)).unwrap();
    assert_eq!(ana.kind(), Kind::Account);
    assert_eq!(ana.attributes().enabled, Some(false));
    assert_eq!(ana.attributes().display_name, None);
    assert_eq!(ana.attributes().has_service_principal, Some(true));
    assert_eq!(
        reasons(&report),
        [
            ("an edge of a kind that opens nothing that is known here", 1),
            ("an end that none of the files describes", 1),
        ]
    );
}

#[test]
fn an_open_graph_is_read() {
    let text = r#"{"metadata":{"source_kind":"X"},"graph":{
      "nodes":[{"id":"S-1-5-21-1-2-3-1101","kinds":["User"],"properties":{"name":"ANA"}},{"id":"vault-7","kinds":["Vault"],"properties":{"name":"VAULT"}}],
      "edges":[{"kind":"GenericAll","start":{"value":"S-1-5-21-1-2-3-1101"},"end":{"match_by":"name","value":"VAULT"}}]}}"#;
    assert_eq!(edges(&inventory(text)), [(sid(1101), Relation::FullControl, "object:vault-7".to_owned())]);
}
