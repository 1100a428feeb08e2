//! `portcullis explain`: what would become of a request, and why. It looks at the configuration alone, at no store, and at
//! no running gateway.

use super::Failure;
use crate::account::{Group, Username};
use crate::config;
use crate::explain::{Explanation, Person, Question};
use clap::Args;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;

/// Who asks for what, and from where.
#[derive(Args, Clone, Debug)]
pub struct ExplainArguments {
    /// Somebody who is signed in; without it, and without groups, nobody is
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A group of theirs, any number of times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// They gave a second factor
    #[arg(long)]
    mfa: bool,
    /// Address of the client
    #[arg(long, value_name = "ADDR")]
    ip: Option<IpAddr>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
    /// Method
    method: String,
    /// Whole address: scheme, host, path
    url: String,
}

pub(super) fn run(arguments: ExplainArguments, config: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let settings = config::load(config)?.settings;
    let as_json = arguments.json;
    let explanation = Explanation::of(&arguments.question()?, &settings);
    if as_json {
        let json =
            serde_json::to_string_pretty(&explanation).map_err(|error| Failure::new(format!("cannot be written as JSON: {error}")))?;
        writeln!(out, "{json}")?;
    } else {
        writeln!(out, "{explanation}")?;
    }
    Ok(())
}

impl ExplainArguments {
    fn question(self) -> Result<Question, Failure> {
        let Self { user, groups, mfa, ip, method, url, .. } = self;
        if mfa && user.is_none() && groups.is_empty() {
            return Err(Failure::wrong_usage("--mfa means nothing while nobody is signed in; add --user or --group"));
        }
        // A name that nobody can have would be answered with confidence, and mean nothing.
        if let Some(name) = &user {
            Username::parse(name).map_err(|error| Failure::wrong_usage(format!("--user: {error}")))?;
        }
        for group in &groups {
            Group::parse(group).map_err(|error| Failure::wrong_usage(format!("--group: {error}")))?;
        }
        let person = (user.is_some() || !groups.is_empty()).then(|| Person { name: user.unwrap_or_default(), groups, mfa });
        Ok(Question { method, url, person, client: ip.map(|ip| ip.to_canonical()) })
    }
}
