//! `portcullis snippet`: the configuration of a front proxy that asks us who may pass (forward-auth), written out of our own
//! configuration. Pure text: nothing is read, nothing is asked. What is common to all proxies is worked out in `plan`; one
//! file a proxy knows its syntax, and `static/templates/snippet` how it reads.

mod caddy;
mod envoy;
mod haproxy;
mod ingress_nginx;
mod nginx;
mod plan;
mod spelling;
mod traefik;

use crate::config::{Settings, UpstreamScheme, UpstreamServer, parse_upstream_server};
use crate::host::HostPattern;
use plan::Plan;
use std::fmt;
use std::str::FromStr;

/// A front proxy that we can write for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FrontProxy {
    /// nginx, by `auth_request`.
    Nginx,
    /// Traefik, by the middleware `forwardAuth`.
    Traefik,
    /// Caddy, by `forward_auth`.
    Caddy,
    /// `HAProxy`, by a Lua script of ours.
    Haproxy,
    /// Envoy, by the filter `ext_authz` over HTTP.
    Envoy,
    /// The ingress controller of Kubernetes that is built on nginx.
    IngressNginx,
}

/// Which of a proxy's files to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The configuration itself
    #[default]
    Config,
    /// Traefik: the same as labels in a compose file
    Labels,
    /// `HAProxy`: the script that its configuration loads
    Lua,
}

/// Where the application of a host is, for the hosts whose routes do not say (`upstream: none`).
#[derive(Clone, Debug)]
pub struct Application {
    /// The host, as it is written in its route.
    pub host: HostPattern,
    /// Where it listens.
    pub server: UpstreamServer,
}

impl FromStr for Application {
    type Err = String;

    /// Reads `wiki.example.com=http://127.0.0.1:3000`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (host, url) = text.split_once('=').ok_or("write HOST=URL, for example wiki.example.com=http://127.0.0.1:3000")?;
        let host = HostPattern::parse(host).ok_or_else(|| format!("{host} is no host, write it as in its route"))?;
        Ok(Self { host, server: server(url)? })
    }
}

/// Where somebody speaks plain HTTP: `http://127.0.0.1:3000` or `unix:/run/app.sock`.
///
/// # Errors
/// What is wrong with it.
pub fn server(url: &str) -> Result<UpstreamServer, String> {
    let server = parse_upstream_server(url).map_err(|reason| format!("{url} {reason}"))?;
    if server.scheme == UpstreamScheme::Http { Ok(server) } else { Err(format!("{url} is not plain HTTP, write http://… or unix:/…")) }
}

/// What to write.
#[derive(clap::Args, Clone, Debug)]
pub struct Wanted {
    /// Proxy to write for
    pub proxy: FrontProxy,
    /// Which of its files
    #[arg(long, value_name = "PART", default_value = "config")]
    pub part: Part,
    /// Where the proxy reaches Portcullis, as an upstream is written [default: the first of server.listen]
    #[arg(long, value_name = "URL", value_parser = server)]
    pub gateway: Option<UpstreamServer>,
    /// Where the application of a route without an address is, for example wiki.example.com=http://127.0.0.1:3000
    #[arg(long = "app", value_name = "HOST=URL")]
    pub applications: Vec<Application>,
}

