//! The names in a scenario: each is of something that the dialect has, or that an earlier act has made.

use super::key::Fetch;
use super::{Act, Attempt, BASIC, COMPANION, Errand, Must, Proof, Scenario};
use crate::dialect::{Dialect, LeavesAccount, Surface};
use crate::source::Source;
use crate::table::Mode;
use crate::yaml::{self, FileError, Spanned};

/// Everything that can be named so far.
struct Known<'a> {
    source: &'a Source,
    dialect: &'a Dialect,
    routines: Vec<&'a str>,
    proofs: Vec<String>,
    tokens: Vec<String>,
    /// The mode in which a user of the cast enrolled last, where nothing since may have changed it.
    modes: Vec<(&'a str, Mode)>,
    wrong: Vec<FileError>,
}

/// Checks every name of a scenario, in the order of its acts. Returns what is wrong with them.
pub(super) fn check<'a>(scenario: &'a Scenario, source: &'a Source, dialect: &'a Dialect) -> Vec<FileError> {
    let routines = dialect.routines.keys().chain(&dialect.undescribed).map(String::as_str).collect();
    // With a cast nobody has enrolled before, and there is no companion.
    let own = |name: &str| if scenario.cast.is_empty() { vec![name.to_owned()] } else { vec![] };
    let (proofs, tokens) = (own("enrolment"), own(COMPANION));
    let mut known = Known { source, dialect, routines, proofs, tokens, modes: Vec::new(), wrong: Vec::new() };
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
                known.enrolled(run);
                known.token(run.with.as_ref());
                known.tokens.extend(run.name.clone());
                known.proofs.extend(run.name.clone());
            }
            Act::Guess(guess) => known.routine(&guess.routine),
        }
    }
    known.wrong
}

impl<'a> Known<'a> {
    fn blame(&mut self, at: &Spanned<String>, message: String, hint: Option<String>) {
        self.wrong.push(self.source.wrong(at, message, hint));
    }

    /// Of what a routine makes of its user's mode this much is known.
    fn enrolled(&mut self, run: &'a Errand) {
        let Some(by) = &run.part.by else { return };
        self.modes.retain(|(name, _)| *name != by.value);
        if let Some(mode) = run.part.mode.filter(|_| run.routine.value == "enrol") {
            self.modes.push((&by.value, mode));
        }
    }

    /// An attempt is judged by the mode that it names, so that must be the one that its user is in.
    fn mode_of(&mut self, attempt: &'a Attempt) {
        let Some(by) = &attempt.part.by else { return };
        let known = self.modes.iter().find(|(name, _)| *name == by.value).map(|(_, mode)| *mode);
        if let (Some(said), Some(known)) = (attempt.part.mode, known)
            && said != known
        {
            let message = format!("`{}` is in mode `{}` by then, not in `{}`", by.value, known.name(), said.name());
            self.blame(by, message, Some("an act that changes the mode comes first".to_owned()));
        }
        let surface = Scenario::surface(attempt, self.dialect).map(|at| self.dialect.surfaces[at].leaves_account);
        if surface != Some(LeavesAccount::AsItWas) || attempt.through.is_some() {
            self.modes.retain(|(name, _)| *name != by.value);
        }
    }

    fn attempt(&mut self, attempt: &'a Attempt) {
        self.mode_of(attempt);
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
        if let Proof::Fetched(fetch) = &attempt.proof
            && let Some(at) = Scenario::surface(attempt, self.dialect)
        {
            let on_page = self.dialect.asks_on_page(&self.dialect.surfaces[at].perform);
            let of_pages =
                matches!(fetch, Fetch::Twice | Fetch::After(_) | Fetch::AtOnce(_) | Fetch::Seeing(_) | Fetch::At(_));
            if on_page && !of_pages {
                let message = "what a log-in's own page has made is fetched `twice`, `after` some steps, `at-once`, \
                               `seeing` a routine, or `at` another address";
                self.blame(&attempt.perform, message.to_owned(), None);
            }
            if let Fetch::At(name) = fetch
                && !self.tokens.contains(name)
            {
                let hint = Some(yaml::allowed(name, &self.tokens));
                self.blame(&attempt.perform, format!("no earlier routine has `as: {name}`"), hint);
            }
        }
        attempt.given.iter().chain(&attempt.through).for_each(|name| self.routine(name));
        if let Some(client) = &attempt.as_client
            && !self.dialect.clients.contains_key(&client.value)
        {
            let known: Vec<&String> = self.dialect.clients.keys().collect();
            let hint = Some(yaml::allowed(&client.value, &known));
            self.blame(client, format!("the dialect has no client `{}`", client.value), hint);
        }
        self.token(attempt.with.as_ref().filter(|with| with.value != BASIC));
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
