//! `CREATE` and `DROP` of Cypher's constraints and indexes.
//!
//! On an open graph they are the graph's own, about a label whatever partitions have it; on a typed one those of the
//! label's table, as `ALTER TABLE` and `CREATE INDEX` make them.

use std::sync::Arc;

use super::context::BindContext;
use super::graph::choose_graph;
use super::graph::names::with_near;
use super::sql::ddl::{
    AlterStep, DdlCommand, LabelRuleChange, NewConstraint, NewConstraintKind, NewIndex, skipping,
};
use crate::catalog::{
    ConstraintKind as TableConstraint, ConstraintTiming, ElementTable, IndexKey, IndexMethod,
    IndexSource, LabelRule, LabelRuleKind, PropertyGraph, PropertySource, Relation, Table,
};
use crate::error::{PgError, SqlState};
use crate::parser::Span;
use crate::parser::cypher::{
    ConstraintKind, CypherStatement, Expr, ExprKind, SchemaCommand, SchemaElement,
};
use crate::parser::pattern::{LabelExpr, Name};
use crate::types::Oid;

/// What is to be made.
struct Wanted<'a> {
    name: Option<&'a Name>,
    if_not_exists: bool,
    edge: bool,
    label: &'a Name,
    properties: Vec<&'a Name>,
    kind: LabelRuleKind,
}

/// Binds the command.
///
/// # Errors
/// `42710` for what is there already, `42704` for what is not, `42703` for a typed graph's unknown property; `0A000` for
/// kinds that are not carried out.
pub(super) fn bind_schema_command(
    context: &BindContext,
    statement: &CypherStatement,
    command: &SchemaCommand,
) -> Result<DdlCommand, PgError> {
    if statement.explain.is_some() {
        let message = "EXPLAIN and PROFILE are for queries, not for constraints and indexes";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    }
    let graph =
        choose_graph(&context.catalog, &context.search_path, context.graph_path.as_deref(), None)?;
    match command {
        SchemaCommand::CreateConstraint {
            name,
            if_not_exists,
            element,
            properties,
            kind,
            span,
        } => {
            let kind = match kind {
                ConstraintKind::Unique => LabelRuleKind::Unique,
                ConstraintKind::NotNull => LabelRuleKind::NotNull,
                ConstraintKind::Key => LabelRuleKind::Key,
                ConstraintKind::Typed(_) => {
                    return Err(PgError::unsupported(
                        "constraints on the type of a property are not supported",
                        "The columns of a typed graph's tables have types.",
                    )
                    .at(span.start as usize));
                }
            };
            let new = (name.as_ref(), *if_not_exists);
            make(context, &graph, wanted(new, element, properties, kind)?)
        }
        SchemaCommand::CreateIndex {
            name,
            if_not_exists,
            kind,
            element,
            properties,
            options,
            span,
        } => {
            check_index(kind.as_deref(), options.as_ref(), *span)?;
            let new = (name.as_ref(), *if_not_exists);
            make(context, &graph, wanted(new, element, properties, LabelRuleKind::Index)?)
        }
        SchemaCommand::DropConstraint { name, if_exists, span: _ } => {
            unmake(context, &graph, name, *if_exists, true)
        }
        SchemaCommand::DropIndex { name, if_exists, span: _ } => {
            unmake(context, &graph, name, *if_exists, false)
        }
    }
}

/// The command that drops an index of the chosen graph, if it has one of this name: what SQL's `DROP INDEX` asks where
/// no table has.
pub(in crate::planner::bind) fn drop_graph_index(
    context: &BindContext,
    name: &str,
) -> Option<DdlCommand> {
    let path = context.graph_path.as_deref();
    let graph = choose_graph(&context.catalog, &context.search_path, path, None).ok()?;
    let rule = graph.label_rules.iter().find(|rule| rule.name == name)?;
    if rule.kind.is_constraint() {
        return None;
    }
    let relation = Arc::clone(context.catalog.relation(graph.oid)?);
    Some(DdlCommand::LabelRule { relation, change: LabelRuleChange::Drop(rule.clone()) })
}

/// Refuses kinds of indexes that are not made.
fn check_index(kind: Option<&str>, options: Option<&Expr>, span: Span) -> Result<(), PgError> {
    let hint = match kind {
        None | Some("RANGE" | "BTREE") => {
            return match options.map(|options| &options.kind) {
                None => Ok(()),
                Some(ExprKind::Map(entries)) if entries.is_empty() => Ok(()),
                Some(_) => Err(PgError::unsupported(
                    "OPTIONS of an index are not supported",
                    "Leave them out.",
                )
                .at(span.start as usize)),
            };
        }
        Some("LOOKUP") => "Elements are kept by label: they are found by label without an index.",
        Some(_) => "CREATE INDEX makes an index that finds equal values.",
    };
    let message = format!("{} indexes are not supported", kind.unwrap_or_default());
    Err(PgError::unsupported(message, hint).at(span.start as usize))
}

