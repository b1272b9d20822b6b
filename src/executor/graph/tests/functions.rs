//! Functions on elements.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, RecordBatch, StringViewArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNode;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::create_physical_expr;
use datafusion::prelude::col;

use super::fixture::{element, snapshot, version};
use crate::catalog::{EdgeTable, ElementLabel, EndPoint, PropertyGraph};
use crate::executor::graph::GraphSnapshot;
use crate::executor::graph::functions::bind_expr;
use crate::planner::{GraphFunction, GraphFunctionKind};
use crate::types::ElementRef;
use crate::types::pg_type::PgType;

/// People (text key, many properties), cities (a key of two columns), and who lives where since when.
fn graph() -> Arc<GraphSnapshot> {
    let people: Vec<(&str, ArrayRef)> = vec![
        ("name", Arc::new(StringViewArray::from(vec!["ann \"a\"", "bob", "cy"]))),
        ("age", Arc::new(Int32Array::from(vec![Some(3), None, Some(5)]))),
        ("height", Arc::new(Float64Array::from(vec![Some(1.0), Some(f64::NAN), Some(1e-300)]))),
        ("born", Arc::new(Date32Array::from(vec![Some(0), None, None]))),
        (
            "seen",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(3_661_000_000),
                None,
                Some(60_250_000),
            ])),
        ),
        ("nice", Arc::new(BooleanArray::from(vec![true, false, true]))),
        (
            "left",
            Arc::new(IntervalMonthDayNanoArray::from(vec![
                Some(IntervalMonthDayNano::new(14, 10, 9_000_000_000_000)),
                Some(IntervalMonthDayNano::new(0, 0, 0)),
                Some(IntervalMonthDayNano::new(0, 0, -1_500_000_000)),
            ])),
        ),
    ];
    let cities: Vec<(&str, ArrayRef)> = vec![
        ("country", Arc::new(StringViewArray::from(vec!["no", "no"]))),
        ("code", Arc::new(Int64Array::from(vec![1, 2]))),
        ("name", Arc::new(StringViewArray::from(vec![Some("Oslo"), None]))),
    ];
    let lives: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from(vec![10, 11]))),
        ("who", Arc::new(StringViewArray::from(vec!["bob", "cy"]))),
        ("code", Arc::new(Int64Array::from(vec![2, 1]))),
        ("country", Arc::new(StringViewArray::from(vec!["no", "no"]))),
    ];
    let mut person = element(
        "person",
        1,
        &[
            ("name", PgType::Text, 0),
            ("age", PgType::Int4, 1),
            ("height", PgType::Float8, 2),
            ("born", PgType::Date, 3),
            ("seen", PgType::Timestamp(None), 4),
            ("nice", PgType::Bool, 5),
            ("left", PgType::Interval, 6),
        ],
    );
    person.labels.push(ElementLabel { name: "Being".to_owned(), properties: vec![] });
    let mut city = element("city", 2, &[("name", PgType::Text, 2)]);
    city.key = vec![0, 1];
    let graph = PropertyGraph {
        open: None,
        label_rules: Vec::new(),
        oid: crate::types::Oid(9),
        name: "g".to_owned(),
        vertices: vec![person, city],
        edges: vec![EdgeTable {
            element: element("lives", 3, &[]),
            source: EndPoint { vertex: 0, edge_columns: vec![1], vertex_columns: vec![0] },
            destination: EndPoint {
                vertex: 1,
                edge_columns: vec![2, 3],
                vertex_columns: vec![1, 0],
            },
        }],
    };
    snapshot(graph, vec![version(1, people), version(2, cities), version(3, lives)])
}

/// The function's results on a column.
fn call(graph: &Arc<GraphSnapshot>, kind: GraphFunctionKind, argument: ArrayRef) -> ArrayRef {
    let batch = RecordBatch::try_from_iter_with_nullable([("e", argument, true)]).unwrap();
    let schema = DFSchema::try_from(batch.schema()).unwrap();
    let expr = GraphFunction::call(&graph.graph, kind, col("e"));
    let bound = expr.transform_up(|expr| bind_expr(expr, &|_| Ok(Arc::clone(graph)))).unwrap().data;
    let properties = ExecutionProps::new();
    let context = PhysicalPlanningContext::default();
    let physical = create_physical_expr(&bound, &schema, &properties, &context).unwrap();
    physical.evaluate(&batch).unwrap().into_array(batch.num_rows()).unwrap()
}

fn refs(elements: &[Option<(u16, u64)>]) -> ArrayRef {
    let refs = elements.iter().map(|it| it.map(|(table, at)| ElementRef::new(table, at).0));
    Arc::new(refs.collect::<UInt64Array>())
}

