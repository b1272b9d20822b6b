//! Types of the database's own: what `CREATE TYPE` and `CREATE DOMAIN` made, and the rows of its tables.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::catalog::object::{Column, Relation, RelationKind};
use crate::catalog::pg::{row_array_type, row_type};
use crate::catalog::snapshot::{Catalog, QualifiedName, next_version};
use crate::catalog::{AclClass, FunctionResult, SqlFunction};
use crate::types::Oid;
use crate::types::domain::DomainType;
use crate::types::enum_type::EnumType;
use crate::types::pg_type::PgType;
use crate::types::row_type::{RowField, RowType};

/// The extension and its type.
pub const HSTORE: &str = "hstore";

/// A type of the database's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredType", into = "StoredType")]
pub struct UserType {
    /// The schema it is in.
    pub schema: Oid,
    /// The owning role.
    pub owner: Oid,
    /// What it is.
    pub definition: TypeDefinition,
}

/// What a type of the database's own is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeDefinition {
    /// `CREATE TYPE … AS ENUM`
    Enum(Arc<EnumType>),
    /// `CREATE DOMAIN`
    Domain(Domain),
    /// `CREATE TYPE … AS (…)`
    Row(Composite),
    /// The type that `CREATE EXTENSION hstore` made.
    Hstore(ExtensionType),
}

/// The type of an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtensionType {
    /// `pg_extension.oid`.
    pub extension: Oid,
}

/// A composite type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composite {
    /// Its name and fields.
    #[serde(with = "crate::catalog::stored::shared")]
    pub ty: Arc<RowType>,
    /// Its entry in `pg_class`, under which its fields are listed.
    pub relation: Oid,
}

/// A domain with its conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// Its name and what it stands on.
    #[serde(with = "crate::catalog::stored::shared")]
    pub ty: Arc<DomainType>,
    /// NOT NULL
    pub not_null: bool,
    /// DEFAULT, as SQL.
    pub default: Option<String>,
    /// CHECK, in the order they were made.
    pub checks: Vec<DomainCheck>,
}

/// A condition of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainCheck {
    /// `pg_constraint.oid`.
    pub oid: Oid,
    /// Its name.
    pub name: String,
    /// As SQL over `value`.
    pub condition: String,
    /// Not NOT VALID.
    pub validated: bool,
}

/// How a type is stored: one of the four.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredType {
    schema: Oid,
    owner: Oid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    definition: Option<EnumType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    domain: Option<Domain>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    row: Option<Composite>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hstore: Option<ExtensionType>,
}

impl From<UserType> for StoredType {
    fn from(ty: UserType) -> Self {
        let UserType { schema, owner, definition } = ty;
        let mut stored =
            Self { schema, owner, definition: None, domain: None, row: None, hstore: None };
        match definition {
            TypeDefinition::Enum(ty) => stored.definition = Some(ty.as_ref().clone()),
            TypeDefinition::Domain(domain) => stored.domain = Some(domain),
            TypeDefinition::Row(row) => stored.row = Some(row),
            TypeDefinition::Hstore(extension) => stored.hstore = Some(extension),
        }
        stored
    }
}

impl From<StoredType> for UserType {
    fn from(stored: StoredType) -> Self {
        let StoredType { schema, owner, definition, domain, row, hstore } = stored;
        let definition = match (definition, domain, row, hstore) {
            (_, _, _, Some(extension)) => TypeDefinition::Hstore(extension),
            (_, _, Some(row), None) => TypeDefinition::Row(row),
            (_, Some(domain), None, None) => TypeDefinition::Domain(domain),
            (Some(ty), None, None, None) => TypeDefinition::Enum(Arc::new(ty)),
            // Nothing writes it; a type without labels is one that no value has.
            (None, None, None, None) => TypeDefinition::Enum(Arc::default()),
        };
        Self { schema, owner, definition }
    }
}

impl UserType {
    /// `pg_type.oid`.
    pub fn oid(&self) -> Oid {
        Oid(match &self.definition {
            TypeDefinition::Enum(ty) => ty.oid,
            TypeDefinition::Domain(domain) => domain.ty.oid,
            TypeDefinition::Row(row) => row.ty.oid,
            TypeDefinition::Hstore(_) => PgType::Hstore.oid(),
        })
    }

