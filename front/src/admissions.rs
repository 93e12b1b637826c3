//! Verify and BatchVerify calls whose request has come: each is queued once its caller is known.
//!
//! It knows the two requests. It may not know how they were read.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;

use crate::calls::Reading;
use crate::claims::Admission;
use crate::counts::Method;
use crate::pace::Waiting;
use crate::queue::Queue;
use crate::requests::{self, Host};
use crate::timers;
use crate::work::{Batch, Single};

/// A request that is plain.
enum Request {
    Single(requests::Scan),
    Batch(requests::Batch),
}

impl Request {
    /// Cut a request out of its bytes. None where it is odd.
    fn cut(method: Method, message: &[u8]) -> Option<Self> {
        match method {
            Method::BatchVerify => requests::batch_verify(message).map(Self::Batch),
            _ => requests::verify(message).map(Self::Single),
        }
    }

    fn host(&self) -> Host {
        match self {
            Self::Single(scan) => scan.host,
            Self::Batch(batch) => batch.host,
        }
    }

    /// The number of its codes.
    fn codes(&self) -> usize {
        match self {
            Self::Single(_) => 1,
            Self::Batch(batch) => batch.codes.len(),
        }
    }
}

impl Reading {
    /// Queue a request, or pass it on as the ``bytes`` that it came in where it is odd.
    pub fn queue(mut self, bytes: Bytes, message: Bytes) {
        let Some(request) = Request::cut(self.method, &message) else { return self.pass_on(bytes) };
        if let Some(admission) = self.admit(&request) {
            return self.settle(admission, request, bytes, message);
        }
        let executor = self.entry.peer.shared.executor.clone();
        executor.spawn(self.wait_for_units(request, bytes, message));
    }

    /// Admit the call. None until Python has said whether to.
    fn admit(&mut self, request: &Request) -> Option<Admission> {
        match &mut self.entry.claim {
            None => Some(Admission::Admitted),
            Some(claim) => claim.admit(request.host(), request.codes()),
        }
    }

    fn poll_admission(&mut self, request: &Request, cx: &mut Context<'_>) -> Poll<Option<Admission>> {
        if self.respond.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        let admission = self.admit(request);
        if admission.is_some() {
            return Poll::Ready(admission);
        }
        if let Some(claim) = &mut self.entry.claim {
            claim.wake_at_answer(cx);
        }
        Poll::Pending
    }

    /// Wait until there are units for the codes, or Python has said again what the caller may do.
    async fn wait_for_units(mut self, request: Request, bytes: Bytes, message: Bytes) {
        let shared = self.entry.peer.shared.clone();
        let has_room = !self.charge.is_empty() || self.charge.grow_to(message.len());
        if !has_room {
            return self.open().overload("request_memory");
        }
        let overdue = Instant::now() + shared.limits.request_s;
        let ends = self.entry.deadline.map_or(overdue, |deadline| deadline.min(overdue));
        let admission = poll_fn(|cx| self.poll_admission(&request, cx));
        let admission = timers::before(shared.timers.sleep_until(ends), admission).await;
        self.read_at = Instant::now(); // its age in the queue begins now
        match admission {
            Some(Some(admission)) => self.settle(admission, request, bytes, message),
            Some(None) => drop(self.open()),
            None if ends < overdue => self.open().expire(),
            None => self.open().refuse_for("caller_unknown", &shared.replies.overdue),
        }
    }

    fn settle(self, admission: Admission, request: Request, bytes: Bytes, message: Bytes) {
        match admission {
            Admission::Admitted => self.enter(request, message),
            Admission::PassOn => self.pass_on(bytes),
            Admission::Refused(why, status) => self.open().refuse_for(why, &status),
        }
    }

    /// Queue a request of a call that is admitted.
    fn enter(mut self, request: Request, message: Bytes) {
        let peer = self.entry.peer.clone();
        let shared = &peer.shared;
        let method = self.method;
        let (code, host) = match request {
            Request::Single(requests::Scan { code, host, .. }) => (code, host),
            Request::Batch(requests::Batch { codes, host }) => {
                // Small ones were not counted yet, and as many as come may wait for Python.
                let has_room = !self.charge.is_empty() || self.charge.grow_to(message.len());
                let call = self.open();
                shared.counts.received(method);
                if !has_room {
                    return call.overload("request_memory");
                }
                return match Queue::places(&peer, codes.len()) {
                    None => call.shed("queue_full", codes.len()),
                    place => {
                        let waiting = Waiting::begin(&shared.pace, message.len());
                        shared.queue.push_batch(Batch { call, message, codes, host, place, waiting });
                    }
                };
            }
        };
        let call = self.open();
        shared.counts.received(method);
        // More waiting calls than a connection may have are cancelled ones, which a caller could go on adding.
        if peer.waiting_singles.get() >= 2 * shared.limits.calls_max as usize {
            return call.overload("calls_full");
        }
        match Queue::place_of_single(&peer) {
            None => call.shed("queue_full", 1),
            place => shared.queue.push_single(Single { call, message, code, host, place }),
        }
    }
}
