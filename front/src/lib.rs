//! The native front as a module of Python: ``onecode_server.rpc._front``, whose stub describes it.
//!
//! It knows Python's types and the front's methods. It may not know how anything is done.

mod admissions;
mod answers;
mod asking;
mod batch_calls;
mod budget;
mod calls;
mod claims;
mod connection;
mod connection_times;
mod counts;
mod credential;
mod credentials;
mod executor;
mod frames;
mod framing;
mod front;
mod given;
mod grant;
mod guard;
mod handover;
mod handshakes;
mod headers;
mod key;
mod known;
mod limits;
mod linger;
mod listener;
mod meter;
mod open_call;
mod open_streams;
mod open_tls;
mod pace;
mod panics;
mod queue;
mod reactor;
mod requests;
mod shared;
mod slots;
mod strangers;
mod stream_claims;
mod stream_task;
mod streams;
mod timers;
mod tls;
mod told_counts;
mod transfer;
mod transport;
mod upstream;
mod watched;
mod wire_format;
mod work;
mod write_buffer;

use std::os::fd::{AsRawFd, RawFd};
use std::time::Instant;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::answers::Replies;
use crate::credentials::Given;
use crate::front::Setup;
use crate::given::{GivenStatus, Tls, status};
use crate::handover::Shown;
use crate::limits::Limits;
use crate::work::Work;

/// The version of the boundary to Python.
const ABI: u32 = 6;

/// A batch as Python sees it: ticket, host, number of codes, and the seconds that its caller still waits.
type TakenBatch<'py> = (usize, Bound<'py, PyString>, usize, Option<f64>);

#[pyclass(unsendable, module = "onecode_server.rpc._front")]
struct Front(front::Front);

