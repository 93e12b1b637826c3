//! The task of one StreamVerify call: reads messages into the queue, and sends the answers.
//!
//! It knows the call's two halves. It may not know how codes are checked, or in which order they are answered.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};

use crate::answers::{self, OK, Status};
use crate::budget::{Charge, SMALL_BYTES};
use crate::claims::Claim;
use crate::counts::Method;
use crate::framing::{Collected, Next};
use crate::open_call::Entry;
use crate::queue::{Place, Queue};
use crate::requests;
use crate::shared::Peer;
use crate::strangers::{self, Waited};
use crate::stream_claims::StreamClaim;
use crate::streams::Stream;
use crate::timers::Sleep;
use crate::transfer;
use crate::work::{Message, Scan};

struct StreamTask {
    stream: Rc<Stream>,
    peer: Rc<Peer>,
    body: RecvStream,
    sending: SendStream<Bytes>,
    collected: Collected,
    charge: Charge,
    /// Answers that their caller has not taken.
    unsent: Bytes,
    /// Until the stream may have been silent for too long, or its deadline.
    sleep: Sleep,
    deadline: Option<Instant>,
    has_ended: bool,
    /// What the stream was made with, where Python is asked.
    claim: Option<StreamClaim>,
}

/// Begin a stream.
pub fn begin(
    peer: &Rc<Peer>,
    body: RecvStream,
    respond: SendResponse<Bytes>,
    timeout: Option<Duration>,
    claim: Option<Claim>,
) {
    let mut entry = Entry::open(peer);
    entry.count_as(Method::StreamVerify);
    entry.deadline = timeout.and_then(|timeout| entry.began.checked_add(timeout));
    match claim {
        Some(claim) if claim.is_unknown() => {
            peer.shared.executor.spawn(wait_to_be_known(entry, body, respond, claim));
        }
        claim => open(entry, body, respond, claim),
    }
}

/// Open no stream until Python has said who calls: a stranger's would take the place of one that is in use.
async fn wait_to_be_known(entry: Entry, body: RecvStream, mut respond: SendResponse<Bytes>, mut claim: Claim) {
    let shared = entry.peer.shared.clone();
    let (why, status) = match strangers::wait(&shared, &mut claim, &mut respond, entry.deadline).await {
        Waited::Known => match claim.denial() {
            None => return open(entry, body, respond, Some(claim)),
            Some((why, status)) => (Some(why), status),
        },
        Waited::Gone => return drop(entry),
        Waited::Expired => (None, shared.replies.expired.clone()),
        Waited::Refused(why, status) => (Some(why), status),
    };
    if let Some(why) = why {
        shared.counts.refused(why);
    }
    answers::refuse(&mut respond, &status);
    entry.end(status.code);
}

fn open(entry: Entry, body: RecvStream, mut respond: SendResponse<Bytes>, claim: Option<Claim>) {
    let peer = entry.peer.clone();
    let shared = &peer.shared;
    let deadline = entry.deadline;
    let stream = match shared.streams.open(entry) {
        Ok(stream) => stream,
        Err(entry) => {
            answers::refuse(&mut respond, &shared.replies.overloaded);
            return entry.end(shared.replies.overloaded.code);
        }
    };
    let Some(sending) = shared.replies.begin(&mut respond) else { return stream.abandon() };
    let now = Instant::now();
    let silent_at = now + shared.limits.stream_idle_s;
    let sleep = shared.timers.sleep_until(deadline.map_or(silent_at, |deadline| deadline.min(silent_at)));
    let (collected, charge) = (Collected::default(), peer.account.charge());
    let (unsent, has_ended) = (Bytes::new(), false);
    let (executor, claim) = (shared.executor.clone(), claim.map(|claim| StreamClaim::new(claim, shared)));
    let task = StreamTask { stream, peer, body, sending, collected, charge, unsent, sleep, deadline, has_ended, claim };
    executor.spawn(task);
}

impl Future for StreamTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.stream.set_waker(cx.waker());
        if transfer::poll_gone(&mut this.sending, cx).is_ready() {
            return Poll::Ready(());
        }
        if this.peer.shared.is_draining.get() || this.peer.is_ending.get() {
            this.has_ended = true;
        }
        let may_read = this.look_at_claim(cx);
        if this.send(cx).is_ready() && may_read && !this.has_ended && this.read(cx).is_err() {
            return Poll::Ready(());
        }
        this.look_at_time(cx);
        let Some(outcome) = this.stream.outcome(this.has_ended, !this.unsent.is_empty()) else { return Poll::Pending };
        match outcome {
            Ok(()) => {
                this.peer.shared.replies.end(&mut this.sending);
                this.stream.end(OK);
            }
            Err(status) => {
                answers::fail(&mut this.sending, &status);
                this.stream.end(status.code);
            }
        }
        Poll::Ready(())
    }
}

