//! JSON as a stream of typed records: one list of a document at a time, never the whole document as a tree. Depth is
//! bounded by the reader (128), keys that are read may stand once, and a fault names its place without its content.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::error::Category;

use crate::fault::{Cause, Fault};
use crate::observation::Place;

/// A fault of the reader in words that repeat nothing of what was read.
pub(crate) fn fault(error: &serde_json::Error) -> (Cause, Place) {
    let place = Place::Text { line: error.line() as u64, column: error.column() as u64 };
    let text = error.to_string();
    let what = match error.classify() {
        Category::Eof => "ends in the middle",
        Category::Io => "could not be read",
        Category::Syntax => text.split(" at line ").next().unwrap_or("not JSON"),
        Category::Data => {
            let text = text.split(" at line ").next().unwrap_or_default();
            if text.starts_with("missing field") || text.starts_with("duplicate field") || text.starts_with("the key") {
                text
            } else {
                let expected = text.rsplit_once(", expected ").map_or("another value", |(_, expected)| expected);
                return (Cause::Json(format!("something else than expected: {expected}")), place);
            }
        }
    };
    (Cause::Json(what.to_owned()), place)
}

/// Reads the list at `path` in the object that `text` is (or, if `path` is empty, the list that `text` is), and gives each
/// record with its number to `take`. A list that is not there has no records; one that is there twice is a fault.
pub(crate) fn each<T: DeserializeOwned>(
    text: &str,
    path: &[&str],
    take: &mut dyn FnMut(u32, T) -> Result<(), (Cause, Option<Place>)>,
) -> Result<u32, (Cause, Option<Place>)> {
    let mut stopped = None;
    let mut count = 0;
    let mut reader = serde_json::Deserializer::from_str(text);
    let list = List { take, stopped: &mut stopped, count: &mut count, what: PhantomData };
    let read = Within { path, list }.deserialize(&mut reader).and_then(|()| reader.end());
    match (stopped, read) {
        (Some(stopped), _) => Err(stopped),
        (None, Err(error)) => {
            let (cause, place) = fault(&error);
            Err((cause, Some(place)))
        }
        (None, Ok(())) => Ok(count),
    }
}

type Take<'a, T> = &'a mut dyn FnMut(u32, T) -> Result<(), (Cause, Option<Place>)>;

struct List<'a, T> {
    take: Take<'a, T>,
    stopped: &'a mut Option<(Cause, Option<Place>)>,
    count: &'a mut u32,
    what: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for List<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for List<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(record) = list.next_element::<T>()? {
            if let Err(stopped) = (self.take)(*self.count, record) {
                *self.stopped = Some(stopped);
                return Err(A::Error::custom("stopped"));
            }
            *self.count = self.count.checked_add(1).ok_or_else(|| A::Error::custom("too many records"))?;
        }
        Ok(())
    }
}

struct Within<'a, T> {
    path: &'a [&'a str],
    list: List<'a, T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Within<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.path.is_empty() { self.list.deserialize(deserializer) } else { deserializer.deserialize_map(self) }
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Within<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (field, rest) = self.path.split_first().map_or(("", self.path), |(field, rest)| (*field, rest));
        let mut list = Some(self.list);
        while let Some(key) = map.next_key::<String>()? {
            if key != field {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            match list.take() {
                Some(list) => map.next_value_seed(Within { path: rest, list })?,
                None => return Err(A::Error::custom(format!("the key {field} stands twice"))),
            }
        }
        Ok(())
    }
}

/// A fault with its place, as the fault of this file.
pub(crate) fn located(file: &str, (cause, place): (Cause, Option<Place>)) -> Fault {
    cause.at(file, place)
}

/// Values as exporters really write them: a flag as a list of one flag, a list as one text, nothing as `"null"`.
pub(crate) mod lenient {
    use std::fmt;

    use countersign_model::Timestamp;
    use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

    use crate::observation::Moment;

