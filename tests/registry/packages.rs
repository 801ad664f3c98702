//! Publishing, unpublishing, and who may.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::support::{self, AUTH_ONLY, User, WRITES, World, publication, tarball_of};

#[tokio::test]
async fn what_is_published_can_be_installed() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    world.published(&user, "@alice/p", "1.0.0").await;
    for path in ["/@alice%2fp", "/%40alice%2Fp", "/@alice/p"] {
        let packument = world.get(path).await.json();
        assert_eq!(packument["name"], "@alice/p");
        assert_eq!(packument["dist-tags"], json!({ "latest": "1.0.0" }));
        let tarball = &packument["versions"]["1.0.0"]["dist"]["tarball"];
        assert_eq!(*tarball, format!("{}/@alice/p/-/p-1.0.0.tgz", world.base));
    }
    let tarball = world.get("/@alice/p/-/p-1.0.0.tgz").await;
    assert_eq!(tarball.text.as_bytes(), tarball_of("@alice/p", "1.0.0"));
    let accept = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";
    let request = world.request("GET", "/@alice%2fp").header("accept", accept);
    let short = support::send(request).await.json();
    assert!(short["_rev"].is_null() && short["modified"].is_string());
    assert_eq!(short["versions"]["1.0.0"]["version"], "1.0.0");
    assert!(world.get("/@alice%2fq").await.is_plain(404));
}

#[tokio::test]
async fn a_version_is_published_once_and_for_ever() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    for version in ["1.0.0", "1.1.0"] {
        world.published(&user, "p", version).await;
    }
    let again = world.publish(&user, "p", "1.0.0", None).await;
    assert!(again.is_plain(403) && again.text.contains("cannot publish over"));
    let mut packument = world.packument(&user, "p").await;
    packument["versions"].as_object_mut().unwrap().remove("1.1.0");
    let path = format!("/p/-rev/{}", packument["_rev"].as_str().unwrap());
    assert!(world.call(&user, "PUT", &path, Some(packument), None).await.is_success());
    assert_eq!(world.packument(&user, "p").await["dist-tags"]["latest"], "1.0.0");
    assert!(world.publish(&user, "p", "1.1.0", None).await.is_plain(403));
}

#[tokio::test]
async fn a_tarball_that_is_not_the_described_one_is_refused() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    type Spoil = fn(&mut Value);
    let spoils: [Spoil; 8] = [
        |body| body["_attachments"]["p-1.0.0.tgz"]["data"] = json!(BASE64.encode(b"other")),
        |body| body["_attachments"]["p-1.0.0.tgz"]["data"] = json!("!"),
        |body| body["_attachments"]["p-1.0.0.tgz"]["length"] = json!(1),
        |body| body["versions"]["1.0.0"]["dist"]["shasum"] = json!("00"),
        |body| body["versions"]["1.0.0"]["dist"]["integrity"] = json!("sha512-AA=="),
        |body| body["versions"]["1.0.0"]["dist"] = json!({}),
        |body| body["versions"]["1.0.0"]["version"] = json!("1.0.1"),
        |body| body["name"] = json!("q"),
    ];
    for (number, spoil) in spoils.iter().enumerate() {
        let mut body = publication("p", "1.0.0");
        spoil(&mut body);
        let reply = world.call(&user, "PUT", "/p", Some(body), None).await;
        assert!(reply.is_plain(400), "{number}: {}", reply.text);
        assert!(world.packument(&user, "p").await.is_null());
    }
}

#[tokio::test]
async fn a_stale_revision_in_the_path_is_a_conflict() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    world.published(&user, "p", "1.0.0").await;
    let stale = world.revision(&user, "p").await;
    world.published(&user, "p", "1.1.0").await;
    let packument = json!({ "versions": {} });
    let path = format!("/p/-rev/{stale}");
    assert!(world.call(&user, "PUT", &path, Some(packument), None).await.is_plain(409));
    assert!(world.call(&user, "DELETE", &path, None, None).await.is_plain(409));
    assert!(!world.packument(&user, "p").await["versions"]["1.0.0"].is_null());
}

