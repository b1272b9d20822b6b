//! Expressions whose answers PostgreSQL 15 gave (`tests/fixtures/functions`), evaluated through DataFusion's planner.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result as DfResult, TableReference};
use datafusion::config::ConfigOptions;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::{
    AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast::{self, Statement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::{PgError, SqlState};
use crate::functions::context::{
    CatalogFacts, ObjectKind, ObjectName, RegKind, SessionContext, SizeKind,
};
use crate::functions::registry::{SessionFunctions, registry, session_functions};
use crate::functions::resolve::resolve_plan;
use crate::functions::syntax::desugar;
use crate::types::pg_type::PgType;
use crate::types::{OutputSettings, to_text_array};

#[derive(Debug)]
struct TestSession;

impl SessionContext for TestSession {
    fn current_user(&self) -> String {
        "postgres".to_owned()
    }
    fn session_user(&self) -> String {
        "postgres".to_owned()
    }
    fn current_database(&self) -> String {
        "postgres".to_owned()
    }
    fn current_schemas(&self, implicit: bool) -> Vec<String> {
        let all = ["pg_catalog", "public"];
        all.iter().skip(usize::from(!implicit)).map(|name| (*name).to_owned()).collect()
    }
    fn backend_pid(&self) -> i32 {
        1
    }
    fn client_address(&self) -> Option<SocketAddr> {
        None
    }
    fn server_address(&self) -> Option<SocketAddr> {
        None
    }
    fn setting(&self, name: &str) -> Option<String> {
        name.eq_ignore_ascii_case("timezone").then(|| "UTC".to_owned())
    }
    fn set_setting(&self, name: &str, value: &str, _: bool) -> Result<String, PgError> {
        if name == "search_path" {
            return Ok(value.to_owned());
        }
        Err(PgError::new(SqlState::UNDEFINED_OBJECT, "unknown"))
    }
    fn transaction_timestamp(&self) -> i64 {
        1_700_000_000_000_000
    }
    fn statement_timestamp(&self) -> i64 {
        1_700_000_000_000_000
    }
    fn server_start_timestamp(&self) -> i64 {
        1_600_000_000_000_000
    }
    fn version(&self) -> String {
        "test".to_owned()
    }
    fn transaction_id(&self) -> u64 {
        7
    }
    fn signal_backend(&self, _: i32, _: bool) -> Result<bool, PgError> {
        Ok(false)
    }
    fn sequence_next(&self, _: u32, _: usize) -> Result<Vec<i64>, PgError> {
        Err(PgError::internal("no sequences here"))
    }
    fn sequence_current(&self, _: u32) -> Result<i64, PgError> {
        Err(PgError::internal("no sequences here"))
    }
    fn sequence_last(&self) -> Result<i64, PgError> {
        Err(PgError::internal("no sequences here"))
    }
    fn sequence_set(&self, _: u32, _: i64, _: bool) -> Result<(), PgError> {
        Err(PgError::internal("no sequences here"))
    }
    fn sequence_last_value(&self, _: u32) -> Result<Option<i64>, PgError> {
        Ok(None)
    }
    fn check_cancel(&self) -> Result<(), PgError> {
        Ok(())
    }
    fn catalog(&self) -> &dyn CatalogFacts {
        self
    }
}

impl CatalogFacts for TestSession {
    fn reg_lookup(&self, _: RegKind, _: &str) -> Result<Option<u32>, PgError> {
        Ok(None)
    }
    fn reg_name(&self, _: RegKind, _: u32) -> Option<String> {
        None
    }
    fn type_name(&self, _: u32, _: Option<i32>) -> Option<String> {
        None
    }
    fn constraint_definition(&self, _: u32, _: bool) -> Option<String> {
        None
    }
    fn index_definition(&self, _: u32, _: i32, _: bool) -> Option<String> {
        None
    }
    fn view_definition(&self, _: u32, _: bool) -> Option<String> {
        None
    }
    fn expression(&self, text: &str, _: u32) -> Option<String> {
        Some(text.to_owned())
    }
    fn function_definition(&self, _: u32) -> Option<String> {
        None
    }
    fn function_arguments(&self, _: u32, _: bool) -> Option<String> {
        None
    }
    fn function_result(&self, _: u32) -> Option<String> {
        None
    }
    fn other_definition(&self, _: &str, _: u32) -> Option<String> {
        None
    }
    fn role_name(&self, _: u32) -> Option<String> {
        None
    }
    fn serial_sequence(&self, _: &str, _: &str) -> Result<Option<String>, PgError> {
        Ok(None)
    }
    fn description(&self, _: u32, _: &str, _: i32) -> Option<String> {
        None
    }
    fn is_visible(&self, _: &str, _: u32) -> Option<bool> {
        None
    }
    fn has_privilege(
        &self,
        _: ObjectKind,
        _: Option<&ObjectName>,
        _: &ObjectName,
        _: Option<&ObjectName>,
        _: &str,
    ) -> Result<Option<bool>, PgError> {
        Ok(Some(true))
    }
    fn relation_size(&self, _: u32, _: SizeKind) -> Option<i64> {
        None
    }
    fn default_acl(&self, _: char, _: u32) -> Vec<String> {
        Vec::new()
    }
    fn keywords(&self) -> Vec<(String, char, bool, String, String)> {
        Vec::new()
    }
    fn row_count(&self, _: u32) -> Option<i64> {
        None
    }
    fn database_size(&self, _: &ObjectName) -> Option<i64> {
        None
    }
}

#[derive(Debug)]
struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, ty: &ast::DataType) -> DfResult<Option<FieldRef>> {
        let ty = PgType::parse_name(&ty.to_string().to_lowercase().replace('\'', "\""))
            .map_err(PgError::from)?;
        // `char` alone is char(1).
        let ty = if ty == PgType::Bpchar(None) { PgType::Bpchar(Some(1)) } else { ty };
        Ok(Some(Arc::new(ty.field("cast", true))))
    }
}

