use super::*;
use crate::types::settings::InputSettings;

fn stored(kind: RangeKind, literal: &str) -> Vec<u8> {
    read_text(kind, literal.as_bytes(), &InputSettings::default()).unwrap()
}

#[test]
fn bytes_are_in_the_order_of_the_ranges() {
    let ascending = [
        "empty", "(,-5)", "(,-5]", "(,)", "[-7,3]", "(-7,3)", "[0,1.5)", "[0,1.5]", "[0,)",
        "(0,1)", "[2,2]",
    ];
    let bytes: Vec<_> = ascending.iter().map(|text| stored(RangeKind::Num, text)).collect();
    assert!(bytes.is_sorted());
    for (text, bytes) in ascending.iter().zip(&bytes) {
        assert_eq!(text_of(RangeKind::Num, bytes), *text);
    }
}

#[test]
fn discrete_ranges_have_one_form() {
    for (kind, literal, expected) in [
        (RangeKind::Int4, "(1,3]", "[2,4)"),
        (RangeKind::Int8, "[1,1]", "[1,2)"),
        (RangeKind::Int4, "(1,2)", "empty"),
        (RangeKind::Date, "(2020-02-28,2020-03-01]", "[2020-02-29,2020-03-02)"),
        (RangeKind::Date, "[2020-02-28,infinity]", "[2020-02-28,infinity]"),
    ] {
        assert_eq!(text_of(kind, &stored(kind, literal)), expected, "{literal}");
    }
    // A range of integers lies in the view itself, without a buffer.
    assert!(stored(RangeKind::Int4, "[1,3)").len() <= 12);
}

#[test]
fn damaged_bytes_are_refused() {
    for bytes in [&b""[..], b"\x00\x00", b"\x01", b"\x01\x02", b"\x02\x80", b"\x03\x01"] {
        assert_eq!(Range::decode(RangeKind::Int4, bytes).unwrap_err().sqlstate, "XX001");
    }
}

/// Small ranges by the numbers that are in them.
fn members(range: &Range) -> Vec<i128> {
    (-1..8).filter(|value| range.has(*value)).collect()
}

#[test]
fn operators_agree_with_sets_of_numbers() {
    let kind = RangeKind::Int4;
    let bound = |value| Bound { value: Some(value), inclusive: true };
    let ranges: Vec<Range> = (0..7)
        .flat_map(|low| (low - 1..7).map(move |high| (low, high)))
        .filter_map(|(low, high)| {
            let upper = Bound { value: Some(high + 1), inclusive: false };
            Range::new(kind, bound(low), upper).ok()
        })
        .collect();
    for left in &ranges {
        for right in &ranges {
            let (l, r) = (members(left), members(right));
            let both: Vec<_> = l.iter().copied().filter(|one| r.contains(one)).collect();
            assert_eq!(left.overlaps(right), !both.is_empty());
            assert_eq!(left.contains(right), r.iter().all(|one| l.contains(one)));
            assert_eq!(members(&left.intersection(right, kind).unwrap()), both);
            let rest: Vec<_> = l.iter().copied().filter(|one| !r.contains(one)).collect();
            let gap = rest.windows(2).any(|pair| pair[1] != pair[0] + 1);
            match left.difference(right, kind) {
                Ok(found) => assert_eq!(members(&found), rest),
                Err(error) => assert!(gap && error.sqlstate == "22000"),
            }
            let mut all = [l.clone(), r.clone()].concat();
            all.sort_unstable();
            all.dedup();
            let gap = all.windows(2).any(|pair| pair[1] != pair[0] + 1);
            match left.union(right, kind) {
                Ok(found) => assert_eq!(members(&found), all),
                Err(error) => assert!(gap && error.sqlstate == "22000"),
            }
            let before = !l.is_empty() && !r.is_empty() && l.last() < r.first();
            assert_eq!(left.is_before(right), before);
            let touch = |a: &[i128], b: &[i128]| match (a.last(), b.first()) {
                (Some(a), Some(b)) => a + 1 == *b,
                _ => false,
            };
            assert_eq!(left.is_adjacent(right, kind), touch(&l, &r) || touch(&r, &l));
        }
    }
}

#[test]
fn multiranges_keep_what_is_apart_in_order() {
    let settings = InputSettings::default();
    let stored = |text: &str| read_multi_text(RangeKind::Int4, text.as_bytes(), &settings).unwrap();
    let ascending = ["{}", "{(,3)}", "{[1,3)}", "{[1,3),[5,6)}", "{[1,3),[5,7)}", "{[1,4)}"];
    let bytes: Vec<_> = ascending.iter().map(|text| stored(text)).collect();
    assert!(bytes.is_sorted());
    for (text, bytes) in ascending.iter().zip(&bytes) {
        assert_eq!(multi_text_of(RangeKind::Int4, bytes), *text);
        let mut sent = Vec::new();
        append_multi_binary(RangeKind::Int4, bytes, &mut sent).unwrap();
        assert_eq!(read_multi_binary(RangeKind::Int4, &sent).unwrap(), *bytes);
    }
    let bytes = stored(" { (8,9] , empty,[5,6), [1,3],[6,6] } ");
    assert_eq!(multi_text_of(RangeKind::Int4, &bytes), "{[1,4),[5,7),[9,10)}");
}
