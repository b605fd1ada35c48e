//! A cluster: the database that is asked as one, and those on the shards that keep its parts.

use std::sync::Arc;

use super::{Config, Error, Store};

/// What is asked as one, and the databases that have tables of their own: one on each shard. Without
/// a cluster both are the same.
#[derive(Clone, Debug)]
pub struct Stores {
    pub whole: Arc<Store>,
    pub shards: Vec<Arc<Store>>,
}

impl Stores {
    /// Opens all of `config`. Nothing is asked yet.
    ///
    /// # Errors
    ///
    /// As [`Store::open`], and where a cluster is named without its shards, or they without it.
    pub fn open(config: &Config) -> Result<Stores, Error> {
        let whole = Arc::new(Store::open(config)?);
        if config.cluster.is_none() && config.shard_urls.is_empty() {
            return Ok(Stores::single(whole));
        }
        let shards = config.shards()?;
        let shards = shards.iter().map(|shard| Ok(Arc::new(Store::open(shard)?)));
        let shards = shards.collect::<Result<_, Error>>()?;
        Ok(Stores { whole, shards })
    }

    /// A database that keeps everything itself.
    #[must_use]
    pub fn single(store: Arc<Store>) -> Stores {
        let shards = vec![store.clone()];
        Stores {
            whole: store,
            shards,
        }
    }
}

impl Config {
    /// The database on each shard that has tables of its own.
    ///
    /// # Errors
    ///
    /// If no cluster is configured, its name is invalid, or it has no shards.
    pub fn shards(&self) -> Result<Vec<Config>, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        match &self.cluster {
            None => return Err(Error::NoCluster),
            Some(name) if name.is_empty() || !name.chars().all(plain) => {
                return Err(Error::Cluster(name.clone()));
            }
            Some(_) if self.shard_urls.is_empty() => return Err(Error::NoShards),
            Some(_) => {}
        }
        let shard = |url: &String| Config {
            url: Some(url.clone()),
            database: format!("{}_local", self.database),
            cluster: None,
            shard_urls: Vec::new(),
            ..self.clone()
        };
        Ok(self.shard_urls.iter().map(shard).collect())
    }
}
