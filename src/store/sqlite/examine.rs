//! Whether a file can be used, without making, changing or bringing up to date anything.

use super::{database, schema};
use crate::store::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Looks at the database; a file that is not there yet needs a folder to be made in.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub fn examine(path: &Path) -> Result<(), StoreError> {
    if !path.exists() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return match folder.metadata() {
            Ok(found) if found.is_dir() && !found.permissions().readonly() => Ok(()),
            _ => Err(StoreError(format!("the database {} cannot be made: its folder must be there and writable", path.display()))),
        };
    }
    // Only somebody who may write can make use of it; that changes nothing yet.
    let writable = std::fs::OpenOptions::new().write(true).open(path);
    writable.map_err(|error| StoreError(format!("the database {} cannot be written: {error}", path.display())))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let describe = |error: rusqlite::Error| database::cannot_use(path, &error);
    let connection = Connection::open_with_flags(path, flags).map_err(describe)?;
    connection.busy_timeout(database::LOCK_PATIENCE).map_err(describe)?;
    let _tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(describe)?;
    schema::check_owner(&connection, path)?;
    schema::check_version(&connection, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::Database;

    fn refusal(path: &Path) -> String {
        examine(path).unwrap_err().0
    }

    #[test]
    fn nothing_is_made_or_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        examine(&path).unwrap();
        assert!(!path.exists());
        drop(Database::open(&path).unwrap());
        let before = std::fs::read(&path).unwrap();
        examine(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_a_gateway_could_not_use_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refusal(&folder.path().join("missing/test.db")).contains("its folder must be there"));
        let text = folder.path().join("text.db");
        std::fs::write(&text, "this is a text, and not a short one ".repeat(100)).unwrap();
        assert!(refusal(&text).contains("is not a SQLite database"));
        let theirs = folder.path().join("theirs.db");
        Connection::open(&theirs).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(refusal(&theirs).contains("belongs to another program"));
        let newer = folder.path().join("newer.db");
        drop(Database::open(&newer).unwrap());
        Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(refusal(&newer).contains("was written by a newer version of portcullis (schema 99)"));
    }
}
