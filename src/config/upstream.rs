//! `routes[].upstream`: the servers of an application.

use super::field::{Field, shown};
use super::server::LONGEST_SOCKET_PATH;
use super::{Upstream, UpstreamAddress, UpstreamScheme, UpstreamServer};
use crate::host::Host;

const ALLOWED: &str = "write for example http://127.0.0.1:3000, https://app.internal, h2c://127.0.0.1:50051 or unix:/run/app.sock";

pub(super) fn upstream(field: &Field<'_>) -> Option<Upstream> {
    if !field.is_list() {
        return match field.scalar(ALLOWED)?.text.as_str() {
            "sample" => Some(Upstream::Sample),
            "none" => Some(Upstream::None),
            _ => server(field).map(|server| Upstream::Servers(vec![server])),
        };
    }
    let servers = field.list(server)?;
    if servers.is_empty() {
        return field.error(format!("is empty, {ALLOWED}"));
    }
    let twice = servers.iter().enumerate().any(|(index, server)| servers[..index].contains(server));
    if twice { field.error("lists a server twice, keep one of the two") } else { Some(Upstream::Servers(servers)) }
}

fn server(field: &Field<'_>) -> Option<UpstreamServer> {
    let scalar = field.scalar(ALLOWED)?;
    match parse(&scalar.text) {
        Ok(UpstreamServer { address: UpstreamAddress::Unix(path), scheme }) => {
            let path = field.findings().resolve(&path.to_string_lossy());
            Some(UpstreamServer { address: UpstreamAddress::Unix(path), scheme })
        }
        Ok(server) => Some(server),
        Err(reason) => field.error(format!("{} {reason}, {ALLOWED}", shown(scalar))),
    }
}

/// One server as an operator writes it; a relative path of a socket stays relative.
pub(crate) fn parse(text: &str) -> Result<UpstreamServer, &'static str> {
    if let Some(path) = text.strip_prefix("unix:") {
        let sound = !path.is_empty() && path.len() <= LONGEST_SOCKET_PATH && !path.contains('\0') && !path.ends_with('/');
        let address = UpstreamAddress::Unix(path.into());
        return if sound { Ok(UpstreamServer { address, scheme: UpstreamScheme::Http }) } else { Err("is not the path of a socket") };
    }
    if ["sample", "none"].contains(&text) {
        return Err("stands alone, not in a list");
    }
    let (scheme, authority) = text.split_once("://").ok_or("is not an upstream")?;
    let (scheme, default_port) = match scheme {
        "http" => (UpstreamScheme::Http, 80),
        "https" => (UpstreamScheme::Https, 443),
        "h2c" => (UpstreamScheme::H2c, 80),
        _ => return Err("has another scheme than http, https, h2c and unix"),
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains('@') {
        return Err("has a user name or password, which belong into basic_auth");
    }
    if authority.contains(['/', '?', '#']) {
        return Err("has a path or query, which an upstream cannot have; the request's path is sent on as it is");
    }
    let (host, port) = Host::parse_authority(authority).ok_or("has no usable host and port")?;
    let host = host.as_str().trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(UpstreamServer { address: UpstreamAddress::Tcp { host, port: port.unwrap_or(default_port) }, scheme })
}
