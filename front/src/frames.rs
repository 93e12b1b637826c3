//! Counts the frames that h2 lets through without a limit.
//!
//! h2 ends connections that reset calls at once, send CONTINUATION without end or empty DATA. It answers any number of
//! PING and SETTINGS, and takes any number of PRIORITY, WINDOW_UPDATE and unknown frames. They are paid for here.
//!
//! It knows frames' heads (RFC 9113, section 4.1). It may not know their payloads.

use std::time::Instant;

/// The allowance of a connection, and the time in which it regains 1. A PING costs 2: 50 a second are tolerated for ever,
/// which no client needs, and 500 at once.
const ALLOWANCE_MAX: i64 = 1000;
const REGAINED_EACH_MS: i64 = 10;
const PREFACE_BYTES: usize = 24;
const HEAD_BYTES: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;

/// The allowance of a connection, and where its bytes are between two heads of frames.
pub struct Frames {
    /// Bytes that belong to no head: the preface's and the payloads'.
    skip: usize,
    head: [u8; HEAD_BYTES],
    filled: usize,
    allowance: i64,
    regained_at: Instant,
}

impl Frames {
    pub fn new(now: Instant) -> Self {
        let (head, filled) = ([0; HEAD_BYTES], 0);
        Self { skip: PREFACE_BYTES, head, filled, allowance: ALLOWANCE_MAX, regained_at: now }
    }

    pub fn earn(&mut self, points: i64) {
        self.allowance = (self.allowance + points).min(ALLOWANCE_MAX);
    }

    /// Look at the heads among some bytes. Return whether one was of SETTINGS, or None where the allowance is spent.
    pub fn look(&mut self, mut bytes: &[u8], now: Instant) -> Option<bool> {
        let mut has_settings = false;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let count = self.skip.min(bytes.len());
                self.skip -= count;
                bytes = &bytes[count..];
                continue;
            }
            let count = (HEAD_BYTES - self.filled).min(bytes.len());
            self.head[self.filled..self.filled + count].copy_from_slice(&bytes[..count]);
            self.filled += count;
            bytes = &bytes[count..];
            if self.filled == HEAD_BYTES {
                self.filled = 0;
                self.skip = u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]]) as usize;
                has_settings |= self.head[3] == SETTINGS;
                self.pay(now)?;
            }
        }
        Some(has_settings)
    }

    fn pay(&mut self, now: Instant) -> Option<()> {
        let cost = match self.head[3] {
            HEADERS => -4, // a call, of which h2 bounds the number
            DATA if self.skip > 0 => -1,
            DATA if self.head[4] & END_STREAM != 0 => 0, // the end of a call
            RST_STREAM | CONTINUATION => 0,              // h2 bounds these
            WINDOW_UPDATE => 1, // grpc-core sends one or two with each call, and for each answer of a stream
            SETTINGS => 4,      // h2 answers it, and may have to change all streams
            _ => 2,
        };
        self.earn(-cost);
        if self.allowance < 0 {
            let since_ms = now.duration_since(self.regained_at).as_millis();
            self.regained_at = now;
            self.earn(i64::try_from(since_ms).unwrap_or(i64::MAX) / REGAINED_EACH_MS);
        }
        (self.allowance >= 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn frame(kind: u8, flags: u8, size: u8) -> Vec<u8> {
        let mut made = vec![0, 0, size, kind, flags, 0, 0, 0, 1];
        made.resize(HEAD_BYTES + usize::from(size), 0);
        made
    }

    fn frames() -> (Frames, Instant) {
        let now = Instant::now();
        let mut frames = Frames::new(now);
        assert_eq!(frames.look(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", now), Some(false));
        (frames, now)
    }

    #[test]
    fn frames_that_do_no_work_use_up_the_allowance_and_time_restores_it() {
        for (kind, cost) in [(6, 2), (SETTINGS, 4), (2, 2), (WINDOW_UPDATE, 1), (77, 2)] {
            let (mut frames, now) = frames();
            let tolerated = ALLOWANCE_MAX / cost;
            for _ in 0..tolerated {
                assert!(frames.look(&frame(kind, 0, 8), now).is_some());
            }
            let later = now + Duration::from_secs(1);
            assert!(frames.look(&frame(kind, 0, 8), later).is_some());
            assert!(frames.look(&frame(kind, 0, 8).repeat(1000), later).is_none());
        }
    }

    #[test]
    fn calls_pay_for_the_frames_that_come_with_them() {
        let (mut frames, now) = frames();
        let call = [
            frame(HEADERS, 4, 40),
            frame(DATA, 0, 200),
            frame(DATA, END_STREAM, 0),
            frame(WINDOW_UPDATE, 0, 4),
            frame(WINDOW_UPDATE, 0, 4),
            frame(6, 0, 8),
        ];
        for _ in 0..10_000 {
            assert!(frames.look(&call.concat(), now).is_some());
        }
    }

    #[test]
    fn heads_are_found_however_the_bytes_are_cut() {
        let now = Instant::now();
        let mut whole = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        whole.extend([frame(DATA, 0, 250), frame(SETTINGS, 0, 0)].concat());
        for size in 1..whole.len() {
            let mut frames = Frames::new(now);
            let found: Vec<_> = whole.chunks(size).map(|piece| frames.look(piece, now).unwrap()).collect();
            assert_eq!(found.iter().filter(|has_settings| **has_settings).count(), 1);
            assert!(found.last().unwrap());
        }
    }
}
