//! How values that are texts in the receipt are written and read back: codes and ids, times.

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
