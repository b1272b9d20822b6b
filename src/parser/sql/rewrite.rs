//! Puts PostgreSQL's forms that `sqlparser` lacks into forms it has, token by token.
//!
//! Only what means the same is rewritten; each rule says what it does.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Comparisons that may stand in `OPERATOR( )` before `ANY`, `ALL` or `SOME`.
const COMPARISONS: [Token; 10] = [
    Token::Eq,
    Token::Neq,
    Token::Lt,
    Token::Gt,
    Token::LtEq,
    Token::GtEq,
    Token::Tilde,
    Token::TildeAsterisk,
    Token::ExclamationMarkTilde,
    Token::ExclamationMarkTildeAsterisk,
];

/// Keywords of other dialects.
const FOREIGN_KEYWORDS: [Keyword; 17] = [
    Keyword::ANTI,
    Keyword::ASOF,
    Keyword::CONVERT,
    Keyword::FINAL,
    Keyword::MATCH_RECOGNIZE,
    Keyword::PIVOT,
    Keyword::PREWHERE,
    Keyword::PRIOR,
    Keyword::QUALIFY,
    Keyword::SAFE_CAST,
    Keyword::SAMPLE,
    Keyword::SEMI,
    Keyword::SETTINGS,
    Keyword::STRUCT,
    Keyword::TOP,
    Keyword::TRY_CAST,
    Keyword::UNPIVOT,
];

/// Words that begin a query, and so no list of column definitions.
const QUERY_WORDS: [Keyword; 9] = [
    Keyword::SELECT,
    Keyword::VALUES,
    Keyword::WITH,
    Keyword::TABLE,
    Keyword::INSERT,
    Keyword::UPDATE,
    Keyword::DELETE,
    Keyword::MERGE,
    Keyword::EXPLAIN,
];

/// The name of the field that `(row).*` is read as; no field has it.
pub const ALL_FIELDS: &str = "graphwire.*";

/// `sqlparser` reads `.*` behind names alone.
fn all_fields(tokens: &mut [TokenWithSpan]) {
    for at in 2..tokens.len() {
        let is_row = matches!(
            tokens.get(at - 2..=at).unwrap_or_default(),
            [value, dot, star] if matches!(value.token, Token::RParen | Token::RBracket)
                && dot.token == Token::Period
                && star.token == Token::Mul
        );
        if is_row && let Some(star) = tokens.get_mut(at) {
            star.token = Token::make_word(ALL_FIELDS, Some('"'));
        }
    }
}

/// The statement as `sqlparser` reads it.
pub(super) fn for_sqlparser(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    match keyword(&tokens, 0) {
        Keyword::FETCH => fetch(&mut tokens),
        Keyword::COPY => copy_switches(&mut tokens),
        Keyword::COMMENT => plain_strings(&mut tokens),
        Keyword::BEGIN | Keyword::START | Keyword::SET => not_deferrable(&mut tokens),
        Keyword::ABORT => put_word(&mut tokens, 0, "ROLLBACK"),
        Keyword::TABLE => table_query(&mut tokens),
        Keyword::CREATE | Keyword::ALTER | Keyword::DROP => {
            unlogged(&mut tokens);
            user_as_role(&mut tokens);
            constraint_columns(&mut tokens);
            super::like::like_columns(&mut tokens);
            super::procedure::as_function(&mut tokens);
        }
        _ => {}
    }
    // `FETCH PRIOR` needs its word.
    if keyword(&tokens, 0) != Keyword::FETCH {
        foreign_keywords(&mut tokens);
    }
    if keyword(&tokens, 0) != Keyword::COPY {
        super::typed_string::typed_strings(&mut tokens);
    }
    super::catalog_calls::catalog_calls(&mut tokens);
    array_types(&mut tokens);
    all_fields(&mut tokens);
    super::set_subscript::set_subscripts(&mut tokens);
    only(&mut tokens);
    conflict_target(&mut tokens);
    if tokens.iter().any(is_merge) {
        super::merge_source::merge_source(&mut tokens);
        merge_marks(&mut tokens);
    }
    overriding(&mut tokens);
    operator_before_any(&mut tokens);
    function_alias(&mut tokens);
    super::fetch_first::fetch_first(&mut tokens);
    super::locking::locking_clauses(&mut tokens);
    super::frame_bound::frame_bounds(&mut tokens);
    tokens
}

