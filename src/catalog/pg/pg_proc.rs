//! `pg_proc`: functions that `CREATE FUNCTION` made; those that are built in are fixed rows.

use super::batch::{Rows, Value, row};
use super::describe::acl_texts;
use super::rows::{Source, SystemRowsError};
use crate::catalog::acl::AclClass;
use crate::catalog::function::{FunctionResult, RoutineLanguage, SqlFunction};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// `pg_language.oid` of `sql`.
const SQL_LANGUAGE: Oid = Oid(14);
/// `pg_language.oid` of `plpgsql`.
const PLPGSQL_LANGUAGE: Oid = Oid(13_563);
/// `pg_type.oid` of `void` and `record`.
const VOID: Oid = Oid(2278);
const RECORD: Oid = Oid(2249);

fn oid_of(ty: &PgType) -> Oid {
    Oid(ty.oid())
}

/// The type a call gives, and whether it gives rows of it.
fn result(function: &SqlFunction) -> (Oid, bool) {
    match &function.result {
        FunctionResult::Void => (VOID, false),
        FunctionResult::Value(ty) => (oid_of(ty), false),
        FunctionResult::SetOf(ty) => (oid_of(ty), true),
        FunctionResult::Table(columns) | FunctionResult::Row(columns) => {
            let gives_rows = matches!(function.result, FunctionResult::Table(_));
            match columns.as_slice() {
                [(_, ty)] => (oid_of(ty), gives_rows),
                _ => (RECORD, gives_rows),
            }
        }
    }
}

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for function in source.catalog.functions.values() {
        let inputs: Vec<Oid> = function.argument_types().map(oid_of).collect();
        let (columns, mode) = match &function.result {
            FunctionResult::Table(columns) => (columns.as_slice(), "t"),
            FunctionResult::Row(columns) => (columns.as_slice(), "o"),
            _ => (&[][..], "t"),
        };
        let mut names: Vec<String> =
            function.arguments.iter().map(|one| one.name.clone().unwrap_or_default()).collect();
        names.extend(columns.iter().map(|(name, _)| name.clone()));
        let named = names.iter().any(|name| !name.is_empty());
        let input = |variadic: bool| if variadic { "v" } else { "i" };
        let (all, modes) = match columns {
            [] if !function.variadic() => (Value::Null, Value::Null),
            columns => {
                let types = inputs.iter().copied().chain(columns.iter().map(|(_, ty)| oid_of(ty)));
                let given = function.arguments.iter().map(|argument| input(argument.variadic));
                let modes = given.chain(columns.iter().map(|_| mode));
                let modes: Vec<String> = modes.map(str::to_owned).collect();
                (Value::from(types.collect::<Vec<_>>()), Value::from(modes))
            }
        };
        let (returned, returns_set) = result(function);
        let acl = source.catalog.stored_acl(AclClass::Function, function.oid);
        row!(out,
            oid: function.oid,
            proname: function.name.as_str(),
            pronamespace: function.schema,
            proowner: function.owner,
            prolang: match function.language {
                RoutineLanguage::Sql => SQL_LANGUAGE,
                RoutineLanguage::PlPgSql => PLPGSQL_LANGUAGE,
            },
            procost: 100.0f32,
            prorows: if returns_set { 1000.0f32 } else { 0.0f32 },
            provariadic: Oid::INVALID,
            prosupport: Oid::INVALID,
            prokind: if function.procedure { 'p' } else { 'f' },
            prosecdef: false,
            proleakproof: false,
            proisstrict: function.strict,
            proretset: returns_set,
            provolatile: function.volatility,
            proparallel: 'u',
            pronargs: i16::try_from(inputs.len()).unwrap_or(i16::MAX),
            pronargdefaults: 0i16,
            prorettype: returned,
            proargtypes: inputs.clone(),
            proallargtypes: all,
            proargmodes: modes,
            proargnames: named.then_some(names),
            proargdefaults: Value::Null,
            protrftypes: Value::Null,
            prosrc: function.body.as_str(),
            probin: Value::Null,
            prosqlbody: Value::Null,
            proconfig: Value::Null,
            proacl: acl.map(|acl| acl_texts(source.catalog, &acl)),
        );
    }
    Ok(())
}
