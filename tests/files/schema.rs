//! The published schemas: they are the types', every YAML file of the repository names its own and holds to it, and what
//! a schema refuses the reader refuses as well.

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;
use stepup::lint::Linter;
use stepup::schema::Kind;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn validator(kind: Kind) -> Validator {
    jsonschema::validator_for(&kind.schema()).expect("the schema is one")
}

fn value(text: &str) -> Value {
    stepup::yaml::parse("a file", text).expect("the file is YAML")
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(yaml_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found
}

/// The kind that a file's editor header names, by a path that leads to the schema's file.
fn kind_of(path: &Path, text: &str) -> Kind {
    let schema = text.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
    let schema = schema.unwrap_or_else(|| panic!("{}: its first line names no schema", path.display()));
    let leads_to = path.with_file_name("").join(schema);
    let leads_to = leads_to.canonicalize().unwrap_or_else(|error| panic!("{}: {schema}: {error}", path.display()));
    let folder = root().join("docs/schema").canonicalize().expect("the folder of schemas");
    let kind = Kind::ALL.into_iter().find(|kind| leads_to == folder.join(format!("{}.json", kind.name())));
    kind.unwrap_or_else(|| panic!("{}: {schema} is no schema of ours", path.display()))
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    for kind in Kind::ALL {
        let name = kind.name();
        let committed = std::fs::read_to_string(root().join(format!("docs/schema/{name}.json"))).unwrap_or_default();
        let hint = format!("`stepup schema {name} > docs/schema/{name}.json` writes it anew");
        assert!(committed == kind.text(), "docs/schema/{name}.json is not what the types say: {hint}");
    }
}

#[test]
fn every_file_of_the_repository_names_its_schema_and_holds_to_it() {
    let files = ["scenarios", "fixtures"].map(|folder| yaml_files(&root().join(folder))).concat();
    assert!(files.len() > 100, "{}", files.len());
    let validators = Kind::ALL.map(|kind| (kind, validator(kind)));
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a file");
        let kind = kind_of(&path, &text);
        let validator = validators.iter().find(|(known, _)| *known == kind).map(|(_, validator)| validator);
        let value = value(&text);
        let errors: Vec<String> = validator
            .expect("each kind has one")
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}:\n{}", path.display(), errors.join("\n"));
    }
}

#[test]
fn a_result_holds_to_its_schema_which_lets_members_be_added() {
    let text = std::fs::read_to_string(root().join("fixtures/samples/result-2.json")).expect("a sample");
    let mut result: Value = serde_json::from_str(&text).expect("JSON");
    result["added"] = "later".into();
    let validator = validator(Kind::Result);
    assert!(validator.is_valid(&result), "{:?}", validator.iter_errors(&result).next());
    result["format"] = "stepup/result/3".into();
    assert!(!validator.is_valid(&result));
}

#[test]
fn documents_of_load_hold_to_their_schemas() {
    for (kind, name, wrong) in [
        (Kind::LoadResult, "load-1.json", "/totals/planned"),
        (Kind::CapacityResult, "capacity-1.json", "/probes/0/rate"),
    ] {
        let text = std::fs::read_to_string(root().join("fixtures/samples").join(name)).expect("a sample");
        let mut document: Value = serde_json::from_str(&text).expect("JSON");
        document["added"] = "later".into();
        let validator = validator(kind);
        assert!(validator.is_valid(&document), "{name}: {:?}", validator.iter_errors(&document).next());
        *document.pointer_mut(wrong).expect("it is there") = "many".into();
        assert!(!validator.is_valid(&document), "{name}");
    }
}

type Slip = (&'static str, &'static str);

