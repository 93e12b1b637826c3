//! A national code (`NC1:`, base45, COSE_Sign1, CWT claims): who signed it, and what it says.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use ed25519_dalek::{Signature, Verifier};

use crate::trust::{Key, TrustList};
use crate::v1::{Authenticity, Level, Reason};

const ISSUER: i64 = 1;
const EXPIRY: i64 = 4;
const NOT_BEFORE: i64 = 5;
const RESIDENCE: i64 = -65539;
const NATIONAL: &str = "000000";

/// What an authentic code says.
pub struct Claims {
    pub home: String,
    pub subject: [u8; 16],
    pub level: Level,
    pub issued_at_s: f64,
}

/// Why a code is not authentic.
pub type Refusal = (Authenticity, Reason);

const MALFORMED: Refusal = (Authenticity::Malformed, Reason::CodeMalformed);

/// Returns what an authentic code says.
pub fn authenticate(code: &[u8], trust: &TrustList, now_s: f64, skew_s: f64) -> Result<Claims, Refusal> {
    let text = code.strip_prefix(b"NC1:").ok_or((Authenticity::Malformed, Reason::FormatUnknown))?;
    let cose = base45(text).ok_or(MALFORMED)?;
    let envelope = Envelope::read(&cose).map_err(|_| MALFORMED)?;
    if !matches!(envelope.algorithm, Some(-8 | -19)) {
        return Err((Authenticity::Malformed, Reason::AlgorithmNotAllowed));
    }
    let key = trust.keys.get(envelope.key_id).ok_or((Authenticity::UnknownIssuer, Reason::KeyUnknown))?;
    let signature = Signature::from_slice(envelope.signature).map_err(|_| MALFORMED)?;
    // Plain `verify` is the cofactorless rule of RFC 8032; `verify_strict` would decompress R as well, and cost more.
    key.verifier
        .verify(&envelope.signed_message(), &signature)
        .map_err(|_| (Authenticity::BadSignature, Reason::SignatureInvalid))?;
    let claims = RawClaims::read(envelope.payload, key).map_err(|_| MALFORMED)?;
    claims.check(key, trust, now_s, skew_s)
}

struct Envelope<'a> {
    algorithm: Option<i64>,
    key_id: &'a [u8],
    protected: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(cose: &'a [u8]) -> Result<Self, minicbor::decode::Error> {
        let mut decoder = Decoder::new(cose);
        if decoder.datatype()? == Type::Tag {
            decoder.tag()?;
        }
        decoder.array()?;
        let protected = decoder.bytes()?;
        let (algorithm, inside) = header(&mut Decoder::new(protected))?;
        let (_, outside) = header(&mut decoder)?;
        let (payload, signature) = (decoder.bytes()?, decoder.bytes()?);
        Ok(Self { algorithm, key_id: inside.or(outside).unwrap_or_default(), protected, payload, signature })
    }

    /// The Sig_structure of RFC 9052, section 4.4.
    fn signed_message(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::with_capacity(self.protected.len() + self.payload.len() + 24));
        let written = encoder.array(4).and_then(|e| {
            e.str("Signature1")?.bytes(self.protected)?.bytes(&[])?.bytes(self.payload)
        });
        written.expect("a Vec takes whatever is written");
        encoder.into_writer()
    }
}

fn header<'a>(decoder: &mut Decoder<'a>) -> Result<(Option<i64>, Option<&'a [u8]>), minicbor::decode::Error> {
    let (mut algorithm, mut key_id) = (None, None);
    for _ in 0..decoder.map()?.unwrap_or_default() {
        match decoder.i64()? {
            1 => algorithm = Some(decoder.i64()?),
            4 => key_id = Some(decoder.bytes()?),
            _ => decoder.skip()?,
        }
    }
    Ok((algorithm, key_id))
}

#[derive(Default)]
struct RawClaims<'a> {
    issuer: &'a str,
    residence: Option<&'a str>,
    expiry_s: Option<f64>,
    own_expiry_s: Option<f64>,
    not_before_s: f64,
    issued_at_s: Option<f64>,
    subject: Option<&'a [u8]>,
    level: Level,
}

