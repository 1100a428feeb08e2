//! Certificates and keys in files: read and put together once, so that a wrong one is found before anything starts.

use super::field::Field;
use super::section::Section;
use super::{CertificateFiles, UpstreamTls};
use crate::certificate::{SOON, Validity};
use crate::clock::{Clock as _, SystemClock};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};

/// One of `server.tls.certificates`.
pub(super) fn chain_and_key(field: &Field<'_>) -> Option<CertificateFiles> {
    let mut section = field.section()?;
    let certificate = section.required("certificate", "write the path of a PEM file", certificates);
    let key = section.required("key", "write the path of a PEM file", key);
    let files = pair(&section, certificate.zip(key));
    section.finish();
    files
}

/// `routes[].upstream_tls`.
pub(super) fn upstream(route: &mut Section<'_>) -> UpstreamTls {
    let mut section = route.section("upstream_tls");
    let ca = section.optional("ca", certificates).map(|(path, _)| path);
    let certificate = section.optional("certificate", certificates);
    let key = section.optional("key", key);
    if certificate.is_some() && key.is_none() {
        section.error("key", "is missing beside certificate, write the path of its key");
    }
    if key.is_some() && certificate.is_none() {
        section.error("certificate", "is missing beside key, write the path of its certificate");
    }
    let client = pair(&section, certificate.zip(key));
    section.finish();
    UpstreamTls { ca, client }
}

type Certificates = (PathBuf, Vec<CertificateDer<'static>>);
type Key = (PathBuf, PrivateKeyDer<'static>);

fn certificates(field: &Field<'_>) -> Option<Certificates> {
    let path = field.path_to_file()?;
    let pem = bytes(field, &path)?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => Some((path, certificates)),
        _ => field.error("holds no certificate, name a PEM file with BEGIN CERTIFICATE"),
    }
}

fn key(field: &Field<'_>) -> Option<Key> {
    let path = field.path_to_file()?;
    let pem = zeroize::Zeroizing::new(bytes(field, &path)?);
    match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(key) => Some((path, key)),
        Err(_) => field.error("holds no private key, name a PEM file with BEGIN PRIVATE KEY, not encrypted"),
    }
}

fn pair(section: &Section<'_>, both: Option<(Certificates, Key)>) -> Option<CertificateFiles> {
    let ((certificate, chain), (key, der)) = both?;
    warn_of_its_end(section, &certificate, &chain);
    match CertifiedKey::from_der(chain, der, &rustls::crypto::ring::default_provider()) {
        Ok(_) => Some(CertificateFiles { certificate, key }),
        Err(error) => {
            section.error("key", format!("cannot be used with the certificate: {}", one_sentence(&error)));
            None
        }
    }
}

fn warn_of_its_end(section: &Section<'_>, file: &Path, chain: &[CertificateDer<'_>]) {
    let Some(Validity { name, until }) = chain.first().and_then(|leaf| Validity::of(leaf, file)) else { return };
    let now = SystemClock.now();
    let ends = if until <= now {
        "expired on"
    } else if until <= now.plus(SOON) {
        "expires on"
    } else {
        return;
    };
    section.warn("certificate", format!("the certificate for {name} {ends} {}; renew it and send SIGHUP", until.in_words()));
}

fn one_sentence(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "it is another certificate's key, name the one that belongs to it".into(),
        other => format!("{other}; name a certificate and an RSA, ECDSA or Ed25519 key"),
    }
}

fn bytes(field: &Field<'_>, path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path).or_else(|error| field.error(format!("cannot be read: {}; name a readable file", error.kind())).ok_or(error)).ok()
}
