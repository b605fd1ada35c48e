//! What has become of a life, and why.

use std::str::FromStr;

use crate::audit::words::EndedWhy;
use crate::query::ParseError;

/// The state as it is now, whatever time is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeState {
    /// Of pods alone.
    Pending,
    Running,
    Ended,
    /// Ended with a failure that no request caused.
    Failed,
}

impl FromStr for LifeState {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<LifeState, ParseError> {
        Ok(match &*text.trim().to_ascii_lowercase() {
            "pending" => LifeState::Pending,
            "running" => LifeState::Running,
            "ended" => LifeState::Ended,
            "failed" => LifeState::Failed,
            _ => {
                let problem =
                    format!("invalid state {text:?}: use running, ended, failed or pending");
                return Err(ParseError::value("state", problem));
            }
        })
    }
}

/// Reads a list of values of `ended_why`; hyphens and spaces are the same here.
///
/// # Errors
///
/// When one is not such a word.
pub fn reasons_for_the_end(words: &[String]) -> Result<Vec<EndedWhy>, ParseError> {
    let read = |word: &String| {
        let plain = |word: &str| word.to_ascii_lowercase().replace('-', " ");
        let is_it = |why: &&EndedWhy| plain(why.word()) == plain(word);
        EndedWhy::ALL.iter().find(is_it).copied().ok_or_else(|| {
            let known: Vec<&str> = EndedWhy::ALL.iter().map(|why| why.word()).collect();
            let problem = format!("unknown word {word:?}: use {}", known.join(", "));
            ParseError::value("why", problem)
        })
    };
    words.iter().map(read).collect()
}
