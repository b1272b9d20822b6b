//! What reads bytes of clients, compiled without DataFusion, and one function for each fuzz target.
//!
//! The rooms `parser` and `types` and the wire's frames are the server's own files. A target must return for every input;
//! it may not panic, and what is read must be written and read again the same.

#![allow(dead_code, unused_imports, reason = "the rooms have more than the targets use")]

#[path = "../../src/error.rs"]
pub mod error;
#[path = "../../src/parser/mod.rs"]
pub mod parser;
mod pg;
#[path = "../../src/types/mod.rs"]
pub mod types;

use parser::QueryLanguage;
use types::input_column::InputColumn;
use types::pg_type::PgType;
use types::{InputSettings, OutputSettings, to_text_array};

/// A target.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: [(&str, Target); 5] = [
    ("parse_sql", parse_sql),
    ("parse_cypher", parse_cypher),
    ("parse_pgq", parse_pgq),
    ("frontend_message", frontend_message),
    ("value", value),
];

fn parse(text: &str, language: QueryLanguage) {
    match parser::parse_script(text, language, &|_| false) {
        // A place outside of the text would be a wrong position in the client's message.
        Ok(statements) => {
            for statement in statements {
                assert!(text.get(statement.span.start as usize..statement.span.end as usize).is_some());
            }
        }
        Err(error) => {
            let error = error::PgError::from(error);
            assert_eq!(error.code().0.len(), 5);
            assert_ne!(error.code(), error::SqlState::INTERNAL_ERROR, "{error}");
        }
    }
}

/// Scripts in any language.
pub fn parse_sql(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        parse(text, QueryLanguage::Auto);
        parse(text, QueryLanguage::Sql);
    }
}

/// Cypher.
pub fn parse_cypher(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        parse(text, QueryLanguage::Cypher);
        let _ = parser::cypher::parse(text, 0);
    }
}

/// The inside of `GRAPH_TABLE ( )` and property-graph statements.
pub fn parse_pgq(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        parse(&format!("SELECT * FROM GRAPH_TABLE (g {text})"), QueryLanguage::Sql);
        parse(&format!("CREATE PROPERTY GRAPH g {text}"), QueryLanguage::Sql);
        parse(text, QueryLanguage::Sql);
    }
}

/// Frames and messages.
pub fn frontend_message(bytes: &[u8]) {
    pg::read(bytes);
}

/// The first byte says which type the others are a value of, in text and in binary.
pub fn value(bytes: &[u8]) {
    let Some((which, value)) = bytes.split_first() else { return };
    let rows = types::builtin::BUILTINS;
    let row = &rows[usize::from(*which >> 1) % rows.len()];
    let ty = if which & 1 == 1 && row.array_oid != 0 {
        PgType::array_of(row.ty.clone())
    } else {
        row.ty.clone()
    };
    if let Some(text) = written(&ty, |column| column.push_text(Some(value)).is_ok()) {
        let again = written(&ty, |column| column.push_text(Some(text.as_bytes())).is_ok());
        assert_eq!(again.as_ref(), Some(&text), "{ty} reads {value:?}, and its own text as another");
    }
    let _ = written(&ty, |column| column.push_binary(Some(value)).is_ok());
    if let Ok(name) = std::str::from_utf8(value) {
        let _ = PgType::parse_name(name);
        let _ = types::TimeZone::parse(name);
    }
}

/// The text of a value, if it is one.
fn written(ty: &PgType, push: impl FnOnce(&mut InputColumn) -> bool) -> Option<String> {
    let mut column = InputColumn::new(ty, &InputSettings::default());
    if !push(&mut column) {
        return None;
    }
    let array = column.finish().ok()?;
    let texts = to_text_array(&array, ty, &OutputSettings::default()).ok()?;
    Some(texts.value(0).to_owned())
}
