//! The one integration binary: behaviour through the public door. `support` is the frame (upstream, clients, browser);
//! every other module is one capability.

// `cfg(test)` is always set here; saying so tells the lints that everything below is test code.
#[cfg(test)]
mod access;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod csrf;
#[cfg(test)]
mod frame;
#[cfg(test)]
mod identity_headers;
#[cfg(test)]
mod pages;
mod redirects;
#[cfg(test)]
mod redis_sessions;
#[cfg(test)]
mod request_guard;
#[cfg(test)]
mod signing_in;
#[cfg(test)]
mod support;
