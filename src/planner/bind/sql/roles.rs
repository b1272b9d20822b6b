//! Statements on roles and rights: to commands with every role and object resolved.
//!
//! Who may do what is not decided here: `access` does that when it carries them out.

use sqlparser::ast::{Ident, ObjectName};

use super::ddl::DdlCommand;
use super::names::{fold, qualified_name};
use crate::catalog::pg::describe;
use crate::catalog::{
    AclClass, Catalog, QualifiedName, Relation, RelationKind, Rights, SqlFunction, class_of,
};
use crate::error::{PgError, Report, SqlState};
use crate::parser::sql::roles::{
    GrantKind, GrantObjects, MembershipGrant, MembershipOption, OwnedKind, RightsGrant, RoleName,
    RoleOption, RoleStatement,
};
pub use crate::parser::sql::roles::{GraphAction, GraphElements, GraphVerb, SettingChange};
use crate::planner::bind::context::BindContext;
use crate::types::Oid;

/// A change of roles or rights.
#[derive(Debug, Clone)]
pub enum RoleCommand {
    /// `CREATE ROLE`
    Create {
        /// Its name.
        name: String,
        /// What was said of it.
        attributes: Attributes,
        /// Roles it becomes a member of.
        in_roles: Vec<Oid>,
        /// Roles that become members of it.
        members: Vec<Oid>,
        /// The same, with ADMIN OPTION.
        admins: Vec<Oid>,
    },
    /// `ALTER ROLE`
    Alter {
        /// The role.
        role: Oid,
        /// What changes.
        attributes: Attributes,
    },
    /// `ALTER ROLE … RENAME TO`
    Rename {
        /// The role.
        role: Oid,
        /// Its new name.
        to: String,
    },
    /// `ALTER ROLE … SET` and its like.
    Settings {
        /// The role; `None` is all.
        role: Option<Oid>,
        /// The database; `None` is all.
        database: Option<Oid>,
        /// What is done.
        change: SettingChange,
    },
    /// `DROP ROLE`
    Drop {
        /// The roles.
        roles: Vec<Oid>,
    },
    /// `GRANT role TO`, `REVOKE role FROM`
    Membership(MembershipChange),
    /// `GRANT … ON`, `REVOKE … ON`
    Rights(RightsChange),
    /// `ALTER DEFAULT PRIVILEGES`
    DefaultRights {
        /// Whose objects.
        roles: Vec<Oid>,
        /// In which schemas; none is all.
        schemas: Vec<Oid>,
        /// What they are.
        class: AclClass,
        /// What is granted or revoked.
        change: RightsChange,
    },
    /// Rights on parts of a graph.
    GraphRights(GraphRightsChange),
    /// `REASSIGN OWNED`
    Reassign {
        /// Old owners.
        from: Vec<Oid>,
        /// New owner.
        to: Oid,
    },
    /// `DROP OWNED`
    DropOwned {
        /// Owners.
        roles: Vec<Oid>,
        /// CASCADE
        cascade: bool,
    },
    /// `ALTER DATABASE … OWNER TO`
    DatabaseOwner {
        /// The database.
        database: Oid,
        /// Its new owner.
        owner: Oid,
    },
}

/// What a statement says of a role; `None` is what it does not say.
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    /// SUPERUSER
    pub superuser: Option<bool>,
    /// CREATEDB
    pub create_db: Option<bool>,
    /// CREATEROLE
    pub create_role: Option<bool>,
    /// INHERIT
    pub inherit: Option<bool>,
    /// LOGIN
    pub login: Option<bool>,
    /// REPLICATION
    pub replication: Option<bool>,
    /// BYPASSRLS
    pub bypass_rls: Option<bool>,
    /// CONNECTION LIMIT
    pub connection_limit: Option<i32>,
    /// PASSWORD; inside, `None` is NULL.
    pub password: Option<Option<Secret>>,
    /// VALID UNTIL, as text.
    pub valid_until: Option<String>,
}

