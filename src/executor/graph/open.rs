//! Elements of open graphs: properties in columns and overflow, numbers, and references across writes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringViewBuilder, UInt64Array, new_null_array,
};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, UInt64Type};
use datafusion::common::{HashMap, Result};
use parking_lot::Mutex;

use super::snapshot::GraphSnapshot;
use super::values::{as_type, by_table, refuse_deleted};
use super::write::pg_column;
use crate::catalog::{PropertyDef, PropertyGraph, PropertySource, stored_type};
use crate::error::{PgError, SqlState};
use crate::functions::cypher::json::write_json;
use crate::functions::cypher::references::replace_references;
use crate::functions::cypher::{CypherType, Value, arrays, codec};
use crate::types::pg_type::PgType;
use crate::types::{ElementRef, RowId};

/// Where elements went that a statement moved to another partition, by their references as writes leave them: table and
/// id of the row.
#[derive(Debug, Default)]
pub struct Moved(Mutex<HashMap<(bool, u64), u64>>);

impl Moved {
    /// Notes that an element is elsewhere now.
    pub fn note(&self, edge: bool, from: ElementRef, to: ElementRef) {
        self.0.lock().insert((edge, from.0), to.0);
    }

    /// Where an element is now.
    pub fn follow(&self, edge: bool, mut reference: u64) -> ElementRef {
        let moved = self.0.lock();
        // An element may move and come back: each step is newer than the one before, so the way ends.
        let mut steps = moved.len();
        while let Some(next) = moved.get(&(edge, reference)).filter(|_| steps > 0) {
            reference = *next;
            steps -= 1;
        }
        ElementRef(reference)
    }

    /// Forgets where an element went that is at this place again.
    pub fn settle(&self, edge: bool, at: ElementRef) {
        self.0.lock().remove(&(edge, at.0));
    }
}

/// One property of some rows of a partition.
pub(crate) struct OpenColumn {
    name: String,
    /// Values of the property's own type.
    values: ArrayRef,
    ty: CypherType,
    property: PgType,
    /// Whether `values` are in the form of ANY.
    coded: bool,
    /// Maps of values of other types.
    more: Option<ArrayRef>,
}

impl OpenColumn {
    /// A property of rows that are at hand; `None` if they are older than its column, and so have no value of it.
    pub(crate) fn of_rows(edge: bool, property: &PropertyDef, rows: &RecordBatch) -> Option<Self> {
        let PropertySource::Open { column, mixed: _ } = property.source else { return None };
        let more = rows.columns().get(PropertyGraph::overflow_column(edge)).cloned();
        Some(Self {
            name: property.name.clone(),
            values: rows.columns().get(column).cloned()?,
            ty: CypherType::of_open(&property.ty),
            coded: stored_type(&property.ty) == PgType::Bytea,
            property: property.ty.clone(),
            more: more.filter(|more| more.null_count() < more.len()),
        })
    }

    /// The property's value in a row.
    pub(crate) fn value(&self, row: usize) -> Result<Value> {
        if let Some(more) = &self.more
            && let Some(value) = overflow(more, row, &self.name)?
        {
            return Ok(value);
        }
        let ty = if self.coded { &CypherType::Any } else { &self.ty };
        arrays::read(&self.values, ty, row)
    }

    /// All values as a type.
    fn as_cypher(&self, ty: &CypherType) -> Result<ArrayRef> {
        let same = self.more.is_none() && self.ty == *ty;
        if same && self.values.data_type() == &ty.arrow() {
            return Ok(Arc::clone(&self.values));
        }
        if same && !self.coded {
            return as_type(Arc::clone(&self.values), &ty.arrow());
        }
        let mut values = Vec::with_capacity(self.values.len());
        for row in 0..self.values.len() {
            let value = self.value(row)?;
            if !fits(&value, ty) {
                return Err(PgError::new(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    format!("property \"{}\" has a value that is not of type {ty}", self.name),
                )
                .detail("The types of properties changed since the statement was prepared.")
                .hint("Prepare it again.")
                .into());
            }
            values.push(value);
        }
        arrays::build(&values, ty)
    }

