//! Exploration: what sequences find, how small it gets, that it replays, and that a seed stands for one run.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use stepup::explore::document::End;
use stepup::explore::{Deviation, Explored};
use stepup::judge::Verdict;

use crate::program::check_into;

fn explore(arguments: &[&str], out: &Path) -> (Option<i32>, String, Option<Explored>) {
    let output = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .arg("explore")
        .args(arguments)
        .arg("--out")
        .arg(out)
        .output()
        .expect("stepup starts");
    let text = std::fs::read_to_string(out.join("explored.json")).ok();
    let explored = text.map(|text| serde_json::from_str(&text).expect("explored.json is what was explored"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said, explored)
}

/// Explores with a seeded fault, and replays the first deviation's file with the fault and without.
fn finds(mutant: &str, seed: &str, verdict: Verdict, last: &str, most_steps: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("found");
    let (code, said, explored) = explore(&["--mutant", mutant, "--seed", seed, "--cases", "60"], &out);
    assert_eq!(code, Some(1), "{said}");
    let explored = explored.expect("a document");
    let found = |deviation: &&Deviation| {
        deviation.verdicts[0] == verdict && deviation.steps.last().is_some_and(|step| step.words().contains(last))
    };
    let deviation = explored.deviations.iter().find(found).unwrap_or_else(|| panic!("{mutant}: {said}"));
    assert!(deviation.steps.len() <= most_steps && !deviation.shrinking_cut_short, "{mutant}: {said}");
    assert_eq!(deviation.replays, Some(true), "{mutant}: {said}");
    assert!(said.contains(&deviation.repeat) && said.contains("must be"), "{said}");
    let seeds = std::fs::read_to_string(out.join("failing-seeds.txt")).expect("the failing seeds");
    assert!(seeds.lines().any(|line| line == deviation.seed.to_string()), "{seeds}");

    let repeat = deviation.repeat.replace("stepup check ", "");
    let arguments: Vec<&str> = repeat.split(' ').map(|word| word.trim_matches('\'')).collect();
    let again = check_into(&arguments, &folder.path().join("again"));
    assert_eq!(again.code, Some(1), "{repeat}: {}", again.said);
    assert_eq!(again.result.expect("a result").cases[0].verdicts, deviation.verdicts, "{}", again.said);
    let (_, sound) = arguments.split_at(2);
    let sound = check_into(sound, &folder.path().join("sound"));
    assert_eq!(sound.code, Some(0), "{}", sound.said);
    assert_eq!(sound.result.expect("a result").cases[0].verdicts, [Verdict::Exact]);
}

#[test]
fn a_factor_that_is_forgotten_after_it_was_disabled_and_enabled_is_found() {
    finds("factor-forgotten-after-reenable", "1", Verdict::MissingChallenge, "with no proof", 6);
}

#[test]
fn a_mode_that_a_new_password_loses_is_found() {
    finds("mode-lost-after-password-change", "1", Verdict::MissingChallenge, "npm publish", 4);
}

#[test]
fn codes_that_a_mode_change_makes_good_again_are_found() {
    finds("spent-codes-forgotten-after-mode-change", "1", Verdict::ReplayAccepted, "the proof of step", 4);
}

#[test]
fn recovery_codes_of_an_enrolment_that_has_ended_are_found() {
    let last = "recovery code of the enrolment before";
    finds("recovery-codes-of-former-enrolment-accepted", "50", Verdict::WrongProofAccepted, last, 5);
}

#[test]
fn a_user_who_is_asked_only_once_is_found() {
    finds("unchallenged-after-right-proof", "1", Verdict::MissingChallenge, "with no proof", 4);
}

#[test]
fn a_user_whom_another_weakens_is_found() {
    finds("second-user-weakens-first", "1", Verdict::MissingChallenge, "npm publish", 5);
}

#[test]
fn a_correct_registry_holds_over_many_seeds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, said, explored) = explore(&["--cases", "300", "--seed", "1000"], folder.path());
    let explored = explored.expect("a document");
    assert_eq!(code, Some(0), "{said}");
    assert!(explored.sequences.len() == 300 && explored.actions > 3_000, "{said}");
    assert!(explored.sequences.iter().all(|sequence| sequence.end == End::Held), "{said}");
    assert_eq!(std::fs::read_to_string(folder.path().join("failing-seeds.txt")).expect("no failing seeds"), "");
}

