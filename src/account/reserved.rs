//! Sign-in names that look like an office or a service: given by an operator only.

/// Canonical, sorted.
const RESERVED: &[&str] = &[
    "abuse",
    "account",
    "accounts",
    "admin",
    "administrator",
    "admins",
    "anonymous",
    "api",
    "auth",
    "authenticated",
    "billing",
    "contact",
    "daemon",
    "everyone",
    "guest",
    "help",
    "helpdesk",
    "hostmaster",
    "info",
    "login",
    "logout",
    "mailer-daemon",
    "me",
    "moderator",
    "no-reply",
    "nobody",
    "noc",
    "noreply",
    "null",
    "official",
    "operator",
    "owner",
    "portcullis",
    "postmaster",
    "privacy",
    "register",
    "root",
    "security",
    "service",
    "staff",
    "superuser",
    "support",
    "sysadmin",
    "system",
    "team",
    "undefined",
    "unknown",
    "user",
    "webmaster",
    "www",
];

/// Whether only an operator gives this canonical name, by the list above or by `configured`.
pub(crate) fn is_reserved(canonical: &str, configured: &[String]) -> bool {
    RESERVED.binary_search(&canonical).is_ok() || configured.iter().any(|name| name == canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_or_names_would_be_missed() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved("admin", &[]) && is_reserved("www", &[]) && is_reserved("boss", &["boss".to_owned()]));
        assert!(!is_reserved("alice", &[]));
    }
}
