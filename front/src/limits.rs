//! The limits of a front, as Python gives them. ``rpc/native_listener.py`` has the reasons beside the numbers.
//!
//! It knows numbers. It may not know what is done about them.

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Limits {
    pub shares_port: bool,
    pub connections_max: usize,
    pub queue_codes_max: usize,
    #[pyo3(from_py_with = seconds)]
    pub queue_age_s: Duration,
    #[pyo3(from_py_with = seconds)]
    pub idle_s: Duration,
    #[pyo3(from_py_with = seconds)]
    pub age_s: Duration,
    #[pyo3(from_py_with = seconds)]
    pub age_ends_s: Duration,
    #[pyo3(from_py_with = seconds)]
    pub handshake_s: Duration,
    #[pyo3(from_py_with = seconds)]
    pub keepalive_s: Duration,
    #[pyo3(from_py_with = seconds)]
    pub keepalive_timeout_s: Duration,
    pub window_bytes: u32,
    pub calls_max: u32,
    pub streams_max: usize,
    #[pyo3(from_py_with = seconds)]
    pub stream_idle_s: Duration,
    #[pyo3(from_py_with = seconds)]
    pub request_s: Duration,
    pub held_bytes_max: usize,
    /// Whether Python is asked who calls.
    pub identifies: bool,
    pub credentials_max: usize,
}

/// The number of limits, so that an unknown one is noticed.
const COUNT: usize = 18;

impl Limits {
    /// Read the limits. Raises ValueError where one is missing, unknown or no number.
    pub fn of(given: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let given = given.filter(|given| given.len() == COUNT);
        let given = given.ok_or_else(|| PyValueError::new_err("a limit is missing or unknown"))?;
        given.extract().map_err(|fault: PyErr| PyValueError::new_err(fault.to_string()))
    }
}

fn seconds(value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    duration(value.extract()?)
}

/// Return a number of seconds as a time. Raises ValueError where it is none.
pub fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|fault| PyValueError::new_err(fault.to_string()))
}
