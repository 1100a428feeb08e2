//! `portcullis check`: every problem of a configuration, or that there is none.

mod live;

use super::Failure;
use crate::config::{self, Settings};
use std::io::Write;
use std::path::Path;

/// Checks the file.
pub(super) fn run(path: &Path, out: &mut impl Write, err: &mut impl Write) -> Result<(), Failure> {
    check(path, out, err).map(drop)
}

/// Checks the file, and whether everything that it names is there.
pub(super) fn run_live(path: &Path, out: &mut impl Write, err: &mut impl Write) -> Result<(), Failure> {
    live::run(&check(path, out, err)?, out)
}

fn check(path: &Path, out: &mut impl Write, err: &mut impl Write) -> Result<Settings, Failure> {
    let loaded = config::load(path)?;
    for warning in &loaded.warnings {
        writeln!(err, "warning: {warning}")?;
    }
    let settings = loaded.tested()?.settings;
    writeln!(out, "{} is valid", path.display())?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(yaml: &str) -> (Result<(), Failure>, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.yaml");
        std::fs::write(&path, yaml).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let result = run(&path, &mut out, &mut err);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&format!("{}/", folder.path().display()), "");
        (result.map_err(|failure| Failure::new(text(failure.to_string().into_bytes()))), text(out), text(err))
    }

    #[test]
    fn a_valid_file_is_said_to_be_valid() {
        let (result, out, err) = checked("server: {listen: ['127.0.0.1:8080']}\nroutes: [{upstream: sample}]");
        assert!(result.is_ok());
        assert_eq!((out.as_str(), err.as_str()), ("portcullis.yaml is valid\n", ""));
    }

    #[test]
    fn warnings_do_not_fail_the_check() {
        let (result, out, err) = checked("routes: [{upstream: sample}]\nserver: {listen: ['127.0.0.1:8080']}\naccess: {default: public}");
        assert!(result.is_ok() && out.contains("valid"));
        assert!(err.starts_with("warning: portcullis.yaml:3:19: access.default: "), "{err}");
    }

    /// contract 2, `access.tests`
    #[test]
    fn a_failing_test_of_the_policy_is_told_with_its_line() {
        let tests = "tests:\n  - {url: 'https://a.test/x', expect: public}\n  - {url: 'https://a.test/', expect: public}";
        let yaml =
            format!("routes: [{{upstream: sample}}]\naccess:\n  rules: [{{path: /x, allow: public}}]\n  {}", tests.replace('\n', "\n  "));
        let failure = checked(&yaml).0.unwrap_err().to_string();
        assert_eq!(failure, "portcullis.yaml:6:7: access.tests[1]: expected public, got login by access.default: Nobody is signed in.");
    }

    #[test]
    fn every_problem_is_a_line_of_the_failure() {
        let (result, out, err) = checked("routes: [{}]\nlog: {level: x}\n");
        let failure = result.unwrap_err().to_string();
        assert_eq!(failure.lines().count(), 2, "{failure}");
        assert!(failure.starts_with("portcullis.yaml:1:10: routes[0].upstream: is missing"), "{failure}");
        assert_eq!((out.as_str(), err.as_str()), ("", ""));
    }
}
