//! Which overload a call means: PostgreSQL's rules for functions and operators ("Type Conversion" in its manual).

use crate::error::{PgError, SqlState};
use crate::functions::cast::{CastContext, cast_context};
use crate::functions::signature::{ArgType, Overload, ReturnType};
use crate::types::pg_type::PgType;
use crate::types::range::RangeKind;

/// A chosen overload with the type each argument is converted to.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) overload: &'static Overload,
    pub(crate) args: Vec<PgType>,
    pub(crate) returns: PgType,
}

/// Whether a value of `from` may stand where `to` is wanted without a cast written.
fn implicit(from: &PgType, to: &PgType) -> bool {
    *from == PgType::Unknown
        || from.without_modifier() == to.without_modifier()
        || cast_context(from, to) == Some(CastContext::Implicit)
}

/// The common type of values that stand for each other (UNION, CASE, ARRAY, GREATEST): PostgreSQL's
/// `select_common_type`. `None` if there is none; text if all are unknown.
pub(crate) fn common_type<'a>(types: impl IntoIterator<Item = &'a PgType>) -> Option<PgType> {
    let mut chosen: Option<PgType> = None;
    let mut unknown = false;
    for ty in types {
        if *ty == PgType::Unknown {
            unknown = true;
            continue;
        }
        chosen = Some(match chosen {
            None => ty.clone(),
            Some(current) => unify(current, ty)?,
        });
    }
    Some(match chosen {
        None => PgType::Text,
        // A literal beside them is not cut to the length of the others, nor rounded as they are.
        Some(
            ty @ (PgType::Varchar(_)
            | PgType::Bpchar(_)
            | PgType::Time(_)
            | PgType::Timetz(_)
            | PgType::Timestamp(_)
            | PgType::Timestamptz(_)),
        ) if unknown => ty.without_modifier(),
        Some(ty) => ty,
    })
}

fn unify(current: PgType, other: &PgType) -> Option<PgType> {
    if current == *other {
        return Some(current);
    }
    if current.without_modifier() == other.without_modifier() {
        return Some(match (&current, other) {
            // Keep the digits of both; PostgreSQL drops the modifier here.
            (PgType::Numeric(Some((p1, s1))), PgType::Numeric(Some((p2, s2)))) => {
                wider_numeric((*p1, *s1), (*p2, *s2))
            }
            _ => current.without_modifier(),
        });
    }
    // `"char"` has a category of its own and still compares with text.
    let category = |ty: &PgType| if *ty == PgType::InternalChar { 'S' } else { ty.category() };
    if category(&current) != category(other) {
        return None;
    }
    if let (PgType::Array(a), PgType::Array(b)) = (&current, other) {
        return unify((**a).clone(), b).map(PgType::array_of);
    }
    if !current.is_preferred() && implicit(&current, other) && !implicit(other, &current)
        || other.is_preferred() && implicit(&current, other)
    {
        return Some(widened(other, &current));
    }
    if implicit(other, &current) {
        return Some(widened(&current, other));
    }
    implicit(&current, other).then(|| other.clone())
}

/// Integers unite with numeric at the numeric's scale, with room for their digits.
fn widened(to: &PgType, from: &PgType) -> PgType {
    match (to, integer_digits(from)) {
        (PgType::Numeric(Some(modifier)), Some(digits)) => wider_numeric(*modifier, (digits, 0)),
        _ => to.clone(),
    }
}

fn wider_numeric((p1, s1): (u8, i8), (p2, s2): (u8, i8)) -> PgType {
    let scale = s1.max(s2);
    let whole = (i16::from(p1) - i16::from(s1)).max(i16::from(p2) - i16::from(s2));
    let precision = (whole + i16::from(scale)).clamp(1, 38);
    PgType::Numeric(Some((u8::try_from(precision).unwrap_or(38), scale)))
}

/// How many decimal digits an integer type has.
pub(crate) fn integer_digits(ty: &PgType) -> Option<u8> {
    match ty {
        PgType::Int2 => Some(5),
        PgType::Int4 => Some(10),
        PgType::Int8 => Some(19),
        _ => None,
    }
}

/// The parameters of an overload, stretched to this many arguments.
fn parameters(overload: &Overload, count: usize) -> Option<Vec<&ArgType>> {
    let declared = overload.args.len();
    if overload.variadic {
        let last = overload.args.last()?;
        let fixed = declared - 1;
        if count < fixed + usize::from(overload.optional == 0) {
            return None;
        }
        let mut all: Vec<&ArgType> = overload.args.iter().take(fixed).collect();
        all.resize(count, last);
        return Some(all);
    }
    (count <= declared && count + overload.optional >= declared)
        .then(|| overload.args.iter().take(count).collect())
}

