//! One answer, one word: the check, a load's single requests and a load's flows say the same of it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use stepup::check::scene::{Conduct, Scene, Stage};
use stepup::clock::Clock;
use stepup::dialect::Dialect;
use stepup::judge::Outcome;
use stepup::load::answer::{Read, Reply, read};
use stepup::load::errand::{Around, Errand, Next, Prepared};
use stepup::load::fate::{Fate, Reader};
use stepup::load::keychain::Keychain;
use stepup::load::mix::Kind;
use stepup::load::request::Connect;
use stepup::load::script::Script;
use stepup::load::users::{PoolSeed, Users};
use stepup::persona::Persona;
use stepup::persona::key::Maker;
use stepup::persona::ledger::Skew;
use stepup::secret::{Secret, SecretKind};
use stepup::wire::{Reuse, Wire};
use tokio::sync::Semaphore;

/// The word of each of the three for what an answer means, and the check's sentence.
struct Words {
    check: Outcome,
    said: String,
    single: Fate,
    flow: Fate,
}

fn text(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} S\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

async fn words(dialect: &Arc<Dialect>, surface: &str, answer: &str) -> Words {
    let (check, said) = by_check(dialect, surface, answer).await;
    let Read::Whole(reply) = read(answer.as_bytes(), true) else { panic!("{answer}") };
    let single = Reader::new(Arc::clone(dialect), surface).read(&reply);
    Words { check, said, single, flow: by_flow(dialect, surface, &reply) }
}

/// What the check makes of it, over the wire.
async fn by_check(dialect: &Arc<Dialect>, surface: &str, answer: &str) -> (Outcome, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let base = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("an address");
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("the check connects");
        let _ = connection.read(&mut [0; 16 * 1024]);
        connection.write_all(answer.as_bytes()).expect("it is read");
    });
    let stage = Stage {
        wire: Wire::new(base, Reuse::Never).expect("a client"),
        dialect: Arc::clone(dialect),
        clock: Clock::system(),
        skew: Skew { behind: 1, ahead: 1 },
        maker: Maker::default(),
        browser: Arc::default(),
        guard_ms: 0,
        routes: Arc::default(),
        offset_ms: 0,
        journal: None,
        proven: Default::default(),
        jobs: Arc::new(Semaphore::new(1)),
        waits: stepup::check::waits::Waits::default(),
        spread: false,
        stop: stepup::check::stop::Stop::default(),
    };
    let mut user = Persona::new("anna".to_owned(), Secret::new(SecretKind::Password, "a long password"));
    user.token = Some(Secret::new(SecretKind::Token, "npm_of_anna"));
    let mut scene = Scene::open(&stage, user, "auth-and-writes", "same word").await;
    let surface = &dialect.surfaces[stepup::load::request::surface_of(dialect, surface).expect("a surface")];
    let object = surface.object_named("a", 1, "anna", "a long password").expect("an object");
    scene.take_up(object, std::collections::BTreeMap::new());
    let ended = scene.perform(&surface.perform, &Conduct::Bare).await.expect("no mistake of ours");
    (ended.outcome, ended.saw)
}

fn by_flow(dialect: &Arc<Dialect>, surface: &str, reply: &Reply<'_>) -> Fate {
    let base = "http://127.0.0.1:4873/".parse().expect("an address");
    let script = Script::of(Arc::clone(dialect), surface, &base, Connect::KeepAlive).expect("a script");
    let users = Users::seeded(PoolSeed::of_number(1), 3);
    let mut keys = Keychain::new(&base);
    let object = serde_json::json!({ "name": "a", "value": "A" });
    let mut errand = Errand::new(Kind::Wrong, 1, 7, Prepared { object, ..Prepared::default() });
    errand.prove(b"000000");
    let mut around = Around { script: &script, users: &users, other: None, keys: &mut keys, step: 58_000_000 };
    assert_eq!(errand.set_out(&mut around), Next::Send);
    let mut out = Vec::new();
    errand.write(&around, &mut out).expect("written");
    match errand.answered(reply, &mut around) {
        Next::Ended(fate) => fate,
        other => panic!("{other:?}"),
    }
}

/// The check's word for the load's.
fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Accepted => "accepted",
        Fate::Challenged => "challenged",
        Fate::Misshapen => "challenged with a flaw",
        Fate::Refused => "refused",
        Fate::Throttled => "throttled",
        Fate::NotImplemented => "not-implemented",
        Fate::ServerError | Fate::Garbage => "failed",
        Fate::BrokenOff | Fate::TimedOut | Fate::Unsent | Fate::Starved => "no answer",
    }
}

fn word_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Challenged { flaw: None, .. } => "challenged",
        Outcome::Challenged { flaw: Some(_), .. } => "challenged with a flaw",
        Outcome::Refused => "refused",
        Outcome::Throttled => "throttled",
        Outcome::NotImplemented => "not-implemented",
        Outcome::Failed => "failed",
    }
}

const JSON: &str = "content-type: application/json\r\n";
const HTML: &str = "content-type: text/html\r\n";

