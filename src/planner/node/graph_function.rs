//! Functions on graph elements: properties, labels, ends, and how an element looks to a client.
//!
//! In a logical plan they know the graph's definition but no data, so calling one is an error; `executor` replaces each
//! with a function that reads the statement's snapshot.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::catalog::PropertyGraph;
use crate::functions::cypher::CypherType;
use crate::types::pg_type::PgType;

/// What a graph function computes. The argument is one `UInt64` element reference unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GraphFunctionKind {
    /// A property of a vertex (`edge == false`) or edge; null where its table has no such property.
    Property {
        /// Exact name of the property in the graph.
        name: String,
        /// Its type.
        ty: PgType,
        /// Which kind of element the argument is.
        edge: bool,
    },
    /// A property in an open graph, as the given type; where a value has another, `0A000` unless that is ANY.
    OpenProperty {
        /// Its name.
        name: String,
        /// What its values are expected to be.
        ty: CypherType,
        /// Which kind of element the argument is.
        edge: bool,
    },
    /// The number of an element of an open graph: Int64.
    Number {
        /// Which kind of element the argument is.
        edge: bool,
    },
    /// All properties of an element of an open graph: a map in the form of ANY.
    PropertyMap {
        /// Which kind of element the argument is.
        edge: bool,
    },
    /// Elements as a clause that writes leaves them, found again in what the statement sees now: any type that holds
    /// elements, and the same type.
    Attach {
        /// The type of the argument.
        ty: CypherType,
    },
    /// Labels of a vertex, or the one type of an edge (its first label): `List<Utf8View>` or `Utf8View`.
    Labels {
        /// Which kind of element the argument is.
        edge: bool,
    },
    /// Whether a vertex or edge has this label: boolean.
    HasLabel {
        /// Exact name.
        label: String,
        /// Which kind of element the argument is.
        edge: bool,
    },
    /// The element's opaque, stable identifier as text (`elementId`, `~id`): `Utf8View`.
    ElementId {
        /// Which kind of element the argument is.
        edge: bool,
    },
    /// All properties as a JSON object (jsonb text, WIRE.md §5): `Utf8View`.
    Properties {
        /// Which kind of element the argument is.
        edge: bool,
    },
    /// Names of the non-null properties: `List<Utf8View>`.
    Keys {
        /// Which kind of element the argument is.
        edge: bool,
    },
    /// The vertex an edge starts (`end == false`) or ends at: `UInt64` vertex reference.
    EndPoint {
        /// End rather than start.
        end: bool,
    },
    /// The element as jsonb text (WIRE.md §5): `Utf8View`.
    ElementJson {
        /// Which kind of element the argument is.
        edge: bool,
    },
    /// A path (`Struct{vertices, edges}`) as jsonb text (WIRE.md §5): `Utf8View`.
    PathJson,
}

/// A graph function over one graph; see [`GraphFunctionKind`].
#[derive(Debug, Clone)]
pub struct GraphFunction {
    /// The graph as bound.
    pub graph: Arc<PropertyGraph>,
    /// What to compute.
    pub kind: GraphFunctionKind,
    signature: Signature,
}

impl GraphFunction {
    /// The call of this function on `argument`.
    pub fn call(graph: &Arc<PropertyGraph>, kind: GraphFunctionKind, argument: Expr) -> Expr {
        let function = Self {
            graph: Arc::clone(graph),
            kind,
            signature: Signature::any(1, Volatility::Immutable),
        };
        ScalarUDF::new_from_impl(function).call(vec![argument])
    }

    /// The result as an Arrow field, with type metadata.
    pub fn result_field(&self) -> FieldRef {
        Arc::new(match &self.kind {
            GraphFunctionKind::Property { name, ty, .. } => ty.field(name, true),
            GraphFunctionKind::OpenProperty { name, ty, .. } => Field::new(name, ty.arrow(), true),
            GraphFunctionKind::Number { .. } => Field::new("id", DataType::Int64, true),
            GraphFunctionKind::PropertyMap { .. } => {
                Field::new("properties", DataType::BinaryView, true)
            }
            GraphFunctionKind::Attach { ty } => Field::new("element", ty.arrow(), true),
            GraphFunctionKind::Labels { edge: false } | GraphFunctionKind::Keys { .. } => {
                PgType::Array(Box::new(PgType::Text)).field("labels", true)
            }
            GraphFunctionKind::Labels { edge: true } | GraphFunctionKind::ElementId { .. } => {
                PgType::Text.field("text", true)
            }
            GraphFunctionKind::HasLabel { .. } => Field::new("has_label", DataType::Boolean, true),
            GraphFunctionKind::EndPoint { .. } => Field::new("vertex", DataType::UInt64, true),
            GraphFunctionKind::Properties { .. }
            | GraphFunctionKind::ElementJson { .. }
            | GraphFunctionKind::PathJson => PgType::Jsonb.field("json", true),
        })
    }
}

impl PartialEq for GraphFunction {
    fn eq(&self, other: &Self) -> bool {
        self.graph.oid == other.graph.oid && self.kind == other.kind
    }
}

impl Eq for GraphFunction {}

impl Hash for GraphFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.graph.oid.hash(state);
        self.kind.hash(state);
    }
}

impl ScalarUDFImpl for GraphFunction {
    fn name(&self) -> &str {
        match &self.kind {
            GraphFunctionKind::Property { name, .. }
            | GraphFunctionKind::OpenProperty { name, .. } => name,
            GraphFunctionKind::Number { .. } => "id",
            GraphFunctionKind::PropertyMap { .. } => "property_map",
            GraphFunctionKind::Attach { .. } => "attach",
            GraphFunctionKind::Labels { edge: false } => "labels",
            GraphFunctionKind::Labels { edge: true } => "type",
            GraphFunctionKind::HasLabel { .. } => "has_label",
            GraphFunctionKind::ElementId { .. } => "element_id",
            GraphFunctionKind::Properties { .. } => "properties",
            GraphFunctionKind::Keys { .. } => "keys",
            GraphFunctionKind::EndPoint { end: false } => "start_node",
            GraphFunctionKind::EndPoint { end: true } => "end_node",
            GraphFunctionKind::ElementJson { .. } => "element_json",
            GraphFunctionKind::PathJson => "path_json",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.result_field().data_type().clone())
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(self.result_field())
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::Internal(format!(
            "graph function {} was not bound to a snapshot",
            self.name()
        )))
    }
}