fn wanted<'a>(
    (name, if_not_exists): (Option<&'a Name>, bool),
    element: &'a SchemaElement,
    properties: &'a [Name],
    kind: LabelRuleKind,
) -> Result<Wanted<'a>, PgError> {
    let SchemaElement { is_edge, variable: _, labels, span } = element;
    let label = match labels {
        Some(LabelExpr::Label(label)) => label,
        _ => {
            let what = if *is_edge { "relationship type" } else { "label" };
            let message = format!("a constraint or index is about one {what}");
            return Err(PgError::new(SqlState::SYNTAX_ERROR, message).at(span.start as usize));
        }
    };
    let mut each: Vec<&Name> = Vec::with_capacity(properties.len());
    for property in properties {
        if each.iter().any(|known| known.text == property.text) {
            let message = format!("property \"{}\" appears twice", property.text);
            let at = property.span.start as usize;
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message).at(at));
        }
        each.push(property);
    }
    if each.len() > 1 && kind == LabelRuleKind::NotNull {
        let message = "a constraint IS NOT NULL is about one property";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message)
            .hint("Make one for each property.")
            .at(span.start as usize));
    }
    Ok(Wanted { name, if_not_exists, edge: *is_edge, label, properties: each, kind })
}

impl Wanted<'_> {
    fn what(&self) -> &'static str {
        if self.kind.is_constraint() { "constraint" } else { "index" }
    }

    fn tag(&self) -> &'static str {
        if self.kind.is_constraint() { "CREATE CONSTRAINT" } else { "CREATE INDEX" }
    }

    fn names(&self) -> Vec<String> {
        self.properties.iter().map(|name| name.text.clone()).collect()
    }

    /// The error of something that is there, or the command that does nothing.
    fn exists(&self, error: PgError) -> Result<DdlCommand, PgError> {
        match self.if_not_exists {
            true => Ok(DdlCommand::Skip { tag: self.tag(), notice: skipping(&error) }),
            false => Err(error),
        }
    }
}

fn make(
    context: &BindContext,
    graph: &Arc<PropertyGraph>,
    wanted: Wanted<'_>,
) -> Result<DdlCommand, PgError> {
    if graph.open.is_none() {
        return make_on_table(context, graph, &wanted);
    }
    let names = wanted.names();
    let rules = &graph.label_rules;
    let what = wanted.what();
    if let Some(name) = wanted.name
        && rules.iter().any(|rule| rule.name == name.text)
    {
        let message = format!("{what} \"{}\" already exists", name.text);
        return wanted.exists(PgError::new(SqlState::DUPLICATE_OBJECT, message));
    }
    let same = rules.iter().find(|rule| {
        rule.edge == wanted.edge
            && rule.label == wanted.label.text
            && rule.properties == names
            && (rule.kind == wanted.kind
                || rule.kind.is_unique() && wanted.kind == LabelRuleKind::Index)
    });
    if let Some(same) = same {
        let message = format!("{what} \"{}\" already exists", same.name);
        let error = PgError::new(SqlState::DUPLICATE_OBJECT, message)
            .detail("It is about the same label and properties.");
        return wanted.exists(error);
    }
    let name = match wanted.name {
        Some(name) => name.text.clone(),
        None => free_name(graph, &wanted),
    };
    let Some(relation) = context.catalog.relation(graph.oid).cloned() else {
        return Err(PgError::internal("the graph is not there"));
    };
    let Wanted { edge, label, kind, .. } = wanted;
    let rule = LabelRule {
        oid: Oid::INVALID,
        name,
        edge,
        label: label.text.clone(),
        properties: names,
        kind,
    };
    Ok(DdlCommand::LabelRule { relation, change: LabelRuleChange::Create(rule) })
}

/// `Person_name_key`, with a number behind it if that is taken.
fn free_name(graph: &PropertyGraph, wanted: &Wanted<'_>) -> String {
    let suffix = match wanted.kind {
        LabelRuleKind::Index => "idx",
        LabelRuleKind::Unique | LabelRuleKind::Key => "key",
        LabelRuleKind::NotNull => "not_null",
    };
    let base = format!("{}_{}_{suffix}", wanted.label.text, wanted.names().join("_"));
    let is_free = |name: &String| graph.label_rules.iter().all(|rule| rule.name != *name);
    let numbered = (1..).map(|number| format!("{base}{number}"));
    std::iter::once(base.clone()).chain(numbered).find(is_free).unwrap_or(base)
}