    /// All values in the property's PostgreSQL type.
    pub(super) fn native(&self) -> Result<ArrayRef> {
        if self.more.is_none() && !self.coded {
            return Ok(Arc::clone(&self.values));
        }
        let values =
            (0..self.values.len()).map(|row| self.value(row)).collect::<Result<Vec<_>>>()?;
        pg_column(&values, &self.property)
    }

    /// All values as a client sees them: of a PostgreSQL type, or as JSON.
    pub(super) fn shown(&self) -> Result<(PgType, ArrayRef)> {
        if self.more.is_none() && !self.coded {
            return Ok((self.property.clone(), Arc::clone(&self.values)));
        }
        let mut builder = StringViewBuilder::with_capacity(self.values.len());
        let mut text = String::new();
        for row in 0..self.values.len() {
            let value = self.value(row)?;
            text.clear();
            write_json(&value, &mut text);
            builder.append_option((!value.is_null()).then_some(text.as_str()));
        }
        Ok((PgType::Jsonb, Arc::new(builder.finish())))
    }
}

/// Whether a value may stand in a column of a type.
pub(super) fn fits(value: &Value, ty: &CypherType) -> bool {
    match (value, ty) {
        (Value::Null, _) | (_, CypherType::Any) => true,
        (Value::List(items), CypherType::List(element)) => {
            items.iter().all(|item| fits(item, element))
        }
        (value, ty) => value.static_type() == *ty,
    }
}

/// What a row's overflow map has for a property.
fn overflow(more: &ArrayRef, row: usize, name: &str) -> Result<Option<Value>> {
    let entries = overflow_entries(more, row)?;
    Ok(entries.into_iter().find(|(key, _)| key == name).map(|(_, value)| value))
}

/// A row's overflow map.
pub(super) fn overflow_entries(more: &ArrayRef, row: usize) -> Result<Vec<(String, Value)>> {
    let damaged = || PgError::new(SqlState::DATA_CORRUPTED, "an overflow map has a wrong form");
    let bytes = more.as_binary_view_opt().ok_or_else(damaged)?;
    if bytes.is_null(row) {
        return Ok(Vec::new());
    }
    match codec::decode(bytes.value(row)) {
        Some(Value::Map(entries)) => Ok(entries),
        _ => Err(damaged().into()),
    }
}

impl GraphSnapshot {
    /// A property of rows of a partition.
    pub(super) fn open_column(
        &self,
        edge: bool,
        table: u16,
        property: &PropertyDef,
        positions: &[u64],
    ) -> Result<OpenColumn> {
        let version = self.version(edge, table)?;
        let PropertySource::Open { column, mixed } = property.source else {
            return Err(PgError::internal("a column of a typed graph in an open one").into());
        };
        let more = match mixed {
            true => Some(version.gather(PropertyGraph::overflow_column(edge), positions)?),
            false => None,
        };
        Ok(OpenColumn {
            name: property.name.clone(),
            values: version.gather(column, positions)?,
            ty: CypherType::of_open(&property.ty),
            coded: stored_type(&property.ty) == PgType::Bytea,
            property: property.ty.clone(),
            more,
        })
    }

    /// A property of elements of an open graph, as `ty`; null where it has none.
    pub(super) fn open_property(
        &self,
        edge: bool,
        name: &str,
        ty: &CypherType,
        refs: &UInt64Array,
    ) -> Result<ArrayRef> {
        refuse_deleted(edge, refs)?;
        let arrow = ty.arrow();
        let groups = by_table(refs);
        if let [only] = groups.as_slice()
            && only.rows.len() == refs.len()
        {
            return match self.element(edge, only.table)?.property(name) {
                Some(property) => {
                    self.open_column(edge, only.table, property, &only.positions)?.as_cypher(ty)
                }
                None => Ok(new_null_array(&arrow, refs.len())),
            };
        }
        // Source 0 is the null that all other rows take.
        let mut sources = vec![new_null_array(&arrow, 1)];
        let mut places = vec![(0, 0); refs.len()];
        for group in groups {
            let Some(property) = self.element(edge, group.table)?.property(name) else { continue };
            let values =
                self.open_column(edge, group.table, property, &group.positions)?.as_cypher(ty)?;
            for (at, row) in group.rows.iter().enumerate() {
                places[*row] = (sources.len(), at);
            }
            sources.push(values);
        }
        let sources: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
        Ok(interleave(&sources, &places)?)
    }

