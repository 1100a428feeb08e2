//! Portcullis: a login in front of any application.
//!
//! The tree in reading order. A request: [`server`] accepts it, [`gateway`] carries it, [`target`], [`host`] and [`address`] say
//! what it asks for, [`routing`] where it goes, [`gate`] decides by [`policy`], [`identity`] is what an upstream is told, and
//! [`explain`] says why. Our own pages: [`portal`], over the use cases [`login`], [`registration`], [`profile`] and
//! [`administration`], over [`account`] and [`session`], which [`store`] keeps and [`session_marks`] keeps in step. [`app`] puts
//! it together from [`config`]; [`cli`] runs it, and [`doctor`] attacks what runs. What it tells of itself: [`logging`], [`audit`],
//! [`metrics`], and [`telemetry`] for traces, whose names on the wire [`trace_context`] reads.

pub mod account;
pub mod address;
pub mod admin;
pub mod administration;
pub mod app;
pub mod audit;
pub mod certificate;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod device;
pub mod doctor;
pub mod email_confirmation;
pub mod entropy;
pub mod explain;
pub mod gate;
pub mod gateway;
pub mod host;
pub mod identity;
pub mod invitation;
pub mod link_token;
pub mod lockout;
pub mod logging;
pub mod login;
pub mod mail;
pub mod metrics;
pub mod parked_forms;
pub mod policy;
pub mod portal;
pub mod profile;
pub mod recovery;
pub mod registration;
pub mod reload;
pub mod routing;
pub mod sample;
pub mod sealing;
pub mod server;
pub mod session;
pub mod session_marks;
pub mod snippet;
pub mod store;
pub mod target;
pub mod telemetry;
pub mod throttle;
pub mod token;
pub mod token_login;
pub mod trace_context;
mod work_queue;

#[cfg(test)]
mod fixture;
