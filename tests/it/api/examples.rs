//! What `docs/api.md` shows, run as it stands there.

use super::gateway;
use std::path::Path;
use tokio::process::Command;

const GUIDE: &str = "docs/api.md";
/// Where the guide says which gateway it speaks to.
const ADDRESS: &str = "PORTCULLIS=https://app.example.com";

/// The commands of the guide, in order.
fn script() -> String {
    let guide = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(GUIDE)).unwrap();
    let blocks: Vec<&str> = guide.split("\n```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    assert!(blocks.len() > 3, "{GUIDE} shows no commands");
    blocks.join("echo\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_guide_do_what_they_say() {
    let gateway = gateway().set("ACCOUNTS__REGISTRATION", "open").start().await;
    let script = script();
    assert!(script.contains(ADDRESS));
    let script = script.replace(ADDRESS, &format!("PORTCULLIS={}", gateway.origin()));
    let run = Command::new("sh").args(["-euc", &script]).kill_on_drop(true).output().await.unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.contains(r#""username":"ada""#) && said.contains(r#""name":"Ada Lovelace""#), "{said}");
}

/// Codes are stable, and told of.
#[test]
fn the_guide_names_every_code_of_the_document() {
    let read = |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (guide, document) = (read(GUIDE), read("docs/openapi.json"));
    let codes: Vec<&str> = document.split("\"urn:portcullis:").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(codes.len() > 10);
    for code in codes {
        assert!(guide.contains(&format!("`{code}`")), "{GUIDE} does not name {code}");
    }
}
