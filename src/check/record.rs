//! What the check writes down: cases and probes as the result document has them.

use super::Run;
use super::plan::{Case, Script};
use super::scene::Ended;
use super::suite::TABLE;
use crate::built_in;
use crate::judge::{Effect, Expectation, Outcome, Verdict};
use crate::persona::key::Maker;
use crate::result::{Answered, CaseResult, Place, Probe, Status, quoted};
use crate::wire::Exchange;

impl CaseResult {
    /// A case that has not ended yet.
    pub fn new(case: &Case, run: &Run) -> Self {
        let (action, surface, expected) = match &case.script {
            Script::Row { surface, expectation } => {
                let surface = &run.stage.dialect.surfaces[*surface];
                (surface.action.clone(), surface.surface.clone(), expected(*expectation).to_owned())
            }
            Script::Scenario(scenario) => (scenario.id.clone(), None, scenario.rule.clone()),
        };
        let mut repeat = vec!["stepup check".to_owned()];
        if run.target != "embedded" {
            repeat.push(format!("--target {}", quoted(&run.target)));
        }
        // The users of a cast begin without a factor, and register keys on the way.
        let has_cast = matches!(&case.script, Script::Scenario(scenario) if !scenario.cast.is_empty());
        let may_have_key = case.factor.has_key() || has_cast;
        if run.stage.dialect.in_browser && may_have_key {
            repeat.push("--pages browser".to_owned());
        } else if run.stage.maker != Maker::default() && may_have_key {
            repeat.push(format!("--authenticator {}", run.stage.maker.name()));
        }
        repeat.extend(case.seat.as_ref().map(|seat| format!("--client {}", quoted(&seat.named))));
        repeat.extend(run.mutants.iter().map(|mutant| format!("--mutant {mutant}")));
        if let Script::Scenario(scenario) = &case.script
            && let Some(file) = &scenario.file
        {
            repeat.push(format!("--scenario {}", quoted(&file.display().to_string())));
        }
        repeat.push(format!("--case '{}' --seed {}", case.id, run.seed));
        CaseResult {
            id: case.id.clone(),
            action,
            surface,
            standing: case.standing,
            label: case.label.clone(),
            command: case.command.clone(),
            mode: case.mode.name().to_owned(),
            factor: case.factor.name().to_owned(),
            client: case.seat.as_ref().map_or("wire", |seat| seat.client.name.as_str()).to_owned(),
            level: case.level,
            status: Status::Error,
            verdicts: Vec::new(),
            expected,
            observed: String::new(),
            statements: Vec::new(),
            cites: case.cites.clone(),
            known: None,
            situation: case.seat.as_ref().map(|seat| seat.situation),
            session: None,
            probes: Vec::new(),
            earlier: Vec::new(),
            repeat: repeat.join(" "),
            left: Vec::new(),
            source: source(case, run),
        }
    }

    /// Keeps what the case states beside its verdict, and puts it before what was seen.
    pub fn state(&mut self, statements: &[String]) {
        self.statements = statements.to_vec();
        if !statements.is_empty() {
            let seen = std::mem::take(&mut self.observed);
            let all: Vec<&str> = statements
                .iter()
                .map(String::as_str)
                .chain(Some(seen.as_str()).filter(|seen| !seen.is_empty()))
                .collect();
            self.observed = all.join("; ");
        }
    }

    /// The case's end.
    #[must_use]
    pub fn ended(mut self, status: Status, verdicts: Vec<Verdict>, observed: String) -> Self {
        self.status = status;
        self.verdicts = verdicts;
        let probes = self
            .probes
            .iter()
            .map(|probe| format!("{}: {}, effect {}", probe.name, probe.outcome, probe.effect.words()));
        self.observed = match (self.probes.len(), status) {
            (0, _) | (_, Status::Skipped) => observed,
            (_, _) => probes.collect::<Vec<_>>().join("; "),
        };
        self
    }
}

