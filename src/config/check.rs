//! From YAML to [`Settings`](super::Settings), with every problem at once.

use super::environment::{self, Variables};
use super::file::{self, Place};
use super::findings::{Finding, Findings};
use super::section::Section;
use super::{PortalUrl, Settings, accounts, appearance, email, headers, later, limits, policy, risks, routes, server, telemetry, tokens};
use std::fmt;
use std::path::{Path, PathBuf};

/// Larger than any configuration, and small enough to be read at once.
const LARGEST_FILE: u64 = 1 << 20;

/// A configuration that can be used, and what is risky about it.
#[derive(Debug)]
pub struct Loaded {
    /// Ready to use.
    pub settings: Settings,
    /// Risky settings, worth a warning.
    pub warnings: Vec<Problem>,
    /// Tests of the policy that fail. Commands other than `check` and `serve` go on all the same: they may be needed to
    /// find out why.
    pub failing_tests: Vec<Problem>,
}

impl Loaded {
    /// The same, if no test of the policy fails.
    ///
    /// # Errors
    /// Every test that fails.
    pub fn tested(self) -> Result<Self, Report> {
        if self.failing_tests.is_empty() { Ok(self) } else { Err(Report(self.failing_tests)) }
    }
}

/// One thing that is wrong, or risky.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: file, line and column (from 1) or the environment variable.
    pub place: String,
    /// Key path, for example `routes[0].upstream`; empty for the file as a whole.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(pub Vec<Problem>);

impl fmt::Display for Report {
    /// One problem a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// The file to read when none was named: `$PORTCULLIS_CONFIG`, else `portcullis.yaml` in the working folder, else
/// `/etc/portcullis/portcullis.yaml`.
#[must_use]
pub fn default_path() -> PathBuf {
    if let Some(path) = std::env::var_os("PORTCULLIS_CONFIG").filter(|path| !path.is_empty()) {
        return path.into();
    }
    let system = Path::new("/etc/portcullis/portcullis.yaml");
    let here = Path::new("portcullis.yaml");
    if !here.exists() && system.exists() { system.into() } else { here.into() }
}

/// Reads and checks a file, with overrides from the environment.
///
/// # Errors
/// Every problem there is.
pub fn load(path: &Path) -> Result<Loaded, Report> {
    let name = path.display().to_string();
    let text = read(path).map_err(|message| Report(vec![Problem { place: name.clone(), key: String::new(), message }]))?;
    // A variable that is not Unicode can be no value of ours; one with our prefix is reported by its name alone.
    let (variables, unreadable): (Vec<_>, Vec<_>) = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.into_string()))
        .partition(|(_, value)| value.is_ok());
    let variables = variables.into_iter().filter_map(|(name, value)| Some((name, value.ok()?))).collect();
    let unreadable = unreadable.into_iter().map(|(name, _)| name).filter(|name| name.starts_with("PORTCULLIS__")).collect();
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    Source { name, text: &text, folder, variables, unreadable }.check()
}

/// Checks a text as if it stood in `folder`, with the given environment; for tests and the demo.
///
/// # Errors
/// Every problem there is.
pub fn load_str(text: &str, folder: &Path, environment: &[(String, String)]) -> Result<Loaded, Report> {
    let variables = environment.iter().cloned().collect();
    Source { name: "portcullis.yaml".into(), text, folder, variables, unreadable: Vec::new() }.check()
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            "no such file; name one with --config or PORTCULLIS_CONFIG, or start from config/minimal.yaml".to_owned()
        }
        std::io::ErrorKind::InvalidData => "not UTF-8 text; save it as UTF-8".to_owned(),
        _ => format!("cannot be read: {error}; name a readable file with --config or PORTCULLIS_CONFIG"),
    };
    let size = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if size > LARGEST_FILE {
        return Err(format!("{size} bytes are too large for a configuration, at most {LARGEST_FILE} are read"));
    }
    std::fs::read_to_string(path).map_err(|error| failed(&error))
}

/// What a configuration is made from.
struct Source<'a> {
    name: String,
    text: &'a str,
    folder: &'a Path,
    variables: Variables,
    unreadable: Vec<String>,
}

impl Source<'_> {
    fn check(self) -> Result<Loaded, Report> {
        let mut root = file::parse(self.text).map_err(|error| {
            let finding = Finding { place: error.place, key: String::new(), message: error.message };
            Report(vec![self.problem(finding)])
        })?;
        let findings = Findings::new(self.folder);
        for name in &self.unreadable {
            findings.error(&Place::Variable(name.clone()), "", "the value is not UTF-8 text");
        }
        environment::apply(&mut root, &self.variables, &findings);
        let read = Section::root(&root, &findings).and_then(settings);
        let (errors, warnings) = findings.into_lists();
        let problems = |list: Vec<Finding>| list.into_iter().map(|finding| self.problem(finding)).collect();
        match read {
            Some((settings, failing)) if errors.is_empty() => {
                Ok(Loaded { settings, warnings: problems(warnings), failing_tests: problems(failing) })
            }
            _ => Err(Report(problems(errors))),
        }
    }

    fn problem(&self, finding: Finding) -> Problem {
        let place = match finding.place {
            Place::Position(line, column) => format!("{}:{line}:{column}", self.name),
            Place::Variable(name) => name,
        };
        Problem { place, key: finding.key, message: finding.message }
    }
}

/// Every section, in the order in which the documented file has them, and the tests of the policy that fail. `None` only
/// where something was reported.
pub(super) fn settings(mut root: Section<'_>) -> Option<(Settings, Vec<Finding>)> {
    let server = server::server(&mut root);
    let admin = server::admin(&mut root, &server);
    let portal = server::portal(&mut root);
    let cookies = server::cookies(&mut root, &portal);
    let sessions = accounts::sessions(&mut root);
    let stores = accounts::stores(&mut root);
    let secret = accounts::secret(&mut root, stores.as_ref());
    let secret_previous = accounts::secret_previous(&mut root);
    let accounts = accounts::accounts(&mut root);
    let identity = headers::identity(&mut root);
    let routes = routes::routes(&mut root, &server, &identity);
    let (policy, tests) = policy::access(&mut root, &server);
    let rate_limit = limits::rate_limit(&mut root);
    let tokens = tokens::tokens(&mut root, || portal.url.as_ref().map_or_else(|| "portcullis".to_owned(), PortalUrl::origin));
    let api = tokens::api(&mut root);
    let email = email::email(&mut root);
    let audit = limits::audit(&mut root);
    let log = appearance::log(&mut root);
    let tracing = telemetry::tracing(&mut root);
    let ui = appearance::ui(&mut root);
    later::sections(&mut root);
    root.finish();
    let mut settings = Settings {
        server,
        admin,
        portal,
        cookies,
        sessions,
        secret: secret?,
        secret_previous,
        stores: stores?,
        accounts,
        rate_limit,
        tokens,
        api,
        email: email?,
        audit,
        routes: routes?,
        policy,
        identity,
        log,
        tracing,
        ui,
        local_hosts_only: None,
    };
    settings.accounts.reserved_usernames = policy::named_users(&settings.policy);
    risks::check(&root, &settings);
    let failing = policy::failing(&tests, &root, &settings);
    Some((settings, failing))
}
