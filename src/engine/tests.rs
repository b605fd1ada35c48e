//! Installation with an npm of our own making, and the small parts. The real npm and the real
//! server are in `tests/it/engine.rs`.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256, Sha512};
use tempfile::TempDir;

use super::install::{install_package, npm_cause};
use super::package::Package;
use super::{Config, EngineError, folder};

const LIBRARY: &[u8] = b"not really a library";

/// A cache, a package as the registry would hold it, and an `npm` that gives it out.
struct Registry {
    dir: TempDir,
    package: Package,
}

impl Registry {
    /// `script` is what npm does in the folder where it is called; `$T` is the tarball.
    fn with_npm(script: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let tarball = tarball(&["package/index.js", "package/libchdb.so"]);
        fs::write(dir.path().join("there.tgz"), &tarball).unwrap();
        let npm = dir.path().join("npm");
        let script = format!(
            "#!/bin/sh\nT='{0}/there.tgz'\necho call >> '{0}/calls'\n{script}\n",
            dir.path().display()
        );
        // Another process writes it: a script that this one has open for writing cannot be
        // run ("text file busy"), and a fork of another test would hold it open.
        let made = Command::new("sh")
            .args([
                "-c",
                "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"",
                "sh",
                &script,
            ])
            .arg(&npm)
            .status();
        assert!(made.unwrap().success());
        let package = Package {
            name: "@test/engine",
            version: "1.2.3",
            sha512_hex: format!("{:x}", Sha512::digest(&tarball)),
            library_sha256_hex: format!("{:x}", Sha256::digest(LIBRARY)),
            member: "package/libchdb.so",
            npm,
            wait: Duration::from_secs(20),
        };
        Self { dir, package }
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    async fn install(&self) -> Result<PathBuf, EngineError> {
        install_package(self.package.clone(), &self.cache()).await
    }

    async fn error(&self) -> String {
        let error = self.install().await.unwrap_err().to_string();
        let engines = self.cache().join("engine");
        assert_eq!(names(&engines), ["1.2.3.lock"], "something was left behind");
        error.replace(&*engines.to_string_lossy(), "CACHE")
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.dir.path().join("calls"))
            .unwrap()
            .lines()
            .count()
    }
}

