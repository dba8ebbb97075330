//! How values that are texts in the receipt are written and read back: codes and ids, times, foreign text.

use serde::{Deserialize, Deserializer, Serializer};

/// Types with a text form: what `Display` writes, `FromStr` reads.
pub(super) mod words {
    use super::{Deserialize, Deserializer, Serializer};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(in super::super) fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(in super::super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Times: RFC 3339 in UTC to the millisecond.
pub(super) mod time {
    use super::{Deserialize, Deserializer, Serializer};
    use jiff::Timestamp;

    pub(in super::super) fn serialize<S: Serializer>(moment: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{moment:.3}"))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Foreign text: to the letter, JSON escapes what it must.
pub(super) mod foreign {
    use super::{Deserialize, Deserializer, Serializer};
    use crate::foreign::Foreign;

    pub(in super::super) fn serialize<S: Serializer>(text: &Foreign, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text.raw())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Foreign, D::Error> {
        String::deserialize(from).map(Foreign::from)
    }
}

/// Foreign text that may be absent.
pub(super) mod maybe {
    use super::{Deserialize, Deserializer, Serializer};
    use crate::foreign::Foreign;

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(in super::super) fn serialize<S: Serializer>(text: &Option<Foreign>, to: S) -> Result<S::Ok, S::Error> {
        match text {
            Some(text) => to.serialize_some(text.raw()),
            None => to.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Foreign>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Foreign::from))
    }
}
