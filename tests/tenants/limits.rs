//! What a client is told of its quota, and that it always can end its transaction.

use super::server::{Refused, Running, refused, run, try_run};

const HOUR_US: i64 = 3_600_000_000;

/// eight connections of a bronze tenant get exactly 1000 statements in each of ten hours.
#[tokio::test(flavor = "multi_thread")]
async fn bronze_is_a_thousand_statements_an_hour() {
    let server = Running::start().await;
    server.tenant("acme", "ann").await;
    run(&server.operator().await, "ALTER TENANT acme SET (tier = 'bronze')").await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(server.connect("user=ann").await);
    }
    for _ in 0..10 {
        let tasks = clients.iter().map(async |client| {
            let mut taken = 0;
            for _ in 0..150 {
                match try_run(client, "SELECT 1").await {
                    Ok(_) => taken += 1,
                    Err(refused) => assert_eq!(refused.code, "53400"),
                }
            }
            taken
        });
        let taken: Vec<i32> = futures::future::join_all(tasks).await;
        assert_eq!(taken.iter().sum::<i32>(), 1000, "{taken:?}");
        server.clock.advance_us(HOUR_US);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_when_to_come_back() {
    let server = Running::start().await;
    server.tenant("acme", "ann").await;
    let operator = server.operator().await;
    run(&operator, "CREATE QUOTA three FOR INTERVAL '1 hour' MAX queries = 3 TO TENANT acme").await;
    let ann = server.connect("user=ann").await;
    run(&ann, "BEGIN").await;
    run(&ann, "CREATE TABLE t (x int)").await;
    run(&ann, "SELECT 1").await;
    let told = refused(&ann, "SELECT 1").await;
    assert_eq!(
        told,
        Refused {
            severity: "ERROR".into(),
            code: "53400".into(),
            message: "quota \"three\" exceeded: queries per 1 hour".into(),
            detail: "tenant=acme limit=3 used=3 window_reset=2023-11-15T13:00:00.000Z".into(),
            hint: "retry_after_ms=3600000".into(),
            constraint: "three".into(),
        }
    );
    // The transaction failed, and can be ended.
    assert_eq!(refused(&ann, "COMMIT; SELECT 1").await.code, "53400");
    run(&ann, "ROLLBACK").await;
    assert_eq!(
        run(&ann, "SHOW QUOTA USAGE").await,
        ["acme|three|acme|queries|2023-11-15 12:00:00+00|2023-11-15 13:00:00+00|3|3|0|3600000|2"]
    );
    server.clock.advance_us(HOUR_US);
    assert_eq!(run(&ann, "SELECT 1").await, ["1"]);
    run(&operator, "DROP QUOTA three").await;
    for _ in 0..5 {
        run(&ann, "SELECT 1").await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gauge_holds() {
    let server = Running::start().await;
    server.tenant("acme", "ann").await;
    let operator = server.operator().await;
    let quota = "CREATE OR REPLACE QUOTA q KEYED BY TENANT LIMIT";
    run(&operator, &format!("{quota} connections = 2 TO TENANT acme")).await;
    let one = server.connect("user=ann").await;
    let two = server.connect("user=ann").await;
    let told = server.try_connect("user=ann").await.err().unwrap();
    assert_eq!((told.severity.as_str(), told.code.as_str()), ("FATAL", "53300"));
    assert_eq!(told.message, "too many connections for tenant \"acme\"");
    assert_eq!(told.constraint, "q");
    drop(two);
    let two = loop {
        if let Ok(client) = server.try_connect("user=ann").await {
            break client;
        }
        tokio::task::yield_now().await;
    };
    run(&operator, &format!("{quota} concurrent_queries = 1 TO TENANT acme")).await;
    let running = tokio::spawn(async move {
        let told = try_run(&two, "SELECT pg_sleep(60)").await;
        (two, told)
    });
    while server.engine.running_statements("acme") == 0 {
        tokio::task::yield_now().await;
    }
    let told = refused(&one, "SELECT 1").await;
    assert_eq!((told.code.as_str(), told.hint.as_str()), ("53400", "retry_after_ms=100"));
    assert_eq!(told.message, "quota \"q\" exceeded: concurrent_queries");
    run(&operator, &format!("{quota} statement_time = '50 ms' TO TENANT acme")).await;
    let told = refused(&one, "SELECT pg_sleep(60)").await;
    assert_eq!(told.code, "57014");
    running.abort();
    run(&operator, &format!("{quota} memory_bytes = '8 MB', temp_bytes = 0 TO TENANT acme")).await;
    let bomb = "SELECT count(a) FROM (SELECT array_agg(x) AS a FROM generate_series(1, 5000000) AS s(x)) AS q";
    let told = refused(&one, bomb).await;
    assert_eq!((told.code.as_str(), told.constraint.as_str()), ("53200", "q"), "{told:?}");
    assert!(told.detail.starts_with("tenant=acme limit=8388608 "), "{told:?}");
    run(&operator, &format!("{quota} storage_bytes = '1 MB' TO TENANT acme")).await;
    run(&one, "CREATE TABLE t (x text)").await;
    run(&one, "INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 3000)").await;
    server.clock.advance_us(2_000_000);
    let told = refused(&one, "INSERT INTO t VALUES ('y')").await;
    assert_eq!((told.code.as_str(), told.constraint.as_str()), ("53100", "q"));
    run(&one, "DELETE FROM t").await;
    assert_eq!(run(&one, "SELECT count(*) FROM t").await, ["0"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_errors_and_roles_are_counted() {
    let server = Running::start().await;
    server.tenant("acme", "ann").await;
    let operator = server.operator().await;
    run(&operator, "SET graphwire.tenant = 'acme'").await;
    run(&operator, "CREATE QUOTA rows KEYED BY ROLE FOR INTERVAL '1 day' MAX result_rows = 100, errors = 2 TO ann").await;
    let ann = server.connect("user=ann").await;
    run(&ann, "SELECT * FROM generate_series(1, 90)").await;
    assert_eq!(refused(&ann, "SELECT * FROM generate_series(1, 20)").await.code, "53400");
    run(&ann, "SELECT * FROM generate_series(1, 5)").await;
    // The refusal in the middle of its rows was an error too.
    assert_eq!(refused(&ann, "SELECT 1 / 0").await.code, "22012");
    let told = refused(&ann, "SELECT 1").await;
    assert_eq!(told.message, "quota \"rows\" exceeded: errors per 1 day");
    assert_eq!(run(&operator, "SELECT count(*) FROM generate_series(1, 1000)").await, ["1000"]);
    server.stop().await;
}

/// Look-ups that are answered at once are counted like any other statement, to the last one, in both protocols.
#[tokio::test(flavor = "multi_thread")]
async fn look_ups_by_key_are_counted() {
    let server = Running::start().await;
    server.tenant("acme", "ann").await;
    let operator = server.operator().await;
    let one = server.connect("user=ann").await;
    let two = server.connect("user=ann").await;
    run(&one, "CREATE TABLE t (id int PRIMARY KEY, x text)").await;
    run(&one, "INSERT INTO t VALUES (1, 'one')").await;
    run(&operator, "CREATE QUOTA hundred FOR INTERVAL '1 hour' MAX queries = 100 TO TENANT acme")
        .await;
    let prepared = two.prepare("SELECT x FROM t WHERE id = $1").await.unwrap();
    let simple = async {
        let mut taken = 0;
        for _ in 0..90 {
            match try_run(&one, "SELECT x FROM t WHERE id = 1").await {
                Ok(rows) => taken += rows.len(),
                Err(refused) => assert_eq!(refused.code, "53400"),
            }
        }
        taken
    };
    let extended = async {
        let mut taken = 0;
        for _ in 0..90 {
            match two.query(&prepared, &[&1]).await {
                Ok(rows) => taken += rows.len(),
                Err(error) => assert_eq!(Refused::of(&error).code, "53400"),
            }
        }
        taken
    };
    let (simple, extended) = tokio::join!(simple, extended);
    assert_eq!(simple + extended, 100, "{simple} and {extended}");
    let usage = run(&one, "SHOW QUOTA USAGE").await;
    let [line] = usage.as_slice() else { panic!("{usage:?}") };
    assert!(line.contains("|100|100|0|"), "{line}");
    assert!(line.ends_with("|80"), "refused as often as they were: {line}");
    run(
        &operator,
        "CREATE OR REPLACE QUOTA hundred FOR INTERVAL '1 hour' MAX result_rows = 10 TO TENANT acme",
    )
    .await;
    for row in 0..12 {
        let found = two.query(&prepared, &[&(1 + row % 2)]).await;
        assert!(found.is_ok(), "{row}: {found:?}");
    }
    let mut taken = 6;
    for _ in 0..8 {
        taken += two.query(&prepared, &[&1]).await.map_or(0, |rows| rows.len());
    }
    assert_eq!(taken, 10);
    server.stop().await;
}
