//! Values of every type that the crate knows, there and back.
use super::{expect_code, with_client};
use checks::{check, Check, Outcome};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use postgres_types::{Date, FromSql, Kind, Timestamp, ToSql, Type};
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

pub const CHECKS: &[Check] = &[
    check("numbers and texts there and back", numbers_and_texts),
    check("dates and times there and back", dates_and_times),
    check("infinity and its like", infinities),
    check("uuid, json, inet and bytea", others),
    check("arrays, with null in them", arrays),
    check("oid, char and name", small_types),
    check("an enumerated type, described and used", enumerated),
    check("a composite type and a domain in it", composite),
    check("an array of a type that was made", arrays_of_made),
    check("the wrong Rust type is refused by the crate", wrong_type),
];

macro_rules! round_trip {
    ($client:expr, $type:literal, $rust:ty, $($value:expr),+) => {
        for value in [$($value),+] {
            let value: $rust = value;
            let row = $client.query_one(concat!("SELECT $1::", $type), &[&value]).await?;
            assert_eq!(row.get::<_, $rust>(0), value, $type);
        }
    };
}

fn numbers_and_texts() -> Outcome {
    with_client(|client| async move {
        round_trip!(client, "bool", Option<bool>, Some(true), Some(false), None);
        round_trip!(client, "int2", i16, i16::MIN, 0, i16::MAX);
        round_trip!(client, "int4", i32, i32::MIN, -1, i32::MAX);
        round_trip!(client, "int8", i64, i64::MIN, -1, i64::MAX);
        round_trip!(client, "float4", f32, f32::MIN_POSITIVE, 1.5, f32::INFINITY);
        round_trip!(client, "float8", f64, f64::MIN_POSITIVE, -2.25, f64::NEG_INFINITY);
        round_trip!(client, "text", String, String::new(), "é 🐘 'quoted' \\".to_owned());
        round_trip!(client, "varchar", String, "abc".to_owned());
        let row = client.query_one("SELECT $1::float8", &[&f64::NAN]).await?;
        assert!(row.get::<_, f64>(0).is_nan());
        let row = client.query_one("SELECT $1::bpchar(5), 'ab'::char(4)", &[&"abc"]).await?;
        assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("abc  ", "ab  "));
        Ok(())
    })
}

fn dates_and_times() -> Outcome {
    with_client(|client| async move {
        let date = |text: &str| text.parse::<NaiveDate>().expect("a date");
        let stamp = |text: &str| text.parse::<NaiveDateTime>().expect("a timestamp");
        round_trip!(client, "date", NaiveDate, date("1970-01-01"), date("0001-01-01"), date("2024-02-29"));
        round_trip!(client, "time", NaiveTime, NaiveTime::MIN, "23:59:59.999999".parse()?);
        round_trip!(client, "timestamp", NaiveDateTime, stamp("2024-02-29T12:34:56.789012"), stamp("1600-01-01T00:00:00"));
        let zoned = DateTime::parse_from_rfc3339("2024-02-29T12:34:56.789012+05:30")?;
        round_trip!(client, "timestamptz", DateTime<FixedOffset>, zoned);
        round_trip!(client, "timestamptz", DateTime<Utc>, zoned.with_timezone(&Utc));
        round_trip!(client, "timestamptz", SystemTime, UNIX_EPOCH, UNIX_EPOCH - Duration::from_secs(86_400));
        let row = client.query_one("SELECT $1::timestamptz::text", &[&zoned]).await?;
        let before = row.get::<_, String>(0);
        client.batch_execute("SET timezone = 'Asia/Kolkata'").await?;
        let row = client.query_one("SELECT $1::timestamptz::text", &[&zoned]).await?;
        assert_eq!(row.get::<_, &str>(0), "2024-02-29 12:34:56.789012+05:30");
        assert_ne!(row.get::<_, &str>(0), before);
        Ok(())
    })
}

fn infinities() -> Outcome {
    with_client(|client| async move {
        round_trip!(client, "date", Date<NaiveDate>, Date::PosInfinity, Date::NegInfinity);
        round_trip!(client, "timestamp", Timestamp<NaiveDateTime>, Timestamp::PosInfinity, Timestamp::NegInfinity);
        round_trip!(client, "timestamptz", Timestamp<DateTime<Utc>>, Timestamp::PosInfinity, Timestamp::NegInfinity);
        let row = client.query_one("SELECT isfinite($1::date)", &[&Date::<NaiveDate>::PosInfinity]).await?;
        assert!(!row.get::<_, bool>(0));
        Ok(())
    })
}

fn others() -> Outcome {
    with_client(|client| async move {
        let value = serde_json::json!({"a": [1, 2.5, null, "é"], "b": {"c": true}});
        round_trip!(client, "json", serde_json::Value, value.clone());
        round_trip!(client, "jsonb", serde_json::Value, value.clone());
        round_trip!(client, "uuid", Uuid, Uuid::nil(), Uuid::from_u128(u128::MAX - 5));
        round_trip!(client, "bytea", Vec<u8>, vec![], (0..=255).collect());
        round_trip!(client, "inet", IpAddr, "127.0.0.1".parse()?, "2607:f8b0:4009:80b::200e".parse()?);
        let row = client.query_one("SELECT $1::jsonb -> 'b' ->> 'c', $2::uuid::text", &[&value, &Uuid::nil()]).await?;
        assert_eq!(row.get::<_, &str>(0), "true");
        assert_eq!(row.get::<_, &str>(1), "00000000-0000-0000-0000-000000000000");
        Ok(())
    })
}

