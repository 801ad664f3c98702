//! Tokens: what each kind may do.

use serde_json::{Value, json};

use crate::support::{AUTH_ONLY, User, WRITES, World, publication};

const TOKENS: &str = "/-/npm/v1/tokens";
const BYPASS: &str = "bypass two-factor authentication may not perform this action";

async fn create(world: &World, user: &User, mut body: Value) -> (User, Value) {
    body["password"] = json!(user.password);
    let reply = world.call(user, "POST", TOKENS, Some(body), None).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    (User { token, ..user.clone() }, reply.json())
}

#[tokio::test]
async fn a_listing_shows_no_token() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    let (made, row) = create(&world, &user, json!({ "readonly": true, "cidr_whitelist": ["10.0.0.0/8"] })).await;
    let list = world.read(&user, TOKENS).await;
    assert!(!list.text.contains(&made.token) && !list.text.contains(&user.token));
    let list = list.json();
    assert_eq!((&list["total"], &list["urls"]), (&json!(2), &json!({})));
    let objects = list["objects"].as_array().unwrap();
    let listed = objects.iter().find(|listed| listed["key"] == row["key"]).unwrap();
    assert!(made.token.starts_with(listed["token"].as_str().unwrap()));
    assert_eq!(listed["readonly"], true);
    assert_eq!(listed["cidr_whitelist"], json!(["10.0.0.0/8"]));
}

#[tokio::test]
async fn a_wrong_password_makes_no_token_and_is_no_challenge() {
    let world = World::new().await;
    let user = world.enrolled("alice", WRITES).await;
    for proof in [None, Some(world.code(&user))] {
        let body = json!({ "password": "wrong", "readonly": false });
        let reply = world.call(&user, "POST", TOKENS, Some(body), proof.as_deref()).await;
        assert!(reply.is_plain(401));
    }
    assert_eq!(world.read(&user, TOKENS).await.json()["total"], 1);
}

#[tokio::test]
async fn a_read_only_token_writes_nothing() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    for body in [
        json!({ "readonly": true }),
        json!({ "name": "t", "packages_and_scopes_permission": "read-only", "packages_all": true }),
    ] {
        let (reader, _) = create(&world, &user, body).await;
        assert!(world.publish(&reader, "p", "1.0.0", None).await.is_plain(403));
        assert!(world.profile(&reader, json!({ "fullname": "A" }), None).await.is_plain(403));
        assert!(world.packument(&user, "p").await.is_null());
        assert!(world.read(&reader, "/-/whoami").await.is_success());
    }
}

#[tokio::test]
async fn an_automation_token_publishes_unchallenged_and_leaves_the_account_alone() {
    for body in [json!({ "automation": true }), json!({ "name": "ci", "bypass_2fa": true, "expires": 7 })] {
        let world = World::new().await;
        let mut user = world.sign_up("alice").await;
        let (robot, row) = create(&world, &user, body).await;
        world.enrol(&mut user, WRITES).await;
        world.published(&robot, "p", "1.0.0").await;
        let key = row["key"].as_str().unwrap();
        let password = &user.password;
        for (method, path, body) in [
            ("POST", "/-/npm/v1/user".to_owned(), json!({ "fullname": "A" })),
            ("POST", "/-/npm/v1/user".to_owned(), json!({ "tfa": { "password": password, "mode": "disable" } })),
            ("POST", TOKENS.to_owned(), json!({ "password": password })),
            ("DELETE", format!("{TOKENS}/token/{key}"), json!({})),
        ] {
            let code = world.fresh_code(&user);
            let reply = world.call(&robot, method, &path, Some(body), Some(&code)).await;
            assert!(reply.is_plain(403) && reply.text.contains(BYPASS), "{path}");
        }
        assert_eq!(world.read(&user, TOKENS).await.json()["total"], 2);
        assert_eq!(world.read(&user, "/-/npm/v1/user").await.json()["tfa"]["mode"], WRITES);
    }
}

#[tokio::test]
async fn a_publish_token_is_challenged_like_a_session() {
    let world = World::new().await;
    let mut user = world.sign_up("alice").await;
    let (publisher, _) = create(&world, &user, json!({ "readonly": false })).await;
    world.enrol(&mut user, WRITES).await;
    assert!(world.publish(&publisher, "p", "1.0.0", None).await.is_challenge());
    let code = world.code(&user);
    assert!(world.publish(&publisher, "p", "1.0.0", Some(&code)).await.is_success());
}

#[tokio::test]
async fn a_token_is_revoked_by_its_key_or_by_itself_and_only_by_its_owner() {
    let world = World::new().await;
    let alice = world.sign_up("alice").await;
    let bob = world.sign_up("bob").await;
    for by_key in [true, false] {
        let (made, row) = create(&world, &alice, json!({})).await;
        let named = if by_key { row["key"].as_str().unwrap() } else { &made.token };
        let path = format!("{TOKENS}/token/{named}");
        assert!(world.call(&bob, "DELETE", &path, None, None).await.is_plain(404));
        assert!(world.read(&made, "/-/whoami").await.is_success());
        assert_eq!(world.call(&alice, "DELETE", &path, None, None).await.status, 204);
        assert!(world.read(&made, "/-/whoami").await.is_plain(401));
        assert!(world.call(&alice, "DELETE", &path, None, None).await.is_plain(404));
    }
}

#[tokio::test]
async fn a_token_with_a_lifetime_dies() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    let (made, _) = create(&world, &user, json!({ "expires": 1 })).await;
    world.pass(86_399);
    assert!(world.read(&made, "/-/whoami").await.is_success());
    world.pass(1);
    assert!(world.read(&made, "/-/whoami").await.is_plain(401));
    let body = publication("p", "1.0.0");
    assert!(world.call(&made, "PUT", "/p", Some(body), None).await.is_plain(401));
}

#[tokio::test]
async fn creating_a_token_is_one_proof_for_one_token() {
    let world = World::new().await;
    let user = world.enrolled("alice", AUTH_ONLY).await;
    let code = world.code(&user);
    let body = json!({ "password": user.password });
    let reply = world.call(&user, "POST", TOKENS, Some(body.clone()), Some(&code)).await;
    assert!(reply.is_success());
    let reply = world.call(&user, "POST", TOKENS, Some(body), Some(&code)).await;
    assert!(reply.is_challenge());
    assert_eq!(world.read(&user, TOKENS).await.json()["total"], 2);
}
