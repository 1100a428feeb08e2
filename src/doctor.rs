//! `portcullis doctor`: attacks a running front proxy from outside and says what holds. It reads no configuration and no
//! store: what reached an application is read from a page that echoes what it was sent.

mod front;
mod headers;
mod paths;
mod report;
mod site;
mod ways;
mod wire;

pub use report::{Check, Report, Verdict};

use crate::account::Password;
use site::Site;
use std::net::SocketAddr;
use url::Url;

/// What to examine.
#[derive(Debug)]
pub struct Order {
    /// An address behind the front proxy.
    pub url: Url,
    /// A path that echoes the headers of requests; without it `url` does, being our sample.
    pub echo: Option<String>,
    /// Where the application itself listens.
    pub upstream: Option<Url>,
    /// Where connections go instead of where the names lead.
    pub connect: Option<SocketAddr>,
    /// Who signs in.
    pub login: Option<Login>,
}

/// A name and its password.
#[derive(Debug)]
pub struct Login {
    /// Name or email.
    pub username: String,
    /// Its password.
    pub password: Password,
}

/// Makes all checks, one request after the other.
///
/// # Errors
/// One sentence where nothing answers, or the login fails.
pub async fn examine(order: &Order) -> Result<Report, String> {
    let site = Site::find(order).await?;
    let mut checks = headers::checks(&site).await?;
    checks.extend(paths::checks(&site).await?);
    checks.extend(ways::checks(&site).await?);
    let mut notes = headers::notes(&site).await?;
    match &order.upstream {
        Some(upstream) => checks.push(ways::upstream(upstream, &site).await?),
        None => notes.push("the application was not asked past the proxy; name its own address with --upstream".into()),
    }
    Ok(Report { proxy: site.front.name(), checks, notes })
}
