//! What administrators leave by pages, and operators by commands.

use super::{NEW, Trail, fill, press, sign_in};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::mailbox::with_mail;
use crate::support::program;

const YAML: &str = "accounts: { registration: invite }\nportal: { url: 'http://localhost' }\nroutes: [{ path: /, upstream: sample }]";

/// S2.7: who did what to whom
#[tokio::test(flavor = "multi_thread")]
async fn administrators_acts_are_recorded() {
    let gateway = with_mail(TestGateway::with(YAML)).user("root", &["admins"]).user("ann", &[]).start().await;
    let mut root = gateway.browser();
    assert_eq!(sign_in(&mut root, "root", PASSWORD).await.status, 303);
    let mut trail = Trail::of(&gateway).await;
    let ann = format!("/auth/admin/users/{}", gateway.app().administration.find("ann").await.unwrap().id);

    assert_eq!(press(&mut root, &ann, &[("act", "groups"), ("groups", "staff")]).await.status, 303);
    let records = trail.tells(&["group_change success - by root to ann"]).await;
    assert!(records[0].client.is_some() && records[0].actor.account != records[0].subject.as_ref().unwrap().account);
    assert_eq!(press(&mut root, &ann, &[("act", "reset")]).await.status, 303);
    let asked = "password_reset_request success - by root to ann";
    trail.tells(&[asked, "password_reset_request success link_sent by ann"]).await;
    sign_in(&mut gateway.browser(), "ann", PASSWORD).await;
    trail.tells(&["login success - by ann"]).await;
    let id = gateway.app().administration.find("ann").await.unwrap().id.to_string();
    let page = root.open(&format!("/auth/admin/sessions?user={id}")).await;
    let name = page.text().split("name=\"end\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(press(&mut root, "/auth/admin/sessions?user=ann", &[("user", &id), ("end", &name)]).await.status, 303);
    trail.tells(&["session_revocation success one by root to ann"]).await;
    assert_eq!(press(&mut root, &ann, &[("act", "end-sessions")]).await.status, 303);
    trail.tells(&["session_revocation success all by root to ann"]).await;
    assert_eq!(press(&mut root, &ann, &[("act", "lock")]).await.status, 303);
    trail.tells(&["account_lock success - by root to ann"]).await;
    assert_eq!(press(&mut root, &ann, &[("act", "unlock")]).await.status, 303);
    trail.tells(&["account_unlock success - by root to ann"]).await;
    assert_eq!(press(&mut root, &ann, &[("act", "delete"), ("confirm", "ann")]).await.status, 303);
    trail.tells(&["account_deletion success - by root to ann"]).await;

    let invited = fill(&mut root, "/auth/admin/invitations", &[("email", "zoe@example.com"), ("groups", ""), ("days", "7")]).await;
    assert!(invited.status < 400, "{}", invited.text());
    trail.tells(&["invitation_creation success - by root to \"zoe@example.com\""]).await;
    let id = gateway.app().invitations.list(None, 1).await.unwrap().remove(0).id.to_string();
    assert_eq!(press(&mut root, "/auth/admin/invitations", &[("revoke", &id)]).await.status, 303);
    trail.tells(&["invitation_revocation success - by root"]).await;
    trail.tells(&[]).await;
}

/// S0.8, S2.7
#[tokio::test(flavor = "multi_thread")]
async fn commands_are_recorded() {
    let gateway = TestGateway::with(YAML).start().await;
    std::fs::write(gateway.folder().join("portcullis.yaml"), YAML).unwrap();
    let run = async |arguments: &[&str]| {
        let done = program::run(gateway.folder(), arguments, &format!("{NEW}\n")).await;
        assert_eq!(done.code, Some(0), "{arguments:?}: {done:?}");
        done.stdout
    };
    let mut trail = Trail::of(&gateway).await;
    run(&["user", "add", "ann", "--email", "ann@example.com"]).await;
    trail.tells(&["account_creation success - by \"operator\" to ann"]).await;
    run(&["user", "set-groups", "ann", "staff"]).await;
    trail.tells(&["group_change success - by \"operator\" to ann"]).await;
    run(&["user", "set-password", "ann"]).await;
    trail.tells(&["password_set success - by \"operator\" to ann"]).await;
    for _ in 0..2 {
        assert_eq!(sign_in(&mut gateway.browser(), "ann", NEW).await.status, 303);
    }
    trail.tells(&["login success - by ann", "login success - by ann"]).await;
    let listed: serde_json::Value = serde_json::from_str(&run(&["session", "list", "ann", "--json"]).await).unwrap();
    run(&["session", "revoke", "ann", listed[0]["id"].as_str().unwrap()]).await;
    trail.tells(&["session_revocation success one by \"operator\" to ann"]).await;
    run(&["session", "revoke", "ann", "--all"]).await;
    trail.tells(&["session_revocation success all by \"operator\" to ann"]).await;
    run(&["user", "lock", "ann"]).await;
    run(&["user", "unlock", "ann"]).await;
    run(&["user", "delete", "ann", "--yes"]).await;
    let done = ["account_lock success - by \"operator\" to ann", "account_unlock success - by \"operator\" to ann"];
    trail.tells(&[done[0], done[1], "account_deletion success - by \"operator\" to ann"]).await;
    run(&["user", "list"]).await;
    run(&["invite", "create"]).await;
    trail.tells(&["invitation_creation success - by \"operator\""]).await;
    let id = gateway.app().invitations.list(None, 1).await.unwrap().remove(0).id.to_string();
    run(&["invite", "revoke", &id]).await;
    trail.tells(&["invitation_revocation success - by \"operator\""]).await;
}
