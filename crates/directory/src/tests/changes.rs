//! Reading what changed comes to the same as reading everything, over a model of a controller: it counts changes of an
//! object's own attributes and, like a real one, nothing else.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::fake::{Asked, active_directory, done, entry, outcome, texts};
use super::{ask, within};
use crate::{How, Limits, Mirror, WhyWhole};

const TOP: &str = "DC=corp,DC=example";

#[derive(Clone, Debug)]
struct Object {
    parent: u8,
    label: u8,
    class: &'static str,
    /// Given to it and to all below it.
    rights: u8,
    members: BTreeSet<u8>,
    changed: u64,
}

#[derive(Clone, Debug)]
struct Model {
    objects: BTreeMap<u8, Object>,
    newest: u64,
    next: u8,
}

#[derive(Clone, Debug)]
enum Act {
    Create { parent: u8, label: u8, class: u8 },
    Delete { which: u8 },
    Move { which: u8, parent: u8, label: u8 },
    Rights { which: u8, rights: u8 },
    Join { group: u8, member: u8 },
    Leave { group: u8 },
}

impl Model {
    fn new() -> Self {
        let top = Object { parent: 0, label: 0, class: "domainDNS", rights: 1, members: BTreeSet::new(), changed: 1 };
        Self { objects: BTreeMap::from([(0, top)]), newest: 1, next: 1 }
    }

    fn name(&self, id: u8) -> String {
        let object = &self.objects[&id];
        let kind = if object.class == "organizationalUnit" { "OU" } else { "CN" };
        if id == 0 { TOP.to_owned() } else { format!("{kind}=n{},{}", object.label, self.name(object.parent)) }
    }

    fn above(&self, id: u8) -> Vec<u8> {
        let mut above = vec![id];
        while let Some(id) = above.last().copied().filter(|id| *id != 0) {
            above.push(self.objects[&id].parent);
        }
        above
    }

    /// Some object of one of these classes.
    fn one(&self, which: u8, classes: &[&str]) -> Option<u8> {
        let of: Vec<u8> =
            self.objects.iter().filter(|(_, it)| classes.contains(&it.class)).map(|(id, _)| *id).collect();
        (!of.is_empty()).then(|| of[usize::from(which) % of.len()])
    }

    fn touch(&mut self, id: u8) {
        self.newest += 1;
        self.objects.get_mut(&id).unwrap().changed = self.newest;
    }

    fn free(&self, id: u8) -> bool {
        let names: BTreeSet<String> =
            self.objects.keys().filter(|other| **other != id).map(|id| self.name(*id)).collect();
        !names.contains(&self.name(id))
    }

    fn act(&mut self, act: &Act) {
        const HOLDING: &[&str] = &["domainDNS", "organizationalUnit"];
        const OTHERS: &[&str] = &["organizationalUnit", "user", "group"];
        match *act {
            Act::Create { parent, label, class } => {
                let parent = self.one(parent, HOLDING).unwrap();
                let (id, class) = (self.next, OTHERS[usize::from(class) % 3]);
                let object = Object { parent, label, class, rights: 0, members: BTreeSet::new(), changed: 0 };
                self.objects.insert(id, object);
                if self.free(id) {
                    self.next += 1;
                    self.touch(id);
                } else {
                    self.objects.remove(&id);
                }
            }
            Act::Delete { which } => {
                let Some(id) = self.one(which, OTHERS) else { return };
                let below: Vec<u8> = self.objects.keys().copied().filter(|it| self.above(*it).contains(&id)).collect();
                self.objects.retain(|id, _| !below.contains(id));
                // Groups forget whoever is gone, and it does not count as a change of theirs.
                self.objects.values_mut().for_each(|object| object.members.retain(|member| !below.contains(member)));
                self.newest += 1;
            }
            Act::Move { which, parent, label } => {
                let (Some(id), Some(parent)) = (self.one(which, OTHERS), self.one(parent, HOLDING)) else { return };
                let before = self.objects[&id].clone();
                if self.above(parent).contains(&id) {
                    return;
                }
                self.objects.insert(id, Object { parent, label, ..before.clone() });
                if self.free(id) {
                    self.touch(id);
                } else {
                    self.objects.insert(id, before);
                }
            }
            Act::Rights { which, rights } => {
                let id = self.one(which, &["domainDNS", "organizationalUnit", "user", "group"]).unwrap();
                self.objects.get_mut(&id).unwrap().rights = rights;
                self.touch(id);
            }
            Act::Join { group, member } => {
                let (Some(group), Some(member)) = (self.one(group, &["group"]), self.one(member, OTHERS)) else {
                    return;
                };
                self.objects.get_mut(&group).unwrap().members.insert(member);
                self.touch(group);
            }
            Act::Leave { group } => {
                let Some(group) = self.one(group, &["group"]) else { return };
                self.objects.get_mut(&group).unwrap().members.pop_first();
                self.touch(group);
            }
        }
    }

    fn written(&self, asked: &Asked, id: u8) -> Vec<u8> {
        let object = &self.objects[&id];
        let mut attributes = vec![("objectGUID", vec![vec![id; 16]])];
        if asked.attributes.len() > 1 {
            attributes.push(("objectClass", texts(&["top", object.class])));
            let rights = self.above(id).iter().rev().map(|above| self.objects[above].rights).collect();
            attributes.push(("nTSecurityDescriptor", vec![rights]));
            let members: Vec<Vec<u8>> = object.members.iter().map(|id| self.name(*id).into_bytes()).collect();
            if !members.is_empty() {
                attributes.push(("member", members));
            }
        }
        entry(asked.id, &self.name(id), &attributes)
    }

