//! A small estate of our own, read and assessed as any other.

use std::ops::ControlFlow;

use countersign_assess::{Assessment, Own, Parameters, Snapshot};
use countersign_estate::{Input, Inventory, Limits, Watch, read};

use super::sample::NOON;
use crate::{Content, Pack};

/// An administrator whose password never expires, somebody who may reset it, and a name that would like to be markup.
pub(super) const FILE: &str = r#"{"data":[
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1101","PrimaryGroupSID":"S-1-5-21-1-2-3-512","AllowedToDelegate":[],
  "Properties":{"domain":"CORP.EXAMPLE","name":"ANA@CORP.EXAMPLE","enabled":true,"pwdneverexpires":true,"hasspn":true,
   "lastlogon":0,"lastlogontimestamp":1690000000,"pwdlastset":1600000000,"serviceprincipalnames":["http/web"]},
  "Aces":[{"PrincipalSID":"S-1-5-21-1-2-3-1102","PrincipalType":"User","RightName":"ForceChangePassword","IsInherited":false}]},
 {"ObjectIdentifier":"S-1-5-21-1-2-3-1102","PrimaryGroupSID":"S-1-5-21-1-2-3-513","AllowedToDelegate":[],
  "Properties":{"domain":"CORP.EXAMPLE","name":"<B>EN</B>@CORP.EXAMPLE","enabled":true,"pwdneverexpires":false,
   "lastlogontimestamp":1795000000,"pwdlastset":1795000000},"Aces":[]}
],"meta":{"methods":7,"type":"users","count":2,"version":6}}"#;

pub(super) struct Estate {
    pub(super) inventory: Inventory,
    pub(super) assessment: Assessment,
}

impl Estate {
    pub(super) fn new() -> Self {
        let inputs = [Input { name: "users.json", bytes: FILE.as_bytes() }];
        let batch = read(&inputs, &Limits::default(), &mut Watch::new(&mut |_| ControlFlow::Continue(())));
        let mut inventory = Inventory::new();
        inventory.merge(&batch.unwrap(), NOON).unwrap();
        let projection = inventory.project().unwrap();
        let (own, parameters) = (Own::default(), Parameters::default());
        let assessment = Assessment::of(&inventory, &projection, &own, &parameters, NOON).unwrap();
        let assessment = assessment.named(Some("Example & Sons".to_owned()));
        Self { inventory, assessment }
    }

    pub(super) fn content<'e>(&'e self, before: Option<&'e Snapshot>) -> Content<'e> {
        Content { assessment: &self.assessment, files: self.inventory.files(), before, trend: &[] }
    }

    pub(super) fn pack(&self) -> Pack {
        Pack::of(&self.content(None)).unwrap()
    }

    /// The same assessment, as if it had been made before, and found more.
    pub(super) fn before(&self) -> Snapshot {
        let mut before = serde_json::to_value(Snapshot::of(&self.assessment)).unwrap();
        before["as-of"] = "2026-06-01T12:00:00Z".into();
        before["findings"]["password-never-expires"] = 7.into();
        before["steps"]["long-gone"] = 3.into();
        before["reach-tier-zero"] = 40.into();
        serde_json::from_value(before).unwrap()
    }
}
