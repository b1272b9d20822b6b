use arrow::array::*;
use arrow::util::pretty::pretty_format_batches;
use async_trait::async_trait;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::*;
use datafusion::prelude::{SessionConfig, SessionContext};
use graphwire::catalog::*;
use graphwire::executor::graph::*;
use graphwire::planner::MatchPattern;
use graphwire::planner::bind::cypher::*;
use graphwire::storage::*;
use graphwire::types::pg_type::PgType;
use graphwire::types::{Oid, TenantId};
use std::io::Read;
use std::sync::Arc;

#[derive(Debug)]
struct Planner(Arc<GraphSnapshot>);
struct Ext(Arc<GraphSnapshot>);
#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        state: &dyn datafusion::catalog::Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Ext(self.0.clone()))])
            .create_physical_plan(plan, state)
            .await
    }
}
#[async_trait]
impl ExtensionPlanner for Ext {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _l: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        state: &dyn datafusion::catalog::Session,
        ctx: &datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<MatchPattern>() else { return Ok(None) };
        Ok(Some(lower_match(
            node,
            inputs.first().cloned(),
            &self.0,
            &|e, s: &DFSchema| planner.create_physical_expr(e, s, state, ctx),
            2,
        )?))
    }
}
fn col(n: i16, name: &str, ty: PgType) -> Column {
    Column { attnum: n, name: name.into(), ty, not_null: n == 1, default: None, comment: None }
}
fn table(
    oid: u32,
    name: &str,
    cols: Vec<Column>,
    cons: Vec<ConstraintKind>,
    data: Vec<ArrayRef>,
) -> (Relation, TableVersion) {
    let cons = cons
        .into_iter()
        .map(|kind| Constraint { oid: Oid(oid + 500), name: format!("{name}_c"), kind })
        .collect();
    let t = Table::new(cols, cons);
    let batch = RecordBatch::try_new(t.schema.clone(), data).unwrap();
    let v = TableVersion::empty(Oid(oid), t.schema.clone()).append(batch).unwrap().0;
    (
        Relation {
            oid: Oid(oid),
            schema: Oid(10),
            name: name.into(),
            owner: Oid(1),
            comment: None,
            kind: RelationKind::Table(Arc::new(t)),
        },
        v,
    )
}
fn s(v: Vec<Option<&str>>) -> ArrayRef {
    Arc::new(StringViewArray::from(v))
}
fn i(v: Vec<Option<i64>>) -> ArrayRef {
    Arc::new(Int64Array::from(v))
}
fn i4(v: Vec<Option<i32>>) -> ArrayRef {
    Arc::new(Int32Array::from(v))
}
#[tokio::main]
async fn main() {
    use ConstraintKind::*;
    let pk = || PrimaryKey { columns: vec![0], index: Oid(999) };
    let fk = |c: usize, r: u32| ForeignKey {
        columns: vec![c],
        referenced: Oid(r),
        referenced_columns: vec![0],
        on_update: Default::default(),
        on_delete: Default::default(),
    };
    let tables = vec![
        table(
            100,
            "person",
            vec![
                col(1, "id", PgType::Int8),
                col(2, "name", PgType::Text),
                col(3, "age", PgType::Int4),
                col(4, "firstname", PgType::Varchar(Some(10))),
                col(5, "height", PgType::Float8),
                col(6, "born", PgType::Date),
                col(7, "money", PgType::Numeric(Some((10, 2)))),
            ],
            vec![pk()],
            vec![
                i(vec![Some(1), Some(2), Some(3), Some(4)]),
                s(vec![Some("Ann"), Some("Bob"), Some("Cid"), None]),
                i4(vec![Some(30), Some(40), Some(50), None]),
                s(vec![Some("ann"), Some("bob"), Some("cid"), Some("dan")]),
                Arc::new(Float64Array::from(vec![Some(1.5), Some(2.0), None, Some(f64::NAN)])),
                Arc::new(Date32Array::from(vec![Some(0), Some(10000), None, None])),
                Arc::new(
                    Decimal128Array::from(vec![Some(1050), Some(200), None, Some(1)])
                        .with_precision_and_scale(10, 2)
                        .unwrap(),
                ),
            ],
        ),
        table(
            101,
            "city",
            vec![col(1, "id", PgType::Int8), col(2, "name", PgType::Text)],
            vec![pk()],
            vec![i(vec![Some(1), Some(2)]), s(vec![Some("Rome"), Some("Oslo")])],
        ),
        table(
            102,
            "knows",
            vec![
                col(1, "id", PgType::Int8),
                col(2, "a", PgType::Int8),
                col(3, "b", PgType::Int8),
                col(4, "since", PgType::Int8),
            ],
            vec![pk()],
            vec![
                i(vec![Some(1), Some(2), Some(3), Some(4)]),
                i(vec![Some(1), Some(2), Some(3), Some(1)]),
                i(vec![Some(2), Some(3), Some(1), Some(3)]),
                i(vec![Some(2000), Some(2010), Some(2020), None]),
            ],
        ),
        table(
            103,
            "lives",
            vec![col(1, "id", PgType::Int8), col(2, "p", PgType::Int8), col(3, "c", PgType::Int8)],
            vec![pk(), fk(1, 100), fk(2, 101)],
            vec![i(vec![Some(1), Some(2)]), i(vec![Some(1), Some(2)]), i(vec![Some(1), Some(1)])],
        ),
    ];
    let mut relations = std::collections::BTreeMap::new();
    let mut names = std::collections::BTreeMap::new();
    let mut versions = vec![];
    for (r, v) in tables {
        names.insert((r.schema, r.name.clone()), r.oid);
        relations.insert(r.oid, Arc::new(r));
        versions.push(Arc::new(v));
    }
    let mut catalog = Catalog {
        version: 1,
        database: Arc::new(Database {
            oid: Oid(5),
            name: "d".into(),
            tenant: TenantId(0),
            owner: Oid(1),
        }),
        cluster: Default::default(),
        schemas: Arc::new(
            [(Oid(10), Schema { oid: Oid(10), name: "public".into(), owner: Oid(1) })].into(),
        ),
        relations: Arc::new(relations.clone()),
        names: Arc::new(names.clone()),
        next_oid: 20000,
    };
    let path = vec!["public".to_string()];
    let elem = |alias: &str, rel: u32, labels: &[&str]| ElementTable {
        alias: alias.into(),
        relation: Oid(rel),
        key: vec![0],
        labels: labels
            .iter()
            .map(|l| ElementLabel {
                name: l.to_string(),
                properties: relations[&Oid(rel)]
                    .columns()
                    .iter()
                    .enumerate()
                    .map(|(i, c)| PropertyDef {
                        name: c.name.clone(),
                        ty: c.ty.clone(),
                        source: PropertySource::Column(i),
                    })
                    .collect(),
            })
            .collect(),
    };
    let graph = PropertyGraph {
        oid: Oid(300),
        name: "g".into(),
        vertices: vec![elem("person", 100, &["person"]), elem("city", 101, &["city"])],
        edges: vec![
            EdgeTable {
                element: elem("knows", 102, &["KNOWS"]),
                source: EndPoint { vertex: 0, edge_columns: vec![1], vertex_columns: vec![0] },
                destination: EndPoint { vertex: 0, edge_columns: vec![2], vertex_columns: vec![0] },
            },
            EdgeTable {
                element: elem("lives", 103, &["lives_in"]),
                source: EndPoint { vertex: 0, edge_columns: vec![1], vertex_columns: vec![0] },
                destination: EndPoint { vertex: 1, edge_columns: vec![2], vertex_columns: vec![0] },
            },
        ],
    };
    let graph = Arc::new(graph);
    relations.insert(
        Oid(300),
        Arc::new(Relation {
            oid: Oid(300),
            schema: Oid(10),
            name: "g".into(),
            owner: Oid(1),
            comment: None,
            kind: RelationKind::PropertyGraph(graph.clone()),
        }),
    );
    names.insert((Oid(10), "g".into()), Oid(300));
    catalog.relations = Arc::new(relations);
    catalog.names = Arc::new(names);
    let cache = Arc::new(AdjacencyCache::new(1 << 20));
    let snap = Arc::new(
        GraphSnapshot::try_new(
            graph,
            |oid| versions.iter().find(|v| v.table == oid).cloned(),
            &cache,
        )
        .unwrap(),
    );
    let state = SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(1))
        .with_default_features()
        .with_query_planner(Arc::new(Planner(snap.clone())))
        .build();
    let ctx = SessionContext::new_with_state(state);
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let verbose = std::env::args().any(|a| a == "-v");
    for q in text.split(";\n").map(str::trim).filter(|q| !q.is_empty()) {
        println!("> {q}");
        if let Err(e) = run(&ctx, &catalog, &path, &snap, q, verbose).await {
            println!("  ERROR {e}");
        }
    }
}
async fn run(
    ctx: &SessionContext,
    catalog: &Catalog,
    path: &[String],
    snap: &Arc<GraphSnapshot>,
    q: &str,
    verbose: bool,
) -> std::result::Result<(), String> {
    let statement = graphwire::parser::cypher::parse(q, 0).map_err(|e| format!("parse {e:?}"))?;
    let bound = bind_cypher(&CypherContext {
        statement: &statement,
        catalog,
        search_path: path,
        graph_path: None,
        parameters: &[],
        iso_temporals: true,
    })
    .map_err(|e| {
        format!(
            "{} {} [{}] at {:?} hint {:?}",
            e.code(),
            e,
            e.fields().routine.unwrap_or(""),
            e.fields().offset,
            e.fields().hint
        )
    })?;
    for n in &bound.notices {
        println!("  notice {n}");
    }
    println!(
        "  {:?} params {:?}",
        bound.columns.iter().map(|(n, t)| format!("{n}: {t}")).collect::<Vec<_>>(),
        bound.parameters
    );
    if verbose {
        println!("{}", bound.plan.display_indent());
    }
    let plan =
        bind_graph_functions(bound.plan, &|_| Ok(snap.clone())).map_err(|e| e.to_string())?;
    let df = ctx.execute_logical_plan(plan).await.map_err(|e| format!("exec {e}"))?;
    if verbose {
        println!(
            "OPT {}",
            df.clone().into_optimized_plan().map_err(|e| format!("opt {e}"))?.display_indent()
        );
    }
    let batches = df.collect().await.map_err(|e| {
        let p: graphwire::error::PgError = e.into();
        format!("run {} {}", p.code(), p)
    })?;
    for b in &batches {
        for (f, (n, t)) in b.schema().fields().iter().zip(&bound.columns) {
            if f.name() != n {
                println!("  NAME {} {}", f.name(), n);
            }
            if *f.data_type() != t.arrow() || PgType::from_field(f) != *t {
                println!(
                    "  TYPE {} {:?} is {} want {:?}",
                    n,
                    f.data_type(),
                    PgType::from_field(f),
                    t
                );
            }
        }
    }
    println!("{}", pretty_format_batches(&batches).unwrap());
    Ok(())
}
