//! `pg_constraint`: PRIMARY KEY, UNIQUE, CHECK and FOREIGN KEY of tables, CHECK of domains.

use std::sync::Arc;

use super::batch::{Rows, Value, row};
use super::describe::columns_in_expression;
use super::index_of::{attnums, indexes_of, stored};
use super::rows::{Source, SystemRowsError};
use super::type_facts;
use crate::catalog::object::{
    Constraint, ConstraintKind, ConstraintTiming, ForeignKeyAction, Relation, Table,
};
use crate::catalog::{Catalog, DomainCheck};
use crate::types::Oid;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for relation in source.catalog.relations.values() {
        let Some(table) = stored(relation) else { continue };
        for constraint in table.constraints.iter() {
            let place = Place { schema: relation.schema, relation: relation.oid, ty: Oid::INVALID };
            push(out, &place, constraint, Facts::of(source.catalog, table, constraint))?;
        }
    }
    for ty in source.catalog.types.values() {
        let place = Place { schema: ty.schema, relation: Oid::INVALID, ty: ty.oid() };
        for check in ty.domain().map_or(&[][..], |domain| &domain.checks) {
            push(out, &place, &as_constraint(check), Facts::of_domain(check))?;
        }
    }
    Ok(())
}

/// What a constraint is on.
struct Place {
    schema: Oid,
    relation: Oid,
    ty: Oid,
}

/// A domain's condition as one of a table.
fn as_constraint(check: &DomainCheck) -> Constraint {
    Constraint {
        oid: check.oid,
        name: check.name.clone(),
        kind: ConstraintKind::Check { condition: check.condition.clone() },
        timing: ConstraintTiming::NotDeferrable,
        validated: check.validated,
    }
}

/// The parts of a row in which kinds of constraints differ.
struct Facts<'a> {
    contype: char,
    index: Oid,
    columns: Vec<i16>,
    /// `connoinherit`.
    only_here: bool,
    condition: Option<&'a str>,
    foreign: Option<Foreign>,
}

/// What only a foreign key has.
struct Foreign {
    referenced: Oid,
    on_update: char,
    on_delete: char,
    match_type: char,
    /// `confdelsetcols`
    delete_columns: Vec<i16>,
    columns: Vec<i16>,
    /// Referenced = referring, referenced = referenced, referring = referring.
    operators: [Vec<Oid>; 3],
}

impl<'a> Facts<'a> {
    fn of(catalog: &Catalog, table: &Table, constraint: &'a Constraint) -> Self {
        match &constraint.kind {
            ConstraintKind::PrimaryKey { columns, index, .. } => {
                Self::key('p', *index, attnums(table, columns))
            }
            ConstraintKind::Unique { columns, index, .. } => {
                Self::key('u', *index, attnums(table, columns))
            }
            ConstraintKind::Check { condition } => Self {
                only_here: false,
                condition: Some(condition),
                ..Self::key('c', Oid::INVALID, check_columns(table, condition))
            },
            ConstraintKind::ForeignKey {
                columns,
                referenced,
                referenced_columns,
                on_update,
                on_delete,
                delete_columns,
                match_full,
            } => {
                let target = catalog.relation(*referenced);
                let index = target.map(|target| referenced_index(target, referenced_columns));
                let pair = target.and_then(|target| stored(target)).map(|target| ForeignPair {
                    from: table,
                    columns,
                    to: target,
                    referenced_columns,
                });
                let foreign = Foreign {
                    referenced: *referenced,
                    on_update: action(*on_update),
                    on_delete: action(*on_delete),
                    match_type: if *match_full { 'f' } else { 's' },
                    delete_columns: attnums(table, delete_columns),
                    columns: pair
                        .map_or_else(Vec::new, |pair| attnums(pair.to, pair.referenced_columns)),
                    operators: pair.map_or_else(Default::default, ForeignPair::operators),
                };
                Self {
                    foreign: Some(foreign),
                    ..Self::key('f', index.unwrap_or(Oid::INVALID), attnums(table, columns))
                }
            }
        }
    }

