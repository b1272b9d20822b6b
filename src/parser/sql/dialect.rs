//! PostgreSQL's dialect for `sqlparser`, without what takes exponential time and what PostgreSQL does not have.

use std::any::TypeId;
use std::cell::Cell;

use sqlparser::ast::{ColumnOption, Expr};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

use super::definition;

/// How often the beginning of an expression may be read for each token of a statement, on average. `sqlparser` reads
/// what is wrong, and a little that is not, in a second way; inside such a part again; and so on.
const READINGS_PER_TOKEN: usize = 16;

/// `sqlparser`'s PostgreSQL, changed in eight places.
#[derive(Debug)]
pub(super) struct GraphwireDialect {
    readings_left: Cell<usize>,
}

impl GraphwireDialect {
    /// For reading one statement of `tokens` tokens.
    pub(super) fn new(tokens: usize) -> Self {
        Self {
            readings_left: Cell::new(
                tokens.saturating_mul(READINGS_PER_TOKEN).saturating_add(1000),
            ),
        }
    }
}

/// Answers as PostgreSQL's dialect does.
macro_rules! as_postgresql {
    ($($question:ident),* $(,)?) => {
        $(fn $question(&self) -> bool {
            PostgreSqlDialect {}.$question()
        })*
    };
}

impl Dialect for GraphwireDialect {
    /// Without a bound, `substring(substring(substring(` takes 2 to the power of its depth, and so do dotted names and
    /// whatever else is tried in two ways.
    fn parse_prefix(&self, _: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        match self.readings_left.get().checked_sub(1) {
            Some(left) => {
                self.readings_left.set(left);
                None
            }
            None => Some(Err(ParserError::RecursionLimitExceeded)),
        }
    }

    /// With expressions as argument names (`f(a || b => 1)`), each argument is read twice, those inside it four times,
    /// and twenty nested calls take seconds. PostgreSQL knows plain names alone.
    fn supports_named_fn_args_with_expr_name(&self) -> bool {
        false
    }

    /// PostgreSQL has no alias for `*`; to take one hides a misspelled `FROM`.
    fn supports_select_wildcard_with_alias(&self) -> bool {
        false
    }

    /// `a JOIN b JOIN c ON … ON …`: the condition behind belongs to the join before.
    fn supports_left_associative_joins_without_parens(&self) -> bool {
        false
    }

    /// `ON` ends a select list: `INSERT INTO t SELECT 1 ON CONFLICT DO NOTHING`.
    fn is_column_alias(&self, keyword: &Keyword, parser: &mut Parser<'_>) -> bool {
        *keyword != Keyword::ON && PostgreSqlDialect {}.is_column_alias(keyword, parser)
    }

    /// `a IS DISTINCT FROM b AND c` means `(a IS DISTINCT FROM b) AND c`: what follows binds as `IS` does.
    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        expr: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        let left = || Box::new(expr.clone());
        if parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) {
            let right = parser.parse_subexpr(precedence);
            return Some(right.map(|right| Expr::IsDistinctFrom(left(), Box::new(right))));
        }
        if parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]) {
            let right = parser.parse_subexpr(precedence);
            return Some(right.map(|right| Expr::IsNotDistinctFrom(left(), Box::new(right))));
        }
        // `sqlparser` reads COLLATE behind a name or literal alone, not behind `a::text`.
        if parser.parse_keyword(Keyword::COLLATE) {
            let collation = parser.parse_object_name(false);
            return Some(collation.map(|collation| Expr::Collate { expr: left(), collation }));
        }
        None
    }

    /// Options of an identity column come in any order.
    fn parse_column_option(
        &self,
        parser: &mut Parser<'_>,
    ) -> Result<Option<Result<Option<ColumnOption>, ParserError>>, ParserError> {
        Ok(definition::identity(parser)?.map(|option| Ok(Some(option))))
    }

    fn dialect(&self) -> TypeId {
        PostgreSqlDialect {}.dialect()
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        PostgreSqlDialect {}.identifier_quote_style(identifier)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        PostgreSqlDialect {}.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        PostgreSqlDialect {}.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        PostgreSqlDialect {}.is_identifier_part(ch)
    }

    /// Without these, a broken `CASE` or `NOT` is read again as the name of a column, and the error is found elsewhere
    /// or not at all.
    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        matches!(keyword, Keyword::ARRAY | Keyword::CASE | Keyword::CAST | Keyword::NOT)
            || PostgreSqlDialect {}.is_reserved_for_identifier(keyword)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        PostgreSqlDialect {}.is_custom_operator_part(ch)
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        PostgreSqlDialect {}.get_next_precedence(parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        PostgreSqlDialect {}.prec_value(precedence)
    }

    as_postgresql!(
        allow_extract_custom,
        allow_extract_single_quotes,
        supports_alter_column_type_using,
        supports_array_typedef_with_brackets,
        supports_bitwise_shift_operators,
        supports_comma_separated_trim,
        supports_comment_on,
        supports_comment_optimizer_hint,
        supports_create_index_with_clause,
        supports_create_table_like_parenthesized,
        supports_empty_projections,
        supports_explain_with_utility_options,
        supports_factorial_operator,
        supports_filter_during_aggregation,
        supports_geometric_types,
        supports_group_by_expr,
        supports_insert_table_alias,
        supports_interval_options,
        supports_listen_notify,
        supports_load_extension,
        supports_named_fn_args_with_colon_operator,
        supports_nested_comments,
        supports_notnull_operator,
        supports_numeric_literal_underscores,
        supports_set_names,
        supports_string_escape_constant,
        supports_unicode_string_literal,
        supports_xml_expressions,
    );
}
