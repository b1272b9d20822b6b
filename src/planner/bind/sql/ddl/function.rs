//! `CREATE FUNCTION` and `CREATE PROCEDURE` in SQL and PL/pgSQL, `DROP` and `ALTER` of them.

use std::sync::Arc;

use sqlparser::ast::{
    AlterFunction, AlterFunctionOperation, ArgMode, ColumnOption, CreateFunction,
    CreateFunctionBody, DataType, DropBehavior, DropFunction, Expr, FunctionBehavior,
    FunctionCalledOnNull, FunctionDesc, FunctionReturnType, FunctionSecurity, Ident,
    OperateFunctionArg, Value,
};

use super::{DdlCommand, creation_schema, function_uses, owner_of};
use crate::catalog::{
    FunctionArgument, FunctionResult, QualifiedName, RoutineLanguage, SqlFunction,
};
use crate::error::{PgError, SqlState};
use crate::parser::PROCEDURE;
use crate::planner::bind::context::BindContext;
use crate::planner::bind::sql::function;
use crate::planner::bind::sql::names::{fold, qualified_name};
use crate::planner::bind::sql::types::sql_type;
use crate::types::Oid;
use crate::types::pg_type::PgType;

pub(super) fn create(
    context: &BindContext,
    create: &CreateFunction,
) -> Result<DdlCommand, PgError> {
    let language = refuse_foreign(create)?;
    let procedure = create.return_type.as_ref().is_some_and(is_procedure);
    let name = qualified_name(&create.name)?;
    let declared = create.args.as_deref().unwrap_or_default();
    if procedure && declared.iter().any(|one| matches!(one.mode, Some(ArgMode::Out))) {
        return Err(PgError::unsupported(
            "OUT arguments of procedures are not supported",
            "Declare them INOUT.",
        ));
    }
    let arguments = inputs(context, declared)?;
    let outputs = outputs(context, declared)?;
    let result = match (&create.return_type, outputs.is_empty()) {
        (Some(_), true) if procedure => FunctionResult::Void,
        (Some(_), false) if procedure => FunctionResult::Row(outputs),
        (Some(returned), true) => result(context, returned)?,
        (None, false) => FunctionResult::Row(outputs),
        (Some(returned), false) => declared_result(context, returned, outputs)?,
        (None, true) => {
            let message = "function result type must be specified";
            return Err(PgError::new(SqlState::INVALID_FUNCTION_DEFINITION, message));
        }
    };
    let volatility = match create.behavior {
        Some(FunctionBehavior::Immutable) => 'i',
        Some(FunctionBehavior::Stable) => 's',
        Some(FunctionBehavior::Volatile) | None => 'v',
    };
    let strict = matches!(
        create.called_on_null,
        Some(FunctionCalledOnNull::Strict | FunctionCalledOnNull::ReturnsNullOnNullInput)
    );
    let body = body(create)?;
    let runs = procedure || language == RoutineLanguage::PlPgSql || function::is_run(&body);
    let function = SqlFunction {
        oid: Oid::INVALID,
        schema: creation_schema(context, &name)?,
        name: name.name,
        owner: context.role,
        arguments,
        result,
        body,
        volatility,
        strict,
        language,
        runs,
        procedure,
    };
    refuse_unnamed_rows(&function)?;
    let replaces = replaced(context, create.or_replace, &function)?;
    // A dump makes functions before the tables that they read.
    let session = context.functions.session().as_ref();
    let checked = session.and_then(|one| one.setting("check_function_bodies"));
    match checked.as_deref() {
        Some("off") => function::parse_body(&function)?,
        // What it names is looked up when it runs.
        _ if runs => function::parse_body(&function)?,
        _ => {
            function::plan_body(context, &function)?;
        }
    }
    Ok(DdlCommand::CreateFunction { function: Box::new(function), replaces })
}

/// The result that the parser writes for `CREATE PROCEDURE`.
fn is_procedure(returned: &FunctionReturnType) -> bool {
    matches!(returned, FunctionReturnType::DataType(DataType::Custom(name, _))
        if name.0.last().and_then(|part| part.as_ident())
            .is_some_and(|ident| ident.value == PROCEDURE))
}

