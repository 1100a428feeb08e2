//! Ids of records: UUIDs of version 7 that only grow, so that the records of one gateway stand in the order in which they
//! were made, also within a millisecond and where the clock is set back (RFC 9562, section 6.2, method 1).

use crate::clock::Timestamp;
use std::sync::{Mutex, PoisonError};
use uuid::{Builder, Uuid};

/// Hands out the ids.
#[derive(Default)]
pub(super) struct Sequence(Mutex<Position>);

#[derive(Clone, Copy, Default)]
struct Position {
    millis: u64,
    /// Of 12 bits.
    count: u16,
}

/// Ids within one millisecond.
const MOST: u16 = 1 << 12;

impl Sequence {
    /// The next id.
    pub(super) fn next(&self, now: Timestamp) -> Uuid {
        let position = self.advance(u64::try_from(now.0).unwrap_or(0));
        let mut bytes: [u8; 10] = crate::entropy::random_bytes();
        bytes[..2].copy_from_slice(&position.count.to_be_bytes());
        Builder::from_unix_timestamp_millis(position.millis, &bytes).into_uuid()
    }

    fn advance(&self, millis: u64) -> Position {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = if millis > last.millis {
            Position { millis, count: 0 }
        } else if last.count + 1 < MOST {
            Position { count: last.count + 1, ..*last }
        } else {
            Position { millis: last.millis + 1, count: 0 }
        };
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_within_a_millisecond_and_when_the_clock_is_set_back() {
        let sequence = Sequence::default();
        let moments = std::iter::repeat_n(1_700_000_000_000, 10_000).chain([1_700_000_000_100, 1_699_999_999_000, 1_700_000_000_200]);
        let ids: Vec<Uuid> = moments.map(|millis| sequence.next(Timestamp(millis))).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
        assert_eq!(ids[0].get_timestamp().unwrap().to_unix(), (1_700_000_000, 0));
        assert_eq!((ids[0].get_version_num(), ids[0].get_variant()), (7, uuid::Variant::RFC4122));
    }
}
