//! No secret leaves in any output: every secret that crosses the wire in a run of all cases is looked for in everything
//! that the run writes, in every encoding that a program might have given it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aho_corasick::AhoCorasick;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use clap::ValueEnum as _;
use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use serde_json::Value;
use stepup::check::Provisioner;
use stepup::check::suite::{Options, Suite};
use stepup::registry::Mutant;
use stepup::report::compare::{Changes, Compared, Form, Grid};
use stepup::report::terminal::Paper;
use stepup::report::{Document, Format, deviations, evidence};
use stepup::result::{CaseResult, FORMAT, RunResult, Summary, TableInfo, TargetInfo};
use stepup::table::Level;

use crate::in_process::Target;

/// Secrets and what they are.
type Secrets = BTreeMap<String, &'static str>;

/// A secret is worth looking for when nothing else is written like it.
const SHORTEST: usize = 6;

/// Everything that may be shown of a run, by name.
type Outputs = Vec<(String, String)>;

fn walk(json: &Value, name: &str, found: &mut impl FnMut(&str, &str)) {
    match json {
        Value::Object(members) => members.iter().for_each(|(name, member)| walk(member, name, found)),
        Value::Array(items) => items.iter().for_each(|item| walk(item, name, found)),
        Value::String(text) => found(name, text),
        _ => {}
    }
}

fn of_request(headers: &HeaderMap, body: &[u8], secrets: &mut Secrets) {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Some(token) = header("authorization").strip_prefix("Bearer ").filter(|token| token.len() > 20) {
        secrets.insert(token.to_owned(), "bearer token");
    }
    proof(header("npm-otp"), secrets);
    if let Ok(json) = serde_json::from_slice(body) {
        walk(&json, "", &mut |name, text| match name {
            "password" | "old" | "new" if text.contains("Pw-") || text.contains("long-ago") => {
                secrets.insert(text.to_owned(), "password");
            }
            "tfa" | "otp" => proof(text, secrets),
            _ => {}
        });
    }
}

fn proof(text: &str, secrets: &mut Secrets) {
    if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        secrets.insert(text.to_owned(), "one-time password");
    } else if text.len() > 10 {
        secrets.entry(text.to_owned()).or_insert("web token");
    }
}

fn of_answer(body: &[u8], secrets: &mut Secrets) {
    let Ok(json) = serde_json::from_slice(body) else { return };
    walk(&json, "", &mut |name, text| match name {
        "token" if text.len() > 20 => {
            secrets.entry(text.to_owned()).or_insert("token");
        }
        "tfa" if text.starts_with("otpauth://") => {
            secrets.insert(text.to_owned(), "otpauth address");
            let url = reqwest::Url::parse(text).expect("an address");
            let secret = url.query_pairs().find(|(name, _)| name == "secret").expect("a secret").1.into_owned();
            let bytes = BASE32_NOPAD.decode(secret.as_bytes()).expect("base32");
            secrets.insert(secret, "one-time-password secret");
            for digest in [HEXLOWER.encode(&bytes), HEXUPPER.encode(&bytes), BASE64_NOPAD.encode(&bytes)] {
                secrets.insert(digest, "one-time-password secret");
            }
        }
        "tfa" | "recoveryCodes" if text.len() > 10 => {
            secrets.insert(text.to_owned(), "recovery code");
        }
        "authUrl" | "doneUrl" | "loginUrl" => {
            let parts = text.split(['/', '?', '=', '&']).filter(|part| part.len() >= 16 && !part.contains(':'));
            secrets.extend(parts.map(|part| (part.to_owned(), "web session")));
        }
        _ => {}
    });
}

