//! Reads `CREATE`, `ALTER` and `DROP PROPERTY GRAPH`.

use sqlparser::tokenizer::TokenWithSpan;

use super::ast::{
    AlterAction, AlterPropertyGraph, CreatePropertyGraph, DropBehavior, DropPropertyGraph,
    ElementKind, ElementTableChange, PropertyGraphDdl,
};
use super::parser::Parser;
use crate::parser::error::ParseError;
use crate::parser::span::Span;

/// Words that may stand between `CREATE` and `PROPERTY GRAPH`.
const CREATE_MODIFIERS: [&str; 7] =
    ["OR", "REPLACE", "TEMP", "TEMPORARY", "LOCAL", "GLOBAL", "UNLOGGED"];

/// True if `words` begin a statement on property graphs.
pub(in crate::parser) fn is_property_graph_ddl(words: &[&str]) -> bool {
    let is = |word: &str, expected: &str| word.eq_ignore_ascii_case(expected);
    let Some((verb, rest)) = words.split_first() else { return false };
    let rest = match is(verb, "CREATE") {
        true => {
            let is_modifier = |word: &&str| CREATE_MODIFIERS.iter().any(|known| is(word, known));
            let skipped = rest.iter().take_while(|word| is_modifier(word)).count();
            rest.get(skipped..).unwrap_or(&[])
        }
        false if is(verb, "ALTER") || is(verb, "DROP") => rest,
        false => return false,
    };
    matches!(rest, [property, graph, ..] if is(property, "PROPERTY") && is(graph, "GRAPH"))
}

/// Reads the statement that `tokens` are.
pub(in crate::parser) fn property_graph_ddl(
    text: &str,
    tokens: &[TokenWithSpan],
    end: Span,
) -> Result<PropertyGraphDdl, ParseError> {
    let mut parser = Parser::new(text, tokens, end);
    let start = parser.cursor.peek().span;
    let ddl = if parser.cursor.eat_word("CREATE") {
        PropertyGraphDdl::Create(create(&mut parser, start)?)
    } else if parser.cursor.eat_word("ALTER") {
        PropertyGraphDdl::Alter(alter(&mut parser, start)?)
    } else {
        parser.cursor.expect_word("DROP")?;
        PropertyGraphDdl::Drop(drop_graph(&mut parser, start)?)
    };
    match parser.cursor.at_end() {
        true => Ok(ddl),
        false => Err(parser.cursor.unexpected(&[])),
    }
}

fn create(parser: &mut Parser<'_>, start: Span) -> Result<CreatePropertyGraph, ParseError> {
    let or_replace = parser.cursor.eat_words(&["OR", "REPLACE"]);
    let temporary = parser.cursor.eat_word("TEMPORARY") || parser.cursor.eat_word("TEMP");
    property_graph(parser)?;
    let if_not_exists = parser.cursor.eat_words(&["IF", "NOT", "EXISTS"]);
    if or_replace && if_not_exists {
        let message = "OR REPLACE and IF NOT EXISTS cannot be used together";
        return Err(ParseError::syntax(message, parser.cursor.span_from(start)));
    }
    let name = parser.qualified_name()?;
    let open = parser.cursor.eat_word("ANY");
    let (mut vertex_tables, mut edge_tables) = (Vec::new(), Vec::new());
    if !open && eats_tables(parser, ElementKind::Vertex) {
        vertex_tables = parser.vertex_tables()?;
    }
    if !open && eats_tables(parser, ElementKind::Edge) {
        edge_tables = parser.edge_tables()?;
    }
    let span = parser.cursor.span_from(start);
    Ok(CreatePropertyGraph {
        name,
        or_replace,
        if_not_exists,
        temporary,
        open,
        vertex_tables,
        edge_tables,
        span,
    })
}

fn property_graph(parser: &mut Parser<'_>) -> Result<(), ParseError> {
    parser.cursor.expect_word("PROPERTY")?;
    parser.cursor.expect_word("GRAPH")?;
    Ok(())
}

/// Steps over `VERTEX TABLES` or its like of the other kind.
fn eats_tables(parser: &mut Parser<'_>, kind: ElementKind) -> bool {
    kind_words(kind).iter().any(|word| parser.cursor.eat_words(&[word, "TABLES"]))
}

fn kind_words(kind: ElementKind) -> [&'static str; 2] {
    match kind {
        ElementKind::Vertex => ["VERTEX", "NODE"],
        ElementKind::Edge => ["EDGE", "RELATIONSHIP"],
    }
}

fn drop_graph(parser: &mut Parser<'_>, start: Span) -> Result<DropPropertyGraph, ParseError> {
    property_graph(parser)?;
    let if_exists = parser.cursor.eat_words(&["IF", "EXISTS"]);
    let mut names = vec![parser.qualified_name()?];
    while parser.cursor.eat_symbol(",") {
        names.push(parser.qualified_name()?);
    }
    let behavior = behavior(parser);
    Ok(DropPropertyGraph { names, if_exists, behavior, span: parser.cursor.span_from(start) })
}

