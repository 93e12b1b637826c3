//! What tells credentials apart.
//!
//! It knows bytes. It may not know what they say.

use bytes::Bytes;
use http::HeaderValue;

/// What a caller shows. A part that is not there is none.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The certificate of the caller's connection, in DER; empty without one.
    pub certificate: Bytes,
    /// The header ``authorization`` of the call.
    pub authorization: Option<HeaderValue>,
    /// Whether the caller is on this machine.
    pub is_local: bool,
}

impl Key {
    /// The authorization as bytes.
    pub fn authorization(&self) -> &[u8] {
        self.authorization.as_ref().map_or(b"", HeaderValue::as_bytes)
    }

    /// Return a copy that keeps no other memory in use than its own.
    pub fn compact(&self) -> Self {
        let authorization = self.authorization.as_ref().map(HeaderValue::as_bytes);
        let authorization = authorization.map(|bytes| HeaderValue::from_bytes(bytes).expect("it was one"));
        Self { certificate: self.certificate.clone(), authorization, is_local: self.is_local }
    }
}
