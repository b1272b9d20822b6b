//! SET and REMOVE.

use datafusion::logical_expr::Expr as PlanExpr;

use super::reads_graph;
use crate::error::PgError;
use crate::functions::cypher::CypherType;
use crate::parser::Span;
use crate::parser::cypher::{Expr, ExprKind, RemoveItem, SetItem};
use crate::parser::pattern::Name;
use crate::planner::bind::cypher::binder::{Binder, column};
use crate::planner::bind::cypher::error;
use crate::planner::bind::cypher::typed::Typed;
use crate::planner::node::{
    ElementChange, GraphAction, GraphFunction, GraphFunctionKind, SetAction, ValueColumn,
};

/// Items that are done together, and the columns they need.
#[derive(Default)]
struct Group {
    items: Vec<SetAction>,
    columns: Vec<(PlanExpr, String)>,
}

impl Binder<'_> {
    pub(super) fn set_clause(&mut self, items: &[SetItem]) -> Result<(), PgError> {
        self.set_items(items, None)
    }

    /// Items in order, each of which sees what those before it did. `only`: a column, and the value for which they are
    /// done.
    pub(super) fn set_items(
        &mut self,
        items: &[SetItem],
        only: Option<(&str, bool)>,
    ) -> Result<(), PgError> {
        let condition = match only {
            None => None,
            Some((name, true)) => Some((column(name), name.to_owned())),
            Some((name, false)) => {
                Some((PlanExpr::Not(Box::new(column(name))), format!("{name}!")))
            }
        };
        let mut group = Group::default();
        for item in items {
            let mut one = self.set_item(item)?;
            let reads = one.columns.iter().any(|(value, _)| reads_graph(value));
            if reads {
                // What is read is what the items before left, and what this item did for the rows before.
                self.flush(std::mem::take(&mut group), &condition)?;
                let (rows, _) = self.freeze("SET")?;
                one = self.set_item(item)?;
                let step = self.written.borrow().steps.len();
                if let Some(element) = self.target_column(item).filter(|_| !one.items.is_empty()) {
                    self.written.borrow_mut().rounds.insert(step, (rows, element));
                }
                self.flush(one, &condition)?;
                continue;
            }
            group.items.extend(one.items);
            group.columns.extend(one.columns);
        }
        self.flush(group, &condition)
    }

    /// The column of the variable an item changes.
    fn target_column(&self, item: &SetItem) -> Option<String> {
        let name = match item {
            SetItem::Property { target, .. } | SetItem::DynamicProperty { target, .. } => {
                match &target.kind {
                    ExprKind::Variable(name) => name,
                    _ => return None,
                }
            }
            SetItem::Replace { variable, .. }
            | SetItem::Merge { variable, .. }
            | SetItem::Labels { variable, .. } => variable,
        };
        match &self.find(&name.text)?.expr {
            PlanExpr::Column(column) => Some(column.name.clone()),
            _ => None,
        }
    }

    fn flush(
        &mut self,
        group: Group,
        condition: &Option<(PlanExpr, String)>,
    ) -> Result<(), PgError> {
        let Group { mut items, mut columns } = group;
        if items.is_empty() {
            return Ok(());
        }
        if let Some((value, name)) = condition {
            if !matches!(value, PlanExpr::Column(_)) {
                columns.push((value.clone(), name.clone()));
            }
            for item in &mut items {
                item.condition = Some(name.clone());
            }
        }
        self.with_columns(columns)?;
        self.write("SET", GraphAction::Set { items }, Vec::new())
    }

    fn set_item(&mut self, item: &SetItem) -> Result<Group, PgError> {
        let mut group = Group::default();
        match item {
            SetItem::Property { target, key, value, span } => {
                let target = self.expr(target)?;
                let value = self.property_value(value)?;
                self.set_property(target, key, value, *span, &mut group)?;
            }
            SetItem::DynamicProperty { target, key, value, span } => {
                let target = self.expr(target)?;
                let value = self.property_value(value)?;
                self.set_dynamic(target, key, value, *span, &mut group)?;
            }
            SetItem::Replace { variable, value, span } => {
                self.set_map(variable, value, true, *span, &mut group)?;
            }
            SetItem::Merge { variable, value, span } => {
                self.set_map(variable, value, false, *span, &mut group)?;
            }
            SetItem::Labels { variable, labels, span } => {
                let names = labels.iter().map(|label| label.text.clone()).collect();
                self.change_labels(variable, names, Vec::new(), *span, &mut group)?;
            }
        }
        Ok(group)
    }

    /// The element an item is about; `None` for null, about which nothing is done.
    fn set_target(
        &mut self,
        target: Typed,
        span: Span,
        group: &mut Group,
    ) -> Result<Option<ValueColumn>, PgError> {
        let target = self.normalized(target);
        match &target.ty {
            CypherType::Node | CypherType::Relationship | CypherType::Any => {
                Ok(Some(self.value_column(target, &mut group.columns)))
            }
            CypherType::Null => Ok(None),
            ty => Err(error::wrong_type(
                format!("a node or relationship is needed, not a value of type {ty}"),
                span,
            )),
        }
    }

    fn set_property(
        &mut self,
        target: Typed,
        key: &Name,
        value: Typed,
        span: Span,
        group: &mut Group,
    ) -> Result<(), PgError> {
        let Some(element) = self.set_target(target, span, group)? else { return Ok(()) };
        let edge = element.ty == CypherType::Relationship;
        let value = self.expected(value, edge, &key.text);
        self.note(&element, &key.text, &value.ty);
        let name = self.property_name(&key.text, edge);
        let value = self.value_column(value, &mut group.columns);
        let change = ElementChange::Property(name, value);
        group.items.push(SetAction { element, change, condition: None });
        Ok(())
    }

    /// A property's exact name: in a typed graph perhaps in lower case.
    fn property_name(&self, name: &str, edge: bool) -> String {
        let Ok(graph) = self.graph() else { return name.to_owned() };
        match crate::planner::bind::graph::names::cypher_property(graph, name, edge) {
            Some(property) if graph.open.is_none() => property.name.clone(),
            _ => name.to_owned(),
        }
    }

    fn note(&self, element: &ValueColumn, name: &str, ty: &CypherType) {
        let mut written = self.written.borrow_mut();
        match element.ty {
            CypherType::Node => written.note(false, name, ty),
            CypherType::Relationship => written.note(true, name, ty),
            _ => {
                written.note(false, name, ty);
                written.note(true, name, ty);
            }
        }
    }

    fn note_any(&self, element: &ValueColumn) {
        let mut written = self.written.borrow_mut();
        if element.ty != CypherType::Relationship {
            written.note_any(false);
        }
        if element.ty != CypherType::Node {
            written.note_any(true);
        }
    }

    fn set_dynamic(
        &mut self,
        target: Typed,
        key: &Expr,
        value: Typed,
        span: Span,
        group: &mut Group,
    ) -> Result<(), PgError> {
        let Some(element) = self.set_target(target, span, group)? else { return Ok(()) };
        let bound = self.expr(key)?;
        let bound = self.expect(bound, &CypherType::String);
        let bound = self.normalized(bound);
        if !matches!(bound.ty, CypherType::String | CypherType::Any) {
            return Err(error::wrong_type(
                format!("a key must be a STRING, not {}", bound.ty),
                key.span,
            ));
        }
        self.note_any(&element);
        let key = self.value_column(bound, &mut group.columns);
        let value = self.value_column(value, &mut group.columns);
        let change = ElementChange::Dynamic(key, value);
        group.items.push(SetAction { element, change, condition: None });
        Ok(())
    }

    fn set_map(
        &mut self,
        variable: &Name,
        value: &Expr,
        replace: bool,
        span: Span,
        group: &mut Group,
    ) -> Result<(), PgError> {
        let target = self.variable(variable)?;
        let bound = self.expr(value)?;
        let Some(element) = self.set_target(target, span, group)? else { return Ok(()) };
        let bound = self.normalized(bound);
        match &bound.ty {
            CypherType::Map(fields) => {
                for (name, ty) in fields {
                    self.note(&element, name, ty);
                }
            }
            CypherType::Null => {}
            _ => self.note_any(&element),
        }
        let map = self.map_value(bound, value.span)?;
        let map = self.value_column(map, &mut group.columns).name;
        let change = ElementChange::Properties { replace, map };
        group.items.push(SetAction { element, change, condition: None });
        Ok(())
    }

    /// All properties of an element as a map.
    pub(super) fn properties_of(&mut self, element: Typed) -> Result<Typed, PgError> {
        let edge = element.ty == CypherType::Relationship;
        let graph = self.graph()?;
        if graph.open.is_some() {
            let kind = GraphFunctionKind::PropertyMap { edge };
            return Ok(Typed::new(GraphFunction::call(graph, kind, element.expr), CypherType::Any));
        }
        let kind = GraphFunctionKind::Properties { edge };
        let json = GraphFunction::call(graph, kind, element.expr);
        Ok(crate::planner::bind::cypher::expression::from_json(json))
    }

    fn change_labels(
        &mut self,
        variable: &Name,
        add: Vec<String>,
        remove: Vec<String>,
        span: Span,
        group: &mut Group,
    ) -> Result<(), PgError> {
        let target = self.variable(variable)?;
        if target.ty == CypherType::Relationship {
            return Err(error::wrong_type("a relationship has no labels to change", span));
        }
        let Some(element) = self.set_target(target, span, group)? else { return Ok(()) };
        self.written.borrow_mut().labels_moved = true;
        let change = ElementChange::Labels { add, remove };
        group.items.push(SetAction { element, change, condition: None });
        Ok(())
    }

    pub(super) fn remove_clause(&mut self, items: &[RemoveItem]) -> Result<(), PgError> {
        let mut all = Group::default();
        for item in items {
            let mut group = Group::default();
            match item {
                RemoveItem::Property { target, key, span } => {
                    let target = self.expr(target)?;
                    self.set_property(target, key, Typed::null(), *span, &mut group)?;
                }
                RemoveItem::DynamicProperty { target, key, span } => {
                    let target = self.expr(target)?;
                    self.set_dynamic(target, key, Typed::null(), *span, &mut group)?;
                }
                RemoveItem::Labels { variable, labels, span } => {
                    let names = labels.iter().map(|label| label.text.clone()).collect();
                    self.change_labels(variable, Vec::new(), names, *span, &mut group)?;
                }
            }
            all.items.extend(group.items);
            all.columns.extend(group.columns);
        }
        self.flush(all, &None)
    }
}
