//! LISTEN and NOTIFY: when messages come, and to whom.

use super::client::{execute, frame, parse, sync};
use super::server::TestServer;

#[test]
fn a_message_comes_between_transactions() {
    let server = TestServer::trusting();
    let (mut listener, mut sender) = (server.login(), server.login());
    listener.query("LISTEN a; LISTEN \"B c\"");
    assert_eq!(
        sender.query("NOTIFY a, 'x'; NOTIFY a, 'x'; NOTIFY \"B c\"; NOTIFY other"),
        [
            "CommandComplete(NOTIFY)",
            "CommandComplete(NOTIFY)",
            "CommandComplete(NOTIFY)",
            "CommandComplete(NOTIFY)",
            "ReadyForQuery(I)"
        ]
    );
    // It waits for nothing: nobody asked.
    assert_eq!(listener.until(b'A').pop().unwrap().to_string(), "NotificationResponse(a=x)");
    assert_eq!(listener.until(b'A').pop().unwrap().to_string(), "NotificationResponse(B c)");
    // Not inside a transaction, but right behind it.
    listener.query("BEGIN");
    sender.query("NOTIFY a, 'y'");
    assert_eq!(listener.query("SELECT 1").len(), 4);
    assert_eq!(
        listener.query("COMMIT"),
        ["CommandComplete(COMMIT)", "NotificationResponse(a=y)", "ReadyForQuery(I)"]
    );
}

#[test]
fn what_is_undone_is_not_said() {
    let server = TestServer::trusting();
    let (mut listener, mut sender) = (server.login(), server.login());
    listener.query("LISTEN a");
    sender.query("BEGIN; NOTIFY a, 'lost'; ROLLBACK");
    sender
        .query("BEGIN; NOTIFY a, '1'; SAVEPOINT s; NOTIFY a, 'lost'; ROLLBACK TO s; NOTIFY a, '2'");
    sender.query("COMMIT");
    assert_eq!(listener.until(b'A').pop().unwrap().to_string(), "NotificationResponse(a=1)");
    assert_eq!(listener.until(b'A').pop().unwrap().to_string(), "NotificationResponse(a=2)");
    listener.query("BEGIN; LISTEN b; ROLLBACK");
    sender.query("NOTIFY b, 'lost'");
    sender.query("SELECT pg_notify('a', '3')");
    assert_eq!(listener.until(b'A').pop().unwrap().to_string(), "NotificationResponse(a=3)");
    listener.query("UNLISTEN *");
    sender.query("NOTIFY a, 'lost'");
    assert_eq!(listener.query("SELECT 1").len(), 4);
}

#[test]
fn the_extended_protocol_tells_at_sync() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query("LISTEN a");
    let bind = frame(b'B', &[0, 0, 0, 0, 0, 0, 0, 0]);
    client.send(&[parse("", "NOTIFY a, 'own'"), bind, execute("", 0), sync()].concat());
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "BindComplete",
            "CommandComplete(NOTIFY)",
            "NotificationResponse(a=own)",
            "ReadyForQuery(I)"
        ]
    );
}

#[test]
fn a_database_hears_only_itself() {
    let server = TestServer::trusting();
    let mut listener = server.login();
    let mut sender = server.connect();
    sender.send_startup(&[("user", "graphwire"), ("database", "postgres")]);
    sender.transcript();
    listener.query("LISTEN a");
    sender.query("NOTIFY a, 'elsewhere'");
    assert_eq!(listener.query("SELECT 1").len(), 4);
}

#[test]
fn a_binary_cursor_is_read_in_binary() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query("BEGIN; DECLARE c BINARY CURSOR FOR SELECT 258 AS x");
    assert_eq!(
        client.query("FETCH c"),
        [
            "RowDescription",
            "DataRow(\\x00\\x00\\x01\\x02)",
            "CommandComplete(FETCH 1)",
            "ReadyForQuery(T)"
        ]
    );
}
