//! Composite types and rows.
//!
//! A value is stored in the binary form that PostgreSQL sends, so that it is stored, sent and compared for equality as
//! it is; for anything else its fields are read out, a column at a time.
//!
//! ```text
//! fields i32 | for each: type u32 | length i32, -1 for NULL | bytes
//! ```

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryViewArray, BinaryViewBuilder};
use arrow::buffer::NullBuffer;
use serde::{Deserialize, Serialize};

use super::binary::receive::{incorrect, take};
use super::column::{OutputColumn, append_binary_field};
use super::domain::DomainType;
use super::error::TypeError;
use super::input_column::InputColumn;
use super::pg_type::PgType;
use super::settings::InputSettings;

/// `record` and the array over it, in `pg_type`.
const RECORD: (u32, u32) = (2249, 2287);

/// What the text form of a type with rows in it begins with: no name of a type does.
const MARK: &str = "\u{1}type ";

/// Types that a thread remembers by their texts; it begins anew beyond that.
const REMEMBERED_MAX: usize = 256;

/// A composite type, or the type of a row that has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// The OID of the array type over it.
    pub array_oid: u32,
    /// The schema in front of its name where it is not `public`.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// In order.
    pub fields: Vec<RowField>,
}

/// A field of a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowField {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: PgType,
    /// What it is sent as, where it was declared as a domain and `ty` is what that stands on. It says nothing of the
    /// values, so that types are the same without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<PgType>,
}

impl PartialEq for RowField {
    fn eq(&self, other: &Self) -> bool {
        let Self { name, ty, sent: _ } = self;
        (name, ty) == (&other.name, &other.ty)
    }
}

impl Eq for RowField {}

impl Hash for RowField {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { name, ty, sent: _ } = self;
        (name, ty).hash(state);
    }
}

impl RowField {
    /// A field of a type.
    #[must_use]
    pub fn new(name: String, ty: PgType) -> Self {
        Self { name, ty, sent: None }
    }

    /// Puts what domains stand on in their place, and remembers what is sent for them.
    pub(super) fn make_plain(&mut self) {
        let plain = self.ty.plain();
        let over_plain = |domain: &DomainType| {
            PgType::Domain(Arc::new(DomainType { base: domain.base.plain(), ..domain.clone() }))
        };
        let sent = match &self.ty {
            PgType::Domain(domain) => Some(over_plain(domain)),
            PgType::Array(element) => match element.as_ref() {
                PgType::Domain(domain) => Some(PgType::array_of(over_plain(domain))),
                _ => None,
            },
            _ => None,
        };
        // Not where an array of arrays came to be one of more dimensions.
        self.sent = sent.filter(|sent| sent.arrow() == plain.arrow());
        self.ty = plain;
    }

    /// Puts a type of the database's own in the place of what it was before.
    pub(super) fn replace(&mut self, new: &PgType) {
        self.ty.replace(new);
        if let Some(sent) = &mut self.sent {
            sent.replace(new);
        }
    }

    /// The type that its values are sent as.
    pub(super) fn sent(&self) -> &PgType {
        self.sent.as_ref().unwrap_or(&self.ty)
    }
}

impl RowType {
    /// The type of a row that has none of its own.
    #[must_use]
    pub fn record(fields: Vec<RowField>) -> Self {
        let (oid, array_oid) = RECORD;
        Self { oid, array_oid, schema: None, name: "record".to_owned(), fields }
    }

    /// Whether it is one that was not declared.
    #[must_use]
    pub fn is_record(&self) -> bool {
        self.oid == RECORD.0
    }

    /// The same fields as a type that was not declared, names aside.
    #[must_use]
    pub fn types(&self) -> Vec<&PgType> {
        self.fields.iter().map(|field| &field.ty).collect()
    }

