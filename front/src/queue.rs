//! The codes that wait for Python, oldest first, and the calls of those that it works on.
//!
//! The queue is bounded by count here, and by age when a list is taken: a call that has waited too long is refused then,
//! as one whose caller has gone is dropped. A stream is never refused: it is not read while the queue is full.
//!
//! Python counts the codes that it has taken, so they are not counted here.
//!
//! A batch is taken without its codes: they stay in the bytes of its request, which lie in memory once, until its turn
//! has come.
//!
//! It knows calls, streams and their codes. It may not know sockets or Python.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use slab::Slab;

use crate::batch_calls::BatchCall;
use crate::requests::Host;
use crate::shared::Peer;
use crate::work::{Batch, Message, Scan, Single, Unread, Work};

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

enum Code {
    Single(Single),
    Scan(Scan),
}

#[derive(Default)]
pub struct Queue {
    waiting: RefCell<VecDeque<Code>>,
    messages: RefCell<VecDeque<Message>>,
    batches: RefCell<VecDeque<Batch>>,
    tickets: RefCell<Slab<Work>>,
    /// Tickets of batches for whose answer nobody waits any more.
    ended: RefCell<Vec<usize>>,
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
        self.batches.borrow_mut().push_back(batch);
    }

    pub fn push_message(&self, message: Message) {
        self.messages.borrow_mut().push_back(message);
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
        self.waiting.borrow().len() + self.messages.borrow().len() + self.batches.borrow().len()
    }

    /// Take the work that is next: at most ``count_max`` single codes, and all messages.
    pub fn take(&self, count_max: usize) -> Vec<Work> {
        let now = Instant::now();
        let (mut singles, mut scans) = (Vec::new(), Vec::new());
        while singles.len() + scans.len() < count_max {
            // Refusing a call may let a stream's task go on: nothing is borrowed meanwhile.
            let Some(code) = self.waiting.borrow_mut().pop_front() else { break };
            match code {
                Code::Single(single) => {
                    singles.extend(single.call.still_waits(1, now).map(|call| Single { call, ..single }));
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
        let messages = self.messages.take().into_iter();
        taken.extend(messages.filter(|message| !message.stream.is_over()).map(Work::Message));
        taken
    }

    /// Take the batch that is next. Its ticket, its host and the number of its codes are Python's.
    pub fn take_batch(&self) -> Option<(usize, Host, usize, Rc<BatchCall>)> {
        let now = Instant::now();
        loop {
            let batch = self.batches.borrow_mut().pop_front()?;
            let Some(call) = batch.call.still_waits(batch.codes.len(), now) else { continue };
            let (host, count) = (batch.host, batch.codes.len());
            let taken = Batch { call, ..batch }.taken();
            let call = taken.call.clone();
            return Some((self.tickets.borrow_mut().insert(Work::Batch(taken)), host, count, call));
        }
    }

    /// Take the codes of a batch. None where nobody waits for its answer any more.
    pub fn read_batch(&self, ticket: usize) -> Option<Unread> {
        match self.tickets.borrow_mut().get_mut(ticket) {
            Some(Work::Batch(batch)) if !batch.call.is_over() => batch.read(),
            _ => None,
        }
    }

    /// Note that nobody waits for the answer to a batch any more. Its ticket is Python's until it gives it back.
    pub fn end(&self, ticket: usize) {
        if let Some(Work::Batch(batch)) = self.tickets.borrow_mut().get_mut(ticket) {
            drop(batch.read());
            self.ended.borrow_mut().push(ticket);
        }
    }

    /// Whether ``take_ended`` has something to return.
    pub fn has_ended(&self) -> bool {
        !self.ended.borrow().is_empty()
    }

    /// Return the tickets of batches for whose answer nobody waits any more, each once.
    pub fn take_ended(&self) -> Vec<usize> {
        self.ended.take()
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
            Work::Batch(_) => {} // its codes are not read yet
            Work::Message(odd) => (odd.bytes, odd.place) = (Bytes::new(), None),
        }
        self.tickets.borrow_mut().insert(work)
    }

    /// Return the work of a ticket. Other work may have the ticket then, of which nothing has ended yet.
    pub fn redeem(&self, ticket: usize) -> Option<Work> {
        self.ended.borrow_mut().retain(|other| *other != ticket);
        self.tickets.borrow_mut().try_remove(ticket)
    }

    /// Drop everything.
    pub fn clear(&self) {
        drop((self.waiting.take(), self.messages.take(), self.batches.take()));
        drop((self.tickets.take(), self.held_back.take()));
    }
}
