//! Rows of the tables of a typed graph.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use datafusion::common::Result;

use super::Writer;
use super::create::Ends;
use super::input::Input;
use super::set::{Edit, rows_of};
use crate::catalog::{ElementTable, EndPoint, PropertySource, Relation};
use crate::error::{PgError, SqlState};
use crate::executor::graph::open::refs_of;
use crate::executor::graph::values::as_type;
use crate::functions::cypher::json::write_json;
use crate::functions::cypher::{CypherType, Value, arrays};
use crate::planner::node::{NewEdge, RowEvent, TypedRow};
use crate::types::input_column::InputColumn;
use crate::types::pg_type::PgType;
use crate::types::{ElementRef, InputSettings, RowId};

impl Writer {
    pub(super) async fn insert_typed_vertices(
        &mut self,
        input: &Input,
        row: &TypedRow,
    ) -> Result<UInt64Array> {
        let columns = typed_columns(input, row)?;
        self.insert_typed(row, columns, input.len()).await
    }

    async fn insert_typed(
        &mut self,
        row: &TypedRow,
        columns: Vec<Option<ArrayRef>>,
        rows: usize,
    ) -> Result<UInt64Array> {
        let schema = schema_of(&row.relation)?;
        let columns = columns.into_iter().zip(schema.fields().iter()).map(|(column, field)| {
            column.unwrap_or_else(|| arrow::array::new_null_array(field.data_type(), rows))
        });
        let nullable: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect();
        let arriving = Arc::new(arrow::datatypes::Schema::new(nullable));
        let batch = RecordBatch::try_new(arriving, columns.collect())?;
        let ids = self.target.insert_numbered(&row.relation, batch).await?;
        self.written.note(row.relation.oid, RowEvent::Inserted, &ids);
        self.renew()?;
        Ok(UInt64Array::from_iter_values(ids.iter().map(|id| ElementRef::new(row.table, id.0).0)))
    }

    pub(super) async fn insert_typed_edges(
        &mut self,
        input: &Input,
        edge: &NewEdge,
        ends: Ends<'_>,
    ) -> Result<UInt64Array> {
        let mut fitting = None;
        for row in &edge.rows {
            let table = self.graph.edge_table(row.table)?;
            let joins = (table.source.vertex, table.destination.vertex);
            if joins == (usize::from(ends.from), usize::from(ends.to)) {
                fitting = Some((row, table.clone()));
                break;
            }
        }
        let Some((row, table)) = fitting else {
            let (from, to) =
                (self.graph.element(false, ends.from)?, self.graph.element(false, ends.to)?);
            return Err(PgError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!(
                    "no edge table of type \"{}\" joins \"{}\" with \"{}\"",
                    edge.label, from.alias, to.alias
                ),
            )
            .into());
        };
        let mut columns = typed_columns(input, row)?;
        let schema = schema_of(&row.relation)?;
        for (end, vertices) in
            [(&table.source, ends.source), (&table.destination, ends.destination)]
        {
            for (column, values) in self.end_values(end, vertices)? {
                if let Some(slot) = columns.get_mut(column) {
                    *slot = Some(as_type(values, schema.field(column).data_type())?);
                }
            }
        }
        self.insert_typed(row, columns, input.len()).await
    }

    /// The columns of an edge that say which vertices it has at one end.
    fn end_values(&self, end: &EndPoint, vertices: &ArrayRef) -> Result<Vec<(usize, ArrayRef)>> {
        let refs = refs_of(vertices)?;
        let mut positions = Vec::with_capacity(refs.len());
        for vertex in refs.iter().flatten() {
            positions.push(self.graph.find(false, vertex)?.position());
        }
        let version = self.graph.version(false, end.vertex as u16)?;
        let columns = end.edge_columns.iter().zip(&end.vertex_columns);
        columns.map(|(edge, vertex)| Ok((*edge, version.gather(*vertex, &positions)?))).collect()
    }

    pub(super) async fn edit_typed(
        &mut self,
        edge: bool,
        table: u16,
        edits: &[(ElementRef, Edit)],
    ) -> Result<()> {
        let element = self.graph.element(edge, table)?;
        let relation = self.relation(element.relation)?;
        let stored = relation.table().ok_or_else(|| PgError::internal("no table"))?;
        for name in edits.iter().flat_map(|(_, edit)| edit.set.keys()) {
            check_writable(element, name)?;
        }
        let ids: Vec<RowId> = edits.iter().map(|(element, _)| RowId(element.row())).collect();
        let old = rows_of(self.graph.version(edge, table)?, &ids)?;
        let mut columns = old.columns().to_vec();
        for property in element.properties() {
            let PropertySource::Column(column) = property.source else { continue };
            let places: Vec<(usize, usize)> = edits
                .iter()
                .enumerate()
                .map(|(row, (_, edit))| {
                    let changes = edit.clear || edit.set.contains_key(&property.name);
                    (usize::from(changes), row)
                })
                .collect();
            let Some(definition) = stored.columns.get(column) else { continue };
            if places.iter().all(|(which, _)| *which == 0) {
                continue;
            }
            let value = |edit: &Edit| edit.set.get(&property.name).cloned().unwrap_or(Value::Null);
            let values: Vec<Value> = edits.iter().map(|(_, edit)| value(edit)).collect();
            let new = pg_column(&values, &definition.ty)?;
            if let Some(slot) = columns.get_mut(column) {
                let new = as_type(new, slot.data_type())?;
                *slot = arrow::compute::interleave(&[slot.as_ref(), new.as_ref()], &places)?;
            }
        }
        let nullable: Vec<_> = stored
            .schema
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_nullable(true))
            .collect();
        let rows =
            RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(nullable)), columns)?;
        self.target.update(&relation, &ids, vec![rows]).await?;
        self.written.note(relation.oid, RowEvent::Updated, &ids);
        self.renew()
    }
}

