//! StreamVerify: many codes over one call, read no further ahead than their answers are taken.
//!
//! Answers leave in the order of their requests, whatever order they are made in: each message has a slot, and what is
//! at the head of the slots goes out. A failure in a slot ends the stream once it is at the head.
//!
//! It knows streams' messages. It may not know sockets, or how codes are checked.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::answers::Status;
use crate::counts::Method;
use crate::framing;
use crate::open_call::Entry;
use crate::queue::Scan;
use crate::requests;
use crate::shared::Shared;

/// The bounds on what one stream has waiting, as in ``rpc.scan_stream``.
const AHEAD_MESSAGES: usize = 512;
const AHEAD_BYTES: usize = 512 * 1024;

enum Slot {
    Waiting { bytes: usize },
    Ready(Vec<u8>),
    Failed(Status),
}

struct State {
    slots: VecDeque<Slot>,
    /// The number of the message in the first slot.
    first: u64,
    ahead_bytes: usize,
    /// Answers that are to be sent.
    ready: Vec<u8>,
    failure: Option<Status>,
    ends_now: bool,
    /// The stream's task.
    waker: Waker,
    used_at: Instant,
}

impl State {
    fn new(now: Instant) -> Self {
        let (slots, ready, waker) = (VecDeque::new(), Vec::new(), Waker::noop().clone());
        Self { slots, first: 0, ahead_bytes: 0, ready, failure: None, ends_now: false, waker, used_at: now }
    }
}

/// A stream, as its task and its answers see it.
pub struct Stream {
    entry: RefCell<Option<Entry>>,
    pub peer_name: HeaderValue,
    state: RefCell<State>,
    is_over: Cell<bool>,
}

impl Stream {
    pub fn new(entry: Entry) -> Rc<Self> {
        let state = State::new(entry.began);
        let peer_name = entry.peer.name.clone();
        let (entry, state) = (RefCell::new(Some(entry)), RefCell::new(state));
        Rc::new(Self { entry, peer_name, state, is_over: Cell::new(false) })
    }

    /// Whether nobody waits for answers any more.
    pub fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Note the end of the stream, and count it.
    pub fn end(&self, code: u32) {
        self.is_over.set(true);
        let entry = self.entry.take();
        let _ = self.forget();
        if let Some(entry) = entry {
            entry.end(code);
        }
    }

    /// Note that the stream is over because its caller has gone.
    pub fn abandon(&self) {
        self.is_over.set(true);
        drop(self.entry.take());
        let _ = self.forget();
    }

    fn forget(&self) -> (VecDeque<Slot>, Vec<u8>) {
        let mut state = self.state.borrow_mut();
        (std::mem::take(&mut state.slots), std::mem::take(&mut state.ready))
    }

    pub fn set_waker(&self, waker: &Waker) {
        self.state.borrow_mut().waker.clone_from(waker);
    }

    /// Whether another message may be read.
    pub fn has_room(&self) -> bool {
        let state = self.state.borrow();
        state.slots.len() < AHEAD_MESSAGES && state.ahead_bytes < AHEAD_BYTES && state.failure.is_none()
    }

    /// Give a message a slot, and return its number.
    pub fn add(&self, bytes: usize) -> u64 {
        let mut state = self.state.borrow_mut();
        state.slots.push_back(Slot::Waiting { bytes });
        state.ahead_bytes += bytes;
        state.used_at = Instant::now();
        state.first + state.slots.len() as u64 - 1
    }

    /// Fail after the answers to all messages that have slots now.
    pub fn fail_next(&self, status: Status) {
        let number = self.add(0);
        self.fill(number, Slot::Failed(status));
    }

    /// End the stream now.
    pub fn fail_now(&self, status: Status) {
        let mut state = self.state.borrow_mut();
        state.ends_now = true;
        state.failure.get_or_insert(status);
        state.waker.wake_by_ref();
    }

    /// Answer a message, or fail at it.
    fn fill(&self, number: u64, with: Slot) {
        if self.is_over.get() {
            return;
        }
        let mut state = self.state.borrow_mut();
        let place = usize::try_from(number - state.first).expect("a slot is filled once");
        if let Slot::Waiting { bytes } = std::mem::replace(&mut state.slots[place], with) {
            state.ahead_bytes -= bytes;
        }
        state.used_at = Instant::now();
        while state.failure.is_none() && matches!(state.slots.front(), Some(Slot::Ready(_) | Slot::Failed(_))) {
            state.first += 1;
            match state.slots.pop_front() {
                Some(Slot::Ready(framed)) if state.ready.is_empty() => state.ready = framed,
                Some(Slot::Ready(framed)) => state.ready.extend_from_slice(&framed),
                Some(Slot::Failed(status)) => state.failure = Some(status),
                _ => {}
            }
        }
        state.waker.wake_by_ref();
    }

