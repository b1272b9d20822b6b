//! Look-ups and writes by key, again and again: the quick way and remembered shapes answer what the ordinary way does.

use super::client::{bind, describe, execute, parse, query, sync};
use super::server::TestServer;

const TABLE: &str = "CREATE TABLE item (id int PRIMARY KEY, name text, amount bigint);
    INSERT INTO item VALUES (1, 'one', 10), (2, NULL, 20), (3, 'three', NULL)";

/// As drivers send it: the messages of one execution in one packet.
fn look_up(key: &[u8]) -> Vec<u8> {
    let key: &[Option<&[u8]>] = &[Some(key)];
    [bind("", "s", &[], key, &[]), describe(b'P', ""), execute("", 0), sync()].concat()
}

#[test]
fn a_look_up_again_and_again() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query(TABLE);
    client.send(&[parse("s", "SELECT name, amount, id FROM item WHERE id = $1"), sync()].concat());
    client.transcript();
    for _ in 0..3 {
        for (key, row) in [
            (&b"1"[..], Some("DataRow(one, 10, 1)")),
            (b"2", Some("DataRow(NULL, 20, 2)")),
            (b" 3 ", Some("DataRow(three, NULL, 3)")),
            (b"4", None),
        ] {
            client.send(&look_up(key));
            let tag = if row.is_some() { "SELECT 1" } else { "SELECT 0" };
            let tag = format!("CommandComplete({tag})");
            let mut expected = vec!["BindComplete", "RowDescription"];
            expected.extend(row);
            expected.extend([tag.as_str(), "ReadyForQuery(I)"]);
            assert_eq!(client.transcript(), expected);
        }
        client.send(&look_up(b"x"));
        assert_eq!(client.transcript(), ["ErrorResponse(ERROR 22P02)", "ReadyForQuery(I)"]);
    }
}

#[test]
fn many_look_ups_in_one_packet() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query(TABLE);
    client.send(&[parse("s", "SELECT amount FROM item WHERE id = $1"), sync()].concat());
    client.transcript();
    client.send(&look_up(b"1").repeat(2000));
    for _ in 0..2000 {
        assert_eq!(client.transcript().get(2).map(String::as_str), Some("DataRow(10)"));
    }
}

#[test]
fn a_look_up_sees_what_others_committed_and_what_names_stand_for() {
    let server = TestServer::trusting();
    let (mut client, mut other) = (server.login(), server.login());
    client.query(TABLE);
    client.send(&[parse("s", "SELECT amount FROM item WHERE id = $1"), sync()].concat());
    client.transcript();
    let amount = |client: &mut super::client::Client| {
        client.send(&look_up(b"1"));
        client.transcript().get(2).cloned().unwrap_or_default()
    };
    assert_eq!(amount(&mut client), "DataRow(10)");
    assert_eq!(amount(&mut client), "DataRow(10)");
    for round in 11..20 {
        other.query(&format!("UPDATE item SET amount = {round} WHERE id = 1"));
        assert_eq!(amount(&mut client), format!("DataRow({round})"));
    }
    other.query("BEGIN; UPDATE item SET amount = 99 WHERE id = 1");
    assert_eq!(amount(&mut client), "DataRow(19)");
    other.query("ROLLBACK");
    other.query(
        "ALTER TABLE item RENAME TO old; CREATE TABLE item (id int PRIMARY KEY, amount bigint)",
    );
    assert_eq!(amount(&mut client), "CommandComplete(SELECT 0)");
    other.query("DROP TABLE item");
    client.send(&look_up(b"1"));
    let transcript = client.transcript();
    assert!(
        transcript
            .ends_with(&["ErrorResponse(ERROR 42P01)".to_owned(), "ReadyForQuery(I)".to_owned()])
    );
}

#[test]
fn a_look_up_in_a_block_sees_the_block() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query(TABLE);
    client.send(&[parse("s", "SELECT amount FROM item WHERE id = $1"), sync()].concat());
    client.transcript();
    client.send(&look_up(b"1"));
    client.transcript();
    client.query("BEGIN");
    client.query("UPDATE item SET amount = amount + 1 WHERE id = 1");
    client.send(&look_up(b"1"));
    assert_eq!(
        client.transcript()[2..],
        ["DataRow(11)", "CommandComplete(SELECT 1)", "ReadyForQuery(T)"]
    );
    client.query("SELECT nothing");
    client.send(&look_up(b"1"));
    assert_eq!(client.transcript(), ["ErrorResponse(ERROR 25P02)", "ReadyForQuery(E)"]);
    client.query("ROLLBACK");
    client.send(&look_up(b"1"));
    assert_eq!(client.transcript()[2], "DataRow(10)");
}

