//! The matrix of generic faults in words: a line per operator, and what was missed or named by another verdict.

use std::fmt::Write as _;

use crate::check::operators::{Cell, Matrix, Operator, Outcome};

/// Renders the matrix as Markdown, which reads as plain text as well.
pub fn render(matrix: &Matrix) -> String {
    let mut out = String::new();
    let count = |outcome| matrix.with(outcome).count();
    let _ = writeln!(
        out,
        "# Generic faults\n\nA relay before the sound reference registry goes wrong at the request that decides about an \
         action. The expected verdict follows from what the relay does and from nothing else. {} pairs of a fault and a \
         surface, with one-time passwords over the wire, seed {}: {} found, {} found by another verdict, {} missed, {} \
         without an occasion.\n",
        matrix.cells.len(),
        matrix.seed,
        count(Outcome::Found),
        count(Outcome::Misnamed),
        count(Outcome::Missed),
        count(Outcome::NoOccasion),
    );
    out.push_str("| fault | what the relay does | expected | surfaces | found | otherwise | missed | no occasion |\n");
    out.push_str("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |\n");
    for operator in Operator::ALL {
        let of = |outcome| matrix.with(outcome).filter(|cell| cell.operator == operator).count();
        let expected: Vec<&str> = operator.expected().iter().map(|verdict| verdict.word()).collect();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            operator.name(),
            operator.about(),
            expected.join(" or "),
            matrix.cells.iter().filter(|cell| cell.operator == operator).count(),
            of(Outcome::Found),
            of(Outcome::Misnamed),
            of(Outcome::Missed),
            of(Outcome::NoOccasion),
        );
    }
    list(&mut out, "Missed", matrix.with(Outcome::Missed));
    list(&mut out, "Found by another verdict", matrix.with(Outcome::Misnamed));
    list(&mut out, "Without an occasion", matrix.with(Outcome::NoOccasion));
    out
}

fn list<'a>(out: &mut String, title: &str, cells: impl Iterator<Item = &'a Cell>) {
    let mut cells = cells.peekable();
    if cells.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "\n## {title}\n");
    for cell in cells {
        let said: Vec<String> = cell.found_by.iter().map(|by| format!("{} ({})", by.case, by.verdict)).collect();
        let said = if said.is_empty() { String::new() } else { format!(": {}", said.join(", ")) };
        let _ = writeln!(out, "- {} on {}{said}", cell.operator.name(), cell.surface);
    }
}
