//! How JSON values of the Kubernetes API become Rust values without copying.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A string that borrows from the input unless it holds escapes. Absent and `null` are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, v: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(v)))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(v.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }
}

/// A `T` where the value is an object; nothing where it is anything else.
///
/// `status` is an object in a Pod and a string in a Status, and a relay may put the text
/// `skipped-too-big-size-object` where an object was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lenient<T>(pub Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Lenient(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LenientVisitor(PhantomData))
    }
}

struct LenientVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for LenientVisitor<T> {
    type Value = Lenient<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Lenient<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|value| Lenient(Some(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Lenient<T>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Lenient(None))
    }

    fn visit_unit<E: Error>(self) -> Result<Lenient<T>, E> {
        Ok(Lenient(None))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Lenient<T>, E> {
        Ok(Lenient(None))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Lenient<T>, E> {
        Ok(Lenient(None))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Lenient<T>, E> {
        Ok(Lenient(None))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Lenient<T>, E> {
        Ok(Lenient(None))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Lenient<T>, E> {
        Ok(Lenient(None))
    }
}

/// Reads a whole number. Relays write it as they store it: Lua as `200.0`, a table of text as `"200"`. Absent and
/// `null` become `None`; a number with a fraction, out of range, or an invalid text is an error.
pub fn whole<'de, D: Deserializer<'de>, N: TryFrom<i64>>(
    deserializer: D,
) -> Result<Option<N>, D::Error> {
    let Some(number) = deserializer.deserialize_any(WholeVisitor)? else {
        return Ok(None);
    };
    let number = N::try_from(number);
    number
        .map(Some)
        .map_err(|_| Error::custom("a number out of range"))
}

struct WholeVisitor;

impl<'de> Visitor<'de> for WholeVisitor {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<i64>, E> {
        Ok(Some(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<i64>, E> {
        let number = i64::try_from(number);
        number
            .map(Some)
            .map_err(|_| E::custom("a number out of range"))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<i64>, E> {
        // Beyond, not every whole number is a double.
        if number.fract() != 0.0 || number.abs() > (1_u64 << 53) as f64 {
            return Err(E::custom("not a whole number"));
        }
        Ok(Some(number as i64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<i64>, E> {
        if let Ok(number) = text.parse() {
            return Ok(Some(number));
        }
        match text.parse() {
            Ok(number) => self.visit_f64(number),
            Err(_) => Err(E::custom("not a whole number")),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Option<i64>, E> {
        Ok(None)
    }
}

/// Maximum number of list items, or labels, kept of one object. A parsed item may take a hundred times the bytes that
/// it was written with.
pub const LIST_MAX: usize = 1024;

/// The first 1,024 items of a list; absent and `null` become `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capped<T> {
    items: Option<Vec<T>>,
    is_cut: bool,
}

impl<T> Capped<T> {
    /// Whether there were more.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Adds an item, or notes that there is one more.
    pub(super) fn push(&mut self, item: T) {
        let items = self.items.get_or_insert_default();
        match items.len() < LIST_MAX {
            true => items.push(item),
            false => self.is_cut = true,
        }
    }

    pub(super) fn of(items: Vec<T>, is_cut: bool) -> Capped<T> {
        Capped {
            items: Some(items),
            is_cut,
        }
    }
}

impl<T> Default for Capped<T> {
    fn default() -> Self {
        Capped {
            items: None,
            is_cut: false,
        }
    }
}

impl<T> Deref for Capped<T> {
    type Target = Option<Vec<T>>;

    fn deref(&self) -> &Option<Vec<T>> {
        &self.items
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Capped<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CappedVisitor(PhantomData))
    }
}

struct CappedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for CappedVisitor<T> {
    type Value = Capped<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E: Error>(self) -> Result<Capped<T>, E> {
        Ok(Capped::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Capped<T>, A::Error> {
        let mut items = Vec::new();
        while items.len() < LIST_MAX {
            let Some(item) = seq.next_element()? else {
                return Ok(Capped::of(items, false));
            };
            items.push(item);
        }
        let mut is_cut = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            is_cut = true;
        }
        Ok(Capped::of(items, is_cut))
    }
}

/// Reads `metav1.Time` and `metav1.MicroTime`: RFC 3339 with none to nine digits of a second.
/// The zero time, which Kubernetes writes as `null` or as the epoch, is absent. What can't be read as a time, as the
/// last day of the year 9999, is the latest one there is: nobody takes it for true, and it does not cost the event.
pub fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Text::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    Ok(known(text.parse().unwrap_or(Timestamp::MAX)))
}

/// Of the seconds of a time since the epoch: the same as of its text.
pub(super) fn time_of_seconds(seconds: i64) -> Option<Timestamp> {
    let time = Timestamp::from_second(seconds.max(0));
    known(time.unwrap_or(Timestamp::MAX))
}

fn known(time: Timestamp) -> Option<Timestamp> {
    (time > Timestamp::UNIX_EPOCH).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Number(#[serde(deserialize_with = "whole")] Option<i32>);

    #[test]
    fn whole_numbers() {
        let read = |json| serde_json::from_str::<Number>(json).map(|number| number.0);
        for (json, expected) in [
            ("null", None),
            ("143", Some(143)),
            ("-1", Some(-1)),
            ("143.0", Some(143)),
            ("1.43e2", Some(143)),
            ("-0.0", Some(0)),
            ("\"143\"", Some(143)),
            ("\"143.0\"", Some(143)),
        ] {
            assert_eq!(read(json).unwrap(), expected, "{json}");
        }
        for json in [
            "143.5",
            "\"\"",
            "\"x\"",
            "\"nan\"",
            "\"inf\"",
            "true",
            "[1]",
            "{}",
            "3e9",
            "2147483648",
            "18446744073709551615",
            "1e300",
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
