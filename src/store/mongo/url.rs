//! The address of a MongoDB: checked when the configuration is read, and never shown. The driver's own messages repeat
//! parts of the address, and where a password is not percent-encoded those are parts of the password; so what is wrong is
//! found and said here.

use mongodb::options::{ConnectionString, HostInfo, Tls};
use percent_encoding::percent_decode_str;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// The database where the address names none.
const DATABASE: &str = "portcullis";

const EXAMPLE: &str = "write for example mongodb://user:password@host:27017/portcullis";

/// A checked `mongodb://` or `mongodb+srv://` address.
#[derive(Clone, PartialEq, Eq)]
pub struct MongoUrl {
    text: Zeroizing<String>,
    servers: String,
    database: String,
    encrypted: bool,
    local: bool,
}

impl MongoUrl {
    /// Checks an address.
    ///
    /// # Errors
    /// What is wrong, in words that hold nothing of user name, password and options' values.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = Parts::of(text)?;
        parts.check()?;
        let parsed = ConnectionString::parse(text).map_err(|_| parts.what_the_driver_refuses())?;
        let srv = matches!(parsed.host_info, HostInfo::DnsRecord(_));
        let local = !srv && parts.servers.split(',').all(is_local);
        let encrypted = parsed.tls.as_ref().map_or(srv, |tls| matches!(tls, Tls::Enabled(_)));
        let database = parsed.default_database.unwrap_or_else(|| DATABASE.to_owned());
        Ok(Self { text: Zeroizing::new(text.to_owned()), servers: parts.servers.to_owned(), database, encrypted, local })
    }

    /// Whether an address has one of our schemes.
    #[must_use]
    pub fn has_scheme(text: &str) -> bool {
        ["mongodb:", "mongodb+srv:"].iter().any(|scheme| text.starts_with(scheme))
    }

    /// The servers, for messages.
    #[must_use]
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// Whether passwords and accounts would cross a network unencrypted.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        !self.encrypted && !self.local
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn database(&self) -> &str {
        &self.database
    }
}

impl std::fmt::Debug for MongoUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MongoUrl({}/{})", self.servers, self.database)
    }
}

/// An address, cut at its delimiters.
struct Parts<'a> {
    srv: bool,
    user: Option<&'a str>,
    servers: &'a str,
    options: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| format!("lacks the // after its scheme, {EXAMPLE}"))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at(end);
        // Where the password holds an unencoded delimiter, its rest and the servers come behind.
        if behind.contains('@') || authority.matches('@').count() > 1 {
            return Err(unencoded());
        }
        let (user, servers) = authority.rsplit_once('@').map_or((None, authority), |(user, servers)| (Some(user), servers));
        let options = behind.split_once('?').map_or("", |(_, options)| options);
        Ok(Self { srv: scheme == "mongodb+srv", user, servers, options })
    }

    fn check(&self) -> Result<(), String> {
        if let Some(user) = self.user {
            let well_formed = |part: &str| is_percent_encoded(part) && !part.contains([':', '[', ']']);
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            if !well_formed(name) || !well_formed(password) {
                return Err(unencoded());
            }
        }
        if self.servers.split(',').any(str::is_empty) {
            return Err(format!("names no server, {EXAMPLE}"));
        }
        if self.srv && self.servers.contains([',', ':']) {
            return Err("is an address of mongodb+srv, which takes one host name and no port".to_owned());
        }
        let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
        if !self.servers.split(',').filter_map(port).all(is_port) {
            return Err("has a port that is not a number from 1 to 65535".to_owned());
        }
        Ok(())
    }

    /// Names the option that is refused also when it stands alone. Values are not repeated: some are secret.
    fn what_the_driver_refuses(&self) -> String {
        let alone = |option: &&str| ConnectionString::parse(format!("mongodb://localhost/?{option}")).is_err();
        let name = self.options.split('&').find(alone).map(|option| option.split('=').next().unwrap_or_default());
        match name.filter(|name| name.chars().all(|letter| letter.is_ascii_alphanumeric())) {
            Some(name) => format!("has an option `{name}` that is unknown or has a wrong value"),
            None => format!("is not an address of MongoDB, {EXAMPLE}"),
        }
    }
}

