//! Data definition: statements to commands with every name resolved.
//!
//! A command is carried out by `session::ddl` inside the transaction; nothing here changes anything.

mod absent;
mod alter_object;
mod alter_table;
mod comment;
mod create_table;
mod domain;
mod drop;
mod extension;
mod function;
mod function_uses;
mod generated;
mod index;
mod like;
mod materialized;
mod policy;
mod row_type;
mod sequence;
mod user_type;
mod view;

use std::sync::Arc;

use datafusion::logical_expr::Expr;
use sqlparser::ast::{
    Expr as SqlExpr, Ident, ObjectName, ObjectType, SchemaName, SqlOption, Statement,
};

pub use alter_object::{ObjectChange, ObjectRef};
pub use create_table::{NewColumn, NewConstraint, NewConstraintKind};
pub use domain::{DomainChange, NewCheck, NewDomain, value_schema};
pub use index::NewIndex;
pub use policy::PolicyChange;
pub use sequence::NewSequence;
pub use user_type::{TypeChange, TypeCommand};

use alter_table::owner_of;

pub(crate) use alter_object::on_object;
pub(crate) use drop::drop_relations;
pub(in crate::planner::bind::sql) use view::reads as view_reads;

use super::names::{fold, qualified_name};
use crate::catalog::sequence_options::SequenceOptions;
use crate::catalog::{
    AclClass, Column, LabelRule, OnCommit, Persistence, PropertyGraph, QualifiedName, Relation,
    Rights, SqlFunction, View,
};
use crate::error::{PgError, SqlState};
use crate::parser::pgq::GraphTable;
use crate::parser::sql::definition::Definition;
use crate::parser::sql::roles::RoleName;
use crate::planner::bind::bound::BoundPlan;
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::roles::RoleCommand;
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
        /// AUTHORIZATION: who owns it; `None` is the current role.
        owner: Option<Oid>,
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
    /// RENAME, SET SCHEMA and OWNER TO of an object of any kind.
    AlterObject {
        /// The object.
        object: ObjectRef,
        /// What is done.
        change: ObjectChange,
        /// For the command tag.
        tag: &'static str,
    },
    /// `CREATE INDEX`.
    CreateIndex(Box<NewIndex>),
    /// `DROP INDEX`.
    DropIndexes {
        /// Tables and their indexes.
        indexes: Vec<(Arc<Relation>, Oid)>,
        /// Names that were not found under IF EXISTS, for notices.
        missing: Vec<String>,
        /// CASCADE
        cascade: bool,
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
        /// How long it lives.
        persistence: Persistence,
        /// The view it replaces.
        replaces: Option<Oid>,
    },
    /// `REFRESH MATERIALIZED VIEW`.
    RefreshView {
        /// The view.
        relation: Arc<Relation>,
        /// Its query; `None` leaves it without rows, not to be read.
        rows: Option<Box<BoundPlan>>,
        /// CONCURRENTLY: others may read it meanwhile.
        concurrently: bool,
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
    /// A constraint or index on a label of an open graph: made, or dropped.
    LabelRule {
        /// The graph's relation.
        relation: Arc<Relation>,
        /// What is done.
        change: LabelRuleChange,
    },
    /// `CREATE POLICY`, `ALTER POLICY`, `DROP POLICY`.
    Policy {
        /// The table.
        relation: Arc<Relation>,
        /// What is done.
        change: PolicyChange,
    },
    /// `CREATE [OR REPLACE] FUNCTION`.
    CreateFunction {
        /// The function; its OID is given when it is made.
        function: Box<SqlFunction>,
        /// The function it replaces.
        replaces: Option<Oid>,
    },
    /// `ALTER FUNCTION … OWNER TO`.
    GiveFunction {
        /// The function.
        function: Arc<SqlFunction>,
        /// The role.
        to: Oid,
    },
    /// `DROP FUNCTION`.
    DropFunctions {
        /// What goes.
        functions: Vec<Arc<SqlFunction>>,
        /// Those that were not found under IF EXISTS, for notices.
        missing: Vec<String>,
        /// `DROP PROCEDURE`.
        procedure: bool,
    },
    /// Types of the database's own.
    Type(Box<TypeCommand>),
    /// `COMMENT ON`.
    Comment {
        /// The relation.
        relation: Arc<Relation>,
        /// Position of the column, if it is on a column.
        column: Option<usize>,
        /// The text; `None` removes it.
        text: Option<String>,
    },
    /// `COMMENT ON` what is neither a relation nor a column.
    CommentOn {
        /// What is asked for rights.
        owned: Oid,
        /// The number of what the comment is on.
        object: Oid,
        /// The text; `None` removes it.
        text: Option<String>,
    },
    /// Roles and rights.
    Roles(Box<RoleCommand>),
    /// Nothing to do: the thing exists and IF NOT EXISTS was said. The tag and the notice.
    Skip {
        /// Command tag.
        tag: &'static str,
        /// What to tell the user.
        notice: PgError,
    },
}