/// Rows whose columns only a call would tell.
fn refuse_unnamed_rows(function: &SqlFunction) -> Result<(), PgError> {
    let record = matches!(
        &function.result,
        FunctionResult::Value(PgType::Record) | FunctionResult::SetOf(PgType::Record)
    );
    match function.runs && record {
        true => Err(PgError::unsupported(
            "functions that return record are not supported",
            "Name the columns: RETURNS TABLE (…), or OUT arguments.",
        )),
        false => Ok(()),
    }
}

fn refuse_foreign(create: &CreateFunction) -> Result<RoutineLanguage, PgError> {
    let named = create.language.as_ref().map(fold);
    let unsupported = |what: String| {
        Err(PgError::unsupported(what, "Functions in LANGUAGE sql and plpgsql are."))
    };
    let language = match named.as_deref() {
        Some("sql") => RoutineLanguage::Sql,
        Some("plpgsql") => RoutineLanguage::PlPgSql,
        Some(other) => {
            return unsupported(format!("functions in language \"{other}\" are not supported"));
        }
        None => {
            let message = "no language specified";
            return Err(PgError::new(SqlState::INVALID_FUNCTION_DEFINITION, message));
        }
    };
    let foreign = create.or_alter
        || create.temporary
        || create.if_not_exists
        || create.using.is_some()
        || create.determinism_specifier.is_some()
        || create.options.is_some()
        || create.remote_connection.is_some()
        || !create.set_params.is_empty()
        || matches!(create.security, Some(FunctionSecurity::Definer));
    if foreign {
        return unsupported("this form of CREATE FUNCTION is not supported".to_owned());
    }
    let returned = create.return_type.as_ref().map(ToString::to_string);
    if matches!(returned.as_deref(), Some("trigger" | "event_trigger" | "TRIGGER")) {
        return unsupported("trigger functions are not supported".to_owned());
    }
    Ok(language)
}

/// The arguments that a call gives.
fn inputs(
    context: &BindContext,
    declared: &[OperateFunctionArg],
) -> Result<Vec<FunctionArgument>, PgError> {
    let wrong =
        |message: &'static str| Err(PgError::new(SqlState::INVALID_FUNCTION_DEFINITION, message));
    let mut found: Vec<FunctionArgument> = Vec::with_capacity(declared.len());
    for OperateFunctionArg { mode, name, data_type, default_expr } in declared {
        if matches!(mode, Some(ArgMode::Out)) {
            continue;
        }
        let variadic = matches!(mode, Some(ArgMode::Variadic));
        let ty = sql_type(context.types(), data_type)?.plain();
        if variadic && ty.element().is_none() {
            return wrong("VARIADIC parameter must be an array");
        }
        if found.last().is_some_and(|before| before.variadic) {
            return wrong("VARIADIC parameter must be the last input parameter");
        }
        match default_expr {
            Some(tree) => {
                function::bind_argument_default(context, tree, &ty)?;
            }
            None if !variadic && found.last().is_some_and(|before| before.default.is_some()) => {
                return wrong(
                    "input parameters after one with a default value must also have defaults",
                );
            }
            None => {}
        }
        let default = default_expr.as_ref().map(ToString::to_string);
        found.push(FunctionArgument {
            name: name.as_ref().map(argument_name),
            ty,
            default,
            variadic,
        });
    }
    Ok(found)
}

/// The columns that OUT and INOUT arguments make.
fn outputs(
    context: &BindContext,
    declared: &[OperateFunctionArg],
) -> Result<Vec<(String, PgType)>, PgError> {
    let out = |one: &&OperateFunctionArg| matches!(one.mode, Some(ArgMode::Out | ArgMode::InOut));
    let column = |(at, one): (usize, &OperateFunctionArg)| {
        let name = one.name.as_ref().map_or_else(|| format!("column{}", at + 1), argument_name);
        Ok((name, sql_type(context.types(), &one.data_type)?.plain()))
    };
    declared.iter().filter(out).enumerate().map(column).collect()
}

/// What a function gives that says it both ways.
fn declared_result(
    context: &BindContext,
    returned: &FunctionReturnType,
    outputs: Vec<(String, PgType)>,
) -> Result<FunctionResult, PgError> {
    let wanted = match outputs.as_slice() {
        [(_, ty)] => ty.clone(),
        _ => PgType::Record,
    };
    let differs = || {
        let message = format!("function result type must be {wanted} because of OUT parameters");
        PgError::new(SqlState::INVALID_FUNCTION_DEFINITION, message)
    };
    let (given, rows) = match returned {
        FunctionReturnType::SetOf(ty) => (ty, true),
        FunctionReturnType::DataType(DataType::Table(_)) => return Err(differs()),
        FunctionReturnType::DataType(ty) => (ty, false),
    };
    if sql_type(context.types(), given)?.plain() != wanted {
        return Err(differs());
    }
    Ok(if rows { FunctionResult::Table(outputs) } else { FunctionResult::Row(outputs) })
}