/// Unpublishes a version with a code and gives the path of its tarball's removal.
async fn half_unpublish(world: &World, user: &User, version: &str, code: &str) -> String {
    let mut packument = world.packument(user, "p").await;
    packument["versions"].as_object_mut().unwrap().remove(version);
    let path = format!("/p/-rev/{}", packument["_rev"].as_str().unwrap());
    let reply = world.call(user, "PUT", &path, Some(packument), Some(code)).await;
    assert!(reply.is_success(), "{}", reply.text);
    let revision = world.revision(user, "p").await;
    format!("/p/-/p-{version}.tgz/-rev/{revision}")
}

async fn publisher_of_three(world: &World) -> User {
    let mut user = world.sign_up("alice").await;
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        world.published(&user, "p", version).await;
    }
    world.enrol(&mut user, WRITES).await;
    user
}

#[tokio::test]
async fn one_code_serves_both_writes_of_an_unpublish_and_nothing_else() {
    let world = World::new().await;
    let user = publisher_of_three(&world).await;
    let code = world.code(&user);
    let path = half_unpublish(&world, &user, "1.0.0", &code).await;
    assert_eq!(world.get("/p/-/p-1.0.0.tgz").await.status, 200);
    let other = path.replace("1.0.0", "1.1.0");
    let wrong = world.wrong_code(&user);
    let delete = async |path: &str, proof| world.call(&user, "DELETE", path, None, proof).await;
    assert!(delete(&path, None).await.is_challenge());
    assert!(delete(&path, Some(&wrong)).await.is_challenge());
    assert!(delete(&other, Some(&code)).await.is_plain(403));
    assert!(world.publish(&user, "q", "1.0.0", Some(&code)).await.is_challenge());
    assert_eq!(world.get("/p/-/p-1.0.0.tgz").await.status, 200);
    world.pass(60);
    assert!(delete(&path, Some(&code)).await.is_success());
    assert_eq!(world.get("/p/-/p-1.0.0.tgz").await.status, 404);
    assert!(delete(&path, Some(&code)).await.is_plain(409));
    assert_eq!(world.get("/p/-/p-1.1.0.tgz").await.status, 200);
}

#[tokio::test]
async fn the_second_write_of_an_unpublish_does_not_wait_for_ever() {
    let world = World::new().await;
    let user = publisher_of_three(&world).await;
    let code = world.code(&user);
    let path = half_unpublish(&world, &user, "1.0.0", &code).await;
    world.pass(61);
    let reply = world.call(&user, "DELETE", &path, None, Some(&code)).await;
    assert!(reply.is_challenge());
    assert_eq!(world.get("/p/-/p-1.0.0.tgz").await.status, 200);
    let code = world.code(&user);
    assert!(world.call(&user, "DELETE", &path, None, Some(&code)).await.is_success());
}

#[tokio::test]
async fn the_second_write_of_an_unpublish_is_for_the_same_user() {
    let world = World::new().await;
    let alice = world.sign_up("alice").await;
    let mut bob = world.sign_up("bob").await;
    for version in ["1.0.0", "1.1.0"] {
        world.published(&alice, "p", version).await;
    }
    let owners = json!({ "user": "bob" });
    let reply = world.call(&alice, "PUT", "/-/package/p/owners", Some(owners), None).await;
    assert!(reply.is_success());
    let mut alice = alice;
    world.enrol(&mut alice, WRITES).await;
    world.enrol(&mut bob, WRITES).await;
    let code = world.code(&alice);
    let path = half_unpublish(&world, &alice, "1.0.0", &code).await;
    let reply = world.call(&bob, "DELETE", &path, None, Some(&code)).await;
    assert!(reply.is_challenge());
}

