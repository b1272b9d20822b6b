//! Catalog objects in words: the cores of functions such as `pg_get_constraintdef` and
//! `pg_table_is_visible`, and of the casts of `regclass` and its relatives.
//!
//! All are pure functions of a snapshot and a search path. `search_path` is the effective one,
//! without the `pg_catalog` that stands in front of it unless it is listed.

mod comment;
mod definition;
mod expression;
mod form;
mod function;
mod graph;
mod keyword;
mod name;
mod resolve;
mod role;
mod visible;

pub use comment::{col_description, obj_description, shobj_description};
pub use definition::{
    Style, constraint_definition, index_column, index_definition, rule_definition, view_definition,
};
pub(super) use expression::columns_in_expression;
pub use form::{FunctionForm, function_form};
pub(super) use function::parameters;
pub use function::{
    function_arguments, function_definition, function_identity_arguments, function_inputs,
    function_name, function_overloads, function_result, function_signature, operator_name,
    operator_signature,
};
pub use graph::property_graph_definition;
pub use keyword::{Keyword, keywords};
pub(super) use name::type_typname;
pub use name::{
    collation_name, encoding_name, encoding_number, format_type, qualified_relation_name,
    quote_identifier, relation_name, schema_name, type_name,
};
pub use resolve::{
    NameError, parse_name, resolve_collation, resolve_function, resolve_function_signature,
    resolve_operator, resolve_operator_signature, resolve_relation, resolve_role, resolve_schema,
    resolve_type,
};
pub use role::{acl_texts, default_acl, role_name, user_by_id};
pub use visible::{
    collation_is_visible, function_is_visible, opclass_is_visible, operator_is_visible,
    opfamily_is_visible, table_is_visible, type_is_visible,
};

use crate::types::Oid;

/// `pg_class.oid` of `pg_class`, and so on: what `classoid` and `classid` hold.
pub const PG_CLASS: Oid = Oid(1259);
/// See [`PG_CLASS`].
pub const PG_TYPE: Oid = Oid(1247);
/// See [`PG_CLASS`].
pub const PG_CONSTRAINT: Oid = Oid(2606);
/// See [`PG_CLASS`].
pub const PG_ATTRDEF: Oid = Oid(2604);
/// See [`PG_CLASS`].
pub const PG_REWRITE: Oid = Oid(2618);
/// See [`PG_CLASS`].
pub const PG_NAMESPACE: Oid = Oid(2615);
