//! The computed relations over a small catalog: the tables of a shop and a graph over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;

use super::*;
use crate::catalog::graph::{
    EdgeTable, ElementLabel, ElementTable, EndPoint, PropertyDef, PropertyGraph, PropertySource,
};
use crate::catalog::object::{
    Column, ColumnDefault, Constraint, ConstraintKind, Database, ForeignKeyAction, Relation,
    RelationKind, Schema, Table, View, ViewRead,
};
use crate::catalog::{Catalog, Cluster, Role};
use crate::types::pg_type::PgType;
use crate::types::{Oid, TenantId};

const OWNER: Oid = Oid(10);
const DEPT: Oid = Oid(16400);
const EMP: Oid = Oid(16410);
const EMP_VIEW: Oid = Oid(16420);
const GRAPH: Oid = Oid(16430);

struct Facts;

impl SessionFacts for Facts {
    fn current_user(&self) -> Oid {
        OWNER
    }
    fn settings(&self) -> Vec<Setting> {
        vec![Setting { name: "work_mem".into(), setting: "4096".into(), ..Setting::default() }]
    }
    fn backends(&self) -> Vec<Backend> {
        vec![Backend {
            pid: 7,
            database: Oid(5),
            user: OWNER,
            state: "active".into(),
            ..Backend::default()
        }]
    }
    fn row_count(&self, relation: Oid) -> Option<u64> {
        (relation == EMP).then_some(4)
    }
    fn byte_count(&self, _: Oid) -> Option<u64> {
        Some(8193)
    }
    fn prepared_statements(&self) -> Vec<PreparedStatement> {
        vec![PreparedStatement {
            name: "s1".into(),
            statement: "select $1".into(),
            prepare_time: 0,
            parameter_types: vec![PgType::Int4],
            from_sql: false,
        }]
    }
    fn sequence_last_value(&self, _: &crate::catalog::Sequence) -> Option<i64> {
        None
    }
    fn cursors(&self) -> Vec<Cursor> {
        Vec::new()
    }
    fn now_us(&self) -> i64 {
        0
    }
}

fn column(attnum: i16, name: &str, ty: PgType, not_null: bool) -> Column {
    Column {
        attnum,
        name: name.to_owned(),
        ty,
        not_null,
        default: None,
        comment: None,
        domain: None,
        collation: None,
    }
}

fn primary_key(index: Oid) -> ConstraintKind {
    ConstraintKind::PrimaryKey { columns: vec![0], index, include: Vec::new() }
}

fn dept() -> Table {
    let mut budget = column(3, "budget", PgType::Numeric(Some((12, 2))), false);
    budget.default = Some(ColumnDefault::Expression("0".into()));
    Table::new(
        vec![
            column(1, "id", PgType::Int4, true),
            column(2, "name", PgType::Varchar(Some(40)), true),
            budget,
        ],
        vec![
            Constraint::new(Oid(16402), "dept_pkey".into(), primary_key(Oid(16401))),
            Constraint::new(
                Oid(16404),
                "dept_name_key".into(),
                ConstraintKind::Unique {
                    columns: vec![1],
                    index: Oid(16403),
                    include: Vec::new(),
                    nulls_not_distinct: false,
                },
            ),
        ],
    )
}

fn emp() -> Table {
    let mut name = column(3, "name", PgType::Text, true);
    name.comment = Some("full name".into());
    Table::new(
        vec![
            column(1, "id", PgType::Int8, true),
            column(2, "dept_id", PgType::Int4, false),
            name,
            column(5, "salary", PgType::Float8, false),
        ],
        vec![
            Constraint::new(Oid(16412), "emp_pkey".into(), primary_key(Oid(16411))),
            Constraint::new(
                Oid(16413),
                "emp_dept_fk".into(),
                ConstraintKind::ForeignKey {
                    columns: vec![1],
                    referenced: DEPT,
                    referenced_columns: vec![0],
                    on_update: ForeignKeyAction::NoAction,
                    on_delete: ForeignKeyAction::Cascade,
                    delete_columns: Vec::new(),
                    match_full: false,
                },
            ),
            Constraint::new(
                Oid(16414),
                "emp_salary_ck".into(),
                ConstraintKind::Check { condition: "salary >= 0".into() },
            ),
        ],
    )
}