/// Words that other dialects reserve and PostgreSQL does not know are names: `SELECT top FROM sample`.
fn foreign_keywords(tokens: &mut [TokenWithSpan]) {
    for token in tokens {
        if let Token::Word(word) = &mut token.token
            && FOREIGN_KEYWORDS.contains(&word.keyword)
        {
            word.keyword = Keyword::NoKeyword;
        }
    }
}

/// The keyword at an index; `NoKeyword` for all else.
fn keyword(tokens: &[TokenWithSpan], index: usize) -> Keyword {
    match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) => word.keyword,
        _ => Keyword::NoKeyword,
    }
}

fn is_word(tokens: &[TokenWithSpan], index: usize, expected: &str) -> bool {
    match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) => {
            word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected)
        }
        _ => false,
    }
}

fn put_word(tokens: &mut [TokenWithSpan], index: usize, word: &str) {
    if let Some(token) = tokens.get_mut(index) {
        token.token = Token::make_word(word, None);
    }
}

/// Inserts a word at an index, with the place of the token before it.
fn insert_word(tokens: &mut Vec<TokenWithSpan>, index: usize, word: &str) {
    let place = index.checked_sub(1).and_then(|before| tokens.get(before)).map(|token| token.span);
    if let Some(span) = place {
        let index = index.min(tokens.len());
        tokens.insert(index, TokenWithSpan::new(Token::make_word(word, None), span));
    }
}

/// `FETCH c` is `FETCH NEXT FROM c`, `FETCH FORWARD c` is `FETCH NEXT FROM c`, `FETCH 5 c` is `FETCH 5 FROM c`; a
/// minus sign joins its number.
fn fetch(tokens: &mut Vec<TokenWithSpan>) {
    if let Some(minus) = tokens.iter().position(|token| token.token == Token::Minus)
        && let Some(Token::Number(digits, _)) =
            tokens.get(minus + 1).map(|token| token.token.clone())
    {
        tokens.remove(minus);
        if let Some(token) = tokens.get_mut(minus) {
            token.token = Token::Number(format!("-{digits}"), false);
        }
    }
    let is_from = |tokens: &[TokenWithSpan], index| {
        matches!(keyword(tokens, index), Keyword::FROM | Keyword::IN)
    };
    // The cursor's name is last; before it stands FROM or IN, unless it was left out.
    let Some(name) = tokens.len().checked_sub(1).filter(|name| *name > 0) else { return };
    if !is_from(tokens, name - 1) {
        insert_word(tokens, name, "FROM");
    }
    if is_from(tokens, 1) {
        insert_word(tokens, 1, "NEXT");
    }
    let (replacement, direction) = match keyword(tokens, 1) {
        Keyword::FORWARD => ("NEXT", 1),
        Keyword::BACKWARD => ("PRIOR", 1),
        _ => return,
    };
    if is_from(tokens, 2) {
        put_word(tokens, direction, replacement);
    }
}

/// `FREEZE on`, `HEADER 0`, `FREEZE 'off'`: a switch may be written in more ways than `TRUE` and `FALSE`.
fn copy_switches(tokens: &mut [TokenWithSpan]) {
    for index in 1..tokens.len() {
        let is_option =
            is_word(tokens, index - 1, "FREEZE") || is_word(tokens, index - 1, "HEADER");
        let Some(token) = tokens.get_mut(index).filter(|_| is_option) else { continue };
        let written = match &token.token {
            Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_lowercase(),
            Token::SingleQuotedString(text) => text.to_ascii_lowercase(),
            Token::Number(digits, _) => digits.clone(),
            _ => continue,
        };
        match written.as_str() {
            "on" | "true" | "1" => token.token = Token::make_word("TRUE", None),
            "off" | "false" | "0" => token.token = Token::make_word("FALSE", None),
            _ => {}
        }
    }
}