/// The same text many times: the first rounds are read in full, the later ones are known by their shape.
#[test]
fn statements_that_come_again_do_what_they_did() {
    let server = TestServer::trusting();
    let mut client = server.login();
    client.query(TABLE);
    let one = |text: &str, client: &mut super::client::Client| {
        let lines = client.query(text);
        lines.into_iter().find(|line| !line.starts_with("RowDescription")).unwrap_or_default()
    };
    for round in 0..5 {
        client.query("BEGIN");
        let text = format!("UPDATE item SET amount = amount + -{} WHERE id = 1;", round + 1);
        assert_eq!(one(&text, &mut client), "CommandComplete(UPDATE 1)");
        let (id, name) = (100 + round, format!("name {round}"));
        let text =
            format!("INSERT INTO item (id, name, amount) VALUES ({id}, '{name}', 5000000000)");
        assert_eq!(one(&text, &mut client), "CommandComplete(INSERT 0 1)");
        let text = format!("SELECT name FROM item WHERE id = {id}");
        assert_eq!(one(&text, &mut client), format!("DataRow({name})"));
        assert_eq!(one(&text, &mut client), format!("DataRow({name})"));
        client.query("END");
        assert_eq!(one(&text, &mut client), format!("DataRow({name})"));
        let text = format!("DELETE FROM item WHERE id = {id}");
        assert_eq!(one(&text, &mut client), "CommandComplete(DELETE 1)");
        assert_eq!(one(&text, &mut client), "CommandComplete(DELETE 0)");
        // What is wrong with a text is said of that text.
        let wrong = "INSERT INTO item (id, name, amount) VALUES (1, 'x', 5000000000)";
        assert_eq!(one(wrong, &mut client), "ErrorResponse(ERROR 23505)");
        assert_eq!(
            one("SELECT name FROM item WHERE id = 'x'", &mut client),
            "ErrorResponse(ERROR 22P02 at 34)"
        );
        assert_eq!(one("SELECT name FROM item WHERE id = '3'", &mut client), "DataRow(three)");
    }
    assert_eq!(one("SELECT amount FROM item WHERE id = 1", &mut client), "DataRow(-5)");
    assert_eq!(one("SELECT count(*) FROM item", &mut client), "DataRow(3)");
}

/// Each table is written once before any is read again, so that the view has to catch up.
#[test]
fn writes_to_several_tables_are_all_seen_in_their_block() {
    let server = TestServer::trusting();
    let (mut client, mut other) = (server.login(), server.login());
    client.query(
        "CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int);
        INSERT INTO a VALUES (1, 0), (2, 0); INSERT INTO b VALUES (1, 0), (2, 0)",
    );
    let mut row = |text: &str| {
        let lines = client.query(text);
        lines.into_iter().find(|line| line.starts_with("DataRow")).unwrap_or_default()
    };
    for round in 1..6 {
        row("BEGIN");
        row("UPDATE a SET n = n + 1 WHERE id = 1");
        other.query("UPDATE a SET n = n + 10 WHERE id = 2");
        row("UPDATE b SET n = n + 1 WHERE id = 1");
        other.query("UPDATE b SET n = n + 10 WHERE id = 2");
        assert_eq!(row("SELECT n FROM a WHERE id = 1"), format!("DataRow({round})"));
        row("SAVEPOINT s");
        row("UPDATE a SET n = n + 100 WHERE id = 1");
        row("UPDATE b SET n = n + 100 WHERE id = 1");
        assert_eq!(row("SELECT sum(n) FROM b"), format!("DataRow({})", round + 10 * round + 100));
        row("ROLLBACK TO s");
        assert_eq!(
            row("SELECT a.n, b.n FROM a JOIN b ON a.id = b.id WHERE a.id = 1"),
            format!("DataRow({round}, {round})")
        );
        row("UPDATE a SET n = n + 1 WHERE id = 1");
        row("UPDATE a SET n = n - 1 WHERE id = 1");
        row("COMMIT");
    }
    assert_eq!(row("SELECT sum(a.n) + sum(b.n) FROM a JOIN b ON a.id = b.id"), "DataRow(110)");
}

#[test]
fn an_error_of_a_shape_shows_no_hidden_values() {
    let server = TestServer::trusting();
    let mut client = server.login();
    for statement in [
        "CREATE ROLE quick_reader",
        "CREATE TABLE secret (id int PRIMARY KEY, owner text, word text CHECK (word <> 'bad'))",
        "GRANT INSERT ON secret TO quick_reader",
        "SET ROLE quick_reader",
    ] {
        client.query(statement);
    }
    let mut details = |count: usize| -> Vec<Option<String>> {
        (0..count)
            .map(|_| {
                client.send(&query("INSERT INTO secret VALUES (1, 'ann', 'bad')"));
                let replies = client.until(b'Z');
                let error = replies.iter().find(|reply| reply.tag == b'E').unwrap();
                assert_eq!(error.field(b'C').as_deref(), Some("23514"));
                error.field(b'D')
            })
            .collect()
    };
    let shown = details(3);
    assert!(shown.iter().all(Option::is_some), "{shown:?}");
    let mut other = server.login();
    other.query("CREATE POLICY p ON secret USING (true)");
    other.query("ALTER TABLE secret ENABLE ROW LEVEL SECURITY");
    let hidden = details(3);
    assert!(hidden.iter().all(Option::is_none), "{hidden:?}");
}
