//! The wire client sends the headers that npm sends, and those of other clients where it says it is one of them: held
//! against rows of real runs, and against npm itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::http::request::Parts;
use serde_json::json;
use stepup::check::Provisioner;

use crate::captures::{Sent, rows};
use crate::in_process::relay::{Relayed, relay};
use crate::in_process::{Target, wrong};
use crate::npm::Npm;

/// What was sent through a relay before the reference registry.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<Vec<Sent>>>);

impl Record {
    async fn before(&self, target: &Target) -> reqwest::Url {
        let record = self.clone();
        relay(target, "/", move |parts: &Parts| {
            record.0.lock().expect("no test panics with it").push(Sent::of(parts));
            Relayed::Forwarded
        })
        .await
    }

    fn taken(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.0.lock().expect("no test panics with it"))
    }
}

/// What these cases send.
async fn sent_by(cases: &[&str]) -> Vec<Sent> {
    let (mut target, record) = (Target::start(&[]).await, Record::default());
    target.base = record.before(&target).await;
    let results = target.run(Provisioner::SelfService, cases).await;
    assert_eq!(wrong(&results), Vec::<String>::new());
    record.taken()
}

/// What no command of npm 11 sends, or none in the captures: npm 10's hooks, pages, which a browser opens, the packages of
/// a team, and the log-in after a conflict, with the document that it reads first.
fn is_nobodys(request: &str) -> bool {
    request.contains(" /-/npm/v1/hooks")
        || request.contains(" /-/auth/")
        || request.contains(" /-/account")
        || request.contains(" /-/v1/login/")
        || request.ends_with(" /-/user/org.couchdb.user:<user>/-rev/<rev>")
        || request == "GET /-/user/org.couchdb.user:<user>?write=true"
        || request == "GET /-/team/<scope>/<team>/package"
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_has_the_headers_that_npm_11_was_seen_to_send() {
    // Not each request was captured with a code and without one, and a scope in a name changes no header.
    let comparable = |sent: &Sent| {
        let mut same = sent.whatever_its_auth_type();
        same.request = same.request.replace("@<scope>%2f<name>", "<name>");
        same.headers.remove("npm-otp");
        same
    };
    let known: BTreeSet<Sent> = rows("npm 11").iter().map(comparable).collect();
    // The answer to one that nobody is logged in for tells the time.
    let ping = |sent: &Sent| sent.request == "GET /-/ping" && !sent.headers.contains_key("authorization");
    let cases = ["auth-and-writes/*/{totp,security-key}/wire", "disabled/*/none/wire"];
    let sent: BTreeSet<Sent> = sent_by(&cases).await.into_iter().collect();
    let own = sent.iter().filter(|sent| !is_nobodys(&sent.request) && !ping(sent));
    let unknown: Vec<&Sent> = own.clone().filter(|sent| !known.contains(&comparable(sent))).collect();
    assert!(unknown.is_empty(), "npm sends no\n{unknown:#?}");
    let commands: BTreeSet<&str> = own.filter_map(|sent| sent.headers.get("npm-command")).map(String::as_str).collect();
    let all = "access adduser deprecate dist-tag install login logout org owner ping profile publish search stage star team \
               token undeprecate unpublish view whoami";
    assert_eq!(commands, all.split_whitespace().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_clients_requests_have_the_headers_that_those_were_seen_to_send() {
    for (cases, client) in [
        ("clients/npm-6-{publish,unpublish,deprecate,token-create}/*/*/*", "npm 6"),
        ("clients/pnpm-12-*/*/*/*", "pnpm 12"),
        ("clients/yarn-1-*/*/*/*", "Yarn 1"),
        ("clients/yarn-4-*/*/*/*", "Yarn 4"),
        ("clients/bun-1-*/*/*/*", "Bun 1"),
    ] {
        let known = rows(client);
        let agent = &known[0].headers["user-agent"];
        let own: Vec<Sent> =
            sent_by(&[cases]).await.into_iter().filter(|sent| sent.headers.get("user-agent") == Some(agent)).collect();
        // The reads between the writes are not in the rows.
        let writes = own.iter().filter(|sent| !sent.request.starts_with("GET "));
        let mut seen = 0;
        for sent in writes {
            // A wrong code and a right one are sent at once, not after a prompt, as `--otp` does.
            assert!(known.contains(sent), "{client} sends no\n{sent:#?}");
            seen += 1;
        }
        assert!(seen >= 3, "{client}: {seen}");
    }
}

/// npm itself, not as it was: each of its requests is one that the wire client sends, header by header.
#[tokio::test(flavor = "multi_thread")]
async fn npm_11_sends_what_the_wire_client_sends() {
    let ours: BTreeSet<Sent> = sent_by(&["disabled/*/none/wire"]).await.into_iter().collect();
    let (target, record) = (Target::start(&[]).await, Record::default());
    let body = json!({ "name": "ada", "password": "a long enough password", "type": "user", "roles": [] });
    let signed_up = target.ask("PUT", "/-/user/org.couchdb.user:ada", "", body).await;
    let token = signed_up["token"].as_str().expect("a token");
    let relay = record.before(&target).await;
    let npm = Npm::at(relay.as_str(), Some(token)).await;
    let folder = npm.package("@ada/engine", "1.0.0");
    let does = async |arguments: &[&str]| {
        let said = npm.script(&folder, &[arguments, &["--auth-type=legacy"]].concat()).await;
        said.succeeded();
    };
    does(&["publish", "--access=public"]).await;
    npm.package("@ada/engine", "1.0.1");
    does(&["publish", "--access=public"]).await;
    does(&["deprecate", "@ada/engine@1.0.0", "no longer kept"]).await;
    does(&["access", "set", "status=private", "@ada/engine"]).await;
    does(&["team", "create", "ada:crew"]).await;
    does(&["access", "grant", "read-write", "ada:crew", "@ada/engine"]).await;
    does(&["access", "revoke", "ada:crew", "@ada/engine"]).await;
    does(&["access", "set", "mfa=none", "@ada/engine"]).await;
    does(&["dist-tag", "add", "@ada/engine@1.0.0", "beta"]).await;
    does(&["profile", "set", "fullname", "Ada"]).await;
    does(&["unpublish", "@ada/engine@1.0.1"]).await;
    does(&["whoami"]).await;
    let mut writes = 0;
    for sent in record.taken() {
        // Where the names of our cases have no scope, and where npm reads what the wire client has no need of.
        let plain = Sent {
            request: sent.request.replace("@<scope>%2f<name>", "<name>").replace("@<scope>/", ""),
            ..sent.clone()
        };
        let read = sent.request.starts_with("GET ") && !sent.request.ends_with("whoami");
        assert!(read || ours.contains(&sent) || ours.contains(&plain), "the wire client sends no\n{sent:#?}");
        writes += u32::from(!read);
    }
    assert!(writes >= 12, "{writes}");
}
