//! Reading elements by reference: properties, labels, identifiers, ends.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, ListBuilder, StringViewArray, StringViewBuilder, UInt64Array,
    new_null_array,
};
use arrow::compute::{cast, interleave};
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::arrow::array::UInt64Builder;

use super::json::{Json, push_key_text, push_string};
use super::snapshot::GraphSnapshot;
use crate::catalog::{ElementTable, EndPoint, PropertyDef, PropertySource};
use crate::error::PgError;
use crate::storage::TableVersion;
use crate::types::ElementRef;
use crate::types::pg_type::PgType;

/// The rows of one element table among many references.
pub(super) struct TableRows {
    pub(super) table: u16,
    /// Where the references are.
    pub(super) rows: Vec<usize>,
    /// What they refer to, side by side with `rows`.
    pub(super) positions: Vec<u64>,
}

/// Sorts the references that are not null by element table, in order of first appearance.
pub(super) fn by_table(refs: &UInt64Array) -> Vec<TableRows> {
    let mut groups: Vec<TableRows> = Vec::new();
    let mut last = 0;
    for row in (0..refs.len()).filter(|row| refs.is_valid(*row)) {
        let element = ElementRef(refs.value(row));
        if element.is_deleted() {
            continue;
        }
        let table = element.table();
        if groups.get(last).is_none_or(|group| group.table != table) {
            last = groups.iter().position(|group| group.table == table).unwrap_or_else(|| {
                groups.push(TableRows { table, rows: Vec::new(), positions: Vec::new() });
                groups.len() - 1
            });
        }
        groups[last].rows.push(row);
        groups[last].positions.push(element.position());
    }
    groups
}

/// The table and first position, if the references are consecutive rows of one table.
fn consecutive(refs: &UInt64Array) -> Option<ElementRef> {
    if refs.null_count() > 0 {
        return None;
    }
    let first = *refs.values().first()?;
    let run = refs.values().iter().zip(first..).all(|(element, expected)| *element == expected);
    run.then_some(ElementRef(first))
}

impl GraphSnapshot {
    pub(super) fn element(&self, edge: bool, table: u16) -> Result<&ElementTable> {
        if edge {
            return Ok(&self.edge_table(table)?.element);
        }
        let element = self.graph.vertices.get(usize::from(table));
        Ok(element
            .ok_or_else(|| PgError::internal(format!("no vertex table {table} in the graph")))?)
    }

    /// One property of each element, as `ty`: null where the element is null or its table has no such property.
    pub(super) fn property(
        &self,
        edge: bool,
        name: &str,
        ty: &DataType,
        refs: &UInt64Array,
    ) -> Result<ArrayRef> {
        refuse_deleted(edge, refs)?;
        if let Some(values) = self.property_slice(edge, name, refs)? {
            return as_type(values, ty);
        }
        let groups = by_table(refs);
        if let [only] = groups.as_slice()
            && only.rows.len() == refs.len()
        {
            return match self.element(edge, only.table)?.property(name) {
                Some(property) => {
                    as_type(self.native(edge, only.table, property, &only.positions)?, ty)
                }
                None => Ok(new_null_array(ty, refs.len())),
            };
        }
        // Source 0 is the null that all other rows take.
        let mut sources = vec![new_null_array(ty, 1)];
        let mut places = vec![(0, 0); refs.len()];
        for group in groups {
            let Some(property) = self.element(edge, group.table)?.property(name) else { continue };
            let values = self.native(edge, group.table, property, &group.positions)?;
            for (at, row) in group.rows.iter().enumerate() {
                places[*row] = (sources.len(), at);
            }
            sources.push(as_type(values, ty)?);
        }
        let sources: Vec<&dyn Array> = sources.iter().map(AsRef::as_ref).collect();
        Ok(interleave(&sources, &places)?)
    }

    /// The fast way of a scan: consecutive rows of one chunk are a slice of its column.
    fn property_slice(
        &self,
        edge: bool,
        name: &str,
        refs: &UInt64Array,
    ) -> Result<Option<ArrayRef>> {
        let Some(first) = consecutive(refs) else { return Ok(None) };
        let Some(PropertyDef { source: PropertySource::Column(column), .. }) =
            self.element(edge, first.table())?.property(name)
        else {
            return Ok(None);
        };
        let version = self.version(edge, first.table())?;
        let (chunk, offset) = version.locate(first.position());
        let chunk = version.chunks().get(chunk);
        let chunk = chunk.filter(|chunk| offset + refs.len() <= chunk.len());
        Ok(chunk.map(|chunk| chunk.slice(*column, offset, refs.len())).transpose()?)
    }

