//! Binary values of the wire protocol as the text the simple protocol prints: a second reading of the binary forms, made
//! from PostgreSQL's documentation and send functions alone, so that a mistake of the encoder shows.
//!
//! Dates are read as in `DateStyle` ISO, intervals as in `IntervalStyle` postgres, bytea as hex.

use chrono::{
    DateTime, Datelike as _, Duration, NaiveDate, NaiveDateTime, Offset as _, TimeZone as _,
};
use chrono_tz::Tz;
use tokio_postgres::types::{FromSql, Kind, Type};

/// A cell as it came, whatever its type.
pub(crate) struct Cell {
    ty: Type,
    bytes: Vec<u8>,
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(
        ty: &Type,
        bytes: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self { ty: ty.clone(), bytes: bytes.to_vec() })
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// What a cell's text is.
pub(crate) enum Text {
    /// Here it is.
    Known(String),
    /// That of this expression: the binary form is a number, the text a name.
    Lookup(String),
}

/// Bytes that are not of their type's form.
type Malformed = String;

impl Cell {
    /// The text of the cell in a session with this time zone.
    pub(crate) fn text(&self, zone: Tz) -> Result<Text, Malformed> {
        if self.ty.name().starts_with("reg") && matches!(self.ty.kind(), Kind::Simple) {
            let oid = u32::from_be_bytes(exact(&self.bytes)?);
            return Ok(Text::Lookup(format!("'{oid}'::{}", self.ty.name())));
        }
        value(&self.ty, &self.bytes, zone).map(Text::Known)
    }
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Malformed> {
    bytes.try_into().map_err(|_| format!("{} bytes where {N} belong", bytes.len()))
}

fn utf8(bytes: &[u8]) -> Result<String, Malformed> {
    String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())
}

fn value(ty: &Type, bytes: &[u8], zone: Tz) -> Result<String, Malformed> {
    if let Kind::Array(element) = ty.kind() {
        let is_vector = matches!(*ty, Type::INT2_VECTOR | Type::OID_VECTOR);
        return array(element, bytes, zone, is_vector);
    }
    match ty.kind() {
        Kind::Composite(fields) => {
            let types: Vec<Type> = fields.iter().map(|field| field.type_().clone()).collect();
            return record(bytes, zone, Some(&types));
        }
        Kind::Domain(base) => return value(base, bytes, zone),
        Kind::Range(subtype) => return range(subtype, bytes, zone),
        Kind::Multirange(subtype) => return multirange(subtype, bytes, zone),
        _ => {}
    }
    Ok(match *ty {
        Type::BOOL => match exact::<1>(bytes)? {
            [0] => "f".to_owned(),
            [1] => "t".to_owned(),
            [other] => return Err(format!("a bool of {other}")),
        },
        Type::INT2 => i16::from_be_bytes(exact(bytes)?).to_string(),
        Type::INT4 => i32::from_be_bytes(exact(bytes)?).to_string(),
        Type::INT8 => i64::from_be_bytes(exact(bytes)?).to_string(),
        Type::OID | Type::XID | Type::CID => u32::from_be_bytes(exact(bytes)?).to_string(),
        Type::XID8 => u64::from_be_bytes(exact(bytes)?).to_string(),
        Type::PG_LSN => {
            let lsn = u64::from_be_bytes(exact(bytes)?);
            format!("{:X}/{:X}", lsn >> 32, lsn & 0xffff_ffff)
        }
        Type::FLOAT4 => {
            let value = f32::from_be_bytes(exact(bytes)?);
            float(f64::from(value), &format!("{value:e}"), 6)
        }
        Type::FLOAT8 => {
            let value = f64::from_be_bytes(exact(bytes)?);
            float(value, &format!("{value:e}"), 15)
        }
        Type::NUMERIC => numeric(bytes)?,
        Type::BYTEA => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("\\x{hex}")
        }
        Type::DATE => date(i32::from_be_bytes(exact(bytes)?))?,
        Type::TIME => time(i64::from_be_bytes(exact(bytes)?)),
        Type::TIMETZ => {
            let bytes = exact::<12>(bytes)?;
            let micros = i64::from_be_bytes(exact(&bytes[..8])?);
            let west = i32::from_be_bytes(exact(&bytes[8..])?);
            format!("{}{}", time(micros), offset(-west))
        }
        Type::TIMESTAMP => timestamp(i64::from_be_bytes(exact(bytes)?), None)?,
        Type::TIMESTAMPTZ => timestamp(i64::from_be_bytes(exact(bytes)?), Some(zone))?,
        Type::INTERVAL => {
            let bytes = exact::<16>(bytes)?;
            interval(
                i64::from_be_bytes(exact(&bytes[..8])?),
                i32::from_be_bytes(exact(&bytes[8..12])?),
                i32::from_be_bytes(exact(&bytes[12..])?),
            )
        }
        Type::UUID => uuid::Uuid::from_bytes(exact(bytes)?).to_string(),
        Type::JSONB | Type::JSONPATH => match bytes.split_first() {
            Some((1, text)) => utf8(text)?,
            _ => return Err("a jsonb or jsonpath of another version".to_owned()),
        },
        Type::TID => {
            let bytes = exact::<6>(bytes)?;
            let block = u32::from_be_bytes(exact(&bytes[..4])?);
            format!("({block},{})", u16::from_be_bytes(exact(&bytes[4..])?))
        }
        Type::INET => inet(bytes)?,
        Type::RECORD => record(bytes, zone, None)?,
        Type::VOID => String::new(),
        _ if ty.name() == "hstore" => hstore(bytes)?,
        _ => utf8(bytes)?,
    })
}

