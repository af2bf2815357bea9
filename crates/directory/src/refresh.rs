//! What changed since the last reading of a controller of Active Directory, so that the mirror is what a whole reading would
//! have made of it.
//!
//! A controller counts changes of an object's own attributes (`uSNChanged`), and that is not all that changes it. What moves
//! with its unit, inherits other rights, is renamed where it is named, or is gone, is not counted on whatever it concerns.
//! So units whose place or rights changed are read with all below them, and in the end the roll is called: who is there, under which
//! name. That takes no right beyond reading; tombstones take an administrator's, and a replication account could read
//! every password.

use std::collections::{BTreeMap, HashMap};

use crate::collect::Reader;
use crate::entry::Entry;
use crate::filter::Filter;
use crate::limits::ReadFault;
use crate::message::{Question, Scope};
use crate::mirror::{Mirror, identifier};
use crate::schema;
use crate::wire::Stream;

/// Entries that are asked for one by one, at most; of more, everything is read.
const MOST_SINGLE: usize = 1000;

type Entries = BTreeMap<String, Entry>;

/// The mirror, and how many entries were read for it. `None`: rather read everything.
type Refreshed = Option<(Mirror, usize)>;

impl<S: Stream> Reader<'_, S> {
    /// `empty` is the mirror to be.
    pub(crate) fn refresh(&mut self, before: Mirror, since: u64, empty: Mirror) -> Result<Refreshed, ReadFault> {
        let mut fresh = self.changed(since)?;
        for unit in unsettled(&before.entries, &fresh) {
            self.spent.begin(&unit)?;
            let mut take = |entry| insert(&mut fresh, entry);
            self.objects(&unit, &schema::of_domain(), &mut take)?;
        }
        let roll = self.roll()?;
        let moved: Vec<&String> = roll
            .iter()
            .filter(|(id, _)| !fresh.contains_key(*id))
            .filter(|(id, name)| before.entries.get(*id).is_none_or(|known| known.name != **name))
            .map(|(_, name)| name)
            .collect();
        if moved.len() > MOST_SINGLE {
            return Ok(None);
        }
        for name in moved {
            self.single(name, &mut fresh)?;
        }
        let read = fresh.len();
        Ok(Some((compose(before, &roll, fresh, empty), read)))
    }

    fn changed(&mut self, since: u64) -> Result<Entries, ReadFault> {
        let counted = Filter::AtLeast("uSNChanged", since.saturating_add(1));
        // A lock runs out without anybody changing anything.
        let locked = Filter::All(vec![Filter::AtLeast("lockoutTime", 1), Filter::Is("objectClass", "user")]);
        let mut fresh = Entries::new();
        for base in self.bases.clone() {
            self.spent.begin("what changed")?;
            for filter in [Filter::All(vec![counted.clone(), schema::of_domain()]), locked.clone()] {
                self.objects(&base, &filter, &mut |entry| insert(&mut fresh, entry))?;
            }
        }
        Ok(fresh)
    }

    /// Who is there: the identifier and name of each.
    fn roll(&mut self) -> Result<BTreeMap<String, String>, ReadFault> {
        let mut roll = BTreeMap::new();
        for base in self.bases.clone() {
            self.spent.begin("who is there")?;
            let question = Question {
                base: &base,
                scope: Scope::Subtree,
                filter: &schema::of_domain(),
                attributes: &["objectGUID"],
                names_only: false,
                descriptors: false,
            };
            let mut take = |entry: Entry| {
                roll.insert(identifier(&entry), entry.name);
            };
            self.connection.search(&mut self.spent, &question, &mut take)?;
        }
        Ok(roll)
    }

    fn single(&mut self, name: &str, fresh: &mut Entries) -> Result<(), ReadFault> {
        let question = Question {
            base: name,
            scope: Scope::Entry,
            filter: &schema::of_domain(),
            attributes: schema::ACTIVE_DIRECTORY,
            names_only: false,
            descriptors: true,
        };
        self.connection.search(&mut self.spent, &question, &mut |entry| insert(fresh, entry))
    }
}

fn insert(entries: &mut Entries, entry: Entry) {
    entries.insert(identifier(&entry), entry);
}

/// Units and containers whose place or rights are others than they were, the outermost of them.
fn unsettled(before: &Entries, fresh: &Entries) -> Vec<String> {
    const RIGHTS: &str = "ntsecuritydescriptor";
    let holds_others = |entry: &Entry| {
        ["organizationalUnit", "container", "domainDNS", "builtinDomain"].iter().any(|it| entry.is_of(it))
    };
    let changed = |known: &Entry, entry: &Entry| known.name != entry.name || known.first(RIGHTS) != entry.first(RIGHTS);
    let mut units: Vec<&Entry> = fresh
        .iter()
        .filter(|(id, entry)| holds_others(entry) && before.get(*id).is_some_and(|known| changed(known, entry)))
        .map(|(_, entry)| entry)
        .collect();
    units.sort_by_key(|unit| unit.name.len());
    let mut outermost: Vec<String> = Vec::new();
    for unit in units {
        let within = |outer: &String| {
            let above = unit.name.len().checked_sub(outer.len());
            above.is_some_and(|above| {
                unit.name.get(above..).is_some_and(|end| end.eq_ignore_ascii_case(outer))
                    && (above == 0 || unit.name.get(..above).is_some_and(|start| start.ends_with(',')))
            })
        };
        if !outermost.iter().any(within) {
            outermost.push(unit.name.clone());
        }
    }
    outermost
}

/// Whoever is on the roll, as it was read now, or as it was known with the names that hold now.
fn compose(before: Mirror, roll: &BTreeMap<String, String>, mut fresh: Entries, mut mirror: Mirror) -> Mirror {
    let mut renamed: HashMap<String, Option<&str>> = HashMap::new();
    for (id, known) in &before.entries {
        match roll.get(id) {
            Some(name) if *name == known.name => {}
            name => {
                renamed.insert(known.name.to_lowercase(), name.map(String::as_str));
            }
        }
    }
    let mut known = before.entries;
    for (id, name) in roll {
        let entry = match (fresh.remove(id), known.remove(id)) {
            (Some(entry), _) => entry,
            (None, Some(mut entry)) => {
                entry.name.clone_from(name);
                rename(&mut entry, &renamed);
                entry
            }
            // On the roll, and gone before it was read.
            (None, None) => continue,
        };
        mirror.entries.insert(id.clone(), entry);
    }
    mirror
}

fn rename(entry: &mut Entry, renamed: &HashMap<String, Option<&str>>) {
    if renamed.is_empty() {
        return;
    }
    for name in schema::NAMING {
        let Some(values) = entry.attributes.get_mut(*name) else { continue };
        values.retain_mut(|value| {
            let known = std::str::from_utf8(value).ok().map(str::to_lowercase);
            match known.and_then(|known| renamed.get(&known)) {
                None => true,
                Some(None) => false,
                Some(Some(now)) => {
                    *value = now.as_bytes().to_vec();
                    true
                }
            }
        });
        if values.is_empty() {
            entry.attributes.remove(*name);
        }
    }
    entry.settle();
}