/// A relay before the target that remembers every secret that passes, and repeats what a request carried in every form,
/// as a registry might that shows what it was sent.
async fn listened_to(target: &Target) -> (reqwest::Url, Arc<Mutex<Secrets>>) {
    let secrets = Arc::new(Mutex::new(Secrets::new()));
    let (heard, base) = (Arc::clone(&secrets), target.base.clone());
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.build().expect("a client");
    let app = Router::new().fallback(move |request: Request| {
        let (client, mut url, heard) = (client.clone(), base.clone(), Arc::clone(&heard));
        async move {
            let (parts, body) = request.into_parts();
            url.set_path(parts.uri.path());
            url.set_query(parts.uri.query());
            let body = to_bytes(body, usize::MAX).await.expect("a body");
            let mut carried = Secrets::new();
            of_request(&parts.headers, &body, &mut carried);
            let sent = client.request(parts.method, url).headers(parts.headers).body(body).send().await;
            let answer = sent.expect("the registry answers");
            let mut relayed = Response::builder().status(answer.status());
            for (name, value) in answer.headers() {
                relayed = relayed.header(name, value);
            }
            for (_, form) in carried.keys().flat_map(|secret| forms(secret)) {
                relayed = relayed.header("x-was-sent", form);
            }
            let body = answer.bytes().await.expect("a body");
            let mut heard = heard.lock().expect("no panic");
            for (secret, kind) in carried {
                if kind == "web token" {
                    heard.entry(secret).or_insert(kind);
                } else {
                    heard.insert(secret, kind);
                }
            }
            of_answer(&body, &mut heard);
            relayed.body(Body::from(body)).expect("an answer")
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, app).into_future());
    (address.parse().expect("an address"), secrets)
}

/// The forms in which a secret may be written. Base64 has three, by what stands before it.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let bytes = secret.as_bytes();
    let inside = |encode: &dyn Fn(&[u8]) -> String, offset: usize| {
        let encoded = encode(&[&vec![0; offset], bytes].concat());
        let last = if (offset + bytes.len()).is_multiple_of(3) { encoded.len() } else { encoded.len() - 1 };
        encoded[[0, 2, 3][offset]..last].to_owned()
    };
    let mut forms = vec![
        ("as it is", secret.to_owned()),
        ("base32", BASE32_NOPAD.encode(bytes)),
        ("hex", HEXLOWER.encode(bytes)),
        ("hex", HEXUPPER.encode(bytes)),
        ("URL-encoded", form_urlencoded::byte_serialize(bytes).collect()),
        ("in JSON", serde_json::to_string(secret).expect("a string").trim_matches('"').to_owned()),
    ];
    for offset in 0..3 {
        forms.push(("base64", inside(&|bytes| BASE64_NOPAD.encode(bytes), offset)));
        forms.push(("base64url", inside(&|bytes| BASE64URL_NOPAD.encode(bytes), offset)));
    }
    if let Ok(number) = secret.parse::<u64>().map(|number| number.to_string()) {
        forms.push(("a number", number));
    }
    forms.retain(|(_, form)| form.len() >= SHORTEST);
    forms
}

/// What is found: what it is, in which form, where, and what stands before it.
fn leaks(secrets: &Secrets, outputs: &Outputs) -> Vec<String> {
    let mut forms_of = Vec::new();
    for (secret, kind) in secrets {
        forms_of.extend(forms(secret).into_iter().map(|(form, text)| (*kind, form, text)));
    }
    let search = AhoCorasick::new(forms_of.iter().map(|(.., text)| text)).expect("a search");
    let mut leaks = Vec::new();
    for (name, text) in outputs {
        for found in search.find_overlapping_iter(text) {
            let (kind, form, what) = &forms_of[found.pattern().as_usize()];
            let beside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            let bytes = text.as_bytes();
            let part = beside(bytes.get(found.start().wrapping_sub(1))) || beside(bytes.get(found.end()));
            // Six digits are found in any longer number.
            if what.bytes().all(|byte| byte.is_ascii_digit()) && what.len() <= 6 && part {
                continue;
            }
            let before = text[..found.start()].chars().rev().take(60).collect::<Vec<_>>();
            leaks.push(format!("{kind}, {form}, in {name}, after {:?}", before.into_iter().rev().collect::<String>()));
        }
    }
    leaks
}