/// `COMMENT … IS $$…$$`: `sqlparser` wants a plain string there.
fn plain_strings(tokens: &mut [TokenWithSpan]) {
    for token in tokens {
        let value = match &token.token {
            Token::DollarQuotedString(string) => string.value.clone(),
            Token::UnicodeStringLiteral(value) | Token::NationalStringLiteral(value) => {
                value.clone()
            }
            _ => continue,
        };
        token.token = Token::SingleQuotedString(value);
    }
}

/// Drops `[NOT] DEFERRABLE` from a transaction's modes; [`super::deferrable`] finds it in the text.
fn not_deferrable(tokens: &mut Vec<TokenWithSpan>) {
    let is_set = keyword(tokens, 0) == Keyword::SET;
    if is_set && !(1..4).any(|index| keyword(tokens, index) == Keyword::TRANSACTION) {
        return;
    }
    let Some(index) = (1..tokens.len()).find(|index| is_word(tokens, *index, "DEFERRABLE")) else {
        return;
    };
    let start = if keyword(tokens, index - 1) == Keyword::NOT { index - 1 } else { index };
    let has_comma =
        tokens.get(start.wrapping_sub(1)).is_some_and(|token| token.token == Token::Comma);
    let start = if has_comma { start - 1 } else { start };
    tokens.drain(start..=index);
}

/// `integer ARRAY` is `integer[]`. (Elsewhere a bracket or a query in parentheses comes behind the word.)
fn array_types(tokens: &mut Vec<TokenWithSpan>) {
    let mut index = 1;
    while index < tokens.len() {
        let next = tokens.get(index + 1).map(|token| &token.token);
        let is_type = keyword(tokens, index) == Keyword::ARRAY
            && !matches!(next, Some(Token::LBracket | Token::LParen));
        if let Some(token) = tokens.get_mut(index).filter(|_| is_type) {
            token.token = Token::LBracket;
            let span = token.span;
            tokens.insert(index + 1, TokenWithSpan::new(Token::RBracket, span));
        }
        index += 1;
    }
}

/// `TABLE t` is `SELECT * FROM t`.
fn table_query(tokens: &mut Vec<TokenWithSpan>) {
    let Some(span) = tokens.first().map(|token| token.span) else { return };
    put_word(tokens, 0, "SELECT");
    tokens.insert(1, TokenWithSpan::new(Token::Mul, span));
    tokens.insert(2, TokenWithSpan::new(Token::make_word("FROM", None), span));
}

/// `CREATE UNLOGGED TABLE` is `CREATE TRANSIENT TABLE`, Snowflake's word, which is no keyword where it is written.
fn unlogged(tokens: &mut [TokenWithSpan]) {
    if keyword(tokens, 0) != Keyword::CREATE {
        return;
    }
    if is_word(tokens, 1, "UNLOGGED") {
        put_word(tokens, 1, "TRANSIENT");
    } else if let Some(Token::Word(word)) = tokens.get_mut(1).map(|token| &mut token.token)
        && word.keyword == Keyword::TRANSIENT
    {
        word.keyword = Keyword::NoKeyword;
    }
}

