//! A client that remembers what was acknowledged to it, and fails the test as soon as an answer contradicts that. No
//! answer, or a 503, leaves open whether the thing was done: both are then possible until an acknowledgement settles it.

use crate::support::agent::{Agent, Answer};
use crate::support::cookie_jar::CookieJar;
use crate::support::form::Form;
use http::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use url::Url;

/// What all clients share: where the gateways are at the moment, and what was done so far.
pub struct Site {
    /// Where each gateway listens.
    pub origins: Mutex<Vec<String>>,
    /// Operations that got an answer which settles them.
    pub acknowledged: AtomicUsize,
    /// Operations that were left open.
    pub left_open: AtomicUsize,
    /// Every attempt to get a name that several clients want.
    pub claims: Mutex<Vec<Claim>>,
}

/// One attempt to register a name.
pub struct Claim {
    pub username: String,
    pub email: String,
    pub password: String,
    /// The answer, if one came.
    pub status: Option<u16>,
}

/// Pseudo-random numbers that are the same in every run (splitmix64).
pub struct Random(pub u64);

/// One user with one account and many sessions.
pub struct Client {
    site: Arc<Site>,
    agent: Agent,
    random: Random,
    username: String,
    /// What the password may be.
    passwords: Vec<String>,
    /// What the display name may be.
    names: Vec<String>,
    /// Logins that were acknowledged and nobody tried to end.
    live: Vec<CookieJar>,
    /// Logins whose end was acknowledged.
    ended: Vec<CookieJar>,
    made: usize,
    history: Vec<String>,
}

/// As many logins as are kept of one account, well below `sessions.max_per_user`.
const MOST_SESSIONS: usize = 8;

/// What a client waits when it was not answered.
const PAUSE: Duration = Duration::from_millis(20);

impl Random {
    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

impl Client {
    /// A client whose account is yet to be made.
    pub fn new(site: &Arc<Site>, number: usize, seed: u64) -> Self {
        Self {
            site: Arc::clone(site),
            agent: Agent::new(),
            random: Random(seed.wrapping_add(number as u64)),
            username: format!("client{number}"),
            passwords: vec![format!("Correct-horse-0-battery{number}")],
            names: vec![String::new()],
            live: Vec::new(),
            ended: Vec::new(),
            made: 0,
            history: Vec::new(),
        }
    }

    /// Registers, however often it takes, and signs in once.
    pub async fn begin(&mut self) {
        let (username, password) = (self.username.clone(), self.passwords[0].clone());
        let mut tried = false;
        loop {
            match self.register(&username, &format!("{username}@example.com"), &password).await {
                Some(201) => break,
                Some(409) if tried => break,
                Some(status) => self.fail(&format!("the registration of a free name was answered {status}")),
                None => tried = true,
            }
        }
        while self.live.is_empty() {
            self.sign_in().await;
        }
    }

    /// One of the operations.
    pub async fn act(&mut self) {
        if self.live.is_empty() {
            return self.sign_in().await;
        }
        match self.random.below(100) {
            0..60 => self.visit_live().await,
            60..74 => self.visit_ended().await,
            74..81 => self.change_name().await,
            81..88 => self.sign_out().await,
            88..94 => self.sign_in().await,
            94..97 => self.claim().await,
            _ => self.change_password().await,
        }
    }

    /// Everything that was acknowledged, looked at again while all is well.
    pub async fn check(&mut self) {
        for jar in self.live.clone() {
            self.agent.cookies = jar;
            let answer = self.settled("final visit", Method::GET, "/wiki", JSON, String::new()).await;
            self.must(answer.status == 200, &format!("an acknowledged login is answered {}", answer.status));
        }
        for jar in self.ended.clone() {
            self.agent.cookies = jar;
            let answer = self.settled("final visit of an ended session", Method::GET, "/wiki", JSON, String::new()).await;
            self.must(answer.status == 401, &format!("an ended session is answered {}", answer.status));
        }
        let mut right = Vec::new();
        for password in self.passwords.clone() {
            let origin = self.origin();
            let (status, _) = can_sign_in(&mut self.agent, &origin, &self.username, &password).await;
            if status == 200 {
                right.push(self.agent.cookies.clone());
            }
        }
        self.must(right.len() == 1, &format!("{} of {} possible passwords are right", right.len(), self.passwords.len()));
        self.agent.cookies = right.remove(0);
        let profile = self.settled("final profile", Method::GET, "/auth/profile", JSON, String::new()).await.json();
        self.check_name(&profile["name"]);
    }

