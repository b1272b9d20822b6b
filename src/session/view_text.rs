//! A view's query as `pg_get_viewdef` shows it: the text as it was given, but with the names that relations, types and
//! functions have now, and their schemas where the reader's search path does not find them. So a dump loads.
//!
//! What was renamed keeps its name inside the query: it becomes an alias, of the columns too.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use sqlparser::ast::{
    ArrayElemTypeDef, DataType, Expr, Ident, ObjectName, Query, Spanned, TableAlias, TableFactor,
    Visit, Visitor,
};

use crate::catalog::pg::describe;
use crate::catalog::{Catalog, QualifiedName, View, ViewRead};
use crate::parser::sql::byte_span;
use crate::parser::{Body, stored};
use crate::planner::bind::sql::{fold, qualified_name};
use crate::types::Oid;

/// `pg_get_viewdef`, with a semicolon; `None` for other relations.
pub(super) fn definition(catalog: &Catalog, search_path: &[String], oid: Oid) -> Option<String> {
    let view = catalog.relation(oid)?.view()?;
    let text = describe::view_definition(catalog, oid)?;
    let Ok(statement) = stored::parse_view_query(&view.query) else { return Some(text) };
    let Body::Sql { statement, graph_tables: _ } = statement.body else { return Some(text) };
    let mut names = Names {
        catalog,
        search_path,
        view,
        hidden: Vec::new(),
        bodies: BTreeMap::new(),
        edits: BTreeMap::new(),
    };
    let _: ControlFlow<()> = statement.visit(&mut names);
    let edited = names.edited()?;
    Some(format!("{};", edited.trim().trim_end_matches(';').trim_end()))
}

/// Looks for names in a query, and notes what to put in their places.
struct Names<'a> {
    catalog: &'a Catalog,
    search_path: &'a [String],
    view: &'a View,
    /// Names of WITH queries, for each query that the walk is in.
    hidden: Vec<BTreeSet<String>>,
    /// What names are hidden in the body of a WITH query, by the address of the body.
    bodies: BTreeMap<*const Query, BTreeSet<String>>,
    /// By first byte: the byte behind the last, and the new text.
    edits: BTreeMap<usize, (usize, String)>,
}

impl Names<'_> {
    fn edited(&self) -> Option<String> {
        let text = &self.view.query;
        let (mut result, mut from) = (String::with_capacity(text.len()), 0);
        for (start, (end, new)) in &self.edits {
            result.push_str(text.get(from..*start)?);
            result.push_str(new);
            from = *end;
        }
        result.push_str(text.get(from..)?);
        Some(result)
    }

    fn replace(&mut self, span: sqlparser::tokenizer::Span, new: String) {
        if let Some(span) = byte_span(span) {
            self.edits.insert(span.start as usize, (span.end as usize, new));
        }
    }

    fn insert_behind(&mut self, span: sqlparser::tokenizer::Span, new: String) {
        if let Some(span) = byte_span(span) {
            self.edits.insert(span.end as usize, (span.end as usize, new));
        }
    }

    fn read(&self, name: &ObjectName) -> Option<&ViewRead> {
        let name = qualified_name(name).ok()?;
        let is_hidden =
            name.schema.is_none() && self.hidden.last().is_some_and(|one| one.contains(&name.name));
        let mut reads = self.view.reads.iter();
        reads.find(|read| !is_hidden && read.schema == name.schema && read.name == name.name)
    }

    fn relation(&mut self, name: &ObjectName, alias: Option<&TableAlias>) {
        let Some(read) = self.read(name) else { return };
        let Some(relation) = self.catalog.relation(read.relation) else { return };
        let Some(current) = describe::relation_name(self.catalog, relation.oid, self.search_path)
        else {
            return;
        };
        let known = |attnum: i16| read.columns.iter().find(|column| column.attnum == attnum);
        let columns: Vec<(&str, &str)> = relation
            .columns()
            .iter()
            .map(|column| {
                let inside = known(column.attnum).map_or(&column.name, |known| &known.name);
                (column.name.as_str(), inside.as_str())
            })
            .collect();
        let renamed = columns.iter().any(|(now, inside)| now != inside);
        let quoted: Vec<String> =
            columns.iter().map(|(_, inside)| describe::quote_identifier(inside)).collect();
        let list = if renamed { format!("({})", quoted.join(", ")) } else { String::new() };
        let inside = describe::quote_identifier(&read.name);
        let is_other = relation.name != read.name;
        match alias {
            None if renamed || is_other => {
                self.replace(name.span(), format!("{current} AS {inside}{list}"));
            }
            Some(alias) if renamed && alias.columns.is_empty() => {
                self.replace(name.span(), current);
                self.insert_behind(alias.name.span, list);
            }
            _ => self.replace(name.span(), current),
        }
    }

    /// A function of the database's own.
    fn function(&mut self, name: &ObjectName) {
        let Ok(called) = qualified_name(name) else { return };
        let found = self.catalog.functions_named(&called, &self.view.search_path);
        let Some(function) = found.first() else { return };
        let named = QualifiedName { schema: None, name: function.name.clone() };
        let seen = self.catalog.functions_named(&named, self.search_path);
        let quoted = describe::quote_identifier(&function.name);
        let is_visible = seen.iter().any(|one| one.oid == function.oid);
        let schema = describe::schema_name(self.catalog, function.schema);
        match schema.filter(|_| !is_visible) {
            Some(schema) => self.replace(name.span(), format!("{schema}.{quoted}")),
            None => self.replace(name.span(), quoted),
        }
    }

    fn data_type(&mut self, ty: &DataType) {
        match ty {
            DataType::Custom(name, _) => {
                let Ok(called) = qualified_name(name) else { return };
                let found = self.catalog.user_type_named(&called, &self.view.search_path);
                let Some(oid) = found.map(|found| found.oid()) else { return };
                let shown = describe::type_name(self.catalog, oid, self.search_path);
                if let Some(shown) = shown {
                    self.replace(name.span(), shown);
                }
            }
            DataType::Array(
                ArrayElemTypeDef::SquareBracket(inner, _)
                | ArrayElemTypeDef::AngleBracket(inner)
                | ArrayElemTypeDef::Parenthesis(inner),
            ) => self.data_type(inner),
            _ => {}
        }
    }
}

impl Visitor for Names<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let outer = self.hidden.last().cloned().unwrap_or_default();
        let mut hidden = self.bodies.remove(&std::ptr::from_ref(query)).unwrap_or(outer);
        if let Some(with) = &query.with {
            let name = |ident: &Ident| fold(ident);
            if with.recursive {
                hidden.extend(with.cte_tables.iter().map(|one| name(&one.alias.name)));
            }
            for one in &with.cte_tables {
                self.bodies.insert(std::ptr::from_ref(one.query.as_ref()), hidden.clone());
                hidden.insert(name(&one.alias.name));
            }
        }
        self.hidden.push(hidden);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.hidden.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                self.relation(name, alias.as_ref());
            }
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => {
                self.function(name)
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Cast { data_type, .. } => self.data_type(data_type),
            Expr::TypedString(typed) => self.data_type(&typed.data_type),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