fn graph() -> PropertyGraph {
    let element = |alias: &str, relation, label: &str, name: &str, position, ty| ElementTable {
        alias: alias.into(),
        relation,
        key: vec![0],
        labels: vec![ElementLabel {
            name: label.into(),
            properties: vec![PropertyDef {
                name: name.into(),
                ty,
                source: PropertySource::Column(position),
            }],
        }],
    };
    PropertyGraph {
        open: None,
        label_rules: Vec::new(),
        oid: GRAPH,
        name: "company".into(),
        vertices: vec![
            element("dept", DEPT, "dept", "name", 1, PgType::Varchar(Some(40))),
            element("emp", EMP, "Person", "full_name", 2, PgType::Text),
        ],
        edges: vec![EdgeTable {
            element: element("works_in", EMP, "works_in", "id", 0, PgType::Int8),
            source: EndPoint { vertex: 1, edge_columns: vec![0], vertex_columns: vec![0] },
            destination: EndPoint { vertex: 0, edge_columns: vec![1], vertex_columns: vec![0] },
        }],
    }
}

fn catalog() -> Catalog {
    let relation = |oid, schema, name: &str, kind| Relation {
        oid,
        schema,
        name: name.to_owned(),
        owner: OWNER,
        comment: (oid == EMP).then(|| "employees".to_owned()),
        persistence: Default::default(),
        kind,
    };
    let view = View {
        query: "SELECT id FROM emp".into(),
        columns: vec![column(1, "id", PgType::Int8, false)],
        search_path: vec!["public".into()],
        reads: [("emp", EMP), ("pg_class", Oid(1259))]
            .into_iter()
            .map(|(name, relation)| ViewRead {
                schema: None,
                name: name.into(),
                relation,
                columns: Vec::new(),
            })
            .collect(),
        options: Vec::new(),
    };
    let mut relations = vec![
        relation(DEPT, PUBLIC_OID, "dept", RelationKind::Table(Arc::new(dept()))),
        relation(EMP, PUBLIC_OID, "emp", RelationKind::Table(Arc::new(emp()))),
        relation(EMP_VIEW, Oid(16384), "Emp v", RelationKind::View(Arc::new(view))),
        relation(GRAPH, PUBLIC_OID, "company", RelationKind::PropertyGraph(Arc::new(graph()))),
    ];
    for system in system_relations() {
        let table = Table::new(system.columns.clone(), Vec::new());
        let schema =
            if system.schema == "pg_catalog" { PG_CATALOG_OID } else { INFORMATION_SCHEMA_OID };
        relations.push(relation(
            system.oid,
            schema,
            system.name,
            RelationKind::System(Arc::new(table)),
        ));
    }
    let schemas = [
        (PG_CATALOG_OID, "pg_catalog"),
        (PUBLIC_OID, "public"),
        (INFORMATION_SCHEMA_OID, "information_schema"),
        (Oid(16384), "hidden"),
    ];
    let role = Role {
        superuser: true,
        login: true,
        verifier: Some("SCRAM-SHA-256$secret".into()),
        ..Role::new(OWNER, "graphwire", TenantId::SYSTEM)
    };
    let stranger =
        Role { oid: Oid(16500), name: "stranger".into(), tenant: TenantId(9), ..role.clone() };
    let database = Database {
        oid: Oid(5),
        name: "graphwire".into(),
        tenant: TenantId::SYSTEM,
        owner: OWNER,
        connection_limit: -1,
        is_template: false,
        allow_connections: true,
    };
    let names = relations.iter().map(|r| ((r.schema, r.name.clone()), r.oid)).collect();
    let cluster = Cluster {
        roles: [(role.oid, role), (stranger.oid, stranger)].into(),
        databases: [(database.oid, database.clone())].into(),
        ..Cluster::default()
    }
    .with_predefined_roles();
    Catalog {
        version: 1,
        database: Arc::new(database),
        cluster: Arc::new(cluster),
        schemas: Arc::new(
            schemas
                .into_iter()
                .map(|(oid, name)| (oid, Schema { oid, name: name.to_owned(), owner: OWNER }))
                .collect(),
        ),
        relations: Arc::new(
            relations.into_iter().map(|r| (r.oid, Arc::new(r))).collect::<BTreeMap<_, _>>(),
        ),
        names: Arc::new(names),
        comments: Arc::default(),
        functions: Arc::default(),
        types: Arc::default(),
        grants: Arc::default(),
        index_names: Default::default(),
        next_oid: 17000,
    }
}

