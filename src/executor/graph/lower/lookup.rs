//! Vertices that a condition equates with values of each row are found by key, not by a scan.

use datafusion::common::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::super::key_lookup::{key_lookup, property_name};
use super::super::order::vertex_rows;
use super::{Lowering, Partial, element_field, is_ready, with_fields};
use crate::catalog::{PropertyDef, PropertySource, stored_type};
use crate::executor::operator::{LookupTable, LookupValue, VertexLookup};
use crate::functions::cypher::CypherType;
use crate::functions::cypher::output::Conversion;
use crate::types::pg_type::PgType;

/// Of scanned rows, fewer than one for so many vertices are looked up one by one; for more, a join is faster.
const SELECTIVE: f64 = 8.0;

/// `property = value` for each row.
struct Equated<'a> {
    property: &'a str,
    value: &'a Expr,
    any: bool,
}

impl Lowering<'_> {
    /// How the tables of a vertex are looked up with values of the rows there are; `None` if they should be scanned.
    pub(super) fn row_lookup(
        &self,
        partial: &Partial,
        vertex: usize,
    ) -> Result<Option<Vec<LookupTable>>> {
        let pattern = &self.pattern.vertices[vertex];
        let equated = self.equated(partial, &pattern.variable);
        if equated.is_empty() {
            return Ok(None);
        }
        // How many rows an input has is not known; a pattern inside of an optional match is matched again and again.
        let few = partial.rows * SELECTIVE <= vertex_rows(self.seen(), &pattern.tables)?;
        if partial.input_columns == 0 && !few {
            return Ok(None);
        }
        let predicates = self.vertex_predicates(vertex);
        let mut tables = Vec::with_capacity(pattern.tables.len());
        for table in &pattern.tables {
            if key_lookup(&self.graph, *table, &predicates)?.is_some() {
                return Ok(None);
            }
            match self.table_lookup(partial, *table, &equated)? {
                Some(lookup) => tables.push(lookup),
                None => return Ok(None),
            }
        }
        Ok(Some(tables))
    }

    /// The conditions that equate a property of a vertex with something computed of the rows there are.
    fn equated(&self, partial: &Partial, variable: &str) -> Vec<Equated<'_>> {
        let mut equated: Vec<Equated<'_>> = Vec::new();
        for conjunct in &self.conjuncts {
            let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = conjunct else {
                continue;
            };
            for (own, other) in [(left, right), (right, left)] {
                let own_columns = own.column_refs();
                let of_vertex = !own_columns.is_empty()
                    && own_columns.iter().all(|it| it.relation.is_none() && it.name == *variable);
                if !of_vertex || other.column_refs().is_empty() || !is_ready(other, &partial.schema)
                {
                    continue;
                }
                let Some(property) = property_name(grouped(own).0) else { continue };
                let (value, any) = grouped(other);
                if equated.iter().all(|known| known.property != property) {
                    equated.push(Equated { property, value, any });
                }
            }
        }
        equated
    }

    /// The columns of a table that are equated with values of their kind: those of its key, if they are among them.
    fn table_lookup(
        &self,
        partial: &Partial,
        table: u16,
        equated: &[Equated<'_>],
    ) -> Result<Option<LookupTable>> {
        let element = self.graph.element(false, table)?;
        let schema = &self.graph.version(false, table)?.schema;
        let mut found = Vec::new();
        for Equated { property, value, any } in equated {
            let Some(property) = element.property(property) else { continue };
            let Some(column) = plain_column(property) else { continue };
            let value = (self.create_physical)(value, &partial.schema)?;
            let from = value.data_type(partial.schema.as_arrow())?;
            if LookupValue::can_find(&from, *any, schema.field(column).data_type()) {
                found.push((column, LookupValue { value, any: *any }));
            }
        }
        if element.key.iter().all(|key| found.iter().any(|(column, _)| column == key)) {
            found.retain(|(column, _)| element.key.contains(column));
        }
        found.sort_by_key(|(column, _)| *column);
        found.dedup_by_key(|(column, _)| *column);
        let (columns, values): (Vec<usize>, Vec<LookupValue>) = found.into_iter().unzip();
        Ok((!columns.is_empty()).then_some(LookupTable { table, columns, values }))
    }

    /// Adds a vertex that is looked up.
    pub(super) fn look_up(
        &mut self,
        partial: &mut Partial,
        vertex: usize,
        tables: Vec<LookupTable>,
    ) -> Result<()> {
        let variable = &self.pattern.vertices[vertex].variable;
        let column = partial.width();
        let schema = with_fields(&partial.schema, [element_field(variable)])?;
        let checks = self.checks(&schema)?;
        let (graph, guards) = (self.graph.clone(), self.guards.clone());
        partial.push(VertexLookup { graph, guards, tables, checks }, schema);
        partial.vertices.insert(vertex, column);
        Ok(())
    }
}

/// An expression without the grouping key around it, and whether it is of type ANY.
fn grouped(expr: &Expr) -> (&Expr, bool) {
    match expr {
        Expr::ScalarFunction(call) => match Conversion::of_grouping_key(call) {
            Some((inner, ty)) => (inner, *ty == CypherType::Any),
            None => (expr, false),
        },
        _ => (expr, false),
    }
}

/// The column that all values of a property are in, as they are.
fn plain_column(property: &PropertyDef) -> Option<usize> {
    match property.source {
        PropertySource::Column(column) => Some(column),
        PropertySource::Open { column, mixed: false } => {
            (stored_type(&property.ty) != PgType::Bytea).then_some(column)
        }
        PropertySource::Open { .. } | PropertySource::Expression(_) => None,
    }
}
