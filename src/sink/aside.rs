//! Rows that ClickHouse rejects, each in a file of its own: a line of JSON with the row's table and the reason, then
//! the row's bytes as they were sent.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::json;

use super::load::Rows;
use crate::disk;

pub struct Aside(PathBuf);

impl Aside {
    /// The folder is made when the first row comes.
    pub fn new(folder: PathBuf) -> Aside {
        Aside(folder)
    }

    /// Returns when the file is synced.
    pub async fn keep(&self, rows: &Rows, refusal: &str) -> io::Result<()> {
        let head = json!({
            "table": rows.table(),
            "columns": rows.columns(),
            "rows": rows.count(),
            "format": "RowBinary",
            "refusal": refusal,
        });
        let (folder, pieces) = (self.0.clone(), rows.pieces().to_vec());
        let name = format!("{}.row", uuid::Uuid::new_v4());
        let write = move || write(&folder, &name, &head.to_string(), &pieces);
        tokio::task::spawn_blocking(write)
            .await
            .map_err(io::Error::other)?
    }
}

fn write(folder: &Path, name: &str, head: &str, pieces: &[Bytes]) -> io::Result<()> {
    disk::private_folder(folder)?;
    let mut file = disk::create(&folder.join(name))?;
    writeln!(file, "{head}")?;
    for piece in pieces {
        file.write_all(piece)?;
    }
    file.sync_all()?;
    disk::sync_folder(folder)
}
