//! `pg_type`: built-in types (from the data file) and the row types of tables and views.

use super::batch::{Rows, Value, row};
use super::derived_oid;
use super::describe::acl_texts;
use super::rows::{Source, SystemRowsError};
use super::type_facts;
use crate::catalog::acl::AclClass;
use crate::catalog::object::RelationKind;
use crate::catalog::{Catalog, Domain, TypeDefinition, UserType};
use crate::types::Oid;
use crate::types::pg_type::PgType;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for relation in source.catalog.relations.values() {
        match &relation.kind {
            RelationKind::Table(_) | RelationKind::View(_) | RelationKind::MaterializedView(_) => {}
            // Row types of system tables are in the data file; a graph has no rows, a sequence no type since 15.
            RelationKind::System(_)
            | RelationKind::PropertyGraph(_)
            | RelationKind::Sequence(_) => continue,
        }
        let place = Place { schema: relation.schema, owner: relation.owner, acl: None };
        let row_type = derived_oid::row_type(relation.oid);
        let array_type = derived_oid::row_array_type(relation.oid);
        push(
            out,
            &place,
            &Composite {
                oid: row_type,
                name: &relation.name,
                relation: relation.oid,
                category: 'C',
                typtype: 'c',
                subscript: Oid::INVALID,
                element: Oid::INVALID,
                array: array_type,
                functions: [RECORD_IN, RECORD_OUT, RECORD_RECV, RECORD_SEND],
                of_enum: false,
            },
        )?;
        push(
            out,
            &place,
            &Composite {
                oid: array_type,
                name: &format!("_{}", relation.name),
                relation: Oid::INVALID,
                category: 'A',
                typtype: 'b',
                subscript: ARRAY_SUBSCRIPT_HANDLER,
                element: row_type,
                array: Oid::INVALID,
                functions: [ARRAY_IN, ARRAY_OUT, ARRAY_RECV, ARRAY_SEND],
                of_enum: false,
            },
        )?;
    }
    source.catalog.types.values().try_for_each(|ty| match &ty.definition {
        TypeDefinition::Domain(domain) => domain_rows(source.catalog, ty, domain, out),
        TypeDefinition::Row(row) => row_rows(source.catalog, ty, row.relation, out),
        TypeDefinition::Enum(_) => enum_rows(source.catalog, ty, out),
        TypeDefinition::Hstore(_) => hstore_rows(source.catalog, ty, out),
    })
}

/// The array over a type that was made. `of_ints`: its elements are aligned as integers are, as enumerated values.
fn array_over(
    ty: &UserType,
    of_ints: bool,
    place: Place,
    out: &mut Rows,
) -> Result<(), SystemRowsError> {
    let over = Composite {
        oid: ty.array_oid(),
        name: &format!("_{}", ty.name()),
        relation: Oid::INVALID,
        category: 'A',
        typtype: 'b',
        subscript: ARRAY_SUBSCRIPT_HANDLER,
        element: ty.oid(),
        array: Oid::INVALID,
        functions: [ARRAY_IN, ARRAY_OUT, ARRAY_RECV, ARRAY_SEND],
        of_enum: of_ints,
    };
    push(out, &place, &over)
}

/// A composite type and the array over it.
fn row_rows(
    catalog: &Catalog,
    ty: &UserType,
    relation: Oid,
    out: &mut Rows,
) -> Result<(), SystemRowsError> {
    let acl = catalog.stored_acl(AclClass::Type, ty.oid()).map(|acl| acl_texts(catalog, &acl));
    let place = Place { schema: ty.schema, owner: ty.owner, acl };
    let own = Composite {
        oid: ty.oid(),
        name: ty.name(),
        relation,
        category: 'C',
        typtype: 'c',
        subscript: Oid::INVALID,
        element: Oid::INVALID,
        array: ty.array_oid(),
        functions: [RECORD_IN, RECORD_OUT, RECORD_RECV, RECORD_SEND],
        of_enum: false,
    };
    push(out, &place, &own)?;
    array_over(ty, false, Place { acl: None, ..place }, out)
}

/// What `pg_type` says of a built-in type and a domain over it repeats.
struct Based {
    output: Oid,
    send: Oid,
}

/// Output and send functions of what a domain stands on, in the end.
fn based(ty: &PgType) -> Based {
    match ty {
        PgType::Enum(_) => return Based { output: ENUM_OUT, send: ENUM_SEND },
        PgType::Hstore => {
            let [_, output, _, send] = HSTORE_IO;
            return Based { output, send };
        }
        PgType::Array(_) => return Based { output: ARRAY_OUT, send: ARRAY_SEND },
        PgType::Row(_) => return Based { output: RECORD_OUT, send: RECORD_SEND },
        _ => {}
    }
    let row = type_facts::row("pg_type", Oid(ty.oid()), ["typoutput", "typsend"]);
    let number = |text: &str| type_facts::parse(text).unwrap_or(Oid::INVALID);
    row.map_or(Based { output: Oid::INVALID, send: Oid::INVALID }, |[output, send]| Based {
        output: number(output),
        send: number(send),
    })
}