    /// The types that the fields are sent as, where that is another form than the stored one; there a domain is what it
    /// stands on.
    pub(super) fn sent(&self) -> Option<Vec<&PgType>> {
        fn sends_domains(ty: &PgType) -> bool {
            match ty {
                PgType::Row(row) => row.sent().is_some(),
                PgType::Array(element) => sends_domains(element),
                _ => false,
            }
        }
        let mut fields = self.fields.iter();
        let differs = fields.any(|field| field.sent.is_some() || sends_domains(&field.ty));
        differs.then(|| self.fields.iter().map(RowField::sent).collect())
    }

    /// The position of a field.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Rows of these columns; null where `nulls` says so.
    ///
    /// # Errors
    /// `XX000` if a column is not of its field's type.
    pub(crate) fn encode(
        &self,
        columns: &[ArrayRef],
        nulls: Option<&NullBuffer>,
        rows: usize,
    ) -> Result<BinaryViewArray, TypeError> {
        let fields = self.fields.iter().zip(columns);
        let columns = fields
            .map(|(field, column)| {
                Ok((field.ty.oid(), OutputColumn::new(&field.ty, column)?.into_stored()))
            })
            .collect::<Result<Vec<_>, TypeError>>()?;
        let mut builder = BinaryViewBuilder::with_capacity(rows);
        let mut bytes = Vec::new();
        for row in 0..rows {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                builder.append_null();
                continue;
            }
            bytes.clear();
            bytes.extend_from_slice(&(columns.len() as i32).to_be_bytes());
            for (oid, column) in &columns {
                bytes.extend_from_slice(&oid.to_be_bytes());
                append_binary_field(column, row, &mut bytes)?;
            }
            builder.try_append_value(&bytes)?;
        }
        Ok(builder.finish())
    }

    /// Rows that were made when the type had other fields; `from` has for each field which it was then, and none for a
    /// new one, which is null.
    ///
    /// # Errors
    /// `XX001` if a value is no row.
    pub(crate) fn rearranged(
        &self,
        rows: &BinaryViewArray,
        from: &[Option<usize>],
    ) -> Result<BinaryViewArray, TypeError> {
        let mut builder = BinaryViewBuilder::with_capacity(rows.len());
        let mut bytes = Vec::new();
        for row in rows {
            let Some(row) = row else {
                builder.append_null();
                continue;
            };
            bytes.clear();
            bytes.extend_from_slice(&(self.fields.len() as i32).to_be_bytes());
            for (field, from) in self.fields.iter().zip(from) {
                bytes.extend_from_slice(&field.ty.oid().to_be_bytes());
                let value = match from {
                    Some(at) => value_at(row, *at)?,
                    None => None,
                };
                let length = value.map_or(-1, |value| value.len() as i32);
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(value.unwrap_or_default());
            }
            builder.try_append_value(&bytes)?;
        }
        Ok(builder.finish())
    }

    /// The fields of rows, a column each; null where a row is.
    ///
    /// # Errors
    /// `XX001` if a value is not of this type's form.
    pub(crate) fn decode(&self, rows: &BinaryViewArray) -> Result<Vec<ArrayRef>, TypeError> {
        (0..self.fields.len()).map(|at| self.decode_field(rows, at)).collect()
    }

    /// One field of rows; null where a row is.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub(crate) fn decode_field(
        &self,
        rows: &BinaryViewArray,
        at: usize,
    ) -> Result<ArrayRef, TypeError> {
        let Some(field) = self.fields.get(at) else { return Err(incorrect()) };
        let mut column = InputColumn::new(&field.ty, &InputSettings::default());
        for row in 0..rows.len() {
            let value = match rows.is_null(row) {
                true => None,
                false => value_at(rows.value(row), at)?,
            };
            column.push_binary(value)?;
        }
        column.finish()
    }
}

/// The bytes of a field; none for a NULL, or where the row has fewer fields.
fn value_at(row: &[u8], at: usize) -> Result<Option<&[u8]>, TypeError> {
    let mut values = Fields::new(row)?;
    for _ in 0..at {
        if values.next_field()?.is_none() {
            return Ok(None);
        }
    }
    Ok(values.next_field()?.and_then(|(_, value)| value))
}

