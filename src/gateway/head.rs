//! The raw head of an HTTP/1 request, judged before any parser may mend it: what two servers could frame or route in
//! different ways is refused here (RFC 9112; request smuggling). Pure.

use crate::host::Host;
use crate::portal::error_page::Fault;
use bytes::{Bytes, BytesMut};

/// Most header fields that the parser behind us takes.
const MAX_FIELDS: usize = 256;

/// The end of a head, if it is complete: the index behind the empty line.
#[must_use]
pub fn end_of_head(bytes: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    memchr::memmem::find(&bytes[from..], b"\r\n\r\n").map(|at| from + at + 4)
}

/// Judges a complete head. An absolute-form target that names the host of `Host` comes back as the head to use
/// instead, with the target in origin-form (RFC 9112 section 3.2.2).
///
/// # Errors
/// The refusal to answer with.
pub fn inspect(head: &[u8]) -> Result<Option<Bytes>, Fault> {
    let mut lines = Lines(head);
    let line = lines.next_line()?;
    let request = RequestLine::parse(line)?;
    let fields = Fields::read(&mut lines)?;
    fields.check_framing(request.minor_version)?;
    let host = fields.host.ok_or(Fault::BadRequest("The request names no host."))?;
    if !std::str::from_utf8(host).is_ok_and(|host| Host::parse_authority(host).is_some()) {
        return Err(Fault::BadRequest("The Host header is malformed."));
    }
    match request.target {
        [b'/', ..] => Ok(None),
        b"*" if request.method == b"OPTIONS" => Ok(None),
        target => origin_form(target, host).map(|target| Some(rewritten(head, line, &request, target))),
    }
}

/// Lines that end in CR LF, as every line must.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Result<&'a [u8], Fault> {
        const BARE: Fault = Fault::BadRequest("A line of the request does not end in CR LF.");
        let end = memchr::memchr(b'\n', self.0).ok_or(BARE)?;
        let (line, rest) = self.0.split_at(end + 1);
        self.0 = rest;
        let line = line.strip_suffix(b"\r\n").ok_or(BARE)?;
        if line.contains(&b'\r') { Err(BARE) } else { Ok(line) }
    }
}

struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    minor_version: u8,
}

impl<'a> RequestLine<'a> {
    fn parse(line: &'a [u8]) -> Result<Self, Fault> {
        let malformed = Fault::BadRequest("The request's first line is not one of HTTP/1.1.");
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next()) else {
            return Err(malformed);
        };
        let minor_version = match version {
            b"HTTP/1.1" => 1,
            b"HTTP/1.0" => 0,
            _ => return Err(malformed),
        };
        if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
            return Err(malformed);
        }
        if target.is_empty() || target.iter().any(|byte| !byte.is_ascii_graphic() || *byte == b'#') {
            return Err(Fault::BadRequest("The address holds bytes that a URL must not."));
        }
        if holds_what_cannot_be_forwarded(target) {
            return Err(Fault::BadRequest("The address holds quotes or angle brackets that are not percent-encoded."));
        }
        Ok(Self { method, target, minor_version })
    }
}

/// What is no URL (RFC 3986) and could be sent on in another form only: the parser behind us does not take it as it is,
/// and RFC 9112 section 3 advises against mending it.
fn holds_what_cannot_be_forwarded(target: &[u8]) -> bool {
    let query_at = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    let (path, query) = target.split_at(query_at);
    path.iter().any(|byte| b"<>`".contains(byte)) || query.iter().any(|byte| b"<>\"".contains(byte))
}

/// What the header fields say about framing and host.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    content_length: Option<&'a [u8]>,
    transfer_encoding: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(lines: &mut Lines<'a>) -> Result<Self, Fault> {
        let mut fields = Self::default();
        for count in 0.. {
            let line = lines.next_line()?;
            if line.is_empty() {
                break;
            }
            if count == MAX_FIELDS {
                return Err(Fault::BadRequest("The request has more than 256 header fields."));
            }
            let (name, value) = split_field(line)?;
            fields.note(name, value)?;
        }
        Ok(fields)
    }

    fn note(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Fault> {
        let slot = match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => &mut self.host,
            14 if name.eq_ignore_ascii_case(b"content-length") => &mut self.content_length,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => &mut self.transfer_encoding,
            6 if name.eq_ignore_ascii_case(b"expect") => {
                let known = value.eq_ignore_ascii_case(b"100-continue");
                return if known { Ok(()) } else { Err(Fault::ExpectationFailed) };
            }
            _ => return Ok(()),
        };
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(Fault::BadRequest("Host, Content-Length or Transfer-Encoding stands in the request twice.")),
        }
    }

    /// RFC 9112 section 6: one way to frame the body, beyond doubt.
    fn check_framing(&self, minor_version: u8) -> Result<(), Fault> {
        if let Some(coding) = self.transfer_encoding {
            if self.content_length.is_some() {
                return Err(Fault::BadRequest("The request has Content-Length and Transfer-Encoding."));
            }
            if minor_version == 0 || !coding.eq_ignore_ascii_case(b"chunked") {
                return Err(Fault::BadRequest("The request's Transfer-Encoding is not chunked alone."));
            }
        }
        let digits = |length: &[u8]| (1..=18).contains(&length.len()) && length.iter().all(u8::is_ascii_digit);
        match self.content_length {
            Some(length) if !digits(length) => Err(Fault::BadRequest("The request's Content-Length is not a number.")),
            _ => Ok(()),
        }
    }
}

