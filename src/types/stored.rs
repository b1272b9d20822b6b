//! A type as catalog objects store it: its `pg_type` OID and its modifier, which never change. An enumerated type is
//! stored in full, and again in all that use it when it changes.
//!
//! ```text
//! [oid, typmod]                          a built-in type
//! {"enum": {…}, "array": bool}           an enumerated type, or the array over it
//! {"domain": {…}, "array": bool}         a domain, or the array over it
//! {"row": {…}, "array": bool}            a composite type, or the array over it
//! {"nested": type, "array": true}        an array declared with more dimensions than the array type inside
//! ```

use std::fmt;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::domain::DomainType;
use super::enum_type::EnumType;
use super::pg_type::PgType;
use super::row_type::RowType;

/// One of the first four is there.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StoredOwn {
    #[serde(rename = "enum", skip_serializing_if = "Option::is_none")]
    labels: Option<EnumType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<DomainType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<RowType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nested: Option<PgType>,
    array: bool,
}

impl Serialize for PgType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (element, array) = match self {
            Self::Array(element) => (element.as_ref(), true),
            scalar => (scalar, false),
        };
        match element {
            Self::Enum(ty) => {
                let labels = Some(ty.as_ref().clone());
                StoredOwn { labels, array, ..StoredOwn::default() }.serialize(serializer)
            }
            Self::Domain(ty) => {
                let domain = Some(ty.as_ref().clone());
                StoredOwn { domain, array, ..StoredOwn::default() }.serialize(serializer)
            }
            Self::Array(_) => {
                let nested = Some(element.clone());
                StoredOwn { nested, array, ..StoredOwn::default() }.serialize(serializer)
            }
            Self::Row(ty) => {
                let row = Some(ty.as_ref().clone());
                StoredOwn { row, array, ..StoredOwn::default() }.serialize(serializer)
            }
            _ => (self.oid(), self.typmod()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PgType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Stored)
    }
}

/// Either form. (Not an untagged enum of serde's: numbers do not pass through its buffer.)
struct Stored;

impl<'de> Visitor<'de> for Stored {
    type Value = PgType;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a type")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<PgType, A::Error> {
        let missing = || A::Error::custom("a type has an OID and a modifier");
        let oid: u32 = parts.next_element()?.ok_or_else(missing)?;
        let typmod: i32 = parts.next_element()?.ok_or_else(missing)?;
        PgType::from_oid(oid, typmod)
            .ok_or_else(|| A::Error::custom(format!("there is no type with OID {oid}")))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PgType, A::Error> {
        let stored = StoredOwn::deserialize(MapAccessDeserializer::new(map))?;
        let StoredOwn { labels, domain, row, nested, array } = stored;
        let ty = match (labels, domain, row, nested) {
            (None, None, None, Some(nested)) => nested,
            (Some(labels), None, None, None) => PgType::Enum(Arc::new(labels)),
            (None, Some(domain), None, None) => PgType::Domain(Arc::new(domain)),
            (None, None, Some(row), None) => PgType::Row(Arc::new(row)),
            _ => return Err(A::Error::custom("a type is one of its kinds")),
        };
        Ok(if array { PgType::array_of(ty) } else { ty })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_comes_back() {
        let modified = [
            PgType::Numeric(Some((10, 2))),
            PgType::Numeric(Some((5, -2))),
            PgType::Varchar(Some(10)),
            PgType::Bpchar(Some(3)),
            PgType::array_of(PgType::Varchar(Some(7))),
            PgType::array_of(PgType::array_of(PgType::Int4)),
        ];
        let arrays = PgType::builtins()
            .filter(|ty| ty.array_oid() != 0)
            .map(|ty| PgType::array_of(ty.clone()));
        for ty in PgType::builtins().cloned().chain(arrays).chain(modified) {
            let text = serde_json::to_string(&ty).unwrap();
            assert_eq!(serde_json::from_str::<PgType>(&text).unwrap(), ty, "{text}");
        }
        assert!(serde_json::from_str::<PgType>("[1,-1]").is_err());
    }
}