/// A user is a role that may log in unless the statement says otherwise.
fn user_as_role(tokens: &mut Vec<TokenWithSpan>) {
    // `ALTER USER MAPPING` and its like are about foreign servers.
    if keyword(tokens, 1) != Keyword::USER || is_word(tokens, 2, "MAPPING") {
        return;
    }
    put_word(tokens, 1, "ROLE");
    let says_login = (2..tokens.len())
        .any(|index| matches!(keyword(tokens, index), Keyword::LOGIN | Keyword::NOLOGIN));
    if keyword(tokens, 0) == Keyword::CREATE && !says_login && tokens.len() > 2 {
        insert_word(tokens, tokens.len(), "LOGIN");
    }
}

/// `FROM ONLY t` is `FROM t`: there is no inheritance that it could leave out.
fn only(tokens: &mut Vec<TokenWithSpan>) {
    let mut index = 1;
    while index + 1 < tokens.len() {
        let is_it = is_word(tokens, index, "ONLY")
            && matches!(
                keyword(tokens, index - 1),
                Keyword::FROM | Keyword::UPDATE | Keyword::JOIN | Keyword::USING | Keyword::INTO
            )
            && matches!(tokens[index + 1].token, Token::Word(_));
        if is_it {
            tokens.remove(index);
        }
        index += 1;
    }
}

/// Between the parts of a name that carries an ON CONFLICT target: before each key, and before the condition.
pub const CONFLICT_PARTS: [char; 2] = ['\u{1}', '\u{2}'];

/// `ON CONFLICT (lower(a), b) WHERE c`: what is more than a list of columns goes into the name of a constraint.
fn conflict_target(tokens: &mut Vec<TokenWithSpan>) {
    let Some(on) = (0..tokens.len()).find(|at| {
        keyword(tokens, *at) == Keyword::ON && keyword(tokens, at + 1) == Keyword::CONFLICT
    }) else {
        return;
    };
    let open = on + 2;
    let Some(end) = (open..tokens.len()).find(|at| {
        keyword(tokens, *at) == Keyword::DO
            && matches!(keyword(tokens, at + 1), Keyword::NOTHING | Keyword::UPDATE)
    }) else {
        return;
    };
    let plain = |at: usize| matches!(tokens[at].token, Token::Word(_) | Token::Comma);
    let is_list = tokens[open].token == Token::LParen && end > open + 2;
    if !is_list || (tokens[end - 1].token == Token::RParen && (open + 1..end - 1).all(plain)) {
        return;
    }
    let (mut depth, mut text) = (0usize, String::new());
    for at in open..end {
        match &tokens[at].token {
            Token::LParen if depth == 0 && text.is_empty() => {
                depth = 1;
                text.push(CONFLICT_PARTS[0]);
                continue;
            }
            Token::LParen => depth += 1,
            Token::RParen => {
                depth = depth.saturating_sub(1);
                if depth == 0 && !text.contains(CONFLICT_PARTS[1]) {
                    if at + 1 == end {
                        break;
                    }
                    if keyword(tokens, at + 1) != Keyword::WHERE {
                        return;
                    }
                    text.push(CONFLICT_PARTS[1]);
                    continue;
                }
            }
            Token::Comma if depth == 1 && !text.contains(CONFLICT_PARTS[1]) => {
                text.push(CONFLICT_PARTS[0]);
                continue;
            }
            Token::Word(word)
                if word.keyword == Keyword::WHERE && text.ends_with(CONFLICT_PARTS[1]) =>
            {
                continue;
            }
            _ => {}
        }
        text.push(' ');
        text.push_str(&tokens[at].token.to_string());
    }
    let span = tokens[open].span;
    let new = [
        Token::make_word("ON", None),
        Token::make_word("CONSTRAINT", None),
        Token::make_word(&text, Some('"')),
    ];
    tokens.splice(open..end, new.map(|token| TokenWithSpan::new(token, span)));
}

/// Forms of MERGE that `sqlparser` lacks, as names that no column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeMark {
    /// `DO NOTHING`: the only value of an INSERT, or the column that an UPDATE sets.
    Nothing,
    /// `INSERT DEFAULT VALUES`: the only value of an INSERT.
    Defaults,
    /// `OVERRIDING SYSTEM VALUE`: among the columns of an INSERT.
    System,
    /// `OVERRIDING USER VALUE`
    User,
}

