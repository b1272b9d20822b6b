//! `ALTER TABLE`, and `ALTER` of other kinds with the actions that all have.

use sqlparser::ast::{AlterColumnOperation, AlterTableOperation};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::ast::{AlterAction, Definition, IdentityChange, ObjectKind};
use super::sequence::{object_action, option, options_in_parentheses, restart};
use super::{eat, if_exists, is_word};

pub(super) fn table(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    let if_exists = if_exists(parser);
    let _ = parser.parse_keyword(Keyword::ONLY);
    let name = parser.parse_object_name(false)?;
    let _ = parser.consume_token(&Token::Mul);
    let actions = parser.parse_comma_separated(action)?;
    Ok(Definition::AlterTable { if_exists, name, actions })
}

pub(super) fn index(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    object(parser, ObjectKind::Index)
}

pub(super) fn view(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    object(parser, ObjectKind::View)
}

pub(super) fn materialized_view(
    parser: &mut Parser<'_>,
    _: bool,
) -> Result<Definition, ParserError> {
    parser.expect_keyword(Keyword::VIEW)?;
    object(parser, ObjectKind::MaterializedView)
}

pub(super) fn schema(parser: &mut Parser<'_>, _: bool) -> Result<Definition, ParserError> {
    object(parser, ObjectKind::Schema)
}

fn object(parser: &mut Parser<'_>, kind: ObjectKind) -> Result<Definition, ParserError> {
    let if_exists = if_exists(parser);
    let name = parser.parse_object_name(false)?;
    match object_action(parser)? {
        Some(action) => Ok(Definition::AlterObject { kind, if_exists, name, action }),
        None => Err(ParserError::ParserError(format!(
            "this form of ALTER {} is not supported",
            kind.words()
        ))),
    }
}

fn action(parser: &mut Parser<'_>) -> Result<AlterAction, ParserError> {
    if parser.parse_keywords(&[Keyword::RENAME, Keyword::CONSTRAINT]) {
        let old_name = parser.parse_identifier()?;
        parser.expect_keyword(Keyword::TO)?;
        let new_name = parser.parse_identifier()?;
        let rename = AlterTableOperation::RenameConstraint { old_name, new_name };
        return Ok(AlterAction::Known(Box::new(rename)));
    }
    if let Some(action) = object_action(parser)? {
        return Ok(AlterAction::Object(action));
    }
    if parser.peek_keyword(Keyword::ALTER) {
        return alter(parser);
    }
    if parser.parse_keyword(Keyword::SET) {
        return set(parser);
    }
    if eat(parser, "RESET") {
        parser.expect_token(&Token::LParen)?;
        let names = parser.parse_comma_separated(Parser::parse_identifier)?;
        parser.expect_token(&Token::RParen)?;
        return Ok(AlterAction::ResetOptions(names));
    }
    if eat(parser, "CLUSTER") {
        parser.expect_keyword(Keyword::ON)?;
        return Ok(AlterAction::ClusterOn(parser.parse_identifier()?));
    }
    if parser.parse_keywords(&[Keyword::VALIDATE, Keyword::CONSTRAINT]) {
        let name = parser.parse_identifier()?;
        return Ok(AlterAction::Known(Box::new(AlterTableOperation::ValidateConstraint { name })));
    }
    Ok(AlterAction::Known(Box::new(parser.parse_alter_table_operation()?)))
}

/// What stands behind SET, where it is not about a column.
fn set(parser: &mut Parser<'_>) -> Result<AlterAction, ParserError> {
    if eat(parser, "LOGGED") {
        return Ok(AlterAction::SetLogged(true));
    }
    if eat(parser, "UNLOGGED") {
        return Ok(AlterAction::SetLogged(false));
    }
    if parser.parse_keyword(Keyword::WITHOUT) {
        if eat(parser, "CLUSTER") {
            return Ok(AlterAction::WithoutCluster);
        }
        return parser.expected_ref("CLUSTER", parser.peek_token_ref());
    }
    if parser.parse_keyword(Keyword::TABLESPACE) {
        return Ok(AlterAction::SetTablespace(parser.parse_identifier()?));
    }
    if eat(parser, "ACCESS") {
        parser.expect_keyword(Keyword::METHOD)?;
        return Ok(AlterAction::SetAccessMethod(parser.parse_identifier()?));
    }
    parser.expect_token(&Token::LParen)?;
    let options = parser.parse_comma_separated(Parser::parse_sql_option)?;
    parser.expect_token(&Token::RParen)?;
    Ok(AlterAction::SetOptions(options))
}

