//! W3C Trace Context: which trace a request belongs to, and which step of it the request is a part of. Read strictly: what
//! is malformed counts as absent (Trace Context, section 3.3). Whether the sender is believed is not decided here.

use crate::entropy;
use http::HeaderMap;
use std::fmt::{self, Display, Formatter};

/// Bit of the flags by which the caller says that it records the trace.
const SAMPLED: u8 = 1;
/// Bits that are passed on; all others are reserved and become zero. The second is `random` of Trace Context, level 2.
const KNOWN_FLAGS: u8 = 0b11;
/// Length of the only version there is; later ones are at least as long.
const LENGTH: usize = 55;

/// Identity of a trace; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(u128);

/// Identity of a span, one step of a trace; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(u64);

/// What `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The span that caused the request.
    pub span: SpanId,
    flags: u8,
}

impl TraceId {
    /// As it is sent: big endian.
    #[must_use]
    pub fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl SpanId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(u64::try_from(u128::from_be_bytes(entropy::unique_bytes()) >> 64).unwrap_or_default().max(1))
    }

    /// As it is sent: big endian.
    #[must_use]
    pub fn bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl TraceContext {
    /// A trace that begins here.
    #[must_use]
    pub fn begin(sampled: bool) -> Self {
        let trace = TraceId(u128::from_be_bytes(entropy::unique_bytes()).max(1));
        Self { trace, span: SpanId::random(), flags: u8::from(sampled) * SAMPLED }
    }

    /// What the headers say: none where `traceparent` is missing, doubled or malformed.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all("traceparent").iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value.as_bytes())
    }

    /// A value of `traceparent`. Of versions to come what this one has is read, as section 3.2.4 says.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let mut fields = known.split('-');
        let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let version: u8 = hex(version, 2)?.try_into().ok()?;
        let ends_well = if version == 0 { rest.is_empty() } else { rest.is_empty() || rest.starts_with('-') };
        if version == u8::MAX || !ends_well || fields.next().is_some() {
            return None;
        }
        let trace = TraceId(hex(trace, 32).filter(|id| *id != 0)?);
        let span = SpanId(hex(span, 16).filter(|id| *id != 0)?.try_into().ok()?);
        let flags = u8::try_from(hex(flags, 2)?).ok()? & KNOWN_FLAGS;
        Some(Self { trace, span, flags })
    }

    /// The same trace as seen by what this span causes.
    #[must_use]
    pub fn below(self, span: SpanId) -> Self {
        Self { span, ..self }
    }

    /// Whether the caller records the trace.
    #[must_use]
    pub fn sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The flags as they are passed on.
    #[must_use]
    pub fn flags(self) -> u8 {
        self.flags
    }
}

/// The number in exactly so many lower-case hex digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != digits || !text.bytes().all(is_digit) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

impl Display for TraceId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Display for SpanId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// As a value of `traceparent`.
impl Display for TraceContext {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn parsed(value: &str) -> Option<String> {
        TraceContext::parse(value.as_bytes()).map(|context| context.to_string())
    }

    /// contract 3.7; Trace Context, section 3.2
    #[test]
    fn what_is_well_formed_is_passed_on_as_it_came() {
        for good in [GOOD, &GOOD.replace("-01", "-00"), &GOOD.replace("-01", "-03")] {
            assert_eq!(parsed(good).as_deref(), Some(good));
        }
        assert!(TraceContext::parse(GOOD.as_bytes()).unwrap().sampled());
        assert!(!TraceContext::parse(GOOD.replace("-01", "-02").as_bytes()).unwrap().sampled());
        assert_eq!(parsed(&GOOD.replace("-01", "-ff")), Some(GOOD.replace("-01", "-03")), "reserved flags become zero");
        for later in [GOOD.replacen("00", "cc", 1), GOOD.replacen("00", "01", 1) + "-what-ever"] {
            assert_eq!(parsed(&later).as_deref(), Some(GOOD), "{later}");
        }
    }

    /// Trace Context, sections 3.2.2 and 3.3
    #[test]
    fn what_is_malformed_counts_as_absent() {
        let zeros = "0".repeat(32);
        for bad in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}0"),
            &format!("{GOOD}-00"),
            &GOOD.replacen("00", "ff", 1),
            &(GOOD.replacen("00", "01", 1) + "x"),
            &GOOD.replace("0af7651916cd43dd8448eb211c80319c", &zeros),
            &GOOD.replace("b7ad6b7169203331", &zeros[..16]),
            &GOOD.to_uppercase(),
            &GOOD.replace("0af7", "0ag7"),
            &GOOD.replace("0af7", "+af7"),
            &GOOD.replace('-', "_"),
            &GOOD.replace("0af7", "0a-7"),
            &format!(" {GOOD}"),
            &GOOD.replace("9c-b7", "9é-b"),
        ] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_doubled_header_counts_as_absent() {
        let mut headers = HeaderMap::new();
        assert_eq!(TraceContext::read(&headers), None);
        headers.append("traceparent", HeaderValue::from_static(GOOD));
        assert_eq!(TraceContext::read(&headers).unwrap().to_string(), GOOD);
        headers.append("traceparent", HeaderValue::from_static(GOOD));
        assert_eq!(TraceContext::read(&headers), None);
    }

    #[test]
    fn what_begins_here_is_well_formed_and_new_each_time() {
        let (one, other) = (TraceContext::begin(true), TraceContext::begin(false));
        assert!(one.trace != other.trace && one.span != other.span && one.sampled() && !other.sampled());
        assert_eq!(parsed(&one.to_string()), Some(one.to_string()));
        let below = one.below(SpanId::random());
        assert!(below.trace == one.trace && below.span != one.span && below.sampled());
    }
}
