//! Array literals of several dimensions, or with bounds: `{{1,2},{3,4}}`, `[1:2]={a,b}`.

use super::array::{ArrayItem, ArrayReader, malformed};
use super::trim_start;
use crate::types::error::TypeError;

/// As many dimensions as PostgreSQL has.
const DIMENSIONS_MAX: usize = 6;

/// An array: the length of each dimension, outermost first, and its elements in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct NestedArray {
    pub(crate) lengths: Vec<usize>,
    pub(crate) items: Vec<Option<Vec<u8>>>,
}

/// Whether a literal is not simply a list of elements.
pub(crate) fn is_nested(literal: &[u8]) -> bool {
    match trim_start(literal).split_first() {
        Some((b'[', _)) => true,
        Some((b'{', rest)) => trim_start(rest).first() == Some(&b'{'),
        _ => false,
    }
}

/// Reads a literal.
///
/// # Errors
/// `22P02` for a malformed one, `2202E` for bounds, `54000` for too many dimensions, `0A000` for bounds that do not
/// begin at 1.
pub(crate) fn read_nested(literal: &[u8]) -> Result<NestedArray, TypeError> {
    let mut rest = trim_start(literal);
    let mut declared = Vec::new();
    while rest.first() == Some(&b'[') {
        let (length, after) = bound(literal, rest)?;
        declared.push(length);
        rest = after;
    }
    if !declared.is_empty() {
        rest = trim_start(rest);
        rest = match rest.split_first() {
            Some((b'=', after)) => trim_start(after),
            _ => {
                return Err(malformed(literal).with_detail("Missing \"=\" after array dimensions."));
            }
        };
        if rest.first() != Some(&b'{') {
            let detail = "Array contents must start with \"{\".";
            return Err(malformed(literal).with_detail(detail));
        }
    }
    check_depth(declared.len())?;
    let mut reading = Reading { literal, array: NestedArray::default(), is_leaf: None };
    let after = reading.level(rest, 0)?;
    if !trim_start(after).is_empty() {
        return Err(malformed(literal).with_detail("Junk after closing right brace."));
    }
    let mut array = reading.array;
    if array.items.is_empty() {
        array.lengths.clear();
    }
    if !declared.is_empty() && declared != array.lengths {
        let detail = "Specified array dimensions do not match array contents.";
        return Err(malformed(literal).with_detail(detail));
    }
    Ok(array)
}

fn check_depth(dimensions: usize) -> Result<(), TypeError> {
    if dimensions <= DIMENSIONS_MAX {
        return Ok(());
    }
    let message = format!(
        "number of array dimensions ({dimensions}) exceeds the maximum allowed ({DIMENSIONS_MAX})"
    );
    Err(TypeError::new("54000", message))
}

/// `[low:high]` or `[high]` as a length.
fn bound<'a>(literal: &[u8], text: &'a [u8]) -> Result<(usize, &'a [u8]), TypeError> {
    let bad = || {
        malformed(literal)
            .with_detail("\"[\" must introduce explicitly-specified array dimensions.")
    };
    let end = text.iter().position(|byte| *byte == b']').ok_or_else(bad)?;
    let inside = text.get(1..end).unwrap_or_default();
    let number = |text: &[u8]| -> Result<i64, TypeError> {
        let text = std::str::from_utf8(text).map_err(|_| bad())?;
        text.trim().parse().map_err(|_| bad())
    };
    let (low, high) = match inside.iter().position(|byte| *byte == b':') {
        Some(at) => {
            let (low, high) = inside.split_at(at);
            (number(low)?, number(high.get(1..).unwrap_or_default())?)
        }
        None => (1, number(inside)?),
    };
    if high < low {
        return Err(TypeError::new("2202E", "upper bound cannot be less than lower bound"));
    }
    if low != 1 {
        return Err(TypeError::unsupported(
            "arrays whose index does not begin at 1 are not supported",
        )
        .with_hint("Write the elements alone."));
    }
    let length = usize::try_from(high).map_err(|_| bad())?;
    Ok((length, text.get(end + 1..).unwrap_or_default()))
}

struct Reading<'a> {
    literal: &'a [u8],
    array: NestedArray,
    /// At which depth the elements are, once one was seen.
    is_leaf: Option<usize>,
}

