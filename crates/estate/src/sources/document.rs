//! An export as one JSON document: which source, which realm of it, and lists of records as the source's own interface gives
//! them, `{"source": "okta", "realm": "example.okta.com", "users": […], "groups": […]}`. Interfaces give out pages that say
//! neither whose they are nor what belongs together; a document of this form does, and each list of it is complete.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use countersign_model::Timestamp;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::batch::{Intake, System};
use crate::fault::{Cause, Fault};
use crate::json;
use crate::observation::{Attributes, Kind, Place, Relation};

/// The beginning of such a document: what it says of itself, and which lists it has.
#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) source: Option<String>,
    pub(crate) realm: Option<String>,
    pub(crate) keys: Vec<String>,
}

const MOST_KEYS: usize = 64;

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a source, a realm and lists")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "source" => header.source = Some(map.next_value()?),
                        "realm" => header.realm = Some(map.next_value()?),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                    if header.keys.len() < MOST_KEYS {
                        header.keys.push(key);
                    }
                }
                Ok(header)
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

/// A document whose header was read.
pub(crate) struct Document<'t> {
    text: &'t str,
    system: System,
    realm: String,
    keys: Vec<String>,
}

impl<'t> Document<'t> {
    pub(crate) fn new(text: &'t str, system: System, realm: String, keys: Vec<String>) -> Self {
        Self { text, system, realm, keys }
    }

    pub(crate) fn realm(&self) -> &str {
        &self.realm
    }

    pub(crate) fn has(&self, list: &str) -> bool {
        self.keys.iter().any(|key| key == list)
    }

    /// Lists that the adapter does not know are counted, once each.
    pub(crate) fn known(&self, intake: &mut Intake<'_, '_>, lists: &[&str]) {
        for key in self.keys.iter().filter(|key| !lists.contains(&key.as_str())) {
            if !matches!(key.as_str(), "source" | "realm") {
                let place = Place::Record {
                    list: Cow::Owned(key.chars().filter(|c| !c.is_control()).take(64).collect()),
                    index: 0,
                    field: Cow::Borrowed(""),
                    item: None,
                };
                intake.skip("a list that is not read", &place);
            }
        }
    }

    /// Gives each record of a list to `take`. A list that is not there says nothing; an empty one says that there is none.
    pub(crate) fn each<T: DeserializeOwned>(
        &self,
        intake: &mut Intake<'_, '_>,
        list: &'static str,
        take: &mut dyn FnMut(&mut Row<'_, '_, '_>, T) -> Result<(), Cause>,
    ) -> Result<(), Fault> {
        if !self.has(list) {
            return Ok(());
        }
        let part = intake.part(self.system, &self.realm, list).map_err(|cause| intake.fault(cause, None))?;
        let read = json::each::<T>(self.text, &[list], &mut |index, record| {
            let place = Place::record(list, index);
            let taken = intake.record().and_then(|()| take(&mut Row { intake, part, place: place.clone() }, record));
            taken.map_err(|cause| (cause, Some(place)))
        });
        read.map_err(|fault| json::located(intake.file_name(), fault))?;
        Ok(())
    }

    /// What a system has by itself, and what follows from several lists together: stands nowhere in particular.
    pub(crate) fn whole<'r, 'a, 'w>(
        &self,
        intake: &'r mut Intake<'a, 'w>,
        part: &str,
    ) -> Result<Row<'r, 'a, 'w>, Fault> {
        let part = intake.part(self.system, &self.realm, part).map_err(|cause| intake.fault(cause, None))?;
        Ok(Row { intake, part, place: Place::record("", 0) })
    }
}

/// One record and where what it says is put.
pub(crate) struct Row<'r, 'a, 'w> {
    pub(crate) intake: &'r mut Intake<'a, 'w>,
    pub(crate) part: u32,
    pub(crate) place: Place,
}

/// A realm's own nodes: itself, all of its users, a role that its source names and does not list.
pub(crate) struct Own {
    prefix: String,
    /// By the part that speaks of them.
    made: HashSet<(u32, u32)>,
}

impl Own {
    pub(crate) fn new(prefix: String) -> Self {
        Self { prefix, made: HashSet::new() }
    }

