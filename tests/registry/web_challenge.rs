//! Confirming an action with a security key on a page of the registry.

use std::sync::Arc;

use serde_json::json;

use crate::support::deed::{BOTH_MODES, Deed, NEVER, WRITES_MODE};
use crate::support::keys::{Authenticator, Door, Forger, Lie, lies, soft_key};
use crate::support::{AUTH_ONLY, BOTH, Reply, User, WRITES, World, escape, send};

async fn submit(world: &World, page: &str, otp: &str) -> Reply {
    let reply = send(world.request("POST", page).body(format!("otp={otp}"))).await;
    assert!(reply.header("content-type").unwrap().starts_with("text/html"));
    assert_eq!(reply.header("www-authenticate"), None);
    reply
}

#[tokio::test]
async fn a_key_confirms_an_action_once() {
    let world = World::new().await;
    let mut key = soft_key();
    let user = world.key_holder("alice", &mut key, WRITES).await;
    let asked = world.publish(&user, "p", "1.0.0", None).await;
    for member in ["authUrl", "doneUrl"] {
        assert!(asked.json()[member].as_str().unwrap().starts_with(&world.base), "{member}");
    }
    let door = world.door(&asked);
    let (page, ticket) = (door.auth.rsplit('/').next().unwrap(), door.done.rsplit('/').next().unwrap());
    assert!(page.len() == 48 && ticket.len() == 48 && page != ticket);
    for method in ["GET", "PUT", "POST", "DELETE"] {
        let reply = world.call(&user, method, &door.done, Some(json!("1.0.0")), None).await;
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (202, Some("1")));
        assert!(reply.json().is_object());
    }
    let html = world.get(&door.auth).await;
    assert_eq!(html.status, 200);
    for part in ["alice", "publish a package", "Use security key", "<label for=\"otp\">", "name=\"otp\""] {
        assert!(html.text.contains(part), "{part}");
    }
    assert!(!html.text.contains("{{") && !html.text.contains(ticket));
    let token = world.token_at(&door, &mut key).await;
    assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(world.get(&door.done).await.is_plain(404));
    assert_eq!(world.get(&door.auth).await.status, 404);
    assert!(world.publish(&user, "p", "1.0.0", Some(&token)).await.is_success());
    assert!(world.publish(&user, "q", "1.0.0", Some(&token)).await.is_challenge());
    assert!(world.packument(&user, "q").await.is_null());
}

#[tokio::test]
async fn every_challenge_opens_a_page_of_its_own() {
    let world = World::new().await;
    let mut key = soft_key();
    let user = world.key_holder("alice", &mut key, WRITES).await;
    let (first, second) = (world.open_door(&user).await, world.open_door(&user).await);
    assert!(first.auth != second.auth && first.done != second.done);
    world.token_at(&first, &mut key).await;
    assert_eq!(world.get(&second.done).await.status, 202);
    let wrong = world.profile(&user, json!({ "fullname": "A" }), Some(&"0".repeat(64))).await;
    let third = world.door(&wrong);
    assert!(third.auth != second.auth);
    let token = world.token_at(&third, &mut key).await;
    assert!(world.renames(&user, &token).await);
}

#[tokio::test]
async fn a_token_is_good_for_its_user_its_action_and_two_minutes() {
    let world = World::new().await;
    let (mut key, mut other) = (soft_key(), soft_key());
    let alice = world.key_holder("alice", &mut key, WRITES).await;
    let bob = world.key_holder("bob", &mut other, WRITES).await;
    let token = world.token(&alice, &mut key).await;
    assert!(!world.renames(&bob, &token).await);
    assert!(world.publish(&alice, "p", "1.0.0", Some(&token)).await.is_challenge());
    assert!(world.log_in("alice", &alice.password, Some(&token)).await.is_challenge());
    world.pass(119);
    assert!(world.renames(&alice, &token).await);
    let token = world.token(&alice, &mut key).await;
    world.pass(120);
    assert!(!world.renames(&alice, &token).await);
}

#[tokio::test]
async fn a_spent_token_is_no_guess() {
    let world = World::new().await;
    let mut key = soft_key();
    let user = world.key_holder("alice", &mut key, AUTH_ONLY).await;
    let token = world.token(&user, &mut key).await;
    assert!(world.renames(&user, &token).await);
    for _ in 0..20 {
        assert!(!world.renames(&user, &token).await);
    }
    for number in 0..10 {
        assert!(!world.renames(&user, &format!("{number:064}")).await);
    }
    let reply = world.profile(&user, json!({ "fullname": "A" }), Some(&user.recovery[0])).await;
    assert!(reply.is_plain(429));
    let token = world.token(&user, &mut key).await;
    assert!(world.renames(&user, &token).await, "a lock-out of codes does not touch keys");
}

