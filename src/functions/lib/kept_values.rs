//! What an aggregate that keeps its values is charged for.
//!
//! DataFusion's `array_agg` counts of a text its view of 16 bytes and not what the view shows, and reserves nothing for
//! the result that it makes beside the values. So that a tenant's memory holds there too, both are reserved while values
//! come in:
//!
//! ```text
//! values without texts   times 3: they, the index by which groups find theirs, the list that is made of them
//! texts                  once; of groups times 3, as their lists are copied on the way from one operator to the next
//! ```
//!
//! The second factor is measured: a grouped `array_agg` of texts took up to eight times what it was charged for without it.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

/// Bytes that are reserved for each byte of values that is held, and for each byte of texts of groups.
const FACTOR: usize = 3;

/// An accumulator that keeps values.
#[derive(Debug)]
pub(super) struct KeptValues {
    inner: Box<dyn Accumulator>,
    texts: Texts,
}

impl KeptValues {
    pub(super) fn new(inner: Box<dyn Accumulator>) -> Self {
        Self { inner, texts: Texts::default() }
    }
}

impl Accumulator for KeptValues {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.texts.add(values);
        self.inner.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.inner.evaluate()
    }

    fn size(&self) -> usize {
        self.texts.charged(self.inner.size())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.texts.add(states);
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let before = self.inner.size();
        self.inner.retract_batch(values)?;
        self.texts.shrink(before, self.inner.size());
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}

/// The same for groups.
pub(super) struct KeptGroups {
    inner: Box<dyn GroupsAccumulator>,
    texts: Texts,
}

impl KeptGroups {
    pub(super) fn new(inner: Box<dyn GroupsAccumulator>) -> Self {
        Self { inner, texts: Texts::default() }
    }

    fn emit<T>(&mut self, emit: impl FnOnce(&mut dyn GroupsAccumulator) -> Result<T>) -> Result<T> {
        let before = self.inner.size();
        let emitted = emit(self.inner.as_mut())?;
        self.texts.shrink(before, self.inner.size());
        Ok(emitted)
    }
}

impl GroupsAccumulator for KeptGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        group_count: usize,
    ) -> Result<()> {
        self.texts.add(values);
        self.inner.update_batch(values, groups, filter, group_count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        self.emit(|inner| inner.evaluate(emit_to))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.emit(|inner| inner.state(emit_to))
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        group_count: usize,
    ) -> Result<()> {
        self.texts.add(values);
        self.inner.merge_batch(values, groups, group_count)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.texts.charged(self.inner.size()).saturating_add(self.texts.0 * (FACTOR - 1))
    }
}

/// Bytes of texts that are kept alive.
#[derive(Debug, Default)]
struct Texts(usize);

impl Texts {
    fn add(&mut self, arrays: &[ArrayRef]) {
        self.0 += arrays.iter().map(|array| text_bytes(array.as_ref())).sum::<usize>();
    }

    /// As much of them goes as of the other bytes.
    fn shrink(&mut self, before: usize, after: usize) {
        if before > 0 && after < before {
            let left = self.0 as u128 * after as u128 / before as u128;
            self.0 = usize::try_from(left).unwrap_or(self.0);
        }
    }

    fn charged(&self, others: usize) -> usize {
        others.saturating_mul(FACTOR).saturating_add(self.0)
    }
}

/// Bytes that the views of an array, or of what is in its lists and structures, keep alive. Buffers that are mostly
/// others' count by what is used of them.
fn text_bytes(array: &dyn Array) -> usize {
    let of_views = |used: usize, held: usize| if used * 2 >= held { held } else { used * 2 };
    match array.data_type() {
        DataType::Utf8View => {
            let views = array.as_string_view();
            let held = views.data_buffers().iter().map(arrow::buffer::Buffer::capacity).sum();
            of_views(views.total_buffer_bytes_used(), held)
        }
        DataType::BinaryView => {
            let views = array.as_binary_view();
            let held = views.data_buffers().iter().map(arrow::buffer::Buffer::capacity).sum();
            of_views(views.total_buffer_bytes_used(), held)
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let offsets = lists.value_offsets();
            let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return 0 };
            let (first, last) = (*first as usize, *last as usize);
            text_bytes(lists.values().slice(first, last.saturating_sub(first)).as_ref())
        }
        DataType::Struct(_) => {
            array.as_struct().columns().iter().map(|column| text_bytes(column.as_ref())).sum()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringViewArray;
    use datafusion::functions_aggregate::array_agg::ArrayAggAccumulator;

    use super::*;

    #[test]
    fn texts_are_charged() {
        let text = "x".repeat(1000);
        let values: ArrayRef =
            Arc::new(StringViewArray::from_iter_values((0..1000).map(|_| text.as_str())));
        let inner = ArrayAggAccumulator::try_new(&DataType::Utf8View, false).unwrap();
        let mut kept = KeptValues::new(Box::new(inner));
        kept.update_batch(&[Arc::clone(&values)]).unwrap();
        assert!(kept.size() > 1_000_000, "{}", kept.size());
        // A small part of it keeps all of it alive, and is charged for itself.
        assert!(text_bytes(values.slice(0, 10).as_ref()) < 30_000);
        let list = kept.state().unwrap()[0].to_array().unwrap();
        assert!(text_bytes(list.as_ref()) >= 1_000_000);
    }
}
