//! `IF`, `CASE` and loops.

use sqlparser::tokenizer::Token;

use super::block::end_label;
use super::query::using;
use super::reader::Reader;
use super::step::steps;
use super::tree::{Cases, ForLoop, Iteration, StepKind, Steps};
use crate::parser::error::ParseError;

/// `IF … END IF`
pub(super) fn branches(reader: &mut Reader<'_>) -> Result<StepKind, ParseError> {
    let ends = ["ELSIF", "ELSEIF", "ELSE", "END"];
    let mut branches = Vec::new();
    reader.expect("IF")?;
    loop {
        let condition = reader.expression(&["THEN"])?;
        reader.expect("THEN")?;
        branches.push((vec![condition], steps(reader, &ends)?));
        if !reader.eat("ELSIF") && !reader.eat("ELSEIF") {
            break;
        }
    }
    let otherwise = match reader.eat("ELSE") {
        true => steps(reader, &["END"])?,
        false => Vec::new(),
    };
    reader.expect("END")?;
    reader.expect("IF")?;
    Ok(StepKind::Cases(Cases { value: None, branches, otherwise: Some(otherwise) }))
}

/// `CASE … END CASE`
pub(super) fn case(reader: &mut Reader<'_>) -> Result<StepKind, ParseError> {
    reader.expect("CASE")?;
    let value = match reader.word(0).as_str() {
        "WHEN" => None,
        _ => Some(reader.expression(&["WHEN"])?),
    };
    let mut branches = Vec::new();
    while reader.eat("WHEN") {
        let conditions = match value {
            Some(_) => reader.expressions(&["THEN"])?,
            None => vec![reader.expression(&["THEN"])?],
        };
        reader.expect("THEN")?;
        branches.push((conditions, steps(reader, &["WHEN", "ELSE", "END"])?));
    }
    if branches.is_empty() {
        return Err(reader.unexpected());
    }
    let otherwise = match reader.eat("ELSE") {
        true => Some(steps(reader, &["END"])?),
        false => None,
    };
    reader.expect("END")?;
    reader.expect("CASE")?;
    Ok(StepKind::Cases(Cases { value, branches, otherwise }))
}

/// `LOOP … END LOOP`, with its label behind it.
fn looped(reader: &mut Reader<'_>, label: Option<&str>) -> Result<Steps, ParseError> {
    reader.expect("LOOP")?;
    let steps = steps(reader, &["END"])?;
    reader.expect("END")?;
    reader.expect("LOOP")?;
    end_label(reader, label)?;
    Ok(steps)
}

/// `LOOP` and `WHILE`
pub(super) fn plain_loop(
    reader: &mut Reader<'_>,
    label: Option<String>,
) -> Result<StepKind, ParseError> {
    let condition = match reader.eat("WHILE") {
        true => Some(reader.expression(&["LOOP"])?),
        false => None,
    };
    let steps = looped(reader, label.as_deref())?;
    Ok(StepKind::Loop { label, condition, steps })
}

/// `FOR` and `FOREACH`
pub(super) fn for_loop(
    reader: &mut Reader<'_>,
    label: Option<String>,
) -> Result<StepKind, ParseError> {
    let each = reader.eat("FOREACH");
    if !each {
        reader.expect("FOR")?;
    }
    let targets = reader.targets()?;
    if each && reader.word(0) == "SLICE" {
        return Err(reader.refused("FOREACH … SLICE"));
    }
    reader.expect("IN")?;
    let over = if each {
        reader.expect("ARRAY")?;
        Iteration::Array(reader.expression(&["LOOP"])?)
    } else if reader.eat("EXECUTE") {
        let text = reader.expression(&["USING", "LOOP"])?;
        Iteration::Execute(text, using(reader, &["LOOP"])?)
    } else {
        iteration(reader)?
    };
    let steps = looped(reader, label.as_deref())?;
    Ok(StepKind::For(ForLoop { label, targets, over, steps }))
}

/// A range of numbers or a query, up to `LOOP`.
fn iteration(reader: &mut Reader<'_>) -> Result<Iteration, ParseError> {
    let reverse = reader.eat("REVERSE");
    let from = reader.position();
    let to = reader.skip_to(&["LOOP"]);
    let Some((low, high)) = dots(reader, from, to) else {
        if reverse {
            return Err(reader.unexpected());
        }
        return Ok(Iteration::Query(reader.parsed(reader.slice(from, to))?));
    };
    reader.go_to(from);
    let by = reader.skip_to(&["BY", "LOOP"]);
    let step = match by < to {
        true => Some(reader.parsed(&format!("SELECT {}", reader.slice(by + 1, to)))?),
        false => None,
    };
    reader.go_to(to);
    let high = match &step {
        Some(_) => {
            let length = high.len().checked_sub(reader.slice(by, to).len());
            length.and_then(|length| high.get(..length)).unwrap_or_default()
        }
        None => high,
    };
    if low.trim().is_empty() || high.trim().is_empty() {
        return Err(reader.wrong("missing expression"));
    }
    Ok(Iteration::Range {
        reverse,
        from: reader.parsed(&format!("SELECT {low}"))?,
        to: reader.parsed(&format!("SELECT {high}"))?,
        step,
    })
}

/// The texts in front of a `..` and behind it.
fn dots<'a>(reader: &Reader<'a>, from: usize, to: usize) -> Option<(&'a str, &'a str)> {
    let whole = reader.slice(from, to);
    let mut depth = 0usize;
    for (place, token) in reader.tokens(from, to).iter().enumerate() {
        match &token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            Token::Period if depth == 0 => {
                let low = reader.slice(from, from + place);
                let rest = whole.get(low.len()..)?.trim_start();
                if let Some(high) = rest.strip_prefix("..") {
                    return Some((low, high));
                }
            }
            _ => {}
        }
    }
    None
}

/// `EXIT` and `CONTINUE`
pub(super) fn leave(reader: &mut Reader<'_>) -> Result<StepKind, ParseError> {
    let exit = reader.eat("EXIT");
    if !exit {
        reader.expect("CONTINUE")?;
    }
    let named = !matches!(reader.word(0).as_str(), "WHEN")
        && matches!(reader.token(0), Some(Token::Word(_)));
    let label = named.then(|| reader.name()).transpose()?;
    let condition = match reader.eat("WHEN") {
        true => Some(reader.expression(&[])?),
        false => None,
    };
    Ok(StepKind::Leave { exit, label, condition })
}
