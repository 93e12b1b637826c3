//! The credentials that are known, within a bound of count and bytes.
//!
//! A stranger may show new ones without end. Those that were denied give way first, then the least recently used; one
//! with open calls never does.
//!
//! It knows when credentials were used. It may not know calls, or who asks about them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use crate::credential::Credential;
use crate::key::Key;

/// Bytes that all credentials may take: 16,384 with a certificate and a token of 1 KiB each.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// What one takes besides its certificate and its token.
const ENTRY_BYTES: usize = 512;
/// Credentials with open calls that are passed over to find one that may give way.
const TRIES: usize = 64;

/// The place of a credential among those that give way: whether it is another than a denied one, its last use, and its
/// number.
type Place = (bool, u64, u64);

struct Entry {
    credential: Rc<Credential>,
    place: Cell<Place>,
    bytes: usize,
}

pub struct Known {
    count_max: usize,
    by_key: RefCell<HashMap<Key, u64>>,
    entries: RefCell<HashMap<u64, Entry>>,
    by_use: RefCell<BTreeSet<Place>>,
    bytes: Cell<usize>,
    /// Counts credentials and their uses.
    clock: Cell<u64>,
}

impl Known {
    pub fn new(count_max: usize) -> Self {
        Self {
            count_max,
            by_key: RefCell::default(),
            entries: RefCell::default(),
            by_use: RefCell::default(),
            bytes: Cell::new(0),
            clock: Cell::new(0),
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

    pub fn get(&self, number: u64) -> Option<Rc<Credential>> {
        self.entries.borrow().get(&number).map(|entry| entry.credential.clone())
    }

    pub fn all(&self) -> Vec<Rc<Credential>> {
        self.entries.borrow().values().map(|entry| entry.credential.clone()).collect()
    }

    /// Return the credential with a key: a new one where there is none, for which ``forgotten`` may be told of others. None
    /// where there is no room for it.
    pub fn find(&self, key: &Key, forgotten: impl Fn(&Credential)) -> Option<Rc<Credential>> {
        if let Some(number) = self.by_key.borrow().get(key) {
            return self.get(*number);
        }
        let bytes = ENTRY_BYTES + key.certificate.len() + key.authorization().len();
        while self.entries.borrow().len() >= self.count_max || self.bytes.get() + bytes > BYTES_MAX {
            forgotten(&*self.give_way()?);
        }
        let number = self.tick();
        let credential = Rc::new(Credential::new(number, key.compact()));
        let place = (true, number, number);
        self.by_key.borrow_mut().insert(credential.key.clone(), number);
        self.by_use.borrow_mut().insert(place);
        self.bytes.update(|count| count + bytes);
        let entry = Entry { credential: credential.clone(), place: Cell::new(place), bytes };
        self.entries.borrow_mut().insert(number, entry);
        Some(credential)
    }

    /// Forget the credential that is to give way. None where all have open calls, as far as was looked.
    fn give_way(&self) -> Option<Rc<Credential>> {
        let mut tries = 0;
        while tries < TRIES {
            let (_, used, number) = *self.by_use.borrow().first()?;
            let credential = self.get(number)?;
            if credential.open.get() > 0 {
                tries += 1;
                self.touch(&credential);
            } else if credential.used.get() <= used {
                self.forget(number);
                return Some(credential);
            }
            self.place(&credential);
        }
        None
    }

    fn forget(&self, number: u64) {
        let Some(entry) = self.entries.borrow_mut().remove(&number) else { return };
        self.by_use.borrow_mut().remove(&entry.place.get());
        self.by_key.borrow_mut().remove(&entry.credential.key);
        self.bytes.update(|count| count - entry.bytes);
    }

    /// Put a credential where it belongs among those that give way: it was denied, granted or used.
    pub fn place(&self, credential: &Credential) {
        let entries = self.entries.borrow();
        let Some(entry) = entries.get(&credential.number) else { return };
        let place = (!credential.is_denied(), credential.used.get(), credential.number);
        let mut by_use = self.by_use.borrow_mut();
        by_use.remove(&entry.place.replace(place));
        by_use.insert(place);
    }

    /// Drop everything.
    pub fn clear(&self) {
        drop((self.entries.take(), self.by_key.take(), self.by_use.take()));
        self.bytes.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;
    use crate::answers::Status;
    use crate::grant::Denial;

    fn find(known: &Known, token: &str) -> Option<Rc<Credential>> {
        let authorization = Some(HeaderValue::from_str(token).unwrap());
        let found = known.find(&Key { certificate: Bytes::new(), authorization, is_local: true }, |_| ());
        found.inspect(|one| known.touch(one))
    }

    fn deny(known: &Known, one: &Credential) {
        let until = Instant::now() + Duration::from_secs(1);
        assert!(one.deny(Denial { status: Status::new(16, "", &[]), kind: "".into(), until, ends_streams: true }));
        known.place(one);
    }

    #[test]
    fn denied_ones_give_way_first_then_the_least_recently_used_and_never_one_in_use() {
        let known = Known::new(4);
        let [in_use, kept, old, bad] = ["a", "b", "c", "d"].map(|token| find(&known, token).unwrap());
        in_use.open.set(1);
        deny(&known, &bad);
        known.touch(&kept);
        for (token, gone) in [("e", bad.number), ("f", old.number)] {
            assert!(find(&known, token).is_some());
            assert!(known.get(gone).is_none());
        }
        assert_eq!(find(&known, "b").unwrap().number, kept.number);
        assert_eq!(find(&known, "a").unwrap().number, in_use.number);
        assert_eq!(known.entries.borrow().len(), 4);
    }

    #[test]
    fn a_flood_of_denied_tokens_leaves_those_of_others_alone() {
        let known = Known::new(64);
        let polite: Vec<_> = (0..32).map(|n| find(&known, &format!("polite {n}")).unwrap()).collect();
        for n in 0..1000 {
            deny(&known, &find(&known, &format!("flood {n}")).unwrap());
        }
        assert!(polite.iter().all(|one| known.get(one.number).is_some()));
        assert_eq!((known.by_key.borrow().len(), known.by_use.borrow().len()), (64, 64));
    }

    #[test]
    fn where_all_are_in_use_there_is_no_room() {
        let known = Known::new(2);
        for token in ["a", "b"] {
            find(&known, token).unwrap().open.set(1);
        }
        assert!(find(&known, "c").is_none());
        find(&known, "b").unwrap().open.set(0);
        assert!(find(&known, "c").is_some());
    }

    #[test]
    fn memory_is_bounded() {
        let known = Known::new(usize::MAX);
        let filler = "x".repeat(8000);
        for n in 0..BYTES_MAX / 8000 {
            assert!(find(&known, &format!("{n} {filler}")).is_some());
        }
        assert!(known.bytes.get() <= BYTES_MAX);
        let held: usize = known.entries.borrow().values().map(|entry| entry.bytes).sum();
        assert_eq!(held, known.bytes.get());
    }
}
