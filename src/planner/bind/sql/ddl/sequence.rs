//! `CREATE SEQUENCE`, `ALTER SEQUENCE`, and the sequences behind SERIAL and identity columns.

use sqlparser::ast::{
    Expr as SqlExpr, GeneratedAs, ObjectName, SequenceOptions as ColumnSequenceOptions,
};

use super::{DdlCommand, existing, skipping};
use crate::catalog::sequence_options::SequenceOptions;
use crate::catalog::{Column, Relation, RelationKind, SequenceOwner};
use crate::error::{PgError, SqlState};
use crate::parser::sql::definition::SequenceOption;
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::planner::bind::sql::types::sql_type;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// A sequence to be made with a column.
#[derive(Debug, Clone)]
pub struct NewSequence {
    /// The column it gives values to.
    pub column: String,
    /// Its name, if one was given.
    pub name: Option<String>,
    /// Its type unless the options say otherwise.
    pub ty: PgType,
    /// What was said of it.
    pub options: SequenceOptions,
    /// `Some(always)` for an identity column, `None` for SERIAL.
    pub identity: Option<bool>,
}

pub(super) fn create(
    context: &BindContext,
    temporary: bool,
    if_not_exists: bool,
    name: &ObjectName,
    options: &[SequenceOption],
) -> Result<DdlCommand, PgError> {
    let name = qualified_name(name)?;
    let (schema, persistence) = super::place(context, &name, temporary)?;
    if existing(context, schema, &name.name).is_some() {
        let exists = PgError::new(
            SqlState::DUPLICATE_TABLE,
            format!("relation \"{}\" already exists", name.name),
        );
        if if_not_exists {
            return Ok(DdlCommand::Skip { tag: "CREATE SEQUENCE", notice: skipping(&exists) });
        }
        return Err(exists);
    }
    let (options, restart) = bind_options(context, options, schema)?;
    if restart.is_some() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "RESTART is not an option here"));
    }
    // Refused now what would be refused when it is made.
    options.create(PgType::Int8, 0)?;
    Ok(DdlCommand::CreateSequence { schema, name: name.name, persistence, options })
}

/// The sequence a statement names.
pub(super) fn named(
    context: &BindContext,
    name: &ObjectName,
) -> Result<std::sync::Arc<Relation>, PgError> {
    let relation = context.relation(&qualified_name(name)?)?;
    if matches!(relation.kind, RelationKind::Sequence(_)) {
        return Ok(relation);
    }
    Err(PgError::new(
        SqlState::WRONG_OBJECT_TYPE,
        format!("\"{}\" is not a sequence", relation.name),
    ))
}

pub(super) fn alter(
    context: &BindContext,
    if_exists: bool,
    name: &ObjectName,
    options: &[SequenceOption],
) -> Result<DdlCommand, PgError> {
    let relation = match named(context, name) {
        Err(error) if if_exists && error.code() == SqlState::UNDEFINED_TABLE => {
            return Ok(DdlCommand::Skip { tag: "ALTER SEQUENCE", notice: skipping(&error) });
        }
        other => other?,
    };
    let (mut options, restart) = bind_options(context, options, relation.schema)?;
    options.restart = restart;
    let linked = relation.sequence().and_then(|sequence| sequence.owner);
    if let (Some(SequenceOwner { identity: true, table, .. }), Some(_)) = (linked, &options.owner) {
        let table = context.catalog.relation(table).map_or("", |table| table.name.as_str());
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "cannot change ownership of identity sequence",
        )
        .detail(format!("Sequence \"{}\" is linked to table \"{table}\".", relation.name)));
    }
    Ok(DdlCommand::AlterSequence { relation, options })
}

/// Reads a number of an option.
fn number(text: &str) -> Result<i64, PgError> {
    text.parse().map_err(|_| {
        if text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) {
            PgError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("value \"{text}\" is out of range for type bigint"),
            )
        } else {
            PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("invalid input syntax for type bigint: \"{text}\""),
            )
        }
    })
}

/// Takes an option that may be given once.
fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), PgError> {
    if slot.replace(value).is_some() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options"));
    }
    Ok(())
}

/// Options with their names resolved; and RESTART apart, which is not for every statement.
pub(super) fn bind_options(
    context: &BindContext,
    given: &[SequenceOption],
    schema: Oid,
) -> Result<(SequenceOptions, Option<Option<i64>>), PgError> {
    let mut options = SequenceOptions::default();
    let mut restart = None;
    for option in given {
        match option {
            SequenceOption::Type(ty) => once(&mut options.ty, sql_type(context.types(), ty)?)?,
            SequenceOption::Increment(by) => once(&mut options.increment, number(by)?)?,
            SequenceOption::Min(min) => {
                once(&mut options.min, min.as_deref().map(number).transpose()?)?
            }
            SequenceOption::Max(max) => {
                once(&mut options.max, max.as_deref().map(number).transpose()?)?
            }
            SequenceOption::Start(start) => once(&mut options.start, number(start)?)?,
            SequenceOption::Restart(to) => {
                once(&mut restart, to.as_deref().map(number).transpose()?)?
            }
            SequenceOption::Cache(cache) => once(&mut options.cache, number(cache)?)?,
            SequenceOption::Cycle(cycle) => once(&mut options.cycle, *cycle)?,
            SequenceOption::OwnedBy(None) => once(&mut options.owner, None)?,
            SequenceOption::OwnedBy(Some(column)) => {
                once(&mut options.owner, Some(owner(context, column, schema)?))?
            }
            SequenceOption::Name(_) => {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    "invalid sequence option SEQUENCE NAME",
                ));
            }
        }
    }
    Ok((options, restart))
}

