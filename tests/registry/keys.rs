//! Registering, naming and removing security keys.

use serde_json::{Value, json};

use crate::support::keys::{Authenticator, Forger, Lie, soft_key};
use crate::support::{self, AUTH_ONLY, BOTH, User, WRITES, World, seed_in};

async fn keys(world: &World, user: &User) -> Vec<Value> {
    world.read(user, "/-/account/keys").await.json()["objects"].as_array().unwrap().clone()
}

async fn tfa(world: &World, user: &User) -> Value {
    world.read(user, "/-/npm/v1/user").await.json()["tfa"].clone()
}

#[tokio::test]
async fn the_first_key_turns_two_factor_authentication_on() {
    for (named, mode) in [(None, WRITES), (Some(WRITES), WRITES), (Some(AUTH_ONLY), AUTH_ONLY)] {
        let world = World::new().await;
        let mut user = world.sign_up("alice").await;
        assert_eq!(keys(&world, &user).await, [Value::Null; 0]);
        let id = world.add_key(&mut user, &mut soft_key(), named, None).await;
        assert_eq!(user.recovery.len(), 5);
        assert_eq!(tfa(&world, &user).await, json!({ "pending": false, "mode": mode }));
        let rows = keys(&world, &user).await;
        assert_eq!((&rows[0]["id"], &rows[0]["name"], rows.len()), (&json!(id), &json!("my key"), 1));
        assert_eq!(rows[0]["created"], "2023-11-14T22:13:30.000Z");
        assert!(world.log_in("alice", &user.password, None).await.is_challenge());
    }
}

#[tokio::test]
async fn a_key_beside_what_stands_is_challenged_in_both_modes() {
    for mode in BOTH {
        let world = World::new().await;
        let mut user = world.enrolled("alice", mode).await;
        assert!(world.begin_key(&user, None, None).await.is_challenge());
        assert!(world.begin_key(&user, None, Some(&world.wrong_code(&user))).await.is_challenge());
        let code = world.code(&user);
        let mut key = soft_key();
        let begun = world.begin_key(&user, Some(AUTH_ONLY), Some(&code)).await;
        let reply = world.end_key(&user, &begun, &mut key).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["recoveryCodes"]), (201, &Value::Null));
        assert_eq!(tfa(&world, &user).await["mode"], mode);
        user.web = true;
        let door = world.door(&world.begin_key(&user, None, None).await);
        let token = world.token_at(&door, &mut key).await;
        world.add_key(&mut user, &mut soft_key(), None, Some(&token)).await;
        assert_eq!(keys(&world, &user).await.len(), 2);
    }
}

#[tokio::test]
async fn registering_needs_the_password_and_a_session_of_ones_own() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    let wrong = User { password: "not it".to_owned(), ..user.clone() };
    assert!(world.begin_key(&wrong, None, None).await.is_plain(401));
    assert!(world.call(&user, "POST", "/-/account/keys/options", Some(json!({})), None).await.is_plain(400));
    assert!(world.begin_key(&user, Some("sometimes"), None).await.is_plain(400));
    assert!(world.get("/-/account/keys").await.is_plain(401));
    let body = json!({ "password": user.password, "readonly": true });
    let reply = world.call(&user, "POST", "/-/npm/v1/tokens", Some(body), None).await;
    let reader = User { token: reply.json()["token"].as_str().unwrap().to_owned(), ..user.clone() };
    assert!(world.begin_key(&reader, None, None).await.is_plain(403));
}

#[tokio::test]
async fn a_registration_is_good_once_for_ten_minutes_and_for_its_user() {
    let world = World::new().await;
    let (alice, bob) = (world.sign_up("alice").await, world.sign_up("bob").await);
    let begun = world.begin_key(&alice, None, None).await;
    assert!(world.end_key(&bob, &begun, &mut soft_key()).await.is_plain(404));
    assert!(world.end_key(&alice, &begun, &mut soft_key()).await.is_success());
    assert!(world.end_key(&alice, &begun, &mut soft_key()).await.is_plain(404));
    let begun = world.begin_key(&bob, None, None).await;
    world.pass(600);
    assert!(world.end_key(&bob, &begun, &mut soft_key()).await.is_plain(404));
    assert_eq!(tfa(&world, &bob).await, Value::Null);
}

