//! `CREATE INDEX`, `DROP INDEX`

use std::sync::Arc;

use datafusion::logical_expr::Expr;
use sqlparser::ast::{CreateIndex, Expr as SqlExpr, Ident, IndexColumn, IndexType, ObjectName};

use super::alter_table::table_schema;
use super::{DdlCommand, skipping, storage_parameters};
use crate::catalog::{
    IndexKey, IndexMethod, IndexSource, QualifiedName, Relation, RelationKind, Table,
};
use crate::error::{PgError, SqlState};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::graph_schema::drop_graph_index;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::planner::bind::sql::query::{bind_expression, type_of};
use crate::planner::bind::sql::stored::{is_immutable, stored_expression};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// An index to be made.
#[derive(Debug, Clone)]
pub struct NewIndex {
    /// The table, or materialized view.
    pub relation: Arc<Relation>,
    /// Its name, if one was given.
    pub name: Option<String>,
    /// How it finds rows.
    pub method: IndexMethod,
    /// What it is over.
    pub keys: Vec<IndexKey>,
    /// INCLUDE: positions in the table.
    pub include: Vec<usize>,
    /// UNIQUE
    pub unique: bool,
    /// NULLS NOT DISTINCT
    pub nulls_not_distinct: bool,
    /// WHERE, as it is stored.
    pub predicate: Option<String>,
}

/// The table and number of the index of a name.
pub(super) fn index_named(
    context: &BindContext,
    name: &QualifiedName,
) -> Option<(Arc<Relation>, Oid)> {
    let schemas: Vec<&str> = match &name.schema {
        Some(schema) => vec![schema.as_str()],
        None => context.search_path.iter().map(String::as_str).collect(),
    };
    schemas.into_iter().find_map(|schema| {
        let schema = context.catalog.schema(schema)?;
        let (table, oid) = context.catalog.index_named(schema.oid, &name.name)?;
        Some((Arc::clone(table), oid))
    })
}

/// The number of a table's index of a name, among them those behind constraints.
pub(super) fn of_table(relation: &Relation, name: &Ident) -> Result<Oid, PgError> {
    let name = fold(name);
    let table = relation.table();
    let found = table.and_then(|table| {
        let by_constraint = table.constraints.iter().find(|constraint| constraint.name == name);
        let by_name = table.indexes.iter().find(|index| index.name == name);
        by_name.map(|index| index.oid).or(by_constraint.and_then(|known| known.index()))
    });
    found.ok_or_else(|| {
        PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("index \"{name}\" for table \"{}\" does not exist", relation.name),
        )
    })
}

pub(super) fn create(context: &BindContext, create: &CreateIndex) -> Result<DdlCommand, PgError> {
    if !create.index_options.is_empty() || !create.alter_options.is_empty() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in CREATE INDEX"));
    }
    storage_parameters(&create.with)?;
    let relation = context.relation(&qualified_name(&create.table_name)?)?;
    let table = match &relation.kind {
        RelationKind::Table(_) | RelationKind::MaterializedView(_) => relation.table(),
        RelationKind::View(_)
        | RelationKind::Sequence(_)
        | RelationKind::PropertyGraph(_)
        | RelationKind::System(_) => None,
    };
    let Some(table) = table else {
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("cannot create index on relation \"{}\"", relation.name),
        ));
    };
    let name = create.name.as_ref().map(qualified_name).transpose()?.map(|name| name.name);
    if let Some(name) = &name
        && context.catalog.name_is_taken(relation.schema, name)
    {
        let exists =
            PgError::new(SqlState::DUPLICATE_TABLE, format!("relation \"{name}\" already exists"));
        if create.if_not_exists {
            return Ok(DdlCommand::Skip { tag: "CREATE INDEX", notice: skipping(&exists) });
        }
        return Err(exists);
    }
    let method = method(create.using.as_ref())?;
    let mut keys = Vec::with_capacity(create.columns.len());
    for column in &create.columns {
        keys.push(key(context, &relation, table, column, method)?);
    }
    check_method(create, method, keys.len())?;
    let include = create
        .include
        .iter()
        .map(|name| position(table, &fold(name)))
        .collect::<Result<Vec<_>, _>>()?;
    let predicate = match &create.predicate {
        Some(predicate) => Some(self::predicate(context, &relation, predicate)?),
        None => None,
    };
    Ok(DdlCommand::CreateIndex(Box::new(NewIndex {
        name,
        method,
        keys,
        include,
        unique: create.unique,
        nulls_not_distinct: create.nulls_distinct == Some(false),
        predicate,
        relation,
    })))
}

