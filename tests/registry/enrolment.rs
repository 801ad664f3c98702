//! Enabling, changing and disabling 2FA.

use serde_json::{Value, json};

use crate::support::{AUTH_ONLY, BOTH, User, WRITES, World, code_at, seed_in, send};

async fn tfa(world: &World, user: &User) -> Value {
    world.read(user, "/-/npm/v1/user").await.json()["tfa"].clone()
}

#[tokio::test]
async fn two_factor_authentication_is_enabled_for_writes_unless_a_mode_is_named() {
    for (mode, enabled) in [(None, WRITES), (Some(WRITES), WRITES), (Some(AUTH_ONLY), AUTH_ONLY)] {
        let world = World::new().await;
        let mut user = world.sign_up("alice").await;
        assert_eq!(tfa(&world, &user).await, Value::Null);
        let reply = world.begin_enrolment(&user, mode).await;
        user.seed = seed_in(&reply);
        assert_eq!(tfa(&world, &user).await, json!({ "pending": true, "mode": enabled }));
        let reply = world.profile(&user, json!({ "tfa": [world.code(&user)] }), None).await;
        assert_eq!(reply.json()["tfa"].as_array().unwrap().len(), 5);
        assert_eq!(tfa(&world, &user).await, json!({ "pending": false, "mode": enabled }));
    }
}

#[tokio::test]
async fn a_pending_enrolment_is_not_enforced() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    world.begin_enrolment(&user, Some(WRITES)).await;
    world.published(&user, "p", "1.0.0").await;
    assert!(world.log_in("alice", &user.password, None).await.is_success());
}

#[tokio::test]
async fn the_code_that_confirms_is_spent() {
    let world = World::new().await;
    let mut user = world.sign_up("alice").await;
    user.seed = seed_in(&world.begin_enrolment(&user, Some(WRITES)).await);
    let code = world.code(&user);
    assert!(world.profile(&user, json!({ "tfa": [code] }), None).await.is_success());
    assert!(world.publish(&user, "p", "1.0.0", Some(&code)).await.is_challenge());
    assert!(world.packument(&user, "p").await.is_null());
    let next = code_at(&user.seed, world.now() / 30 + 1);
    assert!(world.publish(&user, "p", "1.0.0", Some(&next)).await.is_success());
}

#[tokio::test]
async fn a_wrong_first_code_enables_nothing_and_is_no_challenge() {
    let world = World::new().await;
    let mut user = world.sign_up("alice").await;
    user.seed = seed_in(&world.begin_enrolment(&user, Some(WRITES)).await);
    let wrong = world.wrong_code(&user);
    assert!(world.profile(&user, json!({ "tfa": [wrong] }), None).await.is_plain(400));
    assert_eq!(tfa(&world, &user).await["pending"], true);
    assert!(world.profile(&user, json!({ "tfa": [] }), None).await.is_plain(400));
    assert!(world.profile(&user, json!({ "tfa": [world.code(&user)] }), None).await.is_success());
}

#[tokio::test]
async fn a_pending_enrolment_is_begun_anew_or_dropped_without_a_challenge() {
    let world = World::new().await;
    let mut user = world.sign_up("alice").await;
    let first = seed_in(&world.begin_enrolment(&user, None).await);
    let second = seed_in(&world.begin_enrolment(&user, Some(AUTH_ONLY)).await);
    assert_ne!(first, second);
    user.seed = first;
    let stale = json!({ "tfa": [world.code(&user)] });
    assert!(world.profile(&user, stale, None).await.is_plain(400));
    let drop = json!({ "tfa": { "password": user.password, "mode": "disable" } });
    assert!(world.profile(&user, drop, None).await.is_success());
    assert_eq!(tfa(&world, &user).await, Value::Null);
    user.seed = second;
    let confirm = json!({ "tfa": [world.code(&user)] });
    assert!(world.profile(&user, confirm, None).await.is_plain(400));
}

#[tokio::test]
async fn a_standing_factor_cannot_be_replaced_by_enrolling_or_confirming_again() {
    let world = World::new().await;
    let user = world.enrolled("alice", WRITES).await;
    let reply = world.begin_enrolment(&user, Some(WRITES)).await;
    assert!(reply.is_challenge());
    let confirm = json!({ "tfa": [world.code(&user)] });
    assert!(world.profile(&user, confirm, None).await.is_plain(400));
    assert_eq!(tfa(&world, &user).await, json!({ "pending": false, "mode": WRITES }));
}

#[tokio::test]
async fn the_password_is_checked_before_the_challenge() {
    for mode in BOTH {
        let world = World::new().await;
        let mut user = world.enrolled("alice", mode).await;
        let code = world.code(&user);
        user.password = "not it".to_owned();
        for change in ["disable", AUTH_ONLY, WRITES] {
            let body = json!({ "tfa": { "password": user.password, "mode": change } });
            assert!(world.profile(&user, body, Some(&code)).await.is_plain(401));
        }
        assert_eq!(tfa(&world, &user).await["mode"], mode);
    }
}

#[tokio::test]
async fn an_unknown_mode_is_refused() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    assert!(world.begin_enrolment(&user, Some("sometimes")).await.is_plain(400));
    assert_eq!(tfa(&world, &user).await, Value::Null);
}

#[tokio::test]
async fn the_reply_to_a_mode_change_suits_the_generation_of_the_client() {
    for (agent, reply) in [
        ("npm/8.19.4 node/v20.20.2 linux x64 workspaces/false", Value::Null),
        ("npm/10.9.9 node/v20.20.2 linux x64", Value::Null),
        ("npm/11.3.0 node/v20.20.2 linux x64", Value::Null),
        ("npm/11.21.2 node/v20.20.2 linux x64", json!({ "pending": false, "mode": AUTH_ONLY })),
        ("pnpm/12.21.0 npm/? node/? linux x64", json!({ "pending": false, "mode": AUTH_ONLY })),
    ] {
        let world = World::new().await;
        let user = world.enrolled("alice", WRITES).await;
        let request = world
            .request("POST", "/-/npm/v1/user")
            .bearer_auth(&user.token)
            .header("npm-otp", world.code(&user))
            .header("user-agent", agent)
            .json(&json!({ "tfa": { "password": user.password, "mode": AUTH_ONLY } }));
        assert_eq!(send(request).await.json()["tfa"], reply, "{agent}");
        assert_eq!(tfa(&world, &user).await["mode"], AUTH_ONLY);
    }
}
