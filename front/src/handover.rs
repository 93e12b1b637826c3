//! Shows work to Python as lists of hosts and codes.
//!
//! It knows Python's types and the kinds of work. It may not know how work is answered.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::credential::Credential;
use crate::key::Key;
use crate::requests::Host;
use crate::work::{Unread, Work};

/// Work as Python sees it: kind, hosts, codes.
type Told<'py> = (&'static str, Bound<'py, PyList>, Bound<'py, PyList>);

/// What a caller has shown as Python sees it: the certificate, the authorization, and whether it is on this machine.
pub type Shown<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>, bool);

/// A credential as Python is asked about it: its number, what was shown, and the units that its calls are wanting.
pub type Asked<'py> = (u64, Bound<'py, PyBytes>, Bound<'py, PyBytes>, bool, i64);

/// Return what a caller has shown as Python sees it.
pub fn shown<'py>(py: Python<'py>, key: &Key) -> Shown<'py> {
    (PyBytes::new(py, &key.certificate), PyBytes::new(py, key.authorization()), key.is_local)
}

/// Return a credential as Python sees it.
pub fn asked<'py>(py: Python<'py>, credential: &Credential) -> Asked<'py> {
    let (certificate, authorization, is_local) = shown(py, &credential.key);
    (credential.number, certificate, authorization, is_local, credential.take_wanted())
}

/// Return work as Python sees it: its kind, hosts and codes.
pub fn told<'py>(py: Python<'py>, work: &Work) -> PyResult<Told<'py>> {
    match work {
        Work::Singles(singles) => {
            let codes = singles.iter().map(|single| PyBytes::new(py, single.code.of(&single.message)));
            Ok(("single", hosts(py, singles.iter().map(|single| single.host))?, PyList::new(py, codes)?))
        }
        Work::Scans(scans) => {
            let codes = scans.iter().map(|scan| PyBytes::new(py, scan.code.of(&scan.message)));
            Ok(("stream", hosts(py, scans.iter().map(|scan| scan.host))?, PyList::new(py, codes)?))
        }
        Work::Message(odd) => {
            let whole = PyList::new(py, [PyBytes::new(py, &odd.bytes)])?;
            let credential = PyList::new(py, [odd.credential.to_string()])?;
            Ok(("message", credential, whole))
        }
        Work::Batch(_) => unreachable!("batches are taken by themselves"),
    }
}

/// Return the codes of a batch.
pub fn codes<'py>(py: Python<'py>, unread: &Unread) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, unread.codes.iter().map(|code| PyBytes::new(py, code.of(&unread.message))))
}

/// Return a host as a text.
pub fn text(py: Python<'_>, host: Host) -> Bound<'_, PyString> {
    PyString::new(py, std::str::from_utf8(&host).expect("six digits are ASCII"))
}

/// Return hosts as texts. Equal ones are one object, which Python compares at once.
fn hosts<'py>(py: Python<'py>, hosts: impl ExactSizeIterator<Item = Host>) -> PyResult<Bound<'py, PyList>> {
    let mut known: HashMap<Host, Bound<'py, PyString>> = HashMap::new();
    let mut last: Option<(Host, Bound<'py, PyString>)> = None;
    let texts = hosts.map(|host| {
        if let Some((same, text)) = &last
            && *same == host
        {
            return text.clone();
        }
        let text = known.entry(host).or_insert_with(|| text(py, host)).clone();
        last = Some((host, text.clone()));
        text
    });
    PyList::new(py, texts)
}
