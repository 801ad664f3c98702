//! Reports of load runs and of searches for the capacity: what is told of a document that was written before.

use std::path::Path;

use serde_json::Value;
use stepup::report::terminal::Paper;
use stepup::report::{Document, Format};

use crate::page::{FAINT, Page};

const RUN: &str = include_str!("../../fixtures/samples/load-1.json");
const JOURNEY: &str = include_str!("../../fixtures/samples/load-journey-1.json");
const CAPACITY: &str = include_str!("../../fixtures/samples/capacity-1.json");

fn document(text: &str) -> Document {
    Document::parse("a sample", text).unwrap_or_else(|error| panic!("{error}"))
}

fn rendered(text: &str, format: Format) -> String {
    document(text).render(format, Paper::default()).expect("renders")
}

#[test]
fn documents_are_told_in_words() {
    for (name, text) in [("run", RUN), ("journey", JOURNEY), ("capacity", CAPACITY)] {
        insta::assert_snapshot!(format!("load_{name}_terminal"), rendered(text, Format::Terminal));
        insta::assert_snapshot!(format!("load_{name}_markdown"), rendered(text, Format::Markdown));
    }
}

#[test]
fn a_document_is_written_again_as_it_was_read() {
    for text in [RUN, JOURNEY, CAPACITY] {
        let again: Value = serde_json::from_str(&rendered(text, Format::Result)).expect("JSON");
        assert_eq!(again, serde_json::from_str::<Value>(text).expect("JSON"));
    }
}

/// Reports of real runs, for people who have none yet: what `stepup report` makes of their results.
#[test]
fn the_published_samples_are_what_their_results_say() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/samples");
    for name in ["load", "capacity"] {
        let read = |file: &str| std::fs::read_to_string(samples.join(name).join(file)).expect(file);
        let result = read("result.json");
        for (file, format) in [("index.html", Format::Html), ("summary.md", Format::Markdown)] {
            let hint =
                format!("stepup report reports/samples/{name} --format html,markdown --out reports/samples/{name}");
            assert!(rendered(&result, format) == read(file), "reports/samples/{name}/{file} is not current: {hint}");
        }
    }
}

#[test]
fn what_a_run_is_worth_stands_before_all_else() {
    let mut run: Value = serde_json::from_str(RUN).expect("JSON");
    run["invalid"] = serde_json::json!(["arrivals were taken up late"]);
    run["verdict"] = "invalid".into();
    let invalid = run.to_string();
    assert!(rendered(&invalid, Format::Terminal).starts_with("INVALID: arrivals were taken up late"));
    for format in [Format::Html, Format::Markdown] {
        let text = rendered(&invalid, format);
        let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} is missing in {text}"));
        assert!(at("Invalid: the run says nothing about the target") < at("INVALID: arrivals were taken up late"));
        assert!(at("INVALID: arrivals were taken up late") < at("99.9 %"));
    }
}

#[test]
fn a_document_that_is_wrong_is_pointed_at() {
    let wrong = RUN.replacen("\"verdict\": \"", "\"verdict\": \"un", 1);
    let error = Document::parse("r.json", &wrong).expect_err("no such verdict").to_string();
    assert!(error.contains("r.json:") && error.contains("unknown variant `un"), "{error}");
}

#[tokio::test]
async fn a_page_with_charts_can_be_read_wide_narrow_light_and_dark_without_a_network() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text, charts) in [("run", RUN, 6), ("journey", JOURNEY, 5), ("capacity", CAPACITY, 3)] {
        let file = folder.path().join(format!("{name}.html"));
        std::fs::write(&file, rendered(text, Format::Html)).expect("a file");
        for (size, scheme) in
            [((1280, 900), "light"), ((380, 800), "light"), ((1280, 900), "dark"), ((380, 800), "dark")]
        {
            let mut page = Page::open(&file, size, scheme).await;
            assert_eq!(page.value("document.querySelectorAll('svg.chart').length").await, charts);
            let empty = "[...document.querySelectorAll('svg.chart')]
                .filter(chart => !chart.querySelector('.line, .dot, .ring, .cross, .pile')).map(chart => chart.outerHTML)";
            assert_eq!(page.value(empty).await, Value::Array(vec![]), "every chart shows something");
            // Each chart is told by its title and a sentence.
            let named = "[...document.querySelectorAll('svg.chart')].every(chart =>
                chart.getAttribute('aria-labelledby').split(' ').every(id => document.getElementById(id).textContent))";
            assert_eq!(page.value(named).await, true);
            let contrast = page.value(FAINT).await;
            assert!(contrast["seen"].as_u64() > Some(80), "{contrast}");
            assert_eq!(contrast["faint"], Value::Array(vec![]), "{size:?} {scheme}");
            let wider = page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
            assert_eq!(wider, 0, "nothing is wider than {size:?}");
            assert_eq!(page.complaints, [""; 0]);
            assert!(page.asked.len() == 1 && page.asked[0].starts_with("file:///"), "{:?}", page.asked);
        }
    }
}
