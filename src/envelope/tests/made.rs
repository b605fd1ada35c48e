//! Every form that `tests/it/forms.rs` makes.

use super::wrapped::{decoded, fixture, life};

#[path = "../../../tests/it/forms.rs"]
mod forms;

use forms::{Expected, Source};

#[test]
fn every_form_that_is_made() {
    let text = |name| String::from_utf8(fixture(name)).unwrap();
    let bare = text("bare.jsonl");
    let entries = text("gke-log-entries-with-refused-dry-run-and-other-logs.jsonl");
    let forms = forms::forms(&Source::of(&bare, &entries));
    assert!(forms.len() > 90, "{} forms", forms.len());
    let mut wrong = String::new();
    for form in forms {
        let decoded = decoded(&form.body);
        let is_right = match form.expected {
            Expected::Life(ignored) => {
                decoded == life_anywhere(&decoded, ignored)
                    || decoded == format!("{ignored} ignored")
            }
            // They are read here, and refused by `lifecycle`.
            Expected::Rejected(5, "unreadable object") => decoded == life(None, 0),
            Expected::Rejected(parts, reason) => {
                let rejected: Vec<&str> = decoded
                    .lines()
                    .filter(|line| line.starts_with("rejected"))
                    .collect();
                rejected.len() == parts && rejected.iter().all(|line| line.ends_with(reason))
            }
        };
        if !is_right {
            wrong += &format!("{}:\n{decoded}\n\n", form.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The life in the cluster that the first line names: some forms name one.
fn life_anywhere(decoded: &str, ignored: usize) -> String {
    let cluster = decoded
        .split_once("Some(\"")
        .and_then(|(_, rest)| rest.split_once('"'));
    life(cluster.map(|(cluster, _)| cluster), ignored)
}
