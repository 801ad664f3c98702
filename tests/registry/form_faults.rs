//! The probes of the faults that show in one form of a request alone.

use serde_json::{Value, json};
use stepup::registry::Mutant;

use crate::aftermath_faults;
use crate::support::{Reply, User, WRITES, World};

use Mutant as M;

/// A user in auth-and-writes mode, whose package has these versions.
async fn owner(world: &World, package: &str, versions: &[&str]) -> User {
    let mut user = world.sign_up("alice").await;
    for version in versions {
        world.published(&user, package, version).await;
    }
    world.enrol(&mut user, WRITES).await;
    user
}

/// Whether these texts are taken for deprecations of these versions without a proof, at this path.
async fn deprecates(world: &World, user: &User, package: &str, path: &str, texts: &[(&str, &str)]) -> bool {
    let mut document = world.packument(user, package).await;
    for (version, text) in texts {
        document["versions"][version]["deprecated"] = json!(text);
    }
    let answered = world.call(user, "PUT", path, Some(document), None).await.is_success();
    let after = world.packument(user, package).await;
    let told =
        |version: &str| after["versions"][version].get("deprecated").and_then(Value::as_str).unwrap_or("").to_owned();
    let done = texts.iter().all(|(version, text)| told(version) == *text);
    assert_eq!(answered, done, "{after}");
    done
}

/// Whether a user is asked for the package's deprecation as a whole.
async fn asks_for_whole(world: &World) -> bool {
    let user = world.enrolled("bob", WRITES).await;
    let code = world.code(&user);
    assert!(world.publish(&user, "whole", "1.0.0", Some(&code)).await.is_success());
    !deprecates(world, &user, "whole", "/whole", &[("1.0.0", "old")]).await
}

async fn renames(world: &World, user: &User, proof: Option<&str>) -> Reply {
    world.profile(user, json!({ "fullname": "A" }), proof).await
}

/// The last answer to many requests with a wrong code, or without one.
async fn after_many(world: &World, user: &User, with_code: bool) -> Reply {
    let proof = with_code.then(|| world.wrong_code(user));
    for _ in 0..20 {
        assert!(!renames(world, user, proof.as_deref()).await.is_success());
    }
    renames(world, user, proof.as_deref()).await
}

/// Whether a fault shows.
pub async fn shows(mutant: Mutant, world: &World) -> bool {
    match mutant {
        M::DeprecateRangeUnchallenged => {
            let user = owner(world, "p", &["1.0.0", "1.0.1"]).await;
            let one = deprecates(world, &user, "p", "/p", &[("1.0.0", "old")]).await;
            !one && deprecates(world, &user, "p", "/p", &[("1.0.0", "old"), ("1.0.1", "old")]).await
        }
        M::DeprecateOneVersionUnchallenged => {
            let user = owner(world, "p", &["1.0.0", "1.0.1"]).await;
            let range = deprecates(world, &user, "p", "/p", &[("1.0.0", "old"), ("1.0.1", "old")]).await;
            !range && asks_for_whole(world).await && deprecates(world, &user, "p", "/p", &[("1.0.0", "old")]).await
        }
        M::UndeprecateUnchallenged => {
            let mut user = world.sign_up("alice").await;
            world.published(&user, "p", "1.0.0").await;
            assert!(deprecates(world, &user, "p", "/p", &[("1.0.0", "old")]).await);
            world.enrol(&mut user, WRITES).await;
            asks_for_whole(world).await && deprecates(world, &user, "p", "/p", &[("1.0.0", "")]).await
        }
        M::ScopedDeprecateUnchallenged => {
            let user = owner(world, "@alice/p", &["1.0.0"]).await;
            asks_for_whole(world).await
                && deprecates(world, &user, "@alice/p", "/@alice%2fp", &[("1.0.0", "old")]).await
        }
        M::UpperSpellingUnchallenged | M::SlashSpellingUnchallenged => {
            let user = owner(world, "@alice/p", &["1.0.0"]).await;
            let texts = [("1.0.0", "old")];
            let lower = deprecates(world, &user, "@alice/p", "/@alice%2fp", &texts).await;
            let path = if mutant == M::UpperSpellingUnchallenged { "/@alice%2Fp" } else { "/@alice/p" };
            !lower && deprecates(world, &user, "@alice/p", path, &texts).await
        }
        M::LockOutNeverEnds => {
            let user = world.enrolled("alice", WRITES).await;
            after_many(world, &user, true).await;
            world.pass(3_600);
            !renames(world, &user, Some(&world.code(&user))).await.is_success()
        }
        M::BareRequestsCount => {
            let user = world.enrolled("alice", WRITES).await;
            after_many(world, &user, false).await;
            renames(world, &user, Some(&world.code(&user))).await.status == 429
        }
        M::ThrottledWithoutRetryAfter => {
            let user = world.enrolled("alice", WRITES).await;
            let last = after_many(world, &user, true).await;
            assert_eq!(last.status, 429);
            last.header("retry-after").is_none()
        }
        other => aftermath_faults::shows(other, world).await,
    }
}