/// The shortest digits that read back as the value; an exponent below 10⁻⁴ and from 10 to the `digits` on.
fn float(value: f64, scientific: &str, digits: i32) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let written: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if value == 0.0 {
        return format!("{sign}0");
    }
    if !(-4..digits).contains(&exponent) {
        let fraction =
            if written.len() > 1 { format!(".{}", &written[1..]) } else { String::new() };
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{}{fraction}e{direction}{:02}", &written[..1], exponent.abs());
    }
    if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap());
        return format!("{sign}0.{zeros}{written}");
    }
    let whole = usize::try_from(exponent).unwrap() + 1;
    if written.len() <= whole {
        return format!("{sign}{written}{}", "0".repeat(whole - written.len()));
    }
    format!("{sign}{}.{}", &written[..whole], &written[whole..])
}

/// Base-10000 digits with a weight, a sign and a number of digits to show behind the point.
fn numeric(bytes: &[u8]) -> Result<String, Malformed> {
    let words: Vec<i16> = bytes
        .chunks(2)
        .map(|pair| Ok(i16::from_be_bytes(exact(pair)?)))
        .collect::<Result<_, Malformed>>()?;
    let [count, weight, sign, scale, digits @ ..] = words.as_slice() else {
        return Err("a numeric that is too short".to_owned());
    };
    if usize::try_from(*count) != Ok(digits.len()) {
        return Err(format!("a numeric of {count} digits with {}", digits.len()));
    }
    let sign = match sign.cast_unsigned() {
        0 => "",
        0x4000 => "-",
        0xC000 => return Ok("NaN".to_owned()),
        0xD000 => return Ok("Infinity".to_owned()),
        0xF000 => return Ok("-Infinity".to_owned()),
        other => return Err(format!("a numeric of sign {other:x}")),
    };
    let digit = |place: i32| -> i16 {
        let at = i32::from(*weight) - place;
        usize::try_from(at).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0)
    };
    let whole: String =
        (0..=i32::from(*weight).max(0)).rev().map(|at| format!("{:04}", digit(at))).collect();
    let whole = whole.trim_start_matches('0');
    let scale = usize::try_from(*scale).map_err(|_| "a negative scale".to_owned())?;
    let groups = i32::try_from(scale.div_ceil(4)).unwrap();
    let fraction: String = (1..=groups).map(|at| format!("{:04}", digit(-at))).collect();
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if scale > 0 { "." } else { "" };
    Ok(format!("{sign}{whole}{point}{}", &fraction[..scale]))
}

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400 * MICROS;