fn arrays() -> Outcome {
    with_client(|client| async move {
        round_trip!(client, "int4[]", Vec<Option<i32>>, vec![], vec![Some(1), None, Some(-3)]);
        round_trip!(client, "text[]", Vec<String>, vec!["a,b".to_owned(), "\"".to_owned(), String::new()]);
        round_trip!(client, "bool[]", Vec<bool>, vec![true, false]);
        round_trip!(client, "float8[]", Vec<f64>, vec![1.5, -0.0]);
        round_trip!(client, "uuid[]", Vec<Uuid>, vec![Uuid::nil(), Uuid::from_u128(7)]);
        round_trip!(client, "timestamp[]", Vec<NaiveDateTime>, vec!["2024-02-29T12:34:56".parse()?]);
        round_trip!(client, "jsonb[]", Vec<serde_json::Value>, vec![serde_json::json!({"a": 1}), serde_json::json!([])]);
        round_trip!(client, "bytea[]", Vec<Vec<u8>>, vec![vec![0, 255], vec![]]);
        let rows = client
            .query("SELECT x FROM generate_series(1, 5) AS g(x) WHERE x = ANY($1) ORDER BY x", &[&vec![2, 4, 9]])
            .await?;
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>(), [2, 4]);
        let slice: &[&str] = &["b", "a"];
        let row = client.query_one("SELECT array_length($1::text[], 1), ($1::text[])[2]", &[&slice]).await?;
        assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (2, "a"));
        Ok(())
    })
}

fn small_types() -> Outcome {
    with_client(|client| async move {
        round_trip!(client, "oid", u32, 0, u32::MAX);
        let row = client.query_one("SELECT $1::\"char\", 'abc'::name, 'r'::\"char\"", &[&97i8]).await?;
        assert_eq!((row.get::<_, i8>(0), row.get::<_, &str>(1), row.get::<_, i8>(2)), (97, "abc", 114));
        assert_eq!(row.columns()[0].type_(), &Type::CHAR);
        assert_eq!(row.columns()[1].type_(), &Type::NAME);
        Ok(())
    })
}

#[derive(Debug, Clone, Copy, PartialEq, ToSql, FromSql)]
#[postgres(name = "mood")]
enum Mood {
    #[postgres(name = "sad")]
    Sad,
    #[postgres(name = "happy")]
    Happy,
}

fn enumerated() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE person (name text, mood mood)").await?;
        let insert = client.prepare("INSERT INTO person VALUES ($1, $2)").await?;
        assert_eq!(insert.params()[1].kind(), &Kind::Enum(vec!["sad".to_owned(), "happy".to_owned()]));
        assert_eq!((insert.params()[1].name(), insert.params()[1].schema()), ("mood", "tokio_pg"));
        client.execute(&insert, &[&"ann", &Mood::Happy]).await?;
        client.execute(&insert, &[&"bob", &None::<Mood>]).await?;
        let rows = client.query("SELECT mood FROM person ORDER BY name", &[]).await?;
        assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<Option<Mood>>>(), [Some(Mood::Happy), None]);
        let rows = client.query("SELECT name FROM person WHERE mood > $1", &[&Mood::Sad]).await?;
        assert_eq!(rows.len(), 1);
        Ok(())
    })
}

#[derive(Debug, Clone, PartialEq, ToSql, FromSql)]
#[postgres(name = "inventory_item")]
struct Item {
    name: String,
    supplier_id: Option<i32>,
    session: Session,
}

#[derive(Debug, Clone, PartialEq, ToSql, FromSql)]
#[postgres(name = "session_id")]
struct Session(Vec<u8>);

fn composite() -> Outcome {
    with_client(|client| async move {
        client
            .batch_execute(
                "CREATE DOMAIN session_id AS bytea CHECK (octet_length(VALUE) = 4);
                 CREATE TYPE inventory_item AS (name text, supplier_id int4, session session_id)",
            )
            .await?;
        let item = Item { name: "fuzzy \"dice\", (two)".to_owned(), supplier_id: None, session: Session(vec![0, 1, 2, 255]) };
        let select = client.prepare("SELECT $1::inventory_item").await?;
        let Kind::Composite(fields) = select.params()[0].kind() else { panic!("{:?}", select.params()[0]) };
        assert_eq!(fields.iter().map(|field| field.name()).collect::<Vec<_>>(), ["name", "supplier_id", "session"]);
        assert!(matches!(fields[2].type_().kind(), Kind::Domain(inner) if *inner == Type::BYTEA));
        let row = client.query_one(&select, &[&item]).await?;
        assert_eq!(row.get::<_, Item>(0), item);
        let bad = Item { session: Session(vec![0]), ..item };
        expect_code(client.query_one(&select, &[&bad]).await, "23514");
        Ok(())
    })
}

fn arrays_of_made() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE t (moods mood[])").await?;
        let moods = vec![Some(Mood::Sad), None, Some(Mood::Happy)];
        client.execute("INSERT INTO t VALUES ($1)", &[&moods]).await?;
        let row = client.query_one("SELECT moods, cardinality(moods) FROM t", &[]).await?;
        assert_eq!(row.get::<_, Vec<Option<Mood>>>(0), moods);
        assert_eq!(row.get::<_, i32>(1), 3);
        Ok(())
    })
}

fn wrong_type() -> Outcome {
    with_client(|client| async move {
        let error = client.query("SELECT $1::int4", &[&"text"]).await.expect_err("a text for an integer");
        assert!(error.as_db_error().is_none());
        let row = client.query_one("SELECT 1::int8", &[]).await?;
        assert!(row.try_get::<_, i32>(0).is_err());
        Ok(())
    })
}
