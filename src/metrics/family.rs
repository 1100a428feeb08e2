//! How a metric is made and registered. All metrics of a family exist from the start, so that a rate sees the first event
//! too, and are found by index: nothing is looked up by name while requests are served.

use super::label::Labels;
use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, Result};
use std::marker::PhantomData;
use std::ops::Index;

/// One metric for each combination of labels.
pub struct Family<L, M> {
    members: Vec<M>,
    labels: PhantomData<fn(L)>,
}

/// Counters of events.
pub type Counters<L> = Family<L, IntCounter>;

/// Histograms of durations.
pub type Histograms<L> = Family<L, Histogram>;

impl<L: Labels, M> Index<L> for Family<L, M> {
    type Output = M;

    fn index(&self, labels: L) -> &M {
        &self.members[labels.index()]
    }
}

/// What a metric is declared with.
pub(super) struct Declaration {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// Labels whose values come from the configuration or the program; none for a [`Family`], whose type has them.
    pub(super) labels: &'static [&'static str],
    /// Upper bounds of the buckets of a histogram.
    pub(super) buckets: &'static [f64],
}

impl Declaration {
    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help.trim())
    }

    fn histogram(&self) -> HistogramOpts {
        HistogramOpts::new(self.name, self.help.trim()).buckets(self.buckets.to_vec())
    }
}

/// A kind of metric that can be declared.
pub(super) trait Instrument: Sized {
    /// Makes it and has it exported.
    fn register(declaration: &Declaration, registry: &Registry) -> Result<Self>;
}

/// Has `collector` exported, and hands it back.
fn exported<C: Collector + Clone + 'static>(collector: C, registry: &Registry) -> Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

macro_rules! instruments {
    ($($kind:ty: |$declared:ident| $make:expr;)*) => {
        $(impl Instrument for $kind {
            fn register($declared: &Declaration, registry: &Registry) -> Result<Self> {
                exported($make?, registry)
            }
        })*
    };
}

instruments! {
    IntCounter: |declared| IntCounter::with_opts(declared.opts());
    IntGauge: |declared| IntGauge::with_opts(declared.opts());
    Histogram: |declared| Histogram::with_opts(declared.histogram());
    IntCounterVec: |declared| IntCounterVec::new(declared.opts(), declared.labels);
    IntGaugeVec: |declared| IntGaugeVec::new(declared.opts(), declared.labels);
    HistogramVec: |declared| HistogramVec::new(declared.histogram(), declared.labels);
}

impl<L: Labels> Instrument for Counters<L> {
    fn register(declaration: &Declaration, registry: &Registry) -> Result<Self> {
        let family = exported(IntCounterVec::new(declaration.opts(), &L::names())?, registry)?;
        let members = L::all().into_iter().map(|labels| family.get_metric_with_label_values(&labels.values()));
        Ok(Self { members: members.collect::<Result<_>>()?, labels: PhantomData })
    }
}

impl<L: Labels> Instrument for Histograms<L> {
    fn register(declaration: &Declaration, registry: &Registry) -> Result<Self> {
        let family = exported(HistogramVec::new(declaration.histogram(), &L::names())?, registry)?;
        let members = L::all().into_iter().map(|labels| family.get_metric_with_label_values(&labels.values()));
        Ok(Self { members: members.collect::<Result<_>>()?, labels: PhantomData })
    }
}
