//! Types that `CREATE TYPE … AS ENUM` made.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::catalog::object::{Column, Relation, RelationKind};
use crate::catalog::snapshot::{Catalog, QualifiedName, next_version};
use crate::catalog::{AclClass, FunctionResult, SqlFunction};
use crate::types::Oid;
use crate::types::enum_type::EnumType;
use crate::types::pg_type::PgType;

/// A type of the database's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserType {
    /// The schema it is in.
    pub schema: Oid,
    /// The owning role.
    pub owner: Oid,
    /// Its name and labels.
    #[serde(with = "crate::catalog::stored::shared")]
    pub definition: Arc<EnumType>,
}

impl UserType {
    /// `pg_type.oid`.
    pub fn oid(&self) -> Oid {
        Oid(self.definition.oid)
    }

    /// The type of its values.
    pub fn ty(&self) -> PgType {
        PgType::Enum(Arc::clone(&self.definition))
    }
}

impl Catalog {
    /// The type of the database's own with this OID, or over which there is the array type with it.
    pub fn user_type(&self, oid: Oid) -> Option<(&Arc<UserType>, bool)> {
        if let Some(found) = self.types.get(&oid) {
            return Some((found, false));
        }
        let found = self.types.values().find(|one| one.definition.array_oid == oid.0)?;
        Some((found, true))
    }

    /// The type of this OID, built in or of the database's own; `None` if there is none.
    pub fn type_of_oid(&self, oid: u32, typmod: i32) -> Option<PgType> {
        if let Some(ty) = PgType::from_oid(oid, typmod) {
            return Some(ty);
        }
        let (found, is_array) = self.user_type(Oid(oid))?;
        Some(if is_array { PgType::array_of(found.ty()) } else { found.ty() })
    }

    /// The type of the database's own that has this name in a schema.
    pub fn user_type_in(&self, schema: Oid, name: &str) -> Option<&Arc<UserType>> {
        self.types.values().find(|one| one.schema == schema && one.definition.name == name)
    }

    /// The type of the database's own that a name stands for, along the search path.
    pub fn user_type_named(
        &self,
        name: &QualifiedName,
        search_path: &[String],
    ) -> Option<&Arc<UserType>> {
        if let Some(oid) = crate::catalog::stored_text::type_in_name(name) {
            return self.types.get(&oid);
        }
        let schemas: Vec<&str> = match &name.schema {
            Some(schema) => vec![schema.as_str()],
            None => search_path.iter().map(String::as_str).collect(),
        };
        let mut found = schemas.into_iter().filter_map(|schema| self.schema(schema));
        found.find_map(|schema| self.user_type_in(schema.oid, &name.name))
    }

    /// Adds a type, or puts it in the place of the one with its OID, in all that uses it too.
    pub fn put_type(&mut self, ty: UserType) {
        let definition = Arc::clone(&ty.definition);
        let changed = self.types.get(&ty.oid()).is_some_and(|old| old.definition != definition);
        Arc::make_mut(&mut self.types).insert(ty.oid(), Arc::new(ty));
        self.version = next_version();
        if !changed {
            return;
        }
        for relation in self.relations_using(&definition) {
            let mut relation = relation.as_ref().clone();
            replace_in_relation(&mut relation, &definition);
            self.put_relation(relation);
        }
        for function in self.functions_using(&definition) {
            let mut function = function.as_ref().clone();
            replace_in_function(&mut function, &definition);
            self.put_function(function);
        }
    }

    /// Removes a type.
    pub fn remove_type(&mut self, oid: Oid) {
        Arc::make_mut(&mut self.types).remove(&oid);
        self.forget_grants(AclClass::Type, oid);
        self.set_comment(oid, None);
        self.version = next_version();
    }

    /// Relations with columns of a type, or of arrays of it.
    pub fn relations_using(&self, ty: &EnumType) -> Vec<Arc<Relation>> {
        let uses = |relation: &&Arc<Relation>| {
            !matches!(relation.kind, RelationKind::System(_))
                && relation.columns().iter().any(|column| is_of(&column.ty, ty))
        };
        self.relations.values().filter(uses).cloned().collect()
    }

    /// Functions that take or give a type.
    pub fn functions_using(&self, ty: &EnumType) -> Vec<Arc<SqlFunction>> {
        let uses = |function: &&Arc<SqlFunction>| {
            function.argument_types().any(|argument| is_of(argument, ty))
                || function.columns().iter().any(|(_, column)| is_of(column, ty))
        };
        self.functions.values().filter(uses).cloned().collect()
    }
}

/// Whether a type is this one, or an array of it.
pub fn is_of(ty: &PgType, of: &EnumType) -> bool {
    match ty {
        PgType::Array(element) => is_of(element, of),
        PgType::Enum(ty) => ty.oid == of.oid,
        _ => false,
    }
}

fn replace(ty: &mut PgType, new: &Arc<EnumType>) {
    match ty {
        PgType::Array(element) => replace(element, new),
        PgType::Enum(old) if old.oid == new.oid => *old = Arc::clone(new),
        _ => {}
    }
}

fn replace_in_columns(columns: &mut [Column], new: &Arc<EnumType>) {
    columns.iter_mut().for_each(|column| replace(&mut column.ty, new));
}

fn replace_in_relation(relation: &mut Relation, new: &Arc<EnumType>) {
    match &mut relation.kind {
        RelationKind::Table(table) => {
            let mut changed = table.as_ref().clone();
            replace_in_columns(&mut changed.columns, new);
            *table = Arc::new(changed.with_schema());
        }
        RelationKind::View(view) => replace_in_columns(&mut Arc::make_mut(view).columns, new),
        RelationKind::MaterializedView(view) => {
            let view = Arc::make_mut(view);
            replace_in_columns(&mut view.view.columns, new);
            let mut changed = view.table.as_ref().clone();
            replace_in_columns(&mut changed.columns, new);
            view.table = Arc::new(changed.with_schema());
        }
        RelationKind::Sequence(_) | RelationKind::PropertyGraph(_) | RelationKind::System(_) => {}
    }
}

fn replace_in_function(function: &mut SqlFunction, new: &Arc<EnumType>) {
    function.arguments.iter_mut().for_each(|argument| replace(&mut argument.ty, new));
    match &mut function.result {
        FunctionResult::Void => {}
        FunctionResult::Table(columns) => {
            columns.iter_mut().for_each(|(_, ty)| replace(ty, new));
        }
        FunctionResult::SetOf(ty) | FunctionResult::Value(ty) => replace(ty, new),
    }
}
