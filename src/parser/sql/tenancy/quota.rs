//! `CREATE QUOTA`, `ALTER QUOTA`, `DROP QUOTA`, `SHOW QUOTA USAGE`
//!
//! Source: SECURITY.md §3.2, after ClickHouse's `CREATE QUOTA`.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::ast::{
    OptionValue, QuotaBody, QuotaInterval, QuotaLimits, QuotaTarget, Tenancy, TenancyOption, Usage,
};
use super::{option, value};
use crate::parser::sql::word::{eat, eat_all, expect};

pub(super) fn create(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let if_not_exists = eat_all(parser, &["IF", "NOT", "EXISTS"]);
    let name = parser.parse_identifier()?;
    Ok(Tenancy::CreateQuota { or_replace: false, if_not_exists, name, body: body(parser)? })
}

pub(super) fn replace(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let if_not_exists = eat_all(parser, &["IF", "NOT", "EXISTS"]);
    let name = parser.parse_identifier()?;
    Ok(Tenancy::CreateQuota { or_replace: true, if_not_exists, name, body: body(parser)? })
}

pub(super) fn alter(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let name = parser.parse_identifier()?;
    if eat(parser, "RENAME") {
        expect(parser, "TO")?;
        let rename = Some(parser.parse_identifier()?);
        return Ok(Tenancy::AlterQuota { name, rename, body: QuotaBody::default() });
    }
    let body = body(parser)?;
    if body == QuotaBody::default() {
        return parser.expected_ref(
            "RENAME TO, KEYED BY, FOR, LIMIT, ON EXCEEDED or TO",
            parser.peek_token_ref(),
        );
    }
    Ok(Tenancy::AlterQuota { name, rename: None, body })
}

pub(super) fn drop(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let if_exists = eat_all(parser, &["IF", "EXISTS"]);
    Ok(Tenancy::DropQuota { if_exists, name: parser.parse_identifier()? })
}

pub(super) fn usage(parser: &mut Parser<'_>) -> Result<Tenancy, ParserError> {
    let usage = if !eat(parser, "FOR") {
        Usage::Own
    } else if eat(parser, "ALL") {
        Usage::All
    } else {
        expect(parser, "TENANT")?;
        Usage::Tenant(parser.parse_identifier()?)
    };
    Ok(Tenancy::ShowQuotaUsage(usage))
}

fn body(parser: &mut Parser<'_>) -> Result<QuotaBody, ParserError> {
    let mut body = QuotaBody { keyed: keyed(parser)?, ..QuotaBody::default() };
    if eat(parser, "FOR") {
        let mut intervals = vec![interval(parser)?];
        while parser.consume_token(&Token::Comma) {
            expect(parser, "FOR")?;
            intervals.push(interval(parser)?);
        }
        body.intervals = Some(intervals);
    }
    if eat(parser, "LIMIT") {
        body.gauges = Some(parser.parse_comma_separated(option)?);
    }
    if eat(parser, "ON") {
        expect(parser, "EXCEEDED")?;
        body.exceeded = Some(exceeded(parser)?);
    }
    if eat(parser, "TO") {
        body.to = Some(parser.parse_comma_separated(target)?);
    }
    Ok(body)
}

fn keyed(parser: &mut Parser<'_>) -> Result<Option<String>, ParserError> {
    if eat_all(parser, &["NOT", "KEYED"]) {
        return Ok(Some(String::new()));
    }
    if !eat(parser, "KEYED") {
        return Ok(None);
    }
    expect(parser, "BY")?;
    let keys: [&[&str]; 4] = [&["TENANT"], &["ROLE"], &["API", "KEY"], &["CLIENT", "ADDRESS"]];
    match keys.iter().find(|words| eat_all(parser, words)) {
        Some(words) => Ok(Some(words.join(" "))),
        None => {
            parser.expected_ref("TENANT, ROLE, API KEY or CLIENT ADDRESS", parser.peek_token_ref())
        }
    }
}

fn interval(parser: &mut Parser<'_>) -> Result<QuotaInterval, ParserError> {
    let randomized = eat(parser, "RANDOMIZED");
    expect(parser, "INTERVAL")?;
    let interval = interval_text(parser)?;
    let limits = if eat_all(parser, &["NO", "LIMITS"]) {
        QuotaLimits::NoLimits
    } else if eat_all(parser, &["TRACKING", "ONLY"]) {
        QuotaLimits::TrackingOnly
    } else {
        expect(parser, "MAX")?;
        let limits = maxima(parser)?;
        let burst = if eat(parser, "BURST") { Some(number(parser)?) } else { None };
        QuotaLimits::Max(limits, burst)
    };
    Ok(QuotaInterval { randomized, interval, limits })
}

/// `metric = number [, …]`; a comma before FOR belongs to the next interval.
fn maxima(parser: &mut Parser<'_>) -> Result<Vec<TenancyOption>, ParserError> {
    let mut maxima = vec![option(parser)?];
    loop {
        let next_is_for = matches!(&parser.peek_nth_token(1).token, Token::Word(word)
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("FOR"));
        if next_is_for || !parser.consume_token(&Token::Comma) {
            return Ok(maxima);
        }
        // ClickHouse repeats the word.
        let _ = eat(parser, "MAX");
        maxima.push(option(parser)?);
    }
}

/// `'1 hour'` or `1 hour`.
fn interval_text(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    match value(parser)? {
        OptionValue::Text(text) => Ok(text),
        OptionValue::Number(count) => match value(parser)? {
            OptionValue::Word(unit) => Ok(format!("{count} {unit}")),
            OptionValue::Text(_) | OptionValue::Number(_) => {
                parser.prev_token();
                parser.expected_ref("a unit of time", parser.peek_token_ref())
            }
        },
        OptionValue::Word(_) => {
            parser.prev_token();
            parser.expected_ref("an interval", parser.peek_token_ref())
        }
    }
}

fn number(parser: &mut Parser<'_>) -> Result<String, ParserError> {
    match value(parser)? {
        OptionValue::Number(number) => Ok(number),
        OptionValue::Text(_) | OptionValue::Word(_) => {
            parser.prev_token();
            parser.expected_ref("a number", parser.peek_token_ref())
        }
    }
}

fn exceeded(parser: &mut Parser<'_>) -> Result<(String, Option<String>), ParserError> {
    if eat(parser, "DELAY") {
        return Ok(("DELAY".to_owned(), Some(interval_text(parser)?)));
    }
    match ["REJECT", "NOTICE"].iter().find(|word| eat(parser, word)) {
        Some(word) => Ok(((*word).to_owned(), None)),
        None => parser.expected_ref("REJECT, DELAY or NOTICE", parser.peek_token_ref()),
    }
}

fn target(parser: &mut Parser<'_>) -> Result<QuotaTarget, ParserError> {
    if eat(parser, "ALL") {
        let except = if eat(parser, "EXCEPT") {
            parser.parse_comma_separated(Parser::parse_identifier)?
        } else {
            Vec::new()
        };
        return Ok(QuotaTarget::All(except));
    }
    let names_a_tenant = matches!(&parser.peek_nth_token(1).token, Token::Word(_));
    if names_a_tenant && eat(parser, "TENANT") {
        return Ok(QuotaTarget::Tenant(parser.parse_identifier()?));
    }
    Ok(QuotaTarget::Role(parser.parse_identifier()?))
}
