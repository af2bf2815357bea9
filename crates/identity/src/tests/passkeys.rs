//! Passkeys: the ceremony as it should be, and every way that an authenticator or a page could cheat.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::passkey::{Passkey, PasskeyError, Passkeys, Url, Uuid, Verified};
use crate::software_passkey::{Misbehaviour, SoftwarePasskey, SoftwarePasskeyError};

const HTTP: &str = "http://countersign.localhost:8080";
const HTTPS: &str = "https://countersign.localhost:8443";
const ALICE: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);

fn host() -> Passkeys {
    let origins = [HTTP, HTTPS].map(|origin| Url::parse(origin).unwrap());
    Passkeys::new("countersign.localhost", &origins, "Countersign").unwrap()
}

fn enrol(device: &mut SoftwarePasskey, person: Uuid, origin: &str) -> Result<Passkey, PasskeyError> {
    let (options, state) = host().begin_registration(person, "alice@example.org", "Alice", &[]).unwrap();
    let answer = device.create(&options, origin).unwrap();
    host().finish_registration(&answer, state)
}

fn sign_in(device: &mut SoftwarePasskey, origin: &str, passkeys: &[Passkey]) -> Result<Verified, PasskeyError> {
    let (options, state) = host().begin_sign_in().unwrap();
    let answer = device.get(&options, origin).unwrap();
    let claimed = host().identify(&answer)?;
    host().finish_authentication(&answer, state, claimed.user, passkeys)
}

#[test]
fn a_person_enrols_and_signs_in_without_a_name() {
    let mut device = SoftwarePasskey::new();
    let passkey = enrol(&mut device, ALICE, HTTP).unwrap();
    let verified = sign_in(&mut device, HTTPS, std::slice::from_ref(&passkey)).unwrap();
    assert_eq!(verified.credential, passkey.id());
    assert_eq!(verified.counter, 1);
    assert!(!verified.backed_up && !verified.backup_eligible);
    // Again, from what was stored.
    let stored: Passkey = serde_json::from_str(&serde_json::to_string(&verified.passkey).unwrap()).unwrap();
    assert_eq!(sign_in(&mut device, HTTP, &[stored]).unwrap().counter, 2);
}

#[test]
fn what_the_browser_is_asked_demands_user_verification_and_a_discoverable_key() {
    let (options, _) = host().begin_registration(ALICE, "alice@example.org", "Alice", &[]).unwrap();
    let selection = &options["publicKey"]["authenticatorSelection"];
    assert_eq!(selection["userVerification"], "required");
    assert_eq!(selection["residentKey"], "required");
    assert_eq!(selection["requireResidentKey"], true);
    assert_eq!(options["publicKey"]["rp"]["id"], "countersign.localhost");
    assert_eq!(options["publicKey"]["attestation"], "none");
    let (options, _) = host().begin_sign_in().unwrap();
    assert_eq!(options["publicKey"]["userVerification"], "required");
    assert_eq!(options["publicKey"]["allowCredentials"], json!([]));
    assert_eq!(options.get("mediation"), None);
}

#[test]
fn states_survive_being_stored() {
    let mut device = SoftwarePasskey::new();
    let (options, state) = host().begin_registration(ALICE, "alice", "Alice", &[]).unwrap();
    let state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    let passkey = host().finish_registration(&device.create(&options, HTTP).unwrap(), state).unwrap();
    let (options, state) = host().begin_sign_in().unwrap();
    let state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    let answer = device.get(&options, HTTP).unwrap();
    assert!(host().finish_authentication(&answer, state, ALICE, &[passkey]).is_ok());
}

