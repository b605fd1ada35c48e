//! Errors of the engine, each with one line for a person that has what to do about it.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why the engine is unavailable. The message is one line and names the cause.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// `libchdb.so` is published for one platform only.
    #[error(
        "the embedded engine runs on linux x86_64 only, this is {os} {arch}: \
         pass the address of a ClickHouse server with --clickhouse-url"
    )]
    Platform {
        /// From `std::env::consts::OS`.
        os: &'static str,
        /// From `std::env::consts::ARCH`.
        arch: &'static str,
    },
    /// Neither `XDG_CACHE_HOME` nor `HOME` names a folder.
    #[error("no cache folder for the engine: set XDG_CACHE_HOME or HOME, or pass --engine PATH")]
    NoCacheFolder,
    /// There is no `npm` to fetch the library with.
    #[error("npm is not on the PATH: install Node.js's npm, or pass --engine PATH")]
    NpmMissing,
    /// `npm pack` ended without a package; `cause` is its message.
    #[error("npm pack {package} failed: {cause}: check npm's settings, or pass --engine PATH")]
    Npm {
        /// Name and version.
        package: String,
        /// The first lines that npm wrote as errors.
        cause: String,
    },
    /// The download, or the wait for another process's download, took too long.
    #[error("{package} was not installed within {wait_s} s: try again, or pass --engine PATH")]
    InstallSlow {
        /// Name and version.
        package: String,
        /// The limit that was reached, in seconds.
        wait_s: u64,
    },
    /// The package is not the one that this build was made for.
    #[error(
        "{package} has the wrong integrity (sha512 {found}): nothing was installed; \
         check which registry npm uses"
    )]
    Integrity {
        /// Name and version.
        package: String,
        /// The first bytes of its SHA-512, in hex.
        found: String,
    },
    /// The cached library is not what was installed.
    #[error("{} is not used: {what}: remove it to download it again", path.display())]
    ForeignLibrary { path: PathBuf, what: &'static str },
    /// The package does not hold the library where it should.
    #[error("{package} holds no {member}: nothing was installed")]
    Package {
        /// Name and version.
        package: String,
        /// The path inside the tarball.
        member: &'static str,
    },
    /// There is no space for the library.
    #[error("no space left in {}: installing the engine takes 750 MB", .folder.display())]
    DiskFull {
        /// The cache folder.
        folder: PathBuf,
    },
    /// The file is there but cannot be loaded as the engine.
    #[error("cannot load the engine {}: {cause}", .library.display())]
    Library {
        /// The file.
        library: PathBuf,
        /// The message of the loader.
        cause: String,
    },
    /// Another engine has the data folder.
    #[error(
        "another engine is running in {}{holder}: stop that bygone, or use another data folder",
        .folder.display()
    )]
    Held {
        /// The engine's folder.
        folder: PathBuf,
        /// ` (process N)`, or nothing if it is not known.
        holder: String,
    },
    /// The kernel has no Landlock, and there are accounts.
    #[error(
        "this kernel can't confine the engine (Landlock), and {} has accounts, which could read every file that bygone          can: remove it, use a newer kernel, or set engine.insecure", .accounts.display()
    )]
    Unconfined {
        /// The folder that may hold accounts.
        accounts: PathBuf,
    },
    /// `engine run` was started without a password.
    #[error("no password on standard input: \"engine run\" is started by bygone itself")]
    NoPassword,
    /// The server returned without being stopped (reported by the child).
    #[error("the engine exited unexpectedly: {cause}")]
    Returned {
        /// The message of ClickHouse.
        cause: String,
    },
    /// The child ended before it answered (reported by the parent).
    #[error("the engine exited during start-up ({status}): {line}")]
    Ended {
        /// Its exit status.
        status: ExitStatus,
        /// The last line that it wrote.
        line: String,
    },
    /// The server did not answer in time.
    #[error("the engine did not answer within {wait_s} s: read {}", .log.display())]
    Slow {
        /// The limit that was reached, in seconds.
        wait_s: u64,
        /// Its log.
        log: PathBuf,
    },
    /// The system denied it.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was to be done, in the imperative, with the path.
        what: String,
        /// The error of the system.
        source: io::Error,
    },
}

impl EngineError {
    pub(super) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io {
            what: what.into(),
            source,
        }
    }

    /// Whether a start failed because another process took the port that had been free just before.
    pub(super) fn port_is_taken(&self) -> bool {
        matches!(self, Self::Ended { line, .. } if line.contains("Address already in use"))
    }
}