    /// One property of a table at given positions, in its PostgreSQL type.
    fn native(
        &self,
        edge: bool,
        table: u16,
        property: &PropertyDef,
        positions: &[u64],
    ) -> Result<ArrayRef> {
        match property.source {
            PropertySource::Open { .. } => {
                self.open_column(edge, table, property, positions)?.native()
            }
            PropertySource::Column(_) | PropertySource::Expression(_) => {
                self.gather(edge, table, property, positions)
            }
        }
    }

    /// One property of a table at given positions.
    pub(super) fn gather(
        &self,
        edge: bool,
        table: u16,
        property: &PropertyDef,
        positions: &[u64],
    ) -> Result<ArrayRef> {
        let version = self.version(edge, table)?;
        match &property.source {
            PropertySource::Column(column) | PropertySource::Open { column, .. } => {
                Ok(version.gather(*column, positions)?)
            }
            PropertySource::Expression(text) => {
                let expression = self.expression(version.table, text)?;
                let rows = version.rows_at(positions)?;
                expression.evaluate(&rows)?.into_array(rows.num_rows())
            }
        }
    }

    /// The labels of each vertex.
    pub(super) fn labels(&self, refs: &UInt64Array) -> Result<ArrayRef> {
        refuse_deleted(false, refs)?;
        let mut lists = ListBuilder::new(StringViewBuilder::new());
        for element in refs {
            let Some(element) = element else {
                lists.append_null();
                continue;
            };
            for label in self.element(false, ElementRef(element).table())?.label_names() {
                lists.values().append_value(label);
            }
            lists.append(true);
        }
        Ok(Arc::new(lists.finish()))
    }

    /// The type (first label) of each edge.
    pub(super) fn edge_types(&self, refs: &UInt64Array) -> Result<ArrayRef> {
        let mut types = StringViewBuilder::with_capacity(refs.len());
        for element in refs {
            let label = match element {
                Some(element) => self.element(true, ElementRef(element).table())?.labels.first(),
                None => None,
            };
            types.append_option(label.map(|label| label.name.as_str()));
        }
        Ok(Arc::new(types.finish()))
    }

    /// Whether each element has a label.
    pub(super) fn has_label(
        &self,
        edge: bool,
        label: &str,
        refs: &UInt64Array,
    ) -> Result<ArrayRef> {
        refuse_deleted(edge, refs)?;
        let has =
            |element: u64| Ok(self.element(edge, ElementRef(element).table())?.has_label(label));
        let answers: Result<BooleanArray> =
            refs.iter().map(|element| element.map(has).transpose()).collect();
        Ok(Arc::new(answers?))
    }

    /// The vertex that each edge starts or ends at.
    pub(crate) fn end_points(&self, end: bool, refs: &UInt64Array) -> Result<UInt64Array> {
        refuse_deleted(true, refs)?;
        let mut places: Vec<Option<u64>> = vec![None; refs.len()];
        for group in by_table(refs) {
            let edge = self.edge_table(group.table)?;
            let ends = self.edge_ends(group.table)?;
            let point = if end { &edge.destination } else { &edge.source };
            for (row, position) in group.rows.iter().zip(&group.positions) {
                places[*row] = ends.ends(*position).map(|(from, to)| {
                    let vertex = if end { to } else { from };
                    ElementRef::new(point.vertex as u16, u64::from(vertex)).0
                });
            }
        }
        let mut builder = UInt64Builder::with_capacity(refs.len());
        builder.extend(places);
        Ok(builder.finish())
    }

    /// The identifier of each element: `alias:key`, or `alias:["k1","k2"]` for a key of several columns.
    pub(in crate::executor) fn element_ids(
        &self,
        edge: bool,
        refs: &UInt64Array,
    ) -> Result<Vec<Option<String>>> {
        let mut ids = vec![None; refs.len()];
        for group in by_table(refs) {
            let element = self.element(edge, group.table)?;
            let texts = key_ids(
                self.graph.open.is_some(),
                element,
                self.version(edge, group.table)?,
                &element.key,
                &group.positions,
            )?;
            for (row, text) in group.rows.iter().zip(texts) {
                ids[*row] = Some(text);
            }
        }
        Ok(ids)
    }

