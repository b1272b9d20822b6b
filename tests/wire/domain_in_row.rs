//! Rows with fields of domains, in binary: the fields are sent with the domain's OID, a column of its own with that of
//! what the domain stands on, as PostgreSQL does.

use super::client::{Client, bind, describe, execute, parse, sync};
use super::server::TestServer;

fn number_of(client: &mut Client, name: &str) -> u32 {
    let replies = client.query(&format!("SELECT '{name}'::regtype::oid::int8"));
    let row = replies.into_iter().find(|line| line.starts_with("DataRow")).unwrap();
    row.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// The OIDs of the fields of a row in binary.
fn fields(mut row: &[u8]) -> Vec<u32> {
    let mut word = || {
        let (word, rest) = row.split_at(4);
        row = rest;
        i32::from_be_bytes(word.try_into().unwrap())
    };
    let count = word();
    let mut oids = Vec::new();
    for _ in 0..count {
        oids.push(word() as u32);
        let length = word();
        for _ in 0..length.max(0) / 4 {
            word();
        }
    }
    oids
}

#[test]
fn fields_have_the_domains_oid_and_columns_that_of_its_base() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query("CREATE DOMAIN whole AS int4 CHECK (value > 0)");
    client.query("CREATE TYPE pair AS (a whole, b int4)");
    client.query("CREATE TABLE t (a whole, p pair)");
    client.query("INSERT INTO t VALUES (1, ROW(2, 3))");
    let whole = number_of(&mut client, "whole");
    let pair = number_of(&mut client, "pair");
    for text in ["SELECT p, a FROM t", "SELECT ROW(2, 3)::pair, 1::whole"] {
        client.send(
            &[
                parse("", text),
                bind("", "", &[], &[], &[1]),
                describe(b'P', ""),
                execute("", 0),
                sync(),
            ]
            .concat(),
        );
        let replies = client.until(b'Z');
        let columns = replies.iter().find(|reply| reply.tag == b'T').unwrap().columns();
        assert_eq!(columns[0], (pair, 1), "{text}");
        if text.contains("FROM") {
            assert_eq!(columns[1], (23, 1), "{text}");
        }
        let row = replies.iter().find(|reply| reply.tag == b'D').unwrap();
        // Two columns; the length of the first one is in front of it.
        let length = i32::from_be_bytes(row.body[2..6].try_into().unwrap()) as usize;
        assert_eq!(fields(&row.body[6..6 + length]), [whole, 23], "{text}");
    }
    // What came is taken as it was sent.
    let value: Vec<u8> =
        [2, whole as i32, 4, 7, 23, 4, 8].iter().flat_map(|one: &i32| one.to_be_bytes()).collect();
    client.send(
        &[
            parse("", "SELECT ($1::pair).a + ($1::pair).b, $1::pair = ROW(7, 8)::pair"),
            bind("", "", &[1], &[Some(value.as_slice())], &[0]),
            execute("", 0),
            sync(),
        ]
        .concat(),
    );
    let replies = client.until(b'Z');
    let row = replies.iter().find(|reply| reply.tag == b'D').unwrap();
    assert_eq!(row.body, [0, 2, 0, 0, 0, 2, b'1', b'5', 0, 0, 0, 1, b't']);
}
