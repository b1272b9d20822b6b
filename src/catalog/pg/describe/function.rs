//! Built-in functions and operators in words.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::super::type_facts::{parse, row, table};
use super::name::{format_type, quote_identifier, schema_name, type_name};
use crate::catalog::{
    Catalog, FunctionArgument, FunctionResult, QualifiedName, RoutineLanguage, SqlFunction,
};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// A row of `pg_proc`.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub(super) oid: Oid,
    pub(super) name: &'static str,
    /// Types of the input arguments.
    pub(super) inputs: Vec<Oid>,
    arguments: Vec<Argument>,
    defaults: Vec<&'static str>,
    result: Oid,
    returns_set: bool,
    is_procedure: bool,
}

#[derive(Debug, Clone)]
struct Argument {
    ty: Oid,
    /// `i`, `o`, `b`, `v` or `t`, as in `proargmodes`.
    mode: char,
    name: &'static str,
}

impl Argument {
    fn is_input(&self) -> bool {
        matches!(self.mode, 'i' | 'b' | 'v')
    }
}

static FUNCTIONS: LazyLock<HashMap<Oid, Function>> = LazyLock::new(|| {
    let columns = [
        "oid",
        "proname",
        "proargtypes",
        "proallargtypes",
        "proargmodes",
        "proargnames",
        "proargdefaults",
        "prorettype",
        "proretset",
        "prokind",
        "pronargdefaults",
    ];
    table("pg_proc", columns).filter_map(read).map(|function| (function.oid, function)).collect()
});

fn read(row: [&'static str; 11]) -> Option<Function> {
    let [oid, name, inputs, all, modes, names, defaults, result, set, kind, default_count] = row;
    let inputs: Vec<Oid> = inputs.split(' ').filter_map(parse).collect();
    let types = if all == "\\N" { inputs.clone() } else { list(all).filter_map(parse).collect() };
    let mut modes = list(modes);
    let mut names = list(names);
    let arguments = types.into_iter().map(|ty| Argument {
        ty,
        mode: modes.next().and_then(|mode| mode.chars().next()).unwrap_or('i'),
        name: names.next().unwrap_or_default(),
    });
    let arguments = arguments.collect();
    let defaults: Vec<&str> =
        if defaults == "\\N" { Vec::new() } else { defaults.split(", ").collect() };
    let count = default_count.parse().unwrap_or(0);
    Some(Function {
        oid: parse(oid)?,
        name,
        inputs,
        arguments,
        // A default that holds a comma cannot be told from two; then none is shown.
        defaults: if defaults.len() == count { defaults } else { Vec::new() },
        result: parse(result)?,
        returns_set: set == "t",
        is_procedure: kind == "p",
    })
}

/// The elements of `{a,b,""}`; none for null.
fn list(text: &'static str) -> impl Iterator<Item = &'static str> {
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    inner.into_iter().flat_map(|inner| inner.split(',')).map(|element| element.trim_matches('"'))
}

pub(super) fn function(oid: Oid) -> Option<&'static Function> {
    FUNCTIONS.get(&oid)
}

/// All built-in functions.
pub(super) fn functions() -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.values()
}

pub(super) fn exists(oid: Oid) -> bool {
    FUNCTIONS.contains_key(&oid)
}

/// A parameter of a function, as `information_schema.parameters` lists it.
pub(in crate::catalog::pg) struct Parameter {
    /// Name and OID of the function, with an underscore between.
    pub(in crate::catalog::pg) specific_name: String,
    /// From 1.
    pub(in crate::catalog::pg) ordinal: i32,
    pub(in crate::catalog::pg) mode: &'static str,
    pub(in crate::catalog::pg) name: Option<&'static str>,
    pub(in crate::catalog::pg) ty: Oid,
    pub(in crate::catalog::pg) default: Option<&'static str>,
}

