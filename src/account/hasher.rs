//! Password hashing on threads of its own.

/// A stored password hash (PHC or modular crypt format).
#[derive(Clone, Debug)]
pub struct PasswordHash(pub String);

/// Why nothing was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashError {
    /// The queue is full.
    Busy,
}

/// Hands passwords to a bounded set of threads.
#[derive(Clone)]
pub struct Hasher;
