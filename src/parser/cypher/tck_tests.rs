//! Every query of the openCypher TCK parses, or fails with the word the scenario asks for.
//!
//! Reads `../shared/tck/given` or `$OPENCYPHER_TCK`; prints SKIPPED where neither is.

use std::path::{Path, PathBuf};

use super::parse;

/// Errors the parser finds; all others are the binder's.
const PARSER_WORDS: &[&str] = &[
    "UnexpectedSyntax",
    "InvalidNumberLiteral",
    "IntegerOverflow",
    "FloatingPointOverflow",
    "InvalidUnicodeLiteral",
    "InvalidUnicodeCharacter",
    "InvalidParameterUse",
    "InvalidClauseComposition",
    "InvalidRelationshipPattern",
    "NoSingleRelationshipType",
    "RequiresDirectedRelationship",
    "CreatingVarLength",
    "InvalidDelete",
    "InvalidArgumentPassingMode",
];

#[derive(Default)]
struct Scenario {
    place: String,
    setups: Vec<String>,
    queries: Vec<String>,
    expected_error: Option<String>,
    examples: Vec<Vec<String>>,
}

#[test]
fn tck_queries_parse() {
    let Some(root) = tck_root() else {
        println!("SKIPPED: no openCypher TCK in ../shared/tck or $OPENCYPHER_TCK");
        return;
    };
    let mut scenarios = Vec::new();
    read_folder(&root, &mut scenarios);
    let mut failures = Vec::new();
    let mut count = 0;
    for scenario in &scenarios {
        for row in scenario.rows() {
            for text in &scenario.setups {
                check(scenario, &fill(text, &row), None, &mut failures);
            }
            for text in &scenario.queries {
                count += 1;
                let word = scenario.expected_error.as_deref().map(|word| fill(word, &row));
                let word = word.filter(|word| PARSER_WORDS.contains(&word.as_str()));
                check(scenario, &fill(text, &row), word.as_deref(), &mut failures);
            }
        }
    }
    assert!(count > 1000, "only {count} queries were read");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

fn check(scenario: &Scenario, text: &str, word: Option<&str>, failures: &mut Vec<String>) {
    let found = match parse(text, 0) {
        Ok(_) => None,
        Err(error) => Some((error.syntax_detail().map_or("", |detail| detail.word()), error)),
    };
    match (&found, word) {
        (None, None) => {}
        (Some((found, _)), Some(word)) if *found == word => {}
        _ => failures
            .push(format!("{}: expected {word:?}, found {found:?}\n{text}\n", scenario.place)),
    }
}

fn tck_root() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let given = std::env::var_os("OPENCYPHER_TCK").map(PathBuf::from);
    let places = ["../shared/tck/given/features", "../../shared/tck/given/features"];
    given.into_iter().chain(places.iter().map(|place| here.join(place))).find(|path| path.is_dir())
}

fn read_folder(folder: &Path, scenarios: &mut Vec<Scenario>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_folder(&path, scenarios);
        } else if path.extension().is_some_and(|extension| extension == "feature") {
            read_feature(&path, scenarios);
        }
    }
}

fn read_feature(path: &Path, scenarios: &mut Vec<Scenario>) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().enumerate();
    let mut last_step = String::new();
    let mut in_examples = false;
    let mut scenario = Scenario::default();
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if line.starts_with("Scenario") {
            scenarios.push(std::mem::take(&mut scenario));
            scenario.place = format!("{}:{}", path.display(), number + 1);
            in_examples = false;
        } else if line.starts_with("Examples") {
            in_examples = true;
        } else if in_examples && line.starts_with('|') {
            scenario.examples.push(cells(line));
        } else if line == "\"\"\"" {
            let doc =
                lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "\"\"\"");
            let doc = doc.collect::<Vec<_>>().join("\n");
            match last_step.contains("having executed") {
                true => scenario.setups.push(doc),
                false => scenario.queries.push(doc),
            }
        } else if !line.starts_with('#') && !line.is_empty() {
            if line.contains("should be raised") {
                scenario.expected_error = line.rsplit(": ").next().map(str::to_owned);
            }
            last_step = line.to_owned();
        }
    }
    scenarios.push(scenario);
}

fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut characters = line.trim_matches(' ').chars().skip(1);
    while let Some(c) = characters.next() {
        let cell = cells.last_mut().unwrap();
        match c {
            '\\' => match characters.next() {
                Some('n') => cell.push('\n'),
                Some(other @ ('|' | '\\')) => cell.push(other),
                Some(other) => cell.extend(['\\', other]),
                None => cell.push('\\'),
            },
            '|' => cells.push(String::new()),
            _ => cell.push(c),
        }
    }
    cells.pop();
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

impl Scenario {
    /// The replacements of each run: one empty list where there are no examples.
    fn rows(&self) -> Vec<Vec<(String, String)>> {
        let Some((names, rows)) = self.examples.split_first() else { return vec![Vec::new()] };
        let names = names.iter().map(|name| format!("<{name}>"));
        let row = |row: &Vec<String>| names.clone().zip(row.iter().cloned()).collect();
        rows.iter().map(row).collect()
    }
}

fn fill(text: &str, row: &[(String, String)]) -> String {
    row.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}