struct Candidate<'a> {
    overload: &'a Overload,
    targets: Vec<PgType>,
    /// Which parameters name their type; polymorphic ones never match exactly.
    named: Vec<bool>,
    element: Option<PgType>,
}

/// The targets of the arguments if the overload can take them.
fn candidate<'a>(overload: &'a Overload, args: &[PgType]) -> Option<Candidate<'a>> {
    let parameters = parameters(overload, args.len())?;
    let mut elements = Vec::new();
    for (parameter, arg) in parameters.iter().zip(args) {
        match parameter {
            ArgType::AnyElement | ArgType::AnyEnum => elements.push(arg.clone()),
            ArgType::AnyArray => match arg {
                PgType::Unknown => elements.push(PgType::Unknown),
                arg => elements.push(arg.element()?.clone()),
            },
            ArgType::AnyRange => match arg {
                PgType::Unknown => elements.push(PgType::Unknown),
                PgType::Range(kind) => elements.push(kind.subtype()),
                _ => return None,
            },
            ArgType::AnyMultirange => match arg {
                PgType::Unknown => elements.push(PgType::Unknown),
                PgType::Multirange(kind) => elements.push(kind.subtype()),
                _ => return None,
            },
            ArgType::Exact(_) | ArgType::Any => {}
        }
    }
    let of_ranges =
        parameters.iter().any(|p| matches!(p, ArgType::AnyRange | ArgType::AnyMultirange));
    let element = if of_ranges {
        Some(one_type(&elements)?)
    } else if elements.is_empty() {
        None
    } else {
        Some(common_type(&elements)?)
    };
    let is_enum = |ty: &PgType| matches!(ty, PgType::Enum(_));
    if parameters.iter().any(|p| matches!(p, ArgType::AnyEnum))
        && !element.as_ref().is_some_and(is_enum)
    {
        return None;
    }
    let all_unknown = elements.iter().all(|element| *element == PgType::Unknown);
    if !elements.is_empty()
        && all_unknown
        && parameters.iter().any(|p| matches!(p, ArgType::AnyArray))
    {
        // "could not determine polymorphic type" there; text is the useful reading here.
        return targets(overload, &parameters, args, Some(PgType::Text));
    }
    targets(overload, &parameters, args, element)
}

/// The type that all have, beside literals: what a range is over is not converted.
fn one_type(types: &[PgType]) -> Option<PgType> {
    let mut known = types.iter().filter(|ty| **ty != PgType::Unknown).map(PgType::without_modifier);
    let first = known.next()?;
    known.all(|ty| ty == first).then_some(first)
}

fn targets<'a>(
    overload: &'a Overload,
    parameters: &[&ArgType],
    args: &[PgType],
    element: Option<PgType>,
) -> Option<Candidate<'a>> {
    let mut targets = Vec::with_capacity(args.len());
    for (parameter, arg) in parameters.iter().zip(args) {
        targets.push(match parameter {
            ArgType::Exact(ty) if implicit(arg, ty) => target_of(ty, arg),
            ArgType::Exact(_) => return None,
            ArgType::Any => arg.clone(),
            ArgType::AnyElement | ArgType::AnyEnum => element.clone()?,
            ArgType::AnyArray => match arg {
                // The vector types pass for arrays as they are.
                PgType::Int2vector | PgType::Oidvector => arg.clone(),
                _ => PgType::array_of(element.clone()?),
            },
            ArgType::AnyRange => PgType::Range(RangeKind::over(element.as_ref()?)?),
            ArgType::AnyMultirange => PgType::Multirange(RangeKind::over(element.as_ref()?)?),
        });
    }
    let named = parameters.iter().map(|parameter| matches!(parameter, ArgType::Exact(_))).collect();
    Some(Candidate { overload, targets, named, element })
}

/// A parameter without a modifier takes numeric of any scale as it is, and integers at scale 0: nothing is rounded.
fn target_of(parameter: &PgType, arg: &PgType) -> PgType {
    match (parameter, arg) {
        (PgType::Numeric(None), PgType::Numeric(_)) | (PgType::Record, PgType::Row(_)) => {
            arg.clone()
        }
        (PgType::Numeric(None), arg) => match integer_digits(arg) {
            Some(digits) => PgType::Numeric(Some((digits, 0))),
            None => parameter.clone(),
        },
        (PgType::Array(parameter), PgType::Array(arg)) => {
            PgType::array_of(target_of(parameter, arg))
        }
        _ => parameter.clone(),
    }
}

