//! Wakes tasks at a time. One timer descriptor, in the reactor's epoll set, stands for all of them, so that asyncio's
//! loop hears of a time as it hears of a socket.
//!
//! It knows tasks' wakers. It may not know who waits, or for what.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

/// A time, and a number that tells equal times apart.
type Key = (Instant, u64);

struct Shared {
    descriptor: OwnedFd,
    waiting: RefCell<BTreeMap<Key, Waker>>,
    number: Cell<u64>,
    /// The time that the descriptor is set to.
    armed: Cell<Option<Instant>>,
}

/// All waits of a front. Connections have one each; a call has one while its request comes in.
#[derive(Clone)]
pub struct Timers(Rc<Shared>);

impl Timers {
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let (waiting, number, armed) = (RefCell::default(), Cell::new(0), Cell::new(None));
        Ok(Self(Rc::new(Shared { descriptor, waiting, number, armed })))
    }

    /// Wait until a time.
    pub fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep { timers: self.clone(), at, key: None }
    }

    /// Wake all whose time has come. To be called at each turn, whether the descriptor was readable or not.
    pub fn wake_due(&self, now: Instant) {
        let mut waiting = self.0.waiting.borrow_mut();
        if waiting.first_key_value().is_none_or(|(key, _)| key.0 > now) && self.0.armed.get().is_none_or(|at| at > now)
        {
            return;
        }
        while let Some(entry) = waiting.first_entry() {
            if entry.key().0 > now {
                break;
            }
            entry.remove().wake();
        }
        let first = waiting.first_key_value().map(|(key, _)| key.0);
        drop(waiting);
        self.0.armed.set(None);
        if let Some(at) = first {
            self.arm(at, now);
        }
    }

    fn add(&self, at: Instant, waker: Waker) -> Key {
        let key = (at, self.0.number.get());
        self.0.number.set(key.1 + 1);
        self.0.waiting.borrow_mut().insert(key, waker);
        if self.0.armed.get().is_none_or(|armed| at < armed) {
            self.arm(at, Instant::now());
        }
        key
    }

    /// Set the descriptor. It need not be read: setting it clears it, and epoll reports it once each time it runs out.
    fn arm(&self, at: Instant, now: Instant) {
        let after = at.saturating_duration_since(now).max(Duration::from_micros(1));
        let value = Timespec {
            tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: after.subsec_nanos().into(),
        };
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let set = Itimerspec { it_interval: never, it_value: value };
        rustix::time::timerfd_settime(&self.0.descriptor, TimerfdTimerFlags::empty(), &set)
            .expect("a relative time is valid for a timer of our own");
        self.0.armed.set(Some(at));
    }
}

impl AsRawFd for Timers {
    fn as_raw_fd(&self) -> RawFd {
        self.0.descriptor.as_raw_fd()
    }
}

/// A wait until a time. Dropping it ends the wait.
pub struct Sleep {
    timers: Timers,
    at: Instant,
    key: Option<Key>,
}

impl Sleep {
    /// Wait until another time.
    pub fn reset(&mut self, at: Instant) {
        self.forget();
        self.at = at;
    }

    fn forget(&mut self) {
        if let Some(key) = self.key.take() {
            self.timers.0.waiting.borrow_mut().remove(&key);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    /// A wait belongs to one task, whose waker stays the same: it is kept once.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if Instant::now() >= this.at {
            this.forget();
            return Poll::Ready(());
        }
        if this.key.is_none() {
            this.key = Some(this.timers.add(this.at, cx.waker().clone()));
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Return a future's result, or None where a time comes first.
pub async fn before<F: Future>(mut sleep: Sleep, work: F) -> Option<F::Output> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => Pin::new(&mut sleep).poll(cx).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_at_its_time_and_not_before() {
        let timers = Timers::new().unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let mut sleep = timers.sleep_until(Instant::now() + Duration::from_mins(1));
        assert!(Pin::new(&mut sleep).poll(&mut cx).is_pending());
        assert_eq!(timers.0.waiting.borrow().len(), 1);
        sleep.reset(Instant::now());
        assert!(Pin::new(&mut sleep).poll(&mut cx).is_ready());
        assert!(timers.0.waiting.borrow().is_empty());
    }

    #[test]
    fn the_earliest_wait_sets_the_descriptor_and_the_next_follows() {
        let timers = Timers::new().unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let now = Instant::now();
        let [mut late, mut soon] = [60, 30].map(|s| timers.sleep_until(now + Duration::from_secs(s)));
        assert!(Pin::new(&mut late).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut soon).poll(&mut cx).is_pending());
        assert_eq!(timers.0.armed.get(), Some(soon.at));
        timers.wake_due(now + Duration::from_secs(31));
        assert_eq!(timers.0.armed.get(), Some(late.at));
        drop(late);
        assert!(timers.0.waiting.borrow().is_empty());
    }
}
