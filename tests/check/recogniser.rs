//! The npm dialect's challenge recogniser, against any answer at all and against the rule of stock npm clients.

use std::sync::LazyLock;

use minijinja::Value;
use proptest::prelude::*;
use stepup::dialect::Dialect;
use stepup::dialect::predicate::Answer;
use stepup::dialect::step::Deed;
use stepup::target;

/// The npm dialect as it is, and with a target's own ways.
static DIALECTS: LazyLock<[Dialect; 2]> =
    LazyLock::new(|| ["embedded", "verdaccio-9"].map(|name| target::find(name).expect("a built-in target").dialect));

fn answer(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Answer {
    Answer { status, headers, json: serde_json::from_slice(&body).ok(), body }
}

/// What npm 6 to 12 do (npm-registry-fetch, lib/check-response.js): with status 401 the header is split at commas and
/// the white space after them; the element `ipaddress` wins over `otp`, in any case of letters.
fn npm_asks_for_a_code(status: u16, www_authenticate: &[String]) -> bool {
    let header = www_authenticate.join(", ").to_lowercase();
    let mut elements = vec![String::new()];
    let mut after_comma = false;
    for character in header.trim().chars() {
        if character == ',' {
            elements.push(String::new());
            after_comma = true;
        } else if !(after_comma && character.is_whitespace()) {
            after_comma = false;
            elements.last_mut().expect("there is one").push(character);
        }
    }
    let lists = |name: &str| elements.iter().any(|element| element == name);
    status == 401 && lists("otp") && !lists("ipaddress")
}

fn list() -> impl Strategy<Value = String> {
    let element = prop_oneof![
        4 => "[oO][tT][pP]",
        1 => "[iI]paddress",
        1 => Just("IPADDRESS".to_owned()),
        1 => Just("Basic".to_owned()),
        1 => Just("Bearer realm=\"a, b\"".to_owned()),
        1 => Just("OTP realm=\"x\"".to_owned()),
        1 => "[a-zA-Z]{0,4}",
    ];
    let separator = prop::sample::select(vec![",", ", ", ",  ", " , ", " ,", ",,"]);
    prop::collection::vec((element, separator), 1..4).prop_map(|parts| {
        let last = parts.len() - 1;
        let pieces = parts
            .iter()
            .enumerate()
            .flat_map(|(at, (element, separator))| [element.as_str(), if at == last { "" } else { separator }]);
        pieces.collect::<String>().trim().to_owned()
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "",
        "{}",
        r#"{"error":"You must provide a one-time pass."}"#,
        r#"{"message":"one-time pass"}"#,
        r#"{"error":{"one-time pass":[null]}}"#,
        "one-time pass",
        "[1,2",
    ];
    prop_oneof![
        prop::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..64),
    ]
}

fn status() -> impl Strategy<Value = u16> {
    prop_oneof![4 => Just(401_u16), 1 => Just(403_u16), 1 => Just(429_u16), 1 => Just(200_u16), 1 => any::<u16>()]
}

fn header() -> impl Strategy<Value = (String, String)> {
    let known = ["www-authenticate", "content-type", "retry-after", "npm-notice"];
    let name = prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), any::<String>()];
    (name, prop_oneof![list(), any::<String>()])
}

fn www_authenticate(lines: &[String]) -> Vec<(String, String)> {
    lines.iter().map(|line| ("www-authenticate".to_owned(), line.clone())).collect()
}

proptest! {
    #[test]
    fn a_clean_challenge_is_what_npm_acts_on(
        status in status(),
        lines in prop::collection::vec(list(), 0..3),
        body in body(),
    ) {
        let answer = answer(status, www_authenticate(&lines), body);
        let found = DIALECTS[0].recognise(&answer, &Value::from(())).expect("its predicates have no blanks");
        let clean = found.is_some_and(|recogniser| recogniser.flaw.is_none());
        prop_assert_eq!(clean, npm_asks_for_a_code(status, &lines));
    }

    #[test]
    fn an_otp_header_with_another_failing_status_is_a_flaw(
        status in (300_u16..600).prop_filter("others", |status| ![401, 429].contains(status)),
        body in body(),
    ) {
        let answer = answer(status, www_authenticate(&["Basic, OTP".to_owned()]), body);
        let found = DIALECTS[0].recognise(&answer, &Value::from(())).expect("its predicates have no blanks");
        prop_assert!(found.is_some_and(|recogniser| recogniser.flaw.is_some() && !recogniser.breaks.is_empty()));
    }

    #[test]
    fn no_answer_makes_a_predicate_panic(
        status in status(),
        headers in prop::collection::vec(header(), 0..5),
        body in body(),
    ) {
        let answer = answer(status, headers, body);
        for dialect in &*DIALECTS {
            let variables = Value::from(());
            let found = dialect.recognise(&answer, &variables).expect("its predicates have no blanks");
            prop_assert!(found.is_none() || status / 100 != 2, "a success was taken for a challenge");
            let steps = dialect.surfaces.iter().flat_map(|surface| surface.prepare.iter().chain(&surface.perform));
            let requests = steps.filter_map(|step| match &step.deed {
                Deed::Request(request) => Some(request),
                Deed::Routine { .. } | Deed::Key(_) | Deed::Browse(_) => None,
            });
            let expected = requests.flat_map(|request| request.expect.iter().chain(&request.challenge));
            let facts = dialect.surfaces.iter().flat_map(|surface| &surface.effect);
            let shown = facts.flat_map(|fact| [&fact.applied, &fact.absent].into_iter().chain(&fact.partial));
            for predicate in dialect.not_implemented.iter().chain(&dialect.throttled).chain(expected).chain(shown) {
                // A blank that nothing fills is an error, and nothing worse.
                let _ = predicate.holds(&answer, &variables);
            }
        }
    }
}
