//! The package that holds the library: which one, and how it is fetched.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::EngineError;

/// The pinned version of the library, which is ClickHouse 26.7.2.
pub const VERSION: &str = "26.7.3-stable.1";
/// From the start to the library in its place, or to somebody else's library in its place.
const INSTALL_WAIT: Duration = Duration::from_mins(10);

/// What is fetched, and with what.
#[derive(Debug, Clone)]
pub(super) struct Package {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    /// The registry's `dist.integrity`, in hex where npm writes base64.
    pub(super) sha512_hex: String,
    /// The SHA-256 of the library itself.
    pub(super) library_sha256_hex: String,
    /// The one file that is wanted, as the tarball names it.
    pub(super) member: &'static str,
    /// `npm`, found on the PATH.
    pub(super) npm: PathBuf,
    /// The limit on everything.
    pub(super) wait: Duration,
}

impl Package {
    pub(super) fn pinned() -> Self {
        Self {
            name: "@chdb/lib-linux-x64-gnu",
            version: VERSION,
            sha512_hex: "5cff7b98caa7739b59a4a432c11f0dedc2d3b073624e61ebdf4a42e66ce8de35\
                         a6ba48ca9f62016bad1cd81fe059435cb858ce3235a8a2b408082a81563e70a7"
                .to_owned(),
            library_sha256_hex: "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5"
                .to_owned(),
            member: "package/libchdb.so",
            npm: PathBuf::from("npm"),
            wait: INSTALL_WAIT,
        }
    }

    pub(super) fn slow(&self) -> EngineError {
        EngineError::InstallSlow {
            package: self.to_string(),
            wait_s: self.wait.as_secs(),
        }
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}
