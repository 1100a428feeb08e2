//! Whether the stores and the mail server that a configuration names can be reached. Nothing is made, changed or sent.

use crate::config::{RedisAddress, SessionStoreKind, Settings, UserStore};
use crate::store::StoreError;
use crate::store::mongo::MongoDatabase;
use crate::store::redis::Link;
use crate::store::sqlite;
use std::time::Duration;

/// How long a server on the network may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the account store can be used. It blocks the thread.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub fn users(settings: &Settings) -> Result<(), StoreError> {
    match &settings.stores.users {
        UserStore::Sqlite(path) => sqlite::examine(path),
        UserStore::Mongo(url) => MongoDatabase::examine(url, PATIENCE),
    }
}

/// Whether the session store can be used. It blocks the thread.
///
/// # Errors
/// One sentence that says what is wrong and what to do.
pub fn sessions(settings: &Settings) -> Result<(), StoreError> {
    match &settings.stores.sessions {
        SessionStoreKind::Memory => Ok(()),
        SessionStoreKind::Sqlite(path) => sqlite::examine(path),
        SessionStoreKind::Redis(address) => Link::open(RedisAddress::clone(address))?.wait(PATIENCE),
    }
}

/// Whether mails can leave: a server is connected to and signed in at.
///
/// # Errors
/// One sentence that says what is wrong.
pub async fn mail(settings: &Settings) -> Result<(), String> {
    match super::mail_transport(settings) {
        Some(transport) => transport.open().await.map(drop).map_err(|error| error.to_string()),
        None => Ok(()),
    }
}
