//! A proxy between bygone and ClickHouse that goes wrong when it is told to.
//!
//! It speaks TCP and knows just enough of HTTP: bytes from the client after bytes from the server
//! begin a new exchange. So each request has its own chance to be cut, also on a connection that is
//! kept alive. It can also change what is said in the head of a request, which is how a test makes
//! ClickHouse refuse one client: the shared engine has no accounts to be changed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::{self, Random, block_on, free_address};

const BUFFER_BYTES: usize = 16 << 10;

/// A request that is cut on the way gets as far as this, or less far.
const CUT_AFTER_BYTES_MAX: u64 = 4_000;

/// Where an exchange is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Whole,
    /// Nothing of the request gets through.
    Before,
    /// So many bytes of the request get through. If it is shorter than that: as `After`.
    During(u64),
    /// The whole request gets through and is answered; of the answer nothing gets through.
    After,
}

/// How many exchanges were cut where.
#[derive(Debug, Default)]
pub struct Cuts {
    pub before: AtomicU64,
    pub during: AtomicU64,
    pub after: AtomicU64,
}

impl Cuts {
    pub fn counts(&self) -> [u64; 3] {
        [&self.before, &self.during, &self.after].map(|count| count.load(Ordering::Relaxed))
    }
}

/// The proxy. Gone when dropped.
pub struct Proxy {
    address: SocketAddr,
    upstream: SocketAddr,
    shared: Arc<Shared>,
    /// Ends the listener and all connections.
    closed: CancellationToken,
}

struct Shared {
    /// One exchange in so many is cut; 0: none.
    cut_one_in: AtomicU64,
    random: Mutex<Random>,
    cuts: Cuts,
    /// What is replaced in the head of each request, in this order.
    replaced: Mutex<Vec<(String, String)>>,
}

impl Proxy {
    /// Starts one that lets everything through, to a server at `url`.
    pub fn start(url: &str, seed: u64) -> Proxy {
        let upstream = url.strip_prefix("http://").expect("plain HTTP");
        let mut proxy = Proxy {
            address: free_address(),
            upstream: upstream.parse().expect("an address"),
            shared: Arc::new(Shared {
                cut_one_in: AtomicU64::new(0),
                random: Mutex::new(Random(seed)),
                cuts: Cuts::default(),
                replaced: Mutex::default(),
            }),
            closed: CancellationToken::new(),
        };
        proxy.open();
        proxy
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn cuts(&self) -> &Cuts {
        &self.shared.cuts
    }

    /// From now on cuts one exchange in so many; 0: none.
    pub fn cut_one_in(&self, exchanges: u64) {
        self.shared.cut_one_in.store(exchanges, Ordering::Relaxed);
    }

    /// From now on replaces texts in the head of each request, one after the other.
    pub fn replace(&self, texts: &[(&str, &str)]) {
        let texts = texts
            .iter()
            .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
        *self.shared.replaced.lock().expect("nobody panics with it") = texts.collect();
    }

    /// Cuts every connection, and from now on refuses new ones.
    pub fn close(&self) {
        self.closed.cancel();
        support::wait_for("a port that refuses", || {
            std::net::TcpStream::connect(self.address).err()
        });
    }

    /// Listens again where it listened before.
    pub fn open(&mut self) {
        let listener = block_on(TcpListener::bind(self.address)).expect("the port is free");
        self.closed = CancellationToken::new();
        let (upstream, shared) = (self.upstream, self.shared.clone());
        let closed = self.closed.clone();
        support::spawn(closed.clone().run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                let pass = pass(client, upstream, shared.clone());
                support::spawn(closed.clone().run_until_cancelled_owned(pass));
            }
        }));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl Shared {
    /// The beginning of a request, with what is to be replaced in its head. A head is short enough
    /// to come in one piece.
    fn altered(&self, bytes: &[u8]) -> Vec<u8> {
        let replaced = self.replaced.lock().expect("nobody panics with it");
        let end = memchr::memmem::find(bytes, b"\r\n\r\n");
        let (false, Some(end)) = (replaced.is_empty(), end) else {
            return bytes.to_owned();
        };
        let mut head = String::from_utf8(bytes[..end].to_owned()).expect("a head is text");
        for (from, to) in &*replaced {
            head = head.replace(from, to);
        }
        [head.as_bytes(), &bytes[end..]].concat()
    }

    fn fault(&self) -> Fault {
        let one_in = self.cut_one_in.load(Ordering::Relaxed);
        let mut random = self.random.lock().expect("nobody panics with it");
        if one_in == 0 || random.below(one_in) > 0 {
            return Fault::Whole;
        }
        // The kind that came least often: few requests are long enough to be cut on the way.
        let [before, during, after] = self.cuts.counts();
        if during <= before.min(after) {
            Fault::During(random.below(CUT_AFTER_BYTES_MAX))
        } else if before <= after {
            Fault::Before
        } else {
            Fault::After
        }
    }
}

/// Passes bytes both ways until either side ends or an exchange meets its fate. Half of the cuts
/// are a reset, half an end in good order.
async fn pass(client: TcpStream, upstream: SocketAddr, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    let reset = shared
        .random
        .lock()
        .expect("nobody panics with it")
        .below(2)
        == 0;
    if reset {
        client.set_zero_linger().expect("a socket");
        server.set_zero_linger().expect("a socket");
    }
    // A connection that ends in the middle is what this is for.
    _ = exchange(client, server, &shared).await;
}

async fn exchange(
    mut client: TcpStream,
    mut server: TcpStream,
    shared: &Shared,
) -> std::io::Result<()> {
    let (mut request, mut answer) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    let (mut fault, mut answered, mut sent) = (Fault::Whole, true, 0_u64);
    loop {
        tokio::select! {
            read = client.read(&mut request) => {
                let mut bytes = request[..read?].to_vec();
                if bytes.is_empty() {
                    return Ok(());
                }
                if std::mem::take(&mut answered) {
                    (fault, sent) = (shared.fault(), 0);
                    bytes = shared.altered(&bytes);
                }
                let room = match fault {
                    Fault::Before => {
                        shared.cuts.before.fetch_add(1, Ordering::Relaxed);
                        return Ok(());
                    }
                    Fault::During(cut) => cut - sent,
                    Fault::Whole | Fault::After => u64::MAX,
                };
                let passed = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
                server.write_all(&bytes[..passed]).await?;
                sent += passed as u64;
                if passed < bytes.len() {
                    shared.cuts.during.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
            }
            read = server.read(&mut answer) => {
                let bytes = &answer[..read?];
                answered = true;
                if bytes.is_empty() {
                    return Ok(());
                }
                if fault != Fault::Whole {
                    shared.cuts.after.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                client.write_all(bytes).await?;
            }
        }
    }
}
