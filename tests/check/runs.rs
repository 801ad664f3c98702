//! `stepup check` as a user runs it: what it says of a compliant registry and of seeded faults.

use stepup::judge::Verdict;
use stepup::result::{RunResult, Status};

use crate::program::{self, check_into};

fn check(arguments: &[&str]) -> (i32, RunResult) {
    let ran = program::check(arguments);
    (ran.code.expect("an exit code"), ran.result.unwrap_or_else(|| panic!("no result: {}", ran.said)))
}

#[test]
fn the_compliant_registry_is_exact_for_every_seed_tried() {
    for seed in 1..=20 {
        let (code, result) = check(&["--seed", &seed.to_string()]);
        let wrong: Vec<_> = result.cases.iter().filter(|case| case.status != Status::Pass).collect();
        assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
        assert_eq!((code, result.summary.selected), (0, result.summary.exact));
    }
}

#[test]
fn a_seeded_fault_gets_its_verdict_and_exit_code_1() {
    // What each fault shows is in `fixtures/faults.yaml`, which the kill matrix is tested with.
    let (code, result) = check(&["--mutant", "publish-unchallenged", "--case", "auth-and-writes/publish/totp/wire"]);
    assert_eq!((code, &result.cases[0].verdicts[..]), (1, &[Verdict::MissingChallenge][..]));
}

#[test]
fn a_recommended_clause_decides_the_exit_code_only_when_asked() {
    let fault = ["--mutant", "wide-window", "--case", "otp/expired-by-2/*/*/*"];
    let (code, result) = check(&fault);
    assert_eq!((code, result.summary.deviating), (4, 2), "nothing decides");
    let (code, _) = check(&[&fault[..], &["--level", "recommended"]].concat());
    assert_eq!(code, 1);
}

#[test]
fn exit_codes_are_those_documented() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let code = |arguments: &[&str]| check_into(arguments, folder.path()).code;
    assert_eq!(code(&["--case", "*/whoami/*"]), Some(0));
    assert_eq!(code(&["--case", "auth-only/whoami/*", "--mutant", "whoami-challenged"]), Some(1));
    assert_eq!(code(&["--target", "nobody"]), Some(2));
    assert_eq!(code(&["--target", "http://192.0.2.1:4873"]), Some(2));
    assert_eq!(code(&["--target", "http://127.0.0.1:9/below"]), Some(3));
    assert_eq!(code(&["--target", "http://127.0.0.1:9"]), Some(3));
    assert_eq!(code(&["--case", "nothing/like/this"]), Some(4));
    let poor = folder.path().join("poor.yaml");
    let unsupported = "unsupported: { publish: it has none, 'publish:scoped': nor that }";
    std::fs::write(&poor, format!("name: poor\nstart: embedded\n{unsupported}\n")).expect("a file");
    let poor = ["--target", poor.to_str().expect("a path"), "--case", "disabled/publish/*"];
    assert_eq!(code(&poor), Some(4));
    assert_eq!(code(&[&poor[..], &["--case", "disabled/star/*"]].concat()), Some(4), "observing is not judging");
    assert_eq!(code(&["--case", "disabled/star/*"]), Some(4), "nothing decides");
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").expect("a file");
    assert_eq!(check_into(&["--case", "*/ping/*"], &file).code, Some(5));
}

#[test]
fn a_glob_that_is_none_is_an_error_of_the_list() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let deviations = folder.path().join("deviations.yaml");
    let text = "- { case: 'auth-only/[login', verdict: no-effect, until: 2999-01-01, reason: seen }\n";
    std::fs::write(&deviations, text).expect("a file");
    let ran = program::check(&["--case", "*/ping/*", "--deviations", deviations.to_str().expect("a path")]);
    assert!(ran.code == Some(2) && ran.said.contains("deviations.yaml:1:11"), "{}", ran.said);
}

#[test]
fn the_same_seed_gives_the_same_verdicts_and_names() {
    let strip = |mut result: RunResult| {
        for case in &mut result.cases {
            for exchange in case.probes.iter_mut().flat_map(|probe| &mut probe.exchanges) {
                (exchange.elapsed_us, exchange.answer_headers) = (0, vec![]);
                exchange.answer_body = None;
            }
        }
        serde_json::to_string(&result.cases).expect("serialises").replace(char::is_numeric, "0")
    };
    let run = || strip(check(&["--seed", "7", "--case", "*/publish/{none,totp}/*"]).1);
    assert_eq!(run(), run());
}

