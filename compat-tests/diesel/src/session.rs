//! Migrations, transactions, notifications, COPY, a graph.
use super::schema::{customers, Customer};
use super::{expect_kind, fresh, migrated, MIGRATIONS};
use checks::{check, graph_check, Check, Outcome, GRAPH_SQL};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::{BigInt, Integer, Text};
use diesel_migrations::MigrationHarness;

pub const CHECKS: &[Check] = &[
    check("migrations up, again, down and up", migrations),
    check("transactions and savepoints", transactions),
    check("isolation levels and read only", isolation),
    check("a serialization failure has its kind", serialization),
    check("statements as text with parameters", text),
    check("notifications", notifications),
    check("COPY in and out", copy),
    graph_check("a graph, in SQL and in Cypher", graph),
];

fn boxed<T>(result: Result<T, Box<dyn std::error::Error + Send + Sync>>) -> Result<T, Box<dyn std::error::Error>> {
    result.map_err(|error| error.to_string().into())
}

fn migrations() -> Outcome {
    let mut connection = fresh()?;
    assert_eq!(boxed(connection.run_pending_migrations(MIGRATIONS))?.len(), 2);
    assert!(!boxed(connection.has_pending_migration(MIGRATIONS))?);
    assert_eq!(boxed(connection.applied_migrations())?.len(), 2);
    boxed(connection.revert_last_migration(MIGRATIONS))?;
    expect_kind(customers::table.select(customers::born).load::<Option<chrono::NaiveDate>>(&mut connection), &DatabaseErrorKind::Unknown);
    assert_eq!(boxed(connection.revert_all_migrations(MIGRATIONS))?.len(), 1);
    assert_eq!(boxed(connection.run_pending_migrations(MIGRATIONS))?.len(), 2);
    assert_eq!(customers::table.count().get_result::<i64>(&mut connection)?, 0);
    Ok(())
}

fn add(connection: &mut PgConnection, name: &str) -> QueryResult<usize> {
    diesel::insert_into(customers::table).values(customers::name.eq(name)).execute(connection)
}

fn transactions() -> Outcome {
    let mut connection = migrated()?;
    connection.transaction::<_, Error, _>(|connection| {
        add(connection, "kept")?;
        let inner = connection.transaction::<(), Error, _>(|connection| {
            add(connection, "dropped")?;
            Err(Error::RollbackTransaction)
        });
        assert!(matches!(inner, Err(Error::RollbackTransaction)));
        let inner = connection.transaction::<usize, Error, _>(|connection| diesel::sql_query("SELECT 1 / 0").execute(connection));
        assert!(inner.is_err());
        Ok(())
    })?;
    let whole = connection.transaction::<(), Error, _>(|connection| {
        add(connection, "dropped")?;
        diesel::sql_query("SELECT 1 / 0").execute(connection)?;
        Ok(())
    });
    assert!(whole.is_err());
    assert_eq!(customers::table.select(customers::name).load::<String>(&mut connection)?, ["kept"]);
    Ok(())
}

fn isolation() -> Outcome {
    let mut connection = migrated()?;
    let level = |connection: &mut PgConnection| {
        diesel::select(diesel::dsl::sql::<Text>("current_setting('transaction_isolation')")).get_result::<String>(connection)
    };
    let found = connection.build_transaction().serializable().read_write().deferrable().run(level)?;
    assert_eq!(found, "serializable");
    let found = connection.build_transaction().repeatable_read().run(level)?;
    assert_eq!(found, "repeatable read");
    let refused = connection.build_transaction().read_only().run(|connection| add(connection, "x"));
    expect_kind(refused, &DatabaseErrorKind::ReadOnlyTransaction);
    Ok(())
}

fn serialization() -> Outcome {
    let mut first = migrated()?;
    let mut second = PgConnection::establish(&checks::connection_url())?;
    second.batch_execute("SET search_path = diesel_checks")?;
    add(&mut first, "one")?;
    first.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM customers")?;
    diesel::update(customers::table).set(customers::name.eq("two")).execute(&mut second)?;
    let late = diesel::update(customers::table).set(customers::name.eq("three")).execute(&mut first);
    expect_kind(late, &DatabaseErrorKind::SerializationFailure);
    first.batch_execute("ROLLBACK")?;
    Ok(())
}

#[derive(QueryableByName, Debug, PartialEq)]
struct Pair {
    #[diesel(sql_type = Integer)]
    a: i32,
    #[diesel(sql_type = Text)]
    b: String,
}

fn text() -> Outcome {
    let mut connection = fresh()?;
    let pairs: Vec<Pair> = diesel::sql_query("SELECT x AS a, $1 || x AS b FROM generate_series(1, $2) AS g(x) ORDER BY 1")
        .bind::<Text, _>("n")
        .bind::<Integer, _>(2)
        .load(&mut connection)?;
    assert_eq!(pairs, [Pair { a: 1, b: "n1".to_owned() }, Pair { a: 2, b: "n2".to_owned() }]);
    Ok(())
}

fn notifications() -> Outcome {
    let mut connection = fresh()?;
    connection.batch_execute("LISTEN diesel_checks; NOTIFY diesel_checks, 'hello'")?;
    let found: Vec<_> = connection.notifications_iter().collect::<Result<_, _>>()?;
    assert_eq!(found.iter().map(|one| (one.channel.as_str(), one.payload.as_str())).collect::<Vec<_>>(), [("diesel_checks", "hello")]);
    Ok(())
}

fn copy() -> Outcome {
    let mut connection = migrated()?;
    let done = diesel::copy_from(customers::table)
        .from_raw_data((customers::id, customers::name), |to: &mut dyn std::io::Write| {
            to.write_all(b"7\tann\n8\tbob\n").map_err(|error| Error::SerializationError(Box::new(error)))
        })
        .execute(&mut connection)?;
    assert_eq!(done, 2);
    let rows: Vec<Customer> = diesel::copy_to(customers::table).load::<Customer, _>(&mut connection)?.collect::<Result<_, _>>()?;
    assert_eq!(rows[1], Customer { id: 8, name: "bob".to_owned(), email: None, born: None });
    Ok(())
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    n: i64,
}

fn graph() -> Outcome {
    let mut connection = fresh()?;
    connection.batch_execute(GRAPH_SQL)?;
    connection.batch_execute("SET graph_path = 'compat_social'")?;
    for query in [
        "SELECT name, count(*) AS n FROM GRAPH_TABLE (compat_social MATCH (x IS person WHERE x.name = $1)-[IS knows]->(y)
         COLUMNS (y.name)) GROUP BY name ORDER BY name",
        "MATCH (x:person {name: $1})-[:knows]->(y) RETURN y.name AS name, count(*) AS n ORDER BY name",
    ] {
        let rows: Vec<Count> = diesel::sql_query(query).bind::<Text, _>("ann").load(&mut connection)?;
        assert_eq!(rows.iter().map(|row| (row.name.as_str(), row.n)).collect::<Vec<_>>(), [("bob", 1), ("cid", 1)]);
    }
    Ok(())
}
