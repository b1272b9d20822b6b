//! `CREATE SEQUENCE`, `ALTER SEQUENCE`, identity columns.

use sqlparser::ast::{ColumnOption, Expr, GeneratedAs, SequenceOptions, UnaryOperator};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::ast::{Definition, ObjectAction, ObjectKind, SequenceOption};
use super::{eat, if_exists, if_not_exists};

pub(super) fn create(parser: &mut Parser<'_>, temporary: bool) -> Result<Definition, ParserError> {
    let if_not_exists = if_not_exists(parser);
    let name = parser.parse_object_name(false)?;
    let options = options(parser)?;
    Ok(Definition::CreateSequence { temporary, if_not_exists, name, options })
}

pub(super) fn alter(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let if_exists = if_exists(parser);
    let name = parser.parse_object_name(false)?;
    if let Some(action) = object_action(parser)? {
        return Ok(Definition::AlterObject { kind: ObjectKind::Sequence, if_exists, name, action });
    }
    let options = options(parser)?;
    if options.is_empty() {
        return parser.expected_ref("an option of the sequence", parser.peek_token_ref());
    }
    Ok(Definition::AlterSequence { if_exists, name, options })
}

/// An action that objects of several kinds have, if one stands here.
pub(super) fn object_action(parser: &mut Parser<'_>) -> Result<Option<ObjectAction>, ParserError> {
    if parser.parse_keywords(&[Keyword::RENAME, Keyword::TO]) {
        return Ok(Some(ObjectAction::Rename(parser.parse_identifier()?)));
    }
    if parser.parse_keyword(Keyword::RENAME) {
        let _ = parser.parse_keyword(Keyword::COLUMN);
        let from = parser.parse_identifier()?;
        parser.expect_keyword(Keyword::TO)?;
        return Ok(Some(ObjectAction::RenameColumn(from, parser.parse_identifier()?)));
    }
    if parser.parse_keywords(&[Keyword::SET, Keyword::SCHEMA]) {
        return Ok(Some(ObjectAction::SetSchema(parser.parse_identifier()?)));
    }
    if parser.parse_keywords(&[Keyword::OWNER, Keyword::TO]) {
        return Ok(Some(ObjectAction::OwnerTo(parser.parse_owner()?)));
    }
    Ok(None)
}

/// A whole number with its sign, as text.
fn number(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    match parser.parse_number()? {
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Ok(format!("-{expr}")),
        Expr::UnaryOp { expr, .. } => Ok(expr.to_string()),
        other => Ok(other.to_string()),
    }
}

/// The options that stand here, in any order.
pub(super) fn options(parser: &mut Parser<'_>) -> Result<Vec<SequenceOption>, ParserError> {
    let mut options = Vec::new();
    while let Some(option) = option(parser)? {
        options.push(option);
    }
    Ok(options)
}

pub(super) fn option(parser: &mut Parser<'_>) -> Result<Option<SequenceOption>, ParserError> {
    Ok(Some(if parser.parse_keyword(Keyword::AS) {
        SequenceOption::Type(parser.parse_data_type()?)
    } else if parser.parse_keyword(Keyword::INCREMENT) {
        let _ = parser.parse_keyword(Keyword::BY);
        SequenceOption::Increment(number(parser)?)
    } else if parser.parse_keyword(Keyword::MINVALUE) {
        SequenceOption::Min(Some(number(parser)?))
    } else if parser.parse_keyword(Keyword::MAXVALUE) {
        SequenceOption::Max(Some(number(parser)?))
    } else if parser.parse_keywords(&[Keyword::NO, Keyword::MINVALUE]) {
        SequenceOption::Min(None)
    } else if parser.parse_keywords(&[Keyword::NO, Keyword::MAXVALUE]) {
        SequenceOption::Max(None)
    } else if parser.parse_keywords(&[Keyword::NO, Keyword::CYCLE]) {
        SequenceOption::Cycle(false)
    } else if parser.parse_keyword(Keyword::CYCLE) {
        SequenceOption::Cycle(true)
    } else if parser.parse_keyword(Keyword::START) {
        let _ = parser.parse_keyword(Keyword::WITH);
        SequenceOption::Start(number(parser)?)
    } else if eat(parser, "RESTART") {
        restart(parser)?
    } else if parser.parse_keyword(Keyword::CACHE) {
        SequenceOption::Cache(number(parser)?)
    } else if parser.parse_keywords(&[Keyword::OWNED, Keyword::BY]) {
        let none = parser.parse_keyword(Keyword::NONE);
        SequenceOption::OwnedBy(match none {
            true => None,
            false => Some(parser.parse_object_name(false)?),
        })
    } else if parser.parse_keyword(Keyword::SEQUENCE) {
        if !eat(parser, "NAME") {
            return parser.expected_ref("NAME", parser.peek_token_ref());
        }
        SequenceOption::Name(parser.parse_object_name(false)?)
    } else {
        return Ok(None);
    }))
}

