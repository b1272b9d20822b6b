//! The syntax tree of Cypher: statements, clauses and what stands in them. Expressions are in [`super::expr`].

use super::expr::Expr;
use crate::parser::pattern::{GraphPattern, LabelExpr, Name, PathPattern};
use crate::parser::span::Span;

/// One Cypher statement.
#[derive(Debug, Clone, PartialEq)]
pub struct CypherStatement {
    /// `EXPLAIN` or `PROFILE` in front.
    pub explain: Option<ExplainMode>,
    pub body: CypherBody,
    /// Parameter names, each once, in the order of their first appearance in the text.
    pub parameters: Vec<String>,
    pub span: Span,
}

impl CypherStatement {
    /// The 1-based number of a parameter on the wire.
    ///
    /// If all names are whole numbers from 1 up, `$n` is the n-th; else names count by first appearance. `None` for a
    /// name the statement does not have.
    pub fn parameter_number(&self, name: &str) -> Option<usize> {
        let position = self.parameters.iter().position(|known| known == name)?;
        if self.has_numbered_parameters() { name.parse().ok() } else { Some(position + 1) }
    }

    /// How many parameters the wire announces.
    pub fn parameter_count(&self) -> usize {
        if self.has_numbered_parameters() {
            self.parameters.iter().filter_map(|name| name.parse().ok()).max().unwrap_or(0)
        } else {
            self.parameters.len()
        }
    }

    fn has_numbered_parameters(&self) -> bool {
        // The wire counts parameters in 16 bits; a larger "number" can only be a name.
        self.parameters
            .iter()
            .all(|name| matches!(name.parse::<u16>(), Ok(1..)) && !name.starts_with(['0', '+']))
    }
}

/// What to show in place of, or beside, the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainMode {
    /// `EXPLAIN`: the plan, not executed.
    Explain,
    /// `PROFILE`: executed, with figures.
    Profile,
}

/// The kinds of statement.
#[derive(Debug, Clone, PartialEq)]
pub enum CypherBody {
    Query(Query),
    Schema(Box<SchemaCommand>),
    Show(Box<ShowCommand>),
}

impl CypherBody {
    /// Whether it makes or drops a constraint or an index.
    pub fn defines(&self) -> bool {
        matches!(self, Self::Schema(_))
    }
}

/// Single queries joined by `UNION`; all unions in one query are of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// At least one.
    pub parts: Vec<SingleQuery>,
    /// Meaningless for one part.
    pub union: UnionKind,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnionKind {
    /// `UNION`, `UNION DISTINCT`.
    Distinct,
    /// `UNION ALL`.
    All,
}

/// Clauses in the order of writing.
#[derive(Debug, Clone, PartialEq)]
pub struct SingleQuery {
    /// `USE g` in front.
    pub graph: Option<GraphReference>,
    /// At least one. The parser has checked the order: `RETURN` and `FINISH` only last, a `WITH` between writing and
    /// reading, something that ends the query.
    pub clauses: Vec<Clause>,
    pub span: Span,
}

/// The graph named by `USE`: one name, or several joined by dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphReference {
    pub parts: Vec<Name>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Clause {
    Match(Match),
    Unwind(Unwind),
    With(Projection),
    Return(Projection),
    /// `FINISH`: no rows and no columns.
    Finish(Span),
    Create(Create),
    Merge(Merge),
    Set(Set),
    Remove(Remove),
    Delete(Delete),
    Foreach(Foreach),
    Call(Call),
    Subquery(SubqueryCall),
    LoadCsv(LoadCsv),
}

impl Clause {
    /// Where the clause stands, its keyword included.
    pub fn span(&self) -> Span {
        match self {
            Self::Match(clause) => clause.span,
            Self::Unwind(clause) => clause.span,
            Self::With(clause) | Self::Return(clause) => clause.span,
            Self::Finish(span) => *span,
            Self::Create(clause) => clause.span,
            Self::Merge(clause) => clause.span,
            Self::Set(clause) => clause.span,
            Self::Remove(clause) => clause.span,
            Self::Delete(clause) => clause.span,
            Self::Foreach(clause) => clause.span,
            Self::Call(clause) => clause.span,
            Self::Subquery(clause) => clause.span,
            Self::LoadCsv(clause) => clause.span,
        }
    }

