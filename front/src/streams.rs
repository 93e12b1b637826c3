//! A StreamVerify call, as its task and its answers see it.
//!
//! It knows when a stream is over, and who is to be woken. It may not know sockets, or how codes are checked.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::answers::Status;
use crate::counts::Method;
use crate::open_call::Entry;
use crate::requests;
use crate::shared::Shared;
use crate::slots::Slots;
use crate::wire_format;
use crate::work::Scan;

pub struct Stream {
    pub peer_name: HeaderValue,
    /// None once the stream is over.
    entry: RefCell<Option<Entry>>,
    slots: RefCell<Slots>,
    ends_now: Cell<bool>,
    /// The stream's task.
    waker: RefCell<Waker>,
    used_at: Cell<Instant>,
}

impl Stream {
    pub fn new(entry: Entry) -> Rc<Self> {
        Rc::new(Self {
            peer_name: entry.peer.name.clone(),
            used_at: Cell::new(entry.began),
            entry: RefCell::new(Some(entry)),
            slots: RefCell::default(),
            ends_now: Cell::new(false),
            waker: RefCell::new(Waker::noop().clone()),
        })
    }

    /// Whether nobody waits for answers any more.
    pub fn is_over(&self) -> bool {
        self.entry.borrow().is_none()
    }

    /// Note the end of the stream, and count it.
    pub fn end(&self, code: u32) {
        drop(self.slots.take());
        if let Some(entry) = self.entry.take() {
            entry.end(code);
        }
    }

    /// Note that the caller has gone, if the stream is not over.
    pub fn abandon(&self) {
        drop(self.slots.take());
        drop(self.entry.take());
    }

    pub fn set_waker(&self, waker: &Waker) {
        self.waker.borrow_mut().clone_from(waker);
    }

    /// Let the stream's task run.
    pub fn wake(&self) {
        self.waker.borrow().wake_by_ref();
    }

    /// Whether another message may be read.
    pub fn has_room(&self) -> bool {
        self.slots.borrow().has_room()
    }

    /// Note that something was read.
    pub fn touch(&self) {
        self.used_at.set(Instant::now());
    }

    /// Give a message a slot, and return its number.
    pub fn add(&self, bytes: usize) -> u64 {
        self.slots.borrow_mut().add(bytes)
    }

    /// Fail after the answers to all messages that have slots now.
    pub fn fail_next(&self, status: Status) {
        let number = self.add(0);
        self.slots.borrow_mut().fail(number, status);
        self.waker.borrow().wake_by_ref();
    }

    /// End the stream now. Answers that are not sent are dropped: its caller may never take them.
    pub fn fail_now(&self, status: Status) {
        self.ends_now.set(true);
        let mut slots = self.slots.borrow_mut();
        drop(slots.take_ready());
        slots.fail_now(status);
        self.waker.borrow().wake_by_ref();
    }

    /// Take the answers that are to be sent.
    pub fn take_ready(&self) -> Vec<u8> {
        self.slots.borrow_mut().take_ready()
    }

    /// Return how the stream ends, if it does. ``has_unsent`` tells whether answers that were taken are to be sent still.
    pub fn outcome(&self, has_ended: bool, has_unsent: bool) -> Option<Result<(), Status>> {
        if has_unsent && !self.ends_now.get() { None } else { self.slots.borrow().outcome(has_ended) }
    }

    /// When the stream will have been silent for a time. None while a message waits.
    pub fn silent_at(&self, after: Duration) -> Option<Instant> {
        self.slots.borrow().is_empty().then(|| self.used_at.get() + after)
    }

    /// Answer a message, from the parts of its answer.
    fn answer(&self, number: u64, parts: &[&[u8]], shared: &Shared) {
        if !self.is_over() {
            shared.counts.sent(Method::StreamVerify);
            self.slots.borrow_mut().answer(number, parts);
            self.waker.borrow().wake_by_ref();
        }
    }
}

/// Answer codes of streams: code n with ``pieces[which[n]] + tail``, after its request id.
pub fn answer(scans: Vec<Scan>, pieces: &[&[u8]], which: &[usize], tail: &[u8], shared: &Shared) {
    let now = Instant::now();
    let mut id = Vec::with_capacity(wire_format::NUMBER_FIELD_BYTES_MAX);
    for (scan, piece) in scans.into_iter().zip(which) {
        id.clear();
        requests::put_request_id(&mut id, scan.request_id);
        scan.stream.answer(scan.number, &[&id, pieces[*piece], tail], shared);
        scan.stream.used_at.set(now);
    }
}

/// Answer a message that is odd.
pub fn answer_whole(stream: &Stream, number: u64, message: &[u8], shared: &Shared) {
    stream.used_at.set(Instant::now());
    stream.answer(number, &[message], shared);
}

/// End a stream with a failure, after the answers to the messages before.
pub fn fail(stream: &Stream, number: u64, status: &Status) {
    if !stream.is_over() {
        stream.slots.borrow_mut().fail(number, status.clone());
        stream.waker.borrow().wake_by_ref();
    }
}