    async fn visit_live(&mut self) {
        let chosen = self.random.below(self.live.len());
        self.agent.cookies = self.live[chosen].clone();
        let Some(answer) = self.ask("visit", Method::GET, "/wiki", JSON, String::new()).await else { return };
        self.must(answer.status == 200, &format!("an acknowledged login is answered {}", answer.status));
        let told = answer.json();
        let header = |name: &str| {
            let pairs = told["identity"].as_array().unwrap();
            pairs.iter().find(|pair| pair["name"] == name).map_or(Value::Null, |pair| pair["value"].clone())
        };
        self.must(header("X-User") == self.username, &format!("the application was told of {}", header("X-User")));
        self.check_name(&header("X-User-Name"));
    }

    async fn visit_ended(&mut self) {
        let Some(chosen) = self.ended.len().checked_sub(1).map(|last| self.random.below(last + 1)) else { return };
        self.agent.cookies = self.ended[chosen].clone();
        let Some(answer) = self.ask("visit with an ended session", Method::GET, "/wiki", JSON, String::new()).await else { return };
        self.must(answer.status == 401, &format!("an ended session is answered {}", answer.status));
    }

    async fn sign_in(&mut self) {
        if self.live.len() == MOST_SESSIONS {
            return;
        }
        for password in self.passwords.clone() {
            self.agent.cookies = CookieJar::default();
            let body = json!({ "username": self.username, "password": password }).to_string();
            match self.ask("sign in", Method::POST, "/auth/login", POSTED_JSON, body).await {
                None => return,
                Some(answer) if answer.status == 200 => return self.live.push(self.agent.cookies.clone()),
                Some(answer) => self.must(answer.status == 401, &format!("a sign-in is answered {}", answer.status)),
            }
        }
        self.fail("no password that was ever acknowledged is right");
    }

    async fn sign_out(&mut self) {
        let chosen = self.random.below(self.live.len());
        // Tried is enough for it to be no longer certain.
        let jar = self.live.swap_remove(chosen);
        self.agent.cookies = jar.clone();
        let Some(answer) = self.ask("sign out", Method::POST, "/auth/logout", POSTED_JSON, "{}".to_owned()).await else { return };
        self.must(answer.status == 204, &format!("a sign-out is answered {}", answer.status));
        self.ended.push(jar);
    }

    async fn change_name(&mut self) {
        let chosen = self.random.below(self.live.len());
        self.agent.cookies = self.live[chosen].clone();
        let name = self.fresh("Name");
        let Some(form) = self.form("/auth/account", "name").await else { return };
        self.names.push(name.clone());
        let body = form.filled(&[("name", &name)]);
        let Some(answer) = self.ask("change the name", Method::POST, "/auth/account", POSTED_FORM, body).await else { return };
        // 409: others, such as whoever finishes what a dead gateway left, wrote the account again and again.
        self.must(matches!(answer.status, 303 | 409), &format!("a change of the name is answered {}", answer.status));
        if answer.status == 303 {
            self.names = vec![name];
        }
    }

    async fn change_password(&mut self) {
        let chosen = self.random.below(self.live.len());
        self.agent.cookies = self.live[chosen].clone();
        let new = self.fresh("Correct-horse");
        let Some(form) = self.form("/auth/account/password", "current_password").await else { return };
        let mut others = std::mem::take(&mut self.live);
        for current in self.passwords.clone() {
            self.passwords.push(new.clone());
            let body = form.filled(&[("current_password", &current), ("password", &new)]);
            let answer = self.ask("change the password", Method::POST, "/auth/account/password", POSTED_FORM, body).await;
            match answer.map(|answer| answer.status) {
                Some(303) => {
                    self.passwords = vec![new];
                    self.live = vec![self.agent.cookies.clone()];
                    return self.ended.append(&mut others);
                }
                // Not this one, and nothing was done.
                Some(401) => drop(self.passwords.pop()),
                Some(409) | None => return,
                Some(status) => self.fail(&format!("a change of the password is answered {status}")),
            }
        }
        self.fail("no password that was ever acknowledged is right");
    }