impl StreamTask {
    /// Whether the stream may be read, by what Python has said of its credential. A denial ends it after the answers that
    /// are due.
    fn look_at_claim(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(claim) = &mut self.claim else { return true };
        let (why, status) = match claim.poll(cx) {
            Ok(may_read) => return may_read,
            Err(end) => *end,
        };
        self.claim = None;
        self.peer.shared.counts.refused(why);
        self.refuse(status);
        false
    }

    /// Send the answers that are there. Pending where the caller does not take them: it is then not read on.
    fn send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.unsent.is_empty() {
                self.unsent = self.stream.take_ready().into();
                if self.unsent.is_empty() {
                    return Poll::Ready(());
                }
            }
            match transfer::poll_room(&mut self.sending, self.unsent.len(), cx) {
                Poll::Ready(Ok(room)) => {
                    let _ = self.sending.send_data(self.unsent.split_to(room), false); // poll_gone tells of an end
                }
                Poll::Ready(Err(_)) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Read as far ahead as is allowed. Err where the caller has gone.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), ()> {
        while !self.has_ended && self.stream.has_room() && self.claim.as_ref().is_none_or(StreamClaim::may_read) {
            let Some(place) = Queue::places(&self.peer, 1) else {
                self.peer.shared.queue.wake_at_room(cx.waker());
                return Ok(());
            };
            match self.collected.next() {
                Next::Message(message) => {
                    self.queue(message, place);
                    continue;
                }
                Next::Incomplete => {}
                Next::Compressed => {
                    self.refuse(Status::compressed());
                    continue;
                }
                Next::TooLarge(size) => {
                    self.refuse(Status::too_large(size));
                    continue;
                }
                // The listener in Python takes it for the end, as it does a message that is cut off.
                Next::Unknown => {
                    self.has_ended = true;
                    continue;
                }
            }
            match self.body.poll_data(cx) {
                Poll::Ready(Some(Ok(bytes))) => {
                    let _ = self.body.flow_control().release_capacity(bytes.len()); // fails only where it is over
                    self.stream.touch();
                    self.collected.push(bytes);
                    let size = self.collected.len();
                    if size > SMALL_BYTES && !self.charge.grow_to(size) {
                        self.refuse_for_memory();
                    }
                }
                Poll::Ready(Some(Err(_))) => return Err(()),
                Poll::Ready(None) => self.has_ended = true,
                Poll::Pending => return Ok(()),
            }
        }
        Ok(())
    }

    fn queue(&mut self, message: Bytes, place: Place) {
        let shared = &self.peer.shared;
        shared.counts.received(Method::StreamVerify);
        if self.collected.len() <= SMALL_BYTES {
            self.charge = self.peer.account.charge();
        }
        let scan = requests::stream_verify(&message);
        let scan = scan.filter(|scan| self.claim.as_ref().is_none_or(|claim| claim.takes(scan.host)));
        let mut charge = self.peer.account.charge();
        // A plain message is small, and there are as many as the queue has places.
        if scan.is_none() && message.len() > SMALL_BYTES && !charge.grow_to(message.len()) {
            return self.refuse_for_memory();
        }
        let (stream, number, place) = (self.stream.clone(), self.stream.add(message.len()), Some(place));
        if let Some(requests::Scan { request_id, code, host }) = scan {
            return shared.queue.push_scan(Scan { stream, number, request_id, message, code, host, place });
        }
        let credential = self.claim.as_ref().map_or(0, StreamClaim::number);
        shared.queue.push_message(Message { stream, number, bytes: message, credential, place, charge });
    }

    fn refuse_for_memory(&mut self) {
        self.peer.shared.counts.refused("request_memory");
        self.refuse(self.peer.shared.replies.overloaded.clone());
    }

    /// End the stream after the answers to what was read.
    fn refuse(&mut self, status: Status) {
        self.has_ended = true;
        self.stream.fail_next(status);
    }

    /// End the stream where its deadline has passed, or it was silent for too long. A stream that waits for answers is
    /// not silent.
    fn look_at_time(&mut self, cx: &mut Context<'_>) {
        let shared = &self.peer.shared;
        while Pin::new(&mut self.sleep).poll(cx).is_ready() {
            let now = Instant::now();
            let silent_at = self.stream.silent_at(shared.limits.stream_idle_s);
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                shared.counts.refused("deadline");
                self.stream.fail_now(shared.replies.expired.clone());
                return;
            }
            if silent_at.is_some_and(|at| at <= now) {
                shared.counts.refused("stream_idle");
                self.stream.fail_now(shared.replies.idle.clone());
                return;
            }
            let next = silent_at.unwrap_or(now + shared.limits.stream_idle_s);
            self.sleep.reset(self.deadline.map_or(next, |deadline| deadline.min(next)));
        }
    }
}

impl Drop for StreamTask {
    fn drop(&mut self) {
        self.stream.abandon(); // it does nothing where the stream has ended
        self.peer.shared.streams.close(&self.stream);
    }
}
