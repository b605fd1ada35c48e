//! The files of a room do not use each other in a circle.
//!
//! A file uses another one where it names something of it (`super::file::Thing`, `crate::room::file`), and a face uses
//! the files that it declares. What counts for nothing is that a file names what its own face declares, or the face
//! above that one: faces hold what their files share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{production, sources};

type Module = Vec<String>;

/// `src/fold/life.rs` is `fold::life`.
fn module(inside: &Path) -> Module {
    let path = inside.with_extension("");
    let parts = path.components();
    parts
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect()
}

/// What each file uses of its room.
fn uses() -> BTreeMap<Module, BTreeSet<Module>> {
    let texts: BTreeMap<Module, String> = sources()
        .into_iter()
        .map(|(inside, text)| (module(&inside), production(&text)))
        .collect();
    let mut uses = BTreeMap::new();
    for (own, code) in &texts {
        let mut used = BTreeSet::new();
        for path in paths(code) {
            let file = absolute(own, &path).and_then(|path| longest(&path, &texts));
            used.extend(file.filter(|file| file[0] == own[0] && !own.starts_with(file)));
        }
        let is_child = |file: &&Module| file.len() == own.len() + 1 && file.starts_with(own);
        used.extend(texts.keys().filter(is_child).cloned());
        uses.insert(own.clone(), used);
    }
    uses
}

/// The file that a path leads into.
fn longest(path: &[String], files: &BTreeMap<Module, String>) -> Option<Module> {
    let ends = (1..=path.len()).rev();
    ends.map(|end| path[..end].to_vec())
        .find(|file| files.contains_key(file))
}

fn absolute(own: &[String], path: &[String]) -> Option<Module> {
    let up = path.iter().take_while(|part| *part == "super").count();
    let (base, rest) = match &*path[0] {
        "crate" => (&own[..0], &path[1..]),
        "self" => (own, &path[1..]),
        _ => (&own[..own.len().checked_sub(up)?], &path[up..]),
    };
    Some([base, rest].concat())
}

/// Every path that begins with `crate`, `super` or `self`; of a list `a::{b, c::d}` each.
fn paths(code: &str) -> Vec<Module> {
    let mut paths = Vec::new();
    for word in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(word) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|before| !is_of_name(before) && before != ':') {
                tree(&code[at..], &[], &mut paths);
            }
        }
    }
    paths
}

fn is_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Reads one path, or a list of them, and returns what follows.
fn tree<'c>(code: &'c str, before: &[String], paths: &mut Vec<Module>) -> &'c str {
    let code = code.trim_start();
    if let Some(list) = code.strip_prefix('{') {
        let mut rest = list.trim_start();
        while !rest.is_empty() && !rest.starts_with('}') {
            rest = tree(rest, before, paths);
            // ` as name`, and the comma.
            let end = rest.find([',', '}']).unwrap_or(rest.len());
            rest = rest[end..].trim_start_matches(',').trim_start();
        }
        return rest.strip_prefix('}').unwrap_or_default();
    }
    let end = code.find(|letter| !is_of_name(letter));
    let (name, rest) = code.split_at(end.unwrap_or(code.len()));
    let path = [before, &[name.to_owned()]].concat();
    match rest.strip_prefix("::") {
        Some(inner) => tree(inner, &path, paths),
        None => {
            paths.push(path);
            rest
        }
    }
}

#[test]
fn paths_are_found_in_lists_and_in_code() {
    let code = "use super::{a, b::{self, C as D}, e};\nlet x = super::super::f::g(1); pub(super) fn y() {}\n\
                use crate::room::{\n    h::I,\n    j,\n};";
    let mut found: Vec<String> = paths(code).iter().map(|path| path.join("::")).collect();
    found.sort_unstable();
    let expected = [
        "crate::room::h::I",
        "crate::room::j",
        "super::a",
        "super::b::C",
        "super::b::self",
        "super::e",
        "super::super::f::g",
    ];
    assert_eq!(found, expected);
}

#[test]
fn files_of_a_room_use_each_other_in_no_circle() {
    let uses = uses();
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 500);
    let mut circles = BTreeSet::new();
    for start in uses.keys() {
        let mut ways = vec![vec![start.clone()]];
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop() {
            for next in &uses[way.last().expect("a way has a beginning")] {
                if next == start {
                    let way: Vec<String> = way.iter().map(|file| file.join("::")).collect();
                    circles.insert(way.join(" -> "));
                } else if seen.insert(next.clone()) {
                    ways.push([way.clone(), vec![next.clone()]].concat());
                }
            }
        }
    }
    assert!(circles.is_empty(), "circles of files: {circles:#?}");
}