    /// Tries to get a name that others want too.
    async fn claim(&mut self) {
        let username = format!("wanted{}", self.random.below(10));
        let (email, password) = (format!("{}@example.com", self.fresh("claim")), self.fresh("Correct-horse"));
        self.agent.cookies = CookieJar::default();
        let status = self.register(&username, &email, &password).await;
        self.must(matches!(status, None | Some(201 | 409)), &format!("a registration is answered {status:?}"));
        self.site.claims.lock().unwrap().push(Claim { username, email, password, status });
    }

    async fn register(&mut self, username: &str, email: &str, password: &str) -> Option<u16> {
        let body = json!({ "username": username, "email": email, "password": password }).to_string();
        self.ask("register", Method::POST, "/auth/register", POSTED_JSON, body).await.map(|answer| answer.status)
    }

    /// The form with this field in a page that only a live session is shown.
    async fn form(&mut self, page: &str, field: &str) -> Option<Form> {
        let answer = self.ask("open a page", Method::GET, page, HTML, String::new()).await?;
        self.must(answer.status == 200, &format!("{page} is answered {} to an acknowledged login", answer.status));
        Form::all(&answer.text()).into_iter().find(|form| form.has(&[(field, "")]))
    }

    /// An answer that settles something, or `None`.
    async fn ask(&mut self, what: &str, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Option<Answer> {
        let url = Url::parse(&self.origin()).unwrap().join(path).unwrap();
        let sent = self.agent.try_send(method, &url, headers, body).await;
        let told = sent.as_ref().map_or_else(|_| "nothing".to_owned(), |answer| answer.status.to_string());
        self.history.push(format!("{what} at {}: {told}", url.port().unwrap_or_default()));
        let answer = sent.ok();
        let status = answer.as_ref().map_or(503, |answer| answer.status);
        self.must(status < 500 || status == 503, &format!("answered {status}"));
        if status == 503 {
            self.site.left_open.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
            return None;
        }
        self.site.acknowledged.fetch_add(1, Ordering::Relaxed);
        answer
    }

    /// An answer, while all is well.
    async fn settled(&mut self, what: &str, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let answer = self.ask(what, method, path, headers, body).await;
        answer.unwrap_or_else(|| self.fail("no answer though all is well"))
    }

    fn origin(&mut self) -> String {
        let origins = self.site.origins.lock().unwrap();
        origins[self.random.below(origins.len())].clone()
    }

    fn fresh(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}-{}-{}", self.made, self.username)
    }

    fn check_name(&self, told: &Value) {
        let told = told.as_str().unwrap_or_default();
        self.must(self.names.iter().any(|name| name == told), &format!("the name is {told:?}, and may be one of {:?}", self.names));
    }

    fn must(&self, holds: bool, what: &str) {
        if !holds {
            self.fail(what);
        }
    }

    fn fail(&self, what: &str) -> ! {
        let from = self.history.len().saturating_sub(40);
        panic!("{}: {what}, after\n{}", self.username, self.history[from..].join("\n"));
    }
}

const JSON: &[(&str, &str)] = &[("accept", "application/json")];
const HTML: &[(&str, &str)] = &[("accept", "text/html")];
const POSTED_JSON: &[(&str, &str)] = &[("accept", "application/json"), ("content-type", "application/json")];
const POSTED_FORM: &[(&str, &str)] = &[("accept", "text/html"), ("content-type", "application/x-www-form-urlencoded")];

/// Signs in, while all is well: the status, and the account's address where it was right.
pub async fn can_sign_in(agent: &mut Agent, origin: &str, username: &str, password: &str) -> (u16, Option<String>) {
    agent.cookies = CookieJar::default();
    let url = Url::parse(origin).unwrap().join("/auth/login").unwrap();
    let body = json!({ "username": username, "password": password }).to_string();
    let answer = agent.send(Method::POST, &url, POSTED_JSON, body).await;
    assert!(matches!(answer.status, 200 | 401), "{username}: {}", answer.status);
    let email = (answer.status == 200).then(|| answer.json()["user"]["email"].as_str().unwrap().to_owned());
    (answer.status, email)
}
