//! Describing, pools, streams, transactions, COPY, LISTEN, errors.
use super::{expect_code, runtime, with_connection};
use checks::{check, connection_url, graph_check, Check, Outcome, GRAPH_SQL};
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Column, Connection, Either, Executor, FromRow, QueryBuilder, Row, Statement, TypeInfo};
use std::time::Duration;

pub const CHECKS: &[Check] = &[
    check("describe, as query! asks it", describe),
    check("describe of outer joins tells what may be null", describe_joins),
    check("prepare and its columns", prepare),
    check("a pool, its checks and its limits", pool),
    check("rows into structs, as a stream", rows),
    check("many rows by QueryBuilder and by unnest", bulk),
    check("several statements at once", several),
    check("transactions and savepoints", transactions),
    check("COPY in and out", copy),
    check("LISTEN with PgListener", listener),
    check("advisory locks", advisory_locks),
    check("errors and what they carry", errors),
    check("options at connect", options),
    graph_check("a graph, in SQL and in Cypher, with parameters", graph),
];

fn describe() -> Outcome {
    with_connection(|mut connection| async move {
        connection
            .execute("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (id int8 PRIMARY KEY, name text NOT NULL, note varchar(10), mood mood[])")
            .await?;
        let found = connection.describe("SELECT id, name, note, mood, count(*) OVER () AS n, note || $2 AS o FROM t WHERE id = $1").await?;
        let columns: Vec<_> = found.columns().iter().map(|column| (column.name(), column.type_info().name().to_owned())).collect();
        let expected = [("id", "INT8"), ("name", "TEXT"), ("note", "VARCHAR"), ("mood", "mood[]"), ("n", "INT8"), ("o", "TEXT")];
        assert_eq!(columns, expected.map(|(name, kind)| (name, kind.to_owned())));
        let nullable: Vec<_> = (0..4).map(|i| found.nullable(i)).collect();
        assert_eq!(nullable, [Some(false), Some(false), Some(true), Some(true)]);
        let Some(Either::Left(parameters)) = found.parameters() else { panic!("no parameters") };
        assert_eq!(parameters.iter().map(|kind| kind.name()).collect::<Vec<_>>(), ["INT8", "TEXT"]);
        let found = connection.describe("INSERT INTO t (id, name) VALUES ($1, $2) RETURNING id, note").await?;
        assert_eq!((found.nullable(0), found.nullable(1)), (Some(false), Some(true)));
        let error = expect_code(connection.describe("SELECT nothing FROM t").await, "42703");
        assert_eq!(error.message(), "column \"nothing\" does not exist");
        Ok(())
    })
}

fn describe_joins() -> Outcome {
    with_connection(|mut connection| async move {
        connection.execute("CREATE TABLE a (id int4 NOT NULL); CREATE TABLE b (id int4 NOT NULL, c text NOT NULL)").await?;
        let found = connection.describe("SELECT b.c FROM (SELECT id FROM a LIMIT 1) AS a LEFT JOIN b ON a.id < b.id").await?;
        assert_eq!(found.nullable(0), Some(true));
        let found = connection.describe("SELECT a.id, b.c FROM a JOIN b ON a.id = b.id WHERE a.id = $1").await?;
        assert_eq!((found.nullable(0), found.nullable(1)), (Some(false), Some(false)));
        Ok(())
    })
}

fn prepare() -> Outcome {
    with_connection(|mut connection| async move {
        connection.execute("CREATE TABLE t (a int4, b jsonb)").await?;
        let statement = connection.prepare("SELECT a, b, $1::text AS c FROM t").await?;
        let names: Vec<_> = statement.columns().iter().map(|column| (column.name(), column.type_info().name())).collect();
        assert_eq!(names, [("a", "INT4"), ("b", "JSONB"), ("c", "TEXT")]);
        connection.clear_cached_statements().await?;
        assert!(statement.query().bind("x").fetch_all(&mut connection).await?.is_empty());
        Ok(())
    })
}

fn pool() -> Outcome {
    runtime()?.block_on(async {
        let pool = PgPoolOptions::new()
            .max_connections(3)
            .test_before_acquire(true)
            .acquire_timeout(Duration::from_secs(1))
            .after_connect(|connection, _| Box::pin(async move { connection.execute("SET application_name = 'pooled'").await.map(drop) }))
            .connect(&connection_url())
            .await?;
        let tasks: Vec<_> = (0..20i32)
            .map(|i| {
                let pool = pool.clone();
                tokio::spawn(async move { sqlx::query_scalar::<_, i32>("SELECT $1 + 1").bind(i).fetch_one(&pool).await })
            })
            .collect();
        for (i, task) in (0..).zip(tasks) {
            assert_eq!(task.await??, i + 1);
        }
        assert!(pool.size() <= 3);
        let held = (pool.acquire().await?, pool.acquire().await?, pool.acquire().await?);
        assert!(matches!(pool.acquire().await, Err(sqlx::Error::PoolTimedOut)));
        drop(held);
        let name: String = sqlx::query_scalar("SHOW application_name").fetch_one(&pool).await?;
        assert_eq!(name, "pooled");
        pool.close().await;
        Ok(())
    })
}