#[test]
fn a_person_has_several_passkeys_but_not_one_twice() {
    let (mut laptop, mut phone) = (SoftwarePasskey::new(), SoftwarePasskey::new());
    let first = enrol(&mut laptop, ALICE, HTTP).unwrap();
    let (options, state) = host().begin_registration(ALICE, "alice", "Alice", std::slice::from_ref(&first)).unwrap();
    assert_eq!(laptop.create(&options, HTTP).unwrap_err(), SoftwarePasskeyError::Excluded);
    let second = host().finish_registration(&phone.create(&options, HTTP).unwrap(), state).unwrap();
    let both = [first, second];
    assert_eq!(sign_in(&mut laptop, HTTP, &both).unwrap().credential, both[0].id());
    assert_eq!(sign_in(&mut phone, HTTP, &both).unwrap().credential, both[1].id());
}

#[test]
fn another_page_gets_nothing() {
    let mut device = SoftwarePasskey::new();
    let passkey = enrol(&mut device, ALICE, HTTP).unwrap();
    let (options, _) = host().begin_sign_in().unwrap();
    assert_eq!(device.get(&options, "https://countersign.example").unwrap_err(), SoftwarePasskeyError::Origin);
    device.misbehaviour.skip_origin_check = true;
    let mut fresh = SoftwarePasskey::new();
    fresh.misbehaviour.skip_origin_check = true;
    let passkeys = [passkey];
    for origin in [
        "https://countersign.example",
        "http://countersign.localhost:9999",
        "http://countersign.localhost",
        "https://countersign.localhost:8080",
        "http://wiki.localhost:8080",
        "http://x.countersign.localhost:8080",
        "http://countersign.localhost.evil.example:8080",
    ] {
        assert_eq!(sign_in(&mut device, origin, &passkeys).unwrap_err(), PasskeyError::WrongCeremony, "{origin}");
        assert_eq!(enrol(&mut fresh, ALICE, origin).unwrap_err(), PasskeyError::WrongCeremony, "{origin}");
    }
}

#[test]
fn a_framed_page_gets_nothing() {
    let mut device = SoftwarePasskey::new();
    let passkey = enrol(&mut device, ALICE, HTTP).unwrap();
    device.misbehaviour.cross_origin = true;
    assert_eq!(sign_in(&mut device, HTTP, &[passkey]).unwrap_err(), PasskeyError::WrongCeremony);
    assert_eq!(enrol(&mut device, ALICE, HTTP).unwrap_err(), PasskeyError::WrongCeremony);
}

#[test]
fn a_key_for_another_host_is_refused() {
    let mut device = SoftwarePasskey::new();
    let passkey = enrol(&mut device, ALICE, HTTP).unwrap();
    let (mut options, state) = host().begin_registration(ALICE, "alice", "Alice", &[]).unwrap();
    options["publicKey"]["rp"]["id"] = json!("localhost");
    let answer = device.create(&options, HTTP).unwrap();
    assert_eq!(host().finish_registration(&answer, state).unwrap_err(), PasskeyError::WrongCeremony);
    let (mut options, state) = host().begin_sign_in().unwrap();
    options["publicKey"]["rpId"] = json!("localhost");
    let answer = device.get(&options, HTTP).unwrap();
    let verdict = host().finish_authentication(&answer, state, ALICE, &[passkey]);
    assert!(matches!(verdict, Err(PasskeyError::Unknown | PasskeyError::WrongCeremony)));
}

#[test]
fn without_user_verification_there_is_no_passkey_and_no_sign_in() {
    let mut device = SoftwarePasskey::new();
    let passkey = enrol(&mut device, ALICE, HTTP).unwrap();
    device.misbehaviour.skip_user_verification = true;
    assert_eq!(sign_in(&mut device, HTTP, &[passkey]).unwrap_err(), PasskeyError::UserNotVerified);
    assert_eq!(enrol(&mut device, ALICE, HTTP).unwrap_err(), PasskeyError::UserNotVerified);
}