    fn serve(&self, asked: &Asked) -> Vec<u8> {
        let beside = ["lockoutTime", "unixUserPassword", "lDAPDisplayName"];
        if beside.iter().any(|word| asked.filters_by(word)) {
            return done(asked.id, b"");
        }
        let since = asked.filter.windows(10).position(|part| part == b"uSNChanged").map_or(0, |at| {
            let length = usize::from(asked.filter[at + 11]);
            std::str::from_utf8(&asked.filter[at + 12..at + 12 + length]).unwrap().parse().unwrap()
        });
        let below = format!(",{}", asked.base);
        let found: Vec<u8> = self
            .objects
            .iter()
            .filter(|(_, object)| object.changed >= since)
            .map(|(id, _)| *id)
            .filter(|id| {
                let name = self.name(*id);
                name == asked.base || !asked.one && name.ends_with(&below)
            })
            .collect();
        if !self.objects.keys().any(|id| self.name(*id) == asked.base) {
            return outcome(asked.id, 0x65, 32, "");
        }
        let from = asked.cookie.first().map_or(0, |from| usize::from(*from));
        let page = found.iter().skip(from).take(2);
        let mut answer: Vec<u8> = page.flat_map(|id| self.written(asked, *id)).collect();
        let next = if from + 2 < found.len() { vec![u8::try_from(from + 2).unwrap()] } else { Vec::new() };
        answer.extend(done(asked.id, &next));
        answer
    }

    fn read(&self, before: Option<Mirror>) -> (Mirror, How) {
        let model = self.clone();
        let reading = ask(active_directory(self.newest, move |asked| model.serve(asked)), before).unwrap();
        (reading.mirror, reading.how)
    }
}

fn act() -> impl Strategy<Value = Act> {
    let (any, label) = (any::<u8>, 0..3_u8);
    prop_oneof![
        4 => (any(), label.clone(), any()).prop_map(|(parent, label, class)| Act::Create { parent, label, class }),
        2 => any().prop_map(|which| Act::Delete { which }),
        2 => (any(), any(), label).prop_map(|(which, parent, label)| Act::Move { which, parent, label }),
        1 => (any(), any()).prop_map(|(which, rights)| Act::Rights { which, rights }),
        3 => (any(), any()).prop_map(|(group, member)| Act::Join { group, member }),
        1 => any().prop_map(|group| Act::Leave { group }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_changed_comes_to_the_same_as_everything(
        earlier in prop::collection::vec(act(), 0..24),
        later in prop::collection::vec(act(), 0..12),
    ) {
        let mut model = Model::new();
        earlier.iter().for_each(|act| model.act(act));
        let (before, _) = model.read(None);
        later.iter().for_each(|act| model.act(act));
        let kept = Mirror::parse(&before.to_ldif()).unwrap();
        let (refreshed, how) = model.read(Some(kept));
        let of_changes = matches!(how, How::Changes { .. });
        prop_assert!(of_changes);
        prop_assert_eq!(refreshed.to_ldif(), model.read(None).0.to_ldif());
    }
}

fn grown() -> Model {
    let mut model = Model::new();
    for class in 0..3 {
        model.act(&Act::Create { parent: 0, label: class, class });
    }
    model
}

#[test]
fn everything_is_read_where_changes_cannot_be_trusted() {
    let mut model = grown();
    let (before, how) = model.read(None);
    assert_eq!((how, before.len()), (How::Whole(None), 4));
    let other_account = before.to_ldif().replace("account: reader@", "account: other@");
    let other_database = before.to_ldif().replace("database: 07", "database: 08");
    let later = before.to_ldif().replace(&format!("newest: {}", model.newest), "newest: 99");
    for (text, why) in [
        (other_account, WhyWhole::OtherView),
        (other_database, WhyWhole::OtherDatabase),
        (later, WhyWhole::OtherDatabase),
    ] {
        let (mirror, how) = model.read(Some(Mirror::parse(&text).unwrap()));
        assert_eq!((mirror.to_ldif(), how), (before.to_ldif(), How::Whole(Some(why))));
    }
    model.act(&Act::Delete { which: 1 });
    let (_, how) = model.read(Some(before));
    assert_eq!(how, How::Changes { read: 0, gone: 1 });
}

#[test]
fn a_directory_that_became_visible_at_once_is_read_whole() {
    let before = grown().read(None).0;
    let many = 1200;
    let serve = move |asked: &Asked| {
        let counted = asked.filters_by("uSNChanged") || asked.filters_by("lockoutTime");
        let ids = if counted || asked.filters_by("unixUserPassword") { 0..0 } else { 0..many };
        let each = ids.flat_map(|id: u32| {
            let guid = vec![id.to_le_bytes().repeat(4)];
            entry(asked.id, &format!("CN=n{id},{TOP}"), &[("objectGUID", guid), ("objectClass", texts(&["user"]))])
        });
        each.chain(done(asked.id, b"")).collect()
    };
    let reading = within(Limits::default(), active_directory(9, serve), Some(before)).unwrap();
    assert_eq!(reading.how, How::Whole(Some(WhyWhole::MuchMoved)));
    assert_eq!(reading.mirror.len(), 1200);
}
