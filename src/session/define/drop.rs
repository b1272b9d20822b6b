//! `DROP`: what goes, what goes with it, and what stands in the way.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{policy, with_writes};
use crate::catalog::pg::describe::{quote_identifier, relation_name};
use crate::catalog::{
    Catalog, Column, ColumnDefault, Constraint, ConstraintKind, Relation, RelationKind,
    SqlFunction, Table, UserType, stored_text,
};
use crate::error::{PgError, SqlState};
use crate::session::session_impl::Session;
use crate::types::Oid;

/// The word for a relation's kind.
pub(super) fn kind_word(relation: &Relation) -> &'static str {
    match &relation.kind {
        RelationKind::Table(_) | RelationKind::System(_) => "table",
        RelationKind::View(_) => "view",
        RelationKind::MaterializedView(_) => "materialized view",
        RelationKind::Sequence(_) => "sequence",
        RelationKind::PropertyGraph(_) => "property graph",
    }
}

/// `table t`, `view v`, with the schema where the search path does not lead there.
pub(super) fn described(session: &Session, catalog: &Catalog, relation: &Relation) -> String {
    let path = session.shared.search_path();
    let name = relation_name(catalog, relation.oid, &path);
    let name = name.unwrap_or_else(|| quote_identifier(&relation.name));
    format!("{} {name}", kind_word(relation))
}

/// `cannot drop … because other objects depend on it`
pub(super) fn still_needed(what: &str, objects: &[String]) -> PgError {
    let them = if what == "desired object(s)" { "them" } else { "it" };
    PgError::new(
        SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
        format!("cannot drop {what} because other objects depend on {them}"),
    )
    .detail(objects.join("\n"))
    .hint("Use DROP ... CASCADE to drop the dependent objects too.")
}

/// `drop cascades to …`, for what goes though it was not named.
pub(super) fn notify_cascade(session: &Session, gone: &[String]) {
    let notice = match gone {
        [] => return,
        [one] => PgError::notice(format!("drop cascades to {one}")),
        many => PgError::notice(format!("drop cascades to {} other objects", many.len())).detail(
            many.iter().map(|one| format!("drop cascades to {one}")).collect::<Vec<_>>().join("\n"),
        ),
    };
    session.shared.notify(notice);
}

/// Schemas, with what is in them if `cascade`.
pub(super) fn drop_schemas(
    session: &mut Session,
    catalog: &mut Catalog,
    schemas: &[Oid],
    cascade: bool,
) -> Result<(), PgError> {
    let inside: BTreeSet<Oid> = catalog
        .relations
        .values()
        .filter(|relation| schemas.contains(&relation.schema))
        .map(|relation| relation.oid)
        .collect();
    let schema_name = |oid: &Oid| {
        catalog.schemas.get(oid).map_or_else(String::new, |schema| quote_identifier(&schema.name))
    };
    // What belongs to a column goes with its table and is not told of.
    let told = |relation: &&Arc<Relation>| {
        let owner = relation.sequence().and_then(|sequence| sequence.owner);
        owner.is_none_or(|owner| !inside.contains(&owner.table))
    };
    let objects: Vec<(String, String)> = inside
        .iter()
        .filter_map(|oid| catalog.relation(*oid))
        .filter(told)
        .map(|relation| (described(session, catalog, relation), schema_name(&relation.schema)))
        .collect();
    let functions: Vec<Arc<SqlFunction>> = catalog
        .functions
        .values()
        .filter(|function| schemas.contains(&function.schema))
        .cloned()
        .collect();
    let types: Vec<Arc<UserType>> =
        catalog.types.values().filter(|ty| schemas.contains(&ty.schema)).cloned().collect();
    refuse_used_types(catalog, &types, &inside)?;
    let objects: Vec<(String, String)> = objects
        .into_iter()
        .chain(types.iter().map(|ty| (format!("type {}", ty.ty()), schema_name(&ty.schema))))
        .chain(functions.iter().map(|function| {
            (format!("function {}", function.signature()), schema_name(&function.schema))
        }))
        .collect();
    if !objects.is_empty() && !cascade {
        let needed: Vec<String> = objects
            .iter()
            .map(|(object, schema)| format!("{object} depends on schema {schema}"))
            .collect();
        let what = match schemas {
            [one] => format!("schema {}", schema_name(one)),
            _ => "desired object(s)".to_owned(),
        };
        return Err(still_needed(&what, &needed));
    }
    let mut gone: Vec<String> = objects.into_iter().map(|(object, _)| object).collect();
    let plan = Plan::new(session, catalog, &inside)?;
    let graphs: Vec<Oid> = plan.schemas.iter().copied().collect();
    let staying = catalog.relations.values().find(|relation| {
        let own = open_schema(relation).is_some_and(|schema| schemas.contains(&schema));
        own && !plan.going.contains(&relation.oid)
    });
    if let Some(graph) = staying {
        let what = described(session, catalog, graph);
        return Err(PgError::new(
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            format!("cannot drop schema {} because {what} requires it", graph.name),
        )
        .hint(format!("You can drop {what} instead.")));
    }
    gone.extend(plan.needed.iter().map(|needed| needed.object.clone()));
    notify_cascade(session, &gone);
    plan.carry_out(session, catalog);
    functions.iter().for_each(|function| catalog.remove_function(function.oid));
    types.iter().for_each(|ty| catalog.remove_type(ty.oid()));
    for schema in schemas.iter().filter(|schema| !graphs.contains(schema)) {
        catalog.remove_schema(*schema);
    }
    Ok(())
}

