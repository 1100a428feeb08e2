//! `portcullis secret`: a value for `secret`.

use super::Failure;
use crate::entropy::random_bytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io::Write;

/// Prints 256 random bits as 43 characters that need no quotes in YAML or a shell.
pub(super) fn run(out: &mut impl Write) -> Result<(), Failure> {
    // A leading `-` would be taken for a flag, or in YAML for a list.
    let secret = loop {
        let secret = URL_SAFE_NO_PAD.encode(random_bytes::<32>());
        if !secret.starts_with('-') {
            break secret;
        }
    };
    writeln!(out, "{secret}")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_43_characters_and_another_each_time() {
        let print = || {
            let mut out = Vec::new();
            run(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let (one, other) = (print(), print());
        let secret = one.trim_end();
        assert_eq!((secret.len(), one.len()), (43, 44));
        assert!(secret.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{secret}");
        assert_ne!(one, other);
    }
}
