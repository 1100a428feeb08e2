//! Files on disk.

use super::*;

#[test]
fn a_missing_file_is_told_in_one_sentence() {
    let report = load(Path::new("/nonexistent/portcullis.yaml")).unwrap_err().to_string();
    assert!(report.starts_with("/nonexistent/portcullis.yaml: no such file; name one with --config"), "{report}");
}

#[test]
fn what_cannot_be_a_configuration_is_not_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.yaml");
    for (content, expected) in [(vec![b'#'; 2 << 20], "too large for a configuration"), (vec![0xff, 0xfe], "not UTF-8 text")] {
        std::fs::write(&path, content).unwrap();
        let report = load(&path).unwrap_err().to_string();
        assert!(report.contains(expected) && report.lines().count() == 1, "{report}");
    }
    assert!(load(folder.path()).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn problems_name_the_file_as_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.yaml");
    std::fs::write(&path, "routes: 1").unwrap();
    let report = load(&path).unwrap_err().to_string();
    assert!(report.starts_with(&format!("{}:1:9: routes: ", path.display())), "{report}");
}