impl MergeMark {
    const ALL: [(Self, &str); 4] = [
        (Self::Nothing, "\u{1}nothing"),
        (Self::Defaults, "\u{1}defaults"),
        (Self::System, "\u{1}system"),
        (Self::User, "\u{1}user"),
    ];

    /// The mark of a name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(mark, _)| mark)
    }

    fn token(self) -> Token {
        let name =
            Self::ALL.into_iter().find(|(mark, _)| *mark == self).map_or("", |(_, name)| name);
        Token::make_word(name, Some('"'))
    }
}

fn is_merge(token: &TokenWithSpan) -> bool {
    matches!(&token.token, Token::Word(word) if word.keyword == Keyword::MERGE)
}

/// `THEN DO NOTHING`, `THEN INSERT DEFAULT VALUES` and `OVERRIDING … VALUE` in MERGE, see [`MergeMark`].
fn merge_marks(tokens: &mut Vec<TokenWithSpan>) {
    let word = |text: &str| Token::make_word(text, None);
    let mut index = 0;
    while index + 1 < tokens.len() {
        let then = index > 0 && keyword(tokens, index - 1) == Keyword::THEN;
        let (count, new) = if then
            && keyword(tokens, index) == Keyword::DO
            && is_word(tokens, index + 1, "NOTHING")
        {
            let when = (0..index).rev().find(|at| keyword(tokens, *at) == Keyword::WHEN);
            let mark = MergeMark::Nothing.token();
            if when.is_some_and(|when| keyword(tokens, when + 1) == Keyword::NOT) {
                (2, vec![word("INSERT"), word("VALUES"), Token::LParen, mark, Token::RParen])
            } else {
                let zero = Token::Number("0".to_owned(), false);
                (2, vec![word("UPDATE"), word("SET"), mark, Token::Eq, zero])
            }
        } else if then
            && keyword(tokens, index) == Keyword::INSERT
            && keyword(tokens, index + 1) == Keyword::DEFAULT
            && keyword(tokens, index + 2) == Keyword::VALUES
        {
            let mark = MergeMark::Defaults.token();
            (3, vec![word("INSERT"), word("VALUES"), Token::LParen, mark, Token::RParen])
        } else {
            index += 1;
            continue;
        };
        let span = tokens[index].span;
        let new = new.into_iter().map(|token| TokenWithSpan::new(token, span));
        tokens.splice(index..index + count, new);
        index += 1;
    }
    merge_overriding(tokens);
}

/// `INSERT (a, b) OVERRIDING SYSTEM VALUE VALUES (…)` has the mark as one more column.
fn merge_overriding(tokens: &mut Vec<TokenWithSpan>) {
    let mut index = 1;
    while index + 2 < tokens.len() {
        let mark = match () {
            () if !is_word(tokens, index, "OVERRIDING") || !is_word(tokens, index + 2, "VALUE") => {
                None
            }
            () if is_word(tokens, index + 1, "SYSTEM") => Some(MergeMark::System),
            () if is_word(tokens, index + 1, "USER") => Some(MergeMark::User),
            () => None,
        };
        let Some(mark) = mark else {
            index += 1;
            continue;
        };
        let span = tokens[index].span;
        let place = |token| TokenWithSpan::new(token, span);
        if tokens[index - 1].token == Token::RParen {
            tokens.splice(index..index + 3, []);
            tokens.splice(index - 1..index - 1, [place(Token::Comma), place(mark.token())]);
        } else if keyword(tokens, index - 1) == Keyword::INSERT {
            let list = [place(Token::LParen), place(mark.token()), place(Token::RParen)];
            tokens.splice(index..index + 3, list);
        }
        index += 1;
    }
}

