//! Statements of PL/pgSQL that are SQL, or nearly so.

use sqlparser::tokenizer::Token;

use super::reader::Reader;
use super::tree::{Into, StepKind};
use crate::parser::Statement;
use crate::parser::error::ParseError;

/// `RETURN` in its forms
pub(super) fn returned(reader: &mut Reader<'_>) -> Result<StepKind, ParseError> {
    reader.expect("RETURN")?;
    let nothing = |reader: &Reader<'_>| reader.token(0) == Some(&Token::SemiColon);
    match reader.word(0).as_str() {
        "NEXT" => {
            reader.eat("NEXT");
            let value = match nothing(reader) {
                true => None,
                false => Some(reader.expression(&[])?),
            };
            Ok(StepKind::ReturnNext(value))
        }
        "QUERY" => {
            reader.eat("QUERY");
            if reader.eat("EXECUTE") {
                let text = reader.expression(&["USING"])?;
                return Ok(StepKind::ReturnExecute(text, using(reader, &[])?));
            }
            let from = reader.position();
            let to = reader.skip_to(&[]);
            Ok(StepKind::ReturnQuery(reader.parsed(reader.slice(from, to))?))
        }
        _ if nothing(reader) => Ok(StepKind::Return(None)),
        _ => Ok(StepKind::Return(Some(reader.expression(&[])?))),
    }
}

/// `PERFORM`
pub(super) fn perform(reader: &mut Reader<'_>) -> Result<StepKind, ParseError> {
    reader.expect("PERFORM")?;
    Ok(StepKind::Perform(reader.expression(&[])?))
}

/// `EXECUTE text [INTO …] [USING …]`
pub(super) fn execute(reader: &mut Reader<'_>) -> Result<StepKind, ParseError> {
    reader.expect("EXECUTE")?;
    let text = reader.expression(&["INTO", "USING"])?;
    let mut into = into(reader)?;
    let using = using(reader, &["INTO"])?;
    if into.is_none() {
        into = self::into(reader)?;
    }
    Ok(StepKind::Execute { text, into, using })
}

fn into(reader: &mut Reader<'_>) -> Result<Option<Into>, ParseError> {
    if !reader.eat("INTO") {
        return Ok(None);
    }
    let strict = reader.eat("STRICT");
    Ok(Some(Into { strict, targets: reader.targets()? }))
}

/// `USING expression, …`, if it stands here.
pub(super) fn using(reader: &mut Reader<'_>, stops: &[&str]) -> Result<Vec<Statement>, ParseError> {
    if reader.eat("USING") { reader.expressions(stops) } else { Ok(Vec::new()) }
}

/// `GET [CURRENT | STACKED] DIAGNOSTICS target = item, …`
pub(super) fn diagnostics(reader: &mut Reader<'_>) -> Result<StepKind, ParseError> {
    reader.expect("GET")?;
    let stacked = reader.eat("STACKED");
    if !stacked {
        reader.eat("CURRENT");
    }
    reader.expect("DIAGNOSTICS")?;
    let mut items = Vec::new();
    loop {
        let target = reader.target()?;
        if !reader.eat_token(&Token::Assignment) {
            reader.expect_token(&Token::Eq)?;
        }
        let item = reader.word(0);
        let known = match stacked {
            false => item == "ROW_COUNT",
            true => matches!(
                item.as_str(),
                "RETURNED_SQLSTATE"
                    | "MESSAGE_TEXT"
                    | "PG_EXCEPTION_DETAIL"
                    | "PG_EXCEPTION_HINT"
                    | "PG_EXCEPTION_CONTEXT"
                    | "COLUMN_NAME"
                    | "CONSTRAINT_NAME"
                    | "TABLE_NAME"
                    | "SCHEMA_NAME"
                    | "PG_DATATYPE_NAME"
            ),
        };
        if !known {
            return Err(reader.refused("this item of GET DIAGNOSTICS"));
        }
        reader.go_to(reader.position() + 1);
        items.push((target, item));
        if !reader.eat_token(&Token::Comma) {
            break;
        }
    }
    Ok(match stacked {
        true => StepKind::Stacked(items),
        false => StepKind::RowCount(items.into_iter().map(|(target, _)| target).collect()),
    })
}

/// A statement of SQL, whose `INTO` is PL/pgSQL's where it is not INSERT's or MERGE's own.
pub(super) fn sql(reader: &mut Reader<'_>) -> Result<StepKind, ParseError> {
    let from = reader.position();
    let first = reader.word(0);
    let end = reader.skip_to(&[]);
    let may_give_rows =
        matches!(first.as_str(), "SELECT" | "WITH" | "INSERT" | "UPDATE" | "DELETE" | "VALUES");
    let place = may_give_rows.then(|| into_place(reader, from, end)).flatten();
    let Some(place) = place else {
        return Ok(StepKind::Sql(reader.parsed(reader.slice(from, end))?, None));
    };
    reader.go_to(place);
    let into = into(reader)?;
    let behind = reader.position();
    reader.go_to(end);
    let text = format!("{} {}", reader.slice(from, place), reader.slice(behind, end));
    Ok(StepKind::Sql(reader.parsed(&text)?, into))
}

/// Where PL/pgSQL's `INTO` stands.
fn into_place(reader: &Reader<'_>, from: usize, end: usize) -> Option<usize> {
    let tokens = reader.tokens(from, end);
    let mut depth = 0usize;
    for (place, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            word if depth == 0 && crate::parser::sql::is_word(word, "INTO") => {
                let before = place.checked_sub(1).and_then(|before| tokens.get(before));
                let own = before.is_some_and(|before| {
                    ["INSERT", "MERGE"]
                        .iter()
                        .any(|word| crate::parser::sql::is_word(&before.token, word))
                });
                if !own {
                    return Some(from + place);
                }
            }
            _ => {}
        }
    }
    None
}
