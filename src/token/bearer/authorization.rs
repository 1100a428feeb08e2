//! What of `Authorization` is ours. Applications behind the gateway have credentials of their own in the same header, which pass
//! untouched; so what is meant for us must be told from them without a doubt, and any doubt with one of ours in it is a refusal.

use super::{Refusal, Unproven};
use crate::token::PersonalText;
use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

/// The credential of ours in the headers. `is_ours` tells whether a signed token is meant for us.
pub(super) fn read(headers: &HeaderMap, is_ours: impl Fn(&str) -> bool) -> Result<Option<Unproven>, Refusal> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        return none_of(all.any(|line| holds_ours(&String::from_utf8_lossy(line.as_bytes()), &is_ours)));
    };
    let line = String::from_utf8_lossy(line.as_bytes());
    let Some((scheme, given)) = line.split_once(' ').map(|(scheme, given)| (scheme, given.trim_matches(' '))) else {
        return none_of(holds_ours(&line, &is_ours));
    };
    // Schemes are the same in any case (RFC 9110 section 11.1).
    let credential = if scheme.eq_ignore_ascii_case("bearer") {
        bearer(given, &is_ours)
    } else if scheme.eq_ignore_ascii_case("basic") {
        general_purpose::STANDARD.decode(given).ok().and_then(|pair| personal_password(&pair))
    } else {
        None
    };
    match credential {
        None => none_of(holds_ours(&line, &is_ours)),
        credential => Ok(credential),
    }
}

fn none_of(holds_ours: bool) -> Result<Option<Unproven>, Refusal> {
    if holds_ours { Err(Refusal::Invalid) } else { Ok(None) }
}

/// One of ours after `Bearer`, in exactly the form of RFC 6750 section 2.1.
fn bearer(given: &str, is_ours: &impl Fn(&str) -> bool) -> Option<Unproven> {
    let is_one_word = given.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
    if !is_one_word {
        return None;
    }
    if PersonalText::is_meant(given) {
        return Some(Unproven::Personal(given.to_owned().into()));
    }
    is_ours(given).then(|| Unproven::Access(given.to_owned().into()))
}

/// A personal token as password (RFC 7617): what stands for a name before it is for the client to choose, and says nothing.
fn personal_password(pair: &[u8]) -> Option<Unproven> {
    let at = pair.iter().position(|byte| *byte == b':')?;
    let password = String::from_utf8_lossy(&pair[at + 1..]).into_owned();
    PersonalText::is_meant(&password).then(|| Unproven::Personal(password.into()))
}

/// Whether one of ours stands anywhere where some server would find it: behind a comma, a tab, in quotes, in another base64.
fn holds_ours(line: &str, is_ours: &impl Fn(&str) -> bool) -> bool {
    line.split(',').any(|part| {
        let mut words = part
            .split([' ', '\t', '"', '\'', '=', ';', ':', '<', '>', '(', ')', '[', ']', '{', '}', '|'])
            .filter(|word| !word.is_empty())
            .peekable();
        let of_other_scheme = words.peek().is_some_and(|word| is_other_scheme(word));
        !of_other_scheme && words.any(|word| PersonalText::is_meant(word) || is_ours(word) || is_personal_pair(word))
    })
}

/// Whether a word begins the credentials of a scheme that is not ours: `Digest`, `Token`, `AWS4-HMAC-SHA256`.
fn is_other_scheme(word: &str) -> bool {
    let ours = word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic");
    !ours && !word.contains('.') && !PersonalText::is_meant(word) && !is_personal_pair(word)
}

fn is_personal_pair(word: &str) -> bool {
    let decoded = |alphabet: &Alphabet| Some(Zeroizing::new(lenient(alphabet).decode(word.trim_end_matches('=')).ok()?));
    [&STANDARD, &URL_SAFE].into_iter().any(|alphabet| decoded(alphabet).is_some_and(|pair| personal_password(&pair).is_some()))
}

