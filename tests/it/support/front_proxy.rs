//! A real front proxy with the configuration that `portcullis snippet` writes for it. What is changed in it is what the
//! machine asks for: it listens at 127.0.0.1, and its files lie in a folder of its own.

use super::guarded::{Guarded, cached};
use super::raw::Raw;
use super::within_patience;
use portcullis::snippet::{self, FrontProxy, Part, Wanted};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A running proxy.
#[derive(Debug)]
pub struct RunningProxy {
    process: Guarded,
    port: u16,
}

/// A certificate chain and its key, as PEM files.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The chain.
    pub chain: &'a Path,
    /// The key.
    pub key: &'a Path,
}

impl RunningProxy {
    /// A proxy with this configuration, which has it listen at `port`.
    pub async fn start(proxy: FrontProxy, text: &str, port: u16, tls: Option<Files<'_>>) -> Self {
        let folder = tempfile::Builder::new().prefix("portcullis-front-").tempdir().unwrap().keep();
        let program = write_files(proxy, &folder, text, port, tls);
        let arguments: Vec<&str> = program.arguments.iter().map(String::as_str).collect();
        let process = Guarded::run(folder, &program.path, &arguments);
        let proxy = Self { process, port };
        proxy.wait_until_it_serves(tls.is_some()).await;
        proxy
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What it has said.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Some take connections before they have read their configuration.
    async fn wait_until_it_serves(&self, tls: bool) {
        let asked = async {
            loop {
                if tokio::net::TcpStream::connect(self.address()).await.is_ok() && (tls || self.answers().await) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(super::PATIENCE, asked).await.unwrap_or_else(|_| panic!("the proxy does not serve: {}", self.log()));
    }

    async fn answers(&self) -> bool {
        let mut raw = within_patience("the proxy", Raw::connect(self.address())).await;
        let request = format!("GET /auth/assets/none HTTP/1.1\r\nHost: wiki.example.test:{}\r\nConnection: close\r\n\r\n", self.port);
        // Our own 404 has a body of ours, theirs has not.
        raw.try_send(request).await && raw.try_response().await.is_some_and(|answer| answer.header("content-security-policy").is_some())
    }
}

/// Its configuration without the lines that take away what a visitor forges.
pub fn weakened(proxy: FrontProxy, text: &str) -> String {
    let strips = |line: &str| match proxy {
        FrontProxy::Nginx => line.contains("ignore_invalid_headers"),
        FrontProxy::Traefik => line.contains("authResponseHeadersRegex"),
        FrontProxy::Caddy => line.contains("request_header \"-"),
        FrontProxy::Haproxy => line.contains("del-header"),
        FrontProxy::Envoy => line.contains("headers:remove(name)") || line.contains("DROP_HEADER"),
        FrontProxy::IngressNginx => false,
    };
    let kept: Vec<&str> = text.lines().filter(|line| !strips(line)).collect();
    assert!(kept.len() < text.lines().count());
    kept.join("\n").replace("underscores_in_headers off", "underscores_in_headers on") + "\n"
}

struct Program {
    path: PathBuf,
    arguments: Vec<String>,
}

fn write_files(proxy: FrontProxy, folder: &Path, text: &str, port: u16, tls: Option<Files<'_>>) -> Program {
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let here = folder.display();
    match proxy {
        FrontProxy::Nginx => {
            let mut text = text.replace(&format!("listen {port}"), &format!("listen 127.0.0.1:{port}"));
            if let Some(Files { chain, key }) = tls {
                text = text.replace("/etc/ssl/portcullis/fullchain.pem", &chain.display().to_string());
                text = text.replace("/etc/ssl/portcullis/privkey.pem", &key.display().to_string());
            }
            let head = format!("daemon off; master_process off; pid {here}/pid; error_log stderr warn;\nevents {{}}\n");
            let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {here}/{kind};"));
            let all = format!("{head}http {{\naccess_log off;\n{}\n{text}}}\n", paths.join("\n"));
            Program { path: "nginx".into(), arguments: vec!["-p".into(), here.to_string(), "-c".into(), file("nginx.conf", &all)] }
        }
        FrontProxy::Traefik => {
            let routes = file("routes.yml", text);
            let entry = format!("entryPoints: {{ web: {{ address: \"127.0.0.1:{port}\" }} }}\n");
            let rest = format!(
                "providers: {{ file: {{ filename: {routes}, watch: false }} }}\nlog: {{ level: INFO }}\nglobal: {{ checkNewVersion: false, sendAnonymousUsage: false }}\n"
            );
            let version = include_str!("../../servers/traefik/version").trim();
            let path = installed(cached(&format!("traefik-{version}/traefik")));
            Program { path, arguments: vec![format!("--configFile={}", file("traefik.yml", &format!("{entry}{rest}")))] }
        }
        FrontProxy::Caddy => {
            let all = format!("{{\n    admin off\n    auto_https off\n    default_bind 127.0.0.1\n}}\n{text}");
            let config = file("Caddyfile", &all);
            Program { path: "caddy".into(), arguments: ["run", "--adapter", "caddyfile", "--config", &config].map(str::to_owned).into() }
        }
        FrontProxy::Haproxy => {
            let settings = portcullis::config::load_str("routes: [{upstream: none}]", folder, &[]).unwrap().settings;
            let script = snippet::write(&settings, &Wanted { part: Part::Lua, ..Wanted::of(FrontProxy::Haproxy) }).unwrap().text;
            let text = text.replace("/etc/haproxy/portcullis.lua", &file("portcullis.lua", &script));
            let text = text.replace(&format!("bind :{port}"), &format!("bind 127.0.0.1:{port}"));
            Program { path: "haproxy".into(), arguments: vec!["-db".into(), "-f".into(), file("haproxy.cfg", &text)] }
        }
        FrontProxy::Envoy => {
            let text = text.replace("address: 0.0.0.0", "address: 127.0.0.1");
            let version = include_str!("../../servers/envoy/version").trim();
            let path = installed(cached(&format!("envoy-{version}/envoy/_bin/envoy")));
            let config = file("envoy.yaml", &text);
            let arguments = ["-c", &config, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"];
            Program { path, arguments: arguments.map(str::to_owned).into() }
        }
        FrontProxy::IngressNginx => panic!("no test has a cluster"),
    }
}

fn installed(path: PathBuf) -> PathBuf {
    assert!(path.is_file(), "{} is missing, run tests/run once", path.display());
    path
}
