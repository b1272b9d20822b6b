//! `to_char` and `to_number` of numbers with templates.

use super::decimal::Dec;
use super::row;
use super::time_format::ordinal_suffix;
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};
use crate::types::pg_type::PgType;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// `9` or `0`.
    Digit {
        zero: bool,
    },
    Point,
    Group,
    Sign,
    Minus,
    Plus,
    SignAny,
    Currency,
    Ordinal {
        upper: bool,
    },
    Text(String),
}

/// A template and what is said of it as a whole.
#[derive(Debug, Default)]
struct Template {
    tokens: Vec<Token>,
    before: usize,
    after: usize,
    /// Position before the point from which zeros are written.
    first_zero: Option<usize>,
    /// Position after the point up to which zeros stay with FM.
    last_zero: usize,
    fill: bool,
    angle: bool,
    roman: Option<bool>,
    exponent: bool,
    shift: u32,
}

fn syntax(message: &'static str) -> PgError {
    PgError::new(SqlState::SYNTAX_ERROR, message)
}

fn parse(text: &str) -> Result<Template, PgError> {
    let mut template = Template { fill: true, ..Template::default() };
    let (mut rest, mut point, mut multiply) = (text, false, false);
    while let Some(first) = rest.chars().next() {
        let word =
            |word: &str| rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        let mut length = first.len_utf8();
        let token = if let Some(tail) = rest.strip_prefix('"') {
            let end = tail.find('"').unwrap_or(tail.len());
            length = (end + 2).min(rest.len());
            Some(Token::Text(tail.get(..end).unwrap_or_default().to_owned()))
        } else if word("EEEE") {
            length = 4;
            template.exponent = true;
            None
        } else if word("FM") {
            length = 2;
            template.fill = false;
            None
        } else if word("PR") {
            length = 2;
            template.angle = true;
            None
        } else if word("RN") {
            length = 2;
            template.roman = Some(first == 'R');
            None
        } else if word("MI") {
            length = 2;
            Some(Token::Minus)
        } else if word("PL") {
            length = 2;
            Some(Token::Plus)
        } else if word("SG") {
            length = 2;
            Some(Token::SignAny)
        } else if word("TH") {
            length = 2;
            Some(Token::Ordinal { upper: first == 'T' })
        } else {
            match first {
                '9' | '0' if multiply => {
                    template.shift += 1;
                    template.before += 1;
                    Some(Token::Digit { zero: first == '0' })
                }
                '9' | '0' => {
                    let zero = first == '0';
                    if point {
                        template.after += 1;
                        if zero {
                            template.last_zero = template.after;
                        }
                    } else {
                        if zero && template.first_zero.is_none() {
                            template.first_zero = Some(template.before);
                        }
                        template.before += 1;
                    }
                    Some(Token::Digit { zero })
                }
                '.' | 'D' | 'd' => {
                    if point {
                        return Err(syntax("multiple decimal points"));
                    }
                    point = true;
                    Some(Token::Point)
                }
                ',' | 'G' | 'g' => Some(Token::Group),
                'S' | 's' => Some(Token::Sign),
                'L' | 'l' => Some(Token::Currency),
                'V' | 'v' => {
                    if point {
                        return Err(syntax("cannot use \"V\" and decimal point together"));
                    }
                    multiply = true;
                    None
                }
                '\\' if rest.len() > 1 => {
                    let next = rest.chars().nth(1).unwrap_or('\\');
                    length = 1 + next.len_utf8();
                    Some(Token::Text(next.to_string()))
                }
                other => Some(Token::Text(other.to_string())),
            }
        };
        template.tokens.extend(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(template)
}

fn roman(value: i64) -> String {
    const STEPS: [(i64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..=3999).contains(&value) {
        return "#".repeat(15);
    }
    let mut rest = value;
    let mut result = String::new();
    for (step, letters) in STEPS {
        while rest >= step {
            result.push_str(letters);
            rest -= step;
        }
    }
    result
}

/// Whole and fraction digits of a number, without sign.
fn digits_of(number: Dec, after: usize) -> Result<(String, String), PgError> {
    let scale = i8::try_from(after.min(37)).unwrap_or(37);
    let rounded = number.abs().round(scale)?.at_least(scale)?.to_string();
    Ok(match rounded.split_once('.') {
        Some((whole, fraction)) => (whole.to_owned(), fraction.to_owned()),
        None => (rounded, String::new()),
    })
}

struct Writer<'t> {
    template: &'t Template,
    negative: bool,
    out: String,
    started: bool,
    sign_written: bool,
}

impl Writer<'_> {
    /// The sign stands right before the first character of the number, where the template has no place for it.
    fn start(&mut self) {
        if self.started {
            return;
        }
        self.started = true;
        if self.sign_written {
            return;
        }
        let sign = match (self.template.angle, self.negative) {
            (true, true) => "<",
            (false, true) => "-",
            (_, false) if self.template.fill => " ",
            (_, false) => "",
        };
        self.out.push_str(sign);
    }

    fn blank(&mut self) {
        if self.template.fill {
            self.out.push(' ');
        }
    }
}

fn render(number: Dec, template: &Template) -> Result<String, PgError> {
    let shifted = if template.shift > 0 {
        number.mul(Dec::new(10_i128.pow(template.shift.min(30)), 0), number.scale)?
    } else {
        number
    };
    let (whole, fraction) = digits_of(shifted, template.after)?;
    let negative = number.value < 0;
    let overflow = whole != "0" && whole.len() > template.before;
    // A zero before the point is written only where the template says so, or where nothing else would be.
    let whole = if whole == "0"
        && template.after > 0
        && template.first_zero.is_none()
        && template.before > 0
    {
        if !template.fill && !negative && number.is_zero() { "0".to_owned() } else { String::new() }
    } else {
        whole
    };
    let has_own_sign = template
        .tokens
        .iter()
        .any(|token| matches!(token, Token::Sign | Token::Minus | Token::SignAny));
    let mut writer = Writer {
        template,
        negative,
        out: String::new(),
        started: false,
        sign_written: has_own_sign,
    };
    let printed = whole.len().max(template.first_zero.map_or(0, |first| template.before - first));
    let (mut slot, mut after) = (0, 0);
    let mut past_point = false;
    for (index, token) in template.tokens.iter().enumerate() {
        match token {
            Token::Digit { .. } if past_point => {
                writer.start();
                let digit = fraction.chars().nth(after).unwrap_or('0');
                after += 1;
                // FM drops zeros at the end that no 0 asked for.
                let rest_zero = fraction
                    .get(after - 1..)
                    .is_none_or(|rest| rest.bytes().all(|byte| byte == b'0'));
                if overflow {
                    writer.out.push('#');
                } else if template.fill || after <= template.last_zero || !rest_zero {
                    writer.out.push(digit);
                }
            }
            Token::Digit { .. } => {
                let from_right = template.before - slot;
                slot += 1;
                if overflow {
                    writer.start();
                    writer.out.push('#');
                } else if from_right <= printed {
                    writer.start();
                    let digit =
                        whole.len().checked_sub(from_right).and_then(|at| whole.chars().nth(at));
                    writer.out.push(digit.unwrap_or('0'));
                } else {
                    writer.blank();
                }
            }
            Token::Point => {
                past_point = true;
                writer.start();
                if template.after > 0 || index + 1 < template.tokens.len() && template.fill {
                    writer.out.push('.');
                }
            }
            Token::Group if writer.started => writer.out.push(','),
            Token::Group => writer.blank(),
            Token::Sign | Token::SignAny => {
                writer.out.push(if negative { '-' } else { '+' });
            }
            Token::Minus => {
                if negative {
                    writer.out.push('-');
                } else {
                    writer.blank();
                }
            }
            Token::Plus => {
                if negative {
                    writer.blank();
                } else {
                    writer.out.push('+');
                }
            }
            // The locale is C, which has no currency symbol.
            Token::Currency => writer.blank(),
            Token::Ordinal { upper } => {
                if !negative && template.after == 0 {
                    let suffix = ordinal_suffix(&whole);
                    writer.out.push_str(&if *upper {
                        suffix.to_uppercase()
                    } else {
                        suffix.to_owned()
                    });
                }
            }
            Token::Text(text) => writer.out.push_str(text),
        }
    }
    if template.angle {
        writer.out.push_str(if negative {
            ">"
        } else if template.fill {
            " "
        } else {
            ""
        });
    }
    Ok(writer.out)
}

/// A leading S belongs to the number: blanks go before it.
fn anchor_sign(text: String, template: &Template) -> String {
    if template.tokens.first() == Some(&Token::Sign)
        && let Some(sign) = text.chars().next()
    {
        let rest = text.get(1..).unwrap_or_default();
        let number = rest.trim_start_matches(' ');
        return format!("{}{sign}{number}", " ".repeat(rest.len() - number.len()));
    }
    text
}

fn exponent(number: f64, template: &Template) -> String {
    let text = format!("{:.*e}", template.after, number.abs());
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let sign = if number < 0.0 {
        "-"
    } else if template.fill {
        " "
    } else {
        ""
    };
    format!("{sign}{mantissa}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs())
}

fn to_char(call: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let template = parse(args.text(1)?)?;
    if let Some(upper) = template.roman {
        let value = args.num_or_float(0)?.round(0)?;
        let text = roman(i64::try_from(value.value).unwrap_or(0));
        let text = if upper { text } else { text.to_lowercase() };
        return Ok(Datum::text(if template.fill { format!("{text:>15}") } else { text }));
    }
    if template.exponent {
        return Ok(Datum::text(exponent(args.float(0)?, &template)));
    }
    if let (Datum::Float(value), PgType::Float4 | PgType::Float8) = (args.get(0), call.arg_type(0))
        && !value.is_finite()
    {
        let blank = template
            .tokens
            .iter()
            .map(|token| if matches!(token, Token::Digit { .. }) { '#' } else { '.' });
        return Ok(Datum::text(format!(" {}", blank.collect::<String>())));
    }
    let text = render(args.num_or_float(0)?, &template)?;
    Ok(Datum::text(anchor_sign(text, &template)))
}

fn to_number(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let template = parse(args.text(1)?)?;
    let text = args.text(0)?;
    let bad = || {
        PgError::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type numeric: \"{text}\""),
        )
    };
    let mut negative = text.contains('-') || template.angle && text.contains('<');
    if text.contains('+') {
        negative = false;
    }
    let mut digits = String::new();
    let mut point = false;
    let (mut before, mut after) = (template.before, template.after);
    for c in text.chars() {
        match c {
            '0'..='9' if !point && before > 0 => {
                before -= 1;
                digits.push(c);
            }
            '0'..='9' if point && after > 0 => {
                after -= 1;
                digits.push(c);
            }
            '.' if !point && template.tokens.contains(&Token::Point) => {
                point = true;
                digits.push('.');
            }
            _ => {}
        }
    }
    if !digits.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(bad());
    }
    let mut number = Dec::parse(&digits).ok_or_else(bad)?;
    if template.shift > 0 {
        let scale = number.scale + i8::try_from(template.shift.min(20)).unwrap_or(0);
        number = Dec::new(number.value, scale);
    }
    Ok(Datum::Num(if negative { number.neg() } else { number }))
}

impl Args<'_, '_> {
    /// A number of any type as decimal; floats with 15 digits.
    fn num_or_float(self, index: usize) -> Result<Dec, PgError> {
        match self.get(index) {
            Datum::Float(value) => Dec::from_f64(*value, 15),
            _ => self.num(index),
        }
    }
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("to_char(int4, text) text", row(to_char)),
    def("to_char(int8, text) text", row(to_char)),
    def("to_char(numeric, text) text", row(to_char)),
    def("to_char(float8, text) text", row(to_char)),
    def("to_char(float4, text) text", row(to_char)),
    def("to_number(text, text) numeric", row(to_number)),
];
