//! A call that was begun: counted when it ends, however it ends.
//!
//! It knows how a call is answered. It may not know the method's messages, or who works on them.

use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::SendStream;
use h2::server::SendResponse;

use crate::answers::{self, CANCELLED, DEADLINE_EXCEEDED, OK, Status};
use crate::budget::{Charge, Held};
use crate::claims::Claim;
use crate::counts::{Method, Why};
use crate::shared::Peer;
use crate::transfer;

/// The tolerance between two clocks: a caller's clock ends a call a moment before ours reaches its deadline. As in
/// ``rpc/meter.py``.
const DEADLINE_SLACK: Duration = Duration::from_millis(50);

/// Bytes up to which an answer is not held to the budget: those of all calls of a connection take no more memory than the
/// connection and its calls. There may be thousands of connections whose callers take no answer.
const SMALL_ANSWER_BYTES: usize = 1024;

/// A call's entry in the counts. Where it is dropped without an end, its caller has gone.
pub struct Entry {
    pub peer: Rc<Peer>,
    pub began: Instant,
    /// When its caller no longer waits.
    pub deadline: Option<Instant>,
    /// What the call was made with, where Python is asked.
    pub claim: Option<Claim>,
    /// None until the call is known to be plain. The listener in Python counts the others.
    method: Option<Method>,
}

impl Entry {
    /// Note that a call is open, whatever it will turn out to be.
    pub fn open(peer: &Rc<Peer>) -> Self {
        peer.open_calls.update(|count| count + 1);
        peer.shared.counts.open_calls.update(|count| count + 1);
        Self { peer: peer.clone(), method: None, began: Instant::now(), deadline: None, claim: None }
    }

    /// Count the call as one of a method, which is answered here.
    pub fn count_as(&mut self, method: Method) {
        self.method = Some(method);
        self.peer.shared.counts.started(method);
    }

    /// Refuse a call of a method of which nothing was read.
    pub fn refuse(mut self, method: Method, why: impl Into<Why>, status: &Status, respond: &mut SendResponse<Bytes>) {
        self.count_as(method);
        self.peer.shared.counts.refused(why);
        answers::refuse(respond, status);
        self.end(status.code);
    }

    /// Count the call's result.
    pub fn end(mut self, code: u32) {
        self.count(code);
    }

    fn count(&mut self, code: u32) {
        if let Some(method) = self.method.take() {
            self.peer.shared.counts.handled(method, code, self.began.elapsed());
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let is_late = self.deadline.is_some_and(|deadline| deadline <= Instant::now() + DEADLINE_SLACK);
        self.count(if is_late { DEADLINE_EXCEEDED } else { CANCELLED });
        self.peer.open_calls.update(|count| count - 1);
        if self.peer.open_calls.get() == 0 {
            self.peer.used_at.set(Instant::now());
        }
        self.peer.shared.counts.open_calls.update(|count| count - 1);
    }
}

/// A call with one request, whose request has come.
pub struct OpenCall {
    pub entry: Entry,
    pub respond: SendResponse<Bytes>,
    pub method: Method,
    pub queued_at: Instant,
    /// What the request takes in memory.
    #[expect(dead_code, reason = "it counts until it is dropped")]
    pub request: Charge,
}

impl OpenCall {
    pub fn refuse(mut self, status: &Status) {
        answers::refuse(&mut self.respond, status);
        self.entry.end(status.code);
    }

    /// Refuse the call for a reason that is counted.
    pub fn refuse_for(self, why: impl Into<Why>, status: &Status) {
        self.entry.peer.shared.counts.refused(why);
        self.refuse(status);
    }

    /// Refuse the call because a bound is reached.
    pub fn overload(self, reason: &'static str) {
        let shared = self.entry.peer.shared.clone();
        shared.counts.refused(reason);
        self.refuse(&shared.replies.overloaded);
    }

    /// Refuse the call, whose codes were read, because they would have to wait for too long, or have.
    pub fn shed(self, reason: &'static str, codes: usize) {
        self.entry.peer.shared.counts.shed(codes);
        self.overload(reason);
    }

    /// End the call because its deadline has passed.
    pub fn expire(self) {
        let shared = self.entry.peer.shared.clone();
        shared.counts.refused("deadline");
        self.refuse(&shared.replies.expired);
    }

    /// Return the call if its caller still waits for the answer to so many codes, and it has not waited too long.
    pub fn still_waits(mut self, codes: usize, now: Instant) -> Option<Self> {
        if self.respond.poll_reset(&mut Context::from_waker(Waker::noop())).is_ready() {
            return None;
        }
        if self.entry.deadline.is_some_and(|deadline| deadline <= now) {
            self.expire();
            return None;
        }
        if now.saturating_duration_since(self.queued_at) > self.entry.peer.shared.limits.queue_age_s {
            self.shed("queue_late", codes);
            return None;
        }
        Some(self)
    }

    /// Answer with a body that others may share. h2 keeps it until the caller takes it, so it must be small.
    pub fn answer(mut self, body: Bytes) {
        let shared = &self.entry.peer.shared;
        if let Some(mut sending) = shared.replies.begin(&mut self.respond) {
            let _ = sending.send_data(body, false); // the caller may have gone
            shared.replies.end(&mut sending);
            shared.counts.sent(self.method);
            self.entry.end(OK);
        }
    }

    /// Answer with a body of the call's own, which is held to the budget.
    pub fn answer_large(mut self, body: Vec<u8>) {
        let shared = self.entry.peer.shared.clone();
        if body.len() <= SMALL_ANSWER_BYTES {
            return self.answer(body.into());
        }
        let mut charge = self.entry.peer.account.charge();
        if !charge.grow_to(body.len()) {
            return self.overload("answers_full");
        }
        let body = Bytes::from_owner(Held { body, charge });
        if let Some(sending) = shared.replies.begin(&mut self.respond) {
            shared.counts.sent(self.method);
            shared.executor.spawn(deliver(sending, body, self.entry));
        }
    }
}

/// Send a body as its caller takes it. The call is open until then, so that a drain waits for it.
async fn deliver(mut sending: SendStream<Bytes>, body: Bytes, entry: Entry) {
    if transfer::send(&mut sending, body).await.is_ok() {
        entry.peer.shared.replies.end(&mut sending);
        entry.end(OK);
    }
}
