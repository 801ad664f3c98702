//! Effects are differences: registries that show what they do in ways of their own, none of them at fault, and some that
//! act after they have answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use stepup::check::Provisioner;
use stepup::judge::{Effect, Verdict};
use stepup::persona::ledger::Skew;
use stepup::result::{CaseResult, Status};

use crate::in_process::relay::{Alteration, Answered, Asked, Relayed, front, relay};
use crate::in_process::{Target, wrong};

/// Runs these cases on a registry whose answers are altered so, and says what did not hold.
async fn altered(alteration: Alteration, cases: &[&str]) -> Vec<String> {
    let mut target = Target::start(&[]).await;
    target.base = relay(&target, "/", move |_| Relayed::Altered(str::to_owned, alteration)).await;
    let results = target.run(Provisioner::SelfService, cases).await;
    assert!(results.len() > 1, "{cases:?} selects too little");
    wrong(&results)
}

/// The cases about tokens.
const TOKENS: [&str; 2] = ["*/token-create/*/wire", "*/token-revoke/*/wire"];

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_tokens_may_be_full_whichever_it_keeps() {
    let oldest: Alteration = |status, mut json| {
        if let Some(objects) = json.get_mut("objects").and_then(Value::as_array_mut) {
            objects.sort_by_key(|token| token["created"].to_string());
            objects.truncate(1);
        }
        (status, json)
    };
    let none: Alteration = |status, mut json| {
        if json.get("objects").is_some_and(Value::is_array) {
            json["objects"] = json!([]);
        }
        (status, json)
    };
    for alteration in [oldest, none] {
        assert_eq!(altered(alteration, &TOKENS).await, Vec::<String>::new());
    }
}

