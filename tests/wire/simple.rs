//! The simple query protocol.

use super::client::{execute, frame, parse, query, sync};
use super::server::{TestServer, USER, options, trusting_engine};

#[test]
fn login_reports_parameters_and_a_cancel_key() {
    let server = TestServer::trusting();
    let mut client = server.connect();
    client.send_startup(&[("user", USER), ("application_name", "transcript")]);
    let transcript = client.transcript();
    assert_eq!(transcript.first().map(String::as_str), Some("Authentication(0)"));
    assert!(transcript.iter().any(|line| line.starts_with("ParameterStatus(server_version=15")));
    assert!(transcript.contains(&"ParameterStatus(client_encoding=UTF8)".to_owned()));
    assert!(transcript.ends_with(&["BackendKeyData".to_owned(), "ReadyForQuery(I)".to_owned()]));
}

#[test]
fn one_statement() {
    let server = TestServer::trusting();
    assert_eq!(
        server.login().query("SELECT 1"),
        ["RowDescription", "DataRow(1)", "CommandComplete(SELECT 1)", "ReadyForQuery(I)"]
    );
}

#[test]
fn several_statements_have_one_ready_for_query() {
    let server = TestServer::trusting();
    assert_eq!(
        server.login().query("SELECT 1; SELECT 1;"),
        [
            "RowDescription",
            "DataRow(1)",
            "CommandComplete(SELECT 1)",
            "RowDescription",
            "DataRow(1)",
            "CommandComplete(SELECT 1)",
            "ReadyForQuery(I)"
        ]
    );
}

#[test]
fn an_error_ends_the_query_string() {
    let server = TestServer::trusting();
    let mut client = server.login();
    let mut transcript = client.query("SELECT 1; SELECT 1/0; SELECT 1");
    // Whether the columns of the failing statement were announced depends on when it failed.
    transcript.retain(|line| line != "RowDescription");
    assert_eq!(
        transcript,
        [
            "DataRow(1)",
            "CommandComplete(SELECT 1)",
            "ErrorResponse(ERROR 22012)",
            "ReadyForQuery(I)"
        ]
    );
    assert_eq!(client.query("SELECT 1").len(), 4);
}

#[test]
fn empty_query_strings() {
    let server = TestServer::trusting();
    let mut client = server.login();
    for text in ["", " ", ";", "  ;; "] {
        assert_eq!(client.query(text), ["EmptyQueryResponse", "ReadyForQuery(I)"], "{text:?}");
    }
}

#[test]
fn a_syntax_error_runs_nothing_and_points_into_the_whole_text() {
    let server = TestServer::trusting();
    let transcript = server.login().query("SELECT 'é'; SELEC 1");
    assert_eq!(transcript, ["ErrorResponse(ERROR 42601 at 13)", "ReadyForQuery(I)"]);
}

#[test]
fn the_transaction_state_follows() {
    let server = TestServer::trusting();
    let mut client = server.login();
    let last = |transcript: Vec<String>| transcript.last().cloned().unwrap();
    assert_eq!(client.query("BEGIN"), ["CommandComplete(BEGIN)", "ReadyForQuery(T)"]);
    assert_eq!(last(client.query("SELECT 1")), "ReadyForQuery(T)");
    assert_eq!(last(client.query("SELECT 1/0")), "ReadyForQuery(E)");
    assert_eq!(client.query("SELECT 1"), ["ErrorResponse(ERROR 25P02)", "ReadyForQuery(E)"]);
    assert_eq!(client.query("ROLLBACK"), ["CommandComplete(ROLLBACK)", "ReadyForQuery(I)"]);
}

#[test]
fn a_changed_parameter_is_reported_before_ready_for_query() {
    let server = TestServer::trusting();
    let transcript = server.login().query("SET application_name = 'x'");
    assert_eq!(
        transcript.iter().filter(|line| !line.starts_with("Notice")).collect::<Vec<_>>(),
        ["CommandComplete(SET)", "ParameterStatus(application_name=x)", "ReadyForQuery(I)"]
    );
}

#[test]
fn pipelined_queries_are_answered_in_order() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(&[query("SELECT 1"), query("SELECT 1/0"), query("SELECT 1")].concat());
    assert_eq!(client.transcript().len(), 4);
    assert!(client.transcript().contains(&"ErrorResponse(ERROR 22012)".to_owned()));
    assert_eq!(client.transcript().len(), 4);
}

#[test]
fn function_calls_are_refused_and_the_connection_lives() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(&frame(b'F', &[0; 12]));
    assert_eq!(client.transcript(), ["ErrorResponse(ERROR 0A000)", "ReadyForQuery(I)"]);
    assert_eq!(client.query("SELECT 1").len(), 4);
}

#[test]
fn a_million_rows_arrive_in_order() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(&query("SELECT * FROM generate_series(1, 1000000)"));
    let mut rows = 0_u32;
    loop {
        let reply = client.reply().expect("the rows end with ReadyForQuery");
        match reply.tag {
            b'D' => {
                rows += 1;
                assert_eq!(reply.body[6..], *rows.to_string().as_bytes());
            }
            b'Z' => break,
            b'C' => assert_eq!(reply.to_string(), "CommandComplete(SELECT 1000000)"),
            other => assert_eq!(other, b'T'),
        }
    }
    assert_eq!(rows, 1_000_000);
}

#[test]
fn messages_over_the_limit_are_skipped_in_sync() {
    let mut options = options();
    options.max_message_bytes = 1000;
    let server = TestServer::start(options, trusting_engine());
    let mut client = server.login();
    let long = format!("SELECT '{}'", "x".repeat(100_000));
    assert_eq!(client.query(&long), ["ErrorResponse(ERROR 54000)", "ReadyForQuery(I)"]);
    assert_eq!(client.query("SELECT 1").len(), 4);
    client.send(&[parse("", &long), execute("", 0), sync(), query("SELECT 1")].concat());
    assert_eq!(client.transcript(), ["ErrorResponse(ERROR 54000)", "ReadyForQuery(I)"]);
    assert_eq!(client.transcript().len(), 4);
}

#[test]
fn terminate_closes_without_a_word() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(&[query("SELECT 1"), frame(b'X', &[]), query("SELECT 1")].concat());
    assert_eq!(client.rest().len(), 4);
}

#[test]
fn stopping_tells_idle_clients() {
    let server = TestServer::trusting();
    let mut client = server.login();
    server.shutdown.cancel();
    let replies: Vec<String> = client.rest().iter().map(ToString::to_string).collect();
    assert_eq!(replies, ["ErrorResponse(FATAL 57P01)"]);
}

#[test]
fn connections_over_the_limit_are_told_and_slots_come_back() {
    let mut options = options();
    options.max_connections = 1;
    let server = TestServer::start(options, trusting_engine());
    let mut first = server.login();
    let mut second = server.connect();
    second.send_startup(&[("user", USER)]);
    second.assert_refused("53300");
    first.send(&frame(b'X', &[]));
    assert!(first.rest().is_empty());
    // The slot is given back a moment after the socket is closed.
    let served = (0..1000).any(|_| {
        let mut third = server.connect();
        third.send_startup(&[("user", USER)]);
        third.some().first().is_some_and(|reply| reply.tag == b'R')
    });
    assert!(served);
}
