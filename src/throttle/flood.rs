//! In front of the shared limits, in each process: a client that floods is turned away before any store is asked. It is far
//! too generous to bite before those limits do.

use crate::clock::Stopwatch;
use crate::store::Limit;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

/// Turns floods away.
pub(super) struct FloodGate {
    limiter: RateLimiter<Option<IpAddr>, HashMapStateStore<Option<IpAddr>>, Monotonic, NoOpMiddleware<Duration>>,
    limit: Limit,
}

/// How many more at once than the shared limit of a client allows, most of which are given back: an office behind one address
/// signs in at nine o'clock.
const FACTOR: u32 = 10;

/// How many a second in the long run.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// Most clients that are remembered: some ten megabytes. Those who have been quiet are forgotten then.
const MOST_CLIENTS: usize = 100_000;

impl FloodGate {
    /// A gate beside a shared limit of so many for a client; `None` where that is turned off.
    pub(super) fn beside(per_client: u32) -> Option<Self> {
        let burst = NonZeroU32::new(per_client.saturating_mul(FACTOR))?;
        let quota = Quota::per_second(PER_SECOND).allow_burst(burst);
        let limiter = RateLimiter::new(quota, HashMapStateStore::default(), Monotonic(Stopwatch::start()));
        let per = Duration::from_secs(u64::from(burst.get().div_ceil(PER_SECOND.get())));
        Some(Self { limiter, limit: Limit { most: burst.get(), per } })
    }

    /// Lets one of this client pass; otherwise the limit, and how long to wait.
    pub(super) fn pass(&self, network: Option<IpAddr>) -> Result<(), (Limit, Duration)> {
        if self.limiter.len() >= MOST_CLIENTS {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        let passed = self.limiter.check_key(&network);
        passed.map_err(|until| (self.limit, until.wait_time_from(self.limiter.clock().now())))
    }
}

/// Time since the start, on a clock that nobody sets: one that is set back would keep everybody out.
#[derive(Clone)]
struct Monotonic(Stopwatch);

impl Clock for Monotonic {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn a_flood_of_one_client_is_turned_away_and_no_other_client() {
        let gate = FloodGate::beside(2).unwrap();
        let passed = (0..200).filter(|_| gate.pass(Some(client(1))).is_ok()).count();
        assert!((20..=40).contains(&passed), "{passed}");
        let (limit, wait) = loop {
            if let Err(refused) = gate.pass(Some(client(1))) {
                break refused;
            }
        };
        assert_eq!(limit, Limit { most: 20, per: Duration::from_secs(2) });
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        assert!(gate.pass(Some(client(2))).is_ok() && gate.pass(None).is_ok());
    }

    #[test]
    fn it_is_off_where_the_shared_limit_is() {
        assert!(FloodGate::beside(0).is_none());
    }

    /// the memory of a gate is bounded, however many clients come
    #[test]
    fn clients_that_are_quiet_are_forgotten() {
        let gate = FloodGate::beside(100).unwrap();
        for number in 0..300_000 {
            assert!(gate.pass(Some(client(number))).is_ok());
        }
        assert!(gate.limiter.len() <= 2 * MOST_CLIENTS, "{}", gate.limiter.len());
    }
}
