//! One question to the engine over HTTP, small enough to be asked from a plain thread.
//!
//! The room asks two things only (`SELECT 1`, the order to stop), the last of them in a child process that has no
//! async runtime. HTTP/1.0 keeps it this short: the server
//! closes the connection after the answer and never sends chunks.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{KEY_HEADER, USER, key_of};

/// Answers here are `Ok.`, `1`, a line about a query, or an error with a stack trace.
const REPLY_BYTES_MAX: usize = 64 << 10;

/// Runs one statement as our user and returns its answer without white space around it.
///
/// # Errors
///
/// The network's error; `InvalidData` with the server's message if it answered but not 200.
pub(super) fn ask(port: u16, password: &str, sql: &str, wait: Duration) -> io::Result<String> {
    let request = format!(
        "POST / HTTP/1.0\r\nHost: 127.0.0.1\r\n{KEY_HEADER}: {}\r\nX-ClickHouse-User: {USER}\r\n\
         X-ClickHouse-Key: {password}\r\nContent-Length: {}\r\n\r\n{sql}",
        key_of(password),
        sql.len(),
    );
    let reply = exchange(port, request.as_bytes(), wait)?;
    body(&reply).map(str::to_owned).ok_or_else(|| {
        let words = reply.lines().last().unwrap_or("nothing").to_owned();
        io::Error::new(io::ErrorKind::InvalidData, words)
    })
}

/// Sends and reads to the end of the connection or to the limit of size; all within `wait`.
fn exchange(port: u16, request: &[u8], wait: Duration) -> io::Result<String> {
    let deadline = Instant::now() + wait;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, wait)?;
    stream.set_write_timeout(Some(wait))?;
    stream.write_all(request)?;
    let mut reply = Vec::new();
    let mut chunk = [0; 4096];
    while reply.len() < REPLY_BYTES_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => break,
            read => reply.extend_from_slice(&chunk[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

/// The body of a reply with status 200.
fn body(reply: &str) -> Option<&str> {
    let (head, body) = reply.split_once("\r\n\r\n")?;
    (head.split(' ').nth(1) == Some("200")).then(|| body.trim())
}
