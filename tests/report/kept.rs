//! The reports as people and CI servers read them. Most results are made from a run of the embedded registry and
//! altered to what such a run never shows; what differs from run to run is replaced first.

use clap::ValueEnum as _;
use stepup::judge::{Effect, Verdict};
use stepup::report::compare::{Compared, Form, Grid};
use stepup::report::terminal::{self, Paper};
use stepup::report::{Document, Format, annotations, badge, html, junit, markdown, sarif, tap};
use stepup::result::{Answered, Found, Look, RunResult, Status, Summary};
use stepup::table::Level;

use crate::program;

/// A run of the embedded registry, without what differs from run to run.
fn run(arguments: &[&str]) -> RunResult {
    let ran = program::check(arguments);
    let mut result = ran.result.unwrap_or_else(|| panic!("no result, exit code {:?}: {}", ran.code, ran.said));
    "2026-01-02T03:04:05Z".clone_into(&mut result.started);
    "2026-01-02T03:04:06.5Z".clone_into(&mut result.finished);
    result.requests = 1_234;
    for case in result.cases.iter_mut().chain(&mut result.observations) {
        case.observed = steady(&case.observed);
        for probe in &mut case.probes {
            probe.outcome = steady(&probe.outcome);
            probe.exchanges.iter_mut().for_each(|exchange| exchange.elapsed_us = 1_000);
        }
    }
    result
}

/// The text with every made-up name and id, and every port, replaced at its width.
fn steady(text: &str) -> String {
    let made_up = |word: &str| {
        let digits = word.strip_prefix("su").unwrap_or(word);
        let port = word.len() == 5 && word.chars().all(|character| character.is_ascii_digit());
        port || digits.len() >= 8 && digits.chars().all(|character| character.is_ascii_hexdigit())
    };
    let words = text.split_inclusive(|character: char| !character.is_ascii_alphanumeric()).map(|piece| {
        let word = piece.trim_end_matches(|character: char| !character.is_ascii_alphanumeric());
        if made_up(word) { "x".repeat(word.len()) + &piece[word.len()..] } else { piece.to_owned() }
    });
    words.collect()
}

fn recount(result: &mut RunResult) {
    result.summary = Summary::of(&result.cases, result.observations.len());
}

/// One known and one new deviation beside what holds, and an entry that is stale.
fn known_new_and_stale() -> RunResult {
    let mut result = run(&[
        "--mutant",
        "publish-unchallenged",
        "--mutant",
        "whoami-challenged",
        "--case",
        "*/publish/*",
        "--case",
        "*/whoami/*",
    ]);
    for case in result.cases.iter_mut().filter(|case| case.action == "publish" && case.status == Status::Fail) {
        case.known = Some(stepup::result::Known {
            reason: "PUT /NAME without a code is answered 201 and the version is served".to_owned(),
            until: "2027-06-30".parse().expect("a date"),
        });
    }
    result.stale_deviations = vec![
        "deviation `auth-*/token-revoke/*`: auth-only/token-revoke/totp/wire no longer shows missing-challenge"
            .to_owned(),
    ];
    recount(&mut result);
    result
}

fn without_a_second_factor() -> RunResult {
    let mut result = run(&["--case", "*/publish/*", "--case", "*/login*", "--case", "*/star/*", "--case", "*/ping/*"]);
    result.target.factors.totp = Look::new(Found::Absent, "POST /-/npm/v1/user → 404 no such route".to_owned());
    result.target.factors.security_key = Look::new(Found::NotDescribed, "register-key".to_owned());
    for case in result.cases.iter_mut().chain(&mut result.observations).filter(|case| case.factor != "none") {
        let (status, verdict, why) = match case.factor.as_str() {
            "totp" => {
                let why = "the registry has no such second factor: POST /-/npm/v1/user → 404 no such route";
                (Status::Unsupported, Verdict::Unsupported, why)
            }
            _ => {
                let why = "the target file does not describe the routine `register-key`";
                (Status::NotDescribed, Verdict::NotDescribed, why)
            }
        };
        (case.status, case.verdicts, case.probes) = (status, vec![verdict], vec![]);
        why.clone_into(&mut case.observed);
    }
    recount(&mut result);
    result
}

/// The same, where the target's file says so.
fn stated_to_have_none() -> RunResult {
    let mut result = without_a_second_factor();
    result.target.without_second_factor = true;
    result
}