impl<'a> RawClaims<'a> {
    fn read(payload: &'a [u8], key: &Key) -> Result<Self, minicbor::decode::Error> {
        let (mut claims, mut decoder, labels) = (Self::default(), Decoder::new(payload), key.region.claims);
        for _ in 0..decoder.map()?.unwrap_or_default() {
            match decoder.i64()? {
                ISSUER => claims.issuer = decoder.str()?,
                EXPIRY => claims.expiry_s = Some(number(&mut decoder)?),
                NOT_BEFORE => claims.not_before_s = number(&mut decoder)?,
                RESIDENCE => claims.residence = Some(decoder.str()?),
                label if label == labels.issued_at => claims.issued_at_s = Some(number(&mut decoder)?),
                label if label == labels.expiry => claims.own_expiry_s = Some(number(&mut decoder)?),
                label if label == labels.subject => claims.subject = Some(decoder.bytes()?),
                label if label == labels.level => {
                    let known = match decoder.datatype()? {
                        Type::String => key.region.levels.get(decoder.str()?),
                        _ => key.region.levels.get(&decoder.i64()?.to_string()),
                    };
                    claims.level = known.copied().unwrap_or_default();
                }
                _ => decoder.skip()?,
            }
        }
        Ok(claims)
    }

    fn check(self, key: &Key, trust: &TrustList, now_s: f64, skew_s: f64) -> Result<Claims, Refusal> {
        let mut home = &key.region.code;
        if self.issuer != home {
            return Err((Authenticity::UnknownIssuer, Reason::IssuerMismatch));
        }
        if let Some(residence) = self.residence.filter(|_| home == NATIONAL) {
            let region = trust.regions.get(residence).filter(|region| region.adopts_national);
            home = &region.ok_or((Authenticity::UnknownIssuer, Reason::ResidenceNotAdopter))?.code;
        }
        let issued_at_s = self.issued_at_s.ok_or(MALFORMED)?;
        if key.is_revoked {
            return Err((Authenticity::KeyNotValid, Reason::KeyRevoked));
        }
        if key.retired_at.is_some_and(|retired_s| issued_at_s >= retired_s) {
            return Err((Authenticity::KeyNotValid, Reason::KeyRetired));
        }
        if issued_at_s.min(now_s) < key.not_before - skew_s || issued_at_s.max(now_s) > key.not_after + skew_s {
            return Err((Authenticity::KeyNotValid, Reason::KeyOutsideValidity));
        }
        let ends_s = [self.expiry_s, self.own_expiry_s].into_iter().flatten().reduce(f64::min).ok_or(MALFORMED)?;
        if now_s < issued_at_s.max(self.not_before_s) - skew_s {
            return Err((Authenticity::NotYetValid, Reason::NotYetValid));
        }
        if now_s >= ends_s + skew_s {
            return Err((Authenticity::Expired, Reason::Expired));
        }
        let subject = self.subject.and_then(|bytes| bytes.try_into().ok()).ok_or(MALFORMED)?;
        Ok(Claims { home: home.clone(), subject, level: self.level, issued_at_s })
    }
}

fn number(decoder: &mut Decoder<'_>) -> Result<f64, minicbor::decode::Error> {
    match decoder.datatype()? {
        Type::F16 | Type::F32 | Type::F64 => decoder.f64(),
        _ => Ok(decoder.i64()? as f64),
    }
}

const BASE45: [u8; 256] = {
    let (alphabet, mut values, mut i) = (b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", [255; 256], 0);
    while i < alphabet.len() {
        values[alphabet[i] as usize] = i as u8;
        i += 1;
    }
    values
};

/// The bytes that base45 text (RFC 9285) stands for.
fn base45(text: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::with_capacity(text.len() / 3 * 2 + 1);
    for chunk in text.chunks(3) {
        let mut value = 0_u32;
        for (place, character) in chunk.iter().enumerate() {
            let digit = BASE45[*character as usize];
            if digit == 255 {
                return None;
            }
            value += u32::from(digit) * [1, 45, 2025][place];
        }
        match chunk.len() {
            3 => data.extend_from_slice(&u16::try_from(value).ok()?.to_be_bytes()),
            2 => data.push(u8::try_from(value).ok()?),
            _ => return None,
        }
    }
    Some(data)
}
