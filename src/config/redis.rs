//! Addresses of Redis: one server, or the one that Sentinels name. What is wrong with one is said without repeating it,
//! since it may hold a password.

use super::Secret;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::net::IpAddr;

/// Where a Redis is and how to sign in there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisAddress {
    /// Which server.
    pub server: RedisServer,
    /// Whether connections are encrypted, to Sentinels too.
    pub tls: bool,
    /// As whom to sign in.
    pub login: RedisLogin,
    /// Number of the database.
    pub database: i64,
}

/// Which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisServer {
    /// This one.
    One(RedisHost),
    /// The primary of `service`, as these Sentinels know it.
    Sentinels {
        /// Asked one after the other.
        hosts: Vec<RedisHost>,
        /// What they call it.
        service: String,
        /// As whom to sign in to them.
        login: RedisLogin,
    },
}

/// A name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisHost {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A user name and password, each where there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedisLogin {
    /// User of an access list; Redis's `default` where there is none.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
}

impl RedisAddress {
    /// Whether what is said there leaves the machine.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        let hosts = match &self.server {
            RedisServer::One(host) => std::slice::from_ref(host),
            RedisServer::Sentinels { hosts, .. } => hosts,
        };
        hosts.iter().any(|RedisHost { host, .. }| host != "localhost" && !host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()))
    }
}

/// The address without user and password.
impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.tls { "s" } else { "" };
        match &self.server {
            RedisServer::One(host) => write!(f, "redis{s}://{host}/{}", self.database),
            RedisServer::Sentinels { hosts, service, .. } => {
                let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
                write!(f, "redis{s}+sentinel://{}/{service}/{}", hosts.join(","), self.database)
            }
        }
    }
}

impl fmt::Display for RedisHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Where Redis listens unless told otherwise.
const PORT: u16 = 6379;

/// Where Sentinels listen unless told otherwise.
const SENTINEL_PORT: u16 = 26379;

/// What is wrong with an address.
type Fault = &'static str;

/// Whether the text is meant as an address of Redis.
pub(super) fn is_meant(text: &str) -> bool {
    text.starts_with("redis") || text.starts_with("valkey")
}

pub(crate) fn parse(text: &str) -> Result<RedisAddress, Fault> {
    let (scheme, rest) = text.split_once("://").ok_or("has no ://")?;
    let (tls, sentinels) = match scheme {
        "redis" => (false, false),
        "rediss" => (true, false),
        "redis+sentinel" => (false, true),
        "rediss+sentinel" => (true, true),
        _ if scheme.contains("cluster") => return Err("is a Redis Cluster, which this does not work with"),
        _ => return Err("begins with none of redis://, rediss://, redis+sentinel:// and rediss+sentinel://"),
    };
    if rest.contains('#') {
        return Err("holds a #: certificates are always verified, and in a password it is written %23");
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (read_login(login)?, hosts),
        None => (RedisLogin::default(), authority),
    };
    let (server, database) = if sentinels { read_sentinels(hosts, path, query)? } else { read_one(hosts, path, query)? };
    Ok(RedisAddress { server, tls, login, database: read_database(database)? })
}

fn read_one<'a>(hosts: &str, database: &'a str, query: &str) -> Result<(RedisServer, &'a str), Fault> {
    if hosts.contains(',') {
        return Err("names several servers: write redis+sentinel:// for Sentinels; a Redis Cluster does not work");
    }
    if !query.is_empty() {
        return Err("takes nothing after a ?");
    }
    Ok((RedisServer::One(read_host(hosts, PORT)?), database))
}

fn read_sentinels<'a>(hosts: &str, path: &'a str, query: &str) -> Result<(RedisServer, &'a str), Fault> {
    let (service, database) = path.split_once('/').unwrap_or((path, ""));
    if service.is_empty() {
        return Err("names no service, write it behind the Sentinels: redis+sentinel://one:26379,two:26379/mymaster");
    }
    let hosts = hosts.split(',').map(|host| read_host(host, SENTINEL_PORT)).collect::<Result<_, _>>()?;
    let mut login = RedisLogin::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sentinel_username", name)) => login.username = Some(decoded(name)?),
            Some(("sentinel_password", password)) => login.password = Some(Secret::new(decoded(password)?)),
            _ => return Err("takes only sentinel_username= and sentinel_password= after the ?"),
        }
    }
    Ok((RedisServer::Sentinels { hosts, service: decoded(service)?, login }, database))
}

