//! All functions by name: graphwire's own, and DataFusion's where graphwire has none of that name.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, LazyLock};

use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};

use crate::error::PgError;
use crate::functions::context::SessionContext;
use crate::functions::lib;
use crate::functions::operators::PgExprPlanner;
use crate::functions::scalar::{PgFunction, SessionRef};
use crate::functions::signature::{ArgType, Overload, ReturnType, Stability};
use crate::types::pg_type::PgType;

/// Functions, operators and aggregates, made once.
pub struct FunctionRegistry {
    functions: HashMap<String, &'static [&'static Overload]>,
    operators: HashMap<String, &'static [&'static Overload]>,
    other_scalars: HashMap<String, Arc<ScalarUDF>>,
    aggregates: HashMap<String, Arc<AggregateUDF>>,
    windows: HashMap<String, Arc<WindowUDF>>,
    higher_order: HashMap<String, Arc<HigherOrderUDF>>,
    list: Vec<&'static Overload>,
}

impl fmt::Debug for FunctionRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FunctionRegistry({} functions)", self.list.len())
    }
}

/// The functions of the process.
pub fn registry() -> &'static FunctionRegistry {
    static REGISTRY: LazyLock<FunctionRegistry> = LazyLock::new(FunctionRegistry::new);
    &REGISTRY
}

fn by_name(
    overloads: impl Iterator<Item = Overload>,
) -> (HashMap<String, &'static [&'static Overload]>, Vec<&'static Overload>) {
    let mut groups: BTreeMap<String, Vec<&'static Overload>> = BTreeMap::new();
    let mut list = Vec::new();
    for overload in overloads {
        // The registry lives as long as the process.
        let overload: &'static Overload = Box::leak(Box::new(overload));
        list.push(overload);
        groups.entry(overload.name.clone()).or_default().push(overload);
    }
    let groups = groups.into_iter().map(|(name, group)| (name, &*Vec::leak(group))).collect();
    (groups, list)
}

