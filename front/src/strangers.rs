//! Calls of which Python has not said yet who makes them: nothing is read of them, and strangers have a bound of their own.
//!
//! It knows calls and their credentials. It may not know methods or bodies.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use h2::server::SendResponse;

use crate::answers::Status;
use crate::claims::Claim;
use crate::counts::Why;
use crate::shared::Shared;
use crate::timers;

/// Calls of strangers that may wait at once, each with at most a window of unread bytes: 128 MiB. A stranger's connection has
/// shown no certificate, and its token was never granted. Python says who it is within milliseconds.
const STRANGERS_MAX: usize = 1024;

/// How waiting has ended.
pub enum Waited {
    /// Python has said something.
    Known,
    /// The caller has gone, or its deadline has passed.
    Gone,
    Expired,
    Refused(Why, Status),
}

/// A stranger's call that waits, until this is dropped.
struct Stranger(Rc<Shared>);

impl Stranger {
    fn begin(shared: &Rc<Shared>) -> Option<Self> {
        let waiting = &shared.credentials.strangers;
        if waiting.get() >= STRANGERS_MAX {
            return None;
        }
        waiting.update(|count| count + 1);
        Some(Self(shared.clone()))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.credentials.strangers.update(|count| count - 1);
    }
}

/// Wait until Python has said who makes a call. Callers with certificates, and those that were known before, have the bounds
/// of their connections alone.
pub async fn wait(
    shared: &Rc<Shared>,
    claim: &mut Claim,
    respond: &mut SendResponse<Bytes>,
    deadline: Option<Instant>,
) -> Waited {
    let stranger = if claim.is_stranger() { Stranger::begin(shared) } else { None };
    if stranger.is_none() && claim.is_stranger() {
        return Waited::Refused("callers_unknown".into(), shared.replies.overloaded.clone());
    }
    let overdue = Instant::now() + shared.limits.request_s;
    let ends = deadline.map_or(overdue, |deadline| deadline.min(overdue));
    let known = poll_fn(|cx| {
        if respond.poll_reset(cx).is_ready() {
            return Poll::Ready(Waited::Gone);
        }
        if !claim.is_unknown() {
            return Poll::Ready(Waited::Known);
        }
        claim.ask();
        claim.wake_at_answer(cx);
        Poll::Pending
    });
    match timers::before(shared.timers.sleep_until(ends), known).await {
        Some(waited) => waited,
        None if ends < overdue => Waited::Expired,
        None => Waited::Refused("caller_unknown".into(), shared.replies.overdue.clone()),
    }
}
