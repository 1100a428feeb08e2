//! What a token must be to be taken for ours, and how keys come and go.

use super::*;
use crate::token::testing::{ALGORITHMS, Bench};
use serde_json::{Value, json};

const KINDS: [TokenKind; 3] = [TokenKind::Access, TokenKind::Refresh, TokenKind::Assertion];
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

async fn verify(keys: &SigningKeys, kind: TokenKind, token: &str) -> Option<Value> {
    keys.verify(kind, token).await.unwrap()
}

/// A token of exactly this header and payload, signed by the key that signs now.
async fn forge(keys: &SigningKeys, header: impl FnOnce(Value) -> String, payload: &str) -> String {
    let keyring = keys.keyring(keys.settings.algorithm).await.unwrap();
    let known = keyring.signing(keys.settings.algorithm, keys.clock.now()).unwrap();
    let usual = json!({ "alg": known.algorithm().name(), "kid": known.id(), "typ": "at+jwt" });
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let unsigned = format!("{}.{}", encode(&header(usual)), encode(payload));
    let signature = known.key().sign(unsigned.as_bytes()).unwrap();
    jws::signed(unsigned, &signature)
}

/// With this payload, and the header that we write.
async fn with_payload(keys: &SigningKeys, payload: &str) -> String {
    forge(keys, |usual| usual.to_string(), payload).await
}

/// With one member of the claims replaced (or removed, by null).
async fn with_claim(bench: &Bench, keys: &SigningKeys, name: &str, value: Value) -> String {
    let mut claims = bench.claims(TokenKind::Access);
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name)
    } else {
        claims.as_object_mut().unwrap().insert(name.to_owned(), value)
    };
    with_payload(keys, &claims.to_string()).await
}

/// contract 6: header and claims
#[tokio::test]
async fn what_was_signed_is_verified_with_each_algorithm() {
    for algorithm in ALGORITHMS {
        let bench = Bench::new();
        let keys = bench.keys(algorithm);
        let token = keys.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
        assert_eq!(verify(&keys, TokenKind::Access, &token).await, Some(bench.claims(TokenKind::Access)));
        let header = jws::Jws::parse(&token).unwrap().header;
        assert_eq!((header.alg.as_str(), header.typ.as_deref()), (algorithm.name(), Some("at+jwt")));
        assert_eq!(header.kid.unwrap(), bench.store.kept.lock().unwrap().iter().find(|key| key.algorithm == algorithm).unwrap().id);
    }
}

#[tokio::test]
async fn a_change_of_any_byte_of_a_token_is_refused() {
    for algorithm in ALGORITHMS {
        let bench = Bench::new();
        let keys = bench.keys(algorithm);
        let token = keys.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
        for position in 0..token.len() {
            let (before, after) = (&token[..position], &token[position + 1..]);
            for byte in "AQgw9_-.=+/ é\u{0}".chars().filter(|byte| !token[position..].starts_with(*byte)) {
                let changed = format!("{before}{byte}{after}");
                assert!(verify(&keys, TokenKind::Access, &changed).await.is_none(), "{algorithm:?} {position} {byte:?}");
            }
            assert!(verify(&keys, TokenKind::Access, &format!("{before}{after}")).await.is_none(), "{position} left out");
            assert!(verify(&keys, TokenKind::Access, before).await.is_none(), "cut at {position}");
        }
    }
}

/// threats.md J13: padding bits, padding, line ends, the other alphabet
#[tokio::test]
async fn there_is_one_way_only_to_write_a_token() {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bench = Bench::new();
    let keys = bench.keys(TokenAlgorithm::EdDsa);
    let token = keys.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    let last = alphabet.iter().position(|byte| *byte == token.as_bytes()[token.len() - 1]).unwrap();
    assert_eq!(last % 16, 0, "64 bytes leave four bits");
    for bits in 1..16 {
        let other = format!("{}{}", &token[..token.len() - 1], char::from(alphabet[last + bits]));
        assert!(verify(&keys, TokenKind::Access, &other).await.is_none());
    }
    for other in
        [format!("{token}=="), format!(" {token}"), format!("{token}\n"), format!("{token}."), format!(".{token}"), format!("{token}.x")]
    {
        assert!(verify(&keys, TokenKind::Access, &other).await.is_none(), "{other:?}");
    }
}

