//! One credential, and what Python has said about it.
//!
//! It knows grants and denials. It may not know calls, or what a credential says.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use crate::answers::Status;
use crate::asking::Asking;
use crate::counts::Why;
use crate::grant::{Denial, Grant, Group};
use crate::key::Key;
use crate::requests::Host;

/// What Python has said.
enum Said {
    Nothing,
    Granted(Grant),
    Denied(Denial),
}

/// How a call stands.
pub enum Standing {
    /// It may begin.
    Granted,
    /// Python must be asked before.
    Unknown,
    /// It is for another host than the granted one.
    OtherHost,
    /// Too many of its group are in flight.
    Crowded,
    Denied(Why, Status),
}

pub struct Credential {
    /// Its name in Python, never given to another one. 0 stands for none.
    pub number: u64,
    pub key: Key,
    said: RefCell<Said>,
    /// Whether what was said counts no longer for new calls.
    is_lapsed: Cell<bool>,
    pub asking: Asking,
    /// Units that calls need beyond those that there are.
    wanted: Cell<i64>,
    /// Calls that are open, and those of them that are streams.
    pub open: Cell<usize>,
    pub streams: Cell<usize>,
    /// When it was last used, in calls.
    pub used: Cell<u64>,
    /// Where it is in the line.
    pub turn: Cell<Option<Turn>>,
}

/// The order of the line: whether it is new, then when it was put there.
pub type Turn = (bool, u64);

impl Credential {
    pub fn new(number: u64, key: Key) -> Self {
        Self {
            number,
            key,
            said: RefCell::new(Said::Nothing),
            is_lapsed: Cell::new(false),
            asking: Asking::default(),
            wanted: Cell::new(0),
            open: Cell::new(0),
            streams: Cell::new(0),
            used: Cell::new(0),
            turn: Cell::new(None),
        }
    }

    /// Tell how a call with so many codes stands, and take its units where it may begin.
    pub fn admit(&self, host: Host, codes: usize, now: Instant) -> Standing {
        match &*self.said.borrow() {
            Said::Denied(denial) if self.counts(denial.until, now) => {
                let (why, status) = denial.refusal();
                Standing::Denied(why, status)
            }
            Said::Granted(grant) if self.counts(grant.until, now) => {
                if !grant.is_for(host) {
                    return Standing::OtherHost;
                }
                if grant.is_crowded() {
                    return Standing::Crowded;
                }
                self.take_units(grant, codes)
            }
            _ => Standing::Unknown,
        }
    }

    /// Tell how a stream stands that is about to begin.
    pub fn admit_stream(&self, now: Instant) -> Standing {
        match &*self.said.borrow() {
            Said::Denied(denial) if self.counts(denial.until, now) => {
                let (why, status) = denial.refusal();
                Standing::Denied(why, status)
            }
            Said::Granted(grant) if self.counts(grant.until, now) => {
                if grant.is_crowded() {
                    Standing::Crowded
                } else {
                    Standing::Granted
                }
            }
            _ => Standing::Unknown,
        }
    }

    fn take_units(&self, grant: &Grant, codes: usize) -> Standing {
        match grant.group.take(codes) {
            Ok(()) => Standing::Granted,
            Err(wanting) => {
                self.want(wanting);
                Standing::Unknown
            }
        }
    }

    /// Note that calls need more units than there are.
    fn want(&self, units: i64) {
        self.wanted.set(self.wanted.get().max(units));
    }

    /// Return the units that calls need beyond those that there are, once.
    pub fn take_wanted(&self) -> i64 {
        self.wanted.take()
    }

    /// Whether Python has said something that counts for new calls.
    pub fn is_known(&self, now: Instant) -> bool {
        match &*self.said.borrow() {
            Said::Nothing => false,
            Said::Granted(grant) => self.counts(grant.until, now),
            Said::Denied(denial) => self.counts(denial.until, now),
        }
    }

    /// Whether what was said until a time counts for new calls.
    fn counts(&self, until: Instant, now: Instant) -> bool {
        until > now && !self.is_lapsed.get()
    }

    /// Whether an open stream may have a message answered. It goes on while Python is asked again.
    pub fn has_units(&self) -> bool {
        let has_units = matches!(&*self.said.borrow(), Said::Granted(grant) if grant.group.units.get() > 0);
        if !has_units {
            self.want(1);
        }
        has_units
    }

    /// Take the unit of a stream's message. False where it is for another host than the granted one.
    pub fn take_message(&self, host: Host) -> bool {
        matches!(&*self.said.borrow(), Said::Granted(grant) if grant.is_for(host) && grant.group.take(1).is_ok())
    }

    /// Return what calls of the group are counted by, once it is granted.
    pub fn group(&self) -> Option<Group> {
        match &*self.said.borrow() {
            Said::Granted(grant) => Some(grant.group.clone()),
            _ => None,
        }
    }

    /// Return how it was denied, if that was said last. Open streams end with it, however long it counts.
    pub fn denial(&self) -> Option<(Why, Status)> {
        match &*self.said.borrow() {
            Said::Denied(denial) if denial.ends_streams => Some(denial.refusal()),
            _ => None,
        }
    }

    /// Return until when open streams are held back.
    pub fn held_until(&self) -> Option<Instant> {
        match &*self.said.borrow() {
            Said::Denied(denial) if !denial.ends_streams => Some(denial.until),
            _ => None,
        }
    }

    /// Return the denial that counts now, if one does.
    pub fn denial_now(&self, now: Instant) -> Option<(Why, Status)> {
        match &*self.said.borrow() {
            Said::Denied(denial) if self.counts(denial.until, now) => Some(denial.refusal()),
            _ => None,
        }
    }

    /// Return when a grant ends that counts still.
    pub fn granted_until(&self) -> Option<Instant> {
        match &*self.said.borrow() {
            Said::Granted(grant) if !self.is_lapsed.get() => Some(grant.until),
            _ => None,
        }
    }

    /// Let what was said count no longer. Return whether it is to be put into the line at once: where an open stream
    /// depends on the answer, or one is under way.
    pub fn lapse(&self, now: Instant) -> bool {
        self.is_lapsed.set(true);
        self.asking.begin_again(now) || (self.streams.get() > 0 && self.asking.begin(now))
    }

    /// Note that it is put into the line. False where Python is being asked already.
    pub fn ask(&self, now: Instant) -> bool {
        let is_new = self.asking.begin(now);
        if is_new {
            self.is_lapsed.set(true);
        }
        is_new
    }

    /// Note that Python takes it from the line. False where nobody waits for the answer any more.
    pub fn take(&self) -> bool {
        self.asking.take(self.open.get() > 0)
    }

    /// Note what Python says. False where it is asked once more.
    fn say(&self, said: Said) -> bool {
        let counts = self.asking.end();
        if counts {
            self.is_lapsed.set(false);
            *self.said.borrow_mut() = said;
        }
        counts
    }

    pub fn grant(&self, grant: Grant) -> bool {
        self.say(Said::Granted(grant))
    }

    pub fn deny(&self, denial: Denial) -> bool {
        self.say(Said::Denied(denial))
    }

    /// Whether a denial was said last, which may lapse.
    pub fn is_denied(&self) -> bool {
        matches!(&*self.said.borrow(), Said::Denied(..))
    }

    /// Whether it was granted when Python was last asked.
    pub fn was_granted(&self) -> bool {
        matches!(&*self.said.borrow(), Said::Granted(_))
    }
}

#[cfg(test)]
#[path = "credential_tests.rs"]
mod tests;