    /// True for the clauses that change the graph (a `CALL { }` is asked clause by clause).
    pub fn is_writing(&self) -> bool {
        match self {
            Self::Create(_)
            | Self::Merge(_)
            | Self::Set(_)
            | Self::Remove(_)
            | Self::Delete(_)
            | Self::Foreach(_) => true,
            Self::Subquery(call) => {
                call.query.parts.iter().any(|part| part.clauses.iter().any(Clause::is_writing))
            }
            Self::Match(_)
            | Self::Unwind(_)
            | Self::With(_)
            | Self::Return(_)
            | Self::Finish(_)
            | Self::Call(_)
            | Self::LoadCsv(_) => false,
        }
    }
}

/// `[OPTIONAL] MATCH … [WHERE …]`; the condition is in the pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    pub optional: bool,
    pub pattern: GraphPattern<Expr>,
    pub span: Span,
}

/// `UNWIND list AS variable`.
#[derive(Debug, Clone, PartialEq)]
pub struct Unwind {
    pub list: Expr,
    pub variable: Name,
    pub span: Span,
}

/// `WITH …` or `RETURN …`.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    pub distinct: bool,
    /// `*` in front of the items.
    pub star: Option<Span>,
    pub items: Vec<ProjectionItem>,
    pub order_by: Vec<SortItem>,
    pub skip: Option<Expr>,
    pub limit: Option<Expr>,
    /// `WHERE`, after `WITH` alone.
    pub condition: Option<Expr>,
    pub span: Span,
}

/// One column of a projection.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionItem {
    pub expr: Expr,
    /// `AS name`. `WITH` needs one where `expr` is not a variable; the binder refuses the rest (`NoExpressionAlias`).
    pub alias: Option<Name>,
    /// The expression's text as written: the column's name where there is no alias.
    pub text: String,
    pub span: Span,
}

impl ProjectionItem {
    /// The column's name: the alias, the variable, or the text as written.
    pub fn column_name(&self) -> &str {
        match (&self.alias, &self.expr.kind) {
            (Some(alias), _) => &alias.text,
            (None, super::expr::ExprKind::Variable(name)) => &name.text,
            (None, _) => &self.text,
        }
    }
}

/// One key of `ORDER BY`.
#[derive(Debug, Clone, PartialEq)]
pub struct SortItem {
    pub expr: Expr,
    pub descending: bool,
    /// `NULLS FIRST` (true) or `NULLS LAST` (false), if written.
    pub nulls_first: Option<bool>,
    pub span: Span,
}

/// `CREATE …`. The parser has checked that each edge has a direction and one label (or a variable alone, which the
/// binder refuses as bound already or as `NoSingleRelationshipType`), nothing repeats, and there is no `WHERE`,
/// selector or mode; labels are conjunctions.
#[derive(Debug, Clone, PartialEq)]
pub struct Create {
    pub paths: Vec<PathPattern<Expr>>,
    pub span: Span,
}

/// `MERGE path ON CREATE SET … ON MATCH SET …`. Checked as [`Create`], but an edge may have no direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    pub path: PathPattern<Expr>,
    pub on_create: Vec<SetItem>,
    pub on_match: Vec<SetItem>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    pub items: Vec<SetItem>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SetItem {
    /// `n.key = value`; `target` is what stands before the last `.key`.
    Property { target: Expr, key: Name, value: Expr, span: Span },
    /// `n[key] = value`.
    DynamicProperty { target: Expr, key: Expr, value: Expr, span: Span },
    /// `n = value`: all properties.
    Replace { variable: Name, value: Expr, span: Span },
    /// `n += value`.
    Merge { variable: Name, value: Expr, span: Span },
    /// `n:A:B`.
    Labels { variable: Name, labels: Vec<Name>, span: Span },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Remove {
    pub items: Vec<RemoveItem>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RemoveItem {
    /// `n.key`.
    Property { target: Expr, key: Name, span: Span },
    /// `n[key]`.
    DynamicProperty { target: Expr, key: Expr, span: Span },
    /// `n:A:B`.
    Labels { variable: Name, labels: Vec<Name>, span: Span },
}

/// `[DETACH | NODETACH] DELETE …`.
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    pub detach: bool,
    pub targets: Vec<Expr>,
    pub span: Span,
}

/// `FOREACH (variable IN list | clauses)`; the clauses all write.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreach {
    pub variable: Name,
    pub list: Expr,
    pub clauses: Vec<Clause>,
    pub span: Span,
}

