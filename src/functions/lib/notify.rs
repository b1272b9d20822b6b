//! Messages between sessions: `pg_notify` and what can be asked about channels.

use super::row;
use crate::error::PgError;
use crate::functions::context::ChannelFacts;
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};

fn channels<'a>(call: &'a Call<'_>) -> Result<&'a dyn ChannelFacts, PgError> {
    call.session()?.channels().ok_or_else(|| PgError::internal("no channels here"))
}

fn pg_notify(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let text = |index: usize| if args.is_null(index) { Ok("") } else { args.text(index) };
    channels(call)?.announce(text(0)?, text(1)?)?;
    Ok(Datum::text(""))
}

fn listening(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(Datum::List(channels(call)?.listening().into_iter().map(Datum::text).collect()))
}

fn queue_usage(call: &Call<'_>, _: Args<'_, '_>) -> Result<Value, PgError> {
    Ok(Datum::Float(channels(call)?.queue_usage()))
}

/// The functions.
#[rustfmt::skip]
pub(crate) const FUNCTIONS: &[Def] = &[
    def("pg_notify(text, text) void", row(pg_notify)).with_nulls().volatile(),
    def("pg_listening_channels() setof text", row(listening)).volatile(),
    def("pg_notification_queue_usage() float8", row(queue_usage)).volatile(),
];
