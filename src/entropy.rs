//! Randomness: the only file that asks the operating system for random bytes.

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