/// The parameters of all functions, in the order of the functions' OIDs.
pub(in crate::catalog::pg) fn parameters() -> Vec<Parameter> {
    let mut functions: Vec<&Function> = FUNCTIONS.values().collect();
    functions.sort_unstable_by_key(|function| function.oid);
    functions.into_iter().flat_map(parameters_of).collect()
}

fn parameters_of(function: &'static Function) -> impl Iterator<Item = Parameter> {
    let inputs = function.arguments.iter().filter(|argument| argument.is_input()).count();
    let first_default = inputs.saturating_sub(function.defaults.len());
    let mut input = 0usize;
    function.arguments.iter().zip(1..).map(move |(argument, ordinal)| {
        let place = argument.is_input().then_some(input);
        input += usize::from(argument.is_input());
        let default = place.and_then(|place| place.checked_sub(first_default));
        Parameter {
            specific_name: format!("{}_{}", function.name, function.oid),
            ordinal,
            mode: match argument.mode {
                'o' | 't' => "OUT",
                'b' => "INOUT",
                _ => "IN",
            },
            name: (!argument.name.is_empty()).then_some(argument.name),
            ty: argument.ty,
            default: default.and_then(|n| function.defaults.get(n)).copied(),
        }
    })
}

/// Functions of this name.
pub(super) fn named(name: &str) -> impl Iterator<Item = &'static Function> {
    static NAMES: LazyLock<HashMap<&'static str, Vec<&'static Function>>> = LazyLock::new(|| {
        let mut names: HashMap<&'static str, Vec<&'static Function>> = HashMap::new();
        for function in FUNCTIONS.values() {
            names.entry(function.name).or_default().push(function);
        }
        names
    });
    NAMES.get(name).map(Vec::as_slice).unwrap_or_default().iter().copied()
}

/// The name of a function and the types of its input arguments.
pub fn function_inputs(oid: Oid) -> Option<(&'static str, &'static [Oid])> {
    function(oid).map(|function| (function.name, function.inputs.as_slice()))
}

/// The functions of this name and number of input arguments, with the arguments' types.
pub fn function_overloads(
    name: &str,
    inputs: usize,
) -> impl Iterator<Item = (Oid, &'static [Oid])> {
    named(name)
        .filter(move |function| function.inputs.len() == inputs)
        .map(|function| (function.oid, function.inputs.as_slice()))
}

/// A function as `regproc` prints it: with its schema where the name alone means several.
pub fn function_name(catalog: &Catalog, oid: Oid, search_path: &[String]) -> Option<String> {
    if let Some(made) = catalog.functions.get(&oid) {
        return Some(made_name(catalog, made, search_path));
    }
    let function = function(oid)?;
    let name = quote_identifier(function.name);
    let is_unique = named(function.name).nth(1).is_none();
    Some(if is_unique { name } else { format!("pg_catalog.{name}") })
}

/// Arguments of a function that was made, with their names.
fn made_arguments(catalog: &Catalog, function: &SqlFunction, search_path: &[String]) -> String {
    let ty = |ty: &PgType| shown_type(catalog, ty, search_path);
    let out = match &function.result {
        FunctionResult::Row(columns) => columns.as_slice(),
        _ => &[],
    };
    // What is given and comes back is both an argument and a column.
    let is_both = |name: &str| {
        let named = |one: &FunctionArgument| one.name.as_deref() == Some(name);
        !name.is_empty()
            && out.iter().any(|(column, _)| column == name)
            && function.arguments.iter().any(named)
    };
    let shown = function.arguments.iter().map(|argument| {
        let both = argument.name.as_deref().is_some_and(is_both);
        let mode = match (argument.variadic, both) {
            (true, _) => "VARIADIC ",
            (false, true) => "INOUT ",
            // So that DROP PROCEDURE can be written of it.
            (false, false) if function.procedure => "IN ",
            (false, false) => "",
        };
        let name = argument.name.as_ref().map(|name| quote_identifier(name) + " ");
        let default = argument.default.as_ref().map(|default| format!(" DEFAULT {default}"));
        let (name, default) = (name.unwrap_or_default(), default.unwrap_or_default());
        format!("{mode}{name}{}{default}", ty(&argument.ty))
    });
    let out = out.iter().filter(|(name, _)| !is_both(name)).map(|(name, of)| match name.as_str() {
        "" => format!("OUT {}", ty(of)),
        name => format!("OUT {} {}", quote_identifier(name), ty(of)),
    });
    shown.chain(out).collect::<Vec<_>>().join(", ")
}

