//! What judging costs, per exchange and per case: `cargo bench --bench judge`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use minijinja::Value;
use stepup::dialect::Dialect;
use stepup::dialect::predicate::Answer;
use stepup::judge::{Asks, Effect, Expectation, Observation, Outcome, Seen, Verdict, judge};
use stepup::table::Factor;
use stepup::target;

const CHALLENGE: &[u8] = br#"{"error":"You must provide a one-time pass."}"#;

fn answer(status: u16, www_authenticate: Option<&str>, body: &[u8]) -> Answer {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut headers = vec![header("content-type", "application/json"), header("content-length", "46")];
    headers.extend(www_authenticate.map(|value| header("www-authenticate", value)));
    Answer { status, headers, body: body.to_vec(), json: serde_json::from_slice(body).ok() }
}

/// One exchange of an action that must be challenged: what was answered, and what that shows.
fn judged(dialect: &Dialect, answer: &Answer) -> Vec<Verdict> {
    let recognised = dialect.recognise(answer, &Value::UNDEFINED).ok().flatten();
    let outcome = match recognised {
        Some(recogniser) => Outcome::Challenged { flaw: recogniser.flaw.clone(), asks: Asks::ForCode },
        None if answer.status / 100 == 2 => Outcome::Accepted,
        None => Outcome::Refused,
    };
    let bare = Seen { outcome, effect: Effect::NotApplied };
    judge(Expectation::Challenged, Factor::Totp, &Observation::bare(bare))
}

fn exchanges(criterion: &mut Criterion) {
    let dialect = target::find("embedded").expect("the npm dialect").dialect;
    // A package document of 64 KiB: the largest body that runs have, and no recogniser takes it.
    let document = format!(r#"{{"name":"a","readme":"{}"}}"#, "x".repeat(64 * 1024));
    let answers = [
        ("a stock challenge", answer(401, Some("OTP"), CHALLENGE), Verdict::Exact),
        ("a challenge with a flaw", answer(403, Some("OTP"), CHALLENGE), Verdict::WrongShape),
        ("a challenge in the body alone", answer(401, None, CHALLENGE), Verdict::WrongShape),
        ("a small success", answer(201, None, br#"{"ok":true}"#), Verdict::MissingChallenge),
        ("a success of 64 KiB", answer(200, None, document.as_bytes()), Verdict::MissingChallenge),
    ];
    let mut group = criterion.benchmark_group("recognise and judge one exchange");
    for (name, answer, verdict) in answers {
        assert_eq!(judged(&dialect, &answer), [verdict], "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| judged(&dialect, black_box(&answer))));
    }
    group.finish();
}

fn cases(criterion: &mut Criterion) {
    let challenged =
        || Seen { outcome: Outcome::Challenged { flaw: None, asks: Asks::ForCode }, effect: Effect::NotApplied };
    let observation = Observation {
        bare: challenged(),
        other_client: Some(challenged()),
        wrong: Some(challenged()),
        right: Some(Seen { outcome: Outcome::Accepted, effect: Effect::Applied }),
        replay: Some(challenged()),
        other: None,
    };
    criterion.bench_function("judge a compliant case", |bencher| {
        bencher.iter(|| judge(Expectation::Challenged, Factor::Totp, black_box(&observation)));
    });
}

criterion_group!(benches, exchanges, cases);
criterion_main!(benches);
