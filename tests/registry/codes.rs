//! One-time codes, recovery codes, and patience with wrong ones.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stepup::registry::{Limit, Throttle};

use crate::support::deed::Deed;
use crate::support::{self, AUTH_ONLY, User, WRITES, World, code_at};

async fn set_name(world: &World, user: &User, name: &str, proof: &str) -> bool {
    let body = json!({ "fullname": name });
    let reply = world.profile(user, body, Some(proof)).await;
    assert!(reply.is_success() || reply.is_challenge(), "{}", reply.text);
    let profile = world.read(user, "/-/npm/v1/user").await.json();
    assert_eq!(profile["fullname"] == json!(name), reply.is_success());
    reply.is_success()
}

#[tokio::test]
async fn codes_of_the_step_before_and_after_are_accepted_and_no_others() {
    for (offset, accepted) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
        let world = World::new().await;
        let user = world.enrolled("alice", AUTH_ONLY).await;
        world.pass(300);
        let step = (world.now() / 30).checked_add_signed(offset).unwrap();
        let code = code_at(&user.seed, step);
        assert_eq!(set_name(&world, &user, "A", &code).await, accepted, "{offset}");
    }
}

#[tokio::test]
async fn a_step_earlier_than_the_last_accepted_one_is_spent_too() {
    let world = World::new().await;
    let user = world.enrolled("alice", AUTH_ONLY).await;
    world.pass(300);
    let step = world.now() / 30;
    assert!(set_name(&world, &user, "A", &code_at(&user.seed, step)).await);
    assert!(!set_name(&world, &user, "B", &code_at(&user.seed, step - 1)).await);
    assert!(set_name(&world, &user, "C", &code_at(&user.seed, step + 1)).await);
}

