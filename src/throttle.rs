//! Limits: how many attempts a client has, by itself and for one account, counted in the store before anything is tried.
//! Domain over the port [`CounterStore`]; no HTTP here.

mod flood;
mod keys;
mod mails;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use keys::CounterKeys;
pub use target::Target;

use crate::account::{AccountId, Email};
use crate::client::Client;
use crate::clock::{SharedClock, Timestamp};
use crate::config::{RateLimitSettings, ResetSettings};
use crate::lockout::Lockout;
use crate::metrics::{Metrics, label};
use crate::store::{Charge, Counted, CounterStore, Limit, StoreError};
use flood::FloodGate;
use std::sync::Arc;
use std::time::Duration;

label! {
    /// What somebody attempts.
    pub enum Endpoint as "endpoint" {
        /// Signing in.
        Login = "login",
        /// Giving the current password, to change something or to confirm.
        CurrentPassword = "current_password",
        /// Making an account.
        Register = "register",
        /// Asking for a link to set a new password.
        ResetRequest = "reset_request",
        /// Setting a new password by a link.
        ResetConfirm = "reset_confirm",
        /// Asking for a mail with a link that confirms an address.
        EmailLink = "email_link",
    }
}

/// Why nothing may be attempted now.
#[derive(Debug)]
pub enum Throttled {
    /// Too many attempts: the same for accounts that exist and that do not.
    TooMany(TooMany),
    /// The store failed; nothing may be attempted without it.
    Unavailable(StoreError),
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// Which one.
    pub policy: Policy,
    /// How long to wait.
    pub retry_after: Duration,
    /// The limit.
    pub limit: Limit,
}

/// The limits there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Failures of one client for one account.
    Attempts,
    /// Registrations, or requests for resets, of one client.
    Requests,
    /// Everything of one client.
    Client,
    /// Mails with a reset link to one address.
    Resets,
    /// Mails with links that one account asks for.
    Mails,
    /// Failures for one account from anywhere: it is locked for a time.
    Lockout,
    /// Failures for one account of one browser that it knows.
    Device,
    /// Everything of one client, in this process.
    Flood,
}

/// Attempts that were counted: given back when they succeed or come to nothing, and told of when they fail.
#[must_use = "an attempt that succeeds is given back, and one that fails is told of"]
#[derive(Debug, Default)]
pub struct Admission {
    keys: Vec<String>,
    last: Option<Box<(Target, Client)>>,
}

/// Counts attempts.
pub struct Throttle {
    counters: Arc<dyn CounterStore>,
    clock: SharedClock,
    settings: RateLimitSettings,
    resets: ResetSettings,
    keys: CounterKeys,
    lockout: Arc<Lockout>,
    metrics: Arc<Metrics>,
    gate: Option<FloodGate>,
}

/// Something to count against a limit.
struct Budget {
    policy: Policy,
    charge: Charge,
}

