//! Carries out `CREATE TYPE`, `CREATE DOMAIN`, `ALTER TYPE`, `ALTER DOMAIN`, `DROP TYPE` and `DROP DOMAIN`.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::domain;
use super::drop::{notify_cascade, still_needed};
use super::{current_catalog, roles, set_catalog, version_of, with_writes};
use crate::access::owned;
use crate::catalog::{
    AclClass, Catalog, ColumnDefault, Composite, ConstraintKind, ExtensionType, Relation,
    RelationKind, TypeDefinition, UserType, stored_text,
};
use crate::error::{PgError, SqlState};
use crate::planner::bind::sql::ddl::{AlterStep, TypeChange, TypeCommand};
use crate::session::session_impl::Session;
use crate::types::Oid;
use crate::types::enum_type::{EnumLabel, EnumType, first_key};
use crate::types::pg_type::PgType;
use crate::types::row_type::{RowField, RowType};

pub(super) async fn run(
    session: &mut Session,
    mut catalog: Catalog,
    command: TypeCommand,
) -> Result<&'static str, PgError> {
    let tag = match command {
        TypeCommand::CreateEnum { schema, name, labels } => {
            let owner = session.shared.caller().role;
            create(&mut catalog, owner, schema, name, labels);
            "CREATE TYPE"
        }
        TypeCommand::CreateRow { schema, name, fields } => {
            let owner = session.shared.caller().role;
            create_row(&mut catalog, owner, schema, name, fields);
            "CREATE TYPE"
        }
        TypeCommand::CreateHstore { schema } => {
            let owner = session.shared.caller().role;
            let extension = ExtensionType { extension: catalog.allocate() };
            let definition = TypeDefinition::Hstore(extension);
            let ty = UserType { schema, owner, definition };
            let oid = ty.oid();
            catalog.put_type(ty);
            roles::born(&mut catalog, AclClass::Type, oid, owner, schema);
            "CREATE EXTENSION"
        }
        TypeCommand::CreateDomain { schema, domain } => {
            let owner = session.shared.caller().role;
            domain::create(&mut catalog, owner, schema, domain);
            "CREATE DOMAIN"
        }
        TypeCommand::Alter { ty, change: TypeChange::Domain(change), tag } => {
            domain::alter(session, catalog, ty, change)?;
            return Ok(tag);
        }
        TypeCommand::Alter { ty, change, tag } => {
            if let (TypeChange::OwnerTo(role), Some(found)) = (&change, catalog.types.get(&ty)) {
                roles::check_owner_change(session, &catalog, found.schema, *role)?;
            }
            let from = match &change {
                TypeChange::Fields { from, .. } => from.clone(),
                _ => Vec::new(),
            };
            alter(&mut catalog, ty, change)?;
            relabel(session, &catalog, ty, &from)?;
            tag
        }
        TypeCommand::Drop { tag, types, missing, cascade } => {
            for error in missing {
                session.shared.notify(PgError::notice(format!("{error}, skipping")));
            }
            drop(session, catalog, &types, cascade).await?;
            return Ok(tag);
        }
        TypeCommand::Comment { ty, text } => {
            catalog.set_comment(ty, text);
            "COMMENT"
        }
    };
    set_catalog(session, catalog);
    Ok(tag)
}

/// The schema in front of a type's name in messages.
pub(super) fn shown_schema(catalog: &Catalog, schema: Oid) -> Option<String> {
    let schema = catalog.schemas.get(&schema)?;
    (schema.name != "public").then(|| schema.name.clone())
}

fn create(catalog: &mut Catalog, owner: Oid, schema: Oid, name: String, labels: Vec<String>) {
    // PostgreSQL gives the array type its number first.
    let array_oid = catalog.allocate().0;
    let oid = catalog.allocate();
    let labels = labels.into_iter().enumerate();
    let labels = labels
        .map(|(at, label)| EnumLabel { oid: catalog.allocate().0, key: first_key(at), label })
        .collect();
    let shown = shown_schema(catalog, schema);
    let definition = EnumType { oid: oid.0, array_oid, schema: shown, name, labels };
    let definition = TypeDefinition::Enum(Arc::new(definition));
    catalog.put_type(UserType { schema, owner, definition });
    roles::born(catalog, AclClass::Type, oid, owner, schema);
}

fn create_row(catalog: &mut Catalog, owner: Oid, schema: Oid, name: String, fields: Vec<RowField>) {
    let relation = catalog.allocate();
    let array_oid = catalog.allocate().0;
    let oid = catalog.allocate();
    let shown = shown_schema(catalog, schema);
    let ty = RowType { oid: oid.0, array_oid, schema: shown, name, fields };
    let definition = TypeDefinition::Row(Composite { ty: Arc::new(ty), relation });
    catalog.put_type(UserType { schema, owner, definition });
    roles::born(catalog, AclClass::Type, oid, owner, schema);
}

