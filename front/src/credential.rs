//! One credential, and what Python has said about it.
//!
//! It knows grants and denials. It may not know calls, or what a credential says.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderValue;
use slab::Slab;

use crate::answers::Status;
use crate::requests::Host;

/// What a caller shows. A part that is not there is none.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The certificate of the caller's connection, in DER; empty without one.
    pub certificate: Bytes,
    /// The header ``authorization`` of the call.
    pub authorization: Option<HeaderValue>,
    /// Whether the caller is on this machine.
    pub is_local: bool,
}

impl Key {
    /// The authorization as bytes.
    pub fn authorization(&self) -> &[u8] {
        self.authorization.as_ref().map_or(b"", HeaderValue::as_bytes)
    }

    /// Return a copy that keeps no other memory in use than its own.
    pub fn compact(&self) -> Self {
        let authorization = self.authorization.as_ref().map(HeaderValue::as_bytes);
        let authorization = authorization.map(|bytes| HeaderValue::from_bytes(bytes).expect("it was one"));
        Self { certificate: self.certificate.clone(), authorization, is_local: self.is_local }
    }
}

/// The calls in flight of all credentials of a group.
pub type Group = Rc<Cell<usize>>;

/// What Python lets the front answer by itself.
pub struct Grant {
    /// The hosts, or None for any.
    pub hosts: Option<Vec<Host>>,
    pub until: Instant,
    /// Codes that may be answered still. A batch that was larger than all of them has taken it below 0.
    pub units: i64,
    /// Whether no code was answered by it yet.
    pub is_fresh: bool,
    pub in_flight_max: usize,
    pub group: Group,
}

/// What Python has said.
enum Said {
    Nothing,
    Granted(Grant),
    Denied(Denial),
}

/// A refusal that counts for a while.
pub struct Denial {
    pub status: Status,
    pub until: Instant,
    /// Whether it ends open streams, too: otherwise they are held back until Python says more.
    pub ends_streams: bool,
}

/// Whether Python is being asked.
#[derive(Clone, Copy, PartialEq)]
enum Asking {
    No,
    /// Since when it waits in the line, or has been taken from it.
    InLine(Instant),
    Taken(Instant),
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
    Denied(Status),
}

pub struct Credential {
    /// Its name in Python, never given to another one. 0 stands for none.
    pub number: u64,
    pub key: Key,
    said: RefCell<Said>,
    /// Whether what was said counts no longer for new calls.
    is_lapsed: Cell<bool>,
    asking: Cell<Asking>,
    /// Whether an answer is under way that may be from before: it is asked for once more, whoever waits.
    is_asked_twice: Cell<bool>,
    /// The tasks that wait for Python, and how often it has answered.
    waiting: RefCell<Slab<Waker>>,
    answers: Cell<u64>,
    /// Calls that are open, and those of them that are streams.
    pub open: Cell<usize>,
    pub streams: Cell<usize>,
    /// When it was last used, in calls.
    pub used: Cell<u64>,
}

impl Credential {
    pub fn new(number: u64, key: Key) -> Self {
        Self {
            number,
            key,
            said: RefCell::new(Said::Nothing),
            is_lapsed: Cell::new(false),
            asking: Cell::new(Asking::No),
            is_asked_twice: Cell::new(false),
            waiting: RefCell::default(),
            answers: Cell::new(0),
            open: Cell::new(0),
            streams: Cell::new(0),
            used: Cell::new(0),
        }
    }

    /// Tell how a call with so many codes stands, and take its units where it may begin.
    pub fn admit(&self, host: Host, codes: usize, now: Instant) -> Standing {
        let mut said = self.said.borrow_mut();
        match &mut *said {
            Said::Denied(denial) if denial.until > now && !self.is_lapsed.get() => {
                Standing::Denied(denial.status.clone())
            }
            Said::Granted(grant) if grant.until > now && !self.is_lapsed.get() => {
                if !grant.is_for(host) {
                    return Standing::OtherHost;
                }
                if grant.group.get() >= grant.in_flight_max {
                    return Standing::Crowded;
                }
                if grant.take(codes) { Standing::Granted } else { Standing::Unknown }
            }
            _ => Standing::Unknown,
        }
    }

    /// Tell how a stream stands that is about to begin.
    pub fn admit_stream(&self, now: Instant) -> Standing {
        match &*self.said.borrow() {
            Said::Denied(denial) if denial.until > now && !self.is_lapsed.get() => {
                Standing::Denied(denial.status.clone())
            }
            Said::Granted(grant) if grant.until > now && !self.is_lapsed.get() => {
                if grant.group.get() >= grant.in_flight_max { Standing::Crowded } else { Standing::Granted }
            }
            _ => Standing::Unknown,
        }
    }

