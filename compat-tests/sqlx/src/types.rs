//! Values there and back, and types that were made.
use super::{expect_code, with_connection};
use checks::{check, Check, Outcome};
use sqlx::postgres::types::{Oid, PgInterval, PgTimeTz};
use sqlx::types::chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use sqlx::types::ipnetwork::IpNetwork;
use sqlx::types::{Decimal, Json, Uuid};
use sqlx::{Executor, Row};

pub const CHECKS: &[Check] = &[
    check("values there and back", values),
    check("intervals and times with a zone", intervals),
    check("numbers with a point", decimals),
    check("json into structs", json),
    check("an enumerated type, in arrays too", enumerated),
    check("a composite type and a domain", composite),
    check("a record without a name", record),
];

macro_rules! round_trip {
    ($connection:expr, $type:literal, $rust:ty, $($value:expr),+) => {
        for value in [$($value),+] {
            let value: $rust = value;
            let found: $rust = sqlx::query_scalar(concat!("SELECT $1::", $type)).bind(value.clone()).fetch_one(&mut $connection).await?;
            assert_eq!(found, value, $type);
        }
    };
}

fn values() -> Outcome {
    with_connection(|mut connection| async move {
        round_trip!(connection, "bool", Option<bool>, Some(true), None);
        round_trip!(connection, "\"char\"", i8, 97);
        round_trip!(connection, "int2", i16, i16::MIN, i16::MAX);
        round_trip!(connection, "int4", i32, i32::MIN, i32::MAX);
        round_trip!(connection, "int8", i64, i64::MIN, i64::MAX);
        round_trip!(connection, "oid", Oid, Oid(u32::MAX));
        round_trip!(connection, "float4", f32, 0.1, f32::INFINITY);
        round_trip!(connection, "float8", f64, 0.1, f64::MIN_POSITIVE);
        round_trip!(connection, "text", String, "é 🐘".to_owned());
        round_trip!(connection, "bytea", Vec<u8>, (0..=255).collect());
        round_trip!(connection, "uuid", Uuid, Uuid::from_u128(u128::MAX - 1));
        round_trip!(connection, "date", NaiveDate, "2024-02-29".parse()?);
        round_trip!(connection, "time", NaiveTime, "23:59:59.999999".parse()?);
        round_trip!(connection, "timestamp", NaiveDateTime, "1969-12-31T23:59:59.5".parse()?);
        round_trip!(connection, "timestamptz", DateTime<Utc>, "2024-02-29T12:34:56.789Z".parse()?);
        round_trip!(connection, "inet", IpNetwork, "10.1.2.3/16".parse()?, "2001:db8::1/64".parse()?);
        round_trip!(connection, "int4[]", Vec<Option<i32>>, vec![Some(1), None], vec![]);
        round_trip!(connection, "text[]", Vec<String>, vec!["a,b".to_owned(), "\"{}".to_owned()]);
        round_trip!(connection, "uuid[]", Vec<Uuid>, vec![Uuid::nil()]);
        round_trip!(connection, "timestamptz[]", Vec<DateTime<Utc>>, vec!["2024-02-29T12:34:56Z".parse()?]);
        Ok(())
    })
}

fn intervals() -> Outcome {
    with_connection(|mut connection| async move {
        round_trip!(connection, "interval", PgInterval, PgInterval { months: 14, days: -3, microseconds: 1_500_000 });
        let zone = FixedOffset::east_opt(19_800).expect("a zone");
        round_trip!(connection, "timetz", PgTimeTz<NaiveTime, FixedOffset>, PgTimeTz { time: "12:34:56.789".parse()?, offset: zone });
        let text: String = sqlx::query_scalar("SELECT ($1::interval)::text").bind(PgInterval { months: 1, days: 2, microseconds: 3 }).fetch_one(&mut connection).await?;
        assert_eq!(text, "1 mon 2 days 00:00:00.000003");
        Ok(())
    })
}

