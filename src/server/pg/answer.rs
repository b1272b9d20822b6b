//! Sends what a statement gave, in either protocol.

use super::connection::{Connection, Flow};
use super::message::Formats;
use super::{copy, reply, rows};
use crate::session::outcome::{Completion, Outcome};
use crate::types::Format;

/// Which protocol the statement came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Rows are described before they are sent, and the last statement ends the implicit transaction.
    Simple {
        /// This is the last statement of the query string.
        last: bool,
    },
    /// Describe describes, and Sync ends the implicit transaction.
    Extended,
}

/// Sends an outcome and its completion.
///
/// The implicit transaction is committed before the completion of the last statement is sent: a client that has read
/// `INSERT 0 1` may rely on it.
pub(super) async fn answer(
    connection: &mut Connection<'_>,
    outcome: Outcome,
    formats: &Formats,
    protocol: Protocol,
) -> Flow<()> {
    let completion = match outcome {
        Outcome::Rows { columns, rows } => {
            let in_binary = Formats::All(Format::Binary);
            let is_simple = matches!(protocol, Protocol::Simple { .. });
            let formats = if is_simple && rows.is_binary() { &in_binary } else { formats };
            if is_simple {
                reply::row_description(&mut connection.wire.out, &columns, formats);
            }
            Some(rows::send(connection, &columns, formats, rows).await?)
        }
        Outcome::Command(tag) => Some(Completion::Complete(tag)),
        Outcome::Empty => None,
        Outcome::CopyIn(copy) => Some(Completion::Complete(copy::receive(connection, copy).await?)),
        Outcome::CopyOut(copy) => Some(copy::send(connection, copy).await?),
    };
    if protocol == (Protocol::Simple { last: true }) {
        // Not given up when the client goes: a commit that has begun is carried out.
        connection.session.finish().await?;
    }
    connection.notices();
    let out = &mut connection.wire.out;
    match completion {
        Some(Completion::Complete(tag)) => reply::command_complete(out, &tag),
        Some(Completion::Suspended) => reply::portal_suspended(out),
        None => reply::empty_query(out),
    }
    Ok(())
}
