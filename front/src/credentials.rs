//! The credentials that callers have shown, within a bound, and the line of those that Python is to be asked about.
//!
//! A stranger may show new ones without end. Those that were denied give way first, then the least recently used; one
//! with open calls never does. In the line, those that were granted before come before all new ones.
//!
//! It knows credentials. It may not know calls, or what a credential says.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use crate::answers::Status;
use crate::credential::{Credential, Denial, Grant, Group, Key};
use crate::requests::Host;

/// Bytes that all credentials may take: 16,384 with a certificate and a token of 1 KiB each.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// What one takes besides its certificate and its token.
const ENTRY_BYTES: usize = 512;
/// Credentials that Python is asked about in one turn: reading a token may take it 0.1 ms.
const ASKED_EACH: usize = 32;
/// Credentials with open calls that are passed over to find one that may give way.
const TRIES: usize = 64;

/// The place of a credential among those that give way: first by kind, then by its last use.
type Place = (u8, u64, u64);
const DENIED: u8 = 0;
const OTHER: u8 = 1;

/// The order of the line: first by kind, then by number.
type Turn = (u8, u64);
const KNOWN: u8 = 0;
const NEW: u8 = 1;

struct Entry {
    credential: Rc<Credential>,
    place: Cell<Place>,
    turn: Cell<Option<Turn>>,
    bytes: usize,
}

