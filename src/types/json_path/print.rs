//! A path's own text form, as PostgreSQL prints it.

use std::fmt;

use super::{Comparison, JsonPath, Node, Step};

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.strict {
            f.write_str("strict ")?;
        }
        write_node(f, &self.root, true)
    }
}

fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "==",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

fn priority(node: &Node) -> u8 {
    match node {
        Node::Or(..) => 0,
        Node::And(..) => 1,
        Node::Compare(..) | Node::StartsWith(..) => 2,
        Node::Arithmetic('+' | '-', ..) => 3,
        Node::Arithmetic(..) => 4,
        Node::Sign(..) => 5,
        _ => 6,
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{c}' => f.write_str("\\f")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if u32::from(c) < 0x20 => write!(f, "\\u{:04x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// An operand, in parentheses where its operator binds less than the one around it.
fn write_operand(f: &mut fmt::Formatter<'_>, node: &Node, around: &Node) -> fmt::Result {
    write_node(f, node, priority(node) <= priority(around))
}

fn in_brackets(
    f: &mut fmt::Formatter<'_>,
    brackets: bool,
    inside: impl FnOnce(&mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    if brackets {
        f.write_str("(")?;
    }
    inside(f)?;
    if brackets { f.write_str(")") } else { Ok(()) }
}

fn write_node(f: &mut fmt::Formatter<'_>, node: &Node, brackets: bool) -> fmt::Result {
    let binary = |f: &mut fmt::Formatter<'_>, left: &Node, sign: &str, right: &Node| {
        in_brackets(f, brackets, |f| {
            write_operand(f, left, node)?;
            write!(f, " {sign} ")?;
            write_operand(f, right, node)
        })
    };
    match node {
        Node::Root => f.write_str("$"),
        Node::Current => f.write_str("@"),
        Node::Last => f.write_str("last"),
        Node::Variable(name) => {
            f.write_str("$")?;
            write_text(f, name)
        }
        Node::Null => f.write_str("null"),
        Node::Bool(value) => write!(f, "{value}"),
        Node::Number(digits) => f.write_str(&plain(digits)),
        Node::Text(text) => write_text(f, text),
        Node::Steps(start, steps) => {
            write_node(f, start, true)?;
            steps.iter().try_for_each(|step| write_step(f, step))
        }
        Node::Sign(sign, inner) => in_brackets(f, brackets, |f| {
            write!(f, "{sign}")?;
            write_operand(f, inner, node)
        }),
        Node::Arithmetic(sign, left, right) => binary(f, left, &sign.to_string(), right),
        Node::Compare(comparison, left, right) => binary(f, left, sign(*comparison), right),
        Node::And(left, right) => binary(f, left, "&&", right),
        Node::Or(left, right) => binary(f, left, "||", right),
        Node::StartsWith(left, right) => binary(f, left, "starts with", right),
        Node::Not(inner) => {
            f.write_str("!(")?;
            write_node(f, inner, false)?;
            f.write_str(")")
        }
        Node::IsUnknown(inner) => {
            f.write_str("(")?;
            write_node(f, inner, false)?;
            f.write_str(") is unknown")
        }
        Node::Exists(inner) => {
            f.write_str("exists (")?;
            write_node(f, inner, false)?;
            f.write_str(")")
        }
        Node::LikeRegex(inner, pattern, flags) => in_brackets(f, brackets, |f| {
            write_operand(f, inner, node)?;
            f.write_str(" like_regex ")?;
            write_text(f, pattern)?;
            match flags.as_str() {
                "" => Ok(()),
                flags => write!(f, " flag \"{flags}\""),
            }
        }),
    }
}

/// A number as numeric prints it: `.5` is `0.5`, `1.` is `1`.
fn plain(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(0)),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if exponent.unsigned_abs() > 1000 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).unwrap_or(0) + exponent;
    let kept = (i32::try_from(fraction.len()).unwrap_or(0) - exponent).max(0);
    let at = |place: i32| match usize::try_from(place) {
        Ok(place) => digits.chars().nth(place).unwrap_or('0'),
        Err(_) => '0',
    };
    let before: String = (0..point.max(0)).map(at).collect();
    let before = before.trim_start_matches('0');
    let before = if before.is_empty() { "0" } else { before };
    let after: String = (point..point + kept).map(at).collect();
    match after.as_str() {
        "" => format!("{sign}{before}"),
        after => format!("{sign}{before}.{after}"),
    }
}

fn write_step(f: &mut fmt::Formatter<'_>, step: &Step) -> fmt::Result {
    match step {
        Step::Member(key) => {
            f.write_str(".")?;
            write_text(f, key)
        }
        Step::AnyMember => f.write_str(".*"),
        Step::AnyIndex => f.write_str("[*]"),
        Step::Index(found) => {
            f.write_str("[")?;
            for (at, (from, to)) in found.iter().enumerate() {
                if at > 0 {
                    f.write_str(",")?;
                }
                write_node(f, from, false)?;
                if let Some(to) = to {
                    f.write_str(" to ")?;
                    write_node(f, to, false)?;
                }
            }
            f.write_str("]")
        }
        Step::Levels(Some(0), None) => f.write_str(".**"),
        Step::Levels(from, to) => {
            let shown =
                |level: &Option<u32>| level.map_or("last".to_owned(), |level| level.to_string());
            if from == to {
                write!(f, ".**{{{}}}", shown(from))
            } else {
                write!(f, ".**{{{} to {}}}", shown(from), shown(to))
            }
        }
        Step::Filter(condition) => {
            f.write_str("?(")?;
            write_node(f, condition, false)?;
            f.write_str(")")
        }
        Step::Method(method) => write!(f, ".{}()", method.name()),
        Step::Datetime(None) => f.write_str(".datetime()"),
        Step::Datetime(Some(template)) => {
            f.write_str(".datetime(")?;
            write_text(f, template)?;
            f.write_str(")")
        }
    }
}
