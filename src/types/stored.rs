//! A type as catalog objects store it: its `pg_type` OID and its modifier, which never change. An enumerated type is
//! stored in full, and again in all that use it when it changes.
//!
//! ```text
//! [oid, typmod]                          a built-in type
//! {"enum": {…}, "array": bool}           an enumerated type, or the array over it
//! ```

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::enum_type::EnumType;
use super::pg_type::PgType;

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum StoredType {
    BuiltIn(u32, i32),
    Enum {
        #[serde(rename = "enum")]
        ty: EnumType,
        array: bool,
    },
}

impl Serialize for PgType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (element, array) = match self {
            Self::Array(element) => (element.as_ref(), true),
            scalar => (scalar, false),
        };
        match element {
            Self::Enum(ty) => StoredType::Enum { ty: ty.as_ref().clone(), array },
            _ => StoredType::BuiltIn(self.oid(), self.typmod()),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PgType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (oid, typmod) = match StoredType::deserialize(deserializer)? {
            StoredType::BuiltIn(oid, typmod) => (oid, typmod),
            StoredType::Enum { ty, array } => {
                let ty = Self::Enum(Arc::new(ty));
                return Ok(if array { Self::array_of(ty) } else { ty });
            }
        };
        Self::from_oid(oid, typmod)
            .ok_or_else(|| D::Error::custom(format!("there is no type with OID {oid}")))
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
