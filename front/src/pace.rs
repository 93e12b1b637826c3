//! Bounds how many large requests come in at full speed at once, so that few of them lie in memory.
//!
//! The first part of a request is read as it comes. Of those that are longer, one at a time is read on at full speed, for
//! as long as its caller is quick; the others have a window's bytes in each turn, so that none waits for a slow caller.
//!
//! It knows turns and bytes. It may not know calls or messages.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use crate::timers::{Sleep, Timers};

/// The part of a request that is read as it comes: 1,000 ordinary codes.
pub const UNPACED_BYTES: usize = 256 * 1024;
/// The time in which a request that is read at full speed must bring ``QUICK_BYTES``, or another one has its place. In each
/// such time the others have a window of as many bytes, or 2.6 MB a second: nobody gains by being slow at full speed.
const TURN: Duration = Duration::from_millis(50);
const QUICK_BYTES: usize = 128 * 1024;
/// Where large requests of so many bytes wait for Python, no other is read at full speed. Twice 4,096 ordinary codes have
/// as many, and checking them takes several times as long as reading the next ones does: Python never waits.
const WAITING_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A request that is read at full speed.
#[derive(Clone, Copy)]
struct Fast {
    number: u64,
    /// What had been read of it when its turn began, and until when that lasts.
    had: usize,
    until: Instant,
}

/// Who is read at full speed, and what has come and waits.
#[derive(Default)]
pub struct Pace {
    fast: Cell<Option<Fast>>,
    number: Cell<u64>,
    waiting_bytes: Cell<usize>,
    held_back: RefCell<BTreeMap<u64, HeldBack>>,
}

/// A request that is not read at full speed, and what was read of it.
struct HeldBack {
    read: usize,
    waker: Waker,
}

impl Pace {
    /// Whether a request of which so many bytes were read may be read at full speed.
    fn may_be_fast(&self, number: u64, read: usize, now: Instant) -> bool {
        if self.waiting_bytes.get() >= WAITING_BYTES_MAX {
            return false;
        }
        match self.fast.get() {
            Some(fast) if fast.number == number && read < fast.had + QUICK_BYTES => fast.until > now,
            Some(fast) if fast.number != number && fast.until > now => false,
            _ => {
                self.fast.set(Some(Fast { number, had: read, until: now + TURN }));
                true
            }
        }
    }

    fn wait(&self, number: u64, read: usize, waker: &Waker) {
        self.held_back.borrow_mut().insert(number, HeldBack { read, waker: waker.clone() });
    }

    /// Let the request go on that is read at full speed. If there is none, it is the oldest that waits for that.
    fn wake(&self, now: Instant) {
        let mut held_back = self.held_back.borrow_mut();
        let next = match self.fast.get() {
            Some(fast) => held_back.remove(&fast.number),
            None => held_back.pop_first().map(|(number, next)| {
                self.fast.set(Some(Fast { number, had: next.read, until: now + TURN }));
                next
            }),
        };
        if let Some(next) = next {
            next.waker.wake();
        }
    }
}

/// A large request that is being read.
pub struct Paced {
    pace: Rc<Pace>,
    number: u64,
    /// Until it may have the next window's bytes.
    sleep: Sleep,
}

impl Paced {
    pub fn begin(pace: &Rc<Pace>, timers: &Timers) -> Self {
        let number = pace.number.get();
        pace.number.set(number + 1);
        Self { pace: pace.clone(), number, sleep: timers.sleep_until(Instant::now()) }
    }

    /// Whether more may be read now of a request of which so many bytes were. Otherwise the task is woken when it may be.
    pub fn may_read(&mut self, read: usize, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        let is_fast = self.pace.may_be_fast(self.number, read, now);
        if is_fast || Future::poll(Pin::new(&mut self.sleep), cx).is_ready() {
            if !is_fast {
                self.sleep.reset(now + TURN);
            }
            self.pace.held_back.borrow_mut().remove(&self.number); // it waits for its caller now
            return true;
        }
        self.pace.wait(self.number, read, cx.waker());
        false
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.pace.held_back.borrow_mut().remove(&self.number);
        if self.pace.fast.get().is_some_and(|fast| fast.number == self.number) {
            self.pace.fast.set(None);
            self.pace.wake(Instant::now());
        }
    }
}

/// A large request that has come and waits for Python, until this is dropped.
pub struct Waiting {
    pace: Rc<Pace>,
    bytes: usize,
}

impl Waiting {
    /// ``bytes`` is the size of the request, of which small ones do not count.
    pub fn begin(pace: &Rc<Pace>, bytes: usize) -> Option<Self> {
        (bytes > UNPACED_BYTES).then(|| {
            pace.waiting_bytes.update(|count| count + bytes);
            Self { pace: pace.clone(), bytes }
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pace.waiting_bytes.update(|count| count - self.bytes);
        if self.pace.waiting_bytes.get() < WAITING_BYTES_MAX {
            self.pace.wake(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_large_request_is_fast_and_the_others_have_a_window_a_turn() {
        let (pace, timers) = (Rc::default(), Timers::new().unwrap());
        let mut cx = Context::from_waker(Waker::noop());
        let [mut first, mut second] = [(); 2].map(|()| Paced::begin(&pace, &timers));
        assert!(first.may_read(0, &mut cx) && second.may_read(0, &mut cx));
        assert!(first.may_read(9, &mut cx), "it is fast");
        assert!(!second.may_read(9, &mut cx), "it has had its window");
        assert_eq!(pace.held_back.borrow().len(), 1);
        drop(first);
        assert!(pace.held_back.borrow().is_empty(), "it is woken");
        assert!(second.may_read(9, &mut cx));
        assert!(second.may_read(9, &mut cx), "it is fast now");
    }

    #[test]
    fn a_fast_request_that_is_slow_gives_way_and_a_quick_one_stays() {
        let pace = Pace::default();
        let now = Instant::now();
        assert!(pace.may_be_fast(1, 0, now));
        assert!(!pace.may_be_fast(2, 0, now));
        assert!(pace.may_be_fast(1, QUICK_BYTES, now + TURN / 2));
        assert!(!pace.may_be_fast(2, 0, now + TURN), "it was quick");
        assert!(!pace.may_be_fast(1, QUICK_BYTES + 1, now + TURN * 2), "its turn is over");
        assert!(pace.may_be_fast(2, 0, now + TURN * 2));
        assert!(!pace.may_be_fast(1, QUICK_BYTES + 1, now + TURN * 2));
    }

    #[test]
    fn none_is_fast_while_enough_wait_for_python() {
        let pace = Rc::new(Pace::default());
        assert!(Waiting::begin(&pace, UNPACED_BYTES).is_none());
        let waiting = Waiting::begin(&pace, WAITING_BYTES_MAX);
        assert!(!pace.may_be_fast(1, 0, Instant::now()));
        for number in [3, 2] {
            pace.wait(number, 9, Waker::noop());
        }
        drop(waiting);
        assert_eq!(pace.held_back.borrow().keys().collect::<Vec<_>>(), [&3], "the oldest is woken");
        let now = Instant::now();
        assert!(!pace.may_be_fast(3, 9, now));
        assert!(pace.may_be_fast(2, 9, now));
    }
}
