//! `stepup pool` as users call it, against the reference registry on its own.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::stub::registry;

fn stepup(arguments: &[&str]) -> (Option<i32>, Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(arguments)
        .env_remove("STEPUP_PASSPHRASE")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), output, said)
}

/// A target that accepts one step either way, as the reference registry does, so that nobody waits for a step.
fn target(folder: &Path, address: std::net::SocketAddr) -> String {
    let path = folder.join("mine.yaml");
    let text = format!("name: mine\nstart: running\nbase: http://{address}\nskew: {{ behind: 1, ahead: 1 }}\n");
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("a path").to_owned()
}

#[test]
fn a_pool_is_enrolled_filled_up_exported_and_retired() {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = registry([1; 32], 0, None);
    let target = target(folder.path(), registry.address);
    let path = folder.path().join("pool.jsonl");
    let file = path.to_str().expect("a path");
    let create = |users| stepup(&["pool", "create", file, "--users", users, "--target", &target]);
    let (code, _, said) = create("5");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("5 users enrolled"), "{said}");
    assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
    let (code, _, said) = create("12");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("going on with 5 users") && said.contains("12 users enrolled"), "{said}");

    let (code, output, _) = stepup(&["pool", "export", file]);
    let csv = String::from_utf8(output.stdout).expect("text");
    assert_eq!((code, csv.lines().next(), csv.lines().count()), (Some(0), Some("name,secret,mode"), 13));
    assert!(csv.lines().skip(1).all(|line| line.ends_with(",auth-and-writes")), "{csv}");
    let names: std::collections::BTreeSet<_> = csv.lines().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(names.len(), 13);

    // The user of a pool can prove himself: taking the second factor away takes a code.
    let accepted = registry.accepted_proofs();
    let (code, _, said) = stepup(&["pool", "remove", file]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(registry.accepted_proofs() - accepted, 12);
    assert!(!path.exists());
}

#[test]
fn users_without_a_second_factor_are_a_base_line_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = registry([1; 32], 0, None);
    let target = target(folder.path(), registry.address);
    let path = folder.path().join("pool.jsonl");
    let file = path.to_str().expect("a path");
    let create = |users, more: &[&str]| {
        stepup(&[&["pool", "create", file, "--users", users, "--target", &target], more].concat())
    };
    let (code, _, said) = create("30", &["--without-factor"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("30 users signed up") && said.contains("they have no second factor"), "{said}");
    let (code, _, said) = create("40", &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("its users have no second factor"), "{said}");
    let (_, output, _) = stepup(&["pool", "export", file]);
    assert!(String::from_utf8_lossy(&output.stdout).lines().skip(1).all(|line| line.ends_with(",,disabled")));

    let load = |name: &str, mix: &str| {
        let profile = folder.path().join("p.yaml");
        let text = format!(
            "name: p\naction: publish\nmix: {{ {mix}: 1 }}\npace: [{{ constant: {{ rate: 8/s, for: 1 s }} }}]\n\
             objectives: [success >= 100 %]\n"
        );
        std::fs::write(&profile, text).expect("written");
        let out = folder.path().join(name);
        let (profile, out) = (profile.to_str().expect("a path"), out.to_str().expect("a path"));
        stepup(&["load", profile, "--target", &target, "--pool", file, "--out", out])
    };
    let (code, _, said) = load("right", "right");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("users of the pool have no second factor"), "{said}");
    let (code, _, said) = load("unprotected", "unprotected");
    assert_eq!(code, Some(0), "{said}");
    let result = std::fs::read_to_string(folder.path().join("unprotected/result.json")).expect("a result");
    let result: serde_json::Value = serde_json::from_str(&result).expect("JSON");
    let kinds: Vec<_> = result["outcomes"].as_array().into_iter().flatten().map(|line| &line["kind"]).collect();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == "unprotected"), "{result}");

    let (code, _, said) = stepup(&["pool", "remove", file]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_host_that_may_be_checked_is_not_filled_with_users() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("mine.yaml");
    let text = "name: mine\nstart: running\nbase: http://registry.example.test/\nallow: { host: registry.example.test, what: [check] }\n";
    std::fs::write(&target, text).expect("written");
    let pool = folder.path().join("pool.jsonl");
    let (pool, target) = (pool.to_str().expect("a path"), target.to_str().expect("a path"));
    let (code, _, said) = stepup(&["pool", "create", pool, "--users", "1", "--target", target]);
    assert_eq!(code, Some(2), "{said}");
    let said = said.replace("\n  │ ", " ");
    assert!(said.contains("`load` is not allowed on registry.example.test") && !Path::new(pool).exists(), "{said}");
}

