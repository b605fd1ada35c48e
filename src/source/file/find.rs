//! Which files there are: paths, folders with everything below them, and patterns.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files that are read together.
const FILES_MAX: usize = 100_000;

/// How deep folders may lie in each other.
const DEPTH_MAX: usize = 64;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    /// As it lies on the disk.
    pub size: u64,
    pub modified: SystemTime,
    /// Its device and number there: the same under another name.
    pub inode: (u64, u64),
    /// Whether it was named itself, and not a folder above it.
    pub is_named: bool,
}

/// What was found, and what could not be looked at.
#[derive(Debug, Default)]
pub struct Files {
    pub files: Vec<Found>,
    pub problems: Vec<(PathBuf, Problem)>,
    folders: BTreeSet<(u64, u64)>,
    inodes: BTreeSet<(u64, u64)>,
}

/// Why something was not looked at.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("does not exist")]
    Missing,
    #[error("is a link to nothing")]
    Dangling,
    #[error("cannot be read: {0}")]
    Io(io::Error),
    #[error("is a {0}, not a file: read it by \"bygone import - < FILE\"")]
    Special(&'static str),
    #[error("is over {DEPTH_MAX} folders deep")]
    TooDeep,
    #[error("is beyond the first {FILES_MAX} files: import them by folder")]
    TooMany,
}

impl Files {
    /// Adds a file, or all files below a folder, in the order of their paths. Names that begin with a dot are passed
    /// over there, and a folder or file that was seen before, by whatever name.
    pub fn add(&mut self, path: &Path) {
        self.add_at(path, 0);
    }

    /// Adds everything that a pattern finds; a path without `*`, `?` and `[` is itself. Whether there was anything.
    pub fn add_pattern(&mut self, pattern: &str) -> bool {
        let before = self.files.len();
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            require_literal_separator: true,
            ..glob::MatchOptions::default()
        };
        if let Ok(paths) = glob::glob_with(pattern, options) {
            for path in paths.flatten() {
                self.add(&path);
            }
        }
        self.files.len() > before
    }

    /// The newest first, by the time of their last change.
    pub fn newest_first(&mut self) {
        self.files
            .sort_by_key(|file| std::cmp::Reverse(file.modified));
    }

    fn add_at(&mut self, path: &Path, depth: usize) {
        if let Err(problem) = self.look(path, depth) {
            self.problems.push((path.to_owned(), problem));
        }
    }

    fn look(&mut self, path: &Path, depth: usize) -> Result<(), Problem> {
        let metadata = fs::metadata(path).map_err(|error| problem(path, error))?;
        let inode = (metadata.dev(), metadata.ino());
        if metadata.is_dir() {
            if depth >= DEPTH_MAX {
                return Err(Problem::TooDeep);
            }
            // A link may lead back to a folder above.
            return match self.folders.insert(inode) {
                true => self.look_into(path, depth),
                false => Ok(()),
            };
        }
        if !metadata.is_file() {
            return match depth {
                0 => Err(Problem::Special(kind(&metadata))),
                _ => Ok(()),
            };
        }
        if self.files.len() >= FILES_MAX {
            return Err(Problem::TooMany);
        }
        if self.inodes.insert(inode) {
            self.files.push(Found {
                path: path.to_owned(),
                size: metadata.len(),
                modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                inode,
                is_named: depth == 0,
            });
        }
        Ok(())
    }

    fn look_into(&mut self, folder: &Path, depth: usize) -> Result<(), Problem> {
        let entries = fs::read_dir(folder).map_err(|error| problem(folder, error))?;
        let mut paths = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Problem::Io)?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                paths.push(entry.path());
            }
            if paths.len() > FILES_MAX {
                return Err(Problem::TooMany);
            }
        }
        paths.sort();
        for path in paths {
            self.add_at(&path, depth + 1);
        }
        Ok(())
    }
}

fn problem(path: &Path, error: io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(_) => Problem::Dangling,
            Err(_) => Problem::Missing,
        },
        _ => Problem::Io(error),
    }
}

fn kind(metadata: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    match (kind.is_fifo(), kind.is_socket()) {
        (true, _) => "pipe",
        (_, true) => "socket",
        _ => "device",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(files: &Files, below: &Path) -> Vec<String> {
        let names = files.files.iter().map(|file| {
            let path = file.path.strip_prefix(below).unwrap();
            path.display().to_string()
        });
        names.collect()
    }

    #[test]
    fn folders_and_loops() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("b/c")).unwrap();
        for name in ["a.log", "b/2.log", "b/1.log", "b/c/3.log", "b/.hidden"] {
            fs::write(root.join(name), "x").unwrap();
        }
        symlink("..", root.join("b/c/up")).unwrap();
        symlink("../a.log", root.join("b/again.log")).unwrap();
        symlink("nowhere", root.join("b/broken")).unwrap();
        let mut files = Files::default();
        files.add(root);
        assert_eq!(
            names(&files, root),
            ["a.log", "b/1.log", "b/2.log", "b/c/3.log"]
        );
        assert_eq!(files.problems.len(), 1);
        files.add(&root.join("absent"));
        assert!(matches!(files.problems[1].1, Problem::Missing));
        let mut matched = Files::default();
        assert!(matched.add_pattern(&format!("{}/b/*.log", root.display())));
        assert_eq!(names(&matched, root), ["b/1.log", "b/2.log", "b/again.log"]);
        assert!(!matched.add_pattern(&format!("{}/z*", root.display())));
    }
}