fn unencoded() -> String {
    "has a user name or password with one of : / ? # [ ] @ %, which must be percent-encoded there, @ as %40 for example".to_owned()
}

fn is_percent_encoded(text: &str) -> bool {
    let escapes = text.split('%').skip(1);
    let whole = |rest: &str| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    escapes.into_iter().all(whole) && percent_decode_str(text).decode_utf8().is_ok()
}

/// The text behind a server's last colon; a socket's path and a bare IPv6 address have none.
fn port(server: &str) -> Option<&str> {
    let behind_brackets = server.rsplit_once(']').map_or(server, |(_, behind)| behind);
    behind_brackets.split_once(':').map(|(_, port)| port)
}

fn is_local(server: &str) -> bool {
    let is_socket = server.to_ascii_lowercase().starts_with("%2f");
    let host = server.strip_suffix(port(server).unwrap_or_default()).unwrap_or(server).trim_end_matches(':');
    let host = host.trim_matches(['[', ']']);
    is_socket || host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_driver_are_taken() {
        for (text, servers, database, exposed) in [
            ("mongodb://127.0.0.1", "127.0.0.1", "portcullis", false),
            ("mongodb://u:p%40ss@a.example:1,b.example:2/gate?replicaSet=rs0", "a.example:1,b.example:2", "gate", true),
            ("mongodb://u:p@a.example/gate?tls=true&authSource=admin", "a.example", "gate", false),
            ("mongodb://[::1]:27018/?directConnection=true", "[::1]:27018", "portcullis", false),
            ("mongodb://%2Ftmp%2Fmongodb-27017.sock/gate", "%2Ftmp%2Fmongodb-27017.sock", "gate", false),
            ("mongodb+srv://u:p@cluster.example/gate", "cluster.example", "gate", false),
            ("mongodb://localhost,[::1],a.example/gate", "localhost,[::1],a.example", "gate", true),
            ("mongodb://localhost,[::1],127.0.0.1:1/gate", "localhost,[::1],127.0.0.1:1", "gate", false),
        ] {
            let url = MongoUrl::parse(text).unwrap();
            assert_eq!((url.servers(), url.database(), url.is_exposed()), (servers, database, exposed), "{text}");
            assert!(!format!("{url:?}").contains("u:p"));
        }
    }

    /// S4.11, issue: a bad address says what is wrong without the password
    #[test]
    fn what_is_wrong_is_said_without_any_part_of_the_password() {
        for (text, told) in [
            ("mongodb:hunter2", "lacks the //"),
            ("mongodb://root:hun/hunter2@db/x", "percent-encoded"),
            ("mongodb://root:hun?hunter2@db/x", "percent-encoded"),
            ("mongodb://root:hun#hunter2@db/x", "percent-encoded"),
            ("mongodb://root:hun@hunter2@db/x", "percent-encoded"),
            ("mongodb://root:hun:hunter2@db/x", "percent-encoded"),
            ("mongodb://root:hunter2%zz@db/x", "percent-encoded"),
            ("mongodb://root:hunter2%ff@db/x", "percent-encoded"),
            ("mongodb://root:hunter2@", "names no server"),
            ("mongodb://root:hunter2@a,,b/x", "names no server"),
            ("mongodb://root:hunter2@db:0/x", "a port that is not a number"),
            ("mongodb://root:hunter2@db:99999/x", "a port that is not a number"),
            ("mongodb://root:hunter2@[::1]:x/x", "a port that is not a number"),
            ("mongodb+srv://root:hunter2@db:27017/x", "no port"),
            ("mongodb+srv://root:hunter2@a,b/x", "one host name"),
            ("mongodb://root:hunter2@db/x?maxPoolSize=hunter2", "an option `maxPoolSize`"),
            ("mongodb://root:hunter2@db/x?retryWrites=maybe&tls=true", "an option `retryWrites`"),
            ("mongodb://root:hunter2@db/a b$", "is not an address of MongoDB"),
        ] {
            let error = MongoUrl::parse(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
            assert!(!error.contains("hun"), "{error}");
        }
    }
}
