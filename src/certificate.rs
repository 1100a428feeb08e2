//! What a certificate says of itself: until when it is valid, and for whom. Whether to believe it is not decided here.

use crate::clock::Timestamp;
use std::path::Path;
use std::time::Duration;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// Within so long of its end, a certificate should have been renewed: those of ACME have thirty days left then.
pub const SOON: Duration = Duration::from_hours(14 * 24);

/// When a certificate ends, and what to call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first DNS name in it, else the stem of its file's name.
    pub name: String,
    /// `notAfter`.
    pub until: Timestamp,
}

impl Validity {
    /// Of a certificate (DER) that was read from `file`; `None` where it cannot be made out.
    #[must_use]
    pub fn of(der: &[u8], file: &Path) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(der).ok()?;
        let names = certificate.subject_alternative_name().ok().flatten();
        let dns = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        };
        let named = names.and_then(|names| names.value.general_names.iter().find_map(dns));
        let name = named.unwrap_or_else(|| file.file_stem().unwrap_or_default().to_string_lossy().into_owned());
        Some(Self { name, until: Timestamp(certificate.validity().not_after.timestamp().saturating_mul(1000)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn of(names: &[&str]) -> Validity {
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.not_after = date_time_ymd(2031, 2, 3);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Validity::of(made.der(), Path::new("/etc/tls/site.pem")).unwrap()
    }

    #[test]
    fn it_ends_when_it_says_and_is_called_by_its_first_dns_name_or_its_file() {
        let until = Timestamp(1_927_843_200_000);
        assert_eq!(of(&["10.0.0.1", "*.a.test", "b.test"]), Validity { name: "*.a.test".to_owned(), until });
        assert_eq!(of(&["10.0.0.1"]), Validity { name: "site".to_owned(), until });
        assert_eq!(of(&[]).name, "site");
    }

    #[test]
    fn what_is_no_certificate_says_nothing() {
        assert_eq!(Validity::of(b"nonsense", Path::new("x.pem")), None);
    }
}
