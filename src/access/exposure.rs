//! Whether an address may be listened on with what is configured.

use std::net::SocketAddr;

/// A listener as it is configured.
#[derive(Clone, Copy, Debug)]
pub struct Exposure {
    /// The listener's table in the configuration: `ingest` or `api`.
    pub room: &'static str,
    pub listen: SocketAddr,
    pub tls: bool,
    /// Whether authentication is required.
    pub identity: bool,
    /// Whether the operator allowed it explicitly.
    pub insecure: bool,
}

/// Why it is not allowed: one line with what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exposed {
    #[error(
        "{room}.listen {listen} is reachable from other machines without authentication: add \
         [[access.{room}]], listen on 127.0.0.1, or pass --insecure"
    )]
    Identity {
        room: &'static str,
        listen: SocketAddr,
    },
    #[error(
        "{room}.listen {listen} is reachable from other machines without TLS, and tokens would be sent in \
         clear text: set {room}.tls_certificate_file and {room}.tls_key_file, listen on 127.0.0.1, or pass \
         --insecure"
    )]
    Tls {
        room: &'static str,
        listen: SocketAddr,
    },
}

/// Loopback may be had as it is; any other address needs identity and TLS, unless `insecure`.
///
/// # Errors
///
/// See [`Exposed`].
pub fn check_exposure(exposure: &Exposure) -> Result<(), Exposed> {
    let Exposure { room, listen, .. } = *exposure;
    if listen.ip().to_canonical().is_loopback() || exposure.insecure {
        return Ok(());
    }
    if !exposure.identity {
        return Err(Exposed::Identity { room, listen });
    }
    if !exposure.tls {
        return Err(Exposed::Tls { room, listen });
    }
    Ok(())
}