/// A password or verifier. It never shows itself.
#[derive(Clone)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// GRANT or REVOKE of roles.
#[derive(Debug, Clone)]
pub struct MembershipChange {
    /// GRANT, not REVOKE.
    pub grant: bool,
    /// What is granted.
    pub roles: Vec<Oid>,
    /// To whom.
    pub members: Vec<Oid>,
    /// ADMIN, if said; for REVOKE, whether that is all that goes.
    pub admin: Option<bool>,
    /// INHERIT, likewise.
    pub inherit: Option<bool>,
    /// SET, likewise.
    pub set: Option<bool>,
    /// GRANTED BY
    pub granted_by: Option<Oid>,
    /// CASCADE
    pub cascade: bool,
}

/// GRANT or REVOKE of rights.
#[derive(Debug, Clone)]
pub struct RightsChange {
    /// GRANT, not REVOKE.
    pub grant: bool,
    /// The rights with their columns, by name; `None` is ALL.
    pub rights: Option<Vec<(Rights, Vec<String>)>>,
    /// Columns of ALL.
    pub all_columns: Vec<String>,
    /// On what; none for default rights.
    pub objects: Vec<GrantObject>,
    /// To whom; 0 is everybody.
    pub roles: Vec<Oid>,
    /// WITH GRANT OPTION, or GRANT OPTION FOR.
    pub option: bool,
    /// CASCADE
    pub cascade: bool,
}

/// What a right is granted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantObject {
    /// Its kind; that of a relation is what it is, whatever the statement calls it.
    pub class: AclClass,
    /// Its number; 0 for a parameter that nothing was granted of yet.
    pub oid: Oid,
    /// Who owns it.
    pub owner: Oid,
    /// Its name, for errors and notices.
    pub name: String,
    /// A sequence that the statement calls a table.
    pub as_table: bool,
}

/// GRANT, DENY or REVOKE of rights on parts of a graph.
#[derive(Debug, Clone)]
pub struct GraphRightsChange {
    /// What is done.
    pub verb: GraphVerb,
    /// The right.
    pub action: GraphAction,
    /// Properties; none is all.
    pub properties: Vec<String>,
    /// The graph.
    pub graph: Oid,
    /// Which elements.
    pub elements: GraphElements,
    /// Labels; none is all.
    pub labels: Vec<String>,
    /// To whom; 0 is everybody.
    pub roles: Vec<Oid>,
}

impl RoleCommand {
    /// The command tag.
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CREATE ROLE",
            Self::Alter { .. } | Self::Rename { .. } => "ALTER ROLE",
            Self::Settings { role: None, database: Some(_), .. } | Self::DatabaseOwner { .. } => {
                "ALTER DATABASE"
            }
            Self::Settings { .. } => "ALTER ROLE",
            Self::Drop { .. } => "DROP ROLE",
            Self::Membership(change) => match change.grant {
                true => "GRANT ROLE",
                false => "REVOKE ROLE",
            },
            Self::Rights(change) => match change.grant {
                true => "GRANT",
                false => "REVOKE",
            },
            Self::GraphRights(change) => match change.verb {
                GraphVerb::Grant => "GRANT",
                GraphVerb::Deny => "DENY",
                GraphVerb::Revoke | GraphVerb::RevokeGrant | GraphVerb::RevokeDeny => "REVOKE",
            },
            Self::DefaultRights { .. } => "ALTER DEFAULT PRIVILEGES",
            Self::Reassign { .. } => "REASSIGN OWNED",
            Self::DropOwned { .. } => "DROP OWNED",
        }
    }
}

