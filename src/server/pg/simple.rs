//! The simple query protocol: one text, one or more statements, one ReadyForQuery.

use super::answer::{Protocol, answer};
use super::connection::{Connection, Flow, Halt};
use super::message::Formats;
use super::{quick, reply};
use crate::session::{Recalled, ScriptPosition};

/// Runs the statements of `text` one after the other; the first error ends it, and undoes what was not yet committed.
pub(super) async fn query(connection: &mut Connection<'_>, text: &str) -> Flow<()> {
    let in_text = |error| Halt::in_text(error, text);
    // A simple query takes the place of the unnamed statement and portal, as in PostgreSQL.
    connection.session.close_portal("");
    connection.session.close_statement("");
    connection.portals.close("");
    let recalling = connection.session.recall(text);
    match connection.wire.watch(recalling).await.ok_or(Halt::Gone)?.map_err(in_text)? {
        Some(Recalled::LookedUp(found)) if quick::write(connection, &found) => return Ok(()),
        Some(Recalled::Ran(outcome)) => {
            let protocol = Protocol::Simple { last: true };
            return answer(connection, outcome, &Formats::AllText, protocol).await;
        }
        Some(Recalled::LookedUp(_)) | None => {}
    }
    let statements = connection.session.parse_again(text).map_err(in_text)?;
    let Some(last) = statements.len().checked_sub(1) else {
        reply::empty_query(&mut connection.wire.out);
        return Ok(());
    };
    for (index, statement) in statements.iter().enumerate() {
        let position = match index {
            0 if last == 0 => ScriptPosition::Only,
            0 => ScriptPosition::First,
            _ if index == last => ScriptPosition::Last,
            _ => ScriptPosition::Middle,
        };
        let running = connection.session.run(statement, position);
        let outcome = connection.wire.watch(running).await.ok_or(Halt::Gone)?.map_err(in_text)?;
        let protocol = Protocol::Simple { last: index == last };
        answer(connection, outcome, &Formats::AllText, protocol).await.map_err(
            |halt| match halt {
                Halt::Failed { error, position: None } => in_text(error),
                other => other,
            },
        )?;
    }
    Ok(())
}
