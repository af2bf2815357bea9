//! A store that makes up as many people and devices as asked for, instead of remembering any.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use countersign_model::{
    Device, DeviceId, DeviceState, Entitled, Fact, Group, GroupId, PostureAspect, PostureValue, Resource, ResourceId,
    ResourceKind, Route, Segment, Source, Subject, SubjectId, SubjectState, Tier, Timestamp, Upstream,
};
use countersign_store::{
    Change, Hash, KeyRecord, LinkRecord, PasskeyRecord, RiskRecord, SessionRecord, Store, StoreError, TokenRecord,
};

#[derive(Debug)]
pub(crate) struct Synthetic {
    pub(crate) people: u32,
}

const GROUPS: u32 = 500;
const RESOURCES: u32 = 100;

pub(crate) fn person(number: u32) -> SubjectId {
    SubjectId::human(&format!("person{number}@example.org")).unwrap()
}

pub(crate) fn laptop(number: u32) -> DeviceId {
    DeviceId::new(format!("laptop-{number}")).unwrap()
}

pub(crate) fn fingerprint(number: u32) -> String {
    format!("{number:064x}")
}

pub(crate) fn application(number: u32) -> ResourceId {
    ResourceId::new(format!("application{}", number % RESOURCES)).unwrap()
}

fn group(number: u32) -> GroupId {
    GroupId::new(format!("team{}", number % GROUPS)).unwrap()
}

pub(crate) fn fact(value: PostureValue) -> Fact<PostureValue> {
    let max_age = Duration::from_secs(900);
    Fact { value, source: Source::DeviceReport, observed: crate::NOW.minus(Duration::from_secs(60)), max_age }
}

impl Store for Synthetic {
    fn commit(&self, _: &[Change]) -> Result<(), StoreError> {
        Ok(())
    }

    fn each_subject(&self, visit: &mut dyn FnMut(Subject)) -> Result<(), StoreError> {
        for number in 0..self.people {
            visit(Subject {
                id: person(number),
                display_name: format!("Person Number {number}"),
                email: Some(format!("person{number}@example.org")),
                owner: None,
                acts_for: None,
                state: SubjectState::Active,
                groups: vec![group(number), group(number / 7), group(number / 13)],
                source: Source::Administrator,
                created: crate::NOW,
                last_used: None,
            });
        }
        Ok(())
    }

    fn each_device(&self, visit: &mut dyn FnMut(Device)) -> Result<(), StoreError> {
        for number in 0..self.people {
            let on = [
                PostureAspect::DiskEncryption,
                PostureAspect::Firewall,
                PostureAspect::ScreenLock,
                PostureAspect::Integrity,
            ];
            let mut posture: BTreeMap<_, _> = on.into_iter().map(|it| (it, fact(PostureValue::On))).collect();
            posture.insert(PostureAspect::PatchAge, fact(PostureValue::Days(3)));
            visit(Device {
                id: laptop(number),
                display_name: format!("Laptop {number}"),
                owner: person(number),
                managed: true,
                state: DeviceState::Active,
                certificate: fingerprint(number),
                certificate_expires: Timestamp::FOREVER,
                enrolled: crate::NOW,
                posture,
            });
        }
        Ok(())
    }

    fn each_risk(&self, _: &mut dyn FnMut(RiskRecord)) -> Result<(), StoreError> {
        Ok(())
    }

    fn each_session(&self, visit: &mut dyn FnMut(SessionRecord)) -> Result<(), StoreError> {
        for record in crate::sessions(self.people) {
            visit(record);
        }
        Ok(())
    }

    fn groups(&self) -> Result<Vec<Group>, StoreError> {
        let member_of = |number: u32| if number >= 50 { vec![group(number % 50)] } else { Vec::new() };
        let make = |number| Group {
            id: group(number),
            display_name: format!("Team {number}"),
            member_of: member_of(number),
            source: Source::Administrator,
        };
        Ok((0..GROUPS).map(make).chain(built_in()).collect())
    }

    fn segments(&self) -> Result<Vec<Segment>, StoreError> {
        Ok(Vec::new())
    }

    fn resources(&self) -> Result<Vec<Resource>, StoreError> {
        let make = |number: u32| Resource {
            id: application(number),
            display_name: format!("Application {number}"),
            kind: ResourceKind::Http,
            tier: if number.is_multiple_of(4) { Tier::CrownJewel } else { Tier::High },
            segment: None,
            owner: None,
            source: Source::Configuration,
            routes: vec![Route { host: format!("application{number}.localhost"), path_prefix: "/".to_owned() }],
            upstream: Upstream::Internal { part: "none".to_owned() },
            rules: Vec::new(),
            entitled: Entitled { writers: (0..50).map(group).collect(), ..Entitled::default() },
            observe_until: None,
        };
        Ok((0..RESOURCES).map(make).collect())
    }

    fn exceptions(&self) -> Result<Vec<countersign_model::Exception>, StoreError> {
        Ok(Vec::new())
    }

    fn reviews(&self) -> Result<Vec<countersign_model::Review>, StoreError> {
        Ok(Vec::new())
    }

    fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        Ok(Vec::new())
    }

    fn passkey(&self, _: &str) -> Result<Option<PasskeyRecord>, StoreError> {
        Ok(None)
    }

    fn passkeys_of(&self, _: &SubjectId) -> Result<Vec<PasskeyRecord>, StoreError> {
        Ok(Vec::new())
    }

    fn token(&self, _: &Hash, _: Timestamp) -> Result<Option<TokenRecord>, StoreError> {
        Ok(None)
    }

    fn tokens(&self, _: Timestamp) -> Result<Vec<TokenRecord>, StoreError> {
        Ok(Vec::new())
    }

    fn link(&self, _: &str, _: &str) -> Result<Option<LinkRecord>, StoreError> {
        Ok(None)
    }

    fn links_of(&self, _: &SubjectId) -> Result<Vec<LinkRecord>, StoreError> {
        Ok(Vec::new())
    }

    fn blob(&self, _: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn backup(&self, _: &Path) -> Result<(), StoreError> {
        Ok(())
    }

    fn restore(&self, _: &Path) -> Result<(), StoreError> {
        Ok(())
    }
}

fn built_in() -> impl Iterator<Item = Group> {
    ["owners", "auditors"].into_iter().map(|name| Group {
        id: GroupId::new(name).unwrap(),
        display_name: name.to_owned(),
        member_of: Vec::new(),
        source: Source::Countersign,
    })
}