/// Binds a statement on roles and rights.
///
/// # Errors
/// `42704` and its like for names that stand for nothing; `0LP01` for rights that an object does not know.
pub fn bind_roles(context: &BindContext, statement: &RoleStatement) -> Result<DdlCommand, PgError> {
    let command = match statement {
        RoleStatement::Create { name, options } => create(context, name, options)?,
        RoleStatement::Alter { role, options } => alter(context, role, options)?,
        RoleStatement::AlterGroup { group, add, members } => {
            RoleCommand::Membership(MembershipChange {
                grant: *add,
                roles: vec![role(context, group)?],
                members: roles(context, members)?,
                admin: None,
                inherit: None,
                set: None,
                granted_by: None,
                cascade: false,
            })
        }
        RoleStatement::Rename { from, to } => RoleCommand::Rename {
            role: role(context, &RoleName::Name(from.clone()))?,
            to: new_name(to)?,
        },
        RoleStatement::Settings { role: of, database, change, .. } => RoleCommand::Settings {
            role: of.as_ref().map(|of| role(context, of)).transpose()?,
            database: database
                .as_ref()
                .map(|name| self::database(context, &fold(name)))
                .transpose()?,
            change: change.clone(),
        },
        RoleStatement::Drop { if_exists, names } => drop(context, *if_exists, names)?,
        RoleStatement::Membership(grant) => RoleCommand::Membership(membership(context, grant)?),
        RoleStatement::Rights(grant) => RoleCommand::Rights(rights(context, grant)?),
        RoleStatement::DefaultRights { roles: of, schemas, grant } => {
            default_rights(context, of, schemas, grant)?
        }
        RoleStatement::GraphRights(grant) => graph_rights(context, grant)?,
        RoleStatement::Reassign { from, to } => {
            RoleCommand::Reassign { from: roles(context, from)?, to: role(context, to)? }
        }
        RoleStatement::DropOwned { roles: of, cascade } => {
            RoleCommand::DropOwned { roles: roles(context, of)?, cascade: *cascade }
        }
        RoleStatement::OwnerTo { kind: OwnedKind::Database, name, owner } => {
            RoleCommand::DatabaseOwner {
                database: database(context, &qualified_name(name)?.name)?,
                owner: role(context, owner)?,
            }
        }
        RoleStatement::OwnerTo { kind: OwnedKind::Graph, name, owner } => {
            return graph_owner(context, name, owner);
        }
        RoleStatement::ResetSessionAuthorization => {
            return Err(PgError::internal("RESET SESSION AUTHORIZATION reached the binder"));
        }
    };
    Ok(DdlCommand::Roles(Box::new(command)))
}

fn graph_owner(
    context: &BindContext,
    name: &ObjectName,
    owner: &RoleName,
) -> Result<DdlCommand, PgError> {
    let relation = context.relation(&qualified_name(name)?)?;
    if !matches!(relation.kind, RelationKind::PropertyGraph(_)) {
        return Err(wrong_kind(&relation, "a property graph"));
    }
    let change = super::ddl::ObjectChange::OwnerTo(role(context, owner)?);
    let object = super::ddl::ObjectRef::Relation(relation);
    Ok(DdlCommand::AlterObject { object, change, tag: "ALTER PROPERTY GRAPH" })
}

fn wrong_kind(relation: &Relation, wanted: &str) -> PgError {
    let message = format!("\"{}\" is not {wanted}", relation.name);
    PgError::new(SqlState::WRONG_OBJECT_TYPE, message)
}

fn undefined(what: &str, name: &str) -> PgError {
    PgError::new(SqlState::UNDEFINED_OBJECT, format!("{what} \"{name}\" does not exist"))
}

/// A role that a statement names.
///
/// # Errors
/// `42704` if there is none.
pub fn role(context: &BindContext, name: &RoleName) -> Result<Oid, PgError> {
    match name {
        RoleName::Current => Ok(context.role),
        RoleName::Session => Ok(context.session_role),
        RoleName::Public => Err(undefined("role", "public")),
        RoleName::Name(ident) => {
            let name = fold(ident);
            if name == context.user {
                return Ok(context.role);
            }
            let found = context.catalog.role_named(&name);
            found
                .map(|role| role.oid)
                .ok_or_else(|| undefined("role", &name).or_at(super::names::offset_of(ident.span)))
        }
    }
}

fn roles(context: &BindContext, names: &[RoleName]) -> Result<Vec<Oid>, PgError> {
    names.iter().map(|name| role(context, name)).collect()
}

