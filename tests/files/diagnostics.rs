//! Every diagnostic as a user sees it: what each kind of file can have wrong, and what a command line can. Where a
//! diagnostic changes, these pages show how; a new one is a line more here.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// What a command says in a folder, with nothing of this machine in it.
fn said(folder: &Path, arguments: &[&str]) -> String {
    said_where(folder, arguments, &[])
}

/// The same, where these variables are set.
fn said_where(folder: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("XDG_STATE_HOME", folder.join("state"))
        .env_remove("GITHUB_ACTIONS")
        .envs(variables.iter().copied())
        .output()
        .expect("stepup starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    format!("{text}exit {}\n", output.status.code().unwrap_or(-1))
}

/// The page with what is allowed cut short: a name more among a hundred is no other diagnostic.
fn short(page: &str) -> String {
    let (mut short, mut of_help) = (String::new(), 0);
    for line in page.lines() {
        of_help = match of_help {
            _ if line.starts_with("  help: ") => 1,
            1.. if line.starts_with("        ") => of_help + 1,
            _ => 0,
        };
        match of_help {
            0..=2 => short += &format!("{line}\n"),
            3 => short += "        …\n",
            _ => {}
        }
    }
    short
}

/// What lint says of each of these texts, in a folder that holds it and these other files.
fn linted(kind: &str, name: &str, texts: &[&str], beside: &[(&str, &str)]) -> String {
    let mut page = String::new();
    for text in texts {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in beside {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        std::fs::write(folder.path().join(name), text).expect("written");
        let said = said(folder.path(), &["lint", "--kind", kind, name]);
        // What is wrong is told; a text that is not wrong is no example.
        assert!(said.ends_with("exit 2\n"), "{text}\n{said}");
        let _ = writeln!(page, "{}\n{said}", "═".repeat(100));
    }
    short(&page)
}

#[test]
fn scenarios() {
    let head = "rule: A rule\nlevel: implied\ncites: [somewhere]\n";
    let act = |act: &str| format!("{head}acts:\n  - {act}\n");
    let cast = |more: &str| format!("{head}cast: [ann, ben]\n{more}\n");
    let texts = [
        "rule: A rule\n".to_owned(),
        format!(
            "rule: A rule\nlevel: implied\ncites: []\nacts:\n  - {}\n",
            "{ perform: publish, proof: none, must: succeed }"
        ),
        act("{ perform: publish }"),
        act("{ perform: publish, proof: right, must: be-throttled }"),
        act("{ perform: publish, proof: rihgt, must: succeed }"),
        act("{ perform: publish, proof: right, must: suceed }"),
        act("{ perform: publish, proof: right, must: agree-with-file }"),
        act("{ perform: publish, proof: right, must: succeed, times: 41 }"),
        act("{ perform: publish, proof: right, must: succeed, times: many }"),
        act("{ perform: publish, proof: right, must: succeed-once }"),
        act("{ perform: publish, proof: right, must: succeed, confidence: 90 }"),
        act("{ perform: publish, proof: right, must: succeed, registration: user-not-present }"),
        act("{ perform: publish, proof: { key: rihgt }, must: succeed }"),
        act("{ perform: publish, proof: { fetched: { at-once: 0 } }, must: succeed }"),
        act("{ perform: publish, proof: { fetched: { by: collect } }, must: succeed }"),
        act("{ perform: publish, proof: { again: first }, must: be-refused }"),
        act("{ perform: publsh, through: publsh, given: [enrl], with: tokn, proof: none, must: succeed }"),
        act("{ perform: publish, wait: 1 }"),
        act("{ wait: 0 }"),
        act("{ obtain: publish }"),
        act("{ run: enrol, must: be-refused }"),
        act("{ run: enrl }"),
        act("{ guess: spend, at-most: 5, must: succeed }"),
        act("{ guess: spend, at-most: 0, must: be-throttled }"),
        act("{ at-once: [{ wait: 1 }] }"),
        act("{ at-once: [{ perform: publish, through: publish, proof: right, must: succeed }] }"),
        act("{ at-once: [{ perform: publish, proof: { key: again }, must: succeed }] }"),
        act("{ at-once: [{ perform: publish, proof: right, must: succeed }], confidence: 100 }"),
        act("{ perform: publish, by: ann, proof: right, must: succeed }"),
        cast("acts:\n  - { perform: publish, proof: none, must: succeed }"),
        cast("acts:\n  - { perform: publish, by: cat, proof: none, must: succeed }"),
        cast("acts:\n  - { perform: publish, by: ann, proof: none, must: succeed }"),
        cast("acts:\n  - { run: sign-up, by: ann }\n  - { run: sign-up, by: ann }"),
        cast(
            "acts:\n  - { run: sign-up, by: ann }\n  - { perform: publish, by: ann, proof: of-another, must: succeed }",
        ),
        cast(
            "acts:\n  - { run: sign-up, by: ann }\n  - { run: enrol, by: ann, mode: auth-only }\n  \
             - { perform: publish, by: ann, mode: auth-and-writes, proof: right, must: succeed }",
        ),
        cast("acts:\n  - { at-once: [{ perform: publish, proof: none, must: succeed }] }"),
        cast("acts:\n  - { guess: spend, at-most: 5, must: be-throttled }"),
        cast("modes: [auth-only]\nacts:\n  - { run: sign-up, by: ann }"),
        format!("{head}cast: [Ann]\nacts:\n  - {{ run: sign-up, by: Ann }}\n"),
        format!("{head}modes: [auth-olny]\nacts: []\n"),
        format!(
            "{head}modes: [disabled]\nfactors: [totp]\nacts:\n  - {{ perform: publish, proof: none, must: succeed }}\n"
        ),
        format!("{head}modes: [disabled, auth-only]\nacts:\n  - {{ perform: publish, proof: right, must: succeed }}\n"),
        format!("{head}\tacts: []\n"),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    insta::assert_snapshot!("scenarios", linted("scenario", "own.yaml", &texts, &[]));
}

#[test]
fn targets() {
    let with = |more: &str| format!("name: mine\nstart: running\nbase: http://127.0.0.1:1\n{more}\n");
    let based = |base: &str| format!("name: mine\nstart: running\nbase: {base}\n");
    let texts = [
        "name: mine\n".to_owned(),
        "name: mine\nstart: runing\n".to_owned(),
        "name: mine\nstart: running\n".to_owned(),
        "name: mine\nstart: installed\n".to_owned(),
        "name: mine\nstart: installed\nprogram: [node]\n".to_owned(),
        based("here"),
        based("ftp://127.0.0.1/"),
        based("http://ann:secret@127.0.0.1/"),
        based("https://registry.example.test/"),
        based("https://registry.example.test/\nallow: { host: example.test, what: [check] }"),
        based("https://registry.example.test/\nallow: { host: registry.example.test, what: [check], consent: yes }"),
        with("skew: { behind: 256, ahead: 0 }"),
        with("skwe: { behind: 1, ahead: 0 }"),
        with("verifiers: { number: 2, time: 1 ms }"),
        "name: mine\nstart: embedded\nverifiers: { number: 0, time: 1 ms }\n".to_owned(),
        "name: mine\nstart: embedded\nverifiers: { number: 2, time: 0 ms }\n".to_owned(),
        "name: mine\nstart: embedded\nverifiers: { number: 2, time: soon }\n".to_owned(),
        with("dialect: nmp"),
        with("dialect: other.yaml"),
        with("accounts: accounts.yaml"),
        with("deviations: missing.yaml"),
        with("deviations: deviations.yaml"),
        with("left-out: { 'auth-only/[': it would disturb }"),
        with("left-out: { 'auth-only/publsh/*': it would disturb }"),
        with("unsupported: { publsh: it has none }"),
        with("not-implemented: [{ status: 6xx }]"),
        with("routines:\n  enrol:\n    - { do: enroll }"),
        with("routines:\n  enroll:\n    - { request: GET / }"),
        with("routines:\n  enrol:\n    - { do: enrol }"),
        with("routines:\n  enrol:\n    - { request: FETCH / }"),
        with("routines:\n  enrol:\n    - { request: GET /, do: log-in }"),
        with("routines:\n  enrol:\n    - { auth: none }"),
        with("routines:\n  enrol:\n    - { request: 'GET /{{ kept.' }"),
        with("routines:\n  enrol:\n    - { request: 'GET /{{ kept. }}' }"),
        with("routines:\n  enrol:\n    - { request: 'GET /{{ user.name | npm_pth }}' }"),
        with("routines:\n  enrol:\n    - { request: 'GET /{{ kept.nothing }}/{{ usr.name }}/{{ user.nam }}' }"),
        with("routines:\n  enrol:\n    - { register-with: a, assert-with: b, to: c }"),
        with("routines:\n  enrol:\n    - { assert-with: b }"),
        with("routines:\n  enrol:\n    - { assert-with: b, to: c, do: log-in }"),
        with("routines:\n  enrol:\n    - { browse: /, press: Go }"),
        with("routines:\n  enrol:\n    - { browse: /, until: Done, request: GET / }"),
        with("surfaces:\n  - { action: publsh, surface: twice, perform: [{ do: publish }] }"),
        with("surfaces:\n  - { action: publish, modes: [disabled], factors: [totp], perform: [{ do: publish }] }"),
        with("surfaces:\n  - { action: publish, spend-on: publsh, perform: [{ do: publish }] }"),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let beside = [
        ("accounts.yaml", "- { name: plain }\n"),
        ("deviations.yaml", "- { case: 'x', verdict: missing-chalenge, until: 2999-01-01, reason: seen }\n"),
    ];
    insta::assert_snapshot!("targets", linted("target", "mine.yaml", &texts, &beside));
}

#[test]
fn dialects_tables_and_surfaces() {
    let npm = include_str!("../../fixtures/dialects/npm.yaml");
    let texts = [
        "name: own\n",
        "name: own\nproof-header: otp\nchallenge: [{ when: { status: four } }]\nroutines: {}\nsurfaces: []\n",
        &npm.replace("\n  sign-up:\n", "\n  sing-up:\n"),
    ];
    let mut page = linted("dialect", "own.yaml", &texts, &[]);
    let row = "{ action: publish, label: Publish, command: npm publish }";
    let texts = [
        "id: own\n".to_owned(),
        format!(
            "id: own\nrevision: r\nsource: s\nauth-and-writes: [{row}, {row}]\nauth-only: []\nrules: []\nreads: []\nobserved: []\n"
        ),
        format!(
            "id: own\nrevision: r\nsource: s\nauth-and-writes: [{}]\nauth-only: []\nrules: []\nreads: []\nobserved: []\n",
            row.replace("publish,", "publsh,")
        ),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    page += &linted("table", "own.yaml", &texts, &[]);
    let texts = ["- { action: publsh, perform: [{ do: publish }] }\n", "- { action: publish }\n"];
    page += &linted("surfaces", "own.yaml", &texts, &[]);
    insta::assert_snapshot!("dialects_tables_and_surfaces", page);
}

#[test]
fn clients() {
    let with = |more: &str| format!("name: mine@1\nabout: mine\nprogram: [node, a.js]\n{more}\n");
    let texts = [
        "name: mine@1\n".to_owned(),
        "name: mine@1\nabout: mine\n".to_owned(),
        with(""),
        with("tells-challenge: 'code ('"),
        with("tells-challenge: code\npatience: 0"),
        with("tells-challenge: code\nprompts: [{ shows: 'open it', reply: page }]"),
        with("tells-challenge: code\nprompts: [{ shows: 'type it' }]"),
        with("tells-challenge: code\nprompts: [{ shows: 'type it', reply: cod }]"),
        with("tells-challenge: code"),
        with("like: other.yaml"),
        with("like: missing.yaml"),
        with("tells-challenge: code\nrows: { publish: { run: [publish], cannot: it has none } }"),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let beside = [("other.yaml", "name: other@1\nabout: other\nlike: third.yaml\n")];
    insta::assert_snapshot!("clients", linted("client", "mine.yaml", &texts, &beside));
}

#[test]
fn lists() {
    let texts = [
        "- { name: a }\n",
        "- { name: a, password: b, mode: auth-only }\n",
        "- { name: a, password: b, totp: GEZDGNBVGY3TQOJQ }\n",
        "- { name: a, password: b, mode: auth-only, totp: '1' }\n",
        "- { name: a, password: b, mode: auth-only, totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ, role: companion }\n",
        "- { name: a, password: b }\n- { name: a, password: b }\n",
        "- { name: a, password: b, mode: auth-only, security-key: missing.json }\n",
        "- { name: a, password: b, role: expendible }\n",
    ];
    let mut page = linted("accounts", "accounts.yaml", &texts, &[]);
    let texts = [
        "- { case: 'auth-only/publsh/*', verdict: missing-challenge, until: 2999-01-01, reason: seen }\n",
        "- { case: 'auth-only/login/*', verdict: missing-chalenge, until: 2999-01-01, reason: seen }\n",
        "- { case: 'auth-only/login/*', verdict: missing-challenge, until: soon, reason: seen }\n",
        "- { case: 'auth-only/login/*', verdict: missing-challenge, until: 2999-01-01 }\n",
        "- { case: 'auth-only/login/*', verdict: missing-challenge, until: 2999-01-01, reason: ' ' }\n",
        "- { case: 'auth-only/login/*', verdict: exact, until: 2999-01-01, reason: seen }\n",
        "- { case: 'auth-only/login/*', verdict: throttled, until: 2999-01-01, reason: seen }\n",
    ];
    page += &linted("deviations", "deviations.yaml", &texts, &[]);
    let texts = [
        "no-such-fault: []\n",
        "replay-accepted: [{ case: nowhere, verdict: replay-accepted }]\n",
        "replay-accepted: [{ case: nowhere }]\n",
    ];
    page += &linted("faults", "faults.yaml", &texts, &[]);
    insta::assert_snapshot!("lists", page);
}

#[test]
fn load_profiles() {
    let open = |more: &str| {
        format!(
            "name: p\naction: publish\nobjectives: [success >= 99 %]\npace: [{{ constant: {{ rate: 10/s, for: 10 s }} }}]\n{more}\n"
        )
    };
    let closed =
        |more: &str| format!("name: p\naction: publish\nobjectives: [success >= 99 %]\nmodel: closed\n{more}\n");
    let texts = [
        "name: p\n".to_owned(),
        "name: p\naction: publish\nobjectives: []\npace: [{ constant: { rate: 10/s, for: 10 s } }]\n".to_owned(),
        "name: p\naction: publish\nobjectives: [success >= 99 %]\n".to_owned(),
        open("connections: 0"),
        open("warm-up: 10 s"),
        open("patience: 10 min"),
        open("guesses-per-user: 0"),
        open("mix: {}"),
        open("mix: { replayed: 1 }"),
        open("mix: { rigth: 1 }"),
        open("capacity: { from: 100/s, up-to: 10/s }"),
        open("capacity: { within: 0.1 % }"),
        open("capacity: { probe: 1 ms }"),
        open("capacity: { clients-up-to: 1000 }"),
        open("capacity: { repeats: 1000 }"),
        open("clients: { number: 50, for: 10 s, up-to: 1000/s }"),
        open("").replace("10/s", "10"),
        open("").replace("10/s", "100000000/s"),
        open("").replace("10 s", "10"),
        open("").replace("10 s", "2 weeks"),
        open("").replace("10 s", "100 h"),
        open("").replace("success >= 99 %", "sucess >= 99 %"),
        open("").replace("success >= 99 %", "success < 99 %"),
        open("").replace("success >= 99 %", "response_time < 1 s"),
        open("").replace("success >= 99 %", "p99 response_time > 1 s"),
        open("").replace("success >= 99 %", "p99 success > 1 s"),
        closed(""),
        closed("clients: { number: 0, for: 10 s, up-to: 1000/s }"),
        closed("clients: { number: 100, for: 10 s, up-to: 1000/s }"),
        closed("clients: { number: 5, for: 10 s, up-to: 1000/s }\nherd: { size: 5, within: 1 s }"),
        closed("clients: { number: 5, for: 10 s, up-to: 1000/s }\npace: [{ constant: { rate: 10/s, for: 10 s } }]"),
    ];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    insta::assert_snapshot!("load_profiles", linted("load", "own.yaml", &texts, &[]));
}

#[test]
fn documents() {
    let sample = include_str!("../../fixtures/samples/result-2.json");
    let edited = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut result = serde_json::from_str(sample).expect("JSON");
        edit(&mut result);
        serde_json::to_string_pretty(&result).expect("JSON")
    };
    let texts = [
        "",
        "[]",
        "{}",
        "{ \"format\": 1 }",
        "{ \"format\": \"stepup/result/2\" }",
        "{ \"format\": \"stepup/load/1\" }",
        &sample.replacen("\"exact\": ", "\"exact\": 1", 1),
        &sample.replacen("\"status\": \"fail\"", "\"status\": \"failed\"", 1),
        &edited(&|result| result["started"] = "yesterday".into()),
        &edited(&|result| result["observations"][0]["id"] = result["cases"][0]["id"].clone()),
        &edited(&|result| result["cases"][0]["verdicts"] = serde_json::json!(["exact"])),
        &edited(&|result| result["cases"][0]["verdicts"] = serde_json::json!([])),
        &edited(&|result| result["cases"][0]["verdicts"] = serde_json::json!(["exact", "replay-accepted"])),
    ];
    insta::assert_snapshot!("documents", linted("result", "result.json", &texts, &[]));
}

/// What is wrong with a command line, or with what it names.
#[test]
fn command_lines() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sample = include_str!("../../fixtures/samples/result-2.json");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("result.json", sample);
    write("load.json", include_str!("../../fixtures/samples/load-1.json"));
    write("capacity.json", include_str!("../../fixtures/samples/capacity-1.json"));
    write("there.yaml", "[]\n");
    write("pool.jsonl", "{}\n");
    write("empty.jsonl", "");
    std::fs::create_dir(folder.path().join("full")).expect("a folder");
    write("full/file", "");
    std::fs::create_dir(folder.path().join("none")).expect("a folder");
    let mut page = String::new();
    // The names of a run's users differ from run to run.
    let made_up = regex::Regex::new("su[0-9a-f]{8}-").expect("an expression");
    for line in [
        "",
        "chekc",
        "check --target nowhere",
        "check --target missing.yaml",
        "check --target http://registry.example.test/",
        "check --target https://ann:secret@127.0.0.1/",
        "check --target http://127.0.0.1:1 --case disabled/whoami/*",
        "check --target pnpr --mutant replay-accepted",
        "check --mutant no-such-fault",
        "check --client npm@13",
        "check --client missing.yaml",
        "check --case [",
        "check --case nothing/*",
        "check --format pdf",
        "check --level high",
        "check --jobs 0",
        "check --repeat 0",
        "check --retries 6",
        "check --seed -1",
        "check --deviations missing.yaml",
        "check --scenario missing.yaml",
        "check --write-deviations there.yaml",
        "check --write-deviations missing/new.yaml",
        "check --write-deviations new.yaml --dry-run",
        "check --cacert missing.pem",
        "check --cacert there.yaml",
        "check --pages browser --target http://127.0.0.1:1",
        "check --out result.json --case */ping/*",
        "explore --cases 0",
        "explore --target nowhere",
        "mutants --case nothing/*",
        "load nowhere",
        "load missing.yaml",
        "capacity nowhere",
        "pool info missing.jsonl",
        "pool info pool.jsonl",
        "pool info empty.jsonl",
        "serve --listen here",
        "serve --listen 192.0.2.1:1",
        "serve --mutant no-such-fault",
        "target install embedded",
        "target start nowhere",
        "target start pnpr --port 0",
        "list everything",
        "compare result.json",
        "compare result.json missing.json",
        "compare result.json load.json",
        "compare result.json capacity.json",
        "compare capacity.json capacity.json --format html",
        "compare result.json result.json result.json --as changes",
        "compare result.json result.json --format html,markdown",
        "report missing.json",
        "report result.json --format html,junit",
        "report load.json --format junit",
        "report load.json --evidence bundle",
        "report result.json --evidence full",
        "report result.json --evidence bundle --format html",
        "verify missing",
        "verify none",
        "nodes result.json --rate 10/s",
        "nodes 0=capacity.json --rate 10/s",
        "nodes capacity.json --rate fast",
        "lint",
        "lint missing.yaml",
        "lint there.yaml --kind letter",
        "lint there.yaml --target nowhere",
        "schema letter",
        "cleanup missing.jsonl",
        "cleanup pool.jsonl",
        "completions tcsh",
        "man chekc",
    ] {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let said = said(folder.path(), &arguments);
        let said = made_up.replace_all(&said, "su00000000-");
        // A list of everything is for its own test.
        let shown: Vec<&str> = said.lines().take(24).collect();
        assert!(!said.ends_with("exit 0\n") && !said.contains("panicked"), "{line}\n{said}");
        let _ = writeln!(page, "{}\n$ stepup {line}\n{}\n", "═".repeat(100), shown.join("\n"));
    }
    let page = page.replace(&folder.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!("command_lines", short(&page));
}

#[test]
fn pools() {
    let head = r#"{"pool":{"format":"stepup/pool/1","target":"mine","base":null}}"#;
    let user = |secret: &str| {
        format!(r#"{{"user":{{"name":"su1","token":"t","password":"p","secret":"{secret}","recovery":[]}}}}"#)
    };
    let texts = [
        String::new(),
        "name,secret,mode\n".to_owned(),
        r#"{"pool":{"format":"stepup/pool/2","target":"mine","base":null}}"#.to_owned(),
        format!("{}\n", user("GEZDGNBVGY3TQOJQ")),
        format!("{head}\n{}\n", head.replace("pool/1", "pool/3")),
        format!("{head}\n{{\"user\":1}}\n{head}\n"),
        format!("{head}\n{{\"usr\":{{}}}}\n{head}\n"),
        format!("{head}\n{{\"seeded\":{{\"seed\":\"short\",\"users\":3}}}}\n"),
        format!("{head}\n{}\n", user("not base 32")),
        format!("{head}\n{{\"sealed\":\"YWdl\"}}\n"),
    ];
    let mut page = String::new();
    for text in texts {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("own.jsonl"), &text).expect("written");
        let said = said(folder.path(), &["pool", "info", "own.jsonl"]);
        assert!(said.ends_with("exit 2\n"), "{text}\n{said}");
        // A line may hold secrets, so none is shown.
        assert!(!said.contains("GEZDG") && !said.contains("su1"), "{said}");
        let _ = writeln!(page, "{}\n{said}", "═".repeat(100));
    }
    insta::assert_snapshot!("pools", short(&page));
}

/// What has to be installed and cannot be, or does not start: each with an npm of its own that is not the real one.
#[cfg(unix)]
#[test]
fn what_cannot_be_installed_or_started() {
    use std::os::unix::fs::PermissionsExt as _;

    const PACKAGE: &str = "node_modules/@pnpm/pnpr.linux-x64";
    let installs = |program: &str| {
        format!(
            "/bin/mkdir -p {PACKAGE}\necho '{{ \"version\": \"0.1.0-alpha.8\" }}' > {PACKAGE}/package.json\n\
             {{ echo '#!/bin/sh'; echo '{program}'; }} > {PACKAGE}/pnpr\n/bin/chmod +x {PACKAGE}/pnpr\n"
        )
    };
    let check = "check --target pnpr --case disabled/whoami/*";
    let cases = [
        (check, None),
        (check, Some("echo npm error network is unreachable >&2\nexit 1\n".to_owned())),
        (check, Some("exit 0\n".to_owned())),
        (check, Some(installs("echo this port is not for me; exit 3"))),
        (check, Some(installs("exit 0"))),
        ("target start pnpr", Some(installs("echo this port is not for me; exit 3"))),
        ("target install pnpr", Some("exit 7\n".to_owned())),
        ("check --client npm@11 --case auth-only/publish/*/npm@11/*", Some("exit 7\n".to_owned())),
        ("check --client bun@1 --case auth-only/publish/*/bun@1/*", None),
    ];
    let mut page = String::new();
    for (line, npm) in cases {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let programs = folder.path().join("programs");
        std::fs::create_dir(&programs).expect("a folder");
        if let Some(script) = &npm {
            let npm = programs.join("npm");
            std::fs::write(&npm, format!("#!/bin/sh\n{script}")).expect("written");
            std::fs::set_permissions(&npm, std::fs::Permissions::from_mode(0o755)).expect("may be run");
        }
        let cache = folder.path().join("cache");
        let variables = [("PATH", programs.as_path()), ("XDG_CACHE_HOME", cache.as_path())];
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let said = said_where(folder.path(), &arguments, &variables);
        assert!(!said.ends_with("exit 0\n") && !said.contains("panicked"), "{line}\n{said}");
        let npm = npm.as_deref().unwrap_or("there is none\n");
        let _ = writeln!(page, "{}\nnpm: {npm}$ stepup {line}\n{said}\n", "═".repeat(100));
        let place = folder.path().display().to_string();
        page = page.replace(&place, "FOLDER");
    }
    insta::assert_snapshot!("installations", page);
}