fn schema_of(relation: &Relation) -> Result<arrow::datatypes::SchemaRef> {
    let table = relation.table().ok_or_else(|| PgError::internal("no table"))?;
    Ok(Arc::clone(&table.schema))
}

fn check_writable(element: &ElementTable, name: &str) -> Result<(), PgError> {
    match element.property(name).map(|property| &property.source) {
        Some(PropertySource::Column(_)) => Ok(()),
        Some(_) => Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("property \"{name}\" is computed and cannot be set"),
        )),
        None => Err(PgError::new(
            SqlState::UNDEFINED_COLUMN,
            format!("property \"{name}\" of \"{}\" does not exist", element.alias),
        )
        .hint("The properties of a typed graph are columns of its tables.")),
    }
}

/// The columns of a new row that the clause gives.
fn typed_columns(input: &Input, row: &TypedRow) -> Result<Vec<Option<ArrayRef>>> {
    let schema = schema_of(&row.relation)?;
    let declared = row.relation.columns();
    row.columns
        .iter()
        .zip(declared)
        .zip(schema.fields().iter())
        .map(|((column, declared), field)| {
            let Some(column) = column else { return Ok(None) };
            let values = input.column(&column.name)?;
            let same = column.ty == CypherType::Pg(declared.ty.clone())
                || (CypherType::of_property(&declared.ty) == column.ty
                    && values.data_type() == field.data_type());
            if same {
                return Ok(Some(as_type(Arc::clone(values), field.data_type())?));
            }
            let values = (0..values.len())
                .map(|at| arrays::read(values, &column.ty, at))
                .collect::<Result<Vec<_>>>()?;
            Ok(Some(as_type(pg_column(&values, &declared.ty)?, field.data_type())?))
        })
        .collect()
}

/// Cypher values as a column of a PostgreSQL type, by way of their text.
///
/// # Errors
/// `22P02` and its like for a value that is none of the type.
pub(in crate::executor::graph) fn pg_column(values: &[Value], ty: &PgType) -> Result<ArrayRef> {
    let mut column = InputColumn::new(ty, &InputSettings::default());
    for value in values {
        let text = pg_text(value, ty);
        column.push_text(text.as_deref().map(str::as_bytes)).map_err(PgError::from)?;
    }
    Ok(column.finish().map_err(PgError::from)?)
}

fn pg_text(value: &Value, ty: &PgType) -> Option<String> {
    if matches!(ty, PgType::Json | PgType::Jsonb) && !value.is_null() {
        let mut text = String::new();
        write_json(value, &mut text);
        return Some(text);
    }
    Some(match value {
        Value::Null => return None,
        Value::Boolean(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::String(text) | Value::Json(text) => text.clone(),
        Value::Temporal(temporal) => {
            let text = temporal.to_string();
            match text.split_once('[') {
                Some((instant, _)) => instant.to_owned(),
                None => text,
            }
        }
        Value::List(items) => {
            let element = match ty {
                PgType::Array(element) => element.as_ref(),
                other => other,
            };
            let items = items.iter().map(|item| match pg_text(item, element) {
                None => "NULL".to_owned(),
                Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            });
            format!("{{{}}}", items.collect::<Vec<_>>().join(","))
        }
        Value::Map(_) | Value::Element(_) | Value::Path { .. } => {
            let mut text = String::new();
            write_json(value, &mut text);
            text
        }
    })
}
