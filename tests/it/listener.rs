//! The rooms at the door, over real sockets on loopback.

/// Our own clients: ClickHouse's driver and reqwest.
mod client;
/// What is slow, silent, huge or many is ended, and the good client is served.
mod hostile;
/// HTTP/1.1 and HTTP/2 over TLS, certificates' names, renewed files, tokens.
mod identity;
pub mod pki;
/// Who is refused gets to know it.
mod refused;
mod server;
/// What is under way is finished.
mod stop;
