//! Files that somebody has edited: whatever value stands anywhere in one, lint says what is wrong or that nothing is.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde_json::{Value, json};
use stepup::lint::Linter;
use stepup::schema::Kind;

use crate::places::places;

/// One file of each kind that says much.
const FILES: [(Kind, &str); 8] = [
    (Kind::Scenario, "scenarios/otp/log-in-replay-at-once.yaml"),
    (Kind::Scenario, "scenarios/sequences/spent-on-a-mode-change.yaml"),
    (Kind::Scenario, "scenarios/security-key/wrong-origin.yaml"),
    (Kind::Target, "fixtures/targets/verdaccio-9.yaml"),
    (Kind::Target, "fixtures/targets/embedded.yaml"),
    (Kind::Deviations, "fixtures/targets/verdaccio-9.deviations.yaml"),
    (Kind::Client, "fixtures/clients/npm-11.yaml"),
    (Kind::Load, "scenarios/load/mixed.yaml"),
];

#[test]
fn whatever_a_file_says_lint_has_an_answer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let linter = Linter::new("embedded", "2026-01-01".parse().expect("a date")).expect("a linter");
    let instead = [
        json!(null),
        json!(u64::MAX),
        json!(-1),
        json!(1e300),
        json!(""),
        json!("{{ \u{0} }}é🦀"),
        json!([]),
        json!({}),
    ];
    let (mut panics, mut tried) = (BTreeSet::new(), 0);
    for (kind, name) in FILES {
        let text = std::fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let document: Value = stepup::yaml::parse(name, &text).expect("YAML");
        let mut all = Vec::new();
        places(&document, "", &mut all);
        // What a large file says again and again is tried now and then.
        for place in all.iter().step_by(1 + all.len() / 60) {
            for value in &instead {
                let mut edited = document.clone();
                *edited.pointer_mut(place).expect("it is there") = value.clone();
                let file = folder.path().join("edited.yaml");
                // What JSON writes is YAML as well.
                std::fs::write(&file, serde_json::to_string_pretty(&edited).expect("JSON")).expect("written");
                tried += 1;
                let said = catch_unwind(AssertUnwindSafe(|| {
                    linter.lint(&file, Some(kind)).iter().map(ToString::to_string).collect::<String>()
                }));
                if said.is_err() {
                    panics.insert(format!("{name}{place} = {value}"));
                }
            }
        }
    }
    assert!(panics.is_empty(), "{panics:#?}");
    assert!(tried > 1_000, "{tried}");
}
