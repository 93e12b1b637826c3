//! Makes what is sent: messages in their frames, and statuses. What is the same for many calls is made once.
//!
//! It knows gRPC's answers over HTTP/2. It may not know queues, tickets or Python.

use bytes::Bytes;
use h2::SendStream;
use h2::server::SendResponse;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::framing;

/// gRPC codes that the front says by itself.
pub const OK: u32 = 0;
pub const CANCELLED: u32 = 1;
pub const DEADLINE_EXCEEDED: u32 = 4;
const RESOURCE_EXHAUSTED: u32 = 8;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

/// How a call fails.
#[derive(Clone)]
pub struct Status {
    pub code: u32,
    trailers: HeaderMap,
}

impl Status {
    /// ``message`` is any text, and ``details`` the bytes of ``google.rpc.Status``, or none.
    pub fn new(code: u32, message: &str, details: &[u8]) -> Self {
        let mut trailers = HeaderMap::with_capacity(4);
        trailers.insert("grpc-status", HeaderValue::from(code));
        if !message.is_empty() {
            trailers.insert("grpc-message", ascii(percent_encoded(message)));
        }
        if !details.is_empty() {
            trailers.insert("grpc-status-details-bin", binary(details));
        }
        Self { code, trailers }
    }

    pub fn too_large(size: usize) -> Self {
        let bound = framing::MESSAGE_BYTES_MAX;
        Self::new(RESOURCE_EXHAUSTED, &format!("SERVER: Received message larger than max ({size} vs. {bound})"), &[])
    }

    /// As gRPC says it.
    pub fn compressed() -> Self {
        Self::new(INTERNAL, "Compression bit set but no encoding configured", &[])
    }

    pub fn unreachable() -> Self {
        Self::new(UNAVAILABLE, "the server cannot take this call now", &[])
    }
}

/// What is said without Python.
pub struct Replies {
    pub overloaded: Status,
    pub expired: Status,
    pub overdue: Status,
    pub idle: Status,
    pub crowded: Status,
    head: HeaderMap,
    ok: HeaderMap,
}

impl Replies {
    pub fn new([overloaded, expired, overdue, idle, crowded]: [Status; 5]) -> Self {
        let mut head = HeaderMap::with_capacity(2);
        head.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        // As the listener in Python says: compressed requests are passed on to it.
        head.insert("grpc-accept-encoding", HeaderValue::from_static("identity, deflate, gzip"));
        let ok = Status::new(OK, "", &[]).trailers;
        Self { overloaded, expired, overdue, idle, crowded, head, ok }
    }

    /// Begin an answer. None where the caller has gone.
    pub fn begin(&self, respond: &mut SendResponse<Bytes>) -> Option<SendStream<Bytes>> {
        respond.send_response(response(self.head.clone()), false).ok()
    }

    /// End an answer. A caller that has gone needs none, here and below.
    pub fn end(&self, sending: &mut SendStream<Bytes>) {
        let _ = sending.send_trailers(self.ok.clone());
    }
}

/// End an answer that has begun with a failure.
pub fn fail(sending: &mut SendStream<Bytes>, status: &Status) {
    let _ = sending.send_trailers(status.trailers.clone());
}

/// Answer a call with a failure alone.
pub fn refuse(respond: &mut SendResponse<Bytes>, status: &Status) {
    let mut headers = status.trailers.clone();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let _ = respond.send_response(response(headers), true);
}

/// Return a body of one message, from its parts.
pub fn body(parts: &[&[u8]]) -> Vec<u8> {
    let mut made = Vec::new();
    framing::put(&mut made, parts);
    made
}

fn response(headers: HeaderMap) -> Response<()> {
    let mut made = Response::new(());
    *made.headers_mut() = headers;
    made
}

/// Return bytes as metadata whose name ends with ``-bin`` has them.
pub fn binary(bytes: &[u8]) -> HeaderValue {
    ascii(base64(bytes))
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(text).expect("what was encoded is ASCII")
}

/// Encode a grpc-message: all but printable ASCII, and the percent sign, by their bytes (gRPC over HTTP/2).
fn percent_encoded(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..0x20 | 0x7f.. => {
                made.push('%');
                made.push(char::from(b"0123456789ABCDEF"[usize::from(byte >> 4)]));
                made.push(char::from(b"0123456789ABCDEF"[usize::from(byte & 15)]));
            }
            _ => made.push(char::from(byte)),
        }
    }
    made
}

/// Encode the value of a trailer that ends with ``-bin``: base64 without padding, as grpc-core writes it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut made = String::with_capacity(bytes.len() * 4 / 3 + 3);
    for piece in bytes.chunks(3) {
        let bits = piece.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - piece.len()));
        for place in 0..=piece.len() {
            made.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_base64_without_padding() {
        for (bytes, text) in [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8");
    }

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encoded("a b~ 100%\n号"), "a b~ 100%25%0A%E5%8F%B7");
        let status = Status::new(3, "不", &[1]);
        assert_eq!(status.trailers["grpc-status"], "3");
        assert_eq!(status.trailers["grpc-message"], "%E4%B8%8D");
        assert_eq!(status.trailers["grpc-status-details-bin"], "AQ");
    }
}
