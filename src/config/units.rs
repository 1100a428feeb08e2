//! Durations and sizes as people write them.

use std::time::Duration;

/// A century: longer is a slip, and would overflow dates.
const LONGEST: Duration = Duration::from_hours(36_500 * 24);

/// Reads `90s`, `30m`, `1h30m`, `7d`, `500ms`; `0` needs no unit.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (number, after) = leading_number(rest)?;
        let unit = after.find(|c: char| c.is_ascii_digit()).map_or(after, |end| &after[..end]);
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(milliseconds)?))?;
        rest = &after[unit.len()..];
    }
    (!text.is_empty() && total <= LONGEST).then_some(total)
}

/// Reads `64KiB`, `1MiB`, `1GiB`; a plain number is bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = leading_number(text)?;
    let bytes = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(bytes)
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        let read = |text| duration(text).map(|d| d.as_millis());
        assert_eq!(read("500ms"), Some(500));
        assert_eq!(read("90s"), Some(90_000));
        assert_eq!(read("30m"), Some(1_800_000));
        assert_eq!(read("1h30m"), Some(5_400_000));
        assert_eq!(read("7d"), Some(604_800_000));
        assert_eq!(read("0"), Some(0));
        for text in ["", "30", "m", "-1s", "1.5h", "1 h", "30min", "30M", "1h 30m", "99999999999999999999d", "9999999999d", "soon", "1h30"]
        {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024_or_bytes() {
        assert_eq!(size("64KiB"), Some(65_536));
        assert_eq!(size("1MiB"), Some(1 << 20));
        assert_eq!(size("2GiB"), Some(2 << 30));
        assert_eq!(size("1000"), Some(1000));
        for text in ["", "KiB", "64KB", "64k", "1M", "-1", "1.5MiB", "64 KiB", "99999999999GiB", "0x10"] {
            assert_eq!(size(text), None, "{text:?}");
        }
    }
}
