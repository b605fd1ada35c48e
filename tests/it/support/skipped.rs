//! Tests that have not run, or not as a whole, and say so.

use std::io::Write;

/// Reports it on the terminal, where libtest shows only what failing tests print, and in the file that `tests/run` prints at
/// its end.
pub fn report(why: &str) {
    let thread = std::thread::current();
    let line = format!("SKIPPED: {}: {why}\n", thread.name().unwrap_or("a test"));
    _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(list) = std::env::var_os("TEST_SKIPPED_LIST") {
        let list = std::fs::OpenOptions::new().append(true).open(list);
        let mut list = list.expect("the file that TEST_SKIPPED_LIST names");
        list.write_all(line.as_bytes())
            .expect("a line can be added");
    }
}
