//! The one decision: who asks, and may they? Used for proxied requests and for forward-auth alike.
//! No HTTP server here; any doubt is a refusal.

use crate::clock::{SharedClock, Timestamp};
use crate::policy::{Access, Caller, Destination, Policy, User, Verdict};
use crate::portal::error_page::Fault;
use crate::portal::{Presence, Program};
use crate::session::{CookieKey, SessionId, SessionKey, SessionStore, SessionUser};
use crate::store::StoreError;
use crate::token::{self, BearerKey, Bearers, Refusal};
use http::HeaderMap;
use http::header::COOKIE;
use std::sync::Arc;
use std::time::Duration;

/// Finds out who is there, and judges.
pub struct Gate {
    sessions: Arc<dyn SessionStore>,
    bearers: Arc<Bearers>,
    cookie_key: CookieKey,
    clock: SharedClock,
}

/// A verdict and what else the deciding rule means for the request.
#[derive(Clone, Copy, Debug)]
pub struct Judgement {
    /// What becomes of the request.
    pub verdict: Verdict,
    /// Index of the deciding rule; `None` for the default.
    pub rule: Option<usize>,
    /// Whether headers that override the method must be removed.
    pub names_methods: bool,
}

/// The activity of a session within one request, which may be long: a WebSocket.
#[derive(Clone, Copy, Debug)]
pub struct Activity {
    key: SessionKey,
    interval: Duration,
    noted: Timestamp,
}

/// What an exchange was let through for, and may go on with no longer than that holds.
#[derive(Clone, Debug)]
pub enum Hold {
    /// A session.
    Session(SessionKey),
    /// A token.
    Bearer(BearerKey),
}

impl Hold {
    /// Of whoever is there.
    #[must_use]
    pub fn of(presence: &Presence) -> Option<Self> {
        match presence {
            Presence::Somebody { key, .. } => Some(Self::Session(*key)),
            Presence::Program(program) => Some(Self::Bearer(program.bearer.key.clone())),
            Presence::Nobody | Presence::Unknown | Presence::Refused(_) => None,
        }
    }
}

impl Gate {
    /// A gate over these sessions and tokens.
    #[must_use]
    pub fn new(sessions: Arc<dyn SessionStore>, bearers: Arc<Bearers>, cookie_key: CookieKey, clock: SharedClock) -> Self {
        Self { sessions, bearers, cookie_key, clock }
    }

    /// Who the request's `Authorization` speaks for; `None` where none of it is ours.
    pub async fn program(&self, headers: &HeaderMap, destination: token::Destination<'_>) -> Option<Presence> {
        let proven = match self.bearers.read(headers) {
            Ok(None) => return None,
            Ok(Some(credential)) => self.bearers.prove(&credential, destination).await,
            Err(refusal) => Err(refusal),
        };
        Some(match proven {
            Ok(bearer) => Presence::Program(Arc::new(Program { user: SessionUser::from(&bearer.account), bearer })),
            Err(refusal) => Presence::Refused(fault(refusal)),
        })
    }

    /// Who the request's session cookie, under this name, speaks for.
    pub async fn presence(&self, headers: &HeaderMap, cookie_name: &str) -> Presence {
        let Some(id) = self.session_id(headers, cookie_name) else { return Presence::Nobody };
        let key = id.key();
        match self.sessions.find(&key, self.clock.now()).await {
            Ok(Some(session)) => Presence::Somebody { key, session },
            Ok(None) => Presence::Nobody,
            Err(error) => {
                tracing::warn!(event = "store_failed", %error, "session store did not answer");
                Presence::Unknown
            }
        }
    }

    /// The id in the request's session cookie, under this name, if we made it; of a session that lives or not.
    #[must_use]
    pub fn session_id(&self, headers: &HeaderMap, cookie_name: &str) -> Option<SessionId> {
        single_cookie(headers, cookie_name).and_then(|value| self.cookie_key.open(value))
    }

    /// Notes activity of whoever is there, if the last one noted is old enough.
    #[must_use]
    pub fn note_activity(&self, presence: &Presence) -> Option<Activity> {
        let Presence::Somebody { key, session } = presence else { return None };
        let mut activity = Activity { key: *key, interval: session.touch_interval(), noted: session.last_seen };
        self.go_on(&mut activity);
        Some(activity)
    }

    /// Notes that it goes on, if the last time noted is old enough.
    pub fn go_on(&self, activity: &mut Activity) {
        let now = self.clock.now();
        if now.since(activity.noted) >= activity.interval {
            self.sessions.touch(&activity.key, now);
            activity.noted = now;
        }
    }

    /// Whether what an exchange was let through for still holds.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn holds(&self, hold: &Hold) -> Result<bool, StoreError> {
        match hold {
            Hold::Session(key) => self.sessions.find(key, self.clock.now()).await.map(|session| session.is_some()),
            Hold::Bearer(key) => self.bearers.is_alive(key).await,
        }
    }

    /// Judges. Pure.
    #[must_use]
    pub fn judge(policy: &Policy, destination: &Destination<'_>, presence: &Presence) -> Judgement {
        let requirement = policy.requirement(destination);
        let caller = match (presence, presence.user()) {
            (_, Some(user)) => Caller::User(User { name: &user.username, groups: &user.groups, second_factor: false }),
            (Presence::Unknown, None) => Caller::Untold,
            (_, None) => Caller::Nobody,
        };
        let verdict = match requirement.access {
            // No second factor can be given yet, so a rule that asks for one lets nobody in.
            Access::Mfa => Verdict::SecondFactor,
            Access::Public | Access::Authenticated | Access::Deny => requirement.verdict(&caller),
        };
        let limited = matches!(presence, Presence::Program(program) if program.bearer.names_methods);
        Judgement { verdict, rule: requirement.rule, names_methods: requirement.names_methods || limited }
    }
}

