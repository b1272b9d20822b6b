//! From rows that have a key to the vertices with that key.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Builder, RecordBatch, StringViewBuilder, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use futures::FutureExt;

use super::append::append;
use super::checks::Checks;
use super::graph_exec::{GraphOperator, Names, Progress, SliceContext, Slicer, Starting};
use crate::error::PgError;
use crate::executor::graph::{GraphSnapshot, Guards, Masks};
use crate::functions::cypher::{Value, codec};
use crate::storage::table::EncodedKeys;
use crate::types::ElementRef;

/// Adds the vertices of some tables whose columns equal values of the row, found by the tables' key indexes.
///
/// ```text
/// in   [n]  …
/// out  [m]  …, vertex: UInt64      all vertices for each row, in the order of rows for each table
/// ```
///
/// An index of the columns is built chunk by chunk where there is none, and kept as others are: as long as there is room
/// for it.
#[derive(Debug)]
pub struct VertexLookup {
    /// The graph.
    pub graph: Arc<GraphSnapshot>,
    /// Which of its vertices there are.
    pub guards: Arc<Guards>,
    /// Where vertices are looked for.
    pub tables: Vec<LookupTable>,
    /// Conditions on output rows. Whatever makes two values equal is among them: a key only finds.
    pub checks: Checks,
}

/// A table, and which of its columns must equal which values.
#[derive(Debug, Clone)]
pub struct LookupTable {
    /// Index in the graph's vertex tables.
    pub table: u16,
    /// Columns of the table.
    pub columns: Vec<usize>,
    /// Their values, side by side with `columns`.
    pub values: Vec<LookupValue>,
}

/// A value that is computed of an input row.
#[derive(Debug, Clone)]
pub struct LookupValue {
    /// The value, over the input's columns.
    pub value: Arc<dyn PhysicalExpr>,
    /// Whether it is in the form of ANY.
    pub any: bool,
}

impl LookupValue {
    /// Whether values of `from` can be looked up in a column of type `column`.
    pub fn can_find(from: &DataType, any: bool, column: &DataType) -> bool {
        match column {
            DataType::Int16 | DataType::Int32 | DataType::Int64 => any || from.is_integer(),
            DataType::Utf8View => any || from.is_string(),
            DataType::Date32 | DataType::Boolean | DataType::FixedSizeBinary(_) => {
                !any && from == column
            }
            _ => false,
        }
    }

    /// The values for some rows as a column's type; null where a value equals none of that type.
    fn evaluate(&self, input: &RecordBatch, ty: &DataType) -> Result<ArrayRef> {
        let values = self.value.evaluate(input)?.into_array(input.num_rows())?;
        if !self.any {
            // Casts of this kind give null for what the type has no value for.
            return Ok(if values.data_type() == ty { values } else { cast(&values, ty)? });
        }
        let coded = values.as_binary_view_opt().ok_or_else(|| {
            PgError::internal(format!("{} is no column of ANY", values.data_type()))
        })?;
        let decoded = coded.iter().map(|bytes| bytes.and_then(codec::decode));
        if ty.is_string() {
            let mut builder = StringViewBuilder::with_capacity(coded.len());
            for value in decoded {
                match value {
                    Some(Value::String(text)) => builder.append_value(text),
                    _ => builder.append_null(),
                }
            }
            return Ok(Arc::new(builder.finish()));
        }
        let mut builder = Int64Builder::with_capacity(coded.len());
        for value in decoded {
            builder.append_option(value.as_ref().and_then(whole_number));
        }
        let numbers: ArrayRef = Arc::new(builder.finish());
        Ok(if ty == &DataType::Int64 { numbers } else { cast(&numbers, ty)? })
    }
}

/// The integer that a number equals.
fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 9.3e18 => {
            let whole = *number as i64;
            (whole as f64 == *number).then_some(whole)
        }
        _ => None,
    }
}

