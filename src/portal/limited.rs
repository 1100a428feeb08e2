//! How long to wait after too many attempts, as pages and headers say it.

use crate::throttle::TooMany;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// The limits of a service (draft-ietf-httpapi-ratelimit-headers-10 section 3).
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How much is left of them (section 4).
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// Says so in the headers of an answer.
pub(super) fn tell(headers: &mut HeaderMap, limit: &TooMany) {
    let (name, wait) = (limit.policy.name(), seconds(limit.retry_after));
    let (most, per) = (limit.limit.most, seconds(limit.limit.per));
    headers.insert(RETRY_AFTER, HeaderValue::from(wait));
    for (header, value) in [(POLICY, format!("\"{name}\";q={most};w={per}")), (LEFT, format!("\"{name}\";r=0;t={wait}"))] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header, value);
        }
    }
}

/// Says so to people.
pub(super) fn sentence(limit: &TooMany) -> String {
    format!("There were too many attempts. Please try again in {}.", spelled_out(limit.retry_after))
}

/// Never less than it is: who comes too early is refused again.
fn seconds(time: Duration) -> u64 {
    time.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

fn spelled_out(time: Duration) -> String {
    let minutes = seconds(time).div_ceil(60);
    let (count, unit) = if minutes > 120 { (minutes.div_ceil(60), "hour") } else { (minutes, "minute") };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Limit;
    use crate::throttle::Policy;

    fn after(retry_after: Duration) -> TooMany {
        let limit = Limit { most: 5, per: Duration::from_mins(15) };
        TooMany { policy: Policy::Attempts, retry_after, limit }
    }

    /// contract 6
    #[test]
    fn the_headers_name_the_limit_and_the_wait() {
        let mut headers = HeaderMap::new();
        tell(&mut headers, &after(Duration::from_millis(61_001)));
        assert_eq!(headers["retry-after"], "62");
        assert_eq!(headers["ratelimit-policy"], "\"attempts\";q=5;w=900");
        assert_eq!(headers["ratelimit"], "\"attempts\";r=0;t=62");
    }

    #[test]
    fn a_wait_is_never_told_shorter_than_it_is() {
        let spelled = |milliseconds| spelled_out(Duration::from_millis(milliseconds));
        assert_eq!([spelled(0), spelled(60_000), spelled(60_001), spelled(900_000)], ["1 minute", "1 minute", "2 minutes", "15 minutes"]);
        assert_eq!([spelled(3_600_000), spelled(7_200_001)], ["60 minutes", "3 hours"]);
    }
}
