//! The probes of the faults of a gate that does not ask everybody: some clients, or some doors, pass it.

use serde_json::json;
use stepup::registry::Mutant;

use crate::account_faults;
use crate::support::{AUTH_ONLY, Reply, User, WRITES, World, publication, send};

use Mutant as M;

/// A publication of a user without a proof, with these headers.
async fn publishes(world: &World, headers: &[(&str, &str)]) -> Reply {
    let user = world.enrolled("alice", WRITES).await;
    let mut request = world.request("PUT", "/p").bearer_auth(&user.token).json(&publication("p", "1.0.0"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request).await
}

/// Whether a client that calls itself so is asked for nothing, and npm is asked.
async fn overlooks(world: &World, agent: &str) -> bool {
    let npm = [("user-agent", "npm/11.21.2 node/v20.20.2 linux x64"), ("npm-auth-type", "web")];
    let user = world.enrolled("npm", WRITES).await;
    let mut asked = world.request("PUT", "/q").bearer_auth(&user.token).json(&publication("q", "1.0.0"));
    for (name, value) in npm {
        asked = asked.header(name, value);
    }
    assert!(send(asked).await.is_challenge());
    publishes(world, &[("user-agent", agent), ("npm-auth-type", "web")]).await.is_success()
}

/// A request of a user with name and password.
async fn basic(world: &World, user: &User, method: &str, path: &str, body: serde_json::Value) -> Reply {
    send(world.request(method, path).basic_auth(&user.name, Some(&user.password)).json(&body)).await
}

/// Whether a fault shows.
pub async fn shows(mutant: Mutant, world: &World) -> bool {
    match mutant {
        M::OtherClientsUnchallenged => overlooks(world, "curl/8.5.0").await,
        M::PnpmUnchallenged => overlooks(world, "pnpm/12.21.0 npm/? node/? linux x64").await,
        M::YarnUnchallenged => overlooks(world, "yarn/1.22.22 npm/? node/v20.20.2 linux x64").await,
        M::BunUnchallenged => overlooks(world, "Bun/1.4.5 linux x64").await,
        M::SilentClientsUnchallenged => publishes(world, &[("user-agent", "npm/6.14.18")]).await.is_success(),
        M::PipelinesUnchallenged => {
            publishes(world, &[("npm-auth-type", "legacy"), ("npm-in-ci", "true")]).await.is_success()
        }
        M::BasicWrites => {
            let user = world.enrolled("alice", WRITES).await;
            basic(world, &user, "PUT", "/p", publication("p", "1.0.0")).await.is_success()
        }
        M::BasicChangesAccount => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            let body = json!({ "fullname": "A" });
            basic(world, &user, "POST", "/-/npm/v1/user", body).await.is_success()
        }
        M::LegacyLogInUnchallenged => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            let path = "/-/user/org.couchdb.user:alice";
            let revision = world.get(path).await.json()["_rev"].as_str().unwrap().to_owned();
            let body = json!({ "name": "alice", "password": user.password, "type": "user" });
            basic(world, &user, "PUT", &format!("{path}/-rev/{revision}"), body).await.is_success()
        }
        other => account_faults::shows(other, world).await,
    }
}
