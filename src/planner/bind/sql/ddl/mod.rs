//! Data definition: statements to commands with every name resolved.
//!
//! A command is carried out by `session::ddl` inside the transaction; nothing here changes anything.

mod alter_table;
mod create_table;
mod drop;
mod generated;
mod sequence;
mod view;

use std::sync::Arc;

use datafusion::logical_expr::Expr;
use sqlparser::ast::{Ident, ObjectName, ObjectType, SchemaName, Statement};

pub use create_table::{NewColumn, NewConstraint, NewConstraintKind};
pub use sequence::NewSequence;

pub(crate) use drop::drop_relations;

use super::names::{fold, qualified_name};
use crate::catalog::sequence_options::SequenceOptions;
use crate::catalog::{Column, Persistence, PropertyGraph, QualifiedName, Relation, View};
use crate::error::{PgError, SqlState};
use crate::parser::pgq::GraphTable;
use crate::parser::sql::definition::Definition;
use crate::planner::bind::bound::BoundPlan;
use crate::planner::bind::context::BindContext;
use crate::types::Oid;

/// A change of the catalog.
#[derive(Debug, Clone)]
pub enum DdlCommand {
    /// `CREATE SCHEMA`; nothing is done if it exists and that is allowed.
    CreateSchema {
        /// Its name.
        name: String,
        /// Skip with a notice if it exists.
        if_not_exists: bool,
    },
    /// `DROP SCHEMA`.
    DropSchema {
        /// Schemas and everything in them.
        schemas: Vec<Oid>,
        /// Drop what is in them too.
        cascade: bool,
    },
    /// `CREATE SEQUENCE`.
    CreateSequence {
        /// Where it goes.
        schema: Oid,
        /// Its name.
        name: String,
        /// How long it lives.
        persistence: Persistence,
        /// What was said of it.
        options: SequenceOptions,
    },
    /// `ALTER SEQUENCE` with options.
    AlterSequence {
        /// The sequence.
        relation: Arc<Relation>,
        /// What changes.
        options: SequenceOptions,
    },
    /// `CREATE TABLE`, also `… AS`.
    CreateTable(Box<NewTable>),
    /// `ALTER TABLE`.
    AlterTable {
        /// The table.
        relation: Arc<Relation>,
        /// In order.
        steps: Vec<AlterStep>,
    },
    /// `DROP TABLE | VIEW | PROPERTY GRAPH`.
    DropRelations {
        /// What goes.
        relations: Vec<Arc<Relation>>,
        /// Names that were not found under IF EXISTS, for notices.
        missing: Vec<String>,
        /// Drop what depends on them too.
        cascade: bool,
        /// For the command tag: `TABLE`, `VIEW`, `PROPERTY GRAPH`.
        kind: &'static str,
    },
    /// `CREATE [OR REPLACE] VIEW`.
    CreateView {
        /// Where it goes.
        schema: Oid,
        /// Its name.
        name: String,
        /// The view.
        view: View,
        /// The view it replaces.
        replaces: Option<Oid>,
    },
    /// `TRUNCATE`.
    Truncate {
        /// The tables.
        relations: Vec<Arc<Relation>>,
        /// RESTART IDENTITY: the sequences of their columns begin again.
        restart: bool,
        /// Empty the tables that refer to them too.
        cascade: bool,
    },
    /// `CREATE [OR REPLACE] PROPERTY GRAPH`.
    CreateGraph {
        /// Where it goes.
        schema: Oid,
        /// The graph; its OID is given when it is made.
        graph: Box<PropertyGraph>,
        /// The graph it replaces.
        replaces: Option<Oid>,
    },
    /// `ALTER PROPERTY GRAPH`.
    AlterGraph {
        /// The graph's relation.
        relation: Arc<Relation>,
        /// The graph as it shall be.
        graph: Box<PropertyGraph>,
    },
    /// `COMMENT ON`.
    Comment {
        /// The relation.
        relation: Arc<Relation>,
        /// Position of the column, if it is on a column.
        column: Option<usize>,
        /// The text; `None` removes it.
        text: Option<String>,
    },
    /// Nothing to do: the thing exists and IF NOT EXISTS was said. The tag and the notice.
    Skip {
        /// Command tag.
        tag: &'static str,
        /// What to tell the user.
        notice: PgError,
    },
}

/// A table to be made.
#[derive(Debug, Clone)]
pub struct NewTable {
    /// Where it goes.
    pub schema: Oid,
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its constraints.
    pub constraints: Vec<NewConstraint>,
    /// Sequences of its SERIAL and identity columns.
    pub sequences: Vec<NewSequence>,
    /// `CREATE TABLE … AS`: the rows, columns in the table's order.
    pub rows: Option<BoundPlan>,
}

