//! Preparing, describing, pipelining, portals, transactions, errors.
use super::{expect_code, with_client};
use checks::{check, graph_check, Check, Outcome, GRAPH_SQL};
use futures_util::{future, pin_mut, TryStreamExt};
use postgres_types::{ToSql, Type};
use tokio_postgres::{IsolationLevel, SimpleQueryMessage};

pub const CHECKS: &[Check] = &[
    check("what a statement is described as", described),
    check("parameters with types of the caller", typed_parameters),
    check("a query without a statement", query_typed),
    check("many statements in flight", pipelined),
    check("rows as a stream", streamed),
    check("portals with a limit of rows", portals),
    check("transactions and savepoints", transactions),
    check("isolation levels and read only", isolation),
    check("the simple protocol", simple_protocol),
    check("counts of rows", counts),
    check("query_one and query_opt", one_and_opt),
    check("errors with code, position and the constraint's name", errors),
    check("a statement outlives a change of its table", changed_table),
    graph_check("a graph, in SQL and in Cypher, with parameters", graph),
];

fn described() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TABLE t (a int4 PRIMARY KEY, b varchar(10), c numeric(8,2), d timestamptz[])").await?;
        let statement = client.prepare("SELECT *, a + 1 AS e, NULL FROM t WHERE a = $1 AND b LIKE $2").await?;
        assert_eq!(statement.params(), [Type::INT4, Type::TEXT]);
        let columns: Vec<_> = statement.columns().iter().map(|column| (column.name(), column.type_().clone())).collect();
        assert_eq!(
            columns,
            [
                ("a", Type::INT4),
                ("b", Type::VARCHAR),
                ("c", Type::NUMERIC),
                ("d", Type::TIMESTAMPTZ_ARRAY),
                ("e", Type::INT4),
                ("?column?", Type::TEXT)
            ]
        );
        let oid = client.query_one("SELECT 't'::regclass::oid", &[]).await?.get::<_, u32>(0);
        assert_eq!(statement.columns()[0].table_oid(), Some(oid));
        assert_eq!(statement.columns()[1].column_id(), Some(2));
        assert_eq!(statement.columns()[4].table_oid(), None);
        let insert = client.prepare("INSERT INTO t VALUES ($1, $2, 1.5, $3) RETURNING c").await?;
        assert_eq!(insert.params(), [Type::INT4, Type::VARCHAR, Type::TIMESTAMPTZ_ARRAY]);
        let nothing = client.prepare("CREATE TABLE u (a int4)").await?;
        assert!(nothing.columns().is_empty() && nothing.params().is_empty());
        Ok(())
    })
}

fn typed_parameters() -> Outcome {
    with_client(|client| async move {
        let statement = client.prepare_typed("SELECT $1, $2 + 1", &[Type::INT8, Type::FLOAT8]).await?;
        assert_eq!(statement.params(), [Type::INT8, Type::FLOAT8]);
        let row = client.query_one(&statement, &[&7i64, &0.5f64]).await?;
        assert_eq!((row.get::<_, i64>(0), row.get::<_, f64>(1)), (7, 1.5));
        Ok(())
    })
}

fn query_typed() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TABLE t (a int4, b text); INSERT INTO t VALUES (1, 'one'), (2, 'two')").await?;
        let rows = client
            .query_typed("SELECT a, b FROM t WHERE a > $1 OR b = $2 ORDER BY a", &[(&1i32, Type::INT4), (&"one", Type::TEXT)])
            .await?;
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].get::<_, &str>("b"), "two");
        Ok(())
    })
}

fn pipelined() -> Outcome {
    with_client(|client| async move {
        let double = client.prepare("SELECT $1::int4 * 2").await?;
        let (client, double) = (&client, &double);
        let answers = future::try_join_all((0..200i32).map(|i| async move {
            client.query_one(double, &[&i]).await.map(|row| row.get::<_, i32>(0))
        }))
        .await?;
        assert_eq!(answers, (0..200).map(|i| i * 2).collect::<Vec<_>>());
        // One that fails in the middle fails by itself.
        let (first, second, third) = future::join3(
            client.query_one("SELECT 1", &[]),
            client.query_one("SELECT 1 / 0", &[]),
            client.query_one("SELECT 3", &[]),
        )
        .await;
        assert_eq!(first?.get::<_, i32>(0), 1);
        expect_code(second, "22012");
        assert_eq!(third?.get::<_, i32>(0), 3);
        Ok(())
    })
}