/// What is done with constraints and indexes on labels of an open graph.
#[derive(Debug, Clone)]
pub enum LabelRuleChange {
    /// Made; the number is given then.
    Create(LabelRule),
    /// Dropped.
    Drop(LabelRule),
}

impl LabelRuleChange {
    /// What it is about.
    pub fn rule(&self) -> &LabelRule {
        match self {
            Self::Create(rule) | Self::Drop(rule) => rule,
        }
    }

    /// For the command tag.
    pub fn tag(&self) -> &'static str {
        match (self, self.rule().kind.is_constraint()) {
            (Self::Create(_), true) => "CREATE CONSTRAINT",
            (Self::Create(_), false) => "CREATE INDEX",
            (Self::Drop(_), true) => "DROP CONSTRAINT",
            (Self::Drop(_), false) => "DROP INDEX",
        }
    }
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
    /// How long it lives.
    pub persistence: Persistence,
    /// What happens to its rows at COMMIT.
    pub on_commit: OnCommit,
    /// Storage parameters, as `name=value`.
    pub options: Vec<String>,
    /// `CREATE TABLE … AS`: the rows, columns in the table's order.
    pub rows: Option<BoundPlan>,
    /// The query of a materialized view, which may not be read as long as there are no `rows`.
    pub materialized: Option<Box<View>>,
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
    /// `VALIDATE CONSTRAINT`.
    ValidateConstraint {
        /// Its name.
        name: String,
    },
    /// `ALTER COLUMN … ADD GENERATED … AS IDENTITY`.
    AddIdentity(NewSequence),
    /// `ALTER COLUMN … SET GENERATED …`, and options of its sequence.
    SetIdentity {
        /// The column.
        name: String,
        /// ALWAYS or BY DEFAULT, if said.
        always: Option<bool>,
        /// Options of the sequence.
        options: SequenceOptions,
    },
    /// `ALTER COLUMN … DROP IDENTITY`.
    DropIdentity {
        /// The column.
        name: String,
    },
    /// Storage parameters.
    SetOptions {
        /// `name=value`
        set: Vec<String>,
        /// Names.
        reset: Vec<String>,
    },
    /// `SET LOGGED`, `SET UNLOGGED`.
    SetLogged(bool),
    /// `CLUSTER ON`; `None` is WITHOUT CLUSTER.
    ClusterOn(Option<Oid>),
    /// `ENABLE`, `DISABLE`, `FORCE` and `NO FORCE ROW LEVEL SECURITY`.
    SetRowSecurity {
        /// ENABLE or DISABLE, if said.
        enabled: Option<bool>,
        /// FORCE or NO FORCE, if said.
        forced: Option<bool>,
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
        Definition::Maintain(_) | Definition::Cluster { .. } => Err(PgError::unsupported(
            "CLUSTER is not supported yet",
            "Scans skip chunks by themselves; ORDER BY gives an order.",
        )),
        Definition::Refresh { concurrently, name, no_data } => {
            materialized::refresh(context, name, *concurrently, *no_data)
        }
        Definition::CommentOnGraph { name, text } => {
            comment::bind(context, "PROPERTY GRAPH", name, text.clone())
        }
        Definition::CommentOnConstraint { name, table, of_domain: true, text } => {
            domain::comment_on_constraint(context, name, table, text.clone())
        }
        Definition::CommentOnConstraint { name, table, of_domain: false, text } => {
            comment::on_constraint(context, name, table, text.clone())
        }
        Definition::CreateDomain { name, data_type, options } => {
            domain::create(context, name, data_type, options)
        }
        Definition::AlterDomain { name, action } => domain::alter(context, name, action),
        Definition::DropDomain { if_exists, names, cascade } => {
            user_type::drop(context, *if_exists, names, *cascade, "DROP DOMAIN")
        }
        Definition::DropAbsent { kind, if_exists, names, table } => {
            absent::drop(context, *kind, *if_exists, names, table.as_ref())
        }
        Definition::AlterType { name, action } => user_type::alter(context, name, action),
        Definition::AlterTable { if_exists, name, actions } => {
            alter_table::bind(context, *if_exists, name, actions)
        }
        Definition::AlterObject { kind, if_exists, name, action } => {
            alter_object::bind(context, *kind, *if_exists, name, action)
        }
    }
}

