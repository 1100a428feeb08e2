//! What can be counted and measured of one process, under the names that `docs/metrics.md` lists. A registry of its own, so that
//! many gateways run in one process; no label takes a value that a client chooses.

mod events;
mod family;
mod label;
mod labels;
mod process;
mod told;

pub use family::{Counters, Family, Histograms};
pub(crate) use label::label;
pub use label::{Label, Labels};
pub use labels::{
    CacheResult, CodeClass, Decision, EmailResult, LoginMethod, LoginResult, Mode, RefreshResult, RegistrationResult, ReloadResult,
    ResetResult, ResetStage, SessionEnd,
};
pub use prometheus::{Error, TEXT_FORMAT};
pub use told::Told;

use crate::clock::Timestamp;
use crate::mail::Template;
use crate::throttle::Endpoint;
use family::{Declaration, Instrument};
use process::Process;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, Result, TextEncoder};
use std::sync::Arc;
use std::time::Duration;

/// Upper bounds of buckets, in seconds: a decision takes microseconds, or as long as a store on the network.
const DECISION: &[f64] = &[0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.1, 0.25, 1.0];
/// Of requests, applications included.
const REQUEST: &[f64] = &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Of hashing a password.
const HASH: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
/// Of calls to stores.
const STORE: &[f64] = &[0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0];

