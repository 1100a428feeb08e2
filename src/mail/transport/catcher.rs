//! The demo's mail catcher: mails are printed and kept in memory, and leave for nowhere.

use super::{SendError, Transport, Way};
use crate::clock::{SharedClock, Timestamp};
use crate::mail::{Mail, Wording};
use async_trait::async_trait;
use lettre::Message;
use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// Where caught mails are kept.
#[derive(Debug, Default)]
pub struct MailCatcher(Mutex<VecDeque<Caught>>);

/// A mail that was caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// When.
    pub at: Timestamp,
    /// To whom it was.
    pub to: String,
    /// What it says.
    pub wording: Wording,
}

/// Most mails that are kept; the oldest go first.
const MOST: usize = 100;

impl MailCatcher {
    /// What was caught, newest first.
    #[must_use]
    pub fn caught(&self) -> Vec<Caught> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    fn keep(&self, caught: Caught) {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if mails.len() == MOST {
            mails.pop_front();
        }
        mails.push_back(caught);
    }
}

/// The way to a catcher.
#[derive(Clone)]
pub struct CatcherTransport {
    /// Where mails are kept.
    pub catcher: Arc<MailCatcher>,
    /// When they were caught.
    pub clock: SharedClock,
}

#[async_trait]
impl Transport for CatcherTransport {
    async fn open(&self) -> Result<Box<dyn Way>, SendError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Way for CatcherTransport {
    async fn send(self: Box<Self>, mail: &Mail, _message: &Message) -> Result<(), SendError> {
        let caught = Caught { at: self.clock.now(), to: mail.to.as_str().to_owned(), wording: mail.wording.clone() };
        let text = caught.wording.as_text().map_err(|error| SendError::Refused(error.to_string()))?;
        // Whoever closed standard output wants to see none.
        let _ = writeln!(std::io::stdout(), "\nmail to {}: {}\n{}", caught.to, caught.wording.subject(), indented(&text));
        self.catcher.keep(caught);
        Ok(())
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}").trim_end().to_owned() + "\n").collect()
}