/// A result as the suite makes it. How long things took is no secret, and has six digits often.
fn result_of(mut cases: Vec<CaseResult>) -> RunResult {
    let exchanges = cases.iter_mut().flat_map(|case| &mut case.probes).flat_map(|probe| &mut probe.exchanges);
    exchanges.for_each(|exchange| exchange.elapsed_us = 0);
    RunResult {
        format: FORMAT.to_owned(),
        tool: "stepup".to_owned(),
        config: None,
        suite: None,
        target: TargetInfo {
            name: "test".to_owned(),
            unverified: false,
            factors: stepup::result::Factors::default(),
            without_second_factor: false,
            clock_offset_ms: 0,
            ended: None,
        },
        table: TableInfo { id: "t".to_owned(), revision: "r".to_owned(), source: "s".to_owned() },
        level: Level::Recommended,
        seed: 1,
        started: "2026-01-02T03:04:05Z".to_owned(),
        finished: String::new(),
        complete: true,
        requests: 0,
        summary: Summary::of(&cases, 0),
        stale_deviations: vec![],
        flaky_deviations: vec![],
        requires: vec![],
        left: vec![],
        budget: None,
        timing: None,
        cases,
        observations: vec![],
    }
}

fn outputs(result: &RunResult, journal: String) -> Outputs {
    let document = Document::Run(Box::new(result.clone()));
    let paper = Paper { width: 100, colour: false };
    let render = |format: &Format| (format.file().to_owned(), document.render(*format, paper).expect("a report"));
    let mut outputs: Outputs = Format::value_variants().iter().map(render).collect();
    outputs.extend(evidence::bundle(&document).expect("a bundle"));
    outputs.push(("a draft of deviations".to_owned(), deviations::draft(result).expect("a draft")));
    let before = RunResult { cases: vec![], ..result.clone() };
    for form in Form::value_variants() {
        let changes = Compared::Changes(Changes::of(&before, result));
        outputs.push((format!("changes, {}", form.file()), changes.render(*form, paper).expect("renders")));
        let grid = Compared::Grid(Grid::of(std::slice::from_ref(result)));
        outputs.push((format!("grid, {}", form.file()), grid.render(*form, paper).expect("renders")));
    }
    outputs.push(("the result in a panic".to_owned(), format!("{result:?}")));
    outputs.push(("journal.jsonl".to_owned(), journal));
    outputs
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_run_is_in_anything_that_it_writes() {
    let mut target = Target::start(&[]).await;
    let (address, secrets) = listened_to(&target).await;
    target.base = address;
    let mut entries = target.account("writer", "auth-and-writes", "lasting").await;
    entries += &target.account_with_key("keeper", "auth-and-writes", "lasting").await;
    let own = target.run(Provisioner::SelfService, &[]).await;
    let journal = std::fs::read_to_string(target.journal()).expect("the journal");
    let lent = target.run(target.pool(&entries), &["auth-and-writes/{publish,token-create}/*/*"]).await;
    assert!(lent.iter().filter(|case| !case.probes.is_empty()).count() > 2, "{lent:?}");
    let journal = journal + &std::fs::read_to_string(target.journal()).expect("the journal");
    let mut secrets = secrets.lock().expect("no panic").clone();
    let key: Value = serde_json::from_slice(&std::fs::read(target.key_file("keeper")).expect("a key")).expect("JSON");
    let private = key["privateKey"].as_str().expect("a private key").to_owned();
    secrets.insert(private, "private key");

    let kinds: Vec<&str> = secrets.values().copied().collect();
    for kind in [
        "password",
        "one-time-password secret",
        "otpauth address",
        "one-time password",
        "web token",
        "token",
        "bearer token",
        "recovery code",
        "private key",
    ] {
        assert!(kinds.contains(&kind), "no {kind} crossed the wire");
    }
    let outputs = outputs(&result_of([own, lent].concat()), journal);
    let of = |name: &str| outputs.iter().find(|(known, _)| known == name).map_or(0, |(_, text)| text.len());
    assert!(["result.json", "index.html", "junit.xml", "journal.jsonl"].iter().all(|name| of(name) > 10_000));
    let leaks = leaks(&secrets, &outputs);
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks[..leaks.len().min(40)].join("\n"));
}

