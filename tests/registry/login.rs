//! The doors of a log-in.

use serde_json::json;

use crate::support::keys::{Authenticator, Forger, soft_key};
use crate::support::{AUTH_ONLY, BOTH, Reply, User, WRITES, World, send};

struct Page {
    login: String,
    done: String,
}

async fn web_log_in(world: &World, create: bool) -> Page {
    let request = world.request("POST", "/-/v1/login").json(&json!({ "create": create }));
    let reply = send(request).await;
    assert_eq!(reply.status, 200);
    let path = |member: &str| {
        let address = reply.json()[member].as_str().unwrap().to_owned();
        address.strip_prefix(&world.base).unwrap().to_owned()
    };
    Page { login: path("loginUrl"), done: path("doneUrl") }
}

async fn submit(world: &World, page: &Page, form: &[(&str, &str)]) -> Reply {
    let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect();
    let reply = send(world.request("POST", &page.login).body(form.join("&"))).await;
    assert!(reply.header("content-type").unwrap().starts_with("text/html"));
    reply
}

#[tokio::test]
async fn a_new_name_signs_up_and_a_known_one_logs_in() {
    let world = World::new().await;
    let first = world.log_in("alice", "a b", None).await;
    assert_eq!(first.status, 201);
    let body = first.json();
    assert_eq!(body["ok"], true);
    assert_eq!(body["id"], "org.couchdb.user:alice");
    assert!(body["rev"].is_string());
    let second = world.log_in("alice", "a b", None).await;
    assert_eq!(second.status, 201);
    assert_ne!(second.json()["token"], body["token"]);
    assert!(world.log_in("alice", "wrong", None).await.is_plain(401));
    assert!(world.log_in("Alice", "a b", None).await.is_plain(400));
    let user = world.get("/-/user/org.couchdb.user:alice").await.json();
    assert_eq!((&user["name"], &user["_rev"]), (&json!("alice"), &body["rev"]));
    assert!(!user.to_string().contains("a b"));
}

#[tokio::test]
async fn a_wrong_password_is_never_answered_with_a_challenge() {
    for mode in BOTH {
        let world = World::new().await;
        let user = world.enrolled("alice", mode).await;
        let code = world.code(&user);
        assert!(world.log_in("alice", "wrong", None).await.is_plain(401));
        assert!(world.log_in("alice", "wrong", Some(&code)).await.is_plain(401));
        let revision = "/-/user/org.couchdb.user:nobody/-rev/1-0";
        let request = world.request("PUT", revision).json(&json!({ "password": "p" }));
        assert!(send(request).await.is_plain(401));
        assert!(world.log_in("alice", &user.password, Some(&code)).await.is_success());
    }
}

#[tokio::test]
async fn the_door_with_a_revision_is_challenged_too() {
    let world = World::new().await;
    let user = world.enrolled("alice", AUTH_ONLY).await;
    let document = world.get("/-/user/org.couchdb.user:alice").await.json();
    let path = format!("/-/user/org.couchdb.user:alice/-rev/{}", document["_rev"].as_str().unwrap());
    let attempt = || {
        world
            .request("PUT", &path)
            .basic_auth("alice", Some(&user.password))
            .json(&json!({ "name": "alice", "password": user.password }))
    };
    assert!(send(attempt()).await.is_challenge());
    let reply = send(attempt().header("npm-otp", world.code(&user))).await;
    assert_eq!(reply.status, 201);
}

#[tokio::test]
async fn a_dead_token_does_not_make_a_log_in_fail() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    let request = world
        .request("PUT", "/-/user/org.couchdb.user:alice")
        .bearer_auth("npm_dead")
        .json(&json!({ "name": "alice", "password": user.password }));
    assert_eq!(send(request).await.status, 201);
    let request = world.request("POST", "/-/v1/login").bearer_auth("npm_dead").json(&json!({}));
    assert_eq!(send(request).await.status, 200);
}

#[tokio::test]
async fn a_name_and_password_with_each_request_are_a_log_in_with_each_request() {
    let world = World::new().await;
    let user = world.enrolled("alice", AUTH_ONLY).await;
    let whoami = |password: &str| world.request("GET", "/-/whoami").basic_auth("alice", Some(password));
    assert!(send(whoami("wrong")).await.is_plain(401));
    assert!(send(whoami(&user.password)).await.is_challenge());
    let code = world.code(&user);
    assert!(send(whoami(&user.password).header("npm-otp", code)).await.is_success());
    let bob = world.sign_up("bob").await;
    let request = world.request("GET", "/-/whoami").basic_auth("bob", Some(&bob.password));
    assert_eq!(send(request).await.json()["username"], "bob");
}

