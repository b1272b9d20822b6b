//! Calls of functions that `CREATE FUNCTION` made, as scalar functions of a plan until the planner writes them out,
//! and of types as functions: `float8(x)` is a cast.
//!
//! ```text
//! f(…) ─ by name ─► MadeFunctions ─ argument types ─► MadeCall ─ planner ─► the body in its place
//! ```

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF, Volatility};

use crate::error::{PgError, SqlState};
use crate::functions::cast::plan_cast;
use crate::functions::datum::Kernel;
use crate::functions::overload::{NoChoice, function_error, select_made};
use crate::functions::scalar::SessionRef;
use crate::functions::signature::{ArgType, Overload, ReturnType, Stability};
use crate::functions::unsettled::{Meaning, unsettled};
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
            kernel: Kernel::Row(|_, _| {
                Err(PgError::internal("a call of a function that was not written out"))
            }),
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
}

impl MadeFunctions {
    /// The functions of `name`.
    pub fn new(name: &str, functions: Vec<MadeFunction>, session: SessionRef) -> Self {
        Self { name: name.to_owned(), functions, session }
    }

    /// As a function of a plan, to be resolved there.
    pub fn into_function(self) -> Arc<ScalarUDF> {
        unsettled(&self.name.clone(), Volatility::Volatile, self)
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
                    out.push(datafusion::functions_nested::expr_fn::make_array(elements));
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
        let call = MadeCall { oid: function.oid, returns: function.returns.clone() };
        let function = unsettled(&self.name, volatility, call);
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

impl Meaning for MadeFunctions {
    fn returns(&self, types: &[PgType]) -> Result<PgType, PgError> {
        Ok(self.choose(types)?.returns.clone())
    }
}

/// A call of one function, its arguments of the types that it declares.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MadeCall {
    /// `pg_proc.oid`.
    pub oid: Oid,
    returns: PgType,
}

impl Meaning for MadeCall {
    fn returns(&self, _: &[PgType]) -> Result<PgType, PgError> {
        Ok(self.returns.clone())
    }
}

/// A type that is called as a function of one argument: a cast.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CastCall(PgType);

impl CastCall {
    /// The cast to `ty`, as a function of that name.
    pub fn function(name: &str, ty: PgType) -> Arc<ScalarUDF> {
        unsettled(name, Volatility::Immutable, Self(ty))
    }

    /// The cast itself, of a call under `name`.
    ///
    /// # Errors
    /// `42883` for other than one argument, or one that has no cast to the type.
    pub fn resolve(
        &self,
        name: &str,
        args: Vec<Expr>,
        types: &[PgType],
        session: &SessionRef,
    ) -> Result<Expr, PgError> {
        let none = || function_error(name, types, NoChoice::None);
        let (Ok([arg]), [from]) = (<[Expr; 1]>::try_from(args), types) else { return Err(none()) };
        plan_cast(arg, from, &self.0, true, session).map_err(|error| match error.code() {
            SqlState::CANNOT_COERCE => none(),
            _ => error,
        })
    }
}

impl Meaning for CastCall {
    fn returns(&self, _: &[PgType]) -> Result<PgType, PgError> {
        Ok(self.0.clone())
    }
}