pub struct Credentials {
    count_max: usize,
    by_key: RefCell<HashMap<Key, u64>>,
    entries: RefCell<HashMap<u64, Entry>>,
    by_use: RefCell<BTreeSet<Place>>,
    line: RefCell<BTreeMap<Turn, u64>>,
    groups: RefCell<HashMap<u64, Weak<Cell<usize>>>>,
    bytes: Cell<usize>,
    /// Counts credentials, uses and turns.
    clock: Cell<u64>,
    /// Codes of calls that wait for Python's word on a credential.
    pub waiting_codes: Cell<usize>,
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
            count_max,
            by_key: RefCell::default(),
            entries: RefCell::default(),
            by_use: RefCell::default(),
            line: RefCell::default(),
            groups: RefCell::default(),
            bytes: Cell::new(0),
            clock: Cell::new(0),
            waiting_codes: Cell::new(0),
        }
    }

    fn tick(&self) -> u64 {
        self.clock.update(|clock| clock + 1);
        self.clock.get()
    }

    /// Note that a credential is used.
    pub fn touch(&self, credential: &Credential) {
        credential.used.set(self.tick());
    }

    /// Return the credential with a key: a new one where there is none. None where there is no room for it.
    pub fn find(&self, key: &Key) -> Option<Rc<Credential>> {
        if let Some(number) = self.by_key.borrow().get(key) {
            return Some(self.entries.borrow()[number].credential.clone());
        }
        let bytes = ENTRY_BYTES + key.certificate.len() + key.authorization().len();
        while self.entries.borrow().len() >= self.count_max || self.bytes.get() + bytes > BYTES_MAX {
            self.give_way()?;
        }
        let number = self.tick();
        let credential = Rc::new(Credential::new(number, key.compact()));
        let place = (OTHER, number, number);
        self.by_key.borrow_mut().insert(credential.key.clone(), number);
        self.by_use.borrow_mut().insert(place);
        self.bytes.update(|count| count + bytes);
        let entry = Entry { credential: credential.clone(), place: Cell::new(place), turn: Cell::new(None), bytes };
        self.entries.borrow_mut().insert(number, entry);
        Some(credential)
    }

    /// Forget the credential that is to give way. None where all have open calls, as far as was looked.
    fn give_way(&self) -> Option<()> {
        let mut tries = 0;
        while tries < TRIES {
            let first = self.by_use.borrow_mut().pop_first()?;
            let entries = self.entries.borrow();
            let entry = &entries[&first.2];
            let credential = &entry.credential;
            if credential.open.get() == 0 && credential.used.get() <= first.1 {
                drop(entries);
                self.forget(first.2);
                return Some(());
            }
            if credential.open.get() > 0 {
                tries += 1;
                self.touch(credential);
            }
            let place = (if credential.is_denied() { DENIED } else { OTHER }, credential.used.get(), first.2);
            entry.place.set(place);
            self.by_use.borrow_mut().insert(place);
        }
        None
    }

    fn forget(&self, number: u64) {
        let Some(entry) = self.entries.borrow_mut().remove(&number) else { return };
        self.by_use.borrow_mut().remove(&entry.place.get());
        self.by_key.borrow_mut().remove(&entry.credential.key);
        if let Some(turn) = entry.turn.get() {
            self.line.borrow_mut().remove(&turn);
        }
        self.bytes.update(|count| count - entry.bytes);
    }

    /// Ask Python about a credential, unless it is being asked already.
    pub fn ask(&self, credential: &Credential) {
        if credential.ask(Instant::now()) {
            self.put_into_line(credential);
        }
    }

    fn put_into_line(&self, credential: &Credential) {
        let entries = self.entries.borrow();
        let Some(entry) = entries.get(&credential.number) else { return };
        let turn = (if credential.was_granted() { KNOWN } else { NEW }, self.tick());
        entry.turn.set(Some(turn));
        self.line.borrow_mut().insert(turn, credential.number);
    }

    /// Whether ``take_asking`` may have something to return.
    pub fn has_asking(&self) -> bool {
        !self.line.borrow().is_empty()
    }

    /// Return the credentials that Python is to be asked about next, each once until it has answered.
    pub fn take_asking(&self) -> Vec<Rc<Credential>> {
        let mut taken = Vec::new();
        let entries = self.entries.borrow();
        while taken.len() < ASKED_EACH
            && let Some((_, number)) = self.line.borrow_mut().pop_first()
        {
            let entry = &entries[&number];
            entry.turn.set(None);
            if entry.credential.take() {
                taken.push(entry.credential.clone());
            }
        }
        taken
    }

    /// Note that calls with a credential may be answered. One that was forgotten meanwhile has no calls.
    pub fn grant(&self, number: u64, given: Given) {
        let Some(credential) = self.credential(number) else { return };
        let Given { hosts, lasts, units, in_flight_max, group } = given;
        let until = later(lasts);
        let group = self.group(group);
        if credential.grant(Grant { hosts, until, units, is_fresh: true, in_flight_max, group }) {
            self.place(&credential, OTHER);
        }
    }

    /// Note that calls with a credential are to be refused, and its open streams ended or held back.
    pub fn deny(&self, number: u64, status: Status, lasts: Duration, ends_streams: bool) {
        let Some(credential) = self.credential(number) else { return };
        if credential.deny(Denial { status, until: later(lasts), ends_streams }) {
            self.place(&credential, DENIED);
        }
    }

    /// Let all that Python has said count no longer.
    pub fn ask_again(&self) {
        let now = Instant::now();
        let all: Vec<_> = self.entries.borrow().values().map(|entry| entry.credential.clone()).collect();
        for credential in all {
            if credential.lapse(now) {
                self.put_into_line(&credential);
            }
        }
    }

    fn credential(&self, number: u64) -> Option<Rc<Credential>> {
        self.entries.borrow().get(&number).map(|entry| entry.credential.clone())
    }

    fn place(&self, credential: &Credential, kind: u8) {
        let entries = self.entries.borrow();
        let Some(entry) = entries.get(&credential.number) else { return };
        let place = (kind, credential.used.get(), credential.number);
        let mut by_use = self.by_use.borrow_mut();
        by_use.remove(&entry.place.replace(place));
        by_use.insert(place);
    }

    /// Return the group of a number. Those of which no call and no grant is left are forgotten.
    fn group(&self, number: u64) -> Group {
        let mut groups = self.groups.borrow_mut();
        if let Some(group) = groups.get(&number).and_then(Weak::upgrade) {
            return group;
        }
        if groups.len() >= 2 * self.count_max {
            groups.retain(|_, group| group.strong_count() > 0);
        }
        let group = Group::default();
        groups.insert(number, Rc::downgrade(&group));
        group
    }

    /// Drop everything.
    pub fn clear(&self) {
        let dropped = (self.entries.take(), self.by_key.take(), self.by_use.take(), self.line.take());
        drop(dropped);
        self.bytes.set(0);
    }
}

