//! A browser at the level of HTTP: navigation headers, cookies, redirects one at a time, forms as they stand in the
//! page. It runs no scripts; `chromium` does.

use super::agent::{Agent, Answer};
use super::form::Form;
use http::Method;
use url::Url;

/// Redirects after which a browser gives up (Fetch standard, HTTP-redirect fetch).
const MOST_REDIRECTS: usize = 20;

const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";

/// One person's browser.
#[derive(Debug)]
pub struct Browser {
    /// Its cookies, and requests of any other kind.
    pub agent: Agent,
    origin: Url,
}

impl Browser {
    /// A fresh browser for the server at `origin`, for example `http://127.0.0.1:8080`.
    pub fn new(origin: &str) -> Self {
        Self { agent: Agent::new(), origin: Url::parse(origin).unwrap() }
    }

    /// The address of a path, or of a whole URL.
    pub fn url(&self, address: &str) -> Url {
        self.origin.join(address).unwrap()
    }

    /// A navigation typed into the address bar; a redirect is returned, not followed.
    pub async fn open(&mut self, address: &str) -> Answer {
        let url = self.url(address);
        self.navigate(&url, "none").await
    }

    /// A navigation, redirects followed.
    pub async fn visit(&mut self, address: &str) -> Answer {
        let answer = self.open(address).await;
        self.follow(answer).await
    }

    /// Follows redirects to the page they end at.
    pub async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..MOST_REDIRECTS {
            if !(300..400).contains(&answer.status) {
                return answer;
            }
            answer = self.navigate(&answer.target(), "same-origin").await;
        }
        panic!("redirected in a circle, last to {}", answer.url);
    }

    /// Fills in the page's form that has these fields and sends it; a redirect is returned, not followed.
    pub async fn submit(&mut self, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let forms = Form::all(&page.text());
        let form = forms.iter().find(|form| form.has(fields)).unwrap_or_else(|| panic!("no form for {fields:?} at {}", page.url));
        let mut action = page.url.join(form.action.as_deref().unwrap_or_default()).unwrap();
        let body = form.filled(fields);
        if form.is_post {
            return self.post_form(page, &action, body).await;
        }
        action.set_query(Some(&body));
        self.navigate(&action, "same-origin").await
    }

    /// Signs in through the login page that a visit to `address` leads to, and ends where that leads.
    pub async fn sign_in(&mut self, address: &str, username: &str, password: &str) -> Answer {
        let page = self.visit(address).await;
        let answer = self.submit(&page, &[("username", username), ("password", password)]).await;
        assert_eq!(answer.status, 303, "sign-in of {username} at {}: {}", page.url, answer.text());
        self.follow(answer).await
    }

    /// A request by a script of a page of the same origin.
    pub async fn fetch(&mut self, method: Method, address: &str) -> Answer {
        let url = self.url(address);
        let headers = [("accept", "*/*"), ("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];
        self.agent.send(method, &url, &headers, "").await
    }

    async fn navigate(&mut self, url: &Url, site: &str) -> Answer {
        let headers = [
            ("accept", ACCEPT),
            ("sec-fetch-site", site),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-user", "?1"),
            ("upgrade-insecure-requests", "1"),
        ];
        self.agent.send(Method::GET, url, &headers, "").await
    }

    async fn post_form(&mut self, page: &Answer, action: &Url, body: String) -> Answer {
        let origin = page.url.origin().ascii_serialization();
        let site = if action.origin() == page.url.origin() { "same-origin" } else { "cross-site" };
        let headers = [
            ("accept", ACCEPT),
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", origin.as_str()),
            ("referer", page.url.as_str()),
            ("sec-fetch-site", site),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-user", "?1"),
        ];
        self.agent.send(Method::POST, action, &headers, body).await
    }
}
