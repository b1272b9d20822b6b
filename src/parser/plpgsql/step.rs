//! Statements of PL/pgSQL.

use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

use super::reader::{Reader, selected};
use super::tree::{Raised, Step, StepKind, Steps};
use super::{block, control, query};
use crate::parser::error::ParseError;
use crate::parser::sql::raise;

/// Steps up to one of some words.
pub(super) fn steps(reader: &mut Reader<'_>, stops: &[&str]) -> Result<Steps, ParseError> {
    let mut found = Vec::new();
    while !stops.contains(&reader.word(0).as_str()) {
        if reader.is_done() {
            return Err(reader.unexpected());
        }
        let line = reader.line();
        found.push(Step { line, kind: step(reader)? });
        reader.expect_token(&Token::SemiColon)?;
    }
    Ok(found)
}

/// A step without the `;` behind it.
fn step(reader: &mut Reader<'_>) -> Result<StepKind, ParseError> {
    let label = block::label(reader)?;
    let word = reader.word(0);
    let begins = matches!(word.as_str(), "DECLARE" | "BEGIN");
    let loops = matches!(word.as_str(), "LOOP" | "WHILE" | "FOR" | "FOREACH");
    if label.is_some() && !begins && !loops {
        return Err(reader.unexpected());
    }
    match word.as_str() {
        "DECLARE" | "BEGIN" => Ok(StepKind::Block(block::block(reader, label)?)),
        "LOOP" | "WHILE" => reader.deeper(|reader| control::plain_loop(reader, label)),
        "FOR" | "FOREACH" => reader.deeper(|reader| control::for_loop(reader, label)),
        "IF" => reader.deeper(control::branches),
        "CASE" => reader.deeper(control::case),
        "EXIT" | "CONTINUE" => control::leave(reader),
        "RETURN" => query::returned(reader),
        "RAISE" => raised(reader),
        "PERFORM" => query::perform(reader),
        "EXECUTE" => query::execute(reader),
        "GET" => query::diagnostics(reader),
        "ASSERT" => {
            reader.eat("ASSERT");
            let mut parts = reader.expressions(&[])?.into_iter();
            match (parts.next(), parts.next(), parts.next()) {
                (Some(condition), message, None) => Ok(StepKind::Assert(condition, message)),
                _ => Err(reader.unexpected()),
            }
        }
        "NULL" if reader.token(1) == Some(&Token::SemiColon) => {
            reader.eat("NULL");
            Ok(StepKind::Nothing)
        }
        // Bodies in bodies would have to be read in bounds.
        "DO" => Err(reader.refused("DO")),
        "OPEN" | "FETCH" | "MOVE" | "CLOSE" => Err(reader.refused("a cursor")),
        "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => {
            Err(reader.refused("transaction control"))
        }
        "" if !matches!(reader.token(0), Some(Token::Word(_) | Token::LParen)) => {
            Err(reader.unexpected())
        }
        _ => assignment_or_sql(reader),
    }
}

/// `target := expression`, or SQL.
fn assignment_or_sql(reader: &mut Reader<'_>) -> Result<StepKind, ParseError> {
    let start = reader.position();
    let mut ahead = 1;
    while matches!(reader.token(ahead), Some(Token::Period)) {
        ahead += 2;
    }
    // An element of an array is assigned to, or SQL follows that has no such start.
    let is_assigned =
        matches!(reader.token(ahead), Some(Token::Assignment | Token::Eq | Token::LBracket));
    if !is_assigned || !matches!(reader.token(0), Some(Token::Word(_))) {
        reader.go_to(start);
        return query::sql(reader);
    }
    let target = reader.target()?;
    if !reader.eat_token(&Token::Assignment) {
        reader.expect_token(&Token::Eq)?;
    }
    Ok(StepKind::Assign(target, reader.expression(&[])?))
}

fn raised(reader: &mut Reader<'_>) -> Result<StepKind, ParseError> {
    let from = reader.position();
    let to = reader.skip_to(&[]);
    if to == from + 1 {
        return Ok(StepKind::RaiseAgain);
    }
    let refused = |reader: &Reader<'_>| reader.refused("this form of RAISE");
    let raise = raise::raise(reader.text(), reader.tokens(from, to))?;
    let raise = raise.ok_or_else(|| refused(reader))?;
    let statement = |expr: &Expr| selected(expr).ok_or_else(|| refused(reader));
    let arguments = raise.arguments.iter().map(statement).collect::<Result<_, _>>()?;
    let options = raise.options.iter().map(|(option, expr)| Ok((*option, statement(expr)?)));
    let options = options.collect::<Result<_, ParseError>>()?;
    Ok(StepKind::Raise(Box::new(Raised { raise, arguments, options })))
}
