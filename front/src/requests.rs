//! Cuts the three requests of checks out of their bytes, without copying them.
//!
//! A request is plain where each field comes at most once (the codes of a batch apart), all fields are known and all
//! values are valid. Everything else is odd, and Python judges it: so protobuf's finer points are decided in one place.
//!
//! It knows the three messages of ``recognition.proto``. It may not know sockets, HTTP or calls.

use crate::wire_format::{BYTES_1, BYTES_2, BYTES_3, Fields, NUMBER_1, Part, put_number};

/// A longer code is odd: Python cuts it (``model.scanned``).
const CODE_BYTES_MAX: usize = 4096;
/// The bounds on a batch, as in ``rpc.recognition``.
const BATCH_CODES_MAX: usize = 4096;
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Six ASCII digits.
pub type Host = [u8; 6];

/// A VerifyRequest, or a StreamVerifyRequest.
#[derive(Debug, PartialEq)]
pub struct Scan {
    pub request_id: u64,
    pub code: Part,
    pub host: Host,
}

/// A BatchVerifyRequest.
#[derive(Debug, PartialEq)]
pub struct Batch {
    pub codes: Vec<Part>,
    pub host: Host,
}

/// Cut a VerifyRequest (code = 1, host_region = 2). None where it is odd.
pub fn verify(message: &[u8]) -> Option<Scan> {
    let mut fields = Fields::of(message);
    let (mut code, mut host) = (None, None);
    while let Some(tag) = fields.tag() {
        match tag {
            BYTES_1 => once(&mut code, fields.part()?)?,
            BYTES_2 => once(&mut host, fields.part()?)?,
            _ => return None,
        }
    }
    Some(Scan { request_id: 0, code: code_of(code)?, host: host_of(message, host)? })
}

/// Cut a StreamVerifyRequest (request_id = 1, code = 2, host_region = 3). None where it is odd.
pub fn stream_verify(message: &[u8]) -> Option<Scan> {
    let mut fields = Fields::of(message);
    let (mut request_id, mut code, mut host) = (None, None, None);
    while let Some(tag) = fields.tag() {
        match tag {
            NUMBER_1 => once(&mut request_id, fields.number()?)?,
            BYTES_2 => once(&mut code, fields.part()?)?,
            BYTES_3 => once(&mut host, fields.part()?)?,
            _ => return None,
        }
    }
    Some(Scan { request_id: request_id.unwrap_or(0), code: code_of(code)?, host: host_of(message, host)? })
}

/// Cut a BatchVerifyRequest (codes = 1, host_region = 2). None where it is odd.
pub fn batch_verify(message: &[u8]) -> Option<Batch> {
    let mut fields = Fields::of(message);
    let (mut codes, mut host) = (Vec::new(), None);
    let mut size = 0;
    while let Some(tag) = fields.tag() {
        match tag {
            BYTES_1 => {
                let code = code_of(Some(fields.part()?))?;
                size += code.len();
                if codes.len() == BATCH_CODES_MAX || size > BATCH_BYTES_MAX {
                    return None;
                }
                codes.push(code);
            }
            BYTES_2 => once(&mut host, fields.part()?)?,
            _ => return None,
        }
    }
    let host = host_of(message, host)?;
    (!codes.is_empty()).then_some(Batch { codes, host })
}

/// Append a StreamVerifyResponse's request_id = 1, which protobuf leaves out where it is 0.
pub fn put_request_id(to: &mut Vec<u8>, request_id: u64) {
    if request_id != 0 {
        to.push(NUMBER_1);
        put_number(to, request_id);
    }
}

fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

/// A code that is not there is an empty one, as in protobuf.
fn code_of(part: Option<Part>) -> Option<Part> {
    let part = part.unwrap_or_default();
    (part.len() <= CODE_BYTES_MAX).then_some(part)
}

fn host_of(message: &[u8], part: Option<Part>) -> Option<Host> {
    host(part?.of(message)).ok()
}

