//! `portcullis hash`: a password's hash, for files that are imported elsewhere.

use super::{Failure, password_input};
use crate::account::{Password, PasswordHash};
use crate::config::HashAlgorithm;
use std::io::Write;

pub(super) fn run(out: &mut impl Write) -> Result<(), Failure> {
    print(&password_input::read_new_password()?, out)
}

fn print(password: &Password, out: &mut impl Write) -> Result<(), Failure> {
    let hash = PasswordHash::make(HashAlgorithm::Argon2id, password)
        .map_err(|_| Failure::new("there is no memory to hash with, about 20 MiB are needed; free some and run the command again"))?;
    writeln!(out, "{}", hash.0)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S4.3
    #[test]
    fn the_hash_is_argon2id_with_a_salt_of_its_own() {
        let hashed = || {
            let mut out = Vec::new();
            print(&Password::new("Passw0rd-Passw0rd".into()), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let (one, other) = (hashed(), hashed());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && one.ends_with('\n') && one.lines().count() == 1, "{one}");
        assert_ne!(one, other);
    }
}