#[test]
fn an_answer_is_good_for_its_own_challenge_only() {
    let mut device = SoftwarePasskey::new();
    let passkeys = [enrol(&mut device, ALICE, HTTP).unwrap()];
    let (options, state) = host().begin_sign_in().unwrap();
    let answer = device.get(&options, HTTP).unwrap();
    assert!(host().finish_authentication(&answer, state, ALICE, &passkeys).is_ok());
    // The state is gone with its first use; the same answer to a new challenge is a replay.
    let (_, state) = host().begin_sign_in().unwrap();
    let replayed = host().finish_authentication(&answer, state, ALICE, &passkeys);
    assert_eq!(replayed.unwrap_err(), PasskeyError::WrongCeremony);
    device.misbehaviour.challenge = Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());
    assert_eq!(sign_in(&mut device, HTTP, &passkeys).unwrap_err(), PasskeyError::WrongCeremony);
    assert_eq!(enrol(&mut device, ALICE, HTTP).unwrap_err(), PasskeyError::WrongCeremony);
}

#[test]
fn an_answer_of_another_kind_is_refused() {
    let mut device = SoftwarePasskey::new();
    let passkeys = [enrol(&mut device, ALICE, HTTP).unwrap()];
    device.misbehaviour.client_data_type = Some("webauthn.create".to_owned());
    assert_eq!(sign_in(&mut device, HTTP, &passkeys).unwrap_err(), PasskeyError::WrongCeremony);
    device.misbehaviour.client_data_type = Some("webauthn.get".to_owned());
    assert_eq!(enrol(&mut device, ALICE, HTTP).unwrap_err(), PasskeyError::WrongCeremony);
}

#[test]
fn a_counter_that_stands_still_or_goes_back_shows_a_copy() {
    let mut device = SoftwarePasskey::new();
    let passkey = enrol(&mut device, ALICE, HTTP).unwrap();
    device.misbehaviour.counter = Some(10);
    let moved = sign_in(&mut device, HTTP, &[passkey]).unwrap().passkey;
    for counter in [10, 9, 1, 0] {
        device.misbehaviour.counter = Some(counter);
        let verdict = sign_in(&mut device, HTTP, std::slice::from_ref(&moved));
        assert_eq!(verdict.unwrap_err(), PasskeyError::PossiblyCloned, "{counter}");
    }
    device.misbehaviour.counter = Some(11);
    assert_eq!(sign_in(&mut device, HTTP, &[moved]).unwrap().counter, 11);
}

#[test]
fn nobody_signs_in_as_somebody_else() {
    let (mut alices, mut bobs) = (SoftwarePasskey::new(), SoftwarePasskey::new());
    let alice = [enrol(&mut alices, ALICE, HTTP).unwrap()];
    let bob = [enrol(&mut bobs, BOB, HTTP).unwrap()];
    // Bob's key, with Alice's number in the answer: the caller loads Alice's passkeys.
    bobs.misbehaviour.user_handle = Some(crate::encoding::base64url(ALICE.as_bytes()));
    assert_eq!(sign_in(&mut bobs, HTTP, &alice).unwrap_err(), PasskeyError::Unknown);
    // Even a caller who loads the wrong ones is not fooled.
    let (options, state) = host().begin_sign_in().unwrap();
    let answer = bobs.get(&options, HTTP).unwrap();
    assert_eq!(host().finish_authentication(&answer, state, BOB, &bob).unwrap_err(), PasskeyError::Unknown);
    bobs.misbehaviour = Misbehaviour::default();
    // A step-up is for one person.
    let (mut options, state) = host().begin_step_up(ALICE, &alice).unwrap();
    assert_eq!(state.user(), Some(ALICE));
    assert_eq!(bobs.get(&options, HTTP).unwrap_err(), SoftwarePasskeyError::NotFound);
    options["publicKey"]["allowCredentials"] = json!([]);
    let answer = bobs.get(&options, HTTP).unwrap();
    assert_eq!(host().finish_authentication(&answer, state, BOB, &bob).unwrap_err(), PasskeyError::Unknown);
}

