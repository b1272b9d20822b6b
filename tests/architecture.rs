//! The rooms of `src/` and who may use whom, held to the table in `docs/ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type Rooms = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names in backquotes in a piece of Markdown.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The table: a room, and the rooms it may use.
fn allowed() -> Rooms {
    let text = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|line| {
        let mut cells = line.split('|').skip(1);
        let room = quoted(cells.next()?).into_iter().next()?;
        Some((room, quoted(cells.next()?)))
    })
    .filter(|(room, _)| root().join("src").join(room).is_dir())
    .collect()
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Every `crate::room` a text names.
fn named(text: &str) -> BTreeSet<String> {
    text.split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn rooms_use_only_what_the_table_lists() {
    let allowed = allowed();
    assert!(allowed.len() >= 11, "the table of rooms is gone from docs/ARCHITECTURE.md");
    let mut wrong = Vec::new();
    for (room, may_use) in &allowed {
        let mut files = Vec::new();
        sources(&root().join("src").join(room), &mut files);
        assert!(!files.is_empty(), "room {room} has no files");
        for file in files {
            for used in named(&std::fs::read_to_string(&file).unwrap()) {
                if allowed.contains_key(&used) && used != *room && !may_use.contains(&used) {
                    wrong.push(format!("{} uses {used}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "edges that docs/ARCHITECTURE.md does not list: {wrong:#?}");
}

#[test]
fn every_room_is_in_the_table() {
    let allowed = allowed();
    for entry in std::fs::read_dir(root().join("src")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!path.is_dir() || allowed.contains_key(&name), "room {name} is not in the table");
    }
}

#[test]
fn only_the_wire_names_its_crate() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let inside = file.starts_with(root().join("src/server/pg"));
        assert!(inside || !text.contains("pgwire::"), "{} names pgwire", file.display());
    }
}

#[test]
fn links_in_the_documents_lead_somewhere() {
    for document in ["README.md", "docs/ARCHITECTURE.md", "docs/compat.md", "docs/configuration.md"]
    {
        let path = root().join(document);
        let text = std::fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            assert!(path.parent().unwrap().join(target).exists(), "{document} links to {target}");
        }
    }
}