    macro_rules! from_any {
        ($name:ident) => {
            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_any(Any).and_then(|value: Value| Self::of(value).map_err(D::Error::custom))
                }
            }
        };
    }

    /// A small value, whatever its type.
    enum Value {
        None,
        Flag(bool),
        Number(f64),
        Text(String),
        List(Vec<String>),
        /// A list whose first value is a flag.
        Flags(bool),
    }

    struct Any;

    impl<'de> Visitor<'de> for Any {
        type Value = Value;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a flag, number, text or list of texts")
        }

        fn visit_unit<E>(self) -> Result<Value, E> {
            Ok(Value::None)
        }

        fn visit_none<E>(self) -> Result<Value, E> {
            Ok(Value::None)
        }

        fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
            Ok(Value::Flag(flag))
        }

        #[expect(clippy::cast_precision_loss, reason = "instants in seconds fit; what does not is out of range anyway")]
        fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
            Ok(Value::Number(number as f64))
        }

        #[expect(clippy::cast_precision_loss, reason = "instants in seconds fit; what does not is out of range anyway")]
        fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
            Ok(Value::Number(number as f64))
        }

        fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
            Ok(Value::Number(number))
        }

        fn visit_str<E>(self, text: &str) -> Result<Value, E> {
            Ok(match text {
                "" | "null" => Value::None,
                text => Value::Text(text.to_owned()),
            })
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
            let mut texts = Vec::new();
            let mut flag = None;
            while let Some(value) = seq.next_element::<Inner>()? {
                match value.0 {
                    Value::Text(text) => texts.push(text),
                    Value::Flag(value) => flag = flag.or(Some(value)),
                    _ => {}
                }
            }
            Ok(flag.map_or(Value::List(texts), Value::Flags))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Value::None)
        }
    }

    struct Inner(Value);

    impl<'de> Deserialize<'de> for Inner {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Any).map(Inner)
        }
    }

    #[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
    pub(crate) struct Flag(pub(crate) Option<bool>);

    impl Flag {
        fn of(value: Value) -> Result<Self, &'static str> {
            Ok(Self(match value {
                Value::None | Value::List(_) => None,
                Value::Flag(flag) | Value::Flags(flag) => Some(flag),
                Value::Number(number) => Some(number != 0.0),
                Value::Text(text) => match text.to_ascii_lowercase().as_str() {
                    "true" | "yes" | "1" => Some(true),
                    "false" | "no" | "0" => Some(false),
                    _ => return Err("expected a flag, expected true or false"),
                },
            }))
        }
    }

    from_any!(Flag);

    /// One text; a number is its digits.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub(crate) struct Text(pub(crate) Option<String>);

    impl Text {
        fn of(value: Value) -> Result<Self, &'static str> {
            Ok(Self(match value {
                Value::None | Value::Flag(_) | Value::Flags(_) => None,
                Value::Number(number) => Some(number.to_string()),
                Value::Text(text) => Some(text),
                Value::List(list) => list.into_iter().next(),
            }))
        }

        pub(crate) fn get(&self) -> Option<&str> {
            self.0.as_deref()
        }
    }

    from_any!(Text);

    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub(crate) struct Texts(pub(crate) Vec<String>);

    impl Texts {
        fn of(value: Value) -> Result<Self, &'static str> {
            Ok(Self(match value {
                Value::Text(text) => vec![text],
                Value::List(list) => list,
                _ => Vec::new(),
            }))
        }
    }

    from_any!(Texts);

    /// Seconds since 1970 as BloodHound writes them: 0 and -1 are "never", and what is not there is not known.
    #[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
    pub(crate) struct Seconds(pub(crate) Option<Moment>);

    impl Seconds {
        fn of(value: Value) -> Result<Self, &'static str> {
            let number = match value {
                Value::Number(number) => number,
                Value::Text(text) => match text.parse::<f64>() {
                    Ok(number) => number,
                    Err(_) => return Ok(Self(None)),
                },
                _ => return Ok(Self(None)),
            };
            if number <= 0.0 {
                return Ok(Self(Some(Moment::Never)));
            }
            if !number.is_finite() || number > 253_402_207_200.0 {
                return Err("expected an instant, expected seconds since 1970");
            }
            #[expect(clippy::cast_possible_truncation, reason = "within the range that was just checked")]
            Ok(Self(Some(Moment::At(Timestamp::from_seconds(number as i64)))))
        }

        pub(crate) fn instant(self) -> Option<Timestamp> {
            match self.0 {
                Some(Moment::At(instant)) => Some(instant),
                Some(Moment::Never) | None => None,
            }
        }
    }

    from_any!(Seconds);
}