#[test]
fn every_report_says_that_a_second_factor_was_not_judged() {
    let result = without_a_second_factor();
    insta::assert_snapshot!("not_judged_tap", tap::render(&result));
    insta::assert_snapshot!("not_judged_junit", junit::render(&result).expect("renders"));
    let said = "SECOND FACTOR NOT JUDGED";
    let document = Document::Run(Box::new(result.clone()));
    for format in Format::value_variants().iter().filter(|format| **format != Format::Result) {
        let text = document.render(*format, Paper::default()).expect("renders");
        let badge = *format == Format::Badge && text.contains("second factor not judged");
        assert!(badge || text.contains(said), "{format:?}: {text}");
    }
    let grid = Compared::Grid(Grid::of(std::slice::from_ref(&result)));
    for form in Form::value_variants() {
        let text = grid.render(*form, Paper::default()).expect("renders");
        assert!(text.contains(said), "{form:?}: {text}");
    }
}

#[test]
fn every_report_says_that_the_target_file_states_no_second_factor() {
    let result = stated_to_have_none();
    insta::assert_snapshot!("stated_to_have_none", terminal(&result));
    let document = Document::Run(Box::new(result));
    let coloured = document.render(Format::Terminal, Paper { width: 100, colour: true }).expect("renders");
    assert!(coloured.contains("\u{1b}[33mHeld"), "in amber: {coloured}");
    for format in Format::value_variants().iter().filter(|format| **format != Format::Result) {
        let text = document.render(*format, Paper::default()).expect("renders").to_lowercase();
        assert!(text.contains("without a second factor"), "{format:?}: {text}");
    }
}

fn interrupted() -> RunResult {
    let mut result = run(&["--case", "*/publish/*", "--case", "*/token-create/*"]);
    for case in result.cases.iter_mut().skip(2) {
        (case.status, case.verdicts, case.probes) = (Status::Skipped, vec![], vec![]);
        "interrupted before it started".clone_into(&mut case.observed);
    }
    result.complete = false;
    recount(&mut result);
    result
}

/// A run of which one case held only when it was played again.
fn flaky() -> RunResult {
    let mut result = run(&["--case", "auth-only/token-create/totp/*"]);
    let case = &mut result.cases[0];
    let (verdicts, observed) = (vec![Verdict::TargetFailed], "set-up: the connection was reset".to_owned());
    case.earlier = vec![stepup::result::Earlier { verdicts, observed, probes: vec![] }];
    recount(&mut result);
    result
}

#[test]
fn every_report_lists_what_is_flaky() {
    let result = flaky();
    insta::assert_snapshot!("flaky_terminal", terminal(&result));
    insta::assert_snapshot!("flaky_junit", junit::render(&result).expect("renders"));
    insta::assert_snapshot!("flaky_summary", markdown::render(&result));
    insta::assert_snapshot!("flaky_tap", tap::render(&result));
}

/// Every end that an observed write can have.
fn observed() -> RunResult {
    let mut result = run(&["--case", "*/dist-tag-add:*/*", "--case", "*/star/*"]);
    let ends = [
        (Answered::Accepted, Effect::None),
        (Answered::Accepted, Effect::NotApplied),
        (Answered::Challenged, Effect::None),
        (Answered::Challenged, Effect::Applied),
        (Answered::Refused, Effect::None),
        (Answered::NotImplemented, Effect::None),
        (Answered::Throttled, Effect::None),
        (Answered::Failed, Effect::Unknown),
    ];
    for (case, (answer, effect)) in result.observations.iter_mut().zip(ends) {
        (case.probes[0].answer, case.probes[0].effect) = (answer, effect);
    }
    let last = result.observations.last_mut().expect("nine writes");
    (last.status, last.verdicts) = (Status::Error, vec![Verdict::HarnessError]);
    result
}

fn terminal(result: &RunResult) -> String {
    terminal::render(result, Paper::default())
}

#[test]
fn terminal_of_a_registry_that_holds() {
    // Scenarios of one kind alone, so that not every new one changes what is seen here.
    let cases = ["--case", "disabled/*", "--case", "auth-*/*", "--case", "sequences/*"];
    insta::assert_snapshot!(terminal(&run(&cases)));
}

#[test]
fn terminal_of_a_fault_that_shows_in_many_cases() {
    let result = run(&["--mutant", "replay-accepted", "--case", "auth-*/token-*", "--case", "auth-*/*publish*"]);
    insta::assert_snapshot!(terminal(&result));
    insta::assert_snapshot!("narrow_terminal", terminal::render(&result, Paper { width: 80, colour: false }));
}