/// A type's name, with its schema where the search path does not find it.
fn shown_type(catalog: &Catalog, ty: &PgType, search_path: &[String]) -> String {
    let oid = Oid(ty.oid());
    let own = catalog.user_type(oid).and_then(|_| type_name(catalog, oid, search_path));
    own.unwrap_or_else(|| ty.name())
}

fn made_result(catalog: &Catalog, function: &SqlFunction, search_path: &[String]) -> String {
    let shown = |ty: &PgType| shown_type(catalog, ty, search_path);
    match &function.result {
        FunctionResult::Void => "void".to_owned(),
        FunctionResult::Row(columns) => match columns.as_slice() {
            [(_, ty)] => shown(ty),
            _ => "record".to_owned(),
        },
        FunctionResult::Value(ty) => shown(ty),
        FunctionResult::SetOf(ty) => format!("SETOF {}", shown(ty)),
        FunctionResult::Table(columns) => {
            let columns = columns
                .iter()
                .map(|(name, ty)| format!("{} {}", quote_identifier(name), shown(ty)));
            format!("TABLE({})", columns.collect::<Vec<_>>().join(", "))
        }
    }
}

/// `pg_get_functiondef`, of a function that was made.
pub fn function_definition(catalog: &Catalog, oid: Oid, search_path: &[String]) -> Option<String> {
    let made = catalog.functions.get(&oid)?;
    let kind = if made.procedure { "PROCEDURE" } else { "FUNCTION" };
    let name = match schema_name(catalog, made.schema) {
        Some(schema) => format!("{schema}.{}", quote_identifier(&made.name)),
        None => quote_identifier(&made.name),
    };
    let arguments = made_arguments(catalog, made, search_path);
    let mut text = format!("CREATE OR REPLACE {kind} {name}({arguments})\n");
    if !made.procedure {
        text.push_str(&format!(" RETURNS {}\n", made_result(catalog, made, search_path)));
    }
    text.push_str(match made.language {
        RoutineLanguage::Sql => " LANGUAGE sql\n",
        RoutineLanguage::PlPgSql => " LANGUAGE plpgsql\n",
    });
    let volatility = match made.volatility {
        'i' => " IMMUTABLE",
        's' => " STABLE",
        _ => "",
    };
    let strict = if made.strict { " STRICT" } else { "" };
    if !volatility.is_empty() || made.strict {
        text.push_str(&format!("{volatility}{strict}\n"));
    }
    let mut quote = format!("${}", kind.to_lowercase());
    while made.body.contains(&quote) {
        quote.push('x');
    }
    text.push_str(&format!("AS {quote}${}{quote}$\n", made.body));
    Some(text)
}

/// A made function's name, with its schema where the search path finds others of the name.
fn made_name(catalog: &Catalog, function: &SqlFunction, search_path: &[String]) -> String {
    let name = quote_identifier(&function.name);
    let alone = QualifiedName { schema: None, name: function.name.clone() };
    let found = catalog.functions_named(&alone, search_path);
    match schema_name(catalog, function.schema) {
        Some(schema) if !found.iter().any(|one| one.oid == function.oid) => {
            format!("{schema}.{name}")
        }
        _ => name,
    }
}