/// The fields of one row, in order.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Fields<'a> {
    /// # Errors
    /// `22P03`, `08P01`
    pub(crate) fn new(row: &'a [u8]) -> Result<Self, TypeError> {
        let mut rest = row;
        let count = i32::from_be_bytes(take(&mut rest)?);
        let left = usize::try_from(count).map_err(|_| incorrect())?;
        Ok(Self { rest, left })
    }

    /// How many fields are left.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// The next field's type and bytes; `None` after the last one.
    ///
    /// # Errors
    /// `22P03`, `08P01`
    #[expect(clippy::type_complexity, reason = "a field may be NULL")]
    pub(crate) fn next_field(&mut self) -> Result<Option<(u32, Option<&'a [u8]>)>, TypeError> {
        if self.left == 0 {
            return if self.rest.is_empty() { Ok(None) } else { Err(incorrect()) };
        }
        self.left -= 1;
        let oid = u32::from_be_bytes(take(&mut self.rest)?);
        let length = i32::from_be_bytes(take(&mut self.rest)?);
        if length == -1 {
            return Ok(Some((oid, None)));
        }
        let length = usize::try_from(length).map_err(|_| incorrect())?;
        let (value, rest) = self.rest.split_at_checked(length).ok_or_else(incorrect)?;
        self.rest = rest;
        Ok(Some((oid, Some(value))))
    }
}

/// The text form of a type that has rows in it, which says all of it; `None` for other types.
pub(super) fn marker(ty: &PgType) -> Option<String> {
    let mut inner = ty;
    while let PgType::Array(element) = inner {
        inner = element;
    }
    // Numbers and texts always have a text form.
    matches!(inner, PgType::Row(_))
        .then(|| format!("{MARK}{}", serde_json::to_string(ty).unwrap_or_default()))
}

/// The type that [`marker`] wrote; `None` if it is not of that form.
pub(super) fn from_marker(text: &str) -> Option<PgType> {
    thread_local! {
        static REMEMBERED: RefCell<HashMap<String, PgType>> = RefCell::default();
    }
    let json = text.strip_prefix(MARK)?;
    let known = REMEMBERED.with_borrow(|known| known.get(json).cloned());
    if known.is_some() {
        return known;
    }
    let ty: PgType = serde_json::from_str(json).ok()?;
    REMEMBERED.with_borrow_mut(|known| {
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(json.to_owned(), ty.clone());
    });
    Some(ty)
}

impl PgType {
    /// The row type, if this is one.
    #[must_use]
    pub fn as_row(&self) -> Option<&Arc<RowType>> {
        match self {
            Self::Row(ty) => Some(ty),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int32Array, StringViewArray};

    use super::*;

    fn pair() -> RowType {
        let field = |name: &str, ty| RowField::new(name.to_owned(), ty);
        RowType::record(vec![field("a", PgType::Int4), field("b", PgType::Text)])
    }

    #[test]
    fn a_field_says_all_of_its_type() {
        let ty = PgType::Row(Arc::new(pair()));
        assert_eq!(PgType::from_field(&ty.field("c", true)), ty);
        let array = PgType::array_of(ty);
        assert_eq!(PgType::from_field(&array.field("c", true)), array);
    }

    #[test]
    fn rows_come_back_field_by_field() {
        let ty = pair();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(vec![Some(1), None, Some(3)])),
            Arc::new(StringViewArray::from(vec![Some("x"), Some(""), None])),
        ];
        let nulls = NullBuffer::from(vec![true, true, false]);
        let rows = ty.encode(&columns, Some(&nulls), 3).unwrap();
        let back = ty.decode(&rows).unwrap();
        assert_eq!(
            back[0].as_primitive::<arrow::datatypes::Int32Type>(),
            &Int32Array::from(vec![Some(1), None, None])
        );
        assert_eq!(
            back[1].as_string_view(),
            &StringViewArray::from(vec![Some("x"), Some(""), None])
        );
    }
}
