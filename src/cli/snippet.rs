//! `portcullis snippet`: the configuration of a front proxy on standard output, what is left to do on standard error.

use super::Failure;
use crate::config;
use crate::snippet::{self, Wanted};
use std::io::Write;
use std::path::Path;

pub(super) fn run(wanted: &Wanted, path: &Path, out: &mut impl Write, err: &mut impl Write) -> Result<(), Failure> {
    let settings = config::load(path)?.settings;
    let written = snippet::write(&settings, wanted).map_err(|reason| Failure::new(reason.to_string()))?;
    for note in &written.notes {
        writeln!(err, "note: {note}")?;
    }
    out.write_all(written.text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(yaml: &str, arguments: &[&str]) -> (Result<(), Failure>, String, String) {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            wanted: Wanted,
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portcullis.yaml");
        std::fs::write(&path, yaml).unwrap();
        let line = <Line as clap::Parser>::parse_from(["snippet"].iter().chain(arguments));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let result = run(&line.wanted, &path, &mut out, &mut err);
        (result, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    /// contract 1
    #[test]
    fn what_is_left_to_do_is_said_beside_the_file() {
        let yaml = "routes: [{host: wiki.example.com, upstream: none}]";
        let (result, out, err) = written(yaml, &["nginx"]);
        assert!(result.is_ok() && out.contains("server 127.0.0.1:3000;") && err.contains("--app wiki.example.com="), "{err}{out}");
        assert!(err.contains("server.trusted_proxies"), "{err}");
        let (_, out, err) = written(yaml, &["nginx", "--app", "wiki.example.com=http://10.0.0.5:81"]);
        assert!(out.contains("server 10.0.0.5:81;") && !err.contains("--app"), "{err}{out}");
    }

    #[test]
    fn an_application_of_no_route_is_refused() {
        let (result, out, _) = written("routes: [{upstream: none}]", &["nginx", "--app", "wiki.example.com=http://10.0.0.5:81"]);
        assert!(result.unwrap_err().to_string().contains("wiki.example.com"));
        assert_eq!(out, "");
    }
}
