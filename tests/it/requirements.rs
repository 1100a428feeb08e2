//! `docs/requirements.md` says which tests prove which requirement. The tests say it in their doc comments; this keeps the
//! two equal. `PORTCULLIS_BLESS=1` writes the table anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const TABLE: &str = "docs/requirements.md";
/// Shown in a row; there may be more.
const SHOWN: usize = 6;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names of the tests that name each requirement, in the order of the files.
fn proofs() -> BTreeMap<String, Vec<String>> {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    rust_files(&root().join("tests/it"), &mut files);
    files.sort();
    let mut proofs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        let (mut named, mut is_test) = (Vec::new(), false);
        for line in fs::read_to_string(file).unwrap().lines().map(str::trim) {
            if let Some(comment) = line.strip_prefix("///") {
                named.extend(ids(comment));
            } else if line.starts_with("#[") {
                is_test |= line.contains("test");
            } else if let Some(name) = is_test.then(|| function(line)).flatten() {
                for id in named.drain(..) {
                    proofs.entry(id).or_default().push(name.to_owned());
                }
                is_test = false;
            } else {
                named.clear();
            }
        }
    }
    proofs
}

/// `S0.5` and `C3`, however they stand among other words (`C01` is a threat).
fn ids(comment: &str) -> Vec<String> {
    let words = comment.split(|character: char| !(character.is_ascii_alphanumeric() || character == '.'));
    let numeric = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_id = |word: &&str| match word.split_at_checked(1) {
        Some(("C", rest)) => matches!(rest.as_bytes(), [b'1'..=b'8']),
        Some(("S", rest)) => rest.split_once('.').is_some_and(|(source, number)| numeric(source) && numeric(number)),
        _ => false,
    };
    words.map(|word| word.trim_end_matches('.')).filter(is_id).map(str::to_owned).collect()
}

fn function(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
    rest.split('(').next()
}

#[test]
fn the_table_of_requirements_is_true() {
    let path = root().join(TABLE);
    let table = fs::read_to_string(&path).unwrap();
    let proofs = proofs();
    let row = |line: &str| -> String {
        let mut cells = line.split('|').map(str::trim);
        let (Some(""), Some(id), Some(text)) = (cells.next(), cells.next(), cells.next()) else { return line.to_owned() };
        if ids(id) != [id] {
            return line.to_owned();
        }
        let names = proofs.get(id).map_or(&[][..], Vec::as_slice);
        let mut shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        if names.len() > SHOWN {
            shown.push(format!("{} more", names.len() - SHOWN));
        }
        format!("| {id} | {text} | {} |", if shown.is_empty() { "–".to_owned() } else { shown.join(", ") })
    };
    let expected = table.lines().map(row).collect::<Vec<_>>().join("\n") + "\n";
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        fs::write(&path, &expected).unwrap();
    } else {
        assert!(table == expected, "{TABLE} differs from what the tests say: run the tests once with PORTCULLIS_BLESS=1");
    }
}