#[tokio::test]
async fn a_page_and_its_ticket_expire() {
    let world = World::new().await;
    let mut key = soft_key();
    let user = world.key_holder("alice", &mut key, WRITES).await;
    let (waiting, answered) = (world.open_door(&user).await, world.open_door(&user).await);
    let options = world.options(&waiting.auth).await;
    let credential = key.assert(&world.origin(), &options);
    assert!(world.touch(&answered.auth, &mut key).await.is_success());
    world.pass(600);
    for Door { auth, done } in [&waiting, &answered] {
        assert!(world.get(done).await.is_plain(404));
        assert_eq!(world.get(auth).await.status, 404);
        assert_eq!(submit(&world, auth, &user.recovery[0]).await.status, 404);
        assert!(world.post(&format!("{auth}/options"), &json!({})).await.is_plain(404));
        assert!(world.post(&format!("{auth}/assertion"), &credential).await.is_plain(404));
    }
    assert!(world.get("/-/auth/unknown").await.is_plain(404));
}

#[tokio::test]
async fn the_ticket_is_good_for_the_user_and_for_nobody_known_to_be_another() {
    let world = World::new().await;
    let mut key = soft_key();
    let user = world.key_holder("alice", &mut key, WRITES).await;
    let bob = world.sign_up("bob").await;
    let door = world.open_door(&user).await;
    assert!(world.read(&bob, &door.done).await.is_plain(404));
    assert!(world.touch(&door.auth, &mut key).await.is_success());
    assert!(world.read(&bob, &door.done).await.is_plain(404));
    let dead = User { token: "npm_dead".to_owned(), ..bob };
    assert_eq!(world.read(&dead, &door.done).await.status, 200);
}

#[tokio::test]
async fn assertions_that_are_not_right_are_refused_and_use_the_challenge_up() {
    let world = World::new().await;
    let key = Forger::new(1);
    let user = world.key_holder("alice", &mut key.clone(), WRITES).await;
    let origin = world.origin();
    let more = [Lie::Signature, Lie::TopOrigin, Lie::Type("webauthn.create"), Lie::UserHandle(vec![7; 16])];
    for (number, lie) in lies(&origin).into_iter().chain(more).enumerate() {
        let mut liar = key.lying(lie);
        liar.counter = 10 + u32::try_from(number).unwrap();
        let door = world.open_door(&user).await;
        let options = world.options(&door.auth).await;
        let wrong = liar.assert(&origin, &options);
        let right = Forger { lie: Lie::None, ..liar.clone() }.assert(&origin, &options);
        let page = format!("{}/assertion", door.auth);
        for (credential, what) in [(wrong, "the lie"), (right, "a second attempt")] {
            let reply = world.post(&page, &credential).await;
            assert!(reply.is_plain(401), "{what}, {:?}: {}", liar.lie, reply.text);
            assert_eq!(reply.header("www-authenticate"), None);
            assert!(reply.json()["message"].is_string());
        }
        assert_eq!(world.get(&door.done).await.status, 202);
    }
    let door = world.open_door(&user).await;
    for nonsense in [json!({}), json!([]), json!({ "id": "x", "rawId": "x", "type": "public-key", "response": {} })] {
        assert!(world.post(&format!("{}/assertion", door.auth), &nonsense).await.is_plain(400));
    }
}

#[tokio::test]
async fn a_copied_key_gives_itself_away_by_its_counter() {
    let world = World::new().await;
    let mut key = Forger::new(1);
    let user = world.key_holder("alice", &mut key, WRITES).await;
    let (early, late) = (world.open_door(&user).await, world.open_door(&user).await);
    let put_early = world.options(&early.auth).await;
    let mut copy = key.clone();
    world.token_at(&late, &mut key).await;
    let credential = copy.assert(&world.origin(), &put_early);
    assert!(world.post(&format!("{}/assertion", early.auth), &credential).await.is_plain(401));
}

