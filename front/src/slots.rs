//! Brings the answers to a stream's messages into the order of the messages, whatever order they are made in.
//!
//! Each message has a slot, and what is at the head of the slots is ready to go out. A failure in a slot ends the stream
//! once it is at the head.
//!
//! It knows frames of bytes. It may not know who reads or sends them.

use std::collections::VecDeque;

use crate::answers::Status;
use crate::framing;

/// The bounds on what one stream has waiting, as in ``rpc.scan_stream``.
const AHEAD_MESSAGES: usize = 512;
const AHEAD_BYTES: usize = 512 * 1024;

enum Slot {
    Waiting { bytes: usize },
    Answered(Vec<u8>),
    Failed(Status),
}

#[derive(Default)]
pub struct Slots {
    waiting: VecDeque<Slot>,
    /// The number of the message in the first slot.
    first: u64,
    waiting_bytes: usize,
    ready: Vec<u8>,
    failure: Option<Status>,
}

impl Slots {
    /// Whether another message may be read.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < AHEAD_MESSAGES && self.waiting_bytes < AHEAD_BYTES && self.failure.is_none()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Give a message a slot, and return its number.
    pub fn add(&mut self, bytes: usize) -> u64 {
        self.waiting.push_back(Slot::Waiting { bytes });
        self.waiting_bytes += bytes;
        self.first + self.waiting.len() as u64 - 1
    }

    /// Answer a message, from the parts of its answer.
    pub fn answer(&mut self, number: u64, parts: &[&[u8]]) {
        if number == self.first && self.failure.is_none() {
            framing::put(&mut self.ready, parts); // as nearly always
            self.fill(number, Slot::Answered(Vec::new()));
        } else {
            let mut framed = Vec::new();
            framing::put(&mut framed, parts);
            self.fill(number, Slot::Answered(framed));
        }
    }

    /// Fail at a message.
    pub fn fail(&mut self, number: u64, status: Status) {
        self.fill(number, Slot::Failed(status));
    }

    /// Fail now.
    pub fn fail_now(&mut self, status: Status) {
        self.failure.get_or_insert(status);
    }

    fn fill(&mut self, number: u64, with: Slot) {
        let place = usize::try_from(number - self.first).expect("a slot is filled once");
        if let Slot::Waiting { bytes } = std::mem::replace(&mut self.waiting[place], with) {
            self.waiting_bytes -= bytes;
        }
        while self.failure.is_none() {
            match self.waiting.pop_front() {
                Some(Slot::Answered(framed)) => self.ready.extend_from_slice(&framed),
                Some(Slot::Failed(status)) => self.failure = Some(status),
                Some(waiting @ Slot::Waiting { .. }) => return self.waiting.push_front(waiting),
                None => return,
            }
            self.first += 1;
        }
    }

    /// Take the answers that are to be sent.
    pub fn take_ready(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.ready)
    }

    /// Return how the stream ends, if it does: by a failure, or because no message waits. Answers are sent before.
    pub fn outcome(&self, has_ended: bool) -> Option<Result<(), Status>> {
        match &self.failure {
            _ if !self.ready.is_empty() => None,
            Some(status) => Some(Err(status.clone())),
            None => (has_ended && self.waiting.is_empty()).then_some(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(slots: &mut Slots) -> String {
        let bytes = slots.take_ready();
        bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).map(|byte| char::from(*byte)).collect()
    }

    #[test]
    fn answers_leave_in_the_order_of_their_messages() {
        let mut slots = Slots::default();
        let numbers: Vec<_> = (0..4).map(|_| slots.add(10)).collect();
        assert_eq!(numbers, [0, 1, 2, 3]);
        slots.answer(2, &[b"c"]);
        slots.answer(1, &[b"b", b"B"]);
        assert_eq!(taken(&mut slots), "");
        slots.answer(0, &[b"a"]);
        assert_eq!(taken(&mut slots), "abBc");
        assert_eq!(slots.add(10), 4);
        slots.answer(3, &[b"d"]);
        assert!(slots.outcome(true).is_none(), "an answer is to be sent");
        assert_eq!(taken(&mut slots), "d");
        assert!(slots.outcome(true).is_none(), "a message waits");
        slots.answer(4, &[b"e"]);
        taken(&mut slots);
        assert!(matches!(slots.outcome(true), Some(Ok(()))));
        assert!(slots.outcome(false).is_none());
    }

    #[test]
    fn a_failure_waits_for_the_answers_before_it_and_drops_those_after() {
        let mut slots = Slots::default();
        (0..3).for_each(|_| _ = slots.add(10));
        slots.answer(2, &[b"c"]);
        slots.fail(1, Status::new(3, "", &[]));
        assert!(slots.outcome(true).is_none());
        slots.answer(0, &[b"a"]);
        assert_eq!(taken(&mut slots), "a");
        assert!(matches!(slots.outcome(false), Some(Err(status)) if status.code == 3));
        assert!(!slots.has_room());
    }

    #[test]
    fn a_stream_has_room_within_its_bounds() {
        let mut slots = Slots::default();
        (0..AHEAD_MESSAGES).for_each(|_| _ = slots.add(1));
        assert!(!slots.has_room());
        slots.answer(0, &[]);
        assert!(slots.has_room());
        slots.add(AHEAD_BYTES);
        slots.answer(1, &[]);
        assert!(!slots.has_room());
    }
}
