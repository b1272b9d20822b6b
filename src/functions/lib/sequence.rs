//! Functions about sequences.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::UInt32Type;

use super::{column, row};
use crate::error::PgError;
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};

/// Takes the values of rows that follow each other in one sequence at once.
fn nextval(call: &Call<'_>, columns: &[ArrayRef]) -> Result<ArrayRef, PgError> {
    let Some(sequences) = columns.first() else {
        return Err(PgError::internal("nextval without an argument"));
    };
    let sequences = sequences.as_primitive::<UInt32Type>();
    let session = call.session()?;
    let mut values: Vec<Option<i64>> = Vec::with_capacity(sequences.len());
    while values.len() < sequences.len() {
        let at = values.len();
        if sequences.is_null(at) {
            values.push(None);
            continue;
        }
        let oid = sequences.value(at);
        let run = (at..sequences.len())
            .take_while(|row| !sequences.is_null(*row) && sequences.value(*row) == oid)
            .count();
        values.extend(session.sequence_next(oid, run)?.into_iter().map(Some));
    }
    Ok(Arc::new(Int64Array::from(values)))
}

fn oid(args: Args<'_, '_>) -> Result<u32, PgError> {
    Ok(args.int(0)? as u32)
}

fn setval(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let value = args.int(1)?;
    let called = if args.has(2) { args.bool(2)? } else { true };
    call.session()?.sequence_set(oid(args)?, value, called)?;
    Ok(Datum::Int(value))
}

fn last_value(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let last = call.session()?.sequence_last_value(oid(args)?)?;
    Ok(last.map_or(Datum::Null, Datum::Int))
}

pub(crate) const FUNCTIONS: &[Def] = &[
    def("nextval(regclass) int8", column(nextval)).volatile(),
    def(
        "currval(regclass) int8",
        row(|c, a| Ok(Datum::Int(c.session()?.sequence_current(oid(a)?)?))),
    )
    .volatile(),
    def("lastval() int8", row(|c, _| Ok(Datum::Int(c.session()?.sequence_last()?)))).volatile(),
    def("setval(regclass, int8, ?bool) int8", row(setval)).volatile(),
    def("pg_sequence_last_value(regclass) int8", row(last_value)).volatile(),
];