fn exact_matches(candidate: &Candidate<'_>, args: &[PgType]) -> usize {
    let same = |((target, arg), named): &((&PgType, &PgType), &bool)| {
        **named && **arg != PgType::Unknown && target.without_modifier() == arg.without_modifier()
    };
    candidate.targets.iter().zip(args).zip(&candidate.named).filter(same).count()
}

fn preferred_matches(candidate: &Candidate<'_>, args: &[PgType]) -> usize {
    let fits = |((target, arg), named): &((&PgType, &PgType), &bool)| {
        **named
            && **arg != PgType::Unknown
            && (target.without_modifier() == arg.without_modifier()
                || target.category() == arg.category() && target.is_preferred())
    };
    candidate.targets.iter().zip(args).zip(&candidate.named).filter(fits).count()
}

fn keep_best<'a>(
    candidates: Vec<Candidate<'a>>,
    score: impl Fn(&Candidate<'a>) -> usize,
) -> Vec<Candidate<'a>> {
    let best = candidates.iter().map(&score).max().unwrap_or(0);
    candidates.into_iter().filter(|candidate| score(candidate) == best).collect()
}

/// For each unknown argument: string if any candidate takes a string there, else the one category all agree on.
fn by_category<'a>(mut candidates: Vec<Candidate<'a>>, args: &[PgType]) -> Vec<Candidate<'a>> {
    for (index, arg) in args.iter().enumerate() {
        if *arg != PgType::Unknown {
            continue;
        }
        let at = |candidate: &Candidate<'_>| candidate.targets.get(index).map(PgType::category);
        let any_string = candidates.iter().any(|candidate| at(candidate) == Some('S'));
        let category = if any_string {
            Some('S')
        } else {
            let first = candidates.first().and_then(at);
            candidates.iter().all(|candidate| at(candidate) == first).then_some(first).flatten()
        };
        let Some(category) = category else { return candidates };
        let preferred = |candidate: &Candidate<'_>| {
            candidate
                .targets
                .get(index)
                .is_some_and(|ty| ty.category() == category && ty.is_preferred())
        };
        let has_preferred = candidates.iter().any(preferred);
        candidates.retain(|candidate| {
            at(candidate) == Some(category) && (!has_preferred || preferred(candidate))
        });
    }
    candidates
}

/// The last resort: unknown arguments are taken to have the one type that all known arguments have.
fn by_known_type(candidates: &[Candidate<'_>], args: &[PgType]) -> Option<usize> {
    let mut known =
        args.iter().filter(|arg| **arg != PgType::Unknown).map(PgType::without_modifier);
    let first = known.next()?;
    if known.any(|other| other != first) {
        return None;
    }
    let fits = |candidate: &Candidate<'_>| {
        candidate.targets.iter().zip(args).all(|(target, arg)| {
            let wanted = if *arg == PgType::Unknown { &first } else { arg };
            target.without_modifier() == wanted.without_modifier()
        })
    };
    candidates.iter().position(fits)
}

/// Whether nothing or too much fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoChoice {
    None,
    Ambiguous,
}

/// Chooses among overloads of one name. `operator`: an unknown operand of a binary operator is first taken to have the
/// type of the other one.
pub(crate) fn select(
    overloads: &[&'static Overload],
    args: &[PgType],
    operator: bool,
) -> Result<Choice, NoChoice> {
    best(overloads, args, operator).map(choice)
}

/// Which of the functions that were made under one name a call means.
pub(crate) fn select_made(overloads: &[&Overload], args: &[PgType]) -> Result<usize, NoChoice> {
    let chosen = best(overloads, args, false)?.overload;
    overloads.iter().position(|one| std::ptr::eq(*one, chosen)).ok_or(NoChoice::None)
}

fn best<'a>(
    overloads: &[&'a Overload],
    args: &[PgType],
    operator: bool,
) -> Result<Candidate<'a>, NoChoice> {
    if operator && let Some(same) = same_type_operands(args) {
        let exact =
            overloads.iter().filter_map(|overload| candidate(overload, &same)).find(|candidate| {
                exact_matches(candidate, &same) == same.len() || both_known(candidate, &same)
            });
        if let Some(found) = exact {
            return Ok(found);
        }
    }
    let mut candidates: Vec<Candidate<'_>> =
        overloads.iter().filter_map(|overload| candidate(overload, args)).collect();
    if let Some(at) = candidates.iter().position(|c| exact_matches(c, args) == args.len()) {
        return Ok(candidates.swap_remove(at));
    }
    candidates = keep_best(candidates, |candidate| exact_matches(candidate, args));
    candidates = keep_best(candidates, |candidate| preferred_matches(candidate, args));
    if candidates.len() > 1 && args.contains(&PgType::Unknown) {
        if let Some(at) = by_known_type(&candidates, args)
            && operator
        {
            return Ok(candidates.swap_remove(at));
        }
        candidates = by_category(candidates, args);
        if candidates.len() > 1
            && let Some(at) = by_known_type(&candidates, args)
        {
            return Ok(candidates.swap_remove(at));
        }
    }
    // An exact parameter is better than a polymorphic one.
    if candidates.len() > 1 {
        candidates = keep_best(candidates, |candidate| {
            candidate.overload.args.iter().filter(|arg| matches!(arg, ArgType::Exact(_))).count()
        });
    }
    match candidates.len() {
        0 => Err(NoChoice::None),
        1 => Ok(candidates.swap_remove(0)),
        _ => Err(NoChoice::Ambiguous),
    }
}