fn read(name: &str) -> RecordBatch {
    let relation = system_relations().iter().find(|relation| relation.name == name);
    rows(relation.expect(name).oid, &catalog(), &Facts).expect(name)
}

/// The rows in which a column has this value, as `column=value` of the columns asked for.
fn select(relation: &str, key: (&str, &str), columns: &[&str]) -> Vec<Vec<String>> {
    let batch = read(relation);
    let text = |column: &str, row: usize| {
        let array = batch.column_by_name(column).expect(column);
        if array.is_null(row) {
            return "NULL".to_owned();
        }
        array_value_to_string(array, row).expect("a printable value")
    };
    (0..batch.num_rows())
        .filter(|row| text(key.0, *row) == key.1)
        .map(|row| columns.iter().map(|column| text(column, row)).collect())
        .collect()
}

#[test]
fn every_relation_gives_rows_of_its_schema() {
    let catalog = catalog();
    for relation in system_relations() {
        let batch = rows(relation.oid, &catalog, &Facts).expect(relation.name);
        let table = Table::new(relation.columns.clone(), Vec::new());
        assert_eq!(batch.schema(), table.schema, "{}", relation.name);
    }
    assert!(matches!(rows(Oid(1), &catalog, &Facts), Err(SystemRowsError::Unknown(Oid(1)))));
}

#[test]
fn object_identifiers_are_unique() {
    for relation in system_relations().iter().filter(|r| r.columns[0].name == "oid") {
        let batch = read(relation.name);
        let oids = batch.column(0).as_primitive::<arrow::datatypes::UInt32Type>();
        let mut seen: Vec<u32> = oids.values().to_vec();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), batch.num_rows(), "{}", relation.name);
    }
}

#[test]
fn no_verifier_can_be_read() {
    let roles = read("pg_authid");
    assert_eq!(
        roles.column_by_name("rolpassword").expect("the column").null_count(),
        roles.num_rows()
    );
    assert_eq!(select("pg_authid", ("rolname", "stranger"), &["oid"]).len(), 0);
    assert_eq!(select("pg_authid", ("rolname", "graphwire"), &["rolsuper"]), [["true"]]);
}

#[test]
fn tables_and_indexes_are_classes() {
    let columns = ["relkind", "reltuples", "relpages", "relnatts", "relhastriggers", "relam"];
    let emp = select("pg_class", ("relname", "emp"), &columns);
    assert_eq!(emp, [["r", "4.0", "2", "5", "true", "2"]]);
    let index = select("pg_class", ("relname", "emp_pkey"), &["relkind", "oid", "relam"]);
    assert_eq!(index, [["i", "16411", "403"]]);
    assert_eq!(select("pg_class", ("relname", "company"), &["relkind"]), [["g"]]);
    assert_eq!(select("pg_class", ("relname", "pg_settings"), &["relkind"]), [["v"]]);
}

#[test]
fn attributes_have_types_and_numbers() {
    let columns = ["attname", "attnum", "atttypid", "atttypmod", "attnotnull"];
    let dept = select("pg_attribute", ("attrelid", "16400"), &columns);
    assert_eq!(dept[1], ["name", "2", "1043", "44", "true"]);
    assert_eq!(dept[2], ["budget", "3", "1700", "786438", "false"]);
    let index = select("pg_attribute", ("attrelid", "16403"), &columns);
    assert_eq!(index, [["name", "1", "1043", "44", "false"]]);
}