/// The embedded target's file, whose pages take keys, for a registry that runs already.
fn heard(folder: &Path, address: &reqwest::Url) -> PathBuf {
    let file = folder.join("heard.yaml");
    let running = format!("start: running\nbase: http://localhost:{}", address.port().expect("a port"));
    let text = include_str!("../../fixtures/targets/embedded.yaml");
    let text = text.replace("name: embedded", "name: heard").replace("start: embedded", &running);
    std::fs::write(&file, text).expect("written");
    file
}

/// Every file in a folder and below it, but for the result: how long things took has six digits often, and it is searched
/// where those are left out.
fn files(folder: &Path, found: &mut Outputs) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.ends_with("result.json") {
            continue;
        }
        match std::fs::read(&path) {
            Ok(bytes) => found.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned())),
            Err(_) => files(&path, found),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_what_a_command_says_or_leaves_behind() {
    // Faults are told with what was seen of them.
    let target = Target::start(&[Mutant::PublishUnchallenged, Mutant::ReplayAccepted]).await;
    let (address, secrets) = listened_to(&target).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = heard(folder.path(), &address).display().to_string();
    let rows = "auth-and-writes/{publish,token-create,login,login:web,whoami}/*/wire";
    let check = ["check", "--target", &file, "--case", rows, "--out", "out", "--format", "terminal,annotations"];
    for (arguments, say) in [(&check[..], "replay-accepted"), (&["cleanup", "out/journal.jsonl"], "")] {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_stepup"));
        command.args(arguments).current_dir(folder.path()).env("XDG_STATE_HOME", folder.path().join("state"));
        let ended = tokio::time::timeout(Duration::from_secs(120), command.kill_on_drop(true).output()).await;
        let ended = ended.expect("it ends in time").expect("stepup starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut outputs = vec![("stdout".to_owned(), text(&ended.stdout)), ("stderr".to_owned(), text(&ended.stderr))];
        let said = outputs.iter().map(|(_, text)| text.as_str()).collect::<String>();
        assert!(said.contains(say), "{arguments:?}: {said}");
        std::fs::remove_file(&file).expect("it holds none");
        files(folder.path(), &mut outputs);
        heard(folder.path(), &address);
        let secrets = secrets.lock().expect("no panic").clone();
        let leaks = leaks(&secrets, &outputs);
        assert!(leaks.is_empty(), "{arguments:?}: {} leaks:\n{}", leaks.len(), leaks.join("\n"));
    }
    let kinds: Vec<&str> = secrets.lock().expect("no panic").values().copied().collect();
    for kind in ["password", "one-time-password secret", "one-time password", "token", "web token"] {
        assert!(kinds.contains(&kind), "no {kind} crossed the wire");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_that_a_real_client_shows_is_in_anything_that_the_run_writes() {
    let target = Target::start(&[]).await;
    let (address, secrets) = listened_to(&target).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = heard(folder.path(), &address);
    let rows = ["login", "login:web", "mode-change:enable", "token-create", "profile-set:password", "publish"];
    let rows = rows.map(|row| format!("{{disabled,auth-and-writes}}/{row}/*/npm@11/*"));
    // The others show what they show when they publish, and pnpm when it makes a token or logs in.
    let others = ["*/publish/*/{npm@6,npm@8,pnpm@12,bun@1,yarn@4}/*", "*/{login:web,token-create}/*/pnpm@12/*"];
    let suite = Suite::new(Options {
        target: file.display().to_string(),
        clients: ["npm@11", "npm@6", "npm@8", "pnpm@12", "bun@1", "yarn@4"].map(str::to_owned).to_vec(),
        cases: [rows.as_slice(), &others.map(|glob| format!("auth-and-writes{}", &glob[1..]))].concat(),
        ..Options::default()
    });
    let session = suite.expect("cases").begin(&target.journal()).await.expect("a registry");
    let result = session.run(|_| {}).await;
    let commands = result.cases.iter().filter_map(|case| case.session.as_ref()).flat_map(|session| &session.commands);
    let shown: String = commands.map(|command| command.transcript.as_str()).collect();
    // They are what a client shows, and what has to be hidden of it.
    for telling in ["Created token", "Or enter code: ‹", "recovery codes", "Logged in", "Authenticate your account at"]
    {
        assert!(shown.contains(telling), "no `{telling}` in {shown}");
    }
    let journal = std::fs::read_to_string(target.journal()).expect("the journal");
    let secrets = secrets.lock().expect("no panic").clone();
    assert!(secrets.values().any(|kind| *kind == "web session"), "no page was opened");
    let leaks = leaks(&secrets, &outputs(&result_of(result.cases), journal));
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks[..leaks.len().min(40)].join("\n"));
}

#[test]
fn what_is_planted_is_found_in_every_form() {
    let secrets =
        Secrets::from([("Pw-0123456789/a+b".to_owned(), "password"), ("012345".to_owned(), "one-time password")]);
    for secret in secrets.keys() {
        for (form, text) in forms(secret) {
            let found = leaks(&secrets, &vec![("here".to_owned(), format!("before {text} after"))]);
            assert!(found.iter().any(|leak| leak.contains("here")), "{form}");
        }
    }
    let basic = BASE64_NOPAD.encode(b"ann:Pw-0123456789/a+b!");
    assert!(!leaks(&secrets, &vec![("basic".to_owned(), basic)]).is_empty());
}

/// What a command says of a folder with these files.
fn said(files: &[(&str, &str)], arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_stepup")).args(arguments).current_dir(folder.path()).output();
    let output = output.expect("stepup starts");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn errors_about_files_with_secrets_show_none_of_them() {
    const PASSWORD: &str = "hunter2-hunter2-hunter2";
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    const TOKEN: &str = "npm_0123456789abcdefghijABCDEFGHIJ012345";
    const PRIVATE: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";
    let otpauth = format!("otpauth://totp/a?secret={SECRET}&issuer=b");
    let secrets = Secrets::from([
        (PASSWORD.to_owned(), "password"),
        (SECRET.to_owned(), "one-time-password secret"),
        (TOKEN.to_owned(), "bearer token"),
        (PRIVATE.to_owned(), "private key"),
        (otpauth.clone(), "otpauth address"),
    ]);
    let target = "name: mine\nstart: running\nbase: http://127.0.0.1:1\naccounts: accounts.yaml\n";
    let key = format!("{{ \"privateKey\": \"{PRIVATE}\", \"rpId\": 7 }}");
    let whole = format!("name: a, password: {PASSWORD}, token: {TOKEN}, mode: auth-only, totp: \"{otpauth}\"");
    let broken = [
        format!("- {{ {whole}"),
        format!("- {{ {whole}, {whole} }}"),
        format!("- {{ {whole}, nickname: b }}"),
        format!("- {{ {} }}", whole.replace("auth-only", "disabled")),
        format!("- {{ {} }}", whole.replace("auth-only", TOKEN)),
        format!("- {{ {} }}", whole.replace("name: a", &format!("{PASSWORD}: a"))),
        format!("- {{ {} }}", whole.replace("&issuer", "&digits=8&issuer")),
        format!("- {{ {} }}", whole.replace(SECRET, "0189")),
        format!("- {{ {} }}", whole.replace("totp: ", &format!("totp: [{SECRET}], x: "))),
        format!("- {PASSWORD}\n- {TOKEN}\n"),
        format!("{PASSWORD}: {SECRET}\n"),
        format!("- {{ name: a, password: {PASSWORD}, mode: auth-only, security-key: key.json }}"),
        format!("- {{ {whole}, role: {PASSWORD} }}"),
        format!("- {{ {whole} }}\n- {{ {whole} }}\n"),
    ];
    for text in &broken {
        let files = [("mine.yaml", target), ("accounts.yaml", text.as_str()), ("key.json", key.as_str())];
        for arguments in [
            &["check", "--target", "mine.yaml"][..],
            &["lint", "mine.yaml"],
            &["lint", "--kind", "accounts", "accounts.yaml"],
            &["explore", "--target", "mine.yaml"],
        ] {
            let said = said(&files, arguments);
            let leaks = leaks(&secrets, &vec![(format!("what {arguments:?} says of {text}"), said.clone())]);
            assert!(leaks.is_empty(), "{}\n{said}", leaks.join("\n"));
        }
    }
}