#[tokio::test]
async fn strangers_write_nothing_and_see_nothing_restricted() {
    let world = World::new().await;
    let alice = world.sign_up("alice").await;
    let eve = world.sign_up("eve").await;
    world.published(&alice, "@alice/p", "1.0.0").await;
    let refused = world.publish(&eve, "@alice/p", "1.1.0", None).await;
    assert!(refused.is_plain(403));
    assert!(world.publish(&eve, "@alice/q", "1.0.0", None).await.is_plain(403));
    let path = "/-/package/@alice%2fp/access";
    let restrict = json!({ "access": "restricted" });
    assert!(world.call(&eve, "POST", path, Some(restrict.clone()), None).await.is_plain(403));
    assert!(world.call(&alice, "POST", path, Some(restrict), None).await.is_success());
    assert!(world.read(&eve, "/@alice%2fp").await.is_plain(404));
    assert!(world.get("/@alice/p/-/p-1.0.0.tgz").await.is_plain(404));
    assert!(world.publish(&eve, "@alice/p", "1.1.0", None).await.is_plain(403));
    assert!(!world.get("/-/v1/search?text=alice").await.text.contains("@alice/p"));
    assert!(world.read(&alice, "/@alice%2fp").await.is_success());
    let anonymous = world.request("PUT", "/p").json(&publication("p", "1.0.0"));
    assert!(support::send(anonymous).await.is_plain(401));
}

#[tokio::test]
async fn a_read_write_team_publishes_and_a_read_only_one_reads() {
    let world = World::new().await;
    let alice = world.sign_up("alice").await;
    let bob = world.sign_up("bob").await;
    world.published(&alice, "@acme/p", "1.0.0").await;
    let put = async |path: &str, body: Value| {
        let reply = world.call(&alice, "PUT", path, Some(body), None).await;
        assert!(reply.is_success(), "{path}: {}", reply.text);
    };
    let restrict = json!({ "access": "restricted" });
    let path = "/-/package/@acme%2fp/access";
    assert!(world.call(&alice, "POST", path, Some(restrict), None).await.is_success());
    put("/-/org/acme/team", json!({ "name": "devs" })).await;
    put("/-/team/acme/devs/user", json!({ "user": "bob" })).await;
    assert!(world.read(&bob, "/@acme%2fp").await.is_plain(404));
    let grant = json!({ "package": "@acme/p", "permissions": "read-only" });
    put("/-/team/acme/devs/package", grant).await;
    assert!(world.read(&bob, "/@acme%2fp").await.is_success());
    assert!(world.publish(&bob, "@acme/p", "1.1.0", None).await.is_plain(403));
    let grant = json!({ "package": "@acme/p", "permissions": "read-write" });
    put("/-/team/acme/devs/package", grant).await;
    world.published(&bob, "@acme/p", "1.1.0").await;
    let owners = json!({ "user": "bob" });
    let path = "/-/package/@acme%2fp/owners";
    assert!(world.call(&bob, "PUT", path, Some(owners), None).await.is_plain(403));
    let collaborators = world.read(&alice, "/-/package/@acme%2fp/collaborators").await.json();
    assert_eq!(collaborators, json!({ "alice": "write", "bob": "write" }));
    let destroyed = world.call(&alice, "DELETE", "/-/team/acme/devs", None, None).await;
    assert!(destroyed.is_success() && destroyed.json().is_object());
    assert!(world.read(&bob, "/@acme%2fp").await.is_plain(404));
}

#[tokio::test]
async fn a_package_that_requires_a_second_factor_gets_one_or_no_publication() {
    let world = World::new().await;
    let owner = world.sign_up("owner").await;
    let mut writer = world.sign_up("writer").await;
    world.published(&owner, "p", "1.0.0").await;
    for user in ["writer"] {
        let body = json!({ "user": user });
        let reply = world.call(&owner, "PUT", "/-/package/p/owners", Some(body), None).await;
        assert!(reply.is_success());
    }
    let token = json!({ "password": writer.password, "automation": true });
    let reply = world.call(&writer, "POST", "/-/npm/v1/tokens", Some(token), None).await;
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    let robot = User { token, ..writer.clone() };
    let require = async |body: Value| {
        let path = "/-/package/p/access";
        let reply = world.call(&owner, "POST", path, Some(body), None).await;
        assert!(reply.is_success());
    };
    require(json!({ "publish_requires_tfa": true })).await;
    let refused = world.publish(&writer, "p", "1.1.0", None).await;
    assert!(refused.is_plain(403) && refused.text.contains("requires that publishers enable TFA"));
    world.enrol(&mut writer, AUTH_ONLY).await;
    assert!(world.publish(&writer, "p", "1.1.0", None).await.is_challenge());
    assert!(world.publish(&robot, "p", "1.1.0", None).await.is_plain(403));
    assert!(world.packument(&owner, "p").await["versions"]["1.1.0"].is_null());
    let code = world.code(&writer);
    assert!(world.publish(&writer, "p", "1.1.0", Some(&code)).await.is_success());
    require(json!({ "publish_requires_tfa": true, "automation_token_overrides_tfa": true })).await;
    world.published(&robot, "p", "1.2.0").await;
    assert!(world.publish(&writer, "p", "1.3.0", None).await.is_challenge());
    require(json!({ "publish_requires_tfa": false })).await;
    world.published(&writer, "p", "1.3.0").await;
}