fn split_field(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    let malformed = Fault::BadRequest("A header of the request is malformed.");
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return Err(malformed);
    };
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let valid_value = value.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
    // A name that begins with a blank would be a folded line (obs-fold), one that ends with it a smuggler's.
    let valid_name = !name.is_empty() && name.iter().all(|byte| is_token(*byte));
    if valid_name && valid_value { Ok((name, value)) } else { Err(malformed) }
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Path and query of an absolute-form target whose authority is the host asked for.
fn origin_form<'a>(target: &'a [u8], host: &[u8]) -> Result<&'a [u8], Fault> {
    let refused = Fault::BadRequest("The address is neither a path nor a URL of the host asked for.");
    let Some(rest) = strip_scheme(target) else {
        return Err(refused);
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.is_empty() || !authority.eq_ignore_ascii_case(host) || path.first() == Some(&b'?') {
        return Err(refused);
    }
    Ok(if path.is_empty() { b"/" } else { path })
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

fn rewritten(head: &[u8], line: &[u8], request: &RequestLine<'_>, target: &[u8]) -> Bytes {
    let mut new = BytesMut::with_capacity(head.len());
    for part in [request.method, b" ", target, b" HTTP/1.", &[b'0' + request.minor_version], &head[line.len()..]] {
        new.extend_from_slice(part);
    }
    new.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(head: &str) -> u16 {
        inspect(head.as_bytes()).map_or_else(|fault| fault.status().as_u16(), |_| 200)
    }

    /// threats.md H01, H02, H04, H05, H08
    #[test]
    fn a_head_that_could_be_framed_in_two_ways_is_refused() {
        let cases = [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length: 0x5",
            "Content-Length: -5",
            "Content-Length: 1e1",
            "Content-Length:",
            "Content-Length: 12345678901234567890",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: \u{b}chunked",
            "Transfer-Encoding : chunked",
            "X-A : b",
            " X-A: b",
            "X-A: b\r\n folded",
            "X-A",
            ": b",
            "X-A: b\u{0}c",
            "X-A: b\rc",
            "X-A: b\nX-B: c",
            "X\u{7f}: b",
        ];
        for case in cases {
            assert_eq!(status(&format!("POST / HTTP/1.1\r\nHost: app.test\r\n{case}\r\n\r\n")), 400, "{case:?}");
        }
        assert_eq!(status("POST / HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
        assert_eq!(status("POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: Chunked\r\n\r\n"), 200);
        assert_eq!(status("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\n"), 200);
    }

    /// threats.md B01, H08, H13
    #[test]
    fn the_first_line_is_one_of_http_1() {
        let cases = [
            "GET admin HTTP/1.1",
            "GET / HTTP/1.2",
            "GET / HTTP/0.9",
            "GET /",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            " GET / HTTP/1.1",
            "G(T / HTTP/1.1",
            "GET /\u{0} HTTP/1.1",
            "GET /\t HTTP/1.1",
            "GET /#a HTTP/1.1",
            "GET /é HTTP/1.1",
            "GET /<b> HTTP/1.1",
            "GET /a?b=\"c\" HTTP/1.1",
            "GET * HTTP/1.1",
            "GET foo:bar HTTP/1.1",
            "GET http://other.test/ HTTP/1.1",
            "GET http://u@app.test/ HTTP/1.1",
            "GET http:///x HTTP/1.1",
            "GET ftp://app.test/ HTTP/1.1",
        ];
        for case in cases {
            assert_eq!(status(&format!("{case}\r\nHost: app.test\r\n\r\n")), 400, "{case:?}");
        }
        assert_eq!(status("GET /{\"a\"}|^[]?{`}|^[] HTTP/1.1\r\nHost: app.test\r\n\r\n"), 200);
        assert_eq!(status("OPTIONS * HTTP/1.1\r\nHost: app.test\r\n\r\n"), 200);
        assert_eq!(status("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n"), 200);
    }

    /// threats.md B16, H13
    #[test]
    fn exactly_one_host_is_named() {
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400);
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
        assert_eq!(status("GET http://app.test/ HTTP/1.1\r\n\r\n"), 400);
    }

    #[test]
    fn an_absolute_target_of_the_same_host_is_rewritten() {
        let head = inspect(b"GET HTTP://App.test/a?b=http://x HTTP/1.1\r\nHost: app.test\r\nA: b\r\n\r\n").unwrap_or_default();
        assert_eq!(head.as_deref(), Some(&b"GET /a?b=http://x HTTP/1.1\r\nHost: app.test\r\nA: b\r\n\r\n"[..]));
        let head = inspect(b"GET http://app.test HTTP/1.1\r\nHost: app.test\r\n\r\n").unwrap_or_default();
        assert!(head.is_some_and(|head| head.starts_with(b"GET / HTTP/1.1\r\n")));
    }

    /// threats.md H07
    #[test]
    fn only_100_continue_may_be_expected() {
        assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\nExpect: y 100-continue\r\n\r\n"), 417);
        assert_eq!(status("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"), 200);
    }

    #[test]
    fn more_fields_than_the_parser_takes_are_refused() {
        let many = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(count));
        assert_eq!(status(&many(255)), 200);
        assert_eq!(status(&many(256)), 400);
    }

    #[test]
    fn the_end_of_a_head_is_found_across_reads() {
        assert_eq!(end_of_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody", 0), Some(27));
        assert_eq!(end_of_head(b"ab\r\n\r\n", 5), Some(6));
        assert_eq!(end_of_head(b"ab\r\n\r", 0), None);
    }
}
