//! Email addresses.

/// An address that is valid, as the user writes it: the part of RFC 5321 that mail really uses (a dot-atom before the
/// `@`, a domain name behind it). Quoted local parts, comments, address literals and everything that could end a
/// header or an SMTP command are refused.
#[derive(Clone, Debug)]
pub struct Email {
    written: String,
    canonical: String,
}

/// Why an address cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailError;

impl std::fmt::Display for EmailError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this is not an email address, write one like name@example.com")
    }
}

impl std::error::Error for EmailError {}

impl Email {
    /// Longest address, in bytes (RFC 5321 section 4.5.3.1.3).
    pub const MAX: usize = 254;

    /// Reads an address as typed.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        if text.len() > Self::MAX {
            return Err(EmailError);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError)?;
        if !is_local_part(local) {
            return Err(EmailError);
        }
        let canonical = format!("{}@{}", local.to_ascii_lowercase(), canonical_domain(domain)?);
        if canonical.len() > Self::MAX {
            return Err(EmailError);
        }
        Ok(Self { written: text.to_owned(), canonical })
    }

    /// As the user writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The form by which addresses are compared and found: ASCII lower case, the domain in its ASCII form.
    ///
    /// Letters outside ASCII are never folded, so `mıke@` is not `mike@` (CVE-2019-19844).
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// What stands before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.written.rsplit_once('@').map_or("", |(local, _)| local)
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Email {}

/// A dot-atom of at most 64 bytes, in ASCII or with letters and digits of other scripts (RFC 6531).
fn is_local_part(local: &str) -> bool {
    local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_character))
}

fn is_atom_character(character: char) -> bool {
    if character.is_ascii() {
        character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character)
    } else {
        character.is_alphanumeric()
    }
}

/// The domain as DNS has it: lower case, international labels in their ASCII form (UTS 46).
fn canonical_domain(domain: &str) -> Result<String, EmailError> {
    if domain.contains('%') || domain.ends_with('.') || !domain.chars().all(is_domain_character) {
        return Err(EmailError);
    }
    let Ok(url::Host::Domain(ascii)) = url::Host::parse(domain) else { return Err(EmailError) };
    let labels_fit = ascii.split('.').all(|label| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    if labels_fit { Ok(ascii) } else { Err(EmailError) }
}

fn is_domain_character(character: char) -> bool {
    if character.is_ascii() { character.is_ascii_alphanumeric() || "-.".contains(character) } else { character.is_alphanumeric() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Email::parse(text).unwrap_or_else(|_| panic!("{text}")).canonical().to_owned()
    }

    #[test]
    fn addresses_keep_their_spelling_and_compare_in_lower_case() {
        let email = Email::parse("Alice.O'Hara+x@Example.COM").unwrap();
        assert_eq!(email.as_str(), "Alice.O'Hara+x@Example.COM");
        assert_eq!(email.canonical(), "alice.o'hara+x@example.com");
        assert_eq!(email.local_part(), "Alice.O'Hara+x");
        assert_eq!(canonical("root@localhost"), "root@localhost");
    }

    /// threats.md P08
    #[test]
    fn an_international_domain_and_its_ascii_form_are_one() {
        assert_eq!(canonical("a@bücher.example"), canonical("a@XN--bcher-kva.example"));
    }

    /// threats.md P08
    #[test]
    fn letters_outside_ascii_are_never_folded_into_others() {
        assert_ne!(canonical("m\u{131}ke@example.com"), canonical("mike@example.com"));
        assert_ne!(canonical("\u{212a}im@example.com"), canonical("kim@example.com"));
        assert_ne!(canonical("stra\u{df}e@example.com"), canonical("strasse@example.com"));
    }

    /// threats.md E01, E02, I05
    #[test]
    fn what_is_not_an_address_or_could_break_a_mail_is_refused() {
        let long_local = format!("{}@example.com", "x".repeat(65));
        let long_domain = format!("a@{}.com", "x".repeat(64));
        let long = format!("a@{}com", "xxxxxxxxx.".repeat(26));
        for text in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a@b@c",
            "a b@c",
            " a@b",
            "a@b ",
            "a..b@c",
            ".a@b",
            "a.@b",
            "\"a\"@b",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@b\r\n.\r\nMAIL FROM:",
            "a\r\n@b",
            "a\0@b",
            "a@b\0",
            "a,b@c",
            "a<b@c",
            "a@b>",
            "a(x)@b",
            "a@-b.c",
            "a@b-.c",
            "a@b..c",
            "a@b.",
            "a\u{202e}@b",
            "a@b\u{200b}",
            "a@b_c",
            "a@b%41",
            "a@b/c",
            &long_local,
            &long_domain,
            &long,
        ] {
            assert_eq!(Email::parse(text), Err(EmailError), "{text:?}");
        }
    }
}
