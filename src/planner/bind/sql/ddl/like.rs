//! `CREATE TABLE (LIKE …)`: columns of another table, and what belongs to them where it is included.

use super::create_table::{NewConstraint, NewConstraintKind};
use super::sequence::NewSequence;
use crate::catalog::{
    Column, ColumnDefault, ConstraintKind, QualifiedName, Relation, RelationKind, Table,
};
use crate::error::{PgError, SqlState};
use crate::parser::TableLike;
use crate::planner::bind::context::BindContext;

/// What a LIKE stands for.
#[derive(Debug, Default)]
pub(super) struct Likeness {
    pub(super) columns: Vec<Column>,
    pub(super) constraints: Vec<NewConstraint>,
    pub(super) sequences: Vec<NewSequence>,
}

const OPTIONS: [&str; 10] = [
    "all",
    "comments",
    "compression",
    "constraints",
    "defaults",
    "generated",
    "identity",
    "indexes",
    "statistics",
    "storage",
];

/// Reads the other table.
///
/// # Errors
/// `42P01`, `42809` for what has no columns, `42601` for an unknown option, `0A000` for indexes and identity columns that
/// are included.
pub(super) fn likeness(context: &BindContext, like: &TableLike) -> Result<Likeness, PgError> {
    if let Some((_, word)) = like.options.iter().find(|(_, word)| !OPTIONS.contains(&word.as_str()))
    {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            format!("syntax error at or near \"{word}\""),
        ));
    }
    let name = match like.name.as_slice() {
        [name] => QualifiedName { schema: None, name: name.clone() },
        [schema, name] => QualifiedName { schema: Some(schema.clone()), name: name.clone() },
        _ => {
            return Err(PgError::new(
                SqlState::SYNTAX_ERROR,
                format!("improper relation name (too many dotted names): {}", like.name.join(".")),
            ));
        }
    };
    let relation = context.relation(&name)?;
    let has_columns = matches!(
        relation.kind,
        RelationKind::Table(_) | RelationKind::View(_) | RelationKind::MaterializedView(_)
    );
    if !has_columns {
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("relation \"{}\" is invalid in LIKE clause", relation.name),
        ));
    }
    let mut result = Likeness::default();
    for column in relation.columns() {
        result.columns.push(like_column(column, like)?);
    }
    if let Some(table) = relation.table() {
        constraints(&relation, table, like, &mut result)?;
    }
    Ok(result)
}

fn like_column(column: &Column, like: &TableLike) -> Result<Column, PgError> {
    let default = match &column.default {
        Some(default @ ColumnDefault::Expression(_)) if like.includes("defaults") => {
            Some(default.clone())
        }
        Some(default @ ColumnDefault::Generated(_)) if like.includes("generated") => {
            Some(default.clone())
        }
        Some(ColumnDefault::Identity { .. }) if like.includes("identity") => {
            return Err(PgError::unsupported(
                "LIKE … INCLUDING IDENTITY is not supported yet",
                "Write EXCLUDING IDENTITY, and ALTER COLUMN … ADD GENERATED … AS IDENTITY afterwards.",
            ));
        }
        _ => None,
    };
    let comment = column.comment.clone().filter(|_| like.includes("comments"));
    Ok(Column { default, comment, ..column.clone() })
}

fn constraints(
    relation: &Relation,
    table: &Table,
    like: &TableLike,
    result: &mut Likeness,
) -> Result<(), PgError> {
    let names = |columns: &[usize]| -> Vec<String> {
        columns.iter().filter_map(|at| table.columns.get(*at)).map(|c| c.name.clone()).collect()
    };
    for constraint in &table.constraints {
        let (name, kind, include) = match &constraint.kind {
            ConstraintKind::Check { condition } if like.includes("constraints") => {
                let kind = NewConstraintKind::Check { condition: condition.clone() };
                (Some(constraint.name.clone()), kind, Vec::new())
            }
            ConstraintKind::PrimaryKey { columns, include, .. } if like.includes("indexes") => {
                (None, NewConstraintKind::PrimaryKey(names(columns)), names(include))
            }
            ConstraintKind::Unique { columns, include, nulls_not_distinct, .. }
                if like.includes("indexes") =>
            {
                let kind = NewConstraintKind::Unique {
                    columns: names(columns),
                    nulls_not_distinct: *nulls_not_distinct,
                };
                (None, kind, names(include))
            }
            _ => continue,
        };
        let new = NewConstraint::new(name, kind, constraint.timing);
        result.constraints.push(NewConstraint { include, ..new });
    }
    if like.includes("indexes") && !table.indexes.is_empty() {
        return Err(PgError::unsupported(
            format!(
                "LIKE … INCLUDING INDEXES is not supported yet for indexes of \"{}\" that CREATE INDEX made",
                relation.name
            ),
            "Write EXCLUDING INDEXES, and create them afterwards.",
        ));
    }
    Ok(())
}
