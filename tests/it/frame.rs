//! The test frame proves itself, without a gateway: a test of the gateway means something only if the upstream tells the
//! truth and the clients do what browsers do.

mod browser;
mod chromium;
mod cookies;
mod gateway;
mod upstream;
