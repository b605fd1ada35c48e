//! What goes wrong with a store: in full for the log, and as readers of answers may see it.

use super::OPEN_MAX;

/// Why there are no lines, or no more. Displayed with what the store said, for whoever runs bygone.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("logs store {store}: {cause}")]
    Config { store: String, cause: String },
    #[error("logs store {store} cannot be reached: {cause}: check its address, and that it runs")]
    Unreachable { store: String, cause: String },
    #[error("logs store {store} refused our credentials ({status}): check its user and files")]
    Credentials { store: String, status: String },
    #[error("logs store {store} has no {what}: check what [[logs]] names")]
    Missing { store: String, what: String },
    #[error("logs store {store} did not answer within {seconds_max} s: ask for a shorter time")]
    Silent { store: String, seconds_max: u64 },
    /// It does not do what it is asked; `said` are its own words.
    #[error("logs store {store} refused the query ({status}): {said}")]
    Refused {
        store: String,
        status: String,
        said: String,
    },
    #[error("logs store {store} sent an answer that can't be read: {cause}")]
    Unreadable { store: String, cause: String },
    /// What it answers would lose lines; `cause` is in our words.
    #[error("logs store {store}: {cause}")]
    Answer { store: String, cause: String },
    #[error(
        "{count} instances have lines at the same time, at most {OPEN_MAX} can be read: name fewer"
    )]
    TooMany { count: usize },
    #[error(transparent)]
    Question(#[from] crate::query::Error),
}

impl Error {
    /// For readers of an answer: which store, what kind of error, and what to do. Nothing that the store said, and
    /// of its configuration its name and what it lacks.
    #[must_use]
    pub fn for_readers(&self) -> String {
        match self {
            Error::Config { store, .. } => {
                format!("logs store {store} is not configured correctly: see bygone's log")
            }
            Error::Unreachable { store, .. } => {
                format!(
                    "logs store {store} cannot be reached: check that it runs, and see bygone's log"
                )
            }
            Error::Credentials { store, .. } => {
                format!(
                    "logs store {store} refused bygone's credentials: check the user and the files of its [[logs]] block"
                )
            }
            Error::Refused { store, status, .. } => {
                format!(
                    "logs store {store} refused the query ({status}): ask for less, and see bygone's log"
                )
            }
            Error::Unreadable { store, .. } => {
                format!(
                    "logs store {store} sent an answer that can't be read: check its address, and see bygone's log"
                )
            }
            Error::Question(crate::query::Error::Store(_)) => {
                "ClickHouse did not answer: ask again later, and see bygone's log".to_owned()
            }
            // What is missing is named as `[[logs]]` names it.
            Error::Missing { .. }
            | Error::Silent { .. }
            | Error::Answer { .. }
            | Error::TooMany { .. }
            | Error::Question(_) => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    /// Each kind has its sentence, and none repeats what a store said.
    #[test]
    fn readers_see_no_words_of_a_store() {
        let store = || "loki".to_owned();
        let said = || "SECRET".to_owned();
        let errors = [
            Error::Config {
                store: store(),
                cause: said(),
            },
            Error::Unreachable {
                store: store(),
                cause: said(),
            },
            Error::Credentials {
                store: store(),
                status: said(),
            },
            Error::Missing {
                store: store(),
                what: "index logstash-*".to_owned(),
            },
            Error::Silent {
                store: store(),
                seconds_max: 30,
            },
            Error::Refused {
                store: store(),
                status: "400 Bad Request".to_owned(),
                said: said(),
            },
            Error::Unreadable {
                store: store(),
                cause: said(),
            },
            Error::Answer {
                store: store(),
                cause: "5000 or more lines have one time".to_owned(),
            },
            Error::TooMany { count: 129 },
        ];
        let texts: Vec<String> = errors.iter().map(Error::for_readers).collect();
        expect![[r#"
            logs store loki is not configured correctly: see bygone's log
            logs store loki cannot be reached: check that it runs, and see bygone's log
            logs store loki refused bygone's credentials: check the user and the files of its [[logs]] block
            logs store loki has no index logstash-*: check what [[logs]] names
            logs store loki did not answer within 30 s: ask for a shorter time
            logs store loki refused the query (400 Bad Request): ask for less, and see bygone's log
            logs store loki sent an answer that can't be read: check its address, and see bygone's log
            logs store loki: 5000 or more lines have one time
            129 instances have lines at the same time, at most 128 can be read: name fewer"#]]
        .assert_eq(&texts.join("\n"));
    }
}
