//! The line of credentials that Python is to be asked about, and what it answers.
//!
//! Those that were granted before come before all new ones: a stranger with made-up tokens delays only other strangers.
//!
//! It knows credentials. It may not know calls, or what a credential says.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use crate::answers::Status;
use crate::credential::{Credential, Turn};
use crate::grant::{Denial, Grant, Group, Shares};
use crate::key::Key;
use crate::known::Known;
use crate::requests::Host;

/// Credentials that Python is asked about in one turn: reading a token may take it 0.1 ms.
const ASKED_EACH: usize = 32;
/// Groups that are kept before those that are over are looked for.
const GROUPS_KEPT: usize = 1024;

pub struct Credentials {
    known: Known,
    line: RefCell<BTreeMap<Turn, Rc<Credential>>>,
    turns: Cell<u64>,
    groups: RefCell<HashMap<u64, Weak<Shares>>>,
    groups_max: Cell<usize>,
    /// Calls of strangers that wait for Python's first word.
    pub strangers: Cell<usize>,
}

/// What Python grants.
pub struct Given {
    pub hosts: Option<Vec<Host>>,
    pub lasts: Duration,
    pub units: i64,
    pub in_flight_max: usize,
    pub group: u64,
}

impl Credentials {
    pub fn new(count_max: usize) -> Self {
        Self {
            known: Known::new(count_max),
            line: RefCell::default(),
            turns: Cell::new(0),
            groups: RefCell::default(),
            groups_max: Cell::new(GROUPS_KEPT),
            strangers: Cell::new(0),
        }
    }

    /// Return the credential with a key, if there is room for it.
    pub fn find(&self, key: &Key) -> Option<Rc<Credential>> {
        self.known.find(key, |forgotten| {
            if let Some(turn) = forgotten.turn.take() {
                self.line.borrow_mut().remove(&turn);
            }
        })
    }

    /// Return what a caller has shown that Python was asked about, while it is known.
    pub fn shown(&self, number: u64) -> Option<Key> {
        self.known.get(number).map(|credential| credential.key.clone())
    }

    /// Return how many calls of a group are in flight here.
    pub fn in_flight(&self, number: u64) -> usize {
        let group = self.groups.borrow().get(&number).and_then(Weak::upgrade);
        group.map_or(0, |group| group.in_flight.get())
    }

    /// Note that a credential is used.
    pub fn touch(&self, credential: &Credential) {
        self.known.touch(credential);
    }

    /// Ask Python about a credential, unless it is being asked already.
    pub fn ask(&self, credential: &Rc<Credential>) {
        if credential.ask(Instant::now()) {
            self.put_into_line(credential);
        }
    }

    fn put_into_line(&self, credential: &Rc<Credential>) {
        self.turns.update(|count| count + 1);
        let turn = (!credential.was_granted(), self.turns.get());
        credential.turn.set(Some(turn));
        self.line.borrow_mut().insert(turn, credential.clone());
    }

    /// Whether ``take_asking`` may have something to return.
    pub fn has_asking(&self) -> bool {
        !self.line.borrow().is_empty()
    }

    /// Return the credentials that Python is to be asked about next, each once until it has answered.
    pub fn take_asking(&self) -> Vec<Rc<Credential>> {
        let mut taken = Vec::new();
        while taken.len() < ASKED_EACH
            && let Some((_, credential)) = self.line.borrow_mut().pop_first()
        {
            credential.turn.set(None);
            if credential.take() {
                taken.push(credential);
            }
        }
        taken
    }

    /// Note that calls with a credential may be answered. One that was forgotten meanwhile has no calls.
    pub fn grant(&self, number: u64, given: Given) {
        let Some(credential) = self.known.get(number) else { return };
        let Given { hosts, lasts, units, in_flight_max, group } = given;
        let (until, group) = (later(lasts), self.group(group));
        group.add(units);
        if credential.grant(Grant { hosts, until, in_flight_max, group }) {
            self.known.place(&credential);
        }
    }

