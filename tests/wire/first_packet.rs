//! A connection's first packet, well-formed and not (experiments W-02, W-04, W-05, R-02).

use std::time::{Duration, Instant};

use super::client::{gssenc_request, packet, query, ssl_request, startup};
use super::server::{TestServer, USER, options};

#[test]
fn protocol_3_2_is_negotiated_down_and_options_are_named() {
    let server = TestServer::trusting();
    let mut client = server.connect();
    client.send(&startup((3 << 16) + 2, &[("user", USER), ("_pq_.wonder", "on")]));
    let replies = client.until(b'Z');
    assert_eq!(replies[0].to_string(), "NegotiateProtocolVersion(0x30000)");
    assert_eq!(replies[0].body[4..], *b"\0\0\0\x01_pq_.wonder\0");
    assert_eq!(replies[1].to_string(), "Authentication(0)");
    assert_eq!(client.query("SELECT 1").len(), 4);
}

#[test]
fn encryption_is_declined_once_each() {
    let server = TestServer::trusting();
    let mut client = server.connect();
    client.send(&gssenc_request());
    assert_eq!(client.byte(), Some(b'N'));
    client.send(&ssl_request());
    assert_eq!(client.byte(), Some(b'N'));
    client.send_startup(&[("user", USER)]);
    assert_eq!(client.transcript().last().map(String::as_str), Some("ReadyForQuery(I)"));

    for request in [ssl_request(), gssenc_request()] {
        let mut client = server.connect();
        client.send(&request);
        assert_eq!(client.byte(), Some(b'N'));
        client.send(&request);
        client.assert_refused("0A000");
    }
}

#[test]
fn malformed_first_packets_are_refused() {
    let server = TestServer::trusting();
    let version = [0, 3, 0, 0];
    let with = |rest: &[u8]| packet(&[&version[..], rest].concat());
    for (bytes, code) in [
        (vec![0, 0, 0, 0], "08P01"),
        (vec![0, 0, 0, 1], "08P01"),
        (vec![0, 0, 0, 2], "08P01"),
        (vec![0, 0, 0, 3], "08P01"),
        (vec![0, 0, 0, 4], "08P01"),
        (vec![0, 0, 0, 7], "08P01"),
        (vec![0xff, 0xff, 0xff, 0xff], "08P01"),
        (vec![0x80, 0, 0, 0], "08P01"),
        (vec![0x7f, 0xff, 0xff, 0xff], "08P01"),
        (vec![0, 0, 0x27, 0x11], "08P01"), // 10,001
        (with(b""), "08P01"),
        (with(b"\0"), "28000"),
        (with(b"user\0graphwire\0"), "08P01"),
        (with(b"user\0graphwire"), "08P01"),
        (with(b"user\0\0"), "08P01"),
        (with(b"user\0graphwire\0\0\0"), "08P01"),
        (with(b"user\0graph\xffwire\0\0"), "22021"),
        (with(b"user\0\xed\xa0\x80\0\0"), "22021"),
        (with(b"user\0\xc0\xaf\0\0"), "22021"),
        (with(b"\xff\0on\0user\0graphwire\0\0"), "22021"),
        (with(b"user\0graphwire\0options\0-x\0\0"), "42601"),
        (with(b"user\0graphwire\0replication\0database\0\0"), "0A000"),
        (packet(&[0, 2, 0, 0, 0]), "0A000"),
        (packet(b"GET / HTTP/1.1\r\n"), "0A000"),
    ] {
        let mut client = server.connect();
        client.send(&bytes);
        client.send(&query("SELECT 1"));
        client.assert_refused(code);
    }
    server.assert_alive();
}

#[test]
fn the_first_packet_may_come_byte_by_byte() {
    let server = TestServer::trusting();
    let mut client = server.connect();
    for byte in startup(3 << 16, &[("user", USER)]) {
        client.send(&[byte]);
    }
    assert_eq!(client.transcript().last().map(String::as_str), Some("ReadyForQuery(I)"));
}

/// W-02: what is announced is not reserved, and what is not allowed is refused at its header.
#[test]
fn a_gibibyte_announced_before_login_costs_nothing() {
    let server = TestServer::with_password(options());
    let before = resident_bytes();
    let start = Instant::now();
    let mut clients: Vec<_> = (0..200)
        .map(|index| {
            let mut client = server.connect();
            client.send_startup(&[("user", USER)]);
            // Query, Parse, Bind, CopyData, and a password of the same size.
            let tag = b"QPBdp"[index % 5];
            client.send(&[tag, 0x3f, 0xff, 0xff, 0xff]);
            client.send(&vec![b'x'; 64 << 10]);
            client
        })
        .collect();
    for client in &mut clients {
        client.assert_refused("08P01");
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[cfg(not(target_os = "linux"))]
fn resident_bytes() -> usize {
    0
}