fn method(using: Option<&IndexType>) -> Result<IndexMethod, PgError> {
    let name = using.map_or_else(|| "btree".to_owned(), |using| using.to_string().to_lowercase());
    match name.as_str() {
        "btree" => Ok(IndexMethod::Btree),
        "hash" => Ok(IndexMethod::Hash),
        "gin" | "gist" | "spgist" | "brin" => Err(PgError::unsupported(
            format!("access method \"{name}\" is not supported yet"),
            "Use btree or hash; scans skip chunks by themselves.",
        )),
        other => Err(PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("access method \"{other}\" does not exist"),
        )),
    }
}

/// A hash index has one key, is not unique and includes nothing.
fn check_method(create: &CreateIndex, method: IndexMethod, keys: usize) -> Result<(), PgError> {
    if method == IndexMethod::Btree {
        return Ok(());
    }
    let cannot = if create.unique {
        "unique indexes"
    } else if keys > 1 {
        "multicolumn indexes"
    } else if !create.include.is_empty() {
        "included columns"
    } else {
        return Ok(());
    };
    Err(PgError::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("access method \"hash\" does not support {cannot}"),
    ))
}

fn position(table: &Table, name: &str) -> Result<usize, PgError> {
    table.position(name).ok_or_else(|| {
        PgError::new(SqlState::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"))
    })
}

fn key(
    context: &BindContext,
    relation: &Relation,
    table: &Table,
    column: &IndexColumn,
    method: IndexMethod,
) -> Result<IndexKey, PgError> {
    let options = column.column.options;
    if column.column.with_fill.is_some() {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, "syntax error in CREATE INDEX"));
    }
    if method == IndexMethod::Hash && (options.asc.is_some() || options.nulls_first.is_some()) {
        let what = if options.asc.is_some() { "ASC/DESC" } else { "NULLS FIRST/LAST" };
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("access method \"hash\" does not support {what} options"),
        ));
    }
    let descending = options.asc == Some(false);
    let mut expr = &column.column.expr;
    if let SqlExpr::Collate { expr: inner, collation } = expr {
        super::check_collation(collation)?;
        expr = inner;
    }
    let mut grouped = expr;
    while let SqlExpr::Nested(inner) = grouped {
        grouped = inner;
    }
    let (source, ty) = match grouped {
        SqlExpr::Identifier(name) => {
            let at = position(table, &fold(name))?;
            (IndexSource::Column(at), table.columns[at].ty.clone())
        }
        expr => expression(context, relation, expr)?,
    };
    let operator_class = match &column.operator_class {
        Some(name) => operator_class(name, &ty, method)?,
        None => None,
    };
    Ok(IndexKey {
        source,
        descending,
        nulls_first: options.nulls_first.unwrap_or(descending),
        operator_class,
    })
}

/// An expression over the table, immutable and of this row alone.
fn bound(
    context: &BindContext,
    relation: &Relation,
    expr: &SqlExpr,
    what: &str,
) -> Result<(Expr, PgType), PgError> {
    let schema = table_schema(relation)?;
    let bound = bind_expression(context, expr, &schema)?;
    if !is_immutable(&bound, &schema) {
        return Err(PgError::new(
            SqlState::INVALID_OBJECT_DEFINITION,
            format!("functions in index {what} must be marked IMMUTABLE"),
        ));
    }
    let ty = type_of(&bound, &schema)?;
    Ok((bound, ty))
}

