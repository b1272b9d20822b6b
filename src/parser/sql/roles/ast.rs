//! The syntax tree of statements on roles and rights.

use sqlparser::ast::{Ident, ObjectName};

/// A statement on roles and rights.
#[derive(Debug, Clone, PartialEq)]
pub enum RoleStatement {
    /// `CREATE ROLE`, `USER`, `GROUP`
    Create {
        /// Its name.
        name: RoleName,
        /// In order of writing; USER begins with LOGIN.
        options: Vec<RoleOption>,
    },
    /// `ALTER ROLE` with attributes.
    Alter {
        /// The role.
        role: RoleName,
        /// In order of writing.
        options: Vec<RoleOption>,
    },
    /// `ALTER GROUP … ADD USER`, `DROP USER`
    AlterGroup {
        /// The group.
        group: RoleName,
        /// ADD, not DROP.
        add: bool,
        /// Members.
        members: Vec<RoleName>,
    },
    /// `ALTER ROLE … RENAME TO`
    Rename {
        /// Old name.
        from: Ident,
        /// New name.
        to: RoleName,
    },
    /// `ALTER ROLE … [IN DATABASE …] SET`, `ALTER DATABASE … SET`, and RESET
    Settings {
        /// The role; `None` is ALL, or the statement is about a database.
        role: Option<RoleName>,
        /// The database, if one is named.
        database: Option<Ident>,
        /// What is done.
        change: SettingChange,
        /// ALTER DATABASE, for the command tag and for who may.
        of_database: bool,
    },
    /// `DROP ROLE`, `USER`, `GROUP`
    Drop {
        /// IF EXISTS
        if_exists: bool,
        /// The roles.
        names: Vec<RoleName>,
    },
    /// `GRANT role TO`, `REVOKE role FROM`
    Membership(MembershipGrant),
    /// `GRANT … ON`, `REVOKE … ON`
    Rights(RightsGrant),
    /// `ALTER DEFAULT PRIVILEGES`
    DefaultRights {
        /// FOR ROLE; none is the current one.
        roles: Vec<RoleName>,
        /// IN SCHEMA; none is all.
        schemas: Vec<Ident>,
        /// What is granted or revoked; the objects are a kind.
        grant: RightsGrant,
    },
    /// `GRANT`, `DENY`, `REVOKE … ON GRAPH`
    GraphRights(GraphGrant),
    /// `REASSIGN OWNED BY`
    Reassign {
        /// Old owners.
        from: Vec<RoleName>,
        /// New owner.
        to: RoleName,
    },
    /// `DROP OWNED BY`
    DropOwned {
        /// Owners.
        roles: Vec<RoleName>,
        /// CASCADE
        cascade: bool,
    },
    /// `ALTER … OWNER TO` of what is not a relation or schema.
    OwnerTo {
        /// What it is.
        kind: OwnedKind,
        /// Its name.
        name: ObjectName,
        /// The new owner.
        owner: RoleName,
    },
    /// `RESET SESSION AUTHORIZATION`
    ResetSessionAuthorization,
}

/// What `ALTER … OWNER TO` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnedKind {
    /// DATABASE
    Database,
    /// PROPERTY GRAPH
    Graph,
}

/// How a statement names a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleName {
    /// By its name.
    Name(Ident),
    /// PUBLIC
    Public,
    /// CURRENT_USER, CURRENT_ROLE
    Current,
    /// SESSION_USER
    Session,
}

/// An attribute, or what else is said when a role is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleOption {
    /// SUPERUSER, NOSUPERUSER
    Superuser(bool),
    /// CREATEDB
    CreateDb(bool),
    /// CREATEROLE
    CreateRole(bool),
    /// INHERIT
    Inherit(bool),
    /// LOGIN
    Login(bool),
    /// REPLICATION
    Replication(bool),
    /// BYPASSRLS
    BypassRls(bool),
    /// CONNECTION LIMIT
    ConnectionLimit(i64),
    /// PASSWORD; `None` is NULL.
    Password(Option<String>),
    /// VALID UNTIL
    ValidUntil(String),
    /// IN ROLE, IN GROUP
    InRole(Vec<RoleName>),
    /// ROLE, USER
    Members(Vec<RoleName>),
    /// ADMIN
    Admins(Vec<RoleName>),
    /// SYSID
    SysId,
}

impl RoleOption {
    /// Its name, by which it may be said only once.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Superuser(_) => "superuser",
            Self::CreateDb(_) => "createdb",
            Self::CreateRole(_) => "createrole",
            Self::Inherit(_) => "inherit",
            Self::Login(_) => "canlogin",
            Self::Replication(_) => "isreplication",
            Self::BypassRls(_) => "bypassrls",
            Self::ConnectionLimit(_) => "connectionlimit",
            Self::Password(_) => "password",
            Self::ValidUntil(_) => "validUntil",
            Self::InRole(_) => "addroleto",
            Self::Members(_) => "rolemembers",
            Self::Admins(_) => "adminmembers",
            Self::SysId => "sysid",
        }
    }
}

