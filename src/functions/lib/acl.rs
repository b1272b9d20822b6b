//! `makeaclitem` and `aclexplode`: access control items as PostgreSQL writes them.

use crate::error::{PgError, SqlState};
use crate::functions::context::RegKind;
use crate::functions::datum::{Args, Call, Datum, Value};

/// The letter and name of each right, in the order of an item's text.
const RIGHTS: [(char, &str); 14] = [
    ('a', "INSERT"),
    ('r', "SELECT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('X', "EXECUTE"),
    ('U', "USAGE"),
    ('C', "CREATE"),
    ('T', "TEMPORARY"),
    ('c', "CONNECT"),
    ('s', "SET"),
    ('A', "ALTER SYSTEM"),
];

fn letter(name: &str) -> Option<char> {
    let name = if name.eq_ignore_ascii_case("TEMP") { "TEMPORARY" } else { name };
    RIGHTS.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(letter, _)| *letter)
}

/// A role's name as an item has it: in quotes if it has anything but letters, digits and underscores.
fn role_text(call: &Call<'_>, oid: i64) -> Result<String, PgError> {
    let oid = u32::try_from(oid).unwrap_or(0);
    if oid == 0 {
        return Ok(String::new());
    }
    let Some(name) = call.session()?.catalog().role_name(oid) else { return Ok(oid.to_string()) };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    Ok(match name.bytes().all(plain) {
        true => name,
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    })
}

/// `makeaclitem(grantee, grantor, privileges, is_grantable)`
pub(super) fn make_item(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (grantee, grantor) = (role_text(call, args.int(0)?)?, role_text(call, args.int(1)?)?);
    let is_grantable = args.bool(3)?;
    let mut wanted = Vec::new();
    for word in args.text(2)?.split(',').map(str::trim) {
        wanted.push(letter(word).ok_or_else(|| {
            let message = format!("unrecognized privilege type: \"{word}\"");
            PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
        })?);
    }
    let mut text = format!("{grantee}=");
    for (letter, _) in RIGHTS.iter().filter(|(letter, _)| wanted.contains(letter)) {
        text.push(*letter);
        if is_grantable {
            text.push('*');
        }
    }
    text.push('/');
    text.push_str(&grantor);
    Ok(Datum::text(text))
}

/// A role's name at the start of a text, without its quotes, and what follows it.
fn take_name(text: &str) -> (String, &str) {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(['=', '/']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut name = String::new();
    while let Some(at) = rest.find('"') {
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => break,
        }
    }
    (name, rest)
}

fn role_oid(call: &Call<'_>, name: &str) -> Result<i64, PgError> {
    if name.is_empty() {
        return Ok(0);
    }
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let found = call.session()?.catalog().reg_lookup(RegKind::Role, &quoted)?;
    Ok(found.map_or_else(|| name.parse().unwrap_or(0), i64::from))
}

/// `aclexplode`: a row for each right of each item.
pub(super) fn explode(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let mut rows = Vec::new();
    for item in args.list(0)?.iter() {
        let Datum::Text(item) = item else { continue };
        let (grantee, rest) = take_name(item);
        let (letters, grantor) =
            rest.strip_prefix('=').unwrap_or(rest).split_once('/').unwrap_or((rest, ""));
        let (grantee, grantor) =
            (role_oid(call, &grantee)?, role_oid(call, &take_name(grantor).0)?);
        let mut letters = letters.chars().peekable();
        while let Some(letter) = letters.next() {
            let is_grantable = letters.next_if_eq(&'*').is_some();
            if let Some((_, name)) = RIGHTS.iter().find(|(known, _)| *known == letter) {
                rows.push(Datum::Row(vec![
                    Datum::Int(grantor),
                    Datum::Int(grantee),
                    Datum::text(*name),
                    Datum::Bool(is_grantable),
                ]));
            }
        }
    }
    Ok(Datum::List(rows))
}