/// Roles that rights are granted to: PUBLIC is one.
fn grantees(context: &BindContext, names: &[RoleName]) -> Result<Vec<Oid>, PgError> {
    let one = |name: &RoleName| match name {
        RoleName::Public => Ok(crate::catalog::PUBLIC),
        other => role(context, other),
    };
    names.iter().map(one).collect()
}

fn database(context: &BindContext, name: &str) -> Result<Oid, PgError> {
    let catalog = &context.catalog;
    let mut databases = catalog.cluster.databases.values();
    let found = databases
        .find(|other| other.name == name && other.tenant == catalog.database.tenant)
        .map(|database| database.oid);
    found.ok_or_else(|| {
        let message = format!("database \"{name}\" does not exist");
        PgError::new(SqlState::INVALID_CATALOG_NAME, message)
    })
}

/// A name for a role that is not there yet.
fn new_name(name: &RoleName) -> Result<String, PgError> {
    let reserved =
        |name: &str| PgError::new(SqlState("42939"), format!("role name \"{name}\" is reserved"));
    let name = match name {
        RoleName::Public => return Err(reserved("public")),
        RoleName::Current => return Err(reserved("current_user")),
        RoleName::Session => return Err(reserved("session_user")),
        RoleName::Name(ident) => fold(ident),
    };
    if matches!(name.as_str(), "none" | "public") {
        return Err(reserved(&name));
    }
    Ok(name)
}

/// Attributes, and who becomes a member of whom.
struct Said {
    attributes: Attributes,
    in_roles: Vec<Oid>,
    members: Vec<Oid>,
    admins: Vec<Oid>,
}

fn said(context: &BindContext, options: &[RoleOption]) -> Result<Said, PgError> {
    let mut said = Said {
        attributes: Attributes::default(),
        in_roles: Vec::new(),
        members: Vec::new(),
        admins: Vec::new(),
    };
    for (at, option) in options.iter().enumerate() {
        if options.iter().take(at).any(|other| other.name() == option.name()) {
            return Err(PgError::new(SqlState::SYNTAX_ERROR, "conflicting or redundant options"));
        }
        let attributes = &mut said.attributes;
        match option {
            RoleOption::Superuser(on) => attributes.superuser = Some(*on),
            RoleOption::CreateDb(on) => attributes.create_db = Some(*on),
            RoleOption::CreateRole(on) => attributes.create_role = Some(*on),
            RoleOption::Inherit(on) => attributes.inherit = Some(*on),
            RoleOption::Login(on) => attributes.login = Some(*on),
            RoleOption::Replication(on) => attributes.replication = Some(*on),
            RoleOption::BypassRls(on) => attributes.bypass_rls = Some(*on),
            RoleOption::ConnectionLimit(limit) => {
                let limit = i32::try_from(*limit).ok().filter(|limit| *limit >= -1);
                attributes.connection_limit = Some(limit.ok_or_else(|| {
                    let message = "invalid connection limit";
                    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
                })?);
            }
            RoleOption::Password(text) => attributes.password = Some(text.clone().map(Secret)),
            RoleOption::ValidUntil(text) => attributes.valid_until = Some(text.clone()),
            RoleOption::InRole(names) => said.in_roles = roles(context, names)?,
            RoleOption::Members(names) => said.members = roles(context, names)?,
            RoleOption::Admins(names) => said.admins = roles(context, names)?,
            RoleOption::SysId => {
                context.notices.lock().push(PgError::notice("SYSID can no longer be specified"));
            }
        }
    }
    Ok(said)
}

fn create(
    context: &BindContext,
    name: &RoleName,
    options: &[RoleOption],
) -> Result<RoleCommand, PgError> {
    let name = new_name(name)?;
    let Said { attributes, in_roles, members, admins } = said(context, options)?;
    Ok(RoleCommand::Create { name, attributes, in_roles, members, admins })
}

fn alter(
    context: &BindContext,
    name: &RoleName,
    options: &[RoleOption],
) -> Result<RoleCommand, PgError> {
    let role = role(context, name)?;
    let said = said(context, options)?;
    if !said.members.is_empty() {
        return Err(PgError::unsupported(
            "ALTER ROLE … USER is not supported",
            "Use GRANT role TO member.",
        ));
    }
    Ok(RoleCommand::Alter { role, attributes: said.attributes })
}

