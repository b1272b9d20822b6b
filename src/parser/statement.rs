//! What the parser hands over: a statement of any language.

use super::cypher::CypherStatement;
use super::pgq::{GraphTable, PropertyGraphDdl};
use super::plpgsql::Block;
use super::span::Span;
use super::sql::definition::Definition;
use super::sql::roles::RoleStatement;
use super::sql::tenancy::Tenancy;

/// One statement of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// From its first to its last token; every other span in the tree counts from the same text.
    pub span: Span,
    /// The text of `span`.
    pub text: String,
    pub body: Body,
}

/// A statement's tree, by language.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// SQL. Each `GRAPH_TABLE ( … )` is the table function `__graph_table(n)` in the tree and `graph_tables[n]` here.
    Sql {
        statement: Box<sqlparser::ast::Statement>,
        graph_tables: Vec<GraphTable>,
    },
    /// `CREATE`, `ALTER` or `DROP PROPERTY GRAPH`.
    PropertyGraph(Box<PropertyGraphDdl>),
    Cypher(Box<CypherStatement>),
    /// Statements that have no form in `sqlparser`'s tree.
    Utility(Utility),
}

/// Statements on the session or the database that `sqlparser` does not know.
#[derive(Debug, Clone, PartialEq)]
pub enum Utility {
    /// `MOVE`: the `FETCH` statement whose rows are stepped over.
    Move(Box<sqlparser::ast::Statement>),
    /// `SET CONSTRAINTS`; no names stand for `ALL`.
    SetConstraints { names: Vec<sqlparser::ast::ObjectName>, deferred: bool },
    /// Data definition.
    Definition(Box<Definition>),
    /// `PREPARE … AS` and `DECLARE … FOR` with a Cypher query; `outer` has another query in its place.
    WithCypher { outer: Box<sqlparser::ast::Statement>, query: Box<CypherStatement> },
    /// `CHECKPOINT`.
    Checkpoint,
    /// `DO`.
    Do(Box<Block>),
    /// Roles and rights.
    Roles(Box<RoleStatement>),
    /// Tenants, databases and quotas.
    Tenancy(Box<Tenancy>),
}

/// The session variable `query_language`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryLanguage {
    /// The first words decide.
    #[default]
    Auto,
    /// Everything is SQL.
    Sql,
    /// Everything is Cypher but `SET`, `SHOW`, `BEGIN` and their like, which are the same in every language.
    Cypher,
}
