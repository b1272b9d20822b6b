//! What the functions that stand behind operators, casts and types mean, in SQL.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::super::type_facts::{parse, table};
use super::function::{Function, function, functions};
use super::name::{quote_identifier, type_typname};
use crate::types::Oid;

/// A function as an expression over its arguments, `$1` and `$2`.
#[derive(Debug)]
pub struct FunctionForm {
    /// The expression.
    pub text: String,
    /// Types that arguments without one take; none where several functions have the name.
    pub arguments: Option<Vec<String>>,
}

/// What a built-in function of this name and number of arguments means, if it is the function of an operator
/// (`int4pl`), of a cast (`float8`), or the input or output function of a type (`int4in`).
pub fn function_form(name: &str, arguments: usize) -> Option<&'static FunctionForm> {
    FORMS.get(name)?.get(&arguments)
}

static FORMS: LazyLock<HashMap<&'static str, HashMap<usize, FunctionForm>>> = LazyLock::new(|| {
    let mut forms: HashMap<&'static str, HashMap<usize, FunctionForm>> = HashMap::new();
    for (function, text) in all_forms() {
        let types = || function.inputs.iter().map(|ty| type_word(*ty)).collect();
        forms
            .entry(function.name)
            .or_default()
            .entry(function.inputs.len())
            .and_modify(|form| form.arguments = None)
            .or_insert_with(|| FunctionForm { text, arguments: types() });
    }
    forms
});

fn type_word(ty: Oid) -> Option<String> {
    type_typname(ty).map(|name| quote_identifier(&name))
}

fn all_forms() -> impl Iterator<Item = (&'static Function, String)> {
    operators().chain(casts()).chain(input_and_output()).chain(orders()).chain(extremes())
}

type Forms = Box<dyn Iterator<Item = (&'static Function, String)>>;

fn operators() -> Forms {
    Box::new(table("pg_operator", ["oprname", "oprkind", "oprcode"]).filter_map(
        |[name, kind, code]| {
            let text = match kind {
                "l" => format!("({name} $1)"),
                _ => format!("($1 {name} $2)"),
            };
            Some((function(parse(code)?)?, text))
        },
    ))
}

fn casts() -> Forms {
    Box::new(table("pg_cast", ["casttarget", "castfunc"]).filter_map(|[target, code]| {
        let function = function(parse(code)?)?;
        let target = type_word(parse(target)?)?;
        (function.inputs.len() == 1).then(|| (function, format!("CAST($1 AS {target})")))
    }))
}

fn input_and_output() -> Forms {
    Box::new(table("pg_type", ["typname", "typinput", "typoutput"]).flat_map(
        |[name, input, output]| {
            let one = |code| {
                let function = parse(code).and_then(function)?;
                (function.inputs.len() == 1).then_some(function)
            };
            let reads = format!("CAST($1 AS {})", quote_identifier(name));
            let input = one(input).map(|function| (function, reads));
            let output = one(output).map(|function| (function, "CAST($1 AS cstring)".to_owned()));
            input.into_iter().chain(output)
        },
    ))
}

/// Whether both arguments are of one type.
fn compares(function: &Function) -> bool {
    matches!(function.inputs.as_slice(), [one, other] if one == other)
}

/// The functions by which B-trees order.
fn orders() -> Forms {
    Box::new(table("pg_amproc", ["amproc"]).filter_map(|[code]| {
        let function = function(parse(code)?).filter(|function| compares(function))?;
        Some((function, "graphwire_order($1, $2)".to_owned()))
    }))
}

/// The functions behind `max` and `min`; addresses of networks are ordered otherwise than their texts.
fn extremes() -> Forms {
    Box::new(functions().filter_map(|function| {
        let means = match function.name {
            name if name.starts_with("network") => None,
            name if name.ends_with("larger") => Some("graphwire_larger($1, $2)"),
            name if name.ends_with("smaller") => Some("graphwire_smaller($1, $2)"),
            _ => None,
        };
        Some((function, means.filter(|_| compares(function))?.to_owned()))
    }))
}
