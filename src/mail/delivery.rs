//! Sending, beside requests: each letter that is due is claimed, written, given to the transport and erased. What does not
//! leave is tried again, less and less often, for a day; then it is reported and erased.

use super::mime::Letterhead;
use super::outbox::Claimed;
use super::{Letter, Outbox, SendError, Template, Transport, Writer};
use crate::entropy::random_bytes;
use crate::metrics::{EmailResult, Label as _, Metrics};
use crate::store::StoreError;
use arc_swap::ArcSwap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Sends letters.
pub struct Delivery {
    outbox: Arc<Outbox>,
    writer: Writer,
    letterhead: Letterhead,
    /// `None` where there is no mail: letters that also change something are carried out all the same.
    transport: Option<Arc<dyn Transport>>,
    metrics: Arc<Metrics>,
}

/// How often letters that others posted, or that are due again, are looked for.
const POLL: Duration = Duration::from_secs(1);

/// Pause after the first attempt; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// How long a letter is tried.
const PATIENCE: Duration = Duration::from_hours(24);

/// Longest of one attempt, stores included; within the lease.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(40);

/// How long a letter that is being sent is waited for at a stop. After that its lease runs out and another gateway, or the
/// next start, sends it.
const FAREWELL: Duration = Duration::from_secs(3);

/// How often a letter that was sent is tried to be erased; one that stays is sent again.
const ERASURES: u32 = 10;

impl Delivery {
    /// Sends what is in `outbox`.
    #[must_use]
    pub fn new(outbox: Arc<Outbox>, writer: Writer, transport: Option<Arc<dyn Transport>>, metrics: Arc<Metrics>) -> Arc<Self> {
        let letterhead = Letterhead::new(&writer.settings);
        Arc::new(Self { outbox, writer, letterhead, transport, metrics })
    }

    /// Sends whatever is due, as the configuration in force says, until `stopped`.
    pub(crate) async fn run(current: Arc<ArcSwap<Self>>, stopped: impl Future<Output = ()>) {
        let mut stopped = std::pin::pin!(stopped);
        let mut failing = false;
        loop {
            let delivery = current.load_full();
            // In a task of its own, a letter that brings it down costs nothing but its own attempt.
            let mut sending = tokio::spawn(Arc::clone(&delivery).send_next());
            let sent = tokio::select! {
                sent = &mut sending => sent.unwrap_or(Ok(true)),
                () = &mut stopped => {
                    let _ = tokio::time::timeout(FAREWELL, sending).await;
                    return;
                }
            };
            if let Err(error) = &sent
                && !failing
            {
                tracing::warn!(event = "mail_queue_unreachable", %error, "mails that wait cannot be looked for, trying again");
            }
            failing = sent.is_err();
            if matches!(sent, Ok(true)) {
                continue;
            }
            tokio::select! {
                () = &mut stopped => return,
                () = delivery.outbox.posted() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Handles the letter that has been due longest; whether there was one.
    async fn send_next(self: Arc<Self>) -> Result<bool, StoreError> {
        let Some(claimed) = self.outbox.claim().await? else { return Ok(false) };
        match self.attempt(&claimed).await {
            Ok(()) => self.erase(&claimed).await?,
            Err(error) => self.try_again_or_give_up(&claimed, &error).await?,
        }
        Ok(true)
    }

    async fn attempt(&self, claimed: &Claimed) -> Result<(), SendError> {
        if self.outbox.now().since(claimed.posted_at) >= PATIENCE {
            return Err(SendError::Refused("it has waited for more than 24 hours".to_owned()));
        }
        let Some(letter) = &claimed.letter else {
            return Err(SendError::Later("it was encrypted with another secret, give that as secret_previous".to_owned()));
        };
        let sent = tokio::time::timeout(LONGEST_ATTEMPT, self.send(letter)).await;
        sent.unwrap_or_else(|_| Err(SendError::Later(format!("it took longer than {} s", LONGEST_ATTEMPT.as_secs()))))
    }

    async fn send(&self, letter: &Letter) -> Result<(), SendError> {
        let failed = |error: StoreError| SendError::Later(format!("a store failed: {error}"));
        self.writer.carry_out(letter).await.map_err(failed)?;
        let Some(transport) = &self.transport else { return Ok(()) };
        let way = transport.open().await?;
        let Some(mail) = self.writer.write(letter).await.map_err(failed)? else {
            self.count(letter.template(), EmailResult::Dropped);
            return Ok(());
        };
        let message = self.letterhead.message(&mail, self.outbox.now()).map_err(SendError::Refused)?;
        way.send(&mail, &message).await?;
        self.count(letter.template(), EmailResult::Sent);
        Ok(())
    }

    fn count(&self, template: Template, result: EmailResult) {
        self.metrics.emails_total[(template, result)].inc();
    }

    async fn erase(&self, claimed: &Claimed) -> Result<(), StoreError> {
        let mut erased = self.outbox.remove(claimed).await;
        for _ in 1..ERASURES {
            if erased.is_ok() {
                break;
            }
            tokio::time::sleep(POLL).await;
            erased = self.outbox.remove(claimed).await;
        }
        erased
    }

    async fn try_again_or_give_up(&self, claimed: &Claimed, error: &SendError) -> Result<(), StoreError> {
        let kind = claimed.letter.as_ref().map_or(Template::Unknown, Letter::template);
        let template = kind.value();
        let pause = pause_after(claimed.attempts);
        let waited = self.outbox.now().since(claimed.posted_at);
        if matches!(error, SendError::Later(_)) && waited + pause < PATIENCE {
            self.count(kind, EmailResult::Deferred);
            tracing::warn!(event = "mail_postponed", template, letter = %claimed.id, attempts = claimed.attempts + 1, %error, "a mail was not sent, trying again in {} s", pause.as_secs());
            return self.outbox.postpone(claimed, pause).await;
        }
        self.count(kind, EmailResult::Failed);
        let account = self.recipient(claimed).await;
        tracing::error!(event = "mail_given_up", template, letter = %claimed.id, account, attempts = claimed.attempts + 1, %error, "a mail is given up");
        self.erase(claimed).await
    }

    /// The id of whoever gets no mail now, where it can be found out.
    async fn recipient(&self, claimed: &Claimed) -> Option<String> {
        let letter = claimed.letter.as_ref()?;
        self.writer.recipient(letter).await.ok().flatten().map(|account| account.to_string())
    }
}

/// Twice as long after each attempt, and never the same for all: a server that comes back is not stormed.
fn pause_after(attempts: u32) -> Duration {
    let longer = FIRST_PAUSE.saturating_mul(1 << attempts.min(16)).min(LONGEST_PAUSE);
    let [random] = random_bytes::<1>();
    longer.mul_f64(1.0 + f64::from(random) / 1024.0)
}

#[cfg(test)]
mod tests;
