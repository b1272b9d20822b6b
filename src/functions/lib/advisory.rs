//! Advisory locks, and who waits for whom.
//!
//! The functions that wait are asynchronous, so that a wait holds no thread and ends with its statement; the others are
//! ordinary ones.

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::{Int32Type, Int64Type};
use std::sync::Arc;

use super::row;
use crate::error::PgError;
use crate::functions::context::{AdvisoryMode, SessionContext};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::AdvisoryKey;

/// Whether a function waits, and so is asynchronous.
pub(crate) fn waits(name: &str) -> bool {
    matches!(
        name,
        "pg_advisory_lock"
            | "pg_advisory_lock_shared"
            | "pg_advisory_xact_lock"
            | "pg_advisory_xact_lock_shared"
    )
}

fn mode(name: &str) -> AdvisoryMode {
    AdvisoryMode { exclusive: !name.ends_with("_shared"), transaction: name.contains("_xact_") }
}

/// Takes the locks of all rows of `columns`, in order.
///
/// # Errors
/// `55P03`, `40P01`.
pub(crate) async fn wait(
    name: &str,
    columns: &[ArrayRef],
    rows: usize,
    session: &dyn SessionContext,
) -> Result<ArrayRef, PgError> {
    let locks = session.locks().ok_or_else(|| PgError::internal("no locks here"))?;
    let mut done = Vec::with_capacity(rows);
    for row in 0..rows {
        let key = key_at(columns, row);
        if let Some(key) = key {
            locks.lock(key, mode(name)).await?;
        }
        done.push(key.map(|_| ""));
    }
    Ok(Arc::new(done.into_iter().collect::<StringViewArray>()))
}

fn key_at(columns: &[ArrayRef], row: usize) -> Option<AdvisoryKey> {
    let small = |column: &ArrayRef| {
        let values = column.as_primitive_opt::<Int32Type>()?;
        (!values.is_null(row)).then(|| values.value(row))
    };
    match columns {
        [one] => {
            let values = one.as_primitive_opt::<Int64Type>()?;
            (!values.is_null(row)).then(|| AdvisoryKey::One(values.value(row)))
        }
        [one, two] => Some(AdvisoryKey::Two(small(one)?, small(two)?)),
        _ => None,
    }
}

fn key(args: Args<'_, '_>) -> Result<AdvisoryKey, PgError> {
    if args.len() < 2 {
        return Ok(AdvisoryKey::One(args.int(0)?));
    }
    Ok(AdvisoryKey::Two(args.int(0)? as i32, args.int(1)? as i32))
}

fn waiting(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    Err(PgError::unsupported(
        format!("{} cannot be called in this place", call.name),
        "Call it in a SELECT of its own.",
    ))
}

fn try_lock(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let Some(locks) = call.session()?.locks() else { return Ok(Datum::Bool(false)) };
    // A lock that is not waited for is had at once or not at all.
    let taken = locks.try_lock(key(args)?, mode(call.name));
    let taken = futures::FutureExt::now_or_never(taken);
    Ok(Datum::Bool(taken.ok_or_else(|| PgError::internal("a lock that was to be had at once"))??))
}

fn unlock(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let Some(locks) = call.session()?.locks() else { return Ok(Datum::Bool(false)) };
    Ok(Datum::Bool(locks.unlock(key(args)?, mode(call.name).exclusive)))
}

fn unlock_all(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    if let Some(locks) = call.session()?.locks() {
        locks.unlock_all();
    }
    Ok(Datum::text(""))
}

fn blocking_pids(call: &Call<'_>, args: Args<'_, '_>) -> Result<Vec<i32>, PgError> {
    let pid = args.int(0)? as i32;
    Ok(call.session()?.locks().map(|locks| locks.blocking_pids(pid)).unwrap_or_default())
}

fn blocking(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let pids = blocking_pids(call, args)?;
    Ok(Datum::List(pids.into_iter().map(|pid| Datum::Int(pid.into())).collect()))
}

/// Whether a session waits for one of those given.
fn is_blocked(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let blockers = blocking_pids(call, args)?;
    let Datum::List(interesting) = args.get(1) else { return Ok(Datum::Bool(false)) };
    let is_one = |pid: &Datum<'_>| matches!(pid, Datum::Int(pid) if blockers.iter().any(|blocker| i64::from(*blocker) == *pid));
    Ok(Datum::Bool(interesting.iter().any(is_one)))
}

/// The functions.
#[rustfmt::skip]
pub(crate) const FUNCTIONS: &[Def] = &[
    def("pg_advisory_lock(int8) void", row(waiting)).volatile(),
    def("pg_advisory_lock(int4, int4) void", row(waiting)).volatile(),
    def("pg_advisory_lock_shared(int8) void", row(waiting)).volatile(),
    def("pg_advisory_lock_shared(int4, int4) void", row(waiting)).volatile(),
    def("pg_advisory_xact_lock(int8) void", row(waiting)).volatile(),
    def("pg_advisory_xact_lock(int4, int4) void", row(waiting)).volatile(),
    def("pg_advisory_xact_lock_shared(int8) void", row(waiting)).volatile(),
    def("pg_advisory_xact_lock_shared(int4, int4) void", row(waiting)).volatile(),
    def("pg_try_advisory_lock(int8) bool", row(try_lock)).volatile(),
    def("pg_try_advisory_lock(int4, int4) bool", row(try_lock)).volatile(),
    def("pg_try_advisory_lock_shared(int8) bool", row(try_lock)).volatile(),
    def("pg_try_advisory_lock_shared(int4, int4) bool", row(try_lock)).volatile(),
    def("pg_try_advisory_xact_lock(int8) bool", row(try_lock)).volatile(),
    def("pg_try_advisory_xact_lock(int4, int4) bool", row(try_lock)).volatile(),
    def("pg_try_advisory_xact_lock_shared(int8) bool", row(try_lock)).volatile(),
    def("pg_try_advisory_xact_lock_shared(int4, int4) bool", row(try_lock)).volatile(),
    def("pg_advisory_unlock(int8) bool", row(unlock)).volatile(),
    def("pg_advisory_unlock(int4, int4) bool", row(unlock)).volatile(),
    def("pg_advisory_unlock_shared(int8) bool", row(unlock)).volatile(),
    def("pg_advisory_unlock_shared(int4, int4) bool", row(unlock)).volatile(),
    def("pg_advisory_unlock_all() void", row(unlock_all)).volatile(),
    def("pg_blocking_pids(int4) int4[]", row(blocking)).volatile(),
    def("pg_isolation_test_session_is_blocked(int4, int4[]) bool", row(is_blocked)).volatile(),
];