impl<'a> Reading<'a> {
    fn mismatch(&self) -> TypeError {
        let detail = "Multidimensional arrays must have sub-arrays with matching dimensions.";
        malformed(self.literal).with_detail(detail)
    }

    /// Reads one `{…}` at a depth; what follows it.
    fn level(&mut self, text: &'a [u8], depth: usize) -> Result<&'a [u8], TypeError> {
        check_depth(depth + 1)?;
        let ends = || malformed(self.literal).with_detail("Unexpected end of input.");
        let Some((b'{', inside)) = text.split_first() else { return Err(ends()) };
        let first = trim_start(inside).first().ok_or_else(ends)?;
        if *first != b'{' {
            return self.leaf(text, depth);
        }
        if self.is_leaf.is_some_and(|leaf| leaf <= depth) {
            return Err(self.mismatch());
        }
        let mut rest = trim_start(inside);
        let mut count = 0;
        loop {
            if rest.first() != Some(&b'{') {
                return Err(match rest.first() {
                    None => malformed(self.literal).with_detail("Unexpected end of input."),
                    Some(_) => malformed(self.literal).with_detail("Unexpected array element."),
                });
            }
            rest = trim_start(self.level(rest, depth + 1)?);
            count += 1;
            match rest.split_first() {
                Some((b',', after)) => rest = trim_start(after),
                Some((b'}', after)) => {
                    self.note(depth, count)?;
                    return Ok(after);
                }
                Some(_) => {
                    return Err(malformed(self.literal).with_detail("Unexpected array element."));
                }
                None => return Err(malformed(self.literal).with_detail("Unexpected end of input.")),
            }
        }
    }

    /// Reads a list of elements.
    fn leaf(&mut self, text: &'a [u8], depth: usize) -> Result<&'a [u8], TypeError> {
        if self.is_leaf.is_some_and(|leaf| leaf != depth) {
            return Err(self.mismatch());
        }
        self.is_leaf = Some(depth);
        let mut reader = ArrayReader::within(self.literal, text)?;
        let mut element = Vec::new();
        let mut count = 0;
        while let Some(item) = reader.next_item(&mut element)? {
            self.array.items.push(match item {
                ArrayItem::Null => None,
                ArrayItem::Text => Some(element.clone()),
            });
            count += 1;
        }
        if count == 0 && depth > 0 {
            return Err(malformed(self.literal).with_detail("Unexpected \"}\" character."));
        }
        self.note(depth, count)?;
        Ok(reader.rest())
    }

    /// Every array of a depth is as long as the others.
    fn note(&mut self, depth: usize, count: usize) -> Result<(), TypeError> {
        while self.array.lengths.len() <= depth {
            self.array.lengths.push(usize::MAX);
        }
        let known = self.array.lengths.get_mut(depth);
        match known {
            Some(known) if *known == usize::MAX => {
                *known = count;
                Ok(())
            }
            Some(known) if *known == count => Ok(()),
            _ => Err(self.mismatch()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(literal: &str) -> Result<(Vec<usize>, usize), TypeError> {
        read_nested(literal.as_bytes()).map(|array| (array.lengths, array.items.len()))
    }

    #[test]
    fn dimensions() {
        assert_eq!(lengths("{{1,2},{3,4}}").unwrap(), (vec![2, 2], 4));
        assert_eq!(lengths("{{{1},{2}}, {{3},{NULL}}}").unwrap(), (vec![2, 2, 1], 4));
        assert_eq!(lengths("[1:2]={a,b}").unwrap(), (vec![2], 2));
        assert_eq!(lengths("[1:0]={}").unwrap_err().sqlstate, "2202E");
        for bad in [
            "{{1,2},{3}}",
            "{{1},2}",
            "{1,{2}}",
            "{{1}",
            "{{1}}x",
            "[1:2]={a}",
            "[1:x]={a}",
            "{{1},{{2}}}",
            "{{},{}}",
        ] {
            assert_eq!(lengths(bad).unwrap_err().sqlstate, "22P02", "{bad}");
        }
        assert_eq!(lengths("[2:1]={a}").unwrap_err().sqlstate, "2202E");
        assert_eq!(lengths("[0:1]={a,b}").unwrap_err().sqlstate, "0A000");
        assert_eq!(lengths("{{{{{{{1}}}}}}}").unwrap_err().sqlstate, "54000");
    }
}
