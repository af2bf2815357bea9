//! Upstream and operator assertions, and forgeries of both.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{NOW, later};
use crate::assertion::{self, Assertion, AssertionError, PublicKey, Signer};
use crate::encoding::{base64url, from_base64url};
use crate::operator;

const ORIGIN: &str = "https://countersign.localhost:8443";

fn signer() -> Signer {
    Signer::from_seed(&[7; 32])
}

fn honest() -> Assertion {
    Assertion {
        iss: ORIGIN.to_owned(),
        aud: "wiki".to_owned(),
        sub: "human:alice@example.org".to_owned(),
        iat: NOW.seconds(),
        exp: later(60).seconds(),
        jti: "0123456789abcdef".to_owned(),
        decision: "00000000000000000000000000000001".to_owned(),
        groups: vec!["owners".to_owned()],
        name: Some("Alice".to_owned()),
        email: None,
        device: Some("laptop".to_owned()),
    }
}

fn verify(token: &str) -> Result<Assertion, AssertionError> {
    assertion::verify(token, signer().public_key(), ORIGIN, "wiki", NOW)
}

#[test]
fn an_application_verifies_with_the_published_key() {
    let token = signer().sign(&honest());
    let published = signer().jwks();
    let key = PublicKey::from_jwk(&published["keys"][0]).unwrap();
    assert_eq!(published["keys"][0]["kid"], signer().kid());
    assert_eq!(assertion::verify(&token, &key, ORIGIN, "wiki", later(30)).unwrap(), honest());
}

/// RFC 8037, appendix A.3.
#[test]
fn the_key_id_is_the_thumbprint() {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    assert_eq!(PublicKey::from_jwk(&jwk).unwrap().kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn whatever_is_wrong_is_refused() {
    use AssertionError as E;
    let sign = |change: fn(&mut Assertion)| {
        let mut claims = honest();
        change(&mut claims);
        signer().sign(&claims)
    };
    assert_eq!(verify(&sign(|c| c.aud = "payroll".to_owned())), Err(E::Audience));
    assert_eq!(verify(&sign(|c| c.iss = "https://elsewhere".to_owned())), Err(E::Issuer));
    assert_eq!(verify(&sign(|c| c.exp = NOW.seconds() - 10)), Err(E::Time));
    assert_eq!(verify(&sign(|c| c.exp += 3600)), Err(E::Time), "valid for too long");
    assert_eq!(verify(&sign(|c| c.iat += 30)), Err(E::Time), "from the future");
    assert_eq!(verify(&Signer::from_seed(&[8; 32]).sign(&honest())), Err(E::Shape), "names another key");
    assert_eq!(verify(&signer().sign_as(operator::TYPE, &honest())), Err(E::Shape), "another type");
    assert_eq!(verify(&signer().sign_as("JWT", &honest())), Err(E::Shape), "another type");
    assert_eq!(verify(""), Err(E::Shape));
}

/// A token with this header and the honest claims, and a signature over it by `sign`.
fn with_header(header: &Value, sign: impl Fn(&str) -> String) -> String {
    let message = format!("{}.{}", base64url(header.to_string()), base64url(serde_json::to_vec(&honest()).unwrap()));
    let signature = sign(&message);
    format!("{message}.{signature}")
}

#[test]
fn the_token_does_not_choose_its_algorithm_or_key() {
    let none = with_header(&json!({ "alg": "none", "typ": assertion::TYPE }), |_| String::new());
    assert_eq!(verify(&none), Err(AssertionError::Shape));

    // The public key as the secret of a MAC: the oldest trick.
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some(assertion::TYPE.to_owned());
    let mac = jsonwebtoken::encode(&header, &honest(), &EncodingKey::from_secret(signer().public_key().as_bytes()));
    assert_eq!(verify(&mac.unwrap()), Err(AssertionError::Shape));

    // A stranger's key brought along, under our key's name.
    let stranger = Signer::from_seed(&[9; 32]);
    let token = stranger.sign(&honest());
    let signature = |message: &str| {
        use ed25519_dalek::Signer as _;
        base64url(ed25519_dalek::SigningKey::from_bytes(&[9; 32]).sign(message.as_bytes()).to_bytes())
    };
    let brought = json!({
        "alg": "EdDSA", "typ": assertion::TYPE, "kid": signer().kid(), "jwk": stranger.public_key().jwk(),
    });
    assert_eq!(verify(&with_header(&brought, signature)), Err(AssertionError::Signature));
    assert!(assertion::verify(&token, stranger.public_key(), ORIGIN, "wiki", NOW).is_ok());
}

#[test]
fn a_changed_bit_is_seen() {
    let token = signer().sign(&honest());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = from_base64url(signature).unwrap();
    bytes[10] ^= 1;
    assert_eq!(verify(&format!("{message}.{}", base64url(bytes))), Err(AssertionError::Signature));
    let (header, _) = message.split_once('.').unwrap();
    let claims = base64url(serde_json::to_vec(&Assertion { sub: "human:mallory".to_owned(), ..honest() }).unwrap());
    assert_eq!(verify(&format!("{header}.{claims}.{signature}")), Err(AssertionError::Signature));
}

#[test]
fn the_operator_is_let_in_at_this_origin_for_a_minute() {
    let origins = ["http://countersign.localhost:8080", ORIGIN];
    let token = operator::sign(&signer(), ORIGIN, NOW);
    let verify = |now| operator::verify(token.expose(), signer().public_key(), &origins, now);
    let first = verify(NOW).unwrap();
    assert_eq!(
        verify(later(64)).unwrap().jti,
        first.jti,
        "the same token has the same id: the caller refuses it twice"
    );
    assert_eq!(verify(first.expires), Err(AssertionError::Time));
    assert_ne!(operator::sign(&signer(), ORIGIN, NOW).expose(), token.expose());
    let elsewhere = operator::sign(&signer(), "https://elsewhere.example", NOW);
    let verdict = operator::verify(elsewhere.expose(), signer().public_key(), &origins, NOW);
    assert_eq!(verdict, Err(AssertionError::Audience));
    let stranger = operator::verify(token.expose(), Signer::from_seed(&[8; 32]).public_key(), &origins, NOW);
    assert_eq!(stranger, Err(AssertionError::Shape));
    // What an application receives is no way in.
    let upstream = signer().sign(&Assertion { aud: ORIGIN.to_owned(), ..honest() });
    assert_eq!(operator::verify(&upstream, signer().public_key(), &origins, NOW), Err(AssertionError::Shape));
}

#[test]
fn a_signer_does_not_print_its_key() {
    assert!(!format!("{:?}", signer()).contains("7, 7"));
}

proptest! {
    #[test]
    fn verifying_never_panics(text in "[ -~]{0,300}") {
        prop_assert!(verify(&text).is_err());
    }

    #[test]
    fn every_assertion_survives(sub in ".{0,60}", groups in prop::collection::vec(".{0,20}", 0..5)) {
        let claims = Assertion { sub, groups, ..honest() };
        prop_assert_eq!(verify(&signer().sign(&claims)).unwrap(), claims);
    }
}