fn drop(
    context: &BindContext,
    if_exists: bool,
    names: &[RoleName],
) -> Result<RoleCommand, PgError> {
    if !context.roles.create_role {
        let message = "permission denied to drop role";
        return Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    }
    let mut found = Vec::new();
    for name in names {
        if !matches!(name, RoleName::Name(_)) {
            return Err(PgError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                "cannot use special role specifier in DROP ROLE",
            ));
        }
        match role(context, name) {
            Ok(role) => found.push(role),
            Err(error) if if_exists => {
                let notice = PgError::notice(format!("{error}, skipping"));
                context.notices.lock().push(notice);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(RoleCommand::Drop { roles: found })
}

fn membership(context: &BindContext, grant: &MembershipGrant) -> Result<MembershipChange, PgError> {
    let option = |wanted| {
        let mut options = grant.options.iter();
        options.find(|(option, _)| *option == wanted).map(|(_, value)| *value)
    };
    Ok(MembershipChange {
        grant: grant.grant,
        roles: roles(context, &grant.roles)?,
        members: roles(context, &grant.members)?,
        admin: option(MembershipOption::Admin),
        inherit: option(MembershipOption::Inherit),
        set: option(MembershipOption::Set),
        granted_by: grant.granted_by.as_ref().map(|by| role(context, by)).transpose()?,
        cascade: grant.cascade,
    })
}

fn rights(context: &BindContext, grant: &RightsGrant) -> Result<RightsChange, PgError> {
    let by = grant.granted_by.as_ref().map(|by| role(context, by)).transpose()?;
    if by.is_some_and(|by| by != context.role) {
        return Err(PgError::unsupported(
            "grantor must be current user",
            "SET ROLE to the grantor first.",
        ));
    }
    let roles = grantees(context, &grant.roles)?;
    let objects = objects(context, &grant.objects)?;
    let (class, what) = class_named(&grant.objects);
    let rights = known_rights(grant, class, what)?;
    Ok(RightsChange {
        grant: grant.grant,
        rights,
        all_columns: grant.all_columns.iter().map(fold).collect(),
        objects,
        roles,
        option: grant.option,
        cascade: grant.cascade,
    })
}

/// The kind that a statement names, and its word in errors.
fn class_named(objects: &GrantObjects) -> (AclClass, &'static str) {
    let kind = match objects {
        GrantObjects::Functions(_) => GrantKind::Function,
        GrantObjects::Named(kind, _)
        | GrantObjects::AllIn(kind, _)
        | GrantObjects::Future(kind) => *kind,
    };
    match kind {
        GrantKind::Table => (AclClass::Table, "relation"),
        GrantKind::Sequence => (AclClass::Sequence, "sequence"),
        GrantKind::Database => (AclClass::Database, "database"),
        GrantKind::Type => (AclClass::Type, "type"),
        GrantKind::ForeignDataWrapper => (AclClass::ForeignDataWrapper, "foreign-data wrapper"),
        GrantKind::ForeignServer => (AclClass::ForeignServer, "foreign server"),
        GrantKind::Function => (AclClass::Function, "function"),
        GrantKind::Language => (AclClass::Language, "language"),
        GrantKind::LargeObject => (AclClass::LargeObject, "large object"),
        GrantKind::Parameter => (AclClass::Parameter, "parameter"),
        GrantKind::Schema => (AclClass::Schema, "schema"),
        GrantKind::Tablespace => (AclClass::Tablespace, "tablespace"),
        GrantKind::Graph => (AclClass::Graph, "property graph"),
    }
}

/// Rights with the columns they are for.
type ColumnRights = Vec<(Rights, Vec<String>)>;

/// The rights by their names; `None` is ALL.
fn known_rights(
    grant: &RightsGrant,
    class: AclClass,
    what: &str,
) -> Result<Option<ColumnRights>, PgError> {
    let invalid = |message: String| PgError::new(SqlState("0LP01"), message);
    let columns_given = grant.rights.iter().any(|(_, columns)| !columns.is_empty())
        || !grant.all_columns.is_empty();
    if columns_given && class != AclClass::Table {
        return Err(invalid("column privileges are only valid for relations".to_owned()));
    }
    if grant.rights.is_empty() {
        return Ok(None);
    }
    // What is called a table may be a sequence.
    let known = match class {
        AclClass::Table => class.all().or(AclClass::Sequence.all()),
        other => other.all(),
    };
    let mut rights = Vec::with_capacity(grant.rights.len());
    for (word, columns) in &grant.rights {
        let right = Rights::named(word).ok_or_else(|| {
            let message = format!("unrecognized privilege type \"{}\"", word.to_lowercase());
            PgError::new(SqlState::SYNTAX_ERROR, message)
        })?;
        let name = word.to_uppercase();
        if !columns.is_empty() && !AclClass::Column.all().contains(right) {
            return Err(invalid(format!("invalid privilege type {name} for column")));
        }
        if !known.contains(right) {
            return Err(invalid(format!("invalid privilege type {name} for {what}")));
        }
        rights.push((right, columns.iter().map(fold).collect()));
    }
    Ok(Some(rights))
}

fn objects(context: &BindContext, objects: &GrantObjects) -> Result<Vec<GrantObject>, PgError> {
    match objects {
        GrantObjects::Named(kind, names) => {
            names.iter().map(|name| named(context, *kind, name)).collect()
        }
        GrantObjects::Functions(texts) => {
            texts.iter().map(|text| function(context, text)).collect()
        }
        GrantObjects::AllIn(kind, schemas) => {
            let mut found = Vec::new();
            for ident in schemas {
                let schema = schema(context, &fold(ident))?;
                context.check_schema(&schema.name)?;
                found.extend(all_in(&context.catalog, *kind, schema.oid));
            }
            Ok(found)
        }
        GrantObjects::Future(_) => Ok(Vec::new()),
    }
}

fn schema(context: &BindContext, name: &str) -> Result<GrantObject, PgError> {
    let found = context.catalog.schema(name).ok_or_else(|| {
        let message = format!("schema \"{name}\" does not exist");
        PgError::new(SqlState::INVALID_SCHEMA_NAME, message)
    })?;
    Ok(object(AclClass::Schema, found.oid, found.owner, &found.name))
}

fn object(class: AclClass, oid: Oid, owner: Oid, name: &str) -> GrantObject {
    GrantObject { class, oid, owner, name: name.to_owned(), as_table: false }
}

fn all_in(catalog: &Catalog, kind: GrantKind, schema: Oid) -> Vec<GrantObject> {
    let fits = |relation: &&std::sync::Arc<Relation>| {
        relation.schema == schema
            && match kind {
                GrantKind::Table => class_of(relation) == AclClass::Table,
                GrantKind::Sequence => class_of(relation) == AclClass::Sequence,
                // There are no functions of users.
                _ => false,
            }
    };
    let found = catalog.relations.values().filter(fits);
    found.map(|one| object(class_of(one), one.oid, one.owner, &one.name)).collect()
}

/// OID of the role that owns what is built in.
const SYSTEM_ROLE: Oid = Oid(10);

fn function(context: &BindContext, text: &str) -> Result<GrantObject, PgError> {
    if let Some(made) = made_function(context, text)? {
        return Ok(object(AclClass::Function, made.oid, made.owner, &made.name));
    }
    let catalog = &context.catalog;
    let found = match text.contains('(') {
        true => describe::resolve_function_signature(catalog, text, &context.search_path),
        false => describe::resolve_function(catalog, text, &context.search_path),
    };
    let oid = found.map_err(|error| error.report())?.ok_or_else(|| {
        let message = match text.contains('(') {
            true => format!("function {text} does not exist"),
            false => format!("could not find a function named \"{text}\""),
        };
        PgError::new(SqlState::UNDEFINED_FUNCTION, message)
    })?;
    let name = text.split('(').next().unwrap_or(text);
    let name = name.rsplit('.').next().unwrap_or(name);
    Ok(object(AclClass::Function, oid, SYSTEM_ROLE, name))
}

/// A function that `CREATE FUNCTION` made.
///
/// # Errors
/// `42725` if the name alone is not enough.
fn made_function(
    context: &BindContext,
    text: &str,
) -> Result<Option<std::sync::Arc<SqlFunction>>, PgError> {
    let (name, types) = match text.split_once('(') {
        Some((name, types)) => (name, Some(types.trim_end_matches(')'))),
        None => (text, None),
    };
    let parts: Vec<String> = name
        .split('.')
        .map(|part| match part.trim().strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
            Some(quoted) => quoted.to_owned(),
            None => part.trim().to_lowercase(),
        })
        .collect();
    let name = match parts.as_slice() {
        [name] => QualifiedName { schema: None, name: name.clone() },
        [schema, name] => QualifiedName { schema: Some(schema.clone()), name: name.clone() },
        _ => return Ok(None),
    };
    let mut found = context.catalog.functions_named(&name, &context.search_path);
    if let Some(types) = types {
        let types = types.split(',').filter(|ty| !ty.trim().is_empty());
        let types: Vec<_> = types
            .map(|ty| {
                super::types::sql_type(context.types(), &crate::parser::stored::parse_type(ty)?)
            })
            .collect::<Result<_, PgError>>()?;
        found.retain(|function| function.argument_types().eq(&types));
    }
    if found.len() > 1 {
        let message = format!("function name \"{}\" is not unique", name.name);
        return Err(PgError::new(SqlState::AMBIGUOUS_FUNCTION, message)
            .hint("Specify the argument list to select the function unambiguously."));
    }
    Ok(found.pop())
}

fn named(
    context: &BindContext,
    kind: GrantKind,
    name: &ObjectName,
) -> Result<GrantObject, PgError> {
    let qualified = qualified_name(name)?;
    let plain = qualified.name.as_str();
    let catalog = &context.catalog;
    match kind {
        GrantKind::Table | GrantKind::Sequence | GrantKind::Graph => {
            let relation = context.relation(&qualified)?;
            relation_object(&relation, kind)
        }
        GrantKind::Schema => schema(context, plain),
        GrantKind::Database => {
            let oid = database(context, plain)?;
            let owner = catalog.cluster.databases.get(&oid).map_or(Oid::INVALID, |one| one.owner);
            Ok(object(AclClass::Database, oid, owner, plain))
        }
        GrantKind::Type => {
            let text = name.to_string();
            let found = describe::resolve_type(catalog, &text, &context.search_path);
            let oid = found.map_err(|error| error.report())?;
            let oid = oid.ok_or_else(|| undefined("type", plain))?;
            let owner = catalog.types.get(&oid).map_or(SYSTEM_ROLE, |ty| ty.owner);
            Ok(object(AclClass::Type, oid, owner, plain))
        }
        GrantKind::Language => match plain {
            "internal" | "c" => Err(PgError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("language \"{plain}\" is not trusted"),
            )
            .detail(
                "GRANT and REVOKE are not allowed on untrusted languages, because only superusers can use untrusted languages.",
            )),
            "sql" => Ok(object(AclClass::Language, Oid(14), SYSTEM_ROLE, plain)),
            _ => Err(undefined("language", plain)),
        },
        GrantKind::Tablespace => match plain {
            "pg_default" => Ok(object(AclClass::Tablespace, Oid(1663), SYSTEM_ROLE, plain)),
            "pg_global" => Ok(object(AclClass::Tablespace, Oid(1664), SYSTEM_ROLE, plain)),
            _ => Err(undefined("tablespace", plain)),
        },
        GrantKind::Parameter => {
            let parameter = name.to_string().replace('"', "").to_lowercase();
            let own = catalog.database.tenant;
            let mut known = catalog.cluster.parameters.values();
            let oid = known.find(|one| one.name == parameter && one.tenant == own);
            let oid = oid.map_or(Oid::INVALID, |one| one.oid);
            Ok(object(AclClass::Parameter, oid, SYSTEM_ROLE, &parameter))
        }
        GrantKind::Function => function(context, plain),
        GrantKind::ForeignDataWrapper => Err(undefined("foreign-data wrapper", plain)),
        GrantKind::ForeignServer => Err(undefined("server", plain)),
        GrantKind::LargeObject => Err(PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("large object {plain} does not exist"),
        )),
    }
}