impl Throttle {
    /// Counts where the lockouts are counted.
    #[must_use]
    pub fn new(lockout: Arc<Lockout>, settings: RateLimitSettings, resets: ResetSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            counters: Arc::clone(&lockout.counters),
            clock: Arc::clone(&lockout.clock),
            settings,
            resets,
            keys: lockout.keys.clone(),
            lockout,
            metrics,
            gate: FloodGate::beside(settings.per_client),
        }
    }

    /// Ends the account's lock, and forgets this client's failures for it, since its owner has just set another password there.
    /// Best effort: both end by themselves.
    pub async fn lift(&self, account: AccountId, client: &Client) {
        let failures = self.of_client_and_account(client, &Target::subject_of(account)).key;
        if let Err(error) = self.lockout.lift(account).await.and(self.counters.clear(&[failures]).await) {
            tracing::warn!(event = "counter_not_cleared", %error, %account, "what was counted against an account could not be forgotten, it ends by itself");
        }
    }

    /// Turns a flood of one client away; asks no store. Comes before anything else that costs something.
    ///
    /// # Errors
    /// When it is one.
    pub fn knock(&self, endpoint: Endpoint, client: &Client) -> Result<(), TooMany> {
        let Some(gate) = &self.gate else { return Ok(()) };
        gate.pass(client.network()).map_err(|(limit, retry_after)| {
            self.metrics.flooded(endpoint);
            TooMany { policy: Policy::Flood, retry_after, limit }
        })
    }

    /// Counts an attempt to give an account's password or code. It is counted before anything is verified, so that of many at
    /// once no more are verified than the limit allows. What one limit refuses uses up no other.
    ///
    /// # Errors
    /// See [`Throttled`].
    pub async fn attempt(&self, endpoint: Endpoint, client: &Client, target: &Target) -> Result<Admission, Throttled> {
        let now = self.clock.now();
        let device = target.known_device(client);
        let failure = match &device {
            Some(device) => Budget { policy: Policy::Device, charge: self.lockout.failure_of(device, target) },
            None => self.unless_locked(target, now).await?,
        };
        let attempts = self.of_client_and_account(client, target.subject());
        let budgets = [Budget { policy: Policy::Attempts, charge: attempts }, self.of_client(client), failure];
        let (admission, counted) = self.take(endpoint, budgets.into(), now).await?;
        let is_last = device.is_none() && counted.last().is_some_and(|(policy, counted)| *policy == Policy::Lockout && counted.left == 0);
        Ok(Admission { last: is_last.then(|| Box::new((target.clone(), client.clone()))), ..admission })
    }

    /// Counts a request that is about no account's password. Registrations stay counted, and so do attempts to set a password
    /// by a link until they succeed.
    ///
    /// # Errors
    /// See [`Throttled`].
    pub async fn request(&self, endpoint: Endpoint, client: &Client) -> Result<Admission, Throttled> {
        self.knock(endpoint, client)?;
        let budgets = vec![self.requests(endpoint, client), self.of_client(client)];
        let (admission, _) = self.take(endpoint, budgets, self.clock.now()).await?;
        Ok(admission)
    }

    /// Counts a request for a mail with a reset link to this address, whether or not someone has it.
    ///
    /// # Errors
    /// See [`Throttled`].
    pub async fn reset_request(&self, client: &Client, address: &Email) -> Result<Admission, Throttled> {
        self.knock(Endpoint::ResetRequest, client)?;
        let limit = Limit { most: self.resets.requests_per_hour, per: Duration::from_hours(1) };
        let resets = Budget { policy: Policy::Resets, charge: self.charge("resets", &[address.canonical()], limit) };
        let budgets = vec![resets, self.requests(Endpoint::ResetRequest, client), self.of_client(client)];
        let (admission, _) = self.take(Endpoint::ResetRequest, budgets, self.clock.now()).await?;
        Ok(admission)
    }

    /// Gives back what was counted for an attempt that succeeded, or of which nothing was decided. Best effort: what is not given
    /// back is forgotten when its window closes.
    pub async fn give_back(&self, admission: Admission) {
        if admission.keys.is_empty() {
            return;
        }
        if let Err(error) = self.counters.give_back(&admission.keys, self.clock.now()).await {
            tracing::warn!(event = "counter_not_cleared", %error, "an attempt that succeeded stays counted as a failure until its window closes");
        }
    }

    /// Notes that an attempt failed: it stays counted, and the last one that was allowed locks the account for a time.
    pub async fn failed(&self, admission: Admission) {
        let Some(last) = admission.last else { return };
        let (target, client) = *last;
        if let Err(error) = self.lockout.lock(&target, &client).await {
            tracing::warn!(event = "lockout_not_set", %error, "a lock after too many failures could not be set or told of; attempts are refused until their window closes");
        }
    }

    /// The charge for a failure from anywhere, where no lock is in force.
    async fn unless_locked(&self, target: &Target, now: Timestamp) -> Result<Budget, Throttled> {
        let locked = self.lockout.until(target, now).await?;
        let budget = Budget { policy: Policy::Lockout, charge: self.lockout.failure(target) };
        locked.map_or(Ok(budget), |until| {
            let (policy, limit) = (Policy::Lockout, self.lockout.limit());
            Err(Throttled::TooMany(TooMany { policy, retry_after: until.since(now), limit }))
        })
    }

    fn requests(&self, endpoint: Endpoint, client: &Client) -> Budget {
        let what = match endpoint {
            Endpoint::Register => "registrations",
            Endpoint::ResetRequest => "reset requests",
            Endpoint::Login | Endpoint::CurrentPassword | Endpoint::ResetConfirm | Endpoint::EmailLink => "requests",
        };
        Budget { policy: Policy::Requests, charge: self.charge(what, &[&network(client)], self.attempts()) }
    }

    fn of_client_and_account(&self, client: &Client, subject: &str) -> Charge {
        self.charge("attempts", &[&network(client), subject], self.attempts())
    }

    fn of_client(&self, client: &Client) -> Budget {
        let limit = Limit { most: self.settings.per_client, per: self.settings.per };
        Budget { policy: Policy::Client, charge: self.charge("client", &[&network(client)], limit) }
    }

    fn attempts(&self) -> Limit {
        Limit { most: self.settings.attempts, per: self.settings.per }
    }

    fn charge(&self, what: &str, of: &[&str], limit: Limit) -> Charge {
        Charge { key: self.keys.name(what, of), limit }
    }

    /// Counts against all of these that are not turned off, or against none.
    async fn take(
        &self,
        endpoint: Endpoint,
        budgets: Vec<Budget>,
        now: Timestamp,
    ) -> Result<(Admission, Vec<(Policy, Counted)>), Throttled> {
        let budgets: Vec<_> = budgets.into_iter().filter(|budget| budget.charge.limit.most > 0).collect();
        if budgets.is_empty() {
            return Ok((Admission::default(), Vec::new()));
        }
        let (policies, charges): (Vec<_>, Vec<_>) = budgets.into_iter().map(|budget| (budget.policy, budget.charge)).unzip();
        let counted = self.counters.count_all(&charges, now).await?;
        let judged = policies.iter().copied().zip(counted);
        let refused = judged.clone().zip(&charges).filter(|((_, counted), _)| !counted.allowed);
        if let Some(((policy, counted), charge)) = refused.max_by_key(|((_, counted), _)| counted.resets_at) {
            tracing::debug!(event = "limit_reached", ?endpoint, ?policy, "a limit was reached");
            if policy.is_rate() {
                self.metrics.rate_limited(endpoint);
            }
            let retry_after = counted.resets_at.since(now);
            return Err(Throttled::TooMany(TooMany { policy, retry_after, limit: charge.limit }));
        }
        let returnable = policies.iter().zip(&charges).filter(|(policy, _)| policy.is_given_back(endpoint));
        let keys = returnable.map(|(_, charge)| charge.key.clone()).collect();
        Ok((Admission { keys, last: None }, judged.collect()))
    }
}

impl Policy {
    /// Its name, as `RateLimit-Policy` says it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Requests => "requests",
            Self::Client => "client",
            Self::Resets => "resets",
            Self::Mails => "mails",
            Self::Lockout => "lockout",
            Self::Device => "device",
            Self::Flood => "flood",
        }
    }

    /// Whether it limits attempts; else it locks an account, which is counted as such.
    const fn is_rate(self) -> bool {
        !matches!(self, Self::Lockout | Self::Device)
    }

    /// Whether what succeeds is given back.
    fn is_given_back(self, endpoint: Endpoint) -> bool {
        match self {
            Self::Requests => endpoint == Endpoint::ResetConfirm,
            Self::Resets | Self::Mails => false,
            Self::Attempts | Self::Client | Self::Lockout | Self::Device | Self::Flood => true,
        }
    }
}

/// What is counted as one client, as text.
fn network(client: &Client) -> String {
    client.network().map_or_else(|| "unknown".to_owned(), |network| network.to_string())
}

impl From<StoreError> for Throttled {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<TooMany> for Throttled {
    fn from(too_many: TooMany) -> Self {
        Self::TooMany(too_many)
    }
}
