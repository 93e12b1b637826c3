//! Counts what happens between two looks of Python.
//!
//! It knows methods, gRPC codes and reasons. It may not know calls or sockets.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// A method that is answered here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    Verify,
    StreamVerify,
    BatchVerify,
}

impl Method {
    pub const ALL: [Self; 3] = [Self::Verify, Self::StreamVerify, Self::BatchVerify];

    pub fn name(self) -> &'static str {
        match self {
            Self::Verify => "Verify",
            Self::StreamVerify => "StreamVerify",
            Self::BatchVerify => "BatchVerify",
        }
    }
}

/// The counts of one method.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calls {
    pub started: u64,
    pub received: u64,
    pub sent: u64,
    pub handled: BTreeMap<u32, u64>,
    /// By bucket; the last is for what is above all bounds.
    pub latencies: Vec<u64>,
    pub seconds: f64,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// One of the front's own reasons.
    Own(&'static str),
    /// The kind of what Python has said of its caller.
    Denied(Rc<str>),
}

impl From<&'static str> for Why {
    fn from(reason: &'static str) -> Self {
        Self::Own(reason)
    }
}

/// What has happened between two looks.
pub struct Taken {
    pub methods: [Calls; 3],
    pub refused: BTreeMap<&'static str, u64>,
    /// Those of ``refused`` of which Python has said why, by kind.
    pub denied: BTreeMap<Rc<str>, u64>,
    pub passed_on: u64,
    pub shed_codes: u64,
}

/// All counts. Those of connections and open calls are how many there are now.
pub struct Counts {
    methods: RefCell<[Calls; 3]>,
    refused: RefCell<BTreeMap<&'static str, u64>>,
    denied: RefCell<BTreeMap<Rc<str>, u64>>,
    bounds_s: Vec<f64>,
    pub passed_on: Cell<u64>,
    shed_codes: Cell<u64>,
    pub connections: Cell<usize>,
    pub open_calls: Cell<usize>,
}

impl Counts {
    /// ``bounds_s`` are the upper bounds of the buckets of latencies, rising.
    pub fn new(bounds_s: Vec<f64>) -> Self {
        let counts = Self {
            methods: RefCell::default(),
            refused: RefCell::default(),
            denied: RefCell::default(),
            bounds_s,
            passed_on: Cell::new(0),
            shed_codes: Cell::new(0),
            connections: Cell::new(0),
            open_calls: Cell::new(0),
        };
        counts.take();
        counts
    }

    pub fn started(&self, method: Method) {
        self.methods.borrow_mut()[method as usize].started += 1;
    }

    pub fn received(&self, method: Method) {
        self.methods.borrow_mut()[method as usize].received += 1;
    }

    pub fn sent(&self, method: Method) {
        self.methods.borrow_mut()[method as usize].sent += 1;
    }

    pub fn handled(&self, method: Method, code: u32, took: Duration) {
        let seconds = took.as_secs_f64();
        let calls = &mut self.methods.borrow_mut()[method as usize];
        *calls.handled.entry(code).or_default() += 1;
        calls.latencies[self.bounds_s.partition_point(|bound| *bound < seconds)] += 1;
        calls.seconds += seconds;
    }

    pub fn refused(&self, why: impl Into<Why>) {
        let reason = match why.into() {
            Why::Own(reason) => reason,
            Why::Denied(kind) => {
                *self.denied.borrow_mut().entry(kind).or_default() += 1;
                "caller_denied"
            }
        };
        *self.refused.borrow_mut().entry(reason).or_default() += 1;
    }

    /// Count codes of a call that was refused.
    pub fn shed(&self, codes: usize) {
        self.shed_codes.update(|count| count + codes as u64);
    }

    /// Return what has happened since the last look.
    pub fn take(&self) -> Taken {
        let none = || Calls { latencies: vec![0; self.bounds_s.len() + 1], ..Calls::default() };
        Taken {
            methods: self.methods.replace([none(), none(), none()]),
            refused: self.refused.take(),
            denied: self.denied.take(),
            passed_on: self.passed_on.take(),
            shed_codes: self.shed_codes.take(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_counts_in_the_first_bucket_that_it_fits_and_a_look_begins_anew() {
        let counts = Counts::new(vec![0.001, 0.01]);
        for ms in [1, 2, 10, 11] {
            counts.handled(Method::StreamVerify, 0, Duration::from_millis(ms));
        }
        counts.refused("queue_full");
        counts.shed(3);
        for kind in ["EXPIRED", "REVOKED", "EXPIRED"] {
            counts.refused(Why::Denied(kind.into()));
        }
        let Taken { methods, refused, denied, shed_codes, .. } = counts.take();
        assert_eq!(shed_codes, 3);
        assert_eq!(methods[Method::StreamVerify as usize].latencies, [1, 2, 1]);
        assert_eq!(methods[Method::StreamVerify as usize].handled[&0], 4);
        assert_eq!((refused["queue_full"], refused["caller_denied"]), (1, 3));
        assert_eq!((denied["EXPIRED"], denied["REVOKED"]), (2, 1));
        assert_eq!(counts.take().methods[1].latencies, [0, 0, 0]);
    }
}