/// The one table of a typed graph that has a label.
fn table_with<'g>(
    graph: &'g PropertyGraph,
    edge: bool,
    label: &Name,
) -> Result<&'g ElementTable, PgError> {
    let exact: Vec<_> = graph.elements_with(edge, &label.text).collect();
    match exact.as_slice() {
        [one] => Ok(one),
        [] => {
            let what = if edge { "relationship type" } else { "label" };
            let (graph_name, name) = (&graph.name, &label.text);
            let message = format!("{what} \"{name}\" is not in property graph \"{graph_name}\"");
            let error = PgError::new(SqlState::UNDEFINED_OBJECT, message);
            let known = graph.elements().flat_map(ElementTable::label_names);
            Err(with_near(error.at(label.span.start as usize), name, known))
        }
        _ => Err(PgError::unsupported(
            format!(
                "constraints and indexes on label \"{}\", which several tables have, are not supported",
                label.text
            ),
            "Make one on each of the tables, in SQL.",
        )
        .at(label.span.start as usize)),
    }
}

/// The column that a property of a typed graph is.
fn column_of(element: &ElementTable, property: &Name) -> Result<usize, PgError> {
    let Some(found) = element.property(&property.text) else {
        let message = format!("property \"{}\" does not exist", property.text);
        let error =
            PgError::new(SqlState::UNDEFINED_COLUMN, message).at(property.span.start as usize);
        let known = element.properties().map(|property| property.name.as_str());
        return Err(with_near(error, &property.text, known));
    };
    match found.source {
        PropertySource::Column(column) => Ok(column),
        PropertySource::Expression(_) | PropertySource::Open { .. } => Err(PgError::unsupported(
            format!("property \"{}\" is an expression, not a column", property.text),
            "Make a unique index over the expression, in SQL.",
        )
        .at(property.span.start as usize)),
    }
}

fn make_on_table(
    context: &BindContext,
    graph: &PropertyGraph,
    wanted: &Wanted<'_>,
) -> Result<DdlCommand, PgError> {
    let element = table_with(graph, wanted.edge, wanted.label)?;
    let relation = context.catalog.relation(element.relation).cloned();
    let Some((relation, table)) =
        relation.and_then(|it| Some((Arc::clone(&it), it.table()?.clone())))
    else {
        return Err(PgError::internal("a table of the graph is not there"));
    };
    let columns = wanted
        .properties
        .iter()
        .map(|property| column_of(element, property))
        .collect::<Result<Vec<usize>, _>>()?;
    let name = wanted.name.map(|name| name.text.clone());
    if let Some(name) = &name
        && let Some(error) = taken(context, &relation, &table, name, wanted)
    {
        return wanted.exists(error);
    }
    let column_names: Vec<String> = columns
        .iter()
        .filter_map(|at| table.columns.get(*at))
        .map(|column| column.name.clone())
        .collect();
    let required = column_names
        .iter()
        .map(|name| AlterStep::SetNotNull { name: name.clone(), not_null: true });
    let unique = |name| {
        let kind =
            NewConstraintKind::Unique { columns: column_names.clone(), nulls_not_distinct: false };
        AlterStep::AddConstraint(NewConstraint::new(name, kind, ConstraintTiming::NotDeferrable))
    };
    let steps = match wanted.kind {
        LabelRuleKind::Index => {
            return Ok(DdlCommand::CreateIndex(Box::new(new_index(relation, name, &columns))));
        }
        LabelRuleKind::Unique => vec![unique(name)],
        LabelRuleKind::Key => required.chain([unique(name)]).collect(),
        LabelRuleKind::NotNull => {
            let own = not_null_name(&relation, column_names.first().map_or("", String::as_str));
            if name.is_some_and(|name| name != own) {
                return Err(PgError::unsupported(
                    "a NOT NULL constraint of a typed graph's table has no name of its own",
                    format!("Leave the name out: it is called {own}."),
                ));
            }
            if columns.iter().all(|at| table.columns.get(*at).is_some_and(|it| it.not_null)) {
                let message = format!("constraint \"{own}\" already exists");
                return wanted.exists(PgError::new(SqlState::DUPLICATE_OBJECT, message));
            }
            required.collect()
        }
    };
    Ok(DdlCommand::AlterTable { relation, steps })
}

