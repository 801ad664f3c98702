//! `index.html` as a person uses it: opened from a disk, filtered, unfolded, with a keyboard, wide and narrow, dark and
//! printed. It complains of nothing and asks no network for anything.

use std::path::PathBuf;

use serde_json::{Value, json};
use stepup::report::compare::{Changes, Compared, Form, Grid};
use stepup::report::html;
use stepup::report::terminal::Paper;
use stepup::result::{CaseResult, Found, Look, RunResult, Status, Summary};

use crate::page::{FAINT, Page};
use crate::program;

/// A run with deviations of several kinds.
async fn deviating() -> RunResult {
    tokio::task::spawn_blocking(run).await.expect("the run ends")
}

fn run() -> RunResult {
    let ran = program::check(&[
        "--mutant",
        "replay-accepted",
        "--mutant",
        "whoami-challenged",
        "--format",
        "result",
        "--case",
        "*/whoami/*",
        "--case",
        "auth-*/token-create/*",
        "--case",
        "*/publish/*",
        "--case",
        "otp/short/*",
        "--case",
        "*/star/*",
    ]);
    ran.result.unwrap_or_else(|| panic!("no result, exit code {:?}: {}", ran.code, ran.said))
}

fn written(result: &RunResult, folder: &tempfile::TempDir) -> PathBuf {
    let file = folder.path().join("index.html");
    std::fs::write(&file, html::render(result).expect("renders")).expect("a file");
    file
}

async fn opened(result: &RunResult, size: (u32, u32), scheme: &str) -> (Page, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = written(result, &folder);
    (Page::open(&file, size, scheme).await, folder)
}

/// The only address that was asked for is the file's own, and nothing was complained of.
fn is_quiet(page: &Page) {
    assert_eq!(page.complaints, [""; 0]);
    assert!(page.asked.len() == 1 && page.asked[0].starts_with("file:///"), "{:?}", page.asked);
}

const SHOWN: &str =
    "[...document.querySelectorAll('details.case:not([hidden])')].map(row => row.querySelector('.id').textContent)";

#[tokio::test]
async fn a_page_is_filtered_and_unfolded_without_a_network() {
    let result = deviating().await;
    let all = result.cases.len() + result.observations.len();
    let (mut page, _folder) = opened(&result, (1280, 900), "light").await;
    assert_eq!(page.value(&format!("{SHOWN}.length")).await, json!(all));

    let choose = |name: &str, value: &str| {
        format!(
            "(() => {{ const choice = document.getElementById('filter-{name}'); choice.value = '{value}';
            choice.dispatchEvent(new Event('input', {{ bubbles: true }})); return {SHOWN}; }})()"
        )
    };
    let ids = |wanted: &dyn Fn(&CaseResult) -> bool| -> Vec<String> {
        result
            .cases
            .iter()
            .chain(&result.observations)
            .filter(|case| wanted(case))
            .map(|case| case.id.clone())
            .collect()
    };
    let failing = ids(&|case| case.status == Status::Fail);
    assert!(!failing.is_empty());
    assert_eq!(page.value(&choose("status", "new")).await, json!(failing));
    assert_eq!(
        page.value(&choose("mode", "auth-only")).await,
        json!(ids(&|case| case.status == Status::Fail && case.mode == "auth-only"))
    );
    assert_eq!(
        page.value(&choose("factor", "totp")).await,
        json!(ids(&|case| case.status == Status::Fail && case.mode == "auth-only" && case.factor == "totp"))
    );
    let last = |case: &CaseResult| {
        case.mode == "auth-only"
            && case.factor == "totp"
            && case.verdicts.iter().any(|verdict| verdict.word() == "replay-accepted")
    };
    assert_eq!(page.value(&choose("verdict", "replay-accepted")).await, json!(ids(&last)));
    let told = page.value("document.getElementById('count').textContent").await;
    assert_eq!(told, format!("{} of {all} cases", ids(&last).len()));
    page.value("document.getElementById('filters').reset()").await;
    page.until(&format!("{SHOWN}.length === {all}")).await;

    // What no row shows is found once the bodies are unpacked.
    page.press("/", "Slash", 191).await;
    page.write("spent proof refused").await;
    page.until(&format!("{SHOWN}.length === {}", ids(&|case| case.expected.contains("spent proof refused")).len()))
        .await;
    page.press("Escape", "Escape", 27).await;
    page.until(&format!("{SHOWN}.length === {all}")).await;

    let number = result.cases.iter().position(last).expect("a deviating case");
    page.value(&format!("document.querySelector('a.cell[href=\"#case-{number}\"]').click()")).await;
    page.until(&format!("document.querySelector('#case-{number} .body') !== null")).await;
    let body = page.value(&format!("document.querySelector('#case-{number} .body').innerText")).await;
    let (body, case) = (body.as_str().unwrap_or_default(), &result.cases[number]);
    for told in [&case.expected, &case.probes[4].outcome, &case.cites[0], &case.repeat] {
        assert!(body.contains(told.as_str()), "{told} in\n{body}");
    }
    let steps = format!("[...document.querySelectorAll('#case-{number} .step .there b')].map(e => e.textContent)");
    assert_eq!(page.value(&steps).await, json!(["bare", "other client", "wrong", "right", "replay"]));
    let telling = format!("document.querySelector('#case-{number} .telling .there b').textContent");
    assert_eq!(page.value(&telling).await, "replay");
    page.value(&format!("document.querySelector('#case-{number} .step details summary').click()")).await;
    page.until(&format!("document.querySelector('#case-{number} pre') !== null")).await;
    let http = page.value(&format!("document.querySelector('#case-{number} pre').textContent")).await;
    let exchange = &case.probes[0].exchanges[0];
    let http = http.as_str().unwrap_or_default();
    assert!(http.starts_with(&format!("{}\naccept: ", exchange.request)), "{http}");
    assert!(http.contains("authorization: Bearer ‹token›"), "{http}");
    is_quiet(&page);
}

