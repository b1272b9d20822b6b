//! COPY, both ways.

use super::client::{Client, bind, execute, frame, parse, query, sync};
use super::server::TestServer;

fn with_table(server: &TestServer) -> Client {
    let mut client = server.login();
    assert_eq!(
        client.query("CREATE TABLE t (a int4)"),
        ["CommandComplete(CREATE TABLE)", "ReadyForQuery(I)"]
    );
    client
}

fn copy_data(bytes: &[u8]) -> Vec<u8> {
    frame(b'd', bytes)
}

fn copy_done() -> Vec<u8> {
    frame(b'c', &[])
}

#[test]
fn copy_in_takes_lines_cut_anywhere() {
    let server = TestServer::trusting();
    let mut client = with_table(&server);
    let lines = b"1\n22\n333\n";
    for at in 0..=lines.len() {
        client.send(&query("COPY t FROM STDIN"));
        assert_eq!(client.until(b'G').len(), 1);
        // Cut in messages, and the messages in segments.
        let frames = [copy_data(&lines[..at]), copy_data(&lines[at..]), copy_done()].concat();
        let (first, second) = frames.split_at(at + 3);
        client.send(first);
        client.send(second);
        assert_eq!(client.transcript(), ["CommandComplete(COPY 3)", "ReadyForQuery(I)"], "{at}");
    }
}

#[test]
fn copy_in_by_the_extended_protocol_ignores_an_early_sync() {
    let server = TestServer::trusting();
    let mut client = with_table(&server);
    // What libpq sends: Sync goes out with Execute, before the client knows of the COPY.
    client.send(
        &[parse("", "COPY t FROM STDIN"), bind("", "", &[], &[], &[]), execute("", 0), sync()]
            .concat(),
    );
    assert_eq!(client.until(b'G').len(), 3);
    client.send(&[copy_data(b"1\n"), copy_done(), sync()].concat());
    assert_eq!(client.transcript(), ["CommandComplete(COPY 1)", "ReadyForQuery(I)"]);
}

#[test]
fn copy_fail_fails_the_statement_with_the_clients_reason() {
    let server = TestServer::trusting();
    let mut client = with_table(&server);
    client.send(&query("COPY t FROM STDIN"));
    client.until(b'G');
    client.send(&[copy_data(b"1\n"), frame(b'f', b"changed my mind\0")].concat());
    let replies = client.until(b'Z');
    assert_eq!(replies[0].to_string(), "ErrorResponse(ERROR 57014)");
    assert_eq!(replies[0].field(b'M').as_deref(), Some("COPY from stdin failed: changed my mind"));
    assert_eq!(client.query("SELECT 1").len(), 4);
}

#[test]
fn what_follows_an_error_inside_copy_is_drained() {
    let server = TestServer::trusting();
    let mut client = with_table(&server);
    client.send(&query("COPY t FROM STDIN"));
    client.until(b'G');
    client.send(&copy_data(b"1\nbad\n"));
    for _ in 0..100 {
        client.send(&copy_data(&b"7\n".repeat(500)));
    }
    client.send(&[copy_done(), query("SELECT 1")].concat());
    let failed = client.transcript();
    assert!(failed[0].starts_with("ErrorResponse(ERROR 22P0"), "{failed:?}");
    assert_eq!(failed[1..], ["ReadyForQuery(I)"]);
    assert_eq!(client.transcript().len(), 4);
}

#[test]
fn an_error_inside_an_extended_copy_skips_to_sync() {
    let server = TestServer::trusting();
    let mut client = with_table(&server);
    client.send(
        &[parse("", "COPY t FROM STDIN"), bind("", "", &[], &[], &[]), execute("", 0)].concat(),
    );
    client.send(&[copy_data(b"bad\n"), copy_data(b"1\n"), copy_done()].concat());
    client.send(&[query("SELECT 1"), sync()].concat());
    let transcript = client.transcript();
    assert!(transcript[3].starts_with("ErrorResponse(ERROR 22P0"), "{transcript:?}");
    assert_eq!(transcript[4..], ["ReadyForQuery(I)"]);
}

#[test]
fn other_messages_inside_copy_break_the_connection() {
    let server = TestServer::trusting();
    let mut client = with_table(&server);
    client.send(&query("COPY t FROM STDIN"));
    client.until(b'G');
    client.send(&query("SELECT 1"));
    let replies = client.rest();
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].to_string(), "ErrorResponse(FATAL 08P01)");
}

#[test]
fn copy_out_sends_a_message_for_each_row() {
    let server = TestServer::trusting();
    let mut client = with_table(&server);
    client.send(&query("COPY t FROM STDIN"));
    client.until(b'G');
    client.send(&[copy_data(b"1\n22\n333\n"), copy_done()].concat());
    client.transcript();
    assert_eq!(
        client.query("COPY t TO STDOUT"),
        [
            "CopyOutResponse",
            "CopyData(1\\n)",
            "CopyData(22\\n)",
            "CopyData(333\\n)",
            "CopyDone",
            "CommandComplete(COPY 3)",
            "ReadyForQuery(I)"
        ]
    );
}

#[test]
fn a_condition_chooses_rows_with_their_defaults_and_only_they_are_counted() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query(
        "CREATE TABLE w (a int4, b text DEFAULT 'x', c int4 GENERATED ALWAYS AS (a * 2) STORED)",
    );
    client.send(&query("COPY w (a) FROM STDIN WHERE a % 2 = 1 AND b = 'x'"));
    client.until(b'G');
    client.send(&[copy_data(b"1\n2\n3\n\\N\n5\n"), copy_done()].concat());
    assert_eq!(client.transcript(), ["CommandComplete(COPY 3)", "ReadyForQuery(I)"]);
    let rows = client.query("SELECT string_agg(a || b || c, ',' ORDER BY a) FROM w");
    assert_eq!(rows[1], "DataRow(1x2,3x6,5x10)");
    let refused = client.query("COPY w FROM STDIN WHERE c > 1");
    assert_eq!(refused[0], "ErrorResponse(ERROR 42P10)");
}
