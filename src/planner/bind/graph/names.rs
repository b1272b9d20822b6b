//! Names in a property graph: labels and properties as each language looks them up, and the graph itself.

use std::sync::Arc;

use crate::catalog::{
    Catalog, ElementTable, PropertyDef, PropertyGraph, QualifiedName, RelationKind,
};
use crate::error::{PgError, SqlState};
use crate::parser::pattern::{LabelExpr, Name};

/// Whose rules hold for names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Exactly as written, else as SQL folds an unquoted name; what does not exist matches nothing.
    Cypher,
    /// As SQL folds; what does not exist is an error.
    Pgq,
}

/// The element tables of one kind.
pub(crate) fn tables_of(graph: &PropertyGraph, edge: bool) -> Vec<&ElementTable> {
    if edge {
        graph.edges.iter().map(|edge| &edge.element).collect()
    } else {
        graph.vertices.iter().collect()
    }
}

/// The label a name stands for among elements of one kind; `None` if there is none (Cypher alone).
///
/// # Errors
/// `42704` in SQL/PGQ.
pub(crate) fn find_label(
    graph: &PropertyGraph,
    name: &Name,
    edge: bool,
    dialect: Dialect,
) -> Result<Option<String>, PgError> {
    let tables = tables_of(graph, edge);
    let known = |label: &str| tables.iter().any(|table| table.has_label(label));
    match dialect {
        Dialect::Cypher => {
            if graph.open.is_some() {
                return Ok(known(&name.text).then(|| name.text.clone()));
            }
            let folded = name.text.to_lowercase();
            Ok([name.text.clone(), folded].into_iter().find(|label| known(label)))
        }
        Dialect::Pgq => {
            let label = name.folded();
            // A label of the other kind exists, and matches nothing here.
            if !graph.elements().any(|table| table.has_label(&label)) {
                let error = PgError::new(
                    SqlState::UNDEFINED_OBJECT,
                    format!(
                        "label \"{label}\" does not exist in property graph \"{}\"",
                        graph.name
                    ),
                )
                .at(name.span.start as usize);
                return Err(with_near(error, &label, graph.elements().flat_map(label_names)));
            }
            Ok(known(&label).then_some(label))
        }
    }
}

fn label_names(table: &ElementTable) -> impl Iterator<Item = &str> {
    table.label_names()
}

/// A hint at the name that was perhaps meant.
pub(crate) fn with_near<'a>(
    error: PgError,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> PgError {
    match near(name, known) {
        Some(near) => error.hint(format!("Perhaps you meant \"{near}\".")),
        None => error,
    }
}

