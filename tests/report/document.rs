//! The result document: whatever it holds survives writing and reading, and what was written once is still read.

use clap::ValueEnum as _;
use proptest::prelude::*;
use proptest::sample::select;
use stepup::capability::Capability;
use stepup::judge::{Effect, Verdict};
use stepup::report::terminal::{self, Paper};
use stepup::report::{Document, Format};
use stepup::result::{
    Answered, Budget, CaseResult, CaseTiming, Config, Expected, FORMAT, Factors, Found, Known, Look, Place, Probe,
    RunResult, Standing, Status, SuiteInfo, Summary, TableInfo, TargetInfo, Timing, Wait, Waits,
};
use stepup::table::Level;
use stepup::wire::Exchange;

/// A document of the second format.
const SAMPLE: &str = include_str!("../../fixtures/samples/result-2.json");

#[test]
fn the_format_is_still_read_and_written_as_it_was() {
    let result: RunResult = serde_json::from_str(SAMPLE).expect("reads");
    assert_eq!(result.format, FORMAT);
    assert_eq!((result.cases.len(), result.observations.len()), (1, 1));
    assert_eq!(result.cases[0].verdicts, [Verdict::WrongShape]);
    let written = serde_json::to_string_pretty(&result).expect("writes") + "\n";
    assert!(written == SAMPLE, "the format has changed: add, never take away or rename\n{written}");
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    let mut later: serde_json::Value = serde_json::from_str(SAMPLE).expect("JSON");
    later["later"] = true.into();
    later["cases"][0]["later"] = true.into();
    later["cases"][0]["probes"][0]["later"] = true.into();
    let result: RunResult = serde_json::from_value(later).expect("reads");
    assert_eq!(result, serde_json::from_str(SAMPLE).expect("reads"));
}

/// Any text, with control characters more often than by chance.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![4 => any::<char>(), 1 => select(vec!['\n', '\u{1b}', '\u{9b}'])], 0..12)
        .prop_map(String::from_iter)
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let headers = || prop::collection::vec((text(), text()), 0..3);
    let answer = (any::<Option<u16>>(), headers(), prop::option::of(text()), prop::option::of(text()), any::<u64>());
    (text(), headers(), prop::option::of(text()), answer).prop_map(
        |(request, headers, body, (status, answer_headers, answer_body, fault, elapsed_us))| Exchange {
            request,
            headers,
            body,
            status,
            answer_headers,
            answer_body,
            fault_kind: fault.as_ref().map(|_| stepup::wire::FaultKind::BrokenOff),
            fault,
            elapsed_us,
        },
    )
}

fn probe() -> impl Strategy<Value = Probe> {
    let answers = [
        Answered::Accepted,
        Answered::Challenged,
        Answered::Refused,
        Answered::NotImplemented,
        Answered::Throttled,
        Answered::Failed,
    ];
    let effects =
        [Effect::Applied, Effect::NotApplied, Effect::Partial, Effect::Unknown, Effect::Unconfirmed, Effect::None];
    let words = (text(), prop::option::of(text()), text(), text());
    (words, any::<bool>(), select(answers.to_vec()), select(effects.to_vec()), prop::collection::vec(exchange(), 0..3))
        .prop_map(|((name, shape, proof, outcome), challenged, answer, effect, exchanges)| Probe {
            name,
            challenged,
            shape,
            proof,
            answer,
            outcome,
            effect,
            effect_detail: None,
            exchanges,
            route: None,
        })
}

