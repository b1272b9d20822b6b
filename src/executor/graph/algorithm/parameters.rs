//! The parameters of a run: a JSON object, names in any case and with or without underscores.

use serde_json::{Map, Value};

use super::projection::Orientation;
use crate::error::{PgError, SqlState};

/// Names that say what the subgraph is: they are read when the statement is bound.
pub(super) const SUBGRAPH: [&str; 5] =
    ["nodelabels", "relationshiptypes", "nodefilter", "relationshipfilter", "weight"];
/// All other names.
const NAMES: [&str; 11] = [
    "orientation",
    "iterations",
    "damping",
    "tolerance",
    "source",
    "maxdepth",
    "samplesize",
    "seed",
    "normalized",
    "writeproperty",
    "concurrency",
];
/// Other names for them that users of other systems know.
const ALIASES: [(&str, &str); 8] = [
    ("maxiterations", "iterations"),
    ("dampingfactor", "damping"),
    ("sourcenode", "source"),
    ("samplingsize", "samplesize"),
    ("randomseed", "seed"),
    ("samplingseed", "seed"),
    ("weightproperty", "weight"),
    ("relationshipweightproperty", "weight"),
];

/// The parameters of one run.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Map<String, Value>);

/// A parameter's name without what may differ.
pub(super) fn plain_name(name: &str) -> String {
    let plain = name.replace('_', "").to_ascii_lowercase();
    let known = ALIASES.iter().find(|(alias, _)| *alias == plain);
    known.map_or(plain, |(_, name)| (*name).to_owned())
}

impl Parameters {
    /// Reads a JSON object; an empty text is one without entries.
    ///
    /// # Errors
    /// `22023` for a name that no algorithm has and for a text that is no object.
    pub fn parse(text: &str) -> Result<Self, PgError> {
        let wrong = || invalid("the parameters of a graph algorithm must be a JSON object");
        let value = match text.trim() {
            "" => Value::Object(Map::new()),
            text => serde_json::from_str(text).map_err(|_| wrong())?,
        };
        let Value::Object(entries) = value else { return Err(wrong()) };
        let mut parameters = Map::new();
        for (name, value) in entries {
            let plain = plain_name(&name);
            if plain == "writeproperty" || plain == "concurrency" {
                return Err(PgError::unsupported(
                    format!("parameter \"{name}\" of a graph algorithm is not supported"),
                    "Write results with SET or UPDATE; cores are used as the server is set up.",
                ));
            }
            if !NAMES.contains(&plain.as_str()) && !SUBGRAPH.contains(&plain.as_str()) {
                let known = "nodeLabels, relationshipTypes, nodeFilter, relationshipFilter, weight, orientation, iterations, damping, tolerance, source, maxDepth, sampleSize, seed, normalized";
                return Err(invalid(format!("unrecognized parameter \"{name}\""))
                    .hint(format!("There are: {known}.")));
            }
            if !value.is_null() {
                parameters.insert(plain, value);
            }
        }
        Ok(Self(parameters))
    }

    /// A value by its plain name.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text, or a list of texts.
    ///
    /// # Errors
    /// `22023` for anything else.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, PgError> {
        let wrong = || invalid(format!("parameter \"{name}\" must be a list of names"));
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(vec![text.clone()])),
            Some(Value::Array(values)) => values
                .iter()
                .map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong))
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(wrong()),
        }
    }

    fn number(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<Option<f64>, PgError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_f64().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(invalid(format!(
                "parameter \"{name}\" must be a number between {} and {}",
                range.start(),
                range.end()
            ))),
        }
    }

    fn whole(&self, name: &str, least: u64) -> Result<Option<u64>, PgError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_u64().filter(|number| *number >= least) {
            Some(number) => Ok(Some(number)),
            None => Err(invalid(format!(
                "parameter \"{name}\" must be an integer not less than {least}"
            ))),
        }
    }

    pub(super) fn iterations(&self, default: usize) -> Result<usize, PgError> {
        Ok(self.whole("iterations", 1)?.map_or(default, |number| number.min(1 << 32) as usize))
    }

    pub(super) fn damping(&self) -> Result<f64, PgError> {
        Ok(self.number("damping", 0.0..=1.0)?.unwrap_or(0.85))
    }

    pub(super) fn tolerance(&self) -> Result<Option<f64>, PgError> {
        self.number("tolerance", 0.0..=1.0)
    }

    pub(super) fn max_depth(&self) -> Result<Option<i64>, PgError> {
        Ok(self.whole("maxdepth", 0)?.map(|depth| i64::try_from(depth).unwrap_or(i64::MAX)))
    }

    pub(super) fn sample_size(&self) -> Result<Option<usize>, PgError> {
        Ok(self.whole("samplesize", 1)?.map(|size| usize::try_from(size).unwrap_or(usize::MAX)))
    }

    pub(super) fn seed(&self) -> Result<u64, PgError> {
        Ok(self.whole("seed", 0)?.unwrap_or(42))
    }

    pub(super) fn normalized(&self) -> Result<bool, PgError> {
        match self.value("normalized") {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(*value),
            Some(_) => Err(invalid("parameter \"normalized\" must be true or false")),
        }
    }

    pub(super) fn orientation(&self, default: Orientation) -> Result<Orientation, PgError> {
        let wrong = || invalid("parameter \"orientation\" must be NATURAL, REVERSE or UNDIRECTED");
        match self.value("orientation") {
            None => Ok(default),
            Some(value) => match value.as_str().map(str::to_ascii_uppercase).as_deref() {
                Some("NATURAL") => Ok(Orientation::Natural),
                Some("REVERSE") => Ok(Orientation::Reverse),
                Some("UNDIRECTED") => Ok(Orientation::Undirected),
                _ => Err(wrong()),
            },
        }
    }

    /// The source of a search: an element's identifier (`alias:key`), the JSON of a node, or the key of the only vertex
    /// table.
    pub fn source(&self) -> Result<String, PgError> {
        let wrong = || {
            invalid("parameter \"source\" must be a node, its identifier or its key")
                .hint("An identifier is what elementId(n) gives.")
        };
        match self.value("source") {
            None => Err(invalid("parameter \"source\" is missing")
                .hint("Write {source: n} with a node n, or {\"source\": key}.")),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Object(node)) => {
                node.get("~id").and_then(Value::as_str).map(str::to_owned).ok_or_else(wrong)
            }
            Some(_) => Err(wrong()),
        }
    }
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> PgError {
    PgError::new(SqlState::INVALID_PARAMETER_VALUE, message)
}
