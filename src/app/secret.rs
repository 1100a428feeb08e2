//! The secret from which all keys are derived: as configured, or made once and kept in a file.

use super::OpenError;
use crate::config::{Secret, SecretSource};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io::Write as _;
use std::path::Path;
use zeroize::Zeroizing;

/// Fewest bytes of a secret, as written.
const LEAST: usize = 32;

/// The secret, made now if need be.
pub(super) fn resolve(source: &SecretSource) -> Result<Secret, OpenError> {
    match source {
        SecretSource::Given(secret) => Ok(secret.clone()),
        SecretSource::Ephemeral => Ok(Secret::new(random_text())),
        SecretSource::File(path) => from_file(path),
    }
}

/// Reads the file, after making it where there is none. It appears whole or not at all, so that two processes that
/// start together agree.
fn from_file(path: &Path) -> Result<Secret, OpenError> {
    let failed = |error: std::io::Error| OpenError(format!("the secret in {} cannot be read or made: {error}", path.display()));
    if !path.exists() {
        make(path).map_err(failed)?;
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
    let text = text.trim_end_matches(['\r', '\n']);
    if text.len() < LEAST {
        return Err(OpenError(format!(
            "the secret in {} is shorter than {LEAST} bytes, remove the file to have it made anew",
            path.display()
        )));
    }
    Ok(Secret::new(text.to_owned()))
}

fn make(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(Zeroizing::new(random_text() + "\n").as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => std::fs::File::open(folder)?.sync_all(),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(crate::entropy::random_bytes::<32>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn processes_that_start_together_agree_on_one_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let resolve = || from_file(&path).unwrap().derive("test");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(resolve)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_holds_no_secret_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "short\n").unwrap();
        assert!(from_file(&path).is_err_and(|error| error.0.contains("shorter than 32 bytes")));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "short\n");
    }
}