#[tokio::test]
async fn a_registration_begun_before_a_factor_stood_adds_nothing_to_it() {
    let world = World::new().await;
    let mut user = world.sign_up("alice").await;
    let begun = world.begin_key(&user, None, None).await;
    world.enrol(&mut user, WRITES).await;
    assert!(world.end_key(&user, &begun, &mut soft_key()).await.is_plain(400));
    assert_eq!(keys(&world, &user).await.len(), 0);
}

#[tokio::test]
async fn codes_that_were_pending_before_the_first_key_are_dropped() {
    let world = World::new().await;
    let mut user = world.sign_up("alice").await;
    user.seed = seed_in(&world.begin_enrolment(&user, Some(AUTH_ONLY)).await);
    world.add_key(&mut user, &mut soft_key(), None, None).await;
    let confirm = json!({ "tfa": [world.code(&user)] });
    assert!(world.profile(&user, confirm, None).await.is_plain(400));
    assert!(!world.renames(&user, &world.code(&user)).await);
}

#[tokio::test]
async fn a_registration_that_is_not_right_registers_nothing() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    let origin = world.origin();
    let mut answers = Vec::new();
    let of_assertion = Lie::Type("webauthn.get");
    for lie in support::keys::lies(&origin).into_iter().chain([of_assertion]) {
        answers.push(Forger::new(1).lying(lie));
    }
    for mut key in answers {
        let begun = world.begin_key(&user, None, None).await;
        let reply = world.end_key(&user, &begun, &mut key).await;
        assert!(reply.is_plain(400), "{:?}: {}", key.lie, reply.text);
    }
    let begun = world.begin_key(&user, None, None).await.json();
    let mut credential = soft_key().register(&origin, &begun["publicKey"]);
    for (name, wrong) in [("", 400), ("a\u{7}", 400), (&"n".repeat(65), 400)] {
        let body = json!({ "ceremony": begun["ceremony"], "name": name, "credential": credential });
        assert!(world.call(&user, "POST", "/-/account/keys", Some(body), None).await.is_plain(wrong));
    }
    credential["response"] = json!({});
    let body = json!({ "ceremony": begun["ceremony"], "name": "n", "credential": credential });
    assert!(world.call(&user, "POST", "/-/account/keys", Some(body), None).await.is_plain(400));
    assert_eq!(tfa(&world, &user).await, Value::Null);
}

#[tokio::test]
async fn no_key_is_registered_twice() {
    let world = World::new().await;
    let (mut alice, bob) = (world.sign_up("alice").await, world.sign_up("bob").await);
    world.add_key(&mut alice, &mut Forger::new(1), None, None).await;
    let begun = world.begin_key(&bob, None, None).await;
    assert!(world.end_key(&bob, &begun, &mut Forger::new(1)).await.is_plain(400));
    assert_eq!(tfa(&world, &bob).await, Value::Null);
}

#[tokio::test]
async fn removing_a_key_is_challenged_and_the_last_factor_stays() {
    for mode in BOTH {
        let world = World::new().await;
        let (mut first, mut second) = (soft_key(), soft_key());
        let mut user = world.key_holder("alice", &mut first, mode).await;
        let first_id = keys(&world, &user).await[0]["id"].as_str().unwrap().to_owned();
        assert!(world.remove_key(&user, &first_id, None).await.is_plain(400));
        let door = world.door(&world.begin_key(&user, None, None).await);
        let token = world.token_at(&door, &mut first).await;
        let second_id = world.add_key(&mut user, &mut second, None, Some(&token)).await;
        let door = world.door(&world.remove_key(&user, &first_id, None).await);
        let token = world.token_at(&door, &mut second).await;
        assert!(world.remove_key(&user, "unknown", Some(&token)).await.is_plain(404));
        let wrong = User { password: "not it".to_owned(), ..user.clone() };
        assert!(world.remove_key(&wrong, &first_id, Some(&token)).await.is_plain(401));
        assert_eq!(keys(&world, &user).await.len(), 2);
        let reply = world.remove_key(&user, &first_id, Some(&token)).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({})));
        assert_eq!(keys(&world, &user).await[0]["id"], second_id.as_str());
        assert!(world.remove_key(&user, &second_id, None).await.is_plain(400));
        let token = world.token(&user, &mut second).await;
        assert!(world.renames(&user, &token).await);
    }
}