/// threats.md J01
#[tokio::test]
async fn no_other_algorithm_than_the_keys_own_is_taken() {
    for algorithm in ALGORITHMS {
        let bench = Bench::new();
        let keys = bench.keys(algorithm);
        let claims = bench.claims(TokenKind::Access).to_string();
        for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "ES256", "EdDSA", "Ed25519", "eddsa", "RS256"] {
            let token = forge(
                &keys,
                |mut usual| {
                    usual["alg"] = json!(alg);
                    usual.to_string()
                },
                &claims,
            )
            .await;
            assert_eq!(verify(&keys, TokenKind::Access, &token).await.is_some(), alg == algorithm.name(), "{algorithm:?} {alg}");
            let (unsigned, _) = token.rsplit_once('.').unwrap();
            assert!(verify(&keys, TokenKind::Access, &format!("{unsigned}.")).await.is_none());
            assert!(verify(&keys, TokenKind::Access, unsigned).await.is_none());
        }
    }
}

/// threats.md J01: what everybody knows is no shared secret
#[tokio::test]
async fn a_public_key_is_no_secret_to_sign_with() {
    for algorithm in [TokenAlgorithm::EdDsa, TokenAlgorithm::Es256] {
        let bench = Bench::new();
        let keys = bench.keys(algorithm);
        let jwks = serde_json::to_value(keys.jwks().await.unwrap()).unwrap();
        let public = &jwks["keys"][0];
        let raw = URL_SAFE_NO_PAD.decode(public["x"].as_str().unwrap()).unwrap();
        for secret in [raw, public["x"].as_str().unwrap().into(), public.to_string().into_bytes(), jwks.to_string().into_bytes()] {
            let header = json!({ "alg": "HS256", "kid": public["kid"], "typ": "at+jwt" });
            let unsigned = jws::unsigned(&serde_json::from_value(header).unwrap(), &bench.claims(TokenKind::Access)).unwrap();
            let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret), unsigned.as_bytes());
            let token = jws::signed(unsigned, tag.as_ref());
            assert!(verify(&keys, TokenKind::Access, &token).await.is_none());
            assert!(keys.is_ours(&token), "so that it is refused, and not passed on");
        }
    }
}

/// threats.md J02
#[tokio::test]
async fn a_token_that_brings_a_key_or_asks_for_more_is_refused() {
    let bench = Bench::new();
    let keys = bench.keys(TokenAlgorithm::EdDsa);
    let claims = bench.claims(TokenKind::Access).to_string();
    let own_key = serde_json::to_value(keys.jwks().await.unwrap()).unwrap()["keys"][0].clone();
    for (name, value) in [
        ("jwk", own_key),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
    ] {
        let token = forge(
            &keys,
            |mut usual| {
                usual[name] = value.clone();
                usual.to_string()
            },
            &claims,
        )
        .await;
        assert!(verify(&keys, TokenKind::Access, &token).await.is_none(), "{name}");
        assert!(keys.is_ours(&token), "{name}");
    }
    for kid in [json!("../../dev/null"), json!({ "$ne": 1 }), json!(["x"]), json!(1), json!(""), json!("' OR 1=1 --"), json!("a\u{0}")] {
        let token = forge(
            &keys,
            |mut usual| {
                usual["kid"] = kid.clone();
                usual.to_string()
            },
            &claims,
        )
        .await;
        bench.advance(PAUSE);
        assert!(verify(&keys, TokenKind::Access, &token).await.is_none(), "{kid}");
    }
    let none = forge(
        &keys,
        |mut usual| {
            usual.as_object_mut().unwrap().remove("kid");
            usual.to_string()
        },
        &claims,
    )
    .await;
    assert!(verify(&keys, TokenKind::Access, &none).await.is_none());
    for header in ["[]", "1", "{}", "", "null", "{\"alg\":\"EdDSA\"", "{\"alg\":\"none\",\"alg\":\"EdDSA\"}"] {
        let token = forge(&keys, |_| header.to_owned(), &claims).await;
        assert!(verify(&keys, TokenKind::Access, &token).await.is_none(), "{header}");
    }
    let twice = forge(&keys, |usual| format!("{{\"typ\":\"at+jwt\",{}", &usual.to_string()[1..]), &claims).await;
    assert!(verify(&keys, TokenKind::Access, &twice).await.is_none());
}

