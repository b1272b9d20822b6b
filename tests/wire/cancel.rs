//! Cancel while a statement runs and while it streams; and clients that vanish.

use std::time::{Duration, Instant};

use super::client::{Client, bind, cancel_request, execute, flush, parse, query, sync};
use super::server::{TestServer, USER, options, trusting_engine};

/// Runs for hours without giving a row.
const LONG: &str = "SELECT count(*) FROM generate_series(1, 1000) a, generate_series(1, 1000) b, \
                    generate_series(1, 10000) c";
/// Gives rows for hours.
const ENDLESS: &str = "SELECT 1 FROM generate_series(1, 1000) a, generate_series(1, 1000) b, \
                       generate_series(1, 10000) c";
/// A canceled statement must have ended by then; the aim is 100 ms on an idle machine.
const PROMPT: Duration = Duration::from_secs(5);

/// A connection that is logged in, with its cancel key.
fn login(server: &TestServer) -> (Client, i32, Vec<u8>) {
    let mut client = server.connect();
    client.send_startup(&[("user", USER)]);
    let replies = client.until(b'Z');
    let key = &replies.iter().find(|reply| reply.tag == b'K').unwrap().body;
    let pid = i32::from_be_bytes(*key.first_chunk().unwrap());
    (client, pid, key[4..].to_vec())
}

fn cancel(server: &TestServer, pid: i32, secret: &[u8]) {
    let mut other = server.connect();
    other.send(&cancel_request(pid, secret));
    // Nothing is answered, whether the key is right or not.
    assert!(other.rest().is_empty());
}

#[test]
fn cancel_during_execution() {
    let server = TestServer::trusting();
    let (mut client, pid, secret) = login(&server);
    // Each cancel comes right behind its statement, so some come before it has begun.
    for _ in 0..100 {
        client.send(&query(LONG));
        let start = Instant::now();
        cancel(&server, pid, &secret);
        let transcript = client.transcript();
        assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
        assert_eq!(transcript.last().map(String::as_str), Some("ReadyForQuery(I)"));
        assert!(transcript.contains(&"ErrorResponse(ERROR 57014)".to_owned()), "{transcript:?}");
    }
    assert_eq!(client.query("SELECT 1").len(), 4);
}

#[test]
fn a_cancel_hits_no_statement_that_is_sent_later() {
    let server = TestServer::trusting();
    let (mut client, pid, secret) = login(&server);
    for _ in 0..100 {
        cancel(&server, pid, &secret);
        assert_eq!(client.query("SELECT 1").len(), 4);
    }
}

#[test]
fn a_cancel_between_the_messages_of_a_statement_hits_it() {
    let server = TestServer::trusting();
    let (mut client, pid, secret) = login(&server);
    client.send(&parse("", LONG));
    client.send(&flush());
    client.until(b'1');
    client.send(&[bind("", "", &[], &[], &[]), execute("", 0), sync()].concat());
    cancel(&server, pid, &secret);
    assert!(client.transcript().contains(&"ErrorResponse(ERROR 57014)".to_owned()));
    assert_eq!(client.query("SELECT 1").len(), 4);
}

#[test]
fn cancel_during_streaming() {
    let server = TestServer::trusting();
    let (mut client, pid, secret) = login(&server);
    client.send(&query(ENDLESS));
    for _ in 0..1000 {
        assert!(matches!(client.reply().unwrap().tag, b'T' | b'D'));
    }
    cancel(&server, pid, &secret);
    let start = Instant::now();
    let last = client.until(b'E');
    assert_eq!(last.last().unwrap().to_string(), "ErrorResponse(ERROR 57014)");
    assert!(start.elapsed() < PROMPT);
    assert_eq!(client.transcript(), ["ReadyForQuery(I)"]);
    assert_eq!(client.query("SELECT 1").len(), 4);
}

#[test]
fn a_wrong_key_cancels_nothing() {
    let server = TestServer::trusting();
    let (mut client, pid, mut secret) = login(&server);
    secret[0] ^= 1;
    cancel(&server, pid, &secret);
    cancel(&server, pid.wrapping_add(1), &secret);
    cancel(&server, pid, &[0]);
    assert_eq!(client.query("SELECT 1").len(), 4);
}

#[test]
fn a_cancel_that_comes_too_late_hits_nothing() {
    let server = TestServer::trusting();
    let (mut client, pid, secret) = login(&server);
    assert_eq!(client.query("SELECT 1").len(), 4);
    cancel(&server, pid, &secret);
    assert_eq!(client.query("SELECT 1").len(), 4);
}

#[test]
fn malformed_cancel_requests_are_refused() {
    let server = TestServer::trusting();
    for secret in [&[][..], &[0; 257]] {
        let mut client = server.connect();
        client.send(&cancel_request(1, secret));
        client.assert_refused("08P01");
    }
}

#[test]
fn a_client_that_vanishes_ends_its_statement() {
    let server = TestServer::trusting();
    for text in [LONG, ENDLESS] {
        let (mut client, _, _) = login(&server);
        client.send(&query(text));
        assert_eq!(server.engine.active_sessions(), 1);
        drop(client);
        let start = Instant::now();
        while server.engine.active_sessions() > 0 {
            assert!(start.elapsed() < PROMPT, "{text}");
            std::thread::yield_now();
        }
    }
}

#[test]
fn stopping_cancels_what_runs_after_the_grace_time() {
    let server = TestServer::start(options(), trusting_engine());
    let (mut client, _, _) = login(&server);
    client.send(&query(ENDLESS));
    client.until(b'D');
    server.shutdown.cancel();
    let replies = client.rest();
    let codes: Vec<_> = replies
        .iter()
        .filter(|reply| reply.tag == b'E')
        .filter_map(|reply| reply.field(b'C'))
        .collect();
    assert_eq!(codes, ["57014", "57P01"]);
}
