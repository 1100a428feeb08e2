//! The one normaliser: what a request's target means for routes and rules. What is forwarded stays as received; what
//! two parsers could read differently is refused here. Pure.

/// A target in origin-form (RFC 9112 section 3.2.1), understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    raw: String,
    query_at: usize,
    path: Vec<u8>,
    encoded_slash: bool,
}

/// Why a target is refused; a sentence for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTarget(pub &'static str);

impl Target {
    /// Reads an origin-form target.
    ///
    /// # Errors
    /// When it is in another form, or holds what servers are known to read in different ways.
    pub fn parse(raw: &[u8]) -> Result<Self, BadTarget> {
        if raw.first() != Some(&b'/') {
            return Err(BadTarget("The address is not a path."));
        }
        if raw.iter().any(|byte| byte.is_ascii_control() || *byte == b' ') {
            return Err(BadTarget("The address holds a control character or a space."));
        }
        let raw =
            std::str::from_utf8(raw).ok().filter(|text| text.is_ascii()).ok_or(BadTarget("The address holds bytes that are not ASCII."))?;
        if raw.contains('#') {
            return Err(BadTarget("The address holds a fragment."));
        }
        let query_at = raw.find('?').unwrap_or(raw.len());
        let (path, encoded_slash) = normalise(&raw.as_bytes()[..query_at])?;
        Ok(Self { raw: raw.to_owned(), query_at, path, encoded_slash })
    }

    /// Path and query, as received.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The path, as received.
    #[must_use]
    pub fn raw_path(&self) -> &str {
        &self.raw[..self.query_at]
    }

    /// The path that routes and rules see: decoded once, each segment cut at its first `;`, `//` merged.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// Whether the path holds `%2f`, which only some routes let through.
    #[must_use]
    pub fn has_encoded_slash(&self) -> bool {
        self.encoded_slash
    }

    /// Path and query as received, without the segments of `prefix` (a normalised path that this one lies at or
    /// below). `None` where an encoded slash hides the boundary.
    #[must_use]
    pub fn without_prefix(&self, prefix: &str) -> Option<String> {
        let mut rest = self.raw_path();
        for expected in prefix.split('/').filter(|segment| !segment.is_empty()) {
            rest = rest.trim_start_matches('/');
            let end = rest.find('/').unwrap_or(rest.len());
            let (segment, after) = rest.split_at(end);
            // A segment that normalises to nothing (`/;x/`) is passed over, as it is in `path`.
            if normalise(format!("/{segment}").as_bytes()).ok()?.0 != [b"/", expected.as_bytes()].concat() {
                return None;
            }
            rest = after;
        }
        Some(format!("/{}{}", rest.trim_start_matches('/'), &self.raw[self.query_at..]))
    }
}

/// The normalised path, and whether an encoded slash was seen.
fn normalise(raw: &[u8]) -> Result<(Vec<u8>, bool), BadTarget> {
    if raw.contains(&b'\\') {
        return Err(BadTarget("The address holds a backslash."));
    }
    if !raw.iter().any(|byte| matches!(byte, b'%' | b';' | b'.')) && !raw.windows(2).any(|pair| pair == b"//") {
        return Ok((raw.to_vec(), false));
    }
    let (decoded, encoded_slash) = decode(raw)?;
    let mut path = Vec::with_capacity(decoded.len());
    for segment in decoded[1..].split(|byte| *byte == b'/') {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        if is_dots(segment) || is_dots(name) {
            return Err(BadTarget("The address holds a dot segment."));
        }
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(name);
    }
    Ok((path, encoded_slash))
}

fn is_dots(segment: &[u8]) -> bool {
    matches!(segment, b"." | b"..")
}