    /// Whether an open stream may have a message answered. It goes on while Python is asked again.
    pub fn has_units(&self) -> bool {
        matches!(&*self.said.borrow(), Said::Granted(grant) if grant.units > 0 || grant.is_fresh)
    }

    /// Take the unit of a stream's message. False where it is for another host than the granted one.
    pub fn take_message(&self, host: Host) -> bool {
        let mut said = self.said.borrow_mut();
        let Said::Granted(grant) = &mut *said else { return false };
        grant.is_for(host) && grant.take(1)
    }

    /// Return what calls of the group are counted by, once it is granted.
    pub fn group(&self) -> Option<Group> {
        match &*self.said.borrow() {
            Said::Granted(grant) => Some(grant.group.clone()),
            _ => None,
        }
    }

    /// Return how it was denied, if that was said last. Open streams end with it, however long it counts.
    pub fn denial(&self) -> Option<Status> {
        match &*self.said.borrow() {
            Said::Denied(denial) if denial.ends_streams => Some(denial.status.clone()),
            _ => None,
        }
    }

    /// Whether open streams are held back, and Python is to say when no longer.
    pub fn is_held(&self) -> bool {
        matches!(&*self.said.borrow(), Said::Denied(denial) if !denial.ends_streams)
    }

    /// Whether codes were answered beyond the units of the last grant, which Python does not know yet.
    pub fn owes(&self) -> bool {
        matches!(&*self.said.borrow(), Said::Granted(grant) if grant.units < 0)
    }

    /// Return the codes that were answered beyond the units of the last grant, once.
    pub fn take_owed(&self) -> i64 {
        match &mut *self.said.borrow_mut() {
            Said::Granted(grant) if grant.units < 0 => -std::mem::take(&mut grant.units),
            _ => 0,
        }
    }

