//! Virtual security keys against a relying party that is not ours: webauthn-rs.

use reqwest::Url;
use serde_json::Value;
use stepup::persona::key::{Maker, Manner, SecurityKey};
use webauthn_rs::prelude::{Passkey, PasskeyAuthentication, Uuid, Webauthn, WebauthnBuilder, WebauthnError};

struct Party {
    webauthn: Webauthn,
    origin: Url,
}

impl Party {
    fn new() -> Self {
        let origin = Url::parse("http://localhost:4873").expect("an address");
        let webauthn = WebauthnBuilder::new("localhost", &origin).and_then(WebauthnBuilder::build).expect("it builds");
        Party { webauthn, origin }
    }

    async fn register(&self, key: &mut SecurityKey) -> Passkey {
        let (options, state) =
            self.webauthn.start_passkey_registration(Uuid::new_v4(), "user", "User", None).expect("it starts");
        let options = serde_json::to_value(options).expect("options");
        let made = key.register(&self.origin, &options["publicKey"], Manner::Right).await.expect("the key registers");
        let made = serde_json::from_value(made).expect("a credential");
        self.webauthn.finish_passkey_registration(&made, &state).expect("the registration is right")
    }

    async fn assert(&self, key: &mut SecurityKey, passkey: &Passkey, manner: Manner) -> (Value, PasskeyAuthentication) {
        let (options, state) =
            self.webauthn.start_passkey_authentication(std::slice::from_ref(passkey)).expect("it starts");
        let options = serde_json::to_value(options).expect("options");
        (key.assert(&self.origin, &options, manner).await.expect("the key answers"), state)
    }

    fn finish(&self, assertion: Value, state: &PasskeyAuthentication) -> Result<u32, WebauthnError> {
        let assertion = serde_json::from_value(assertion).expect("an assertion");
        self.webauthn.finish_passkey_authentication(&assertion, state).map(|result| result.counter())
    }
}

#[tokio::test]
async fn every_maker_registers_and_answers_twice_with_a_rising_counter() {
    let party = Party::new();
    for maker in Maker::ALL {
        let mut key = SecurityKey::new(maker);
        let passkey = party.register(&mut key).await;
        let mut last = 0;
        for _ in 0..2 {
            let (assertion, state) = party.assert(&mut key, &passkey, Manner::Right).await;
            let counter = party.finish(assertion, &state).unwrap_or_else(|error| panic!("{maker:?}: {error}"));
            assert!(counter > last, "{maker:?}: {counter} after {last}");
            last = counter;
        }
        let (assertion, state) = party.assert(&mut key, &passkey, Manner::BrokenSignature).await;
        assert!(matches!(party.finish(assertion, &state), Err(WebauthnError::AuthenticationFailure)), "{maker:?}");
    }
}

#[tokio::test]
async fn what_a_relying_party_must_turn_down_is_turned_down_for_that_reason() {
    let party = Party::new();
    let mut key = SecurityKey::new(Maker::Own);
    let mut passkey = party.register(&mut key).await;
    // webauthn-rs 0.6 looks at `crossOrigin` in registrations alone, so that manner is not among these.
    for (manner, reason) in [
        (Manner::OtherChallenge, "MismatchedChallenge"),
        (Manner::WrongOrigin, "InvalidRPOrigin"),
        (Manner::WrongType, "InvalidClientDataType"),
        (Manner::WrongRpId, "InvalidRPIDHash"),
        (Manner::UserNotPresent, "UserNotPresent"),
        (Manner::UserNotVerified, "UserNotVerified"),
    ] {
        let (assertion, state) = party.assert(&mut key, &passkey, manner).await;
        let error = party.finish(assertion, &state).map(|_| ()).expect_err(manner.words());
        assert_eq!(format!("{error:?}"), reason, "{}", manner.words());
    }
    let (assertion, state) = party.assert(&mut key, &passkey, Manner::Right).await;
    let assertion = serde_json::from_value(assertion).expect("an assertion");
    let result = party.webauthn.finish_passkey_authentication(&assertion, &state).expect("it is right");
    passkey.update_credential(&result);
    let (assertion, state) = party.assert(&mut key, &passkey, Manner::CounterBack).await;
    assert!(matches!(party.finish(assertion, &state), Err(WebauthnError::CredentialPossibleCompromise)));
}