/// What is done with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingChange {
    /// SET name TO value
    Set {
        /// The parameter.
        name: String,
        /// Its value as text.
        value: String,
    },
    /// SET name FROM CURRENT
    FromCurrent(String),
    /// RESET name
    Reset(String),
    /// RESET ALL
    ResetAll,
}

/// GRANT or REVOKE of roles.
#[derive(Debug, Clone, PartialEq)]
pub struct MembershipGrant {
    /// GRANT, not REVOKE.
    pub grant: bool,
    /// The roles that are granted.
    pub roles: Vec<RoleName>,
    /// Who gets them.
    pub members: Vec<RoleName>,
    /// WITH ADMIN, INHERIT, SET; for REVOKE the options that are taken away, if not the membership.
    pub options: Vec<(MembershipOption, bool)>,
    /// GRANTED BY
    pub granted_by: Option<RoleName>,
    /// CASCADE
    pub cascade: bool,
}

/// An option of a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipOption {
    /// ADMIN
    Admin,
    /// INHERIT
    Inherit,
    /// SET
    Set,
}

/// GRANT or REVOKE of rights on objects.
#[derive(Debug, Clone, PartialEq)]
pub struct RightsGrant {
    /// GRANT, not REVOKE.
    pub grant: bool,
    /// The rights with their columns; none is ALL.
    pub rights: Vec<(String, Vec<Ident>)>,
    /// Columns of ALL.
    pub all_columns: Vec<Ident>,
    /// On what.
    pub objects: GrantObjects,
    /// To or from whom.
    pub roles: Vec<RoleName>,
    /// WITH GRANT OPTION, or GRANT OPTION FOR.
    pub option: bool,
    /// GRANTED BY
    pub granted_by: Option<RoleName>,
    /// CASCADE
    pub cascade: bool,
}

/// What rights are granted on.
#[derive(Debug, Clone, PartialEq)]
pub enum GrantObjects {
    /// Named ones.
    Named(GrantKind, Vec<ObjectName>),
    /// Functions, as text: name, and arguments in parentheses if they are given.
    Functions(Vec<String>),
    /// ALL … IN SCHEMA.
    AllIn(GrantKind, Vec<Ident>),
    /// All of a kind that are yet to be made: ALTER DEFAULT PRIVILEGES.
    Future(GrantKind),
}

/// Kinds of objects, as GRANT names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantKind {
    /// TABLE, or nothing.
    Table,
    /// SEQUENCE
    Sequence,
    /// DATABASE
    Database,
    /// DOMAIN, TYPE
    Type,
    /// FOREIGN DATA WRAPPER
    ForeignDataWrapper,
    /// FOREIGN SERVER
    ForeignServer,
    /// FUNCTION, PROCEDURE, ROUTINE
    Function,
    /// LANGUAGE
    Language,
    /// LARGE OBJECT
    LargeObject,
    /// PARAMETER
    Parameter,
    /// SCHEMA
    Schema,
    /// TABLESPACE
    Tablespace,
    /// PROPERTY GRAPH
    Graph,
}

/// GRANT, DENY or REVOKE of rights on parts of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphGrant {
    /// What is done.
    pub verb: GraphVerb,
    /// TRAVERSE, READ, MATCH, CREATE, DELETE, SET PROPERTY, MERGE, WRITE.
    pub action: GraphAction,
    /// Properties of READ, MATCH and SET PROPERTY; none is all.
    pub properties: Vec<Ident>,
    /// The graph.
    pub graph: ObjectName,
    /// NODES, RELATIONSHIPS, or both.
    pub elements: GraphElements,
    /// Labels; none is all.
    pub labels: Vec<Ident>,
    /// To or from whom.
    pub roles: Vec<RoleName>,
}

/// What is done with a graph right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphVerb {
    /// GRANT
    Grant,
    /// DENY
    Deny,
    /// REVOKE: what was granted and what was denied.
    Revoke,
    /// REVOKE GRANT
    RevokeGrant,
    /// REVOKE DENY
    RevokeDeny,
}

/// A graph right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphAction {
    /// See that elements are there.
    Traverse,
    /// Read properties.
    Read,
    /// Both.
    Match,
    /// Add elements.
    Create,
    /// Remove elements.
    Delete,
    /// Change properties.
    SetProperty,
    /// Match, create and change.
    Merge,
    /// All of the writes.
    Write,
}

/// Which elements a graph right is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphElements {
    /// NODES
    Nodes,
    /// RELATIONSHIPS
    Relationships,
    /// ELEMENTS, or nothing.
    Both,
}
