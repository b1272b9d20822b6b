//! Text that is not UTF-8, or has a NUL, wherever text can be sent (experiment W-05).

use super::client::{bind, close, describe, execute, frame, parse, query, sync};
use super::server::TestServer;

/// A stray byte, a cut sequence, a lone surrogate, an overlong slash, one above U+10FFFF.
const INVALID: [&[u8]; 5] =
    [b"\xff", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"];

#[test]
fn in_a_query_string() {
    let server = TestServer::trusting();
    let mut client = server.login();
    for invalid in INVALID {
        client.send(&frame(b'Q', &[b"SELECT '", invalid, b"'\0"].concat()));
        assert_eq!(client.transcript(), ["ErrorResponse(ERROR 22021)", "ReadyForQuery(I)"]);
    }
    assert_eq!(client.query("SELECT 1").len(), 4);
}

#[test]
fn in_names_and_texts_of_the_extended_protocol() {
    let server = TestServer::trusting();
    let mut client = server.login();
    for invalid in INVALID {
        let name = [invalid, b"\0"].concat();
        for message in [
            frame(b'P', &[&name[..], b"SELECT 1\0\0\0"].concat()),
            frame(b'P', &[b"\0SELECT '", invalid, b"'\0\0\0"].concat()),
            frame(b'B', &[&name[..], b"\0\0\0\0\0\0\0"].concat()),
            frame(b'D', &[b"S", &name[..]].concat()),
            frame(b'C', &[b"P", &name[..]].concat()),
            frame(b'E', &[&name[..], &[0; 4]].concat()),
        ] {
            client.send(&[message, sync()].concat());
            assert_eq!(client.transcript(), ["ErrorResponse(ERROR 22021)", "ReadyForQuery(I)"]);
        }
    }
}

#[test]
fn in_parameters() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(&[parse("s", "SELECT $1::text"), sync()].concat());
    client.transcript();
    for invalid in INVALID.into_iter().chain([&b"a\0b"[..]]) {
        client.send(&[bind("", "s", &[0], &[Some(invalid)], &[]), execute("", 0), sync()].concat());
        assert_eq!(client.transcript(), ["ErrorResponse(ERROR 22021)", "ReadyForQuery(I)"]);
    }
    client.send(
        &[
            bind("", "s", &[0], &[Some("naïve 🙂".as_bytes())], &[]),
            describe(b'P', ""),
            execute("", 0),
            close(b'S', "s"),
            sync(),
        ]
        .concat(),
    );
    let row = format!("DataRow({})", "naïve 🙂".as_bytes().escape_ascii());
    assert!(client.transcript().contains(&row));
}

#[test]
fn in_copy_data() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query("CREATE TABLE words (word text)");
    for invalid in INVALID {
        client.send(&query("COPY words FROM STDIN"));
        client.until(b'G');
        client.send(&frame(b'd', &[b"good\n", invalid, b"\n"].concat()));
        client.send(&frame(b'c', b""));
        assert_eq!(client.transcript(), ["ErrorResponse(ERROR 22021)", "ReadyForQuery(I)"]);
    }
    // Nothing of the failed statements is stored.
    let rows = client.query("COPY words TO STDOUT");
    assert_eq!(rows[2], "CommandComplete(COPY 0)", "{rows:?}");
}

#[test]
fn a_nul_cannot_hide_a_second_statement() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(&frame(b'Q', b"SELECT 1\0; SELECT 1\0"));
    let replies = client.rest();
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].to_string(), "ErrorResponse(FATAL 08P01)");
}