fn behavior(parser: &mut Parser<'_>) -> DropBehavior {
    if parser.cursor.eat_word("CASCADE") {
        return DropBehavior::Cascade;
    }
    parser.cursor.eat_word("RESTRICT");
    DropBehavior::Restrict
}

fn alter(parser: &mut Parser<'_>, start: Span) -> Result<AlterPropertyGraph, ParseError> {
    property_graph(parser)?;
    let if_exists = parser.cursor.eat_words(&["IF", "EXISTS"]);
    let name = parser.qualified_name()?;
    let action = alter_action(parser)?;
    Ok(AlterPropertyGraph { name, if_exists, action, span: parser.cursor.span_from(start) })
}

fn alter_action(parser: &mut Parser<'_>) -> Result<AlterAction, ParseError> {
    match parser.cursor.eat_any_word(&["ADD", "DROP", "ALTER", "OWNER", "RENAME", "SET"]) {
        Some("ADD") => add_tables(parser),
        Some("DROP") => {
            let kind = tables_kind(parser)?;
            let aliases = parser.name_list()?;
            Ok(AlterAction::DropTables { kind, aliases, behavior: behavior(parser) })
        }
        Some("ALTER") => alter_table(parser),
        Some("OWNER") => {
            parser.cursor.expect_word("TO")?;
            Ok(AlterAction::OwnerTo(parser.cursor.name()?))
        }
        Some("RENAME") => {
            parser.cursor.expect_word("TO")?;
            Ok(AlterAction::RenameTo(parser.cursor.name()?))
        }
        Some(_) => {
            parser.cursor.expect_word("SCHEMA")?;
            Ok(AlterAction::SetSchema(parser.cursor.name()?))
        }
        None => Err(parser.cursor.unexpected(&["ADD", "DROP", "ALTER", "OWNER", "RENAME", "SET"])),
    }
}

fn add_tables(parser: &mut Parser<'_>) -> Result<AlterAction, ParseError> {
    let (mut vertex_tables, mut edge_tables) = (Vec::new(), Vec::new());
    if eats_tables(parser, ElementKind::Vertex) {
        vertex_tables = parser.vertex_tables()?;
        // PostgreSQL repeats ADD before the edge tables; the standard does not.
        parser.cursor.eat_word("ADD");
    }
    if eats_tables(parser, ElementKind::Edge) {
        edge_tables = parser.edge_tables()?;
    }
    match vertex_tables.is_empty() && edge_tables.is_empty() {
        true => Err(parser.cursor.unexpected(&["VERTEX", "EDGE"])),
        false => Ok(AlterAction::AddTables { vertex_tables, edge_tables }),
    }
}

fn tables_kind(parser: &mut Parser<'_>) -> Result<ElementKind, ParseError> {
    if eats_tables(parser, ElementKind::Vertex) {
        return Ok(ElementKind::Vertex);
    }
    match eats_tables(parser, ElementKind::Edge) {
        true => Ok(ElementKind::Edge),
        false => Err(parser.cursor.unexpected(&["VERTEX", "EDGE"])),
    }
}

fn alter_table(parser: &mut Parser<'_>) -> Result<AlterAction, ParseError> {
    let kinds = [ElementKind::Vertex, ElementKind::Edge];
    let kind = kinds.into_iter().find(|kind| {
        kind_words(*kind).iter().any(|word| parser.cursor.eat_words(&[word, "TABLE"]))
    });
    let Some(kind) = kind else {
        return Err(parser.cursor.unexpected(&["VERTEX", "EDGE"]));
    };
    let alias = parser.cursor.name()?;
    let change = element_table_change(parser)?;
    Ok(AlterAction::AlterTable { kind, alias, change })
}

fn element_table_change(parser: &mut Parser<'_>) -> Result<ElementTableChange, ParseError> {
    match parser.cursor.eat_any_word(&["ADD", "DROP", "ALTER"]) {
        Some("ADD") => {
            let mut labels = vec![parser.named_label()?];
            while parser.cursor.eat_word("ADD") {
                labels.push(parser.named_label()?);
            }
            Ok(ElementTableChange::AddLabels(labels))
        }
        Some("DROP") => {
            parser.cursor.expect_word("LABEL")?;
            let label = parser.cursor.name()?;
            Ok(ElementTableChange::DropLabel { label, behavior: behavior(parser) })
        }
        Some(_) => alter_label(parser),
        None => Err(parser.cursor.unexpected(&["ADD", "DROP", "ALTER"])),
    }
}

fn alter_label(parser: &mut Parser<'_>) -> Result<ElementTableChange, ParseError> {
    parser.cursor.expect_word("LABEL")?;
    let label = parser.cursor.name()?;
    if parser.cursor.eat_words(&["ADD", "PROPERTIES"]) {
        let properties = parser.property_list()?;
        return Ok(ElementTableChange::AddProperties { label, properties });
    }
    if parser.cursor.eat_words(&["DROP", "PROPERTIES"]) {
        let properties = parser.name_list()?;
        let behavior = behavior(parser);
        return Ok(ElementTableChange::DropProperties { label, properties, behavior });
    }
    Err(parser.cursor.unexpected(&["ADD", "DROP"]))
}
