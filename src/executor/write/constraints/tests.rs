use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::DataType;

use super::foreign::{ForeignKeys, Looked};
use super::keys::{changed_keys, check_unique};
use crate::catalog::{
    Catalog, Cluster, Column, Constraint, ConstraintKind, Database, Relation, RelationKind, Schema,
    Table,
};
use crate::storage::TableVersion;
use crate::types::pg_type::PgType;
use crate::types::{Oid, TenantId};

const SHOP: Oid = Oid(2201);

fn column(name: &str, ty: PgType) -> Column {
    Column::of(1, name.to_owned(), ty)
}

fn unique(oid: u32, columns: &[usize], nulls_not_distinct: bool) -> Constraint {
    let columns = columns.to_vec();
    let kind = ConstraintKind::Unique {
        columns,
        index: Oid(oid),
        include: Vec::new(),
        nulls_not_distinct,
    };
    Constraint::new(Oid(oid), format!("key_{oid}"), kind)
}

fn relation(columns: Vec<Column>, constraints: Vec<Constraint>) -> (Catalog, Relation) {
    let relation = Relation {
        oid: Oid(100),
        schema: SHOP,
        name: "item".to_owned(),
        owner: Oid(10),
        comment: None,
        persistence: Default::default(),
        kind: RelationKind::Table(Arc::new(Table::new(columns, constraints))),
    };
    let database = Database {
        oid: Oid(5),
        name: "d".to_owned(),
        tenant: TenantId::SYSTEM,
        owner: Oid(10),
        connection_limit: -1,
        is_template: false,
        allow_connections: true,
    };
    let schema = Schema { oid: SHOP, name: "shop".to_owned(), owner: Oid(10) };
    let catalog = Catalog {
        version: 1,
        database: Arc::new(database),
        cluster: Arc::new(Cluster::default()),
        schemas: Arc::new(BTreeMap::from([(SHOP, schema)])),
        relations: Arc::new(BTreeMap::from([(relation.oid, Arc::new(relation.clone()))])),
        names: Arc::default(),
        comments: Arc::default(),
        functions: Arc::default(),
        types: Arc::default(),
        grants: Arc::default(),
        index_names: Default::default(),
        next_oid: 20_000,
    };
    (catalog, relation)
}

fn batch(relation: &Relation, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(Arc::clone(&relation.table().unwrap().schema), columns).unwrap()
}

fn numbers(values: impl IntoIterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int32Array>())
}

/// Appends rows and checks their keys, as INSERT does.
fn insert(
    catalog: &Catalog,
    relation: &Relation,
    version: &TableVersion,
    rows: &RecordBatch,
) -> Result<TableVersion, crate::error::PgError> {
    let (version, _) = version.append(rows.clone())?;
    check_unique(catalog, relation, &version, rows, None)?;
    Ok(version)
}

#[test]
fn a_violation_names_schema_table_constraint_and_key() {
    let columns = vec![column("a", PgType::Int4), column("b", PgType::Text)];
    let (catalog, relation) = relation(columns, vec![unique(7, &[1, 0], false)]);
    let rows = batch(
        &relation,
        vec![
            numbers([Some(1), Some(2), Some(1)]),
            Arc::new(StringViewArray::from(vec!["x", "x", "x"])),
        ],
    );
    let empty = TableVersion::empty(relation.oid, rows.schema());
    let error = insert(&catalog, &relation, &empty, &rows).unwrap_err();
    let fields = error.fields();
    assert_eq!(fields.code.0, "23505");
    assert_eq!(fields.message, "duplicate key value violates unique constraint \"key_7\"");
    assert_eq!(fields.detail.as_deref(), Some("Key (b, a)=(x, 1) already exists."));
    assert_eq!(fields.schema.as_deref(), Some("shop"));
    assert_eq!(fields.table.as_deref(), Some("item"));
    assert_eq!(fields.constraint.as_deref(), Some("key_7"));
}

