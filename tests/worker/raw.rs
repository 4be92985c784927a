//! Requests over plain sockets: clients that read when they want to, or never, and bodies as they end on the wire.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::harness::Harness;

/// How long a client waits for bytes that it wants.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client that has asked.
pub(crate) struct RawClient(TcpStream);

/// A response as it came.
pub(crate) struct RawReply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as HTTP says.
    pub(crate) is_ended: bool,
}

impl RawClient {
    /// Sends a head and the beginning of a body.
    pub(crate) fn ask(harness: &Harness, request: &str, token: &str, headers: &str, body: &[u8]) -> Self {
        let mut socket = TcpStream::connect(harness.worker.trim_start_matches("http://")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("{request} HTTP/1.1\r\nhost: raydex\r\nauthorization: Bearer {token}\r\n{headers}\r\n");
        socket.write_all(&[head.as_bytes(), body].concat()).unwrap();
        Self(socket)
    }

    /// `GET` with this token.
    pub(crate) fn get(harness: &Harness, path: &str, token: &str, headers: &str) -> Self {
        Self::ask(harness, &format!("GET {path}"), token, headers, b"")
    }

    /// Waits for the first byte of the response.
    pub(crate) fn wait(&self) {
        assert_eq!(self.0.peek(&mut [0]).unwrap(), 1);
    }

    /// Reads to the end of the response, or of the connection.
    pub(crate) fn read(mut self) -> RawReply {
        let mut bytes = Vec::new();
        let mut piece = vec![0; 64 * 1024];
        loop {
            match self.0.read(&mut piece) {
                Ok(count) if count > 0 => bytes.extend_from_slice(&piece[..count]),
                _ => return RawReply::parse(&bytes).expect("a response has a head"),
            }
            if let Some(reply) = RawReply::parse_ended(&bytes) {
                return reply;
            }
        }
    }
}

impl RawReply {
    /// The response, if it has ended. Only its last bytes are looked at while chunks come.
    fn parse_ended(bytes: &[u8]) -> Option<Self> {
        let is_long = bytes.len() > 64 * 1024;
        if is_long && !bytes.ends_with(b"0\r\n\r\n") {
            return None;
        }
        Self::parse(bytes).filter(|reply| reply.is_ended)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let split = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let rest = &bytes[split + 4..];
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map(|n| n.parse().unwrap());
        let (body, is_ended) = match length {
            Some(length) => (rest[..rest.len().min(length)].to_vec(), rest.len() >= length),
            None => unchunked(rest),
        };
        Some(Self { status, head, body, is_ended })
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// The bytes of chunks, and whether the last one came.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = rest.windows(2).position(|two| two == b"\r\n") else { return (body, false) };
        let Ok(size) = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap_or("x"), 16) else {
            return (body, false);
        };
        let chunk = &rest[line + 2..];
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(&chunk[..size.min(chunk.len())]);
        if chunk.len() < size + 2 {
            return (body, false);
        }
        rest = &chunk[size + 2..];
    }
}