#[test]
fn an_interrupted_enrolment_goes_on_with_names_that_were_never_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = registry([1; 32], 0, None);
    let target = target(folder.path(), registry.address);
    let path = folder.path().join("pool.jsonl");
    let file = path.to_str().expect("a path");
    let lines = [
        serde_json::json!({ "pool": {
            "format": "stepup/pool/1", "target": target, "base": format!("http://{}/", registry.address), "prefix": "suab"
        } })
        .to_string(),
        serde_json::json!({ "making": "suab-p0000003" }).to_string(),
        "{\"user\":{\"na".to_owned(),
    ];
    std::fs::write(&path, lines.join("\n")).expect("written");
    let (code, _, said) = stepup(&["pool", "create", file, "--users", "2", "--target", &target]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 more were begun and not finished"), "{said}");
    let (_, output, _) = stepup(&["pool", "export", file]);
    let csv = String::from_utf8(output.stdout).expect("text");
    assert!(csv.contains("suab-p0000004,") && csv.contains("suab-p0000005,"), "{csv}");
}

#[test]
fn a_seeded_pool_is_exported_without_a_request_and_a_registry_can_know_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pool.jsonl");
    let file = path.to_str().expect("a path");
    let (code, _, said) =
        stepup(&["pool", "create", file, "--users", "900000", "--target", "http://127.0.0.1:1", "--seeded"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("30000/s"), "{said}");
    assert!(std::fs::metadata(&path).expect("it is there").len() < 400);
    let csv = folder.path().join("users.csv");
    let (code, _, said) =
        stepup(&["pool", "export", file, "--out", csv.to_str().expect("a path"), "--with-credentials"]);
    assert_eq!(code, Some(0), "{said}");
    let text = std::fs::read_to_string(&csv).expect("written");
    assert_eq!((text.lines().next(), text.lines().count()), (Some("name,secret,mode,token,password"), 900_001));
    assert_eq!(std::fs::metadata(&csv).expect("it is there").permissions().mode() & 0o777, 0o600);
}

#[test]
fn targets_whose_users_cannot_be_enrolled_say_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pool.jsonl");
    let file = file.to_str().expect("a path");
    for (target, wanted) in [("embedded", "needs no pool"), ("verdaccio-9", "stepup target start verdaccio-9")] {
        let (code, _, said) = stepup(&["pool", "create", file, "--users", "2", "--target", target]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.replace("\n  │ ", " ").contains(wanted), "{said}");
    }
    // Nobody listens there.
    let (code, _, said) = stepup(&["pool", "create", file, "--users", "2", "--target", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(3), "{said}");
}

