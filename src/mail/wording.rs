//! What letters say. A letter has one text, which [`Wording`] lays out as plain text and as HTML, so that both say the same.
//!
//! Nothing that a stranger chose stands in a mail: whoever registers with somebody else's address, or asks for a reset,
//! would otherwise have us send their words to others. Browsers are told in words of ours, names only to their owners.

use super::Asked;
use crate::client::browser;
use crate::clock::Timestamp;
use askama::Template;

/// A mail's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// Name of this site, as configured.
    pub site: String,
    /// What it is about; for the subject, after the site's name.
    pub about: &'static str,
    /// Whom it greets; nobody by name until the address is known to be theirs.
    pub greeted: Option<String>,
    /// What happened.
    pub news: Vec<String>,
    /// What to click.
    pub action: Option<Action>,
    /// Who caused it.
    pub facts: Vec<(&'static str, String)>,
    /// What to do about it.
    pub advice: Vec<String>,
}

/// The link of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What the button says.
    pub label: &'static str,
    /// Where it leads.
    pub link: String,
    /// Until when it works.
    pub note: Option<String>,
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct PlainText<'a>(&'a Wording);

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a>(&'a Wording);

impl Wording {
    /// The subject line.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{}: {}", self.site, self.about)
    }

    /// As plain text.
    ///
    /// # Errors
    /// When the template cannot be filled in.
    pub fn as_text(&self) -> Result<String, askama::Error> {
        PlainText(self).render()
    }

    /// As HTML.
    ///
    /// # Errors
    /// When the template cannot be filled in.
    pub fn as_html(&self) -> Result<String, askama::Error> {
        Html(self).render()
    }
}

/// Makes the texts of one site.
pub(super) struct Phrases<'a> {
    /// Its name.
    pub(super) site: &'a str,
    /// Address of the page where a new password can be asked for, where that is known.
    pub(super) forgot: Option<String>,
}

impl Phrases<'_> {
    pub(super) fn password_reset(&self, link: String, until: Timestamp, asked: &Asked) -> Wording {
        Wording {
            news: vec![format!("Somebody asked to set a new password for your account at {}.", self.site)],
            action: Some(Action { label: "Set a new password", link, note: Some(works_once(until)) }),
            facts: facts(asked),
            advice: vec!["If this was not you, do nothing: your password stays as it is.".to_owned()],
            ..self.blank("set a new password")
        }
    }

    pub(super) fn password_changed(&self, asked: &Asked) -> Wording {
        Wording {
            news: vec![format!("The password of your account at {} was changed. Everywhere else you were signed out.", self.site)],
            action: self.forgotten("It was not me: set a new password"),
            facts: facts(asked),
            advice: vec![format!("If this was not you, somebody else has your account. {}", self.take_it_back())],
            ..self.blank("your password was changed")
        }
    }

    pub(super) fn account_locked(&self, until: Timestamp, asked: &Asked) -> Wording {
        Wording {
            news: vec![
                format!("Too many attempts to sign in to your account at {} failed, so signing in is locked until {}.", self.site, until.in_words()),
                "Your password was not changed. Where you are signed in you stay signed in, and browsers in which you signed in before still let you in."
                    .to_owned(),
            ],
            action: self.forgotten("I forgot it: set a new password"),
            facts: facts(asked),
            advice: vec![
                "If this was not you, you need not do anything.".to_owned(),
                "If you forgot your password, “Forgot your password?” on the sign-in page lets you set a new one.".to_owned(),
            ],
            ..self.blank("signing in is locked for a while")
        }
    }

    pub(super) fn new_sign_in(&self, asked: &Asked) -> Wording {
        Wording {
            news: vec![format!("Somebody signed in to your account at {} with a browser that has not been used for it before.", self.site)],
            action: self.forgotten("It was not me: set a new password"),
            facts: facts(asked),
            advice: vec![
                "If this was you, there is nothing to do.".to_owned(),
                format!("If it was not, somebody else has your password. {}", self.take_it_back()),
            ],
            ..self.blank("a new sign-in")
        }
    }

    pub(super) fn confirm_email(&self, link: String, until: Timestamp, asked: &Asked) -> Wording {
        Wording {
            news: vec![format!("This address was given for an account at {}. Please confirm that it is yours.", self.site)],
            action: Some(Action { label: "Confirm this address", link, note: Some(works_once(until)) }),
            facts: facts(asked),
            advice: vec!["If you know nothing of this, do nothing: the address will not be used without your confirmation.".to_owned()],
            ..self.blank("confirm your email address")
        }
    }

    pub(super) fn email_changed(&self, asked: &Asked) -> Wording {
        Wording {
            news: vec![format!("Your account at {} has another email address now. This is the last mail to this one.", self.site)],
            facts: facts(asked),
            advice: vec![format!("If this was not you, somebody else has your account: tell the administrator of {} at once.", self.site)],
            ..self.blank("your email address was changed")
        }
    }

    pub(super) fn address_taken(&self, login: Option<String>, asked: &Asked) -> Wording {
        let link = |link| Action { label: "Sign in", link, note: None };
        Wording {
            news: vec![format!("Somebody wanted to use this address for an account at {}, but it belongs to yours already.", self.site)],
            action: login.map(link),
            facts: facts(asked),
            advice: vec![
                "If this was you, sign in to the account you have; if you forgot its password, you can set a new one there.".to_owned(),
                "If it was not, do nothing: nothing was changed.".to_owned(),
            ],
            ..self.blank("you have an account already")
        }
    }

    pub(super) fn invitation(&self, link: String, until: Timestamp) -> Wording {
        Wording {
            news: vec![format!("You are invited to make an account at {}.", self.site)],
            action: Some(Action { label: "Make an account", link, note: Some(works_once(until)) }),
            advice: vec!["If you do not want one, do nothing.".to_owned()],
            ..self.blank("an invitation")
        }
    }

    pub(super) fn test(&self) -> Wording {
        Wording {
            news: vec![format!("This is a test, sent by hand. If you can read it, mail from {} arrives.", self.site)],
            ..self.blank("a test")
        }
    }

    fn blank(&self, about: &'static str) -> Wording {
        Wording { site: self.site.to_owned(), about, greeted: None, news: Vec::new(), action: None, facts: Vec::new(), advice: Vec::new() }
    }

    /// A way to the page where a new password can be asked for.
    fn forgotten(&self, label: &'static str) -> Option<Action> {
        self.forgot.clone().map(|link| Action { label, link, note: None })
    }

    fn take_it_back(&self) -> &'static str {
        if self.forgot.is_some() {
            "Set a new password at once, which also ends all sessions."
        } else {
            "Set a new password at once, with “Forgot your password?” on the sign-in page; that also ends all sessions."
        }
    }
}

fn works_once(until: Timestamp) -> String {
    format!("The link works once, until {}.", until.in_words())
}

fn facts(asked: &Asked) -> Vec<(&'static str, String)> {
    let mut facts = vec![("When", asked.at.in_words())];
    facts.extend(asked.client.map(|address| ("Network address", address.to_string())));
    if !asked.user_agent.is_empty() {
        facts.push(("Browser", browser::in_known_words(&asked.user_agent)));
    }
    facts
}
