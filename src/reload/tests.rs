use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// A value that is the files' text, unless a file says `broken`.
fn joined(contents: &[Content]) -> Result<String, String> {
    let text: Vec<_> = contents
        .iter()
        .map(|content| String::from_utf8_lossy(&content.bytes).into_owned())
        .collect();
    if text.iter().any(|text| text == "broken") {
        return Err("it is broken".to_owned());
    }
    Ok(text.join("+"))
}

fn logged<T: Send + Sync + 'static>(reloaded: &Reloaded<T>) -> Option<bool> {
    let last = reloaded.last.lock().unwrap();
    last.failure.as_ref().map(|failure| failure.logged)
}

#[test]
fn a_changed_file_makes_a_new_value() {
    let dir = tempfile::tempdir().unwrap();
    let paths = vec![dir.path().join("a"), dir.path().join("b")];
    fs::write(&paths[0], "1").unwrap();
    fs::write(&paths[1], "2").unwrap();
    let reloaded = Reloaded::load("test", paths.clone(), joined).unwrap();
    assert_eq!(*reloaded.now(), "1+2");
    assert!(!reloaded.look(), "nothing has changed");

    fs::write(&paths[1], "3").unwrap();
    assert!(reloaded.look());
    assert_eq!(*reloaded.now(), "1+3");
}

#[test]
fn the_link_swap_of_a_mounted_secret_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (generation, text) in [("..1", "old"), ("..2", "new")] {
        fs::create_dir(at(generation)).unwrap();
        fs::write(at(generation).join("token"), text).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/token", at("token")).unwrap();
    let reloaded = Reloaded::load("test", vec![at("token")], joined).unwrap();

    // As the kubelet does it: a new link beside the old, then a rename over it.
    symlink("..2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    fs::remove_dir_all(at("..1")).unwrap();
    assert!(reloaded.look());
    assert_eq!(*reloaded.now(), "new");
}

#[test]
fn what_is_broken_leaves_the_old_value_and_is_logged_once_at_the_second_look() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    fs::write(&path, "good").unwrap();
    let reloaded = Reloaded::load("test", vec![path.clone()], joined).unwrap();

    fs::write(&path, "broken").unwrap();
    assert!(!reloaded.look());
    assert_eq!(logged(&reloaded), Some(false), "it may be half written");
    assert!(!reloaded.look());
    assert_eq!(logged(&reloaded), Some(true));
    assert_eq!(*reloaded.now(), "good");

    fs::remove_file(&path).unwrap();
    assert!(!reloaded.look());
    assert_eq!(logged(&reloaded), Some(false), "another failure");
    assert_eq!(*reloaded.now(), "good");

    // The same content as at the start is a recovery too.
    fs::write(&path, "good").unwrap();
    assert!(reloaded.look());
    assert_eq!(logged(&reloaded), None);
}

#[test]
fn a_huge_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    File::create(&path)
        .unwrap()
        .set_len(FILE_BYTES_MAX + 1)
        .unwrap();
    let error = Reloaded::load("test", vec![path], joined).err().unwrap();
    assert!(
        error.to_string().contains("is over 1048576 bytes"),
        "{error}"
    );
}
