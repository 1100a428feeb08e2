//! One mail of each kind with made-up data, for people who want to see them (`portcullis mail render`) and for tests.

use super::Asked;
use super::wording::Wording;
use super::writer::phrases;
use crate::clock::Timestamp;
use crate::config::{PortalUrl, Settings};

/// Every kind of mail, under the name of its template.
#[must_use]
pub fn samples(settings: &Settings, now: Timestamp) -> Vec<(&'static str, Wording)> {
    let phrases = phrases(settings);
    let base = settings.portal.url.as_ref().map_or_else(|| "https://auth.example.com".to_owned(), PortalUrl::origin);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_str;
    use crate::mail::Letter;
    use crate::metrics::Label as _;
    use std::path::Path;

    const HOSTILE: &str = r#"Wiki "<svg onload=alert(1)>' & Sons"#;

    fn all() -> Vec<(&'static str, Wording)> {
        let yaml = format!("routes: [{{ upstream: sample }}]\nui: {{ title: {} }}", serde_json::Value::from(HOSTILE));
        samples(&load_str(&yaml, Path::new("/nowhere"), &[]).unwrap().settings, Timestamp(1_795_272_345_678))
    }

    /// Contract 1, `mail render`
    #[test]
    fn every_kind_of_mail_has_a_sample() {
        let asked = Asked { at: Timestamp(0), client: None, user_agent: String::new() };
        let (account, text, until) = (crate::account::AccountId(uuid::Uuid::nil()), String::new, Timestamp(0));
        let kinds = [
            Letter::PasswordReset { address: text(), base: text(), asked: asked.clone() },
            Letter::PasswordChanged { account, asked: asked.clone() },
            Letter::AccountLocked { account: None, until, asked: asked.clone() },
            Letter::NewSignIn { account, asked: asked.clone() },
            Letter::ConfirmEmail { account, address: text(), base: text(), asked: asked.clone() },
            Letter::EmailChanged { account, former: text(), asked: asked.clone() },
            Letter::AddressTaken { address: text(), base: None, asked },
            Letter::Invitation { address: text(), link: text(), until },
            Letter::Test { address: text() },
        ];
        let templates: Vec<_> = all().into_iter().map(|(template, _)| template).collect();
        assert_eq!(templates, kinds.map(|letter| letter.template().value()));
    }

    #[test]
    fn both_texts_say_the_same_and_the_html_is_escaped_and_holds_nothing_from_elsewhere() {
        for (template, wording) in all() {
            let (text, html) = (wording.as_text().unwrap(), wording.as_html().unwrap());
            let read = html.replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<").replace("&#62;", ">").replace("&#38;", "&");
            let said = wording.news.iter().chain(&wording.advice).chain(wording.facts.iter().map(|(_, value)| value));
            for words in said.chain(wording.action.iter().map(|action| &action.link)) {
                assert!(text.contains(words) && read.contains(words), "{template}: {words}\n{text}\n{html}");
            }
            assert!(text.contains("\n-- \n") && text.contains(HOSTILE), "{template}: {text}");
            for needed in ["<html lang=\"en\" dir=\"ltr\"", "name=\"color-scheme\" content=\"light dark\"", "<h1"] {
                assert!(html.contains(needed), "{template}: {needed} in {html}");
            }
            for banned in ["<svg", "<img", "src=", "url(", "@import", "<link", "<script", "<form"] {
                assert!(!html.contains(banned), "{template}: {banned} in {html}");
            }
        }
    }

    #[test]
    fn a_mail_reads_well_as_plain_text() {
        let (_, wording) = all().swap_remove(0);
        let wording = Wording { site: "Wiki".to_owned(), news: vec!["Somebody asked.".to_owned()], ..wording };
        let expected = "Hello alice,\n\nSomebody asked.\n\nSet a new password:\n\
            https://auth.example.com/auth/reset?token=A1b2C3d4E5fA1b2C3d4E5fA1b2C3d4E5fA1b2C3d4E5\n\n\
            The link works once, until 21 November 2026, 15:15 UTC.\n\n\
            When: 21 November 2026, 14:45 UTC\nNetwork address: 203.0.113.7\nBrowser: Firefox on Linux\n\n\
            If this was not you, do nothing: your password stays as it is.\n\n\
            -- \nWiki. This mail was sent by a program; nobody reads answers to it.";
        assert_eq!(wording.as_text().unwrap(), expected);
    }
}