/// What stands behind RESTART.
pub(super) fn restart(parser: &mut Parser<'_>) -> Result<SequenceOption, ParserError> {
    let with = parser.parse_keyword(Keyword::WITH);
    let has_number =
        matches!(parser.peek_token_ref().token, Token::Number(..) | Token::Minus | Token::Plus);
    Ok(SequenceOption::Restart(if with || has_number { Some(number(parser)?) } else { None }))
}

/// The options in parentheses, if there are any.
pub(super) fn options_in_parentheses(
    parser: &mut Parser<'_>,
) -> Result<Vec<SequenceOption>, ParserError> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(Vec::new());
    }
    let options = options(parser)?;
    parser.expect_token(&Token::RParen)?;
    Ok(options)
}

/// `GENERATED { ALWAYS | BY DEFAULT } AS IDENTITY [ ( options ) ]` on a column, if it stands here.
pub(in crate::parser::sql) fn identity(
    parser: &mut Parser<'_>,
) -> Result<Option<ColumnOption>, ParserError> {
    let generated_as = if parser.parse_keywords(&[
        Keyword::GENERATED,
        Keyword::ALWAYS,
        Keyword::AS,
        Keyword::IDENTITY,
    ]) {
        GeneratedAs::Always
    } else if parser.parse_keywords(&[
        Keyword::GENERATED,
        Keyword::BY,
        Keyword::DEFAULT,
        Keyword::AS,
        Keyword::IDENTITY,
    ]) {
        GeneratedAs::ByDefault
    } else {
        return Ok(None);
    };
    let options = options_in_parentheses(parser)?;
    Ok(Some(ColumnOption::Generated {
        generated_as,
        sequence_options: Some(options.iter().map(in_column).collect::<Result<_, ParserError>>()?),
        generation_expr: None,
        generation_expr_mode: None,
        generated_keyword: true,
    }))
}

/// The option in `sqlparser`'s tree, which has fewer of them.
fn in_column(option: &SequenceOption) -> Result<SequenceOptions, ParserError> {
    let number = |text: &str| Expr::value(sqlparser::ast::Value::Number(text.to_owned(), false));
    Ok(match option {
        SequenceOption::Increment(by) => SequenceOptions::IncrementBy(number(by), true),
        SequenceOption::Min(min) => SequenceOptions::MinValue(min.as_deref().map(number)),
        SequenceOption::Max(max) => SequenceOptions::MaxValue(max.as_deref().map(number)),
        SequenceOption::Start(start) => SequenceOptions::StartWith(number(start), true),
        SequenceOption::Cache(cache) => SequenceOptions::Cache(number(cache)),
        // `sqlparser` says with `true` that there is none.
        SequenceOption::Cycle(cycle) => SequenceOptions::Cycle(!cycle),
        // A name where a number stands.
        SequenceOption::Name(name) => {
            let parts = name.0.iter().filter_map(|part| part.as_ident().cloned());
            SequenceOptions::Cache(Expr::CompoundIdentifier(parts.collect()))
        }
        SequenceOption::Type(_) | SequenceOption::Restart(_) | SequenceOption::OwnedBy(_) => {
            return Err(ParserError::ParserError(
                "this option of a sequence is not for identity columns".to_owned(),
            ));
        }
    })
}
