//! What a vendor keeps over the years: comparisons, lists of known deviations, evidence, and ids that stay.

use std::path::Path;
use std::process::{Command, Output};

use stepup::check::suite;
use stepup::judge::Verdict;
use stepup::report::compare::{Changes, Compared, Form, Grid, Kind};
use stepup::report::terminal::Paper;
use stepup::result::renamed::RENAMED;
use stepup::result::{RunResult, Status, Summary};

use crate::program;

fn stepup(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stepup")).args(arguments).output().expect("stepup starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

const SOME: [&str; 6] = ["--case", "*/whoami/*", "--case", "auth-*/token-create/*", "--case", "*/star/*"];

fn run(arguments: &[&str]) -> RunResult {
    let ran = program::check(&[&["--format", "result"], &SOME[..], arguments].concat());
    let mut result = ran.result.unwrap_or_else(|| panic!("no result, exit code {:?}: {}", ran.code, ran.said));
    "2026-01-02T03:04:05Z".clone_into(&mut result.started);
    result
}

fn recount(result: &mut RunResult) {
    result.summary = Summary::of(&result.cases, result.observations.len());
}

/// A run that holds, and a later one in which something of everything has happened.
fn before_and_after() -> (RunResult, RunResult) {
    let (mut before, mut after) = (run(&[]), run(&["--mutant", "whoami-challenged"]));
    let at = |result: &RunResult, id: &str| result.cases.iter().position(|case| case.id == id).expect("a case");
    let fixed = at(&before, "auth-only/token-create/totp/wire");
    before.cases[fixed].status = Status::Fail;
    before.cases[fixed].verdicts = vec![Verdict::ReplayAccepted];
    let unsupported = at(&after, "auth-only/token-create/security-key/wire");
    after.cases[unsupported].status = Status::Unsupported;
    after.cases[unsupported].verdicts = vec![Verdict::Unsupported];
    let known = at(&after, "auth-only/whoami/both/wire");
    after.cases[known].known = Some(stepup::result::Known {
        reason: "the vendor has said so".to_owned(),
        until: "2027-06-30".parse().expect("a date"),
    });
    let appeared = at(&before, "auth-and-writes/token-create/both/wire");
    before.cases.remove(appeared);
    let vanished = at(&after, "auth-and-writes/token-create/totp/wire");
    after.cases.remove(vanished);
    recount(&mut before);
    recount(&mut after);
    (before, after)
}

#[test]
fn what_has_changed_is_told_by_what_it_means() {
    let (before, after) = before_and_after();
    let changes = Changes::of(&before, &after);
    let ids = |kind| changes.of_kind(kind).map(|change| change.id().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(Kind::Deviating).len(), 6);
    assert_eq!(ids(Kind::Vanished), ["auth-and-writes/token-create/totp/wire"]);
    assert_eq!(ids(Kind::Unsupported), ["auth-only/token-create/security-key/wire"]);
    assert_eq!(ids(Kind::Fixed), ["auth-only/token-create/totp/wire"]);
    assert_eq!(ids(Kind::Appeared), ["auth-and-writes/token-create/both/wire"]);
    assert!(ids(Kind::Unjudged).is_empty());
    assert_eq!(
        changes.changes.iter().filter(|change| change.decides).count(),
        7,
        "five new deviations, a vanished case and one that is newly unsupported"
    );
    assert!(!Changes::of(&before, &before).regresses() && Changes::of(&before, &before).changes.is_empty());

    let mut untested = before.clone();
    let at = untested.cases.iter().position(|case| case.status == Status::Pass).expect("one that holds");
    let (id, verdicts) = (untested.cases[at].id.clone(), untested.cases[at].verdicts.clone());
    for (status, verdict, kind) in [
        (Status::Unsupported, Verdict::Unsupported, Kind::Unsupported),
        (Status::NotDescribed, Verdict::NotDescribed, Kind::NotDescribed),
        (Status::Error, Verdict::TargetFailed, Kind::Unjudged),
    ] {
        (untested.cases[at].status, untested.cases[at].verdicts) = (status, vec![verdict]);
        recount(&mut untested);
        let changes = Changes::of(&before, &untested);
        assert_eq!(changes.of_kind(kind).count(), 1);
        assert!(changes.regresses(), "{kind:?}: what was judged and is no more makes it worse");
        let glob = |text: &str| [globset::Glob::new(text).expect("a glob").compile_matcher()];
        let changes = Changes::of(&before, &untested).allowing(&glob(&id));
        assert!(!changes.regresses() && changes.conclusion().contains("allowed"), "{}", changes.conclusion());
        assert!(Changes::of(&before, &untested).allowing(&glob("another")).regresses());
        assert!(!Changes::of(&untested, &before).regresses());
    }
    (untested.cases[at].status, untested.cases[at].verdicts) = (Status::Fail, vec![Verdict::MissingChallenge]);
    let all = [globset::Glob::new("**").expect("a glob").compile_matcher()];
    assert!(verdicts != [Verdict::MissingChallenge] && Changes::of(&before, &untested).allowing(&all).regresses());

    let mut gone = before.clone();
    gone.cases.pop();
    assert!(Changes::of(&before, &gone).regresses(), "a case less is not a fault less");
    let mut left_out = before.clone();
    left_out.cases[0].status = Status::Skipped;
    assert!(Changes::of(&before, &left_out).regresses(), "a case that is not run is as good as gone");
    let mut worse = before.clone();
    let failing = worse.cases.iter_mut().find(|case| case.status == Status::Fail).expect("a deviation");
    failing.verdicts.push(Verdict::NoEffect);
    assert!(Changes::of(&before, &worse).regresses(), "what deviates in one more way deviates anew");
    assert!(!Changes::of(&worse, &before).regresses());
    let mut listed = before.clone();
    let failing = listed.cases.iter_mut().find(|case| case.status == Status::Fail).expect("a deviation");
    failing.known =
        Some(stepup::result::Known { reason: "seen before".to_owned(), until: "2027-06-30".parse().expect("a date") });
    let changes = Changes::of(&listed, &before);
    assert_eq!(changes.of_kind(Kind::Unlisted).count(), 1);
    assert!(changes.regresses(), "what is not listed any more fails a run");
    assert!(!Changes::of(&before, &listed).regresses());
    let interrupted = stepup::result::RunResult { complete: false, ..before.clone() };
    assert!(Changes::of(&before, &interrupted).conclusion().ends_with("the later run was interrupted"));
}

#[test]
fn a_renamed_case_is_listed_and_is_neither_gone_nor_new() {
    let before = run(&[]);
    let mut after = before.clone();
    let (former, present) = ("auth-only/whoami/totp/wire", "auth-only/who-am-i/totp/wire");
    let case = after.cases.iter_mut().find(|case| case.id == former).expect("the case");
    present.clone_into(&mut case.id);
    assert!(Changes::of(&before, &after).regresses(), "a case that is not listed as renamed is gone");
    let changes = Changes::with(&before, &after, &[(former, present)]);
    assert!(!changes.regresses() && changes.same == before.cases.len());
    let told: Vec<_> = changes.of_kind(Kind::Renamed).map(|change| (change.id(), change.words())).collect();
    assert_eq!(told, [(present, format!("{former} → {present}"))]);
    for form in [Form::Terminal, Form::Markdown, Form::Html] {
        let text = Compared::Changes(Changes::with(&before, &after, &[(former, present)]));
        let text = text.render(form, Paper::default()).expect("renders").replace("&#x2f;", "/");
        assert!(text.contains("Renamed") && text.contains(former) && text.contains(present), "{text}");
    }
    let case = after.cases.iter_mut().find(|case| case.id == present).expect("the case");
    case.status = Status::Fail;
    let changes = Changes::with(&before, &after, &[(former, present)]);
    assert!(changes.regresses() && changes.same + 1 == before.cases.len(), "renamed or not, it deviates");
}

#[test]
fn changes_are_told_in_every_form() {
    let (before, after) = before_and_after();
    let compared = Compared::Changes(Changes::of(&before, &after));
    let render = |form| steady(&compared.render(form, Paper::default()).expect("renders"));
    insta::assert_snapshot!("changes_terminal", render(Form::Terminal));
    insta::assert_snapshot!("changes_markdown", render(Form::Markdown));
    insta::assert_snapshot!("changes_html", without_style(&render(Form::Html)));
}

#[test]
fn registries_are_told_in_one_grid() {
    let (mut first, mut second) = before_and_after();
    "one".clone_into(&mut first.target.name);
    "other | `x` <b>".clone_into(&mut second.target.name);
    let results = [first, second];
    let compared = Compared::Grid(Grid::of(&results));
    let render = |form| steady(&compared.render(form, Paper::default()).expect("renders"));
    insta::assert_snapshot!("grid_terminal", render(Form::Terminal));
    insta::assert_snapshot!("grid_markdown", render(Form::Markdown));
    insta::assert_snapshot!("grid_html", without_style(&render(Form::Html)));
}

/// Nothing here shows made-up names but what was observed.
fn steady(text: &str) -> String {
    stepup::report::text::without_names(text)
}

fn without_style(page: &str) -> String {
    let (before, rest) = page.split_once("<style>").expect("a style");
    let (_, after) = rest.split_once("</style>").expect("its end");
    let before = before.split_once("'sha256-").map_or(before, |(before, _)| before);
    format!("{before}…<style>…</style>{after}")
}

#[test]
fn a_later_result_that_is_worse_fails_a_pipeline() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    for (out, mutant) in [(&good, None), (&bad, Some("whoami-challenged"))] {
        let mutant = mutant.map_or(vec![], |mutant| vec!["--mutant", mutant]);
        let arguments = [&["check", "--format", "result", "--out", path(out)], &SOME[..], &mutant].concat();
        assert!(stepup(&arguments).status.code().is_some_and(|code| code <= 1));
    }
    let code = |arguments: &[&str]| stepup(&[&["compare"], arguments].concat()).status.code();
    assert_eq!(code(&[path(&good), path(&bad)]), Some(1));
    assert_eq!(code(&[path(&bad), path(&good)]), Some(0));
    assert_eq!(code(&[path(&good), path(&good)]), Some(0));
    assert_eq!(code(&[path(&good), path(&bad), "--as", "grid"]), Some(0));
    assert_eq!(code(&[path(&good), path(&bad), path(&bad), "--as", "changes"]), Some(2));
    assert_eq!(code(&[path(&good)]), Some(2));
    let out = folder.path().join("out");
    assert_eq!(code(&[path(&good), path(&bad), "--format", "html,markdown", "--out", path(&out)]), Some(1));
    assert!(out.join("compare.html").exists() && out.join("compare.md").exists());
}

