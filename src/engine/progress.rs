//! How far a long step is: a bar on a terminal, one plain line elsewhere. On standard error.

use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// One step, drawn until it is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A step of known length, in bytes.
    pub(super) fn bytes(what: &str, total: u64) -> Self {
        let style = "{msg} {wide_bar} {bytes}/{total_bytes}";
        Self::draw(what, || ProgressBar::new(total).with_style(template(style)))
    }

    /// A step of unknown length.
    pub(super) fn unknown(what: &str) -> Self {
        Self::draw(what, || {
            let bar = ProgressBar::new_spinner().with_style(template("{spinner} {msg} {elapsed}"));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        })
    }

    fn draw(what: &str, bar: impl FnOnce() -> ProgressBar) -> Self {
        if !io::stderr().is_terminal() {
            eprintln!("bygone: {what}");
            return Self {
                bar: ProgressBar::hidden(),
            };
        }
        Self {
            bar: bar().with_message(what.to_owned()),
        }
    }

    /// Passes on what `inner` gives and counts it.
    pub(super) fn count<R: Read>(&self, inner: R) -> impl Read + use<R> {
        self.bar.wrap_read(inner)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).expect("the template is a constant of this file")
}