#[pymethods]
#[expect(clippy::needless_pass_by_value, reason = "PyO3 hands arguments over by value")]
impl Front {
    #[new]
    #[pyo3(signature = (
        hosts, port, upstream, upstream_token, overloaded, expired, overdue, idle, crowded, *, tls, latency_buckets_s,
        **limits
    ))]
    #[expect(clippy::too_many_arguments, reason = "they are Python's, which names them")]
    fn new(
        hosts: Vec<String>,
        port: u16,
        upstream: String,
        upstream_token: &str,
        overloaded: GivenStatus,
        expired: GivenStatus,
        overdue: GivenStatus,
        idle: GivenStatus,
        crowded: GivenStatus,
        tls: Option<&Tls>,
        latency_buckets_s: Vec<f64>,
        limits: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let (limits, hosts, token) = (Limits::of(limits)?, given::addresses(&hosts)?, given::token(upstream_token)?);
        let replies = Replies::new([overloaded, expired, overdue, idle, crowded].map(status));
        let tls = tls.map(|tls| tls.0.clone());
        let setup = Setup { hosts, port, upstream, token, replies, latency_buckets_s, limits, tls };
        Ok(Self(front::Front::new(setup)?))
    }

    #[getter]
    fn port(&self) -> u16 {
        self.0.port()
    }

    fn fileno(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    #[pyo3(signature = (reads = true))]
    fn turn(&self, reads: bool) -> PyResult<usize> {
        if self.0.is_closed() {
            return Ok(0);
        }
        Ok(self.0.turn(reads)?)
    }

    #[getter]
    fn has_work(&self) -> bool {
        self.0.has_work()
    }

    fn renew_tls(&self, tls: &Tls) -> PyResult<()> {
        let has_tls = self.0.renew_tls(tls.0.clone());
        has_tls.then_some(()).ok_or_else(|| PyValueError::new_err("the front was made without TLS"))
    }

    fn take_asking<'py>(&self, py: Python<'py>) -> Vec<handover::Asked<'py>> {
        let asked = self.0.shared().credentials.take_asking();
        asked.iter().map(|credential| handover::asked(py, credential)).collect()
    }

    fn grant(
        &self,
        number: u64,
        hosts: Option<Vec<String>>,
        seconds: f64,
        units: i64,
        in_flight_max: usize,
        group: u64,
    ) -> PyResult<()> {
        let (hosts, lasts) = (given::hosts(hosts)?, limits::duration(seconds)?);
        self.0.shared().credentials.grant(number, Given { hosts, lasts, units, in_flight_max, group });
        Ok(())
    }

    fn deny(&self, number: u64, status: GivenStatus, kind: &str, seconds: f64, ends_streams: bool) -> PyResult<()> {
        let lasts = limits::duration(seconds)?;
        self.0.shared().credentials.deny(number, self::status(status), kind.into(), lasts, ends_streams);
        Ok(())
    }

    fn shown<'py>(&self, py: Python<'py>, number: u64) -> Option<Shown<'py>> {
        self.0.shared().credentials.shown(number).map(|key| handover::shown(py, &key))
    }

    fn in_flight(&self, group: u64) -> usize {
        self.0.shared().credentials.in_flight(group)
    }

    fn ask_again(&self) {
        self.0.shared().credentials.ask_again();
    }

    fn take<'py>(&self, py: Python<'py>, count_max: usize) -> PyResult<Bound<'py, PyList>> {
        let queue = &self.0.shared().queue;
        let list = PyList::empty(py);
        for work in self.0.take(count_max) {
            let (kind, hosts, codes) = handover::told(py, &work)?;
            list.append((queue.keep(work), kind, hosts, codes))?;
        }
        Ok(list)
    }

    fn take_batch<'py>(&self, py: Python<'py>) -> Option<TakenBatch<'py>> {
        let (ticket, host, count, deadline) = self.0.take_batch()?;
        let left_s = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()).as_secs_f64());
        Some((ticket, handover::text(py, host), count, left_s))
    }

    fn read_batch<'py>(&self, py: Python<'py>, ticket: usize) -> PyResult<Option<Bound<'py, PyList>>> {
        self.0.shared().queue.read_batch(ticket).map(|unread| handover::codes(py, &unread)).transpose()
    }

    fn take_ended(&self) -> Vec<usize> {
        self.0.shared().queue.take_ended()
    }

    fn forget(&self, ticket: usize) -> PyResult<()> {
        self.redeem(ticket).map(drop)
    }

    fn answer(
        &self,
        py: Python<'_>,
        ticket: usize,
        pieces: Vec<Bound<'_, PyBytes>>,
        which: PyBuffer<i64>,
        tail: &[u8],
    ) -> PyResult<()> {
        let Some(work) = self.redeem(ticket)? else { return Ok(()) };
        let pieces: Vec<&[u8]> = pieces.iter().map(PyBytesMethods::as_bytes).collect();
        let codes = work.codes().ok_or_else(|| PyValueError::new_err("this work has one answer"))?;
        let which = given::places(py, &which, codes, pieces.len())?;
        self.0.answer(work, &pieces, &which, tail);
        Ok(())
    }

    fn answer_whole(&self, ticket: usize, message: &[u8]) -> PyResult<()> {
        let Some(work) = self.redeem(ticket)? else { return Ok(()) };
        if work.codes().is_some() {
            return Err(PyValueError::new_err("this work has an answer for each code"));
        }
        self.0.answer_whole(work, message);
        Ok(())
    }

    fn fail(&self, ticket: usize, status: GivenStatus) -> PyResult<()> {
        if let Some(work) = self.redeem(ticket)? {
            self.0.fail(work, &self::status(status));
        }
        Ok(())
    }

    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        told_counts::told(py, self.0.shared())
    }

    fn drain(&self) -> PyResult<()> {
        Ok(self.0.drain()?)
    }

    #[getter]
    fn is_idle(&self) -> bool {
        self.0.is_idle()
    }

    fn close(&self) {
        self.0.close();
    }
}

impl Front {
    /// Return the work of a ticket: None where the front is closed, and nobody waits for it.
    fn redeem(&self, ticket: usize) -> PyResult<Option<Work>> {
        match self.0.shared().queue.redeem(ticket) {
            None if !self.0.is_closed() => Err(PyValueError::new_err("no such ticket")),
            work => Ok(work),
        }
    }
}

#[pymodule]
fn _front(module: &Bound<'_, PyModule>) -> PyResult<()> {
    panics::end_the_process();
    let py = module.py();
    module.add("Counts", told_counts::make_type(py)?)?;
    module.add("ABI", ABI)?;
    module.add_class::<Tls>()?;
    module.add_class::<Front>()
}
