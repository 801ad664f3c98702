//! What every request gets, whatever it asks for.

use serde_json::json;
use stepup::registry::BODY_LIMIT;

use crate::support::{self, World, send};

#[tokio::test]
async fn unknown_paths_are_404_and_known_ones_with_the_wrong_verb_405() {
    let world = World::new().await;
    for path in ["/.well-known/security.txt", "/-/nothing", "/-/npm/v1/nothing", "/a/b/c/d", "/-/v1/done/x"] {
        let reply = world.get(path).await;
        assert!(reply.is_plain(404), "{path}");
        assert!(reply.json()["error"].is_string());
    }
    for (method, path, allow) in [
        ("POST", "/-/whoami", "GET"),
        ("PATCH", "/p", "GET, PUT"),
        ("DELETE", "/-/npm/v1/user", "GET, POST"),
        ("OPTIONS", "/-/ping", "GET"),
    ] {
        let reply = send(world.request(method, path)).await;
        assert!(reply.is_plain(405), "{method} {path}");
        assert_eq!(reply.header("allow"), Some(allow));
    }
    assert_eq!(send(world.request("HEAD", "/-/ping")).await.status, 200);
}

#[tokio::test]
async fn audits_find_nothing() {
    let world = World::new().await;
    for path in ["/-/npm/v1/security/advisories/bulk", "/-/npm/v1/security/audits/quick"] {
        let reply = send(world.request("POST", path).body("gzip or not")).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({})));
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413() {
    let world = World::new().await;
    let body = vec![b' '; BODY_LIMIT + 1];
    let reply = send(world.request("PUT", "/p").body(body)).await;
    assert!(reply.is_plain(413));
}

#[tokio::test]
async fn nonsense_is_refused_and_the_registry_lives_on() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    world.published(&user, "p", "1.0.0").await;
    let revision = world.revision(&user, "p").await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let bodies = [
        "",
        "null",
        "[]",
        "\"\"",
        "0",
        "{",
        "{\"versions\":[]}",
        "{\"versions\":{\"1\":null}}",
        "{\"_attachments\":{}}",
        "{\"users\":0}",
        "{\"tfa\":0}",
        "{\"tfa\":[1]}",
        "{\"tfa\":{}}",
        "{\"password\":{}}",
        "{\"password\":0}",
        "{\"maintainers\":[]}",
        "{\"maintainers\":[0]}",
        "{\"user\":null}",
        "{\"access\":\"x\"}",
        "\u{0}",
        &deep,
    ];
    let at = format!("/p/-rev/{revision}");
    let paths = [
        "/p",
        &at,
        "/-/npm/v1/user",
        "/-/npm/v1/tokens",
        "/-/package/p/access",
        "/-/package/p/owners",
        "/-/package/p/dist-tags",
        "/-/package/p/dist-tags/x",
        "/-/org/o/user",
        "/-/org/o/team",
        "/-/team/o/t/user",
        "/-/team/o/t/package",
        "/-/npm/v1/hooks/hook",
        "/-/stage/package/p",
        "/-/user/v1/star",
        "/-/user/org.couchdb.user:x",
        "/-/%ff",
        "/%2f",
        "/@",
        "/@/",
        "/-",
    ];
    for method in ["PUT", "POST", "DELETE"] {
        // Removing the package with its right revision makes sense, whatever the body.
        for path in paths.iter().filter(|path| method != "DELETE" || **path != at) {
            for body in bodies {
                let request = world.request(method, path).bearer_auth(&user.token);
                let reply = send(request.body(body.to_owned())).await;
                assert!(reply.status.as_u16() < 500, "{method} {path} {body}: {}", reply.text);
                assert!(!reply.is_challenge());
            }
        }
    }
    assert_eq!(world.read(&user, "/-/whoami").await.status, 200);
    assert!(!world.packument(&user, "p").await["versions"]["1.0.0"].is_null());
}

#[tokio::test]
async fn the_registry_shuts_down_with_a_call_under_way() {
    let world = World::broken(stepup::registry::Mutant::TokenCreateHangs).await;
    let user = world.sign_up("alice").await;
    let request =
        world.request("POST", "/-/npm/v1/tokens").bearer_auth(&user.token).json(&json!({ "password": user.password }));
    let hung = tokio::spawn(request.send());
    while world.registry.statistics().requests < 2 {
        tokio::task::yield_now().await;
    }
    world.shut_down().await.unwrap();
    drop(hung.await);
}

#[tokio::test]
async fn statistics_add_up() {
    let world = World::new().await;
    let user = world.enrolled("alice", support::WRITES).await;
    let code = world.code(&user);
    let wrong = world.wrong_code(&user);
    for proof in [None, Some(&wrong), Some(&code)] {
        world.publish(&user, "p", "1.0.0", proof.map(String::as_str)).await;
    }
    let counted = world.registry.statistics();
    assert_eq!(
        (counted.bare_challenges, counted.refused_proofs, counted.accepted_proofs, counted.throttled),
        (1, 1, 1, 0)
    );
}

#[tokio::test]
async fn the_registry_is_at_both_addresses_of_localhost() {
    let world = World::new().await;
    let port = world.base.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        if host == "[::1]" && tokio::net::TcpListener::bind("[::1]:0").await.is_err() {
            continue;
        }
        let request = world.request_at(&format!("http://{host}:{port}"), "POST", "/-/v1/login").json(&json!({}));
        let address = send(request).await.json()["loginUrl"].as_str().unwrap().to_owned();
        assert!(address.starts_with(&format!("http://{host}:{port}/-/v1/login/")), "{address}");
    }
}
