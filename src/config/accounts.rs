//! `sessions`, `secret`, `stores` and `accounts`: who signs in, for how long, and where that is kept.

use super::field::Field;
use super::limits;
use super::redis;
use super::section::Section;
use super::{
    AccountSettings, HashAlgorithm, Registration, Secret, SecretSource, SessionSettings, SessionStoreKind, StoreSettings, UserStore,
};
use crate::account::{Group, PasswordProfile, Username};
use crate::store::mongo::MongoUrl;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Short of this, a secret could be guessed offline from a single cookie.
const SHORTEST_SECRET: usize = 32;

pub(super) fn sessions(root: &mut Section<'_>) -> SessionSettings {
    let mut section = root.section("sessions");
    let settings = SessionSettings {
        idle_timeout: section.read("idle_timeout", Duration::from_mins(30), Field::positive_duration),
        lifetime: section.read("lifetime", Duration::from_hours(12), Field::positive_duration),
        remember_for: section.read("remember_for", Duration::from_hours(30 * 24), Field::positive_duration),
        max_per_user: section.read("max_per_user", 50, |field| field.count(1..=10_000)),
        cache: section.read("cache", Duration::from_secs(5), Field::duration),
    };
    section.finish();
    settings
}

pub(super) fn stores(root: &mut Section<'_>) -> Option<StoreSettings> {
    let mut section = root.section("stores");
    let default = section.findings().resolve("portcullis.db");
    let users = section.take("users").map_or(Some(UserStore::Sqlite(default.clone())), |field| user_store(&field));
    let sessions = section.take("sessions").map_or(Some(SessionStoreKind::Sqlite(default)), |field| session_store(&field));
    let redis_prefix = section.read("redis_prefix", String::new(), redis_prefix);
    section.finish();
    Some(StoreSettings { users: users?, sessions: sessions?, redis_prefix })
}

/// The configured secret; where there is none, a file beside the embedded stores, in which one is made once.
pub(super) fn secret(root: &mut Section<'_>, stores: Option<&StoreSettings>) -> Option<SecretSource> {
    let Some(field) = root.take("secret").filter(|field| !field.is_null()) else {
        let stores = stores?;
        let (UserStore::Sqlite(file), SessionStoreKind::Memory | SessionStoreKind::Sqlite(_)) = (&stores.users, &stores.sessions) else {
            // Made here, it would differ between gateways that share the store.
            root.error("secret", "is missing, and with a store on a network it must be given; `portcullis secret` makes one");
            return None;
        };
        let folder = file.parent().unwrap_or(Path::new(""));
        return Some(SecretSource::File(folder.join("portcullis.secret")));
    };
    secret_text(&field).map(SecretSource::Given)
}

pub(super) fn secret_previous(root: &mut Section<'_>) -> Option<Secret> {
    root.optional("secret_previous", secret_text)
}

fn secret_text(field: &Field<'_>) -> Option<Secret> {
    let scalar = field.scalar("write a text of at least 32 bytes, for example from `portcullis secret`")?;
    let length = scalar.text.len();
    if length < SHORTEST_SECRET {
        return field.error(format!("has {length} bytes, at least {SHORTEST_SECRET} are needed; `portcullis secret` makes one"));
    }
    Some(Secret::new(scalar.text.clone()))
}

fn user_store(field: &Field<'_>) -> Option<UserStore> {
    let allowed = "write for example sqlite:portcullis.db, or mongodb://user:password@host:27017/portcullis";
    let address = &field.scalar(allowed)?.text;
    if MongoUrl::has_scheme(address) {
        return MongoUrl::parse(address).map(UserStore::Mongo).map_or_else(|message| field.error(message), Some);
    }
    sqlite_file(field, address, allowed).map(UserStore::Sqlite)
}

fn session_store(field: &Field<'_>) -> Option<SessionStoreKind> {
    let allowed = "write memory, or for example sqlite:portcullis.db or redis://localhost:6379";
    let address = &field.scalar(allowed)?.text;
    if redis::is_meant(address) {
        return match redis::parse(address) {
            Ok(address) => Some(SessionStoreKind::Redis(Box::new(address))),
            Err(fault) => field.error(format!("{fault}, {allowed}")),
        };
    }
    if address == "memory" {
        return Some(SessionStoreKind::Memory);
    }
    sqlite_file(field, address, allowed).map(SessionStoreKind::Sqlite)
}

/// What stands before the name of every key.
fn redis_prefix(field: &Field<'_>) -> Option<String> {
    let allowed = "write at most 64 printable ASCII characters without spaces, for example portcullis:";
    let good = |text: &str| text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_graphic());
    field.parse("a prefix of keys", allowed, |text| good(text).then(|| text.to_owned()))
}

/// The message never repeats the value: addresses of stores hold passwords.
fn sqlite_file(field: &Field<'_>, address: &str, allowed: &str) -> Option<PathBuf> {
    match address.strip_prefix("sqlite:") {
        None => field.error(format!("is not a store that is known here, {allowed}")),
        Some("" | ":memory:") => field.error(format!("names no file, {allowed}")),
        Some(path) if path.starts_with("//") => field.error(format!("a file is named without //, {allowed}")),
        Some(path) if path.contains(['?', '\0']) || path.ends_with('/') => field.error(format!("names no file, {allowed}")),
        Some(path) => Some(field.findings().resolve(path)),
    }
}

pub(super) fn accounts(root: &mut Section<'_>) -> AccountSettings {
    let mut section = root.section("accounts");
    let registration = section.read("registration", Registration::Closed, registration);
    let verify_email = section.read("verify_email", false, Field::flag);
    let rename = section.read("rename", true, Field::flag);
    let admin_group = section.read("admin_group", "admins".into(), group);
    section.later("require_mfa_for", &["[]"], "second factors");
    let (password, hash) = password(&mut section);
    let lockout = limits::lockout(&mut section);
    let reset = limits::reset(&mut section);
    section.finish();
    AccountSettings { registration, rename, admin_group, password, hash, reserved_usernames: Vec::new(), verify_email, lockout, reset }
}

fn registration(field: &Field<'_>) -> Option<Registration> {
    field.word(&[("open", Registration::Open), ("invite", Registration::Invite), ("closed", Registration::Closed)])
}

fn password(accounts: &mut Section<'_>) -> (PasswordProfile, HashAlgorithm) {
    let mut section = accounts.section("password");
    let profiles = [("classic", PasswordProfile::Classic), ("nist", PasswordProfile::Nist)];
    let profile = section.read("profile", PasswordProfile::Classic, |field| field.word(&profiles));
    let algorithms = [("argon2id", HashAlgorithm::Argon2id), ("bcrypt", HashAlgorithm::Bcrypt)];
    let hash = section.read("hash", HashAlgorithm::Argon2id, |field| field.word(&algorithms));
    section.finish();
    (profile, hash)
}

/// A group name.
pub(super) fn group(field: &Field<'_>) -> Option<String> {
    let allowed = "write letters, digits, `.`, `_`, `:` and `-`, at most 64";
    field.parse("a group name", allowed, |text| Group::parse(text).ok()).map(|group| group.as_str().to_owned())
}

/// A sign-in name, in its canonical form.
pub(super) fn username(field: &Field<'_>) -> Option<String> {
    let allowed = "write 2 to 32 letters, digits, `.`, `_` and `-`";
    field.parse("a user name", allowed, |text| Username::parse(text).ok()).map(|name| name.canonical())
}
