//! The samples in `deploy/` are what the program reads.

use crate::support::{BYGONE, plain, run, stderr, stdout};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/config.sample.toml");

fn print(file: Option<&str>) -> String {
    let mut command = plain(BYGONE);
    command.args(["config", "print"]);
    if let Some(file) = file {
        command.args(["--config", file]);
    }
    let output = run(&mut command);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn the_sample_says_the_defaults() {
    let defaults = print(None);
    let sample = print(Some(SAMPLE));
    let without_folder = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("data_dir"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_folder(&sample), without_folder(&defaults));
}

/// Keys that are commented out, because their default is "not there", are keys all the same.
#[test]
fn every_commented_key_is_one() {
    let text = std::fs::read_to_string(SAMPLE).expect("the sample");
    let lines = text.lines().map(
        |line| match line.strip_prefix("# ").or(line.strip_prefix('#')) {
            Some(key) if is_setting(key) => key,
            _ => line,
        },
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("all.toml");
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).expect("written");
    let printed = print(path.to_str());
    for key in [
        "url",
        "password_file",
        "library",
        "tls_certificate_file",
        "client_ca_file",
        "ca_file",
    ] {
        assert!(
            printed
                .lines()
                .any(|line| line.starts_with(&format!("{key} = "))),
            "{key}"
        );
    }
}

fn is_setting(text: &str) -> bool {
    if text.starts_with("[[") {
        return true;
    }
    let Some((key, _)) = text.split_once(" = ") else {
        return false;
    };
    key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}
