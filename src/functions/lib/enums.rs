//! Functions over enumerated types: their labels, by the type of the argument.

use super::row;
use crate::error::PgError;
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::enum_type::EnumLabel;
use crate::types::pg_type::PgType;

/// The labels of the type the arguments have.
fn labels<'a>(call: &'a Call<'_>) -> Result<&'a [EnumLabel], PgError> {
    match call.arg_type(0) {
        PgType::Enum(ty) => Ok(&ty.labels),
        other => Err(PgError::internal(format!("{} of {other}", call.name))),
    }
}

fn stored(label: &EnumLabel) -> Value {
    Datum::Bytes(label.key.to_be_bytes().to_vec().into())
}

fn end(call: &Call<'_>, label: Option<&EnumLabel>) -> Result<Value, PgError> {
    label.map(stored).ok_or_else(|| {
        let ty = call.arg_type(0).name();
        let code = crate::error::SqlState("55000");
        PgError::new(code, format!("enum {ty} contains no values"))
    })
}

fn enum_first(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    end(call, labels(call)?.first())
}

fn enum_last(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    end(call, labels(call)?.last())
}

fn bound(args: Args<'_, '_>, index: usize) -> Option<u64> {
    match args.get(index) {
        Datum::Bytes(bytes) => bytes.as_ref().try_into().ok().map(u64::from_be_bytes),
        _ => None,
    }
}

fn enum_range(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let labels = labels(call)?.iter();
    if args.len() == 1 {
        return Ok(Datum::List(labels.map(stored).collect()));
    }
    let (low, high) = (bound(args, 0), bound(args, 1));
    let within = |label: &&EnumLabel| {
        low.is_none_or(|low| label.key >= low) && high.is_none_or(|high| label.key <= high)
    };
    Ok(Datum::List(labels.filter(within).map(stored).collect()))
}

pub(crate) const FUNCTIONS: &[Def] = &[
    def("enum_first(anyenum) anyelement", row(enum_first)).with_nulls(),
    def("enum_last(anyenum) anyelement", row(enum_last)).with_nulls(),
    def("enum_range(anyenum) anyarray", row(enum_range)).with_nulls(),
    def("enum_range(anyenum, anyenum) anyarray", row(enum_range)).with_nulls(),
];