/// Lists of columns in constraints that `sqlparser` has no place for.
pub(super) fn constraint_columns(tokens: &mut Vec<TokenWithSpan>) {
    set_columns(tokens);
    included_columns(tokens);
}

/// `PRIMARY KEY (a) INCLUDE (b)` and `UNIQUE (a) INCLUDE (b)`: the columns go into the name that MySQL has before the
/// list.
fn included_columns(tokens: &mut Vec<TokenWithSpan>) {
    let mut index = 3;
    while index + 1 < tokens.len() {
        let is_list = is_word(tokens, index, "INCLUDE")
            && tokens[index - 1].token == Token::RParen
            && tokens[index + 1].token == Token::LParen;
        if is_list
            && let Some(open) = (1..index).rev().find(|at| tokens[*at].token == Token::LParen)
            && matches!(
                keyword(tokens, open - 1),
                Keyword::KEY | Keyword::UNIQUE | Keyword::DISTINCT
            )
            && let Some((end, names)) = marked_names(tokens, index + 1)
        {
            let span = tokens[open].span;
            tokens.drain(index..=end);
            tokens.insert(open, TokenWithSpan::new(Token::make_word(&names, Some('"')), span));
        }
        index += 1;
    }
}

/// Where the list of names that opens at an index ends, and the names.
fn marked_names(tokens: &[TokenWithSpan], open: usize) -> Option<(usize, String)> {
    let mut names = String::new();
    for (index, token) in tokens.iter().enumerate().skip(open + 1) {
        match &token.token {
            Token::Word(word) => {
                names.push(SET_COLUMNS);
                match word.quote_style {
                    Some(_) => names.push_str(&word.value),
                    None => names.push_str(&word.value.to_lowercase()),
                }
            }
            Token::Comma => {}
            Token::RParen if !names.is_empty() => return Some((index, names)),
            _ => return None,
        }
    }
    None
}

/// Stands before each column in the name that carries those of `ON DELETE SET NULL (…)`; no name has it.
pub const SET_COLUMNS: char = '\u{1}';

/// `FOREIGN KEY (…) REFERENCES … ON DELETE SET NULL (a, b)`: the columns go into the name that MySQL has behind `KEY`.
fn set_columns(tokens: &mut Vec<TokenWithSpan>) {
    let mut index = 4;
    while index < tokens.len() {
        let is_list = tokens[index].token == Token::LParen
            && matches!(keyword(tokens, index - 1), Keyword::NULL | Keyword::DEFAULT)
            && keyword(tokens, index - 2) == Keyword::SET
            && keyword(tokens, index - 3) == Keyword::DELETE
            && keyword(tokens, index - 4) == Keyword::ON;
        if is_list && let Some((key, end, names)) = foreign_key_of(tokens, index) {
            let span = tokens[key].span;
            tokens.drain(index..=end);
            let token = Token::make_word(&names, Some('"'));
            tokens.insert(key + 1, TokenWithSpan::new(token, span));
        }
        index += 1;
    }
}

/// For a list of columns that opens at an index: where the `KEY` of its `FOREIGN KEY` is, where the list ends, and the
/// columns.
fn foreign_key_of(tokens: &[TokenWithSpan], open: usize) -> Option<(usize, usize, String)> {
    let references =
        (0..open).rev().find(|index| keyword(tokens, *index) == Keyword::REFERENCES)?;
    let key = (1..references).rev().find(|index| keyword(tokens, *index) == Keyword::KEY)?;
    let is_own = keyword(tokens, key - 1) == Keyword::FOREIGN
        && tokens.get(key + 1).is_some_and(|token| token.token == Token::LParen)
        && tokens.get(references - 1).is_some_and(|token| token.token == Token::RParen)
        && (key + 2..references - 1).all(|index| {
            matches!(
                tokens.get(index).map(|token| &token.token),
                Some(Token::Word(_) | Token::Comma)
            )
        });
    let (end, names) = marked_names(tokens, open)?;
    is_own.then_some((key, end, names))
}

