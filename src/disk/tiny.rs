//! A disk that is really full, for tests that may mount one.

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../../tests/it/support/skipped.rs"]
pub mod skipped;

/// A tmpfs. Gone when it is dropped.
pub struct Tiny(PathBuf);

impl Tiny {
    /// Over a folder that is there. Where that is not allowed, the test is reported as skipped.
    pub fn mount(folder: &Path, size: &str) -> Option<Tiny> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o"]);
        mount.arg(format!("size={size},mode=700"));
        let mounted = mount.arg("tmpfs").arg(folder).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Tiny(folder.to_owned()));
        }
        skipped::report("no tmpfs can be mounted here: run it as root");
        None
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
