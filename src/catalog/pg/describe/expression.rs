//! Which columns the text of an expression names.

use crate::catalog::object::Table;

/// Positions of the table's columns that an SQL expression over it names, in the order in which they
/// first appear.
///
/// Works on the words of the text: a name before `(` or `.` or after `::` is not a column.
pub(in crate::catalog::pg) fn columns_in_expression(table: &Table, text: &str) -> Vec<usize> {
    let words = words(text);
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let Word::Name(name) = word else { continue };
        let before = index.checked_sub(1).and_then(|before| words.get(before));
        let after = words.get(index + 1);
        let is_type = before == Some(&Word::Symbol(':'));
        let is_function_or_table = matches!(after, Some(Word::Symbol('(' | '.')));
        if is_type || is_function_or_table {
            continue;
        }
        if let Some(position) = table.position(name).filter(|position| !found.contains(position)) {
            found.push(position);
        }
    }
    found
}

#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// An identifier, folded unless it was quoted.
    Name(String),
    Symbol(char),
    /// A string or a number.
    Literal,
}

fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        match first {
            '\'' => {
                let _ = quoted(&mut rest, '\'');
                words.push(Word::Literal);
            }
            '"' => words.push(Word::Name(quoted(&mut rest, '"'))),
            c if c.is_ascii_digit() => {
                while rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '.').is_some() {}
                words.push(Word::Literal);
            }
            c if is_name_start(c) => {
                let mut name: String = c.to_lowercase().collect();
                while let Some(c) =
                    rest.next_if(|c| is_name_start(*c) || c.is_numeric() || *c == '$')
                {
                    name.extend(c.to_lowercase());
                }
                words.push(Word::Name(name));
            }
            c if c.is_whitespace() => {}
            c => words.push(Word::Symbol(c)),
        }
    }
    words
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// What stands up to the closing quote; a doubled quote stands for one.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, quote: char) -> String {
    let mut inner = String::new();
    while let Some(c) = rest.next() {
        if c == quote && rest.next_if_eq(&quote).is_none() {
            break;
        }
        inner.push(c);
    }
    inner
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::object::Column;
    use crate::types::pg_type::PgType;

    fn table(names: &[&str]) -> Table {
        let column = |(name, attnum): (&&str, i16)| Column {
            attnum,
            name: (*name).to_owned(),
            ty: PgType::Int4,
            not_null: false,
            default: None,
            comment: None,
            domain: None,
            collation: None,
        };
        Table::new(names.iter().zip(1..).map(column).collect(), Vec::new())
    }

    #[test]
    fn columns_are_found_and_other_words_are_not() {
        let table = table(&["a", "b", "lower", "text", "Big"]);
        let found = |text| columns_in_expression(&table, text);
        assert_eq!(found("b > 0 and A < b"), [1, 0]);
        assert_eq!(found("lower('a b') = b::text"), [1]);
        assert_eq!(found("\"Big\" > 1e5 and t.a is null"), [4, 0]);
        assert_eq!(found("big > 'it''s a'"), [0usize; 0]);
    }
}