fn parsed(defs: &[&'static [crate::functions::signature::Def]]) -> impl Iterator<Item = Overload> {
    // A line that does not parse is left out here and found by the test of the tables.
    let lines: Vec<Overload> =
        defs.iter().flat_map(|table| table.iter()).filter_map(|def| def.parse().ok()).collect();
    lines.into_iter()
}

impl FunctionRegistry {
    fn new() -> Self {
        let (functions, list) = by_name(parsed(lib::FUNCTIONS));
        let (operators, _) = by_name(parsed(lib::OPERATORS));
        let mut other_scalars = HashMap::new();
        let datafusion_scalars = datafusion::functions::all_default_functions()
            .into_iter()
            .chain(datafusion::functions_nested::all_default_nested_functions());
        for function in datafusion_scalars {
            for name in function.aliases().iter().chain([&function.name().to_owned()]) {
                other_scalars.insert(name.clone(), Arc::clone(&function));
            }
        }
        let mut aggregates = HashMap::new();
        for function in datafusion::functions_aggregate::all_default_aggregate_functions()
            .into_iter()
            .chain(lib::aggregate::all())
        {
            for name in function.aliases().iter().chain([&function.name().to_owned()]) {
                aggregates.insert(name.clone(), Arc::clone(&function));
            }
        }
        let mut windows = HashMap::new();
        for function in datafusion::functions_window::all_default_window_functions() {
            for name in function.aliases().iter().chain([&function.name().to_owned()]) {
                windows.insert(name.clone(), Arc::clone(&function));
            }
        }
        let mut higher_order = HashMap::new();
        for function in datafusion::functions_nested::all_default_higher_order_functions() {
            for name in function.aliases().iter().chain([&function.name().to_owned()]) {
                higher_order.insert(name.clone(), Arc::clone(&function));
            }
        }
        Self { functions, operators, other_scalars, aggregates, windows, higher_order, list }
    }

    /// A scalar or set-returning function, by lower-case name without schema, for one session.
    #[must_use]
    pub fn scalar(&self, name: &str, session: &SessionRef) -> Option<Arc<ScalarUDF>> {
        match name {
            "set_column" => return Some(crate::functions::table::set_column()),
            "pg_sleep" => return Some(lib::sleep::pg_sleep()),
            _ => {}
        }
        // `unnest` is DataFusion's own expression; asked for a function, its planner would not make one.
        if name != "unnest"
            && let Some(overloads) = self.functions.get(name)
        {
            let function = PgFunction::new(name, overloads, false, session.clone());
            return Some(Arc::new(ScalarUDF::from(function)));
        }
        // Prefix operators are called by their symbol (see `syntax`).
        if !name.starts_with(|first: char| first.is_alphanumeric() || first == '_')
            && let Some(operator) = self.operator(name, session)
        {
            return Some(Arc::new(ScalarUDF::from(operator)));
        }
        self.other_scalars.get(name).cloned()
    }

    /// An aggregate function.
    #[must_use]
    pub fn aggregate(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregates.get(name).cloned()
    }

    /// A window function; aggregates are looked up apart.
    #[must_use]
    pub fn window(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.windows.get(name).cloned()
    }

    /// A function that takes functions.
    #[must_use]
    pub fn higher_order(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.higher_order.get(name).cloned()
    }

    /// Whether calls of this name give rows: such a call stands in FROM, or is unnested.
    #[must_use]
    pub fn is_set_returning(&self, name: &str) -> bool {
        self.functions
            .get(name)
            .is_some_and(|overloads| overloads.iter().any(|overload| overload.set))
    }

    /// Whether graphwire itself has a function of this name.
    pub(crate) fn is_own_scalar(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }

    pub(crate) fn overloads(&self, name: &str) -> Option<&'static [&'static Overload]> {
        self.functions.get(name).copied()
    }

    /// A function of graphwire's own.
    pub(crate) fn own(&self, name: &str, session: &SessionRef) -> Result<PgFunction, PgError> {
        let overloads = self.functions.get(name);
        let overloads =
            overloads.ok_or_else(|| PgError::internal(format!("function {name} is missing")))?;
        Ok(PgFunction::new(name, overloads, false, session.clone()))
    }

    pub(crate) fn operator(&self, name: &str, session: &SessionRef) -> Option<PgFunction> {
        let overloads = self.operators.get(name)?;
        Some(PgFunction::new(name, overloads, true, session.clone()))
    }

    /// Names of scalar functions, for hints.
    #[must_use]
    pub fn scalar_names(&self) -> Vec<String> {
        self.functions.keys().chain(self.other_scalars.keys()).cloned().collect()
    }

    /// Names of aggregate functions, for hints.
    #[must_use]
    pub fn aggregate_names(&self) -> Vec<String> {
        self.aggregates.keys().cloned().collect()
    }

    /// Names of window functions, for hints.
    #[must_use]
    pub fn window_names(&self) -> Vec<String> {
        self.windows.keys().cloned().collect()
    }

    /// graphwire's own functions as `pg_proc` may show them.
    pub fn descriptions(&self) -> impl Iterator<Item = FunctionDescription> {
        self.list.iter().map(|overload| FunctionDescription::of(overload))
    }
}

/// One function as `pg_proc` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDescription {
    /// `proname`.
    pub name: String,
    /// `proargtypes`, as names: polymorphic ones are `anyelement`, `anyarray`, `any`.
    pub args: Vec<String>,
    /// `prorettype`, as a name.
    pub returns: String,
    /// `proretset`.
    pub set: bool,
    /// `proisstrict`.
    pub strict: bool,
    /// `provolatile`: `i`, `s` or `v`.
    pub volatility: char,
    /// `provariadic` is the last argument.
    pub variadic: bool,
}

