//! Real clients perform the rows of the tables against the reference registry.

use std::path::PathBuf;

use stepup::check::suite::{Options, Suite};
use stepup::client::Situation;
use stepup::judge::Verdict;
use stepup::result::{Asked, CaseResult, RunResult, Status};

/// Checks the embedded registry with a client.
async fn check(client: &str, cases: &[&str], mutants: &[&str]) -> RunResult {
    let suite = Suite::new(Options {
        clients: vec![client.to_owned()],
        cases: cases.iter().map(|case| (*case).to_owned()).collect(),
        mutants: mutants.iter().map(|name| name.parse().expect("a fault")).collect(),
        ..Options::default()
    });
    let folder = tempfile::tempdir().expect("a folder");
    let session = suite.expect("cases").begin(&folder.path().join("journal.jsonl")).await.expect("a registry");
    session.run(|_| {}).await
}

/// A case, by its row in mode auth-and-writes.
fn case<'r>(result: &'r RunResult, id: &str) -> &'r CaseResult {
    let found = result.cases.iter().find(|case| case.id == id);
    found.unwrap_or_else(|| {
        panic!("no case {id} among {:?}", result.cases.iter().map(|case| &case.id).collect::<Vec<_>>())
    })
}

/// What deviates, or could not be judged, with what was seen.
fn wrong(result: &RunResult) -> Vec<(&str, &str)> {
    let wrong =
        result.cases.iter().filter(|case| matches!(case.status, Status::Fail | Status::Error | Status::Skipped));
    wrong.map(|case| (case.id.as_str(), case.observed.as_str())).collect()
}

#[tokio::test]
async fn npm_11_performs_every_row_in_a_script_and_in_a_terminal() {
    let result = check("npm@11", &["*/totp/*", "*/none/*", "auth-and-writes/*/security-key/*"], &[]).await;
    assert_eq!(wrong(&result), []);
    // With a code, every action of the tables is asked for, answered and carried out, or cannot be expressed.
    let asked = result.cases.iter().filter(|case| case.mode == "auth-and-writes" && case.factor == "totp");
    for case in asked.filter(|case| case.status == Status::Pass) {
        let session = case.session.as_ref().expect("a session");
        let as_expected = (session.asked, session.through, session.limits.as_slice());
        let page = case.surface.as_deref() == Some("web");
        assert_eq!(
            as_expected,
            (if page { Asked::ForPage } else { Asked::ForCode }, true, [].as_slice()),
            "{}",
            case.id
        );
        assert_eq!(case.probes.iter().map(|probe| probe.name.as_str()).collect::<Vec<_>>(), ["bare", "right"]);
    }
    let scripts = ["publish", "unpublish:version", "mode-change", "token-create", "token-revoke", "deprecate"];
    for row in scripts {
        for situation in Situation::ALL {
            let case = case(&result, &format!("auth-and-writes/{row}/totp/npm@11/{situation}"));
            assert_eq!(case.verdicts, [Verdict::Exact], "{}", case.id);
        }
        // A page is answered with a security key while the client waits.
        let by_key = case(&result, &format!("auth-and-writes/{row}/security-key/npm@11/terminal"));
        let session = by_key.session.as_ref().expect("a session");
        assert_eq!((by_key.status, session.asked, session.through), (Status::Pass, Asked::ForPage, true), "{row}");
    }
    for row in ["login", "login:web", "profile-set:password"] {
        let case = case(&result, &format!("auth-and-writes/{row}/totp/npm@11/terminal"));
        assert_eq!(case.verdicts, [Verdict::Exact], "{}", case.id);
    }
}

#[tokio::test]
async fn a_registry_that_does_not_ask_is_found_with_a_real_client() {
    let result = check("npm@11", &["auth-and-writes/publish/totp/*"], &["publish-unchallenged"]).await;
    for situation in Situation::ALL {
        let case = case(&result, &format!("auth-and-writes/publish/totp/npm@11/{situation}"));
        assert_eq!((case.status, case.verdicts.as_slice()), (Status::Fail, [Verdict::MissingChallenge].as_slice()));
        assert!(case.repeat.contains("--client npm@11"), "{}", case.repeat);
    }
}

#[tokio::test]
async fn a_client_that_does_not_end_is_ended_and_no_fault_of_the_registrys() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("waits.yaml");
    let packages = folder.path().join("waits");
    std::fs::create_dir(&packages).expect("a folder");
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/clients/npm-11");
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(own.join(name), packages.join(name)).expect("copied");
    }
    // It reads its own standard input, which a terminal never ends, and shows the token that it was given.
    let program = "process.stdout.write('token ' + process.env.TOKEN + '\\n'); setInterval(() => {}, 1000)";
    let text = format!(
        "name: waits\nabout: never ends\nprogram: [node, -e, {program:?}]\npatience: 1\ntells-challenge: none\n\
         environment: {{ TOKEN: \"{{{{ user.token }}}}\" }}\nrows: {{ publish: {{ run: [publish] }} }}\n"
    );
    std::fs::write(&file, text).expect("written");
    let result = check(file.to_str().expect("a path"), &["auth-and-writes/publish/totp/*"], &[]).await;
    assert_eq!(result.cases.len(), 2);
    for case in &result.cases {
        assert_eq!((case.status, case.verdicts.as_slice()), (Status::Unsupported, [Verdict::ClientLimit].as_slice()));
        let session = case.session.as_ref().expect("a session");
        assert!(session.commands.iter().all(|command| command.hung), "{session:?}");
        assert!(session.limits.iter().any(|limit| limit.saw == "ended after 1 s"), "{session:?}");
        assert!(session.commands[0].transcript.starts_with("token ‹token›"), "{session:?}");
    }
}
