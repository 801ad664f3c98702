//! The published schemas: they are the types', every YAML file of the repository names its own and holds to it, and what
//! a schema refuses the reader refuses as well.

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;
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
    let text = std::fs::read_to_string(root().join("fixtures/samples/result-1.json")).expect("a sample");
    let mut result: Value = serde_json::from_str(&text).expect("JSON");
    result["added"] = "later".into();
    let validator = validator(Kind::Result);
    assert!(validator.is_valid(&result), "{:?}", validator.iter_errors(&result).next());
    result["format"] = "stepup/result/2".into();
    assert!(!validator.is_valid(&result));
}