/// Columns elsewhere would lose their values with a schema's types.
fn refuse_used_types(
    catalog: &Catalog,
    types: &[Arc<UserType>],
    inside: &BTreeSet<Oid>,
) -> Result<(), PgError> {
    for ty in types {
        let mut users = catalog.relations_using(ty.oid()).into_iter();
        if let Some(user) = users.find(|user| !inside.contains(&user.oid)) {
            return Err(PgError::unsupported(
                format!("cannot drop type {} with its schema: {} uses it", ty.ty(), user.name),
                "DROP TYPE … CASCADE first.",
            ));
        }
    }
    Ok(())
}

/// Relations, and with `cascade` what depends on them: views and graphs go, foreign keys and defaults are removed.
///
/// # Errors
/// `2BP01` without `cascade`, or for a part of something that stays.
pub(super) fn drop_relations(
    session: &mut Session,
    catalog: &mut Catalog,
    asked: &BTreeSet<Oid>,
    cascade: bool,
) -> Result<(), PgError> {
    let plan = Plan::new(session, catalog, asked)?;
    if !plan.needed.is_empty() && !cascade {
        let what = match asked.iter().collect::<Vec<_>>().as_slice() {
            [one] => catalog
                .relation(**one)
                .map(|relation| described(session, catalog, relation))
                .unwrap_or_default(),
            _ => "desired object(s)".to_owned(),
        };
        return Err(still_needed(&what, &plan.sentences()));
    }
    notify_cascade(session, &plan.objects());
    plan.carry_out(session, catalog);
    Ok(())
}

/// Something that cannot be without something that goes.
pub(super) struct Needed {
    object: String,
    on: String,
}

/// The schema of an open graph's parts, if a relation is one.
pub(super) fn open_schema(relation: &Relation) -> Option<Oid> {
    match &relation.kind {
        RelationKind::PropertyGraph(graph) => graph.open.map(|open| open.schema),
        RelationKind::Table(_)
        | RelationKind::View(_)
        | RelationKind::MaterializedView(_)
        | RelationKind::Sequence(_)
        | RelationKind::System(_) => None,
    }
}

/// What goes in all.
#[derive(Default)]
pub(super) struct Plan {
    going: BTreeSet<Oid>,
    /// Tables that lose foreign keys or defaults.
    touched: BTreeSet<Oid>,
    needed: Vec<Needed>,
    /// Schemas of open graphs that go.
    schemas: BTreeSet<Oid>,
}

impl Plan {
    fn new(session: &Session, catalog: &Catalog, asked: &BTreeSet<Oid>) -> Result<Self, PgError> {
        let mut plan = Self { going: asked.clone(), ..Self::default() };
        // What belongs to a column of what goes, goes without being asked about.
        for oid in asked {
            plan.add_parts(catalog, *oid);
            plan.going.extend(catalog.sequences_of(*oid, None).iter().map(|owned| owned.oid));
        }
        refuse_parts(session, catalog, &plan.going)?;
        let mut queue: Vec<Oid> = plan.going.iter().rev().copied().collect();
        while let Some(oid) = queue.pop() {
            let Some(relation) = catalog.relation(oid).cloned() else { continue };
            plan.add_dependents(session, catalog, &relation, &mut queue);
        }
        Ok(plan)
    }

    /// The parts of an open graph go with it: they are all there is in its schema.
    fn add_parts(&mut self, catalog: &Catalog, graph: Oid) -> Vec<Oid> {
        let Some(schema) = catalog.relation(graph).and_then(|graph| open_schema(graph)) else {
            return Vec::new();
        };
        let inside = catalog.relations.values().filter(|one| one.schema == schema);
        let inside: Vec<Oid> = inside.map(|relation| relation.oid).collect();
        self.going.extend(inside.iter().copied());
        self.schemas.insert(schema);
        inside
    }

    /// What goes with things that cannot be without `on`, such as views on a column.
    pub(super) fn of_dependents(
        session: &Session,
        catalog: &Catalog,
        first: &[Arc<Relation>],
        on: &str,
    ) -> Self {
        let mut plan = Self::default();
        let mut queue = Vec::new();
        for relation in first {
            let object = described(session, catalog, relation);
            plan.needed.push(Needed { object, on: on.to_owned() });
            plan.going.insert(relation.oid);
            queue.insert(0, relation.oid);
        }
        while let Some(oid) = queue.pop() {
            let Some(relation) = catalog.relation(oid).cloned() else { continue };
            plan.add_dependents(session, catalog, &relation, &mut queue);
        }
        plan
    }