    /// Note that calls with a credential are to be refused, and its open streams ended or held back.
    pub fn deny(&self, number: u64, status: Status, kind: Rc<str>, lasts: Duration, ends_streams: bool) {
        let Some(credential) = self.known.get(number) else { return };
        if credential.deny(Denial { status, kind, until: later(lasts), ends_streams }) {
            self.known.place(&credential);
        }
    }

    /// Let all that Python has said count no longer.
    pub fn ask_again(&self) {
        let now = Instant::now();
        for credential in self.known.all() {
            if credential.lapse(now) {
                self.put_into_line(&credential);
            }
        }
    }

    /// Return the group of a number. Those of which no call and no grant is left are forgotten, so that there are at most
    /// twice as many as credentials.
    fn group(&self, number: u64) -> Group {
        let mut groups = self.groups.borrow_mut();
        if let Some(group) = groups.get(&number).and_then(Weak::upgrade) {
            return group;
        }
        if groups.len() >= self.groups_max.get() {
            groups.retain(|_, group| group.strong_count() > 0);
            self.groups_max.set(GROUPS_KEPT.max(2 * groups.len()));
        }
        let group = Group::default();
        groups.insert(number, Rc::downgrade(&group));
        group
    }

    /// Drop everything.
    pub fn clear(&self) {
        drop(self.line.take());
        self.known.clear();
    }
}

/// Return a time from now. One that no clock reaches is a year from now: Python is asked again then.
fn later(lasts: Duration) -> Instant {
    const YEAR: Duration = Duration::from_hours(24 * 365);
    Instant::now() + lasts.min(YEAR)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;

    fn find(credentials: &Credentials, token: &str) -> Rc<Credential> {
        let authorization = Some(HeaderValue::from_str(token).unwrap());
        credentials.find(&Key { certificate: Bytes::new(), authorization, is_local: true }).unwrap()
    }

    fn grant(credentials: &Credentials, one: &Credential) {
        let given = Given { hosts: None, lasts: Duration::MAX, units: 9, in_flight_max: 9, group: one.number };
        credentials.grant(one.number, given);
    }

    #[test]
    fn known_ones_are_asked_about_first_and_those_whose_callers_have_gone_never() {
        let credentials = Credentials::new(9);
        let [new, gone, known] = ["a", "b", "c"].map(|token| find(&credentials, token));
        grant(&credentials, &known);
        for one in [&new, &gone, &known] {
            one.open.set(1);
            credentials.ask(one);
            credentials.ask(one);
        }
        gone.open.set(0);
        let asked: Vec<_> = credentials.take_asking().iter().map(|one| one.number).collect();
        assert_eq!(asked, [known.number, new.number]);
        assert!(!credentials.has_asking());
        credentials.ask_again();
        assert_eq!(credentials.take_asking().len(), 2, "the answers may be from before");
    }

    #[test]
    fn what_gives_way_leaves_the_line() {
        let credentials = Credentials::new(2);
        for n in 0..100 {
            credentials.ask(&find(&credentials, &n.to_string()));
        }
        assert_eq!(credentials.line.borrow().len(), 2);
        assert!(credentials.take_asking().is_empty(), "no caller waits");
    }

    #[test]
    fn groups_that_are_over_are_forgotten() {
        let credentials = Credentials::new(2);
        for n in 0..10_000 {
            grant(&credentials, &find(&credentials, &n.to_string()));
        }
        assert!(credentials.groups.borrow().len() <= GROUPS_KEPT);
        let one = find(&credentials, "one");
        let group = credentials.group(7);
        credentials
            .grant(one.number, Given { hosts: None, lasts: Duration::ZERO, units: 1, in_flight_max: 1, group: 7 });
        assert!(Rc::ptr_eq(&group, &one.group().unwrap()));
    }
}
