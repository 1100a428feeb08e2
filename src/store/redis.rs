//! Sessions in Redis, for several gateways side by side. One connection a process, kept up by a supervisor ([`link`]);
//! what checks and acts is one command or one script, so that two gateways never see half of a change.

mod connect;
mod counters;
mod link;
mod one_time;
mod record;
mod refresh_tokens;
mod scripts;
mod server;
mod sessions;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use counters::RedisCounters;
pub use link::Link;
pub use one_time::RedisOneTime;
pub use refresh_tokens::RedisRefreshTokens;
pub use sessions::RedisSessions;