    /// `view v depends on …`, one for each.
    pub(super) fn sentences(&self) -> Vec<String> {
        let sentence = |needed: &Needed| format!("{} depends on {}", needed.object, needed.on);
        self.needed.iter().map(sentence).collect()
    }

    /// What goes without being named.
    pub(super) fn objects(&self) -> Vec<String> {
        self.needed.iter().map(|needed| needed.object.clone()).collect()
    }

    fn add_dependents(
        &mut self,
        session: &Session,
        catalog: &Catalog,
        relation: &Relation,
        queue: &mut Vec<Oid>,
    ) {
        let on = described(session, catalog, relation);
        for dependent in catalog.dependents(relation.oid) {
            if self.going.contains(&dependent.oid) {
                continue;
            }
            let object = described(session, catalog, &dependent);
            let Some(table) = dependent.table().filter(|_| dependent.view().is_none()) else {
                self.needed.push(Needed { object, on: on.clone() });
                self.going.insert(dependent.oid);
                queue.push(dependent.oid);
                queue.extend(self.add_parts(catalog, dependent.oid));
                continue;
            };
            self.touched.insert(dependent.oid);
            for column in table.columns.iter().filter(|column| names(column, relation.oid)) {
                let object = format!("default value for column {} of {object}", column.name);
                self.needed.push(Needed { object, on: on.clone() });
            }
            for policy in policy::reading(table, relation.oid) {
                let object = format!("policy {} on {object}", quote_identifier(&policy.name));
                self.needed.push(Needed { object, on: on.clone() });
            }
            for constraint in referring(table, relation.oid) {
                let object = format!("constraint {} on {object}", constraint.name);
                self.needed.push(Needed { object, on: on.clone() });
            }
        }
    }

    pub(super) fn carry_out(self, session: &mut Session, catalog: &mut Catalog) {
        for table in self.touched.difference(&self.going) {
            forget(catalog, *table, &self.going);
        }
        for oid in self.going {
            let Some(relation) = catalog.relation(oid).cloned() else { continue };
            catalog.remove_relation(oid);
            if relation.table().is_some() {
                with_writes(session, |writes| writes.drop_table(oid));
            }
        }
        for schema in self.schemas {
            catalog.remove_schema(schema);
        }
    }
}

/// The sequence of an identity column cannot go while the column stays.
fn refuse_parts(
    session: &Session,
    catalog: &Catalog,
    going: &BTreeSet<Oid>,
) -> Result<(), PgError> {
    for relation in going.iter().filter_map(|oid| catalog.relation(*oid)) {
        let owner = relation.sequence().and_then(|sequence| sequence.owner);
        let Some(owner) = owner.filter(|owner| owner.identity && !going.contains(&owner.table))
        else {
            continue;
        };
        let Some(table) = catalog.relation(owner.table) else { continue };
        let column = table.table().and_then(|stored| stored.column(owner.attnum));
        let column = column.map_or("", |column| column.name.as_str());
        let what = format!("column {column} of {}", described(session, catalog, table));
        return Err(PgError::new(
            SqlState::DEPENDENT_OBJECTS_STILL_EXIST,
            format!(
                "cannot drop {} because {what} requires it",
                described(session, catalog, relation)
            ),
        )
        .hint(format!("You can drop {what} instead.")));
    }
    Ok(())
}

/// Whether a column's default names a relation.
fn names(column: &Column, relation: Oid) -> bool {
    match &column.default {
        Some(ColumnDefault::Expression(text) | ColumnDefault::Generated(text)) => {
            stored_text::relations_in(text).contains(&relation)
        }
        Some(ColumnDefault::Identity { .. }) | None => false,
    }
}

/// Foreign keys of a table that refer to another.
pub(super) fn referring(table: &Table, oid: Oid) -> impl Iterator<Item = &Constraint> {
    table.constraints.iter().filter(move |constraint| {
        matches!(&constraint.kind, ConstraintKind::ForeignKey { referenced, .. } if *referenced == oid)
    })
}

/// Removes from a table what names relations that go.
fn forget(catalog: &mut Catalog, table: Oid, going: &BTreeSet<Oid>) {
    let Some(relation) = catalog.relation(table).cloned() else { return };
    let Some(stored) = relation.table() else { return };
    let mut stored = stored.as_ref().clone();
    stored.constraints.retain(|constraint| {
        !matches!(&constraint.kind, ConstraintKind::ForeignKey { referenced, .. } if going.contains(referenced))
    });
    for column in &mut stored.columns {
        if going.iter().any(|gone| names(column, *gone)) {
            column.default = None;
        }
    }
    policy::forget(&mut stored, going);
    catalog.put_relation(relation.with_table(stored));
}
