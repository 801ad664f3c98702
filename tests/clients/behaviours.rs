//! Real clients perform the rows of the tables against the reference registry.

use std::path::PathBuf;

use stepup::judge::Verdict;
use stepup::result::{Asked, CaseResult, LimitKind, RunResult, Situation, Status};

use crate::real_clients::{case, check_on, wrong};

/// Checks the embedded registry with clients.
async fn check(clients: &[&str], cases: &[&str], mutants: &[&str]) -> RunResult {
    check_on("embedded", clients, cases, mutants).await
}

#[tokio::test]
async fn npm_11_performs_every_row_in_a_script_and_in_a_terminal() {
    let result = check(&["npm@11"], &["*/totp/*", "*/none/*", "auth-and-writes/*/security-key/*"], &[]).await;
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

/// The rows in which a client asks nobody in a terminal, though it is challenged.
fn not_asked<'r>(result: &'r RunResult, client: &str) -> Vec<&'r str> {
    let of_client = result.cases.iter().filter(|case| case.client == client && case.factor == "totp");
    let silent = of_client.filter(|case| {
        let limits = case.session.iter().flat_map(|session| &session.limits);
        limits.into_iter().any(|limit| limit.kind == LimitKind::NotAsked)
    });
    let mut rows: Vec<&str> = silent.filter_map(|case| case.id.split('/').nth(1)).collect();
    rows.sort_unstable();
    rows
}

/// What a client asks in a terminal when it publishes, with a code.
fn asked_at_publish(result: &RunResult, client: &str) -> Asked {
    let case = case(result, &format!("auth-and-writes/publish/totp/{client}/terminal"));
    case.session.as_ref().expect("a session").asked
}

/// Every row in the mode that asks most, with a code and with a security key.
const ROWS: [&str; 2] = ["auth-and-writes/*/totp/*", "auth-and-writes/*/security-key/*"];

#[tokio::test]
async fn npm_8_and_12_pnpm_yarn_and_bun_perform_what_they_can_express() {
    let result = check(&["npm@8", "npm@12", "pnpm@12", "yarn@4", "bun@1"], &ROWS, &[]).await;
    assert_eq!(wrong(&result), []);
    for client in ["npm@8", "npm@12", "pnpm@12", "yarn@4", "bun@1"] {
        let publish = |situation| case(&result, &format!("auth-and-writes/publish/totp/{client}/{situation}"));
        for situation in Situation::ALL {
            assert_eq!(publish(situation).verdicts, [Verdict::Exact], "{client} {situation}");
        }
        assert_eq!(asked_at_publish(&result, client), Asked::ForCode, "{client}");
    }
    // A page opens where the client can be sent to one.
    for client in ["npm@8", "npm@12", "pnpm@12", "bun@1"] {
        let case = case(&result, &format!("auth-and-writes/publish/security-key/{client}/terminal"));
        let session = case.session.as_ref().expect("a session");
        assert_eq!((session.asked, session.through), (Asked::ForPage, true), "{client}");
    }
    assert_eq!(not_asked(&result, "npm@8"), [""; 0]);
    assert_eq!(not_asked(&result, "npm@12"), [""; 0]);
    let silent = [
        "deprecate",
        "deprecate:one-version",
        "deprecate:range",
        "deprecate:undo",
        "disable-2fa",
        "mode-change",
        "package-2fa:not-required",
        "package-2fa:required",
        "package-access:grant",
        "package-access:revoke",
        "package-visibility:public",
        "package-visibility:restricted",
        "profile-set:fullname",
        "profile-set:password",
        "token-create",
        "token-revoke",
    ];
    assert_eq!(not_asked(&result, "pnpm@12"), silent);
}