#[tokio::test]
async fn a_key_that_is_removed_while_it_is_asked_for_is_refused() {
    let world = World::new().await;
    let (mut first, mut second) = (soft_key(), soft_key());
    let mut user = world.key_holder("alice", &mut first, AUTH_ONLY).await;
    let door = world.door(&world.begin_key(&user, None, None).await);
    let token = world.token_at(&door, &mut first).await;
    let id = world.add_key(&mut user, &mut second, None, Some(&token)).await;
    let door = world.open_door(&user).await;
    let mut options = world.options(&door.auth).await;
    assert_eq!(options["allowCredentials"].as_array().unwrap().len(), 2);
    options["allowCredentials"].as_array_mut().unwrap().remove(0);
    let credential = second.assert(&world.origin(), &options);
    let removal = world.door(&world.remove_key(&user, &id, None).await);
    let token = world.token_at(&removal, &mut first).await;
    assert!(world.remove_key(&user, &id, Some(&token)).await.is_success());
    assert!(world.post(&format!("{}/assertion", door.auth), &credential).await.is_plain(401));
}

#[tokio::test]
async fn a_code_or_a_recovery_code_does_on_the_page_what_a_key_does() {
    let world = World::new().await;
    let mut key = soft_key();
    let mut user = world.enrolled("alice", WRITES).await;
    let code = world.code(&user);
    world.add_key(&mut user, &mut key, None, Some(&code)).await;
    user.web = true;
    let code = world.fresh_code(&user);
    for otp in [&code, &user.recovery[0]] {
        let door = world.open_door(&user).await;
        assert_eq!(submit(&world, &door.auth, "").await.status, 401);
        let wrong = submit(&world, &door.auth, &world.wrong_code(&user)).await;
        assert!(wrong.status == 401 && wrong.text.contains("not accepted"));
        assert_eq!(world.get(&door.done).await.status, 202);
        assert_eq!(submit(&world, &door.auth, otp).await.status, 200);
        assert_eq!(submit(&world, &door.auth, otp).await.status, 404);
        let token = world.collect(&door).await;
        assert!(!world.renames(&user, otp).await);
        assert!(world.renames(&user, &token).await);
    }
    let token = world.token(&user, &mut key).await;
    let door = world.open_door(&user).await;
    assert_eq!(submit(&world, &door.auth, &token).await.status, 401, "a token is no answer to a page");
}

#[tokio::test]
async fn a_user_with_codes_alone_and_a_client_without_pages_get_the_classic_challenge() {
    let world = World::new().await;
    let mut coder = world.enrolled("coder", WRITES).await;
    coder.web = true;
    let holder = world.key_holder("holder", &mut soft_key(), WRITES).await;
    let holder = User { web: false, ..holder };
    for user in [&coder, &holder] {
        let reply = world.profile(user, json!({ "fullname": "A" }), None).await;
        assert!(reply.is_challenge());
        assert_eq!(reply.json().as_object().unwrap().len(), 1);
    }
    for code in ["000000", "123456", &world.code(&coder)] {
        assert!(!world.renames(&holder, code).await);
    }
    assert!(world.renames(&holder, &holder.recovery[0]).await);
    assert!(!world.renames(&holder, &holder.recovery[0]).await);
    assert!(world.renames(&holder, &holder.recovery[1]).await);
}

#[tokio::test]
async fn a_user_with_both_answers_with_either() {
    let world = World::new().await;
    let mut key = soft_key();
    let mut user = world.enrolled("alice", AUTH_ONLY).await;
    let code = world.code(&user);
    world.add_key(&mut user, &mut key, None, Some(&code)).await;
    let code = world.fresh_code(&user);
    let reply = world.profile(&user, json!({ "fullname": "A" }), None).await;
    assert!(reply.is_challenge() && reply.json()["authUrl"].is_null());
    user.web = true;
    assert!(world.renames(&user, &code).await);
    let token = world.token(&user, &mut key).await;
    user.web = false;
    assert!(world.renames(&user, &token).await);
}

#[tokio::test]
async fn a_token_serves_both_writes_of_an_unpublish() {
    let world = World::new().await;
    let mut key = soft_key();
    let mut user = world.sign_up("alice").await;
    for version in ["1.0.0", "1.1.0"] {
        world.published(&user, "@alice/p", version).await;
    }
    world.add_key(&mut user, &mut key, None, None).await;
    user.web = true;
    let path = |revision: &str| format!("/{}/-rev/{revision}", escape("@alice/p"));
    let mut packument = world.packument(&user, "@alice/p").await;
    packument["versions"].as_object_mut().unwrap().remove("1.0.0");
    let first = path(packument["_rev"].as_str().unwrap());
    let door = world.door(&world.call(&user, "PUT", &first, Some(packument.clone()), None).await);
    let token = world.token_at(&door, &mut key).await;
    assert!(world.call(&user, "PUT", &first, Some(packument), Some(&token)).await.is_success());
    let revision = world.revision(&user, "@alice/p").await;
    let tarball = format!("/@alice/p/-/p-1.0.0.tgz/-rev/{revision}");
    assert!(world.call(&user, "DELETE", &tarball, None, None).await.is_challenge());
    assert!(world.call(&user, "DELETE", &tarball, None, Some(&token)).await.is_success());
    let revision = world.revision(&user, "@alice/p").await;
    assert!(world.call(&user, "DELETE", &path(&revision), None, Some(&token)).await.is_challenge());
}

