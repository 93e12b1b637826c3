//! What a server shows and asks for in TLS: made of PEM files, checked before anything uses it.
//!
//! TLS 1.3 alone (RFC 8446), with HTTP/2 by ALPN (RFC 9113, section 3.3). There is no early data, which could be replayed,
//! and no resumption: a resumed session would pass by the revocation list.
//!
//! It knows certificates. It may not know sockets or callers.

use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig, version};

/// The protocol that a caller must name by ALPN.
pub const ALPN: &[u8] = b"h2";

/// The files of a server, as bytes of PEM.
pub struct Files<'a> {
    /// The server's certificate, and those between it and an authority.
    pub chain: &'a [u8],
    pub key: &'a [u8],
    /// The authorities of callers. Without them no caller is asked for a certificate.
    pub client_ca: Option<&'a [u8]>,
    /// Lists of certificates that no longer count.
    pub crl: Option<&'a [u8]>,
    /// Whether a caller without a certificate is refused.
    pub demands_certificate: bool,
}

/// What connections are made with.
pub struct Tls {
    pub config: Arc<ServerConfig>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl Tls {
    /// Make it. Err has a reason that says which file is at fault, and nothing of its content.
    pub fn new(files: &Files<'_>) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let verifier = verifier(files, &provider)?;
        let chain = certificates(files.chain, "the certificate chain")?;
        let key =
            PrivateKeyDer::from_pem_slice(files.key).map_err(|fault| told("the private key", "private key", &fault))?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|fault| fault.to_string())?;
        let builder = match &verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier.clone()),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|fault| reason(&fault))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(Self { config: Arc::new(config), verifier })
    }

    /// Whether a caller with a chain of certificates, or none, would be let in now.
    pub fn admits(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some(verifier) = &self.verifier else { return true };
        match chain {
            [] => !verifier.client_auth_mandatory(),
            [leaf, between @ ..] => verifier.verify_client_cert(leaf, between, UnixTime::now()).is_ok(),
        }
    }
}

fn verifier(files: &Files<'_>, provider: &Arc<CryptoProvider>) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    let Some(client_ca) = files.client_ca else {
        return match files {
            Files { crl: Some(_), .. } => Err("a revocation list needs the authorities of callers".to_owned()),
            Files { demands_certificate: true, .. } => {
                Err("to demand certificates, the authorities of callers are needed".to_owned())
            }
            _ => Ok(None),
        };
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(client_ca, "the authorities of callers")? {
        roots.add(authority).map_err(|_| "the authorities of callers have a certificate that cannot be read")?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    if let Some(crl) = files.crl {
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(crl).collect();
        let lists = lists.map_err(|fault| told("the revocation list", "list", &fault))?;
        if lists.is_empty() {
            return Err(told("the revocation list", "list", &PemError::NoItemsFound));
        }
        // An authority may publish no list, and one that is past its next update counts on: as in the server in Python.
        builder = builder.with_crls(lists).allow_unknown_revocation_status();
    }
    if !files.demands_certificate {
        builder = builder.allow_unauthenticated();
    }
    builder.build().map(Some).map_err(|fault| match fault {
        VerifierBuilderError::InvalidCrl(_) => "the revocation list cannot be read".to_owned(),
        _ => "the authorities of callers cannot be used".to_owned(),
    })
}

fn certificates(pem: &[u8], name: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(told(name, "certificate", &PemError::NoItemsFound)),
        found => found.map_err(|fault| told(name, "certificate", &fault)),
    }
}

/// Say what is wrong with a file that should have items of a kind.
fn told(name: &str, item: &str, fault: &PemError) -> String {
    match fault {
        PemError::NoItemsFound => format!("{name}: the file has no {item} in PEM"),
        _ => format!("{name}: the file is no valid PEM"),
    }
}

fn reason(fault: &Error) -> String {
    match fault {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the private key does not belong to the certificate".to_owned()
        }
        Error::InvalidCertificate(_) => "the certificate chain: its first certificate cannot be read".to_owned(),
        _ => "the private key: it is of no kind that is supported (RSA, ECDSA with P-256 or P-384, Ed25519)".to_owned(),
    }
}

/// Why a handshake has failed, as it is counted.
pub fn kind_of(fault: &io::Error) -> &'static str {
    let found = fault.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match found {
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => "certificate_refused",
        _ => "handshake_failed",
    }
}