fn relation_object(relation: &Relation, kind: GrantKind) -> Result<GrantObject, PgError> {
    let class = class_of(relation);
    match (kind, class) {
        (GrantKind::Table, AclClass::Graph) => {
            return Err(wrong_kind(relation, "a table"));
        }
        (GrantKind::Sequence, AclClass::Table | AclClass::Graph) => {
            return Err(wrong_kind(relation, "a sequence"));
        }
        (GrantKind::Graph, AclClass::Table | AclClass::Sequence) => {
            return Err(wrong_kind(relation, "a property graph"));
        }
        _ => {}
    }
    let as_table = kind == GrantKind::Table && class == AclClass::Sequence;
    Ok(GrantObject { as_table, ..object(class, relation.oid, relation.owner, &relation.name) })
}

fn default_rights(
    context: &BindContext,
    of: &[RoleName],
    schemas: &[Ident],
    grant: &RightsGrant,
) -> Result<RoleCommand, PgError> {
    let of = match of {
        [] => vec![context.role],
        names => roles(context, names)?,
    };
    let schemas = schemas
        .iter()
        .map(|name| schema(context, &fold(name)).map(|schema| schema.oid))
        .collect::<Result<Vec<_>, _>>()?;
    let (class, _) = class_named(&grant.objects);
    if class == AclClass::Schema && !schemas.is_empty() {
        return Err(PgError::new(
            SqlState("0LP01"),
            "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS",
        ));
    }
    let change = rights(context, grant)?;
    if let Some(given) = &change.rights
        && let Some((right, _)) = given.iter().find(|(right, _)| !class.all().contains(*right))
    {
        let name = right.each().next().map_or("", |(_, name)| name);
        return Err(PgError::new(
            SqlState("0LP01"),
            format!("invalid privilege type {name} for relation"),
        ));
    }
    Ok(RoleCommand::DefaultRights { roles: of, schemas, class, change })
}