/// `array || '{…}'`: the literal is an array too, and so is it with ranges.
fn both_known(candidate: &Candidate<'_>, args: &[PgType]) -> bool {
    let all = |wanted: ArgType| candidate.overload.args.iter().all(|arg| *arg == wanted);
    all(ArgType::AnyArray) && args.iter().all(|arg| arg.element().is_some())
        || all(ArgType::AnyRange) && args.iter().all(|arg| matches!(arg, PgType::Range(_)))
        || all(ArgType::AnyMultirange)
            && args.iter().all(|arg| matches!(arg, PgType::Multirange(_)))
}

fn same_type_operands(args: &[PgType]) -> Option<[PgType; 2]> {
    match args {
        [PgType::Unknown, PgType::Unknown] => None,
        [PgType::Unknown, known] | [known, PgType::Unknown] => Some([known.clone(), known.clone()]),
        _ => None,
    }
}

fn choice(candidate: Candidate<'static>) -> Choice {
    let returns = match &candidate.overload.returns {
        ReturnType::Exact(ty) => ty.clone(),
        ReturnType::AnyElement => candidate.element.unwrap_or(PgType::Text),
        ReturnType::AnyArray => PgType::array_of(candidate.element.unwrap_or(PgType::Text)),
        ReturnType::AnyRange => {
            let kind = candidate.element.as_ref().and_then(RangeKind::over);
            kind.map_or(PgType::Unknown, PgType::Range)
        }
        ReturnType::AnyMultirange => {
            let kind = candidate.element.as_ref().and_then(RangeKind::over);
            kind.map_or(PgType::Unknown, PgType::Multirange)
        }
        ReturnType::Row(_) => PgType::Record,
    };
    Choice { overload: candidate.overload, args: candidate.targets, returns }
}

fn type_list(args: &[PgType]) -> String {
    args.iter().map(|arg| arg.without_modifier().name()).collect::<Vec<_>>().join(", ")
}

/// `42883` or `42725` for a function.
pub(crate) fn function_error(name: &str, args: &[PgType], why: NoChoice) -> PgError {
    let call = format!("{name}({})", type_list(args));
    match why {
        NoChoice::None => {
            PgError::new(SqlState::UNDEFINED_FUNCTION, format!("function {call} does not exist")).hint(
                "No function matches the given name and argument types. You might need to add explicit type casts.",
            )
        }
        NoChoice::Ambiguous => {
            PgError::new(SqlState::AMBIGUOUS_FUNCTION, format!("function {call} is not unique")).hint(
                "Could not choose a best candidate function. You might need to add explicit type casts.",
            )
        }
    }
}

/// `42883` or `42725` for an operator; one argument for a prefix operator.
pub(crate) fn operator_error(name: &str, args: &[PgType], why: NoChoice) -> PgError {
    let call = match args {
        [right] => format!("{name} {}", right.without_modifier()),
        [left, right] => format!("{} {name} {}", left.without_modifier(), right.without_modifier()),
        _ => format!("{name} ({})", type_list(args)),
    };
    match why {
        NoChoice::None => {
            PgError::new(SqlState::UNDEFINED_FUNCTION, format!("operator does not exist: {call}")).hint(
                "No operator matches the given name and argument types. You might need to add explicit type casts.",
            )
        }
        NoChoice::Ambiguous => {
            PgError::new(SqlState::AMBIGUOUS_FUNCTION, format!("operator is not unique: {call}")).hint(
                "Could not choose a best candidate operator. You might need to add explicit type casts.",
            )
        }
    }
}
