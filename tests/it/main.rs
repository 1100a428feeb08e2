//! The one integration binary: behaviour through the public door. `support` is the frame (upstream, clients, browser);
//! every other module is one capability.

// `cfg(test)` is always set here; saying so tells the lints that everything below is test code.
#[cfg(test)]
mod access;
#[cfg(test)]
mod account_pages;
#[cfg(test)]
mod account_sessions;
#[cfg(test)]
mod admin_pages;
#[cfg(test)]
mod api;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod assertions;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod bearer;
#[cfg(test)]
mod check_live;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod csrf;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod email_confirmation;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod fail2ban;
#[cfg(test)]
mod forward_auth;
#[cfg(test)]
mod frame;
#[cfg(test)]
mod front_proxies;
#[cfg(test)]
mod identity_headers;
#[cfg(test)]
mod invitations;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod live_revocation;
#[cfg(test)]
mod lockout;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod mongo_accounts;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod parked_forms;
#[cfg(test)]
mod personal_tokens;
#[cfg(test)]
mod program;
#[cfg(test)]
mod proxying;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod redirects;
#[cfg(test)]
mod redis_sessions;
#[cfg(test)]
mod refresh_tokens;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod request_guard;
#[cfg(test)]
mod requirements;
#[cfg(test)]
mod signing_in;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tracing;