/// The known name most like a name, if any is like it.
pub(crate) fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    use datafusion::common::utils::datafusion_strsim::normalized_levenshtein;
    let folded = name.to_lowercase();
    known
        .map(|known| (normalized_levenshtein(&folded, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// Element tables of one kind that satisfy a label expression, ascending.
///
/// # Errors
/// `42704` in SQL/PGQ for a label that does not exist.
pub(crate) fn tables_with(
    graph: &PropertyGraph,
    labels: Option<&LabelExpr>,
    edge: bool,
    dialect: Dialect,
) -> Result<Vec<u16>, PgError> {
    let tables = tables_of(graph, edge);
    let mut matching = Vec::with_capacity(tables.len());
    if let Some(labels) = labels {
        // Names are looked up even where there is no table to test them on.
        check_labels(graph, labels, edge, dialect)?;
    }
    for (at, table) in tables.iter().enumerate() {
        let holds = match labels {
            None => true,
            Some(labels) => has_labels(graph, table, labels, edge, dialect)?,
        };
        if holds {
            matching.push(u16::try_from(at).map_err(|_| {
                PgError::new(
                    SqlState::PROGRAM_LIMIT_EXCEEDED,
                    "a property graph has too many element tables",
                )
            })?);
        }
    }
    Ok(matching)
}

fn check_labels(
    graph: &PropertyGraph,
    labels: &LabelExpr,
    edge: bool,
    dialect: Dialect,
) -> Result<(), PgError> {
    match labels {
        LabelExpr::Label(name) => find_label(graph, name, edge, dialect).map(drop),
        LabelExpr::Wildcard(_) => Ok(()),
        LabelExpr::Not(inner, _) => check_labels(graph, inner, edge, dialect),
        LabelExpr::And(parts, _) | LabelExpr::Or(parts, _) => {
            parts.iter().try_for_each(|part| check_labels(graph, part, edge, dialect))
        }
    }
}

fn has_labels(
    graph: &PropertyGraph,
    table: &ElementTable,
    labels: &LabelExpr,
    edge: bool,
    dialect: Dialect,
) -> Result<bool, PgError> {
    Ok(match labels {
        LabelExpr::Label(name) => {
            find_label(graph, name, edge, dialect)?.is_some_and(|label| table.has_label(&label))
        }
        LabelExpr::Wildcard(_) => table.label_names().next().is_some(),
        LabelExpr::Not(inner, _) => !has_labels(graph, table, inner, edge, dialect)?,
        LabelExpr::And(parts, _) => {
            for part in parts {
                if !has_labels(graph, table, part, edge, dialect)? {
                    return Ok(false);
                }
            }
            true
        }
        LabelExpr::Or(parts, _) => {
            for part in parts {
                if has_labels(graph, table, part, edge, dialect)? {
                    return Ok(true);
                }
            }
            false
        }
    })
}

/// A property of one kind of element by its exact name.
pub(crate) fn property<'a>(
    graph: &'a PropertyGraph,
    name: &str,
    edge: bool,
) -> Option<&'a PropertyDef> {
    tables_of(graph, edge).into_iter().find_map(|table| table.property(name))
}

/// A property as Cypher names it: exactly, else folded.
pub(crate) fn cypher_property<'a>(
    graph: &'a PropertyGraph,
    name: &str,
    edge: bool,
) -> Option<&'a PropertyDef> {
    property(graph, name, edge).or_else(|| property(graph, &name.to_lowercase(), edge))
}

/// Names of all properties of one kind of element, each once.
pub(crate) fn property_names(graph: &PropertyGraph, edge: bool) -> Vec<&str> {
    let mut names = Vec::new();
    for table in tables_of(graph, edge) {
        for property in table.labels.iter().flat_map(|label| &label.properties) {
            if !names.contains(&property.name.as_str()) {
                names.push(property.name.as_str());
            }
        }
    }
    names
}

/// The graph of a name.
///
/// # Errors
/// `3F000` for a schema that does not exist, `42704` for a name that does not, `42809` for another kind of relation.
pub(crate) fn graph_named(
    catalog: &Catalog,
    search_path: &[String],
    name: &QualifiedName,
    offset: Option<usize>,
) -> Result<Arc<PropertyGraph>, PgError> {
    let full = match &name.schema {
        Some(schema) => format!("{schema}.{}", name.name),
        None => name.name.clone(),
    };
    if let Some(schema) = &name.schema
        && catalog.schema(schema).is_none()
    {
        return Err(PgError::new(
            SqlState::INVALID_SCHEMA_NAME,
            format!("schema \"{schema}\" does not exist"),
        )
        .or_at(offset));
    }
    let Some(relation) = catalog.resolve(name, search_path) else {
        let error = PgError::new(
            SqlState::UNDEFINED_OBJECT,
            format!("property graph \"{full}\" does not exist"),
        )
        .or_at(offset);
        return Err(with_near(error, &name.name, graphs(catalog).map(|graph| graph.name.as_str())));
    };
    match &relation.kind {
        RelationKind::PropertyGraph(graph) => Ok(Arc::clone(graph)),
        RelationKind::Table(_)
        | RelationKind::View(_)
        | RelationKind::MaterializedView(_)
        | RelationKind::Sequence(_)
        | RelationKind::System(_) => Err(PgError::new(
            SqlState::WRONG_OBJECT_TYPE,
            format!("\"{full}\" is not a property graph"),
        )
        .or_at(offset)),
    }
}

fn graphs(catalog: &Catalog) -> impl Iterator<Item = &Arc<PropertyGraph>> {
    catalog.relations.values().filter_map(|relation| match &relation.kind {
        RelationKind::PropertyGraph(graph) => Some(graph),
        RelationKind::Table(_)
        | RelationKind::View(_)
        | RelationKind::MaterializedView(_)
        | RelationKind::Sequence(_)
        | RelationKind::System(_) => None,
    })
}

