//! Diesel's query builder over the tables of the migrations.
use super::schema::{customers, orders, Customer, NewCustomer, Order, State};
use super::{expect_kind, with_tables};
use checks::{check, Check, Outcome};
use diesel::dsl::{count, count_star, exists, max, not, sum};
use diesel::prelude::*;
use diesel::result::DatabaseErrorKind;
use uuid::Uuid;

pub const CHECKS: &[Check] = &[
    check("insert, with defaults and RETURNING", || with_tables(insert)),
    check("select with filters, order, limit and distinct", || with_tables(select)),
    check("joins, and children grouped by parents", || with_tables(joins)),
    check("aggregates with GROUP BY and HAVING", || with_tables(aggregates)),
    check("update and delete", || with_tables(changes)),
    check("upsert", || with_tables(upsert)),
    check("subqueries, boxed queries and UNION", || with_tables(subqueries)),
    check("arrays and jsonb in conditions", || with_tables(operators)),
    check("rows one by one", || with_tables(row_by_row)),
    check("kinds of errors", || with_tables(errors)),
    check("locking clauses", || with_tables(locking)),
];

fn fill(connection: &mut PgConnection) -> QueryResult<Vec<Customer>> {
    let new = ["ann", "bob", "cid"].map(|name| NewCustomer { name, email: (name != "cid").then_some(name) });
    let made: Vec<Customer> = diesel::insert_into(customers::table).values(&new[..]).get_results(connection)?;
    let order = |number: u128, customer: &Customer, state, total, tags: &[&str]| Order {
        id: Uuid::from_u128(number),
        customer_id: customer.id,
        state,
        total,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        details: Some(serde_json::json!({"n": total, "in": {"a": [1, 2]}})),
        placed: "2024-02-29T12:00:00".parse().expect("a time"),
    };
    diesel::insert_into(orders::table)
        .values(vec![
            order(1, &made[0], State::Open, 10, &["a", "b"]),
            order(2, &made[0], State::Paid, 30, &[]),
            order(3, &made[1], State::Paid, 20, &["b"]),
        ])
        .execute(connection)?;
    Ok(made)
}

fn insert(connection: &mut PgConnection) -> Outcome {
    let made = fill(connection)?;
    assert_eq!(made.iter().map(|customer| customer.id).collect::<Vec<_>>(), [1, 2, 3]);
    let id: i32 = diesel::insert_into(customers::table)
        .values((customers::name.eq("dan"), customers::born.eq("2000-01-02".parse::<chrono::NaiveDate>()?)))
        .returning(customers::id)
        .get_result(connection)?;
    assert_eq!(id, 4);
    let copied = diesel::insert_into(customers::table)
        .values(customers::table.filter(customers::id.eq(4)).select((customers::name, customers::born)))
        .into_columns((customers::name, customers::born))
        .execute(connection)?;
    assert_eq!(copied, 1);
    Ok(())
}

fn select(connection: &mut PgConnection) -> Outcome {
    fill(connection)?;
    let names: Vec<String> = customers::table
        .filter(customers::name.like("%b%").or(customers::email.is_null()))
        .filter(customers::id.between(1, 3).and(not(customers::name.eq("ann"))))
        .order((customers::name.desc(), customers::id))
        .limit(5)
        .offset(0)
        .select(customers::name)
        .load(connection)?;
    assert_eq!(names, ["cid", "bob"]);
    let distinct: Vec<State> = orders::table.select(orders::state).distinct().order(orders::state).load(connection)?;
    assert_eq!(distinct, [State::Open, State::Paid]);
    let firsts: Vec<i64> = orders::table
        .distinct_on(orders::customer_id)
        .order((orders::customer_id, orders::total.desc()))
        .select(orders::total)
        .load(connection)?;
    assert_eq!(firsts, [30, 20]);
    let one: Customer = customers::table.find(2).select(Customer::as_select()).first(connection)?;
    assert_eq!(one.name, "bob");
    assert_eq!(customers::table.find(99).first::<Customer>(connection).optional()?, None);
    let several: Vec<i32> = customers::table.filter(customers::name.eq_any(["ann", "zed"])).select(customers::id).load(connection)?;
    assert_eq!(several, [1]);
    let sums: Vec<i64> = orders::table.select(orders::total + orders::total * 2_i64).order(orders::total).load(connection)?;
    assert_eq!(sums, [30, 60, 90]);
    Ok(())
}

