//! What the check writes down: cases and probes as the result document has them.

use super::Run;
use super::late::Undone;
use super::plan::{Case, Script};
use super::scene::Ended;
use super::stop::Cause;
use super::suite::TABLE;
use crate::built_in;
use crate::dialect::Undriven;
use crate::judge::{Effect, Expectation, Outcome, Verdict, worst_first};
use crate::persona::key::Maker;
use crate::persona::ledger::Skew;
use crate::persona::totp::PERIOD;
use crate::result::{Answered, CaseResult, Look, NotRun, Place, Probe, Status, quoted};
use crate::table::Factor;
use crate::wire::Exchange;

/// What is said of a probe whose object was there in the end.
const FOUND_BY_UNDOING: &str = "; the effect came later, and was found when it was looked for to be undone";

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
        repeat.extend(run.stage.wire.limits().command.options());
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
            expectation: case.expectation(),
            capabilities: case.capabilities(&run.stage.dialect),
            expected,
            observed: String::new(),
            statements: Vec::new(),
            cites: case.cites.clone(),
            known: None,
            situation: case.seat.as_ref().map(|seat| seat.situation),
            session: None,
            probes: Vec::new(),
            earlier: Vec::new(),
            unsettled: None,
            repeat: repeat.join(" "),
            not_run: None,
            timing: None,
            left: Vec::new(),
            source: source(case, run),
        }
    }

    /// Ends it without a verdict, for the run ends early.
    pub(super) fn left_out_by(self, cause: Cause, saw: String) -> Self {
        let not_run = Some(match cause {
            Cause::Interrupted => NotRun::Interrupted,
            Cause::Budget(_) => NotRun::Budget,
        });
        CaseResult { not_run, ..self.ended(Status::Skipped, vec![], saw) }
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

    /// This case, whose objects of these numbers were there when they were looked for to be undone. Those of probes that
    /// were not let through were made all the same, after they had been read.
    #[must_use]
    pub(super) fn reopened(self, undone: &[Undone], there: &[usize]) -> Self {
        let late: Vec<&Undone> = undone.iter().filter(|probe| there.contains(&probe.at)).collect();
        let mut reopened = self;
        for probe in &late {
            if let Some(probe) = reopened.probes.get_mut(probe.probe).filter(|probe| !probe.effect.leaked()) {
                probe.effect = Effect::Applied;
                probe.outcome.push_str(FOUND_BY_UNDOING);
            }
        }
        let shown: Vec<Verdict> = late.iter().map(|probe| probe.verdict).collect();
        if shown.iter().all(|verdict| reopened.verdicts.contains(verdict)) {
            return reopened;
        }
        let verdicts = worst_first([shown, std::mem::take(&mut reopened.verdicts)].concat());
        let observed = reopened.observed.clone();
        reopened.ended(Status::of(&verdicts), verdicts, observed)
    }

    /// The end of a case that nothing was asked for, because it cannot be driven.
    #[must_use]
    pub fn undriven(self, why: &Undriven) -> Self {
        let verdict = match why {
            Undriven::Missing(_) => Verdict::Unsupported,
            Undriven::NotDescribed(_) => Verdict::NotDescribed,
        };
        self.ended(Status::of(&[verdict]), vec![verdict], why.to_string())
    }

    /// The end of a case whose second factor the target was seen not to have, by an answer to its enrolment.
    #[must_use]
    pub fn without_its_factor(mut self, look: &Look) -> Self {
        let saw = format!("the registry has no such second factor: {}", look.absent().unwrap_or_default());
        if let Some(route) = &look.route {
            let ended = Ended { outcome: Outcome::NotImplemented, saw: saw.clone() };
            self.probes.push(Probe { route: Some(route.clone()), ..Probe::set_up(&ended, Vec::new()) });
        }
        self.ended(Status::Unsupported, vec![Verdict::Unsupported], saw)
    }

    /// The case's end.
    #[must_use]
    pub fn ended(mut self, status: Status, verdicts: Vec<Verdict>, observed: String) -> Self {
        self.status = status;
        self.verdicts = verdicts;
        let probes = self
            .probes
            .iter()
            .map(|probe| format!("{}: {}, effect {}", probe.name, probe.outcome, probe.effect_words()));
        self.observed = match (self.probes.len(), status) {
            (0, _) | (_, Status::Skipped) => observed,
            (_, _) => probes.collect::<Vec<_>>().join("; "),
        };
        self
    }
}

/// What an answer says to people, after its status: its `error` or `message`, or else the first line of its text.
pub(super) fn said(exchange: &Exchange) -> Option<String> {
    const MOST: usize = 300;
    let (status, body) = (exchange.status?, exchange.answer_body.as_deref().unwrap_or_default());
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let told = json
        .as_ref()
        .and_then(|json| ["/error", "/message", "/reason"].iter().find_map(|pointer| json.pointer(pointer)?.as_str()));
    let words: String = told.or_else(|| body.lines().next()).unwrap_or_default().trim().chars().take(MOST).collect();
    Some(if words.is_empty() { status.to_string() } else { format!("{status} \"{words}\"") })
}

/// What to look at first where right codes were refused, or the set-up with them: whether the target's clock is known,
/// and how far it is from this machine's, in milliseconds.
pub(super) fn clock_doubt(result: &CaseResult, offset_ms: i64, skew: Skew) -> Option<String> {
    let codes = [Factor::Totp, Factor::Both].iter().any(|factor| factor.name() == result.factor);
    let refused = |verdict: &Verdict| matches!(verdict, Verdict::RightProofRefused | Verdict::SetUpRefused);
    if !codes || !result.verdicts.first().is_some_and(refused) {
        return None;
    }
    let widest = (skew.behind.max(skew.ahead) + 1) * PERIOD * 1_000;
    let mut answers = result.probes.iter().flat_map(|probe| &probe.exchanges).filter(|one| one.status.is_some());
    let dated = |one: &Exchange| one.answer_headers.iter().any(|(name, _)| name == "date");
    if offset_ms.abs() > widest {
        let seconds = offset_ms.abs() / 1_000;
        let which = if offset_ms > 0 { "ahead of" } else { "behind" };
        return Some(format!(
            "the target's `date` is {seconds} s {which} this machine's clock, and codes were made for it: where it is not \
             the clock that codes are verified by, every right one is refused"
        ));
    }
    (!answers.any(dated)).then(|| {
        "the target's answers have no `date`, so codes were made for this machine's clock: where the target's differs by \
         more than it accepts, every right one is refused"
            .to_owned()
    })
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
            effect_detail: None,
            exchanges,
            route: None,
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
