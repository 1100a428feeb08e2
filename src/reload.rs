//! Reading the configuration again while the gateway runs: it is checked like at the start, tests of the policy included, and
//! takes effect as a whole, or not at all and the log says why. When that is done is the caller's affair.

use crate::config::{Loaded, Report};
use crate::logging::Logging;
use crate::metrics::ReloadResult;
use crate::server::Live;
use std::fmt;
use std::sync::Arc;

/// Has a running gateway follow its configuration.
pub struct Reloader {
    live: Arc<Live>,
    log: Option<Logging>,
}

/// A configuration that has taken effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Keys whose value takes effect at the next start only.
    pub later: Vec<&'static str>,
}

/// Why everything stays as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReloaded {
    /// The gateway is about to end.
    Stopping,
    /// The configuration is wrong, or a test of its policy fails.
    Wrong(Report),
    /// Something that it names cannot be used: one sentence.
    Unusable(String),
}

impl fmt::Display for NotReloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("the gateway is stopping"),
            Self::Wrong(report) => report.fmt(f),
            Self::Unusable(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for NotReloaded {}

impl Reloader {
    /// For this gateway.
    #[must_use]
    pub fn new(live: Arc<Live>) -> Self {
        Self { live, log: None }
    }

    /// The level of this log follows the configuration too.
    #[must_use]
    pub fn with_log(self, log: Logging) -> Self {
        Self { log: Some(log), ..self }
    }

    /// Reads the configuration and has it take effect. What was under way goes on as it began. The log tells how it ended.
    ///
    /// # Errors
    /// Why everything stays as it was.
    pub async fn reload(&self, read: impl FnOnce() -> Result<Loaded, Report> + Send + 'static) -> Result<Reloaded, NotReloaded> {
        let result = self.try_reload(read).await;
        match &result {
            Ok(reloaded) => {
                for key in &reloaded.later {
                    tracing::warn!(event = "key_fixed", key, "cannot change while the gateway runs, takes effect at the next start");
                }
                tracing::info!(event = "reloaded", "the configuration was reloaded");
            }
            Err(NotReloaded::Stopping) => {
                tracing::warn!(event = "reload_ignored", "the configuration is not read again, the gateway is stopping");
            }
            Err(NotReloaded::Wrong(report)) => tell_refusal(&report.0),
            Err(NotReloaded::Unusable(reason)) => tell_refusal(std::slice::from_ref(reason)),
        }
        result
    }

    async fn try_reload(&self, read: impl FnOnce() -> Result<Loaded, Report> + Send + 'static) -> Result<Reloaded, NotReloaded> {
        if self.live.is_draining() {
            return Err(NotReloaded::Stopping);
        }
        let taken_up = self.take_up(read).await;
        self.live.note_reload(if taken_up.is_ok() { ReloadResult::Success } else { ReloadResult::Failure });
        taken_up
    }

    async fn take_up(&self, read: impl FnOnce() -> Result<Loaded, Report> + Send + 'static) -> Result<Reloaded, NotReloaded> {
        // A file on a network may take its time.
        let read = tokio::task::spawn_blocking(|| read().and_then(Loaded::tested)).await;
        let read = read.map_err(|error| NotReloaded::Unusable(format!("the configuration cannot be read: {error}")))?;
        let Loaded { settings, warnings, .. } = read.map_err(NotReloaded::Wrong)?;
        let level = settings.log.level;
        let later = self.live.reconfigure(settings).await.map_err(|error| NotReloaded::Unusable(error.0))?;
        if let Some(log) = &self.log {
            log.set_level(level);
        }
        for warning in &warnings {
            tracing::warn!(event = "configuration_risky", "{warning}");
        }
        Ok(Reloaded { later })
    }
}

fn tell_refusal(problems: &[impl fmt::Display]) {
    for problem in problems {
        tracing::error!(event = "configuration_wrong", "{problem}");
    }
    let problems = problems.len();
    tracing::error!(event = "reload_refused", problems, "the configuration was not reloaded, what was in force stays");
}
