//! Shows counts to Python, as a named tuple.
//!
//! It knows Python's types and what is counted. It may not know who counts.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::counts::{Method, Taken};
use crate::shared::Shared;

/// The names of what ``told`` returns.
const FIELDS: [&str; 8] =
    ["methods", "refused", "denied", "passed_on", "connections", "queued_codes", "held_bytes", "shed_codes"];

/// The type of ``Front.counts``.
static COUNTS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Make the type, for the module to have.
pub fn make_type(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let made = py.import("collections")?.getattr("namedtuple")?.call1(("Counts", FIELDS))?;
    made.setattr("__module__", "onecode_server.rpc._front")?;
    let _ = COUNTS.set(py, made.clone().unbind()); // another interpreter of this process has set it
    Ok(made)
}

/// Return what has happened since the last look, and how much there is now.
pub fn told<'py>(py: Python<'py>, shared: &Shared) -> PyResult<Bound<'py, PyAny>> {
    let Taken { methods: calls, refused, denied, passed_on, shed_codes } = shared.counts.take();
    let methods = PyDict::new(py);
    for (method, calls) in Method::ALL.into_iter().zip(calls) {
        let handled = calls.handled.into_iter().collect::<HashMap<_, _>>();
        let counts = (calls.started, calls.received, calls.sent, handled, calls.latencies, calls.seconds);
        methods.set_item(method.name(), counts)?;
    }
    let refused = refused.into_iter().collect::<HashMap<_, _>>();
    let denied = denied.iter().map(|(kind, count)| (&**kind, *count)).collect::<HashMap<_, _>>();
    let (connections, held) = (shared.counts.connections.get(), shared.budget.held());
    let made = (methods, refused, denied, passed_on, connections, shared.queue.codes(), held, shed_codes);
    COUNTS.get(py).expect("the module was made").bind(py).call1(made)
}