/// Everything that an encrypted pool is used for, with the passphrase from a file or the environment.
#[test]
fn an_encrypted_pool_is_enrolled_gone_on_with_exported_and_retired_and_shows_nothing() {
    const PASSPHRASE: &str = "correct horse battery staple";
    let folder = tempfile::tempdir().expect("a folder");
    let registry = registry([1; 32], 0, None);
    let target = target(folder.path(), registry.address);
    let path = folder.path().join("pool.jsonl");
    let file = path.to_str().expect("a path");
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("a path").to_owned()
    };
    let (right, wrong) = (written("right", PASSPHRASE), written("wrong", "hunter2"));
    let create = ["pool", "create", file, "--encrypt", "--target", &target, "--users"];
    let with = |first: &[&str], more: &[&str]| {
        let (code, output, said) = stepup(&[first, more].concat());
        assert!(!said.contains(PASSPHRASE) && !said.contains("hunter2"), "{said}");
        (code, String::from_utf8(output.stdout).expect("text"), said)
    };
    // Nobody sits at a terminal here.
    let (code, _, said) = with(&create, &["3"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.replace("\n  │ ", " ").contains("--passphrase-file FILE") && !path.exists(), "{said}");
    let (code, _, said) = with(&create, &["3", "--passphrase-file", &right]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("3 users enrolled") && said.contains("encrypted"), "{said}");
    assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);

    // What an interruption has cut is made up for.
    let text = std::fs::read_to_string(&path).expect("text");
    let whole = text.trim_end();
    std::fs::write(&path, &whole[..whole.rfind("{\"sealed").expect("a sealed line") + 90]).expect("written");
    let cut = std::fs::read_to_string(&path).expect("text");
    let (code, _, said) = with(&create, &["4", "--passphrase-file", &wrong]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("the passphrase is wrong"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).expect("text"), cut, "a wrong passphrase changes nothing");
    let (code, _, said) = with(&create, &["4", "--passphrase-file", &right]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("going on with 2 users") && said.contains("4 users enrolled"), "{said}");

    let (code, csv, said) = with(&["pool", "export", file, "--with-credentials"], &["--passphrase-file", &right]);
    assert_eq!((code, csv.lines().count()), (Some(0), 5), "{said}");
    let text = std::fs::read_to_string(&path).expect("text");
    for line in csv.lines().skip(1) {
        let [_, secret, _, token, password] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        for hidden in [secret, token, password] {
            assert!(!text.contains(hidden), "{hidden} stands in the pool");
        }
    }
    let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(["pool", "remove", file])
        .env("STEPUP_PASSPHRASE", PASSPHRASE)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!path.exists());
}

#[test]
fn users_with_security_keys_answer_challenges_on_the_targets_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = registry([1; 32], 0, None);
    // The pages of the reference registry, as its own target file describes them.
    let pages = "
routines:
  register-key:
    - request: POST /-/account/keys/options
      json: { password: \"{{ user.password }}\", mode: \"{{ mode }}\" }
      keep: { options: /publicKey, ceremony: /ceremony }
    - { register-with: \"{{ kept.options }}\", to: credential }
    - request: POST /-/account/keys
      json: { ceremony: \"{{ kept.ceremony }}\", name: key, credential: \"{{ kept.credential }}\" }
  authorise-by-key:
    - { request: \"POST {{ args.page }}/options\", auth: none, json: {}, keep: { options: /publicKey } }
    - { assert-with: \"{{ kept.options }}\", to: assertion }
    - { request: \"POST {{ args.page }}/assertion\", auth: none, json: \"{{ kept.assertion }}\" }
";
    let described = target(folder.path(), registry.address);
    let text = std::fs::read_to_string(&described).expect("text");
    let path = folder.path().join("pool.jsonl");
    let file = path.to_str().expect("a path");
    let create = ["pool", "create", file, "--users", "12", "--keys", "--target", &described];
    let (code, _, said) = stepup(&create);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.replace("\n  │ ", " ").contains("no security key can be registered"), "{said}");
    std::fs::write(&described, text + pages).expect("written");
    let (code, _, said) = stepup(&create);
    assert_eq!(code, Some(0), "{said}");
    let profile = folder.path().join("keys.yaml");
    let text = "name: keys\naction: profile-set:fullname\npace: [{ constant: { rate: 2/s, for: 2 s } }]\narrivals: even\n\
                connections: 4\nmix: { key: 1 }\nvalid: { busy: 100 %, lateness-p99: 5 s }\nobjectives: [success >= 100 %]\n";
    std::fs::write(&profile, text).expect("written");
    let out = folder.path().join("out");
    let out = out.to_str().expect("a path");
    let profile = profile.to_str().expect("a path");
    // The second run goes on with keys that have signed before.
    for _ in 0..2 {
        let run = ["load", profile, "--target", &described, "--pool", file, "--out", out, "--threads", "1"];
        let (code, _, said) = stepup(&run);
        assert_eq!(code, Some(0), "{said}");
    }
}
