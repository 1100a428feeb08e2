//! Our own pages and their JSON forms: an axum router that the gateway calls for everything under `server.prefix`.
//!
//! The route table is [`router`]. Forward-auth and the API for programs are not here.

pub mod accept;
mod api;
pub mod assets;
mod call;
pub mod cors;
mod csrf;
pub mod error_page;
mod failure;
pub mod headers;
#[cfg(test)]
mod journeys;
mod jwks;
mod limited;
mod links;
mod moment;
mod newcomer;
mod pages;
mod palette;
pub mod problem;
mod redirect;
mod refusal;
mod reset_cookie;
mod rounds;
mod submission;
#[cfg(test)]
pub(crate) mod testing;
mod user;

use crate::account::AccountId;
use crate::app::App;
use crate::config::Settings;
use crate::device::DeviceKey;
use crate::host::Host;
use crate::session::{Session, SessionKey, SessionUser};
use crate::token::Bearer;
use assets::{AssetError, Assets, Look};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, middleware};
use call::Call;
use csrf::CsrfKey;
use error_page::{ErrorPages, Fault};
use http::{HeaderMap, HeaderValue, StatusCode};
use pages::{
    account, activity, admin, confirm, demo_mail, email, forgot, login, logout, parked, password, register, reset, sessions, tokens,
    verify_email,
};
use std::net::IpAddr;
use std::sync::Arc;

pub use pages::demo_mail::PATH as DEMO_MAIL;

/// What the gateway knows of a request before a page sees it; stands in the request's extensions.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Whether the effective scheme is `https`.
    pub https: bool,
    /// Host asked for.
    pub host: Host,
    /// The `Host` header's text (canonical host, and the port where it named one).
    pub authority: String,
    /// Address of the client, if the network tells.
    pub client: Option<IpAddr>,
    /// Id of the request, also in the log and on error pages.
    pub request_id: String,
    /// Who asks: whom the session cookie speaks for, or, where the page takes one, a bearer.
    pub session: Presence,
    /// What was believed of how it came.
    pub arrival: Arrival,
}

/// How a request came, as far as is believed.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Address of the peer; `None` on a Unix socket.
    pub peer: Option<IpAddr>,
    /// Whether the peer is one of `server.trusted_proxies`.
    pub trusted: bool,
    /// Whether the connection is TLS to us.
    pub tls: bool,
    /// Whether a trusted proxy says that its client's is.
    pub told_https: bool,
}

impl Arrival {
    /// Whether the browser came over HTTPS, whatever the configuration fixes.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.tls || self.told_https
    }
}

/// What the request's credentials led to.
#[derive(Clone, Debug)]
pub enum Presence {
    /// No usable cookie, or its session has ended.
    Nobody,
    /// Somebody is signed in.
    Somebody {
        /// Stored under.
        key: SessionKey,
        /// What is stored.
        session: Arc<Session>,
    },
    /// The store did not answer.
    Unknown,
    /// A program acts for somebody, by a token.
    Program(Arc<Program>),
    /// A token of ours was presented that does not open this: whoever presents one is answered so everywhere, and never taken for
    /// nobody.
    Refused(Fault),
}

/// A program that acts for somebody.
#[derive(Clone, Debug)]
pub struct Program {
    /// Whom it acts for, as stored now.
    pub user: SessionUser,
    /// What it has presented.
    pub bearer: Bearer,
}

impl Presence {
    /// Who asks, or is asked for.
    #[must_use]
    pub fn user(&self) -> Option<&SessionUser> {
        match self {
            Self::Somebody { session, .. } => Some(&session.user),
            Self::Program(program) => Some(&program.user),
            Self::Nobody | Self::Unknown | Self::Refused(_) => None,
        }
    }

    /// The account that is signed in.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.user().map(|user| user.id)
    }
}

