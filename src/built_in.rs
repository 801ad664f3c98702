//! The files that the program carries: adding one to `fixtures/` or `scenarios/` is all it takes.

use data_encoding::HEXLOWER;
use include_dir::{Dir, File, include_dir};
use sha2::{Digest as _, Sha256};

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

/// The SHA-256 digest of a file's content, in hexadecimal.
pub fn digest_of(content: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(content))
}

/// The SHA-256 digest of every built-in file with its path, in hexadecimal.
pub fn digest() -> String {
    let mut files: Vec<(&std::path::Path, &[u8])> = Vec::new();
    let mut folders = vec![&FIXTURES, &SCENARIOS];
    while let Some(folder) = folders.pop() {
        files.extend(folder.files().map(|file| (file.path(), file.contents())));
        folders.extend(folder.dirs());
    }
    files.sort_unstable();
    let mut hash = Sha256::new();
    for (path, content) in files {
        hash.update(path.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update(Sha256::digest(content));
    }
    HEXLOWER.encode(&hash.finalize())
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