#[tokio::test]
async fn a_registration_that_must_be_turned_down_is_turned_down_for_that_reason() {
    let party = Party::new();
    for (manner, reason) in [
        (Manner::OtherChallenge, "MismatchedChallenge"),
        (Manner::WrongOrigin, "InvalidRPOrigin"),
        (Manner::CrossOrigin, "CredentialCrossOrigin"),
        (Manner::WrongType, "InvalidClientDataType"),
        (Manner::WrongRpId, "InvalidRPIDHash"),
        (Manner::UserNotPresent, "UserNotPresent"),
        (Manner::UserNotVerified, "UserNotVerified"),
    ] {
        let (options, state) =
            party.webauthn.start_passkey_registration(Uuid::new_v4(), "user", "User", None).expect("it starts");
        let options = serde_json::to_value(options).expect("options");
        let made = SecurityKey::new(Maker::Own).register(&party.origin, &options, manner).await.expect("it is made");
        let made = serde_json::from_value(made).expect("a credential");
        let error = party.webauthn.finish_passkey_registration(&made, &state).expect_err(manner.words());
        assert_eq!(format!("{error:?}"), reason);
        let error = SecurityKey::new(Maker::Passkey).register(&party.origin, &options, manner).await;
        assert!(error.expect_err("it cannot").starts_with("this authenticator cannot make a registration "));
    }
    let options = serde_json::json!({ "challenge": "AAAA" });
    let error = SecurityKey::new(Maker::Own).register(&party.origin, &options, Manner::CounterBack).await;
    assert_eq!(
        error.expect_err("nothing was counted"),
        "a registration cannot be what an assertion with a lower signature counter is"
    );
}

#[tokio::test]
async fn a_key_that_was_kept_answers_again_and_one_whose_maker_refuses_says_so() {
    let party = Party::new();
    let mut key = SecurityKey::new(Maker::Own);
    let passkey = party.register(&mut key).await;
    let kept = serde_json::to_string(&key.stored().expect("it can be kept")).expect("text");
    assert!(!format!("{:?}", key.stored()).contains(&kept[20..40]));
    let mut again = SecurityKey::resumed(serde_json::from_str(&kept).expect("it is read back")).expect("it works");
    let (assertion, state) = party.assert(&mut again, &passkey, Manner::Right).await;
    assert_eq!(party.finish(assertion, &state).expect("it is right"), 1);

    let mut soft = SecurityKey::new(Maker::SoftPasskey);
    assert!(soft.stored().is_none());
    let options = serde_json::json!({ "challenge": "AAAA", "rpId": "localhost" });
    let refused = soft.assert(&party.origin, &options, Manner::WrongRpId).await.expect_err("it cannot");
    assert_eq!(refused, "this authenticator cannot make an assertion for another relying party");
}

#[tokio::test]
async fn a_key_in_a_file_goes_on_counting_in_the_next_run_and_a_broken_file_shows_nothing_of_itself() {
    let party = Party::new();
    let mut key = SecurityKey::new(Maker::Own);
    let passkey = party.register(&mut key).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("key.json");
    std::fs::write(&path, serde_json::to_string(&key.stored().expect("it can be kept")).expect("text"))
        .expect("written");
    for run in 1..=2 {
        let mut key = SecurityKey::kept_in(&path).expect("it is read");
        let (assertion, state) = party.assert(&mut key, &passkey, Manner::Right).await;
        assert_eq!(party.finish(assertion, &state).expect("it is right"), run);
    }
    std::fs::write(&path, "{ \"privateKey\": \"hunter2hunter2\", }").expect("written");
    let error = SecurityKey::kept_in(&path).map(|_| ()).expect_err("it is broken");
    assert_eq!(error, "line 1, column 35: not a security key in JSON");
}
