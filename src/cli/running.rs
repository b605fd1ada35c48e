//! Which bygone runs on a data folder: a file in it, so that other commands find it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::disk;

/// The content of the file. Its mode is 0600. Without `Debug`, because it holds a token.
#[derive(Deserialize, Serialize)]
pub struct RunningServer {
    pub pid: u32,
    /// Base address of the API.
    pub api: String,
    /// Base address of the webhook.
    pub ingest: String,
    /// PEM files with the certificates of the two listeners, if they use TLS.
    #[serde(default)]
    pub api_certificate_file: Option<PathBuf>,
    #[serde(default)]
    pub ingest_certificate_file: Option<PathBuf>,
    /// A token that both listeners of this process accept, for everything: a user who can read this file can read the
    /// history anyway.
    #[serde(default)]
    pub token: Option<String>,
    /// Base address of the embedded engine, for SQL.
    #[serde(default)]
    pub sql: Option<String>,
}

/// The file, removed when this is dropped.
pub struct Announced(PathBuf);

impl Drop for Announced {
    fn drop(&mut self) {
        // Another bygone may have announced itself meanwhile. A leftover file names a process that no longer answers;
        // `get` then reports that.
        let ours = |text: Vec<u8>| {
            serde_json::from_slice(&text)
                .ok()
                .map(|it: RunningServer| it.pid)
        };
        if fs::read(&self.0).ok().and_then(ours) == Some(std::process::id()) {
            _ = fs::remove_file(&self.0);
        }
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("running.json")
}

/// Creates the data folder, for its owner alone, where it is missing. One in which other accounts may have put something
/// is refused: they could make the program write elsewhere, or read what they wrote as history.
///
/// Of root it may be, since that is who makes volumes; its group may then write, which is how Kubernetes lets a pod
/// (`fsGroup`). One of our own is closed again where its mode lets others in: Kubernetes opens it to the group of the volume
/// at each mount.
pub fn create_data_dir(data_dir: &Path) -> anyhow::Result<()> {
    let what = || format!("data folder {}", data_dir.display());
    disk::create_folder(data_dir).with_context(what)?;
    let own = rustix::process::geteuid().as_raw();
    let is_trusted = |of: &fs::Metadata| of.uid() == own || of.uid() == 0;
    let found = fs::metadata(data_dir).with_context(what)?;
    if !is_trusted(&found) {
        bail!(
            "{} belongs to another account (uid {}): use a folder of your own, or run bygone as that account",
            what(),
            found.uid()
        );
    }
    if found.uid() == own {
        disk::make_private(data_dir).with_context(what)?;
    } else if found.mode() & 0o002 != 0 {
        bail!(
            "every account can write to the {0}: run chmod o-w {1}, or use a folder in it, which bygone creates",
            what(),
            data_dir.display()
        );
    }
    for entry in fs::read_dir(data_dir).with_context(what)? {
        let entry = entry.with_context(what)?;
        let metadata = entry.metadata().with_context(what)?;
        let path = entry.path();
        if metadata.is_symlink() {
            bail!(
                "{} is a symbolic link, which bygone does not follow in its data folder: mount the target there",
                path.display()
            );
        }
        if !is_trusted(&metadata) {
            let uid = metadata.uid();
            bail!(
                "{} belongs to another account (uid {uid}): inspect and remove it",
                path.display()
            );
        }
    }
    Ok(())
}

/// Writes the file.
pub fn announce(data_dir: &Path, running: &RunningServer) -> anyhow::Result<Announced> {
    let path = path(data_dir);
    let unfinished = path.with_extension(format!("json.{}", running.pid));
    let write = |file: &mut fs::File| file.write_all(&serde_json::to_vec(running)?);
    disk::replace(&path, &unfinished, write)
        .with_context(|| format!("write {}", path.display()))?;
    Ok(Announced(path))
}

/// The bygone that the data folder names.
pub fn find(data_dir: &Path) -> Option<RunningServer> {
    serde_json::from_slice(&fs::read(path(data_dir)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;
    use crate::disk::tiny::skipped;

    /// The error for a folder after `change`; `DATA` is its path.
    fn said(change: impl FnOnce(&Path)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        create_data_dir(&data).unwrap();
        change(&data);
        let said =
            create_data_dir(&data).map_or_else(|error| format!("{error:#}"), |()| String::new());
        said.replace(data.to_str().unwrap(), "DATA")
    }

    fn set_mode(mode: u32) -> impl FnOnce(&Path) {
        move |data| fs::set_permissions(data, Permissions::from_mode(mode)).unwrap()
    }

    #[test]
    fn what_others_could_use_is_refused() {
        assert_eq!(said(|_| {}), "");
        assert_eq!(said(set_mode(0o755)), "");
        // As Kubernetes leaves it at each mount, where the volume has a group.
        assert_eq!(said(set_mode(0o2770)), "");
        let led_elsewhere = said(|data| symlink("/etc", data.join("spool")).unwrap());
        assert_eq!(
            led_elsewhere,
            "DATA/spool is a symbolic link, which bygone does not follow in its data folder: \
             mount the target there"
        );
    }

    /// Only root can give a file away: as another account this test has nothing to try.
    #[test]
    fn what_belongs_to_others_is_refused() {
        let nobody = 65_534;
        let is_root = rustix::process::geteuid().is_root();
        let give = |path: &Path| is_root && chown(path, Some(nobody), Some(nobody)).is_ok();
        let folder = tempfile::tempdir().unwrap();
        if !give(folder.path()) {
            return skipped::report("no file can be given away here: run it as root");
        }
        let of_another = said(|data| _ = give(data));
        assert!(of_another.contains("DATA belongs to another account (uid 65534)"));
        let planted = said(|data| {
            fs::create_dir(data.join("spool")).unwrap();
            give(&data.join("spool"));
        });
        assert!(planted.contains("DATA/spool belongs to another account (uid 65534)"));
    }
}