fn epoch() -> NaiveDate {
    NaiveDate::from_ymd_opt(2000, 1, 1).unwrap()
}

/// A date and whether it is before year 1.
fn day(date: NaiveDate) -> (String, &'static str) {
    let year = date.year();
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    (format!("{year:04}-{:02}-{:02}", date.month(), date.day()), era)
}

fn date(days: i32) -> Result<String, Malformed> {
    match days {
        i32::MAX => return Ok("infinity".to_owned()),
        i32::MIN => return Ok("-infinity".to_owned()),
        _ => {}
    }
    match Duration::try_days(i64::from(days)).and_then(|days| epoch().checked_add_signed(days)) {
        Some(date) => {
            let (text, era) = day(date);
            Ok(format!("{text}{era}"))
        }
        // The calendar of the crate ends before PostgreSQL's, which repeats every 400 years.
        None => {
            let (cycles, rest) = (days.div_euclid(146_097), days.rem_euclid(146_097));
            let date = epoch() + Duration::days(i64::from(rest));
            let year = i64::from(date.year()) + i64::from(cycles) * 400;
            Ok(format!("{year}-{:02}-{:02}", date.month(), date.day()))
        }
    }
}

fn fraction(micros: i64) -> String {
    match micros % MICROS {
        0 => String::new(),
        rest => format!(".{rest:06}").trim_end_matches('0').to_owned(),
    }
}

fn time(micros: i64) -> String {
    let seconds = micros / MICROS;
    format!(
        "{:02}:{:02}:{:02}{}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        fraction(micros)
    )
}

fn offset(east: i32) -> String {
    let sign = if east < 0 { '-' } else { '+' };
    let east = east.abs();
    let (hours, minutes, seconds) = (east / 3600, east / 60 % 60, east % 60);
    match (minutes, seconds) {
        (0, 0) => format!("{sign}{hours:02}"),
        (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

fn timestamp(micros: i64, zone: Option<Tz>) -> Result<String, Malformed> {
    match micros {
        i64::MAX => return Ok("infinity".to_owned()),
        i64::MIN => return Ok("-infinity".to_owned()),
        _ => {}
    }
    let at: NaiveDateTime = epoch()
        .and_hms_opt(0, 0, 0)
        .and_then(|epoch| epoch.checked_add_signed(Duration::microseconds(micros)))
        .ok_or_else(|| format!("timestamp {micros} is beyond this decoder"))?;
    let (local, shift) = match zone {
        None => (at, String::new()),
        Some(zone) => {
            let there: DateTime<Tz> = zone.from_utc_datetime(&at);
            (there.naive_local(), offset(there.offset().fix().local_minus_utc()))
        }
    };
    let (date, era) = day(local.date());
    let since = (local - local.date().and_hms_opt(0, 0, 0).unwrap()).num_microseconds().unwrap();
    debug_assert!((0..DAY).contains(&since));
    Ok(format!("{date} {}{shift}{era}", time(since)))
}

/// `IntervalStyle` postgres: units that are not 0, each with its own sign.
fn interval(micros: i64, days: i32, months: i32) -> String {
    let mut parts = Vec::new();
    let mut before = false;
    let (years, months) = (months / 12, months % 12);
    for (count, unit) in [(years, "year"), (months, "mon"), (days, "day")] {
        if count == 0 {
            continue;
        }
        let sign = if before && count > 0 { "+" } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        parts.push(format!("{sign}{count} {unit}{plural}"));
        before = count < 0;
    }
    if micros != 0 || parts.is_empty() {
        let sign = match micros {
            ..0 => "-",
            _ if before => "+",
            _ => "",
        };
        let micros = micros.unsigned_abs().cast_signed();
        parts.push(format!("{sign}{}", time(micros)));
    }
    parts.join(" ")
}

fn inet(bytes: &[u8]) -> Result<String, Malformed> {
    let [family, prefix, _, length, address @ ..] = bytes else {
        return Err("an inet that is too short".to_owned());
    };
    let (address, whole): (std::net::IpAddr, u8) = match (family, length) {
        (2, 4) => (exact::<4>(address)?.into(), 32),
        (3, 16) => (exact::<16>(address)?.into(), 128),
        _ => return Err(format!("an inet of family {family}, length {length}")),
    };
    Ok(if *prefix == whole { address.to_string() } else { format!("{address}/{prefix}") })
}

/// Takes length-prefixed values off the front of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(count).ok_or("a value that is too short")?;
        self.0 = rest;
        Ok(head)
    }

    fn int(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(exact(self.take(4)?)?))
    }

    /// A length and as many bytes; `None` is NULL.
    fn value(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.int()? {
            -1 => Ok(None),
            length => {
                self.take(usize::try_from(length).map_err(|error| error.to_string())?).map(Some)
            }
        }
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(format!("{} bytes too many", self.0.len())) }
    }
}