fn new_index(relation: Arc<Relation>, name: Option<String>, columns: &[usize]) -> NewIndex {
    let key = |column: &usize| IndexKey {
        source: IndexSource::Column(*column),
        descending: false,
        nulls_first: false,
        operator_class: None,
    };
    NewIndex {
        relation,
        name,
        method: IndexMethod::Btree,
        keys: columns.iter().map(key).collect(),
        include: Vec::new(),
        unique: false,
        nulls_not_distinct: false,
        predicate: None,
    }
}

/// Whether a name is taken for a constraint or an index of a table.
fn taken(
    context: &BindContext,
    relation: &Relation,
    table: &Table,
    name: &str,
    wanted: &Wanted<'_>,
) -> Option<PgError> {
    let by_constraint = table.constraints.iter().any(|constraint| constraint.name == name);
    let by_relation = context.catalog.name_is_taken(relation.schema, name);
    if wanted.kind != LabelRuleKind::NotNull && (by_constraint || by_relation) {
        let message = format!("{} \"{name}\" already exists", wanted.what());
        return Some(PgError::new(SqlState::DUPLICATE_OBJECT, message));
    }
    None
}

/// The name that the NOT NULL of a column goes by.
fn not_null_name(relation: &Relation, column: &str) -> String {
    format!("{}_{column}_not_null", relation.name)
}

fn unmake(
    context: &BindContext,
    graph: &Arc<PropertyGraph>,
    name: &Name,
    if_exists: bool,
    constraint: bool,
) -> Result<DdlCommand, PgError> {
    let found = match graph.open {
        Some(_) => {
            let mut rules = graph.label_rules.iter();
            let rule = rules.find(|rule| rule.name == name.text);
            if let Some(rule) = rule.filter(|rule| rule.kind.is_constraint() && !constraint) {
                return Err(PgError::new(
                    SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
                    format!("cannot drop index {0} because constraint {0} requires it", rule.name),
                )
                .hint(format!("You can drop constraint {} instead.", rule.name)));
            }
            let rule = rule.filter(|rule| rule.kind.is_constraint() == constraint);
            rule.and_then(|rule| {
                let relation = Arc::clone(context.catalog.relation(graph.oid)?);
                let change = LabelRuleChange::Drop(rule.clone());
                Some(DdlCommand::LabelRule { relation, change })
            })
        }
        None => drop_of_table(context, graph, &name.text, constraint),
    };
    if let Some(command) = found {
        return Ok(command);
    }
    let (what, tag) = match constraint {
        true => ("constraint", "DROP CONSTRAINT"),
        false => ("index", "DROP INDEX"),
    };
    let message = format!("{what} \"{}\" does not exist", name.text);
    if if_exists {
        return Ok(DdlCommand::Skip {
            tag,
            notice: PgError::notice(format!("{message}, skipping")),
        });
    }
    let error = PgError::new(SqlState::UNDEFINED_OBJECT, message).at(name.span.start as usize);
    let known = graph.label_rules.iter().filter(|rule| rule.kind.is_constraint() == constraint);
    Err(with_near(error, &name.text, known.map(|rule| rule.name.as_str())))
}

/// The command that drops a constraint or an index of one of a typed graph's tables.
fn drop_of_table(
    context: &BindContext,
    graph: &PropertyGraph,
    name: &str,
    constraint: bool,
) -> Option<DdlCommand> {
    for element in graph.elements() {
        let relation = context.catalog.relation(element.relation)?;
        let table = relation.table()?;
        if !constraint {
            if let Some(index) = table.indexes.iter().find(|index| index.name == name) {
                let indexes = vec![(Arc::clone(relation), index.oid)];
                return Some(DdlCommand::DropIndexes {
                    indexes,
                    missing: Vec::new(),
                    cascade: false,
                });
            }
            continue;
        }
        let is_key = |kind: &TableConstraint| {
            matches!(kind, TableConstraint::PrimaryKey { .. } | TableConstraint::Unique { .. })
        };
        let step = if table.constraints.iter().any(|it| it.name == name && is_key(&it.kind)) {
            let (name, if_exists, cascade) = (name.to_owned(), false, false);
            AlterStep::DropConstraint { name, if_exists, cascade }
        } else {
            let mut required = table.columns.iter().filter(|column| column.not_null);
            let Some(column) = required.find(|it| not_null_name(relation, &it.name) == name) else {
                continue;
            };
            AlterStep::SetNotNull { name: column.name.clone(), not_null: false }
        };
        return Some(DdlCommand::AlterTable { relation: Arc::clone(relation), steps: vec![step] });
    }
    None
}