/// `[OPTIONAL] CALL name(args) [YIELD …]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub optional: bool,
    /// `a.b.c`; at least one.
    pub name: Vec<Name>,
    /// Absent where no parentheses were written: arguments come from parameters of the same names.
    pub arguments: Option<Vec<Expr>>,
    pub yields: Yield,
    /// `WHERE` after `YIELD`.
    pub condition: Option<Expr>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Yield {
    /// Nothing written.
    None,
    /// `YIELD *`, or `YIELD -` (an empty list of items).
    Star,
    /// `YIELD field [AS name], …`.
    Items(Vec<YieldItem>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct YieldItem {
    pub field: Name,
    pub alias: Option<Name>,
    pub span: Span,
}

/// `[OPTIONAL] CALL [(x, y)] { … } [IN [n CONCURRENT] TRANSACTIONS …]`.
#[derive(Debug, Clone, PartialEq)]
pub struct SubqueryCall {
    pub optional: bool,
    pub scope: SubqueryScope,
    pub query: Query,
    pub transactions: Option<InTransactions>,
    pub span: Span,
}

/// Which outer variables a subquery sees.
#[derive(Debug, Clone, PartialEq)]
pub enum SubqueryScope {
    /// `CALL { WITH x … }`: those its leading `WITH` names.
    Importing,
    /// `CALL (*) { … }`.
    All,
    /// `CALL (x, y) { … }`.
    Variables(Vec<Name>),
}

/// `IN TRANSACTIONS OF n ROWS ON ERROR …`.
#[derive(Debug, Clone, PartialEq)]
pub struct InTransactions {
    pub batch_rows: Option<Expr>,
    pub on_error: Option<OnError>,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    Continue,
    Break,
    Fail,
}

/// `LOAD CSV [WITH HEADERS] FROM source AS variable [FIELDTERMINATOR ';']`.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadCsv {
    pub with_headers: bool,
    pub source: Expr,
    pub variable: Name,
    pub field_terminator: Option<String>,
    pub span: Span,
}

/// Constraints and indexes.
#[derive(Debug, Clone, PartialEq)]
pub enum SchemaCommand {
    CreateConstraint {
        name: Option<Name>,
        if_not_exists: bool,
        element: SchemaElement,
        properties: Vec<Name>,
        kind: ConstraintKind,
        span: Span,
    },
    DropConstraint {
        name: Name,
        if_exists: bool,
        span: Span,
    },
    CreateIndex {
        name: Option<Name>,
        if_not_exists: bool,
        /// `RANGE`, `TEXT`, `POINT`, `LOOKUP`, `FULLTEXT` or `VECTOR`, in upper case, if written.
        kind: Option<String>,
        element: SchemaElement,
        properties: Vec<Name>,
        options: Option<Expr>,
        span: Span,
    },
    DropIndex {
        name: Name,
        if_exists: bool,
        span: Span,
    },
}

/// `(n:Label)` or `()-[r:TYPE]-()` after `FOR`.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaElement {
    pub is_edge: bool,
    pub variable: Name,
    /// Absent for lookup indexes; `Or` for full-text ones over several.
    pub labels: Option<LabelExpr>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConstraintKind {
    /// `IS UNIQUE`.
    Unique,
    /// `IS NOT NULL`.
    NotNull,
    /// `IS NODE KEY`, `IS RELATIONSHIP KEY`, `IS KEY`.
    Key,
    /// `IS :: TYPE`.
    Typed(super::expr::CypherType),
}

/// `SHOW … [YIELD …] [WHERE …]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ShowCommand {
    pub target: ShowTarget,
    /// The kinds that are wanted, of indexes and constraints: values of their column `type`; all if there are none.
    pub kinds: Vec<&'static str>,
    /// `BUILT IN` or `USER DEFINED`, of functions.
    pub built_in: Option<bool>,
    /// `WHERE` without `YIELD`.
    pub condition: Option<Expr>,
    /// `YIELD …`, with its `ORDER BY`, `SKIP`, `LIMIT` and `WHERE`.
    pub yields: Option<Projection>,
    /// `RETURN …` behind `YIELD`.
    pub returned: Option<Projection>,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShowTarget {
    Labels,
    RelationshipTypes,
    PropertyKeys,
    Indexes,
    Constraints,
    Procedures,
    Functions,
    Databases,
}
