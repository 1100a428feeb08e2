//! Randomness: the only file that asks the operating system for random bytes.

use ring::rand::SystemRandom;
use std::cell::Cell;

thread_local! {
    /// Random bytes not handed out yet, and how many of them there are.
    static POOL: Cell<([u8; POOL_SIZE], usize)> = const { Cell::new(([0; POOL_SIZE], 0)) };
}

const POOL_SIZE: usize = 1024;

/// 16 bytes that nobody can foresee, for names that must not collide (requests, traces). They come from the operating
/// system too, but many at a time: a system call for each request would cost more than all else that names it.
#[must_use]
pub fn unique_bytes() -> [u8; 16] {
    let (mut pool, mut left) = POOL.get();
    if left < 16 {
        pool = random_bytes();
        left = POOL_SIZE;
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&pool[left - 16..left]);
    POOL.set((pool, left - 16));
    bytes
}

/// `N` bytes from the operating system's cryptographic generator.
///
/// # Panics
/// When the operating system has no randomness to give; nothing can be made safely then.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("the operating system gave no randomness: {error}");
    }
    bytes
}

/// The same generator for a library that draws by itself.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
pub fn generator() -> SystemRandom {
    SystemRandom::new()
}