/// Of the extension: keys with texts or NULL.
fn hstore(bytes: &[u8]) -> Result<String, Malformed> {
    let quoted = |text: &[u8]| {
        let text = utf8(text)?.replace('\\', "\\\\").replace('"', "\\\"");
        Ok::<_, Malformed>(format!("\"{text}\""))
    };
    let mut reader = Reader(bytes);
    let mut pairs = Vec::new();
    for _ in 0..reader.int()? {
        let key = quoted(reader.value()?.ok_or("a key that is null")?)?;
        let value = reader.value()?.map_or(Ok("NULL".to_owned()), quoted)?;
        pairs.push(format!("{key}=>{value}"));
    }
    reader.end()?;
    Ok(pairs.join(", "))
}

fn array(element: &Type, bytes: &[u8], zone: Tz, is_vector: bool) -> Result<String, Malformed> {
    let mut reader = Reader(bytes);
    let dimensions = reader.int()?;
    let has_null = reader.int()?;
    let oid = reader.int()?.cast_unsigned();
    if oid != element.oid() {
        return Err(format!("an array of {oid} where its type says {}", element.oid()));
    }
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(reader.int()?);
        let _lower_bound = reader.int()?;
    }
    let count: i32 = if lengths.is_empty() { 0 } else { lengths.iter().product() };
    let mut cells = Vec::new();
    let mut found_null = false;
    for _ in 0..count {
        cells.push(match reader.value()? {
            None => {
                found_null = true;
                "NULL".to_owned()
            }
            Some(bytes) => {
                let text = value(element, bytes, zone)?;
                if is_vector { text } else { quoted_element(&text) }
            }
        });
    }
    reader.end()?;
    if found_null != (has_null == 1) {
        return Err(format!("an array that says {has_null} of its NULLs"));
    }
    if is_vector {
        return Ok(cells.join(" "));
    }
    for length in lengths.iter().rev().take(lengths.len().saturating_sub(1)) {
        let length = usize::try_from(*length).unwrap().max(1);
        cells = cells.chunks(length).map(|row| format!("{{{}}}", row.join(","))).collect();
    }
    Ok(format!("{{{}}}", cells.join(",")))
}

fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c]))
        .collect()
}

fn quoted_element(text: &str) -> String {
    let special = |c: char| matches!(c, '{' | '}' | ',' | '"' | '\\') || c.is_ascii_whitespace();
    if text.is_empty() || text.eq_ignore_ascii_case("null") || text.contains(special) {
        format!("\"{}\"", escaped(text))
    } else {
        text.to_owned()
    }
}

