//! What must hold of the configuration for any text: no panic, an error in one line, and what was
//! read is read again from what `bygone config print` would print of it.

use std::path::Path;
use std::sync::LazyLock;

use bygone::config::{self, Config};
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.expect("a folder")
});

/// Texts to begin with: the samples, and everything that can be set.
pub fn seeds(repository: &Path) -> Vec<Vec<u8>> {
    let mut seeds = vec![print(&Config::default()).into_bytes()];
    for entry in std::fs::read_dir(repository.join("deploy")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|kind| kind == "toml") {
            seeds.push(std::fs::read(path).expect("a file"));
        }
    }
    seeds
}

pub fn check(text: &[u8]) {
    let Some(config) = load(text) else { return };
    let printed = print(&config);
    let again = load(printed.as_bytes()).expect("what was printed can be read");
    assert_eq!(print(&again), printed);
    assert_eq!(format!("{again:?}"), format!("{config:?}"));
}

fn load(text: &[u8]) -> Option<Config> {
    let file = FOLDER.path().join("bygone.toml");
    std::fs::write(&file, text).expect("written");
    match config::load(Some(&file), config::Given::default()) {
        Ok(config) => Some(config),
        Err(error) => {
            let said = error.to_string();
            assert_eq!(said.lines().count(), 1, "{said:?}");
            None
        }
    }
}

fn print(config: &Config) -> String {
    toml::to_string(config).expect("a configuration can be printed")
}