/// All small sets of rows over two columns with nulls: a key is violated exactly where comparing every pair says so.
#[test]
fn keys_agree_with_comparing_every_pair() {
    let values = [None, Some(1), Some(2)];
    let pairs: Vec<(Option<i32>, Option<i32>)> =
        values.iter().flat_map(|a| values.iter().map(|b| (*a, *b))).collect();
    for nulls_not_distinct in [false, true] {
        let columns = vec![column("a", PgType::Int4), column("b", PgType::Int4)];
        let key = unique(7, &[0, 1], nulls_not_distinct);
        let (catalog, relation) = relation(columns, vec![key]);
        let of = |rows: &[(Option<i32>, Option<i32>)]| {
            let first = numbers(rows.iter().map(|row| row.0));
            batch(&relation, vec![first, numbers(rows.iter().map(|row| row.1))])
        };
        for first in &pairs {
            for second in &pairs {
                for third in &pairs {
                    let stored = of(&[*first]);
                    let empty = TableVersion::empty(relation.oid, stored.schema());
                    let version = insert(&catalog, &relation, &empty, &stored).unwrap();
                    let result = insert(&catalog, &relation, &version, &of(&[*second, *third]));
                    let same = |x: &(Option<i32>, Option<i32>), y: &(Option<i32>, Option<i32>)| {
                        let null = x.0.is_none() || x.1.is_none();
                        x == y && (nulls_not_distinct || !null)
                    };
                    let violated = same(first, second) || same(first, third) || same(second, third);
                    assert_eq!(result.is_err(), violated, "{first:?} {second:?} {third:?}");
                }
            }
        }
    }
}

#[test]
fn an_update_is_checked_where_its_key_changes() {
    let (_, relation) = relation(vec![column("a", PgType::Int4)], Vec::new());
    let old = batch(&relation, vec![numbers([Some(1), None, None, Some(4)])]);
    let new = batch(&relation, vec![numbers([Some(1), None, Some(3), None])]);
    assert_eq!(changed_keys(&new, Some(&old), &[0]).unwrap(), [2, 3]);
    assert_eq!(changed_keys(&new, None, &[0]).unwrap(), [0, 1, 2, 3]);
    assert_eq!(changed_keys(&old, Some(&old), &[0]).unwrap(), [0usize; 0]);
}

/// A bigint that refers to an integer is not found by the number that is left when it is cut to 32 bits.
#[test]
fn keys_of_another_type_are_compared_by_value() {
    let (_, relation) = relation(vec![column("a", PgType::Int4)], Vec::new());
    let table = relation.table().unwrap();
    assert_eq!(table.schema.field(0).data_type(), &DataType::Int32);
    let rows = RecordBatch::try_from_iter([(
        "a",
        Arc::new(Int64Array::from(vec![Some(7), Some(7 + (1 << 32)), None])) as ArrayRef,
    )])
    .unwrap();
    let keys = ForeignKeys::new(&rows, &[0], table, &[0]).unwrap();
    assert!(matches!(keys.get(0), Looked::Key(_)));
    assert_eq!(keys.get(1), Looked::Never);
    assert_eq!(keys.get(2), Looked::Null);
    assert_eq!(keys.present().count(), 1);
}

/// A thousand single-row inserts into a million rows take no longer, but for a small factor, than into a thousand: the
/// check looks keys up and does not read the table.
#[test]
fn a_check_costs_by_the_rows_written() {
    let columns = vec![column("id", PgType::Int4), column("u", PgType::Int4)];
    let keys = vec![unique(7, &[0], false), unique(8, &[1], false)];
    let (catalog, relation) = relation(columns, keys);
    let time = |rows: i32| -> Duration {
        let all = batch(
            &relation,
            // One key ascends with the rows, the other does not.
            vec![numbers((0..rows).map(Some)), numbers((0..rows).rev().map(Some))],
        );
        let empty = TableVersion::empty(relation.oid, all.schema());
        let mut version = insert(&catalog, &relation, &empty, &all).unwrap();
        let start = Instant::now();
        for row in rows..rows + 1000 {
            let one = batch(&relation, vec![numbers([Some(row)]), numbers([Some(row)])]);
            version = insert(&catalog, &relation, &version, &one).unwrap();
        }
        let taken = start.elapsed();
        println!("{rows} rows: {:?} for one insert", taken / 1000);
        taken
    };
    let (small, large) = (time(1000), time(1_000_000));
    assert!(large < small * 20, "{small:?} into a thousand rows, {large:?} into a million");
}