/// `ALTER [COLUMN] name …` and `ALTER CONSTRAINT name …`.
fn alter(parser: &mut Parser<'_>) -> Result<AlterAction, ParserError> {
    parser.expect_keyword(Keyword::ALTER)?;
    if parser.parse_keyword(Keyword::CONSTRAINT) {
        let name = parser.parse_identifier()?;
        let timing = parser.parse_constraint_characteristics()?;
        return Ok(AlterAction::AlterConstraint { name, timing });
    }
    let _ = parser.parse_keyword(Keyword::COLUMN);
    let column = parser.parse_identifier()?;
    if let Some(action) = identity(parser, &column)? {
        return Ok(action);
    }
    if parser.parse_keyword(Keyword::SET) {
        return set_column(parser, column);
    }
    let op = if parser.parse_keywords(&[Keyword::DROP, Keyword::NOT, Keyword::NULL]) {
        AlterColumnOperation::DropNotNull
    } else if parser.parse_keywords(&[Keyword::DROP, Keyword::DEFAULT]) {
        AlterColumnOperation::DropDefault
    } else if parser.parse_keyword(Keyword::TYPE) {
        data_type(parser)?
    } else {
        return parser.expected_ref("what to do with the column", parser.peek_token_ref());
    };
    Ok(AlterAction::Column { column, op })
}

fn data_type(parser: &mut Parser<'_>) -> Result<AlterColumnOperation, ParserError> {
    let data_type = parser.parse_data_type()?;
    if parser.parse_keyword(Keyword::COLLATE) {
        let collation = parser.parse_object_name(false)?;
        return Err(ParserError::ParserError(format!("COLLATE {collation} is not supported")));
    }
    let using = match parser.parse_keyword(Keyword::USING) {
        true => Some(parser.parse_expr()?),
        false => None,
    };
    Ok(AlterColumnOperation::SetDataType { data_type, using, had_set: false })
}

/// What stands behind `ALTER COLUMN c SET`, where it is not about identity.
fn set_column(
    parser: &mut Parser<'_>,
    column: sqlparser::ast::Ident,
) -> Result<AlterAction, ParserError> {
    let op = if parser.parse_keywords(&[Keyword::NOT, Keyword::NULL]) {
        AlterColumnOperation::SetNotNull
    } else if parser.parse_keyword(Keyword::DEFAULT) {
        AlterColumnOperation::SetDefault { value: parser.parse_expr()? }
    } else if parser.parse_keywords(&[Keyword::DATA, Keyword::TYPE]) {
        data_type(parser)?
    } else if eat(parser, "STATISTICS") {
        let target = parser.parse_number()?.to_string();
        return Ok(AlterAction::SetStatistics { column, target });
    } else if eat(parser, "STORAGE") {
        return Ok(AlterAction::SetStorage { column, storage: parser.parse_identifier()? });
    } else {
        return parser.expected_ref("what to set of the column", parser.peek_token_ref());
    };
    Ok(AlterAction::Column { column, op })
}

/// Actions on identity and generated columns, if one stands here.
fn identity(
    parser: &mut Parser<'_>,
    column: &sqlparser::ast::Ident,
) -> Result<Option<AlterAction>, ParserError> {
    let column = column.clone();
    if parser.parse_keywords(&[Keyword::ADD, Keyword::GENERATED]) {
        let always = always(parser)?;
        parser.expect_keywords(&[Keyword::AS, Keyword::IDENTITY])?;
        let options = options_in_parentheses(parser)?;
        return Ok(Some(AlterAction::AddIdentity { column, always, options }));
    }
    if parser.parse_keywords(&[Keyword::DROP, Keyword::IDENTITY]) {
        return Ok(Some(AlterAction::DropIdentity { column, if_exists: if_exists(parser) }));
    }
    if is_word(&parser.peek_token_ref().token, "DROP")
        && is_word(&parser.peek_nth_token_ref(1).token, "EXPRESSION")
    {
        parser.next_token();
        parser.next_token();
        return Ok(Some(AlterAction::DropExpression { column, if_exists: if_exists(parser) }));
    }
    let mut changes = Vec::new();
    loop {
        if eat(parser, "RESTART") {
            changes.push(IdentityChange::Option(restart(parser)?));
        } else if parser.parse_keywords(&[Keyword::SET, Keyword::GENERATED]) {
            changes.push(IdentityChange::Always(always(parser)?));
        } else if is_word(&parser.peek_token_ref().token, "SET")
            && is_sequence_word(&parser.peek_nth_token_ref(1).token)
        {
            parser.next_token();
            match option(parser)? {
                Some(option) => changes.push(IdentityChange::Option(option)),
                None => {
                    return parser.expected_ref("a sequence option", parser.peek_token_ref());
                }
            }
        } else {
            break;
        }
    }
    Ok((!changes.is_empty()).then_some(AlterAction::SetIdentity { column, changes }))
}

fn is_sequence_word(token: &Token) -> bool {
    ["INCREMENT", "MINVALUE", "MAXVALUE", "START", "RESTART", "CACHE", "CYCLE", "NO"]
        .iter()
        .any(|word| is_word(token, word))
}

fn always(parser: &mut Parser<'_>) -> Result<bool, ParserError> {
    if parser.parse_keyword(Keyword::ALWAYS) {
        return Ok(true);
    }
    parser.expect_keywords(&[Keyword::BY, Keyword::DEFAULT])?;
    Ok(false)
}
