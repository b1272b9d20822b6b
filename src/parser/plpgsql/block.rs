//! Blocks, their declarations and handlers.

use sqlparser::tokenizer::Token;

use super::reader::Reader;
use super::tree::{Block, Condition, Declaration, DeclaredType, Handler};
use crate::error::SqlState;
use crate::parser::error::ParseError;
use crate::parser::sql::condition_named;

/// The body of a function, a procedure or a `DO`.
///
/// # Errors
/// `42601` for what is none, `0A000` for what graphwire does not carry out, `54001` for too deep nesting.
pub fn parse_routine(text: &str) -> Result<Block, ParseError> {
    let mut reader = Reader::new(text)?;
    if reader.token(0) == Some(&Token::Sharp) {
        return Err(reader.refused("#"));
    }
    let label = label(&mut reader)?;
    let found = block(&mut reader, label)?;
    reader.eat_token(&Token::SemiColon);
    if !reader.is_done() {
        return Err(reader.unexpected());
    }
    Ok(found)
}

/// `<<label>>`, if one stands here.
pub(super) fn label(reader: &mut Reader<'_>) -> Result<Option<String>, ParseError> {
    if !reader.eat_token(&Token::ShiftLeft) {
        return Ok(None);
    }
    let name = reader.name()?;
    reader.expect_token(&Token::ShiftRight)?;
    Ok(Some(name))
}

/// A block without the `;` behind it.
pub(super) fn block(reader: &mut Reader<'_>, label: Option<String>) -> Result<Block, ParseError> {
    reader.deeper(|reader| {
        let mut declarations = Vec::new();
        if reader.eat("DECLARE") {
            while reader.word(0) != "BEGIN" {
                if !reader.eat("DECLARE") {
                    declarations.push(declaration(reader)?);
                }
            }
        }
        reader.expect("BEGIN")?;
        let steps = super::step::steps(reader, &["EXCEPTION", "END"])?;
        let mut handlers = Vec::new();
        if reader.eat("EXCEPTION") {
            while reader.eat("WHEN") {
                let conditions = conditions(reader)?;
                let steps = super::step::steps(reader, &["WHEN", "END"])?;
                handlers.push(Handler { conditions, steps });
            }
            if handlers.is_empty() {
                return Err(reader.unexpected());
            }
        }
        reader.expect("END")?;
        end_label(reader, label.as_deref())?;
        Ok(Block { label, declarations, steps, handlers })
    })
}

/// The label behind an `END`, which must be the one in front.
pub(super) fn end_label(reader: &mut Reader<'_>, label: Option<&str>) -> Result<(), ParseError> {
    if !matches!(reader.token(0), Some(Token::Word(_))) {
        return Ok(());
    }
    let error = reader.unexpected();
    let name = reader.name()?;
    match label {
        Some(label) if label == name => Ok(()),
        _ => Err(error),
    }
}

fn declaration(reader: &mut Reader<'_>) -> Result<Declaration, ParseError> {
    let line = reader.line();
    let name = reader.name()?;
    let end = |reader: &mut Reader<'_>| reader.expect_token(&Token::SemiColon);
    let mut made = Declaration {
        name,
        ty: DeclaredType::Record,
        constant: false,
        not_null: false,
        value: None,
        line,
    };
    if reader.eat("ALIAS") {
        reader.expect("FOR")?;
        made.ty = DeclaredType::Alias(match reader.token(0) {
            Some(Token::Placeholder(number)) => {
                let number = number.clone();
                reader.go_to(reader.position() + 1);
                number
            }
            _ => reader.name()?,
        });
        end(reader)?;
        return Ok(made);
    }
    made.constant = reader.eat("CONSTANT");
    if matches!(reader.word(0).as_str(), "CURSOR" | "NO" | "SCROLL") {
        return Err(reader.refused("a cursor"));
    }
    made.ty = declared_type(reader)?;
    if reader.eat("NOT") {
        reader.expect("NULL")?;
        made.not_null = true;
    }
    if reader.eat("DEFAULT") || reader.eat_token(&Token::Assignment) || reader.eat_token(&Token::Eq)
    {
        made.value = Some(reader.expression(&[])?);
    } else if made.not_null {
        return Err(ParseError::new(
            SqlState::NULL_VALUE_NOT_ALLOWED,
            format!(
                "variable \"{}\" must have a default value, since it's declared NOT NULL",
                made.name
            ),
            Default::default(),
        ));
    }
    end(reader)?;
    Ok(made)
}

fn declared_type(reader: &mut Reader<'_>) -> Result<DeclaredType, ParseError> {
    let from = reader.position();
    while let Some(token) = reader.token(0) {
        let word = reader.word(0);
        let ends = matches!(word.as_str(), "NOT" | "DEFAULT" | "COLLATE");
        if ends || matches!(token, Token::SemiColon | Token::Assignment | Token::Eq) {
            break;
        }
        reader.go_to(reader.position() + 1);
    }
    if reader.word(0) == "COLLATE" {
        return Err(reader.refused("COLLATE of a variable"));
    }
    let to = reader.position();
    let tokens = reader.tokens(from, to);
    let last = crate::parser::sql::word_at(tokens, tokens.len().saturating_sub(1));
    let percent = tokens.len() >= 3 && tokens[tokens.len() - 2].token == Token::Mod;
    let text = reader.slice(from, to.saturating_sub(if percent { 2 } else { 0 })).to_owned();
    if from == to {
        return Err(reader.wrong("missing data type declaration"));
    }
    if percent && last == "ROWTYPE" {
        return Ok(DeclaredType::Row(text));
    }
    if percent && last == "TYPE" {
        let names = tokens[..tokens.len() - 2].iter().filter_map(|token| match &token.token {
            Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
            Token::Word(word) => Some(word.value.to_lowercase()),
            _ => None,
        });
        return Ok(DeclaredType::Like(names.collect()));
    }
    Ok(match text.eq_ignore_ascii_case("record") {
        true => DeclaredType::Record,
        false => DeclaredType::Type(text),
    })
}

/// Conditions up to `THEN`.
fn conditions(reader: &mut Reader<'_>) -> Result<Vec<Condition>, ParseError> {
    let mut found = Vec::new();
    loop {
        let word = reader.word(0);
        let unknown = || {
            let name = word.to_lowercase();
            let message = format!("unrecognized exception condition \"{name}\"");
            ParseError::new(SqlState::UNDEFINED_OBJECT, message, Default::default())
        };
        if word == "SQLSTATE" {
            let Some(Token::SingleQuotedString(code)) = reader.token(1) else {
                return Err(reader.unexpected());
            };
            let Ok(Some(code)) = SqlState::given(code) else {
                return Err(reader.wrong("invalid SQLSTATE code"));
            };
            found.push(Condition::Code(code));
            reader.go_to(reader.position() + 2);
        } else {
            found.push(match word.as_str() {
                "OTHERS" => Condition::Others,
                "" => return Err(reader.unexpected()),
                name => Condition::Code(condition_named(name).ok_or_else(unknown)?),
            });
            reader.go_to(reader.position() + 1);
        }
        if reader.eat("THEN") {
            return Ok(found);
        }
        reader.expect("OR")?;
    }
}
