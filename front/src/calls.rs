//! Verify and BatchVerify: a call's request is read, cut, and queued.
//!
//! It knows the two methods. It may not know sockets, or how codes are checked.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::request::Parts;

use crate::answers::Status;
use crate::budget::{Charge, Held, SMALL_BYTES};
use crate::claims::Claim;
use crate::counts::Method;
use crate::framing::{Collected, MESSAGE_BYTES_MAX, Next, PREFIX};
use crate::open_call::{Entry, OpenCall};
use crate::pace::{Paced, UNPACED_BYTES};
use crate::shared::Peer;
use crate::strangers::{self, Waited};
use crate::timers;
use crate::upstream;
use crate::work::Single;

/// The message of a plain Verify call: a code of 4,096 bytes, a host and their tags.
const VERIFY_BYTES_MAX: usize = 4096 + 16;

/// A call whose request is read.
pub struct Reading {
    head: Parts,
    body: RecvStream,
    pub respond: SendResponse<Bytes>,
    pub entry: Entry,
    pub method: Method,
    /// When the request had come.
    pub read_at: Instant,
    collected: Collected,
    pub charge: Charge,
    /// Where the request is a large one.
    paced: Option<Box<Paced>>,
}

/// Why a request is read no further.
enum Read {
    /// It has come, and there is no more.
    Whole,
    /// It is longer than a plain one.
    TooLong,
    /// There is no room for it.
    NoRoom,
    /// The caller has gone.
    Gone,
}

/// Begin a call. Most requests come with their call: they are queued at once, and need no task.
pub fn begin(
    peer: &Rc<Peer>,
    (head, body): (Parts, RecvStream),
    respond: SendResponse<Bytes>,
    (method, timeout): (Method, Option<Duration>),
    claim: Option<Claim>,
) {
    let mut entry = Entry::open(peer);
    entry.claim = claim;
    entry.deadline = timeout.and_then(|timeout| entry.began.checked_add(timeout));
    let (collected, charge, paced) = (Collected::default(), peer.account.charge(), None);
    let read_at = entry.began;
    let reading = Reading { head, body, respond, entry, method, read_at, collected, charge, paced };
    if reading.entry.claim.as_ref().is_some_and(Claim::is_unknown) {
        return peer.shared.executor.spawn(reading.wait_to_be_known());
    }
    reading.begin();
}

impl Reading {
    /// Read nothing until Python has said who calls.
    async fn wait_to_be_known(mut self) {
        let shared = self.entry.peer.shared.clone();
        let deadline = self.entry.deadline;
        let waited = match &mut self.entry.claim {
            Some(claim) => strangers::wait(&shared, claim, &mut self.respond, deadline).await,
            None => Waited::Known,
        };
        match waited {
            Waited::Known => match self.entry.claim.as_ref().and_then(Claim::denial) {
                Some((why, status)) => self.open().refuse_for(why, &status),
                None => self.begin(),
            },
            Waited::Gone => drop(self.open()),
            Waited::Expired => self.open().expire(),
            Waited::Refused(why, status) => self.open().refuse_for(why, &status),
        }
    }

    fn begin(mut self) {
        let shared = self.entry.peer.shared.clone();
        let method = self.method;
        // A batch that would find the queue full is not read: reading it would cost milliseconds.
        let is_full = shared.queue.codes() >= shared.limits.queue_codes_max;
        if is_full && method == Method::BatchVerify {
            return self.open().overload("queue_full");
        }
        match self.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => self.finish(&read),
            Poll::Pending => shared.executor.spawn(self.wait()),
        }
    }

    /// Read on as the request comes, within its time.
    async fn wait(mut self) {
        let shared = self.entry.peer.shared.clone();
        let overdue = self.entry.began + shared.limits.request_s;
        let ends = self.entry.deadline.map_or(overdue, |deadline| deadline.min(overdue));
        match timers::before(shared.timers.sleep_until(ends), poll_fn(|cx| self.poll(cx))).await {
            Some(read) => {
                self.read_at = Instant::now();
                self.finish(&read);
            }
            None if ends < overdue => self.open().expire(),
            None => {
                shared.counts.refused("request_overdue");
                self.open().refuse(&shared.replies.overdue);
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Read> {
        let size_max = PREFIX + if self.method == Method::Verify { VERIFY_BYTES_MAX } else { MESSAGE_BYTES_MAX };
        let read = self.collected.len();
        if read > UNPACED_BYTES {
            let shared = &self.entry.peer.shared;
            let paced = self.paced.get_or_insert_with(|| Box::new(Paced::begin(&shared.pace, &shared.timers)));
            if !paced.may_read(read, cx) {
                return Poll::Pending;
            }
        }
        while !self.body.is_end_stream() {
            let data = match self.body.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) => data,
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Read::Gone),
                Poll::Ready(None) => break,
                Poll::Pending => return Poll::Pending,
            };
            let _ = self.body.flow_control().release_capacity(data.len()); // fails only where the call is over
            self.collected.push(data);
            let size = self.collected.len();
            if size > size_max {
                return Poll::Ready(Read::TooLong);
            }
            if size > SMALL_BYTES && !self.charge.grow_to(size) {
                return Poll::Ready(Read::NoRoom);
            }
        }
        Poll::Ready(Read::Whole)
    }

    fn finish(mut self, read: &Read) {
        match read {
            Read::Whole | Read::TooLong => {
                let bytes = self.collected.take();
                self.collected.push(bytes.clone());
                match self.collected.next() {
                    Next::Message(message) if matches!(read, Read::Whole) && self.collected.len() == 0 => {
                        self.queue(bytes, message);
                    }
                    // gRPC refuses these before Python sees them, which would count the call as cancelled.
                    Next::Compressed => self.open().refuse(&Status::compressed()),
                    Next::TooLarge(size) => self.open().refuse(&Status::too_large(size)),
                    _ => self.pass_on(bytes),
                }
            }
            Read::NoRoom => self.open().overload("request_memory"),
            Read::Gone => drop(self.open()),
        }
    }

    /// Count the call as one that is answered here.
    pub fn open(self) -> OpenCall {
        let Self { mut entry, method, respond, charge: request, read_at: queued_at, .. } = self;
        entry.count_as(method);
        OpenCall { entry, respond, method, queued_at, request }
    }

    /// Pass the call on. A large request counts until the listener in Python has taken it.
    pub fn pass_on(self, bytes: Bytes) {
        let bytes =
            if self.charge.is_empty() { bytes } else { Bytes::from_owner(Held { body: bytes, charge: self.charge }) };
        upstream::pass_on(self.entry, self.head, bytes, self.body, self.respond);
    }
}

/// Answer the codes of Verify calls: code n with ``pieces[which[n]] + tail``. Equal answers share their bytes.
pub fn answer(singles: Vec<Single>, pieces: &[&[u8]], which: &[usize], tail: &[u8]) {
    let mut bodies: Vec<Option<Bytes>> = vec![None; pieces.len()];
    for (single, piece) in singles.into_iter().zip(which) {
        let make = || Bytes::from(crate::answers::body(&[pieces[*piece], tail]));
        single.call.answer(bodies[*piece].get_or_insert_with(make).clone());
    }
}

/// End Verify calls with a failure.
pub fn fail(singles: Vec<Single>, status: &Status) {
    for single in singles {
        single.call.refuse(status);
    }
}