/// Declares the metrics: the name is the field's behind `portcullis_`, the help its documentation.
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ty $(, labels $labels:expr)? $(, buckets $buckets:expr)?;)+) => {
        /// The metrics of one process.
        pub struct Metrics {
            registry: Registry,
            $($(#[doc = $help])+ pub $name: $kind,)+
        }

        impl Metrics {
            fn register(registry: Registry) -> Result<Self> {
                $(let $name = <$kind as Instrument>::register(&Declaration {
                    name: concat!("portcullis_", stringify!($name)),
                    help: concat!($($help),+),
                    labels: metrics!(@or_none $($labels)?),
                    buckets: metrics!(@or_none $($buckets)?),
                }, &registry)?;)+
                Ok(Self { registry, $($name,)+ })
            }
        }
    };
    (@or_none $given:expr) => { $given };
    (@or_none) => { &[] };
}

metrics! {
    /// Requests for applications that were decided on, by what they were answered; own pages are not among them.
    requests_total: Counters<(Mode, Decision)>;
    /// How long these requests took, applications included, from their head to the end of the answer; upgraded connections are not among them.
    request_duration_seconds: Histograms<Mode>, buckets REQUEST;
    /// How long it took to decide on these requests, session store included.
    decision_duration_seconds: Histograms<Mode>, buckets DECISION;
    /// Requests that went to an application, by its route and what it answered.
    upstream_requests_total: IntCounterVec, labels &["route", "code_class"];
    /// How long applications took to begin their answers, by route.
    upstream_duration_seconds: HistogramVec, labels &["route"], buckets REQUEST;
    /// Connections of clients that are open.
    connections_active: IntGauge;
    /// Attempts to sign in.
    logins_total: Counters<(LoginMethod, LoginResult)>;
    /// Attempts to make an account with values that an account may have.
    registrations_total: Counters<RegistrationResult>;
    /// Resets of forgotten passwords: links that were asked for, that were mailed, and that were used.
    password_resets_total: Counters<(ResetStage, ResetResult)>;
    /// Sessions that ended.
    sessions_ended_total: Counters<SessionEnd>;
    /// Sessions that have not expired, of all gateways that share the store.
    sessions_active: Told;
    /// Look-ups of sessions, by whether memory had them; only SQLite's store keeps sessions in memory too.
    session_cache_total: Counters<CacheResult>;
    /// Accounts, and names that nobody has, that were locked for a time after too many failures.
    lockouts_total: IntCounter;
    /// Attempts that were refused since there were too many, by what was attempted; locked accounts are not among them.
    rate_limited_total: Counters<Endpoint>;
    /// Uses of refresh tokens.
    token_refreshes_total: Counters<RefreshResult>;
    /// Attempts to send a mail.
    emails_total: Counters<(Template, EmailResult)>;
    /// Mails that wait to be sent, of all gateways that share the store.
    email_queue_depth: Told;
    /// How long passwords took to be hashed or verified, without the time in the queue.
    password_hash_duration_seconds: Histogram, buckets HASH;
    /// Passwords that wait to be hashed or verified; from 256 on logins are refused.
    password_hash_queue_depth: IntGauge;
    /// How long stores took to answer.
    store_duration_seconds: HistogramVec, labels &["store", "operation"], buckets STORE;
    /// Calls that stores failed at.
    store_errors_total: IntCounterVec, labels &["store", "operation"];
    /// Attempts to read the configuration anew.
    config_reloads_total: Counters<ReloadResult>;
    /// Whether the last attempt to read the configuration anew succeeded, or there was none: 1, else 0.
    config_last_reload_successful: IntGauge;
    /// When a certificate expires, in seconds since the Unix epoch.
    certificate_expiry_timestamp_seconds: IntGaugeVec, labels &["name"];
    /// Always 1; the label tells the version.
    build_info: IntGaugeVec, labels &["version"];
}

/// What is counted of the requests that go to one route. Made once, since finding it costs a look-up by name.
pub struct UpstreamMeter {
    answers: Vec<IntCounter>,
    duration: Histogram,
}

/// What is counted of one operation of a store.
pub struct StoreMeter {
    duration: Histogram,
    errors: IntCounter,
}

/// A connection that is open; it counts as such until this is dropped.
pub struct OpenConnection(IntGauge);

impl Metrics {
    /// Metrics that all stand at zero.
    ///
    /// # Errors
    /// When two have one name.
    pub fn new() -> Result<Arc<Self>> {
        let registry = Registry::new();
        registry.register(Box::new(Process::new()?))?;
        let metrics = Self::register(registry)?;
        metrics.config_last_reload_successful.set(1);
        metrics.build_info.get_metric_with_label_values(&[env!("CARGO_PKG_VERSION")])?.set(1);
        Ok(Arc::new(metrics))
    }

    /// All of them, in Prometheus' text format.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn export(&self) -> Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// Counts a request as decided on, once for each.
    pub fn decided(&self, mode: Mode, decision: Decision, after: Duration) {
        self.requests_total[(mode, decision)].inc();
        self.decision_duration_seconds[mode].observe(after.as_secs_f64());
    }

    /// Meters for the requests of a route, under a name that the configuration makes.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn upstream(&self, route: &str) -> Result<UpstreamMeter> {
        let answers = CodeClass::ALL.iter().map(|class| self.upstream_requests_total.get_metric_with_label_values(&[route, class.value()]));
        let duration = self.upstream_duration_seconds.get_metric_with_label_values(&[route])?;
        Ok(UpstreamMeter { answers: answers.collect::<Result<_>>()?, duration })
    }

    /// Meters for an operation of a store.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn store(&self, store: &'static str, operation: &'static str) -> Result<StoreMeter> {
        let labels = [store, operation];
        let duration = self.store_duration_seconds.get_metric_with_label_values(&labels)?;
        Ok(StoreMeter { duration, errors: self.store_errors_total.get_metric_with_label_values(&labels)? })
    }

    /// Counts a connection until what is returned is dropped.
    #[must_use]
    pub fn connection(&self) -> OpenConnection {
        self.connections_active.inc();
        OpenConnection(self.connections_active.clone())
    }

    /// Counts an attempt that a limit refused.
    pub(crate) fn rate_limited(&self, endpoint: Endpoint) {
        self.rate_limited_total[endpoint].inc();
    }

    /// Counts an attempt of a flood, of which there is no record that would be counted.
    pub(crate) fn flooded(&self, endpoint: Endpoint) {
        self.rate_limited(endpoint);
        if endpoint == Endpoint::Login {
            self.logins_total[(LoginMethod::Password, LoginResult::RateLimited)].inc();
        }
    }

    /// Counts sessions that ended.
    pub fn sessions_ended(&self, why: SessionEnd, sessions: u64) {
        self.sessions_ended_total[why].inc_by(sessions);
    }

    /// Counts an attempt to read the configuration anew.
    pub fn config_reloaded(&self, result: ReloadResult) {
        self.config_reloads_total[result].inc();
        self.config_last_reload_successful.set((result == ReloadResult::Success).into());
    }

    /// Tells of all certificates there are, under names that the configuration makes; those told of before are forgotten.
    ///
    /// # Errors
    /// When a name was given twice and cannot be exported.
    pub fn certificates<'a>(&self, expiries: impl IntoIterator<Item = (&'a str, Timestamp)>) -> Result<()> {
        self.certificate_expiry_timestamp_seconds.reset();
        for (name, expiry) in expiries {
            self.certificate_expiry_timestamp_seconds.get_metric_with_label_values(&[name])?.set(expiry.0 / 1000);
        }
        Ok(())
    }

    /// Counts the use of a refresh token.
    pub fn token_refreshed(&self, result: RefreshResult) {
        self.token_refreshes_total[result].inc();
    }
}

impl UpstreamMeter {
    /// Counts a request that was answered, or not.
    pub fn count(&self, class: CodeClass) {
        self.answers[Label::index(class)].inc();
    }

    /// Counts a request whose answer began after so long.
    pub fn answered(&self, class: CodeClass, after: Duration) {
        self.count(class);
        self.duration.observe(after.as_secs_f64());
    }
}

impl StoreMeter {
    /// Notes a call that took so long.
    pub fn called(&self, took: Duration) {
        self.duration.observe(took.as_secs_f64());
    }

    /// Notes that it failed.
    pub fn failed(&self) {
        self.errors.inc();
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
