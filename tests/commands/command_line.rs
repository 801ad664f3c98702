//! What the command line tells of itself, and a dry run, which sends nothing.

use std::net::TcpListener;
use std::process::Command;

fn stepup(arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = Command::new(env!("CARGO_BIN_EXE_stepup")).args(arguments).current_dir(folder.path()).output();
    let output = output.expect("stepup starts");
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0, "nothing is written");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn completions_and_man_pages_know_every_command() {
    let (code, help, _) = stepup(&["--help"]);
    assert_eq!(code, Some(0));
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.trim().is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("    "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 10, "{help}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, said) = stepup(&["completions", shell]);
        assert_eq!(code, Some(0), "{said}");
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    let (code, page, _) = stepup(&["man"]);
    assert!(code == Some(0) && page.contains(".TH stepup 1"), "{page}");
    for command in &commands {
        assert!(page.replace('\\', "").contains(&format!("stepup-{command}")), "{command}\n{page}");
        let (code, page, said) = stepup(&["man", command]);
        assert!(code == Some(0) && page.contains(".SH SYNOPSIS"), "{command}: {said}");
    }
    let (code, _, said) = stepup(&["man", "chekc"]);
    assert!(code == Some(2) && said.contains("did you mean `check`?"), "{said}");
}

#[test]
fn a_dry_run_tells_every_request_and_sends_none() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("it can be looked at");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let cases =
        ["auth-and-writes/publish/totp/*", "otp/replay-on-a-write/auth-and-writes/*", "auth-only/login/security-key/*"];
    let selected = cases.map(|case| ["--case", case]).concat();
    let arguments = [&["check", "--dry-run", "--target", &address][..], &selected].concat();
    let (code, told, said) = stepup(&arguments);
    assert_eq!(code, Some(0), "{said}");
    let came = listener.accept().map(|(_, from)| from);
    assert!(came.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "somebody connected");
    insta::assert_snapshot!("dry_run", told.replace(&address, "http://127.0.0.1:PORT"));

    let (code, _, said) = stepup(&["check", "--dry-run", "--case", "nothing/*"]);
    assert!(code == Some(4) && said.contains("matches no case"), "{said}");
}