#[tokio::test]
async fn the_web_login_yields_a_token_exactly_once() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    let page = web_log_in(&world, false).await;
    let html = world.get(&page.login).await;
    assert_eq!(html.status, 200);
    for part in ["<label for=\"username\">", "<label for=\"password\">", "method=\"post\""] {
        assert!(html.text.contains(part), "{part}");
    }
    for method in ["GET", "PUT", "DELETE", "POST"] {
        let pending = send(world.request(method, &page.done)).await;
        assert_eq!(pending.status, 202);
        assert_eq!(pending.header("retry-after"), Some("1"));
        assert!(pending.json().is_object());
    }
    let form = [("username", "alice"), ("password", &user.password)];
    assert_eq!(submit(&world, &page, &form).await.status, 200);
    assert_eq!(submit(&world, &page, &form).await.status, 404);
    let done = world.get(&page.done).await;
    let token = done.json()["token"].as_str().unwrap().to_owned();
    let session = User { token, ..user };
    assert_eq!(world.read(&session, "/-/whoami").await.json()["username"], "alice");
    assert_eq!(world.get(&page.done).await.status, 404);
    assert_eq!(world.get(&page.login).await.status, 404);
}

#[tokio::test]
async fn the_web_login_asks_for_a_code_in_both_modes() {
    for mode in BOTH {
        let world = World::new().await;
        let user = world.enrolled("alice", mode).await;
        let page = web_log_in(&world, false).await;
        let wrong = submit(&world, &page, &[("username", "alice"), ("password", "wrong")]).await;
        assert_eq!((wrong.status.as_u16(), wrong.header("www-authenticate")), (401, None));
        let early = submit(&world, &page, &[("otp", &world.code(&user))]).await;
        assert_eq!((early.status.as_u16(), early.header("www-authenticate")), (401, None));
        let form = [("username", "alice"), ("password", user.password.as_str())];
        let asked = submit(&world, &page, &form).await;
        assert_eq!((asked.status.as_u16(), asked.header("www-authenticate")), (401, Some("OTP")));
        assert!(asked.text.contains("<label for=\"otp\">") && !asked.text.contains("password of"));
        let wrong = submit(&world, &page, &[("otp", &world.wrong_code(&user))]).await;
        assert_eq!((wrong.status.as_u16(), wrong.header("www-authenticate")), (401, Some("OTP")));
        assert!(wrong.text.contains("not accepted"));
        assert_eq!(world.get(&page.done).await.status, 202);
        assert_eq!(submit(&world, &page, &[("otp", &world.code(&user))]).await.status, 200);
        assert_eq!(world.get(&page.done).await.status, 200);
    }
}

#[tokio::test]
async fn a_changed_password_ends_a_half_finished_web_login() {
    let world = World::new().await;
    let user = world.enrolled("alice", AUTH_ONLY).await;
    let page = web_log_in(&world, false).await;
    let form = [("username", "alice"), ("password", user.password.as_str())];
    assert_eq!(submit(&world, &page, &form).await.status, 401);
    let body = json!({ "password": { "old": user.password, "new": "n" } });
    assert!(world.profile(&user, body, Some(&world.code(&user))).await.is_success());
    let code = world.fresh_code(&user);
    let late = submit(&world, &page, &[("otp", &code)]).await;
    assert_eq!((late.status.as_u16(), late.header("www-authenticate")), (401, None));
    assert_eq!(world.get(&page.done).await.status, 202);
}

#[tokio::test]
async fn a_web_login_expires() {
    let world = World::new().await;
    let user = world.sign_up("alice").await;
    let page = web_log_in(&world, false).await;
    let finished = web_log_in(&world, false).await;
    let form = [("username", "alice"), ("password", user.password.as_str())];
    assert_eq!(submit(&world, &finished, &form).await.status, 200);
    world.pass(600);
    assert_eq!(submit(&world, &page, &form).await.status, 404);
    for path in [&page.done, &finished.done, "/-/v1/done/unknown"] {
        assert!(world.get(path).await.is_plain(404));
    }
}

