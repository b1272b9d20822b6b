//! `CREATE`, `ALTER` and `DROP PROPERTY GRAPH` as commands.

use std::sync::Arc;

use datafusion::common::DFSchema;
use sqlparser::ast::{Ident, Owner};

use super::context::BindContext;
use super::graph::{bind_graph_change, bind_graph_definition, qualified};
use super::sql::bind_expression;
use super::sql::ddl::{DdlCommand, ObjectRef, drop_relations, on_object, place, skipping};
use crate::catalog::{OpenGraph, Persistence, PropertyGraph, Relation, RelationKind};
use crate::error::{PgError, SqlState};
use crate::parser::pattern::Name;
use crate::parser::pgq::{
    AlterAction, AlterPropertyGraph, CreatePropertyGraph, DropBehavior, DropPropertyGraph,
    PropertyGraphDdl, SqlExpr,
};
use crate::parser::sql::definition::ObjectAction;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// Binds a statement on a property graph.
///
/// # Errors
/// As PostgreSQL 19's; `0A000` for what is not carried out.
pub(super) fn bind_graph_statement(
    context: &BindContext,
    ddl: &PropertyGraphDdl,
) -> Result<DdlCommand, PgError> {
    match ddl {
        PropertyGraphDdl::Create(create) => bind_create(context, create),
        PropertyGraphDdl::Alter(alter) => bind_alter(context, alter),
        PropertyGraphDdl::Drop(drop) => bind_drop(context, drop),
    }
}

fn type_of(context: &BindContext, expr: &SqlExpr, relation: &Relation) -> Result<PgType, PgError> {
    let name = datafusion::common::TableReference::bare(relation.name.as_str());
    let fields = relation
        .columns()
        .iter()
        .map(|column| (Some(name.clone()), Arc::new(column.ty.field(&column.name, true))))
        .collect();
    let schema = DFSchema::new_with_metadata(fields, Default::default())?;
    let bound = bind_expression(context, &expr.expr, &schema)?;
    super::sql::type_of(&bound, &schema)
}

fn bind_create(context: &BindContext, create: &CreatePropertyGraph) -> Result<DdlCommand, PgError> {
    let name = qualified(&create.name)?;
    let temporary = create.temporary || has_temporary_tables(context, create);
    let (schema, _) = place(context, &name, temporary)?;
    let replaces = match context.catalog.relation_in(schema, &name.name) {
        None => None,
        Some(old) if create.or_replace && matches!(old.kind, RelationKind::PropertyGraph(_)) => {
            Some(old.oid)
        }
        Some(_) => {
            let error = PgError::new(
                SqlState::DUPLICATE_TABLE,
                format!("relation \"{}\" already exists", name.name),
            );
            if create.if_not_exists {
                return Ok(DdlCommand::Skip {
                    tag: "CREATE PROPERTY GRAPH",
                    notice: skipping(&error),
                });
            }
            return Err(error.at(create.name.span.start as usize));
        }
    };
    if create.open {
        if temporary || schema == Oid::INVALID {
            return Err(PgError::unsupported(
                "temporary property graphs without a schema (ANY) are not supported yet",
                "Leave TEMPORARY out, and drop the graph when it is no longer needed.",
            )
            .at(create.span.start as usize));
        }
        // Its schema and sequence are made with it.
        let open = Some(OpenGraph { schema: Oid::INVALID, sequence: Oid::INVALID });
        let (oid, vertices, edges) = (Oid::INVALID, Vec::new(), Vec::new());
        let graph =
            PropertyGraph { oid, name: name.name, vertices, edges, open, label_rules: Vec::new() };
        return Ok(DdlCommand::CreateGraph { schema, graph: Box::new(graph), replaces });
    }
    let graph = bind_graph_definition(
        &context.catalog,
        &context.search_path,
        create,
        &mut |expr, relation| type_of(context, expr, relation),
    )?;
    Ok(DdlCommand::CreateGraph { schema, graph: Box::new(graph), replaces })
}

