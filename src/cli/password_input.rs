//! Reads a password: asked for twice on a terminal, else one line of standard input. Never an argument, since everyone
//! on the machine may see those.

use crate::account::Password;
use std::io::{BufRead, IsTerminal as _, Read as _};
use zeroize::Zeroizing;

/// Longer than any password that is accepted, and little to read.
const LONGEST_LINE: u64 = 64 * 1024;

/// A password as the operator types or pipes it.
///
/// # Errors
/// One sentence when there is none, or the two differ.
pub fn read_new_password() -> Result<Password, String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return first_line(&mut stdin.lock());
    }
    let (once, again) = (ask("Password: ")?, ask("Again: ")?);
    typed(&once, &again)
}

/// A password that exists, typed once or piped.
///
/// # Errors
/// One sentence when there is none.
pub fn read_password() -> Result<Password, String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return first_line(&mut stdin.lock());
    }
    let once = ask("Password: ")?;
    typed(&once, &once)
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, String> {
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| format!("cannot read the password: {error}"))
}

fn typed(once: &str, again: &str) -> Result<Password, String> {
    match once {
        "" => Err("no password was typed, run the command again".into()),
        _ if once != again => Err("the two passwords differ, run the command again".into()),
        _ => Ok(Password::new(once.to_owned())),
    }
}

/// The first line without its newline; spaces belong to the password.
fn first_line(input: &mut impl BufRead) -> Result<Password, String> {
    let mut line = Zeroizing::new(Vec::new());
    input.take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(|error| format!("cannot read the password: {error}"))?;
    if line.len() as u64 == LONGEST_LINE {
        return Err("the password is far too long, write one line".into());
    }
    let text = std::str::from_utf8(&line).map_err(|_| "the password is not UTF-8 text, save it as UTF-8")?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err("standard input holds no password, write it there as one line".into());
    }
    Ok(Password::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut input: &[u8]) -> Result<String, String> {
        first_line(&mut input).map(|password| password.expose().to_owned())
    }

    #[test]
    fn a_password_is_the_first_line_without_one_newline() {
        for (input, password) in [
            (&b"Passw0rd"[..], "Passw0rd"),
            (b"Passw0rd\n", "Passw0rd"),
            (b"Passw0rd\r\n", "Passw0rd"),
            (b" a b \nsecond line\n", " a b "),
            ("Pässw0rd\n\n".as_bytes(), "Pässw0rd"),
        ] {
            assert_eq!(read(input).as_deref(), Ok(password), "{input:?}");
        }
    }

    #[test]
    fn no_password_or_no_text_is_an_error_that_repeats_nothing() {
        for input in [&b""[..], b"\n", b"\r\n", b"hunter2\xff\n", &vec![b'h'; 1 << 20]] {
            let error = read(input).unwrap_err();
            assert!(!error.contains("hunter2") && error.contains("password"), "{error}");
        }
    }

    #[test]
    fn both_typed_passwords_must_be_the_same() {
        assert!(typed("Passw0rd", "Passw0rd").is_ok());
        assert_eq!(typed("Passw0rd", "passw0rd").unwrap_err(), "the two passwords differ, run the command again");
        assert!(typed("", "").is_err());
    }
}