    /// The OID of the array type over it.
    pub fn array_oid(&self) -> Oid {
        Oid(match &self.definition {
            TypeDefinition::Enum(ty) => ty.array_oid,
            TypeDefinition::Domain(domain) => domain.ty.array_oid,
            TypeDefinition::Row(row) => row.ty.array_oid,
            TypeDefinition::Hstore(_) => PgType::Hstore.array_oid(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match &self.definition {
            TypeDefinition::Enum(ty) => &ty.name,
            TypeDefinition::Domain(domain) => &domain.ty.name,
            TypeDefinition::Row(row) => &row.ty.name,
            TypeDefinition::Hstore(_) => HSTORE,
        }
    }

    /// The type of its values.
    pub fn ty(&self) -> PgType {
        match &self.definition {
            TypeDefinition::Enum(ty) => PgType::Enum(Arc::clone(ty)),
            TypeDefinition::Domain(domain) => PgType::Domain(Arc::clone(&domain.ty)),
            TypeDefinition::Row(row) => PgType::Row(Arc::clone(&row.ty)),
            TypeDefinition::Hstore(_) => PgType::Hstore,
        }
    }

    /// It, if it is a domain.
    pub fn domain(&self) -> Option<&Domain> {
        match &self.definition {
            TypeDefinition::Domain(domain) => Some(domain),
            TypeDefinition::Enum(_) | TypeDefinition::Row(_) | TypeDefinition::Hstore(_) => None,
        }
    }

    /// It, if it is an enumerated type.
    pub fn labels(&self) -> Option<&Arc<EnumType>> {
        match &self.definition {
            TypeDefinition::Enum(ty) => Some(ty),
            TypeDefinition::Domain(_) | TypeDefinition::Row(_) | TypeDefinition::Hstore(_) => None,
        }
    }

    /// It, if it is a composite type.
    pub fn row(&self) -> Option<&Composite> {
        match &self.definition {
            TypeDefinition::Row(row) => Some(row),
            TypeDefinition::Enum(_) | TypeDefinition::Domain(_) | TypeDefinition::Hstore(_) => None,
        }
    }

    /// The extension it belongs to: its name and OID.
    pub fn extension(&self) -> Option<(&'static str, Oid)> {
        match &self.definition {
            TypeDefinition::Hstore(of) => Some((HSTORE, of.extension)),
            TypeDefinition::Enum(_) | TypeDefinition::Domain(_) | TypeDefinition::Row(_) => None,
        }
    }

    /// Gives it another name, or another schema in front of it in messages.
    pub fn set_name(&mut self, name: Option<String>, shown_schema: Option<String>) {
        let (known, schema) = match &mut self.definition {
            TypeDefinition::Enum(ty) => {
                let ty = Arc::make_mut(ty);
                (&mut ty.name, &mut ty.schema)
            }
            TypeDefinition::Domain(domain) => {
                let ty = Arc::make_mut(&mut domain.ty);
                (&mut ty.name, &mut ty.schema)
            }
            TypeDefinition::Row(row) => {
                let ty = Arc::make_mut(&mut row.ty);
                (&mut ty.name, &mut ty.schema)
            }
            // An extension's type keeps the name that it comes with.
            TypeDefinition::Hstore(_) => return,
        };
        *schema = shown_schema;
        if let Some(name) = name {
            *known = name;
        }
    }
}

impl Catalog {
    /// The type of the database's own with this OID, or over which there is the array type with it.
    pub fn user_type(&self, oid: Oid) -> Option<(&Arc<UserType>, bool)> {
        if let Some(found) = self.types.get(&oid) {
            return Some((found, false));
        }
        let found = self.types.values().find(|one| one.array_oid() == oid)?;
        Some((found, true))
    }

    /// What the catalog says of a domain now.
    pub fn domain(&self, ty: &DomainType) -> Option<&Domain> {
        self.types.get(&Oid(ty.oid))?.domain()
    }

    /// The default of a type: a domain's own, or of what it stands on.
    pub fn type_default(&self, ty: &PgType) -> Option<&str> {
        let PgType::Domain(ty) = ty else { return None };
        let domain = self.domain(ty)?;
        domain.default.as_deref().or_else(|| self.type_default(&domain.ty.base))
    }

    /// The type of a table's or view's rows.
    pub fn row_type_of(&self, relation: &Relation) -> Option<RowType> {
        let has_rows = match &relation.kind {
            RelationKind::Table(_) | RelationKind::View(_) | RelationKind::MaterializedView(_) => {
                true
            }
            RelationKind::System(_)
            | RelationKind::Sequence(_)
            | RelationKind::PropertyGraph(_) => false,
        };
        let schema = self.schemas.get(&relation.schema).map(|schema| schema.name.clone());
        let fields = relation.columns().iter();
        let fields =
            fields.map(|column| RowField::new(column.name.clone(), column.declared().clone()));
        has_rows.then(|| RowType {
            oid: row_type(relation.oid).0,
            array_oid: row_array_type(relation.oid).0,
            schema: schema.filter(|schema| schema != "public"),
            name: relation.name.clone(),
            fields: fields.collect(),
        })
    }

    /// The type of this OID, built in or of the database's own; `None` if there is none.
    pub fn type_of_oid(&self, oid: u32, typmod: i32) -> Option<PgType> {
        if let Some(ty) = PgType::from_oid(oid, typmod) {
            return Some(ty);
        }
        if let Some((found, is_array)) = self.user_type(Oid(oid)) {
            return Some(if is_array { PgType::array_of(found.ty()) } else { found.ty() });
        }
        let mut rows = self.relations.values().filter_map(|relation| self.row_type_of(relation));
        let found = rows.find(|row| row.oid == oid || row.array_oid == oid)?;
        let is_array = found.array_oid == oid;
        let ty = PgType::Row(Arc::new(found));
        Some(if is_array { PgType::array_of(ty) } else { ty })
    }

    /// The type of the database's own that has this name in a schema.
    pub fn user_type_in(&self, schema: Oid, name: &str) -> Option<&Arc<UserType>> {
        self.types.values().find(|one| one.schema == schema && one.name() == name)
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
        let (oid, new) = (ty.oid(), ty.ty());
        let changed = self.types.get(&oid).is_some_and(|old| old.ty() != new);
        Arc::make_mut(&mut self.types).insert(oid, Arc::new(ty));
        self.version = next_version();
        if !changed {
            return;
        }
        for relation in self.relations_using(oid) {
            let mut relation = relation.as_ref().clone();
            replace_in_relation(&mut relation, &new);
            self.put_relation(relation);
        }
        for function in self.functions_using(oid) {
            let mut function = function.as_ref().clone();
            replace_in_function(&mut function, &new);
            self.put_function(function);
        }
        for user in self.types_over(oid) {
            let mut user = user.as_ref().clone();
            match &mut user.definition {
                TypeDefinition::Enum(_) | TypeDefinition::Hstore(_) => {}
                TypeDefinition::Domain(domain) => {
                    Arc::make_mut(&mut domain.ty).base.replace(&new);
                }
                TypeDefinition::Row(row) => {
                    let fields = &mut Arc::make_mut(&mut row.ty).fields;
                    fields.iter_mut().for_each(|field| field.ty.replace(&new));
                }
            }
            self.put_type(user);
        }
    }

    /// Domains that stand on a type, and composite types with fields of it.
    pub fn types_over(&self, oid: Oid) -> Vec<Arc<UserType>> {
        let over = |one: &&Arc<UserType>| {
            one.domain().is_some_and(|domain| domain.ty.base.is_of(oid.0))
                || one
                    .row()
                    .is_some_and(|row| row.ty.fields.iter().any(|field| field.ty.is_of(oid.0)))
        };
        self.types.values().filter(over).cloned().collect()
    }

    /// Removes a type.
    pub fn remove_type(&mut self, oid: Oid) {
        Arc::make_mut(&mut self.types).remove(&oid);
        self.forget_grants(AclClass::Type, oid);
        self.set_comment(oid, None);
        self.version = next_version();
    }

    /// Relations with columns of a type, or of what is made of it.
    pub fn relations_using(&self, oid: Oid) -> Vec<Arc<Relation>> {
        let uses = |relation: &&Arc<Relation>| {
            !matches!(relation.kind, RelationKind::System(_))
                && relation.columns().iter().any(|column| column.declared().is_of(oid.0))
        };
        self.relations.values().filter(uses).cloned().collect()
    }

    /// Functions that take or give a type.
    pub fn functions_using(&self, oid: Oid) -> Vec<Arc<SqlFunction>> {
        let uses = |function: &&Arc<SqlFunction>| {
            function.argument_types().any(|argument| argument.is_of(oid.0))
                || function.columns().iter().any(|(_, column)| column.is_of(oid.0))
        };
        self.functions.values().filter(uses).cloned().collect()
    }
}

fn replace_in_columns(columns: &mut [Column], new: &PgType) {
    for column in columns {
        let mut declared = column.declared().clone();
        declared.replace(new);
        column.declare(declared);
    }
}

fn replace_in_relation(relation: &mut Relation, new: &PgType) {
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

fn replace_in_function(function: &mut SqlFunction, new: &PgType) {
    function.arguments.iter_mut().for_each(|argument| argument.ty.replace(new));
    match &mut function.result {
        FunctionResult::Void => {}
        FunctionResult::Table(columns) | FunctionResult::Row(columns) => {
            columns.iter_mut().for_each(|(_, ty)| ty.replace(new));
        }
        FunctionResult::SetOf(ty) | FunctionResult::Value(ty) => ty.replace(new),
    }
}
