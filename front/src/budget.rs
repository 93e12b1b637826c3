//! A bound on the bytes that callers make the front hold: requests that are read, and answers that are not taken.
//!
//! It is the rule of ``rpc.answers``: a connection may hold half of the bytes that are free (the dynamic threshold of
//! Choudhury and Hahne, 1998), and one message of the largest size within twice the bound.
//!
//! It knows numbers. It may not know what they are of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::framing::{MESSAGE_BYTES_MAX, PREFIX};

/// Bytes of a request that are not counted while it comes: those of all calls of a connection are 1.6 MB. A batch is
/// counted when it has come, since as many may wait as are sent; the number of other calls that wait is bounded.
pub const SMALL_BYTES: usize = 16 * 1024;

/// All held bytes. The numbers are atomic since bodies are given back by ``Bytes``, which may be sent to any thread.
#[derive(Clone)]
pub struct Budget {
    held: Arc<AtomicUsize>,
    max: usize,
}

/// The held bytes of one connection.
#[derive(Clone)]
pub struct Account {
    held: Arc<AtomicUsize>,
    of_all: Budget,
}

/// Bytes that are held until this is dropped.
pub struct Charge {
    account: Account,
    size: usize,
}

impl Budget {
    pub fn new(max: usize) -> Self {
        Self { held: Arc::default(), max }
    }

    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    pub fn account(&self) -> Account {
        Account { held: Arc::default(), of_all: self.clone() }
    }
}

impl Account {
    /// Hold nothing yet.
    pub fn charge(&self) -> Charge {
        Charge { account: self.clone(), size: 0 }
    }

    fn has_room(&self, size: usize) -> bool {
        let (held, all) = (self.held.load(Ordering::Relaxed), self.of_all.held());
        let is_fair = held + size <= self.of_all.max.saturating_sub(all) / 2;
        is_fair || (held + size <= PREFIX + MESSAGE_BYTES_MAX && all + size <= 2 * self.of_all.max)
    }
}

impl Charge {
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The bytes that are held.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Hold so many bytes in all from now on. Return whether there is room for them.
    #[must_use]
    pub fn grow_to(&mut self, size: usize) -> bool {
        let more = size.saturating_sub(self.size);
        if !self.account.has_room(more) {
            return false;
        }
        self.account.held.fetch_add(more, Ordering::Relaxed);
        self.account.of_all.held.fetch_add(more, Ordering::Relaxed);
        self.size += more;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.held.fetch_sub(self.size, Ordering::Relaxed);
        self.account.of_all.held.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// A body that counts against the budget for as long as any part of it is held, h2's buffers included.
pub struct Held<B> {
    pub body: B,
    #[expect(dead_code, reason = "it counts until it is dropped")]
    pub charge: Charge,
}

impl<B: AsRef<[u8]>> AsRef<[u8]> for Held<B> {
    fn as_ref(&self) -> &[u8] {
        self.body.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn a_connection_has_half_of_what_is_free_and_one_message_in_any_case() {
        let budget = Budget::new(64 * MIB);
        let (one, other) = (budget.account(), budget.account());
        let mut first = one.charge();
        assert!(first.grow_to(21 * MIB));
        assert!(!first.grow_to(22 * MIB), "half of the 43 that are free");
        let mut second = other.charge();
        assert!(second.grow_to(20 * MIB));
        assert!(!second.grow_to(23 * MIB));
        let third = budget.account();
        let charges: Vec<_> = (0..2).map(|_| (third.charge(), 3 * MIB)).collect();
        let taken = charges.into_iter().map(|(mut charge, size)| (charge.grow_to(size), charge)).collect::<Vec<_>>();
        assert!(taken.iter().all(|(has_room, _)| *has_room));
        drop((first, second, taken));
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn a_body_is_held_until_its_last_part_is_gone() {
        let budget = Budget::new(64 * MIB);
        let mut charge = budget.account().charge();
        assert!(charge.grow_to(100));
        let mut body = Bytes::from_owner(Held { body: vec![0; 100], charge });
        let part = body.split_to(10);
        drop(body);
        assert_eq!(budget.held(), 100);
        drop(part);
        assert_eq!(budget.held(), 0);
    }
}
