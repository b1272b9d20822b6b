//! Indexes: those behind PRIMARY KEY and UNIQUE constraints, and those that CREATE INDEX made.

use std::sync::Arc;

use super::type_facts;
use crate::catalog::Catalog;
use crate::catalog::object::{
    Column, Constraint, ConstraintKind, Index, IndexMethod, IndexSource, Relation, Table,
};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// An index of a stored table.
#[derive(Debug, Clone)]
pub(super) struct IndexOf<'a> {
    pub(super) oid: Oid,
    pub(super) relation: &'a Arc<Relation>,
    pub(super) table: &'a Table,
    pub(super) origin: Origin<'a>,
    pub(super) keys: Vec<Key<'a>>,
    /// Positions of columns that are only carried.
    pub(super) include: &'a [usize],
    pub(super) primary: bool,
    pub(super) unique: bool,
    pub(super) nulls_not_distinct: bool,
    pub(super) predicate: Option<&'a str>,
    pub(super) method: IndexMethod,
}

/// What made an index.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    Constraint(&'a Constraint),
    Index(&'a Index),
}

/// One key of an index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) what: KeyOf<'a>,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
    pub(super) operator_class: Option<&'a str>,
}

/// What a key is.
#[derive(Debug, Clone, Copy)]
pub(super) enum KeyOf<'a> {
    Column(&'a Column),
    Expression { text: &'a str, ty: &'a PgType, name: &'a str },
}

impl<'a> IndexOf<'a> {
    /// `pg_class.relname` of the index.
    pub(super) fn name(&self) -> &'a str {
        match self.origin {
            Origin::Constraint(constraint) => &constraint.name,
            Origin::Index(index) => &index.name,
        }
    }

    /// The constraint it stands for, if any.
    pub(super) fn constraint(&self) -> Option<&'a Constraint> {
        match self.origin {
            Origin::Constraint(constraint) => Some(constraint),
            Origin::Index(_) => None,
        }
    }

    /// Columns it carries, after its keys.
    pub(super) fn included(&self) -> impl Iterator<Item = &'a Column> + use<'a> {
        let table = self.table;
        self.include.iter().filter_map(|at| table.columns.get(*at))
    }

    /// Number of its columns, carried ones included.
    pub(super) fn width(&self) -> usize {
        self.keys.len() + self.include.len()
    }

    /// Whether its keys are exactly these columns, in any order.
    pub(super) fn is_over(&self, table: &Table, positions: &[usize]) -> bool {
        let attnums = attnums(table, positions);
        self.keys.len() == attnums.len()
            && self.predicate.is_none()
            && self.keys.iter().all(|key| match key.what {
                KeyOf::Column(column) => attnums.contains(&column.attnum),
                KeyOf::Expression { .. } => false,
            })
    }
}

impl<'a> Key<'a> {
    fn plain(what: KeyOf<'a>) -> Self {
        Self { what, descending: false, nulls_first: false, operator_class: None }
    }

    /// The type that is compared.
    pub(super) fn ty(&self) -> &'a PgType {
        match self.what {
            KeyOf::Column(column) => &column.ty,
            KeyOf::Expression { ty, .. } => ty,
        }
    }

    /// `pg_index.indoption`
    pub(super) fn option(&self) -> i16 {
        i16::from(self.descending) | (i16::from(self.nulls_first) << 1)
    }

    /// `pg_index.indclass`
    pub(super) fn class(&self) -> Oid {
        match self.operator_class {
            Some(name) => type_facts::operator_class_named(name),
            None => type_facts::operator_class(self.ty()),
        }
    }

    /// The column as `pg_attribute` has it.
    pub(super) fn column(&self) -> Column {
        match self.what {
            KeyOf::Column(column) => Column { not_null: false, default: None, ..column.clone() },
            KeyOf::Expression { ty, name, .. } => Column {
                attnum: 0,
                name: name.to_owned(),
                ty: ty.clone(),
                not_null: false,
                default: None,
                comment: None,
                domain: None,
                collation: None,
            },
        }
    }
}

