//! `portcullis healthcheck`: asks a running gateway whether it is ready, for container and service managers.

use super::Failure;
use crate::config::{self, ListenAddress};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(5);

/// Whom to ask for what.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Tcp { host: String, port: u16, path: String },
    Unix(PathBuf),
}

pub(super) fn run(url: Option<&str>, config: Option<&Path>) -> Result<(), Failure> {
    let target = match url {
        Some(url) => from_url(url)?,
        None => from_config(config)?,
    };
    ask(&target)
}

fn from_url(text: &str) -> Result<Target, Failure> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "http" && url.username().is_empty());
    let parts = url.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?, url)));
    let Some((host, port, url)) = parts else {
        return Err(Failure::wrong_usage("--url takes an http address, for example http://127.0.0.1:9091/readyz"));
    };
    let path = if url.path() == "/" { "/readyz".to_owned() } else { url[url::Position::BeforePath..url::Position::AfterQuery].to_owned() };
    Ok(Target::Tcp { host: host.to_owned(), port, path })
}

/// The configured admin listener. Without a file named, a configuration that cannot be read here is no reason to fail:
/// a container's health check may lack the variables that the gateway was started with.
fn from_config(config: Option<&Path>) -> Result<Target, Failure> {
    let loaded = match config {
        Some(path) => Some(config::load(path)?),
        None => config::load(&config::default_path()).ok(),
    };
    let default = SocketAddr::from(([127, 0, 0, 1], 9091));
    let listen = loaded.map_or(Some(ListenAddress::Tcp(default)), |loaded| loaded.settings.admin);
    match listen {
        Some(ListenAddress::Unix(path)) => Ok(Target::Unix(path)),
        Some(ListenAddress::Tcp(address)) if address.port() != 0 => {
            Ok(Target::Tcp { host: reachable(address.ip()).to_string(), port: address.port(), path: "/readyz".into() })
        }
        _ => Err(Failure::new("admin.listen names no address to ask; name one with --url")),
    }
}

/// The address to reach a listener at: loopback, if it listens at all addresses.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

fn ask(target: &Target) -> Result<(), Failure> {
    let (answer, asked) = match target {
        Target::Tcp { host, port, path } => {
            let authority =
                if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
            (connect(host, *port).and_then(|stream| get(stream, &authority, path)), format!("http://{authority}{path}"))
        }
        Target::Unix(path) => {
            (connect_unix(path).and_then(|stream| get(stream, "localhost", "/readyz")), format!("unix:{}", path.display()))
        }
    };
    match answer {
        Ok(200) => Ok(()),
        Ok(status) => Err(Failure::new(format!("not ready: {asked} answered {status}; see the gateway's log"))),
        Err(error) => Err(Failure::new(format!(
            "not ready: {asked} cannot be asked: {error}; start the gateway, or name its admin address with --url"
        ))),
    }
}

fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn connect_unix(path: &Path) -> std::io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The status of a GET. Only the status line is read.
fn get(mut stream: impl Read + Write, authority: &str, path: &str) -> std::io::Result<u16> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")?;
    let mut start = [0_u8; 12];
    stream.read_exact(&mut start)?;
    let status = std::str::from_utf8(&start).ok().and_then(|start| start.strip_prefix("HTTP/1.1 ")).and_then(|status| status.parse().ok());
    status.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server that answers one request, and its address.
    fn answering(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The whole request: closing on unread bytes would reset the connection and lose the answer.
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        (url, server)
    }

    #[test]
    fn a_ready_gateway_is_healthy() {
        let (url, server) = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        run(Some(&url), None).unwrap();
        assert!(server.join().unwrap().starts_with("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:"));
    }

    #[test]
    fn a_gateway_that_is_not_ready_fails_the_check() {
        let (url, server) = answering("HTTP/1.1 503 Service Unavailable\r\n\r\n");
        let failure = run(Some(&format!("{url}/readyz")), None).unwrap_err().to_string();
        assert!(failure.ends_with("/readyz answered 503; see the gateway's log"), "{failure}");
        server.join().unwrap();
    }

    #[test]
    fn what_is_no_http_server_fails_the_check() {
        let (url, server) = answering("220 mail.example.com ESMTP\r\n");
        assert!(run(Some(&url), None).unwrap_err().to_string().contains("the answer is not HTTP"));
        server.join().unwrap();
    }

    #[test]
    fn nobody_there_fails_the_check() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let failure = run(Some(&format!("http://127.0.0.1:{port}")), None).unwrap_err();
        assert!(!failure.is_wrong_usage() && failure.to_string().contains("start the gateway"), "{failure}");
    }

    #[test]
    fn an_address_that_is_not_http_is_wrong_usage() {
        for url in ["https://a/readyz", "a:1", "", "http://u@a"] {
            assert!(run(Some(url), None).unwrap_err().is_wrong_usage(), "{url}");
        }
    }

    #[test]
    fn the_configured_admin_listener_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.yaml");
        let target = |admin: &str| {
            std::fs::write(&path, format!("routes: [{{upstream: sample}}]\nadmin: {{listen: {admin}}}")).unwrap();
            from_config(Some(&path))
        };
        assert_eq!(target("'0.0.0.0:9999'").unwrap(), Target::Tcp { host: "127.0.0.1".into(), port: 9999, path: "/readyz".into() });
        assert_eq!(target("'unix:admin.sock'").unwrap(), Target::Unix(folder.path().join("admin.sock")));
        assert!(target("null").unwrap_err().to_string().contains("--url"));
        assert!(target("nowhere").unwrap_err().to_string().contains("c.yaml:2:17: admin.listen: "));
    }
}
