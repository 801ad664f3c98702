//! The terminal report of an exploration: each deviation as the few steps that a person needs.

use super::paper::{Paper, Tone, clean, wrap};
use crate::explore::{Deviation, Explored};
use crate::judge::Effect;
use crate::report::text::counted;

/// Renders what was found.
pub fn render(explored: &Explored, paper: Paper) -> String {
    let mut out = String::new();
    paper.text(&mut out, &format!("target: {}, seed {}", explored.target, explored.seed));
    let seconds = explored.elapsed_ms.max(1) as f64 / 1_000.0;
    let played = explored.sequences.len();
    let sum = format!(
        "{} explored in {seconds:.1} s; with shrinking, {} steps in {:.1} s",
        counted(played, "sequence"),
        explored.actions,
        seconds + explored.shrinking_ms as f64 / 1_000.0,
    );
    paper.text(&mut out, &sum);
    if !explored.left_out.is_empty() {
        let ids: Vec<&str> = explored.left_out.iter().map(|(id, _)| id.as_str()).collect();
        let why = "no part of the sequences: not there, or known to deviate";
        paper.text(&mut out, &format!("{why}: {}", ids.join(", ")));
    }
    for (number, deviation) in explored.deviations.iter().enumerate() {
        write(&mut out, paper, number + 1, deviation);
    }
    unplayable(&mut out, paper, explored);
    out.push('\n');
    let (tone, sentence) = conclusion(explored);
    for line in wrap(&sentence, paper.width) {
        out.push_str(&paper.paint(tone, &line));
        out.push('\n');
    }
    out
}

fn write(out: &mut String, paper: Paper, number: usize, deviation: &Deviation) {
    let verdicts = deviation.verdicts.iter().map(|verdict| verdict.word()).collect::<Vec<_>>().join(", ");
    out.push_str(&format!("\n{} {number}: ", paper.paint(Tone::Heading, "Deviation")));
    out.push_str(&format!("{}\n", paper.paint(Tone::Bad, &verdicts)));
    let mut found = format!(
        "seed {}, {} made of {}",
        deviation.seed,
        counted(deviation.steps.len(), "step"),
        deviation.found_after
    );
    if deviation.shrinking_cut_short {
        found.push_str("; making them fewer was cut short");
    }
    if deviation.replays == Some(false) {
        found.push_str("; on a registry that has seen nothing else they do not show it: what came before matters");
    }
    paper.field(out, 2, "found", &found);
    for (number, step) in deviation.steps.iter().enumerate() {
        let effect = if step.effect == Effect::None { "" } else { &format!(", effect {}", step.effect.words()) };
        let line = format!("{}: {}{effect}", step.words(), step.answer.words());
        paper.field(out, 2, &format!("{:>2} {}", number + 1, clean(&step.who)), &line);
    }
    if let Some(last) = deviation.steps.last() {
        paper.field(out, 2, "answered", &last.saw);
    }
    paper.field(out, 2, "expected", &format!("step {} {}", deviation.steps.len(), deviation.due));
    paper.field(out, 2, "cites", &deviation.cite);
    for (number, also) in deviation.also.iter().enumerate() {
        paper.field(out, 2, if number == 0 { "also" } else { "" }, also);
    }
    if !deviation.alike.is_empty() {
        let shown: Vec<String> = deviation.alike.iter().take(5).map(u64::to_string).collect();
        let more = deviation.alike.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        paper.field(out, 2, "alike", &format!("seeds {}{more}", shown.join(", ")));
    }
    Paper::verbatim(out, 2, "repeat", &deviation.repeat);
}

/// Why sequences could not be played: a line per reason.
fn unplayable(out: &mut String, paper: Paper, explored: &Explored) {
    let mut reasons: Vec<(&str, u64, usize)> = Vec::new();
    for (seed, reason) in explored.unplayable() {
        match reasons.iter_mut().find(|(known, ..)| *known == reason) {
            Some((.., count)) => *count += 1,
            None => reasons.push((reason, seed, 1)),
        }
    }
    if reasons.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", paper.paint(Tone::Heading, "Sequences that could not be played to their end")));
    for (reason, seed, count) in reasons {
        paper.field(out, 2, &format!("{count} times"), &format!("seed {seed}: {reason}"));
    }
}

fn conclusion(explored: &Explored) -> (Tone, String) {
    let deviating = explored.deviating().count();
    let unplayable = explored.unplayable().count();
    let played = explored.sequences.len();
    let of_all = match &explored.cut_short {
        Some(why) => format!("INCOMPLETE ({why}), {played} of {} sequences: ", explored.wanted),
        None => String::new(),
    };
    match (deviating, unplayable) {
        (0, 0) if explored.cut_short.is_some() => (Tone::Known, format!("{of_all}nothing deviated so far")),
        (0, 0) => (Tone::Good, format!("Held: {}, every step as it must be", counted(played, "sequence"))),
        (0, _) => (
            Tone::Bad,
            format!("{of_all}no step deviated, but {} could not be played", counted(unplayable, "sequence")),
        ),
        (_, _) => {
            let told = counted(explored.deviations.len(), "deviation");
            let untold = if explored.untold > 0 {
                format!(" and {} kinds not looked into", explored.untold)
            } else {
                String::new()
            };
            let told = told + &untold;
            (Tone::Bad, format!("{of_all}Not held: {deviating} of {} deviated; {told}", counted(played, "sequence")))
        }
    }
}
