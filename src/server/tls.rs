//! TLS towards clients: certificates by the names in them, HTTP/2 and HTTP/1.1 by ALPN. TLS 1.2 and 1.3; no early data,
//! which could be replayed.

use crate::certificate::Validity;
use crate::clock::Timestamp;
use crate::config::CertificateFiles;
use arc_swap::ArcSwap;
pub use pingora::listeners::tls::Acceptor;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What accepts TLS connections with whatever certificates there are at that moment.
///
/// # Errors
/// When the library refuses its own defaults.
pub fn acceptor(certificates: Arc<Certificates>) -> Result<Acceptor, String> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Acceptor::from_server_config(Arc::new(config)))
}

/// Certificates, tried in the order of the configuration. A handshake takes those that are there when it begins.
#[derive(Debug)]
pub struct Certificates(ArcSwap<Vec<Arc<CertifiedKey>>>);

/// Certificates and until when they are valid, as they were read.
pub struct Read {
    /// What handshakes take.
    pub certificates: Certificates,
    /// For each name of a certificate, when the first one of that name ends.
    pub ends: BTreeMap<String, Timestamp>,
}

impl Certificates {
    /// Reads these files.
    ///
    /// # Errors
    /// One sentence about the file that cannot be used.
    pub fn load(files: &[CertificateFiles]) -> Result<Read, String> {
        let (mut keys, mut ends) = (Vec::with_capacity(files.len()), BTreeMap::new());
        for files in files {
            let key = certified_key(files)?;
            if let Some(Validity { name, until }) = key.cert.first().and_then(|leaf| Validity::of(leaf, &files.certificate)) {
                ends.entry(name).and_modify(|first: &mut Timestamp| *first = until.min(*first)).or_insert(until);
            }
            keys.push(Arc::new(key));
        }
        Ok(Read { certificates: Self(ArcSwap::from_pointee(keys)), ends })
    }

    /// From now on those of `other`.
    pub fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }
}

impl ResolvesServerCert for Certificates {
    /// The first certificate for the name asked for; the first of all where none is, or no name was given.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let is_for = |key: &&Arc<CertifiedKey>| {
            let leaf = key.cert.first().and_then(|leaf| webpki::EndEntityCert::try_from(leaf).ok());
            named.as_ref().zip(leaf).is_some_and(|(name, leaf)| leaf.verify_is_valid_for_subject_name(name).is_ok())
        };
        let keys = self.0.load();
        keys.iter().find(is_for).or_else(|| keys.first()).cloned()
    }
}

fn certified_key(files: &CertificateFiles) -> Result<CertifiedKey, String> {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{certificate}: not a PEM certificate file: {error}"))?;
    let private = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| format!("{key}: not a PEM key file: {error}"))?;
    if chain.is_empty() {
        return Err(format!("{certificate}: holds no PEM certificate"));
    }
    CertifiedKey::from_der(chain, private, &ring::default_provider())
        .map_err(|error| format!("{certificate} and {key} cannot be used together: {error}"))
}
