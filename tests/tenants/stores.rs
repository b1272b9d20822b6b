//! Tenants on disk: after a restart, one of them backed up and restored, and gone when they are dropped.

use graphwire::session::Session;

use super::server::{Running, refused, run};

#[tokio::test(flavor = "multi_thread")]
async fn tenants_outlive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let server = Running::start_in(Some(dir.path())).await;
    server.tenant("acme", "ann").await;
    server.tenant("beta", "bob").await;
    let operator = server.operator().await;
    run(&operator, "CREATE QUOTA ten FOR INTERVAL '1 hour' MAX queries = 10 TO TENANT beta").await;
    run(&operator, "ALTER TENANT acme SET (tier = 'gold', comment = 'ours')").await;
    let ann = server.connect("user=ann").await;
    run(&ann, "CREATE TABLE t (x int PRIMARY KEY)").await;
    run(&ann, "INSERT INTO t VALUES (1), (2)").await;
    run(&ann, "CREATE DATABASE more").await;
    let more = server.connect("user=ann dbname=more").await;
    run(&more, "CREATE TABLE only_here (x int)").await;
    let bob = server.connect("user=bob").await;
    for _ in 0..4 {
        run(&bob, "SELECT 1").await;
    }
    server.stop().await;
    let server = Running::start_in(Some(dir.path())).await;
    let ann = server.connect("user=ann").await;
    assert_eq!(run(&ann, "SELECT count(*) FROM t").await, ["2"]);
    let more = server.connect("user=ann dbname=more").await;
    assert_eq!(run(&more, "SELECT count(*) FROM only_here").await, ["0"]);
    assert_eq!(refused(&more, "SELECT * FROM t").await.code, "42P01");
    let operator = server.operator().await;
    assert_eq!(
        run(&operator, "SELECT tenant, tier FROM graphwire.tenants ORDER BY 1").await,
        ["acme|gold", "beta|NULL", "system|NULL"]
    );
    // What was used of a window goes on.
    let bob = server.connect("user=bob").await;
    let mut left = 0;
    while super::server::try_run(&bob, "SELECT 1").await.is_ok() {
        left += 1;
    }
    assert_eq!(left, 6);
    // Whoever was there a moment ago is waited for.
    drop(more);
    run(&ann, "DROP DATABASE more").await;
    drop(ann);
    run(&operator, "DROP TENANT acme CASCADE").await;
    let folders: Vec<String> = std::fs::read_dir(dir.path().join("tenants"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.parse::<u32>().is_ok())
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    assert_eq!(server.try_connect("user=ann").await.err().unwrap().code, "28P01");
    // Its number is not used again.
    run(&operator, "CREATE TENANT acme").await;
    server.stop().await;
    let server = Running::start_in(Some(dir.path())).await;
    assert_eq!(server.try_connect("user=ann").await.err().unwrap().code, "28P01");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_session_is_one_of_the_system_tenant() {
    let server = Running::start().await;
    let mut session = Session::local(&server.engine, "graphwire").await.unwrap();
    let results = session.run_text("SELECT graphwire.current_tenant()").await.unwrap();
    assert_eq!(results.len(), 1);
    server.stop().await;
}