fn tarball(members: &[&str]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for member in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(LIBRARY.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, member, LIBRARY).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn installs_once() {
    let registry = Registry::with_npm("cp \"$T\" fetched.tgz");
    let library = registry.install().await.unwrap();
    assert_eq!(library, registry.cache().join("engine/1.2.3/libchdb.so"));
    assert_eq!(fs::read(&library).unwrap(), LIBRARY);
    assert_eq!(registry.install().await.unwrap(), library);
    assert_eq!(registry.calls(), 1);
    assert_eq!(
        names(&registry.cache().join("engine")),
        ["1.2.3", "1.2.3.checked", "1.2.3.lock"]
    );
}

/// Scripts of a package would run before anybody has checked it.
#[tokio::test]
async fn nothing_of_the_package_runs() {
    let registry = Registry::with_npm("cp \"$T\" fetched.tgz; echo \"$@\" > ../../../said");
    registry.install().await.unwrap();
    let said = fs::read_to_string(registry.dir.path().join("said")).unwrap();
    assert!(said.contains("--ignore-scripts"), "{said}");
}

#[tokio::test]
async fn a_library_that_was_changed_is_not_used() {
    let registry = Registry::with_npm("cp \"$T\" fetched.tgz");
    let library = registry.install().await.unwrap();
    let refused = async || registry.install().await.unwrap_err().to_string();
    // Its bytes, its length and its time of modification are as before: its time of change is not.
    let (before, mut bytes) = (fs::metadata(&library).unwrap(), LIBRARY.to_vec());
    bytes[0] ^= 1;
    fs::write(&library, &bytes).unwrap();
    let file = File::options().write(true).open(&library).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    assert!(refused().await.contains("differs from the package"));
    // The right bytes again, and another file: hashed once more, and remembered.
    fs::remove_file(&library).unwrap();
    fs::write(&library, LIBRARY).unwrap();
    fs::set_permissions(&library, Permissions::from_mode(0o755)).unwrap();
    assert_eq!(registry.install().await.unwrap(), library);
    fs::set_permissions(&library, Permissions::from_mode(0o775)).unwrap();
    assert!(refused().await.contains("it is writable by"));
    assert_eq!(registry.calls(), 1);
}

#[tokio::test]
async fn of_two_at_once_one_fetches() {
    let registry = Registry::with_npm("sleep 0.3; cp \"$T\" fetched.tgz");
    let (one, two) = tokio::join!(registry.install(), registry.install());
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(registry.calls(), 1);
}

#[tokio::test]
async fn what_a_killed_installation_left_is_removed() {
    let registry = Registry::with_npm("cp \"$T\" fetched.tgz");
    let partial = registry.cache().join("engine/1.2.3.partial");
    fs::create_dir_all(&partial).unwrap();
    fs::write(partial.join("old.tgz"), "half").unwrap();
    fs::write(partial.join("libchdb.so"), "half").unwrap();
    assert_eq!(
        fs::read(registry.install().await.unwrap()).unwrap(),
        LIBRARY
    );
    assert!(!partial.exists());
}

#[tokio::test]
async fn a_package_that_is_not_the_pinned_one() {
    let registry = Registry::with_npm("cp \"$T\" fetched.tgz; echo more >> fetched.tgz");
    let error = registry.error().await;
    assert!(
        error.starts_with("@test/engine@1.2.3 has the wrong integrity (sha512 "),
        "{error}"
    );
    assert!(
        error.ends_with(": nothing was installed; check which registry npm uses"),
        "{error}"
    );
}

#[tokio::test]
async fn a_package_without_the_library() {
    let mut registry = Registry::with_npm("cp \"$T\" fetched.tgz");
    registry.package.member = "package/other.so";
    assert_eq!(
        registry.error().await,
        "@test/engine@1.2.3 holds no package/other.so: nothing was installed"
    );
}

#[tokio::test]
async fn no_npm() {
    let mut registry = Registry::with_npm("");
    registry.package.npm = "/nowhere/npm".into();
    assert_eq!(
        registry.error().await,
        "npm is not on the PATH: install Node.js's npm, or pass --engine PATH"
    );
}

#[tokio::test]
async fn npm_says_no() {
    let registry = Registry::with_npm(
        "echo 'npm error code E404' >&2; echo 'npm error 404 Not Found' >&2; exit 1",
    );
    assert_eq!(
        registry.error().await,
        "npm pack @test/engine@1.2.3 failed: code E404, 404 Not Found: check npm's settings, \
         or pass --engine PATH"
    );
}

#[tokio::test]
async fn npm_finds_the_disk_full() {
    let registry = Registry::with_npm("echo 'npm error code ENOSPC' >&2; exit 1");
    assert_eq!(
        registry.error().await,
        "no space left in CACHE: installing the engine takes 750 MB"
    );
}

#[tokio::test]
async fn npm_takes_too_long() {
    let mut registry = Registry::with_npm("exec sleep 60");
    registry.package.wait = Duration::from_millis(300);
    let error = registry.error().await;
    assert!(
        error.starts_with("@test/engine@1.2.3 was not installed within 0 s"),
        "{error}"
    );
}

#[test]
fn what_npm_calls_errors() {
    assert_eq!(
        npm_cause(
            "npm warn old
npm error code E1
npm error
npm error errno E1
npm error 2
npm error 3"
        ),
        Some("code E1, 2".into())
    );
    assert_eq!(npm_cause("npm ERR! network"), Some("network".into()));
    assert_eq!(npm_cause("hello"), None);
}

#[test]
fn the_log_s_last_line() {
    let dir = TempDir::new().unwrap();
    assert_eq!(folder::last_line(dir.path(), 0), "it wrote nothing");
    let old = "bygone: old\n";
    fs::write(
        folder::log_path(dir.path()),
        format!("{old}trace\nbygone: new\n\n"),
    )
    .unwrap();
    assert_eq!(folder::last_line(dir.path(), 0), "new");
    let all = folder::log_bytes(dir.path());
    assert_eq!(folder::last_line(dir.path(), all), "it wrote nothing");
    // Trimmed meanwhile: all of it is new.
    assert_eq!(folder::last_line(dir.path(), all + 1), "new");
}

#[test]
fn a_long_log_starts_anew() {
    let dir = TempDir::new().unwrap();
    let log = folder::open_log(dir.path()).unwrap();
    log.set_len(8 << 20).unwrap();
    folder::trim_log(dir.path());
    assert_eq!(folder::log_bytes(dir.path()), 8 << 20);
    log.set_len((8 << 20) + 1).unwrap();
    folder::trim_log(dir.path());
    assert_eq!(folder::log_bytes(dir.path()), 0);
}

#[test]
fn config() {
    assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
    let config: Config = toml::from_str("library = '/x'\nmemory_bytes_max = 5").unwrap();
    assert_eq!(
        config,
        Config {
            library: Some("/x".into()),
            memory_bytes_max: 5,
            port: 0,
            insecure: false,
        }
    );
    assert!(toml::from_str::<Config>("memory = 5").is_err());
}
