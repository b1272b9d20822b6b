//! A type as catalog objects store it: its `pg_type` OID and its modifier, which never change.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::pg_type::PgType;

impl Serialize for PgType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.oid(), self.typmod()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PgType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (oid, typmod) = <(u32, i32)>::deserialize(deserializer)?;
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