/// The graph a Cypher statement is about: what `USE` says, else `graph_path`, else the only graph on the search path,
/// else the only graph there is.
///
/// # Errors
/// As [`graph_named`]; `42704` if there is no graph or more than one to choose from.
pub fn choose_graph(
    catalog: &Catalog,
    search_path: &[String],
    graph_path: Option<&str>,
    use_clause: Option<&[Name]>,
) -> Result<Arc<PropertyGraph>, PgError> {
    if let Some(parts) = use_clause {
        let offset = parts.first().map(|part| part.span.start as usize);
        let (schema, name) = match parts {
            [name] => (None, name),
            [schema, name] => (Some(schema), name),
            _ => {
                return Err(PgError::new(
                    SqlState::SYNTAX_ERROR,
                    "improper graph name: too many names with dots",
                )
                .or_at(offset));
            }
        };
        return named_as_written(catalog, search_path, schema, name, offset);
    }
    if let Some(path) = graph_path.map(str::trim).filter(|path| !path.is_empty()) {
        return graph_of_path(catalog, search_path, path);
    }
    let visible = graphs_in(catalog, search_path);
    let all = graphs(catalog).cloned().collect::<Vec<_>>();
    for candidates in [&visible, &all] {
        if let [only] = candidates.as_slice() {
            return Ok(Arc::clone(only));
        }
    }
    if all.is_empty() {
        return Err(PgError::new(
            SqlState::UNDEFINED_OBJECT,
            "there is no property graph in this database",
        )
        .hint("Make one with CREATE PROPERTY GRAPH name VERTEX TABLES (…) EDGE TABLES (…)."));
    }
    let names = all.iter().map(|graph| graph.name.as_str()).collect::<Vec<_>>().join(", ");
    Err(PgError::new(SqlState::UNDEFINED_OBJECT, "no property graph is chosen")
        .detail(format!("There are several: {names}."))
        .hint(
            "Choose one with SET graph_path = 'name', or with USE name in front of the statement.",
        ))
}

fn graphs_in(catalog: &Catalog, search_path: &[String]) -> Vec<Arc<PropertyGraph>> {
    let schemas =
        search_path.iter().filter_map(|name| catalog.schema(name)).map(|schema| schema.oid);
    let schemas = schemas.collect::<Vec<_>>();
    catalog
        .relations
        .values()
        .filter(|relation| schemas.contains(&relation.schema))
        .filter_map(|relation| match &relation.kind {
            RelationKind::PropertyGraph(graph) => Some(Arc::clone(graph)),
            RelationKind::Table(_)
            | RelationKind::View(_)
            | RelationKind::MaterializedView(_)
            | RelationKind::Sequence(_)
            | RelationKind::System(_) => None,
        })
        .collect()
}

/// A name as Cypher writes it: exactly first, then folded.
fn named_as_written(
    catalog: &Catalog,
    search_path: &[String],
    schema: Option<&Name>,
    name: &Name,
    offset: Option<usize>,
) -> Result<Arc<PropertyGraph>, PgError> {
    let exact =
        QualifiedName { schema: schema.map(|name| name.text.clone()), name: name.text.clone() };
    let folded = QualifiedName { schema: schema.map(Name::folded), name: name.folded() };
    match graph_named(catalog, search_path, &exact, offset) {
        Ok(graph) => Ok(graph),
        Err(error) => graph_named(catalog, search_path, &folded, offset).map_err(|_| error),
    }
}

/// `graph_path`: one name, perhaps with a schema, as written or folded.
fn graph_of_path(
    catalog: &Catalog,
    search_path: &[String],
    path: &str,
) -> Result<Arc<PropertyGraph>, PgError> {
    let (schema, name) = match path.split_once('.') {
        Some((schema, name)) => (Some(schema.trim()), name.trim()),
        None => (None, path),
    };
    let as_name = |text: &str| match text.strip_prefix('"').and_then(|text| text.strip_suffix('"'))
    {
        Some(quoted) => {
            Name { text: quoted.replace("\"\"", "\""), quoted: true, span: Default::default() }
        }
        None => Name { text: text.to_owned(), quoted: false, span: Default::default() },
    };
    named_as_written(catalog, search_path, schema.map(as_name).as_ref(), &as_name(name), None)
        .map_err(|error| error.hint("graph_path names it; SET graph_path chooses another."))
}