fn streamed() -> Outcome {
    with_client(|client| async move {
        let none: &[&(dyn ToSql + Sync)] = &[];
        let rows = client.query_raw("SELECT x FROM generate_series(1, 20000) AS g(x) ORDER BY x", none.iter().copied()).await?;
        pin_mut!(rows);
        let mut sum = 0i64;
        while let Some(row) = rows.try_next().await? {
            sum += i64::from(row.get::<_, i32>(0));
        }
        assert_eq!(sum, 20_000 * 20_001 / 2);
        assert_eq!(rows.rows_affected(), Some(20_000));
        Ok(())
    })
}

fn portals() -> Outcome {
    with_client(|mut client| async move {
        let transaction = client.transaction().await?;
        let left = transaction.bind("SELECT x FROM generate_series(1, 5) AS g(x) ORDER BY x", &[]).await?;
        let right = transaction.bind("SELECT x FROM generate_series(10, $1) AS g(x) ORDER BY x", &[&12i32]).await?;
        let mut seen = vec![];
        for (portal, rows) in [(&left, 2), (&right, 2), (&left, 2), (&right, 2), (&left, 0), (&left, 1)] {
            let found = transaction.query_portal(portal, rows).await?;
            seen.push(found.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>());
        }
        assert_eq!(seen, [vec![1, 2], vec![10, 11], vec![3, 4], vec![12], vec![5], vec![]]);
        transaction.commit().await?;
        Ok(())
    })
}

fn transactions() -> Outcome {
    with_client(|mut client| async move {
        client.batch_execute("CREATE TABLE t (a int4 PRIMARY KEY)").await?;
        let mut transaction = client.transaction().await?;
        transaction.execute("INSERT INTO t VALUES (1)", &[]).await?;
        let savepoint = transaction.savepoint("before").await?;
        expect_code(savepoint.execute("INSERT INTO t VALUES (1)", &[]).await, "23505");
        expect_code(savepoint.execute("SELECT 1", &[]).await, "25P02");
        savepoint.rollback().await?;
        let inner = transaction.transaction().await?;
        inner.execute("INSERT INTO t VALUES (2)", &[]).await?;
        inner.commit().await?;
        transaction.commit().await?;
        let transaction = client.transaction().await?;
        transaction.execute("DELETE FROM t", &[]).await?;
        drop(transaction); // rolls back
        assert_eq!(client.query_one("SELECT count(*) FROM t", &[]).await?.get::<_, i64>(0), 2);
        Ok(())
    })
}

fn isolation() -> Outcome {
    with_client(|mut client| async move {
        for (level, name) in [
            (IsolationLevel::ReadCommitted, "read committed"),
            (IsolationLevel::RepeatableRead, "repeatable read"),
            (IsolationLevel::Serializable, "serializable"),
        ] {
            let transaction = client.build_transaction().isolation_level(level).read_only(true).deferrable(true).start().await?;
            let row = transaction
                .query_one("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')", &[])
                .await?;
            assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), (name, "on"));
            expect_code(transaction.batch_execute("CREATE TABLE t (a int4)").await, "25006");
            transaction.rollback().await?;
        }
        Ok(())
    })
}

fn simple_protocol() -> Outcome {
    with_client(|client| async move {
        let messages = client
            .simple_query(
                "CREATE TABLE t (id int4 GENERATED BY DEFAULT AS IDENTITY, name text);
                 INSERT INTO t (name) VALUES ('steven'), ('joe'), (NULL);
                 SELECT id, name FROM t ORDER BY id; ; SELECT 1.50::numeric(4,2)",
            )
            .await?;
        let text: Vec<String> = messages
            .iter()
            .map(|message| match message {
                SimpleQueryMessage::CommandComplete(rows) => format!("{rows} done"),
                SimpleQueryMessage::Row(row) => (0..row.len()).map(|i| row.get(i).unwrap_or("null")).collect::<Vec<_>>().join("|"),
                SimpleQueryMessage::RowDescription(columns) => columns.iter().map(|column| column.name()).collect::<Vec<_>>().join(","),
                _ => "?".to_owned(),
            })
            .collect();
        assert_eq!(
            text,
            ["0 done", "3 done", "id,name", "1|steven", "2|joe", "3|null", "3 done", "numeric", "1.50", "1 done"]
        );
        expect_code(client.simple_query("INSERT INTO t (name) VALUES ('x'); SELECT 1/0").await, "22012");
        assert_eq!(client.query_one("SELECT count(*) FROM t", &[]).await?.get::<_, i64>(0), 3);
        Ok(())
    })
}

