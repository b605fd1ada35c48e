//! What the configurations of all ways have in common.

use std::fs;
use std::path::Path;

use super::super::is_cluster_name;

/// The largest file that a setting names.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Reads the file that a setting names.
///
/// # Errors
///
/// One line: the setting, the file, and what is wrong.
pub fn read_file(setting: &str, path: &Path) -> Result<Vec<u8>, String> {
    let is_large = fs::metadata(path).is_ok_and(|file| file.len() > FILE_BYTES_MAX);
    if is_large {
        return Err(format!(
            "{setting} {}: is over {FILE_BYTES_MAX} bytes: is it the right file?",
            path.display()
        ));
    }
    fs::read(path).map_err(|error| format!("{setting} {}: {error}", path.display()))
}

/// Checks the name of a cluster.
///
/// # Errors
///
/// One line: the name, and what to use.
pub fn check_cluster(name: &str) -> Result<(), String> {
    match is_cluster_name(name) {
        true => Ok(()),
        false => Err(format!(
            "cluster {name:?} is no name: use letters, digits and -_./"
        )),
    }
}