fn joins(connection: &mut PgConnection) -> Outcome {
    fill(connection)?;
    let pairs: Vec<(String, i64)> =
        orders::table.inner_join(customers::table).select((customers::name, orders::total)).order(orders::total).load(connection)?;
    assert_eq!(pairs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["ann", "bob", "ann"]);
    let all: Vec<(Customer, Option<Order>)> = customers::table
        .left_join(orders::table)
        .order((customers::id, orders::total))
        .select((Customer::as_select(), Option::<Order>::as_select()))
        .load(connection)?;
    assert_eq!(all.iter().map(|(customer, order)| (customer.id, order.is_some())).collect::<Vec<_>>(), [(1, true), (1, true), (2, true), (3, false)]);
    let parents: Vec<Customer> = customers::table.order(customers::id).load(connection)?;
    let children = Order::belonging_to(&parents).select(Order::as_select()).load(connection)?;
    let grouped = children.grouped_by(&parents);
    assert_eq!(grouped.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 0]);
    Ok(())
}

fn aggregates(connection: &mut PgConnection) -> Outcome {
    fill(connection)?;
    let found: Vec<(i32, i64, Option<i64>)> = orders::table
        .group_by(orders::customer_id)
        .having(count(orders::id).gt(0))
        .select((orders::customer_id, count_star(), max(orders::total)))
        .order(orders::customer_id)
        .load(connection)?;
    assert_eq!(found, [(1, 2, Some(30)), (2, 1, Some(20))]);
    let total: i64 = orders::table.count().get_result(connection)?;
    assert_eq!(total, 3);
    let ids: Option<i64> = customers::table.select(sum(customers::id)).first(connection)?;
    assert_eq!(ids, Some(6));
    Ok(())
}

fn changes(connection: &mut PgConnection) -> Outcome {
    let made = fill(connection)?;
    let changed = diesel::update(orders::table.filter(orders::state.eq(State::Open)))
        .set((orders::state.eq(State::Paid), orders::total.eq(orders::total + 1_i64)))
        .execute(connection)?;
    assert_eq!(changed, 1);
    let saved: Customer = Customer { email: None, ..made[1].clone() }.save_changes(connection)?;
    assert_eq!(saved.email.as_deref(), Some("bob"), "None is left alone");
    let renamed: String = diesel::update(&made[1]).set(customers::name.eq("rob")).returning(customers::name).get_result(connection)?;
    assert_eq!(renamed, "rob");
    let gone: Vec<i64> =
        diesel::delete(orders::table.filter(orders::total.gt(15))).returning(orders::total).get_results(connection)?;
    assert_eq!(gone.len(), 2);
    Ok(())
}

fn upsert(connection: &mut PgConnection) -> Outcome {
    fill(connection)?;
    let new = NewCustomer { name: "ann again", email: Some("ann") };
    let untouched = diesel::insert_into(customers::table).values(&new).on_conflict_do_nothing().execute(connection)?;
    assert_eq!(untouched, 0);
    let row: Customer = diesel::insert_into(customers::table)
        .values(&new)
        .on_conflict(customers::email)
        .do_update()
        .set(customers::name.eq(diesel::upsert::excluded(customers::name)))
        .get_result(connection)?;
    assert_eq!((row.id, row.name.as_str()), (1, "ann again"));
    Ok(())
}

