//! What packages install beside the program.

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