/// How whoever presents a token that opens nothing is answered.
fn fault(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::Invalid => Fault::InvalidToken,
        Refusal::OutOfScope => Fault::InsufficientScope,
        Refusal::Unavailable(error) => {
            tracing::warn!(%error, "a token could not be checked");
            Fault::Unavailable { retry_after: 2 }
        }
    }
}

/// The value of the cookie with exactly this name; none where two differ (which of them did the browser mean?).
pub fn single_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut found = None;
    for (cookie, value) in headers.get_all(COOKIE).iter().flat_map(|line| cookies(line.as_bytes())) {
        if cookie != name.as_bytes() {
            continue;
        }
        match found {
            Some(first) if first != value => return None,
            _ => found = Some(value),
        }
    }
    found
}

/// The name-value pairs of a `Cookie` line; only spaces and tabs around names and values are no part of them.
pub fn cookies(line: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    line.split(|byte| *byte == b';').filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        Some((trim(&pair[..at]), trim(&pair[at + 1..])))
    })
}

fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountId;
    use crate::host::Host;
    use crate::policy::{PathPattern, Rule};
    use crate::session::{Session, SessionUser};
    use http::{HeaderValue, Method};

    fn cookie(lines: &[&[u8]]) -> Option<Vec<u8>> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        single_cookie(&headers, "portcullis").map(<[u8]>::to_vec)
    }

    /// threats.md S05, S07
    #[test]
    fn the_session_cookie_is_the_one_with_exactly_our_name() {
        assert_eq!(cookie(&[b"a=b; portcullis=one ;c=d"]).as_deref(), Some(&b"one"[..]));
        assert_eq!(cookie(&[b"portcullis=one", b"portcullis=one"]).as_deref(), Some(&b"one"[..]));
        assert_eq!(cookie(&[b"portcullis=one; portcullis=two"]), None);
        assert_eq!(cookie(&[b"portcullis=one", b"portcullis=two"]), None);
        for other in
            [&b"\xe2\x80\x80portcullis=x"[..], b"Portcullis=x", b" =portcullis=x", b"portcullis-csrf=x", b"$Version=1", b"portcullis"]
        {
            assert_eq!(cookie(&[other]), None, "{other:?}");
        }
    }

    fn somebody(groups: &[&str]) -> Presence {
        let user = SessionUser {
            id: AccountId(uuid::Uuid::nil()),
            username: "alice".into(),
            name: String::new(),
            email: String::new(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            version: 1,
        };
        let session = Session {
            user,
            created_at: Timestamp(0),
            last_seen: Timestamp(0),
            idle_timeout: Duration::from_mins(1),
            expires_at: Timestamp(60_000),
            remember: false,
            client: None,
            user_agent: String::new(),
            confirmed_at: None,
        };
        Presence::Somebody { key: SessionKey([0; 32]), session: Arc::new(session) }
    }

    fn verdict(allow: Access, groups: &[&str], presence: &Presence) -> Verdict {
        let rule = Rule {
            host: None,
            path: Some(PathPattern::glob("/").unwrap()),
            methods: vec![],
            networks: vec![],
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            users: vec![],
            allow,
        };
        let host = Host::parse("app.test").unwrap();
        let destination = Destination { host: &host, path: b"/", method: &Method::GET, client: [127, 0, 0, 1].into() };
        Gate::judge(&Policy { default: Access::Deny, rules: vec![rule] }, &destination, presence).verdict
    }

    /// S0.5, contract 3.5–3.6
    #[test]
    fn who_asks_and_what_the_rule_asks_for_make_the_verdict() {
        assert_eq!(verdict(Access::Authenticated, &[], &Presence::Nobody), Verdict::Login);
        assert_eq!(verdict(Access::Authenticated, &[], &somebody(&[])), Verdict::Allow);
        assert_eq!(verdict(Access::Authenticated, &["admins"], &Presence::Nobody), Verdict::Login);
        assert_eq!(verdict(Access::Authenticated, &["admins"], &somebody(&["users"])), Verdict::Forbidden);
        assert_eq!(verdict(Access::Authenticated, &["admins"], &somebody(&["admins"])), Verdict::Allow);
        assert_eq!(verdict(Access::Deny, &[], &somebody(&["admins"])), Verdict::Forbidden);
        assert_eq!(verdict(Access::Mfa, &[], &somebody(&["admins"])), Verdict::SecondFactor);
    }

    /// threats.md B22
    #[test]
    fn a_store_that_does_not_answer_opens_nothing_but_what_is_public() {
        assert_eq!(verdict(Access::Authenticated, &[], &Presence::Unknown), Verdict::Unavailable);
        assert_eq!(verdict(Access::Public, &[], &Presence::Unknown), Verdict::Public);
        assert_eq!(verdict(Access::Deny, &[], &Presence::Unknown), Verdict::Forbidden);
    }
}