fn subqueries(connection: &mut PgConnection) -> Outcome {
    fill(connection)?;
    let with_orders: Vec<i32> = customers::table
        .filter(exists(orders::table.filter(orders::customer_id.eq(customers::id))))
        .select(customers::id)
        .order(customers::id)
        .load(connection)?;
    assert_eq!(with_orders, [1, 2]);
    let without: Vec<i32> = customers::table
        .filter(customers::id.ne_all(orders::table.select(orders::customer_id)))
        .select(customers::id)
        .load(connection)?;
    assert_eq!(without, [3]);
    let mut boxed = customers::table.select(customers::name).into_boxed();
    for name in ["ann", "cid"] {
        boxed = boxed.or_filter(customers::name.eq(name));
    }
    assert_eq!(boxed.order(customers::name).load::<String>(connection)?, ["ann", "cid"]);
    let union: Vec<String> = customers::table
        .select(customers::name)
        .filter(customers::id.lt(3))
        .union(customers::table.select(customers::name).filter(customers::id.gt(1)))
        .load(connection)?;
    assert_eq!(union.len(), 3);
    assert!(diesel::select(exists(customers::table.filter(customers::name.eq("ann")))).get_result::<bool>(connection)?);
    Ok(())
}

fn operators(connection: &mut PgConnection) -> Outcome {
    use diesel::sql_types::{Jsonb, Nullable};
    fill(connection)?;
    let tagged: Vec<i64> =
        orders::table.filter(orders::tags.contains(vec!["b"])).select(orders::total).order(orders::total).load(connection)?;
    assert_eq!(tagged, [10, 20]);
    let overlapping: Vec<i64> = orders::table.filter(orders::tags.overlaps_with(vec!["a", "z"])).select(orders::total).load(connection)?;
    assert_eq!(overlapping, [10]);
    let inside: Vec<i64> = orders::table
        .filter(orders::details.contains(diesel::dsl::sql::<Nullable<Jsonb>>("").bind::<Jsonb, _>(serde_json::json!({"n": 30}))))
        .select(orders::total)
        .load(connection)?;
    assert_eq!(inside, [30]);
    let field: Option<String> =
        orders::table.find(Uuid::from_u128(3)).select(orders::details.retrieve_as_text("n")).first(connection)?;
    assert_eq!(field.as_deref(), Some("20"));
    let deep: Option<serde_json::Value> =
        orders::table.find(Uuid::from_u128(1)).select(orders::details.retrieve_by_path_as_object(vec!["in", "a", "1"])).first(connection)?;
    assert_eq!(deep, Some(serde_json::json!(2)));
    Ok(())
}

fn row_by_row(connection: &mut PgConnection) -> Outcome {
    use diesel::pg::PgRowByRowLoadingMode;
    fill(connection)?;
    let mut names = vec![];
    for row in customers::table.select(customers::name).order(customers::id).load_iter::<String, PgRowByRowLoadingMode>(connection)? {
        names.push(row?);
    }
    assert_eq!(names, ["ann", "bob", "cid"]);
    Ok(())
}

fn errors(connection: &mut PgConnection) -> Outcome {
    fill(connection)?;
    let taken = diesel::insert_into(customers::table).values((customers::name.eq("x"), customers::email.eq("ann"))).execute(connection);
    let information = expect_kind(taken, &DatabaseErrorKind::UniqueViolation);
    assert_eq!((information.constraint_name(), information.table_name()), (Some("customers_email_key"), Some("customers")));
    let referenced = diesel::delete(customers::table.find(1)).execute(connection);
    expect_kind(referenced, &DatabaseErrorKind::ForeignKeyViolation);
    let missing = diesel::insert_into(customers::table).values(customers::email.eq("y")).execute(connection);
    let information = expect_kind(missing, &DatabaseErrorKind::NotNullViolation);
    assert_eq!(information.column_name(), Some("name"));
    let wrong = diesel::sql_query("SELECT missing FROM customers").execute(connection);
    let information = expect_kind(wrong, &DatabaseErrorKind::Unknown);
    assert_eq!(information.statement_position(), Some(8));
    Ok(())
}

fn locking(connection: &mut PgConnection) -> Outcome {
    fill(connection)?;
    connection.transaction::<_, diesel::result::Error, _>(|connection| {
        let locked: Vec<i32> = customers::table.filter(customers::id.lt(3)).select(customers::id).for_update().load(connection)?;
        assert_eq!(locked.len(), 2);
        customers::table.select(customers::id).for_update().skip_locked().load::<i32>(connection)?;
        customers::table.select(customers::id).for_share().no_wait().load::<i32>(connection)?;
        customers::table.select(customers::id).for_no_key_update().load::<i32>(connection)?;
        Ok(())
    })?;
    Ok(())
}
