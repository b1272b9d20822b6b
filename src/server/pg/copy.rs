//! The COPY sub-protocol, both ways.

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Flow, Halt};
use super::frame::{Frame, violation};
use super::message::{Message, decode};
use super::reply;
use super::wire::FLUSH_BYTES;
use crate::error::{PgError, SqlState};
use crate::session::outcome::{Completion, CopyFraming, CopyIn, CopyOut};

/// Feeds a `COPY … FROM STDIN` with what the client sends; its command tag.
///
/// What a client still sends for a COPY that has failed is dropped by the main loop: in the simple protocol it ignores
/// CopyData, CopyDone and CopyFail, in the extended one it skips to Sync.
pub(super) async fn receive(connection: &mut Connection<'_>, copy: CopyIn) -> Flow<String> {
    let CopyIn { columns, binary, data } = copy;
    reply::copy_response(&mut connection.wire.out, b'G', binary, columns);
    connection.wire.flush().await?;
    let cancel = connection.session.cancel_token();
    let fed = feed(connection, &data, &cancel).await;
    // The statement must not take the end of the channel for the end of the data.
    let abandoned = match &fed {
        Ok(()) => None,
        Err(Halt::Failed { error, .. }) => Some(error.clone()),
        Err(Halt::Gone) => Some(PgError::new(
            SqlState::QUERY_CANCELED,
            "unexpected EOF on client connection during COPY",
        )),
    };
    if let Some(error) = abandoned {
        tokio::select! {
            _ = data.send(Err(error)) => {}
            () = cancel.cancelled() => {}
        }
    }
    drop(data);
    if matches!(fed, Err(Halt::Gone)) {
        return Err(Halt::Gone);
    }
    let finishing = connection.session.finish_copy();
    let finished = connection.wire.watch(finishing).await.ok_or(Halt::Gone)?;
    // The statement's own error says more than that the client gave up afterwards, except where the client broke the
    // protocol.
    match (fed, finished) {
        (Ok(()), Ok(tag)) => Ok(tag),
        (Err(halt), Ok(_)) => Err(halt),
        (Ok(()), Err(error)) => Err(error.into()),
        (Err(Halt::Failed { error, position }), Err(own)) => {
            let fatal = error.fields().severity == crate::error::Severity::Fatal;
            Err(if fatal { Halt::Failed { error, position } } else { own.into() })
        }
        (Err(Halt::Gone), Err(_)) => Err(Halt::Gone),
    }
}

/// Passes CopyData on until CopyDone, or until the statement takes no more.
async fn feed(
    connection: &mut Connection<'_>,
    data: &mpsc::Sender<Result<Bytes, PgError>>,
    cancel: &CancellationToken,
) -> Flow<()> {
    loop {
        let frame = tokio::select! {
            biased;
            // The statement has failed; its error comes from finish_copy.
            () = data.closed() => return Ok(()),
            () = cancel.cancelled() => return Err(canceled().into()),
            frame = connection.wire.frame() => frame?,
        };
        let (tag, body) = match frame {
            Frame::Message { tag, body } => (tag, body),
            Frame::TooLong { length, .. } => return Err(connection.too_long(length).into()),
        };
        match decode(tag, &body)? {
            Message::CopyData => tokio::select! {
                biased;
                sent = data.send(Ok(body.clone())) => if sent.is_err() { return Ok(()) },
                () = cancel.cancelled() => return Err(canceled().into()),
            },
            Message::CopyDone => return Ok(()),
            Message::CopyFail(reason) => {
                let message = format!("COPY from stdin failed: {reason}");
                return Err(PgError::new(SqlState::QUERY_CANCELED, message).into());
            }
            // Part of a pipeline that was sent before the client knew of the COPY.
            Message::Flush | Message::Sync => {}
            Message::Terminate => return Err(Halt::Gone),
            _ => {
                let message = format!("unexpected message type 0x{tag:02X} during COPY from stdin");
                return Err(violation(message).into());
            }
        }
    }
}

/// Sends the rows of a `COPY … TO STDOUT`.
pub(super) async fn send(connection: &mut Connection<'_>, copy: CopyOut) -> Flow<Completion> {
    let CopyOut { columns, binary, mut data, framing, completion } = copy;
    reply::copy_response(&mut connection.wire.out, b'H', binary, columns);
    let cancel = connection.session.cancel_token();
    while let Some(piece) = connection.wire.watch(data.next()).await.ok_or(Halt::Gone)? {
        let piece = piece?;
        let mut rest = &*piece;
        while !rest.is_empty() {
            let (row, behind) = rest.split_at(row_end(rest, framing));
            reply::copy_data(&mut connection.wire.out, row);
            rest = behind;
            if connection.wire.unsent() >= FLUSH_BYTES {
                connection.wire.flush_unless(&cancel).await?;
            }
            if cancel.is_cancelled() {
                return Err(match data.next().await {
                    Some(Err(error)) => error.into(),
                    Some(Ok(_)) | None => canceled().into(),
                });
            }
        }
    }
    reply::copy_done(&mut connection.wire.out);
    Ok(completion())
}

/// Where the first row of `bytes` ends; with its newline, and at the latest at the end.
fn row_end(bytes: &[u8], framing: CopyFraming) -> usize {
    match framing {
        CopyFraming::Lines => memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1),
        CopyFraming::Csv { quote, escape } => csv_row_end(bytes, quote, escape),
        CopyFraming::Pieces => bytes.len(),
    }
}

fn csv_row_end(bytes: &[u8], quote: u8, escape: u8) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate() {
        match *byte {
            _ if escaped => escaped = false,
            // A quote that escapes itself ends the quotes and opens them again, which comes to the same.
            byte if quoted && byte == escape && escape != quote => escaped = true,
            byte if byte == quote => quoted = !quoted,
            b'\n' if !quoted => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}

fn canceled() -> PgError {
    PgError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, framing: CopyFraming) -> Vec<&str> {
        let mut rows = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (row, behind) = rest.split_at(row_end(rest.as_bytes(), framing));
            rows.push(row);
            rest = behind;
        }
        rows
    }

    #[test]
    fn text_rows_end_at_every_newline() {
        assert_eq!(rows("a\n\"\nb", CopyFraming::Lines), ["a\n", "\"\n", "b"]);
        assert_eq!(rows("a\nb\n", CopyFraming::Pieces), ["a\nb\n"]);
    }

    #[test]
    fn csv_rows_end_outside_quotes() {
        let doubled = CopyFraming::Csv { quote: b'"', escape: b'"' };
        assert_eq!(rows("1,\"x\ny\"\"\n\"\n2\n", doubled), ["1,\"x\ny\"\"\n\"\n", "2\n"]);
        let backslash = CopyFraming::Csv { quote: b'\'', escape: b'\\' };
        assert_eq!(rows("'a\\'\n',\"\nb\n", backslash), ["'a\\'\n',\"\n", "b\n"]);
    }
}
