//! Which relations the system catalog has, and their columns.

use std::sync::LazyLock;

use crate::catalog::object::Column;
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// `pg_namespace.oid` of `pg_catalog`.
pub const PG_CATALOG_OID: Oid = Oid(11);
/// `pg_namespace.oid` of `public`.
pub const PUBLIC_OID: Oid = Oid(2200);
/// `pg_namespace.oid` of `information_schema`, as an unchanged PostgreSQL 15 has it.
pub const INFORMATION_SCHEMA_OID: Oid = Oid(13207);

/// `pg_namespace.oid` of `graphwire`, if it were listed there.
pub const GRAPHWIRE_OID: Oid = Oid(14500);

/// The predefined role `pg_database_owner`, which owns `public`.
pub const DATABASE_OWNER_ROLE: Oid = Oid(6171);

/// A relation of the system catalog that is computed when it is read.
#[derive(Debug, Clone)]
pub struct SystemRelation {
    /// `pg_catalog` or `information_schema`.
    pub schema: &'static str,
    /// Its name.
    pub name: &'static str,
    /// `pg_class.oid`, as in PostgreSQL.
    pub oid: Oid,
    /// `pg_class.relkind`: `r`, or `v` for what is a view in PostgreSQL.
    pub relkind: char,
    /// `pg_class.reltype`; 0 where its rows have no type.
    pub row_type: Oid,
    /// In order of `attnum`, which counts from 1.
    pub columns: Vec<Column>,
}

static DEFINITIONS: &str = include_str!("data/relations.tsv");

static SYSTEM_RELATIONS: LazyLock<Vec<SystemRelation>> = LazyLock::new(|| {
    lines().filter(|line| line.made_by == "rust").filter_map(|line| line.relation()).collect()
});

/// All computed relations, `pg_catalog` first.
pub fn system_relations() -> &'static [SystemRelation] {
    &SYSTEM_RELATIONS
}

/// The computed relation with this OID.
pub(super) fn system_relation(oid: Oid) -> Option<&'static SystemRelation> {
    system_relations().iter().find(|relation| relation.oid == oid)
}

/// The OID that PostgreSQL 15 gives to one of the views that `sql/` makes; bootstrap should give it
/// too, so that clients may cache it across databases and versions.
pub fn system_view_oid(schema: &str, name: &str) -> Option<Oid> {
    lines()
        .find(|line| line.made_by == "sql" && line.schema == schema && line.name == name)
        .and_then(|line| line.oid.parse().ok())
        .map(Oid)
}

/// One line of `relations.tsv`.
struct Line {
    schema: &'static str,
    oid: &'static str,
    name: &'static str,
    kind: &'static str,
    made_by: &'static str,
    row_type: &'static str,
    columns: &'static str,
}

fn lines() -> impl Iterator<Item = Line> {
    DEFINITIONS.lines().skip(1).filter_map(|line| {
        let mut fields = line.split('\t');
        let mut next = || fields.next();
        Some(Line {
            schema: next()?,
            oid: next()?,
            name: next()?,
            kind: next()?,
            made_by: next()?,
            row_type: next()?,
            columns: next()?,
        })
    })
}

impl Line {
    fn relation(&self) -> Option<SystemRelation> {
        Some(SystemRelation {
            schema: self.schema,
            name: self.name,
            oid: Oid(self.oid.parse().ok()?),
            relkind: self.kind.chars().next()?,
            row_type: Oid(self.row_type.parse().ok()?),
            columns: self
                .columns
                .split(' ')
                .zip(1i16..)
                .map(|(column, attnum)| parse_column(column, attnum))
                .collect::<Option<_>>()?,
        })
    }
}

/// `attname:name!`: a name, a type, and `!` for NOT NULL.
fn parse_column(text: &str, attnum: i16) -> Option<Column> {
    let (name, ty) = text.split_once(':')?;
    let not_null = ty.ends_with('!');
    Some(Column {
        attnum,
        name: name.to_owned(),
        ty: parse_type(ty.trim_end_matches('!'))?,
        not_null,
        default: None,
        comment: None,
        domain: None,
        collation: None,
    })
}

/// A `typname`: `int4`, `_int4`, `char` (the one-byte type).
fn parse_type(typname: &str) -> Option<PgType> {
    if let Some(element) = typname.strip_prefix('_') {
        return parse_type(element).map(PgType::array_of);
    }
    PgType::builtins().find(|ty| ty.typname() == typname).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_data_is_read() {
        let by_rust = lines().filter(|line| line.made_by == "rust").count();
        assert_eq!(system_relations().len(), by_rust);
        assert_eq!(lines().count(), DEFINITIONS.lines().count() - 1);
    }

    #[test]
    fn columns_have_postgresqls_names_and_types() {
        let pg_class = system_relation(Oid(1259)).expect("pg_class is defined");
        assert_eq!(
            (pg_class.name, pg_class.relkind, pg_class.row_type),
            ("pg_class", 'r', Oid(83))
        );
        assert_eq!(pg_class.columns.len(), 33);
        assert_eq!(pg_class.columns[1].ty, PgType::Name);
        assert_eq!(pg_class.columns[16].ty, PgType::InternalChar);
        assert!(pg_class.columns[16].not_null);
    }

    #[test]
    fn views_of_sql_have_oids() {
        assert!(system_view_oid("pg_catalog", "pg_tables").is_some());
        assert_eq!(system_view_oid("pg_catalog", "pg_class"), None);
    }
}