struct Provider {
    functions: SessionFunctions,
    options: ConfigOptions,
}

impl ContextProvider for Provider {
    fn get_table_source(&self, name: TableReference) -> DfResult<Arc<dyn TableSource>> {
        Err(PgError::new(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
            .into())
    }
    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.functions.expr_planners()
    }
    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(Types))
    }
    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.scalar(name)
    }
    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.functions.higher_order(name)
    }
    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions.aggregate(name)
    }
    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.functions.window(name)
    }
    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }
    fn options(&self) -> &ConfigOptions {
        &self.options
    }
    fn udf_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The forms that the SQL binder rewrites before planning.
fn bind_forms(statement: &mut Statement) {
    let _ = ast::visit_expressions_mut(statement, |expr| {
        if let ast::Expr::AtTimeZone { timestamp, time_zone } = expr {
            let text = format!("timezone({time_zone}, {timestamp})");
            *expr = parse_expr(&text);
        } else if let ast::Expr::Interval(interval) = expr {
            let text = format!("CAST({} AS interval)", interval.value);
            *expr = parse_expr(&text);
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
}

fn parse_expr(text: &str) -> ast::Expr {
    Parser::new(&PostgreSqlDialect {}).try_with_sql(text).unwrap().parse_expr().unwrap()
}

fn plan(functions: &SessionFunctions, sql: &str) -> Result<LogicalPlan, PgError> {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .map_err(|error| PgError::new(SqlState::SYNTAX_ERROR, error.to_string()))?;
    let mut statement = statements.pop().unwrap();
    bind_forms(&mut statement);
    desugar(&mut statement)?;
    let provider = Provider { functions: functions.clone(), options: ConfigOptions::new() };
    let options = ParserOptions { parse_float_as_decimal: true, ..ParserOptions::default() };
    let planner = SqlToRel::new_with_options(&provider, options);
    let plan = planner.sql_statement_to_plan(statement)?;
    Ok(resolve_plan(plan, functions.session())?)
}

/// Type and text of the one value a query gives.
async fn answer(
    state: &SessionState,
    functions: &SessionFunctions,
    expr: &str,
) -> Result<(String, Option<String>), PgError> {
    // A query alone is run as it is: DataFusion optimizes it further than a scalar subquery.
    let query = match expr.strip_prefix("(select ").and_then(|rest| rest.strip_suffix(')')) {
        Some(rest) => format!("select {rest}"),
        None => format!("SELECT ({expr}) AS v"),
    };
    let plan = plan(functions, &query)?;
    let ty = PgType::from_field(plan.schema().field(0));
    let physical = state.create_physical_plan(&plan).await?;
    if std::env::var("SHOW_PLANS").is_ok_and(|wanted| expr.contains(&wanted)) {
        let shown = datafusion::physical_plan::displayable(physical.as_ref());
        eprintln!("{expr}\n{}\n{}", plan.display_indent_schema(), shown.indent(false));
    }
    let batches = datafusion::physical_plan::collect(physical, state.task_ctx()).await?;
    let value =
        batches.iter().find(|batch| batch.num_rows() > 0).map(|batch| Arc::clone(batch.column(0)));
    let Some(value) = value else { return Ok((ty.without_modifier().name(), None)) };
    let text = if value.is_null(0) {
        None
    } else if ty == PgType::Bool {
        Some(if value.as_boolean().value(0) { "t" } else { "f" }.to_owned())
    } else if let Some(kind) = crate::functions::cast::text_io::reg_kind(&ty) {
        let oid = value.as_primitive::<arrow::datatypes::UInt32Type>().value(0);
        Some(crate::functions::cast::text_io::reg_output(kind, oid, None))
    } else if matches!(value.data_type(), DataType::Utf8 | DataType::Utf8View) {
        let text = cast(&value, &DataType::Utf8)?;
        Some(text.as_string::<i32>().value(0).to_owned())
    } else {
        let texts = to_text_array(&value, &ty, &OutputSettings::default())?;
        texts.iter().next().flatten().map(str::to_owned)
    };
    let name = ty.without_modifier().name();
    Ok((if name == "bpchar" { "character".to_owned() } else { name }, text))
}

fn unescape(field: &str) -> Option<String> {
    if field == "\\N" {
        return None;
    }
    let mut text = String::new();
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        text.push(match (c, c == '\\') {
            (_, false) => c,
            _ => match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            },
        });
    }
    Some(text)
}

/// Lines `expression, type, answer` as a map from the expression.
fn table(path: &Path) -> Vec<(String, String, Option<String>)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let mut fields = line.split('\t');
            let mut next = || fields.next().unwrap_or_default().to_owned();
            let (expr, ty, answer) = (next(), next(), next());
            (unescape(&expr).unwrap_or_default(), ty, unescape(&answer))
        })
        .collect()
}

