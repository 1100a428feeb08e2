//! Ends an exchange whose session has ended: a WebSocket, an event stream or a long transfer would otherwise outlive the
//! logout that was to stop it. Nothing is asked about exchanges that are over within a second.

use super::Gateway;
use crate::clock::Stopwatch;
use crate::entropy;
use crate::portal::error_page::Fault;
use crate::session::SessionKey;
use std::cell::Cell;
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
    /// The session that it was let through for.
    session: Cell<Option<SessionKey>>,
}

/// Notes that the exchange of this task goes on no longer than this session.
///
/// # Errors
/// When nobody watches over the exchange: it could not be ended, so it must not begin.
pub fn go_on_with(key: SessionKey) -> Result<(), Fault> {
    EXCHANGE.try_with(|exchange| exchange.session.set(Some(key))).map_err(|_| Fault::Internal)
}

/// The gateway that the exchange of this task began with.
pub fn gateway() -> Option<Gateway> {
    EXCHANGE.try_with(|exchange| exchange.gateway.clone()).ok()
}

impl Gateway {
    /// Runs an exchange to its end; `None` where its session ended before. What is dropped then closes an HTTP/1
    /// connection without its proper end, so that no half of an answer looks whole, and resets an HTTP/2 stream alone.
    pub(super) async fn watch_over<T>(&self, exchange: impl Future<Output = T>) -> Option<T> {
        let watched = async {
            tokio::select! {
                biased;
                done = exchange => Some(done),
                () = self.session_ended() => None,
            }
        };
        EXCHANGE.scope(Watched { gateway: self.clone(), session: Cell::new(None) }, watched).await
    }

    /// Returns once the session of this task's exchange, if it has one, has ended or can be vouched for no longer.
    async fn session_ended(&self) {
        let patience = self.0.settings.sessions.cache;
        let mut verified = Stopwatch::start();
        tokio::time::sleep(CHECK_EVERY / 2).await;
        let mut pause = share_of(CHECK_EVERY / 2);
        loop {
            tokio::time::sleep(pause).await;
            pause = CHECK_EVERY;
            let Some(key) = EXCHANGE.with(|exchange| exchange.session.get()) else { continue };
            let asked = Stopwatch::start();
            match self.0.gate.is_alive(&key).await {
                Ok(true) => verified = asked,
                Ok(false) => return,
                Err(error) => {
                    let left = patience.saturating_sub(verified.elapsed());
                    if left.is_zero() {
                        tracing::warn!(event = "exchange_closed", %error, "an open exchange is closed: the session store has not answered for sessions.cache");
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