impl FunctionDescription {
    fn of(overload: &Overload) -> Self {
        let args = overload.args.iter().map(|arg| match arg {
            ArgType::Exact(ty) => ty.name(),
            ArgType::Any => "\"any\"".to_owned(),
            ArgType::AnyElement => "anyelement".to_owned(),
            ArgType::AnyEnum => "anyenum".to_owned(),
            ArgType::AnyArray => "anyarray".to_owned(),
            ArgType::AnyRange => "anyrange".to_owned(),
            ArgType::AnyMultirange => "anymultirange".to_owned(),
        });
        Self {
            name: overload.name.clone(),
            args: args.collect(),
            returns: match &overload.returns {
                ReturnType::Exact(ty) => ty.name(),
                ReturnType::AnyElement => "anyelement".to_owned(),
                ReturnType::AnyArray => "anyarray".to_owned(),
                ReturnType::AnyRange => "anyrange".to_owned(),
                ReturnType::AnyMultirange => "anymultirange".to_owned(),
                ReturnType::Row(_) => PgType::Record.name(),
            },
            set: overload.set,
            strict: overload.strict,
            volatility: match overload.stability {
                Stability::Immutable => 'i',
                Stability::Stable => 's',
                Stability::Volatile => 'v',
            },
            variadic: overload.variadic,
        }
    }
}

/// The functions as one session sees them. Cheap to make and to clone.
#[derive(Debug, Clone)]
pub struct SessionFunctions {
    session: SessionRef,
    planners: Arc<[Arc<dyn ExprPlanner>]>,
}

/// The functions bound to a session.
#[must_use]
pub fn session_functions(session: Arc<dyn SessionContext>) -> SessionFunctions {
    SessionFunctions::new(Some(session))
}

impl SessionFunctions {
    /// Functions with or without a session; without one, those that need it refuse when they are called.
    #[must_use]
    pub fn new(session: SessionRef) -> Self {
        let planners: Vec<Arc<dyn ExprPlanner>> = vec![
            Arc::new(PgExprPlanner::new(session.clone())),
            // Structures and their fields; windows and aggregates.
            Arc::new(datafusion::functions::core::planner::CoreFunctionPlanner::default()),
            Arc::new(datafusion::functions_nested::planner::FieldAccessPlanner),
            Arc::new(datafusion::functions_aggregate::planner::AggregateFunctionPlanner),
            Arc::new(datafusion::functions_window::planner::WindowFunctionPlanner),
        ];
        Self { session, planners: planners.into() }
    }

    /// A scalar or set-returning function.
    ///
    /// For a name that no function of any kind has, a function without overloads: its call fails with PostgreSQL's
    /// `42883`, which names the argument types.
    #[must_use]
    pub fn scalar(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        /// Names DataFusion's planner deals with itself.
        const PLANNED_ELSEWHERE: [&str; 4] = ["unnest", "unnest_outer", "map", "make_map"];
        let found = registry().scalar(name, &self.session);
        // A qualified name is one the binder knows.
        if found.is_some()
            || name.contains('.')
            || PLANNED_ELSEWHERE.contains(&name)
            || registry().aggregate(name).is_some()
            || registry().window(name).is_some()
            || registry().higher_order(name).is_some()
        {
            return found;
        }
        Some(Arc::new(ScalarUDF::from(PgFunction::new(name, &[], false, self.session.clone()))))
    }

    /// An aggregate function.
    #[must_use]
    pub fn aggregate(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        registry().aggregate(name)
    }

    /// A window function; aggregates are looked up apart.
    #[must_use]
    pub fn window(&self, name: &str) -> Option<Arc<WindowUDF>> {
        registry().window(name)
    }

    /// A function that takes functions.
    #[must_use]
    pub fn higher_order(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        registry().higher_order(name)
    }

    /// Whether calls of this name give rows.
    #[must_use]
    pub fn is_set_returning(&self, name: &str) -> bool {
        registry().is_set_returning(name)
    }

    /// Plans operators and the forms with a syntax of their own: graphwire's planner, then DataFusion's.
    #[must_use]
    pub fn expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    /// The session, as casts take it.
    #[must_use]
    pub fn session(&self) -> &SessionRef {
        &self.session
    }
}
