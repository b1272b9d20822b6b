//! PostgreSQL's keywords.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A row of `pg_get_keywords()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyword {
    /// In lower case.
    pub word: &'static str,
    /// `U` unreserved, `C` unreserved but no function or type name, `T` reserved but may be a
    /// function or type name, `R` reserved.
    pub category: char,
    /// May stand as a column's label without AS.
    pub bare_label: bool,
}

static KEYWORDS: LazyLock<Vec<Keyword>> = LazyLock::new(|| {
    include_str!("../data/keywords.tsv")
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('\t');
            Some(Keyword {
                word: fields.next()?,
                category: fields.next()?.chars().next()?,
                bare_label: fields.next()? == "t",
            })
        })
        .collect()
});

static BY_WORD: LazyLock<HashMap<&str, &Keyword>> =
    LazyLock::new(|| keywords().iter().map(|keyword| (keyword.word, keyword)).collect());

/// All keywords in the order of their words.
pub fn keywords() -> &'static [Keyword] {
    &KEYWORDS
}

/// Whether a word in lower case must be quoted to be any name.
pub(super) fn needs_quotes(word: &str) -> bool {
    BY_WORD.get(word).is_some_and(|keyword| keyword.category != 'U')
}

impl Keyword {
    /// `catdesc`.
    pub fn category_description(&self) -> &'static str {
        match self.category {
            'C' => "unreserved (cannot be function or type name)",
            'T' => "reserved (can be function or type name)",
            'R' => "reserved",
            _ => "unreserved",
        }
    }

    /// `baredesc`.
    pub fn label_description(&self) -> &'static str {
        if self.bare_label { "can be bare label" } else { "requires AS" }
    }
}
