//! The extended query protocol.

use super::client::{Client, bind, close, describe, execute, flush, parse, query, sync};
use super::server::TestServer;

const TEN: &str = "SELECT * FROM generate_series(1, 10)";

#[test]
fn parse_bind_describe_execute() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(
        &[
            parse("", "SELECT $1::text"),
            describe(b'S', ""),
            bind("", "", &[], &[Some(b"it's")], &[]),
            describe(b'P', ""),
            execute("", 0),
            sync(),
        ]
        .concat(),
    );
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "ParameterDescription(1)",
            "RowDescription",
            "BindComplete",
            "RowDescription",
            "DataRow(it\\'s)",
            "CommandComplete(SELECT 1)",
            "ReadyForQuery(I)"
        ]
    );
}

#[test]
fn statements_without_rows_describe_as_no_data() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(
        &[
            parse("b", "BEGIN"),
            describe(b'S', "b"),
            bind("", "b", &[], &[], &[]),
            describe(b'P', ""),
            execute("", 0),
            sync(),
        ]
        .concat(),
    );
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "ParameterDescription(0)",
            "NoData",
            "BindComplete",
            "NoData",
            "CommandComplete(BEGIN)",
            "ReadyForQuery(T)"
        ]
    );
}

#[test]
fn an_empty_statement_is_an_empty_query() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(&[parse("", ""), bind("", "", &[], &[], &[]), execute("", 0), sync()].concat());
    assert_eq!(
        client.transcript(),
        ["ParseComplete", "BindComplete", "EmptyQueryResponse", "ReadyForQuery(I)"]
    );
}

#[test]
fn row_limits_suspend_a_portal_and_resume_it() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query("BEGIN");
    client
        .send(&[parse("s", TEN), bind("p", "s", &[], &[], &[]), execute("p", 4), sync()].concat());
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "BindComplete",
            "DataRow(1)",
            "DataRow(2)",
            "DataRow(3)",
            "DataRow(4)",
            "PortalSuspended",
            "ReadyForQuery(T)"
        ]
    );
    // Another portal of the same statement starts at its own beginning.
    client
        .send(&[bind("q", "s", &[], &[], &[]), execute("q", 1), execute("p", 4), sync()].concat());
    assert_eq!(
        client.transcript(),
        [
            "BindComplete",
            "DataRow(1)",
            "PortalSuspended",
            "DataRow(5)",
            "DataRow(6)",
            "DataRow(7)",
            "DataRow(8)",
            "PortalSuspended",
            "ReadyForQuery(T)"
        ]
    );
    client.send(&[execute("p", 4), sync()].concat());
    assert_eq!(
        client.transcript(),
        ["DataRow(9)", "DataRow(10)", "CommandComplete(SELECT 2)", "ReadyForQuery(T)"]
    );
    client.send(&[close(b'P', "p"), execute("p", 1), sync()].concat());
    assert_eq!(
        client.transcript(),
        ["CloseComplete", "ErrorResponse(ERROR 34000)", "ReadyForQuery(E)"]
    );
}

#[test]
fn portals_end_with_their_transaction() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(
        &[
            parse("s", TEN),
            bind("p", "s", &[], &[], &[]),
            execute("p", 1),
            sync(),
            execute("p", 1),
            sync(),
        ]
        .concat(),
    );
    assert_eq!(client.transcript().len(), 5);
    assert_eq!(client.transcript(), ["ErrorResponse(ERROR 34000)", "ReadyForQuery(I)"]);
}

#[test]
fn an_error_in_a_pipeline_skips_to_sync_and_no_further() {
    let server = TestServer::trusting();
    let mut client = server.login();
    let one = [parse("", "SELECT 1"), bind("", "", &[], &[], &[]), execute("", 0)].concat();
    let failing = [parse("", "SELECT 1/0"), bind("", "", &[], &[], &[]), execute("", 0)].concat();
    client.send(
        &[
            one.clone(),
            failing,
            one.clone(),
            query("SELECT 1"),
            close(b'S', "none"),
            sync(),
            one,
            sync(),
        ]
        .concat(),
    );
    let mut first = client.transcript();
    // The failing statement may fail at Parse, Bind or Execute.
    first.retain(|line| line != "ParseComplete" && line != "BindComplete");
    assert_eq!(
        first,
        [
            "DataRow(1)",
            "CommandComplete(SELECT 1)",
            "ErrorResponse(ERROR 22012)",
            "ReadyForQuery(I)"
        ]
    );
    assert_eq!(
        client.transcript(),
        [
            "ParseComplete",
            "BindComplete",
            "DataRow(1)",
            "CommandComplete(SELECT 1)",
            "ReadyForQuery(I)"
        ]
    );
}

#[test]
fn flush_delivers_without_sync() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(&[parse("", "SELECT 1"), flush()].concat());
    assert_eq!(client.reply().unwrap().to_string(), "ParseComplete");
    client.send(&[bind("", "", &[], &[], &[]), execute("", 0), flush()].concat());
    let replies = client.until(b'C');
    assert_eq!(replies.len(), 3);
    client.send(&sync());
    assert_eq!(client.transcript(), ["ReadyForQuery(I)"]);
}

