//! `LOAD CSV`.

use std::sync::Arc;

use datafusion::logical_expr::{Extension, LogicalPlan};

use super::binder::{AggregatePlace, Binder, Binding, column, one_row};
use super::error;
use crate::error::{PgError, SqlState};
use crate::functions::cypher::CypherType;
use crate::parser::cypher::LoadCsv as Clause;
use crate::planner::node::{CsvForm, LoadCsv};

impl Binder<'_> {
    pub(super) fn load_csv(&mut self, clause: &Clause) -> Result<(), PgError> {
        let Clause { with_headers, source, variable, field_terminator, span } = clause;
        self.place = AggregatePlace::Forbidden("LOAD CSV");
        if self.find(&variable.text).is_some() {
            return Err(error::already_bound(&variable.text, variable.span));
        }
        let terminator = match field_terminator.as_deref().map(str::as_bytes) {
            None => b',',
            Some([byte]) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => *byte,
            Some(_) => {
                return Err(PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    "FIELDTERMINATOR must be a single one-byte character",
                )
                .at(span.start as usize));
            }
        };
        let value = self.expr(source)?;
        let value = self.expect(value, &CypherType::String);
        let value = self.normalized(value);
        if !matches!(value.ty, CypherType::String | CypherType::Any | CypherType::Null) {
            let message = format!("the URL of a file must be a STRING, not {}", value.ty);
            return Err(error::wrong_type(message, source.span));
        }
        let source = self.coerce(value, &CypherType::String)?;
        let name = self.column_name(&variable.text);
        let form = CsvForm { with_headers: *with_headers, terminator };
        let input = Arc::new(std::mem::replace(&mut self.plan, one_row()));
        let node = LoadCsv::try_new(input, source, form, name.clone())?;
        self.plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        let ty = LoadCsv::record_type(*with_headers);
        self.scope.push(Binding { name: variable.text.clone(), expr: column(&name), ty });
        Ok(())
    }
}