/// What the pages work with. Made anew when the configuration is read again.
pub struct Portal {
    /// What the pages do, and the stores behind it.
    pub app: Arc<App>,
    /// The configuration in force.
    pub settings: Arc<Settings>,
    /// Error pages in the portal's looks, for the gateway too.
    pub errors: ErrorPages,
    csrf: CsrfKey,
    device_key: DeviceKey,
    assets: Assets,
    look: Arc<Look>,
    hsts: Option<HeaderValue>,
}

impl Portal {
    /// Gets everything ready: keys derived from the secret, assets read and compressed.
    ///
    /// # Errors
    /// When a file that `ui` names cannot be used.
    pub fn new(app: Arc<App>) -> Result<Self, AssetError> {
        let settings = Arc::clone(&app.settings);
        let (secret, previous) = (&app.secret, settings.secret_previous.as_ref());
        let assets = Assets::load(&settings.ui, &settings.server.prefix)?;
        let look = assets.look();
        Ok(Self {
            errors: ErrorPages::new(look.clone()),
            csrf: CsrfKey::derive(secret, previous),
            device_key: DeviceKey::derive(secret, previous),
            hsts: headers::hsts(&settings),
            app,
            settings,
            assets,
            look,
        })
    }
}

/// THE ROUTE TABLE.
pub fn router(portal: Arc<Portal>) -> Router {
    let own = Router::new()
        .route("/", get(home))
        .route("/login", get(login::show).post(login::submit))
        .route("/register", get(register::show).post(register::submit))
        .route("/logout", get(logout::show).post(logout::submit))
        .route("/parked", get(parked::show))
        .route("/forgot", get(forgot::show).post(forgot::submit))
        .route("/reset", get(reset::show).post(reset::submit))
        .route("/account", get(account::show).post(account::submit))
        .route("/verify-email", get(verify_email::show).post(verify_email::submit))
        .route("/account/email", get(email::show).post(email::submit))
        .route("/account/password", get(password::show).post(password::submit))
        .route("/account/sessions", get(sessions::show).post(sessions::submit))
        .route("/account/tokens", get(tokens::show).post(tokens::submit))
        .route("/account/activity", get(activity::show))
        .route("/account/confirm", get(confirm::show).post(confirm::submit))
        .route("/admin", get(admin::show))
        .route("/admin/users", get(admin::users::show))
        .route("/admin/users/{id}", get(admin::user::show).post(admin::user::submit))
        .route("/admin/sessions", get(admin::sessions::show).post(admin::sessions::submit))
        .route("/admin/activity", get(admin::activity::show))
        .route("/admin/invitations", get(admin::invitations::show).post(admin::invitations::submit))
        .route("/profile", get(account::profile))
        .route("/session", get(account::session))
        .route("/explain", get(admin::explain::show))
        .route("/assets/{name}", get(asset));
    Router::new()
        .nest(&portal.look.prefix, own)
        .route(&format!("{}/", portal.look.prefix), get(home))
        .nest(&format!("/api{}", portal.look.prefix), api::router(&portal.look.prefix))
        .route("/.well-known/change-password", get(change_password))
        .route(jwks::PATH, get(jwks::show))
        .route(DEMO_MAIL, get(demo_mail::show))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(portal.clone(), headers::layer))
        .with_state(portal)
}

async fn asset(State(portal): State<Arc<Portal>>, Path(name): Path<String>, headers: HeaderMap, request: Request) -> Response {
    portal.assets.serve(&name, &headers).unwrap_or_else(|| portal.errors.response(&Fault::NotFound, &request.into_parts().0))
}

/// Who asks for the prefix alone wants the page that leads to all others.
async fn home(call: Call) -> Response {
    call.to_page(StatusCode::FOUND, "/account")
}

/// Where password managers look for the page that changes a password (W3C "A Well-Known URL for Changing Passwords").
async fn change_password(call: Call) -> Response {
    call.to_page(StatusCode::FOUND, "/account/password")
}

async fn not_found(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    portal.errors.response(&Fault::NotFound, &request.into_parts().0)
}

async fn method_not_allowed(State(portal): State<Arc<Portal>>, request: Request) -> Response {
    portal.errors.response(&Fault::MethodNotAllowed, &request.into_parts().0)
}