    /// Take the answers that are to be sent.
    pub fn take_ready(&self) -> Vec<u8> {
        std::mem::take(&mut self.state.borrow_mut().ready)
    }

    /// Return how the stream ends, if it does: by a failure, or because no message waits. Answers that are not sent come
    /// first, unless the stream is to end now: a caller may never take them.
    pub fn outcome(&self, has_ended: bool, has_unsent: bool) -> Option<Result<(), Status>> {
        let state = self.state.borrow();
        if (has_unsent || !state.ready.is_empty()) && !state.ends_now {
            return None;
        }
        match &state.failure {
            Some(status) => Some(Err(status.clone())),
            None => (has_ended && state.slots.is_empty()).then_some(Ok(())),
        }
    }

    /// When the stream will have been silent for a time. None while a message waits.
    pub fn silent_at(&self, after: Duration) -> Option<Instant> {
        let state = self.state.borrow();
        state.slots.is_empty().then(|| state.used_at + after)
    }
}

/// Answer codes of streams: code n with ``pieces[which[n]] + tail``, after its request id.
pub fn answer(scans: Vec<Scan>, pieces: &[&[u8]], which: &[usize], tail: &[u8], shared: &Shared) {
    let mut id = Vec::with_capacity(11);
    for (scan, piece) in scans.into_iter().zip(which) {
        id.clear();
        requests::put_request_id(&mut id, scan.request_id);
        let mut framed = Vec::new();
        framing::put(&mut framed, &[&id, pieces[*piece], tail]);
        answer_whole(&scan.stream, scan.number, framed, shared);
    }
}

/// Answer a message with a body.
pub fn answer_whole(stream: &Stream, number: u64, framed: Vec<u8>, shared: &Shared) {
    if !stream.is_over() {
        shared.counts.sent(Method::StreamVerify);
        stream.fill(number, Slot::Ready(framed));
    }
}

/// End a stream with a failure, after the answers to the messages before.
pub fn fail(stream: &Stream, number: u64, status: &Status) {
    stream.fill(number, Slot::Failed(status.clone()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> RefCell<State> {
        RefCell::new(State::new(Instant::now()))
    }

    fn stream() -> Stream {
        let (entry, state, is_over) = (RefCell::new(None), state(), Cell::new(false));
        Stream { entry, peer_name: HeaderValue::from_static("me"), state, is_over }
    }

    fn ready(text: &str) -> Slot {
        Slot::Ready(text.into())
    }

    #[test]
    fn answers_leave_in_the_order_of_their_messages() {
        let stream = stream();
        let numbers: Vec<_> = (0..4).map(|_| stream.add(10)).collect();
        assert_eq!(numbers, [0, 1, 2, 3]);
        stream.fill(2, ready("c"));
        stream.fill(1, ready("b"));
        assert_eq!(stream.take_ready(), b"");
        stream.fill(0, ready("a"));
        assert_eq!(stream.take_ready(), b"abc");
        assert_eq!(stream.add(10), 4);
        stream.fill(3, ready("d"));
        assert!(stream.outcome(true, false).is_none(), "an answer is to be sent");
        assert_eq!(stream.take_ready(), b"d");
        assert!(stream.outcome(true, false).is_none(), "a message waits");
        stream.fill(4, ready("e"));
        stream.take_ready();
        assert!(matches!(stream.outcome(true, false), Some(Ok(()))));
        assert!(stream.outcome(false, false).is_none());
    }

    #[test]
    fn a_failure_waits_for_the_answers_before_it_and_drops_those_after() {
        let stream = stream();
        (0..3).for_each(|_| _ = stream.add(10));
        stream.fill(2, ready("c"));
        stream.fill(1, Slot::Failed(Status::new(3, "", &[])));
        assert!(stream.outcome(true, false).is_none());
        stream.fill(0, ready("a"));
        assert_eq!(stream.take_ready(), b"a");
        assert!(matches!(stream.outcome(false, false), Some(Err(status)) if status.code == 3));
    }

    #[test]
    fn a_stream_has_room_within_its_bounds() {
        let stream = stream();
        (0..AHEAD_MESSAGES).for_each(|_| _ = stream.add(1));
        assert!(!stream.has_room());
        stream.fill(0, ready(""));
        assert!(stream.has_room());
        stream.add(AHEAD_BYTES);
        stream.fill(1, ready(""));
        assert!(!stream.has_room());
    }
}
