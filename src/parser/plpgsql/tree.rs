//! What a body says.

use crate::error::SqlState;
use crate::parser::Statement;
use crate::parser::sql::raise::{Raise, RaiseOption};

/// `[DECLARE …] BEGIN … [EXCEPTION …] END`
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// `<<label>>`
    pub label: Option<String>,
    /// In order.
    pub declarations: Vec<Declaration>,
    /// What it does.
    pub steps: Steps,
    /// `EXCEPTION WHEN …`
    pub handlers: Vec<Handler>,
}

/// Steps, one after another.
pub type Steps = Vec<Step>;

/// A variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub ty: DeclaredType,
    /// Whether nothing is assigned to it later.
    pub constant: bool,
    /// Whether it is never null.
    pub not_null: bool,
    /// What it begins with.
    pub value: Option<Statement>,
    /// The line, from 1.
    pub line: usize,
}

/// The type of a variable.
#[derive(Debug, Clone, PartialEq)]
pub enum DeclaredType {
    /// A type by name.
    Type(String),
    /// `record`
    Record,
    /// `table%ROWTYPE`, as the name of the table's row type.
    Row(String),
    /// `table.column%TYPE` or `variable%TYPE`: the names.
    Like(Vec<String>),
    /// `ALIAS FOR name`
    Alias(String),
}

/// `WHEN conditions THEN steps`
#[derive(Debug, Clone, PartialEq)]
pub struct Handler {
    /// Any of these.
    pub conditions: Vec<Condition>,
    /// What is done then.
    pub steps: Steps,
}

/// What a handler catches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// An error of this code.
    Code(SqlState),
    /// `OTHERS`
    Others,
}

/// A statement of PL/pgSQL.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The line, from 1.
    pub line: usize,
    /// What it is.
    pub kind: StepKind,
}

/// What a statement of PL/pgSQL does.
#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    /// A block.
    Block(Block),
    /// `target := expression`
    Assign(Target, Statement),
    /// `IF` or `CASE`.
    Cases(Cases),
    /// `LOOP` or `WHILE`
    Loop {
        /// `<<label>>`
        label: Option<String>,
        /// `WHILE`
        condition: Option<Statement>,
        /// What is done each time.
        steps: Steps,
    },
    /// `FOR`
    For(ForLoop),
    /// `EXIT` or `CONTINUE`
    Leave {
        /// `EXIT`
        exit: bool,
        /// Which loop; the innermost where none is named.
        label: Option<String>,
        /// `WHEN`
        condition: Option<Statement>,
    },
    /// `RETURN`
    Return(Option<Statement>),
    /// `RETURN NEXT`
    ReturnNext(Option<Statement>),
    /// `RETURN QUERY`
    ReturnQuery(Statement),
    /// `RETURN QUERY EXECUTE`: the text, and the values of its parameters.
    ReturnExecute(Statement, Vec<Statement>),
    /// `RAISE`
    Raise(Box<Raised>),
    /// `RAISE` alone: what a handler caught.
    RaiseAgain,
    /// `ASSERT`
    Assert(Statement, Option<Statement>),
    /// `PERFORM`
    Perform(Statement),
    /// A statement of SQL.
    Sql(Statement, Option<Into>),
    /// `EXECUTE`
    Execute {
        /// The text.
        text: Statement,
        /// `INTO`
        into: Option<Into>,
        /// `USING`
        using: Vec<Statement>,
    },
    /// `GET DIAGNOSTICS target = ROW_COUNT`
    RowCount(Vec<Target>),
    /// `GET STACKED DIAGNOSTICS target = item`
    Stacked(Vec<(Target, String)>),
    /// `NULL`
    Nothing,
}

/// `IF … THEN … ELSIF … ELSE … END IF`, and `CASE`, whose comparisons with a value are conditions too.
#[derive(Debug, Clone, PartialEq)]
pub struct Cases {
    /// `CASE value`: computed once.
    pub value: Option<Statement>,
    /// Conditions in order; of `CASE value` the values to compare with.
    pub branches: Vec<(Vec<Statement>, Steps)>,
    /// `ELSE`; a `CASE` without one fails where nothing fits.
    pub otherwise: Option<Steps>,
}

/// A loop over something.
#[derive(Debug, Clone, PartialEq)]
pub struct ForLoop {
    /// `<<label>>`
    pub label: Option<String>,
    /// What takes each value.
    pub targets: Vec<Target>,
    /// What it goes over.
    pub over: Iteration,
    /// What is done each time.
    pub steps: Steps,
}

/// What a `FOR` goes over.
#[derive(Debug, Clone, PartialEq)]
pub enum Iteration {
    /// `[REVERSE] from .. to [BY step]`
    Range {
        /// Downwards.
        reverse: bool,
        /// The first number.
        from: Statement,
        /// The last one.
        to: Statement,
        /// 1 where it is not given.
        step: Option<Statement>,
    },
    /// The rows of a query.
    Query(Statement),
    /// `EXECUTE text [USING …]`
    Execute(Statement, Vec<Statement>),
    /// `FOREACH … IN ARRAY`
    Array(Statement),
}

/// What a value is assigned to: a variable, or a field of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The variable.
    pub name: String,
    /// The field, or the variable where `name` is a label.
    pub field: Option<String>,
}

/// `INTO [STRICT] target, …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Into {
    /// Exactly one row.
    pub strict: bool,
    /// A column each, or a record.
    pub targets: Vec<Target>,
}

/// A `RAISE`, its expressions as statements that can be bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// What is raised.
    pub raise: Raise,
    /// What stands for each `%`.
    pub arguments: Vec<Statement>,
    /// `USING`
    pub options: Vec<(RaiseOption, Statement)>,
}