    /// All properties of each element of an open graph, as ANY.
    pub(super) fn property_maps(&self, edge: bool, refs: &UInt64Array) -> Result<ArrayRef> {
        refuse_deleted(edge, refs)?;
        let mut maps = vec![Value::Null; refs.len()];
        for group in by_table(refs) {
            let element = self.element(edge, group.table)?;
            let mut columns = Vec::new();
            for property in element.properties() {
                columns.push(self.open_column(edge, group.table, property, &group.positions)?);
            }
            for (at, row) in group.rows.iter().enumerate() {
                let mut entries = Vec::new();
                for column in &columns {
                    let value = column.value(at)?;
                    if !value.is_null() {
                        entries.push((column.name.clone(), value));
                    }
                }
                maps[*row] = Value::map(entries);
            }
        }
        arrays::build(&maps, &CypherType::Any)
    }

    /// The numbers of elements of an open graph.
    pub(crate) fn numbers(&self, edge: bool, refs: &UInt64Array) -> Result<ArrayRef> {
        let mut sources = vec![new_null_array(&DataType::Int64, 1)];
        let mut places = vec![(0, 0); refs.len()];
        for group in by_table(refs) {
            let numbers = self.version(edge, group.table)?.gather(0, &group.positions)?;
            for (at, row) in group.rows.iter().enumerate() {
                places[*row] = (sources.len(), at);
            }
            sources.push(numbers);
        }
        let sources: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
        Ok(interleave(&sources, &places)?)
    }

    /// References of elements as a write left them, as references into this snapshot.
    pub(super) fn attach(&self, ty: &CypherType, column: &ArrayRef) -> Result<ArrayRef> {
        replace_references(ty, column, &|edge, reference| self.find(edge, reference).map(|it| it.0))
    }

    /// An element by table and id of its row.
    pub(crate) fn find(&self, edge: bool, reference: u64) -> Result<ElementRef> {
        let element = self.moved.follow(edge, reference);
        if element.is_deleted() {
            return Ok(element);
        }
        let version = self.version(edge, element.table())?;
        let found = version.find_row(RowId(element.row()))?;
        Ok(match found {
            Some((chunk, offset))
                if version.chunks().get(chunk).is_some_and(|chunk| chunk.is_live(offset)) =>
            {
                let start = version.chunk_starts().get(chunk).copied().unwrap_or(0);
                ElementRef::new(element.table(), start + offset as u64)
            }
            _ => ElementRef::deleted(element.table(), element.row()),
        })
    }

    /// References into this snapshot by table and id of the row, as [`Self::attach`] takes them.
    pub(crate) fn detach(&self, ty: &CypherType, column: &ArrayRef) -> Result<ArrayRef> {
        replace_references(ty, column, &|edge, reference| {
            self.row_of(edge, ElementRef(reference)).map(|it| it.0)
        })
    }

    /// An element's table and the id of its row.
    pub(crate) fn row_of(&self, edge: bool, element: ElementRef) -> Result<ElementRef> {
        if element.is_deleted() {
            return Ok(element);
        }
        let version = self.version(edge, element.table())?;
        let (chunk, offset) = version.locate(element.position());
        let row = version.chunks().get(chunk).map(|chunk| chunk.row_id(offset)).transpose()?;
        let row = row.ok_or_else(|| PgError::internal("a reference to no row"))?;
        Ok(ElementRef::new(element.table(), row.0))
    }
}

/// A column of references.
pub(crate) fn refs_of(column: &ArrayRef) -> Result<&UInt64Array> {
    Ok(column.as_primitive_opt::<UInt64Type>().ok_or_else(|| {
        PgError::internal(format!("elements are stored as {}", column.data_type()))
    })?)
}
