//! An SQL aggregate function over a list in each row: `SUM(e.weight)` where `e` is the edges of a quantified pattern.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, new_empty_array};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::HigherOrderFunction;
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, Expr, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs,
    HigherOrderSignature, HigherOrderUDF, HigherOrderUDFImpl, LambdaParametersProgress,
    ValueOrLambda, Volatility, lambda,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};

use super::lambda::Elements;
use super::types::CypherType;

/// An argument of the aggregate function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AggregateArgument {
    /// An expression over one element, under the variable's name.
    Each(Expr),
    /// A constant, such as the separator of `string_agg`.
    Constant(ScalarValue),
}

/// An aggregate function on the elements of a list; null lists are empty.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ListAggregate {
    function: Arc<AggregateUDF>,
    element: DataType,
    fields: Vec<FieldRef>,
    /// For each argument its value, if it is constant.
    constants: Vec<Option<ScalarValue>>,
    result: FieldRef,
    distinct: bool,
    signature: HigherOrderSignature,
}

impl ListAggregate {
    /// `function` over the elements of `list`; `arguments` have the types of `fields`, which the function takes.
    ///
    /// # Errors
    /// Whatever the function says to the types.
    pub fn call(
        function: &Arc<AggregateUDF>,
        distinct: bool,
        (list, element): (Expr, &CypherType),
        variable: &str,
        arguments: Vec<(AggregateArgument, FieldRef)>,
    ) -> Result<Expr> {
        let fields: Vec<FieldRef> = arguments.iter().map(|(_, field)| Arc::clone(field)).collect();
        let result = function.return_field(&fields)?;
        let mut parts = vec![list];
        let mut constants = Vec::with_capacity(arguments.len());
        for (argument, _) in arguments {
            match argument {
                AggregateArgument::Each(body) => {
                    parts.push(lambda([variable], body));
                    constants.push(None);
                }
                AggregateArgument::Constant(value) => constants.push(Some(value)),
            }
        }
        let aggregate = Self {
            function: Arc::clone(function),
            element: element.arrow(),
            fields,
            constants,
            result: Arc::new(result.as_ref().clone().with_name(function.name())),
            distinct,
            signature: HigherOrderSignature::any(parts.len(), Volatility::Immutable),
        };
        let udf = Arc::new(HigherOrderUDF::new_from_impl(aggregate));
        Ok(Expr::HigherOrderFunction(HigherOrderFunction::new(udf, parts)))
    }

    /// One value for each row from the arguments' values of all elements, which `lengths` divides into rows.
    fn aggregate(&self, values: &[ArrayRef], lengths: &[usize]) -> Result<ArrayRef> {
        let names: Vec<String> = (0..self.fields.len()).map(|at| format!("a{at}")).collect();
        let fields: Vec<Field> = self
            .fields
            .iter()
            .zip(&names)
            .map(|(field, name)| field.as_ref().clone().with_name(name))
            .collect();
        let schema = Schema::new(fields);
        let exprs: Vec<Arc<dyn PhysicalExpr>> = self
            .constants
            .iter()
            .zip(&names)
            .enumerate()
            .map(|(at, (constant, name))| match constant {
                Some(value) => Arc::new(Literal::new(value.clone())) as Arc<dyn PhysicalExpr>,
                None => Arc::new(Column::new(name, at)),
            })
            .collect();
        let mut results = Vec::with_capacity(lengths.len());
        let mut start = 0;
        for length in lengths {
            let mut accumulator = self.function.accumulator(AccumulatorArgs {
                return_field: Arc::clone(&self.result),
                schema: &schema,
                ignore_nulls: false,
                order_bys: &[],
                is_reversed: false,
                name: self.function.name(),
                is_distinct: self.distinct,
                exprs: &exprs,
                expr_fields: &self.fields,
            })?;
            if *length > 0 {
                let slices: Vec<ArrayRef> =
                    values.iter().map(|values| values.slice(start, *length)).collect();
                accumulator.update_batch(&slices)?;
            }
            start += length;
            results.push(accumulator.evaluate()?);
        }
        match results.is_empty() {
            true => Ok(new_empty_array(self.result.data_type())),
            false => ScalarValue::iter_to_array(results),
        }
    }
}

impl HigherOrderUDFImpl for ListAggregate {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        _fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        let element = Arc::new(Field::new("element", self.element.clone(), true));
        let lambdas = self.constants.iter().filter(|constant| constant.is_none()).count();
        Ok(LambdaParametersProgress::Complete(vec![vec![element]; lambdas]))
    }

    fn return_field_from_args(
        &self,
        _arguments: HigherOrderReturnFieldArgs<'_>,
    ) -> Result<FieldRef> {
        Ok(Arc::clone(&self.result))
    }

    fn invoke_with_args(&self, arguments: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        let wrong = || DataFusionError::Internal("an aggregate needs a list".to_owned());
        let mut list = None;
        let mut bodies = Vec::new();
        for argument in &arguments.args {
            match argument {
                ValueOrLambda::Value(value) => list = Some(value.to_array(arguments.number_rows)?),
                ValueOrLambda::Lambda(body) => bodies.push(body),
            }
        }
        let list = list.ok_or_else(wrong)?;
        let elements = Elements::of(list.as_list_opt::<i32>().ok_or_else(wrong)?)?;
        let count = elements.len();
        let mut bodies = bodies.into_iter();
        let mut values = Vec::with_capacity(self.constants.len());
        for constant in &self.constants {
            values.push(match constant {
                Some(value) => value.to_array_of_size(count)?,
                None => elements.evaluate(bodies.next().ok_or_else(wrong)?)?,
            });
        }
        Ok(ColumnarValue::Array(self.aggregate(&values, elements.lengths())?))
    }
}