    pub(crate) fn key(&self, row: &mut Row<'_, '_, '_>, rest: &str) -> Result<u32, Cause> {
        let separator = if rest.is_empty() { "" } else { "/" };
        row.key(&format!("{}{separator}{rest}", self.prefix))
    }

    pub(crate) fn has(&self, row: &Row<'_, '_, '_>, key: u32) -> bool {
        self.made.contains(&(row.part, key))
    }

    /// Makes it the first time that the row's part speaks of it.
    pub(crate) fn made(
        &mut self,
        row: &mut Row<'_, '_, '_>,
        rest: &str,
        kind: Kind,
        name: &str,
        high_value: bool,
    ) -> Result<u32, Cause> {
        let key = self.key(row, rest)?;
        if self.made.insert((row.part, key)) {
            let attributes = Attributes { high_value: high_value.then_some(true), ..Attributes::default() };
            row.node(key, kind, name, attributes)?;
        }
        Ok(key)
    }
}

impl<'a, 'w> Row<'_, 'a, 'w> {
    pub(crate) fn key(&mut self, key: &str) -> Result<u32, Cause> {
        self.intake.key(key)
    }

    pub(crate) fn node(&mut self, key: u32, kind: Kind, name: &str, attributes: Attributes) -> Result<(), Cause> {
        self.intake.node(self.part, key, kind, name, attributes, self.place.clone())
    }

    pub(crate) fn edge(&mut self, from: u32, relation: Relation, to: u32) {
        self.intake.edge(self.part, from, relation, to, self.place.clone());
    }

    pub(crate) fn conditional(&mut self, from: u32, relation: Relation, to: u32, condition: &str) -> Result<(), Cause> {
        let condition = Some(self.intake.clean(condition)?);
        self.intake.conditional(self.part, from, relation, to, condition, self.place.clone());
        Ok(())
    }

    /// Something in a list within the record.
    pub(crate) fn at(&mut self, field: &'static str, number: usize) -> Row<'_, 'a, 'w> {
        let place = self.place.field(field, Some(number));
        Row { intake: &mut *self.intake, part: self.part, place }
    }

    pub(crate) fn skip(&mut self, reason: &'static str) {
        self.intake.skip(reason, &self.place);
    }

    /// A text that is there and not empty.
    pub(crate) fn text(&self, text: Option<&str>) -> Result<Option<Box<str>>, Cause> {
        text.map(str::trim).filter(|text| !text.is_empty()).map(|text| self.intake.clean(text)).transpose()
    }

    /// An instant as exports write it. One that cannot be read is counted, and not known.
    pub(crate) fn instant(&mut self, text: Option<&str>) -> Option<Timestamp> {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        let instant = instant(text);
        if instant.is_none() {
            self.skip("an instant that cannot be read");
        }
        instant
    }
}

/// RFC 3339, a bare date (its first moment, in UTC), or `/Date(…)/` with milliseconds as PowerShell writes it.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    const MOST: i64 = 253_402_207_200_000;
    if let Some(millis) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        return millis.parse().ok().filter(|millis: &i64| (-MOST..=MOST).contains(millis)).map(Timestamp::from_millis);
    }
    let date = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if date { format!("{text}T00:00:00Z").parse().ok() } else { text.parse().ok() }
}

/// Something that is named by its identifier, or stands there whole with it.
#[derive(Debug)]
pub(crate) struct Reference(pub(crate) String);

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Either {
            Id(String),
            Object {
                #[serde(alias = "login")]
                id: String,
            },
        }
        Either::deserialize(deserializer).map(|(Either::Id(id) | Either::Object { id })| Self(id))
    }
}

/// A list that exporters write as nothing if it is empty, and as its one value if it has one.
#[derive(Debug)]
pub(crate) struct Several<T>(pub(crate) Vec<T>);

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = Several<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list, one value of it, or nothing")
            }

            fn visit_unit<E>(self) -> Result<Several<T>, E> {
                Ok(Several::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Several<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(value) = list.next_element()? {
                    all.push(value);
                }
                Ok(Several(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Several<T>, A::Error> {
                let one = serde::de::value::MapAccessDeserializer::new(map);
                T::deserialize(one).map(|one| Several(vec![one]))
            }
        }

        deserializer.deserialize_any(Any(std::marker::PhantomData))
    }
}