fn alter(catalog: &mut Catalog, oid: Oid, change: TypeChange) -> Result<(), PgError> {
    let found = catalog.types.get(&oid).cloned();
    let found = found.ok_or_else(|| PgError::internal("what a statement names is gone"))?;
    let mut ty = found.as_ref().clone();
    match change {
        TypeChange::Rename(to) => ty.set_name(Some(to), shown_schema(catalog, ty.schema)),
        TypeChange::SetSchema(schema) => {
            ty.set_name(None, shown_schema(catalog, schema));
            ty.schema = schema;
        }
        TypeChange::OwnerTo(role) => {
            owned::give_type(catalog, &found, role);
            return Ok(());
        }
        TypeChange::Fields { fields, from: _ } => {
            let TypeDefinition::Row(row) = &mut ty.definition else {
                return Err(PgError::internal("fields of a type that has none"));
            };
            Arc::make_mut(&mut row.ty).fields = fields;
        }
        change => alter_labels(catalog, &mut ty, change)?,
    }
    catalog.put_type(ty);
    Ok(())
}

fn alter_labels(
    catalog: &mut Catalog,
    ty: &mut UserType,
    change: TypeChange,
) -> Result<(), PgError> {
    let TypeDefinition::Enum(definition) = &mut ty.definition else {
        return Err(PgError::internal("labels of a type that has none"));
    };
    let definition = Arc::make_mut(definition);
    match change {
        TypeChange::AddValue(label, at) => {
            let key = definition.key_at(at).ok_or_else(|| {
                PgError::new(
                    SqlState::PROGRAM_LIMIT_EXCEEDED,
                    format!("there is no room for another label of enum {} here", definition.name),
                )
                .hint("Make a new type, and change the columns to it.")
            })?;
            let label = EnumLabel { oid: catalog.allocate().0, key, label };
            definition.labels.insert(at, label);
        }
        TypeChange::RenameValue(at, to) => {
            if let Some(label) = definition.labels.get_mut(at) {
                label.label = to;
            }
        }
        TypeChange::Rename(_)
        | TypeChange::SetSchema(_)
        | TypeChange::OwnerTo(_)
        | TypeChange::Fields { .. }
        | TypeChange::Domain(_) => return Err(PgError::internal("no change of labels")),
    }
    Ok(())
}

/// Columns say in full of which type they are, in stored rows too; `from` as [`RowType::rearranged`] takes it, where it
/// has become a type of other fields.
fn relabel(
    session: &mut Session,
    catalog: &Catalog,
    ty: Oid,
    from: &[Option<usize>],
) -> Result<(), PgError> {
    let row = catalog.types.get(&ty).and_then(|found| found.row()).map(|row| Arc::clone(&row.ty));
    let rearranged = row.filter(|_| !from.is_empty());
    for relation in catalog.relations_using(ty) {
        let Some(table) = relation.table() else { continue };
        let Some(version) = version_of(session, relation.oid) else { continue };
        if version.schema == table.schema {
            continue;
        }
        let schema = Arc::clone(&table.schema);
        let relabeled = version.reshape(Arc::clone(&schema), |batch| {
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let mut columns = batch.columns().to_vec();
            if let Some(row) = &rearranged {
                for (column, field) in columns.iter_mut().zip(schema.fields()) {
                    let is_of =
                        matches!(PgType::from_field(field), PgType::Row(of) if of.oid == row.oid);
                    if is_of {
                        *column = of_fields(row, column, from)?;
                    }
                }
            }
            RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)
        })?;
        with_writes(session, |writes| writes.put_table(relabeled));
    }
    Ok(())
}

/// A column of rows with the fields that their type has now.
fn of_fields(
    row: &RowType,
    column: &ArrayRef,
    from: &[Option<usize>],
) -> Result<ArrayRef, ArrowError> {
    let kept = column.data_type();
    let rows = cast(column, &DataType::BinaryView)?;
    let rows = row
        .rearranged(rows.as_binary_view(), from)
        .map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
    cast(&rows, kept)
}

async fn drop(
    session: &mut Session,
    mut catalog: Catalog,
    types: &[Oid],
    cascade: bool,
) -> Result<(), PgError> {
    let found: Vec<Arc<UserType>> =
        types.iter().filter_map(|oid| catalog.types.get(oid)).cloned().collect();
    let users = users(&catalog, &found);
    let words = |(words, _): &(String, Dependent)| words.clone();
    if !cascade && !users.is_empty() {
        let what = match found.as_slice() {
            [one] => match one.extension() {
                Some((name, _)) => format!("extension {name}"),
                None => format!("type {}", one.ty().name()),
            },
            _ => "desired object(s)".to_owned(),
        };
        let needed: Vec<String> = users
            .iter()
            .map(|(user, dependent)| format!("{user} depends on type {}", dependent.ty()))
            .collect();
        return Err(still_needed(&what, &needed));
    }
    notify_cascade(session, &users.iter().map(words).collect::<Vec<_>>());
    for (_, dependent) in users {
        catalog = remove(session, catalog, dependent).await?;
    }
    for ty in found {
        let checks = ty.domain().map_or(&[][..], |domain| &domain.checks);
        checks.iter().for_each(|check| catalog.set_comment(check.oid, None));
        catalog.remove_type(ty.oid());
    }
    set_catalog(session, catalog);
    Ok(())
}

