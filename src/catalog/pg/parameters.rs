//! `information_schema.parameters`: what functions take and give.

use super::batch::{Rows, Value, row};
use super::describe;
use super::rows::{Source, SystemRowsError};
use crate::types::pg_type::PgType;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    let database = source.catalog.database.name.as_str();
    for parameter in describe::parameters() {
        let ty = PgType::from_oid(parameter.ty.0, -1);
        let data_type = match ty.filter(|ty| ty.element().is_some()) {
            Some(_) => "ARRAY".to_owned(),
            None => describe::format_type(source.catalog, parameter.ty, None),
        };
        row!(out,
            specific_catalog: database,
            specific_schema: "pg_catalog",
            specific_name: parameter.specific_name,
            ordinal_position: parameter.ordinal,
            parameter_mode: parameter.mode,
            is_result: "NO",
            as_locator: "NO",
            parameter_name: parameter.name,
            data_type: data_type,
            character_maximum_length: Value::Null,
            character_octet_length: Value::Null,
            character_set_catalog: Value::Null,
            character_set_schema: Value::Null,
            character_set_name: Value::Null,
            collation_catalog: Value::Null,
            collation_schema: Value::Null,
            collation_name: Value::Null,
            numeric_precision: Value::Null,
            numeric_precision_radix: Value::Null,
            numeric_scale: Value::Null,
            datetime_precision: Value::Null,
            interval_type: Value::Null,
            interval_precision: Value::Null,
            udt_catalog: database,
            udt_schema: "pg_catalog",
            udt_name: describe::type_typname(parameter.ty),
            scope_catalog: Value::Null,
            scope_schema: Value::Null,
            scope_name: Value::Null,
            maximum_cardinality: Value::Null,
            dtd_identifier: parameter.ordinal.to_string(),
            parameter_default: parameter.default,
        );
    }
    Ok(())
}
