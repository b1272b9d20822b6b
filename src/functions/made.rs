//! Calls of functions that `CREATE FUNCTION` made, as scalar functions of a plan until the planner writes them out,
//! and of types as functions: `float8(x)` is a cast.
//!
//! ```text
//! f(…) ─ by name ─► MadeFunctions ─ argument types ─► MadeCall ─ planner ─► the body in its place
//! ```

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::error::{PgError, SqlState};
use crate::functions::cast::plan_cast;
use crate::functions::datum::Kernel;
use crate::functions::overload::{NoChoice, function_error, select_made};
use crate::functions::scalar::{SessionRef, literal_type};
use crate::functions::signature::{ArgType, Overload, ReturnType, Stability};
use crate::types::Oid;
use crate::types::pg_type::PgType;

/// One function of a name.
#[derive(Debug, Clone)]
pub struct MadeFunction {
    /// `pg_proc.oid`.
    pub oid: Oid,
    /// Types of the arguments.
    pub arguments: Vec<PgType>,
    /// What stands for arguments at the end that a call leaves out, of the arguments' types.
    pub defaults: Vec<Expr>,
    /// The last argument is an array, of which a call may give the elements.
    pub variadic: bool,
    /// What a call gives.
    pub returns: PgType,
    /// `pg_proc.provolatile`: `i`, `s` or `v`.
    pub volatility: char,
}

impl MadeFunction {
    fn overload(&self) -> Overload {
        let mut args: Vec<ArgType> = self.arguments.iter().cloned().map(ArgType::Exact).collect();
        if self.variadic
            && let Some(ArgType::Exact(PgType::Array(element))) = args.pop()
        {
            args.push(ArgType::Exact(*element));
        }
        Overload {
            name: String::new(),
            args,
            variadic: self.variadic,
            optional: self.defaults.len(),
            returns: ReturnType::Exact(self.returns.clone()),
            set: false,
            strict: false,
            stability: Stability::Volatile,
            kernel: Kernel::Row(|_, _| Err(not_written_out())),
            refine: None,
        }
    }
}

/// All functions of a name.
#[derive(Debug)]
pub struct MadeFunctions {
    name: String,
    functions: Vec<MadeFunction>,
    session: SessionRef,
    signature: Signature,
}

impl MadeFunctions {
    /// The functions of `name`.
    pub fn new(name: &str, functions: Vec<MadeFunction>, session: SessionRef) -> Self {
        let signature = Signature::user_defined(Volatility::Volatile);
        Self { name: name.to_owned(), functions, session, signature }
    }

    /// The function that a call with arguments of these types means.
    ///
    /// # Errors
    /// `42883`, `42725`.
    pub fn choose(&self, types: &[PgType]) -> Result<&MadeFunction, PgError> {
        let overloads: Vec<Overload> = self.functions.iter().map(MadeFunction::overload).collect();
        let shown: Vec<&Overload> = overloads.iter().collect();
        let at =
            select_made(&shown, types).map_err(|why| function_error(&self.name, types, why))?;
        self.functions.get(at).ok_or_else(|| PgError::internal("a function that is not there"))
    }

    /// The function a call means, and the arguments in the types it declares, with those that were left out.
    ///
    /// # Errors
    /// `42883`, `42725`; what reading a literal raises.
    pub fn arguments(
        &self,
        args: Vec<Expr>,
        types: &[PgType],
    ) -> Result<(&MadeFunction, Vec<Expr>), PgError> {
        let function = self.choose(types)?;
        let given = args.len();
        let cast = |(arg, from): (Expr, &PgType), to: &PgType| {
            plan_cast(arg, from, to, false, &self.session)
        };
        let mut pairs = args.into_iter().zip(types);
        let mut out = Vec::with_capacity(function.arguments.len());
        for (at, to) in function.arguments.iter().enumerate() {
            let last = at + 1 == function.arguments.len();
            match to {
                PgType::Array(element) if last && function.variadic => {
                    let elements = pairs.by_ref().map(|pair| cast(pair, element));
                    let elements = elements.collect::<Result<Vec<Expr>, PgError>>()?;
                    let made = datafusion::functions_nested::expr_fn::make_array(elements);
                    out.push(plan_cast(made, to, to, false, &self.session)?);
                }
                to => {
                    let Some(pair) = pairs.next() else { break };
                    out.push(cast(pair, to)?);
                }
            }
        }
        let missing = function.arguments.len().saturating_sub(given.max(out.len()));
        let defaults = function.defaults.len().saturating_sub(missing);
        out.extend(function.defaults.iter().skip(defaults).cloned());
        Ok((function, out))
    }

    /// The call, of one function.
    ///
    /// # Errors
    /// As [`Self::arguments`].
    pub fn resolve(&self, args: Vec<Expr>, types: &[PgType]) -> Result<Expr, PgError> {
        let (function, args) = self.arguments(args, types)?;
        let volatility = match function.volatility {
            'i' => Volatility::Immutable,
            's' => Volatility::Stable,
            _ => Volatility::Volatile,
        };
        let call = MadeCall {
            oid: function.oid,
            name: self.name.clone(),
            returns: function.returns.clone(),
            signature: Signature::user_defined(volatility),
        };
        let function = Arc::new(ScalarUDF::from(call));
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
    }
}

impl PartialEq for MadeFunctions {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for MadeFunctions {}

impl Hash for MadeFunctions {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

fn not_written_out() -> PgError {
    PgError::internal("a call of a function that was not written out")
}

impl ScalarUDFImpl for MadeFunctions {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> DfResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Err(PgError::internal("the result type needs the argument fields").into())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        let literal = |at: usize| args.scalar_arguments.get(at).copied().flatten();
        let fields = args.arg_fields.iter().enumerate();
        let types: Vec<PgType> =
            fields.map(|(at, field)| literal_type(field, literal(at))).collect();
        Ok(Arc::new(self.choose(&types)?.returns.field(&self.name, true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(not_written_out().into())
    }
}

/// A call of one function, its arguments of the types that it declares.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MadeCall {
    /// `pg_proc.oid`.
    pub oid: Oid,
    name: String,
    returns: PgType,
    signature: Signature,
}

impl ScalarUDFImpl for MadeCall {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> DfResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Err(PgError::internal("the result type needs the argument fields").into())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        Ok(Arc::new(self.returns.field(&self.name, true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(not_written_out().into())
    }
}

/// A type that is called as a function of one argument: a cast.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CastCall {
    name: String,
    ty: PgType,
    signature: Signature,
}

impl CastCall {
    /// The cast to `ty`, written as a call of `name`.
    pub fn new(name: &str, ty: PgType) -> Self {
        let signature = Signature::user_defined(Volatility::Immutable);
        Self { name: name.to_owned(), ty, signature }
    }

    /// The cast itself.
    ///
    /// # Errors
    /// `42883` for other than one argument, or one that has no cast to the type.
    pub fn resolve(
        &self,
        args: Vec<Expr>,
        types: &[PgType],
        session: &SessionRef,
    ) -> Result<Expr, PgError> {
        let none = || function_error(&self.name, types, NoChoice::None);
        let (Ok([arg]), [from]) = (<[Expr; 1]>::try_from(args), types) else { return Err(none()) };
        plan_cast(arg, from, &self.ty, true, session).map_err(|error| match error.code() {
            SqlState::CANNOT_COERCE => none(),
            _ => error,
        })
    }
}

impl ScalarUDFImpl for CastCall {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> DfResult<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Err(PgError::internal("the result type needs the argument fields").into())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        Ok(Arc::new(self.ty.field(&self.name, true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(PgError::internal("a cast that was not resolved").into())
    }
}