#[tokio::test]
async fn a_user_with_codes_may_remove_his_last_key_and_is_asked_for_codes_again() {
    let world = World::new().await;
    let mut user = world.enrolled("alice", WRITES).await;
    let code = world.code(&user);
    let id = world.add_key(&mut user, &mut soft_key(), None, Some(&code)).await;
    let code = world.fresh_code(&user);
    assert!(world.remove_key(&user, &id, Some(&code)).await.is_success());
    user.web = true;
    let reply = world.profile(&user, json!({ "fullname": "A" }), None).await;
    assert!(reply.is_challenge() && reply.json()["authUrl"].is_null());
    let code = world.fresh_code(&user);
    assert!(world.renames(&user, &code).await);
}

#[tokio::test]
async fn codes_beside_keys_are_challenged_and_then_enrolled_as_ever() {
    for mode in BOTH {
        let world = World::new().await;
        let mut key = soft_key();
        let mut user = world.key_holder("alice", &mut key, mode).await;
        for named in [None, Some(mode)] {
            assert!(world.begin_enrolment(&user, named).await.is_challenge());
        }
        let begin = json!({ "tfa": { "password": user.password, "mode": mode } });
        let door = world.door(&world.profile(&user, begin.clone(), None).await);
        let token = world.token_at(&door, &mut key).await;
        user.seed = seed_in(&world.profile(&user, begin, Some(&token)).await);
        assert_eq!(tfa(&world, &user).await, json!({ "pending": false, "mode": mode }));
        assert!(!world.renames(&user, &world.code(&user)).await);
        let reply = world.profile(&user, json!({ "tfa": [world.code(&user)] }), None).await;
        let codes = reply.json()["tfa"].as_array().unwrap().clone();
        assert!(codes.len() == 5 && !world.renames(&user, &user.recovery[0]).await);
        assert!(world.renames(&user, codes[0].as_str().unwrap()).await);
        let code = world.fresh_code(&user);
        assert!(world.renames(&user, &code).await);
        let token = world.token(&user, &mut key).await;
        assert!(world.renames(&user, &token).await);
        assert_eq!(tfa(&world, &user).await["mode"], mode);
    }
}

#[tokio::test]
async fn the_mode_of_a_user_with_keys_alone_is_changed_with_a_challenge() {
    let world = World::new().await;
    let mut key = soft_key();
    let user = world.key_holder("alice", &mut key, WRITES).await;
    let change = json!({ "tfa": { "password": user.password, "mode": AUTH_ONLY } });
    let door = world.door(&world.profile(&user, change.clone(), None).await);
    let token = world.token_at(&door, &mut key).await;
    assert_eq!(world.profile(&user, change, Some(&token)).await.json()["tfa"]["mode"], AUTH_ONLY);
    assert_eq!(tfa(&world, &user).await, json!({ "pending": false, "mode": AUTH_ONLY }));
    assert!(world.publish(&user, "p", "1.0.0", None).await.is_success());
}

#[tokio::test]
async fn disabling_removes_keys_and_codes() {
    let world = World::new().await;
    let mut user = world.enrolled("alice", WRITES).await;
    let code = world.code(&user);
    world.add_key(&mut user, &mut soft_key(), None, Some(&code)).await;
    let off = json!({ "tfa": { "password": user.password, "mode": "disable" } });
    assert!(world.profile(&user, off.clone(), None).await.is_challenge());
    assert_eq!(keys(&world, &user).await.len(), 1);
    let code = world.fresh_code(&user);
    assert!(world.profile(&user, off, Some(&code)).await.is_success());
    assert_eq!((tfa(&world, &user).await, keys(&world, &user).await.len()), (Value::Null, 0));
    assert!(world.log_in("alice", &user.password, None).await.is_success());
}

#[tokio::test]
async fn the_account_page_stands_alone_and_is_labelled() {
    let world = World::new().await;
    let page = world.get("/-/account").await;
    assert_eq!(page.status, 200);
    for part in ["<html lang=\"en\">", "<label for=\"username\">", "<label for=\"key-name\">", "role=\"status\""] {
        assert!(page.text.contains(part), "{part}");
    }
    for outside in ["src=", "href=", "http://", "https://", "{{"] {
        assert!(!page.text.contains(outside), "{outside}");
    }
}
