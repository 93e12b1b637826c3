//! What Python lets the front answer by itself.
//!
//! It knows units, hosts and times, and what a refusal says. It may not know calls or credentials.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use crate::answers::Status;
use crate::requests::Host;

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

/// A refusal that counts for a while.
pub struct Denial {
    pub status: Status,
    pub until: Instant,
    /// Whether it ends open streams, too: otherwise they are held back until Python says more.
    pub ends_streams: bool,
}

impl Grant {
    /// Whether it is for a host.
    pub fn is_for(&self, host: Host) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| hosts.contains(&host))
    }

    /// Whether as many calls of its group are in flight as may be.
    pub fn is_crowded(&self) -> bool {
        self.group.get() >= self.in_flight_max
    }

    /// Return the codes that were answered beyond the units, once.
    pub fn take_owed(&mut self) -> i64 {
        if self.units < 0 { -std::mem::take(&mut self.units) } else { 0 }
    }

    /// Whether a code may be answered.
    pub fn has_units(&self) -> bool {
        self.units > 0 || self.is_fresh
    }

    /// Take the units of codes. The first call may have more than there are, since it would otherwise never be answered.
    pub fn take(&mut self, codes: usize) -> bool {
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
    use super::*;

    fn grant(units: i64) -> Grant {
        let (hosts, until, group) = (Some(vec![*b"420000"]), Instant::now(), Group::default());
        Grant { hosts, until, units, is_fresh: true, in_flight_max: 1, group }
    }

    #[test]
    fn a_grant_has_as_many_codes_as_units() {
        let mut one = grant(3);
        assert!(one.take(1));
        assert!(!one.take(3), "two are left");
        assert!(one.has_units() && one.take(2));
        assert!(!one.has_units() && !one.take(1));
    }

    #[test]
    fn a_batch_that_is_larger_than_a_fresh_grant_passes_once() {
        let mut one = grant(3);
        assert!(one.take(4096));
        assert_eq!(one.units, 3 - 4096);
        assert!(!one.has_units() && !one.take(1));
        assert_eq!((one.take_owed(), one.take_owed()), (4093, 0));
    }

    #[test]
    fn a_grant_without_a_list_of_hosts_is_for_any() {
        assert!(grant(1).is_for(*b"420000") && !grant(1).is_for(*b"110000"));
        assert!(Grant { hosts: None, ..grant(1) }.is_for(*b"110000"));
    }
}