fn decode(raw: &[u8]) -> Result<(Vec<u8>, bool), BadTarget> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut encoded_slash = false;
    let mut bytes = raw.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let hex = [bytes.next(), bytes.next()].map(|digit| digit.and_then(|digit| char::from(*digit).to_digit(16)));
        let [Some(high), Some(low)] = hex else {
            return Err(BadTarget("The address holds a % that begins no escape."));
        };
        match u8::try_from(high * 16 + low).unwrap_or(0) {
            b'\\' => return Err(BadTarget("The address holds an encoded backslash.")),
            byte if byte.is_ascii_control() => return Err(BadTarget("The address holds an encoded control character.")),
            byte => {
                encoded_slash |= byte == b'/';
                decoded.push(byte);
            }
        }
    }
    Ok((decoded, encoded_slash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(raw: &str) -> Result<String, BadTarget> {
        Target::parse(raw.as_bytes()).map(|target| String::from_utf8_lossy(target.path()).into_owned())
    }

    /// threats.md B01, B02
    #[test]
    fn only_origin_form_is_a_target() {
        for raw in ["admin", "?x", "@h/admin", "foo:bar", ":80/admin", "*", "", "http://app.test/"] {
            assert!(path(raw).is_err(), "{raw:?}");
        }
    }

    /// threats.md B05, B10, B11
    #[test]
    fn what_servers_read_in_different_ways_is_refused() {
        let cases = [
            "/public/../admin",
            "/public/..",
            "/./admin",
            "/.",
            "/%2e%2e/admin",
            "/.%2e/admin",
            "/%2E./admin",
            "/public/..;/admin",
            "/public/..;x=1",
            "/a/.;/b",
            "/admin%00",
            "/admin%00.css",
            "/a%0d%0ab",
            "/a%7f",
            "/a\\b",
            "/a%5cb",
            "/a%5C..",
            "/%",
            "/%4",
            "/%zz",
            "/a%+1",
            "/admin#/public",
            "/#",
            "/a b",
            "/a\tb",
            "/a?b c",
            "/a?b\u{1}",
        ];
        for raw in cases {
            assert!(path(raw).is_err(), "{raw:?}");
        }
        assert!(Target::parse(b"/a\xff").is_err() && Target::parse(b"/a?\xc3\xa9").is_err() && Target::parse(b"/a\0").is_err());
    }

    /// threats.md B04, B07, B08, B14
    #[test]
    fn the_path_is_decoded_once_cut_at_semicolons_and_its_slashes_merged() {
        let cases = [
            ("/", "/"),
            ("//", "/"),
            ("//admin", "/admin"),
            ("///admin//", "/admin/"),
            ("/%61dmin", "/admin"),
            ("/%2561dmin", "/%61dmin"),
            ("/%252e%252e", "/%2e%2e"),
            ("/admin;x=1", "/admin"),
            ("/admin;/x", "/admin/x"),
            ("/admin/;/", "/admin/"),
            ("/a%3bb", "/a"),
            ("/a.b/..c", "/a.b/..c"),
            ("/a/?../..", "/a/"),
            ("/admin%23/x", "/admin#/x"),
            ("/a%3f", "/a?"),
        ];
        for (raw, expected) in cases {
            assert_eq!(path(raw).as_deref(), Ok(expected), "{raw:?}");
        }
    }

    #[test]
    fn an_encoded_slash_is_a_slash_to_rules_and_is_told() {
        let target = Target::parse(b"/a%2Fadmin").unwrap();
        assert!(target.has_encoded_slash());
        assert_eq!(target.path(), b"/a/admin");
        assert!(path("/a/..%2fadmin").is_err());
        assert!(!Target::parse(b"/a?x=%2f").unwrap().has_encoded_slash());
    }

    #[test]
    fn the_target_is_kept_as_received() {
        let target = Target::parse(b"/%61;x//b?q=%2F..//\\").unwrap();
        assert_eq!(target.as_str(), "/%61;x//b?q=%2F..//\\");
        assert_eq!(target.raw_path(), "/%61;x//b");
    }

    #[test]
    fn a_prefix_is_cut_however_it_was_written() {
        let cut = |raw: &str| Target::parse(raw.as_bytes()).unwrap().without_prefix("/app");
        assert_eq!(cut("/app").as_deref(), Some("/"));
        assert_eq!(cut("/app/x//y?z=/app").as_deref(), Some("/x//y?z=/app"));
        assert_eq!(cut("//%61pp;v=1//x").as_deref(), Some("/x"));
        assert_eq!(cut("/app%2fx"), None);
    }
}