/// Flags, and the bounds that there are.
fn range(subtype: &Type, bytes: &[u8], zone: Tz) -> Result<String, Malformed> {
    let mut reader = Reader(bytes);
    let [flags] = exact(reader.take(1)?)?;
    if flags == 0x01 {
        reader.end()?;
        return Ok("empty".to_owned());
    }
    let mut bound = |absent: u8| -> Result<String, Malformed> {
        if flags & absent != 0 {
            return Ok(String::new());
        }
        let text = value(subtype, reader.value()?.ok_or("a bound that is NULL")?, zone)?;
        Ok(if text.contains(' ') { format!("\"{text}\"") } else { text })
    };
    let (lower, upper) = (bound(0x08)?, bound(0x10)?);
    reader.end()?;
    let open = if flags & 0x02 != 0 { '[' } else { '(' };
    let close = if flags & 0x04 != 0 { ']' } else { ')' };
    Ok(format!("{open}{lower},{upper}{close}"))
}

fn multirange(subtype: &Type, bytes: &[u8], zone: Tz) -> Result<String, Malformed> {
    let mut reader = Reader(bytes);
    let mut ranges = Vec::new();
    for _ in 0..reader.int()? {
        let one = reader.value()?.ok_or("a range that is NULL")?;
        ranges.push(range(subtype, one, zone)?);
    }
    reader.end()?;
    Ok(format!("{{{}}}", ranges.join(",")))
}

fn record(bytes: &[u8], zone: Tz, types: Option<&[Type]>) -> Result<String, Malformed> {
    let mut reader = Reader(bytes);
    let mut fields = Vec::new();
    for at in 0..reader.int()? {
        let oid = reader.int()?.cast_unsigned();
        let declared = types.and_then(|types| types.get(usize::try_from(at).ok()?).cloned());
        let ty = declared.or_else(|| Type::from_oid(oid));
        let ty = ty.ok_or_else(|| format!("a field of type {oid}"))?;
        fields.push(match reader.value()? {
            None => String::new(),
            Some(bytes) => {
                let text = value(&ty, bytes, zone)?;
                let special =
                    |c: char| matches!(c, '(' | ')' | ',' | '"' | '\\') || c.is_ascii_whitespace();
                if text.is_empty() || text.contains(special) {
                    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\""))
                } else {
                    text
                }
            }
        });
    }
    reader.end()?;
    Ok(format!("({})", fields.join(",")))
}

#[test]
fn postgresqls_own_forms() {
    let utc = chrono_tz::UTC;
    let text = |ty: Type, bytes: &[u8]| value(&ty, bytes, utc).unwrap();
    assert_eq!(text(Type::FLOAT8, &1e15_f64.to_be_bytes()), "1e+15");
    assert_eq!(text(Type::FLOAT8, &123_456.75_f64.to_be_bytes()), "123456.75");
    assert_eq!(text(Type::FLOAT8, &0.0001_f64.to_be_bytes()), "0.0001");
    assert_eq!(text(Type::FLOAT8, &(-0.00001_f64).to_be_bytes()), "-1e-05");
    assert_eq!(text(Type::FLOAT4, &1e6_f32.to_be_bytes()), "1e+06");
    let numeric =
        |words: &[i16]| -> Vec<u8> { words.iter().flat_map(|word| word.to_be_bytes()).collect() };
    assert_eq!(text(Type::NUMERIC, &numeric(&[2, 0, 0, 2, 12, 3400])), "12.34");
    assert_eq!(text(Type::NUMERIC, &numeric(&[1, -1, 0x4000, 3, 50])), "-0.005");
    assert_eq!(text(Type::NUMERIC, &numeric(&[1, 1, 0, 0, 12])), "120000");
    assert_eq!(text(Type::DATE, &0_i32.to_be_bytes()), "2000-01-01");
    assert_eq!(text(Type::TIMESTAMP, &1_500_000_i64.to_be_bytes()), "2000-01-01 00:00:01.5");
    assert_eq!(interval(-3_600_000_000, 2, -14), "-1 years -2 mons +2 days -01:00:00");
    let kolkata = chrono_tz::Asia::Kolkata;
    assert_eq!(timestamp(0, Some(kolkata)).unwrap(), "2000-01-01 05:30:00+05:30");
}