fn decimals() -> Outcome {
    with_connection(|mut connection| async move {
        round_trip!(connection, "numeric(20,4)", Decimal, "1234567.8901".parse()?, "-0.0001".parse()?, Decimal::ZERO);
        connection.execute("CREATE TABLE t (price numeric(10,2))").await?;
        sqlx::query("INSERT INTO t VALUES ($1), ($2)").bind("9.99".parse::<Decimal>()?).bind("0.015".parse::<Decimal>()?).execute(&mut connection).await?;
        let row = connection.fetch_one("SELECT sum(price), max(price) FROM t").await?;
        assert_eq!(row.get::<Decimal, _>(0), "10.01".parse()?);
        Ok(())
    })
}

fn json() -> Outcome {
    with_connection(|mut connection| async move {
        let value = serde_json::json!({"name": "é", "tags": ["a", null], "n": 1.5});
        let found: Json<serde_json::Value> = sqlx::query_scalar("SELECT $1::jsonb").bind(Json(value.clone())).fetch_one(&mut connection).await?;
        assert_eq!(found.0, value);
        let found: String = sqlx::query_scalar("SELECT $1::json -> 'tags' ->> 0").bind(Json(value)).fetch_one(&mut connection).await?;
        assert_eq!(found, "a");
        Ok(())
    })
}

#[derive(Debug, Clone, Copy, PartialEq, sqlx::Type)]
#[sqlx(type_name = "color", rename_all = "lowercase")]
enum Color {
    Red,
    Green,
}

fn enumerated() -> Outcome {
    with_connection(|mut connection| async move {
        connection.execute("CREATE TYPE color AS ENUM ('red', 'green', 'blue'); CREATE TABLE t (c color, many color[])").await?;
        sqlx::query("INSERT INTO t VALUES ($1, $2)").bind(Color::Red).bind(vec![Color::Green, Color::Red]).execute(&mut connection).await?;
        let (one, many): (Color, Vec<Color>) = sqlx::query_as("SELECT c, many FROM t WHERE c = $1").bind(Color::Red).fetch_one(&mut connection).await?;
        assert_eq!((one, many), (Color::Red, vec![Color::Green, Color::Red]));
        connection.execute("UPDATE t SET c = 'blue'").await?;
        assert!(sqlx::query_scalar::<_, Color>("SELECT c FROM t").fetch_one(&mut connection).await.is_err());
        expect_code(connection.execute("UPDATE t SET c = 'pink'").await.map(drop), "22P02");
        Ok(())
    })
}

#[derive(Debug, Clone, PartialEq, sqlx::Type)]
#[sqlx(type_name = "inventory_item")]
struct Item {
    name: String,
    supplier: Option<i32>,
    price: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, sqlx::Type)]
#[sqlx(type_name = "positive", transparent)]
struct Positive(i32);

fn composite() -> Outcome {
    with_connection(|mut connection| async move {
        connection
            .execute("CREATE DOMAIN positive AS int4 CHECK (VALUE > 0); CREATE TYPE inventory_item AS (name text, supplier int4, price int8)")
            .await?;
        let item = Item { name: "a \"b\", (c)".to_owned(), supplier: None, price: Some(i64::MAX) };
        round_trip!(connection, "inventory_item", Item, item.clone());
        connection.execute("CREATE TABLE t (item inventory_item, p positive)").await?;
        sqlx::query("INSERT INTO t VALUES ($1, 7)").bind(item.clone()).execute(&mut connection).await?;
        let (name, positive): (String, Positive) = sqlx::query_as("SELECT (item).name, p FROM t").fetch_one(&mut connection).await?;
        assert_eq!((name, positive), (item.name.clone(), Positive(7)));
        expect_code(connection.execute("UPDATE t SET p = 0").await.map(drop), "23514");
        Ok(())
    })
}

fn record() -> Outcome {
    with_connection(|mut connection| async move {
        let found: (bool, i32, String) = sqlx::query_scalar("SELECT ROW(true, 42, 'x'::text)").fetch_one(&mut connection).await?;
        assert_eq!(found, (true, 42, "x".to_owned()));
        let found: Vec<(i32, i64)> = sqlx::query_scalar("SELECT array_agg(ROW(x, x::int8 * 2) ORDER BY x) FROM generate_series(1, 3) AS g(x)").fetch_one(&mut connection).await?;
        assert_eq!(found, [(1, 2), (2, 4), (3, 6)]);
        Ok(())
    })
}