    fn of_domain(check: &'a DomainCheck) -> Self {
        Self {
            only_here: false,
            condition: Some(&check.condition),
            ..Self::key('c', Oid::INVALID, Vec::new())
        }
    }

    fn key(contype: char, index: Oid, columns: Vec<i16>) -> Self {
        Self { contype, index, columns, only_here: true, condition: None, foreign: None }
    }
}

impl Default for Foreign {
    /// What the columns hold for other constraints.
    fn default() -> Self {
        Self {
            referenced: Oid::INVALID,
            on_update: ' ',
            on_delete: ' ',
            match_type: ' ',
            delete_columns: Vec::new(),
            columns: Vec::new(),
            operators: Default::default(),
        }
    }
}

/// Columns at both ends of a foreign key.
#[derive(Clone, Copy)]
struct ForeignPair<'a> {
    from: &'a Table,
    columns: &'a [usize],
    to: &'a Table,
    referenced_columns: &'a [usize],
}

impl ForeignPair<'_> {
    fn operators(self) -> [Vec<Oid>; 3] {
        let mut operators: [Vec<Oid>; 3] = Default::default();
        for (from, to) in self.columns.iter().zip(self.referenced_columns) {
            let (Some(from), Some(to)) = (self.from.columns.get(*from), self.to.columns.get(*to))
            else {
                continue;
            };
            let [across, referenced, referring] = &mut operators;
            across.push(type_facts::equality_operator(&to.ty, &from.ty));
            referenced.push(type_facts::equality_operator(&to.ty, &to.ty));
            referring.push(type_facts::equality_operator(&from.ty, &from.ty));
        }
        operators
    }
}

/// The key of the referenced table that a foreign key rests on: its columns in any order.
fn referenced_index(target: &Arc<Relation>, columns: &[usize]) -> Oid {
    let Some(table) = stored(target) else { return Oid::INVALID };
    indexes_of(target)
        .find(|index| index.unique && index.is_over(table, columns))
        .map_or(Oid::INVALID, |index| index.oid)
}

fn check_columns(table: &Table, condition: &str) -> Vec<i16> {
    attnums(table, &columns_in_expression(table, condition))
}

fn action(action: ForeignKeyAction) -> char {
    match action {
        ForeignKeyAction::NoAction => 'a',
        ForeignKeyAction::Restrict => 'r',
        ForeignKeyAction::Cascade => 'c',
        ForeignKeyAction::SetNull => 'n',
        ForeignKeyAction::SetDefault => 'd',
    }
}

fn push(
    out: &mut Rows,
    place: &Place,
    constraint: &Constraint,
    facts: Facts<'_>,
) -> Result<(), SystemRowsError> {
    let foreign = facts.foreign;
    let is_foreign = foreign.is_some();
    let foreign = foreign.unwrap_or_default();
    let [across, referenced_eq, referring_eq] = foreign.operators;
    row!(out,
        oid: constraint.oid,
        conname: constraint.name.as_str(),
        connamespace: place.schema,
        contype: facts.contype,
        condeferrable: constraint.timing != ConstraintTiming::NotDeferrable,
        condeferred: constraint.timing == ConstraintTiming::InitiallyDeferred,
        convalidated: constraint.validated,
        conrelid: place.relation,
        contypid: place.ty,
        conindid: facts.index,
        conparentid: Oid::INVALID,
        confrelid: foreign.referenced,
        confupdtype: foreign.on_update,
        confdeltype: foreign.on_delete,
        confmatchtype: foreign.match_type,
        conislocal: true,
        coninhcount: 0,
        connoinherit: facts.only_here,
        conkey: (!facts.columns.is_empty()).then_some(facts.columns),
        confkey: is_foreign.then_some(foreign.columns),
        conpfeqop: is_foreign.then_some(across),
        conppeqop: is_foreign.then_some(referenced_eq),
        conffeqop: is_foreign.then_some(referring_eq),
        confdelsetcols: (!foreign.delete_columns.is_empty()).then_some(foreign.delete_columns),
        conexclop: Value::Null,
        conbin: facts.condition,
    );
    Ok(())
}