fn read_login(text: &str) -> Result<RedisLogin, Fault> {
    let (username, password) = text.split_once(':').unwrap_or((text, ""));
    let some = |text: &str| if text.is_empty() { Ok(None) } else { decoded(text).map(Some) };
    Ok(RedisLogin { username: some(username)?, password: some(password)?.map(Secret::new) })
}

fn read_host(text: &str, port: u16) -> Result<RedisHost, Fault> {
    let url = url::Url::parse(&format!("redis://{text}/")).map_err(|_| "names no server that could be read")?;
    let host = match url.host() {
        Some(url::Host::Domain(name)) if !name.is_empty() => name.to_owned(),
        Some(url::Host::Ipv4(address)) => address.to_string(),
        Some(url::Host::Ipv6(address)) => address.to_string(),
        _ => return Err("names no server"),
    };
    Ok(RedisHost { host, port: url.port().unwrap_or(port) })
}

fn read_database(text: &str) -> Result<i64, Fault> {
    let number = if text.is_empty() { Some(0) } else { text.parse().ok() };
    number.filter(|number| *number >= 0).ok_or("names no database: it is a number, such as /0")
}

fn decoded(text: &str) -> Result<String, Fault> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| "holds a %-sequence that is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S4.11
    #[test]
    fn an_address_is_shown_without_who_signs_in() {
        for (written, shown) in [
            ("redis://cache", "redis://cache:6379/0"),
            ("rediss://al%40ice:p%3Ass@cache:7000/3", "rediss://cache:7000/3"),
            ("redis://:p@ss@[::1]/", "redis://[::1]:6379/0"),
            ("redis+sentinel://:p@one,two:7/mymaster", "redis+sentinel://one:26379,two:7/mymaster/0"),
            ("rediss+sentinel://one/main/2?sentinel_password=p", "rediss+sentinel://one:26379/main/2"),
        ] {
            let address = parse(written).unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("p%3Ass"));
        }
    }

    #[test]
    fn names_and_passwords_are_decoded() {
        let address = parse("rediss://al%40ice:p%3A%23ss@cache").unwrap();
        assert_eq!(address.login.username.as_deref(), Some("al@ice"));
        assert_eq!(address.login.password.unwrap().expose(), "p:#ss");
        assert!(address.tls);
        let sentinels = parse("redis+sentinel://u:p@a,[::2]:3/main?sentinel_username=s&sentinel_password=q%26").unwrap();
        let RedisServer::Sentinels { hosts, service, login } = sentinels.server else { panic!("sentinels") };
        assert_eq!(hosts[1], RedisHost { host: "::2".to_owned(), port: 3 });
        assert_eq!((service.as_str(), login.password.unwrap().expose()), ("main", "q&"));
    }

    #[test]
    fn a_wrong_address_is_told_without_repeating_it() {
        for (wrong, told) in [
            ("redis:cache", "no ://"),
            ("redis://a,b", "several servers"),
            ("redis+cluster://hunter2", "Redis Cluster"),
            ("redis-cluster://hunter2", "Redis Cluster"),
            ("redis://hunter2@", "names no server"),
            ("redis://cache/hunter2", "names no database"),
            ("redis://cache/-1", "names no database"),
            ("redis://cache?protocol=hunter2", "nothing after a ?"),
            ("rediss://cache/#insecure", "always verified"),
            ("redis+sentinel://one", "names no service"),
            ("redis+sentinel://one/main?x=hunter2", "takes only"),
            ("redis://:%ff@cache", "not UTF-8"),
            ("redis://cache:hunter2", "could be read"),
        ] {
            let said = parse(wrong).unwrap_err();
            assert!(said.contains(told) && !said.contains("hunter2"), "{wrong}: {said}");
        }
    }
}
