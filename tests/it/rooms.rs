//! Who may use whom: the imports under `src/` against the table in `ARCHITECTURE.md`, and no circle, neither of rooms
//! nor of the files of one.

mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type Imports = BTreeMap<String, BTreeSet<String>>;

/// The rows of the table below the heading "Rooms": `| room | may use | ... |`.
fn allowed() -> Imports {
    let text = include_str!("../../ARCHITECTURE.md");
    let (_, table) = text
        .split_once("## Rooms")
        .expect("ARCHITECTURE.md has a heading Rooms");
    let mut allowed = Imports::new();
    for line in table
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .skip(2)
    {
        let Some(cells) = line.strip_prefix('|') else {
            break;
        };
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        let names = |cell: &str| -> Vec<String> {
            let names = cell
                .split(',')
                .map(|name| name.trim().trim_matches('`').to_owned());
            names
                .filter(|name| !name.is_empty() && name != "nothing")
                .collect()
        };
        for room in names(cells[0]) {
            allowed.insert(room, names(cells[1]).into_iter().collect());
        }
    }
    allowed
}

/// The files below `src/` and their texts, without those that hold tests alone.
fn sources() -> Vec<(PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let inside = path.strip_prefix(&source).expect("below src");
                let text = std::fs::read_to_string(&path).expect("text");
                sources.push((inside.to_owned(), text));
            }
        }
    }
    sources
}

/// The code of a file without its tests and comments.
fn production(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod tests {");
    let code = text[..tests.unwrap_or(text.len())].lines();
    let code = code.filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

/// What each room imports: every `crate::room` in its files, tests left out.
fn imported() -> Imports {
    let mut imports = Imports::new();
    for (inside, text) in sources() {
        let first = inside.components().next().expect("a name").as_os_str();
        let room = Path::new(first).with_extension("").display().to_string();
        let named = rooms_named(&production(&text), &room);
        imports.entry(room).or_default().extend(named);
    }
    imports
}

fn rooms_named(code: &str, own: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let list = match rest.strip_prefix('{') {
            // `use crate::{a, b::c};`
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => rest
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default(),
        };
        named.extend(list.split(',').map(|name| {
            name.trim()
                .split("::")
                .next()
                .unwrap_or_default()
                .to_owned()
        }));
    }
    named.retain(|name| !name.is_empty() && name != own);
    named
}

#[test]
fn imports_are_those_of_the_table() {
    let allowed = allowed();
    for (room, imports) in imported() {
        if matches!(&*room, "lib" | "main" | "cli") {
            // The only places that see both wings.
            continue;
        }
        let may = allowed
            .get(&room)
            .unwrap_or_else(|| panic!("{room} is not in ARCHITECTURE.md"));
        let more: Vec<&String> = imports.difference(may).collect();
        assert!(
            more.is_empty(),
            "{room} imports {more:?}, which ARCHITECTURE.md does not allow"
        );
        let less: Vec<&String> = may.difference(&imports).collect();
        assert!(
            less.is_empty(),
            "ARCHITECTURE.md allows {room} {less:?}, which it does not import"
        );
    }
}

#[test]
fn no_circle() {
    let imports = imported();
    for start in imports.keys() {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&String> = imports[start].iter().collect();
        while let Some(room) = open.pop() {
            assert_ne!(room, start, "{start} imports itself by way of {seen:?}");
            if seen.insert(room) {
                open.extend(imports.get(room).into_iter().flatten());
            }
        }
    }
}

#[test]
fn the_wings_do_not_see_each_other() {
    let imports = imported();
    let reach = |start: &str| {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut open = vec![start.to_owned()];
        while let Some(room) = open.pop() {
            for next in imports.get(&room).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        seen
    };
    for writer in ["source", "pipeline", "sink", "lifecycle", "envelope"] {
        for reader in ["query", "http"] {
            assert!(!reach(writer).contains(reader), "{writer} reaches {reader}");
            assert!(!reach(reader).contains(writer), "{reader} reaches {writer}");
        }
    }
}