/// The parser gives an argument's name as it was written, with its quotes.
fn argument_name(name: &Ident) -> String {
    let quoted = name.value.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    match (name.quote_style, quoted) {
        (None, Some(quoted)) => quoted.replace("\"\"", "\""),
        _ => fold(name),
    }
}

fn result(context: &BindContext, returned: &FunctionReturnType) -> Result<FunctionResult, PgError> {
    Ok(match returned {
        FunctionReturnType::SetOf(ty) => {
            FunctionResult::SetOf(sql_type(context.types(), ty)?.plain())
        }
        FunctionReturnType::DataType(DataType::Table(Some(columns))) => {
            let mut found: Vec<(String, PgType)> = Vec::with_capacity(columns.len());
            for column in columns {
                let name = fold(&column.name);
                let has_null_option = |option: &ColumnOption| matches!(option, ColumnOption::Null);
                if !column.options.iter().all(|option| has_null_option(&option.option)) {
                    let message = "columns of RETURNS TABLE take no constraints";
                    return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
                }
                if found.iter().any(|(known, _)| *known == name) {
                    return Err(PgError::new(
                        SqlState::INVALID_FUNCTION_DEFINITION,
                        format!("parameter name \"{name}\" used more than once"),
                    ));
                }
                found.push((name, sql_type(context.types(), &column.data_type)?.plain()));
            }
            FunctionResult::Table(found)
        }
        FunctionReturnType::DataType(DataType::Custom(name, _))
            if qualified_name(name)?.name == "void" =>
        {
            FunctionResult::Void
        }
        FunctionReturnType::DataType(ty) => {
            FunctionResult::Value(sql_type(context.types(), ty)?.plain())
        }
    })
}

fn body(create: &CreateFunction) -> Result<String, PgError> {
    let text = match &create.function_body {
        Some(CreateFunctionBody::AsBeforeOptions { body, link_symbol: None }) => Some(body),
        Some(CreateFunctionBody::AsAfterOptions(body)) => Some(body),
        _ => None,
    };
    match text {
        Some(Expr::Value(value)) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Ok(text.clone()),
            Value::DollarQuotedString(text) => Ok(text.value.clone()),
            _ => Err(PgError::new(SqlState::SYNTAX_ERROR, "no function body specified")),
        },
        None if create.function_body.is_none() => {
            let message = "no function body specified";
            Err(PgError::new(SqlState::INVALID_FUNCTION_DEFINITION, message))
        }
        _ => Err(PgError::unsupported(
            "this form of a function's body is not supported",
            "Give it as text: AS $$ SELECT … $$.",
        )),
    }
}

/// The function that a new one takes the place of.
///
/// # Errors
/// `42723` without OR REPLACE, `42P13` where the result is another one, `42501` for another's function.
fn replaced(
    context: &BindContext,
    or_replace: bool,
    new: &SqlFunction,
) -> Result<Option<Oid>, PgError> {
    let old = context.catalog.functions_in(new.schema, &new.name);
    let Some(old) = old.iter().find(|old| old.argument_types().eq(new.argument_types())) else {
        return Ok(None);
    };
    if !or_replace {
        return Err(PgError::new(
            SqlState::DUPLICATE_FUNCTION,
            format!("function \"{}\" already exists with same argument types", new.name),
        ));
    }
    check_owner(context, old)?;
    if old.result != new.result {
        let message = "cannot change return type of existing function";
        return Err(PgError::new(SqlState::INVALID_FUNCTION_DEFINITION, message)
            .hint(format!("Use DROP FUNCTION {} first.", old.signature())));
    }
    Ok(Some(old.oid))
}