/// One step of ALTER TABLE. Columns are positions before the whole statement.
#[derive(Debug, Clone)]
pub enum AlterStep {
    /// `ADD COLUMN`; existing rows get `fill`.
    AddColumn {
        /// The column (its `attnum` is given when it is made), its constraints and its sequence.
        column: Box<NewColumn>,
        /// Value for existing rows: an expression over the table's columns before.
        fill: Option<Expr>,
    },
    /// `DROP COLUMN`.
    DropColumn {
        /// Its name.
        name: String,
        /// Drop what depends on it too.
        cascade: bool,
    },
    /// `RENAME COLUMN`.
    RenameColumn {
        /// Old name.
        from: String,
        /// New name.
        to: String,
    },
    /// `RENAME TO`.
    Rename {
        /// New name.
        to: String,
    },
    /// `SET SCHEMA`.
    SetSchema {
        /// New schema.
        schema: Oid,
    },
    /// `ALTER COLUMN … TYPE`; `convert` is over the table's columns.
    SetType {
        /// Its name.
        name: String,
        /// The new type.
        ty: crate::types::pg_type::PgType,
        /// The new value of each row.
        convert: Expr,
    },
    /// `SET DEFAULT`, `DROP DEFAULT`.
    SetDefault {
        /// Its name.
        name: String,
        /// SQL text.
        default: Option<String>,
    },
    /// `SET NOT NULL`, `DROP NOT NULL`.
    SetNotNull {
        /// Its name.
        name: String,
        /// Whether nulls are refused from now on.
        not_null: bool,
    },
    /// `ADD CONSTRAINT`.
    AddConstraint(NewConstraint),
    /// `DROP CONSTRAINT`.
    DropConstraint {
        /// Its name.
        name: String,
        /// Skip with a notice if it is not there.
        if_exists: bool,
        /// Drop what depends on it too.
        cascade: bool,
    },
    /// `RENAME CONSTRAINT`.
    RenameConstraint {
        /// Old name.
        from: String,
        /// New name.
        to: String,
    },
    /// `OWNER TO`.
    OwnerTo {
        /// The role.
        role: Oid,
    },
}

/// Binds a statement of our own syntax tree.
///
/// # Errors
/// As PostgreSQL's; `0A000` for what is not carried out.
pub fn bind_definition(
    context: &BindContext,
    definition: &Definition,
    _text: &str,
) -> Result<DdlCommand, PgError> {
    match definition {
        Definition::CreateSequence { temporary, if_not_exists, name, options } => {
            sequence::create(context, *temporary, *if_not_exists, name, options)
        }
        Definition::AlterSequence { if_exists, name, options } => {
            sequence::alter(context, *if_exists, name, options)
        }
        Definition::AlterObject { kind, .. } => Err(PgError::unsupported(
            format!("this form of ALTER {} is not supported yet", kind.words()),
            "See docs/compat.md.",
        )),
    }
}

/// Where a new object goes, and how long it lives.
pub(super) fn place(
    context: &BindContext,
    name: &QualifiedName,
    temporary: bool,
) -> Result<(Oid, Persistence), PgError> {
    if temporary {
        return Err(PgError::unsupported(
            "temporary objects are not supported yet",
            "Leave out TEMPORARY.",
        ));
    }
    Ok((creation_schema(context, name)?, Persistence::Permanent))
}

/// Binds a data-definition statement; `None` if it is not one.
///
/// # Errors
/// As PostgreSQL's; `0A000` for what is not carried out.
pub fn bind_ddl(
    context: &BindContext,
    statement: &Statement,
    text: &str,
    graphs: &Arc<[GraphTable]>,
) -> Option<Result<DdlCommand, PgError>> {
    Some(match statement {
        Statement::CreateTable(create) => create_table::bind(context, create, graphs),
        Statement::AlterTable(alter) => alter_table::bind(context, alter),
        Statement::Drop {
            object_type,
            if_exists,
            names,
            cascade,
            purge: false,
            temporary: _,
            table: None,
            ..
        } => drop::bind(context, *object_type, *if_exists, names, *cascade),
        Statement::CreateView(create) => view::bind(context, create, text),
        Statement::Truncate(truncate) => drop::bind_truncate(context, truncate),
        Statement::CreateSchema {
            schema_name, if_not_exists, with: None, options: None, ..
        } => create_schema(context, schema_name, *if_not_exists),
        Statement::Comment { object_type, object_name, comment, if_exists: false, .. } => {
            comment_on(context, &object_type.to_string(), object_name, comment.clone())
        }
        _ => return None,
    })
}

