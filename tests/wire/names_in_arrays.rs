//! Arrays of types whose values are numbers of objects: names in text.

use super::server::TestServer;

#[test]
fn elements_are_names() {
    let server = TestServer::trusting();
    let mut client = server.login();
    let texts = [
        ("SELECT '{int4,text}'::regtype[]", "{integer,text}"),
        ("SELECT ARRAY['pg_class'::regclass, NULL]", "{pg_class,NULL}"),
    ];
    for (text, expected) in texts {
        let replies = client.query(text);
        let row = replies.iter().find(|line| line.starts_with("DataRow")).unwrap();
        assert!(row.contains(expected), "{row}");
    }
}
