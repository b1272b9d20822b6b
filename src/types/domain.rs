//! Domains: types that stand on another one, with conditions that the catalog keeps.
//!
//! A value is stored, compared and sent as one of the base type. A column or a cast says under [`DOMAIN_KEY`] what was
//! declared; nothing else looks at it, so that an expression over a domain is one over its base type, as in PostgreSQL.

use std::cell::RefCell;
use std::collections::HashMap;

use arrow::datatypes::Field;
use serde::{Deserialize, Serialize};

use super::pg_type::PgType;
use super::row_type::RowField;

/// Metadata key of a field that holds the declared type, where a domain is in it.
pub const DOMAIN_KEY: &str = "graphwire.domain";

/// Types that a thread remembers by their texts; it begins anew beyond that.
const REMEMBERED_MAX: usize = 256;

/// A domain, without its conditions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// The OID of the array type over it.
    pub array_oid: u32,
    /// The schema in front of its name where it is not `public`.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// What it stands on, with its modifier; may be a domain.
    pub base: PgType,
}

impl PgType {
    /// Whether this is a domain, or made of one.
    #[must_use]
    pub fn has_domain(&self) -> bool {
        match self {
            Self::Domain(_) => true,
            Self::Array(element) => element.has_domain(),
            Self::Row(row) => row.fields.iter().any(|field| field.ty.has_domain()),
            _ => false,
        }
    }

    /// This type with what domains stand on in their place.
    #[must_use]
    pub fn plain(&self) -> Self {
        if !self.has_domain() {
            return self.clone();
        }
        match self {
            Self::Domain(domain) => domain.base.plain(),
            Self::Array(element) => match element.plain() {
                // Of domains over arrays: one array type, as for any number of dimensions.
                array @ Self::Array(_) => array,
                element => Self::array_of(element),
            },
            Self::Row(row) => {
                let mut row = row.as_ref().clone();
                row.fields.iter_mut().for_each(RowField::make_plain);
                Self::Row(std::sync::Arc::new(row))
            }
            other => other.clone(),
        }
    }

    /// What a field was declared as; [`Self::from_field`] where that is no domain.
    #[must_use]
    pub fn declared(field: &Field) -> Self {
        thread_local! {
            static REMEMBERED: RefCell<HashMap<String, PgType>> = RefCell::default();
        }
        let plain = Self::from_field(field);
        let Some(text) = field.metadata().get(DOMAIN_KEY) else { return plain };
        let known = REMEMBERED.with_borrow(|known| known.get(text).cloned());
        let found = match known {
            Some(found) => found,
            None => {
                let Ok(found) = serde_json::from_str::<Self>(text) else { return plain };
                REMEMBERED.with_borrow_mut(|known| {
                    if known.len() >= REMEMBERED_MAX {
                        known.clear();
                    }
                    known.insert(text.clone(), found.clone());
                });
                found
            }
        };
        // What was computed of it may be of another type.
        if found.plain() == plain { found } else { plain }
    }

    /// Whether a type of the database's own is this one, or this one is made of it.
    #[must_use]
    pub fn is_of(&self, oid: u32) -> bool {
        match self {
            Self::Array(element) => element.is_of(oid),
            Self::Hstore => self.oid() == oid,
            Self::Enum(ty) => ty.oid == oid,
            Self::Domain(domain) => domain.oid == oid || domain.base.is_of(oid),
            Self::Row(row) => row.oid == oid || row.fields.iter().any(|field| field.ty.is_of(oid)),
            _ => false,
        }
    }

    /// Puts a type of the database's own in the place of what it was before.
    pub fn replace(&mut self, new: &Self) {
        match self {
            Self::Array(element) => element.replace(new),
            Self::Enum(_) | Self::Domain(_) | Self::Row(_) if self.oid() == new.oid() => {
                *self = new.clone()
            }
            Self::Domain(domain) => std::sync::Arc::make_mut(domain).base.replace(new),
            Self::Row(row) => {
                let row = std::sync::Arc::make_mut(row);
                row.fields.iter_mut().for_each(|field| field.replace(new));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_field_of_a_domain_is_one_of_its_base() {
        let domain = |name: &str, base| {
            let schema = None;
            let name = name.to_owned();
            PgType::Domain(Arc::new(DomainType {
                oid: 20_001,
                array_oid: 20_000,
                schema,
                name,
                base,
            }))
        };
        let inner = domain("a", PgType::Varchar(Some(3)));
        let outer = PgType::array_of(domain("b", inner.clone()));
        for ty in [inner, outer] {
            let field = ty.field("c", true);
            assert_eq!(PgType::declared(&field), ty);
            assert_eq!(PgType::from_field(&field), ty.plain());
            let text = serde_json::to_string(&ty).unwrap();
            assert_eq!(serde_json::from_str::<PgType>(&text).unwrap(), ty);
        }
        let field = PgType::Int4.field("c", true);
        assert_eq!(PgType::declared(&field), PgType::Int4);
    }
}
