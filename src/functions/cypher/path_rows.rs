//! The elements of paths as a list to be unnested.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StructArray, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields, UInt64Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// What the elements of the list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathRowsOf {
    /// `{vertex, number}`.
    Vertices,
    /// `{from, edge, to, number}`; one with neither edge nor end for a path of one vertex.
    Steps,
}

/// The elements of one or more paths (`Struct{vertices, edges}`), path after path, numbered from 1 in each.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct PathRows {
    of: PathRowsOf,
    signature: Signature,
}

impl PathRows {
    /// The list of the elements of some paths.
    pub fn call(of: PathRowsOf, paths: Vec<Expr>) -> Expr {
        let signature = Signature::any(paths.len(), Volatility::Immutable);
        ScalarUDF::new_from_impl(Self { of, signature }).call(paths)
    }

    fn fields(&self) -> Fields {
        let element = |name: &str| Field::new(name, DataType::UInt64, true);
        let mut fields = match self.of {
            PathRowsOf::Vertices => vec![element("vertex")],
            PathRowsOf::Steps => vec![element("from"), element("edge"), element("to")],
        };
        fields.push(Field::new("number", DataType::Int64, true));
        fields.into()
    }

    fn item(&self) -> Arc<Field> {
        Arc::new(Field::new("item", DataType::Struct(self.fields()), true))
    }
}

/// Rows of the list so far.
#[derive(Default)]
struct Rows {
    columns: [Vec<Option<u64>>; 3],
    numbers: Vec<i64>,
}

impl Rows {
    fn push(&mut self, of: PathRowsOf, vertices: &[u64], edges: &[u64]) {
        match of {
            PathRowsOf::Vertices => {
                for (vertex, number) in vertices.iter().zip(1..) {
                    self.columns[0].push(Some(*vertex));
                    self.numbers.push(number);
                }
            }
            PathRowsOf::Steps => {
                for (at, from) in vertices.iter().enumerate() {
                    if at < edges.len() || vertices.len() == 1 {
                        self.columns[0].push(Some(*from));
                        self.columns[1].push(edges.get(at).copied());
                        self.columns[2].push(vertices.get(at + 1).copied());
                        self.numbers.push(at as i64 + 1);
                    }
                }
            }
        }
    }
}

fn wrong() -> DataFusionError {
    DataFusionError::Internal("a path has lists of vertices and edges".to_owned())
}

fn list_at(path: &ArrayRef, name: &str, row: usize) -> Result<Vec<u64>> {
    let list = path.as_struct_opt().and_then(|path| path.column_by_name(name));
    let list = list.and_then(|list| list.as_list_opt::<i32>()).ok_or_else(wrong)?.value(row);
    Ok(list.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?.values().to_vec())
}

impl ScalarUDFImpl for PathRows {
    fn name(&self) -> &str {
        match self.of {
            PathRowsOf::Vertices => "path_vertices",
            PathRowsOf::Steps => "path_steps",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(self.item()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let paths =
            arguments.args.iter().map(|path| path.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let mut found = Rows::default();
        let mut lengths = Vec::with_capacity(rows);
        for row in 0..rows {
            let before = found.numbers.len();
            for path in paths.iter().filter(|path| path.is_valid(row)) {
                let (vertices, edges) =
                    (list_at(path, "vertices", row)?, list_at(path, "edges", row)?);
                found.push(self.of, &vertices, &edges);
            }
            lengths.push(found.numbers.len() - before);
        }
        let used = self.fields().len() - 1;
        let mut columns: Vec<ArrayRef> = found
            .columns
            .into_iter()
            .take(used)
            .map(|values| Arc::new(UInt64Array::from(values)) as ArrayRef)
            .collect();
        columns.push(Arc::new(Int64Array::from(found.numbers)));
        let elements = Arc::new(StructArray::try_new(self.fields(), columns, None)?);
        let offsets = OffsetBuffer::from_lengths(lengths);
        let list = ListArray::try_new(self.item(), offsets, elements, None)?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}
