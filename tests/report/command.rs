//! `stepup report`: old results rendered again, and documents that are none.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A document of the first format.
const SAMPLE: &str = "fixtures/samples/result-2.json";

fn report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stepup")).arg("report").args(arguments).output().expect("stepup starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn an_old_result_is_rendered_to_standard_output_or_into_a_folder() {
    let shown = report(&[SAMPLE]);
    assert_eq!(shown.status.code(), Some(0));
    assert!(text(&shown.stdout).ends_with("Did not hold: 1 stale entry\n"), "{}", text(&shown.stdout));

    let json = report(&[SAMPLE, "--format", "result"]);
    assert_eq!(text(&json.stdout) + "\n", std::fs::read_to_string(SAMPLE).expect("the sample"));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("made");
    let out = out.to_str().expect("a path");
    let written = report(&[SAMPLE, "--format", "junit,result,terminal", "--out", out]);
    assert_eq!((written.status.code(), text(&written.stdout).as_str()), (Some(0), ""));
    assert_eq!(files(Path::new(out)), ["junit.xml", "report.txt", "result.json"]);
    let again = report(&[out, "--format", "terminal"]);
    assert_eq!(text(&again.stdout), text(&shown.stdout), "a folder stands for its result");
}

#[test]
fn several_reports_need_a_folder() {
    let refused = report(&[SAMPLE, "--format", "junit", "--format", "result"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--out DIR"), "{}", text(&refused.stderr));
}

#[test]
fn what_is_no_result_is_pointed_at() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sample = std::fs::read_to_string(SAMPLE).expect("the sample");
    let one_line = sample.replace(['\n'], "");
    let cases: [(&str, String, &[&str]); 7] = [
        (
            "former.json",
            sample.replace("stepup/result/2", "stepup/result/1"),
            &["`stepup/result/1` is what an earlier stepup wrote", "reads and writes `stepup/result/2`"],
        ),
        ("cut.json", sample[..200].to_owned(), &["cut.json:11:12", "not JSON: EOF while parsing a string"]),
        ("yaml.json", "format: stepup/result/2\n".to_owned(), &["yaml.json:1:2", "not JSON: expected ident"]),
        ("other.json", "{}".to_owned(), &["it states no `format`", "allowed: `stepup/result/2`"]),
        (
            "later.json",
            sample.replace("stepup/result/2", "stepup/result/3"),
            &["unknown format `stepup/result/3`", "did you mean `stepup/result/2`?"],
        ),
        (
            "edited.json",
            sample.replace("\"wrong-shape\"", "\"wrong-shap\""),
            &["edited.json:54:20", "unknown variant `wrong-shap`", "`exact`"],
        ),
        ("line.json", one_line.replace("\"fail\"", "\"failed\""), &["line.json:1:", "unknown variant `failed`"]),
    ];
    for (name, content, told) in cases {
        let path: PathBuf = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        let refused = report(&[path.to_str().expect("a path")]);
        let said = text(&refused.stderr);
        // The renderer of diagnostics breaks lines where they are full.
        let flat = said.replace(['│', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!((refused.status.code(), text(&refused.stdout).as_str()), (Some(2), ""), "{said}");
        assert!(told.iter().all(|part| flat.contains(part)), "{told:?} in\n{said}");
        assert!(said.len() < 3_000, "{name}: {} bytes", said.len());
    }
    let missing = report(&["nowhere/result.json"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("cannot be read"), "{}", text(&missing.stderr));
}

#[test]
fn a_check_writes_the_reports_that_are_asked_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let check = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(["check", "--case", "*/ping/*", "--format", "junit", "--out"])
        .arg(folder.path())
        .output()
        .expect("stepup starts");
    assert_eq!(check.status.code(), Some(0));
    assert_eq!(files(folder.path()), ["junit.xml"]);
    let wrong = Command::new(env!("CARGO_BIN_EXE_stepup")).args(["check", "--format", "pdf"]).output().expect("starts");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("[possible values: terminal,"), "{}", text(&wrong.stderr));
}

/// Standard output that takes nothing, as on a full disk.
fn full() -> std::process::Stdio {
    std::fs::File::options().write(true).open("/dev/full").expect("Linux has it").into()
}

#[test]
fn what_standard_output_does_not_take_is_no_report() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let out = out.to_str().expect("a path");
    for arguments in [
        &["report", SAMPLE, "--format", "junit"][..],
        &["compare", SAMPLE, SAMPLE],
        &["schema", "target"],
        &["list", "cases"],
        &["completions", "bash"],
        &["check", "--case", "*/ping/*", "--out", out],
    ] {
        let command = Command::new(env!("CARGO_BIN_EXE_stepup")).args(arguments).stdout(full()).output();
        let command = command.expect("stepup starts");
        let said = text(&command.stderr);
        assert_eq!(command.status.code(), Some(5), "{arguments:?}: {said}");
        assert!(said.contains("standard output cannot be written"), "{arguments:?}: {said}");
        // Whoever has stopped reading is another matter.
        let mut child = Command::new(env!("CARGO_BIN_EXE_stepup"))
            .args(arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("stepup starts");
        drop(child.stdout.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{arguments:?}");
    }
    let written = files(Path::new(out));
    assert!(written.contains(&"junit.xml".to_owned()), "the files are written all the same: {written:?}");
}

#[test]
fn no_report_of_an_earlier_run_is_taken_for_this_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    std::fs::create_dir(&out).expect("a folder");
    std::fs::write(out.join("own.txt"), "the user's").expect("written");
    let check = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stepup"));
        command.arg("check").args(arguments).arg("--out").arg(&out).output().expect("stepup starts").status.code()
    };
    assert_eq!(check(&["--case", "*/ping/*"]), Some(0));
    assert!(files(&out).len() > 6, "{:?}", files(&out));
    // A slip in the command line is no run, and takes nothing away.
    assert_eq!(check(&["--case", "nothing/*"]), Some(4));
    assert!(files(&out).contains(&"junit.xml".to_owned()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    assert_eq!(check(&["--target", &nobody, "--case", "disabled/whoami/*"]), Some(3));
    assert_eq!(files(&out), ["journal.jsonl", "own.txt"]);
}

#[test]
fn reports_are_whole_and_readable_as_other_files_are() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().to_str().expect("a path");
    assert_eq!(report(&[SAMPLE, "--format", "junit,html", "--out", out]).status.code(), Some(0));
    std::fs::write(folder.path().join("other"), "").expect("written");
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).expect("a file").permissions().mode();
    assert_eq!(mode("junit.xml"), mode("other"));
    assert_eq!(files(folder.path()), ["index.html", "junit.xml", "other"], "nothing half-written is left");
    // Where no folder can be, nothing is said to be written.
    let file = folder.path().join("other/out");
    let refused = report(&[SAMPLE, "--format", "junit", "--out", file.to_str().expect("a path")]);
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused.stderr));
    let refused = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(["check", "--case", "*/ping/*", "--out"])
        .arg(&file)
        .output()
        .expect("stepup starts");
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused.stderr));
}

#[test]
fn a_result_whose_summary_counts_other_cases_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("result.json");
    let sample = std::fs::read_to_string(SAMPLE).expect("the sample");
    std::fs::write(&file, sample.replacen("\"deviating\": 1", "\"deviating\": 0", 1)).expect("written");
    let path = file.to_str().expect("a path");
    for arguments in [&["report", path][..], &["compare", path, path]] {
        let refused = Command::new(env!("CARGO_BIN_EXE_stepup")).args(arguments).output().expect("stepup starts");
        assert_eq!(refused.status.code(), Some(2));
        assert!(text(&refused.stderr).contains("does not count its cases"), "{}", text(&refused.stderr));
    }
}
