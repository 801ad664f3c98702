//! The README: its commands run, what they are said to print is printed, and every command and option that it names is
//! there.

use std::path::Path;
use std::process::Command;

use crate::program::{self, Served};

const README: &str = include_str!("../../README.md");

/// Documents whose code names commands.
const PAGES: [(&str, &str); 9] = [
    ("README.md", README),
    ("adding-a-registry.md", include_str!("../../docs/adding-a-registry.md")),
    ("cleaning-up.md", include_str!("../../docs/cleaning-up.md")),
    ("clients.md", include_str!("../../docs/clients.md")),
    ("exploring.md", include_str!("../../docs/exploring.md")),
    ("in-pipelines.md", include_str!("../../docs/in-pipelines.md")),
    ("load.md", include_str!("../../docs/load.md")),
    ("reading-a-report.md", include_str!("../../docs/reading-a-report.md")),
    ("whom-it-drives.md", include_str!("../../docs/whom-it-drives.md")),
];

/// The blocks of code, without their indentation.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in page.lines() {
        match (line.strip_prefix("    "), blocks.last_mut()) {
            (Some(code), Some(block)) => *block += &format!("{code}\n"),
            // A block goes on after an empty line.
            (None, Some(block)) if line.is_empty() && !block.is_empty() => block.push('\n'),
            (None, Some(block)) if !block.is_empty() => blocks.push(String::new()),
            _ => {}
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn it_is_read_in_one_sitting() {
    assert!(README.lines().count() < 300, "{}", README.lines().count());
}

#[test]
fn the_first_run_prints_what_it_is_said_to_print() {
    let block = blocks(README).into_iter().find(|block| block.contains(" -- check\n")).expect("the first run");
    let (command, printed) = block.split_once('\n').expect("a command and what it prints");
    assert_eq!(command, "cargo run --release --locked -- check");
    let ran = program::check(&[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let said: Vec<String> = ran.said.lines().map(words).collect();
    for line in printed.lines().map(words).filter(|line| !line.is_empty() && line != "…") {
        let is_there = match line.strip_prefix("reports: ") {
            Some(_) => ran.said.contains("reports: "),
            None => said.contains(&line),
        };
        assert!(is_there, "the README shows `{line}`, which is not in\n{}", ran.said);
    }
}

/// Runs a command in a folder, and returns its exit code and what it said.
fn run(arguments: &str, folder: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepup"));
    let output = command.args(arguments.split_whitespace().map(|word| word.trim_matches('\''))).current_dir(folder);
    let output = output.output().expect("stepup starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said)
}

#[test]
fn the_commands_in_its_blocks_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let registry = Served::start(&[]);
    // A whole run waits for many codes; one case shows that the command is one.
    let short = "--case 'disabled/whoami/*' --out out";
    let mut ran = Vec::new();
    for block in blocks(README) {
        let block = block.replace("http://127.0.0.1:4873", &registry.address);
        if let Some(text) = block.strip_prefix("# mine.yaml\n") {
            std::fs::write(folder.path().join("mine.yaml"), text).expect("written");
            std::fs::write(folder.path().join("accounts.yaml"), "- { name: plain, password: … }\n").expect("written");
            std::fs::write(folder.path().join("deviations.yaml"), "[]\n").expect("written");
            let (code, said) = run("lint mine.yaml", folder.path());
            assert_eq!(code, Some(0), "{said}");
            continue;
        }
        let command = block.lines().next().unwrap_or_default();
        ran.push(command.replace(&registry.address, "ADDRESS"));
        match command {
            // The first is run above, and the second runs this.
            "cargo run --release --locked -- check" | "cargo test --locked" => {}
            command => {
                let arguments = command.strip_prefix("stepup ").unwrap_or_else(|| panic!("not a command: {command}"));
                let (code, said) = run(&format!("{arguments} {short}"), folder.path());
                assert_eq!(code, Some(0), "{command}: {said}");
            }
        }
    }
    assert_eq!(ran.len(), 4, "{ran:?}");
}

/// What stands between backquotes, and the lines of blocks.
fn code(page: &str) -> Vec<String> {
    let prose: String = page.lines().filter(|line| !line.starts_with("    ")).map(|line| format!("{line}\n")).collect();
    let spans = prose.split('`').skip(1).step_by(2).map(words).collect::<Vec<_>>();
    let lines = blocks(page).iter().flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    [spans, lines].concat()
}

#[test]
fn every_command_and_option_that_the_pages_name_is_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut known = std::collections::BTreeMap::new();
    let mut named = 0;
    for (page, text) in PAGES {
        for code in code(text) {
            let code = code.trim_start_matches("$ ");
            let Some(rest) = code.strip_prefix("stepup ").or_else(|| code.split_once(" -- ").map(|(_, rest)| rest))
            else {
                continue;
            };
            let rest = rest.split(['#', ';', '&', '>', '|']).next().unwrap_or_default();
            let mut rest = rest.split_whitespace();
            let Some(mut command) = rest.next().map(str::to_owned).filter(|word| !word.starts_with('-')) else {
                continue;
            };
            let mut rest: Vec<&str> = rest.collect();
            if ["target", "pool"].contains(&command.as_str()) && !rest.is_empty() {
                command = format!("{command} {}", rest.remove(0).split('|').next().unwrap_or_default());
            }
            let (code, help) = known
                .entry(command.clone())
                .or_insert_with(|| run(&format!("{command} --help"), folder.path()))
                .clone();
            assert_eq!(code, Some(0), "{page} names `stepup {command}`: {help}");
            for option in rest.into_iter().filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap_or_default().trim_end_matches(['.', ',']);
                let is_there = help.split(|c: char| c.is_whitespace() || c == ',').any(|word| word == option);
                assert!(is_there, "{page} names `{option}` of `stepup {command}`, which has\n{help}");
            }
            named += 1;
        }
    }
    assert!(named > 60, "{named}");
}
