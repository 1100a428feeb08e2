//! Portcullis: a login in front of any application.

pub mod account;
pub mod admin;
pub mod app;
pub mod administration;
pub mod cli;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod gate;
pub mod gateway;
pub mod host;
pub mod identity;
pub mod login;
pub mod policy;
pub mod portal;
pub mod profile;
pub mod registration;
pub mod sample;
<<<<<<< HEAD
pub mod server;
=======
>>>>>>> portal
pub mod session;
pub mod session_marks;
pub mod store;
pub mod target;
mod work_queue;