/// The line of the table, or the file of the scenario, that says what must hold.
fn source(case: &Case, run: &Run) -> Option<Place> {
    match &case.script {
        Script::Row { surface, .. } => {
            let action = &run.stage.dialect.surfaces[*surface].action;
            let line = line_of(built_in::text(TABLE)?, case.mode.name(), action)?;
            Some(Place { file: TABLE.to_owned(), line })
        }
        Script::Scenario(scenario) => {
            let own = scenario.file.as_ref().map(|file| file.display().to_string());
            let file = own.unwrap_or_else(|| format!("scenarios/{}.yaml", scenario.id));
            Some(Place { file, line: 1 })
        }
    }
}

/// The line of the table's file that names an action: in the section of the mode, or in the first that has it.
fn line_of(table: &str, mode: &str, action: &str) -> Option<usize> {
    let names = |line: &str| {
        let named = line.split_once("action: ").map(|(_, rest)| rest);
        named.is_some_and(|rest| rest.split([',', ' ', '\n']).next() == Some(action))
    };
    let of_mode = table.lines().position(|line| line == format!("{mode}:"));
    let in_section = of_mode.and_then(|start| {
        let rows = table.lines().enumerate().skip(start + 1);
        rows.take_while(|(_, line)| line.starts_with(' ')).find(|(_, line)| names(line))
    });
    let (at, _) = in_section.or_else(|| table.lines().enumerate().find(|(_, line)| names(line)))?;
    Some(at + 1)
}

fn expected(expectation: Option<Expectation>) -> &'static str {
    match expectation {
        Some(Expectation::Challenged) => {
            "challenged before any effect; a wrong and a spent proof refused; a valid proof accepted, once"
        }
        Some(Expectation::Unchallenged) => "succeeds without a second factor",
        None => "observed only",
    }
}

impl From<&Outcome> for Answered {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Accepted => Answered::Accepted,
            Outcome::Challenged { .. } => Answered::Challenged,
            Outcome::Refused => Answered::Refused,
            Outcome::NotImplemented => Answered::NotImplemented,
            Outcome::Throttled => Answered::Throttled,
            Outcome::Failed => Answered::Failed,
        }
    }
}

impl Probe {
    /// A probe's record.
    pub fn new(name: &str, proof: &str, ended: &Ended, effect: Effect, exchanges: Vec<Exchange>) -> Self {
        let shape = match &ended.outcome {
            Outcome::Challenged { flaw, .. } => flaw.clone(),
            _ => None,
        };
        Probe {
            name: name.to_owned(),
            challenged: matches!(ended.outcome, Outcome::Challenged { .. }),
            shape,
            proof: proof.to_owned(),
            answer: Answered::from(&ended.outcome),
            outcome: ended.saw.clone(),
            effect,
            exchanges,
        }
    }

    /// The record of a set-up.
    pub fn set_up(ended: &Ended, exchanges: Vec<Exchange>) -> Self {
        Probe::new("set-up", "none", ended, Effect::None, exchanges)
    }

    /// The record of a mistake on our side.
    pub fn mistake(mistake: &str, exchanges: Vec<Exchange>) -> Self {
        let ended = Ended { outcome: Outcome::Failed, saw: mistake.to_owned() };
        Probe::set_up(&ended, exchanges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::suite;

    #[test]
    fn every_row_of_the_table_is_found_in_its_file() {
        let text = built_in::text(TABLE).expect("the table");
        let table = suite::table().expect("the table");
        for action in table.actions() {
            for mode in ["disabled", "auth-only", "auth-and-writes"] {
                let line = line_of(text, mode, action).and_then(|line| text.lines().nth(line - 1));
                assert!(line.is_some_and(|line| line.contains(&format!("action: {action}"))), "{mode} {action}");
            }
        }
        let of = |mode| line_of(text, mode, "login").expect("a line");
        assert!(of("auth-only") > of("auth-and-writes") && of("disabled") == of("auth-and-writes"));
    }
}
