//! Reads the headers of a call: whether it is one of the plain calls that are answered here, and until when.
//!
//! A plain call looks as generated clients make it. All others are odd, and are the listener's in Python.
//!
//! It knows gRPC over HTTP/2. It may not know bodies, connections or protobuf.

use std::net::SocketAddr;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE};
use http::request::Parts;

use crate::counts::Method;

const SERVICE: &str = "/onecode.v1.RecognitionService/";

/// Metadata that the listener in Python believes, since no caller can set it.
const RESERVED: &str = "x-onecode-";

/// Return the method of a plain call and the time that its caller gives it. None where the call is odd.
pub fn plain(head: &Parts) -> Option<(Method, Option<Duration>)> {
    let name = head.uri.path().strip_prefix(SERVICE)?;
    let method = Method::ALL.into_iter().find(|method| method.name() == name)?;
    let headers = &head.headers;
    let is_plain = head.method == http::Method::POST
        && head.uri.query().is_none()
        && matches!(only(headers, CONTENT_TYPE.as_str()), Some(b"application/grpc" | b"application/grpc+proto"))
        && only(headers, TE.as_str()) == Some(b"trailers")
        && (!headers.contains_key("grpc-encoding") || only(headers, "grpc-encoding") == Some(b"identity"));
    if !is_plain {
        return None;
    }
    if !headers.contains_key("grpc-timeout") {
        return Some((method, None));
    }
    Some((method, Some(timeout(only(headers, "grpc-timeout")?)?)))
}

/// Remove the metadata that only the front may set.
pub fn remove_reserved(headers: &mut HeaderMap) {
    let reserved: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with(RESERVED)).cloned().collect();
    for name in reserved {
        headers.remove(name);
    }
}

/// Add what the listener in Python is to know: that the front is the caller, who called it, and by which certificate.
pub fn add_reserved(
    headers: &mut HeaderMap,
    token: &HeaderValue,
    peer: &HeaderValue,
    certificate: Option<&HeaderValue>,
) {
    headers.insert("x-onecode-token", token.clone());
    headers.insert("x-onecode-peer", peer.clone());
    if let Some(certificate) = certificate {
        headers.insert("x-onecode-certificate-bin", certificate.clone());
    }
}

/// Return an address as gRPC writes it.
pub fn peer(address: SocketAddr) -> HeaderValue {
    let (ip, port) = (address.ip().to_canonical(), address.port());
    let text = if ip.is_ipv4() { format!("ipv4:{ip}:{port}") } else { format!("ipv6:%5B{ip}%5D:{port}") };
    HeaderValue::from_maybe_shared(text).expect("an address is ASCII")
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first.as_bytes())
}

/// Read a grpc-timeout: at most eight digits and a unit (gRPC over HTTP/2).
fn timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = digits.iter().fold(0, |count, digit| count * 10 + u64::from(digit - b'0'));
    match unit {
        b'H' => Some(Duration::from_secs(count * 3600)),
        b'M' => Some(Duration::from_secs(count * 60)),
        b'S' => Some(Duration::from_secs(count)),
        b'm' => Some(Duration::from_millis(count)),
        b'u' => Some(Duration::from_micros(count)),
        b'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(path: &str, more: &[(&str, &str)]) -> Parts {
        let mut request = Request::post(format!("http://localhost{path}"));
        for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")].iter().chain(more) {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn calls_of_generated_clients_are_plain() {
        let path = "/onecode.v1.RecognitionService/Verify";
        assert_eq!(plain(&head(path, &[])), Some((Method::Verify, None)));
        let usual = [("grpc-timeout", "20S"), ("user-agent", "grpc-go/1"), ("grpc-accept-encoding", "gzip")];
        assert_eq!(plain(&head(path, &usual)), Some((Method::Verify, Some(Duration::from_secs(20)))));
        assert!(plain(&head(path, &[("grpc-encoding", "identity")])).is_some());
    }

    #[test]
    fn other_calls_are_odd() {
        let path = "/onecode.v1.RecognitionService/BatchVerify";
        for more in [
            [("grpc-encoding", "gzip")],
            [("te", "trailers")],
            [("content-type", "application/grpc")],
            [("grpc-timeout", "20s")],
            [("grpc-timeout", "S")],
            [("grpc-timeout", "123456789S")],
            [("grpc-timeout", "-1S")],
        ] {
            assert_eq!(plain(&head(path, &more)), None, "{more:?}");
        }
        for path in ["/onecode.v1.RecognitionService/Translate", "/Verify", "/onecode.v1.RecognitionService/Verify?x"] {
            assert_eq!(plain(&head(path, &[])), None);
        }
        let mut get = head(path, &[]);
        get.method = http::Method::GET;
        assert_eq!(plain(&get), None);
    }

    #[test]
    fn reserved_metadata_is_the_fronts_own() {
        let mut headers = head("/", &[("x-onecode-token", "mine"), ("x-onecode-new", "1"), ("x-other", "1")]).headers;
        remove_reserved(&mut headers);
        assert!(headers.keys().all(|name| !name.as_str().starts_with(RESERVED)));
        assert!(headers.contains_key("x-other"));
    }

    #[test]
    fn peers_are_written_as_grpc_writes_them() {
        assert_eq!(peer("127.0.0.1:80".parse().unwrap()), "ipv4:127.0.0.1:80");
        assert_eq!(peer("[::1]:80".parse().unwrap()), "ipv6:%5B::1%5D:80");
        assert_eq!(peer("[::ffff:10.0.0.1]:80".parse().unwrap()), "ipv4:10.0.0.1:80");
    }
}