fn check_owner(context: &BindContext, function: &SqlFunction) -> Result<(), PgError> {
    if context.roles.superuser || context.roles.has(function.owner) {
        return Ok(());
    }
    let message = format!("must be owner of function {}", function.name);
    Err(PgError::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
}

pub(super) fn drop(context: &BindContext, drop: &DropFunction) -> Result<DdlCommand, PgError> {
    let DropFunction { if_exists, func_desc, drop_behavior } = drop;
    drop_routines(context, *if_exists, func_desc, drop_behavior.as_ref(), false)
}

/// `DROP PROCEDURE`
pub(super) fn drop_procedure(
    context: &BindContext,
    if_exists: bool,
    described: &[FunctionDesc],
    behavior: Option<&DropBehavior>,
) -> Result<DdlCommand, PgError> {
    drop_routines(context, if_exists, described, behavior, true)
}

fn drop_routines(
    context: &BindContext,
    if_exists: bool,
    func_desc: &[FunctionDesc],
    drop_behavior: Option<&DropBehavior>,
    procedure: bool,
) -> Result<DdlCommand, PgError> {
    let kind = if procedure { "procedure" } else { "function" };
    let (mut functions, mut missing) = (Vec::new(), Vec::new());
    for described in func_desc {
        match find(context, described)? {
            Ok(function) => {
                if function.procedure != procedure {
                    let message = format!("{} is not a {kind}", function.signature());
                    return Err(PgError::new(SqlState::WRONG_OBJECT_TYPE, message));
                }
                check_owner(context, &function)?;
                let views = function_uses::callers(context, &function);
                if !views.is_empty() {
                    let cascade = matches!(drop_behavior, Some(DropBehavior::Cascade));
                    return Err(function_uses::needed(&function, &views, cascade));
                }
                functions.push(function);
            }
            Err(what) if if_exists => missing.push(what),
            Err(what) => {
                let message = match described.args {
                    None => format!("could not find a {kind} named \"{what}\""),
                    Some(_) => format!("{kind} {what} does not exist"),
                };
                return Err(PgError::new(SqlState::UNDEFINED_FUNCTION, message));
            }
        }
    }
    Ok(DdlCommand::DropFunctions { functions, missing, procedure })
}

pub(super) fn alter(context: &BindContext, alter: &AlterFunction) -> Result<DdlCommand, PgError> {
    let AlterFunctionOperation::OwnerTo(owner) = &alter.operation else {
        return Err(PgError::unsupported(
            "ALTER FUNCTION is not supported but for OWNER TO",
            "CREATE OR REPLACE FUNCTION, or drop it and make it anew.",
        ));
    };
    let function = find(context, &alter.function)?.map_err(|what| {
        let message = format!("function {what} does not exist");
        PgError::new(SqlState::UNDEFINED_FUNCTION, message)
    })?;
    check_owner(context, &function)?;
    Ok(DdlCommand::GiveFunction { function, to: owner_of(context, owner)? })
}

/// The function that is described, or (inside) how the one that is not there is called.
fn find(
    context: &BindContext,
    described: &FunctionDesc,
) -> Result<Result<Arc<SqlFunction>, String>, PgError> {
    let name: QualifiedName = qualified_name(&described.name)?;
    let mut found = context.catalog.functions_named(&name, &context.search_path);
    let Some(arguments) = &described.args else {
        if found.len() > 1 {
            let message = format!("function name \"{name}\" is not unique");
            return Err(PgError::new(SqlState::AMBIGUOUS_FUNCTION, message)
                .hint("Specify the argument list to select the function unambiguously."));
        }
        return Ok(found.pop().ok_or_else(|| name.to_string()));
    };
    let types: Vec<PgType> =
        arguments.iter().map(|one| argument_type(context, one)).collect::<Result<_, _>>()?;
    let is_one = |function: &Arc<SqlFunction>| function.argument_types().eq(&types);
    let names: Vec<String> = types.iter().map(PgType::name).collect();
    let found = found.into_iter().find(is_one);
    Ok(found.ok_or_else(|| format!("{name}({})", names.join(","))))
}

/// An argument of DROP FUNCTION: a type, with or without a name before it.
fn argument_type(context: &BindContext, argument: &OperateFunctionArg) -> Result<PgType, PgError> {
    match (sql_type(context.types(), &argument.data_type), &argument.name) {
        (Ok(ty), _) => Ok(ty.plain()),
        (Err(error), None) => Err(error),
        (Err(error), Some(name)) => {
            // One word is a type.
            let ident: &Ident = name;
            let text = ident.to_string();
            let ty = crate::parser::stored::parse_type(&text).map_err(|_| error.clone())?;
            Ok(sql_type(context.types(), &ty)?.plain())
        }
    }
}