/// Which clients ask for a code though a challenge has lost a part of its shape: those that are named.
#[tokio::test]
async fn who_still_asks_when_a_challenge_has_another_shape() {
    const NPM: [&str; 7] = ["npm@6", "npm@7", "npm@8", "npm@9", "npm@10", "npm@11", "npm@12"];
    let npm_and = |others: &[&'static str]| [NPM.as_slice(), others].concat();
    let shapes = [
        ("challenge-forbidden", vec!["yarn@4"]),
        ("challenge-without-header", npm_and(&["bun@1", "pnpm@10", "pnpm@12"])),
        ("challenge-text-in-message", npm_and(&["bun@1", "pnpm@10", "pnpm@12"])),
        ("challenge-basic-header", vec!["pnpm@12"]),
    ];
    for (shape, asking) in shapes {
        let result = check(&["all"], &["auth-and-writes/publish/totp/*/terminal"], &[shape]).await;
        let mut asked: Vec<&str> = Vec::new();
        for case in &result.cases {
            // The registry is at fault, whatever this client makes of it.
            assert_eq!(
                (case.status, case.verdicts.as_slice()),
                (Status::Fail, [Verdict::WrongShape].as_slice()),
                "{}",
                case.id
            );
            if asked_at_publish(&result, &case.client) == Asked::ForCode {
                asked.push(&case.client);
            }
        }
        let sorted = |mut clients: Vec<&'static str>| {
            clients.sort_unstable();
            clients
        };
        asked.sort_unstable();
        assert_eq!(asked, sorted(asking), "{shape}");
        // Yarn 1 takes a refusal without a text in `error` for success.
        let yarn = case(&result, "auth-and-writes/publish/totp/yarn@1/terminal").session.as_ref().expect("a session");
        let told = yarn.limits.iter().any(|limit| limit.kind == LimitKind::SuccessTold);
        assert_eq!(told, shape == "challenge-text-in-message", "{shape}: {yarn:?}");
    }
}

/// Every client publishes to verdaccio, and four do what else it asks for a code before; what it does differently is listed.
#[tokio::test]
async fn real_clients_perform_rows_on_verdaccio_with_a_code() {
    let cases = [
        "auth-and-writes/publish/totp/**",
        "auth-and-writes/{unpublish:all,deprecate,token-create}/totp/{npm@8,npm@11,npm@12,pnpm@12}/*",
        // pnpm 12 finds a thousand pages of tokens there, and gives up.
        "auth-and-writes/token-revoke/totp/{npm@8,npm@11,npm@12}/*",
    ];
    let result = check_on("verdaccio-9", &["all"], &cases, &[]).await;
    let ids = |wanted: fn(&CaseResult) -> bool| -> Vec<&str> {
        result.cases.iter().filter(|case| wanted(case)).map(|case| case.id.as_str()).collect()
    };
    let unjudged = ids(|case| matches!(case.status, Status::Error | Status::Skipped));
    assert_eq!((unjudged, ids(|case| case.status == Status::Fail && case.known.is_none())), (vec![], vec![]));
    // Its tokens are revoked without a code, which is listed, and which every client shows.
    assert_eq!(ids(|case| case.status == Status::Fail), ids(|case| case.action == "token-revoke"));
    for client in ["npm@8", "npm@11", "npm@12"] {
        for (row, situation) in
            ["unpublish:all", "deprecate", "token-create"].iter().flat_map(|row| Situation::ALL.map(|at| (row, at)))
        {
            let case = case(&result, &format!("auth-and-writes/{row}/totp/{client}/{situation}"));
            let session = case.session.as_ref().expect("a session");
            let seen = (case.verdicts.as_slice(), session.asked, session.through);
            assert_eq!(seen, ([Verdict::Exact].as_slice(), Asked::ForCode, true), "{}", case.id);
        }
    }
    let publications = result.cases.iter().filter(|case| case.action == "publish");
    assert_eq!(publications.clone().count(), 2 * 12);
    for case in publications {
        let session = case.session.as_ref().expect("a session");
        assert_eq!((session.asked, session.through), (Asked::ForCode, true), "{}: {session:?}", case.id);
    }
}

#[tokio::test]
async fn a_registry_that_does_not_ask_is_found_with_a_real_client() {
    let result = check(&["npm@11"], &["auth-and-writes/publish/totp/*"], &["publish-unchallenged"]).await;
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
    let result = check(&[file.to_str().expect("a path")], &["auth-and-writes/publish/totp/*"], &[]).await;
    assert_eq!(result.cases.len(), 2);
    for case in &result.cases {
        assert_eq!((case.status, case.verdicts.as_slice()), (Status::Unsupported, [Verdict::ClientLimit].as_slice()));
        let session = case.session.as_ref().expect("a session");
        assert!(session.commands.iter().all(|command| command.hung), "{session:?}");
        assert!(session.limits.iter().any(|limit| limit.saw == "ended after 1 s"), "{session:?}");
        assert!(session.commands[0].transcript.starts_with("token ‹token›"), "{session:?}");
    }
}
