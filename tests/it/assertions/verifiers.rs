//! The examples of `docs/assertion.md`, run as they stand there against a live gateway.

use super::{ISSUER, Site, part};
use crate::support::cache::cached;
use portcullis::token::TokenKind;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const DOCUMENT: &str = include_str!("../../../docs/assertion.md");
const REQUIREMENTS: &str = include_str!("../../assertion/python/requirements.txt");
const LOCK: &str = include_str!("../../assertion/node/package-lock.json");

/// The folder that `tests/run` has filled by this file.
fn installed(language: &str, pinned: &str) -> PathBuf {
    let digest: String = Sha256::digest(pinned).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let folder = cached(&format!("PORTCULLIS_ASSERTION_{}", language.to_uppercase()), &format!("assertion-{language}-{digest}"));
    assert!(folder.exists(), "{} is missing: run tests/run", folder.display());
    folder
}

/// The example in this language, with the gateway's own address in place of the one that it names for the keys.
fn example(language: &str, site: &Site) -> String {
    let (_, rest) = DOCUMENT.split_once(&format!("```{language}\n")).unwrap();
    let (code, _) = rest.split_once("```").unwrap();
    let keys = "https://auth.example.com/.well-known/jwks.json";
    assert!(code.contains(keys) && code.contains("wiki.example.com"), "{code}");
    code.replace(keys, &format!("{}/.well-known/jwks.json", site.gateway.origin()))
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/assertion").join(name)
}

/// What the program answers to each of these lines.
async fn answers(mut command: Command, lines: &[String]) -> Vec<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all((lines.join("\n") + "\n").as_bytes()).await.unwrap();
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Assertions that are good, and ones that are not, by what is wrong with them.
async fn assertions(site: &Site) -> (String, Vec<(&'static str, String)>) {
    let good = site.assertion("wiki.example.com").await;
    let claims = part(&good, 1);
    let keys = &site.gateway.app().signing_keys;
    let with = async |kind: TokenKind, name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        keys.sign(kind, &claims).await.unwrap()
    };
    let now = claims["iat"].as_i64().unwrap();
    let stranger = Site::start("").await.assertion("wiki.example.com").await;
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other_payload = with(TokenKind::Assertion, "sub", json!("root")).await;
    let swapped = format!("{}.{signature}", other_payload.rsplit_once('.').unwrap().0);
    let unsigned =
        format!("{}.{}.", encode(&json!({ "alg": "none", "typ": "portcullis-assertion+jwt" })), signed.split('.').nth(1).unwrap());
    let bad = vec![
        ("missing", String::new()),
        ("no token", "forged".to_owned()),
        ("expired", with(TokenKind::Assertion, "exp", json!(now - 3600)).await),
        ("for another audience", site.assertion("other.example.com").await),
        ("of another issuer", with(TokenKind::Assertion, "iss", json!("https://evil.example")).await),
        ("of another gateway's key", stranger),
        ("of another payload", swapped),
        ("without a signature", unsigned),
        ("an access token", with(TokenKind::Access, "type", json!("access")).await),
    ];
    (good, bad)
}

fn encode(value: &Value) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Threats A13; docs/assertion.md
async fn the_example_tells_good_from_bad(language: &str, algorithm: &str, run: impl Fn(&Site, &Path) -> Command) {
    let site = Site::build("", |builder| builder.set("TOKENS__ALGORITHM", algorithm)).await;
    let (good, bad) = assertions(&site).await;
    let folder = TempDir::with_prefix("portcullis-example-").unwrap();
    let file = folder.path().join(format!("example.{language}"));
    std::fs::write(&file, example(language, &site)).unwrap();
    let lines: Vec<String> =
        std::iter::once(good.clone()).chain(bad.iter().map(|(_, token)| token.clone())).chain([good.clone()]).collect();
    let answers = answers(run(&site, &file), &lines).await;
    let subject = part(&good, 1)["sub"].as_str().unwrap().to_owned();
    assert_eq!(answers.len(), lines.len(), "{answers:?}");
    assert_eq!((&answers[0], answers.last().unwrap()), (&subject, &subject), "{answers:?}");
    for (answer, (what, _)) in answers[1..].iter().zip(&bad) {
        assert!(answer.starts_with("refused"), "{language} takes one that is {what}: {answer}");
    }
    assert_eq!(part(&good, 1)["iss"], ISSUER);
}

fn python(_: &Site, example: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg(script("python/ask.py")).arg(example).env("PYTHONPATH", installed("python", REQUIREMENTS));
    command
}

fn node(_: &Site, example: &Path) -> Command {
    let folder = installed("node", LOCK);
    // Where modules are looked for is beside the file that names them.
    std::os::unix::fs::symlink(folder.join("node_modules"), example.with_file_name("node_modules")).unwrap();
    let module = example.with_extension("mjs");
    std::fs::rename(example, &module).unwrap();
    let mut command = Command::new("node");
    command.arg(script("node/ask.mjs")).arg(module);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_python_tells_good_assertions_from_bad_ones() {
    for algorithm in ["EdDSA", "ES256", "HS256"] {
        the_example_tells_good_from_bad("python", algorithm, python).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_javascript_tells_good_assertions_from_bad_ones() {
    for algorithm in ["EdDSA", "ES256", "HS256"] {
        the_example_tells_good_from_bad("js", algorithm, node).await;
    }
}