#[test]
fn a_drafted_list_is_accepted_and_holds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("deviations.yaml");
    let mutants = ["--mutant", "whoami-challenged", "--mutant", "replay-accepted", "--format", "result"];
    let first = program::check(&[&mutants[..], &["--write-deviations", path(&list)]].concat());
    assert_eq!(first.code, Some(1), "{}", first.said);
    let draft = std::fs::read_to_string(&list).expect("a draft");
    assert!(draft.contains("- case: \"auth-*/whoami/*\"\n  verdict: unexpected-challenge\n"), "{draft}");
    assert!(draft.matches("- case:").count() < 80, "alike cases are one entry\n{draft}");
    let again = program::check(&[&mutants[..], &["--deviations", path(&list)]].concat());
    assert_eq!(again.code, Some(0), "{}", again.said);
    assert!(again.result.is_some_and(|result| result.summary.known == result.summary.deviating));

    let refused = stepup(&["check", "--case", "*/ping/*", "--write-deviations", path(&list)]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(&list).expect("the list"), draft, "reasons are not lost");
    let linted = stepup(&["lint", path(&list)]);
    assert_eq!(linted.status.code(), Some(0), "{}", text(&linted.stdout));

    let some = folder.path().join("some.yaml");
    let part = [&mutants[..], &["--case", "auth-only/whoami/*", "--write-deviations", path(&some)]].concat();
    assert_eq!(program::check(&part).code, Some(1));
    let draft = std::fs::read_to_string(&some).expect("a draft");
    assert!(
        draft.contains("- case: auth-only/whoami/totp/wire\n") || draft.contains("\"auth-only/whoami/totp/wire\""),
        "{draft}"
    );
    let none = folder.path().join("none.yaml");
    let holds = ["--case", "*/ping/*", "--format", "result"];
    assert_eq!(program::check(&[&holds[..], &["--write-deviations", path(&none)]].concat()).code, Some(0));
    assert_eq!(program::check(&[&holds[..], &["--deviations", path(&none)]].concat()).code, Some(0));
    let linted = stepup(&["lint", path(&none)]);
    assert_eq!(linted.status.code(), Some(0), "an empty draft says what it is: {}", text(&linted.stdout));
}