#[test]
fn a_step_up_needs_no_name_in_the_answer() {
    let mut device = SoftwarePasskey::new();
    let passkeys = [enrol(&mut device, ALICE, HTTP).unwrap()];
    let (options, state) = host().begin_step_up(ALICE, &passkeys).unwrap();
    let mut answer = device.get(&options, HTTP).unwrap();
    answer["response"]["userHandle"] = Value::Null;
    assert!(host().finish_authentication(&answer, state, ALICE, &passkeys).is_ok());
    // For a sign-in it would be nobody.
    let (options, state) = host().begin_sign_in().unwrap();
    let mut answer = device.get(&options, HTTP).unwrap();
    answer["response"]["userHandle"] = Value::Null;
    assert_eq!(host().identify(&answer).unwrap_err(), PasskeyError::Unknown);
    assert_eq!(host().finish_authentication(&answer, state, ALICE, &passkeys).unwrap_err(), PasskeyError::Unknown);
}

#[test]
fn a_removed_passkey_signs_nobody_in() {
    let mut device = SoftwarePasskey::new();
    enrol(&mut device, ALICE, HTTP).unwrap();
    assert_eq!(sign_in(&mut device, HTTP, &[]).unwrap_err(), PasskeyError::Unknown);
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let (mut device, mut other) = (SoftwarePasskey::new(), SoftwarePasskey::new());
    let passkeys = [enrol(&mut device, ALICE, HTTP).unwrap()];
    enrol(&mut other, ALICE, HTTP).unwrap();
    let (options, state) = host().begin_sign_in().unwrap();
    let mut answer = other.get(&options, HTTP).unwrap();
    let honest = device.get(&options, HTTP).unwrap();
    answer["id"] = honest["id"].clone();
    answer["rawId"] = honest["rawId"].clone();
    let verdict = host().finish_authentication(&answer, state, ALICE, &passkeys);
    assert_eq!(verdict.unwrap_err(), PasskeyError::Invalid);
}

#[test]
fn origins_must_belong_to_the_host() {
    let origin = Url::parse("https://elsewhere.example").unwrap();
    let good = Url::parse(HTTP).unwrap();
    for origins in [vec![], vec![origin.clone()], vec![good, origin]] {
        let verdict = Passkeys::new("countersign.localhost", &origins, "Countersign");
        assert_eq!(verdict.unwrap_err(), PasskeyError::Configuration);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any one byte of an answer changed: refused, and nothing breaks.
    #[test]
    fn a_damaged_answer_is_refused(field in 0..3_usize, at in 0..1000_usize, flip in 1..=255_u8) {
        let mut device = SoftwarePasskey::new();
        let passkeys = [enrol(&mut device, ALICE, HTTP).unwrap()];
        let (options, state) = host().begin_sign_in().unwrap();
        let mut answer = device.get(&options, HTTP).unwrap();
        let name = ["clientDataJSON", "authenticatorData", "signature"][field];
        let mut bytes = crate::encoding::from_base64url(answer["response"][name].as_str().unwrap()).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= flip;
        answer["response"][name] = json!(crate::encoding::base64url(bytes));
        prop_assert!(host().finish_authentication(&answer, state, ALICE, &passkeys).is_err());
    }

    #[test]
    fn reading_an_answer_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = crate::encoding::base64url(&bytes);
        let answer = json!({
            "id": text, "rawId": text, "type": "public-key",
            "response": {
                "clientDataJSON": text, "attestationObject": text, "authenticatorData": text, "signature": text,
                "userHandle": text,
            },
        });
        let (_, state) = host().begin_registration(ALICE, "alice", "Alice", &[]).unwrap();
        prop_assert!(host().finish_registration(&answer, state).is_err());
        let (_, state) = host().begin_sign_in().unwrap();
        let _ = host().identify(&answer);
        prop_assert!(host().finish_authentication(&answer, state, ALICE, &[]).is_err());
    }
}
