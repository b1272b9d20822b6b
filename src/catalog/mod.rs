//! Names and what they stand for: databases, schemas, relations, property graphs, roles.
//!
//! A [`Catalog`] is one database's immutable snapshot; DDL makes a new one. It never holds rows.

pub mod acl;
mod cluster;
mod ddl;
mod function;
pub mod grants;
pub mod graph;
mod index_names;
mod label_rules;
pub mod object;
pub mod open;
pub mod pg;
pub mod policy;
mod predefined;
pub mod role;
pub mod sequence_options;
pub mod snapshot;
pub mod stored;
pub mod stored_text;
mod user_type;

pub use acl::{Acl, AclClass, AclItem, PUBLIC, Rights};
pub use function::{FunctionArgument, FunctionResult, RoutineLanguage, SqlFunction};
pub use grants::{DefaultRights, Grants, GraphRight, GraphRule, class_of};
pub use graph::{
    EdgeTable, ElementLabel, ElementTable, EndPoint, HIDDEN_LABEL, LabelRule, LabelRuleKind,
    OPEN_EDGE_COLUMNS, OPEN_VERTEX_COLUMNS, OpenGraph, PropertyDef, PropertyGraph, PropertySource,
};
pub use object::{
    Column, ColumnDefault, Constraint, ConstraintKind, ConstraintTiming, Database,
    ForeignKeyAction, Index, IndexKey, IndexMethod, IndexSource, MaterializedView, OnCommit,
    Persistence, ReadColumn, Relation, RelationKind, Schema, Sequence, SequenceCounter,
    SequenceOwner, Table, View, ViewRead, sequence_columns,
};
pub use open::{MadeTable, NewOpenGraph, OpenDefinition, OpenProperty, stored_type};
pub use policy::{
    Policy, PolicyCommand, PolicyExpression, ROW_LABEL_PARAMETERS, RowLabels, RowSecurity,
};
pub use predefined::predefined_role;
pub use role::{Membership, Role, RoleSet};
pub use snapshot::{Catalog, CatalogStamp, Cluster, Parameter, QualifiedName};
pub use user_type::{
    Composite, Domain, DomainCheck, ExtensionType, HSTORE, TypeDefinition, UserType,
};
