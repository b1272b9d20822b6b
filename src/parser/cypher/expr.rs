//! The syntax tree of Cypher expressions.

use super::ast::Query;
use crate::parser::pattern::{GraphPattern, LabelExpr, Name, PathPattern};
use crate::parser::span::Span;

/// An expression and where it stands. Parentheses leave no node; the span is without them.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    Literal(Literal),
    /// `$name`; the name without `$` and quotes.
    Parameter(String),
    Variable(Name),
    /// `base.key`.
    Property {
        base: Box<Expr>,
        key: Name,
    },
    /// `base[index]`.
    Index {
        base: Box<Expr>,
        index: Box<Expr>,
    },
    /// `base[from..to]`.
    Slice {
        base: Box<Expr>,
        from: Option<Box<Expr>>,
        to: Option<Box<Expr>>,
    },
    List(Vec<Expr>),
    /// `{key: value, …}`; keys may repeat, the last one counts.
    Map(Vec<(Name, Expr)>),
    /// `variable {.key, .*, key: value, other}`.
    MapProjection {
        variable: Name,
        items: Vec<MapProjectionItem>,
    },
    /// `NOT`, `-`, `+`.
    Unary {
        operator: UnaryOperator,
        operand: Box<Expr>,
    },
    /// Two operands.
    Binary {
        operator: BinaryOperator,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `a AND b AND …`; two or more.
    And(Vec<Expr>),
    /// `a OR b OR …`; two or more.
    Or(Vec<Expr>),
    /// `a < b <= c`: each neighboring pair must hold; `rest` is not empty.
    Comparison {
        first: Box<Expr>,
        rest: Vec<(ComparisonOperator, Expr)>,
    },
    /// `operand IS [NOT] NULL`.
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    /// `operand IS [NOT] :: TYPE`, `IS TYPED TYPE`.
    IsTyped {
        operand: Box<Expr>,
        ty: CypherType,
        negated: bool,
    },
    /// `operand:A:B`, `operand:(A|B)&!C`.
    HasLabels {
        operand: Box<Expr>,
        labels: LabelExpr,
    },
    Function(FunctionCall),
    /// `count(*)`.
    CountStar,
    Case(Box<Case>),
    /// `[variable IN list WHERE filter | map]`.
    ListComprehension(Box<ListComprehension>),
    /// `[p = (a)-->(b) WHERE filter | map]`.
    PatternComprehension(Box<PatternComprehension>),
    /// `all(variable IN list WHERE predicate)`.
    Quantified(Box<Quantified>),
    /// `reduce(accumulator = initial, variable IN list | step)`.
    Reduce(Box<Reduce>),
    /// `(a)-->(b)` as a truth value; only where one is expected.
    PatternPredicate(Box<PathPattern<Expr>>),
    /// `shortestPath(…)`, `allShortestPaths(…)`; the selector tells which.
    ShortestPath(Box<PathPattern<Expr>>),
    /// `EXISTS { … }`, and openCypher's `exists((a)-->(b))`.
    Exists(Box<Subquery>),
    /// `COUNT { … }`.
    Count(Box<Subquery>),
    /// `COLLECT { … }`: a query that returns one column.
    Collect(Box<Subquery>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Null,
    Boolean(bool),
    /// A minus sign in front of the digits is part of the literal.
    Integer(i64),
    Float(f64),
    String(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOperator {
    Not,
    Minus,
    Plus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOperator {
    Xor,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    /// `^`; groups to the left.
    Power,
    /// `||`.
    Concat,
    In,
    StartsWith,
    EndsWith,
    Contains,
    /// `=~`.
    RegexMatch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonOperator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// `name(args)`, `a.b.name(DISTINCT args)`.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionCall {
    /// Namespace and name; at least one.
    pub name: Vec<Name>,
    pub distinct: bool,
    pub arguments: Vec<Expr>,
}

/// `CASE operand WHEN a THEN b ELSE c END`.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub operand: Option<Expr>,
    /// At least one.
    pub branches: Vec<CaseBranch>,
    pub otherwise: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CaseBranch {
    /// A value to equal `operand`, or a condition; several only with an operand (`WHEN 1, 2 THEN`).
    pub when: Vec<Expr>,
    pub then: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ListComprehension {
    pub variable: Name,
    pub list: Expr,
    pub filter: Option<Expr>,
    pub map: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PatternComprehension {
    /// The path variable is in the pattern.
    pub pattern: PathPattern<Expr>,
    pub filter: Option<Expr>,
    pub map: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Quantified {
    pub quantifier: ListQuantifier,
    pub variable: Name,
    pub list: Expr,
    /// `WHERE`; absent means the elements themselves are the truth values.
    pub predicate: Option<Expr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListQuantifier {
    All,
    Any,
    None,
    Single,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Reduce {
    pub accumulator: Name,
    pub initial: Expr,
    pub variable: Name,
    pub list: Expr,
    pub step: Expr,
}

#[derive(Debug, Clone, PartialEq)]
pub enum MapProjectionItem {
    /// `.key`.
    Property(Name),
    /// `.*`.
    AllProperties(Span),
    /// `key: value`.
    Entry(Name, Expr),
    /// `variable`: a key of that name.
    Variable(Name),
}

/// What stands in the braces of `EXISTS`, `COUNT` and `COLLECT`.
#[derive(Debug, Clone, PartialEq)]
pub enum Subquery {
    /// `EXISTS { (a)-->(b) WHERE … }`, with or without `MATCH`.
    Pattern(GraphPattern<Expr>),
    /// A whole reading query; `RETURN` may be missing in `EXISTS` and `COUNT`.
    Query(Query),
}

/// A type name after `IS ::`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CypherType {
    /// Alternatives `A | B`; at least one.
    pub alternatives: Vec<CypherTypeName>,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CypherTypeName {
    /// Words in upper case, one blank between: `INTEGER`, `ZONED DATETIME`, `LIST`.
    pub name: String,
    /// `LIST<inner>`.
    pub inner: Option<Box<CypherType>>,
    pub not_null: bool,
}
