//! The files under `config/`: valid, complete, and equal to the defaults.

use super::*;

fn documented() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/portcullis.yaml")).unwrap()
}

#[test]
fn the_documented_file_has_exactly_the_defaults() {
    let documented = loaded_with(&documented(), &[]).settings;
    assert_eq!(format!("{documented:#?}"), format!("{:#?}", settings("")));
}

#[test]
fn every_key_that_is_read_stands_in_the_documented_file() {
    let text = documented();
    let everything = "
server: {tls: {certificates: [{}]}}
routes: [{basic_auth: {}}]
access: {rules: [{}], tests: [{}]}
";
    let keys = |yaml: &str| {
        let findings = findings::Findings::new(Path::new(""));
        let root = file::parse(yaml).unwrap();
        section::Section::root(&root, &findings).and_then(check::settings);
        findings.known.into_inner()
    };
    let known: BTreeSet<String> = keys(&text).union(&keys(everything)).cloned().collect();
    assert!(known.len() > 100, "{known:?}");
    for path in known {
        let key = path.rsplit('.').next().unwrap();
        let stands = text.match_indices(&format!("{key}:")).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        assert!(stands, "{path} is read, but not documented");
    }
}

#[test]
fn the_minimal_file_and_the_examples_are_valid_and_without_warnings() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    for file in ["minimal.yaml", "examples/hosts.yaml", "examples/forward-auth.yaml"] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let loaded = loaded_with(&text, &[("PORTCULLIS_SECRET", "0123456789012345678901234567890123456789")]);
        assert_eq!((loaded.warnings, loaded.failing_tests), (vec![], vec![]), "{file}");
    }
}
