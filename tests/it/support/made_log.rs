//! A log of any size: a recording over and over, each time with other pods in other namespaces.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Where the first digits of uids and audit IDs are in a text, and the ends of the names of namespaces.
fn variable(log: &str) -> Vec<(usize, usize)> {
    let uid =
        regex::Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-").expect("a pattern");
    let mut places: Vec<(usize, usize)> = uid.find_iter(log).map(|it| (it.start(), 8)).collect();
    let namespace = regex::Regex::new(r#""namespace":"([a-z]+-[0-9a-f]{3})""#).expect("a pattern");
    let names: BTreeSet<&str> = namespace
        .captures_iter(log)
        .map(|it| it.extract::<1>().1[0])
        .collect();
    for name in names {
        places.extend(
            log.match_indices(name)
                .map(|(at, _)| (at + name.len() - 3, 3)),
        );
    }
    places
}

/// Writes at least so many bytes, from the repetition `first` on. Returns the number of events, and of repetitions.
pub fn write(recording: &Path, log: &Path, bytes: u64, first: u64) -> (u64, u64) {
    let recording = crate::support::read(recording, "audit.log");
    let places = variable(&recording);
    let mut text = recording.into_bytes();
    let mut to = BufWriter::new(std::fs::File::create(log).expect("a file"));
    let (mut written, mut times) = (0, 0);
    while written < bytes {
        let number = first + times;
        for (at, length) in &places {
            let digits = match length {
                8 => format!("{:08x}", 0x1000_0000 + number),
                _ => format!("{number:03x}"),
            };
            text[*at..at + length].copy_from_slice(&digits.as_bytes()[..*length]);
        }
        to.write_all(&text).expect("written");
        written += text.len() as u64;
        times += 1;
    }
    to.flush().expect("written");
    let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
    (lines * times, times)
}
