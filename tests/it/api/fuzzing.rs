//! Schemathesis, let loose on the API by its document: nothing that it sends is answered with 5xx, or with what the document does not say.

use super::{gateway, sign_in, text};
use crate::support::gateway::TestGateway;
use std::path::PathBuf;
use tokio::process::Command;

const VERSION: &str = include_str!("../../servers/schemathesis/version");

/// What must hold for every answer. Not `positive_data_acceptance`: whether a password is good enough no schema can say.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,\
                      allow_header_conformance,ignored_auth";

/// Where `tests/run` put it.
fn installed() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"));
    let folder = cache.join("portcullis-tests").join(format!("schemathesis-{}", VERSION.trim()));
    assert!(folder.is_dir(), "{} is missing: tests/servers/schemathesis/install.sh brings it", folder.display());
    folder
}

/// Lets it loose on some of the operations; limits are off, the seed is fixed, and the number of requests is bounded.
async fn let_loose(gateway: &TestGateway, on: &[&str]) {
    let mut api = gateway.api();
    let tokens = sign_in(&mut api, "alice").await;
    let (folder, here) = (installed(), tempfile::tempdir().unwrap());
    let run = Command::new(folder.join("bin/schemathesis"))
        .env("PYTHONPATH", &folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(here.path())
        .args(["run", &format!("{}/api/auth/openapi.json", gateway.origin())])
        .args(on)
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--seed", "7"])
        .args(["--generation-database", "none", "--no-shrink", "--warnings", "off"])
        .args(["--header", &format!("Authorization: Bearer {}", text(&tokens, "accessToken"))])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(run.status.success(), "{}\n{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
}

/// S4.9
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_machine_thinks_of_is_answered_otherwise_than_documented() {
    let gateway = gateway().set("ACCOUNTS__REGISTRATION", "open").user("alice", &[]).start().await;
    // Signing out is last: it ends the token that the others need.
    let_loose(&gateway, &["--exclude-operation-id", "logout"]).await;
    let_loose(&gateway, &["--include-operation-id", "logout"]).await;
}
