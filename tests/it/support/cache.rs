//! Where `tests/run` puts what it fetches.

use std::env::var_os;
use std::path::PathBuf;

/// The folder of this name: what `variable` says, else the one in the user's cache.
pub fn cached(variable: &str, name: &str) -> PathBuf {
    if let Some(folder) = var_os(variable) {
        return PathBuf::from(folder);
    }
    let cache = var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    cache.or_else(home).expect("neither XDG_CACHE_HOME nor HOME is set").join("portcullis-tests").join(name)
}
