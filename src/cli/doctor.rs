//! `portcullis doctor`: the checks on standard output; fails unless all of them hold.

use super::{Failure, password_input};
use crate::doctor::{self, Login, Order};
use clap::Args;
use std::io::Write;
use std::net::SocketAddr;
use url::Url;

/// What to examine, and as whom.
#[derive(Args, Clone, Debug)]
pub struct DoctorArguments {
    /// A path that echoes the headers of requests, where URL itself is not our sample application
    #[arg(long, value_name = "PATH", value_parser = path)]
    echo: Option<String>,
    /// Where the application itself listens: nobody but the proxy may reach it
    #[arg(long, value_name = "URL", value_parser = address)]
    upstream: Option<Url>,
    /// Sign in as this account; its password is read from standard input
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Connect here, whatever the names in URL and in redirects lead to
    #[arg(long, value_name = "ADDR:PORT")]
    connect: Option<SocketAddr>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
    /// An address behind the front proxy, best one that asks for a login
    #[arg(value_parser = address)]
    url: Url,
}

pub(super) fn run(arguments: DoctorArguments, out: &mut impl Write) -> Result<(), Failure> {
    let as_json = arguments.json;
    let order = arguments.order()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let report = runtime.block_on(doctor::examine(&order))?;
    // A name may still be looked up for a request that was given up.
    runtime.shutdown_background();
    if as_json {
        let json = serde_json::to_string_pretty(&report).map_err(|error| Failure::new(format!("cannot be written as JSON: {error}")))?;
        writeln!(out, "{json}")?;
    } else {
        write!(out, "{report}")?;
    }
    if report.holds() { Ok(()) } else { Err(Failure::new("not everything holds; mend what failed, and let what is unknown be seen")) }
}

impl DoctorArguments {
    fn order(self) -> Result<Order, Failure> {
        let Self { echo, upstream, user, connect, url, .. } = self;
        let login = match user {
            Some(username) => Some(Login { username, password: password_input::read_password()? }),
            None => None,
        };
        Ok(Order { url, echo, upstream, connect, login })
    }
}

fn path(text: &str) -> Result<String, String> {
    let plain = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain { Ok(text.to_owned()) } else { Err("a path begins with / and has no spaces in it".into()) }
}

fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
    let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
    url.ok_or_else(|| "an http or https address is needed, for example https://wiki.example.com/".into())
}
