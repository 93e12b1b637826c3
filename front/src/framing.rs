//! gRPC's frame around a message: one byte that says whether it is compressed, four with its length.
//!
//! It knows bytes. It may not know where they come from.

use bytes::{Buf, Bytes, BytesMut};

pub const PREFIX: usize = 5;

/// A largest message: 4 MiB of codes and their framing, as the listener in Python takes it.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024 + 64 * 1024;

/// Bytes that are collected until they are a message. The first piece is kept as it came: most requests have no second.
#[derive(Default)]
pub struct Collected {
    first: Bytes,
    joined: BytesMut,
}

/// The first bytes of those collected.
#[derive(Debug, PartialEq)]
pub enum Next {
    Message(Bytes),
    Incomplete,
    Compressed,
    TooLarge(usize),
    /// The first byte is none that gRPC knows.
    Unknown,
}

impl Collected {
    pub fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    pub fn push(&mut self, piece: Bytes) {
        if self.len() == 0 {
            self.first = piece;
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&piece);
    }

    /// Take all bytes.
    pub fn take(&mut self) -> Bytes {
        if self.joined.is_empty() { std::mem::take(&mut self.first) } else { self.joined.split().freeze() }
    }

    /// Take the next message, if it is there as a whole.
    pub fn next(&mut self) -> Next {
        let size = match whole(if self.joined.is_empty() { &self.first } else { &self.joined }) {
            Ok(size) => size,
            Err(why_not) => return why_not,
        };
        if !self.joined.is_empty() {
            self.first = self.joined.split().freeze();
        }
        self.first.advance(PREFIX);
        Next::Message(self.first.split_to(size))
    }
}

/// Return the length of the message that some bytes begin with, or why there is none.
fn whole(bytes: &[u8]) -> Result<usize, Next> {
    let [kind, a, b, c, d, ..] = bytes else { return Err(Next::Incomplete) };
    let size = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    match kind {
        0 => {}
        1 => return Err(Next::Compressed),
        _ => return Err(Next::Unknown),
    }
    if size > MESSAGE_BYTES_MAX {
        return Err(Next::TooLarge(size));
    }
    if bytes.len() < PREFIX + size { Err(Next::Incomplete) } else { Ok(size) }
}

/// Append a message in its frame, from its parts.
pub fn put(to: &mut Vec<u8>, parts: &[&[u8]]) {
    let size = parts.iter().map(|part| part.len()).sum::<usize>();
    to.reserve(PREFIX + size);
    to.push(0);
    to.extend_from_slice(&u32::try_from(size).expect("an answer is far below 4 GiB").to_be_bytes());
    for part in parts {
        to.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(messages: &[&[u8]]) -> Vec<u8> {
        let mut made = Vec::new();
        for message in messages {
            put(&mut made, &[message]);
        }
        made
    }

    #[test]
    fn messages_are_found_however_their_bytes_are_cut() {
        let whole = framed(&[b"one", b"", b"three"]);
        for size in 1..=whole.len() {
            let mut collected = Collected::default();
            let mut found = Vec::new();
            for piece in whole.chunks(size) {
                collected.push(Bytes::copy_from_slice(piece));
                while let Next::Message(message) = collected.next() {
                    found.push(message);
                }
            }
            assert_eq!(found, [&b"one"[..], b"", b"three"]);
            assert_eq!(collected.len(), 0);
        }
    }

    #[test]
    fn bytes_can_be_taken_as_they_came() {
        let mut collected = Collected::default();
        collected.push(Bytes::from_static(b"\0\0\0"));
        collected.push(Bytes::from_static(b"\0\x09abc"));
        assert_eq!(collected.next(), Next::Incomplete);
        assert_eq!(collected.take(), &b"\0\0\0\0\x09abc"[..]);
    }

    #[test]
    fn compressed_unknown_and_large_messages_are_told_by_their_frame() {
        let mut collected = Collected::default();
        collected.push(Bytes::from_static(&[1, 0, 0, 0, 9]));
        assert_eq!(collected.next(), Next::Compressed);
        let mut collected = Collected::default();
        collected.push(Bytes::from_static(&[2, 0, 0, 0, 9]));
        assert_eq!(collected.next(), Next::Unknown);
        let mut collected = Collected::default();
        collected.push(Bytes::from_static(&[0, 1, 0, 0, 0]));
        assert_eq!(collected.next(), Next::TooLarge(1 << 24));
    }
}