#[test]
fn evidence_is_verified_and_a_change_is_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (ran, bundle) = (folder.path().join("ran"), folder.path().join("bundle"));
    let (own, file) = (folder.path().join("own.yaml"), include_str!("../../fixtures/targets/embedded.yaml"));
    std::fs::write(&own, file).expect("writes");
    let target = ["--target", path(&own)];
    let arguments = [&["check", "--format", "result", "--out", path(&ran)], &target[..], &SOME[..]].concat();
    assert_eq!(stepup(&arguments).status.code(), Some(0));
    let made = stepup(&["report", path(&ran), "--evidence", path(&bundle)]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let said = text(&made.stdout);
    let digest = said.trim().rsplit(' ').next().expect("a digest");
    let sums = Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&bundle).status();
    assert!(sums.expect("sha256sum runs").success());
    let verify = |digest: &str| stepup(&["verify", path(&bundle), "--digest", digest]);
    let whole = verify(digest);
    assert_eq!(whole.status.code(), Some(0), "{}", text(&whole.stdout));
    assert!(text(&whole.stdout).contains("9 files are as they were made"), "{}", text(&whole.stdout));
    let unpublished = stepup(&["verify", path(&bundle)]);
    let said = text(&unpublished.stdout);
    assert!(unpublished.status.success() && !said.contains("as they were made") && said.contains("--digest"), "{said}");
    assert_eq!(verify(&digest.replace(|c: char| c.is_ascii_digit(), "0")).status.code(), Some(1));
    assert_eq!(stepup(&["report", path(&ran), "--evidence", path(&bundle)]).status.code(), Some(2), "not empty");

    let finds = |file: &str, change: &dyn Fn(&str) -> String, wanted: &str, forge: bool| {
        let (file, list) = (bundle.join(file), bundle.join("SHA256SUMS"));
        let (was, sums) = (std::fs::read_to_string(&file).ok(), std::fs::read_to_string(&list).expect("the list"));
        std::fs::write(&file, change(was.as_deref().unwrap_or_default())).expect("writes");
        if forge {
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            let new = stepup::report::evidence::digest(&std::fs::read(&file).expect("reads"));
            let lines = sums.lines().map(|line| match line.ends_with(&format!("  {name}")) {
                true => format!("{new}  {name}\n"),
                false => format!("{line}\n"),
            });
            std::fs::write(&list, lines.collect::<String>()).expect("writes");
        }
        let verified = stepup(&["verify", path(&bundle)]);
        assert_eq!(verified.status.code(), Some(1), "{wanted}: {}", text(&verified.stdout));
        assert!(text(&verified.stdout).contains(wanted), "{wanted} in {}", text(&verified.stdout));
        match was {
            Some(was) => std::fs::write(&file, was).expect("writes"),
            None => std::fs::remove_file(&file).expect("removes"),
        }
        std::fs::write(&list, sums).expect("writes");
    };
    finds("index.html", &|text| text.replace("exact", "exakt"), "index.html was changed", false);
    finds("index.html", &|text| text.replace("exact", "exakt"), "index.html does not say what result.json says", true);
    finds(
        "result.json",
        &|text| text.replace("Show who is", "Shown who is"),
        "does not say what result.json says",
        true,
    );
    finds(
        "result.json",
        &|text| text.replacen("\"status\": \"pass\"", "\"status\": \"fail\"", 1),
        "does not count its cases",
        true,
    );
    finds("more.txt", &|_| "more".to_owned(), "more.txt is there and not listed", false);
    finds(
        "SHA256SUMS",
        &|text| text.lines().skip(1).map(|line| format!("{line}\n")).collect(),
        "is there and not listed",
        false,
    );
    finds(
        "result.json",
        &|text| text.replacen("\"exact\"\n", "\"replay-accepted\"\n", 1),
        "has status `pass` and verdicts [replay-accepted]",
        true,
    );
    finds("SHA256SUMS", &|text| text.lines().rev().map(|line| format!("{line}\n")).collect(), "as it was made", false);
    finds("SHA256SUMS", &|text| text.replace('\n', "\r\n"), "as it was made", false);
    finds(
        "SHA256SUMS",
        &|text| text.to_owned() + &format!("{}\n", text.lines().next().unwrap_or_default()),
        "as it was made",
        false,
    );
    assert_eq!(verify(digest).status.code(), Some(0), "all changes were taken back");

    // Whatever else lies there, listed or not, is no part of it.
    let more = bundle.join("more.txt");
    std::fs::write(&more, "more").expect("writes");
    let list = bundle.join("SHA256SUMS");
    let sums = std::fs::read_to_string(&list).expect("the list");
    std::fs::write(&list, format!("{sums}{}  more.txt\n", stepup::report::evidence::digest(b"more"))).expect("writes");
    let listed = stepup(&["verify", path(&bundle)]);
    assert!(text(&listed.stdout).contains("more.txt is no part of a bundle"), "{}", text(&listed.stdout));
    assert_eq!(listed.status.code(), Some(1));
    std::fs::write(&list, &sums).expect("writes");
    std::fs::remove_file(&more).expect("removes");
    let (page, elsewhere) = (bundle.join("index.html"), folder.path().join("index.html"));
    std::fs::rename(&page, &elsewhere).expect("moves");
    std::os::unix::fs::symlink(&elsewhere, &page).expect("links");
    let linked = stepup(&["verify", path(&bundle)]);
    assert!(text(&linked.stdout).contains("index.html is a symbolic link"), "{}", text(&linked.stdout));
    assert_eq!(linked.status.code(), Some(1));
    std::fs::remove_file(&page).expect("removes");
    std::fs::rename(&elsewhere, &page).expect("moves");

    // Of another version the digests alone are known to hold, and the list of these only by its digest.
    let result = bundle.join("result.json");
    let was = std::fs::read_to_string(&result).expect("the result");
    let own = format!("stepup {}", env!("CARGO_PKG_VERSION"));
    let of_another = was.replacen(&own, "stepup 99.0.0", 1);
    std::fs::write(&result, &of_another).expect("writes");
    let forged = stepup::report::evidence::digest(of_another.as_bytes());
    let sums_of_another = sums.replace(&stepup::report::evidence::digest(was.as_bytes()), &forged);
    std::fs::write(&list, &sums_of_another).expect("writes");
    let unknown = stepup(&["verify", path(&bundle)]);
    assert_eq!(unknown.status.code(), Some(5), "{}", text(&unknown.stdout));
    let digest = stepup::report::evidence::digest(sums_of_another.as_bytes());
    assert_eq!(verify(&digest.to_uppercase()).status.code(), Some(0));

    let made_with = std::fs::read_to_string(bundle.join("evidence.json")).expect("what it was made with");
    for told in
        ["\"tool\": \"stepup ", "\"digest\": \"", "\"revision\": \"2022-08-29\"", "\"cases\": [\n", "\"routines\": [\n"]
    {
        assert!(made_with.contains(told), "{told} in {made_with}");
    }
    let digest = stepup::report::evidence::digest(file.as_bytes());
    assert!(made_with.contains(&digest), "the user's own target file is known by its digest");
    let readme = std::fs::read_to_string(bundle.join("README.txt")).expect("what is what");
    for entry in std::fs::read_dir(&bundle).expect("a folder") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(name == "README.txt" || readme.contains(&format!("{name} ")), "{name} in {readme}");
    }
}

#[test]
fn a_case_keeps_its_id_or_is_listed_as_renamed() {
    let known = include_str!("case-ids.txt");
    let cases = suite::carried().expect("the cases");
    let is_carried = |id: &str| cases.iter().any(|case| case.id == id);
    let gone: Vec<&str> = known
        .lines()
        .filter(|id| !is_carried(id) && !RENAMED.iter().any(|(former, present)| former == id && is_carried(present)))
        .collect();
    assert_eq!(gone, [""; 0], "results and lists of deviations name these; see RENAMED");
    assert!(known.lines().count() > 500);
}
