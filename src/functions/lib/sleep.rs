//! `pg_sleep`: an asynchronous function, so that it holds no thread and ends when its statement is dropped.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{Array, AsArray, StringViewArray};
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use async_trait::async_trait;
use datafusion::common::Result as DfResult;
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::error::{PgError, SqlState};
use crate::types::pg_type::PgType;

/// The function `pg_sleep(double precision)`.
pub(crate) fn pg_sleep() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> =
        LazyLock::new(|| Arc::new(AsyncScalarUDF::new(Arc::new(PgSleep)).into_scalar_udf()));
    Arc::clone(&FUNCTION)
}

static SIGNATURE: LazyLock<Signature> =
    LazyLock::new(|| Signature::exact(vec![DataType::Float64], Volatility::Volatile));

#[derive(Debug, PartialEq, Eq, Hash)]
struct PgSleep;

impl ScalarUDFImpl for PgSleep {
    fn name(&self) -> &str {
        "pg_sleep"
    }

    fn signature(&self) -> &Signature {
        &SIGNATURE
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(PgType::Void.arrow())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        Ok(Arc::new(PgType::Void.field("pg_sleep", true)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(PgError::internal("pg_sleep was called synchronously").into())
    }
}

/// A year; longer sleeps are cut to it.
const LONGEST: f64 = 31_536_000.0;

#[async_trait]
impl AsyncScalarUDFImpl for PgSleep {
    async fn invoke_async_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let rows = args.number_rows;
        let Some(seconds) = args.args.first() else {
            return Err(PgError::new(
                SqlState::UNDEFINED_FUNCTION,
                "function pg_sleep() does not exist",
            )
            .into());
        };
        let seconds = seconds.to_array(rows)?;
        let values = seconds
            .as_primitive_opt::<Float64Type>()
            .map(|values| values.iter().collect::<Vec<_>>());
        let values = values.ok_or_else(|| PgError::internal("pg_sleep takes double precision"))?;
        for seconds in values.iter().flatten().filter(|seconds| **seconds > 0.0) {
            tokio::time::sleep(Duration::from_secs_f64(seconds.min(LONGEST))).await;
        }
        let done: StringViewArray = values.iter().map(|value| value.map(|_| "")).collect();
        debug_assert_eq!(done.len(), rows);
        Ok(ColumnarValue::Array(Arc::new(done)))
    }
}
