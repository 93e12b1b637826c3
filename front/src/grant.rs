//! What Python lets the front answer by itself.
//!
//! It knows units, hosts and times, and what a refusal says. It may not know calls or credentials.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use crate::answers::Status;
use crate::counts::Why;
use crate::requests::Host;

/// What all credentials of one caller share.
#[derive(Default)]
pub struct Shares {
    /// Calls in flight.
    pub in_flight: Cell<usize>,
    /// Codes that may be answered still.
    pub units: Cell<i64>,
}

pub type Group = Rc<Shares>;

/// What Python lets the front answer by itself.
pub struct Grant {
    /// The hosts, or None for any.
    pub hosts: Option<Vec<Host>>,
    pub until: Instant,
    pub in_flight_max: usize,
    pub group: Group,
}

/// A refusal that counts for a while.
pub struct Denial {
    pub status: Status,
    /// As which refused calls are counted.
    pub kind: Rc<str>,
    pub until: Instant,
    /// Whether it ends open streams, too: otherwise they are held back until it ends.
    pub ends_streams: bool,
}

impl Denial {
    /// Return how a call is refused: as it is counted, and as its caller is told.
    pub fn refusal(&self) -> (Why, Status) {
        (Why::Denied(self.kind.clone()), self.status.clone())
    }
}

impl Shares {
    /// Add the units of a grant.
    pub fn add(&self, units: i64) {
        self.units.update(|left| left.saturating_add(units));
    }

    /// Take the units of codes. Where there are too few, return how many are wanting, and take none.
    pub fn take(&self, codes: usize) -> Result<(), i64> {
        let codes = i64::try_from(codes).unwrap_or(i64::MAX);
        let left = self.units.get() - codes;
        if left < 0 {
            return Err(-left);
        }
        self.units.set(left);
        Ok(())
    }
}

impl Grant {
    /// Whether it is for a host.
    pub fn is_for(&self, host: Host) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| hosts.contains(&host))
    }

    /// Whether as many calls of its group are in flight as may be.
    pub fn is_crowded(&self) -> bool {
        self.group.in_flight.get() >= self.in_flight_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_as_many_codes_as_units() {
        let group = Group::default();
        assert_eq!(group.take(1), Err(1));
        group.add(3);
        assert_eq!(group.take(1), Ok(()));
        assert_eq!(group.take(4096), Err(4094), "none are taken");
        assert_eq!(group.take(2), Ok(()));
        group.add(i64::MAX);
        group.add(i64::MAX);
        assert_eq!(group.take(usize::MAX), Ok(()));
    }

    #[test]
    fn a_grant_without_a_list_of_hosts_is_for_any() {
        let grant = |hosts| Grant { hosts, until: Instant::now(), in_flight_max: 1, group: Group::default() };
        let one = grant(Some(vec![*b"420000"]));
        assert!(one.is_for(*b"420000") && !one.is_for(*b"110000"));
        assert!(grant(None).is_for(*b"110000"));
        assert!(!grant(Some(Vec::new())).is_for(*b"110000"));
    }
}
