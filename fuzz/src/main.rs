//! Runs the fuzz targets without a fuzzing engine: random and mutated inputs for some seconds.
//!
//!     cargo run --manifest-path fuzz/Cargo.toml -- [SECONDS] [SEED]
//!
//! Seeds are the statements of `tests/slt`, and the openCypher scenarios of `$OPENCYPHER_TCK` or `../shared/tck`, where
//! they are. An input that makes a target panic, or keeps it busy for over a second, is printed and is in `fuzz/crashes/`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use graphwire_fuzz::{TARGETS, Target};

/// Inputs no longer than this are made.
const INPUT_BYTES_MAX: usize = 4096;
/// Crashes of one target that are looked for before it is left alone.
const CRASHES_MAX: usize = 3;
/// An input that takes longer, and does so again, is a defect too.
const INPUT_TIME_MAX: Duration = Duration::from_secs(1);

/// Words that open doors in the grammars.
const WORDS: &[&str] = &[
    "SELECT", "FROM", "WHERE", "(", ")", "[", "]", "{", "}", ",", ";", "'", "\"", "$$", "$1", "--", "/*", "*/", "::",
    "CASE", "WHEN", "END", "JOIN", "ON", "USING", "WITH", "AS", "INSERT INTO", "VALUES", "UPDATE", "SET", "DELETE",
    "MERGE", "CREATE TABLE", "ALTER TABLE", "GRAPH_TABLE", "MATCH", "RETURN", "-[", "]->", "<-", "*1..3", "UNWIND",
    "COLUMNS", "IS", "NOT", "NULL", "AND", "OR", "BETWEEN", "LIKE", "IN", "EXISTS", "ARRAY", "INTERVAL", "1e309",
    "9223372036854775808", "\u{0}", "\u{1}", "é", "😀", "\\", "E'\\u0000'", "U&'\\0041'", "0x", "1_000", "infinity",
    "2024-02-30", "-", "+", "::int4[]", "INCLUDE", "DEFERRABLE", "ON CONFLICT", "FOR UPDATE",
];

/// A small generator: what it makes depends on its seed alone.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/slt");
    let mut inputs = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                inputs.extend(text.split("\n\n").map(|record| {
                    let lines = record.lines().skip_while(|line| {
                        ["statement", "query", "#", "skipif", "onlyif"]
                            .iter()
                            .any(|word| line.starts_with(word))
                    });
                    let lines: Vec<&str> = lines.take_while(|line| *line != "----").collect();
                    lines.join("\n").into_bytes()
                }));
            }
        }
    }
    scenarios(&mut inputs);
    inputs.retain(|input| !input.is_empty() && input.len() < INPUT_BYTES_MAX);
    // The order of a folder's files is not the same everywhere.
    inputs.sort();
    inputs
}

/// The queries of openCypher's scenarios: what stands between lines of three quotes.
fn scenarios(inputs: &mut Vec<Vec<u8>>) {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tck");
    let root = std::env::var_os("OPENCYPHER_TCK").map_or_else(beside, PathBuf::from);
    let mut folders = vec![root.join("given/features")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let queries = text.split("\"\"\"").skip(1).step_by(2);
                inputs.extend(queries.map(|query| query.trim().as_bytes().to_vec()));
            }
        }
    }
}

fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = match random.below(8) {
        0 => (0..random.below(200)).map(|_| random.next() as u8).collect(),
        _ if corpus.is_empty() => Vec::new(),
        _ => corpus[random.below(corpus.len())].clone(),
    };
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        match random.below(7) {
            0 if at < input.len() => input[at] = random.next() as u8,
            1 => input.truncate(at),
            2 if at < input.len() => drop(input.remove(at)),
            3 if !corpus.is_empty() => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            4 => {
                let end = at + random.below(input.len() + 1 - at).min(40);
                let piece = input[at..end].to_vec();
                let times = 1 + random.below(30);
                input.splice(at..at, piece.repeat(times));
            }
            _ => {
                let word = WORDS[random.below(WORDS.len())];
                input.splice(at..at, word.bytes());
                if random.below(2) == 0 {
                    input.insert(at, b' ');
                }
            }
        }
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

fn keep(name: &str, input: &[u8], number: usize) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crashes");
    let path = folder.join(format!("{name}-{number}"));
    let _ = std::fs::create_dir_all(folder);
    let _ = std::fs::write(&path, input);
    path
}

/// Gives a target inputs until its time is over; how many crashed.
fn run(name: &str, target: Target, corpus: &[Vec<u8>], random: &mut Random, time: Duration) -> usize {
    let started = Instant::now();
    let (mut inputs, mut crashes, mut slowest) = (0u64, 0, Duration::ZERO);
    while started.elapsed() < time && crashes < CRASHES_MAX {
        let input = mutated(corpus, random);
        let before = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| target(&input))).is_err() {
            let path = keep(name, &input, crashes);
            println!("FAILED {name}: {} ({:?})", path.display(), String::from_utf8_lossy(&input));
            crashes += 1;
        }
        let mut took = before.elapsed();
        if took > INPUT_TIME_MAX {
            // Perhaps the machine was busy with something else.
            let again = Instant::now();
            let _ = catch_unwind(AssertUnwindSafe(|| target(&input)));
            took = took.min(again.elapsed());
        }
        if took > INPUT_TIME_MAX {
            let path = keep(name, &input, crashes);
            println!("FAILED {name}: {} took {} ms", path.display(), took.as_millis());
            crashes += 1;
        }
        slowest = slowest.max(took);
        inputs += 1;
    }
    println!("{name}: {inputs} inputs, {crashes} crashes, slowest {} ms", slowest.as_millis());
    crashes
}

fn main() {
    let number = |at: usize| std::env::args().nth(at).and_then(|text| text.parse::<u64>().ok());
    let seconds = number(1).unwrap_or(60);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64);
    let seed = number(2).unwrap_or(now).max(1);
    println!("seed {seed}");
    let corpus = corpus();
    let mut random = Random(seed);
    let time = Duration::from_secs(seconds) / TARGETS.len() as u32;
    let failed = TARGETS
        .iter()
        .filter(|(name, target)| run(name, *target, &corpus, &mut random, time) > 0)
        .count();
    println!("{} passed, {failed} failed, 0 skipped", TARGETS.len() - failed);
    std::process::exit(i32::from(failed > 0));
}
