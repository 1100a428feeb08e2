//! Real front proxies with the configuration that we write for them, in front of applications that tell what reached them.

mod attacks;
mod examples;
mod journeys;
mod variants;

use crate::support::browser::Browser;
use crate::support::fault_proxy::FaultProxy;
use crate::support::front_proxy::RunningProxy;
use crate::support::gateway::TestGateway;
use crate::support::guarded::free_port;
use crate::support::raw::{Raw, RawResponse};
use crate::support::upstream::EchoUpstream;
use portcullis::config::load_str;
use portcullis::snippet::{self, FrontProxy, Wanted};

/// Two applications behind a proxy: one whose route names no address and one whose route does; part of the latter goes
/// through the gateway. The portal has a host of its own.
struct Site {
    wiki: EchoUpstream,
    shop: EchoUpstream,
    gateway: TestGateway,
    network: FaultProxy,
    proxy: RunningProxy,
    port: u16,
}

impl Site {
    async fn behind(proxy: FrontProxy) -> Self {
        Self::behind_changed(proxy, |text| text).await
    }

    /// The same, with the proxy's configuration changed.
    async fn behind_changed(proxy: FrontProxy, change: impl Fn(String) -> String) -> Self {
        let (wiki, shop) = (EchoUpstream::start().await, EchoUpstream::start().await);
        let port = free_port();
        let yaml = configuration(port, &shop);
        let gateway = TestGateway::with(&yaml).user("ann", &["staff"]).start().await;
        let network = FaultProxy::start(gateway.address().port()).await;
        let settings = load_str(&yaml, gateway.folder(), &[]).unwrap_or_else(|report| panic!("{report}")).settings;
        let text = change(snippet::write(&settings, &wanted(proxy, &wiki, network.port())).unwrap().text);
        let proxy = RunningProxy::start(proxy, &text, port, None).await;
        Self { wiki, shop, gateway, network, proxy, port }
    }

    /// A fresh browser, with relative addresses on the wiki's host.
    fn browser(&self) -> Browser {
        Browser::new(&self.origin("wiki"))
    }

    fn origin(&self, name: &str) -> String {
        format!("http://{name}.example.test:{}", self.port)
    }

    /// A request as it is written, to the wiki.
    async fn raw(&self, start: &str, lines: &str) -> RawResponse {
        let request = format!("{start} HTTP/1.1\r\nHost: wiki.example.test:{}\r\n{lines}\r\n", self.port);
        Raw::exchange(self.proxy.address(), request).await
    }

    /// How many requests have reached either application.
    fn seen(&self) -> usize {
        self.wiki.seen() + self.shop.seen()
    }
}

fn configuration(port: u16, shop: &EchoUpstream) -> String {
    let shop = shop.origin();
    format!(
        r#"
server: {{ trusted_proxies: [127.0.0.1] }}
portal: {{ url: "http://auth.example.test:{port}" }}
cookies: {{ domain: example.test }}
identity: {{ also: [remote-user] }}
routes:
  - {{ host: wiki.example.test, upstream: none }}
  - {{ host: shop.example.test, upstream: "{shop}" }}
  - {{ host: shop.example.test, path: /through, upstream: "{shop}", request_headers: {{ set: {{ X-Way: gateway }} }} }}
access:
  rules:
    - {{ path: /public, allow: public }}
    - {{ host: wiki.example.test, path: /editors, group: [editors], allow: authenticated }}
    - {{ host: shop.example.test, path: /open, allow: public }}
"#
    )
}

/// What `snippet` is asked for: the address of the wiki stands in no route, and the gateway has a port of chance.
fn wanted(proxy: FrontProxy, wiki: &EchoUpstream, gateway: u16) -> Wanted {
    let application = format!("wiki.example.test={}", wiki.origin()).parse().unwrap();
    let gateway = Some(snippet::server(&format!("http://127.0.0.1:{gateway}")).unwrap());
    Wanted { applications: vec![application], gateway, ..Wanted::of(proxy) }
}

/// The same tests behind each proxy.
macro_rules! behind {
    ($($name:ident: $proxy:ident),*) => {$(
        mod $name {
            use super::super::{attacks, journeys, variants};
            use portcullis::snippet::FrontProxy;

            /// C4, front-proxies.md 2.1; contract 5
            #[tokio::test]
            async fn a_visitor_comes_back_to_the_deep_link_after_signing_in() {
                journeys::deep_link(FrontProxy::$proxy).await;
            }

            /// contract 3.6, 5
            #[tokio::test]
            async fn a_script_gets_a_problem_and_bodies_arrive() {
                journeys::scripts_and_bodies(FrontProxy::$proxy).await;
            }

            /// contract 5
            #[tokio::test]
            async fn signing_out_and_a_change_of_groups_are_in_force_at_once() {
                journeys::changes(FrontProxy::$proxy).await;
            }

            /// contract 3.8, 5
            #[tokio::test]
            async fn a_websocket_passes_with_identity_only() {
                journeys::websocket(FrontProxy::$proxy).await;
            }

            /// contract 5
            #[tokio::test]
            async fn nothing_passes_while_the_gateway_is_dead() {
                journeys::dead_gateway(FrontProxy::$proxy).await;
            }

            /// contract 1, 2
            #[tokio::test]
            async fn hosts_and_paths_lead_to_the_applications_of_their_routes() {
                variants::hosts(FrontProxy::$proxy).await;
            }

            /// front-proxies.md 2.1
            #[tokio::test]
            async fn connections_to_the_gateway_are_kept() {
                journeys::kept_connections(FrontProxy::$proxy).await;
            }

            /// threats.md A01–A07, C13
            #[tokio::test]
            async fn no_forged_identity_reaches_an_application() {
                attacks::forged_headers(FrontProxy::$proxy).await;
            }

            /// threats.md A04: the lines that strip are what holds, and the test above would see them missing
            #[tokio::test]
            async fn a_copy_without_its_stripping_lines_lets_forged_identity_through() {
                attacks::without_stripping(FrontProxy::$proxy).await;
            }

            /// threats.md B01–B17, C13
            #[tokio::test]
            async fn no_way_of_writing_a_path_reaches_what_is_protected() {
                attacks::paths(FrontProxy::$proxy).await;
            }
        }
    )*};
}

mod each {
    behind! { nginx: Nginx, traefik: Traefik, caddy: Caddy, haproxy: Haproxy, envoy: Envoy }
}
