//! A file for each mail, in a folder: for development and tests. Programs such as mail readers open them.

use super::{SendError, Transport, Way};
use crate::mail::Mail;
use async_trait::async_trait;
use lettre::Message;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Writes each mail to a file of its own that ends in `.eml`.
pub struct FileTransport(PathBuf);

impl FileTransport {
    /// Into this folder, which is made at the first mail.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }
}

#[async_trait]
impl Transport for FileTransport {
    async fn open(&self) -> Result<Box<dyn Way>, SendError> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|error| failed(&self.0, &error))?;
        Ok(Box::new(Self(self.0.clone())))
    }
}

#[async_trait]
impl Way for FileTransport {
    async fn send(self: Box<Self>, mail: &Mail, message: &Message) -> Result<(), SendError> {
        write(&self.0, mail, message).map_err(|error| failed(&self.0, &error))
    }
}

/// The file appears whole or not at all.
fn write(folder: &Path, mail: &Mail, message: &Message) -> std::io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".mail-").tempfile_in(folder)?;
    file.write_all(&message.formatted())?;
    file.as_file().sync_all()?;
    let id = uuid::Builder::from_random_bytes(crate::entropy::random_bytes()).into_uuid();
    let about: String = mail.wording.about.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    file.persist_noclobber(folder.join(format!("{about}-{id}.eml")))?;
    Ok(())
}

fn failed(folder: &Path, error: &std::io::Error) -> SendError {
    SendError::Later(format!("a mail cannot be written to the folder {}: {error}", folder.display()))
}