#[tokio::test]
async fn a_scope_belongs_to_whoever_publishes_in_it_first() {
    let world = World::new().await;
    let alice = world.sign_up("alice").await;
    let bob = world.sign_up("bob").await;
    world.published(&alice, "@acme/p", "1.0.0").await;
    assert!(world.publish(&bob, "@acme/q", "1.0.0", None).await.is_plain(403));
    assert!(world.publish(&bob, "@alice/q", "1.0.0", None).await.is_plain(403));
    assert!(world.log_in("acme", "p", None).await.is_plain(403));
    let member = json!({ "user": "bob", "role": "developer" });
    let reply = world.call(&alice, "PUT", "/-/org/acme/user", Some(member), None).await;
    assert_eq!(reply.json(), json!({ "org": { "name": "acme", "size": 2 }, "user": "bob", "role": "developer" }));
    world.published(&bob, "@acme/q", "1.0.0").await;
    let member = json!({ "user": "bob", "role": "owner" });
    assert!(world.call(&bob, "PUT", "/-/org/acme/user", Some(member), None).await.is_plain(403));
    let gone = json!({ "user": "alice" });
    let reply = world.call(&alice, "DELETE", "/-/org/acme/user", Some(gone), None).await;
    assert!(reply.is_plain(400));
}

#[tokio::test]
async fn a_challenged_publication_claims_no_scope() {
    let world = World::new().await;
    let alice = world.enrolled("alice", WRITES).await;
    let bob = world.sign_up("bob").await;
    assert!(world.publish(&alice, "@acme/p", "1.0.0", None).await.is_challenge());
    world.published(&bob, "@acme/p", "1.0.0").await;
}

#[tokio::test]
async fn latest_is_moved_and_never_removed() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    for version in ["1.0.0", "2.0.0-beta.1"] {
        world.published(&user, "p", version).await;
    }
    let tags = "/-/package/p/dist-tags";
    let reply = world.call(&user, "PUT", &format!("{tags}/next"), Some(json!("1.0.0")), None).await;
    assert!(reply.is_success());
    for (path, version) in [("next", "9.9.9"), ("1.0.0", "1.0.0"), ("v2", "1.0.0")] {
        let path = format!("{tags}/{path}");
        let reply = world.call(&user, "PUT", &path, Some(json!(version)), None).await;
        assert!(reply.is_plain(404) || reply.is_plain(400), "{path}");
    }
    let latest = format!("{tags}/latest");
    assert!(world.call(&user, "DELETE", &latest, None, None).await.is_plain(400));
    let next = format!("{tags}/next");
    assert!(world.call(&user, "DELETE", &next, None, None).await.is_success());
    assert_eq!(world.get(tags).await.json(), json!({ "latest": "2.0.0-beta.1" }));
}

#[tokio::test]
async fn replacing_all_tags_does_not_move_latest_past_the_challenge() {
    let world = World::new().await;
    let user = publisher_of_three(&world).await;
    let tags = "/-/package/p/dist-tags";
    for method in ["PUT", "POST"] {
        let moved = json!({ "latest": "1.0.0" });
        assert!(world.call(&user, method, tags, Some(moved), None).await.is_challenge());
        let kept = json!({ "latest": "1.2.0", method.to_lowercase(): "1.0.0" });
        assert!(world.call(&user, method, tags, Some(kept), None).await.is_success());
    }
    assert_eq!(world.get(tags).await.json()["latest"], "1.2.0");
}