fn create_schema(
    context: &BindContext,
    name: &SchemaName,
    if_not_exists: bool,
) -> Result<DdlCommand, PgError> {
    let name = match name {
        SchemaName::Simple(name) => qualified_name(name)?.name,
        SchemaName::UnnamedAuthorization(role) | SchemaName::NamedAuthorization(_, role) => {
            return Err(PgError::unsupported(
                format!("CREATE SCHEMA AUTHORIZATION {role} is not supported yet"),
                "Create the schema as the role itself.",
            ));
        }
    };
    if name.starts_with("pg_") {
        return Err(PgError::new(
            SqlState("42939"),
            format!("unacceptable schema name \"{name}\""),
        )
        .detail("The prefix \"pg_\" is reserved for system schemas."));
    }
    if context.catalog.schema(&name).is_some() {
        let exists =
            PgError::new(SqlState::DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists"));
        if !if_not_exists {
            return Err(exists);
        }
        return Ok(DdlCommand::Skip { tag: "CREATE SCHEMA", notice: skipping(&exists) });
    }
    Ok(DdlCommand::CreateSchema { name, if_not_exists })
}

/// The notice in place of an error under IF [NOT] EXISTS.
pub(crate) fn skipping(error: &PgError) -> PgError {
    PgError::new(error.code(), format!("{error}, skipping"))
        .severity(crate::error::Severity::Notice)
}

/// Where a new object goes: the schema it names, else the first of the search path that exists.
///
/// # Errors
/// `3F000` if the schema does not exist or none is selected; `42501` for system schemas.
pub(crate) fn creation_schema(context: &BindContext, name: &QualifiedName) -> Result<Oid, PgError> {
    let schema = match &name.schema {
        Some(schema) => context.catalog.schema(schema).ok_or_else(|| {
            PgError::new(
                SqlState::INVALID_SCHEMA_NAME,
                format!("schema \"{schema}\" does not exist"),
            )
        })?,
        None => {
            context.search_path.iter().find_map(|name| context.catalog.schema(name)).ok_or_else(
                || {
                    PgError::new(
                        SqlState::INVALID_SCHEMA_NAME,
                        "no schema has been selected to create in",
                    )
                },
            )?
        }
    };
    if matches!(schema.name.as_str(), "pg_catalog" | "information_schema") && !context.system {
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to create \"{}.{}\"", schema.name, name.name),
        )
        .detail("System catalog modifications are currently disallowed."));
    }
    Ok(schema.oid)
}

/// The relation that stands in the way of a new one, if any.
pub(crate) fn existing<'a>(
    context: &'a BindContext,
    schema: Oid,
    name: &str,
) -> Option<&'a Arc<Relation>> {
    context.catalog.relation_in(schema, name)
}

fn comment_on(
    context: &BindContext,
    kind: &str,
    name: &ObjectName,
    text: Option<String>,
) -> Result<DdlCommand, PgError> {
    match kind {
        "TABLE" | "VIEW" | "SEQUENCE" => {
            let relation = context.relation(&qualified_name(name)?)?;
            Ok(DdlCommand::Comment { relation, column: None, text })
        }
        "COLUMN" => {
            let mut parts = name.0.clone();
            let column = parts.pop().and_then(|part| part.as_ident().map(fold)).unwrap_or_default();
            let relation = context.relation(&qualified_name(&ObjectName(parts))?)?;
            let at = relation.columns().iter().position(|other| other.name == column).ok_or_else(
                || {
                    PgError::new(
                        SqlState::UNDEFINED_COLUMN,
                        format!(
                            "column \"{column}\" of relation \"{}\" does not exist",
                            relation.name
                        ),
                    )
                },
            )?;
            Ok(DdlCommand::Comment { relation, column: Some(at), text })
        }
        other => Err(PgError::unsupported(
            format!("COMMENT ON {other} is not supported yet"),
            "Comments are kept on tables, views and columns.",
        )),
    }
}

fn column_of(relation: &Relation, name: &Ident) -> Result<usize, PgError> {
    let folded = fold(name);
    relation.columns().iter().position(|column| column.name == folded).ok_or_else(|| {
        PgError::new(
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{folded}\" of relation \"{}\" does not exist", relation.name),
        )
    })
}

/// Words for the kinds of things DROP takes.
fn drop_kind(object: ObjectType) -> Option<&'static str> {
    match object {
        ObjectType::Table => Some("TABLE"),
        ObjectType::View => Some("VIEW"),
        ObjectType::Sequence => Some("SEQUENCE"),
        _ => None,
    }
}
