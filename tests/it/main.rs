//! The one integration binary: behaviour through the public door. `support` is the frame (upstream, clients, browser);
//! every other module is one capability.

// `cfg(test)` is always set here; saying so tells the lints that everything below is test code.
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod frame;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod redis_sessions;
#[cfg(test)]
mod support;