impl Wanted {
    /// The configuration of a proxy that reaches us where we listen.
    #[must_use]
    pub fn of(proxy: FrontProxy) -> Self {
        Self { proxy, part: Part::Config, gateway: None, applications: Vec::new() }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The file.
    pub text: String,
    /// What has to be done before it works, one sentence each.
    pub notes: Vec<String>,
}

/// Why nothing could be written: one sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritable(String);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unwritable {}

impl From<askama::Error> for Unwritable {
    fn from(error: askama::Error) -> Self {
        Self(format!("cannot write the configuration: {error}"))
    }
}

/// Writes one file of a proxy for the hosts of this configuration.
///
/// # Errors
/// When the configuration has something that cannot be written in the proxy's syntax, or there is no such file.
pub fn write(settings: &Settings, wanted: &Wanted) -> Result<Snippet, Unwritable> {
    let plan = Plan::new(settings, wanted)?;
    let text = match (wanted.proxy, wanted.part) {
        (FrontProxy::Nginx, Part::Config) => nginx::write(&plan),
        (FrontProxy::Traefik, Part::Config) => traefik::write_file(&plan),
        (FrontProxy::Traefik, Part::Labels) => traefik::write_labels(&plan),
        (FrontProxy::Caddy, Part::Config) => caddy::write(&plan),
        (FrontProxy::Haproxy, Part::Config) => haproxy::write(&plan),
        (FrontProxy::Haproxy, Part::Lua) => Ok(haproxy::SCRIPT.to_owned()),
        (FrontProxy::Envoy, Part::Config) => envoy::write(&plan),
        (FrontProxy::IngressNginx, Part::Config) => ingress_nginx::write(&plan),
        (_, Part::Labels) => Err(Unwritable("only traefik has labels, leave --part out".into())),
        (_, Part::Lua) => Err(Unwritable("only haproxy has a script, leave --part out".into())),
    }?;
    Ok(Snippet { text: format!("{}\n", text.trim_end()), notes: plan.notes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_str;
    use std::path::Path;

    const ALL: [FrontProxy; 6] =
        [FrontProxy::Nginx, FrontProxy::Traefik, FrontProxy::Caddy, FrontProxy::Haproxy, FrontProxy::Envoy, FrontProxy::IngressNginx];

    fn written(yaml: &str, wanted: &Wanted) -> Result<String, Unwritable> {
        let settings = load_str(yaml, Path::new("/etc/portcullis"), &[]).unwrap_or_else(|report| panic!("{report}")).settings;
        write(&settings, wanted).map(|snippet| snippet.text)
    }

    /// contract 1, 3.7
    #[test]
    fn every_file_names_each_host_the_endpoint_and_every_identity_header() {
        let yaml = "{ server: { prefix: /gate.way }, identity: { headers: { user: X-Who }, also: [remote-user, x-auth-request] },
            routes: [{ host: wiki.example.com, upstream: none }, { host: '*.apps.example.org', upstream: none }] }";
        for proxy in ALL {
            let text = written(yaml, &Wanted::of(proxy)).unwrap().to_lowercase();
            let domain = text.contains(".apps.example.org") || text.contains("[.]apps[.]example[.]org");
            assert!(text.contains("wiki.example.com") && domain && text.contains("/gate.way/verify"), "{text}");
            for name in ["x-who", "x-user-groups", "remote-user", "x-auth-request-preferred-username"] {
                assert!(text.contains(name), "{proxy:?} {name}");
            }
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{proxy:?}");
        }
    }

    #[test]
    fn sockets_are_written_for_the_proxies_that_reach_them() {
        let yaml = "routes: [{ host: wiki.example.com, upstream: 'unix:/run/wiki.sock' }]";
        for proxy in ALL {
            let text = written(yaml, &Wanted::of(proxy));
            match proxy {
                FrontProxy::Traefik | FrontProxy::IngressNginx => assert!(text.is_err_and(|reason| reason.0.contains("/run/wiki.sock"))),
                _ => assert!(text.is_ok_and(|text| text.contains("/run/wiki.sock"))),
            }
        }
    }

    #[test]
    fn a_part_that_a_proxy_lacks_is_refused() {
        let part = |proxy, part| written("routes: [{ upstream: none }]", &Wanted { part, ..Wanted::of(proxy) });
        assert!(part(FrontProxy::Nginx, Part::Lua).is_err() && part(FrontProxy::Haproxy, Part::Labels).is_err());
        assert!(part(FrontProxy::Haproxy, Part::Lua).unwrap().contains("register_action"));
        assert!(part(FrontProxy::Traefik, Part::Labels).unwrap().contains("traefik.http.routers"));
    }

    #[test]
    fn an_application_is_read_as_it_is_written_in_routes() {
        let application: Application = "*.example.com=http://10.0.0.5:81".parse().unwrap();
        assert_eq!(application.host, HostPattern::parse("*.example.com").unwrap());
        for wrong in ["wiki", "wiki=", "wiki=https://a", "wi ki=http://a", "wiki=http://a/b", "wiki=none"] {
            assert!(wrong.parse::<Application>().is_err(), "{wrong}");
        }
    }
}