#[tokio::test]
async fn the_web_login_signs_up_only_where_the_client_asked_for_it() {
    let world = World::new().await;
    let form = [("username", "newcomer"), ("password", "p")];
    let page = web_log_in(&world, false).await;
    assert_eq!(submit(&world, &page, &form).await.status, 401);
    assert!(world.get("/-/user/org.couchdb.user:newcomer").await.is_plain(404));
    let page = web_log_in(&world, true).await;
    assert_eq!(submit(&world, &page, &form).await.status, 200);
    assert_eq!(world.get(&page.done).await.status, 200);
}

#[tokio::test]
async fn logging_out_takes_the_token_itself_and_no_second_factor() {
    let world = World::new().await;
    let alice = world.enrolled("alice", WRITES).await;
    let bob = world.sign_up("bob").await;
    let path = format!("/-/user/token/{}", alice.token);
    assert!(world.call(&bob, "DELETE", &path, None, None).await.is_plain(404));
    assert!(world.call(&alice, "DELETE", &path, None, None).await.is_success());
    assert!(world.read(&alice, "/-/whoami").await.is_plain(401));
}

#[tokio::test]
async fn a_log_in_with_name_and_password_takes_a_key_by_way_of_a_page() {
    for mode in BOTH {
        let world = World::new().await;
        let mut key = soft_key();
        let user = world.key_holder("alice", &mut key, mode).await;
        let attempt = || {
            let body = json!({ "name": "alice", "password": user.password });
            world.request("PUT", "/-/user/org.couchdb.user:alice").header("npm-auth-type", "web").json(&body)
        };
        let door = world.door(&send(attempt()).await);
        let token = world.token_at(&door, &mut key).await;
        assert_eq!(send(attempt().header("npm-otp", &token)).await.status, 201);
        assert!(send(attempt().header("npm-otp", &token)).await.is_challenge());
    }
}

#[tokio::test]
async fn the_web_login_takes_a_key_after_the_password() {
    for mode in BOTH {
        let world = World::new().await;
        let mut key = soft_key();
        let user = world.key_holder("alice", &mut key, mode).await;
        let page = web_log_in(&world, false).await;
        let options = format!("{}/options", page.login);
        assert!(world.post(&options, &json!({})).await.is_plain(409));
        let form = [("username", "alice"), ("password", user.password.as_str())];
        let asked = submit(&world, &page, &form).await;
        assert_eq!((asked.status.as_u16(), asked.header("www-authenticate")), (401, Some("OTP")));
        assert!(asked.text.contains("Use security key") && asked.text.contains("<label for=\"otp\">"));
        assert_eq!(world.get(&page.done).await.status, 202);
        let put = world.options(&page.login).await;
        let assertion = format!("{}/assertion", page.login);
        let wrong = Forger::new(1).assert(&world.origin(), &put);
        let right = key.assert(&world.origin(), &put);
        assert!(world.post(&assertion, &wrong).await.is_plain(401));
        assert!(world.post(&assertion, &right).await.is_plain(401), "a challenge is good for one attempt");
        assert_eq!(world.get(&page.done).await.status, 202);
        assert!(world.touch(&page.login, &mut key).await.is_success());
        assert!(world.post(&options, &json!({})).await.is_plain(409));
        let token = world.get(&page.done).await.json()["token"].as_str().unwrap().to_owned();
        assert!(world.read(&User { token, ..user }, "/-/whoami").await.is_success());
        assert!(world.get(&page.done).await.is_plain(404));
    }
}

#[tokio::test]
async fn the_web_login_takes_a_recovery_code_and_no_six_digits_from_a_user_with_keys_alone() {
    let world = World::new().await;
    let user = world.key_holder("alice", &mut soft_key(), AUTH_ONLY).await;
    let page = web_log_in(&world, false).await;
    let form = [("username", "alice"), ("password", user.password.as_str())];
    assert_eq!(submit(&world, &page, &form).await.status, 401);
    assert_eq!(submit(&world, &page, &[("otp", "123456")]).await.status, 401);
    assert_eq!(submit(&world, &page, &[("otp", &user.recovery[0])]).await.status, 200);
    assert_eq!(world.get(&page.done).await.status, 200);
}

#[tokio::test]
async fn a_user_with_codes_alone_is_offered_no_key_at_the_web_login() {
    let world = World::new().await;
    let user = world.enrolled("alice", AUTH_ONLY).await;
    let page = web_log_in(&world, false).await;
    let form = [("username", "alice"), ("password", user.password.as_str())];
    assert!(!submit(&world, &page, &form).await.text.contains("Use security key"));
    assert!(world.post(&format!("{}/options", page.login), &json!({})).await.is_plain(409));
}