/// threats.md J04, facts 8
#[tokio::test]
async fn times_are_whole_numbers_and_all_of_them_count() {
    let bench = Bench::new();
    let keys = bench.keys(TokenAlgorithm::EdDsa);
    let now = bench.seconds();
    for name in ["exp", "nbf", "iat"] {
        let good = with_claim(&bench, &keys, name, json!(if name == "exp" { now + 1 } else { now })).await;
        assert!(verify(&keys, TokenKind::Access, &good).await.is_some(), "{name}");
        for value in [Value::Null, json!(now.to_string()), json!(1e30), json!([now]), json!({ "$gt": 0 }), json!(true), json!(u64::MAX)] {
            let token = with_claim(&bench, &keys, name, value.clone()).await;
            assert!(verify(&keys, TokenKind::Access, &token).await.is_none(), "{name} {value}");
            assert!(keys.verify_expired::<Value>(TokenKind::Access, &token).await.unwrap().is_none(), "{name} {value}");
        }
        let mut text = bench.claims(TokenKind::Access);
        text.as_object_mut().unwrap().remove(name);
        for number in [format!("{}.5", now + 1), format!("{}.0", now + 1), format!("{}e0", now + 1), "NaN".to_owned(), "-".to_owned()] {
            let payload = format!("{{\"{name}\":{number},{}", &text.to_string()[1..]);
            assert!(verify(&keys, TokenKind::Access, &with_payload(&keys, &payload).await).await.is_none(), "{name} {number}");
        }
    }
    for end in [-1, 0, i64::MIN, now - 60] {
        let token = with_claim(&bench, &keys, "exp", json!(end)).await;
        assert!(verify(&keys, TokenKind::Access, &token).await.is_none(), "{end}");
        assert!(keys.verify_expired::<Value>(TokenKind::Access, &token).await.unwrap().is_some(), "{end}");
    }
}

/// threats.md J05: five seconds, not the 60 of other verifiers
#[tokio::test]
async fn clocks_may_be_five_seconds_apart() {
    let bench = Bench::new();
    let keys = bench.keys(TokenAlgorithm::EdDsa);
    let token = keys.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    let early = with_claim(&bench, &keys, "nbf", json!(bench.seconds() + 6)).await;
    let issued_early = with_claim(&bench, &keys, "iat", json!(bench.seconds() + 6)).await;
    for token in [&early, &issued_early] {
        assert!(verify(&keys, TokenKind::Access, token).await.is_none());
    }
    bench.advance(Duration::from_secs(1));
    for token in [&early, &issued_early] {
        assert!(verify(&keys, TokenKind::Access, token).await.is_some());
    }
    bench.advance(Duration::from_millis(63_999));
    assert!(verify(&keys, TokenKind::Access, &token).await.is_some(), "it ended 4.999 s ago");
    bench.advance(Duration::from_millis(1));
    assert!(verify(&keys, TokenKind::Access, &token).await.is_none());
    bench.advance(Duration::from_secs(25));
    assert!(verify(&keys, TokenKind::Access, &token).await.is_none());
    assert!(keys.verify_expired::<Value>(TokenKind::Access, &token).await.unwrap().is_some());
}

