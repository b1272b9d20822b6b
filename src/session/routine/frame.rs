//! What a call holds: its variables, and what it gives.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::AsArray;
use datafusion::common::ScalarValue;

use super::statement::Compiled;
use crate::error::{PgError, SqlState};
use crate::parser::plpgsql::Target;
use crate::types::pg_type::PgType;
use crate::types::row_type::{RowField, RowType};

/// A value with its type.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub(super) value: ScalarValue,
    pub(super) ty: PgType,
}

impl Typed {
    pub(super) fn null(ty: PgType) -> Result<Self, PgError> {
        Ok(Self { value: ScalarValue::try_from(&ty.arrow())?, ty })
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { value: ScalarValue::Utf8View(Some(text.into())), ty: PgType::Text }
    }

    pub(super) fn boolean(value: bool) -> Self {
        Self { value: ScalarValue::Boolean(Some(value)), ty: PgType::Bool }
    }

    pub(super) fn is_true(&self) -> bool {
        matches!(self.value, ScalarValue::Boolean(Some(true)))
    }

    /// The fields of a row, by name.
    pub(super) fn fields(&self) -> Result<Option<Vec<(String, Self)>>, PgError> {
        let PgType::Row(row) = &self.ty else { return Ok(None) };
        let array = self.value.to_array()?;
        let Some(values) = array.as_binary_view_opt() else { return Ok(None) };
        let columns = row.decode(values)?;
        let fields = row.fields.iter().zip(&columns).map(|(field, column)| {
            let value = ScalarValue::try_from_array(column, 0)?;
            Ok((field.name.clone(), Self { value, ty: field.ty.clone() }))
        });
        fields.collect::<Result<Vec<_>, PgError>>().map(Some)
    }
}

/// What a variable holds.
#[derive(Debug, Clone)]
pub(super) enum Holder {
    /// A value of its type.
    Value(Typed),
    /// A row; `row` is its type where it was declared with one, and `fields` are there once something was assigned.
    Record { row: Option<Arc<RowType>>, fields: Option<Vec<(String, Typed)>> },
}

impl Holder {
    /// For a variable of a type, null as yet.
    pub(super) fn of(ty: &PgType) -> Result<Self, PgError> {
        match ty {
            PgType::Record => Ok(Self::Record { row: None, fields: None }),
            PgType::Row(row) => {
                let fields = row
                    .fields
                    .iter()
                    .map(|field| Ok((field.name.clone(), Typed::null(field.ty.clone())?)));
                let fields = Some(fields.collect::<Result<_, PgError>>()?);
                Ok(Self::Record { row: Some(Arc::clone(row)), fields })
            }
            ty => Typed::null(ty.clone()).map(Self::Value),
        }
    }
}

/// A variable.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) holder: Holder,
    pub(super) constant: bool,
    pub(super) not_null: bool,
}

impl Variable {
    pub(super) fn new(name: &str, holder: Holder) -> Self {
        Self { name: name.to_owned(), holder, constant: false, not_null: false }
    }
}

/// The variables of a block.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) label: Option<String>,
    pub(super) variables: Vec<Variable>,
    /// Other names of variables of scopes around it, or of arguments by number.
    pub(super) aliases: Vec<(String, String)>,
}

/// A call that is running.
#[derive(Debug)]
pub(super) struct Frame {
    /// How an error's context names it.
    pub(super) title: String,
    /// The types of what it gives; none for a procedure and for `void`.
    pub(super) columns: Vec<(String, PgType)>,
    /// Whether it gives any number of rows.
    pub(super) gives_rows: bool,
    /// Whether the columns are variables too.
    pub(super) named_columns: bool,
    /// Whether a name that a column and a variable have is an error.
    pub(super) strict_names: bool,
    pub(super) arguments: Vec<Typed>,
    pub(super) scopes: Vec<Scope>,
    pub(super) rows: Vec<Vec<Typed>>,
    /// Rows that the last statement gave or changed.
    pub(super) row_count: u64,
    /// What handlers that are running have caught.
    pub(super) caught: Vec<PgError>,
    /// Statements that ran before, by where they are in the tree.
    pub(super) compiled: HashMap<usize, Compiled>,
}

/// The name of the variable that says whether the last statement found rows.
const FOUND: &str = "found";

impl Frame {
    pub(super) fn set_found(&mut self, found: bool) {
        if let Some(variable) = self
            .scopes
            .first_mut()
            .and_then(|scope| scope.variables.iter_mut().find(|variable| variable.name == FOUND))
        {
            variable.holder = Holder::Value(Typed::boolean(found));
        }
    }

    fn variable(&self, name: &str) -> Option<&Variable> {
        let (scope, at) = self.place(name, None)?;
        self.scopes.get(scope)?.variables.get(at)
    }

    /// Where a variable is: in the innermost scope that has it, or in the one of a label.
    fn place(&self, name: &str, label: Option<&str>) -> Option<(usize, usize)> {
        let mut name = name;
        for (at, scope) in self.scopes.iter().enumerate().rev() {
            if label.is_some_and(|label| scope.label.as_deref() != Some(label)) {
                continue;
            }
            if let Some(found) = scope.variables.iter().rposition(|one| one.name == name) {
                return Some((at, found));
            }
            if let Some((_, real)) = scope.aliases.iter().find(|(alias, _)| alias == name) {
                name = real;
            }
        }
        None
    }

