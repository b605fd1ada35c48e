//! A fetched package: is it the pinned one, and out of it the one file that is wanted.
//!
//! Two passes on purpose: nothing of a package is parsed before all of it has been checked.

use std::fmt::LowerHex;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha512};
use tar::Archive;

use super::EngineError;
use super::package::Package;
use super::progress::Progress;
use crate::disk;

/// The library has 566 MB. The package is pinned, so this only guards against a wrong pin.
const LIBRARY_BYTES_MAX: u64 = 2 << 30;
const READ_BYTES: usize = 1 << 20;

/// Checks the whole file against the package's SHA-512.
pub(super) fn check(package: &Package, tarball: &Path) -> Result<(), EngineError> {
    let found = hash_hex::<Sha512>("checking the engine", tarball)
        .map_err(|source| EngineError::io(format!("read {}", tarball.display()), source))?;
    if found == package.sha512_hex {
        return Ok(());
    }
    let found = format!("{}...", &found[..16]);
    Err(EngineError::Integrity {
        package: package.to_string(),
        found,
    })
}

/// The hash of a file, with progress under the name `what`.
pub(super) fn hash_hex<D>(what: &str, path: &Path) -> io::Result<String>
where
    D: Digest + io::Write,
    sha2::digest::Output<D>: LowerHex,
{
    let file = File::open(path)?;
    let progress = Progress::bytes(what, file.metadata()?.len());
    let mut digest = D::new();
    io::copy(
        &mut BufReader::with_capacity(READ_BYTES, progress.count(file)),
        &mut digest,
    )?;
    Ok(format!("{:x}", digest.finalize()))
}

/// Writes the package's one member to `library`, complete and synced when this returns.
pub(super) fn unpack(package: &Package, tarball: &Path, library: &Path) -> Result<(), EngineError> {
    match copy_member(package.member, tarball, library) {
        Ok(true) => Ok(()),
        Ok(false) => Err(EngineError::Package {
            package: package.to_string(),
            member: package.member,
        }),
        Err(source) if source.kind() == ErrorKind::StorageFull => {
            // Not the folder of this installation, which is gone when a person reads this.
            let folder = library.ancestors().nth(2).unwrap_or(library).to_owned();
            Err(EngineError::DiskFull { folder })
        }
        Err(source) => Err(EngineError::io(
            format!("unpack {} to {}", tarball.display(), library.display()),
            source,
        )),
    }
}

fn copy_member(member: &str, tarball: &Path, library: &Path) -> io::Result<bool> {
    let file = BufReader::with_capacity(READ_BYTES, File::open(tarball)?);
    let mut archive = Archive::new(GzDecoder::new(file));
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.path()? != Path::new(member) {
            continue;
        }
        let bytes = entry.size();
        if bytes > LIBRARY_BYTES_MAX {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "the library is too large",
            ));
        }
        let progress = Progress::bytes("unpacking the engine", bytes);
        let mut out = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(library)?;
        io::copy(
            &mut BufReader::with_capacity(READ_BYTES, progress.count(entry)),
            &mut out,
        )?;
        out.sync_all()?;
        return Ok(true);
    }
    Ok(false)
}

/// Puts a complete file in its place, for others to find all of it or nothing.
pub(super) fn publish(from: &Path, to: &Path) -> Result<(), EngineError> {
    let folder = to.parent().expect("the place of the library has a folder");
    fs::create_dir_all(folder)
        .and_then(|()| disk::rename(from, to))
        .map_err(|source| EngineError::io(format!("move the engine to {}", to.display()), source))
}
