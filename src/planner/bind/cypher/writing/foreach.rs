//! FOREACH.

use datafusion::common::{Column, UnnestOptions};
use datafusion::logical_expr::LogicalPlanBuilder;

use super::already_bound;
use crate::error::PgError;
use crate::functions::cypher::CypherType;
use crate::parser::cypher::Foreach;
use crate::planner::bind::cypher::binder::{Binder, Binding, column, one_row};
use crate::planner::bind::cypher::error;

impl Binder<'_> {
    /// The rows are kept; the clauses inside run on rows of their own, one for each item of the list.
    pub(super) fn foreach_clause(&mut self, clause: &Foreach) -> Result<(), PgError> {
        let Foreach { variable, list, clauses, span: _ } = clause;
        if self.find(&variable.text).is_some() {
            return Err(already_bound(&variable.text, variable.span));
        }
        let (number, columns) = self.freeze("SET")?;
        let outside = self.scope.clone();
        let value = self.expr(list)?;
        let value = self.normalized(value);
        let element = match value.ty.clone() {
            CypherType::Null => {
                self.plan = self.rows_of_step(number, &columns)?;
                return Ok(());
            }
            CypherType::List(element) => *element,
            CypherType::Any => CypherType::Any,
            ty => {
                return Err(error::wrong_type(
                    format!("FOREACH needs a list, not a value of type {ty}"),
                    list.span,
                ));
            }
        };
        let items = match &value.ty {
            CypherType::Any => self.coerce(value, &CypherType::list(CypherType::Any))?,
            _ => value.expr,
        };
        let name = self.column_name(&variable.text);
        self.with_columns(vec![(items, name.clone())])?;
        let plan = std::mem::replace(&mut self.plan, one_row());
        let options = UnnestOptions::new().with_preserve_nulls(false);
        self.plan = LogicalPlanBuilder::from(plan)
            .unnest_column_with_options(Column::new_unqualified(name.clone()), options)?
            .build()?;
        self.scope.push(Binding { name: variable.text.clone(), expr: column(&name), ty: element });
        for clause in clauses {
            self.writing_clause(clause)?;
        }
        self.scope = outside;
        self.plan = self.rows_of_step(number, &columns)?;
        Ok(())
    }
}
