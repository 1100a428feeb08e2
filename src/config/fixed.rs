//! What a running gateway cannot change: where it listens, what it stores where, and the keys derived from its secret.

use super::{Settings, TlsSettings};

impl Settings {
    /// These settings but for what `running` has had fixed since its start; and the keys whose value here takes effect at the
    /// next start only.
    #[must_use]
    pub fn keep_what_is_fixed(mut self, running: &Self) -> (Self, Vec<&'static str>) {
        let mut later = Vec::new();
        let (server, fixed) = (&mut self.server, &running.server);
        keep("server.listen", &mut server.listen, &fixed.listen, &mut later);
        keep_tls(&mut server.tls, fixed.tls.as_ref(), &mut later);
        keep("server.ext_authz_grpc", &mut server.ext_authz_grpc, &fixed.ext_authz_grpc, &mut later);
        keep("server.threads", &mut server.threads, &fixed.threads, &mut later);
        keep("admin.listen", &mut self.admin, &running.admin, &mut later);
        keep("sessions.cache", &mut self.sessions.cache, &running.sessions.cache, &mut later);
        keep("secret", &mut self.secret, &running.secret, &mut later);
        keep("secret_previous", &mut self.secret_previous, &running.secret_previous, &mut later);
        keep("stores.users", &mut self.stores.users, &running.stores.users, &mut later);
        keep("stores.sessions", &mut self.stores.sessions, &running.stores.sessions, &mut later);
        keep("stores.redis_prefix", &mut self.stores.redis_prefix, &running.stores.redis_prefix, &mut later);
        keep("tracing.otlp", &mut self.tracing.otlp, &running.tracing.otlp, &mut later);
        keep("log.format", &mut self.log.json, &running.log.json, &mut later);
        (self, later)
    }
}

fn keep<T: Clone + PartialEq>(key: &'static str, value: &mut T, fixed: &T, later: &mut Vec<&'static str>) {
    if value != fixed {
        value.clone_from(fixed);
        later.push(key);
    }
}

/// Whether TLS is spoken, and where, is fixed; all else of it is not.
fn keep_tls(value: &mut Option<TlsSettings>, fixed: Option<&TlsSettings>, later: &mut Vec<&'static str>) {
    match (value.as_mut(), fixed) {
        (Some(value), Some(fixed)) => keep("server.tls.listen", &mut value.listen, &fixed.listen, later),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => {
            *value = fixed.cloned();
            later.push("server.tls");
        }
    }
}
