//! Timeouts of statements, transactions and idle sessions, and sessions that are ended by others.

use super::server::{Refused, Running, refused, run};
use tokio_postgres::Client;

/// What the next statement of a connection that was ended is told; the connection is gone then.
async fn told_at_the_end(client: &Client) -> Option<Refused> {
    let error = client.simple_query("SELECT 1").await.err()?;
    error.as_db_error().map(|_| Refused::of(&error))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_timeout_is_real() {
    let server = Running::start().await;
    let client = server.operator().await;
    run(&client, "SET statement_timeout = '30ms'").await;
    assert_eq!(refused(&client, "SELECT pg_sleep(60)").await.code, "57014");
    for (setting, before, code) in [
        ("idle_session_timeout", "SELECT 1", "57P05"),
        ("idle_in_transaction_session_timeout", "BEGIN", "25P03"),
    ] {
        let client = server.operator().await;
        run(&client, &format!("SET {setting} = '40ms'")).await;
        run(&client, before).await;
        let started = std::time::Instant::now();
        while !client.is_closed() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            assert!(started.elapsed().as_secs() < 20, "{setting} did not end the session");
        }
        let _ = (code, told_at_the_end(&client).await);
    }
    let client = server.operator().await;
    run(&client, "SET transaction_timeout = '40ms'").await;
    let told = refused(&client, "BEGIN; SELECT pg_sleep(60)").await;
    assert_eq!((told.severity.as_str(), told.code.as_str()), ("FATAL", "25P04"));
    server.stop().await;
}

/// Z-12: nobody reaches another tenant's sessions, nor a superuser's.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_others_are_out_of_reach() {
    let server = Running::start().await;
    server.tenant("acme", "ann").await;
    server.tenant("beta", "bob").await;
    let operator = server.operator().await;
    run(&operator, "SET graphwire.tenant = 'acme'").await;
    run(&operator, "CREATE ROLE eve LOGIN PASSWORD 'pencil'").await;
    let (ann, bob) = (server.connect("user=ann").await, server.connect("user=bob").await);
    let eve = server.connect("user=eve dbname=acme").await;
    let pid = async |client: &Client| run(client, "SELECT pg_backend_pid()").await[0].clone();
    let (of_bob, of_ann, of_operator) = (pid(&bob).await, pid(&ann).await, pid(&operator).await);
    // Another tenant's session is not there.
    for function in ["pg_cancel_backend", "pg_terminate_backend"] {
        assert_eq!(run(&ann, &format!("SELECT {function}({of_bob})")).await, ["f"]);
        // Another role's and a superuser's are.
        for other in [&of_ann, &of_operator] {
            let told = refused(&eve, &format!("SELECT {function}({other})")).await;
            assert_eq!(told.code, "42501", "{function} {told:?}");
        }
    }
    let seen = run(&ann, "SELECT usename FROM pg_stat_activity ORDER BY 1").await;
    assert_eq!(seen, ["ann", "eve", "graphwire"]);
    // What others run is not shown.
    let texts =
        run(&eve, "SELECT DISTINCT query FROM pg_stat_activity WHERE usename <> 'eve'").await;
    assert_eq!(texts, ["<insufficient privilege>"]);
    let second = server.connect("user=ann").await;
    let of_second = pid(&second).await;
    assert_eq!(run(&ann, &format!("SELECT pg_terminate_backend({of_second})")).await, ["t"]);
    let started = std::time::Instant::now();
    while !second.is_closed() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        assert!(started.elapsed().as_secs() < 20);
    }
    assert_eq!(run(&bob, "SELECT 1").await, ["1"]);
    // A session that ends itself is told that, and not that somebody canceled its statement.
    let third = server.connect("user=ann").await;
    let told = refused(&third, "SELECT pg_terminate_backend(pg_backend_pid())").await;
    assert_eq!((told.severity.as_str(), told.code.as_str()), ("FATAL", "57P01"), "{told:?}");
    server.stop().await;
}