/// Return a time from now. One that no clock reaches is a year from now: Python is asked again then.
fn later(lasts: Duration) -> Instant {
    const YEAR: Duration = Duration::from_hours(24 * 365);
    let now = Instant::now();
    now + lasts.min(YEAR)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn find(credentials: &Credentials, token: &str) -> Option<Rc<Credential>> {
        let authorization = Some(HeaderValue::from_str(token).unwrap());
        let found = credentials.find(&Key { certificate: Bytes::new(), authorization, is_local: true });
        found.inspect(|one| credentials.touch(one))
    }

    fn denied(credentials: &Credentials, one: &Credential) {
        credentials.deny(one.number, Status::new(16, "", &[]), SECOND, true);
    }

    fn granted(credentials: &Credentials, one: &Credential) {
        let given = Given { hosts: None, lasts: SECOND, units: 9, in_flight_max: 9, group: one.number };
        credentials.grant(one.number, given);
    }

    #[test]
    fn denied_ones_give_way_first_then_the_least_recently_used_and_never_one_in_use() {
        let credentials = Credentials::new(4);
        let [in_use, kept, old, bad] = ["a", "b", "c", "d"].map(|token| find(&credentials, token).unwrap());
        in_use.open.set(1);
        granted(&credentials, &old);
        denied(&credentials, &bad);
        credentials.touch(&kept);
        for (token, gone) in [("e", bad.number), ("f", old.number)] {
            assert!(find(&credentials, token).is_some());
            assert!(!credentials.entries.borrow().contains_key(&gone));
        }
        assert_eq!(find(&credentials, "b").unwrap().number, kept.number);
        assert_eq!(find(&credentials, "a").unwrap().number, in_use.number);
        assert_eq!(credentials.entries.borrow().len(), 4);
    }

    #[test]
    fn a_flood_of_denied_tokens_leaves_those_of_others_alone() {
        let credentials = Credentials::new(64);
        let polite: Vec<_> = (0..32).map(|n| find(&credentials, &format!("polite {n}")).unwrap()).collect();
        for one in &polite {
            granted(&credentials, one);
        }
        for n in 0..1000 {
            let one = find(&credentials, &format!("flood {n}")).unwrap();
            one.open.set(1);
            credentials.ask(&one);
            assert_eq!(credentials.take_asking().len(), 1);
            denied(&credentials, &one);
            one.open.set(0);
        }
        assert!(polite.iter().all(|one| credentials.entries.borrow().contains_key(&one.number)));
        let sizes = (credentials.by_key.borrow().len(), credentials.by_use.borrow().len());
        assert_eq!(sizes, (64, 64));
        assert!(credentials.groups.borrow().len() <= 128);
    }

    #[test]
    fn where_all_are_in_use_there_is_no_room() {
        let credentials = Credentials::new(2);
        for token in ["a", "b"] {
            find(&credentials, token).unwrap().open.set(1);
        }
        assert!(find(&credentials, "c").is_none());
        find(&credentials, "b").unwrap().open.set(0);
        assert!(find(&credentials, "c").is_some());
    }

    #[test]
    fn memory_is_bounded() {
        let credentials = Credentials::new(usize::MAX / 4);
        let filler = "x".repeat(8000);
        for n in 0..2 * BYTES_MAX / 8000 {
            assert!(find(&credentials, &format!("{n} {filler}")).is_some());
        }
        assert!(credentials.bytes.get() <= BYTES_MAX);
        let held: usize = credentials.entries.borrow().values().map(|entry| entry.bytes).sum();
        assert_eq!(held, credentials.bytes.get());
    }

    #[test]
    fn known_ones_are_asked_about_first_and_those_whose_callers_have_gone_never() {
        let credentials = Credentials::new(9);
        let [new, gone, known] = ["a", "b", "c"].map(|token| find(&credentials, token).unwrap());
        granted(&credentials, &known);
        for one in [&new, &gone, &known] {
            one.open.set(1);
            credentials.ask(one);
        }
        gone.open.set(0);
        let asked: Vec<_> = credentials.take_asking().iter().map(|one| one.number).collect();
        assert_eq!(asked, [known.number, new.number]);
        assert!(!credentials.has_asking());
        credentials.ask_again();
        assert!(credentials.has_asking(), "the answers may be from before");
        assert_eq!(credentials.take_asking().len(), 2);
    }
}