/// Reads what others read.
const fn lenient(alphabet: &Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// A JWS of ours, of somebody else, and a personal token; none of them proves anything here.
    const OURS: &str = "eyJraWQiOiJvdXJzIn0.e30.c2ln";
    const FOREIGN: &str = "eyJraWQiOiJ0aGVpcnMifQ.e30.c2ln";
    const PERSONAL: &str = "pat_abc";

    fn read_all(lines: &[&str]) -> Result<Option<Unproven>, Refusal> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        read(&headers, |token| token == OURS)
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", general_purpose::STANDARD.encode(pair))
    }

    fn found(line: &str) -> String {
        match read_all(&[line]) {
            Ok(Some(Unproven::Access(text))) => format!("access {}", text.as_str()),
            Ok(Some(Unproven::Personal(text))) => format!("personal {}", text.as_str()),
            Ok(None) => "nothing".to_owned(),
            Err(_) => "refused".to_owned(),
        }
    }

    /// contract 3.5
    #[test]
    fn ours_is_found_as_bearer_and_as_password() {
        for scheme in ["Bearer ", "bearer ", "BEARER   "] {
            assert_eq!(found(&format!("{scheme}{OURS}")), format!("access {OURS}"));
            assert_eq!(found(&format!("{scheme}{PERSONAL} ")), format!("personal {PERSONAL}"));
        }
        for pair in ["alice:pat_abc", ":pat_abc", "pat_x:pat_abc"] {
            assert_eq!(found(&basic(pair)), "personal pat_abc", "{pair}");
        }
        assert_eq!(found(&basic("alice:pat_a:b é")), "personal pat_a:b é", "ours, and not valid");
        assert_eq!(found("Bearer pat_"), "personal pat_");
    }

    /// contract 3.5
    #[test]
    fn what_is_anothers_is_no_credential() {
        assert_eq!(read_all(&[]).ok().map(|found| found.is_none()), Some(true));
        for line in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer xyz",
            "Bearer PAT_abc",
            "Bearer xpat_abc",
            "token pat_abc",
            "Digest username=\"pat_abc\", response=\"x\"",
            "Negotiate YII=",
            "Basic",
            "Basic !!!",
            &format!("Bearer {FOREIGN}"),
            &basic("alice:secret"),
            &basic("alice"),
            &basic("pat_abc:"),
            &basic(&format!("alice:{OURS}")),
            &basic("alice:PAT_abc"),
        ] {
            assert_eq!(found(line), "nothing", "{line}");
        }
        assert!(matches!(read_all(&["Bearer a", "Bearer b"]), Ok(None)));
    }

    /// threats.md J13
    #[test]
    fn any_doubt_with_ours_in_it_is_a_refusal() {
        let pair = general_purpose::STANDARD.encode("x:pat_ab");
        for line in [
            &format!("Bearer\t{OURS}"),
            &format!("Bearer \t{OURS}"),
            &format!("Bearer {OURS} {OURS}"),
            &format!("Bearer x, Bearer {OURS}"),
            &format!("Bearer {OURS},"),
            &format!("Basic abc,Bearer {PERSONAL}"),
            &format!("Digest a=\"b\", Bearer {PERSONAL}"),
            &format!("Bearer \"{PERSONAL}\""),
            &format!("Bearer '{PERSONAL}'"),
            &format!("Bearer <{OURS}>"),
            &format!("Bearer: {PERSONAL}"),
            &format!("Bearer:{OURS}"),
            &format!("Basic alice:{PERSONAL}"),
            &format!("Bearer token={PERSONAL}"),
            &format!("Bearer Bearer {PERSONAL}"),
            &format!("Basic {PERSONAL}"),
            &format!("Basic\t{pair}"),
            &format!("Basic {pair}, Basic {pair}"),
            &format!("Basic {}", pair.trim_end_matches('=')),
            &format!("Bearer {pair}"),
            PERSONAL,
            OURS,
        ] {
            assert_eq!(found(line), "refused", "{line}");
        }
        for other in ["Bearer x", "", "Basic eDp5"] {
            let ours = format!("Bearer {OURS}");
            assert!(matches!(read_all(&[&ours, other]), Err(Refusal::Invalid)), "{other}");
            assert!(matches!(read_all(&[other, &basic("x:pat_abc")]), Err(Refusal::Invalid)), "{other}");
        }
        assert!(matches!(read_all(&["Bearer pat_abc", "Bearer pat_abc"]), Err(Refusal::Invalid)));
    }
}
