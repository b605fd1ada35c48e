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

/// Answers that are followed, of all readers and of one. They have a place of the former only while they are read.
const FOLLOWERS: usize = 32;
const FOLLOWERS_OF_ONE: usize = 16;

const WAIT_MAX: Duration = Duration::from_secs(30);

/// The places.
#[derive(Clone, Debug)]
pub struct Questions {
    places: Slots,
    followers: Slots,
}

/// Places for one purpose.
#[derive(Clone, Debug)]
struct Slots {
    all: Arc<Semaphore>,
    one_max: usize,
    /// By the credential of the reader.
    of_one: Arc<Mutex<HashMap<Option<usize>, Arc<Semaphore>>>>,
}

/// A place, until it is dropped: with the last byte of the answer, or when the client goes.
#[derive(Debug)]
pub struct Place(#[allow(dead_code, reason = "held")] [OwnedSemaphorePermit; 2]);

impl Default for Questions {
    fn default() -> Questions {
        Questions {
            places: Slots::new(PLACES, PLACES_OF_ONE),
            followers: Slots::new(FOLLOWERS, FOLLOWERS_OF_ONE),
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
        self.places.place(reader).await
    }

    /// Waits for a place of those that are followed.
    ///
    /// # Errors
    ///
    /// As [`Questions::place`].
    pub async fn follower(&self, reader: &Reader) -> Result<Place, Problem> {
        self.followers.place(reader).await
    }
}

impl Slots {
    fn new(all_max: usize, one_max: usize) -> Slots {
        Slots {
            all: Arc::new(Semaphore::new(all_max)),
            one_max,
            of_one: Arc::default(),
        }
    }

    async fn place(&self, reader: &Reader) -> Result<Place, Problem> {
        let own = {
            let mut of_one = self.of_one.lock().unwrap_or_else(PoisonError::into_inner);
            let own = of_one.entry(reader.credential());
            own.or_insert_with(|| Arc::new(Semaphore::new(self.one_max)))
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
        // Those that are followed have places of their own, and not without end.
        let mut followed = Vec::new();
        for _ in 0..FOLLOWERS_OF_ONE {
            followed.push(questions.follower(&one).await.unwrap());
        }
        let refused = questions.follower(&one).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::TooManyQuestions);
    }
}