/// Whether an element table is temporary: then the graph is too, as in PostgreSQL.
fn has_temporary_tables(context: &BindContext, create: &CreatePropertyGraph) -> bool {
    let vertices = create.vertex_tables.iter().map(|vertex| &vertex.table);
    let edges = create.edge_tables.iter().map(|edge| &edge.element.table);
    vertices.chain(edges).any(|table| {
        let relation = qualified(table).ok().and_then(|name| context.relation(&name).ok());
        relation.is_some_and(|relation| relation.persistence == Persistence::Temporary)
    })
}

/// RENAME TO, SET SCHEMA and OWNER TO, if the action is one of them.
fn object_action(action: &AlterAction) -> Option<ObjectAction> {
    let ident = |name: &Name| match name.quoted {
        true => Ident::with_quote('"', name.text.clone()),
        false => Ident::new(name.text.clone()),
    };
    let owner = |name: &Name| match name.text.to_ascii_lowercase().as_str() {
        "current_user" if !name.quoted => Owner::CurrentUser,
        "current_role" if !name.quoted => Owner::CurrentRole,
        "session_user" if !name.quoted => Owner::SessionUser,
        _ => Owner::Ident(ident(name)),
    };
    match action {
        AlterAction::RenameTo(name) => Some(ObjectAction::Rename(ident(name))),
        AlterAction::SetSchema(name) => Some(ObjectAction::SetSchema(ident(name))),
        AlterAction::OwnerTo(name) => Some(ObjectAction::OwnerTo(owner(name))),
        AlterAction::AddTables { .. }
        | AlterAction::DropTables { .. }
        | AlterAction::AlterTable { .. } => None,
    }
}

fn graph_of(relation: &Relation) -> Option<&Arc<PropertyGraph>> {
    match &relation.kind {
        RelationKind::PropertyGraph(graph) => Some(graph),
        RelationKind::Table(_)
        | RelationKind::View(_)
        | RelationKind::MaterializedView(_)
        | RelationKind::Sequence(_)
        | RelationKind::System(_) => None,
    }
}

fn bind_alter(context: &BindContext, alter: &AlterPropertyGraph) -> Result<DdlCommand, PgError> {
    let name = qualified(&alter.name)?;
    let relation = match context.relation(&name) {
        Ok(relation) => relation,
        Err(error) if alter.if_exists => {
            return Ok(DdlCommand::Skip { tag: "ALTER PROPERTY GRAPH", notice: skipping(&error) });
        }
        Err(error) => return Err(error.at(alter.name.span.start as usize)),
    };
    let Some(graph) = graph_of(&relation) else {
        return Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{}\" is not a property graph", relation.name),
        ));
    };
    if graph.open.is_some()
        && !matches!(
            alter.action,
            AlterAction::OwnerTo(_) | AlterAction::RenameTo(_) | AlterAction::SetSchema(_)
        )
    {
        return Err(PgError::unsupported(
            "an open property graph has no element tables to add or change",
            "Its labels, types and properties come into being when they are first used.",
        ));
    }
    if let Some(action) = object_action(&alter.action) {
        let object = ObjectRef::Relation(Arc::clone(&relation));
        return on_object(context, object, &action, "ALTER PROPERTY GRAPH");
    }
    let changed = bind_graph_change(
        &context.catalog,
        &context.search_path,
        graph,
        &alter.action,
        &mut |expr, relation| type_of(context, expr, relation),
    )?;
    Ok(DdlCommand::AlterGraph { relation, graph: Box::new(changed) })
}

fn bind_drop(context: &BindContext, drop: &DropPropertyGraph) -> Result<DdlCommand, PgError> {
    let names = drop.names.iter().map(qualified).collect::<Result<Vec<_>, _>>()?;
    let cascade = matches!(drop.behavior, DropBehavior::Cascade);
    drop_relations(context, "PROPERTY GRAPH", drop.if_exists, names, cascade)
}
