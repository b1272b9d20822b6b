//! Experiment A-01: each step of login fails in each way that a client can bring about, and then queries are sent.
//! Nobody ever sees ReadyForQuery.

use std::time::{Duration, Instant};

use super::client::{Client, bind, execute, frame, parse, query, sync, text};
use super::server::{PASSWORD, TestServer, USER, options, trusting_engine};

fn sasl_initial(mechanism: &str, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    frame(b'p', &[text(mechanism), length.to_vec(), data.to_vec()].concat())
}

/// What an attacker hopes will be served.
fn intrusion() -> Vec<u8> {
    [
        query("SELECT 1"),
        parse("", "SELECT 1"),
        bind("", "", &[], &[], &[]),
        execute("", 0),
        sync(),
        frame(b'F', &[0; 12]),
        frame(b'd', b"1\n"),
        query("SELECT 1"),
    ]
    .concat()
}

/// A connection that has been asked for SASL.
fn asked(server: &TestServer, user: &str) -> Client {
    let mut client = server.connect();
    client.send_startup(&[("user", user), ("database", "graphwire")]);
    let asked = client.until(b'R');
    assert_eq!(asked[0].to_string(), "Authentication(10)");
    // In the clear there is no channel binding to offer (W8).
    assert_eq!(asked[0].body[4..], *b"SCRAM-SHA-256\0\0");
    client
}