fn case() -> impl Strategy<Value = CaseResult> {
    let verdicts = [
        Verdict::MissingChallenge,
        Verdict::EffectBeforeFactor,
        Verdict::WrongProofAccepted,
        Verdict::ReplayAccepted,
        Verdict::UnexpectedChallenge,
        Verdict::WrongShape,
        Verdict::WrongFactorOffered,
        Verdict::RightProofRefused,
        Verdict::NoEffect,
        Verdict::Throttled,
        Verdict::TargetFailed,
        Verdict::HarnessError,
        Verdict::NotDescribed,
        Verdict::Unsupported,
        Verdict::Exact,
    ];
    let statuses =
        [Status::Pass, Status::Fail, Status::Unsupported, Status::NotDescribed, Status::Skipped, Status::Error];
    let standings = [Standing::Row, Standing::Read, Standing::Observed, Standing::Scenario];
    // Modes and actions that exist, so that the grid has something to show, and others.
    let mode = prop_oneof![select(vec!["disabled", "auth-only"]).prop_map(str::to_owned), text()];
    let action = prop_oneof![select(vec!["publish", "login"]).prop_map(str::to_owned), text()];
    let words = prop::collection::vec(text(), 9);
    let ends = (
        select(standings.to_vec()),
        select(statuses.to_vec()),
        prop::collection::vec(select(verdicts.to_vec()), 0..4),
        prop::collection::vec(text(), 0..3),
        prop::option::of(text()),
        prop::option::of(text()),
        prop::collection::vec(probe(), 0..3),
    );
    (words, mode, action, ends).prop_map(|(words, mode, action, ends)| {
        let (standing, status, verdicts, cites, known, surface, probes) = ends;
        let word = |number: usize| words[number].clone();
        CaseResult {
            id: word(0),
            action,
            surface,
            standing,
            label: word(1),
            command: word(2),
            mode,
            factor: word(3),
            client: word(4),
            level: Level::Implied,
            status,
            verdicts,
            expectation: Expected::Challenged,
            capabilities: vec![Capability::Totp],
            expected: word(6),
            observed: word(7),
            statements: vec![],
            earlier: vec![],
            unsettled: None,
            cites,
            known: known.map(|reason| Known { reason, until: "2027-06-30".parse().expect("a date") }),
            situation: None,
            session: None,
            probes,
            repeat: word(8),
            not_run: None,
            timing: Some(CaseTiming { began_ms: 1, took_ms: 30_000, waits: vec![] }),
            left: words[5..6].to_vec(),
            source: Some(Place { file: word(3), line: 1 }),
        }
    })
}

fn timing() -> Timing {
    let waits = Waits { kind: Wait::NewCode, waited_ms: 20_000, times: 3, longest_ms: 32_000 };
    Timing { took_ms: 33_000, waited_ms: 20_000, waits: vec![waits] }
}

fn result() -> impl Strategy<Value = RunResult> {
    let cases = || prop::collection::vec(case(), 0..4);
    let words = prop::collection::vec(text(), 8);
    let stale = prop::collection::vec(text(), 0..3);
    (words, prop::option::of(text()), any::<u64>(), any::<bool>(), stale, cases(), cases()).prop_map(
        |(words, no_second_factor, seed, complete, stale_deviations, cases, observations)| {
            let word = |number: usize| words[number].clone();
            RunResult {
                format: word(0),
                tool: word(1),
                target: TargetInfo {
                    name: word(2),
                    unverified: false,
                    factors: Factors { totp: Look::new(Found::Absent, no_second_factor), ..Factors::default() },
                    without_second_factor: complete,
                    clock_offset_ms: 0,
                    ended: None,
                },
                table: TableInfo { id: word(3), revision: word(4), source: word(5) },
                level: Level::Recommended,
                config: Some(Config { target: word(2), ..Config::default() }),
                suite: Some(SuiteInfo { digest: word(3), ..SuiteInfo::default() }),
                seed,
                started: word(6),
                finished: word(7),
                complete,
                summary: Summary::of(&cases, observations.len()),
                requests: seed,
                stale_deviations,
                flaky_deviations: vec![],
                requires: vec![Capability::Tokens],
                left: vec![word(7)],
                budget: Some(Budget { seconds: 300, left: 2 }),
                timing: Some(timing()),
                cases,
                observations,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(result in result()) {
        let text = serde_json::to_string(&result).expect("writes");
        let read: RunResult = serde_json::from_str(&text).expect("reads");
        prop_assert_eq!(read, result);
    }

    #[test]
    fn every_result_renders(result in result(), width in 0..300_usize, colour: bool) {
        let report = terminal::render(&result, Paper { width, colour });
        prop_assert!(colour || report.chars().all(|character| character == '\n' || !character.is_control()));
        let document = Document::Run(Box::new(result));
        for format in Format::value_variants() {
            let text = document.render(*format, Paper::default());
            prop_assert!(text.is_ok(), "{format:?}: {text:?}");
            let acts = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}'));
            let own_words = matches!(format, Format::Result | Format::Junit);
            prop_assert!(own_words || !text.unwrap_or_default().contains(acts), "{format:?}");
        }
    }

    #[test]
    fn totals_add_up(result in result()) {
        let Summary { selected, exact, deviating, known, unsupported, not_described, skipped, errored, observed, .. } =
            result.summary;
        prop_assert_eq!(selected, exact + deviating + unsupported + not_described + skipped + errored);
        prop_assert_eq!((selected, observed), (result.cases.len(), result.observations.len()));
        prop_assert!(known <= deviating);
    }
}
