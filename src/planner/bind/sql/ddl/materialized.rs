//! `CREATE MATERIALIZED VIEW` and `REFRESH MATERIALIZED VIEW`.

use sqlparser::ast::{CreateTableOptions, CreateView, ObjectName};

use super::view::{reads, view_columns, view_query};
use super::{DdlCommand, NewTable, place, skipping, storage_options};
use crate::catalog::{OnCommit, Persistence, Relation, RelationKind, View};
use crate::error::{PgError, SqlState};
use crate::planner::bind::bound::{BoundPlan, PlanKind};
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::names::qualified_name;
use crate::planner::bind::sql::query::{output_columns, plan_view};

pub(super) fn bind(
    context: &BindContext,
    create: &CreateView,
    text: &str,
) -> Result<DdlCommand, PgError> {
    let foreign = create.or_replace
        || create.temporary
        || create.or_alter
        || create.secure
        || !create.cluster_by.is_empty()
        || create.comment.is_some()
        || create.copy_grants
        || create.to.is_some()
        || create.params.is_some();
    let options = match &create.options {
        CreateTableOptions::None => Some(Vec::new()),
        CreateTableOptions::With(options) => Some(storage_options(options)?),
        CreateTableOptions::Options(_)
        | CreateTableOptions::Plain(_)
        | CreateTableOptions::TableProperties(_) => None,
    };
    let Some(options) = options.filter(|_| !foreign) else {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "syntax error in CREATE MATERIALIZED VIEW",
        ));
    };
    let name = qualified_name(&create.name)?;
    let (schema, persistence) = place(context, &name, false)?;
    if context.catalog.name_is_taken(schema, &name.name) {
        let exists = PgError::new(
            SqlState::DUPLICATE_TABLE,
            format!("relation \"{}\" already exists", name.name),
        );
        if create.if_not_exists {
            let tag = "CREATE MATERIALIZED VIEW";
            return Ok(DdlCommand::Skip { tag, notice: skipping(&exists) });
        }
        return Err(exists);
    }
    let query = view_query(text)?;
    let query = without_data(&query).to_owned();
    let tracking = context.tracking();
    let body = crate::parser::stored::parse_view_query(&query)?;
    let plan = crate::planner::bind::bind_view_body(&tracking, &body)?;
    let columns = view_columns(&output_columns(&plan), create)?;
    let reads = reads(context, &tracking, &plan);
    let is_temporary = |relation: &Relation| relation.persistence == Persistence::Temporary;
    let mut read = reads.iter().filter_map(|read| context.catalog.relation(read.relation));
    if read.any(|relation| is_temporary(relation)) {
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "materialized views must not use temporary tables or views",
        ));
    }
    let search_path = context.search_path.clone();
    let view = View { query, columns: columns.clone(), search_path, reads, options: Vec::new() };
    // `with_no_schema_binding` is where the parser leaves WITH NO DATA.
    let rows = (!create.with_no_schema_binding).then(|| BoundPlan {
        columns: output_columns(&plan),
        plan,
        kind: PlanKind::Select,
        parameters: Vec::new(),
    });
    Ok(DdlCommand::CreateTable(Box::new(NewTable {
        schema,
        name: name.name,
        columns,
        constraints: Vec::new(),
        sequences: Vec::new(),
        persistence,
        on_commit: OnCommit::PreserveRows,
        options,
        rows,
        materialized: Some(Box::new(view)),
    })))
}

/// The query without `WITH [NO] DATA` behind it.
fn without_data(query: &str) -> &str {
    let Some(before) = before_word(query, "data") else { return query };
    let before = before_word(before, "no").unwrap_or(before);
    before_word(before, "with").map_or(query, str::trim_end)
}

/// The text before its last word, if that is it.
fn before_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_end();
    let at = text.len().checked_sub(word.len())?;
    let before = text.get(..at)?;
    let is_whole = !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '$'));
    (is_whole && text.get(at..)?.eq_ignore_ascii_case(word)).then_some(before)
}

pub(super) fn refresh(
    context: &BindContext,
    name: &ObjectName,
    concurrently: bool,
    no_data: bool,
) -> Result<DdlCommand, PgError> {
    let relation = context.relation(&qualified_name(name)?)?;
    let RelationKind::MaterializedView(view) = &relation.kind else {
        let (code, is) = match relation.kind {
            RelationKind::Table(_) => (SqlState::FEATURE_NOT_SUPPORTED, "materialized view"),
            _ => (SqlState::WRONG_OBJECT_TYPE, "table or materialized view"),
        };
        return Err(PgError::new(code, format!("\"{}\" is not a {is}", relation.name)));
    };
    if concurrently && no_data {
        return Err(PgError::new(
            SqlState::SYNTAX_ERROR,
            "CONCURRENTLY and WITH NO DATA options cannot be used together",
        ));
    }
    if concurrently && !view.populated {
        return Err(PgError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            "CONCURRENTLY cannot be used when the materialized view is not populated",
        ));
    }
    let has_key = |view: &crate::catalog::MaterializedView| {
        view.table.indexes.iter().any(|index| index.unique && index.predicate.is_none())
    };
    if concurrently && !has_key(view) {
        let schema = context.catalog.schemas.get(&relation.schema);
        let schema = schema.map_or("", |schema| schema.name.as_str());
        return Err(PgError::new(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("cannot refresh materialized view \"{schema}.{}\" concurrently", relation.name),
        )
        .hint(
            "Create a unique index with no WHERE clause on one or more columns of the \
             materialized view.",
        ));
    }
    let rows = if no_data {
        None
    } else {
        let plan = plan_view(&context.for_view(&relation, &view.view)?, &relation, &view.view)?;
        let columns = output_columns(&plan);
        let parameters = Vec::new();
        Some(Box::new(BoundPlan { plan, kind: PlanKind::Select, parameters, columns }))
    };
    Ok(DdlCommand::RefreshView { relation, rows, concurrently })
}

#[cfg(test)]
mod tests {
    use super::without_data;

    #[test]
    fn with_data_is_cut_off() {
        assert_eq!(without_data("SELECT 1 WITH NO DATA"), "SELECT 1");
        assert_eq!(without_data("SELECT 1\nwith data "), "SELECT 1");
        assert_eq!(without_data("SELECT 1 AS data"), "SELECT 1 AS data");
        assert_eq!(without_data("SELECT x FROM metadata"), "SELECT x FROM metadata");
    }
}