#[test]
fn constraints_have_columns_and_operators() {
    let columns = ["contype", "conkey", "confkey", "conindid", "conpfeqop", "confdeltype"];
    let foreign = select("pg_constraint", ("conname", "emp_dept_fk"), &columns);
    assert_eq!(foreign, [["f", "[2]", "[1]", "16401", "[96]", "c"]]);
    let check = select("pg_constraint", ("conname", "emp_salary_ck"), &["conkey", "conbin"]);
    assert_eq!(check, [["[5]", "salary >= 0"]]);
}

#[test]
fn types_are_found_as_npgsql_finds_them() {
    let array_recv = select("pg_proc", ("proname", "array_recv"), &["oid"]);
    assert_eq!(array_recv, [["2400"]]);
    let columns = ["oid", "typreceive", "typelem", "typtype"];
    assert_eq!(select("pg_type", ("typname", "_int4"), &columns), [["1007", "2400", "23", "b"]]);
    for pseudo in ["unknown", "record", "void"] {
        assert_eq!(select("pg_type", ("typname", pseudo), &["typtype"]), [["p"]], "{pseudo}");
    }
    let row_type = select("pg_type", ("typname", "emp"), &["typtype", "typrelid"]);
    assert_eq!(row_type, [["c", "16410"]]);
}

#[test]
fn references_lead_somewhere() {
    for (from, column, to) in [
        ("pg_attribute", "atttypid", "pg_type"),
        ("pg_type", "typelem", "pg_type"),
        ("pg_type", "typarray", "pg_type"),
        ("pg_type", "typinput", "pg_proc"),
        ("pg_type", "typreceive", "pg_proc"),
        ("pg_proc", "prorettype", "pg_type"),
        ("pg_operator", "oprcode", "pg_proc"),
        ("pg_cast", "castfunc", "pg_proc"),
        ("pg_class", "relnamespace", "pg_namespace"),
        ("pg_class", "reltype", "pg_type"),
        ("pg_index", "indexrelid", "pg_class"),
        ("pg_constraint", "conindid", "pg_class"),
        ("pg_propgraph_element", "pgesrcvertexid", "pg_propgraph_element"),
        ("pg_propgraph_label_property", "plpellabelid", "pg_propgraph_element_label"),
    ] {
        let target = read(to);
        let known = target.column(0).as_primitive::<arrow::datatypes::UInt32Type>();
        let known: std::collections::HashSet<u32> = known.values().iter().copied().collect();
        let source = read(from);
        let used = source.column_by_name(column).expect(column);
        let used = used.as_primitive::<arrow::datatypes::UInt32Type>();
        let lost: Vec<_> =
            used.values().iter().filter(|o| **o != 0 && !known.contains(o)).collect();
        assert!(lost.is_empty(), "{from}.{column} names {lost:?}, not in {to}");
    }
}

#[test]
fn graphs_are_listed_as_in_postgresql_19() {
    let columns = ["pgekind", "pgerelid", "pgekey", "pgedestkey", "pgedestref"];
    let edge = select("pg_propgraph_element", ("pgealias", "works_in"), &columns);
    assert_eq!(edge, [["e", "16410", "[1]", "[2]", "[1]"]]);
    assert_eq!(read("pg_propgraph_label").num_rows(), 3);
    assert_eq!(read("pg_propgraph_property").num_rows(), 3);
    let definition = describe::property_graph_definition(&catalog(), GRAPH).expect("a graph");
    assert_eq!(
        definition,
        "CREATE PROPERTY GRAPH public.company
    VERTEX TABLES (
        dept KEY (id) PROPERTIES (name),
        emp KEY (id) LABEL \"Person\" PROPERTIES (name AS full_name)
    )
    EDGE TABLES (
        emp AS works_in KEY (id) SOURCE KEY (id) REFERENCES emp (id) DESTINATION KEY (dept_id) REFERENCES dept (id) PROPERTIES (id)
    )"
    );
}

#[test]
fn parameters_of_functions_are_listed() {
    let columns = ["ordinal_position", "parameter_mode", "data_type", "udt_name"];
    let lower = select("parameters", ("specific_name", "lower_870"), &columns);
    assert_eq!(lower, [["1", "IN", "text", "text"]]);
}