impl GraphOperator for VertexLookup {
    fn name(&self) -> &'static str {
        "VertexLookupExec"
    }

    fn describe(&self, names: &Names<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, table) in self.tables.iter().enumerate() {
            let element = self.graph.graph.vertices.get(usize::from(table.table));
            let version = self.graph.version(false, table.table).map_err(|_| fmt::Error)?;
            let alias = element.map_or("?", |element| element.alias.as_str());
            write!(f, "{}{alias} by", if at == 0 { "" } else { "; " })?;
            for (column, value) in table.columns.iter().zip(&table.values) {
                write!(f, " {} = {}", version.schema.field(*column).name(), value.value)?;
            }
        }
        self.checks.describe(names, f)
    }

    fn expressions(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        let values = self.tables.iter().flat_map(|table| &table.values);
        values.map(|value| &value.value).chain(&self.checks.predicates).collect()
    }

    fn guards(&self) -> Option<&Arc<Guards>> {
        Some(&self.guards)
    }

    #[expect(private_interfaces, reason = "only graph_exec calls it")]
    fn start(&self, context: SliceContext) -> Starting {
        let SliceContext { schema, batch_rows, task, .. } = context;
        let (graph, guards) = (Arc::clone(&self.graph), Arc::clone(&self.guards));
        let (tables, checks) = (self.tables.clone(), self.checks.clone());
        async move {
            let numbers: Vec<u16> = tables.iter().map(|table| table.table).collect();
            let masks = Masks::of_vertices(&guards, numbers, &task).await?;
            let work = None;
            let slicer = LookupSlicer { schema, graph, tables, checks, masks, batch_rows, work };
            Ok(Box::new(slicer) as Box<dyn Slicer>)
        }
        .boxed()
    }

    fn input_columns(&self, needed: &[usize]) -> Option<Vec<usize>> {
        let mut columns = needed.to_vec();
        self.checks.add_columns(&mut columns);
        for value in self.tables.iter().flat_map(|table| &table.values) {
            columns.extend(collect_columns(&value.value).iter().map(|column| column.index()));
        }
        Some(columns)
    }
}

struct LookupSlicer {
    schema: SchemaRef,
    graph: Arc<GraphSnapshot>,
    tables: Vec<LookupTable>,
    checks: Checks,
    masks: Masks,
    batch_rows: usize,
    work: Option<Work>,
}

/// An input batch, and how far it is done.
struct Work {
    input: RecordBatch,
    table: usize,
    row: usize,
    /// The keys of all rows for the table.
    keys: Option<EncodedKeys>,
}

impl Slicer for LookupSlicer {
    fn start(&mut self, input: RecordBatch) -> Result<()> {
        self.work = Some(Work { input, table: 0, row: 0, keys: None });
        Ok(())
    }

    fn next(&mut self) -> Result<Progress> {
        let Some(mut work) = self.work.take() else { return Ok(Progress::Done) };
        let Some(table) = self.tables.get(work.table) else { return Ok(Progress::Done) };
        let version = self.graph.version(false, table.table)?;
        let keys = match work.keys.take() {
            Some(keys) => keys,
            None => keys_of(table, &version.schema, &work.input)?,
        };
        let probe = version.probe(&table.columns, &keys)?;
        let (mut rows, mut found) = (Vec::new(), Vec::new());
        while work.row < work.input.num_rows() && found.len() < self.batch_rows {
            if let Some(key) = keys.get(work.row) {
                probe.find(key, |position, _| {
                    let vertex = ElementRef::new(table.table, position);
                    if self.masks.shows(vertex) {
                        rows.push(work.row as u32);
                        found.push(vertex.0);
                    }
                })?;
            }
            work.row += 1;
        }
        let found: ArrayRef = Arc::new(UInt64Array::from(found));
        let batch = append(&self.schema, &work.input, rows, [found])?;
        work.keys = Some(keys);
        if work.row == work.input.num_rows() {
            work = Work { table: work.table + 1, row: 0, keys: None, ..work };
        }
        self.work = Some(work);
        let batch = self.checks.apply(batch)?;
        Ok(if batch.num_rows() == 0 { Progress::Pause } else { Progress::Batch(batch) })
    }
}

fn keys_of(table: &LookupTable, schema: &SchemaRef, input: &RecordBatch) -> Result<EncodedKeys> {
    let mut fields = Vec::with_capacity(table.columns.len());
    let mut columns = Vec::with_capacity(table.columns.len());
    for (column, value) in table.columns.iter().zip(&table.values) {
        let ty = schema.field(*column).data_type();
        fields.push(Field::new(format!("k{column}"), ty.clone(), true));
        columns.push(value.evaluate(input, ty)?);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    Ok(EncodedKeys::encode(&batch, &(0..batch.num_columns()).collect::<Vec<_>>())?)
}
