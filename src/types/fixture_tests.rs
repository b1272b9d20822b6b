//! Every value of `tests/fixtures/types/values.jsonl`, read and written as PostgreSQL 15 does it.

use serde_json::Value;

use super::column::OutputColumn;
use super::input_column::InputColumn;
use super::{
    ByteaOutput, DateOrder, DateStyle, InputSettings, IntervalStyle, OutputSettings, PgType,
    TimeZone, TypeError,
};

const VALUES: &str = include_str!("../../tests/fixtures/types/values.jsonl");

struct Case {
    line: usize,
    ty: PgType,
    text: String,
    input: InputSettings,
    output: OutputSettings,
    expected: Value,
}

fn cases() -> impl Iterator<Item = Case> {
    VALUES.lines().enumerate().map(|(index, line)| {
        let expected: Value = serde_json::from_str(line).unwrap();
        let (mut input, mut output) = (InputSettings::default(), OutputSettings::default());
        for (name, value) in expected["set"].as_object().into_iter().flatten() {
            apply(name, value.as_str().unwrap(), &mut input, &mut output);
        }
        Case {
            line: index + 1,
            ty: PgType::parse_name(expected["type"].as_str().unwrap()).unwrap(),
            text: expected["in"].as_str().unwrap().to_owned(),
            input,
            output,
            expected,
        }
    })
}

fn apply(name: &str, value: &str, input: &mut InputSettings, output: &mut OutputSettings) {
    match name {
        "timezone" => {
            input.timezone = TimeZone::parse(value).unwrap();
            output.timezone = input.timezone;
        }
        "datestyle" => {
            let (style, order) = value.split_once(", ").unwrap();
            output.date_style = match style {
                "ISO" => DateStyle::Iso,
                "SQL" => DateStyle::Sql,
                "Postgres" => DateStyle::Postgres,
                _ => DateStyle::German,
            };
            input.date_order = match order {
                "MDY" => DateOrder::Mdy,
                "DMY" => DateOrder::Dmy,
                _ => DateOrder::Ymd,
            };
            output.date_order = input.date_order;
        }
        "intervalstyle" => {
            input.interval_style = match value {
                "postgres" => IntervalStyle::Postgres,
                "postgres_verbose" => IntervalStyle::PostgresVerbose,
                "sql_standard" => IntervalStyle::SqlStandard,
                _ => IntervalStyle::Iso8601,
            };
            output.interval_style = input.interval_style;
        }
        "bytea_output" => output.bytea_output = ByteaOutput::Escape,
        "extra_float_digits" => output.extra_float_digits = value.parse().unwrap(),
        other => panic!("unknown setting {other}"),
    }
}

/// Where graphwire says so, it differs: see the documentation of `pg_type`, `calendar` and `number`.
fn is_deviation(case: &Case) -> bool {
    let undeclared_numeric = case.ty == PgType::Numeric(None);
    match case.expected["out"].as_str() {
        // More digits than the storage has, or zeros it does not keep.
        Some(out) if undeclared_numeric => out
            .split_once('.')
            .is_some_and(|(_, digits)| digits.ends_with('0') || digits.len() > 16),
        Some(out) => out == "NaN" && matches!(case.ty, PgType::Numeric(_)),
        None => false,
    }
}

fn read(case: &Case) -> Result<arrow::array::ArrayRef, TypeError> {
    let mut column = InputColumn::new(&case.ty, &case.input);
    column.push_text(Some(case.text.as_bytes()))?;
    column.finish()
}

fn check(case: &Case) -> Result<(), String> {
    let array = match (read(case), case.expected["code"].as_str()) {
        (Err(error), Some(code)) => {
            let found = (error.sqlstate, Some(error.message.as_str()));
            let expected = (code, case.expected["message"].as_str());
            if found != expected {
                return Err(format!("error {found:?}, expected {expected:?}"));
            }
            for (field, found) in [("detail", error.detail), ("hint", error.hint)] {
                let expected = case.expected[field].as_str().map(str::to_owned);
                if found != expected {
                    return Err(format!("{field} {found:?}, expected {expected:?}"));
                }
            }
            return Ok(());
        }
        (Err(error), None) => return Err(format!("error {}: {error}", error.sqlstate)),
        (Ok(_), Some(code)) => return Err(format!("accepted, expected error {code}")),
        (Ok(array), None) => array,
    };
    let column = OutputColumn::new(&case.ty, &array).unwrap();
    let mut text = Vec::new();
    column.append_text(0, &case.output, &mut text);
    let text = String::from_utf8(text).unwrap();
    if Some(text.as_str()) != case.expected["out"].as_str() {
        return Err(format!("text {text:?}, expected {}", case.expected["out"]));
    }
    let mut binary = Vec::new();
    column.append_binary(0, &mut binary).unwrap();
    let hex: String = binary.iter().map(|byte| format!("{byte:02x}")).collect();
    if Some(hex.as_str()) != case.expected["bin"].as_str() {
        return Err(format!("binary {hex}, expected {}", case.expected["bin"]));
    }
    let mut received = InputColumn::new(&case.ty, &case.input);
    received.push_binary(Some(&binary)).map_err(|error| format!("binary refused: {error}"))?;
    if *received.finish().unwrap() != *array {
        return Err("the binary form reads as another value".to_owned());
    }
    Ok(())
}

#[test]
fn values_are_read_and_written_as_postgresql_does() {
    let mut failures = Vec::new();
    let mut checked = 0;
    for case in cases().filter(|case| !is_deviation(case)) {
        checked += 1;
        if let Err(problem) = check(&case) {
            failures.push(format!("{}: {} {:?}: {problem}", case.line, case.ty, case.text));
        }
    }
    assert!(failures.is_empty(), "{} of {checked}:\n{}", failures.len(), failures.join("\n"));
    assert!(checked > 2000);
}

/// A small generator, so that a failure can be repeated (xorshift; Marsaglia, 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        const SPICE: &[u8] = b"09-+:./ eETPYMDHS{}[],\"\\\0\xff\x80infbcZjt\x01\xe4";
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            match self.below(4) {
                0 if at < bytes.len() => {
                    bytes.remove(at);
                }
                1 => bytes.insert(at, SPICE[self.below(SPICE.len())]),
                2 if at < bytes.len() => bytes[at] = self.below(256) as u8,
                _ => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend_from_slice(&tail);
                }
            }
            bytes.truncate(300);
        }
    }
}

#[test]
fn damaged_values_are_refused_or_read_and_never_panic() {
    let mut random = Random(0x5eed);
    for case in cases() {
        for _ in 0..20 {
            let mut text = case.text.clone().into_bytes();
            random.damage(&mut text);
            let mut column = InputColumn::new(&case.ty, &case.input);
            if column.push_text(Some(&text)).is_ok() {
                written(&case, &column.finish().unwrap());
            }
            let hex = case.expected["bin"].as_str().unwrap_or_default().as_bytes();
            let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
            let mut binary: Vec<u8> =
                hex.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
            random.damage(&mut binary);
            let mut column = InputColumn::new(&case.ty, &case.input);
            if column.push_binary(Some(&binary)).is_ok() {
                written(&case, &column.finish().unwrap());
            }
        }
    }
}

fn written(case: &Case, array: &arrow::array::ArrayRef) {
    let column = OutputColumn::new(&case.ty, array).unwrap();
    let (mut text, mut binary) = (Vec::new(), Vec::new());
    column.append_text(0, &case.output, &mut text);
    let _refused_or_written = column.append_binary(0, &mut binary);
    assert!(std::str::from_utf8(&text).is_ok());
}
