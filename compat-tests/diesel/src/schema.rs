//! The tables of the migrations, and a type that diesel does not know.
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::SqlType;
use std::io::Write;

#[derive(SqlType, Clone, Copy, diesel::query_builder::QueryId)]
#[diesel(postgres_type(name = "order_state", schema = "diesel_checks"))]
pub struct OrderState;

#[derive(Debug, Clone, Copy, PartialEq, FromSqlRow, AsExpression)]
#[diesel(sql_type = OrderState)]
pub enum State {
    Open,
    Paid,
}

impl ToSql<OrderState, Pg> for State {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(match self {
            State::Open => b"open",
            State::Paid => b"paid",
        })?;
        Ok(IsNull::No)
    }
}

impl FromSql<OrderState, Pg> for State {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        match bytes.as_bytes() {
            b"open" => Ok(State::Open),
            b"paid" => Ok(State::Paid),
            other => Err(format!("{other:?}").into()),
        }
    }
}

diesel::table! {
    customers (id) {
        id -> Int4,
        name -> Varchar,
        email -> Nullable<Text>,
        born -> Nullable<Date>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::OrderState;

    orders (id) {
        id -> Uuid,
        customer_id -> Int4,
        state -> OrderState,
        total -> Int8,
        tags -> Array<Text>,
        details -> Nullable<Jsonb>,
        placed -> Timestamp,
    }
}

diesel::joinable!(orders -> customers (customer_id));
diesel::allow_tables_to_appear_in_same_query!(customers, orders);

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, AsChangeset)]
pub struct Customer {
    pub id: i32,
    pub name: String,
    pub email: Option<String>,
    pub born: Option<chrono::NaiveDate>,
}

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = customers)]
pub struct NewCustomer<'a> {
    pub name: &'a str,
    pub email: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Associations, Insertable)]
#[diesel(belongs_to(Customer))]
pub struct Order {
    pub id: uuid::Uuid,
    pub customer_id: i32,
    pub state: State,
    pub total: i64,
    pub tags: Vec<String>,
    pub details: Option<serde_json::Value>,
    pub placed: chrono::NaiveDateTime,
}
