//! The probes of the faults of what should be over, of other maintainers, and of log-ins that are polled.

use serde_json::json;
use stepup::registry::Mutant;

use crate::client_faults;
use crate::key_faults::{half_logged_in, logged_in_on_page};
use crate::support::keys::Forger;
use crate::support::{AUTH_ONLY, User, WRITES, World, send};

use Mutant as M;

/// Whether the token of a page is accepted after a change of the mode, or after the key was given up for another.
async fn outlives(world: &World, mode: &str) -> bool {
    let mut key = Forger::new(1);
    let mut user = world.key_holder("alice", &mut key, WRITES).await;
    let token = world.token(&user, &mut key).await;
    let change = json!({ "tfa": { "password": user.password, "mode": mode } });
    let door = world.door(&world.profile(&user, change.clone(), None).await);
    let proof = world.token_at(&door, &mut key).await;
    assert!(world.profile(&user, change, Some(&proof)).await.is_success());
    if mode == "disable" {
        world.add_key(&mut user, &mut Forger::new(2), Some(WRITES), None).await;
    }
    world.renames(&user, &token).await
}

/// Two users, of whom the second has a second factor and the first a package that requires one: of its first maintainer
/// and of one who was there when it did, or came later.
async fn maintainers(world: &World, later: bool) -> (User, User) {
    let (first, second) = (world.sign_up("alice").await, world.enrolled("bob", AUTH_ONLY).await);
    world.published(&first, "p", "1.0.0").await;
    if !later {
        share(world, &first).await;
    }
    let rule = json!({ "publish_requires_tfa": true });
    assert!(world.call(&first, "POST", "/-/package/p/access", Some(rule), None).await.is_success());
    if later {
        share(world, &first).await;
    }
    (first, second)
}

async fn share(world: &World, owner: &User) {
    let body = json!({ "user": "bob" });
    assert!(world.call(owner, "PUT", "/-/package/p/owners", Some(body), None).await.is_success());
}

/// Whether a fault shows.
pub async fn shows(mutant: Mutant, world: &World) -> bool {
    match mutant {
        M::LoggedOutTokenWorks => {
            let user = world.sign_up("alice").await;
            let path = format!("/-/user/token/{}", user.token);
            assert!(world.call(&user, "DELETE", &path, None, None).await.is_success());
            world.read(&user, "/-/whoami").await.is_success()
        }
        M::TokensListedInFull => {
            let user = world.sign_up("alice").await;
            let body = json!({ "password": user.password });
            let made = world.call(&user, "POST", "/-/npm/v1/tokens", Some(body), None).await.json();
            world.read(&user, "/-/npm/v1/tokens").await.text.contains(made["token"].as_str().unwrap())
        }
        M::WebTokenAfterModeChange => outlives(world, AUTH_ONLY).await,
        M::WebTokenAfterReEnrolment => outlives(world, "disable").await,
        M::PackageRequirementSparesOthers => {
            let (_, second) = maintainers(world, false).await;
            world.publish(&second, "p", "2.0.0", None).await.is_success()
        }
        M::PackageRequirementOfFirstMaintainers => {
            let (_, second) = maintainers(world, true).await;
            world.publish(&second, "p", "2.0.0", None).await.is_success()
        }
        M::PackageRequirementSpreads => {
            let (first, _) = maintainers(world, false).await;
            world.publish(&first, "q", "1.0.0", None).await.is_success()
                && !world.publish(&first, "q", "2.0.0", None).await.is_success()
        }
        M::LogInPollsAtOnce => {
            let done = logged_in_on_page(world).await;
            let poll = || async { world.get(&done).await.status == 200 };
            let (first, second, third) = tokio::join!(poll(), poll(), poll());
            [first, second, third].iter().filter(|yielded| **yielded).count() > 1
        }
        M::LogInYieldsElsewhere => {
            let other = send(world.request("POST", "/-/v1/login").json(&json!({}))).await.json();
            let other = other["doneUrl"].as_str().unwrap().strip_prefix(&world.base).unwrap().to_owned();
            logged_in_on_page(world).await;
            world.get(&other).await.status == 200
        }
        M::LogInPendingWithoutRetryAfter => {
            let user = world.enrolled("alice", WRITES).await;
            let (_, done) = half_logged_in(world, &user).await;
            let reply = world.get(&done).await;
            assert_eq!(reply.status, 202);
            reply.header("retry-after").is_none()
        }
        other => client_faults::shows(other, world).await,
    }
}
