//! A number that somebody else is asked for when metrics are read. Where the answer stays away there is no number: an old
//! one, or a zero, would be believed.

use super::family::{Declaration, Instrument};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Opts, Registry, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A gauge that may be missing.
#[derive(Clone)]
pub struct Told {
    gauge: IntGauge,
    known: Arc<AtomicBool>,
}

impl Told {
    /// Exports this number, or none.
    pub fn set(&self, number: Option<u64>) {
        if let Some(number) = number {
            self.gauge.set(i64::try_from(number).unwrap_or(i64::MAX));
        }
        self.known.store(number.is_some(), Ordering::Release);
    }
}

impl Instrument for Told {
    fn register(declaration: &Declaration, registry: &Registry) -> Result<Self> {
        let gauge = IntGauge::with_opts(Opts::new(declaration.name, declaration.help.trim()))?;
        let told = Self { gauge, known: Arc::default() };
        registry.register(Box::new(told.clone()))?;
        Ok(told)
    }
}

impl Collector for Told {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if self.known.load(Ordering::Acquire) { self.gauge.collect() } else { Vec::new() }
    }
}