#[test]
fn every_line_of_the_tables_is_a_signature() {
    for def in crate::functions::lib::FUNCTIONS
        .iter()
        .chain(crate::functions::lib::OPERATORS)
        .flat_map(|t| t.iter())
    {
        def.parse().unwrap_or_else(|error| panic!("{}: {error}", def.text));
    }
    assert!(registry().descriptions().count() > 500);
}

#[test]
fn expressions_give_what_postgresql_gives() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/functions");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(16 << 20)
        .build()
        .unwrap();
    let functions = session_functions(Arc::new(TestSession));
    let state = SessionStateBuilder::new().with_default_features().build();
    let deviations = table(&directory.join("deviations.txt"));
    let (mut report, mut count) = (String::new(), 0);
    let mut files: Vec<_> =
        std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in
        files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "tsv"))
    {
        for line in table(file) {
            count += 1;
            let (expr, ty, wanted) =
                deviations.iter().find(|known| known.0 == line.0).unwrap_or(&line).clone();
            let found = runtime.block_on(answer(&state, &functions, &expr));
            let (found_type, found) = match found {
                Ok((found_type, found)) => (found_type, found),
                Err(error) => {
                    if ty != "!" || wanted.as_deref() != Some(error.code().0) {
                        let _ = writeln!(
                            report,
                            "{expr}\t{ty} {wanted:?}\t! {} {error}",
                            error.code().0
                        );
                    }
                    continue;
                }
            };
            if (&ty, &wanted) != (&found_type, &found) {
                let _ = writeln!(report, "{expr}\t{ty} {wanted:?}\t{found_type} {found:?}");
            }
        }
    }
    let failures = report.lines().count();
    assert!(
        failures == 0,
        "{failures} of {count} expressions differ (expression, PostgreSQL, graphwire):\n{report}"
    );
}
