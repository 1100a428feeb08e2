//! What a check asks of the store, counted.

use super::*;
use crate::config::Secret;
use crate::fixture::Fixture;
use crate::portal::testing;
use crate::token::Destination;
use async_trait::async_trait;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Holds one token, and counts what is asked.
struct Counting {
    kept: Mutex<Option<(PersonalToken, Account)>>,
    reads: AtomicUsize,
    touches: AtomicUsize,
}

#[async_trait]
impl PersonalTokenStore for Counting {
    async fn create(&self, token: &PersonalToken, _most: usize) -> Result<bool, StoreError> {
        if let Some((kept, _)) = self.kept.lock().unwrap().as_mut() {
            *kept = token.clone();
        }
        Ok(true)
    }

    async fn find(&self, hashes: &[[u8; 32]]) -> Result<Option<(PersonalToken, Account)>, StoreError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Ok(self.kept.lock().unwrap().clone().filter(|(token, _)| hashes.contains(&token.hash)))
    }

    fn touch(&self, _token: &PersonalToken, _hash: &[u8; 32], _used: Timestamp) {
        self.touches.fetch_add(1, Ordering::SeqCst);
    }

    async fn list(&self, _account: AccountId) -> Result<Vec<PersonalToken>, StoreError> {
        Err(StoreError("not asked for here".to_owned()))
    }

    async fn remove(&self, _account: AccountId, _id: Uuid) -> Result<bool, StoreError> {
        Err(StoreError("not asked for here".to_owned()))
    }
}

/// Tokens over a counting store, with one of ann's.
struct Counted {
    fixture: Fixture,
    store: Arc<Counting>,
    tokens: PersonalTokens,
    ann: Account,
    text: PersonalText,
}

async fn counted(wanted: NewPersonalToken) -> Counted {
    let fixture = Fixture::new();
    let ann = fixture.add("ann").await;
    let placeholder = PersonalToken {
        id: Uuid::nil(),
        account: ann.id,
        resets: 0,
        hash: [0; 32],
        name: String::new(),
        scope: Scope::default(),
        created_at: Timestamp(0),
        expires_at: None,
        last_used: None,
    };
    let kept = Mutex::new(Some((placeholder, ann.clone())));
    let store = Arc::new(Counting { kept, reads: AtomicUsize::new(0), touches: AtomicUsize::new(0) });
    let tokens = PersonalTokens {
        store: Arc::<Counting>::clone(&store),
        audit: Arc::clone(&fixture.audit),
        clock: Arc::<crate::clock::ManualClock>::clone(&fixture.clock),
        keys: PersonalKeys::derive(&Secret::new("a".repeat(40)), Some(&Secret::new("b".repeat(40)))),
        uses: PersonalUses::default(),
        settings: Arc::new(testing::settings()),
    };
    let text = tokens.create(&ann, wanted, Party::from(&ann), &Client::default()).await.unwrap().1;
    Counted { fixture, store, tokens, ann, text }
}

fn for_all(expires_at: Option<Timestamp>) -> NewPersonalToken {
    NewPersonalToken { name: "script".to_owned(), scope: Scope::default(), expires_at }
}

/// Issue "checked by a keyed hash in one store read"
#[tokio::test]
async fn a_check_is_one_read_and_what_cannot_be_a_token_is_none() {
    let Counted { store, tokens, ann, text, .. } = counted(for_all(None)).await;
    let (token, owner) = tokens.authenticate(&text).await.unwrap().unwrap();
    assert!(token.scope.covers(&Destination { host: "app.test", path: b"/", method: "GET" }));
    assert_eq!((owner.id, store.reads.load(Ordering::SeqCst)), (ann.id, 1));
    assert!(tokens.is_alive(&text).await.unwrap());
    assert_eq!(store.reads.load(Ordering::SeqCst), 2);
    assert!(tokens.authenticate(&PersonalText::random()).await.unwrap().is_none());
    assert_eq!(store.reads.load(Ordering::SeqCst), 3, "with both hashes, of either secret");
}

#[tokio::test]
async fn an_expired_token_opens_nothing_more_and_cuts_nothing_off() {
    let Counted { fixture, tokens, text, .. } = counted(for_all(Some(Timestamp(1_700_000_060_000)))).await;
    assert!(tokens.authenticate(&text).await.unwrap().is_some());
    fixture.clock.advance(Duration::from_mins(1));
    assert!(tokens.authenticate(&text).await.unwrap().is_none());
    assert!(tokens.is_alive(&text).await.unwrap());
}

#[tokio::test]
async fn the_token_of_a_locked_or_deleted_account_opens_nothing() {
    let Counted { store, tokens, ann, text, .. } = counted(for_all(None)).await;
    let make = |account: Account| store.kept.lock().unwrap().as_mut().unwrap().1 = account;
    for account in [Account { locked: true, ..ann.clone() }, Account { mark: Some(crate::account::SessionMark::Remove), ..ann.clone() }] {
        make(account);
        assert!(tokens.authenticate(&text).await.unwrap().is_none() && !tokens.is_alive(&text).await.unwrap());
    }
    make(ann);
    assert!(tokens.authenticate(&text).await.unwrap().is_some());
}

#[tokio::test]
async fn of_many_uses_at_once_one_is_noted_a_minute() {
    let Counted { fixture, store, tokens, text, .. } = counted(for_all(None)).await;
    let (token, _) = tokens.authenticate(&text).await.unwrap().unwrap();
    for _ in 0..100 {
        tokens.note_use(&token, &text);
    }
    assert_eq!(store.touches.load(Ordering::SeqCst), 1);
    fixture.clock.advance(Duration::from_mins(1));
    tokens.note_use(&token, &text);
    assert_eq!(store.touches.load(Ordering::SeqCst), 2);
    let used_now = PersonalToken { last_used: Some(fixture.login.clock.now()), ..token };
    fixture.clock.advance(Duration::from_secs(59));
    tokens.note_use(&used_now, &text);
    assert_eq!(store.touches.load(Ordering::SeqCst), 2, "as another gateway has noted it");
}

#[tokio::test]
async fn a_token_needs_a_name_and_an_end_that_is_still_to_come() {
    let Counted { tokens, ann, .. } = counted(for_all(None)).await;
    let refused = async |wanted| match tokens.create(&ann, wanted, Party::operator(), &Client::default()).await {
        Err(PersonalTokenError::Invalid(problems)) => problems.iter().map(|problem| problem.field).collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    for name in ["", " \t", "a\u{202e}b", &"x".repeat(65)] {
        assert_eq!(refused(NewPersonalToken { name: name.to_owned(), ..for_all(None) }).await, ["name"], "{name:?}");
    }
    assert_eq!(refused(for_all(Some(Timestamp(1_700_000_000_000)))).await, ["expires"]);
}