#[test]
fn one_seed_is_one_run_however_many_are_at_work() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = |name: &str, jobs: &str| {
        let out = folder.path().join(name);
        let options = ["--mutant", "second-user-weakens-first", "--cases", "40", "--seed", "7", "--jobs", jobs];
        let mut explored = explore(&options, &out).2.expect("a document");
        let files = explored.deviations.iter().map(|found| std::fs::read_to_string(out.join(&found.file)));
        let files: Vec<String> = files.map(|file| file.expect("a scenario file")).collect();
        for step in explored.deviations.iter_mut().flat_map(|found| &mut found.steps) {
            // What the target answers holds times and names of its own.
            step.exchanges.clear();
            step.saw.clear();
        }
        let told: Vec<_> =
            explored.deviations.into_iter().map(|found| (found.verdicts, found.steps, found.alike)).collect();
        (explored.sequences, told, files, explored.actions)
    };
    let first = run("first", "2");
    assert!(!first.2.is_empty());
    assert_eq!(first, run("again", "2"));
    assert_eq!(first, run("one-by-one", "1"));
}

#[test]
fn the_seed_of_a_sequence_plays_it_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let all = explore(&["--cases", "20", "--mutant", "replay-accepted"], &folder.path().join("all")).2;
    let all = all.expect("a document");
    let one = all.deviating().next().expect("a deviation");
    let seed = one.seed.to_string();
    let options = ["--cases", "1", "--mutant", "replay-accepted", "--seed", &seed];
    let alone = explore(&options, &folder.path().join("alone")).2.expect("a document");
    assert_eq!(&alone.sequences, std::slice::from_ref(one));
}

#[test]
fn an_interrupted_exploration_says_what_it_found_so_far() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_stepup"))
        .args(["explore", "--cases", "1000000", "--out"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("stepup starts");
    let mut messages = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut message = String::new();
    messages.read_line(&mut message).expect("a message");
    assert!(message.contains("exploring 1000000 sequences"), "{message}");
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    let mut said = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!(child.wait().expect("stepup ends").code(), Some(5), "{said}");
    assert!(said.contains("INCOMPLETE (interrupted)") && folder.path().join("explored.json").exists(), "{said}");
}

#[test]
fn an_exploration_ends_when_its_time_is_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (code, said, explored) = explore(&["--cases", "1000000", "--limit", "1"], folder.path());
    assert!(code == Some(5) && said.contains("INCOMPLETE (1 s were over)"), "{said}");
    assert!(explored.expect("a document").sequences.len() < 1_000_000);
}

#[test]
fn what_cannot_be_explored_is_told_from_what_deviates() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (arguments, code) in [
        (&["--cases", "0"][..], 2),
        (&["--target", "no-such-target"], 2),
        (&["--target", "http://127.0.0.1:9", "--mutant", "replay-accepted"], 2),
        (&["--target", "http://127.0.0.1:9"], 3),
    ] {
        let (exit, said, _) = explore(arguments, folder.path());
        assert_eq!(exit, Some(code), "{arguments:?}: {said}");
    }
}

#[test]
fn no_secret_is_in_what_an_exploration_writes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (_, said, explored) = explore(&["--mutant", "unchallenged-after-right-proof", "--cases", "5"], folder.path());
    let document = serde_json::to_string(&explored.expect("a document")).expect("JSON");
    for secret in ["Pw-", "npm_", "otpauth"] {
        assert!(!document.contains(secret) && !said.contains(secret), "{secret}");
    }
    assert!(document.contains("‹"), "{document}");
}
