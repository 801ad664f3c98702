//! The files that the program carries: adding one to `fixtures/` or `scenarios/` is all it takes.

use include_dir::{Dir, File, include_dir};

static FIXTURES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/fixtures");
static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scenarios");

/// The text of a built-in file, by its path from the root of the repository.
pub fn text(path: &str) -> Option<&'static str> {
    let file = match path.split_once('/')? {
        ("fixtures", rest) => FIXTURES.get_file(rest),
        ("scenarios", rest) => SCENARIOS.get_file(rest),
        _ => None,
    };
    file.and_then(File::contents_utf8)
}

/// The names of the YAML files in a built-in folder, without their extension, sorted.
pub fn names(folder: &str) -> Vec<&'static str> {
    let dir = match folder.split_once('/') {
        Some(("fixtures", rest)) => FIXTURES.get_dir(rest),
        Some(("scenarios", rest)) => SCENARIOS.get_dir(rest),
        _ => None,
    };
    let files = dir.into_iter().flat_map(Dir::files).map(File::path);
    let mut names: Vec<&str> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .filter_map(|path| path.file_stem()?.to_str())
        .filter(|name| !name.contains('.'))
        .collect();
    names.sort_unstable();
    names
}
