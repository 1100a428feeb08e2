//! The command line: what commands are called and which one runs. What they do stands in one file a command.

mod check;
mod completions;
mod demo;
pub mod doctor;
pub mod explain;
mod failure;
mod hash;
mod healthcheck;
pub mod invite;
pub mod mail;
pub mod password_input;
mod schema;
mod secret;
mod serve;
pub mod session;
mod snippet;
pub mod token;
pub mod user;

pub use failure::Failure;
#[cfg(test)]
pub(crate) use schema::SCHEMA;

use crate::config;
use clap::{Args, Parser, Subcommand};
use doctor::DoctorArguments;
use explain::ExplainArguments;
use invite::InviteCommand;
use mail::MailCommand;
use session::SessionCommand;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use token::TokenCommand;
use user::UserCommand;

/// A login in front of any application.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, about, arg_required_else_help = true, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it out: a sample application behind a login, nothing to set up, nothing left behind
    Demo {
        /// Address to serve at
        #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
    },
    /// Run the gateway
    Serve {
        #[command(flatten)]
        config: ConfigFile,
        /// Take over the listening sockets of a running gateway (later version)
        #[arg(long)]
        upgrade: bool,
    },
    /// Check the configuration without starting: every problem with its line, and warnings of risky settings
    Check {
        #[command(flatten)]
        config: ConfigFile,
        /// Also connect to the stores, the mail server and the upstreams
        #[arg(long)]
        live: bool,
    },
    /// Say what would become of a request: which route and rule match, every rule tried and why not, and the verdict
    Explain {
        #[command(flatten)]
        arguments: ExplainArguments,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Attack a running front proxy from outside: what holds, what does not, and how to mend it
    Doctor {
        #[command(flatten)]
        arguments: DoctorArguments,
    },
    /// Manage accounts; USER is a name or an email
    User {
        #[command(subcommand)]
        command: UserCommand,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// See and end sessions; USER is a name or an email
    Session {
        #[command(subcommand)]
        command: SessionCommand,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Make, see and revoke personal access tokens; USER is a name or an email
    Token {
        #[command(subcommand)]
        command: TokenCommand,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Print the configuration of a front proxy that asks this gateway who may pass
    Snippet {
        #[command(flatten)]
        wanted: crate::snippet::Wanted,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Invite people to register
    Invite {
        #[command(subcommand)]
        command: InviteCommand,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Try out mail
    Mail {
        #[command(subcommand)]
        command: MailCommand,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Read a password and print its hash
    Hash,
    /// Print a random secret of 43 characters
    Secret,
    /// Ask a running gateway whether it is ready
    Healthcheck {
        /// Address of its readiness page; by default that of the configured admin listener
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Print the JSON Schema of the configuration
    Schema,
    /// Print the completions for a shell
    Completions {
        /// Shell to print them for
        shell: clap_complete::Shell,
    },
}

const DEFAULT_FILES: &str = "Configuration file [default: $PORTCULLIS_CONFIG, else portcullis.yaml, else /etc/portcullis/portcullis.yaml]";

/// Which configuration to read.
#[derive(Args, Clone, Debug)]
pub struct ConfigFile {
    /// Configuration file
    #[arg(long, value_name = "FILE", long_help = DEFAULT_FILES, global = true)]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// The file named, or the default one.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(config::default_path)
    }
}

/// Runs the process's command line. Exits with 2 itself where it is wrong.
#[must_use]
pub fn main() -> ExitCode {
    match run(CommandLine::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&mut std::io::stderr().lock()),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo { listen } => demo::run(&listen.to_string()),
        Command::Serve { upgrade: true, .. } => {
            Err(Failure::wrong_usage("this version lacks --upgrade; stop the running gateway, then start without it"))
        }
        Command::Serve { config, .. } => serve::run(&config.path()),
        Command::Check { config, live: true } => {
            check::run_live(&config.path(), &mut std::io::stdout().lock(), &mut std::io::stderr().lock())
        }
        Command::Check { config, .. } => check::run(&config.path(), &mut std::io::stdout().lock(), &mut std::io::stderr().lock()),
        Command::Explain { arguments, config } => explain::run(arguments, &config.path(), &mut std::io::stdout().lock()),
        Command::Doctor { arguments } => doctor::run(arguments, &mut std::io::stdout().lock()),
        Command::User { command, config } => {
            let settings = config::load(&config.path())?.settings;
            let said = user::run(command, settings, password_input::read_new_password)?;
            write!(std::io::stdout(), "{said}")?;
            Ok(())
        }
        Command::Session { command, config } => {
            let settings = config::load(&config.path())?.settings;
            write!(std::io::stdout(), "{}", session::run(command, settings)?)?;
            Ok(())
        }
        Command::Token { command, config } => {
            let settings = config::load(&config.path())?.settings;
            write!(std::io::stdout(), "{}", token::run(command, settings)?)?;
            Ok(())
        }
        Command::Snippet { wanted, config } => {
            snippet::run(&wanted, &config.path(), &mut std::io::stdout().lock(), &mut std::io::stderr().lock())
        }
        Command::Invite { command, config } => {
            let said = invite::run(command, config::load(&config.path())?.settings)?;
            write!(std::io::stdout(), "{}", said.out)?;
            write!(std::io::stderr(), "{}", said.note)?;
            Ok(())
        }
        Command::Mail { command, config } => {
            let settings = config::load(&config.path())?.settings;
            write!(std::io::stdout(), "{}", mail::run(command, &settings)?)?;
            Ok(())
        }
        Command::Hash => hash::run(&mut std::io::stdout().lock()),
        Command::Secret => secret::run(&mut std::io::stdout().lock()),
        Command::Healthcheck { url, config } => healthcheck::run(url.as_deref(), config.config.as_deref()),
        Command::Schema => schema::run(&mut std::io::stdout().lock()),
        Command::Completions { shell } => completions::run::<CommandLine>(shell, &mut std::io::stdout().lock()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        CommandLine::try_parse_from(line.split(' ')).map(|line| line.command)
    }

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn wrong_usage_ends_with_2() {
        for line in [
            "portcullis",
            "portcullis chek",
            "portcullis serve --confg x",
            "portcullis serve extra",
            "portcullis completions x",
            "portcullis demo --listen 8080",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        assert_eq!(parse("portcullis --version").unwrap_err().exit_code(), 0);
    }

    #[test]
    fn a_flag_of_a_later_version_is_wrong_usage() {
        let failure = run(parse("portcullis serve --upgrade").unwrap()).unwrap_err();
        assert!(failure.is_wrong_usage() && failure.to_string().contains("this version lacks"), "{failure}");
    }

    #[test]
    fn the_demo_listens_on_loopback_unless_told() {
        assert!(matches!(parse("portcullis demo").unwrap(), Command::Demo { listen } if listen.to_string() == "127.0.0.1:8080"));
        assert!(matches!(parse("portcullis demo --listen [::1]:0").unwrap(), Command::Demo { listen } if listen.to_string() == "[::1]:0"));
    }

    #[test]
    fn the_configuration_of_a_user_command_may_stand_last() {
        let line = "portcullis user add alice --email alice@example.com --group a --group b --config x.yaml";
        let Command::User { command, config } = parse(line).unwrap() else { panic!("user") };
        assert_eq!(config.path(), PathBuf::from("x.yaml"));
        assert!(matches!(command, UserCommand::Add { groups, .. } if groups == ["a", "b"]));
    }

    #[test]
    fn a_named_file_comes_before_the_default() {
        let Command::Check { config, .. } = parse("portcullis check --config x.yaml").unwrap() else { panic!("check") };
        assert_eq!(config.path(), PathBuf::from("x.yaml"));
    }
}