/// A domain and the array over it.
fn domain_rows(
    catalog: &Catalog,
    ty: &UserType,
    domain: &Domain,
    out: &mut Rows,
) -> Result<(), SystemRowsError> {
    let acl = catalog.stored_acl(AclClass::Type, ty.oid()).map(|acl| acl_texts(catalog, &acl));
    let plain = domain.ty.base.plain();
    let (facts, based) = (type_facts::facts(&plain), based(&plain));
    let is_enum = matches!(plain, PgType::Enum(_));
    row!(out,
        oid: ty.oid(),
        typname: ty.name(),
        typnamespace: ty.schema,
        typowner: ty.owner,
        typlen: plain.typlen(),
        typbyval: facts.by_value || is_enum,
        typtype: 'd',
        typcategory: plain.category(),
        typispreferred: false,
        typisdefined: true,
        typdelim: ',',
        typrelid: Oid::INVALID,
        typsubscript: Oid::INVALID,
        typelem: Oid::INVALID,
        typarray: ty.array_oid(),
        typinput: DOMAIN_IN,
        typoutput: based.output,
        typreceive: DOMAIN_RECV,
        typsend: based.send,
        typmodin: Oid::INVALID,
        typmodout: Oid::INVALID,
        typanalyze: Oid::INVALID,
        typalign: facts.align,
        typstorage: if is_enum { 'p' } else { facts.storage },
        typnotnull: domain.not_null,
        typbasetype: Oid(domain.ty.base.oid()),
        typtypmod: domain.ty.base.typmod(),
        typndims: i32::from(matches!(domain.ty.base, PgType::Array(_))),
        typcollation: facts.collation,
        typdefaultbin: domain.default.as_deref(),
        typdefault: domain.default.as_deref(),
        typacl: acl,
    );
    let place = Place { schema: ty.schema, owner: ty.owner, acl: None };
    array_over(ty, facts.align == 'i', place, out)
}

const DOMAIN_IN: Oid = Oid(2597);
const DOMAIN_RECV: Oid = Oid(2598);

/// An enumerated type and the array over it.
fn enum_rows(catalog: &Catalog, ty: &UserType, out: &mut Rows) -> Result<(), SystemRowsError> {
    let functions = [ENUM_IN, ENUM_OUT, ENUM_RECV, ENUM_SEND];
    value_rows(catalog, ty, ('E', 'e', functions), out)
}

/// The type of the extension hstore, and the array over it.
fn hstore_rows(catalog: &Catalog, ty: &UserType, out: &mut Rows) -> Result<(), SystemRowsError> {
    value_rows(catalog, ty, ('U', 'b', HSTORE_IO), out)
}

/// A type of values without parts, of this category, `typtype` and functions, and the array over it.
fn value_rows(
    catalog: &Catalog,
    ty: &UserType,
    (category, typtype, functions): (char, char, [Oid; 4]),
    out: &mut Rows,
) -> Result<(), SystemRowsError> {
    let acl = catalog.stored_acl(AclClass::Type, ty.oid()).map(|acl| acl_texts(catalog, &acl));
    let place = Place { schema: ty.schema, owner: ty.owner, acl };
    let own = Composite {
        oid: ty.oid(),
        name: ty.name(),
        relation: Oid::INVALID,
        category,
        typtype,
        subscript: Oid::INVALID,
        element: Oid::INVALID,
        array: ty.array_oid(),
        functions,
        of_enum: true,
    };
    push(out, &place, &own)?;
    array_over(ty, true, Place { acl: None, ..place }, out)
}

/// Functions that `pg_proc` does not list, as no statement can call them.
const HSTORE_IO: [Oid; 4] = [Oid(13_804), Oid(13_805), Oid(13_806), Oid(13_807)];

const ENUM_IN: Oid = Oid(3506);
const ENUM_OUT: Oid = Oid(3507);
const ENUM_RECV: Oid = Oid(3532);
const ENUM_SEND: Oid = Oid(3533);

const RECORD_IN: Oid = Oid(2290);
const RECORD_OUT: Oid = Oid(2291);
const RECORD_RECV: Oid = Oid(2402);
const RECORD_SEND: Oid = Oid(2403);
const ARRAY_IN: Oid = Oid(750);
const ARRAY_OUT: Oid = Oid(751);
const ARRAY_RECV: Oid = Oid(2400);
const ARRAY_SEND: Oid = Oid(2401);
const ARRAY_SUBSCRIPT_HANDLER: Oid = Oid(6179);

/// The row type of a relation, or the array over it.
struct Composite<'a> {
    oid: Oid,
    name: &'a str,
    relation: Oid,
    category: char,
    typtype: char,
    subscript: Oid,
    element: Oid,
    array: Oid,
    /// Input, output, receive, send.
    functions: [Oid; 4],
    /// The array over an enumerated type.
    of_enum: bool,
}

/// Where a type is, whose it is, and who may use it.
struct Place {
    schema: Oid,
    owner: Oid,
    acl: Option<Vec<String>>,
}

fn push(out: &mut Rows, place: &Place, composite: &Composite<'_>) -> Result<(), SystemRowsError> {
    let [input, output, receive, send] = composite.functions;
    let is_enum = composite.typtype == 'e' || composite.of_enum;
    row!(out,
        oid: composite.oid,
        typname: composite.name,
        typnamespace: place.schema,
        typowner: place.owner,
        typlen: if composite.typtype == 'e' { 4i16 } else { -1i16 },
        typbyval: composite.typtype == 'e',
        typtype: composite.typtype,
        typcategory: composite.category,
        typispreferred: false,
        typisdefined: true,
        typdelim: ',',
        typrelid: composite.relation,
        typsubscript: composite.subscript,
        typelem: composite.element,
        typarray: composite.array,
        typinput: input,
        typoutput: output,
        typreceive: receive,
        typsend: send,
        typmodin: Oid::INVALID,
        typmodout: Oid::INVALID,
        typanalyze: Oid::INVALID,
        typalign: if is_enum { 'i' } else { 'd' },
        typstorage: if composite.typtype == 'e' { 'p' } else { 'x' },
        typnotnull: false,
        typbasetype: Oid::INVALID,
        typtypmod: -1,
        typndims: 0,
        typcollation: Oid::INVALID,
        typdefaultbin: Value::Null,
        typdefault: Value::Null,
        typacl: place.acl.clone(),
    );
    Ok(())
}
