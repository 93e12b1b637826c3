//! Reads what Python gives: statuses, hosts, places of answers, TLS.
//!
//! It knows Python's types. It may not know what is done with what they say.

use std::net::IpAddr;
use std::rc::Rc;

use http::HeaderValue;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::answers::Status;
use crate::requests::{self, Host};
use crate::tls;

/// A status as Python gives it: code, message, details.
pub type GivenStatus = (u32, String, Vec<u8>);

pub fn status((code, message, details): GivenStatus) -> Status {
    Status::new(code, &message, &details)
}

/// Return hosts, or None for any. Raises ValueError where one has not six digits.
pub fn hosts(texts: Option<Vec<String>>) -> PyResult<Option<Vec<Host>>> {
    let read = |text: String| requests::host(text.as_bytes()).map_err(PyValueError::new_err);
    texts.map(|texts| texts.into_iter().map(read).collect()).transpose()
}

/// Return IP addresses. Raises ValueError where one is none.
pub fn addresses(hosts: &[String]) -> PyResult<Vec<IpAddr>> {
    let parsed = hosts.iter().map(|host| host.parse()).collect::<Result<_, _>>();
    parsed.map_err(|_| PyValueError::new_err("a host is not an IP address"))
}

/// Return a token as metadata. Raises ValueError where it is not ASCII.
pub fn token(text: &str) -> PyResult<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| PyValueError::new_err("the token is not ASCII"))
}

/// Return the place of each code's answer among ``pieces``. Raises ValueError where there are more or fewer than
/// ``codes``, or one is of no piece.
pub fn places(py: Python<'_>, which: &PyBuffer<i64>, codes: usize, pieces: usize) -> PyResult<Vec<usize>> {
    let places = which.to_vec(py)?.into_iter().map(|place| usize::try_from(place).unwrap_or(usize::MAX));
    let places: Vec<_> = places.collect();
    if places.len() != codes || places.iter().any(|place| *place >= pieces) {
        return Err(PyValueError::new_err("the answers do not fit the codes"));
    }
    Ok(places)
}

/// TLS as Python makes it.
#[pyclass(frozen, unsendable, module = "onecode_server.rpc._front")]
pub struct Tls(pub Rc<tls::Tls>);

#[pymethods]
impl Tls {
    #[new]
    #[pyo3(signature = (chain, key, *, client_ca, crl, demands_certificate))]
    fn new(
        chain: &[u8],
        key: &[u8],
        client_ca: Option<&[u8]>,
        crl: Option<&[u8]>,
        demands_certificate: bool,
    ) -> PyResult<Self> {
        let made = tls::Tls::new(&tls::Files { chain, key, client_ca, crl, demands_certificate });
        Ok(Self(Rc::new(made.map_err(PyValueError::new_err)?)))
    }
}