fn graph_rights(
    context: &BindContext,
    grant: &crate::parser::sql::roles::GraphGrant,
) -> Result<RoleCommand, PgError> {
    let relation = context.relation(&qualified_name(&grant.graph)?)?;
    let RelationKind::PropertyGraph(graph) = &relation.kind else {
        return Err(wrong_kind(&relation, "a property graph"));
    };
    // Labels and properties keep the case they are written in where the graph has them so.
    let spelled = |ident: &Ident, known: &dyn Fn(&str) -> bool| match known(&ident.value) {
        true => ident.value.clone(),
        false => fold(ident),
    };
    let has_label = |name: &str| {
        graph.elements().any(|element| element.labels.iter().any(|label| label.name == name))
    };
    let has_property = |name: &str| graph.elements().any(|one| one.property(name).is_some());
    let labels: Vec<String> = grant.labels.iter().map(|one| spelled(one, &has_label)).collect();
    if let Some(label) = labels.iter().find(|label| !has_label(label)) {
        let message = format!("label \"{label}\" is not in property graph \"{}\"", relation.name);
        return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
    }
    let properties = grant.properties.iter().map(|one| spelled(one, &has_property));
    let properties: Vec<String> = properties.collect();
    if let Some(property) = properties.iter().find(|property| !has_property(property)) {
        let graph = &relation.name;
        let message = format!("property \"{property}\" is not in property graph \"{graph}\"");
        return Err(PgError::new(SqlState::UNDEFINED_OBJECT, message));
    }
    Ok(RoleCommand::GraphRights(GraphRightsChange {
        verb: grant.verb,
        action: grant.action,
        properties,
        graph: relation.oid,
        elements: grant.elements,
        labels,
        roles: grantees(context, &grant.roles)?,
    }))
}