/// Where a new object goes, and how long it lives. A temporary one goes to the session's own schema, whose number is 0
/// as long as it is not there.
///
/// # Errors
/// As [`creation_schema`]; `42P16` for a temporary object in another schema.
pub(crate) fn place(
    context: &BindContext,
    name: &QualifiedName,
    temporary: bool,
) -> Result<(Oid, Persistence), PgError> {
    let own = name
        .schema
        .as_deref()
        .map(|schema| schema == "pg_temp" || schema == context.temporary_schema);
    if !temporary && own != Some(true) {
        return Ok((creation_schema(context, name)?, Persistence::Permanent));
    }
    if own == Some(false) {
        return Err(PgError::new(
            SqlState::INVALID_TABLE_DEFINITION,
            "cannot create temporary relation in non-temporary schema",
        ));
    }
    let database = &context.catalog.database;
    let owner = context.catalog.database_owner();
    let rights = context.catalog.rights(AclClass::Database, database.oid, owner, &context.roles);
    if !rights.contains(Rights::TEMPORARY) {
        let name = &database.name;
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to create temporary tables in database \"{name}\""),
        ));
    }
    let schema = context.catalog.schema(&context.temporary_schema);
    Ok((schema.map_or(Oid::INVALID, |schema| schema.oid), Persistence::Temporary))
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
        Statement::CreateIndex(create) => index::create(context, create),
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
        Statement::CreateFunction(create) => function::create(context, create),
        Statement::CreateType { name, representation } => {
            user_type::create(context, name, representation.as_ref())
        }
        Statement::AlterFunction(alter) => function::alter(context, alter),
        Statement::CreateExtension(create) => extension::create(context, create),
        Statement::DropExtension(drop) => extension::drop(context, drop),
        Statement::DropFunction(drop) => function::drop(context, drop),
        Statement::DropProcedure { if_exists, proc_desc, drop_behavior } => {
            function::drop_procedure(context, *if_exists, proc_desc, drop_behavior.as_ref())
        }
        Statement::CreatePolicy(create) => policy::create(context, create),
        Statement::AlterPolicy(alter) => policy::alter(context, alter),
        Statement::DropPolicy(drop) => policy::drop(context, drop),
        Statement::CreateSchema {
            schema_name, if_not_exists, with: None, options: None, ..
        } => create_schema(context, schema_name, *if_not_exists),
        Statement::Comment { object_type, object_name, comment, if_exists: false, .. } => {
            comment::bind(context, &object_type.to_string(), object_name, comment.clone())
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
        SchemaName::Simple(name) => (qualified_name(name)?.name, None),
        SchemaName::UnnamedAuthorization(role) => {
            let owner = schema_owner(context, role)?;
            let name = match owner == context.role {
                true => context.user.clone(),
                false => {
                    context.catalog.role(owner).map(|role| role.name.clone()).unwrap_or_default()
                }
            };
            (name, Some(owner))
        }
        SchemaName::NamedAuthorization(name, role) => {
            (qualified_name(name)?.name, Some(schema_owner(context, role)?))
        }
    };
    let (name, owner) = name;
    check_schema_name(&name)?;
    if context.catalog.schema(&name).is_some() {
        let exists =
            PgError::new(SqlState::DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists"));
        if !if_not_exists {
            return Err(exists);
        }
        return Ok(DdlCommand::Skip { tag: "CREATE SCHEMA", notice: skipping(&exists) });
    }
    Ok(DdlCommand::CreateSchema { name, if_not_exists, owner })
}

/// The role behind AUTHORIZATION.
fn schema_owner(context: &BindContext, role: &Ident) -> Result<Oid, PgError> {
    let word = role.value.to_lowercase();
    let name = match (role.quote_style, word.as_str()) {
        (None, "current_user" | "current_role") => RoleName::Current,
        (None, "session_user") => RoleName::Session,
        _ => RoleName::Name(role.clone()),
    };
    super::roles::role(context, &name)
}

/// Names of schemas that users may choose.
fn check_schema_name(name: &str) -> Result<(), PgError> {
    if !name.starts_with("pg_") {
        return Ok(());
    }
    Err(PgError::new(SqlState("42939"), format!("unacceptable schema name \"{name}\""))
        .detail("The prefix \"pg_\" is reserved for system schemas."))
}