/// What uses a type.
enum Dependent {
    /// A column, or a default or condition that names the type: what of the table goes.
    Part {
        relation: Oid,
        step: Box<AlterStep>,
        ty: String,
    },
    View {
        relation: Oid,
        ty: String,
    },
    Function {
        oid: Oid,
        ty: String,
    },
    /// A domain over it, or a composite type with a field of it.
    Type {
        oid: Oid,
        ty: String,
    },
}

impl Dependent {
    fn ty(&self) -> &str {
        match self {
            Self::Part { ty, .. }
            | Self::View { ty, .. }
            | Self::Function { ty, .. }
            | Self::Type { ty, .. } => ty,
        }
    }
}

/// What uses types, in words too.
fn users(catalog: &Catalog, types: &[Arc<UserType>]) -> Vec<(String, Dependent)> {
    let mut users = Vec::new();
    for ty in types {
        let name = ty.ty().name();
        users.extend(catalog.relations.values().flat_map(|relation| naming(relation, ty)));
        for relation in catalog.relations_using(ty.oid()) {
            let word = match relation.kind {
                RelationKind::View(_) => Some("view"),
                RelationKind::MaterializedView(_) => Some("materialized view"),
                _ => None,
            };
            if let Some(word) = word {
                let dependent = Dependent::View { relation: relation.oid, ty: name.clone() };
                users.push((format!("{word} {}", relation.name), dependent));
                continue;
            }
            for column in relation.columns().iter().filter(|one| one.declared().is_of(ty.oid().0)) {
                let dependent = Dependent::Part {
                    relation: relation.oid,
                    step: Box::new(AlterStep::DropColumn {
                        name: column.name.clone(),
                        cascade: true,
                    }),
                    ty: column.declared().name(),
                };
                users.push((
                    format!("column {} of table {}", column.name, relation.name),
                    dependent,
                ));
            }
        }
        for user in catalog.types_over(ty.oid()) {
            if types.iter().any(|one| one.oid() == user.oid()) {
                continue;
            }
            let dependent = Dependent::Type { oid: user.oid(), ty: name.clone() };
            users.push((format!("type {}", user.ty().name()), dependent));
        }
        for function in catalog.functions_using(ty.oid()) {
            let dependent = Dependent::Function { oid: function.oid, ty: name.clone() };
            users.push((format!("function {}", function.signature()), dependent));
        }
    }
    users
}

/// Defaults and conditions of a table that name a type, but for defaults of its own columns.
fn naming(relation: &Relation, ty: &UserType) -> Vec<(String, Dependent)> {
    let Some(table) = relation.table() else { return Vec::new() };
    let oid = ty.oid();
    let part = |words: String, step: AlterStep| {
        let words = format!("{words} table {}", relation.name);
        (
            words,
            Dependent::Part { relation: relation.oid, step: Box::new(step), ty: ty.ty().name() },
        )
    };
    let others = table.columns.iter().filter(|column| !column.declared().is_of(oid.0));
    let defaults = others.filter_map(|column| match &column.default {
        Some(ColumnDefault::Expression(text)) if stored_text::names_type(text, oid) => {
            let name = column.name.clone();
            let words = format!("default value for column {name} of");
            Some(part(words, AlterStep::SetDefault { name, default: None }))
        }
        _ => None,
    });
    let checks = table.constraints.iter().filter_map(|constraint| match &constraint.kind {
        ConstraintKind::Check { condition } if stored_text::names_type(condition, oid) => {
            let name = constraint.name.clone();
            let words = format!("constraint {name} on");
            let step = AlterStep::DropConstraint { name, if_exists: true, cascade: true };
            Some(part(words, step))
        }
        _ => None,
    });
    defaults.chain(checks).collect()
}

/// The catalog without what used a type.
async fn remove(
    session: &mut Session,
    mut catalog: Catalog,
    dependent: Dependent,
) -> Result<Catalog, PgError> {
    match dependent {
        Dependent::Function { oid, .. } => {
            catalog.remove_function(oid);
        }
        Dependent::Type { oid, .. } => catalog.remove_type(oid),
        // It may have gone with what it reads.
        Dependent::View { relation, .. } => {
            if catalog.relation(relation).is_some() {
                let going = BTreeSet::from([relation]);
                super::drop::drop_relations(session, &mut catalog, &going, true)?;
            }
        }
        Dependent::Part { relation, step, .. } => {
            if let Some(relation) = catalog.relation(relation).cloned() {
                super::alter::run(session, catalog, &relation, vec![*step]).await?;
                catalog = current_catalog(session)?;
            }
        }
    }
    Ok(catalog)
}
