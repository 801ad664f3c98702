//! `stepup target`: what it lists, and how it installs, starts and stops a registry.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

const ANSWERING: &str = r"require('http').createServer((_, answer) => answer.end('{}')).listen(+process.argv[1])";

/// A folder with a target file whose program is a script for node, a manifest without dependencies, and a cache.
fn target(script: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("written");
    };
    let program = serde_json::json!(["node", "-e", script, "{port}"]);
    write("mine.yaml", &format!("name: mine\nstart: installed\nprogram: {program}\n"));
    write("mine/package.json", r#"{ "name": "mine", "version": "1.0.0" }"#);
    let lock = r#"{ "name": "mine", "version": "1.0.0", "lockfileVersion": 3, "packages": { "": { "name": "mine", "version": "1.0.0" } } }"#;
    write("mine/package-lock.json", lock);
    folder
}

fn stepup(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepup"));
    command.arg("target").args(arguments).env("XDG_CACHE_HOME", folder.join("cache")).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ran(mut command: Command) -> (Option<i32>, String, String) {
    let output = command.output().expect("stepup starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn every_target_is_listed_with_a_line_about_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, listed, _) = ran(stepup(folder.path(), &["list"]));
    assert_eq!(code, Some(0));
    for name in ["embedded", "pnpr", "verdaccio-6", "verdaccio-9"] {
        let line = listed.lines().find(|line| line.split(' ').next() == Some(name)).expect("it is listed");
        assert!(line.len() > name.len() + 20, "{line}");
    }
    assert!(!listed.contains("deviations") && !listed.contains("url"), "{listed}");
}

#[test]
fn what_stepup_does_not_install_it_does_not_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for command in ["install", "start"] {
        let (code, _, said) = ran(stepup(folder.path(), &[command, "embedded"]));
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("stepup serve"), "{said}");
    }
}

#[test]
fn two_installations_at_once_end_in_one_place() {
    let folder = target(ANSWERING);
    let both = [(); 2].map(|()| stepup(folder.path(), &["install", "mine.yaml"]).spawn().expect("stepup starts"));
    let homes = both.map(|child| {
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    });
    assert_eq!(homes[0], homes[1]);
    assert!(Path::new(homes[0].trim()).join("package.json").exists());
    let shelf = std::fs::read_dir(folder.path().join("cache/stepup/targets")).expect("the shelf");
    assert_eq!(shelf.count(), 1, "nothing is left beside it");
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill starts");
    assert!(status.success());
}

#[test]
fn a_started_registry_answers_until_it_is_interrupted_and_leaves_nothing() {
    let folder = target(ANSWERING);
    let mut child = stepup(folder.path(), &["start", "mine.yaml"]).spawn().expect("stepup starts");
    let mut address = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut address).expect("an address");
    let address = address.trim().strip_prefix("http://").expect("an address").to_owned();
    let mut connection = TcpStream::connect(&address).expect("it listens");
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let run = said.split(" runs in ").nth(1).and_then(|rest| rest.split(" until ").next()).expect("its folder");
    assert!(!Path::new(run).exists(), "{run} is still there");
    assert!(TcpStream::connect(&address).is_err(), "it still listens");
}

#[test]
fn a_registry_that_ends_is_told_with_its_last_words() {
    let folder = target("console.error('no such flag: tfa'); process.exit(3)");
    let (code, address, said) = ran(stepup(folder.path(), &["start", "mine.yaml"]));
    assert_eq!((code, address.as_str()), (Some(3), ""), "{said}");
    assert!(said.contains("ended at its start") && said.contains("exit status: 3"), "{said}");
    assert!(said.contains("no such flag: tfa"), "{said}");
}
