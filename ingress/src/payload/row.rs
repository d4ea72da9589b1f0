//! The rows of a body, one by one.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// There is something else where a list should be.
pub(super) struct NotAList;

/// Shows each element of a list, one by one: none is held.
pub(super) fn for_each_element<'a>(list: &'a RawValue, each: impl FnMut(&'a RawValue)) -> Result<(), NotAList> {
    struct Elements<F>(F);
    impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Elements<F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
            while let Some(element) = elements.next_element()? {
                self.0(element);
            }
            Ok(())
        }
    }
    let mut list = serde_json::Deserializer::from_str(list.get());
    list.deserialize_seq(Elements(each)).map_err(|_| NotAList)
}

/// A row's fields in the sender's order; only an object is one.
pub(super) struct WireRow<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> WireRow<'a> {
    /// An element of a list of rows, with its id; `None` if it is no row, or its first `id` is no
    /// number.
    pub(super) fn read(element: &'a RawValue) -> Option<(u64, Self)> {
        let row: Self = serde_json::from_str(element.get()).ok()?;
        let (_, id) = row.0.iter().find(|(name, _)| name == "id")?;
        Some((id.get().parse().ok()?, row))
    }
}

/// A text that is borrowed where the sender wrote it without escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for WireRow<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = WireRow<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a row")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireRow<'de>, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some((Text(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(WireRow(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}