/// A registry without a route: it answers 404 there, as to every other path that it does not know.
async fn without(route: &'static str, cases: &[&str]) -> Vec<String> {
    let mut target = Target::start(&[]).await;
    let missing = move |asked: Asked| async move {
        match asked.line() == route {
            true => Answered::json(StatusCode::NOT_FOUND, r#"{"error":"not found"}"#),
            false => asked.forward().await,
        }
    };
    target.base = front(&target, missing).await;
    let results = target.run(Provisioner::SelfService, cases).await;
    assert!(results.len() > 1, "{cases:?} selects too little");
    wrong(&results)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_may_have_no_whoami() {
    assert_eq!(without("GET /-/whoami", &TOKENS).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_may_have_no_list_of_tokens() {
    assert_eq!(without("GET /-/npm/v1/tokens", &TOKENS).await, Vec::<String>::new());
}

/// What a cache has, and since when.
type Cache = Arc<Mutex<HashMap<String, (i64, StatusCode, axum::http::HeaderMap, axum::body::Bytes)>>>;

/// A cache for so long that answers reads of packages, what is not there included, whatever it is asked to. How often
/// read-backs have asked to be let past it is counted.
async fn cached(asked: Asked, cache: Cache, now: i64, seconds: i64) -> Answered {
    let path = asked.uri.to_string();
    if asked.method != "GET" || (path.contains("/-/") && !path.ends_with(".tgz")) || path.contains("write=true") {
        return asked.forward().await;
    }
    if let Some((at, status, headers, body)) = cache.lock().expect("no test panics with it").get(&path).cloned()
        && now - at < seconds * 1_000
    {
        return Answered { status, headers, body, breaks: false }.with("age", "1");
    }
    let answer = asked.forward().await;
    let kept = (now, answer.status, answer.headers.clone(), answer.body.clone());
    cache.lock().expect("no test panics with it").insert(path, kept);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_may_come_from_a_cache_that_says_so() {
    let mut target = Target::start(&[]).await;
    let (cache, clock) = (Cache::default(), target.clock.clone());
    target.base = front(&target, move |asked| cached(asked, Arc::clone(&cache), clock.now().0, 5)).await;
    let cases = ["*/publish*/*/wire", "*/unpublish*/*/wire", "*/deprecate/*/wire"];
    let results = target.run(Provisioner::SelfService, &cases).await;
    assert!(results.len() > 10);
    assert_eq!(wrong(&results), Vec::<String>::new());
}

/// Whom a request is from.
fn bearer(asked: &Asked) -> String {
    asked.headers.get("authorization").map_or("", |value| value.to_str().expect("text")).to_owned()
}

/// A registry that challenges what publishes a package, and publishes it all the same as soon as `due` says so of a later
/// request: by a recovery code of the user.
struct Late {
    due: fn(&Asked, i64) -> bool,
    codes: Mutex<HashMap<String, Vec<String>>>,
    waiting: Mutex<Vec<(i64, Asked)>>,
    landing: tokio::sync::Mutex<()>,
}

impl Late {
    async fn answer(self: Arc<Self>, asked: Asked, now: i64) -> Answered {
        // Nobody reads while something lands, whoever set that off.
        let landing = self.landing.lock().await;
        let due: Vec<Asked> = {
            let mut waiting = self.waiting.lock().expect("no test panics with it");
            let (due, rest): (Vec<_>, Vec<_>) =
                waiting.drain(..).partition(|(since, late)| (self.due)(&asked, now - since) && late.uri != asked.uri);
            *waiting = rest;
            due.into_iter().map(|(_, asked)| asked).collect()
        };
        for late in due {
            late.forward().await;
        }
        drop(landing);
        let answer = asked.forward().await;
        let who = bearer(&asked);
        let codes = answer.read()["tfa"].as_array().cloned();
        let mut known = self.codes.lock().expect("no test panics with it");
        if let Some(codes) = codes {
            let text = |code: &Value| code.as_str().map(str::to_owned);
            known.insert(who.clone(), codes.iter().filter_map(text).collect());
        }
        let publishes = asked.method == "PUT" && asked.uri.path().starts_with("/su0");
        if publishes
            && answer.status == StatusCode::UNAUTHORIZED
            && let Some(code) = known.get_mut(&who).and_then(Vec::pop)
        {
            let mut late = asked.clone();
            late.headers.insert(HeaderName::from_static("npm-otp"), HeaderValue::from_str(&code).expect("a value"));
            self.waiting.lock().expect("no test panics with it").push((now, late));
        }
        answer
    }
}

async fn late(due: fn(&Asked, i64) -> bool, cases: &[&str]) -> Vec<CaseResult> {
    let mut target = Target::start(&[]).await;
    // So that each code takes a time step of its own.
    target.skew = Skew { behind: 0, ahead: 0 };
    let registry =
        Arc::new(Late { due, codes: Mutex::default(), waiting: Mutex::default(), landing: Default::default() });
    let clock = target.clock.clone();
    target.base = front(&target, move |asked| Arc::clone(&registry).answer(asked, clock.now().0)).await;
    let results = target.run(Provisioner::SelfService, cases).await;
    assert!(!results.is_empty());
    assert_eq!(target.packages().await, 0, "what came late is removed as well");
    results
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_after_a_challenge_shows_when_the_next_code_has_been_waited_for() {
    let results = late(|_, passed| passed >= 1_000, &["auth-and-writes/publish/totp/wire"]).await;
    assert_eq!(results[0].verdicts[0], Verdict::EffectBeforeFactor, "{}", results[0].observed);
    assert!(results[0].observed.contains("seen just before the right proof"), "{}", results[0].observed);
}

/// Nothing but the undoing asks so for a package.
#[tokio::test(flavor = "multi_thread")]
async fn what_undoing_finds_reopens_the_verdict() {
    let undone = |asked: &Asked, _: i64| asked.uri.query() == Some("write=true");
    let cases = ["auth-and-writes/publish/totp/wire", "otp/unfit-on-writes/auth-and-writes/totp/wire"];
    let results = late(undone, &cases).await;
    assert_eq!(results.len(), 2);
    for case in results {
        let of_scenario = case.id.starts_with("otp/");
        let verdict = if of_scenario { Verdict::WrongProofAccepted } else { Verdict::EffectBeforeFactor };
        assert_eq!((case.status, case.verdicts[0]), (Status::Fail, verdict), "{}: {}", case.id, case.observed);
        // The scenario reads packages in the same way as undoing does, and sees it then.
        let seen = if of_scenario { "seen at the end" } else { "found when it was looked for to be undone" };
        assert!(case.observed.contains(seen), "{}", case.observed);
    }
}

/// A route that is challenged whoever asks, and whatever for.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenged_read_back_is_unknown_with_the_request_named_and_costs_no_code() {
    let mut target = Target::start(&[]).await;
    let codes = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&codes);
    let answer = move |asked: Asked| {
        let counted = Arc::clone(&counted);
        async move {
            if asked.line() != "GET /-/npm/v1/user" {
                return asked.forward().await;
            }
            *counted.lock().expect("no test panics with it") +=
                usize::from(asked.has("npm-otp") && asked.has("cache-control"));
            let words = r#"{"error":"You must provide a one-time pass."}"#;
            Answered::json(StatusCode::UNAUTHORIZED, words).with("www-authenticate", "OTP")
        }
    };
    target.base = front(&target, answer).await;
    let results = target.run(Provisioner::SelfService, &["auth-only/mode-change/totp/wire"]).await;
    assert_eq!(results[0].verdicts, [Verdict::TargetFailed], "{}", results[0].observed);
    let bare = &results[0].probes[0];
    assert_eq!(bare.effect, Effect::Unknown);
    let detail = bare.effect_detail.as_deref().unwrap_or_default();
    assert!(detail.contains("GET /-/npm/v1/user → 401") && detail.contains("spends no code"), "{detail}");
    assert_eq!(*codes.lock().expect("no test panics with it"), 0);
}

/// A registry that never says that it has a package, whether it has it or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_not_found_of_a_read_that_never_finds_anything_is_no_absence() {
    let mut target = Target::start(&[]).await;
    let answer = |asked: Asked| async move {
        match asked.method == "GET" && asked.uri.path().starts_with("/su0") && asked.uri.query().is_none() {
            true => Answered::json(StatusCode::NOT_FOUND, r#"{"error":"not found"}"#),
            false => asked.forward().await,
        }
    };
    target.base = front(&target, answer).await;
    let results = target.run(Provisioner::SelfService, &["otp/unfit-on-writes/auth-and-writes/totp/wire"]).await;
    assert_eq!(results[0].verdicts, [Verdict::TargetFailed], "{}", results[0].observed);
    assert!(results[0].observed.contains("has found nothing in this run"), "{}", results[0].observed);
}

/// Where the archives of a registry lie.
#[derive(Clone, Copy)]
enum Archives {
    /// Behind a redirect within it.
    Redirected,
    /// On another host.
    Elsewhere,
}

/// Archives that lie elsewhere: the answers of the registry, and those of the other host, which counts what it is asked and
/// minds credentials.
async fn archives(kind: Archives, named: bool, cases: &[&str]) -> (Vec<CaseResult>, usize) {
    let mut target = Target::start(&[]).await;
    let fetched = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&fetched);
    let store = front(&target, move |asked: Asked| {
        let counted = Arc::clone(&counted);
        async move {
            assert!(!asked.has("authorization") && !asked.has("npm-otp") && asked.method == "GET", "{}", asked.line());
            *counted.lock().expect("no test panics with it") += 1;
            asked.forward().await
        }
    })
    .await;
    let other = store.as_str().trim_end_matches('/').to_owned();
    let own = front(&target, move |asked: Asked| {
        let other = other.clone();
        async move {
            let path = asked.uri.to_string();
            let archive = asked.method == "GET" && asked.uri.path().ends_with(".tgz");
            if matches!(kind, Archives::Redirected) && archive && !path.contains("signed=") {
                let location = format!("{path}?signed=1");
                return Answered::json(StatusCode::FOUND, "").with("location", &location);
            }
            let mut answer = asked.forward().await;
            let mut json = answer.read();
            let versions = json.get_mut("versions").and_then(Value::as_object_mut);
            if let (Archives::Elsewhere, Some(versions)) = (kind, versions) {
                for version in versions.values_mut() {
                    let tarball = version["dist"]["tarball"].as_str().unwrap_or_default().to_owned();
                    let path = tarball.splitn(4, '/').nth(3).unwrap_or_default();
                    version["dist"]["tarball"] = format!("{other}/{path}").into();
                }
                answer.body = json.to_string().into();
            }
            answer
        }
    })
    .await;
    target.base = own;
    if named {
        target.archives = vec![store];
    }
    let results = target.run(Provisioner::SelfService, cases).await;
    let fetched = *fetched.lock().expect("no test panics with it");
    (results, fetched)
}

const PUBLISHING: [&str; 2] = ["*/publish/*/wire", "*/publish:later-version/*/wire"];

#[tokio::test(flavor = "multi_thread")]
async fn archives_may_lie_behind_a_redirect() {
    let (results, _) = archives(Archives::Redirected, false, &[&PUBLISHING[..], &["*/tarball/*/wire"]].concat()).await;
    assert!(results.len() > 5 && results.iter().all(|case| case.statements.is_empty()));
    assert_eq!(wrong(&results), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_on_another_host_are_read_where_it_is_named_and_said_where_it_is_not() {
    let (results, fetched) = archives(Archives::Elsewhere, true, &PUBLISHING).await;
    assert_eq!(wrong(&results), Vec::<String>::new());
    assert!(fetched > 0 && results.iter().all(|case| case.statements.is_empty()));
    let (results, fetched) = archives(Archives::Elsewhere, false, &PUBLISHING).await;
    assert_eq!((wrong(&results), fetched), (Vec::new(), 0));
    for case in results {
        assert!(case.statements.iter().any(|told| told.contains("the target file does not name")), "{case:?}");
    }
    let (results, fetched) = archives(Archives::Elsewhere, false, &["disabled/tarball/*/wire"]).await;
    assert_eq!((results[0].status, fetched), (Status::Skipped, 0), "{}", results[0].observed);
}

/// npm removes a tarball at the registry, below whose address it is, wherever the document says that it lies. What became
/// of it there is read where the host is named.
#[tokio::test(flavor = "multi_thread")]
async fn archives_on_another_host_are_unpublished_on_the_registry() {
    for named in [true, false] {
        let (results, _) = archives(Archives::Elsewhere, named, &["*/unpublish:{version,tarball}/totp/wire"]).await;
        let ended = |surface: &str| -> Vec<Status> {
            let of = results.iter().filter(|case| case.surface.as_deref() == Some(surface));
            of.map(|case| case.status).collect()
        };
        // Nothing else shows what became of a tarball alone.
        let unread = if named { Status::Pass } else { Status::Skipped };
        assert_eq!((ended("version"), ended("tarball")), (vec![Status::Pass; 2], vec![unread; 2]), "{results:#?}");
    }
}

/// An upload that is answered with nothing usable, and lands so many seconds later, or never.
async fn slow_upload(seconds: Option<i64>) -> (CaseResult, usize) {
    let mut target = Target::start(&[]).await;
    let (clock, waiting) = (target.clock.clone(), Arc::new(Mutex::new(None::<(i64, Asked)>)));
    let answer = move |asked: Asked| {
        let (now, waiting) = (clock.now().0, Arc::clone(&waiting));
        async move {
            let landed = waiting
                .lock()
                .expect("no test panics with it")
                .take_if(|(since, _)| seconds.is_some_and(|seconds| now - *since >= seconds * 1_000));
            if let Some((_, landed)) = landed {
                landed.forward().await;
            }
            // What shows that the reads find what is there is none of the case's.
            if asked.method == "PUT" && asked.uri.path().starts_with("/su0") && !asked.uri.path().contains("reads") {
                *waiting.lock().expect("no test panics with it") = Some((now, asked));
                return Answered::broken();
            }
            asked.forward().await
        }
    };
    target.base = front(&target, answer).await;
    let mut results = target.run(Provisioner::SelfService, &["disabled/publish/none/wire"]).await;
    (results.remove(0), target.packages().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lands_after_its_answer_was_given_up_is_removed_or_told() {
    for (seconds, left) in [(Some(1), 0), (Some(5), 0), (None, 1)] {
        let (case, packages) = slow_upload(seconds).await;
        assert_eq!(case.verdicts, [Verdict::TargetFailed], "{}", case.observed);
        assert_eq!((case.left.len(), packages), (left, 0), "{:?}", case.left);
    }
    let (case, _) = slow_upload(None).await;
    assert!(case.left[0].contains("no answer came, and it may come to be yet"), "{:?}", case.left);
}
