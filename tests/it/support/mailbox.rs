//! The mails of a gateway whose `email.transport` is `file:mails`, read as a mail program reads them.

use super::gateway::{Builder, TestGateway};
use super::within_patience;
use mail_parser::MessageParser;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder that mails are written to.
pub struct Mailbox {
    folder: PathBuf,
    read: Vec<PathBuf>,
}

/// A mail that arrived.
#[derive(Clone, Debug)]
pub struct ReceivedMail {
    /// Everything, as it goes over the wire.
    pub raw: String,
    /// Address in `To`, without a display name.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML.
    pub html: String,
}

/// With mails in the folder `mails`, and links that begin with `http://localhost`.
pub fn with_mail(builder: Builder) -> Builder {
    builder.set("EMAIL__TRANSPORT", "file:mails").set("PORTAL__URL", "http://localhost")
}

impl Mailbox {
    /// All mails of this gateway.
    pub fn of(gateway: &TestGateway) -> Self {
        Self::at(&gateway.folder().join("mails"))
    }

    /// All mails in this folder.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), read: Vec::new() }
    }

    /// The oldest mail that was not read yet; waits for it.
    pub async fn next(&mut self) -> ReceivedMail {
        within_patience("a mail", async {
            loop {
                if let Some(path) = self.files().into_iter().find(|path| !self.read.contains(path)) {
                    let mail = ReceivedMail::parse(std::fs::read(&path).unwrap());
                    self.read.push(path);
                    return mail;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    /// The oldest mail to this address that was not read yet; skips others.
    pub async fn next_to(&mut self, address: &str) -> ReceivedMail {
        loop {
            let mail = self.next().await;
            if mail.to == address {
                return mail;
            }
        }
    }

    /// All mails that were not read yet, once the gateway has no letter left to send: to see that none was written.
    pub async fn rest(&mut self, gateway: &TestGateway) -> Vec<ReceivedMail> {
        within_patience("all letters to be sent", async {
            while gateway.app().outbox.depth().await.unwrap() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let unread: Vec<_> = self.files().into_iter().filter(|path| !self.read.contains(path)).collect();
        self.read.extend(unread.iter().cloned());
        unread.iter().map(|path| ReceivedMail::parse(std::fs::read(path).unwrap())).collect()
    }

    /// How many mails have arrived, read or not.
    pub fn count(&self) -> usize {
        self.files().len()
    }

    /// Oldest first.
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().map(|entry| entry.unwrap());
        let mails = entries.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "eml"));
        let mut mails: Vec<_> = mails.map(|entry| (entry.metadata().unwrap().modified().unwrap(), entry.path())).collect();
        mails.sort();
        mails.into_iter().map(|(_, path)| path).collect()
    }
}

impl ReceivedMail {
    /// Reads a message.
    pub fn parse(raw: Vec<u8>) -> Self {
        let message = MessageParser::default().parse(&raw).expect("a message");
        let to = message.to().and_then(|to| to.first()).expect("a recipient");
        assert!(to.name().is_none(), "a display name: {to:?}");
        Self {
            to: to.address().unwrap().to_owned(),
            subject: message.subject().unwrap().to_owned(),
            text: message.body_text(0).expect("a plain text").into_owned(),
            html: message.body_html(0).expect("an HTML text").into_owned(),
            raw: String::from_utf8(raw).unwrap(),
        }
    }

    /// The values of this header, as they stand there.
    pub fn header(&self, name: &str) -> Vec<String> {
        let message = MessageParser::default().parse(self.raw.as_bytes()).unwrap();
        let values = message.headers_raw().filter(|(written, _)| written.eq_ignore_ascii_case(name));
        values.map(|(_, value)| value.trim().to_owned()).collect()
    }

    /// The only link of the plain text, which the HTML has too.
    pub fn link(&self) -> String {
        let mut links = self.text.split_whitespace().filter(|word| word.starts_with("http"));
        let link = links.next().unwrap_or_else(|| panic!("no link in {}", self.text)).to_owned();
        assert_eq!(links.next(), None, "another link in {}", self.text);
        assert!(self.html.contains(&link.replace('&', "&amp;")), "{link} in {}", self.html);
        link
    }

    /// Path and query of the link, to follow it whatever its origin.
    pub fn link_path(&self) -> String {
        let link = self.link();
        let (_, rest) = link.split_once("://").unwrap();
        rest[rest.find('/').unwrap()..].to_owned()
    }

    /// The token in the link's query or fragment.
    pub fn token(&self) -> String {
        let link = self.link();
        link.rsplit_once(['=', '#']).unwrap_or_else(|| panic!("no token in {link}")).1.to_owned()
    }
}
