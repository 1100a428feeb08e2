//! One mail of each kind with made-up data, for people who want to see them (`portcullis mail render`) and for tests.

use super::Asked;
use super::wording::Wording;
use super::writer::phrases;
use crate::clock::Timestamp;
use crate::config::Settings;

/// Every kind of mail, under the name of its template.
#[must_use]
pub fn samples(settings: &Settings, now: Timestamp) -> Vec<(&'static str, Wording)> {
    let phrases = phrases(settings);
    let base = settings.portal.url.as_ref().map_or_else(|| "https://auth.example.com".to_owned(), crate::config::PortalUrl::origin);
    let page = |path: &str| format!("{base}{}{path}", settings.server.prefix);
    let with_token = |path: &str| page(&format!("{path}={}", "A1b2C3d4E5f".repeat(4).split_at(43).0));
    let user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned();
    let asked = Asked { at: now, client: Some([203, 0, 113, 7].into()), user_agent };
    let until = now.plus(settings.accounts.reset.token_lifetime);
    let greeted = |wording| Wording { greeted: Some("alice".to_owned()), ..wording };
    vec![
        ("password_reset", greeted(phrases.password_reset(with_token("/reset?token"), until, &asked))),
        ("password_changed", greeted(phrases.password_changed(&asked))),
        ("account_locked", greeted(phrases.account_locked(until, &asked))),
        ("new_sign_in", greeted(phrases.new_sign_in(&asked))),
        ("confirm_email", phrases.confirm_email(with_token("/verify-email?token"), until, &asked)),
        ("email_changed", phrases.email_changed(&asked)),
        ("address_taken", greeted(phrases.address_taken(Some(page("/login")), &asked))),
        ("invitation", phrases.invitation(with_token("/register?invite"), until)),
        ("test", phrases.test()),
    ]
}
