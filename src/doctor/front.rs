//! Which front proxy answers, as far as it tells, and how each is mended.

use super::wire::Answer;

/// What is in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    Nginx,
    Caddy,
    Envoy,
    /// Traefik, HAProxy and Portcullis itself do not say who they are.
    Silent,
}

/// What may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Headers that a visitor may not send reach the application.
    Headers,
    /// A request reaches the application without a login.
    Paths,
    /// A visitor reaches the verify endpoints.
    Verify,
    /// The proxy follows our redirects, or believes a visitor about them.
    Redirect,
}

impl Front {
    pub(super) fn of(answer: &Answer) -> Self {
        let server = answer.header("server").unwrap_or_default().to_ascii_lowercase();
        [("nginx", Self::Nginx), ("openresty", Self::Nginx), ("caddy", Self::Caddy), ("envoy", Self::Envoy)]
            .into_iter()
            .find_map(|(name, front)| server.starts_with(name).then_some(front))
            .unwrap_or(Self::Silent)
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "Caddy",
            Self::Envoy => "Envoy",
            Self::Silent => "one that does not say its name (Traefik, HAProxy, Portcullis)",
        }
    }

    /// What to do about a fault.
    pub(super) fn mend(self, fault: Fault) -> String {
        let what = match fault {
            Fault::Headers => self.stripping(),
            Fault::Paths => "every location must ask Portcullis, and judge the path as it was sent",
            Fault::Verify => "answer 404 for {prefix}/verify and all below it, and let only the proxy itself ask there",
            Fault::Redirect => {
                "pass the answers of Portcullis on as they are, set X-Forwarded-* instead of believing a visitor, and name only the proxy in server.trusted_proxies"
            }
        };
        format!("{what}; `portcullis snippet {}` prints a configuration that does", self.argument())
    }

    const fn stripping(self) -> &'static str {
        match self {
            Self::Nginx => {
                "set `underscores_in_headers off` and `ignore_invalid_headers on` in the default server, and `proxy_set_header` for each of these names"
            }
            Self::Caddy => "drop them before `forward_auth` with `request_header \"-NAME\"`, in every spelling",
            Self::Envoy => "drop them before `ext_authz` with the Lua filter, in every spelling",
            Self::Silent => {
                "drop them before the question (Traefik: `authResponseHeadersRegex`; HAProxy: `http-request del-header … -m reg`), in every spelling"
            }
        }
    }

    const fn argument(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::Silent => "traefik|haproxy",
        }
    }
}
