//! Is the cached library still the pinned one?
//!
//! It is hashed once, and again only when its file is another or was changed. What was found is remembered beside it:
//!
//! ```text
//! <cache>/engine/26.7.3-stable.1.checked     what `stat` said of the library when its hash was right
//! ```
//!
//! The kernel sets a file's time of change (ctime); a writer of the file can't set it back.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::Sha256;

use super::EngineError;
use super::folder::write_private;
use super::package::Package;
use super::unpack::hash_hex;

/// Bits of a mode that let the group, or everybody, write.
const OTHERS_WRITE: u32 = 0o022;

/// Checks the library's mode, and its hash if that is not remembered.
pub(super) fn check(package: &Package, library: &Path) -> Result<(), EngineError> {
    let failed = |source| EngineError::io(format!("read {}", library.display()), source);
    let wrong = |what| EngineError::ForeignLibrary {
        path: library.to_owned(),
        what,
    };
    let found = fs::metadata(library).map_err(failed)?;
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(wrong("it is writable by its group or by everyone"));
    }
    let known = known(library);
    if fs::read_to_string(&known).is_ok_and(|text| text == state(&found)) {
        return Ok(());
    }
    let hash = hash_hex::<Sha256>("checking the cached engine", library);
    if hash.map_err(failed)? != package.library_sha256_hex {
        return Err(wrong("its content differs from the package"));
    }
    remember(library);
    Ok(())
}

/// After it was checked. Where nothing can be written, as in an image, it is hashed at every start.
pub(super) fn remember(library: &Path) {
    if let Ok(found) = fs::metadata(library) {
        _ = write_private(&known(library), &state(&found));
    }
}

fn known(library: &Path) -> PathBuf {
    library
        .parent()
        .unwrap_or(library)
        .with_added_extension("checked")
}

/// What changes whenever the file does.
fn state(of: &Metadata) -> String {
    format!(
        "device {} inode {} bytes {} changed {}.{:09}\n",
        of.dev(),
        of.ino(),
        of.size(),
        of.ctime(),
        of.ctime_nsec()
    )
}
