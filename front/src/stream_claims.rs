//! What a stream may do with the credential that it was made with, which Python may grant, limit and deny meanwhile.
//!
//! It knows one stream's credential. It may not know messages.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;
use std::time::Instant;

use crate::answers::Status;
use crate::claims::{Admission, Claim};
use crate::counts::Why;
use crate::requests::Host;
use crate::shared::Shared;
use crate::timers::Sleep;

/// Why a stream ends: as it is counted, and as its caller is told.
type End = Box<(Why, Status)>;

pub struct StreamClaim {
    claim: Claim,
    shared: Rc<Shared>,
    is_admitted: bool,
    /// When the grant ends, or Python has taken too long to answer.
    ends: Instant,
    sleep: Sleep,
}

impl StreamClaim {
    pub fn new(claim: Claim, shared: &Rc<Shared>) -> Self {
        let ends = Instant::now() + shared.limits.request_s;
        Self { claim, shared: shared.clone(), is_admitted: false, ends, sleep: shared.timers.sleep_until(ends) }
    }

    /// The name of the credential in Python.
    pub fn number(&self) -> u64 {
        self.claim.credential.number
    }

    /// Look at what Python has said by now, and return whether the stream may be read. Python is asked again when a grant
    /// ends, even where nothing is read.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let credential = self.claim.credential.clone();
        self.claim.wake_at_answer(cx);
        if self.is_admitted
            && let Some(end) = credential.denial()
        {
            return Err(end.into());
        }
        if !self.is_admitted {
            match self.claim.admit_stream() {
                Some(Admission::Admitted) => self.is_admitted = true,
                Some(Admission::Refused(why, status)) => return Err((why, status).into()),
                Some(Admission::PassOn) | None => {}
            }
        }
        loop {
            let limits = &self.shared.limits;
            let overdue = credential.asking.since().map(|since| since + limits.request_s);
            let ends = overdue.or(credential.granted_until()).or(credential.held_until()).unwrap_or(self.ends);
            if ends != self.ends {
                self.ends = ends;
                self.sleep.reset(ends);
            }
            if Pin::new(&mut self.sleep).poll(cx).is_pending() {
                break;
            }
            if overdue.is_some() {
                return Err(("caller_unknown".into(), self.shared.replies.overdue.clone()).into());
            }
            self.shared.credentials.ask(&credential);
        }
        Ok(self.is_admitted)
    }

    /// Whether a message may be read. Where the grant has no units left, Python is asked again, and wakes the stream.
    pub fn may_read(&self) -> bool {
        let may = self.claim.credential.has_units();
        if !may && self.claim.credential.held_until().is_none() {
            self.shared.credentials.ask(&self.claim.credential);
        }
        may
    }

    /// Take the unit of a plain message. False where Python is to judge it, since it is for another host.
    pub fn takes(&self, host: Host) -> bool {
        self.claim.credential.take_message(host)
    }
}