#[tokio::test]
async fn a_code_is_no_good_for_another_user() {
    let world = World::new().await;
    let alice = world.enrolled("alice", AUTH_ONLY).await;
    let bob = world.enrolled("bob", AUTH_ONLY).await;
    world.pass(300);
    assert!(!set_name(&world, &bob, "B", &world.code(&alice)).await);
    assert!(set_name(&world, &alice, "A", &world.code(&alice)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_code_sent_sixteen_times_at_once_is_accepted_once() {
    let world = Arc::new(World::new().await);
    let user = world.enrolled("alice", WRITES).await;
    let before = world.registry.accepted_proofs();
    let code = world.code(&user);
    let mut attempts = Vec::new();
    for number in 0..16 {
        let (world, user, code) = (Arc::clone(&world), user.clone(), code.clone());
        attempts.push(tokio::spawn(async move {
            let name = format!("race-{number}");
            let reply = world.publish(&user, &name, "1.0.0", Some(&code)).await;
            assert!(reply.is_success() || reply.is_challenge(), "{}", reply.text);
            let published = !world.packument(&user, &name).await.is_null();
            assert_eq!(published, reply.is_success());
            published
        }));
    }
    let mut published = 0;
    for attempt in attempts {
        published += u32::from(attempt.await.unwrap());
    }
    assert_eq!(published, 1);
    assert_eq!(world.registry.accepted_proofs(), before + 1);
}

#[tokio::test]
async fn a_recovery_code_stands_in_for_a_code_once() {
    let world = World::new().await;
    let user = world.enrolled("alice", WRITES).await;
    assert_eq!(user.recovery.len(), 5);
    for (number, code) in user.recovery.iter().enumerate() {
        assert_eq!(code.len(), 64);
        assert!(code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(set_name(&world, &user, &format!("A{number}"), code).await);
        assert!(!set_name(&world, &user, "again", code).await);
    }
    assert!(!set_name(&world, &user, "B", &"0".repeat(64)).await);
    assert!(set_name(&world, &user, "C", &world.code(&user)).await);
}

#[tokio::test]
async fn what_is_no_code_is_not_accepted() {
    let world = World::new().await;
    let user = world.enrolled("alice", AUTH_ONLY).await;
    let code = world.code(&user);
    for wrong in ["12345", "1234567", "abcdef", "+12345", "٠١٢٣٤٥", "none"] {
        let header = reqwest::header::HeaderValue::from_bytes(wrong.as_bytes()).unwrap();
        let request = world
            .request("POST", "/-/npm/v1/user")
            .bearer_auth(&user.token)
            .header("npm-otp", header)
            .json(&json!({ "fullname": "A" }));
        assert!(support::send(request).await.is_challenge(), "{wrong}");
    }
    assert!(set_name(&world, &user, "B", &code).await);
}

#[tokio::test]
async fn a_code_on_a_request_that_needs_none_is_not_spent() {
    let world = World::new().await;
    let mut user = world.sign_up("alice").await;
    let star = world.prepare(&user, Deed::Star, WRITES, 0).await;
    world.enrol(&mut user, WRITES).await;
    let code = world.code(&user);
    let reply = world.act(&user, Deed::Star, &star, Some(&code)).await;
    assert!(reply.is_success());
    let reply = world.call(&user, "GET", "/-/whoami", None, Some(&code)).await;
    assert!(reply.is_success());
    assert!(set_name(&world, &user, "A", &code).await);
}

#[tokio::test]
async fn a_code_that_is_refused_for_another_reason_is_not_spent() {
    let world = World::new().await;
    let user = world.enrolled("alice", WRITES).await;
    let code = world.code(&user);
    let body = json!({ "password": { "old": "not it", "new": "n" } });
    assert!(world.profile(&user, body, Some(&code)).await.is_plain(401));
    let body = Value::from("no object");
    let reply = world.call(&user, "PUT", "/p", Some(body), Some(&code)).await;
    assert!(reply.is_plain(400));
    assert!(set_name(&world, &user, "A", &code).await);
}

#[tokio::test]
async fn ten_wrong_codes_close_the_door_for_a_while() {
    let world = World::new().await;
    let user = world.enrolled("alice", AUTH_ONLY).await;
    for _ in 0..10 {
        assert!(!set_name(&world, &user, "A", &world.wrong_code(&user)).await);
    }
    let body = json!({ "fullname": "A" });
    let reply = world.profile(&user, body.clone(), Some(&world.code(&user))).await;
    assert!(reply.is_plain(429), "{}", reply.text);
    assert_eq!(reply.header("retry-after"), Some("60"));
    assert!(reply.json()["error"].is_string());
    let reply = world.log_in("alice", &user.password, Some(&world.code(&user))).await;
    assert!(reply.is_plain(429));
    assert!(world.profile(&user, body, None).await.is_challenge());
    world.pass(60);
    assert!(set_name(&world, &user, "B", &world.code(&user)).await);
}

#[tokio::test]
async fn a_right_code_makes_up_for_wrong_ones_and_spent_codes_do_not_count() {
    let world = World::with(|settings| {
        settings.throttle = Throttle {
            allowed: Limit::Of(NonZeroU32::new(3).unwrap()),
            window: Duration::from_secs(100),
            lockout: Duration::from_secs(50),
        };
    })
    .await;
    let user = world.enrolled("alice", AUTH_ONLY).await;
    for round in 0..3 {
        for _ in 0..2 {
            assert!(!set_name(&world, &user, "A", &world.wrong_code(&user)).await);
        }
        let code = world.fresh_code(&user);
        assert!(set_name(&world, &user, &format!("A{round}"), &code).await);
        for _ in 0..5 {
            assert!(!set_name(&world, &user, "B", &code).await);
        }
    }
    for _ in 0..2 {
        assert!(!set_name(&world, &user, "A", &world.wrong_code(&user)).await);
    }
    world.pass(101);
    assert!(!set_name(&world, &user, "A", &world.wrong_code(&user)).await);
    assert!(set_name(&world, &user, "C", &world.code(&user)).await);
}
