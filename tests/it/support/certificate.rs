//! Certificates made for one test.

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::ClientConfig;
use rustls_pki_types::PrivateKeyDer;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A certificate that is its own authority, and its key, in memory and as PEM files.
pub struct Certificate {
    made: CertifiedKey<KeyPair>,
    /// PEM file of the certificate.
    pub chain: PathBuf,
    /// PEM file of the key.
    pub key: PathBuf,
}

impl Certificate {
    /// For these names, written to `folder` under the first of them.
    pub fn new(folder: &Path, names: &[&str]) -> Self {
        let made = generate_simple_self_signed(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        let (chain, key) = (folder.join(format!("{}.pem", names[0])), folder.join(format!("{}.key", names[0])));
        std::fs::write(&chain, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        Self { made, chain, key }
    }

    /// What a server proves itself with.
    pub fn server_config(&self) -> Arc<rustls::ServerConfig> {
        let key = PrivateKeyDer::try_from(self.made.signing_key.serialize_der()).unwrap();
        let builder = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![self.made.cert.der().clone()], key).unwrap())
    }

    /// A client that trusts this certificate alone and offers these protocols.
    pub fn client_config(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.made.cert.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let mut config = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}