/// Text is compared byte by byte, as the collations `C` and `POSIX` do; the default is that too.
fn check_collation(collation: &ObjectName) -> Result<(), PgError> {
    let name = qualified_name(collation)?.name;
    if matches!(name.as_str(), "C" | "POSIX" | "default" | "ucs_basic") {
        return Ok(());
    }
    Err(PgError::unsupported(
        format!("collation \"{name}\" is not supported"),
        "Text is compared byte by byte, as collation \"C\" does.",
    ))
}

/// There is one place for tables and indexes.
fn check_tablespace(name: &Ident) -> Result<(), PgError> {
    let name = fold(name);
    if name == "pg_default" {
        return Ok(());
    }
    Err(PgError::new(SqlState::UNDEFINED_OBJECT, format!("tablespace \"{name}\" does not exist")))
}

/// There is one way to store tables.
fn check_access_method(name: &Ident) -> Result<(), PgError> {
    let name = fold(name);
    if name == "heap" {
        return Ok(());
    }
    Err(PgError::new(
        SqlState::UNDEFINED_OBJECT,
        format!("access method \"{name}\" does not exist"),
    ))
}

/// Storage parameters that are PostgreSQL's own business: kept, shown, and without effect.
const STORAGE_PARAMETERS: [&str; 7] = [
    "fillfactor",
    "deduplicate_items",
    "fastupdate",
    "parallel_workers",
    "toast_tuple_target",
    "user_catalog_table",
    "vacuum_truncate",
];

/// `name=value` of storage parameters.
///
/// # Errors
/// `22023` for a parameter that PostgreSQL does not have either.
fn storage_parameter(name: &str, value: &str) -> Result<String, PgError> {
    let name = name.to_lowercase();
    let known = STORAGE_PARAMETERS.contains(&name.as_str())
        || name.starts_with("autovacuum_")
        || name.starts_with("toast.")
        || name == "log_autovacuum_min_duration"
        || crate::catalog::ROW_LABEL_PARAMETERS.contains(&name.as_str());
    if !known {
        return Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("unrecognized parameter \"{name}\""),
        ));
    }
    Ok(format!("{name}={}", value.trim_matches('\'')))
}

/// Storage parameters as `SqlOption`s.
fn storage_options(options: &[SqlOption]) -> Result<Vec<String>, PgError> {
    options
        .iter()
        .map(|option| match option {
            SqlOption::KeyValue { key, value } => storage_parameter(&key.value, &value.to_string()),
            SqlOption::Ident(name) => storage_parameter(&name.value, "true"),
            other => Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("syntax error at or near \"{other}\""),
            )),
        })
        .collect()
}

/// Storage parameters as expressions `name = value`.
fn storage_parameters(options: &[SqlExpr]) -> Result<Vec<String>, PgError> {
    options
        .iter()
        .map(|option| match option {
            SqlExpr::BinaryOp { left, right, .. } => {
                storage_parameter(&left.to_string(), &right.to_string())
            }
            other => storage_parameter(&other.to_string(), "true"),
        })
        .collect()
}

/// The notice in place of an error under IF [NOT] EXISTS.
pub(crate) fn skipping(error: &PgError) -> PgError {
    let message = format!("{error}, skipping");
    // PostgreSQL gives the error's code where a thing is there already, and none where it is not.
    if error.to_string().ends_with("already exists") {
        return PgError::new(error.code(), message).severity(crate::error::Severity::Notice);
    }
    PgError::notice(message)
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
            let lasting = |name: &&String| **name != context.temporary_schema;
            let mut path = context.search_path.iter().filter(lasting);
            path.find_map(|name| context.catalog.schema(name)).ok_or_else(|| {
                PgError::new(
                    SqlState::INVALID_SCHEMA_NAME,
                    "no schema has been selected to create in",
                )
            })?
        }
    };
    if matches!(schema.name.as_str(), "pg_catalog" | "information_schema") && !context.system {
        return Err(PgError::new(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to create \"{}.{}\"", schema.name, name.name),
        )
        .detail("System catalog modifications are currently disallowed."));
    }
    context.check_schema_right(&schema.name, Rights::CREATE)?;
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
        ObjectType::MaterializedView => Some("MATERIALIZED VIEW"),
        ObjectType::Sequence => Some("SEQUENCE"),
        _ => None,
    }
}
