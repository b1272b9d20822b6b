//! The logical node for `LOAD CSV`: the records of a file on the server, for each row.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::error::PgError;
use crate::functions::cypher::CypherType;

/// How a file is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CsvForm {
    /// Whether the first record names the fields of the others.
    pub with_headers: bool,
    /// The byte between fields.
    pub terminator: u8,
}

/// For each row of the input, the records of the file that an expression over its columns names.
///
/// ```text
/// input   any columns
/// output  the columns of input, and a record: a list of STRING, or with headers a MAP (ANY); null is an empty field
/// ```
#[derive(Debug, Clone)]
pub struct LoadCsv {
    /// The rows.
    pub input: Arc<LogicalPlan>,
    /// The file's URL, STRING.
    pub source: Expr,
    /// How it is read.
    pub form: CsvForm,
    /// The name of the new column.
    pub column: String,
    schema: DFSchemaRef,
}

impl LoadCsv {
    /// The node.
    ///
    /// # Errors
    /// If the input has a column of that name already.
    pub fn try_new(
        input: Arc<LogicalPlan>,
        source: Expr,
        form: CsvForm,
        column: String,
    ) -> Result<Self> {
        let mut fields: Vec<_> = input
            .schema()
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .collect();
        let ty = Self::record_type(form.with_headers).arrow();
        fields.push((None, Arc::new(Field::new(&column, ty, true))));
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self { input, source, form, column, schema })
    }

    /// The type of a record.
    pub fn record_type(with_headers: bool) -> CypherType {
        match with_headers {
            true => CypherType::Any,
            false => CypherType::list(CypherType::String),
        }
    }

    fn compared(&self) -> (&LogicalPlan, &Expr, &CsvForm, &str) {
        (&self.input, &self.source, &self.form, &self.column)
    }
}

impl PartialEq for LoadCsv {
    fn eq(&self, other: &Self) -> bool {
        self.compared() == other.compared()
    }
}

impl Eq for LoadCsv {}

impl Hash for LoadCsv {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.compared().hash(state);
    }
}

impl PartialOrd for LoadCsv {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for LoadCsv {
    fn name(&self) -> &str {
        "LoadCsv"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![self.source.clone()]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = if self.form.with_headers { " with headers" } else { "" };
        write!(f, "LoadCsv: {}{headers}", self.source)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let wrong = || PgError::internal("LOAD CSV has one input and one expression");
        let input = inputs.into_iter().next().ok_or_else(wrong)?;
        let source = exprs.into_iter().next().ok_or_else(wrong)?;
        Self::try_new(Arc::new(input), source, self.form.clone(), self.column.clone())
    }
}
