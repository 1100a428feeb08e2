//! Project Wycheproof's vectors, through our reading of tokens and our keys. `tests/run` fetches them.

use super::jws::{Header, Jws};
use super::key::Verifier;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

#[path = "../../../tests/it/support/cache.rs"]
mod cache;

/// Vectors that are not read as they are labelled. Two are byte for byte vector 357, which is valid: what was to be wrong with
/// their padding is not in the file. Two are valid to readers that skip what is no base64; a token is written in one way only.
const SAME_AS_357: [u64; 2] = [367, 370];
const VALID_TO_LENIENT_READERS: [u64; 2] = [372, 373];

fn vectors(name: &str) -> Vec<(Value, Vec<Value>)> {
    let version = include_str!("../../../tests/servers/wycheproof/version").trim();
    let path = cache::cached("PORTCULLIS_WYCHEPROOF", &format!("wycheproof-{version}")).join(format!("{name}.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run tests/run", path.display()));
    let file: Value = serde_json::from_slice(&text).unwrap();
    let groups = file["testGroups"].as_array().unwrap().iter();
    groups.map(|group| (group.clone(), group["tests"].as_array().unwrap().clone())).collect()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Whether the vector is to be taken.
fn is_valid(test: &Value) -> bool {
    match test["result"].as_str().unwrap() {
        "valid" => true,
        "invalid" => false,
        other => panic!("{other} is neither"),
    }
}

/// The key of a group as one of ours: made for signatures with one of our algorithms. All others are never read.
fn key_of(group: &Value) -> Option<(String, Verifier)> {
    let key = if group["public"].is_object() { &group["public"] } else { &group["private"] };
    let text = |name: &str| key[name].as_str();
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name).unwrap()).unwrap();
    let verifier = match (text("use")?, text("kty")?, text("alg")?) {
        ("sig", "EC", "ES256") if text("crv") == Some("P-256") => Verifier::p256([&[4][..], &bytes("x"), &bytes("y")].concat()),
        ("sig", "oct", "HS256") => Verifier::Hmac(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &bytes("k"))),
        _ => return None,
    };
    Some((text("kid")?.to_owned(), verifier))
}

fn takes(kid: &str, verifier: &Verifier, token: &str) -> bool {
    Jws::parse(token).is_some_and(|jws| jws.header.kid.as_deref() == Some(kid) && verifier.verifies(&jws))
}

/// Issue, "Wycheproof's JSON web signature vectors"; threats.md J01
#[test]
fn tokens_are_taken_and_refused_as_the_vectors_say() {
    let groups = vectors("json_web_signature");
    let ours: Vec<(String, Verifier)> = groups.iter().filter_map(|(group, _)| key_of(group)).collect();
    let (mut taken, mut refused, mut others) = (0, 0, 0);
    for (group, tests) in &groups {
        for test in tests {
            let (token, number) = (test["jws"].as_str().unwrap(), test["tcId"].as_u64().unwrap());
            match key_of(group) {
                Some((kid, verifier)) => {
                    let expected = (is_valid(test) || SAME_AS_357.contains(&number)) && !VALID_TO_LENIENT_READERS.contains(&number);
                    assert_eq!(takes(&kid, &verifier, token), expected, "{number}: {}", test["comment"]);
                    if expected { taken += 1 } else { refused += 1 }
                }
                // The key of other vectors once more, but for encryption: as that it is never read.
                None if group["comment"] == "ec_key_for_encryption" => {}
                None => {
                    assert!(!ours.iter().any(|(kid, verifier)| takes(kid, verifier, token)), "{number}: {}", test["comment"]);
                    others += 1;
                }
            }
        }
    }
    assert_eq!((taken, refused, others), (12, 67, 320));
}

/// Runs the vectors of a primitive; how many of them are taken and refused.
fn check(name: &str, verifier: impl Fn(&Value, &Value) -> Option<Verifier>, signature: &str) -> (usize, usize) {
    let (mut taken, mut refused) = (0, 0);
    for (group, tests) in vectors(name) {
        for test in tests {
            let Some(verifier) = verifier(&group, &test) else { continue };
            let header = Header { alg: verifier.algorithm().name().to_owned(), kid: None, typ: None };
            let message = hex(&test["msg"]);
            let jws = Jws { header, signed: &message, payload: Vec::new(), signature: hex(&test[signature]) };
            let verified = verifier.verifies(&jws);
            assert_eq!(verified, is_valid(&test), "{name} {}: {}", test["tcId"], test["comment"]);
            if verified { taken += 1 } else { refused += 1 }
        }
    }
    (taken, refused)
}

#[test]
fn signatures_are_taken_and_refused_as_the_vectors_say() {
    let ed25519 = |group: &Value, _: &Value| Some(Verifier::ed25519(hex(&group["publicKey"]["pk"])));
    let p256 = |group: &Value, _: &Value| Some(Verifier::p256(hex(&group["publicKey"]["uncompressed"])));
    // Tags that were cut short are for others.
    let hmac = |group: &Value, test: &Value| {
        (group["tagSize"] == 256).then(|| Verifier::Hmac(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &hex(&test["key"]))))
    };
    for (name, (taken, refused)) in [
        ("ed25519", check("ed25519", ed25519, "sig")),
        ("p256", check("ecdsa_secp256r1_sha256_p1363", p256, "sig")),
        ("hmac", check("hmac_sha256", hmac, "tag")),
    ] {
        assert!(taken >= 30 && refused >= 50, "{name}: {taken} {refused}");
    }
}