    /// The identifiers of the vertices that edges of one table start or end at.
    fn end_ids(
        &self,
        table: u16,
        point: &EndPoint,
        end: bool,
        positions: &[u64],
    ) -> Result<Vec<String>> {
        let element = self.element(false, point.vertex as u16)?;
        // Usually the edge holds the vertex's key itself.
        let own: Option<Vec<usize>> = element
            .key
            .iter()
            .map(|key| point.vertex_columns.iter().position(|column| column == key))
            .map(|at| at.and_then(|at| point.edge_columns.get(at)).copied())
            .collect();
        if let Some(columns) = own {
            return key_ids(
                self.graph.open.is_some(),
                element,
                self.version(true, table)?,
                &columns,
                positions,
            );
        }
        let refs = positions.iter().map(|position| ElementRef::new(table, *position).0);
        let vertices = self.end_points(end, &UInt64Array::from_iter_values(refs))?;
        let ids = self.element_ids(false, &vertices)?;
        Ok(ids.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// The non-null properties of each element: a JSON object, or the list of their names.
    pub(super) fn properties(&self, edge: bool, refs: &UInt64Array) -> Result<Vec<Option<String>>> {
        refuse_deleted(edge, refs)?;
        let mut objects = vec![None; refs.len()];
        for group in by_table(refs) {
            let texts = self.properties_of(edge, group.table, &group.positions)?;
            for (row, text) in group.rows.iter().zip(texts) {
                objects[*row] = Some(text);
            }
        }
        Ok(objects)
    }

    fn properties_of(&self, edge: bool, table: u16, positions: &[u64]) -> Result<Vec<String>> {
        let columns = self.property_columns(edge, table, positions)?;
        let columns = columns
            .iter()
            .map(|(name, ty, values)| Ok((name, Json::new(values.as_ref(), ty)?)))
            .collect::<Result<Vec<_>>>()?;
        let mut texts = Vec::with_capacity(positions.len());
        for row in 0..positions.len() {
            let mut text = String::from("{");
            for (name, values) in columns.iter().filter(|(_, values)| !values.is_null(row)) {
                if text.len() > 1 {
                    text.push(',');
                }
                push_string(&mut text, name);
                text.push(':');
                values.push(row, &mut text)?;
            }
            text.push('}');
            texts.push(text);
        }
        Ok(texts)
    }

    /// Every property of a table once, by name, at given positions.
    fn property_columns(
        &self,
        edge: bool,
        table: u16,
        positions: &[u64],
    ) -> Result<Vec<(String, PgType, ArrayRef)>> {
        let mut columns: Vec<(String, PgType, ArrayRef)> = Vec::new();
        for property in self.element(edge, table)?.labels.iter().flat_map(|label| &label.properties)
        {
            if columns.iter().any(|(name, _, _)| *name == property.name) {
                continue;
            }
            if let PropertySource::Open { .. } = property.source {
                let (ty, values) = self.open_column(edge, table, property, positions)?.shown()?;
                columns.push((property.name.clone(), ty, values));
                continue;
            }
            let values = self.gather(edge, table, property, positions)?;
            columns.push((property.name.clone(), property.ty.clone(), values));
        }
        Ok(columns)
    }

    /// Names of the non-null properties of each element.
    pub(super) fn keys(&self, edge: bool, refs: &UInt64Array) -> Result<ArrayRef> {
        refuse_deleted(edge, refs)?;
        let mut names: Vec<Option<Vec<String>>> = vec![None; refs.len()];
        for group in by_table(refs) {
            let columns = self.property_columns(edge, group.table, &group.positions)?;
            for (at, row) in group.rows.iter().enumerate() {
                let present = columns.iter().filter(|(_, _, values)| values.is_valid(at));
                names[*row] = Some(present.map(|(name, _, _)| name.clone()).collect());
            }
        }
        let mut lists = ListBuilder::new(StringViewBuilder::new());
        for names in names {
            let some = names.is_some();
            for name in names.iter().flatten() {
                lists.values().append_value(name);
            }
            lists.append(some);
        }
        Ok(Arc::new(lists.finish()))
    }

    /// Each element as a client sees it inside jsonb (`WIRE.md` §5).
    pub(super) fn element_json(
        &self,
        edge: bool,
        refs: &UInt64Array,
    ) -> Result<Vec<Option<String>>> {
        let mut objects = vec![None; refs.len()];
        for group in by_table(refs) {
            let element = self.element(edge, group.table)?;
            let ids = key_ids(
                self.graph.open.is_some(),
                element,
                self.version(edge, group.table)?,
                &element.key,
                &group.positions,
            )?;
            let properties = self.properties_of(edge, group.table, &group.positions)?;
            let ends = if edge { Some(self.both_end_ids(&group)?) } else { None };
            for (at, row) in group.rows.iter().enumerate() {
                let mut text = String::from("{\"~id\":");
                push_string(&mut text, &ids[at]);
                match &ends {
                    Some((starts, ends)) => push_edge(&mut text, element, &starts[at], &ends[at]),
                    None => push_node(&mut text, element),
                }
                text.push_str(",\"~properties\":");
                text.push_str(&properties[at]);
                text.push('}');
                objects[*row] = Some(text);
            }
        }
        for (row, element) in refs.iter().enumerate() {
            if let Some(element) = element.map(ElementRef).filter(|element| element.is_deleted()) {
                let mut text = String::from("{\"~id\":\"\"");
                match self.element(edge, element.table())? {
                    table if edge => push_edge(&mut text, table, "", ""),
                    _ => text.push_str(",\"~entityType\":\"node\",\"~labels\":[]"),
                }
                text.push_str(",\"~properties\":{}}");
                objects[row] = Some(text);
            }
        }
        Ok(objects)
    }

    fn both_end_ids(&self, group: &TableRows) -> Result<(Vec<String>, Vec<String>)> {
        let edge = self.edge_table(group.table)?;
        let starts = self.end_ids(group.table, &edge.source, false, &group.positions)?;
        let ends = self.end_ids(group.table, &edge.destination, true, &group.positions)?;
        Ok((starts, ends))
    }
}

fn push_node(text: &mut String, element: &ElementTable) {
    text.push_str(",\"~entityType\":\"node\",\"~labels\":[");
    for (at, label) in element.label_names().enumerate() {
        if at > 0 {
            text.push(',');
        }
        push_string(text, label);
    }
    text.push(']');
}

fn push_edge(text: &mut String, element: &ElementTable, start: &str, end: &str) {
    text.push_str(",\"~entityType\":\"relationship\",\"~start\":");
    push_string(text, start);
    text.push_str(",\"~end\":");
    push_string(text, end);
    text.push_str(",\"~type\":");
    push_string(text, element.labels.first().map_or("", |label| label.name.as_str()));
}

/// Identifiers of an element table's rows from the key values in `columns` of `version`.
fn key_ids(
    is_open: bool,
    element: &ElementTable,
    version: &TableVersion,
    columns: &[usize],
    positions: &[u64],
) -> Result<Vec<String>> {
    let arrays = columns
        .iter()
        .map(|column| version.gather(*column, positions))
        .collect::<Result<Vec<_>, _>>()?;
    let keys = columns
        .iter()
        .zip(&arrays)
        .map(|(column, values)| {
            Json::new(values.as_ref(), &PgType::from_field(version.schema.field(*column)))
        })
        .collect::<Result<Vec<_>>>()?;
    (0..positions.len())
        .map(|row| {
            // Elements of an open graph are numbered together, and keep their numbers in another partition.
            let mut id = match columns {
                [_] if is_open => String::new(),
                _ => format!("{}:", element.alias),
            };
            push_key_text(&mut id, &keys, row)?;
            Ok(id)
        })
        .collect()
}

/// `P0002` if one of the elements was deleted by this statement.
pub(super) fn refuse_deleted(edge: bool, refs: &UInt64Array) -> Result<()> {
    if refs.iter().flatten().any(|element| ElementRef(element).is_deleted()) {
        let kind = if edge { "relationship" } else { "node" };
        return Err(PgError::new(
            crate::error::SqlState::NO_DATA_FOUND,
            format!("the {kind} was deleted by this statement"),
        )
        .routine("DeletedEntityAccess")
        .into());
    }
    Ok(())
}

pub(super) fn as_type(values: ArrayRef, ty: &DataType) -> Result<ArrayRef> {
    if values.data_type() == ty { Ok(values) } else { Ok(cast(&values, ty)?) }
}

/// Optional texts as an array.
pub(super) fn text_array(texts: Vec<Option<String>>) -> ArrayRef {
    Arc::new(texts.into_iter().collect::<StringViewArray>())
}
