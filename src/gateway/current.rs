//! The gateway in force. A reload puts another one in its place; what is under way goes on with the one it began with, so
//! that what was decided on is what is forwarded.

use super::Gateway;
use super::session_watch;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The gateway as it is now, for whoever begins something.
#[derive(Clone)]
pub struct CurrentGateway(Arc<ArcSwap<super::Parts>>);

impl CurrentGateway {
    /// This one, until it is replaced.
    #[must_use]
    pub fn new(gateway: Gateway) -> Self {
        Self(Arc::new(ArcSwap::new(gateway.0)))
    }

    /// The one in force.
    #[must_use]
    pub fn get(&self) -> Gateway {
        Gateway(self.0.load_full())
    }

    /// Whatever begins from now on is served by `gateway`.
    pub fn replace(&self, gateway: Gateway) {
        self.0.store(gateway.0);
    }

    /// The one that the exchange of this task began with.
    pub(super) fn of_this_exchange(&self) -> Gateway {
        session_watch::gateway().unwrap_or_else(|| self.get())
    }
}
