//! The codes that wait for Python, oldest first, and the calls of those that it works on.
//!
//! The queue is bounded by count here, and by age when a list is taken: a call that has waited too long is refused then,
//! as one whose caller has gone is dropped. A stream is never refused: it is not read while the queue is full.
//!
//! Python counts the codes that it has taken, so they are not counted here.
//!
//! It knows calls, streams and their codes. It may not know sockets or Python.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use slab::Slab;

use crate::open_call::OpenCall;
use crate::requests::Host;
use crate::shared::Peer;
use crate::streams::Stream;
use crate::wire_format::Part;

/// Places that single calls have beyond ``queue_codes_max``, so that batches and streams cannot shut out a scanner: as
/// in ``verification.batcher``.
const SINGLES_RESERVED: usize = 1024;

/// Codes that are counted as waiting until this is dropped.
pub struct Place {
    peer: Rc<Peer>,
    codes: usize,
    is_single: bool,
}

impl Place {
    /// Take places for codes, unless ``codes_max`` wait already. One batch may exceed that, since it would otherwise have
    /// to find the queue empty.
    fn take(peer: &Rc<Peer>, codes: usize, codes_max: usize, is_single: bool) -> Option<Self> {
        let queue = &peer.shared.queue;
        if queue.codes.get() >= codes_max {
            return None;
        }
        queue.codes.update(|count| count + codes);
        peer.waiting_singles.update(|count| count + usize::from(is_single));
        Some(Self { peer: peer.clone(), codes, is_single })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let queue = &self.peer.shared.queue;
        queue.codes.update(|count| count - self.codes);
        self.peer.waiting_singles.update(|count| count - usize::from(self.is_single));
        if queue.codes.get() < self.peer.shared.limits.queue_codes_max {
            queue.held_back.take().into_iter().for_each(Waker::wake);
        }
    }
}

/// One code of a Verify call.
pub struct Single {
    pub call: OpenCall,
    pub message: Bytes,
    pub code: Part,
    pub host: Host,
    pub place: Option<Place>,
}

/// One code of a StreamVerify message: the ``number``-th of its stream.
pub struct Scan {
    pub stream: Rc<Stream>,
    pub number: u64,
    pub request_id: u64,
    pub message: Bytes,
    pub code: Part,
    pub host: Host,
    pub place: Option<Place>,
}

/// The codes of a BatchVerify call.
pub struct Batch {
    pub call: OpenCall,
    pub message: Bytes,
    pub codes: Vec<Part>,
    pub host: Host,
    pub place: Option<Place>,
}

/// A StreamVerify message that is odd.
pub struct Message {
    pub stream: Rc<Stream>,
    pub number: u64,
    pub bytes: Bytes,
    pub place: Option<Place>,
}

enum Code {
    Single(Single),
    Scan(Scan),
}

/// What Python works on, under one ticket.
pub enum Work {
    Singles(Vec<Single>),
    Scans(Vec<Scan>),
    Batch(Batch),
    Message(Message),
}

#[derive(Default)]
pub struct Queue {
    waiting: RefCell<VecDeque<Code>>,
    /// Batches and messages: each is work of its own.
    whole: RefCell<VecDeque<Work>>,
    tickets: RefCell<Slab<Work>>,
    codes: Cell<usize>,
    held_back: RefCell<Vec<Waker>>,
}

impl Queue {
    /// Take a place for a single code.
    pub fn place_of_single(peer: &Rc<Peer>) -> Option<Place> {
        Place::take(peer, 1, peer.shared.limits.queue_codes_max + SINGLES_RESERVED, true)
    }

    /// Take places for the codes of a batch, or a stream's message.
    pub fn places(peer: &Rc<Peer>, codes: usize) -> Option<Place> {
        Place::take(peer, codes, peer.shared.limits.queue_codes_max, false)
    }

    pub fn push_single(&self, single: Single) {
        self.waiting.borrow_mut().push_back(Code::Single(single));
    }

    pub fn push_scan(&self, scan: Scan) {
        self.waiting.borrow_mut().push_back(Code::Scan(scan));
    }

    pub fn push_batch(&self, batch: Batch) {
        self.whole.borrow_mut().push_back(Work::Batch(batch));
    }

    pub fn push_message(&self, message: Message) {
        self.whole.borrow_mut().push_back(Work::Message(message));
    }

    /// Wake a task once a code may have a place.
    pub fn wake_at_room(&self, waker: &Waker) {
        let mut held_back = self.held_back.borrow_mut();
        if !held_back.iter().any(|other| other.will_wake(waker)) {
            held_back.push(waker.clone());
        }
    }

    /// The number of codes that wait.
    pub fn codes(&self) -> usize {
        self.codes.get()
    }

    /// The number of codes that can be taken; a batch or a message counts as one.
    pub fn len(&self) -> usize {
        self.waiting.borrow().len() + self.whole.borrow().len()
    }

    /// Take the work that is next: at most ``count_max`` single codes, and all batches and messages.
    pub fn take(&self, count_max: usize) -> Vec<Work> {
        let now = Instant::now();
        let (mut singles, mut scans) = (Vec::new(), Vec::new());
        while singles.len() + scans.len() < count_max {
            // Refusing a call may let a stream's task go on: nothing is borrowed meanwhile.
            let Some(code) = self.waiting.borrow_mut().pop_front() else { break };
            match code {
                Code::Single(single) => {
                    singles.extend(single.call.still_waits(now).map(|call| Single { call, ..single }));
                }
                Code::Scan(scan) if scan.stream.is_over() => {}
                Code::Scan(scan) => scans.push(scan),
            }
        }
        let mut taken = Vec::new();
        if !singles.is_empty() {
            taken.push(Work::Singles(singles));
        }
        if !scans.is_empty() {
            taken.push(Work::Scans(scans));
        }
        while let Some(work) = self.pop_whole() {
            taken.extend(still_wanted(work, now));
        }
        taken
    }

    fn pop_whole(&self) -> Option<Work> {
        self.whole.borrow_mut().pop_front()
    }

    /// Keep work until its ticket comes back. Python has copies of its codes.
    pub fn keep(&self, mut work: Work) -> usize {
        match &mut work {
            Work::Singles(singles) => {
                for single in singles {
                    (single.message, single.place) = (Bytes::new(), None);
                }
            }
            Work::Scans(scans) => {
                for scan in scans {
                    (scan.message, scan.place) = (Bytes::new(), None);
                }
            }
            Work::Batch(batch) => (batch.message, batch.codes, batch.place) = (Bytes::new(), Vec::new(), None),
            Work::Message(odd) => (odd.bytes, odd.place) = (Bytes::new(), None),
        }
        self.tickets.borrow_mut().insert(work)
    }

    /// Return the work of a ticket.
    pub fn redeem(&self, ticket: usize) -> Option<Work> {
        self.tickets.borrow_mut().try_remove(ticket)
    }

    /// Drop everything.
    pub fn clear(&self) {
        drop((self.waiting.take(), self.whole.take(), self.tickets.take(), self.held_back.take()));
    }
}

fn still_wanted(work: Work, now: Instant) -> Option<Work> {
    match work {
        Work::Batch(batch) => batch.call.still_waits(now).map(|call| Work::Batch(Batch { call, ..batch })),
        Work::Message(message) => (!message.stream.is_over()).then_some(Work::Message(message)),
        others => Some(others),
    }
}
