//! Values of diesel's types, there and back, in binary.
use super::fresh;
use checks::{check, Check, Outcome};
use diesel::data_types::{PgInterval, PgNumeric};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::*;

pub const CHECKS: &[Check] = &[
    check("values there and back", values),
    check("dates, times and intervals", times),
    check("arrays", arrays),
    check("numeric", numeric),
];

macro_rules! round_trip {
    ($connection:expr, $type:ty, $rust:ty, $($value:expr),+) => {
        for value in [$($value),+] {
            let value: $rust = value;
            let found: $rust = diesel::select(value.clone().into_sql::<$type>()).get_result(&mut $connection)?;
            assert_eq!(found, value, stringify!($type));
        }
    };
}

fn values() -> Outcome {
    let mut connection = fresh()?;
    round_trip!(connection, Bool, bool, true, false);
    round_trip!(connection, SmallInt, i16, i16::MIN, i16::MAX);
    round_trip!(connection, Integer, i32, i32::MIN, i32::MAX);
    round_trip!(connection, BigInt, i64, i64::MIN, i64::MAX);
    round_trip!(connection, Oid, u32, u32::MAX);
    round_trip!(connection, Float, f32, 0.1, f32::INFINITY);
    round_trip!(connection, Double, f64, 0.1, f64::MIN_POSITIVE);
    round_trip!(connection, Text, String, "é 🐘".to_owned(), String::new());
    round_trip!(connection, Nullable<Text>, Option<String>, None, Some("x".to_owned()));
    round_trip!(connection, Binary, Vec<u8>, (0..=255).collect());
    round_trip!(connection, Uuid, uuid::Uuid, uuid::Uuid::from_u128(u128::MAX - 9));
    round_trip!(connection, Json, serde_json::Value, serde_json::json!({"a": [1, null]}));
    round_trip!(connection, Jsonb, serde_json::Value, serde_json::json!({"a": [1, null]}), serde_json::json!(null));
    Ok(())
}

fn times() -> Outcome {
    use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
    let mut connection = fresh()?;
    round_trip!(connection, Date, NaiveDate, "2024-02-29".parse()?, "0001-01-01".parse()?);
    round_trip!(connection, Time, NaiveTime, "23:59:59.999999".parse()?);
    round_trip!(connection, Timestamp, NaiveDateTime, "1969-12-31T23:59:59.5".parse()?);
    round_trip!(connection, Timestamptz, DateTime<Utc>, "2024-02-29T12:34:56.789Z".parse()?);
    round_trip!(connection, Interval, PgInterval, PgInterval::new(1_500_000, -3, 14));
    let later: NaiveDateTime = diesel::select(sql::<Timestamp>("timestamp '2024-01-31' + ").bind::<Interval, _>(PgInterval::from_months(1))).get_result(&mut connection)?;
    assert_eq!(later, "2024-02-29T00:00:00".parse()?);
    Ok(())
}

fn arrays() -> Outcome {
    let mut connection = fresh()?;
    round_trip!(connection, Array<Integer>, Vec<i32>, vec![], vec![1, -2]);
    round_trip!(connection, Array<Nullable<Text>>, Vec<Option<String>>, vec![None, Some("a,\"b\"".to_owned())]);
    round_trip!(connection, Array<Uuid>, Vec<uuid::Uuid>, vec![uuid::Uuid::nil()]);
    round_trip!(connection, Array<Double>, Vec<f64>, vec![0.5, -0.0]);
    Ok(())
}

fn numeric() -> Outcome {
    let mut connection = fresh()?;
    let found: PgNumeric = diesel::select(sql::<Numeric>("12345.6789::numeric(12,4)")).get_result(&mut connection)?;
    assert_eq!(found, PgNumeric::Positive { weight: 1, scale: 4, digits: vec![1, 2345, 6789] });
    let back: String = diesel::select(sql::<Text>("(").bind::<Numeric, _>(found).sql("::numeric(12,4))::text")).get_result(&mut connection)?;
    assert_eq!(back, "12345.6789");
    Ok(())
}
