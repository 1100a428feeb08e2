//! Portcullis: a login in front of any application.

pub mod account;
pub mod administration;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod host;
pub mod identity;
pub mod login;
pub mod policy;
pub mod portal;
pub mod profile;
pub mod registration;
pub mod sample;
pub mod session;
pub mod session_marks;
pub mod store;
mod work_queue;

#[cfg(test)]
mod fixture;
