//! How many questions are answered at once: ClickHouse also stores what comes in, and must not be kept from that.
//!
//! Each may take `QUESTION_BYTES_MAX` of memory (`query`), so that all together leave a quarter of the embedded
//! engine's memory. One reader never has all slots. A query without a slot waits, and gets an error with Retry-After
//! after [`WAIT_MAX`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{Kind, Problem};
use crate::access::Reader;

/// Questions at once, of all readers and of one.
const PLACES: usize = 4;
const PLACES_OF_ONE: usize = 3;

const WAIT_MAX: Duration = Duration::from_secs(30);

/// The places.
#[derive(Clone, Debug)]
pub struct Questions {
    all: Arc<Semaphore>,
    /// By the credential of the reader.
    of_one: Arc<Mutex<HashMap<Option<usize>, Arc<Semaphore>>>>,
}

/// A place, until it is dropped: with the last byte of the answer, or when the client goes.
#[derive(Debug)]
pub struct Place(#[allow(dead_code, reason = "held")] [OwnedSemaphorePermit; 2]);

impl Default for Questions {
    fn default() -> Questions {
        Questions {
            all: Arc::new(Semaphore::new(PLACES)),
            of_one: Arc::default(),
        }
    }
}

impl Questions {
    /// Waits for a place.
    ///
    /// # Errors
    ///
    /// `Kind::TooManyQuestions` if no slot becomes free in time.
    pub async fn place(&self, reader: &Reader) -> Result<Place, Problem> {
        let own = {
            let mut of_one = self.of_one.lock().unwrap_or_else(PoisonError::into_inner);
            let own = of_one.entry(reader.credential());
            own.or_insert_with(|| Arc::new(Semaphore::new(PLACES_OF_ONE)))
                .clone()
        };
        let places = async {
            // The reader's own slots first: a reader who uses all of them waits alone, not in the common queue.
            let own = own.acquire_owned().await.ok()?;
            let one = self.all.clone().acquire_owned().await.ok()?;
            Some(Place([own, one]))
        };
        match tokio::time::timeout(WAIT_MAX, places).await {
            Ok(Some(place)) => Ok(place),
            _ => {
                let detail = "too many concurrent queries: retry later";
                Err(Problem::new(Kind::TooManyQuestions, detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_reader_leaves_a_place_for_others() {
        let questions = Questions::default();
        let (one, other) = (Reader::of_everything(), Reader::of_nothing());
        let mut held = Vec::new();
        for _ in 0..PLACES_OF_ONE {
            held.push(questions.place(&one).await.unwrap());
        }
        let refused = questions.place(&one).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::TooManyQuestions);
        let last = questions.place(&other).await.unwrap();
        assert!(questions.place(&other).await.is_err());
        drop(last);
        questions.place(&other).await.unwrap();
        drop(held.pop());
        questions.place(&one).await.unwrap();
    }
}
