//! Which bygone runs on a data folder: a file in it, so that other commands find it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// What the file says. Its mode is 0600.
#[derive(Debug, Deserialize, Serialize)]
pub struct Running {
    pub pid: u32,
    /// Base address of the API.
    pub api: String,
    /// Base address of the webhook.
    pub ingest: String,
}

/// The file, removed when this is dropped.
pub struct Announced(PathBuf);

impl Drop for Announced {
    fn drop(&mut self) {
        // Another bygone may have named itself meanwhile. A file that stays names a process that no
        // longer answers; `get` then says so.
        let ours = |text: Vec<u8>| serde_json::from_slice(&text).ok().map(|it: Running| it.pid);
        if fs::read(&self.0).ok().and_then(ours) == Some(std::process::id()) {
            _ = fs::remove_file(&self.0);
        }
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("running.json")
}

/// Creates the data folder, for its owner alone, where it is missing.
pub fn create_data_dir(data_dir: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .with_context(|| format!("data folder {}", data_dir.display()))
}

/// Writes the file.
pub fn announce(data_dir: &Path, running: &Running) -> anyhow::Result<Announced> {
    let path = path(data_dir);
    let write = || -> io::Result<()> {
        let unfinished = path.with_extension(format!("json.{}", running.pid));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options
            .open(&unfinished)?
            .write_all(&serde_json::to_vec(running)?)?;
        fs::rename(&unfinished, &path)
    };
    write().with_context(|| format!("write {}", path.display()))?;
    Ok(Announced(path))
}

/// The bygone that the data folder names.
pub fn find(data_dir: &Path) -> Option<Running> {
    serde_json::from_slice(&fs::read(path(data_dir)).ok()?).ok()
}
