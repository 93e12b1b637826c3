//! Tells tasks when their sockets can be read or written: epoll (by mio, edge-triggered) on one side, wakers on the other.
//!
//! It knows descriptors and wakers. It may not know HTTP, limits, or who is connected.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use mio::event::Source;
use mio::{Events, Interest, Registry, Token};
use slab::Slab;

use crate::watched::Watched;

/// Events that one look takes. What is left is there at the next look.
const EVENTS_MAX: usize = 1024;

/// The place of a descriptor that has none.
const ALONE: Token = Token(usize::MAX);

/// One direction of a descriptor: whether it may be used, and who waits until it may.
#[derive(Default)]
pub struct Direction {
    pub is_ready: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Direction {
    fn set_ready(&self) {
        self.is_ready.set(true);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    pub fn wait(&self, cx: &Context<'_>) {
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waiting = Some(cx.waker().clone());
        }
    }
}

#[derive(Default)]
pub struct Directions {
    pub read: Direction,
    pub write: Direction,
    /// Whether the end is behind what is to be read. It comes with an event for both, and no other follows.
    pub is_at_end: Cell<bool>,
    /// Whether a write has found a caller's socket full, and it is still.
    is_full: Cell<bool>,
    /// Whether its task is among those that are held back.
    is_held_back: Cell<bool>,
}

struct Shared {
    registry: Registry,
    places: RefCell<Slab<Rc<Directions>>>,
    /// False while callers' sockets are not to be read.
    reads: Cell<bool>,
    /// Tasks that had something to read while that was so.
    held_back: RefCell<Vec<(Waker, Rc<Directions>)>>,
    full: Cell<usize>,
}

/// All descriptors that are watched.
#[derive(Clone)]
pub struct Sockets(Rc<Shared>);

/// The epoll set.
pub struct Reactor {
    poll: mio::Poll,
    events: Events,
    sockets: Sockets,
}

impl Reactor {
    pub fn new() -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let (places, held_back) = (RefCell::default(), RefCell::default());
        let shared = Shared { registry, places, reads: Cell::new(true), held_back, full: Cell::new(0) };
        Ok(Self { poll, events: Events::with_capacity(EVENTS_MAX), sockets: Sockets(Rc::new(shared)) })
    }

    pub fn sockets(&self) -> Sockets {
        self.sockets.clone()
    }

    /// Watch a descriptor for which no task waits: it makes the epoll set readable, and that is all.
    pub fn watch_alone(&self, source: &mut impl Source) -> io::Result<()> {
        self.poll.registry().register(source, ALONE, Interest::READABLE)
    }

    /// Look at all descriptors without waiting, and wake the tasks that can go on.
    pub fn look(&mut self) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(fault) if fault.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            // The descriptor may have been closed by now, and another have its place: it then looks in vain.
            let Some(found) = self.sockets.0.places.borrow().get(event.token().0).cloned() else { continue };
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                found.is_at_end.set(event.is_read_closed() || event.is_error());
                found.read.set_ready();
            }
            if event.is_writable() || event.is_write_closed() || event.is_error() {
                self.sockets.no_longer_full(&found);
                found.write.set_ready();
            }
        }
        Ok(())
    }
}

impl AsRawFd for Reactor {
    fn as_raw_fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }
}

impl Sockets {
    /// Watch a descriptor. Where ``is_callers``, it is not read while callers are held back.
    pub fn watch<S: Source>(&self, mut source: S, is_callers: bool) -> io::Result<Watched<S>> {
        let directions = Rc::new(Directions::default());
        directions.read.is_ready.set(true);
        directions.write.is_ready.set(true);
        let number = self.0.places.borrow_mut().insert(directions.clone());
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(fault) = self.0.registry.register(&mut source, Token(number), interest) {
            self.0.places.borrow_mut().remove(number);
            return Err(fault);
        }
        Ok(Watched::new(source, number, is_callers, directions, self.clone()))
    }

    /// Say whether callers' sockets may be read from now on.
    pub fn set_reads(&self, reads: bool) {
        self.0.reads.set(reads);
        if reads {
            for (waker, directions) in self.0.held_back.take() {
                directions.is_held_back.set(false);
                waker.wake();
            }
        }
    }

    /// Whether a caller has sent something that was not read, because it was not to be.
    pub fn has_held_back(&self) -> bool {
        !self.0.held_back.borrow().is_empty()
    }

    /// The number of callers' sockets that could not take all that was to be written.
    pub fn full(&self) -> usize {
        self.0.full.get()
    }

    /// Hold the task of a socket back from reading, if callers' sockets are not to be read.
    pub fn holds_back(&self, directions: &Rc<Directions>, cx: &Context<'_>) -> bool {
        let holds = !self.0.reads.get();
        if holds && !directions.is_held_back.replace(true) {
            self.0.held_back.borrow_mut().push((cx.waker().clone(), directions.clone()));
        }
        holds
    }

    /// Note that a socket could not take all.
    pub fn now_full(&self, of: &Directions) {
        if !of.is_full.replace(true) {
            self.0.full.set(self.0.full.get() + 1);
        }
    }

    /// Forget a descriptor.
    pub fn forget(&self, source: &mut impl Source, number: usize, directions: &Directions) {
        self.no_longer_full(directions);
        // It fails only for a descriptor that is not in the set.
        let _ = self.0.registry.deregister(source);
        self.0.places.borrow_mut().try_remove(number);
    }

    fn no_longer_full(&self, of: &Directions) {
        if of.is_full.replace(false) {
            self.0.full.set(self.0.full.get() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_held_back_once_however_often_it_is_tried() {
        let sockets = Reactor::new().unwrap().sockets();
        let (cx, directions) = (Context::from_waker(Waker::noop()), Rc::default());
        assert!(!sockets.holds_back(&directions, &cx));
        for _ in 0..2 {
            sockets.set_reads(false);
            assert!(sockets.holds_back(&directions, &cx) && sockets.holds_back(&directions, &cx));
            assert_eq!(sockets.0.held_back.borrow().len(), 1);
            sockets.set_reads(true);
            assert!(!sockets.has_held_back());
        }
    }
}
