//! The compact form of a JSON Web Signature (RFC 7515 section 7.1), read as strictly as possible: whoever signed wrote exactly
//! these bytes, so nothing has to be forgiven. What the signature is worth is not decided here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Longest token that is looked at.
const LONGEST: usize = 8 << 10;

/// A token taken apart.
pub(super) struct Jws<'a> {
    /// What it says of itself.
    pub(super) header: Header,
    /// What is signed: header and payload as they were received.
    pub(super) signed: &'a [u8],
    /// The payload.
    pub(super) payload: Vec<u8>,
    /// The signature.
    pub(super) signature: Vec<u8>,
}

/// The header that we write, and nothing else: a token that brings its own key (`jwk`, `jku`, `x5u`, `x5c`) or asks for
/// extensions (`crit`) is refused, as is a member that stands there twice (RFC 8725 sections 3.1 and 3.10).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) typ: Option<String>,
}

impl<'a> Jws<'a> {
    /// Takes the token apart. There is one way only to write it: base64url without padding, and no bits beyond the text.
    pub(super) fn parse(token: &'a str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        Some(Self {
            header: serde_json::from_slice(&decode(header)?).ok()?,
            signed: signed.as_bytes(),
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    /// The members of the payload, if it is an object in which none stands twice.
    pub(super) fn members(&self) -> Option<Map<String, Value>> {
        serde_json::from_slice::<Members>(&self.payload).ok().map(|members| members.0)
    }
}

/// What is to be signed.
pub(super) fn unsigned(header: &Header, claims: &impl Serialize) -> Result<String, serde_json::Error> {
    let part = |json: Vec<u8>| URL_SAFE_NO_PAD.encode(json);
    Ok(format!("{}.{}", part(serde_json::to_vec(header)?), part(serde_json::to_vec(claims)?)))
}

/// The signed token.
pub(super) fn signed(mut unsigned: String, signature: &[u8]) -> String {
    unsigned.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut unsigned);
    unsigned
}

/// What a token seems to say, for telling whose it is and never for believing it: `kid` and `iss`.
pub(super) fn names(token: &str) -> Option<(Option<String>, Option<String>)> {
    let (signed, _signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let object = |part: &str| serde_json::from_slice::<Map<String, Value>>(&decode(part)?).ok();
    let text = |object: &Map<String, Value>, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let header = object(header)?;
    Some((text(&header, "kid"), object(payload).and_then(|payload| text(&payload, "iss"))))
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// The members of an object. `serde_json::Map` alone would take the last of two with one name.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands there twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}