/// threats.md J07: RFC 8725 section 3.11
#[tokio::test]
async fn a_token_of_one_kind_is_none_of_another() {
    let bench = Bench::new();
    for algorithm in ALGORITHMS {
        let keys = bench.keys(algorithm);
        for signed in KINDS {
            for said in KINDS {
                let token = keys.sign(signed, &bench.claims(said)).await.unwrap();
                for asked in KINDS {
                    let valid = verify(&keys, asked, &token).await.is_some();
                    assert_eq!(valid, signed == said && said == asked, "{signed:?} {said:?} {asked:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_or_for_another_audience_is_refused() {
    let bench = Bench::new();
    let keys = bench.keys(TokenAlgorithm::EdDsa);
    for name in ["iss", "aud", "type"] {
        for value in [Value::Null, json!("other"), json!(""), json!(["portcullis"]), json!([]), json!({ "$gt": "" }), json!("PORTCULLIS")] {
            let token = with_claim(&bench, &keys, name, value.clone()).await;
            assert!(verify(&keys, TokenKind::Access, &token).await.is_none(), "{name} {value}");
            assert!(keys.verify_expired::<Value>(TokenKind::Access, &token).await.unwrap().is_none(), "{name} {value}");
        }
    }
}

/// threats.md J08
#[tokio::test]
async fn claims_of_another_shape_are_refused() {
    let bench = Bench::new();
    let keys = bench.keys(TokenAlgorithm::EdDsa);
    let claims = bench.claims(TokenKind::Access).to_string();
    let twice = |member: &str| format!("{{{member},{}", &claims[1..]);
    for payload in [
        twice("\"sub\":\"mallory\""),
        twice("\"exp\":99999999999"),
        twice("\"x\":1,\"x\":1"),
        twice("\"s\\u0075b\":\"mallory\""),
        twice(&format!("\"deep\":{}{}", "[".repeat(1000), "]".repeat(1000))),
        twice(&format!("\"long\":\"{}\"", "a".repeat(8 << 10))),
        format!("[{claims}]"),
        format!("{claims}{claims}"),
        String::new(),
        "null".to_owned(),
        "\"text\"".to_owned(),
    ] {
        let token = with_payload(&keys, &payload).await;
        assert!(verify(&keys, TokenKind::Access, &token).await.is_none(), "{}", &payload[..payload.len().min(80)]);
    }
    assert!(verify(&keys, TokenKind::Access, &with_payload(&keys, &twice("\"x\":{\"y\":[1]}")).await).await.is_some());
    for token in ["", ".", "..", "...", "a.b.c", &"a".repeat(1 << 20), &format!("{}.a.a", "a".repeat(1 << 20)), &".".repeat(1 << 20)] {
        assert!(verify(&keys, TokenKind::Access, token).await.is_none());
        assert!(!keys.is_ours(token));
    }
}

/// contract 3.5
#[tokio::test]
async fn a_token_is_ours_by_its_key_or_its_issuer_whether_it_is_valid_or_not() {
    let bench = Bench::new();
    let keys = bench.keys(TokenAlgorithm::EdDsa);
    let token = |header: &Value, claims: &Value| {
        format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
    };
    let own = json!("https://auth.example.com");
    assert!(keys.is_ours(&token(&json!({ "alg": "none" }), &json!({ "iss": own }))));
    let id = serde_json::to_value(keys.jwks().await.unwrap()).unwrap()["keys"][0]["kid"].clone();
    assert!(keys.is_ours(&token(&json!({ "kid": id }), &json!({ "iss": "other" }))));
    assert!(keys.is_ours(&token(&json!({ "kid": id }), &json!("no object"))));
    for (kid, iss) in [(json!("other"), json!("other")), (json!([id]), json!([own])), (Value::Null, Value::Null)] {
        assert!(!keys.is_ours(&token(&json!({ "kid": kid }), &json!({ "iss": iss }))));
    }
    assert!(!keys.is_ours("pat_AAAA") && !keys.is_ours("a.b.c"));
}

/// contract 3.7: no shared secret is ever published, and none signs what applications verify
#[tokio::test]
async fn what_is_published_verifies_assertions_and_holds_no_secret() {
    for algorithm in ALGORITHMS {
        let bench = Bench::new();
        let keys = bench.keys(algorithm);
        let jwks = serde_json::to_value(keys.jwks().await.unwrap()).unwrap();
        let published = jwks["keys"].as_array().unwrap();
        assert_eq!(published.len(), 1);
        let key = &published[0];
        let expected = if algorithm == TokenAlgorithm::Es256 { ("EC", "P-256", "ES256") } else { ("OKP", "Ed25519", "EdDSA") };
        assert_eq!((key["kty"].as_str().unwrap(), key["crv"].as_str().unwrap(), key["alg"].as_str().unwrap()), expected);
        assert_eq!(key["use"], "sig");
        let names: Vec<&String> = key.as_object().unwrap().keys().collect();
        assert!(names.iter().all(|name| ["kty", "use", "alg", "kid", "crv", "x", "y"].contains(&name.as_str())), "{names:?}");
        let token = keys.sign(TokenKind::Assertion, &bench.claims(TokenKind::Assertion)).await.unwrap();
        let jws = jws::Jws::parse(&token).unwrap();
        assert_eq!((jws.header.kid.as_deref(), jws.header.alg.as_str()), (key["kid"].as_str(), expected.2));
    }
}

/// contract 2: encrypted with `secret`
#[tokio::test]
async fn what_is_kept_of_a_key_opens_nothing_without_the_secret() {
    let bench = Bench::new();
    let keys = bench.keys(TokenAlgorithm::Hs256);
    keys.tend().await.unwrap();
    let kept = bench.store.kept.lock().unwrap().clone();
    assert_eq!(kept.len(), 2);
    for key in &kept {
        let sealer = |text: &str| Sealer::derive(&crate::config::Secret::new(text.repeat(40)), None);
        let context = context(key.algorithm, &key.id);
        assert!(sealer("b").open(&context, &key.sealed).is_none());
        let material = sealer("a").open(&context, &key.sealed).unwrap();
        assert!(!key.sealed.windows(8).any(|part| part == &material[..8]));
        // Put in the place of another, or relabelled: no key at all.
        assert!(sealer("a").open(&super::context(TokenAlgorithm::Es256, &key.id), &key.sealed).is_none());
        assert!(sealer("a").open(&super::context(key.algorithm, "other"), &key.sealed).is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_that_start_together_agree_on_one_key() {
    for algorithm in ALGORITHMS {
        let bench = Bench::new();
        let gateways: Vec<_> = (0..8).map(|_| bench.keys(algorithm)).collect();
        let claims = bench.claims(TokenKind::Access);
        let signing = gateways.iter().map(|keys| {
            let (keys, claims) = (Arc::clone(keys), claims.clone());
            tokio::spawn(async move { keys.sign(TokenKind::Access, &claims).await.unwrap() })
        });
        let tokens: Vec<String> = futures_util::future::join_all(signing).await.into_iter().map(Result::unwrap).collect();
        for keys in &gateways {
            for token in &tokens {
                assert!(verify(keys, TokenKind::Access, token).await.is_some());
            }
        }
        let numbers: Vec<u64> = bench.store.kept.lock().unwrap().iter().map(|key| key.number).collect();
        assert!(numbers.iter().all(|number| *number == 1), "{numbers:?}");
    }
}

async fn signing_key(keys: &SigningKeys, bench: &Bench) -> String {
    let token = keys.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    jws::Jws::parse(&token).unwrap().header.kid.unwrap()
}

async fn published(keys: &SigningKeys) -> Vec<String> {
    keys.jwks().await.unwrap().keys.into_iter().map(|key| key.common.key_id.unwrap()).collect()
}

/// The schedule: published for a day, signs for thirty, verifies for as long as what it signed lives.
#[tokio::test]
async fn a_key_is_published_before_it_signs_and_kept_until_all_that_it_signed_has_expired() {
    let bench = Bench::new();
    let keys = bench.keys(TokenAlgorithm::EdDsa);
    let first = signing_key(&keys, &bench).await;
    bench.advance((29 * 24 - 1) * HOUR);
    assert_eq!(published(&keys).await, [first.as_str()]);
    bench.advance(HOUR);
    let both = published(&keys).await;
    assert_eq!((both.len(), signing_key(&keys, &bench).await), (2, first.clone()));
    bench.advance(23 * HOUR);
    assert_eq!(signing_key(&keys, &bench).await, first);
    let last = keys.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    bench.advance(HOUR);
    let second = signing_key(&keys, &bench).await;
    assert!(second != first && both.contains(&second));
    assert!(keys.verify_expired::<Value>(TokenKind::Access, &last).await.unwrap().is_some());
    bench.advance(7 * DAY);
    assert_eq!(published(&keys).await.len(), 2);
    bench.advance(LEEWAY);
    keys.tend().await.unwrap();
    bench.advance(FRESH_FOR);
    assert_eq!(published(&keys).await, [second]);
    assert!(keys.verify_expired::<Value>(TokenKind::Access, &last).await.unwrap().is_none());
}

#[tokio::test]
async fn a_gateway_that_was_off_for_long_signs_at_once_and_makes_the_next_key() {
    let bench = Bench::new();
    let first = signing_key(&bench.keys(TokenAlgorithm::Es256), &bench).await;
    bench.advance(400 * DAY);
    let keys = bench.keys(TokenAlgorithm::Es256);
    assert_eq!(signing_key(&keys, &bench).await, first);
    assert_eq!(published(&keys).await.len(), 2);
    bench.advance(DAY);
    assert_ne!(signing_key(&keys, &bench).await, first);
}

#[tokio::test]
async fn a_clock_that_is_set_back_leaves_a_key_to_sign_with() {
    let bench = Bench::new();
    bench.keys(TokenAlgorithm::EdDsa).tend().await.unwrap();
    let earlier = Bench { store: Arc::clone(&bench.store), clock: Arc::new(crate::clock::ManualClock::at(Timestamp(1_600_000_000_000))) };
    let keys = earlier.keys(TokenAlgorithm::EdDsa);
    let token = keys.sign(TokenKind::Access, &earlier.claims(TokenKind::Access)).await.unwrap();
    assert!(verify(&keys, TokenKind::Access, &token).await.is_some());
    assert_eq!(bench.store.kept.lock().unwrap().len(), 1);
}

/// Changing `tokens.algorithm`
#[tokio::test]
async fn tokens_of_a_former_algorithm_are_valid_until_they_end_and_its_key_is_removed_then() {
    let bench = Bench::new();
    let before = bench.keys(TokenAlgorithm::Hs256);
    let token = before.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    let after = bench.keys(TokenAlgorithm::Es256);
    let new = after.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    assert!(verify(&after, TokenKind::Access, &token).await.is_some());
    bench.advance(PAUSE);
    assert!(verify(&before, TokenKind::Access, &new).await.is_some(), "a gateway that has yet to be restarted");
    let algorithms = || bench.store.kept.lock().unwrap().iter().map(|key| key.algorithm).collect::<Vec<_>>();
    bench.advance(37 * DAY);
    after.tend().await.unwrap();
    assert_eq!(algorithms().len(), 4);
    bench.advance(LEEWAY);
    after.tend().await.unwrap();
    assert_eq!(algorithms(), [TokenAlgorithm::Es256, TokenAlgorithm::Es256]);
}

#[tokio::test]
async fn a_token_of_a_key_that_another_gateway_made_is_verified() {
    let bench = Bench::new();
    let (one, other) = (bench.keys(TokenAlgorithm::EdDsa), bench.keys(TokenAlgorithm::Es256));
    one.tend().await.unwrap();
    let token = other.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    bench.advance(PAUSE);
    assert!(verify(&one, TokenKind::Access, &token).await.is_some());
}

#[tokio::test]
async fn a_flood_of_made_up_keys_is_one_read_a_second() {
    let bench = Bench::new();
    let keys = bench.keys(TokenAlgorithm::EdDsa);
    keys.tend().await.unwrap();
    let before = bench.store.lists();
    for second in 0..3 {
        for number in 0..50 {
            let token = forge(
                &keys,
                |mut usual| {
                    usual["kid"] = json!(format!("{second}-{number}"));
                    usual.to_string()
                },
                "{}",
            )
            .await;
            assert!(verify(&keys, TokenKind::Access, &token).await.is_none());
        }
        bench.advance(PAUSE);
    }
    assert_eq!(bench.store.lists() - before, 2, "none in the second of the last one");
}

/// contract 3.9: a failed dependency is a refusal, and what is at hand goes on
#[tokio::test]
async fn with_the_store_down_known_keys_go_on_and_nothing_is_said_of_unknown_ones() {
    let bench = Bench::new();
    let keys = bench.keys(TokenAlgorithm::EdDsa);
    let token = keys.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    let stranger = Bench::new().keys(TokenAlgorithm::EdDsa).sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    bench.store.fail(true);
    bench.advance(FRESH_FOR);
    assert!(keys.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.is_ok());
    assert!(keys.sign(TokenKind::Assertion, &bench.claims(TokenKind::Assertion)).await.is_ok());
    assert!(keys.verify_expired::<Value>(TokenKind::Access, &token).await.unwrap().is_some());
    assert!(keys.jwks().await.is_ok());
    for _ in 0..3 {
        assert!(keys.verify::<Value>(TokenKind::Access, &stranger).await.is_err());
    }
    assert!(keys.tend().await.is_err());
    let unread = bench.keys(TokenAlgorithm::EdDsa);
    assert!(unread.verify::<Value>(TokenKind::Access, &token).await.is_err());
    assert!(unread.sign(TokenKind::Assertion, &bench.claims(TokenKind::Assertion)).await.is_err());
    assert!(unread.jwks().await.is_err());
    bench.store.fail(false);
    bench.advance(PAUSE);
    assert!(verify(&keys, TokenKind::Access, &stranger).await.is_none());
    assert!(unread.sign(TokenKind::Assertion, &bench.claims(TokenKind::Assertion)).await.is_ok());
}

#[tokio::test]
async fn with_the_store_down_before_the_first_read_it_is_asked_once_a_second() {
    let bench = Bench::new();
    bench.store.fail(true);
    let keys = bench.keys(TokenAlgorithm::EdDsa);
    for _ in 0..50 {
        assert!(keys.sign(TokenKind::Assertion, &bench.claims(TokenKind::Assertion)).await.is_err());
    }
    assert_eq!(bench.store.lists(), 1);
}

/// contract 2: `secret_previous` still decrypts, and records are encrypted anew
#[tokio::test]
async fn keys_outlive_a_change_of_the_secret() {
    let bench = Bench::new();
    let before = bench.keys_with(TokenAlgorithm::Es256, "a", None);
    let token = before.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    let change = bench.keys_with(TokenAlgorithm::Es256, "b", Some("a"));
    assert!(verify(&change, TokenKind::Access, &token).await.is_some());
    let after = bench.keys_with(TokenAlgorithm::Es256, "b", None);
    assert!(verify(&after, TokenKind::Access, &token).await.is_some());
    // A gateway that has yet to be restarted goes on with what it knows.
    before.tend().await.unwrap();
    assert_eq!(signing_key(&before, &bench).await, signing_key(&after, &bench).await);
    assert_eq!(bench.store.kept.lock().unwrap().len(), 1);
}

/// docs/operations.md: while gateways know both secrets in either order
#[tokio::test]
async fn gateways_that_change_their_secret_one_after_the_other_do_not_seal_back_and_forth() {
    let bench = Bench::new();
    bench.keys_with(TokenAlgorithm::EdDsa, "a", None).tend().await.unwrap();
    let (not_yet, changed) =
        (bench.keys_with(TokenAlgorithm::EdDsa, "a", Some("b")), bench.keys_with(TokenAlgorithm::EdDsa, "b", Some("a")));
    let sealed = || bench.store.kept.lock().unwrap()[0].sealed.clone();
    let first = sealed();
    not_yet.tend().await.unwrap();
    assert_eq!(sealed(), first);
    changed.tend().await.unwrap();
    let anew = sealed();
    assert_ne!(anew, first);
    for keys in [&not_yet, &changed] {
        keys.tend().await.unwrap();
        assert_eq!((sealed(), published(keys).await.len()), (anew.clone(), 1));
    }
}

#[tokio::test]
async fn with_the_secret_lost_new_keys_are_made_and_old_tokens_end() {
    let bench = Bench::new();
    let before = bench.keys_with(TokenAlgorithm::Hs256, "a", None);
    let token = before.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    let after = bench.keys_with(TokenAlgorithm::Hs256, "b", None);
    let new = after.sign(TokenKind::Access, &bench.claims(TokenKind::Access)).await.unwrap();
    assert!(verify(&after, TokenKind::Access, &new).await.is_some());
    assert!(verify(&after, TokenKind::Access, &token).await.is_none());
    assert_eq!(published(&after).await.len(), 1, "what cannot be opened is not published");
    // Whoever still has the former secret is left alone, for as long as what it signs may live.
    assert_eq!(signing_key(&before, &bench).await, jws::Jws::parse(&token).unwrap().header.kid.unwrap());
    assert_eq!(bench.store.kept.lock().unwrap().len(), 4);
    bench.advance(38 * DAY);
    after.tend().await.unwrap();
    let kept = bench.store.kept.lock().unwrap().clone();
    assert!(kept.iter().all(|key| after.open(key).is_some()), "{kept:?}");
}
