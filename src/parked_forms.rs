//! Forms that met an expired session: kept for a short while, for the same user in the same browser, so that half an hour of
//! writing is not lost to a login. Nothing is sent here; the page that offers a form is the portal's.

use crate::account::AccountId;
use crate::clock::SharedClock;
use crate::config::Secret;
use crate::link_token::LinkToken;
use crate::sealing::Sealer;
use crate::session::{SessionId, SessionStore};
use crate::store::{OneTimeStore, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Keeps forms, and gives each back once.
pub struct ParkedForms {
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) store: Arc<dyn OneTimeStore>,
    pub(crate) clock: SharedClock,
}

/// A form that somebody sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedForm {
    account: AccountId,
    authority: String,
    target: String,
    body: String,
}

/// How long a form waits.
pub const KEPT_FOR: Duration = Duration::from_mins(10);

/// How long after its end a session still tells whose a form is.
pub const SENDER_KNOWN_FOR: Duration = Duration::from_hours(24);

/// Largest body that is kept.
pub const LARGEST: usize = 64 << 10;

/// Most fields of a form that is kept, so that the page that offers it stays small.
const MOST_FIELDS: usize = 1000;

/// What the key of a form is derived for, and what is sealed under it.
const PURPOSE: &str = "parked form";

impl ParkedForm {
    /// A form that `account` sent to `target`, a path and query, at `authority`; `None` where a page of ours could not send it again
    /// as it was.
    #[must_use]
    pub fn new(account: AccountId, authority: &str, target: &str, body: &[u8]) -> Option<Self> {
        let body = String::from_utf8(body.to_vec()).ok().filter(|body| body.len() <= LARGEST)?;
        let form = Self { account, authority: authority.to_owned(), target: target.to_owned(), body };
        let fields = form.fields();
        // A page can hold neither NUL nor what is no UTF-8, which decoding has replaced.
        let lost = |text: &String| text.contains(['\0', char::REPLACEMENT_CHARACTER]);
        let whole = !fields.iter().any(|(name, value)| lost(name) || lost(value));
        (whole && (1..=MOST_FIELDS).contains(&fields.len())).then_some(form)
    }

    /// Where it was sent to, with the port where one was named.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query it was sent to.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Names and values, in their order.
    #[must_use]
    pub fn fields(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

impl std::fmt::Debug for ParkedForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ParkedForm(…)")
    }
}

impl ParkedForms {
    /// Whose session this was, if it ended by age or disuse a day ago at most. Nobody else's forms are kept, so that strangers
    /// cannot fill the store.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn sender(&self, id: &SessionId) -> Result<Option<AccountId>, StoreError> {
        self.sessions.find_expired(&id.key(), self.clock.now()).await
    }

    /// Keeps a form in place of one that was sent in the same session before. The token opens it; neither the store nor its backups
    /// hold what would.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn park(&self, id: &SessionId, form: &ParkedForm) -> Result<LinkToken, StoreError> {
        let token = LinkToken::of(id.derive(PURPOSE));
        let plain = serde_json::to_vec(form).map_err(|error| StoreError(format!("a form cannot be written down: {error}")))?;
        let now = self.clock.now();
        self.store.put(&key(&token), &sealer(&token).seal(PURPOSE, &plain), now, now.plus(KEPT_FOR)).await?;
        Ok(token)
    }

    /// Takes the form, if `account` sent it to this authority. Whoever else asks gets nothing, and then nobody does.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn take(&self, token: &LinkToken, account: AccountId, authority: &str) -> Result<Option<ParkedForm>, StoreError> {
        let Some(sealed) = self.store.take(&key(token), self.clock.now()).await? else { return Ok(None) };
        let plain = sealer(token).open(PURPOSE, &sealed);
        let form = plain.and_then(|plain| serde_json::from_slice::<ParkedForm>(&plain).ok());
        Ok(form.filter(|form| form.account == account && form.authority == authority))
    }
}

fn key(token: &LinkToken) -> String {
    format!("parked_form:{}", token.digest())
}

fn sealer(token: &LinkToken) -> Sealer {
    Sealer::derive(&Secret::new(token.expose().to_owned()), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, ManualClock, Timestamp};
    use crate::store::memory::{MemoryOneTime, MemorySessions};

    fn form(account: AccountId, body: &str) -> ParkedForm {
        ParkedForm::new(account, "app.test", "/save?id=1", body.as_bytes()).unwrap()
    }

    fn forms() -> (ParkedForms, Arc<MemoryOneTime>, Arc<ManualClock>) {
        let (store, clock) = (Arc::new(MemoryOneTime::default()), Arc::new(ManualClock::at(Timestamp(0))));
        let forms = ParkedForms { sessions: Arc::new(MemorySessions::default()), store: store.clone(), clock: clock.clone() };
        (forms, store, clock)
    }

    #[tokio::test]
    async fn a_form_is_given_back_once_and_to_its_sender_alone() {
        let (forms, _, clock) = forms();
        let (id, alice, bob) = (SessionId::random(), AccountId::new(Timestamp(1)), AccountId::new(Timestamp(1)));
        let form = form(alice, "text=a+b&text=%C3%A9");
        let token = forms.park(&id, &form).await.unwrap();
        assert!(forms.take(&LinkToken::random(), alice, "app.test").await.unwrap().is_none());
        assert_eq!(forms.take(&token, alice, "app.test").await.unwrap(), Some(form.clone()));
        assert!(forms.take(&token, alice, "app.test").await.unwrap().is_none());
        for (account, authority) in [(bob, "app.test"), (alice, "other.test")] {
            let token = forms.park(&id, &form).await.unwrap();
            assert!(forms.take(&token, account, authority).await.unwrap().is_none());
            assert!(forms.take(&token, alice, "app.test").await.unwrap().is_none(), "gone");
        }
        let token = forms.park(&id, &form).await.unwrap();
        clock.advance(KEPT_FOR);
        assert!(forms.take(&token, alice, "app.test").await.unwrap().is_none(), "expired");
    }

    #[tokio::test]
    async fn a_newer_form_of_the_same_browser_replaces_the_older_and_the_store_can_read_neither() {
        let (forms, store, clock) = forms();
        let (id, alice) = (SessionId::random(), AccountId::new(Timestamp(1)));
        forms.park(&id, &form(alice, "text=first")).await.unwrap();
        let token = forms.park(&id, &form(alice, "text=second")).await.unwrap();
        let kept = store.read(&key(&token), clock.now()).await.unwrap().unwrap();
        assert!(!String::from_utf8_lossy(&kept).contains("second") && !token.digest().contains(&id.key().to_string()));
        let taken = forms.take(&token, alice, "app.test").await.unwrap().unwrap();
        assert_eq!(taken.fields(), [("text".to_owned(), "second".to_owned())]);
    }

    #[test]
    fn what_a_page_could_not_send_again_as_it_was_is_not_kept() {
        let alice = AccountId::new(Timestamp(1));
        let many = "a&".repeat(MOST_FIELDS + 1);
        for body in ["", "a=%00", "a=%FF", "%ff=a", &many, &"a".repeat(LARGEST + 1)] {
            assert!(ParkedForm::new(alice, "app.test", "/", body.as_bytes()).is_none(), "{}", body.len());
        }
        assert!(ParkedForm::new(alice, "app.test", "/", b"a=\xff").is_none());
        assert!(ParkedForm::new(alice, "app.test", "/", "a".repeat(LARGEST).as_bytes()).is_some());
    }
}