#[tokio::test]
async fn a_page_is_used_with_a_keyboard_alone() {
    let result = deviating().await;
    let (mut page, _folder) = opened(&result, (1280, 900), "light").await;
    page.press("Tab", "Tab", 9).await;
    assert_eq!(page.value("document.activeElement.className").await, "skip");
    page.value("document.querySelector('details.case > summary').focus()").await;
    page.press("Enter", "Enter", 13).await;
    page.until("document.querySelector('details.case[open] .body') !== null").await;
    page.press("Tab", "Tab", 9).await;
    assert_eq!(page.value("document.activeElement.textContent").await, "Copy");
    is_quiet(&page);
}

fn known() -> Option<stepup::result::Known> {
    Some(stepup::result::Known { reason: "it is so".to_owned(), until: "2027-06-30".parse().expect("a date") })
}

#[tokio::test]
async fn a_foreign_servers_words_do_nothing_on_a_page() {
    let mut result = deviating().await;
    let evil = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u{202e}\u{1b}[2J{{ 7 * 7 }}";
    result.target.name = evil.to_owned();
    result.target.factors.totp = Look::new(Found::Absent, evil.to_owned());
    result.stale_deviations = vec![evil.to_owned()];
    result.left = vec![evil.to_owned()];
    for case in &mut result.cases {
        let words = [&mut case.id, &mut case.label, &mut case.command, &mut case.expected, &mut case.observed];
        words.into_iter().for_each(|word| *word = format!("{word} {evil}"));
        case.cites = vec![evil.to_owned()];
        for exchange in case.probes.iter_mut().flat_map(|probe| &mut probe.exchanges) {
            exchange.answer_body = Some(evil.to_owned());
            exchange.answer_headers = vec![(evil.to_owned(), evil.to_owned())];
        }
    }
    let text = html::render(&result).expect("renders");
    assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}') && !text.contains("<img"));
    let (mut page, _folder) = opened(&result, (1280, 900), "light").await;
    page.value("(() => { document.querySelectorAll('details').forEach(fold => { fold.open = true; }); })()").await;
    page.until("document.querySelectorAll('.case .body').length === document.querySelectorAll('.case').length").await;
    page.value("document.querySelectorAll('.step details').forEach(fold => { fold.open = true; })").await;
    page.until("document.querySelectorAll('.step pre').length > 4").await;
    assert!(
        page.value("document.title")
            .await
            .as_str()
            .is_some_and(|title| !title.contains("owned'") || title.contains("<script>"))
    );
    assert_eq!(page.value("document.querySelectorAll('img').length").await, 0);
    assert_eq!(page.value("document.querySelectorAll('script').length").await, 2);
    let shown = page.value("document.body.innerText").await;
    assert!(shown.as_str().is_some_and(|text| text.contains("</script><script>") && text.contains("{{ 7 * 7 }}")));
    assert!(shown.as_str().is_some_and(|text| !text.contains(['\u{202e}', '\u{1b}'])));
    is_quiet(&page);
}