    /// The value that a name, or names with dots between, stand for.
    ///
    /// # Errors
    /// `55000` for a record without fields yet, `42703` for a field that it does not have.
    pub(super) fn lookup(&self, names: &[String]) -> Result<Option<Typed>, PgError> {
        match names {
            [name] if name.starts_with('$') => {
                let number: Option<usize> = name.get(1..).and_then(|number| number.parse().ok());
                let at = number.and_then(|number| number.checked_sub(1));
                Ok(at.and_then(|at| self.arguments.get(at)).cloned())
            }
            [name] => match self.alias_of_argument(name) {
                Some(argument) => Ok(Some(argument)),
                None => self.variable(name).map(whole).transpose(),
            },
            [first, second] => {
                if let Some((scope, at)) = self.place(second, Some(first)) {
                    return self.scopes[scope].variables.get(at).map(whole).transpose();
                }
                self.variable(first).map_or(Ok(None), |variable| field(variable, second))
            }
            [label, first, second] => match self.place(first, Some(label)) {
                Some((scope, at)) => match self.scopes[scope].variables.get(at) {
                    Some(variable) => field(variable, second),
                    None => Ok(None),
                },
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// `name ALIAS FOR $1`
    fn alias_of_argument(&self, name: &str) -> Option<Typed> {
        for scope in self.scopes.iter().rev() {
            if scope.variables.iter().any(|one| one.name == name) {
                return None;
            }
            if let Some((_, real)) = scope.aliases.iter().find(|(alias, _)| alias == name) {
                let number: usize = real.strip_prefix('$')?.parse().ok()?;
                return self.arguments.get(number.checked_sub(1)?).cloned();
            }
        }
        None
    }

    /// The variable that is assigned to, and the field of it.
    ///
    /// # Errors
    /// `42601` if there is none, `22005` for a constant.
    pub(super) fn target<'a>(
        &mut self,
        target: &'a Target,
    ) -> Result<(&mut Variable, Option<&'a str>), PgError> {
        let (place, field) = match &target.field {
            None => (self.place(&target.name, None), None),
            Some(second) => match self.place(second, Some(&target.name)) {
                Some(place) => (Some(place), None),
                None => (self.place(&target.name, None), Some(second.as_str())),
            },
        };
        let found = place.and_then(|(scope, at)| self.scopes.get_mut(scope)?.variables.get_mut(at));
        let Some(variable) = found else {
            let message = format!("\"{}\" is not a known variable", target.name);
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
        };
        if variable.constant {
            let message = format!("variable \"{}\" is declared CONSTANT", variable.name);
            return Err(PgError::new(SqlState::ERROR_IN_ASSIGNMENT, message));
        }
        Ok((variable, field))
    }
}

/// All that a variable holds, a record as a row.
fn whole(variable: &Variable) -> Result<Typed, PgError> {
    match &variable.holder {
        Holder::Value(value) => Ok(value.clone()),
        Holder::Record { fields: None, .. } => Err(not_assigned(&variable.name)),
        Holder::Record { row, fields: Some(fields) } => record(row.as_ref(), fields),
    }
}

/// A row of these fields.
pub(super) fn record(
    row: Option<&Arc<RowType>>,
    fields: &[(String, Typed)],
) -> Result<Typed, PgError> {
    let ty = match row {
        Some(row) => Arc::clone(row),
        None => {
            let fields = fields.iter();
            let fields = fields.map(|(name, one)| RowField::new(name.clone(), one.ty.clone()));
            Arc::new(RowType::record(fields.collect()))
        }
    };
    let columns = fields.iter().map(|(_, one)| Ok(one.value.to_array()?));
    let columns = columns.collect::<Result<Vec<_>, PgError>>()?;
    let array = ty.encode(&columns, None, 1)?;
    Ok(Typed { value: ScalarValue::try_from_array(&array, 0)?, ty: PgType::Row(ty) })
}

fn field(variable: &Variable, name: &str) -> Result<Option<Typed>, PgError> {
    match &variable.holder {
        Holder::Value(_) => Ok(None),
        Holder::Record { fields: None, .. } => Err(not_assigned(&variable.name)),
        Holder::Record { fields: Some(fields), .. } => {
            match fields.iter().find(|(field, _)| field == name) {
                Some((_, value)) => Ok(Some(value.clone())),
                None => Err(no_field(&variable.name, name)),
            }
        }
    }
}

pub(super) fn no_field(record: &str, field: &str) -> PgError {
    let message = format!("record \"{record}\" has no field \"{field}\"");
    PgError::new(SqlState::UNDEFINED_COLUMN, message)
}

fn not_assigned(record: &str) -> PgError {
    let message = format!("record \"{record}\" is not assigned yet");
    PgError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .detail("The tuple structure of a not-yet-assigned record is indeterminate.")
}
