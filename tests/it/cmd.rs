//! What people type and what they read: the transcripts of `tests/cmd`, on the made-up history of [`shop`].
//!
//!     cargo test --test it cmd:: -- trycmd=typos            one file
//!     TRYCMD=overwrite cargo test --test it cmd::           writes them anew; read what changed

mod shop;

use crate::support::{self, BYGONE, Bygone};

#[test]
fn transcripts() {
    let mut bygone = Bygone::start();
    for (cluster, events) in shop::history() {
        bygone.webhook = format!("{}/v1/audit/{cluster}", bygone.ingest);
        bygone.post_all([events]);
    }
    let cases = trycmd::TestCases::new();
    cases.register_bin("bygone", std::path::Path::new(BYGONE));
    for (key, value) in support::environment(&bygone.database) {
        cases.env(key, value);
    }
    // No server of whoever runs this, no data folder, and the zone and the width of nobody in particular.
    cases.env("BYGONE_SERVER", "");
    cases.env("XDG_DATA_HOME", "/nonexistent");
    cases.env("TZ", "UTC");
    cases.env("COLUMNS", "100");
    cases.case("tests/cmd/*.trycmd").run();
}
