//! Bounds the time that handshakes take in one turn, so that callers who are connected are answered meanwhile.
//!
//! A handshake takes some 0.5 ms of CPU, nearly all of it for signatures: a thousand callers who connect at once would
//! stop everybody else for half a second. Those that have no time left in this turn wait in a line, first come, first
//! served. It is bounded by the number of connections.
//!
//! It knows times and who waits. It may not know TLS.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// The time that signatures may take in a turn: four handshakes. A turn of a busy server takes about as long without.
const TURN: Duration = Duration::from_millis(2);

/// One that waits.
struct Waiting {
    waker: RefCell<Waker>,
    /// Whether it is its turn.
    is_called: Cell<bool>,
}

/// The line, and the time that this turn has left.
#[derive(Default)]
pub struct Handshakes {
    spent: Cell<Duration>,
    line: RefCell<VecDeque<Weak<Waiting>>>,
}

/// A place in the line, or none.
#[derive(Default)]
pub struct Place(Option<Rc<Waiting>>);

impl Handshakes {
    /// Begin a turn.
    pub fn begin_turn(&self) {
        self.spent.set(Duration::ZERO);
        self.call_next();
    }

    /// Whether somebody waits for the next turn.
    pub fn has_waiting(&self) -> bool {
        !self.line.borrow().is_empty()
    }

    /// Work if there is time, or wait in the line for it.
    pub fn poll_work<R>(
        &self,
        place: &mut Place,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let may_work = match &place.0 {
            Some(waiting) => waiting.is_called.get(),
            None => self.line.borrow().is_empty() && self.spent.get() < TURN,
        };
        if !may_work {
            self.wait(place, cx);
            return Poll::Pending;
        }
        place.0 = None;
        let began = Instant::now();
        let result = work(cx);
        self.spent.update(|spent| spent + began.elapsed());
        if self.spent.get() < TURN {
            self.call_next();
        }
        result
    }

    fn wait(&self, place: &mut Place, cx: &Context<'_>) {
        if let Some(waiting) = &place.0 {
            return waiting.waker.borrow_mut().clone_from(cx.waker());
        }
        let waiting = Rc::new(Waiting { waker: RefCell::new(cx.waker().clone()), is_called: Cell::new(false) });
        self.line.borrow_mut().push_back(Rc::downgrade(&waiting));
        place.0 = Some(waiting);
    }

    /// Call the first who still waits.
    fn call_next(&self) {
        while let Some(next) = self.line.borrow_mut().pop_front() {
            if let Some(next) = next.upgrade() {
                next.is_called.set(true);
                next.waker.borrow().wake_by_ref();
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(handshakes: &Handshakes, place: &mut Place, takes: Duration) -> bool {
        let cx = &mut Context::from_waker(Waker::noop());
        let work = |_: &mut Context<'_>| {
            handshakes.spent.update(|spent| spent + takes);
            Poll::Ready(())
        };
        handshakes.poll_work(place, cx, work).is_ready()
    }

    #[test]
    fn a_turn_has_a_bound_and_who_waits_comes_first_in_the_next() {
        let handshakes = Handshakes::default();
        let [mut first, mut second, mut third, mut late] = <[Place; 4]>::default();
        handshakes.begin_turn();
        assert!(poll(&handshakes, &mut first, TURN));
        assert!(!poll(&handshakes, &mut second, TURN));
        assert!(!poll(&handshakes, &mut third, TURN));
        assert!(handshakes.has_waiting());
        handshakes.begin_turn();
        assert!(!poll(&handshakes, &mut late, TURN), "others came before");
        assert!(!poll(&handshakes, &mut third, TURN), "another comes first");
        assert!(poll(&handshakes, &mut second, TURN));
        assert!(!poll(&handshakes, &mut third, TURN), "there is no time left");
        handshakes.begin_turn();
        assert!(poll(&handshakes, &mut third, Duration::ZERO));
        assert!(poll(&handshakes, &mut late, Duration::ZERO), "it was called, since there was time");
        assert!(!handshakes.has_waiting());
    }

    #[test]
    fn who_has_gone_is_passed_over() {
        let handshakes = Handshakes::default();
        let [mut first, mut gone, mut third] = <[Place; 3]>::default();
        assert!(poll(&handshakes, &mut first, TURN));
        assert!(!poll(&handshakes, &mut gone, TURN) && !poll(&handshakes, &mut third, TURN));
        drop(gone);
        handshakes.begin_turn();
        assert!(poll(&handshakes, &mut third, TURN));
    }
}
