//! Enumerated types on the wire: OIDs of their own, labels in both formats.

use super::client::{bind, describe, execute, parse, sync};
use super::server::TestServer;

#[test]
fn values_have_the_types_oid_and_are_labels_in_both_formats() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')");
    let oids = "SELECT 'mood'::regtype::oid::int8, 'mood[]'::regtype::oid::int8";
    let row = client.query(oids).into_iter().find(|line| line.starts_with("DataRow")).unwrap();
    let numbers = row.trim_start_matches("DataRow(").trim_end_matches(')');
    let numbers: Vec<u32> =
        numbers.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    for format in [0, 1] {
        client.send(
            &[
                parse("", "SELECT $1::mood, $2::mood[]"),
                bind("", "", &[0], &[Some(b"ok"), Some(b"{happy,NULL}")], &[format]),
                describe(b'P', ""),
                execute("", 0),
                sync(),
            ]
            .concat(),
        );
        let replies = client.until(b'Z');
        let columns = replies.iter().find(|reply| reply.tag == b'T').unwrap().columns();
        assert_eq!(columns, [(numbers[0], format), (numbers[1], format)]);
        let row = replies.iter().find(|reply| reply.tag == b'D').unwrap();
        // Two fields: a label, and an array.
        assert_eq!(row.body[..8], [0, 2, 0, 0, 0, 2, b'o', b'k']);
        if format == 1 {
            let mut array = Vec::new();
            array.extend_from_slice(&1_i32.to_be_bytes());
            array.extend_from_slice(&1_i32.to_be_bytes());
            array.extend_from_slice(&numbers[0].to_be_bytes());
            for number in [2_i32, 1, 5] {
                array.extend_from_slice(&number.to_be_bytes());
            }
            array.extend_from_slice(b"happy");
            array.extend_from_slice(&(-1_i32).to_be_bytes());
            assert_eq!(row.body[12..], array);
        }
    }
}

#[test]
fn a_binary_parameter_is_a_label_and_others_are_refused() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query("CREATE TYPE mood AS ENUM ('sad', 'ok')");
    client.send(
        &[
            parse("m", "SELECT $1::mood < 'ok'"),
            bind("", "m", &[1], &[Some(b"sad")], &[0]),
            execute("", 0),
            bind("", "m", &[1], &[Some(b"glad")], &[0]),
            sync(),
        ]
        .concat(),
    );
    let transcript = client.transcript();
    assert!(transcript.contains(&"DataRow(t)".to_owned()), "{transcript:?}");
    assert!(transcript.iter().any(|line| line.contains("22P02")), "{transcript:?}");
}