/// The nonce of the server, after a well-formed first message.
fn challenged(client: &mut Client) -> String {
    client.send(&sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abcdefgh"));
    let replies = client.until(b'R');
    assert_eq!(replies[0].to_string(), "Authentication(11)");
    let server_first = String::from_utf8(replies[0].body[4..].to_vec()).unwrap();
    let nonce = server_first.split(',').next().unwrap().strip_prefix("r=").unwrap().to_owned();
    assert!(nonce.starts_with("abcdefgh") && nonce.len() > 24, "{nonce}");
    nonce
}

#[test]
fn a_failed_first_step_serves_nothing() {
    let server = TestServer::with_password(options());
    for (first, code) in [
        (intrusion(), "08P01"),
        (sync(), "08P01"),
        (sasl_initial("SCRAM-SHA-256-PLUS", b"n,,n=,r=abc"), "08P01"),
        (sasl_initial("PLAIN", b"x"), "08P01"),
        (sasl_initial("", b""), "08P01"),
        (sasl_initial("SCRAM-SHA-256", b""), "08P01"),
        (sasl_initial("SCRAM-SHA-256", b"n,,n=,r="), "28P01"),
        (sasl_initial("SCRAM-SHA-256", b"p=tls-server-end-point,,n=,r=abc"), "08P01"),
        (sasl_initial("SCRAM-SHA-256", b"n,a=admin,n=,r=abc"), "08P01"),
        (sasl_initial("SCRAM-SHA-256", b"n,,m=x,n=,r=abc"), "08P01"),
        (sasl_initial("SCRAM-SHA-256", b"n,,n=\xff,r=abc"), "08P01"),
        (frame(b'p', PASSWORD.as_bytes()), "08P01"),
        (frame(b'p', b"SCRAM-SHA-256\0\xff\xff\xff\xff"), "08P01"),
        (frame(b'p', b"SCRAM-SHA-256\0\0\0\0\x7fn,,n=,r=abc"), "08P01"),
        (frame(b'p', b""), "08P01"),
        (vec![b'p', 0, 0, 0, 3], "08P01"),
        (vec![b'p', 0x3f, 0xff, 0xff, 0xff], "08P01"),
    ] {
        let mut client = asked(&server, USER);
        client.send(&first);
        // An empty nonce of the client is no mistake in form; it fails with the second step.
        client.send(&frame(b'p', b"c=biws,r=,p=AAAA"));
        client.send(&intrusion());
        let replies = client.rest();
        assert!(replies.iter().all(|reply| reply.tag != b'Z' && reply.tag != b'D'), "{replies:?}");
        let last = replies.last().unwrap().to_string();
        assert!(
            last == format!("ErrorResponse(FATAL {code})") || last == "ErrorResponse(FATAL 08P01)",
            "{first:?}: {replies:?}"
        );
    }
}

#[test]
fn a_failed_second_step_serves_nothing() {
    let server = TestServer::with_password(options());
    for user in [USER, "nobody"] {
        for (last, code) in [
            ("c=biws,r={nonce},p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "28P01"),
            ("c=biws,r={nonce},p=AAAA", "08P01"),
            ("c=biws,r={nonce},p=", "08P01"),
            ("c=biws,r={nonce}", "08P01"),
            ("c=biws,r=abcdefgh,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "08P01"),
            ("c=eSws,r={nonce},p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "08P01"),
            ("", "08P01"),
        ] {
            let mut client = asked(&server, user);
            let nonce = challenged(&mut client);
            client.send(&frame(b'p', last.replace("{nonce}", &nonce).as_bytes()));
            client.send(&intrusion());
            client.assert_refused(code);
        }
        let mut client = asked(&server, user);
        challenged(&mut client);
        client.send(&intrusion());
        client.assert_refused("08P01");
    }
}

#[test]
fn known_and_unknown_users_are_refused_in_the_same_words() {
    let server = TestServer::with_password(options());
    let refusal = |user: &str| {
        let mut client = asked(&server, user);
        let nonce = challenged(&mut client);
        let proof = "A".repeat(43);
        client.send(&frame(b'p', format!("c=biws,r={nonce},p={proof}=").as_bytes()));
        let replies = client.rest();
        assert_eq!(replies.len(), 1);
        let body = String::from_utf8(replies[0].body.clone()).unwrap();
        assert!(body.contains(&format!("password authentication failed for user \"{user}\"")));
        body.replace(user, "?")
    };
    assert_eq!(refusal(USER), refusal("nobody"));
}

#[test]
fn the_salt_of_an_unknown_user_does_not_change() {
    let server = TestServer::with_password(options());
    let salt = || {
        let mut client = asked(&server, "nobody");
        client.send(&sasl_initial("SCRAM-SHA-256", b"n,,n=,r=abcdefgh"));
        let body = client.until(b'R')[0].body.clone();
        String::from_utf8(body).unwrap().split(',').nth(1).unwrap().to_owned()
    };
    assert_eq!(salt(), salt());
}

#[test]
fn a_slow_login_is_ended() {
    let mut options = options();
    options.authentication_timeout = Duration::from_millis(300);
    let server = TestServer::with_password(options);
    let start = Instant::now();
    // Before the first packet there is nobody to tell.
    let mut silent = server.connect();
    let mut partial = server.connect();
    partial.send(&[0, 0, 0, 20, 0, 3]);
    let mut waiting = asked(&server, USER);
    waiting.assert_refused("57014");
    assert!(silent.rest().is_empty());
    assert!(partial.rest().is_empty());
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_right_password_logs_in_and_a_wrong_one_does_not() {
    let server = TestServer::with_password(options());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connect = |password: &'static str| {
            let mut config = tokio_postgres::Config::new();
            config.host("127.0.0.1").port(server.address.port()).user(USER).password(password);
            async move { config.dbname("graphwire").connect(tokio_postgres::NoTls).await }
        };
        let (client, connection) = connect(PASSWORD).await.unwrap();
        let connection = tokio::spawn(connection);
        let rows = client.simple_query("SELECT 1").await.unwrap();
        assert!(rows.len() >= 2);
        drop(client);
        connection.await.unwrap().unwrap();
        for wrong in ["", "pencil ", "Pencil", "SCRAM-SHA-256"] {
            let error = connect(wrong).await.err().expect("a wrong password");
            if wrong.is_empty() {
                continue; // the client does not even try
            }
            assert_eq!(error.code().map(|code| code.code()), Some("28P01"), "{wrong:?}");
        }
    });
}

#[test]
fn an_unknown_database_is_fatal_and_serves_nothing() {
    let server = TestServer::trusting();
    let mut client = server.connect();
    client.send_startup(&[("user", USER), ("database", "nope")]);
    client.send(&intrusion());
    client.assert_refused("3D000");
}

#[test]
fn pipelining_behind_the_startup_packet_serves_nothing_without_a_password() {
    let server = TestServer::with_password(options());
    let mut client = server.connect();
    client.send_startup(&[("user", USER)]);
    client.send(&intrusion());
    client.assert_refused("08P01");
}

/// Sockets that say nothing, or stop in the middle of login, do not keep others out: the oldest makes room.
#[test]
fn silent_sockets_keep_nobody_out() {
    let mut options = options();
    options.max_connections = 1;
    let server = TestServer::start(options, trusting_engine());
    // More than may be logging in at a time.
    let silent: Vec<Client> = (0..300).map(|_| server.connect()).collect();
    let mut client = server.login();
    assert_eq!(client.query("SELECT 1").len(), 4);
    drop(silent);

    let mut options = self::options();
    options.max_connections = 1;
    let server = TestServer::with_password(options);
    let _stopped: Vec<Client> = (0..300).map(|_| asked(&server, USER)).collect();
    asked(&server, USER);
}
