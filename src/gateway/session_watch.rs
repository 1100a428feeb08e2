//! Ends an exchange whose session has ended, or whose token was revoked: a WebSocket, an event stream or a long transfer would
//! otherwise outlive the logout that was to stop it. Nothing is asked about exchanges that are over within a second.

use super::Gateway;
use crate::clock::Stopwatch;
use crate::entropy;
use crate::gate::Hold;
use crate::portal::error_page::Fault;
use std::cell::RefCell;
use std::time::Duration;

/// How often the store is asked about the session of an exchange that is open. Five seconds are promised in all.
const CHECK_EVERY: Duration = Duration::from_secs(2);

tokio::task_local! {
    /// What is known of the exchange of this task.
    static EXCHANGE: Watched;
}

/// An exchange that is watched over.
struct Watched {
    /// The gateway that it began with.
    gateway: Gateway,
    /// What it was let through for.
    hold: RefCell<Option<Hold>>,
}

/// Notes that the exchange of this task goes on no longer than this holds.
///
/// # Errors
/// When nobody watches over the exchange: it could not be ended, so it must not begin.
pub fn go_on_with(hold: Hold) -> Result<(), Fault> {
    EXCHANGE.try_with(|exchange| exchange.hold.replace(Some(hold))).map(drop).map_err(|_| Fault::Internal)
}

/// The gateway that the exchange of this task began with.
pub fn gateway() -> Option<Gateway> {
    EXCHANGE.try_with(|exchange| exchange.gateway.clone()).ok()
}

impl Gateway {
    /// Runs an exchange to its end; `None` where what it was let through for ended before. What is dropped then closes an HTTP/1
    /// connection without its proper end, so that no half of an answer looks whole, and resets an HTTP/2 stream alone.
    pub(super) async fn watch_over<T>(&self, exchange: impl Future<Output = T>) -> Option<T> {
        let watched = async {
            tokio::select! {
                biased;
                done = exchange => Some(done),
                () = self.hold_ended() => None,
            }
        };
        EXCHANGE.scope(Watched { gateway: self.clone(), hold: RefCell::new(None) }, watched).await
    }

    /// Returns once what this task's exchange was let through for, if there is such a thing, has ended or can be vouched for no
    /// longer.
    async fn hold_ended(&self) {
        let patience = self.0.settings.sessions.cache;
        let mut verified = Stopwatch::start();
        tokio::time::sleep(CHECK_EVERY / 2).await;
        let mut pause = share_of(CHECK_EVERY / 2);
        loop {
            tokio::time::sleep(pause).await;
            pause = CHECK_EVERY;
            let Some(hold) = EXCHANGE.with(|exchange| exchange.hold.borrow().clone()) else { continue };
            let asked = Stopwatch::start();
            match self.0.gate.holds(&hold).await {
                Ok(true) => verified = asked,
                Ok(false) => return,
                Err(error) => {
                    let left = patience.saturating_sub(verified.elapsed());
                    if left.is_zero() {
                        tracing::warn!(event = "exchange_closed", %error, "an open exchange is closed: the store has not answered for sessions.cache");
                        return;
                    }
                    pause = left.min(CHECK_EVERY);
                }
            }
        }
    }
}

/// Some part of it, by chance: exchanges that begin together, as after a restart, would all ask at the same moment.
fn share_of(whole: Duration) -> Duration {
    whole * u32::from(entropy::unique_bytes()[0]) / 256
}