#[test]
fn views_depend_on_what_they_read() {
    let rules = select("pg_rewrite", ("ev_class", "16420"), &["oid"]);
    let columns = ["refobjid", "deptype"];
    let depends = select("pg_depend", ("objid", &rules[0][0]), &columns);
    assert_eq!(depends, [["16420", "i"], ["16420", "n"], ["16410", "n"]]);
}

#[test]
fn objects_are_described_in_postgresqls_words() {
    let catalog = catalog();
    let path = ["public".to_owned()];
    let style = describe::Style { pretty: false, search_path: &path };
    let pretty = describe::Style { pretty: true, ..style };
    let constraint = |oid| describe::constraint_definition(&catalog, Oid(oid), style).expect("one");
    assert_eq!(constraint(16402), "PRIMARY KEY (id)");
    assert_eq!(constraint(16413), "FOREIGN KEY (dept_id) REFERENCES dept(id) ON DELETE CASCADE");
    assert_eq!(constraint(16414), "CHECK ((salary >= 0))");
    assert_eq!(
        describe::index_definition(&catalog, Oid(16403), style).expect("an index"),
        "CREATE UNIQUE INDEX dept_name_key ON public.dept USING btree (name)"
    );
    assert_eq!(
        describe::constraint_definition(&catalog, Oid(16414), pretty).as_deref(),
        Some("CHECK (salary >= 0)")
    );
    assert_eq!(
        describe::index_definition(&catalog, Oid(16403), pretty).as_deref(),
        Some("CREATE UNIQUE INDEX dept_name_key ON dept USING btree (name)")
    );
    assert_eq!(describe::relation_name(&catalog, EMP, &path).expect("visible"), "emp");
    assert_eq!(
        describe::relation_name(&catalog, EMP_VIEW, &path).expect("hidden"),
        "hidden.\"Emp v\""
    );
    assert_eq!(describe::table_is_visible(&catalog, Oid(16411), &path), Some(true));
    assert_eq!(describe::table_is_visible(&catalog, EMP_VIEW, &path), Some(false));
    assert_eq!(describe::table_is_visible(&catalog, Oid(1), &path), None);
    assert_eq!(
        describe::obj_description(&catalog, EMP, Some("pg_class")).as_deref(),
        Some("employees")
    );
    assert_eq!(describe::col_description(&catalog, EMP, 3).as_deref(), Some("full name"));
    assert_eq!(
        describe::view_definition(&catalog, EMP_VIEW).as_deref(),
        Some("SELECT id FROM emp;")
    );
    assert_eq!(describe::user_by_id(&catalog, Oid(16500)), "unknown (OID=16500)");
}

#[test]
fn texts_are_resolved_to_objects() {
    let catalog = catalog();
    let path = ["public".to_owned()];
    let relation = |text| describe::resolve_relation(&catalog, text, &path);
    assert_eq!(relation("EMP"), Ok(Some(EMP)));
    assert_eq!(relation("hidden.\"Emp v\""), Ok(Some(EMP_VIEW)));
    assert_eq!(relation("pg_class"), Ok(Some(Oid(1259))));
    assert_eq!(relation("emp_pkey"), Ok(Some(Oid(16411))));
    assert_eq!(relation("nothing"), Ok(None));
    assert!(matches!(relation("other.public.emp"), Err(describe::NameError::OtherDatabase(_))));
    let ty = |text| describe::resolve_type(&catalog, text, &path);
    assert_eq!(ty("character varying"), Ok(Some(Oid(1043))));
    assert_eq!(ty("int4[]"), Ok(Some(Oid(1007))));
    assert_eq!(ty("anyelement"), Ok(Some(Oid(2283))));
    assert_eq!(describe::resolve_function(&catalog, "array_in", &path), Ok(Some(Oid(750))));
    assert!(describe::resolve_function(&catalog, "abs", &path).is_err());
    let signature = describe::resolve_function_signature(&catalog, "abs(integer)", &path);
    assert_eq!(signature, Ok(Some(Oid(1397))));
    let signature = describe::function_signature(&catalog, Oid(1397), &path);
    assert_eq!(signature.as_deref(), Some("abs(integer)"));
}
