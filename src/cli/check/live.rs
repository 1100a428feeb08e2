//! `portcullis check --live`: whether everything that the configuration names is there, a line each.

use crate::app::reach;
use crate::cli::Failure;
use crate::config::{MailTransport, SessionStoreKind, Settings};
use crate::gateway::Pool;
use std::fmt::Display;
use std::io::Write;

pub(super) fn run(settings: &Settings, out: &mut impl Write) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let mut lines = Lines { out, failed: 0 };
    lines.tell("stores.users", reach::users(settings))?;
    if !matches!(settings.stores.sessions, SessionStoreKind::Memory) {
        lines.tell("stores.sessions", reach::sessions(settings))?;
    }
    if matches!(settings.email.transport, Some(MailTransport::Smtp(_))) {
        lines.tell("email.transport", runtime.block_on(reach::mail(settings)))?;
    }
    for (index, route) in settings.routes.iter().enumerate() {
        let key = format!("routes[{index}].upstream");
        let pool = Pool::new(route, &settings.server.timeouts, None)?;
        for (server, reached) in runtime.block_on(pool.reach()) {
            lines.tell(&key, reached.map_err(|error| format!("{server} {error}")))?;
        }
    }
    // A name that is still being looked up is waited for by nobody.
    runtime.shutdown_background();
    match lines.failed {
        0 => Ok(()),
        1 => Err(Failure::new("one of these cannot be reached, start it or correct its address")),
        failed => Err(Failure::new(format!("{failed} of these cannot be reached, start them or correct their addresses"))),
    }
}

struct Lines<W> {
    out: W,
    failed: usize,
}

impl<W: Write> Lines<W> {
    fn tell<E: Display>(&mut self, key: &str, reached: Result<(), E>) -> std::io::Result<()> {
        match reached {
            Ok(()) => writeln!(self.out, "{key}: ok"),
            Err(error) => {
                self.failed += 1;
                writeln!(self.out, "{key}: {error}")
            }
        }
    }
}
