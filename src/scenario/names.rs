//! The names in a scenario: each is of something that the dialect has, or that an earlier act has made.

use super::key::Fetch;
use super::{Act, Attempt, COMPANION, Must, Proof, Scenario};
use crate::dialect::{Dialect, Surface};
use crate::source::Source;
use crate::yaml::{self, FileError, Spanned};

/// Everything that can be named so far.
struct Known<'a> {
    source: &'a Source,
    dialect: &'a Dialect,
    routines: Vec<&'a str>,
    proofs: Vec<String>,
    tokens: Vec<String>,
    wrong: Vec<FileError>,
}

/// Checks every name of a scenario, in the order of its acts. Returns what is wrong with them.
pub(super) fn check(scenario: &Scenario, source: &Source, dialect: &Dialect) -> Vec<FileError> {
    let routines = dialect.routines.keys().chain(&dialect.undescribed).map(String::as_str).collect();
    // With a cast nobody has enrolled before, and there is no companion.
    let own = |name: &str| if scenario.cast.is_empty() { vec![name.to_owned()] } else { vec![] };
    let (proofs, tokens) = (own("enrolment"), own(COMPANION));
    let mut known = Known { source, dialect, routines, proofs, tokens, wrong: Vec::new() };
    for act in &scenario.acts {
        match act {
            Act::Attempt(attempt) if attempt.must == Must::SucceedOnce => {
                known.blame(&attempt.perform, "`succeed-once` is for attempts `at-once`".to_owned(), None);
            }
            Act::Attempt(attempt) => known.attempt(attempt),
            Act::AtOnce(race) => race.attempts.iter().for_each(|attempt| known.attempt(attempt)),
            Act::Wait(_) => {}
            Act::Run(run) => {
                known.routine(&run.routine);
                known.token(run.with.as_ref());
                known.tokens.extend(run.name.clone());
                known.proofs.extend(run.name.clone());
            }
            Act::Guess(guess) => known.routine(&guess.routine),
        }
    }
    known.wrong
}

impl Known<'_> {
    fn blame(&mut self, at: &Spanned<String>, message: String, hint: Option<String>) {
        self.wrong.push(self.source.wrong(at, message, hint));
    }

    fn attempt(&mut self, attempt: &Attempt) {
        if let Proof::Again(name) | Proof::Kept(name) = &attempt.proof
            && !self.proofs.contains(name)
        {
            let hint = Some(yaml::allowed(name, &self.proofs));
            self.blame(&attempt.perform, format!("no earlier attempt has `as: {name}`"), hint);
        }
        if let Proof::Fetched(Fetch::By(name) | Fetch::Seeing(name)) = &attempt.proof
            && !self.routines.contains(&name.as_str())
        {
            let hint = Some(yaml::allowed(name, &self.routines));
            self.blame(&attempt.perform, format!("no routine `{name}`"), hint);
        }
        self.proofs.extend(attempt.name.clone());
        if Scenario::surface(attempt, self.dialect).is_none() {
            let ids: Vec<String> = self.dialect.surfaces.iter().map(Surface::id).collect();
            let hint = Some(yaml::allowed(&attempt.perform.value, &ids));
            self.blame(&attempt.perform, format!("`{}` is no surface", attempt.perform.value), hint);
        }
        attempt.given.iter().chain(&attempt.through).for_each(|name| self.routine(name));
        self.token(attempt.with.as_ref());
    }

    fn routine(&mut self, name: &Spanned<String>) {
        if !self.routines.contains(&name.value.as_str()) {
            let hint = Some(yaml::allowed(&name.value, &self.routines));
            self.blame(name, format!("no routine `{}`", name.value), hint);
        }
    }

    fn token(&mut self, name: Option<&Spanned<String>>) {
        if let Some(name) = name.filter(|name| !self.tokens.contains(&name.value)) {
            let hint = match self.tokens.as_slice() {
                [] => "a routine keeps one with `run: …, as: NAME`".to_owned(),
                kept => yaml::allowed(&name.value, kept),
            };
            self.blame(name, format!("no earlier routine has `as: {}`", name.value), Some(hint));
        }
    }
}