#[test]
fn no_secret_reaches_a_report() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ran = check_into(&[], folder.path());
    let mut texts = vec![ran.said];
    for file in ["result.json", "junit.xml"] {
        texts.push(std::fs::read_to_string(folder.path().join(file)).expect("the report is there"));
    }
    let result: RunResult = serde_json::from_str(&texts[1]).expect("a result");
    let exchanges = || result.cases.iter().flat_map(|case| &case.probes).flat_map(|probe| &probe.exchanges);
    let proofs: Vec<_> =
        exchanges().flat_map(|exchange| &exchange.headers).filter(|(name, _)| name == "npm-otp").collect();
    assert!(
        proofs.len() > 50
            && proofs.iter().all(|(_, value)| {
                ["‹one-time password›", "‹recovery code›", "‹web token›"].contains(&value.as_str())
            }),
        "a code"
    );
    assert!(exchanges().any(|exchange| exchange.headers.iter().any(|(_, value)| value == "Bearer ‹token›")));
    for text in texts {
        // Every password that a run makes up starts like this, and every enrolment answer carries such an address. Three
        // letters alone are found in keys' identifiers as well.
        let digits = |rest: &str| rest.chars().take_while(char::is_ascii_hexdigit).count();
        assert!(text.split("Pw-").skip(1).all(|rest| digits(rest) < 16), "a password");
        assert!(!text.contains("otpauth://totp/"), "a TOTP secret");
        let bearers = text.matches("Bearer ").count();
        assert_eq!(bearers, text.matches("Bearer ‹token›").count(), "a token");
    }
}

#[test]
fn what_is_stated_of_guesses_and_races_is_in_the_result_and_in_the_terminal() {
    let (_, result) = check(&["--case", "otp/lock-out-by-a-stranger/*/*/*"]);
    let own = |after: &str, then: &str| format!("{after} a right code of the user's own session was {then}");
    let without = own("after 30 wrong codes in a row (`log-in-with-wrong-password`)", "accepted");
    let with = own("after 11 wrong codes in a row (`log-in`)", "refused");
    assert!(result.cases[0].observed.starts_with(&format!("{without}; {with}")), "{}", result.cases[0].observed);
    let ran = program::check(&["--case", "otp/guesses-are-throttled/auth-only/*/*", "--case", "otp/replay-at-once/*"]);
    let result = ran.result.expect("a result");
    let stated: Vec<&str> = result.cases.iter().map(|case| case.statements[0].as_str()).collect();
    assert!(stated[0].contains("10 wrong codes in a row") && stated[0].contains("14400 tries a day"), "{stated:?}");
    assert!(stated[1].contains("sent 17 times: one that is lost in one time of four"), "{stated:?}");
    let said = ran.said.split_whitespace().collect::<Vec<_>>().join(" ");
    for (case, statement) in result.cases.iter().zip(stated) {
        assert!(said.contains(&format!("{} states {statement}", case.id)), "{said}");
    }
}

#[test]
fn the_addresses_of_pages_that_are_open_for_one_user_are_not_in_the_result() {
    let (_, result) = check(&["--case", "auth-only/login:web/*", "--case", "*/token-create/security-key/*"]);
    let text = serde_json::to_string(&result).expect("JSON");
    for kind in ["/-/v1/login/", "/-/v1/done/", "/-/auth/"] {
        let after: Vec<&str> = text.split(kind).skip(1).collect();
        assert!(after.len() > 3, "{kind}");
        assert!(after.iter().all(|rest| rest.starts_with("‹web session›")), "{kind}");
    }
}

#[test]
fn what_a_later_act_cannot_say_takes_nothing_from_what_was_seen() {
    // The first attempt is carried out twice over; by the second the code is too old to say anything.
    let case = ["--mutant", "token-create-before-challenge", "--case", "otp/replay-one-step-later/auth-only/*/*"];
    let (code, result) = check(&case);
    let attempts = |result: &RunResult| result.cases[0].probes.len();
    let seen = (code, result.cases[0].status, attempts(&result));
    assert_eq!(seen, (1, Status::Fail, 1), "{}", result.cases[0].observed);
    let (code, result) = check(&case[2..]);
    let seen = (code, result.cases[0].status, attempts(&result));
    assert_eq!(seen, (0, Status::Pass, 2), "{}", result.cases[0].observed);
}
