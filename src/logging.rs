//! Where log records go: standard error, as text or as JSON, each record one line whatever it tells. Audit records are
//! written at every level.

mod line;
mod record;
pub mod request;

use crate::audit;
use crate::config::LogSettings;
use line::{Format, Lines};
use record::Records;
use std::io::IsTerminal as _;
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, reload};

/// The running log, whose level can be changed.
#[derive(Clone)]
pub struct Logging(reload::Handle<Targets, Registry>);

impl Logging {
    /// From now on at this level.
    pub fn set_level(&self, level: Level) {
        // It fails where the log was never started: in a test, beside another one.
        let _ = self.0.reload(filter(level));
    }
}

/// Starts logging, once for the process.
pub fn start(settings: &LogSettings) -> Logging {
    let (filter, handle) = reload::Layer::new(filter(settings.level));
    let in_colour = std::io::stderr().is_terminal();
    let layer = if settings.json {
        let layer = fmt::layer().json().flatten_event(true).map_event_format(|inner| Records::new(inner, Format::Json));
        layer.with_writer(|| Lines::new(std::io::stderr(), Format::Json)).boxed()
    } else if in_colour {
        let layer = fmt::layer().with_ansi(true).map_event_format(|inner| Records::new(inner.with_ansi(true), Format::Text));
        layer.with_writer(std::io::stderr).boxed()
    } else {
        let layer = fmt::layer().with_ansi(false).map_event_format(|inner| Records::new(inner, Format::Text));
        layer.with_writer(|| Lines::new(std::io::stderr(), Format::Text)).boxed()
    };
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    Logging(handle)
}

/// What is logged at this level. Records of libraries are taken at `warn` and above only: what they write at finer levels may
/// hold headers.
fn filter(level: Level) -> Targets {
    let level = LevelFilter::from_level(level);
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("portcullis", level)
        // What bans attackers and what tells of them afterwards must not depend on how much else is wanted.
        .with_target(audit::LOG_TARGET, LevelFilter::INFO)
        // Pingora calls it an error when a client or an upstream hangs up; what matters of it, the gateway logs itself.
        .with_target("pingora_core", LevelFilter::OFF)
        .with_target("pingora_proxy", LevelFilter::OFF)
}
