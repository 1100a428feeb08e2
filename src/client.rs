//! Who asks, as far as the network tells.

mod browser;

pub use browser::browser_in_words;

use std::net::IpAddr;

/// Where a request comes from. Untrusted text, apart from the address.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Right-most untrusted address; unknown on a Unix socket without a trusted header, and for a command.
    pub address: Option<IpAddr>,
    /// `User-Agent`.
    pub user_agent: String,
    /// Id of the request, also in the log; empty for a command.
    pub request_id: String,
}