fn texts(values: &ArrayRef) -> Vec<Option<String>> {
    values.as_string_view().iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn properties_of_one_and_of_several_tables() {
    let graph = graph();
    let name =
        || GraphFunctionKind::Property { name: "name".into(), ty: PgType::Text, edge: false };
    let all = call(&graph, name(), refs(&[Some((0, 0)), Some((0, 1)), Some((0, 2))]));
    assert_eq!(texts(&all), [Some("ann \"a\"".into()), Some("bob".into()), Some("cy".into())]);
    let mixed = call(&graph, name(), refs(&[Some((1, 0)), None, Some((0, 2)), Some((1, 1))]));
    assert_eq!(texts(&mixed), [Some("Oslo".into()), None, Some("cy".into()), None]);
    let age = GraphFunctionKind::Property { name: "age".into(), ty: PgType::Int4, edge: false };
    let ages = call(&graph, age, refs(&[Some((1, 0)), Some((0, 2)), None]));
    assert_eq!(ages.data_type(), &DataType::Int32);
    assert_eq!((ages.is_null(0), ages.is_valid(1), ages.is_null(2)), (true, true, true));
}

#[test]
fn elements_as_json() {
    let graph = graph();
    let nodes = call(
        &graph,
        GraphFunctionKind::ElementJson { edge: false },
        refs(&[Some((0, 0)), Some((1, 1)), None, Some((0, 1)), Some((0, 2))]),
    );
    assert_eq!(
        texts(&nodes),
        [
            Some(concat!(
                r#"{"~id":"person:ann \"a\"","~entityType":"node","~labels":["person","Being"],"#,
                r#""~properties":{"name":"ann \"a\"","age":3,"height":1.0,"born":"1970-01-01","#,
                r#""seen":"1970-01-01T01:01:01","nice":true,"left":"P1Y2M10DT2H30M"}}"#
            ).to_owned()),
            Some(r#"{"~id":"city:[\"no\",2]","~entityType":"node","~labels":["city"],"~properties":{}}"#.to_owned()),
            None,
            Some(concat!(
                r#"{"~id":"person:bob","~entityType":"node","~labels":["person","Being"],"#,
                r#""~properties":{"name":"bob","height":"NaN","nice":false,"left":"PT0S"}}"#
            ).to_owned()),
            Some(concat!(
                r#"{"~id":"person:cy","~entityType":"node","~labels":["person","Being"],"#,
                r#""~properties":{"name":"cy","age":5,"height":1e-300,"#,
                r#""seen":"1970-01-01T00:01:00.25","nice":true,"left":"PT-1.5S"}}"#
            ).to_owned()),
        ]
    );
    let edges = call(
        &graph,
        GraphFunctionKind::ElementJson { edge: true },
        refs(&[Some((0, 0)), Some((0, 1))]),
    );
    assert_eq!(
        texts(&edges)[0].as_deref(),
        Some(concat!(
            r#"{"~id":"lives:10","~entityType":"relationship","~start":"person:bob","#,
            r#""~end":"city:[\"no\",2]","~type":"lives","~properties":{}}"#
        ))
    );
}

#[test]
fn labels_keys_identifiers_and_ends() {
    let graph = graph();
    let some = || refs(&[Some((0, 1)), None, Some((1, 0))]);
    let labels = call(&graph, GraphFunctionKind::Labels { edge: false }, some());
    let first = labels.as_list::<i32>().value(0);
    assert_eq!(texts(&first), [Some("person".into()), Some("Being".into())]);
    assert!(labels.is_null(1));
    let being = GraphFunctionKind::HasLabel { label: "Being".into(), edge: false };
    let has = call(&graph, being, some());
    assert_eq!(has.as_boolean().iter().collect::<Vec<_>>(), [Some(true), None, Some(false)]);
    let keys = call(&graph, GraphFunctionKind::Keys { edge: false }, some());
    let first = keys.as_list::<i32>().value(0);
    assert_eq!(
        texts(&first).into_iter().flatten().collect::<Vec<_>>(),
        ["name", "height", "nice", "left"]
    );
    let ids = call(&graph, GraphFunctionKind::ElementId { edge: false }, some());
    assert_eq!(texts(&ids), [Some("person:bob".into()), None, Some("city:[\"no\",1]".into())]);
    let types = call(&graph, GraphFunctionKind::Labels { edge: true }, refs(&[None, Some((0, 1))]));
    assert_eq!(texts(&types), [None, Some("lives".into())]);
    for (end, expected) in [(false, (0, 2)), (true, (1, 0))] {
        let kind = GraphFunctionKind::EndPoint { end };
        let ends = call(&graph, kind, refs(&[Some((0, 1)), None]));
        let expected = ElementRef::new(expected.0, expected.1).0;
        let ends = ends.as_primitive::<arrow::datatypes::UInt64Type>();
        assert_eq!(ends.iter().collect::<Vec<_>>(), [Some(expected), None]);
    }
}