fn expression(
    context: &BindContext,
    relation: &Relation,
    expr: &SqlExpr,
) -> Result<(IndexSource, PgType), PgError> {
    let (_, ty) = bound(context, relation, expr, "expression")?;
    let text = stored_expression(context, expr, Some(&relation.name))?;
    let name = match expr {
        SqlExpr::Function(function) => {
            function.name.0.last().and_then(|part| part.as_ident()).map(fold)
        }
        _ => None,
    };
    let name = name.unwrap_or_else(|| "expr".to_owned());
    Ok((IndexSource::Expression { text, ty: ty.clone(), name }, ty))
}

fn predicate(
    context: &BindContext,
    relation: &Relation,
    expr: &SqlExpr,
) -> Result<String, PgError> {
    let (_, ty) = bound(context, relation, expr, "predicate")?;
    if ty != PgType::Bool {
        return Err(PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("argument of WHERE must be type boolean, not type {}", ty.name()),
        ));
    }
    stored_expression(context, expr, Some(&relation.name))
}

/// Whether a name is that of some type's own class.
fn is_class(name: &str) -> bool {
    let of = name.strip_suffix("_ops");
    of.is_some_and(|of| PgType::builtins().any(|ty| ty.typname() == of))
}

/// The class's name, if it is another than the type's own.
fn operator_class(
    name: &ObjectName,
    ty: &PgType,
    method: IndexMethod,
) -> Result<Option<String>, PgError> {
    let name = qualified_name(name)?.name;
    let method = match method {
        IndexMethod::Btree => "btree",
        IndexMethod::Hash => "hash",
    };
    let is_text = matches!(ty, PgType::Text | PgType::Varchar(_));
    let pattern = match name.as_str() {
        "text_pattern_ops" | "varchar_pattern_ops" => is_text,
        "bpchar_pattern_ops" => matches!(ty, PgType::Bpchar(_)),
        "text_ops" | "varchar_ops" if is_text => return Ok(None),
        own if own.strip_suffix("_ops").is_some_and(|of| of == ty.without_modifier().typname()) => {
            return Ok(None);
        }
        other if is_class(other) => false,
        _ => {
            return Err(PgError::new(
                SqlState::UNDEFINED_OBJECT,
                format!("operator class \"{name}\" does not exist for access method \"{method}\""),
            ));
        }
    };
    if pattern {
        return Ok(Some(name));
    }
    Err(PgError::new(
        SqlState::DATATYPE_MISMATCH,
        format!("operator class \"{name}\" does not accept data type {}", ty.name()),
    ))
}

pub(super) fn drop(
    context: &BindContext,
    if_exists: bool,
    names: &[ObjectName],
    cascade: bool,
) -> Result<DdlCommand, PgError> {
    let mut indexes = Vec::new();
    let mut missing = Vec::new();
    for name in names {
        let name = qualified_name(name)?;
        match index_named(context, &name) {
            Some((table, index)) => indexes.push((table, index)),
            None if context.relation(&name).is_ok() => {
                let relation = context.relation(&name)?;
                let (is, article) = super::drop::kind_words(&relation)?;
                return Err(PgError::new(
                    SqlState::WRONG_OBJECT_TYPE,
                    format!("\"{}\" is not an index", relation.name),
                )
                .hint(format!("Use DROP {is} to remove {article}.")));
            }
            None => {
                // Cypher's DROP INDEX is written the same.
                if let ([_], None) = (names, &name.schema)
                    && let Some(command) = drop_graph_index(context, &name.name)
                {
                    return Ok(command);
                }
                if if_exists {
                    missing.push(name.name);
                    continue;
                }
                return Err(PgError::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!("index \"{name}\" does not exist"),
                ));
            }
        }
    }
    Ok(DdlCommand::DropIndexes { indexes, missing, cascade })
}
