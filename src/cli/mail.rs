//! `portcullis mail …`: whether mail works, and what mails look like.

use crate::account::Email;
use crate::app;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Settings;
use crate::mail::{samples, send_test};
use clap::Subcommand;
use std::path::{Path, PathBuf};

/// What is to be done.
#[derive(Clone, Debug, Subcommand)]
pub enum MailCommand {
    /// Send a test mail now, and say what the mail server said if it does not take it
    Test {
        /// To whom
        address: String,
    },
    /// Write every kind of mail with made-up data to a folder, as text and as HTML
    Render {
        /// Folder; made if need be
        folder: PathBuf,
    },
}

/// Runs the command; what it returns goes to standard output.
///
/// # Errors
/// One sentence for standard error.
pub fn run(command: MailCommand, settings: &Settings) -> Result<String, String> {
    match command {
        MailCommand::Test { address } => test(&address, settings),
        MailCommand::Render { folder } => render(&folder, settings),
    }
}

fn test(address: &str, settings: &Settings) -> Result<String, String> {
    let to = Email::parse(address).map_err(|error| error.to_string())?;
    let transport = app::mail_transport(settings).ok_or("there is no mail here: set email.transport")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let sent = runtime.block_on(send_test(settings, &*transport, to, SystemClock.now())).map_err(|error| error.to_string());
    // A name that is still being looked up is waited for by nobody.
    runtime.shutdown_background();
    sent.map(|()| format!("sent to {address}\n"))
}

fn render(folder: &Path, settings: &Settings) -> Result<String, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the mails cannot be written to {}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    let mails = samples(settings, SystemClock.now());
    for (template, wording) in &mails {
        let name = template.replace('_', "-");
        let texts = [("txt", wording.as_text()), ("html", wording.as_html())];
        for (extension, text) in texts {
            let text = text.map_err(|error| failed(&error))?;
            std::fs::write(folder.join(format!("{name}.{extension}")), text).map_err(|error| failed(&error))?;
        }
    }
    Ok(format!("{} mails written to {}\n", mails.len(), folder.display()))
}