/// Bare, wrong, right, replay, with a key in place of codes.
async fn is_challenged(deed: Deed, mode: &str) {
    let world = World::new().await;
    world.sign_up("friend").await;
    let mut user = world.sign_up("doer").await;
    let mut key = Forger::new(1);
    let bare = world.prepare(&user, deed, mode, 0).await;
    let replay = world.prepare(&user, deed, mode, 1).await;
    world.add_key(&mut user, &mut key, Some(mode), None).await;
    user.web = true;
    let asked = world.act(&user, deed, &bare, None).await;
    let door = world.door(&asked);
    for wrong in ["123456".to_owned(), "0".repeat(64)] {
        assert!(world.act(&user, deed, &bare, Some(&wrong)).await.is_challenge(), "{deed:?} in {mode}");
    }
    assert!(!world.is_done(&user, deed, &bare, Some(&asked)).await, "{deed:?} in {mode}");
    let token = world.token_at(&door, &mut key).await;
    let reply = world.act(&user, deed, &bare, Some(&token)).await;
    assert!(reply.is_success(), "{deed:?} in {mode}: {}", reply.text);
    assert!(world.is_done(&user, deed, &bare, Some(&reply)).await, "{deed:?} in {mode}");
    if !matches!(deed, Deed::Disable | Deed::SetPassword | Deed::ChangeMode) {
        assert!(world.act(&user, deed, &replay, Some(&token)).await.is_challenge(), "{deed:?} in {mode}");
    }
}

#[tokio::test]
async fn the_rows_of_the_tables_ask_for_keys_as_they_ask_for_codes() {
    // The doors of a log-in have tests of their own.
    for deed in BOTH_MODES.iter().filter(|deed| !matches!(deed, Deed::LogIn | Deed::WebLogIn)) {
        for mode in BOTH {
            is_challenged(*deed, mode).await;
        }
    }
    for deed in WRITES_MODE {
        is_challenged(*deed, WRITES).await;
    }
    for (deeds, mode) in [(WRITES_MODE, AUTH_ONLY), (NEVER, WRITES)] {
        for deed in deeds {
            let world = World::new().await;
            world.sign_up("friend").await;
            let mut user = world.sign_up("doer").await;
            let subject = world.prepare(&user, *deed, mode, 0).await;
            world.add_key(&mut user, &mut Forger::new(1), Some(mode), None).await;
            assert!(world.act(&user, *deed, &subject, None).await.is_success(), "{deed:?} in {mode}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_and_tokens_that_are_sent_at_once_are_good_once() {
    let world = Arc::new(World::new().await);
    let mut key = soft_key();
    let user = world.key_holder("alice", &mut key, WRITES).await;
    let door = world.open_door(&user).await;
    assert!(world.touch(&door.auth, &mut key).await.is_success());
    let counted = world.registry.accepted_proofs();
    let mut polls = Vec::new();
    for _ in 0..16 {
        let (world, done) = (Arc::clone(&world), door.done.clone());
        polls.push(tokio::spawn(async move { world.get(&done).await }));
    }
    let mut tokens = Vec::new();
    for poll in polls {
        let reply = poll.await.unwrap();
        assert!(reply.status == 200 || reply.is_plain(404), "{}", reply.text);
        tokens.extend(reply.json()["token"].as_str().map(str::to_owned));
    }
    assert_eq!(tokens.len(), 1);
    let mut uses = Vec::new();
    for _ in 0..16 {
        let (world, user, token) = (Arc::clone(&world), user.clone(), tokens[0].clone());
        uses.push(tokio::spawn(async move { world.renames(&user, &token).await }));
    }
    let mut accepted = 0;
    for attempt in uses {
        accepted += u32::from(attempt.await.unwrap());
    }
    assert_eq!(accepted, 1);
    assert_eq!(world.registry.accepted_proofs(), counted, "what a page has counted is not counted again");
}