/// The relation's columns and constraints, if it is stored.
pub(super) fn stored(relation: &Relation) -> Option<&Table> {
    relation.table().map(AsRef::as_ref)
}

/// All indexes of the database, in the order of their tables.
pub(super) fn indexes(catalog: &Catalog) -> impl Iterator<Item = IndexOf<'_>> {
    catalog.relations.values().flat_map(indexes_of)
}

/// The indexes of one relation.
pub(super) fn indexes_of(relation: &Arc<Relation>) -> impl Iterator<Item = IndexOf<'_>> {
    stored(relation).into_iter().flat_map(move |table| {
        let behind = table
            .constraints
            .iter()
            .filter_map(move |constraint| of_constraint(relation, table, constraint));
        behind.chain(table.indexes.iter().map(move |index| of_index(relation, table, index)))
    })
}

fn of_constraint<'a>(
    relation: &'a Arc<Relation>,
    table: &'a Table,
    constraint: &'a Constraint,
) -> Option<IndexOf<'a>> {
    let (columns, oid, include, primary, nulls_not_distinct) = match &constraint.kind {
        ConstraintKind::PrimaryKey { columns, index, include } => {
            (columns, *index, include, true, false)
        }
        ConstraintKind::Unique { columns, index, include, nulls_not_distinct } => {
            (columns, *index, include, false, *nulls_not_distinct)
        }
        ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. } => return None,
    };
    let columns = columns.iter().filter_map(|at| table.columns.get(*at));
    Some(IndexOf {
        oid,
        relation,
        table,
        origin: Origin::Constraint(constraint),
        keys: columns.map(|column| Key::plain(KeyOf::Column(column))).collect(),
        include,
        primary,
        unique: true,
        nulls_not_distinct,
        predicate: None,
        method: IndexMethod::Btree,
    })
}

fn of_index<'a>(relation: &'a Arc<Relation>, table: &'a Table, index: &'a Index) -> IndexOf<'a> {
    let keys = index.keys.iter().filter_map(|key| {
        let what = match &key.source {
            IndexSource::Column(at) => KeyOf::Column(table.columns.get(*at)?),
            IndexSource::Expression { text, ty, name } => KeyOf::Expression { text, ty, name },
        };
        let (descending, nulls_first) = (key.descending, key.nulls_first);
        Some(Key { what, descending, nulls_first, operator_class: key.operator_class.as_deref() })
    });
    IndexOf {
        oid: index.oid,
        relation,
        table,
        origin: Origin::Index(index),
        keys: keys.collect(),
        include: &index.include,
        primary: false,
        unique: index.unique,
        nulls_not_distinct: index.nulls_not_distinct,
        predicate: index.predicate.as_deref(),
        method: index.method,
    }
}

/// The index with this OID.
pub(super) fn index(catalog: &Catalog, oid: Oid) -> Option<IndexOf<'_>> {
    indexes_of(catalog.table_of_index(oid)?).find(|index| index.oid == oid)
}

/// Where an index is.
pub(in crate::catalog) struct IndexName<'a> {
    pub(in crate::catalog) oid: Oid,
    pub(in crate::catalog) table: Oid,
    pub(in crate::catalog) schema: Oid,
    pub(in crate::catalog) name: &'a str,
}

/// All indexes' places.
pub(in crate::catalog) fn index_names(catalog: &Catalog) -> impl Iterator<Item = IndexName<'_>> {
    indexes(catalog).map(|index| IndexName {
        oid: index.oid,
        table: index.relation.oid,
        schema: index.relation.schema,
        name: index.name(),
    })
}

/// `attnum` of columns at these positions.
pub(super) fn attnums(table: &Table, positions: &[usize]) -> Vec<i16> {
    positions.iter().filter_map(|position| table.columns.get(*position)).map(|c| c.attnum).collect()
}
