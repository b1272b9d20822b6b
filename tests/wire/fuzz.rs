//! Frames that no client sends: nothing panics, and nothing is answered out of step (experiment W-04).

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::client::{Client, bind, close, describe, execute, flush, frame, parse, query, sync};
use super::server::{TestServer, USER};

/// A panic reaches the client as `XX000`, or as a connection that closes without a word.
fn assert_no_panic(client: &mut Client, what: &dyn std::fmt::Debug) {
    let replies = client.rest();
    for reply in &replies {
        if reply.tag == b'E' {
            assert_ne!(reply.field(b'C').as_deref(), Some("XX000"), "{what:?}: {replies:?}");
        }
    }
}

const LENGTHS: [u32; 8] = [0, 1, 2, 3, 4, 5, 0x7fff_ffff, 0xffff_ffff];

#[test]
fn every_type_with_every_bad_length_before_login() {
    let server = TestServer::trusting();
    for tag in 0..=255_u8 {
        for length in LENGTHS {
            let mut client = server.connect();
            client.send(&[&[tag][..], &length.to_be_bytes()].concat());
            // The rest of what could be taken for a startup packet never comes.
            client.send(&frame(b'X', &[]));
            drop(client);
        }
    }
    server.assert_alive();
}

#[test]
fn every_type_with_every_bad_length_after_login() {
    let server = TestServer::trusting();
    for tag in *b"QPBDECSHXdcfFp\0Rz\xff" {
        for length in LENGTHS {
            let mut client = server.login();
            client.send(&[&[tag][..], &length.to_be_bytes()].concat());
            client.send(&frame(b'X', &[]));
            client.send(&frame(b'X', &[]));
            client.finish();
            assert_no_panic(&mut client, &(tag, length));
        }
    }
    server.assert_alive();
}

/// A message, whole or damaged.
fn message(random: &mut StdRng) -> Vec<u8> {
    let names = ["", "a", "b", "\u{1F642}"];
    let texts =
        ["", "SELECT 1", "SELECT $1::text", "BEGIN", "COMMIT", "SELECT 1/0", "(", "SELECT '"];
    let name = names[random.random_range(0..names.len())];
    let text = texts[random.random_range(0..texts.len())];
    let kind = if random.random() { b'S' } else { b'P' };
    let mut bytes = match random.random_range(0..12) {
        0 => query(text),
        1 => parse(name, text),
        2 => bind(name, name, &[], &[Some(b"x")], &[random.random_range(0..2)]),
        3 => describe(kind, name),
        4 => execute(name, random.random()),
        5 => close(kind, name),
        6 => sync(),
        7 => flush(),
        8 => frame(b"dcfF"[random.random_range(0..4)], b"x\0"),
        9 => bind(name, name, &[0, 1, 1], &[None, None], &[1, 0, 7]),
        _ => {
            let mut body = vec![0; random.random_range(0..64)];
            random.fill(&mut body[..]);
            frame(b"QPBDECSHdcfF"[random.random_range(0..12)], &body)
        }
    };
    if random.random_ratio(1, 4) {
        // The body, not the length: the stream stays in step and the bodies are what is tried here.
        let at = random.random_range(0..bytes.len());
        if at >= 5 {
            bytes[at] = random.random();
        }
    }
    if random.random_ratio(1, 20) {
        let at = random.random_range(0..bytes.len());
        bytes.truncate(at);
    }
    bytes
}

#[test]
fn ten_thousand_random_frames() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let server = TestServer::trusting();
    for _ in 0..500 {
        let mut client = server.login();
        let frames: Vec<Vec<u8>> = (0..20).map(|_| message(&mut random)).collect();
        client.send(&frames.concat());
        client.finish();
        assert_no_panic(&mut client, &(seed, &frames));
    }
    server.assert_alive();
}

#[test]
fn random_bytes_instead_of_a_login() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let server = TestServer::trusting();
    for _ in 0..500 {
        let mut bytes = vec![0; random.random_range(1..200)];
        random.fill(&mut bytes[..]);
        if random.random() {
            // A length that lets the packet in.
            let length = u32::try_from(bytes.len() + 4).unwrap().to_be_bytes();
            bytes.splice(0..0, length);
        }
        let mut client = server.connect();
        client.send(&bytes);
        client.finish();
        assert_no_panic(&mut client, &(seed, &bytes));
    }
    let mut client = server.connect();
    client.send_startup(&[("user", USER)]);
    assert_eq!(client.transcript().last().map(String::as_str), Some("ReadyForQuery(I)"));
}