#[test]
fn format_codes_are_none_one_or_one_for_each() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(&parse("two", "SELECT 1::int4, 1::int4"));
    for (codes, expected) in
        [(&[][..], Some([0, 0])), (&[1], Some([1, 1])), (&[0, 1], Some([0, 1])), (&[0, 1, 0], None)]
    {
        client.send(
            &[bind("", "two", &[], &[], codes), describe(b'P', ""), execute("", 0), sync()]
                .concat(),
        );
        let replies = client.until(b'Z');
        let Some(expected) = expected else {
            assert!(replies.iter().any(|reply| reply.to_string() == "ErrorResponse(ERROR 08P01)"));
            continue;
        };
        let columns = replies.iter().find(|reply| reply.tag == b'T').unwrap().columns();
        assert_eq!(columns, expected.map(|format| (23, format)));
        let one = |format| if format == 1 { "\\x00\\x00\\x00\\x01" } else { "1" };
        let row = format!("DataRow({}, {})", one(expected[0]), one(expected[1]));
        assert!(replies.iter().any(|reply| reply.to_string() == row), "{replies:?}");
    }
}

#[test]
fn parameter_counts_and_formats_must_agree() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.send(&[parse("s", "SELECT $1::text"), sync()].concat());
    client.transcript();
    for wrong in [
        bind("", "s", &[], &[], &[]),
        bind("", "s", &[], &[Some(b"a"), Some(b"b")], &[]),
        bind("", "s", &[0, 0], &[Some(b"a")], &[]),
    ] {
        client.send(&[wrong, execute("", 0), sync()].concat());
        assert_eq!(client.transcript(), ["ErrorResponse(ERROR 08P01)", "ReadyForQuery(I)"]);
    }
    client.send(&[bind("", "s", &[0], &[None], &[]), execute("", 0), sync()].concat());
    assert!(client.transcript().contains(&"DataRow(NULL)".to_owned()));
}

#[test]
fn unknown_names_have_their_own_codes() {
    let server = TestServer::trusting();
    let mut client = server.login();
    for (message, code) in [
        (bind("", "none", &[], &[], &[]), "26000"),
        (describe(b'S', "none"), "26000"),
        (describe(b'P', "none"), "34000"),
        (execute("none", 0), "34000"),
    ] {
        client.send(&[message, sync()].concat());
        assert_eq!(
            client.transcript(),
            [format!("ErrorResponse(ERROR {code})").as_str(), "ReadyForQuery(I)"]
        );
    }
    client.send(&[close(b'S', "none"), close(b'P', "none"), sync()].concat());
    assert_eq!(client.transcript(), ["CloseComplete", "CloseComplete", "ReadyForQuery(I)"]);
}

#[test]
fn a_pipeline_of_many_syncs_is_answered_in_full() {
    let server = TestServer::trusting();
    let mut client = server.login();
    let one = [parse("", "SELECT 1"), bind("", "", &[], &[], &[]), execute("", 0), sync()].concat();
    client.send(&one.repeat(500));
    for _ in 0..500 {
        assert_eq!(client.transcript().len(), 5);
    }
}

/// The types of a statement's parameters.
fn parameters(client: &mut Client, text: &str) -> Vec<u32> {
    client.send(&[parse("", text), describe(b'S', ""), sync()].concat());
    let replies = client.until(b'Z');
    let described = replies.iter().find(|reply| reply.tag == b't').unwrap();
    let oid = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
    described.body[2..].chunks(4).map(oid).collect()
}

#[test]
fn a_parameter_cast_to_a_domain_is_described_by_it_and_checked() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query("CREATE DOMAIN small AS int4 CHECK (VALUE < 10)");
    let row = client.query("SELECT 'small'::regtype::oid::int8").swap_remove(1);
    let oid: u32 = row.trim_start_matches("DataRow(").trim_end_matches(')').parse().unwrap();
    assert_eq!(parameters(&mut client, "SELECT $1::small, $2::small + 1"), [oid, oid]);
    for (value, wanted) in [(9_i32, "DataRow(10)"), (10, "ErrorResponse(ERROR 23514)")] {
        client.send(
            &[
                parse("", "SELECT $1::small + 1"),
                bind("", "", &[1], &[Some(&value.to_be_bytes())], &[0]),
                execute("", 0),
                sync(),
            ]
            .concat(),
        );
        let transcript = client.transcript();
        assert!(transcript.contains(&wanted.to_owned()), "{transcript:?}");
    }
}

#[test]
fn a_function_does_without_parameters_of_type_void() {
    let server = TestServer::trusting();
    let mut client = server.login();
    assert_eq!(parameters(&mut client, "SELECT abs($1::void, -2)"), [2278]);
    client.send(
        &[
            parse("", "SELECT abs($1::void, -2)"),
            bind("", "", &[0], &[Some(b"")], &[0]),
            execute("", 0),
            sync(),
        ]
        .concat(),
    );
    let transcript = client.transcript();
    assert!(transcript.contains(&"DataRow(2)".to_owned()), "{transcript:?}");
}