/// Return six ASCII digits as a host.
pub fn host(bytes: &[u8]) -> Result<Host, &'static str> {
    let host = Host::try_from(bytes).ok().filter(|host| host.iter().all(u8::is_ascii_digit));
    host.ok_or("a host has six digits")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn field(tag: u8, value: &[u8]) -> Vec<u8> {
        let mut made = vec![tag];
        put_number(&mut made, value.len() as u64);
        made.extend_from_slice(value);
        made
    }

    fn message(fields: &[Vec<u8>]) -> Bytes {
        fields.concat().into()
    }

    #[test]
    fn plain_requests_are_cut_in_any_order_of_fields() {
        for fields in [
            [field(BYTES_1, b"NC1:x"), field(BYTES_2, b"420000")],
            [field(BYTES_2, b"420000"), field(BYTES_1, b"NC1:x")],
        ] {
            let whole = message(&fields);
            let scan = verify(&whole).unwrap();
            assert_eq!((scan.code.of(&whole), &scan.host), (&b"NC1:x"[..], b"420000"));
        }
        assert_eq!(verify(&field(BYTES_2, b"420000")).unwrap().code.len(), 0, "a missing code is an empty one");
        let whole = message(&[vec![NUMBER_1, 0xac, 0x02], field(BYTES_2, b"c"), field(BYTES_3, b"110000")]);
        assert_eq!(stream_verify(&whole).unwrap().request_id, 300);
    }

    #[test]
    fn what_protobuf_would_read_in_a_way_of_its_own_is_odd() {
        let host = field(BYTES_2, b"420000");
        let odd = [
            message(&[]),
            message(&[field(BYTES_2, b"42000")]),
            message(&[field(BYTES_2, b"42000x")]),
            message(&[field(BYTES_2, "４２".as_bytes())]),
            message(&[host.clone(), host.clone()]),
            message(&[field(BYTES_1, b"a"), field(BYTES_1, b"b"), host.clone()]),
            message(&[host.clone(), field(BYTES_3, b"unknown")]),
            message(&[host.clone(), vec![NUMBER_1, 1]]),
            message(&[host.clone(), vec![BYTES_1 | 0x80, 0, 0]]),
            message(&[host.clone(), vec![BYTES_1, 5, 0]]),
            message(&[host.clone(), vec![BYTES_1]]),
            message(&[host.clone(), vec![BYTES_1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]]),
            message(&[host.clone(), field(BYTES_1, &[0; CODE_BYTES_MAX + 1])]),
        ];
        for whole in odd {
            assert_eq!(verify(&whole), None, "{whole:?}");
        }
        assert!(verify(&message(&[host, field(BYTES_1, &[0; CODE_BYTES_MAX])])).is_some());
    }

    #[test]
    fn a_batch_has_bounds() {
        let batch = |count: usize, size: usize| {
            let mut fields = vec![field(BYTES_1, &vec![b'c'; size]); count];
            fields.push(field(BYTES_2, b"420000"));
            batch_verify(&message(&fields))
        };
        assert_eq!(batch(0, 0), None);
        assert_eq!(batch(BATCH_CODES_MAX, 900).unwrap().codes.len(), BATCH_CODES_MAX);
        assert_eq!(batch(BATCH_CODES_MAX + 1, 1), None);
        assert_eq!(batch(BATCH_CODES_MAX, 1025), None);
    }

    #[test]
    fn request_ids_are_written_as_protobuf_writes_them() {
        for (number, expected) in [
            (0, &[][..]),
            (1, &[8, 1]),
            (300, &[8, 0xac, 2]),
            (u64::MAX, &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ] {
            let mut made = Vec::new();
            put_request_id(&mut made, number);
            assert_eq!(made, expected);
            made.extend(field(BYTES_3, b"110000"));
            assert_eq!(stream_verify(&made).unwrap().request_id, number);
        }
    }
}