/// The column of `OWNED BY table.column`.
fn owner(
    context: &BindContext,
    column: &ObjectName,
    schema: Oid,
) -> Result<SequenceOwner, PgError> {
    let mut parts = column.0.clone();
    let name = parts.pop().and_then(|part| part.as_ident().map(fold)).unwrap_or_default();
    if parts.is_empty() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "invalid OWNED BY option")
            .hint("Specify OWNED BY table.column or OWNED BY NONE."));
    }
    let table = context.relation(&qualified_name(&ObjectName(parts))?)?;
    if !matches!(table.kind, RelationKind::Table(_)) {
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("sequence cannot be owned by relation \"{}\"", table.name),
        ));
    }
    if table.schema != schema {
        return Err(PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            "sequence must be in same schema as table it is linked to",
        ));
    }
    let found = table.columns().iter().find(|column| column.name == name);
    let column = found.ok_or_else(|| {
        PgError::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{name}\" of relation \"{}\" does not exist", table.name),
        )
    })?;
    Ok(SequenceOwner { table: table.oid, attnum: column.attnum, identity: false })
}

/// The type a SERIAL word stands for.
pub(super) fn serial_type(name: &str) -> Option<PgType> {
    Some(match name.to_lowercase().as_str() {
        "serial" | "serial4" => PgType::Int4,
        "bigserial" | "serial8" => PgType::Int8,
        "smallserial" | "serial2" => PgType::Int2,
        _ => return None,
    })
}

/// The sequence of a SERIAL column.
pub(super) fn of_serial(column: &Column) -> NewSequence {
    NewSequence {
        column: column.name.clone(),
        name: None,
        ty: column.ty.clone(),
        options: SequenceOptions::default(),
        identity: None,
    }
}

/// The sequence of an identity column.
///
/// # Errors
/// `22023` for a column of another type than the three, or options that do not fit together.
pub(super) fn of_identity(
    context: &BindContext,
    column: &Column,
    always: bool,
    options: &[SequenceOption],
    schema: Oid,
) -> Result<NewSequence, PgError> {
    let (names, options): (Vec<_>, Vec<_>) =
        options.iter().cloned().partition(|option| matches!(option, SequenceOption::Name(_)));
    let (options, _) = bind_options(context, &options, schema)?;
    let name = match names.first() {
        Some(SequenceOption::Name(name)) => Some(qualified_name(name)?.name),
        _ => None,
    };
    if !matches!(column.ty, PgType::Int2 | PgType::Int4 | PgType::Int8) {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            "identity column type must be smallint, integer, or bigint",
        ));
    }
    options.create(column.ty.clone(), 0)?;
    let (column, ty) = (column.name.clone(), column.ty.clone());
    Ok(NewSequence { column, name, ty, options, identity: Some(always) })
}

/// Whether an identity column is ALWAYS.
pub(super) fn is_always(generated: &GeneratedAs) -> bool {
    matches!(generated, GeneratedAs::Always)
}

/// Options in `sqlparser`'s tree as ours.
pub(super) fn from_column(options: &[ColumnSequenceOptions]) -> Vec<SequenceOption> {
    options
        .iter()
        .map(|option| match option {
            ColumnSequenceOptions::IncrementBy(by, _) => SequenceOption::Increment(by.to_string()),
            ColumnSequenceOptions::MinValue(min) => {
                SequenceOption::Min(min.as_ref().map(ToString::to_string))
            }
            ColumnSequenceOptions::MaxValue(max) => {
                SequenceOption::Max(max.as_ref().map(ToString::to_string))
            }
            ColumnSequenceOptions::StartWith(start, _) => SequenceOption::Start(start.to_string()),
            // So the parser keeps SEQUENCE NAME.
            ColumnSequenceOptions::Cache(SqlExpr::CompoundIdentifier(name)) => {
                SequenceOption::Name(ObjectName::from(name.clone()))
            }
            ColumnSequenceOptions::Cache(cache) => SequenceOption::Cache(cache.to_string()),
            // `true` is NO CYCLE there.
            ColumnSequenceOptions::Cycle(no_cycle) => SequenceOption::Cycle(!no_cycle),
        })
        .collect()
}