    /// Return the denial that counts now, if one does.
    pub fn denial_now(&self, now: Instant) -> Option<Status> {
        match &*self.said.borrow() {
            Said::Denied(denial) if denial.until > now && !self.is_lapsed.get() => Some(denial.status.clone()),
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

    /// Return since when Python is being asked.
    pub fn asked_since(&self) -> Option<Instant> {
        match self.asking.get() {
            Asking::No => None,
            Asking::InLine(since) | Asking::Taken(since) => Some(since),
        }
    }

    /// Let what was said count no longer. Return whether it is to be put into the line at once: where an open stream or a
    /// waiting call depends on the answer, or one is under way.
    pub fn lapse(&self, now: Instant) -> bool {
        self.is_lapsed.set(true);
        match self.asking.get() {
            Asking::InLine(_) => false,
            Asking::Taken(_) => {
                self.is_asked_twice.set(true);
                self.asking.set(Asking::InLine(now));
                true
            }
            Asking::No => self.streams.get() > 0 && self.ask(now),
        }
    }

    /// Note that it is put into the line. False where Python is being asked already.
    pub fn ask(&self, now: Instant) -> bool {
        let is_new = self.asking.get() == Asking::No;
        if is_new {
            self.is_lapsed.set(true);
            self.asking.set(Asking::InLine(now));
        }
        is_new
    }

    /// Note that Python takes it from the line. False where nobody waits for the answer any more.
    pub fn take(&self) -> bool {
        let is_wanted = self.is_asked_twice.replace(false) || self.open.get() > 0;
        self.asking.set(match self.asking.get() {
            Asking::InLine(since) if is_wanted => Asking::Taken(since),
            _ => Asking::No,
        });
        is_wanted
    }

    /// Note what Python says. False where it is asked once more: the answer may be from before.
    fn say(&self, said: Said) -> bool {
        if let Asking::InLine(_) = self.asking.get() {
            return false;
        }
        self.asking.set(Asking::No);
        self.is_lapsed.set(false);
        *self.said.borrow_mut() = said;
        self.answers.update(|count| count + 1);
        self.waiting.take().into_iter().for_each(|(_, waker)| waker.wake());
        true
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

    /// Wake a task once Python has answered. A task has one place, and waits once for each answer.
    pub fn wait(&self, waker: &Waker, place: &mut Option<Place>) {
        let answers = self.answers.get();
        if place.as_ref().is_none_or(|place| place.answers != answers) {
            *place = Some(Place { answers, number: self.waiting.borrow_mut().insert(waker.clone()) });
        }
    }

    /// Give a place back.
    pub fn leave(&self, place: &Place) {
        if place.answers == self.answers.get() {
            self.waiting.borrow_mut().try_remove(place.number);
        }
    }
}

/// Where a task waits for an answer.
pub struct Place {
    answers: u64,
    number: usize,
}

impl Grant {
    fn is_for(&self, host: Host) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| hosts.contains(&host))
    }

    /// Take the units of codes. The first call may have more than there are, since it would otherwise never be answered.
    fn take(&mut self, codes: usize) -> bool {
        let codes = i64::try_from(codes).unwrap_or(i64::MAX);
        let has_units = self.units >= codes || self.is_fresh;
        if has_units {
            self.units = self.units.saturating_sub(codes);
            self.is_fresh = false;
        }
        has_units
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOST: Host = *b"420000";
    const SECOND: Duration = Duration::from_secs(1);

    fn credential() -> Credential {
        Credential::new(1, Key { certificate: Bytes::new(), authorization: None, is_local: true })
    }

    fn granted(units: i64, now: Instant) -> Credential {
        let made = credential();
        let (hosts, until, group) = (Some(vec![HOST]), now + SECOND, Group::default());
        assert!(made.grant(Grant { hosts, until, units, is_fresh: true, in_flight_max: 2, group }));
        made
    }

    fn refusal(now: Instant) -> Denial {
        Denial { status: Status::new(7, "", &[]), until: now + SECOND, ends_streams: true }
    }

    fn word(standing: &Standing) -> &'static str {
        match standing {
            Standing::Granted => "granted",
            Standing::Unknown => "unknown",
            Standing::OtherHost => "other host",
            Standing::Crowded => "crowded",
            Standing::Denied(_) => "denied",
        }
    }

    #[test]
    fn a_grant_lasts_for_its_units_and_its_time() {
        let now = Instant::now();
        assert_eq!(word(&credential().admit(HOST, 1, now)), "unknown");
        let one = granted(3, now);
        assert_eq!(word(&one.admit(*b"110000", 1, now)), "other host");
        assert_eq!(word(&one.admit(HOST, 1, now)), "granted");
        assert_eq!(word(&one.admit(HOST, 3, now)), "unknown", "two are left");
        assert_eq!(word(&one.admit(HOST, 2, now)), "granted");
        assert_eq!(word(&one.admit(HOST, 1, now)), "unknown");
        let other = granted(3, now);
        assert_eq!(word(&other.admit(HOST, 1, now + SECOND)), "unknown");
    }

    #[test]
    fn a_batch_that_is_larger_than_a_fresh_grant_passes_once() {
        let now = Instant::now();
        let one = granted(3, now);
        assert_eq!(word(&one.admit(HOST, 4096, now)), "granted");
        assert!(!one.has_units() && one.owes());
        assert_eq!(word(&one.admit(HOST, 1, now)), "unknown");
        assert_eq!((one.take_owed(), one.take_owed()), (4093, 0));
    }

    #[test]
    fn a_stream_that_is_held_back_is_not_ended_and_a_new_call_is_refused() {
        let now = Instant::now();
        let one = granted(1, now);
        let (status, until) = (Status::new(8, "", &[]), now + SECOND);
        assert!(one.deny(Denial { status, until, ends_streams: false }));
        assert!(one.is_held() && one.denial().is_none() && !one.has_units());
        assert_eq!(word(&one.admit(HOST, 1, now)), "denied");
        assert_eq!(word(&one.admit_stream(now)), "denied");
    }

    #[test]
    fn a_group_has_a_bound() {
        let now = Instant::now();
        let one = granted(9, now);
        let group = one.group().unwrap();
        group.set(2);
        assert_eq!(word(&one.admit(HOST, 1, now)), "crowded");
        assert_eq!(word(&one.admit_stream(now)), "crowded");
        group.set(1);
        assert_eq!(word(&one.admit_stream(now)), "granted");
    }

    #[test]
    fn a_stream_goes_on_while_python_is_asked_and_a_new_call_waits() {
        let now = Instant::now();
        let one = granted(9, now);
        one.streams.set(1);
        assert!(one.lapse(now) && !one.lapse(now) && !one.ask(now));
        assert!(one.has_units() && one.take_message(HOST));
        assert!(!one.take_message(*b"110000"));
        assert_eq!(word(&one.admit(HOST, 1, now)), "unknown");
        one.open.set(1);
        assert!(one.take());
        assert!(one.deny(refusal(now)));
        assert!(!one.has_units() && one.denial().is_some());
        assert_eq!(word(&one.admit(HOST, 1, now)), "denied");
        assert_eq!(word(&one.admit(HOST, 1, now + SECOND)), "unknown");
    }

    #[test]
    fn an_answer_from_before_does_not_count() {
        let now = Instant::now();
        let one = credential();
        one.open.set(1);
        assert!(one.ask(now) && one.take());
        assert!(one.lapse(now), "it is asked once more");
        one.open.set(0);
        assert!(!one.deny(refusal(now)));
        assert!(one.denial().is_none());
        assert!(one.take() && one.deny(refusal(now)));
    }

    #[test]
    fn nothing_is_asked_for_callers_who_have_gone() {
        let one = credential();
        assert!(one.ask(Instant::now()));
        assert!(!one.take());
        assert!(one.asked_since().is_none());
    }
}
