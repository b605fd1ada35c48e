//! A relay in front of OpenSearch for clients that know Elasticsearch alone.
//!
//! OpenTelemetry's exporter asks in its mode `otel` for `require_data_stream`, which OpenSearch refuses, and for a header
//! that says it is Elasticsearch. The relay takes the one out of bulk requests and adds the other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use reqwest::Method;

use super::search::Search;

const IN_URL: &str = "require_data_stream=true";
const IN_BODY: &str = ",\"require_data_stream\":true";

/// Starts one, which ends with this process, and returns its address.
pub fn start(to: &'static Search) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || while relay(&stream, to).is_some() {});
        }
    });
    address
}

/// Relays one request; `None` at the end of the connection.
fn relay(mut stream: &TcpStream, to: &Search) -> Option<()> {
    // Nobody sends the next request before this one is answered, so the buffer holds nothing of it.
    let mut reader = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    reader
        .read_line(&mut request)
        .ok()
        .filter(|bytes| *bytes > 0)?;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let (name, value) = match header.split_once(':') {
            Some(pair) => pair,
            None => break,
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).expect("a body that is not compressed");
    let mut parts = request.split(' ');
    let method: Method = parts.next()?.parse().expect("a method");
    let path = parts.next()?.replace(IN_URL, "");
    let answer = to
        .call(method, &path, body.replace(IN_BODY, ""))
        .to_string();
    let head =
        "HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\nContent-Type: application/json";
    let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
    stream.write_all(answer.as_bytes()).ok()
}