/// For each kind, a file that holds, and what makes it wrong: a text in it, and what stands there instead.
const BROKEN: [(Kind, &str, &[Slip]); 8] = [
    (
        Kind::Scenario,
        "rule: A rule\nlevel: implied\ncites: [here]\nmodes: [auth-only]\nacts:\n  - { wait: 2 }\n  - { perform: publish, proof: { expired: 2 }, must: be-refused, times: 3 }\n",
        &[
            ("rule:", "rul:"),
            ("implied", "implyed"),
            ("[here]", "[]"),
            ("[auth-only]", "[auth-onyl]"),
            ("wait: 2", "wait: 41"),
            ("wait: 2", "wait: 2, run: enrol"),
            ("wait: 2", ""),
            ("expired: 2", "exspired: 2"),
            ("expired: 2", "expired: soon"),
            ("be-refused", "be-refuse"),
            (", must: be-refused", ""),
            ("times: 3", "times: 0"),
            ("proof: { expired: 2 }", "proof: { key: agian }"),
        ],
    ),
    (
        Kind::Target,
        "name: mine\nstart: running\nbase: http://127.0.0.1:1\nskew: { behind: 1, ahead: 1 }\nroutines:\n  web-login-page:\n    - { request: POST /a, auth: none, expect: { status: 2xx, json: { /a: { exists: true } } } }\n",
        &[
            ("name:", "nmae:"),
            ("running", "runing"),
            ("running", "installed"),
            ("behind: 1", "behind: -1"),
            (", ahead: 1", ""),
            ("POST /a", "SEND /a"),
            ("auth: none", "auth: nobody"),
            ("2xx", "9xx"),
            ("exists", "exist"),
            ("exists: true", "exists: 1"),
            ("request: POST /a,", "request: POST /a, do: enrol,"),
            ("request: POST /a,", ""),
        ],
    ),
    (
        Kind::Deviations,
        "- { case: 'auth-only/login/*', verdict: no-effect, until: 2999-01-01, reason: seen }\n",
        &[("case:", "cases:"), ("no-effect", "noeffect"), (", reason: seen", ""), ("2999-01-01", "2999-13-01")],
    ),
    (
        Kind::Accounts,
        "- { name: a, password: p, mode: auth-only, totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ }\n",
        &[
            ("password: p", "pasword: p"),
            ("auth-only", "auth-onyl"),
            ("auth-only", "disabled"),
            ("mode: auth-only, ", ""),
            (", totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", ""),
            ("mode: auth-only", "mode: auth-only, role: companion"),
        ],
    ),
    (
        Kind::Surfaces,
        "- { action: publish, modes: [disabled], perform: [{ do: publish, with: { name: a, version: b } }], effect: [{ read: { request: GET /a }, applied: { status: 200 }, absent: { status: 404 } }] }\n",
        &[
            ("action:", "acton:"),
            ("[disabled]", "[off]"),
            ("read: { request: GET /a }", "read: { do: enrol }"),
            ("status: 200", "status: 99"),
            (", absent: { status: 404 }", ""),
        ],
    ),
    (
        Kind::Load,
        "name: mine\naction: publish\npace:\n  - constant: { rate: 10/s, for: 20 s }\nmix: { right: 3 }\nwarm-up: 2 s\nobjectives: [success >= 99 %]\n",
        &[
            ("pace:", "paces:"),
            ("10/s", "10 a second"),
            ("20 s", "20 weeks"),
            ("rate: 10/s, ", ""),
            ("constant", "constantly"),
            ("right: 3", "rihgt: 3"),
            ("right: 3", "right: -3"),
            ("success >= 99 %", "success"),
            ("action: publish\n", ""),
        ],
    ),
    (
        Kind::Load,
        "name: mine\nmodel: closed\nclients: { number: 4, for: 20 s, up-to: 10/s }\njourney: [{ action: publish, proof: none }]\nobjectives: [success >= 99 %]\n",
        &[
            ("journey:", "jorney:"),
            ("proof: none", "proof: nothing"),
            ("action: publish, ", ""),
            ("journey:", "action: publish\njourney:"),
        ],
    ),
    (
        Kind::Faults,
        "publish-unchallenged:\n  - { case: 'auth-and-writes/publish/totp/wire', verdict: missing-challenge }\n",
        &[("case:", "cas:"), ("missing-challenge", "missing"), (" }", ", alone: perhaps }")],
    ),
];

#[test]
fn what_a_schema_refuses_the_reader_refuses_as_well() {
    let linter = Linter::new("embedded", jiff::civil::date(2026, 1, 1)).expect("the target is one");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file.yaml");
    for (kind, whole, broken) in BROKEN {
        let validator = validator(kind);
        let verdicts = |text: &str| {
            std::fs::write(&file, text).expect("written");
            let findings: Vec<String> = linter.lint(&file, Some(kind)).iter().map(ToString::to_string).collect();
            (validator.is_valid(&value(text)), findings)
        };
        assert_eq!(verdicts(whole), (true, vec![]), "{kind:?}");
        for (right, wrong) in broken {
            assert!(whole.contains(right), "{kind:?}: {right}");
            let text = whole.replacen(right, wrong, 1);
            let (valid, findings) = verdicts(&text);
            // That a date is none is beyond what schemas say to most editors.
            assert!(!valid || *wrong == "2999-13-01", "{kind:?}: the schema lets this pass:\n{text}");
            assert!(!findings.is_empty(), "{kind:?}: the reader lets this pass:\n{text}");
        }
    }
}
