//! A BatchVerify call while Python works on it: it is ended where its caller leaves, or its deadline passes.
//!
//! It knows the call and its times. It may not know codes, or how they are checked.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::open_call::OpenCall;
use crate::shared::Shared;
use crate::timers;

/// A call that its answer and its watch share: whichever comes first takes it.
pub struct BatchCall {
    call: RefCell<Option<OpenCall>>,
    /// The watch.
    waker: RefCell<Waker>,
}

/// What a watched call has come to.
enum Outcome {
    Answered,
    Gone,
}

impl BatchCall {
    pub fn new(call: OpenCall) -> Rc<Self> {
        Rc::new(Self { call: RefCell::new(Some(call)), waker: RefCell::new(Waker::noop().clone()) })
    }

    /// Take the call to end it. None where it has ended.
    pub fn take(&self) -> Option<OpenCall> {
        let call = self.call.take();
        self.waker.replace(Waker::noop().clone()).wake();
        call
    }

    /// Whether the call has ended.
    pub fn is_over(&self) -> bool {
        self.call.borrow().is_none()
    }

    /// Return the time at which the caller waits no longer, if there is one.
    pub fn deadline(&self) -> Option<Instant> {
        self.call.borrow().as_ref().and_then(|call| call.entry.deadline)
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut call = self.call.borrow_mut();
        let Some(call) = &mut *call else { return Poll::Ready(Outcome::Answered) };
        self.waker.borrow_mut().clone_from(cx.waker());
        call.respond.poll_reset(cx).map(|_| Outcome::Gone)
    }
}

/// Watch a call until it has ended. ``ticket`` is Python's, which is told where nobody waits for the answer any more.
pub async fn watch(call: Rc<BatchCall>, ticket: usize, shared: Rc<Shared>) {
    let ended = poll_fn(|cx| call.poll(cx));
    let outcome = match call.deadline() {
        None => Some(ended.await),
        Some(deadline) => timers::before(shared.timers.sleep_until(deadline), ended).await,
    };
    match outcome {
        Some(Outcome::Answered) => return,
        Some(Outcome::Gone) => drop(call.take()),
        None => {
            let Some(call) = call.take() else { return }; // it was answered just now
            call.expire();
        }
    }
    shared.queue.end(ticket);
}
