//! `pg_enum`: the labels of enumerated types.

use super::batch::{Rows, row};
use super::rows::{Source, SystemRowsError};
use crate::types::Oid;
use crate::types::enum_type::EnumType;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for ty in source.catalog.types.values() {
        for label in ty.labels().map_or(&[][..], |ty| &ty.labels) {
            row!(out,
                oid: Oid(label.oid),
                enumtypid: ty.oid(),
                enumsortorder: EnumType::sort_order(label),
                enumlabel: label.label.as_str(),
            );
        }
    }
    Ok(())
}
