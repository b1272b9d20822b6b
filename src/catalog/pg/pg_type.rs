//! `pg_type`: built-in types (from the data file) and the row types of tables and views.

use super::batch::{Rows, Value, row};
use super::derived_oid;
use super::rows::{Source, SystemRowsError};
use crate::catalog::object::{Relation, RelationKind};
use crate::types::Oid;

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for relation in source.catalog.relations.values() {
        match &relation.kind {
            RelationKind::Table(_) | RelationKind::View(_) | RelationKind::MaterializedView(_) => {}
            // Row types of system tables are in the data file; a graph has no rows, a sequence no type since 15.
            RelationKind::System(_)
            | RelationKind::PropertyGraph(_)
            | RelationKind::Sequence(_) => continue,
        }
        let row_type = derived_oid::row_type(relation.oid);
        let array_type = derived_oid::row_array_type(relation.oid);
        push(
            out,
            relation,
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
            },
        )?;
        push(
            out,
            relation,
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
            },
        )?;
    }
    Ok(())
}

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
}

fn push(
    out: &mut Rows,
    relation: &Relation,
    composite: &Composite<'_>,
) -> Result<(), SystemRowsError> {
    let [input, output, receive, send] = composite.functions;
    row!(out,
        oid: composite.oid,
        typname: composite.name,
        typnamespace: relation.schema,
        typowner: relation.owner,
        typlen: -1i16,
        typbyval: false,
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
        typalign: 'd',
        typstorage: 'x',
        typnotnull: false,
        typbasetype: Oid::INVALID,
        typtypmod: -1,
        typndims: 0,
        typcollation: Oid::INVALID,
        typdefaultbin: Value::Null,
        typdefault: Value::Null,
        typacl: Value::Null,
    );
    Ok(())
}
