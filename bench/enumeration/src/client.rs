//! One HTTP/1.1 connection to a gateway, kept open, and the answers on it with the time that each took.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

pub struct Client {
    address: String,
    stream: TcpStream,
    read: Vec<u8>,
}

/// What a form needs to be sent: cookie and token.
pub struct Opened {
    cookie: String,
    csrf: String,
}

pub struct Answer {
    pub took: Duration,
    status: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Client {
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway listens");
        stream.set_nodelay(true).expect("a TCP connection");
        Self { address: address.to_owned(), stream, read: Vec::new() }
    }

    /// Opens a page with a form.
    pub fn open(&mut self, page: &str) -> Opened {
        let answer = self.exchange(&format!("GET {page} HTTP/1.1\r\nhost: {}\r\naccept: text/html\r\n\r\n", self.address));
        let cookie = answer.headers.iter().find(|(name, value)| name == "set-cookie" && value.starts_with("portcullis-csrf="));
        let cookie = cookie.expect("a cookie for forms").1.split(';').next().expect("its value").to_owned();
        let body = String::from_utf8(answer.body).expect("a page");
        let csrf = body.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token").to_owned();
        Opened { cookie, csrf }
    }

    /// Sends its form.
    pub fn submit(&mut self, page: &str, opened: &Opened, fields: &[(&str, String)]) -> Answer {
        let mut body = format!("csrf={}", opened.csrf);
        for (name, value) in fields {
            body += &format!("&{name}={}", value.replace('@', "%40"));
        }
        let (host, cookie) = (&self.address, &opened.cookie);
        self.exchange(&format!(
            "POST {page} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\naccept: text/html\r\nsec-fetch-site: same-origin\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    fn exchange(&mut self, request: &str) -> Answer {
        let begun = Instant::now();
        self.stream.write_all(request.as_bytes()).expect("the connection stays open");
        let head = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break self.read.drain(..end + 4).collect::<Vec<u8>>();
            }
            self.fill();
        };
        let took = begun.elapsed();
        let head = String::from_utf8(head).expect("a head");
        let mut lines = head.lines();
        let status = lines.next().expect("a status line").to_owned();
        let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let headers: Vec<_> = headers.collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().expect("a length"));
        assert!(!headers.iter().any(|(name, _)| name == "transfer-encoding"), "pages are sent whole");
        while self.read.len() < length {
            self.fill();
        }
        Answer { took, status, headers, body: self.read.drain(..length).collect() }
    }

    fn fill(&mut self) {
        let mut buffer = [0; 16 * 1024];
        let read = self.stream.read(&mut buffer).expect("an answer");
        assert!(read > 0, "the connection was closed");
        self.read.extend_from_slice(&buffer[..read]);
    }
}

impl Answer {
    /// What differs, apart from what does from request to request, if anything.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self.status != other.status {
            return Some(format!("{} / {}", self.status, other.status));
        }
        let (ours, others) = (self.lasting(), other.lasting());
        if let Some(header) = ours.iter().find(|header| !others.contains(header)).or(others.iter().find(|header| !ours.contains(header))) {
            return Some(format!("header {header}"));
        }
        (self.body.len() != other.body.len()).then(|| format!("{} / {} bytes", self.body.len(), other.body.len()))
    }

    /// Headers in their order; of cookies the names, lengths and flags.
    fn lasting(&self) -> Vec<String> {
        let lasting = self.headers.iter().filter(|(name, _)| !matches!(&**name, "date" | "x-request-id"));
        lasting
            .map(|(name, value)| if name == "set-cookie" { format!("{name}: {}", outline(value)) } else { format!("{name}: {value}") })
            .collect()
    }
}

fn outline(cookie: &str) -> String {
    let (pair, flags) = cookie.split_once(';').unwrap_or((cookie, ""));
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    format!("{name}={};{flags}", value.len())
}
