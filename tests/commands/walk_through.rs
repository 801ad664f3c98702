//! The walk-through in `docs/adding-a-registry.md`: its files are written and its commands run as they stand there.

use std::path::Path;
use std::process::Command;

use crate::program::Served;

/// The blocks of code in a section, without their indentation.
fn blocks(page: &str, section: &str) -> Vec<String> {
    let (_, text) = page.split_once(&format!("## {section}\n")).expect("the section");
    let text = text.split("\n## ").next().expect("its text");
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match (line.strip_prefix("    "), blocks.last_mut()) {
            (Some(code), Some(block)) => *block += &format!("{code}\n"),
            (None, Some(block)) if !block.is_empty() => blocks.push(String::new()),
            _ => {}
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

fn run(line: &str, folder: &Path) {
    let (command, wanted) = match line.split_once("# exit ") {
        Some((command, rest)) => (command, rest.split(':').next().and_then(|code| code.parse().ok()).expect("a code")),
        None => (line, 0),
    };
    let program = Path::new(env!("CARGO_BIN_EXE_stepup")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a path"));
    let output =
        Command::new("sh").args(["-c", command]).current_dir(folder).env("PATH", path).output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(wanted), "{line}\n{said}");
}

#[test]
fn the_walk_through_works_as_it_is_written() {
    let page = include_str!("../../docs/adding-a-registry.md");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = Served::start(&[]);
    let mut commands = 0;
    for block in blocks(page, "A walk-through") {
        let block = block.replace("http://127.0.0.1:4873", &registry.address);
        if let Some((name, text)) = block.strip_prefix("# ").and_then(|block| block.split_once('\n')) {
            std::fs::write(folder.path().join(name), text).expect("written");
            continue;
        }
        for line in block.lines() {
            let command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("neither a file nor a command: {line}"));
            if !command.ends_with('&') {
                run(command, folder.path());
                commands += 1;
            }
        }
    }
    assert_eq!(commands, 8);
}