#[derive(Debug, FromRow, PartialEq)]
struct City {
    id: i32,
    name: String,
    people: Option<i64>,
}

fn rows() -> Outcome {
    with_connection(|mut connection| async move {
        connection
            .execute("CREATE TABLE city (id int4, name text, people int8); INSERT INTO city VALUES (1, 'Oslo', 700000), (2, 'Ham', NULL)")
            .await?;
        let cities: Vec<City> = sqlx::query_as("SELECT * FROM city ORDER BY id").fetch_all(&mut connection).await?;
        assert_eq!(cities[1], City { id: 2, name: "Ham".to_owned(), people: None });
        let pair: (i32, String) = sqlx::query_as("SELECT id, name FROM city WHERE name = $1").bind("Oslo").fetch_one(&mut connection).await?;
        assert_eq!(pair, (1, "Oslo".to_owned()));
        assert!(sqlx::query("SELECT 1 WHERE false").fetch_optional(&mut connection).await?.is_none());
        let mut stream = sqlx::query_scalar::<_, i32>("SELECT x FROM generate_series(1, 10000) AS g(x)").fetch(&mut connection);
        let mut sum = 0;
        while let Some(x) = stream.try_next().await? {
            sum += i64::from(x);
        }
        assert_eq!(sum, 50_005_000);
        // A stream that is left early.
        drop(stream);
        let mut stream = sqlx::query("SELECT x FROM generate_series(1, 10000) AS g(x)").fetch(&mut connection);
        stream.try_next().await?;
        drop(stream);
        assert_eq!(sqlx::query_scalar::<_, i32>("SELECT 1").fetch_one(&mut connection).await?, 1);
        Ok(())
    })
}

fn bulk() -> Outcome {
    with_connection(|mut connection| async move {
        connection.execute("CREATE TABLE t (a int4, b text)").await?;
        let mut builder = QueryBuilder::new("INSERT INTO t (a, b) ");
        builder.push_values(0..1000, |mut row, i| {
            row.push_bind(i).push_bind(format!("row {i}"));
        });
        assert_eq!(builder.build().execute(&mut connection).await?.rows_affected(), 1000);
        let names: Vec<String> = (0..500).map(|i| format!("more {i}")).collect();
        let numbers: Vec<i32> = (1000..1500).collect();
        let done = sqlx::query("INSERT INTO t SELECT * FROM UNNEST($1::int4[], $2::text[])").bind(numbers).bind(names).execute(&mut connection).await?;
        assert_eq!(done.rows_affected(), 500);
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM t WHERE a = ANY($1)").bind(vec![1, 999, 1499, 5000]).fetch_one(&mut connection).await?;
        assert_eq!(count, 3);
        Ok(())
    })
}

fn several() -> Outcome {
    with_connection(|mut connection| async move {
        let done = sqlx::raw_sql("CREATE TABLE t (a int4); INSERT INTO t VALUES (1), (2); UPDATE t SET a = a + 1").execute(&mut connection).await?;
        assert_eq!(done.rows_affected(), 4);
        let results: Vec<_> = sqlx::raw_sql("SELECT 1; SELECT 2, 3").fetch_many(&mut connection).try_collect().await?;
        assert_eq!(results.iter().filter(|result| result.is_right()).count(), 2);
        Ok(())
    })
}

fn transactions() -> Outcome {
    with_connection(|mut connection| async move {
        connection.execute("CREATE TABLE t (a int4 PRIMARY KEY)").await?;
        let mut outer = connection.begin().await?;
        outer.execute("INSERT INTO t VALUES (1)").await?;
        let mut inner = outer.begin().await?;
        expect_code(inner.execute("INSERT INTO t VALUES (1)").await, "23505");
        inner.rollback().await?;
        let mut inner = outer.begin().await?;
        inner.execute("INSERT INTO t VALUES (2)").await?;
        inner.commit().await?;
        outer.commit().await?;
        {
            let mut dropped = connection.begin().await?;
            dropped.execute("DELETE FROM t").await?;
        }
        assert_eq!(sqlx::query_scalar::<_, i64>("SELECT count(*) FROM t").fetch_one(&mut connection).await?, 2);
        let mut other = connection.begin_with("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY").await?;
        expect_code(other.execute("INSERT INTO t VALUES (3)").await, "25006");
        Ok(())
    })
}

fn copy() -> Outcome {
    with_connection(|mut connection| async move {
        connection.execute("CREATE TABLE t (a int4, b text)").await?;
        let mut sink = connection.copy_in_raw("COPY t FROM STDIN (FORMAT csv)").await?;
        sink.send(b"1,one\n2,\"t".as_slice()).await?;
        sink.send(b"wo\"\n".as_slice()).await?;
        assert_eq!(sink.finish().await?, 2);
        let mut sink = connection.copy_in_raw("COPY t FROM STDIN").await?;
        sink.send(b"3\tthree\n".as_slice()).await?;
        sink.abort("not wanted").await?;
        let chunks: Vec<_> = connection.copy_out_raw("COPY (SELECT * FROM t ORDER BY a) TO STDOUT").await?.try_collect().await?;
        assert_eq!(String::from_utf8(chunks.concat())?, "1\tone\n2\ttwo\n");
        Ok(())
    })
}

