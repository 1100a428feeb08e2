//! Looking for accounts by the beginnings of their names and addresses.

use super::{account, account_stores};
use crate::account::{Account, AccountStore};
use std::sync::Arc;

async fn filled(store: &Arc<dyn AccountStore>) {
    for (username, email) in [
        ("Anna", "zoe@example.com"),
        ("annabel", "annabel@example.com"),
        ("bert", "ANNE@example.com"),
        ("cora", "cora@b\u{fc}cher.example"),
        ("an_na", "x_y@example.com"),
        ("joanna", "joanna@example.com"),
    ] {
        store.create(&account(username, email)).await.unwrap();
    }
}

fn names(found: &[Account]) -> Vec<&str> {
    found.iter().map(|account| account.username.as_str()).collect()
}

#[tokio::test]
async fn accounts_are_found_by_the_beginning_of_their_name_or_address_in_any_case() {
    account_stores(|store| async move {
        filled(&store).await;
        for (text, expected) in [
            ("ann", &["Anna", "annabel", "bert"][..]),
            (" ANN ", &["Anna", "annabel", "bert"]),
            ("anne@", &["bert"]),
            ("zoe", &["Anna"]),
            ("cora@xn--bcher", &["cora"]),
            ("anna", &["Anna", "annabel"]),
            ("nna", &[]),
            ("", &["an_na", "Anna", "annabel", "bert", "cora", "joanna"]),
        ] {
            assert_eq!(names(&store.search(text, None, 10).await.unwrap()), expected, "{text:?}");
        }
    })
    .await;
}

/// threats.md I02, I11: what databases read as patterns or operators are letters here
#[tokio::test]
async fn what_is_looked_for_is_no_pattern() {
    account_stores(|store| async move {
        filled(&store).await;
        assert_eq!(names(&store.search("an_", None, 10).await.unwrap()), ["an_na"]);
        for text in ["%", "_", ".*", "^a", "a*", "' OR 1=1 --", "{\"$gt\":\"\"}", "\0", "\u{10ffff}", &"x".repeat(10_000)] {
            assert!(store.search(text, None, 10).await.unwrap().is_empty(), "{text:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_found_comes_page_by_page_and_deleted_accounts_never() {
    account_stores(|store| async move {
        filled(&store).await;
        let first = store.search("", None, 4).await.unwrap();
        let rest = store.search("", Some(&first[3].username), 4).await.unwrap();
        assert_eq!([names(&first), names(&rest)].concat(), ["an_na", "Anna", "annabel", "bert", "cora", "joanna"]);
        let later = store.search("ann", Some(&first[1].username), 1).await.unwrap();
        assert_eq!(names(&later), ["annabel"]);
        store.delete(first[1].id).await.unwrap();
        assert_eq!(names(&store.search("ann", None, 10).await.unwrap()), ["annabel", "bert"]);
        for text in ["~", "z"] {
            assert!(store.search(text, None, 10).await.unwrap().is_empty(), "{text}");
        }
    })
    .await;
}