#[tokio::test]
async fn check_and_load_say_the_same_of_every_answer() {
    let dialect = Arc::new(stepup::target::find("embedded").expect("the target").dialect);
    let pages = r#"{"authUrl":"http://127.0.0.1/a","doneUrl":"http://127.0.0.1/d"}"#;
    let half = r#"{"authUrl":"http://127.0.0.1/a"}"#;
    let otp = |more: &str| format!("www-authenticate: OTP\r\n{JSON}{more}");
    let one_time = r#"{"error":"You must provide a one-time pass."}"#;
    // What token-create wants is a success with a `token` and a `key`.
    let answers: Vec<(String, &str, &str)> = vec![
        (text(200, JSON, r#"{"token":"t","key":"k"}"#), "accepted", "→ 200 success"),
        (text(201, JSON, r#"{"token":"t","key":"k"}"#), "accepted", "→ 201 success"),
        (text(200, JSON, r#"{"key":"k"}"#), "refused", "→ 200, but /token is missing"),
        (text(200, JSON, r#"{"error":"no"}"#), "refused", "is missing"),
        (text(200, JSON, r#"{"token":null,"key":"k"}"#), "refused", "→ 200, but /token is null"),
        (text(200, "", "{}"), "refused", "is missing"),
        (text(200, &otp(""), "{}"), "refused", "is missing"),
        (text(200, "", ""), "failed", "was wanted, and there is no body"),
        (text(204, "", ""), "failed", "was wanted, and there is no body"),
        (text(200, HTML, "<html>Sign in</html>"), "failed", "was wanted, and the body is not JSON"),
        (text(200, "", "ok"), "failed", "was wanted, and the body is not JSON"),
        (text(200, JSON, r#"{"token""#), "failed", "JSON and is not"),
        (text(202, JSON, "{}"), "refused", "→ 202, but"),
        (text(301, "location: /elsewhere\r\n", ""), "failed", "→ 301 redirect, which is not followed"),
        (text(302, "location: /elsewhere\r\n", "{}"), "failed", "→ 302 redirect"),
        (text(304, "", ""), "failed", "→ 304 redirect"),
        (text(400, JSON, r#"{"error":"no"}"#), "refused", "→ 400 refused"),
        (text(401, "www-authenticate: Bearer\r\n", ""), "refused", "→ 401 refused"),
        (text(401, &otp(""), "{}"), "challenged", "→ 401 challenge"),
        (text(401, &otp(""), pages), "challenged", "→ 401 challenge with a page"),
        (text(401, &otp(""), half), "challenged with a flaw", "not both absolute"),
        (text(401, "www-authenticate: OTP\r\n", ""), "challenged", "→ 401 challenge"),
        (text(401, &otp(""), r#"{"authUrl""#), "failed", "JSON and is not"),
        (text(401, "www-authenticate: OTP, ipaddress\r\n", ""), "challenged with a flaw", "precedence"),
        (text(401, "www-authenticate: OTP realm=\"x\"\r\n", ""), "challenged with a flaw", "has a parameter"),
        (text(401, JSON, one_time), "challenged with a flaw", "no www-authenticate header"),
        (text(401, "", "one-time pass"), "challenged with a flaw", "no text in `error`"),
        (text(403, &otp(""), "{}"), "challenged with a flaw", "the status is not 401"),
        (text(403, "", ""), "refused", "→ 403 refused"),
        (text(404, "", ""), "not-implemented", "→ 404 no such route"),
        (text(405, "", ""), "not-implemented", "→ 405"),
        (text(409, JSON, "{}"), "refused", "→ 409 refused"),
        (text(418, "", ""), "refused", "→ 418 refused"),
        (text(429, "", ""), "throttled", "→ 429 throttled"),
        (text(429, "retry-after: 31536000\r\n", "{}"), "throttled", "→ 429 throttled"),
        (text(500, JSON, "{}"), "failed", "→ 500 server error"),
        (text(501, "", ""), "not-implemented", "→ 501"),
        (text(503, "retry-after: 3\r\n", ""), "failed", "→ 503 server error"),
        (text(503, &otp(""), "{}"), "challenged with a flaw", "the status is not 401"),
    ];
    for (answer, wanted, said) in &answers {
        let words = words(&dialect, "token-create", answer).await;
        let all = [word_of(&words.check), word(words.single), word(words.flow)];
        assert_eq!(all, [*wanted; 3], "{answer}\n{}", words.said);
        assert!(words.said.contains(said), "{answer}\n{}", words.said);
    }
    // Where the dialect wants nothing but success, any is one.
    for (answer, wanted) in [
        (text(200, "", ""), "accepted"),
        (text(204, "", ""), "accepted"),
        (text(200, HTML, "<html>Sign in</html>"), "accepted"),
        (text(200, &otp(""), "{}"), "accepted"),
        (text(401, &otp(""), "{}"), "challenged"),
        (text(302, "", ""), "failed"),
        (text(422, "", ""), "refused"),
    ] {
        let words = words(&dialect, "profile-set:fullname", &answer).await;
        let all = [word_of(&words.check), word(words.single), word(words.flow)];
        assert_eq!(all, [wanted; 3], "{answer}\n{}", words.said);
    }
}