fn counts() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TABLE t (a int4, b text)").await?;
        assert_eq!(client.execute("INSERT INTO t SELECT x, 'b' FROM generate_series(1, 10) AS g(x)", &[]).await?, 10);
        assert_eq!(client.execute("UPDATE t SET b = $1 WHERE a > $2", &[&"c", &7i32]).await?, 3);
        assert_eq!(client.execute("DELETE FROM t WHERE a = ANY($1)", &[&vec![1i32, 2]]).await?, 2);
        assert_eq!(client.execute("SELECT * FROM t", &[]).await?, 8);
        assert_eq!(client.execute("CREATE TABLE u (a int4)", &[]).await?, 0);
        let rows = client.query("UPDATE t SET a = a + 1 WHERE a < $1 RETURNING a, b", &[&5i32]).await?;
        assert_eq!(rows.len(), 2);
        Ok(())
    })
}

fn one_and_opt() -> Outcome {
    with_client(|client| async move {
        assert!(client.query_opt("SELECT 1 WHERE false", &[]).await?.is_none());
        assert!(client.query_one("SELECT 1 WHERE false", &[]).await.is_err());
        assert!(client.query_opt("VALUES (1), (2)", &[]).await.is_err());
        assert_eq!(client.query_one("SELECT 'a' AS \"The Name\"", &[]).await?.get::<_, &str>("the name"), "a");
        Ok(())
    })
}

fn errors() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TABLE t (a int4 CONSTRAINT t_key PRIMARY KEY, b int4 NOT NULL)").await?;
        client.execute("INSERT INTO t VALUES (1, 1)", &[]).await?;
        let error = expect_code(client.execute("INSERT INTO t VALUES ($1, 2)", &[&1i32]).await, "23505");
        assert_eq!(error.detail(), Some("Key (a)=(1) already exists."));
        assert_eq!((error.schema(), error.table(), error.constraint()), (Some("tokio_pg"), Some("t"), Some("t_key")));
        let error = expect_code(client.execute("INSERT INTO t VALUES (2, NULL)", &[]).await, "23502");
        assert_eq!(error.column(), Some("b"));
        let error = expect_code(client.prepare("SELECT nothing FROM t").await, "42703");
        assert_eq!(error.position(), Some(&tokio_postgres::error::ErrorPosition::Original(8)));
        assert_eq!(error.message(), "column \"nothing\" does not exist");
        expect_code(client.prepare("SELECT FROM WHERE").await, "42601");
        assert!(client.query("SELECT $1::int4", &[]).await.is_err());
        Ok(())
    })
}

fn changed_table() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TABLE t (a int4); INSERT INTO t VALUES (1)").await?;
        let select = client.prepare("SELECT a FROM t").await?;
        client.batch_execute("ALTER TABLE t ADD COLUMN b text").await?;
        assert_eq!(client.query_one(&select, &[]).await?.get::<_, i32>(0), 1);
        let all = client.prepare("SELECT * FROM t").await?;
        client.batch_execute("ALTER TABLE t ADD COLUMN c text").await?;
        let error = expect_code(client.query(&all, &[]).await, "0A000");
        assert_eq!(error.message(), "cached plan must not change result type");
        Ok(())
    })
}

fn graph() -> Outcome {
    with_client(|client| async move {
        client.batch_execute(GRAPH_SQL).await?;
        let rows = client
            .query(
                "SELECT b FROM GRAPH_TABLE (compat_social MATCH (x IS person WHERE x.name = $1)-[IS knows]->(y)
                 COLUMNS (y.name AS b)) ORDER BY b",
                &[&"ann"],
            )
            .await?;
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["bob", "cid"]);
        client.batch_execute("SET graph_path = 'compat_social'").await?;
        let statement = client.prepare("MATCH (x:person {name: $1})-[:knows*1..3]->(y) RETURN DISTINCT y.name AS name ORDER BY name").await?;
        let rows = client.query(&statement, &[&"ann"]).await?;
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["bob", "cid", "dan"]);
        Ok(())
    })
}