/// A function as `regprocedure` prints it: `lower(text)`.
pub fn function_signature(catalog: &Catalog, oid: Oid, search_path: &[String]) -> Option<String> {
    if let Some(made) = catalog.functions.get(&oid) {
        let types = made.argument_types().map(|ty| shown_type(catalog, ty, search_path));
        let types = types.collect::<Vec<_>>().join(",");
        return Some(format!("{}({types})", made_name(catalog, made, search_path)));
    }
    let function = function(oid)?;
    let types = function.inputs.iter().map(|ty| format_type(catalog, *ty, None));
    let types = types.collect::<Vec<_>>().join(",");
    Some(format!("{}({types})", quote_identifier(function.name)))
}

/// `pg_get_function_arguments`.
pub fn function_arguments(catalog: &Catalog, oid: Oid, search_path: &[String]) -> Option<String> {
    if let Some(made) = catalog.functions.get(&oid) {
        return Some(made_arguments(catalog, made, search_path));
    }
    Some(arguments(catalog, function(oid)?, true))
}

/// `pg_get_function_identity_arguments`.
pub fn function_identity_arguments(
    catalog: &Catalog,
    oid: Oid,
    search_path: &[String],
) -> Option<String> {
    if let Some(made) = catalog.functions.get(&oid) {
        return Some(made_arguments(catalog, made, search_path));
    }
    Some(arguments(catalog, function(oid)?, false))
}

fn arguments(catalog: &Catalog, function: &Function, with_defaults: bool) -> String {
    let inputs = function.arguments.iter().filter(|argument| argument.is_input()).count();
    let first_default = inputs.saturating_sub(function.defaults.len());
    let mut input = 0usize;
    let mut parts = Vec::new();
    for argument in function.arguments.iter().filter(|argument| argument.mode != 't') {
        let mut part = match argument.mode {
            'o' => "OUT ".to_owned(),
            'b' => "INOUT ".to_owned(),
            'v' => "VARIADIC ".to_owned(),
            _ => String::new(),
        };
        if !argument.name.is_empty() {
            part.push_str(&quote_identifier(argument.name));
            part.push(' ');
        }
        part.push_str(&format_type(catalog, argument.ty, None));
        if argument.is_input() {
            let default = input.checked_sub(first_default).and_then(|n| function.defaults.get(n));
            if let Some(default) = default.filter(|_| with_defaults) {
                part.push_str(&format!(" DEFAULT {default}"));
            }
            input += 1;
        }
        parts.push(part);
    }
    parts.join(", ")
}

/// `pg_get_function_result`; `None` for procedures too.
pub fn function_result(catalog: &Catalog, oid: Oid, search_path: &[String]) -> Option<String> {
    if let Some(made) = catalog.functions.get(&oid) {
        return (!made.procedure).then(|| made_result(catalog, made, search_path));
    }
    let function = function(oid).filter(|function| !function.is_procedure)?;
    let columns = function.arguments.iter().filter(|argument| argument.mode == 't');
    let columns = columns.map(|column| {
        format!("{} {}", quote_identifier(column.name), format_type(catalog, column.ty, None))
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    if !columns.is_empty() {
        return Some(format!("TABLE({columns})"));
    }
    let result = format_type(catalog, function.result, None);
    Some(if function.returns_set { format!("SETOF {result}") } else { result })
}

/// An operator as `regoper` prints it.
pub fn operator_name(oid: Oid) -> Option<String> {
    let [name] = row("pg_operator", oid, ["oprname"])?;
    let is_unique = table("pg_operator", ["oprname"]).filter(|[row]| *row == name).nth(1).is_none();
    Some(if is_unique { name.to_owned() } else { format!("pg_catalog.{name}") })
}

/// An operator as `regoperator` prints it: `=(integer,integer)`.
pub fn operator_signature(catalog: &Catalog, oid: Oid) -> Option<String> {
    let [name, left, right] = row("pg_operator", oid, ["oprname", "oprleft", "oprright"])?;
    let side = |ty: &str| match parse(ty) {
        Some(Oid::INVALID) | None => "NONE".to_owned(),
        Some(ty) => format_type(catalog, ty, None),
    };
    Some(format!("{name}({},{})", side(left), side(right)))
}
