//! Two `bygone serve` on one database, of which one may be killed while events are posted.

use futures_util::StreamExt;

use crate::late::NO_RECONCILE;
use crate::support::{self, Bygone, Random, kill_at_once, wait_for};

/// How events reach the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posting {
    /// All to one of them.
    One,
    /// The same, and it is killed meanwhile.
    OneKilled,
    Both,
    /// The same, and one is killed meanwhile.
    BothOneKilled,
}

impl Posting {
    pub fn random(random: &mut Random) -> Posting {
        let all = [
            Posting::One,
            Posting::OneKilled,
            Posting::Both,
            Posting::BothOneKilled,
        ];
        all[random.below(4) as usize]
    }

    /// Whether two processes may write about one name at once.
    pub fn races(self) -> bool {
        matches!(self, Posting::Both | Posting::BothOneKilled)
    }

    fn kills(self) -> bool {
        matches!(self, Posting::OneKilled | Posting::BothOneKilled)
    }
}

/// An `EventList` on its way.
pub struct Body {
    pub cluster: &'static str,
    pub text: String,
}

/// Bodies that are posted at the same time.
const POSTS_AT_ONCE: usize = 8;

pub struct Servers {
    pub database: String,
    pub kills: u64,
    both: [Bygone; 2],
}

impl Servers {
    pub fn start() -> Servers {
        let one = Bygone::start_set(&[NO_RECONCILE]);
        let database = one.database.clone();
        let folder = tempfile::tempdir().expect("a folder");
        let other = Bygone::start_beside(database.clone(), "", folder, &[NO_RECONCILE]);
        Servers {
            database,
            kills: 0,
            both: [one, other],
        }
    }

    /// Returns when everything was acknowledged and is part of the lives.
    pub fn post(&mut self, bodies: &[Body], posting: Posting, random: &mut Random) {
        let one = random.below(2) as usize;
        let mut to = || match posting.races() {
            true => random.below(2) as usize,
            false => one,
        };
        let posts: Vec<(usize, &Body)> = bodies.iter().map(|body| (to(), body)).collect();
        let killed_after = (posting.kills() && !posts.is_empty())
            .then(|| random.below(posts.len() as u64) as usize);
        let refused = self.post_once(&posts, one, killed_after);
        if killed_after.is_some() {
            self.kills += 1;
            let victim = &mut self.both[one];
            victim.kill();
            victim.spawn_again();
            wait_for("bygone to serve again", || victim.serves().then_some(()));
        }
        let refused: Vec<(usize, &Body)> = refused.into_iter().map(|post| posts[post]).collect();
        let refused = self.post_once(&refused, one, None);
        assert!(refused.is_empty(), "{} bodies were refused", refused.len());
        for bygone in &self.both {
            bygone.drained();
        }
    }

    /// Posts each once; kills `victim` after so many answers. Returns which were not acknowledged.
    fn post_once(
        &self,
        posts: &[(usize, &Body)],
        victim: usize,
        killed_after: Option<usize>,
    ) -> Vec<usize> {
        let client = support::client();
        let requests = posts.iter().enumerate().map(|(place, (to, body))| {
            let url = format!("{}/v1/audit/{}", self.both[*to].ingest, body.cluster);
            let request = client.post(url).body(body.text.clone()).send();
            async move { (place, request.await) }
        });
        let requests: Vec<_> = requests.collect();
        let mut answers = futures_util::stream::iter(requests).buffer_unordered(POSTS_AT_ONCE);
        let (mut count, mut refused) = (0, Vec::new());
        support::block_on(async {
            while let Some((place, answer)) = answers.next().await {
                let is_acknowledged = answer.is_ok_and(|answer| answer.status() == 200);
                if !is_acknowledged {
                    refused.push(place);
                }
                if killed_after == Some(count) {
                    kill_at_once(self.both[victim].pid());
                }
                count += 1;
            }
        });
        refused
    }
}
