//! A dry run: what would be sent for the selected cases, and nothing is.
//!
//! Requests are told as the dialect and the target file have them, with the templates that a run fills in: names, tokens
//! and codes come into being while it runs. What a run
//! decides by answers (a challenge is answered, a read-back polls) is told as it begins.

use std::fmt::Write as _;

use super::estimate::Estimate;
use super::plan::{Case, Script};
use crate::dialect::step::{CeremonyKind, Deed, Request, Step};
use crate::dialect::{Dialect, Surface};
use crate::judge::Expectation;
use crate::scenario::{Act, Attempt, Errand, Scenario};
use crate::table::Mode;
use crate::target::{Start, Target};

/// How deep routines are told in routines.
const DEEPEST: usize = 8;

/// Tells what a check of these cases would send.
pub fn render(target: &Target, cases: &[Case], estimate: Option<&Estimate>) -> String {
    let dialect = &target.dialect;
    let (whom, lends) = match &target.start {
        Start::Embedded { .. } => ("the reference registry, in this process".to_owned(), false),
        Start::Running { base, accounts } => (base.to_string(), accounts.is_some()),
        Start::Installed(program) => (format!("{}, installed and started for the run", program.name), false),
    };
    let mut out = format!("target: {} ({whom})\ncases: {}\nNothing is sent.\n", target.name, cases.len());
    if let Some(estimate) = estimate {
        let _ = writeln!(out, "A run would take {}.", estimate.sentence());
    }
    let _ = writeln!(out, "\nEach case first:");
    if lends {
        tell(&mut out, dialect, "borrows an account, and logs in where it has no token that works", &["log-in"]);
    } else {
        tell(&mut out, dialect, "signs a user up", &["sign-up"]);
        let enrols = |case: &&Case| case.mode != Mode::Disabled;
        if cases.iter().any(|case| enrols(&case) && case.factor.has_codes()) {
            tell(&mut out, dialect, "enrols it, in a mode with 2FA", &["enrol"]);
        }
        if cases.iter().any(|case| enrols(&case) && case.factor.has_key()) {
            tell(&mut out, dialect, "registers a key, where it has one", &["register-key"]);
        }
    }
    for case in cases {
        let _ = writeln!(out, "\n{}", case.id);
        if let Some(why) = why_not(target, case) {
            let _ = writeln!(out, "  not run: {why}");
            continue;
        }
        match &case.script {
            Script::Row { surface, expectation } => row(&mut out, dialect, &dialect.surfaces[*surface], *expectation),
            Script::Scenario(scenario) => acts(&mut out, dialect, scenario),
        }
    }
    out
}

fn tell(out: &mut String, dialect: &Dialect, what: &str, routines: &[&str]) {
    let _ = writeln!(out, "  {what}");
    for routine in routines {
        match dialect.routines.get(*routine) {
            Some(steps) => lines(out, dialect, steps, 2, 0),
            None => {
                let _ = writeln!(out, "    (the target file does not describe `{routine}`)");
            }
        }
    }
}

/// Why a case would not be run, as far as the files say.
pub(super) fn why_not(target: &Target, case: &Case) -> Option<String> {
    let left_out =
        || target.left_out.iter().find(|(glob, _)| glob.is_match(&case.id)).map(|(_, reason)| reason.clone());
    case.undriven(&target.dialect).map(|undriven| undriven.to_string()).or_else(left_out)
}

fn row(out: &mut String, dialect: &Dialect, surface: &Surface, expectation: Option<Expectation>) {
    part(out, dialect, "prepares each object", &surface.prepare);
    part(out, dialect, "reads before each probe", &surface.before);
    let probes = match expectation {
        Some(Expectation::Challenged) => {
            "performs it without a proof, with a wrong one, with a valid one, and with that again"
        }
        Some(Expectation::Unchallenged) | None => "performs it without a proof",
    };
    part(out, dialect, probes, &surface.perform);
    read_back(out, surface);
}

fn read_back(out: &mut String, surface: &Surface) {
    if !surface.effect.is_empty() {
        let _ = writeln!(out, "  reads the effect back");
    }
    for fact in &surface.effect {
        sent(out, "    ", &fact.read.request, "");
    }
}

fn acts(out: &mut String, dialect: &Dialect, scenario: &Scenario) {
    for act in &scenario.acts {
        let _ = writeln!(out, "  {}", act.words());
        match act {
            Act::Attempt(attempt) => attempted(out, dialect, attempt),
            Act::AtOnce(race) => race.attempts.iter().for_each(|attempt| attempted(out, dialect, attempt)),
            Act::Run(Errand { routine, .. }) => routine_lines(out, dialect, &routine.value),
            Act::Guess(guess) => routine_lines(out, dialect, &guess.routine.value),
            Act::Wait(_) => {}
        }
    }
}

fn attempted(out: &mut String, dialect: &Dialect, attempt: &Attempt) {
    let Some(index) = Scenario::surface(attempt, dialect) else { return };
    let surface = &dialect.surfaces[index];
    for steps in [&surface.prepare, &surface.before] {
        lines(out, dialect, steps, 2, 0);
    }
    match &attempt.through {
        Some(routine) => routine_lines(out, dialect, &routine.value),
        None => lines(out, dialect, &surface.perform, 2, 0),
    }
    for fact in &surface.effect {
        sent(out, "    ", &fact.read.request, "");
    }
}

fn routine_lines(out: &mut String, dialect: &Dialect, name: &str) {
    if let Some(steps) = dialect.routines.get(name) {
        lines(out, dialect, steps, 2, 0);
    }
}

fn part(out: &mut String, dialect: &Dialect, what: &str, steps: &[Step]) {
    if !steps.is_empty() {
        let _ = writeln!(out, "  {what}");
        lines(out, dialect, steps, 2, 0);
    }
}

/// A request, and its body on a line of its own: JSON, or a form by its fields.
fn sent(out: &mut String, space: &str, request: &Request, when: &str) {
    let _ = writeln!(out, "{space}{} {}{when}", request.line.method.name(), request.line.place);
    for (kind, body) in [("json", &request.json), ("form", &request.form)] {
        if let Some(body) = body {
            let _ = writeln!(out, "{space}  {kind} {body}");
        }
    }
}

/// The requests of steps, routines told by their own.
fn lines(out: &mut String, dialect: &Dialect, steps: &[Step], indent: usize, deep: usize) {
    let space = "  ".repeat(indent);
    for step in steps {
        let when = step.when.as_ref().map_or_else(String::new, |when| format!("  (when {when})"));
        let _ = match &step.deed {
            Deed::Request(request) => {
                sent(out, &space, request, &when);
                Ok(())
            }
            Deed::Routine { name, .. } if deep < DEEPEST => {
                let steps = dialect.routines.get(&name.value).map_or(&[][..], Vec::as_slice);
                lines(out, dialect, steps, indent, deep + 1);
                Ok(())
            }
            Deed::Routine { name, .. } => writeln!(out, "{space}{}{when}", name.value),
            Deed::Key(ceremony) => match ceremony.kind {
                CeremonyKind::Register => writeln!(out, "{space}(the security key makes a credential)"),
                CeremonyKind::Assert => writeln!(out, "{space}(the security key signs)"),
            },
            Deed::Browse(page) => match &page.open {
                Some(open) => writeln!(out, "{space}(a browser opens {open}){when}"),
                None => writeln!(out, "{space}(a browser goes on on the page){when}"),
            },
        };
        if !step.undo.is_empty() {
            let _ = writeln!(out, "{space}  undone on a target that lives on:");
            lines(out, dialect, &step.undo, indent + 2, deep + 1);
        }
    }
}
