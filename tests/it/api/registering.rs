//! Accounts that programs make and change.

use super::{LOGIN, PROFILE, REGISTER, code, errors, gateway, present, refresh, sign_in};
use crate::support::gateway::PASSWORD;
use crate::support::mailbox::{Mailbox, with_mail};
use http::Method;
use serde_json::{Value, json};

/// S4.1, S4.2, S4.9; contract 6
#[tokio::test(flavor = "multi_thread")]
async fn a_program_makes_an_account_and_has_tokens_for_it() {
    let gateway = gateway().set("ACCOUNTS__REGISTRATION", "open").start().await;
    let mut api = gateway.api();
    let answer = api.post(REGISTER, &json!({ "username": "Ada", "email": "ada@example.com", "password": PASSWORD })).await;
    assert_eq!((answer.status, answer.header("cache-control")), (201, Some("no-store")), "{}", answer.text());
    let tokens = answer.json();
    let user = &tokens["user"];
    let mut names: Vec<_> = user.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["avatarUrl", "createdAt", "email", "groups", "id", "name", "username"]);
    assert_eq!((&user["username"], &user["name"], &user["groups"]), (&json!("Ada"), &Value::Null, &json!([])));
    present(&mut api, &tokens);
    assert_eq!(api.get(PROFILE).await.json(), *user);
    assert_eq!(refresh(&mut api, &tokens).await.status, 200);
    assert!(!answer.text().contains("argon2") && !answer.text().contains(PASSWORD), "S4.11");

    let taken = api.post(REGISTER, &json!({ "username": "ADA", "email": "b@example.com", "password": PASSWORD })).await;
    assert_eq!((taken.status, &*code(&taken), errors(&taken)), (409, "username_taken", vec!["username: taken".to_owned()]));
    let taken = api.post(REGISTER, &json!({ "email": "ADA@example.com", "password": PASSWORD })).await;
    assert_eq!((taken.status, &*code(&taken), errors(&taken)), (409, "email_taken", vec!["email: taken".to_owned()]));
    let weak = api.post(REGISTER, &json!({ "username": "b c", "email": "b", "password": "short" })).await;
    assert_eq!(
        (weak.status, errors(&weak)),
        (400, vec!["email: invalid".into(), "username: invalid".into(), "password: too_short".into()])
    );
    let unnamed = api.post(REGISTER, &json!({ "email": "grace@example.com", "password": PASSWORD })).await;
    assert_eq!((unnamed.status, &unnamed.json()["user"]["username"]), (201, &json!("grace")));
}

/// Contract 6: with `verify_email` there are no tokens before the address is confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_must_be_confirmed_gets_no_tokens_before() {
    let builder = with_mail(gateway()).set("ACCOUNTS__REGISTRATION", "open").set("ACCOUNTS__VERIFY_EMAIL", "true");
    let gateway = builder.start().await;
    let mut api = gateway.api();
    let made = api.post(REGISTER, &json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD })).await;
    assert_eq!((made.status, &made.json()["verificationRequired"]), (201, &json!(true)));
    assert_eq!(made.json().as_object().unwrap().len(), 2);
    let early = api.post(LOGIN, &json!({ "username": "ada", "password": PASSWORD })).await;
    assert_eq!((early.status, &*code(&early)), (403, "email_unverified"));
    let wrong = api.post(LOGIN, &json!({ "username": "ada", "password": "Wrong-horse-7-battery" })).await;
    assert_eq!(wrong.status, 401, "only who knows the password is told");

    let link = Mailbox::of(&gateway).next_to("ada@example.com").await.link_path();
    let mut browser = gateway.browser();
    let page = browser.open(&link).await;
    browser.submit(&page, &[]).await;
    sign_in(&mut api, "ada").await;
}

/// Contract 4
#[tokio::test(flavor = "multi_thread")]
async fn who_may_make_an_account_is_for_the_operator_to_say() {
    let closed = gateway().start().await;
    let answer = closed.api().post(REGISTER, &json!({ "email": "ada@example.com", "password": PASSWORD })).await;
    assert_eq!((answer.status, &*code(&answer)), (403, "registration_closed"));
    let invited = gateway().set("ACCOUNTS__REGISTRATION", "invite").start().await;
    for invite in [json!({}), json!({ "invite": "made-up" })] {
        let mut body = json!({ "email": "ada@example.com", "password": PASSWORD });
        body.as_object_mut().unwrap().extend(invite.as_object().unwrap().clone());
        let answer = invited.api().post(REGISTER, &body).await;
        assert_eq!((answer.status, &*code(&answer)), (403, "invite_invalid"));
    }
}

/// S4.7, contract 6
#[tokio::test(flavor = "multi_thread")]
async fn the_profile_is_changed_but_for_the_address() {
    let gateway = gateway().user("alice", &["staff"]).user("bob", &[]).start().await;
    let mut api = gateway.api();
    let tokens = sign_in(&mut api, "alice").await;
    let put = async |api: &mut crate::support::api_client::ApiClient, body: Value| api.send(Method::PUT, PROFILE, Some(&body)).await;
    let changed = put(&mut api, json!({ "username": "alicia", "name": "Alice A.", "avatarUrl": "https://example.com/a.png" })).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let user = changed.json();
    assert_eq!(
        (&user["username"], &user["name"], &user["avatarUrl"]),
        (&json!("alicia"), &json!("Alice A."), &json!("https://example.com/a.png"))
    );
    assert_eq!((&user["id"], &user["groups"]), (&tokens["user"]["id"], &json!(["staff"])));
    assert_eq!(api.get(PROFILE).await.json(), user, "the token stays, and speaks of the account as it is");
    assert_eq!(put(&mut api, json!({})).await.json(), user, "what is not sent stays");
    let cleared = put(&mut api, json!({ "name": null, "avatarUrl": null })).await.json();
    assert_eq!((&cleared["name"], &cleared["avatarUrl"], &cleared["username"]), (&Value::Null, &Value::Null, &json!("alicia")));

    for (body, status, told) in [
        (json!({ "email": "new@example.com" }), 400, "email: not_changeable"),
        (json!({ "email": null }), 400, "email: not_changeable"),
        (json!({ "username": "BOB" }), 409, "username: taken"),
        (json!({ "avatarUrl": "http://example.com/a.png" }), 400, "avatarUrl: invalid"),
        (json!({ "name": "a\nb" }), 400, "name: invalid"),
    ] {
        let answer = put(&mut api, body.clone()).await;
        assert_eq!((answer.status, errors(&answer)), (status, vec![told.to_owned()]), "{body}");
    }
    for body in [json!({ "groups": ["admins"] }), json!({ "username": null }), json!({ "id": "x" }), json!([])] {
        let answer = put(&mut api, body.clone()).await;
        assert_eq!((answer.status, &*code(&answer)), (400, "invalid_request"), "{body}");
    }
    assert_eq!(api.get(PROFILE).await.json(), cleared);
}