#[test]
fn terminal_of_known_and_new_deviations_and_a_stale_entry() {
    let result = known_new_and_stale();
    insta::assert_snapshot!(terminal(&result));
    insta::assert_snapshot!("tiny_terminal", terminal::render(&result, Paper { width: 60, colour: false }));
    let coloured = terminal::render(&result, Paper { colour: true, ..Paper::default() });
    insta::assert_snapshot!("coloured_terminal", coloured.replace('\u{1b}', "ESC"));
}

#[test]
fn terminal_of_a_registry_without_a_second_factor() {
    insta::assert_snapshot!(terminal(&without_a_second_factor()));
}

#[test]
fn terminal_of_an_interrupted_run() {
    insta::assert_snapshot!(terminal(&interrupted()));
}

#[test]
fn terminal_of_observed_writes() {
    insta::assert_snapshot!(terminal(&observed()));
}

#[test]
fn terminal_of_a_target_that_gives_no_usable_answer() {
    insta::assert_snapshot!(terminal(&run(&["--mutant", "half-json", "--case", "*/token-create/*"])));
}

#[test]
fn junit_of_known_and_new_deviations_and_a_stale_entry() {
    insta::assert_snapshot!(junit::render(&known_new_and_stale()).expect("renders"));
}

#[test]
fn junit_of_an_interrupted_run() {
    insta::assert_snapshot!(junit::render(&interrupted()).expect("renders"));
}

#[test]
fn junit_of_observed_writes() {
    insta::assert_snapshot!(junit::render(&observed()).expect("renders"));
}

#[test]
fn summary_of_known_and_new_deviations_and_a_stale_entry() {
    insta::assert_snapshot!(markdown::render(&known_new_and_stale()));
}

#[test]
fn summary_of_a_registry_without_a_second_factor() {
    insta::assert_snapshot!(markdown::render(&without_a_second_factor()));
}

#[test]
fn sarif_of_known_and_new_deviations_and_a_stale_entry() {
    insta::assert_snapshot!(sarif::render(&known_new_and_stale()).expect("renders"));
}

#[test]
fn tap_of_known_and_new_deviations_and_a_stale_entry() {
    insta::assert_snapshot!(tap::render(&known_new_and_stale()));
}

#[test]
fn tap_of_an_interrupted_run() {
    insta::assert_snapshot!(tap::render(&interrupted()));
}

#[test]
fn annotations_of_known_and_new_deviations_and_a_stale_entry() {
    insta::assert_snapshot!(annotations::render(&known_new_and_stale()));
}

#[test]
fn badges_of_every_kind() {
    let held = run(&["--case", "*/whoami/*"]);
    let mut unjudged = held.clone();
    unjudged.cases[0].status = Status::Error;
    let mut known = known_new_and_stale();
    known.stale_deviations.clear();
    known.cases.retain(|case| case.known.is_some() || case.status == Status::Pass);
    let mut nothing = held.clone();
    nothing.cases.clear();
    let mut advised = known.clone();
    let case = advised.cases.iter_mut().find(|case| case.known.is_some()).expect("a known one");
    (case.known, case.level) = (None, Level::Recommended);
    let case = advised.cases.iter_mut().find(|case| case.status == Status::Pass).expect("one that holds");
    (case.status, case.verdicts) = (Status::Unsupported, vec![Verdict::Unsupported]);
    for result in [&mut unjudged, &mut known, &mut nothing, &mut advised] {
        recount(result);
    }
    let mut stale = held.clone();
    stale.stale_deviations = vec!["deviation `x`: no case has such an id".to_owned()];
    let results = [
        held,
        known_new_and_stale(),
        unjudged,
        known,
        stale,
        without_a_second_factor(),
        stated_to_have_none(),
        interrupted(),
        nothing,
        advised,
    ];
    let badges: Vec<String> = results.iter().map(|result| badge::render(result).expect("renders")).collect();
    insta::assert_snapshot!(badges.join("\n"));
}

/// The page without its style, its script and what is packed.
#[test]
fn page_of_known_and_new_deviations_and_a_stale_entry() {
    let page = html::render(&known_new_and_stale()).expect("renders");
    let mut shown = String::new();
    let mut rest = page.as_str();
    for (begin, end) in [
        ("'sha256-", "'"),
        ("'sha256-", "'"),
        ("<style>", "</style>"),
        ("id=\"archive\">", "</script>"),
        ("<script>", "</script>"),
    ] {
        let (before, after) = rest.split_once(begin).expect("the beginning");
        let (_, after) = after.split_once(end).expect("the end");
        shown.push_str(&format!("{before}{begin}…{end}"));
        rest = after;
    }
    insta::assert_snapshot!(shown + rest);
}
