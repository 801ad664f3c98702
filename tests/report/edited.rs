//! Documents that somebody has edited: whatever value stands anywhere in one, it is refused with its place or it renders.

use std::collections::BTreeSet;
use std::panic::catch_unwind;

use clap::ValueEnum as _;
use serde_json::{Value, json};
use stepup::report::compare::{Changes, Compared, Form, Grid};
use stepup::report::load::Comparison;
use stepup::report::terminal::Paper;
use stepup::report::{Document, Format};

use crate::places::places;

const SAMPLES: [(&str, &str); 3] = [
    ("result", include_str!("../../fixtures/samples/result-2.json")),
    ("load", include_str!("../../fixtures/samples/load-1.json")),
    ("capacity", include_str!("../../fixtures/samples/capacity-1.json")),
];

/// What is put in place of a value.
fn instead(value: &Value) -> Vec<Value> {
    let mut all = vec![Value::Null, json!(0), json!(u64::MAX), json!(i64::MIN), json!(1e300), json!(-0.5), json!("")];
    match value {
        Value::Array(items) => {
            all.push(json!([]));
            // The same once more, in larger numbers than what counts them says.
            all.push(Value::Array(items.iter().chain(items).chain(items).cloned().collect()));
        }
        Value::Object(_) => all.push(json!({})),
        Value::String(_) => all.push(json!("\u{0}\n\u{202e}]]></script>&🦀".repeat(400))),
        Value::Bool(is) => all.push(json!(!is)),
        Value::Null | Value::Number(_) => {}
    }
    all
}

/// All that is made of a document. The words of a panic, where there is one.
fn made_of(text: &str, sample: &str) -> Option<String> {
    let (text, sample) = (text.to_owned(), sample.to_owned());
    let made = catch_unwind(move || {
        let Ok(document) = Document::parse("edited.json", &text) else { return };
        for format in Format::value_variants() {
            // That a form is not for such a document is said.
            let _ = document.render(*format, Paper { width: 1, colour: false });
        }
        match (&document, &Document::parse("sample.json", &sample).expect("the sample")) {
            (Document::Run(edited), Document::Run(sample)) => {
                for results in [[&**edited, &**sample], [&**sample, &**edited]].map(|two| two.map(Clone::clone)) {
                    for form in Form::value_variants() {
                        let changes = Compared::Changes(Changes::of(&results[0], &results[1]));
                        changes.render(*form, Paper::default()).expect("renders");
                        Compared::Grid(Grid::of(&results)).render(*form, Paper::default()).expect("renders");
                    }
                }
            }
            (Document::Capacity(edited), Document::Capacity(sample)) => {
                for comparison in [Comparison::of(edited, sample), Comparison::of(sample, edited)] {
                    let _ = (comparison.difference(), comparison.lines());
                }
            }
            _ => {}
        }
    });
    made.err().map(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
    })
}

fn every_value_is_refused_or_renders(name: &str) {
    let (_, sample) = SAMPLES.into_iter().find(|(known, _)| *known == name).expect("a sample");
    let document: Value = serde_json::from_str(sample).expect("JSON");
    let mut all = Vec::new();
    places(&document, "", &mut all);
    assert!(all.len() > 100, "{}", all.len());
    let mut panics = BTreeSet::new();
    for place in &all {
        for value in instead(document.pointer(place).expect("it is there")) {
            let mut edited = document.clone();
            *edited.pointer_mut(place).expect("it is there") = value.clone();
            if let Some(words) = made_of(&edited.to_string(), sample) {
                let shown: String = value.to_string().chars().take(40).collect();
                panics.insert(format!("{place} = {shown}: {words}"));
            }
        }
    }
    assert!(panics.is_empty(), "{} panics:\n{}", panics.len(), panics.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn an_edited_result_is_refused_or_renders() {
    every_value_is_refused_or_renders("result");
}

#[test]
fn an_edited_load_run_is_refused_or_renders() {
    every_value_is_refused_or_renders("load");
}

#[test]
fn an_edited_search_for_the_capacity_is_refused_or_renders() {
    every_value_is_refused_or_renders("capacity");
}
