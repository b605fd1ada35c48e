//! What packages install beside the program.

use std::path::Path;
use std::process::Command;

use crate::support::{BYGONE, plain, run, stderr, stdout};

#[test]
fn every_shell_gets_a_completion_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(plain(BYGONE).args(["completion", shell]));
        assert!(output.status.success(), "{shell}: {}", stderr(&output));
        for word in ["describe", "dead-letters", "container-id"] {
            assert!(stdout(&output).contains(word), "{shell}: {word}");
        }
    }
    let unknown = run(plain(BYGONE).args(["completion", "cmd"]));
    assert_eq!(unknown.status.code(), Some(64), "{}", stderr(&unknown));
}

/// bash takes the script, and completes by it.
#[test]
fn bash_completes_a_command() {
    let script = "source <(\"$BIN\" completion bash); COMP_WORDS=(bygone desc); COMP_CWORD=1; \
                  _bygone bygone desc bygone; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = plain("bash");
    let output = run(bash.args(["--norc", "-c", script]).env("BIN", BYGONE));
    assert_eq!(stdout(&output), "describe\n", "{}", stderr(&output));
}

#[test]
fn man_pages_of_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(plain(BYGONE).arg("man").arg(folder.path()));
    assert!(output.status.success(), "{}", stderr(&output));
    let page = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    assert!(page("bygone.1").contains("bygone\\-get(1)"));
    assert!(page("bygone-describe-pod.1").starts_with(".ie"));
    let nowhere = run(plain(BYGONE).args(["man", "/nowhere/at/all"]));
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(
        stderr(&nowhere).starts_with("bygone: man pages cannot be written to /nowhere/at/all: ")
    );
}

#[test]
fn the_version_is_told_both_ways() {
    let word = run(plain(BYGONE).arg("version"));
    let flag = run(plain(BYGONE).arg("--version"));
    assert_eq!(stdout(&word), stdout(&flag));
    assert!(stdout(&word).starts_with("bygone 0."), "{}", stdout(&word));
}

/// What `deploy/package.sh` packs is whole and runs from where it is unpacked.
#[test]
fn the_tar_and_the_deb_hold_a_program_that_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut script = plain(root.join("deploy/package.sh").to_str().expect("text"));
    script
        .args(["--binary", BYGONE, "--out"])
        .arg(folder.path());
    let output = run(&mut script);
    assert!(output.status.success(), "{}", stderr(&output));

    let version = env!("CARGO_PKG_VERSION");
    let name = format!("bygone-{version}-x86_64-linux");
    let into = folder.path().join("unpacked");
    std::fs::create_dir(&into).expect("a folder");
    let tar = folder.path().join(format!("{name}.tar.gz"));
    unpack(plain("tar").arg("-xzf").arg(&tar).arg("-C").arg(&into));
    holds(
        &into.join(&name),
        &["man/bygone-get.1", "completions/_bygone", "LICENSE"],
    );
    says_version(&into.join(&name).join("bin/bygone"), version);
    assert!(folder.path().join(format!("{name}.debug")).exists());

    let deb = folder.path().join(format!("bygone_{version}_amd64.deb"));
    if !deb.exists() {
        let why = stderr(&output);
        assert!(
            why.contains("no .deb: dpkg-deb and dpkg-shlibdeps"),
            "{why}"
        );
        return eprintln!("SKIPPED: the .deb: {why}");
    }
    let into = folder.path().join("installed");
    unpack(plain("dpkg-deb").arg("-x").arg(&deb).arg(&into));
    let manual = "usr/share/man/man1/bygone-get.1.gz";
    holds(
        &into,
        &[
            manual,
            "etc/bygone/config.toml",
            "usr/lib/systemd/system/bygone.service",
        ],
    );
    says_version(&into.join("usr/bin/bygone"), version);
    let needs = run(plain("dpkg-deb").arg("-f").arg(&deb).arg("Depends"));
    assert!(stdout(&needs).contains("libssl3"), "{}", stdout(&needs));
}

fn unpack(command: &mut Command) {
    let output = run(command);
    assert!(output.status.success(), "{}", stderr(&output));
}

fn holds(folder: &Path, files: &[&str]) {
    for file in files {
        assert!(folder.join(file).is_file(), "{file} is missing");
    }
}

fn says_version(program: &Path, version: &str) {
    let output = run(plain(program.to_str().expect("text")).arg("version"));
    assert_eq!(stdout(&output).trim(), format!("bygone {version}"));
}