fn listener() -> Outcome {
    with_connection(|mut connection| async move {
        let mut listener = PgListener::connect(&connection_url()).await?;
        listener.listen_all(["sqlx_one", "sqlx_Two"]).await?;
        sqlx::query("SELECT pg_notify(channel, payload) FROM (VALUES ('sqlx_one', 'a'), ('sqlx_Two', 'b')) AS v(channel, payload)")
            .execute(&mut connection)
            .await?;
        let mut found = vec![];
        for _ in 0..2 {
            let one = listener.recv().await?;
            found.push((one.channel().to_owned(), one.payload().to_owned()));
        }
        found.sort();
        assert_eq!(found, [("sqlx_Two".to_owned(), "b".to_owned()), ("sqlx_one".to_owned(), "a".to_owned())]);
        listener.unlisten_all().await?;
        Ok(())
    })
}

fn advisory_locks() -> Outcome {
    with_connection(|mut connection| async move {
        let lock = sqlx::postgres::PgAdvisoryLock::new("sqlx checks");
        let guard = lock.acquire(&mut connection).await?;
        let mut other = sqlx::PgConnection::connect(&connection_url()).await?;
        assert!(matches!(lock.try_acquire(&mut other).await?, Either::Right(_)));
        guard.release_now().await?;
        assert!(matches!(lock.try_acquire(&mut other).await?, Either::Left(_)));
        Ok(())
    })
}

fn errors() -> Outcome {
    with_connection(|mut connection| async move {
        connection
            .execute("CREATE TABLE t (a int4 PRIMARY KEY, b int4 NOT NULL CHECK (b > 0)); CREATE TABLE u (a int4 REFERENCES t)")
            .await?;
        connection.execute("INSERT INTO t VALUES (1, 1)").await?;
        for (text, kind, constraint) in [
            ("INSERT INTO t VALUES (1, 1)", sqlx::error::ErrorKind::UniqueViolation, Some("t_pkey")),
            ("INSERT INTO t VALUES (2, NULL)", sqlx::error::ErrorKind::NotNullViolation, None),
            ("INSERT INTO t VALUES (2, -1)", sqlx::error::ErrorKind::CheckViolation, Some("t_b_check")),
            ("INSERT INTO u VALUES (9)", sqlx::error::ErrorKind::ForeignKeyViolation, Some("u_a_fkey")),
        ] {
            let Err(sqlx::Error::Database(error)) = connection.execute(text).await else { panic!("{text}: no error") };
            assert_eq!(format!("{:?}", error.kind()), format!("{kind:?}"), "{text}");
            assert_eq!(error.constraint(), constraint, "{text}");
        }
        let error = expect_code(sqlx::query("SELECT a FROM t WHERE missing = $1").bind(1).execute(&mut connection).await, "42703");
        assert_eq!(error.position(), Some(sqlx::postgres::PgErrorPosition::Original(23)));
        Ok(())
    })
}

fn options() -> Outcome {
    runtime()?.block_on(async {
        let options: PgConnectOptions = connection_url().parse()?;
        let options = options.application_name("options").options([("statement_timeout", "5s"), ("search_path", "pg_catalog")]);
        let mut connection = sqlx::PgConnection::connect_with(&options).await?;
        let row = connection
            .fetch_one("SELECT current_setting('application_name'), current_setting('statement_timeout'), current_setting('search_path')")
            .await?;
        assert_eq!((row.get::<&str, _>(0), row.get::<&str, _>(1), row.get::<&str, _>(2)), ("options", "5s", "pg_catalog"));
        connection.ping().await?;
        assert!(connection.server_version_num().is_some());
        Ok(())
    })
}

fn graph() -> Outcome {
    with_connection(|mut connection| async move {
        connection.execute(GRAPH_SQL).await?;
        let names: Vec<String> = sqlx::query_scalar(
            "SELECT b FROM GRAPH_TABLE (compat_social MATCH (x IS person WHERE x.id = $1)-[IS knows]->(y) COLUMNS (y.name AS b)) ORDER BY b",
        )
        .bind(1)
        .fetch_all(&mut connection)
        .await?;
        assert_eq!(names, ["bob", "cid"]);
        connection.execute("SET graph_path = 'compat_social'").await?;
        let found: Vec<(String, i64)> = sqlx::query_as("MATCH (x:person {name: $1})-[:knows*1..3]->(y) RETURN y.name AS name, count(*) AS n ORDER BY name")
            .bind("ann")
            .fetch_all(&mut connection)
            .await?;
        assert_eq!(found, [("bob".to_owned(), 1), ("cid".to_owned(), 2), ("dan".to_owned(), 2)]);
        Ok(())
    })
}
