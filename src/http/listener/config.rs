//! What can be set of a listener.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::activity::Timeouts;
use super::body::Pace;
use crate::tls::{self, ServerFiles};

/// A listener's address, files and limits.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port; without it the room's own default.
    pub listen: Option<String>,
    /// PEM file with our certificate and its chain. Reloaded when it changes.
    pub tls_certificate_file: Option<PathBuf>,
    /// PEM file with the certificate's key. Reloaded when it changes.
    pub tls_key_file: Option<PathBuf>,
    /// PEM file with the CA certificates for client certificates. Reloaded when it changes.
    pub client_ca_file: Option<PathBuf>,
    /// Whether the handshake fails for a client without a certificate.
    pub client_certificate_required: bool,
    /// How often files are checked for changes, in seconds.
    pub reload_seconds: u64,
    /// Concurrent connections; more wait in the kernel's queue.
    pub connections_max: u32,
    /// How long a TLS handshake may take.
    pub handshake_seconds_max: u64,
    /// How long a request's header may take, and a connection's first request.
    pub header_seconds_max: u64,
    /// How long a connection may be idle between requests, or a client may stop reading a response.
    pub idle_seconds_max: u64,
    /// The largest header of a request, in bytes, from 8192 on. HTTP/1 also buffers that much of a
    /// body at a time.
    pub header_bytes_max: u32,
    /// Minimum rate of a body, in bytes per second.
    pub body_bytes_per_second_min: u64,
    /// How many seconds a body may fall behind that rate.
    pub body_grace_seconds: u64,
    /// HTTP/2: concurrent requests per connection.
    pub http2_streams_max: u32,
    /// HTTP/2: unread bytes of one body that may be in flight.
    pub http2_stream_window_bytes: u32,
    /// HTTP/2: the same for all bodies of one connection.
    pub http2_connection_window_bytes: u32,
    /// How long requests in flight may take to finish when we stop.
    pub drain_seconds_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: None,
            tls_certificate_file: None,
            tls_key_file: None,
            client_ca_file: None,
            client_certificate_required: false,
            reload_seconds: 10,
            connections_max: 2048,
            handshake_seconds_max: 10,
            header_seconds_max: 10,
            idle_seconds_max: 120,
            // A signed token takes two KiB, a question some hundred bytes; the rest is for bodies.
            header_bytes_max: 32 << 10,
            body_bytes_per_second_min: 1024,
            body_grace_seconds: 10,
            // An API server sends every batch that it has over one connection.
            http2_streams_max: 128,
            // A batch is 1 to 4 MB. At 10 ms of round trip 1 MiB a stream makes 100 MB/s.
            http2_stream_window_bytes: 1 << 20,
            http2_connection_window_bytes: 4 << 20,
            // Below the 30 s that Kubernetes waits before it kills.
            drain_seconds_max: 20,
        }
    }
}

impl Config {
    /// TLS as configured, or `None` for a plain listener.
    ///
    /// # Errors
    ///
    /// As [`tls::Server::load`].
    pub fn tls(&self) -> Result<Option<tls::Server>, tls::Error> {
        tls::Server::load(&ServerFiles {
            certificate: self.tls_certificate_file.clone(),
            key: self.tls_key_file.clone(),
            client_ca: self.client_ca_file.clone(),
            client_certificate_required: self.client_certificate_required,
        })
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        Timeouts {
            header: Duration::from_secs(self.header_seconds_max),
            idle: Duration::from_secs(self.idle_seconds_max),
        }
    }

    pub(super) fn pace(&self) -> Pace {
        Pace {
            bytes_per_second_min: self.body_bytes_per_second_min,
            grace: Duration::from_secs(self.body_grace_seconds),
        }
    }
}