#[tokio::test]
async fn a_page_can_be_read_wide_narrow_light_and_dark() {
    let mut result = deviating().await;
    for (number, case) in result.cases.iter_mut().enumerate() {
        match number % 5 {
            0 => case.status = Status::Unsupported,
            1 => case.status = Status::Skipped,
            2 => (case.status, case.known) = (Status::Fail, known()),
            3 => case.status = Status::Error,
            _ => {}
        }
    }
    result.summary = Summary::of(&result.cases, result.observations.len());
    result.target.factors.totp = Look::new(Found::Absent, "POST /-/npm/v1/user → 404 no such route".to_owned());
    for (size, scheme) in [((1280, 900), "light"), ((380, 800), "light"), ((1280, 900), "dark"), ((380, 800), "dark")] {
        let (mut page, _folder) = opened(&result, size, scheme).await;
        page.value("document.querySelectorAll('details.fold, details.case').forEach(fold => { fold.open = true; })")
            .await;
        page.until("document.querySelectorAll('.case .body').length === document.querySelectorAll('.case').length")
            .await;
        page.value("document.querySelectorAll('.step details').forEach(fold => { fold.open = true; })").await;
        page.until("document.querySelectorAll('.step pre').length > 4").await;
        let ground = page.value("getComputedStyle(document.body).backgroundColor").await;
        assert_eq!(ground == "rgb(255, 255, 255)", scheme == "light", "{ground}");
        let contrast = page.value(FAINT).await;
        assert!(contrast["seen"].as_u64() > Some(200), "{contrast}");
        assert_eq!(contrast["faint"], Value::Array(vec![]), "{size:?} {scheme}");
        let overflow = page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        assert_eq!(overflow, 0, "nothing is wider than {size:?}");
        is_quiet(&page);
    }
}

#[tokio::test]
async fn a_comparison_can_be_read_wide_narrow_light_and_dark() {
    let mut results = [deviating().await, deviating().await];
    "another".clone_into(&mut results[1].target.name);
    for (number, case) in results[1].cases.iter_mut().enumerate().filter(|(number, _)| number % 3 == 0) {
        (case.status, case.known) = (Status::Fail, (number % 2 == 0).then(known).flatten());
    }
    let changes = Compared::Changes(Changes::of(&results[0], &results[1]));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("compare.html");
    for (compared, least) in [(changes, 20), (Compared::Grid(Grid::of(&results)), 40)] {
        std::fs::write(&file, compared.render(Form::Html, Paper::default()).expect("renders")).expect("a file");
        for (size, scheme) in [((1280, 900), "light"), ((380, 800), "dark"), ((380, 800), "light")] {
            let mut page = Page::open(&file, size, scheme).await;
            page.value("document.querySelectorAll('details').forEach(fold => { fold.open = true; })").await;
            let contrast = page.value(FAINT).await;
            assert!(contrast["seen"].as_u64() > Some(least), "{contrast}");
            assert_eq!(contrast["faint"], Value::Array(vec![]), "{size:?} {scheme}");
            let wider = page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
            assert_eq!(wider, 0, "nothing is wider than {size:?}");
            is_quiet(&page);
        }
    }
}

#[tokio::test]
async fn a_printed_page_has_its_tables() {
    let (mut page, _folder) = opened(&deviating().await, (1280, 900), "light").await;
    assert!(page.print().await.starts_with("JVBERi0"), "a PDF");
    assert_eq!(page.value("document.querySelectorAll('details.fold:not([open])').length").await, 0);
    is_quiet(&page);
}