/// `INSERT INTO t … OVERRIDING SYSTEM VALUE` is `INSERT OR ROLLBACK INTO t …`, and `USER` is `ABORT`: SQLite's words,
/// which PostgreSQL refuses where they stand.
fn overriding(tokens: &mut Vec<TokenWithSpan>) {
    let Some(at) = (0..tokens.len()).find(|at| {
        is_word(tokens, *at, "OVERRIDING")
            && (is_word(tokens, at + 1, "SYSTEM") || is_word(tokens, at + 1, "USER"))
            && is_word(tokens, at + 2, "VALUE")
    }) else {
        return;
    };
    let into = (1..at).rev().find(|index| {
        keyword(tokens, *index) == Keyword::INTO && keyword(tokens, index - 1) == Keyword::INSERT
    });
    let Some(into) = into else { return };
    let word = if is_word(tokens, at + 1, "SYSTEM") { "ROLLBACK" } else { "ABORT" };
    tokens.drain(at..at + 3);
    insert_word(tokens, into, word);
    insert_word(tokens, into, "OR");
}

/// `OPERATOR(pg_catalog.=) ANY (…)` is `= ANY (…)`.
fn operator_before_any(tokens: &mut Vec<TokenWithSpan>) {
    let mut index = 0;
    while index + 6 < tokens.len() {
        let is_call = is_word(tokens, index, "OPERATOR")
            && tokens[index + 1].token == Token::LParen
            && is_word(tokens, index + 2, "PG_CATALOG")
            && tokens[index + 3].token == Token::Period
            && COMPARISONS.contains(&tokens[index + 4].token)
            && tokens[index + 5].token == Token::RParen
            && matches!(keyword(tokens, index + 6), Keyword::ANY | Keyword::ALL | Keyword::SOME);
        if is_call {
            tokens.drain(index + 5..index + 6);
            tokens.drain(index..index + 4);
        }
        index += 1;
    }
}

/// `f(…) AS (a text, …)` is `f(…) AS f (a text, …)`: the function's name is the alias.
fn function_alias(tokens: &mut Vec<TokenWithSpan>) {
    let mut opened: Vec<usize> = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        match tokens[index].token {
            Token::LParen => opened.push(index),
            Token::RParen => {
                let name = opened.pop().and_then(|open| function_name(tokens, open));
                if let Some(name) = name.filter(|_| is_definition_list(tokens, index + 1)) {
                    let span = tokens[index + 1].span;
                    tokens.insert(index + 2, TokenWithSpan::new(name, span));
                }
            }
            _ => {}
        }
        index += 1;
    }
}

/// The name in front of an opening parenthesis, if a table function can have it.
fn function_name(tokens: &[TokenWithSpan], open: usize) -> Option<Token> {
    let before = open.checked_sub(1)?;
    match &tokens.get(before)?.token {
        Token::Word(word) if word.quote_style.is_some() || !is_clause_word(word.keyword) => {
            Some(tokens.get(before)?.token.clone())
        }
        _ => None,
    }
}

fn is_clause_word(keyword: Keyword) -> bool {
    QUERY_WORDS.contains(&keyword)
        || matches!(
            keyword,
            Keyword::IN | Keyword::AS | Keyword::FROM | Keyword::LATERAL | Keyword::EXISTS
        )
}

/// True if `AS ( name type` stands at an index.
fn is_definition_list(tokens: &[TokenWithSpan], index: usize) -> bool {
    let is_name =
        |index: usize| matches!(tokens.get(index).map(|token| &token.token), Some(Token::Word(_)));
    keyword(tokens, index) == Keyword::AS
        && matches!(tokens.get(index + 1).map(|token| &token.token), Some(Token::LParen))
        && is_name(index + 2)
        && is_name(index + 3)
        && !QUERY_WORDS.contains(&keyword(tokens, index + 2))
}
