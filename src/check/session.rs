//! A run that can begin, and the document that it ends with.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::alone::{Acted, End};
use super::deviations::Applied;
use super::estimate::Estimate;
use super::plan::{self, Case};
use super::scene::Stage;
use super::stop::Cause;
use super::{Preflight, Provisioner, Run, deviations};
use crate::capability::Capability;
use crate::host::Host;
use crate::result::{
    self, CaseResult, Config, FORMAT, NotRun, RunResult, Status, SuiteInfo, Summary, TableInfo, TargetInfo,
};
use crate::scenario::Scenario;
use crate::table::Table;
use crate::target::Deviation;

/// A run that can begin.
#[derive(Debug)]
pub struct Session {
    pub(super) started: Timestamp,
    pub(super) config: Config,
    pub(super) made_of: SuiteInfo,
    pub(super) table: Table,
    pub(super) name: String,
    pub(super) deviations: Vec<Deviation>,
    pub(super) requires: BTreeSet<Capability>,
    pub(super) without_second_factor: bool,
    pub(super) cases: Vec<Case>,
    pub(super) known: Vec<String>,
    pub(super) unverified: bool,
    pub(super) run: Run,
    pub(super) preflight: Preflight,
    pub(super) estimate: Option<Estimate>,
    pub(super) host: Mutex<Host>,
}

impl Session {
    /// Where it plays.
    pub fn stage(&self) -> &Stage {
        &self.run.stage
    }

    /// How many cases there are.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    /// Whether its cases were left to others.
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// The cases.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Plays one of the cases alone, by its number, and says what came of it.
    pub(super) async fn play(&self, number: usize) -> Option<CaseResult> {
        let case = self.cases.get(number)?;
        Some(super::whole(&self.run, number, case, &self.preflight).await)
    }

    /// What is known of the target.
    pub fn preflight(&self) -> &Preflight {
        &self.preflight
    }

    /// How long its cases take, where waiting takes time.
    pub fn estimate(&self) -> Option<&Estimate> {
        self.estimate.as_ref()
    }

    /// Whether users can sign themselves up.
    pub fn makes_users(&self) -> bool {
        matches!(self.run.provisioner, Provisioner::SelfService)
    }

    /// Plays a scenario that is none of its cases, as far as it holds. `number` is one that it has not had before.
    /// It ends before its next act at this moment.
    pub async fn act(&self, scenario: Scenario, number: usize, until: Option<Instant>) -> Acted {
        match plan::scenarios(vec![scenario]).first() {
            Some(case) => super::alone::act(&self.run, case, number, until).await,
            None => Acted { probes: Vec::new(), end: End::Unplayable("the scenario is for no mode".to_owned()) },
        }
    }

    /// Lets the cases under way end and begins no other. Whether it was the first call.
    pub fn interrupt(&self) -> bool {
        self.run.stage.stop.ask(Cause::Interrupted, self.run.stage.clock.now())
    }

    /// What was made is undone: what `stepup cleanup` would need is forgotten.
    pub fn end(&self) {
        if let Some(journal) = &self.run.stage.journal {
            journal.end();
        }
    }

    /// Runs the cases, tells of each as it ends, and makes the result.
    pub async fn run(&self, mut ended: impl FnMut(&CaseResult)) -> RunResult {
        // What a simulated run waits for takes no time.
        let began = self.run.stage.clock.is_real().then(Instant::now);
        let (done, mut results) = mpsc::unbounded_channel();
        let (left, mut numbered) = tokio::join!(super::run(&self.run, &self.cases, &self.preflight, done), async {
            let mut numbered = Vec::with_capacity(self.cases.len());
            while let Some((number, result)) = results.recv().await {
                ended(&result);
                numbered.push((number, result));
            }
            numbered
        });
        self.end();
        numbered.sort_by_key(|(number, _)| *number);
        let result = self.result(left, numbered);
        let timing = began.map(|began| self.run.stage.waits.timing(began.elapsed()));
        RunResult { timing, ..result }
    }

    /// Why the target's file says `second-factor: none` and is wrong, where it does and is.
    fn outdated(&self, judged: &[CaseResult]) -> Option<String> {
        let with_one =
            |case: &&CaseResult| !case.capabilities.is_empty() && matches!(case.status, Status::Pass | Status::Fail);
        let shows = if self.preflight.factors.any_works() {
            "enrolment succeeded".to_owned()
        } else {
            format!("{} was judged with one", judged.iter().find(with_one)?.id)
        };
        let outdated = format!("`second-factor: none` of the target's file is outdated: {shows}");
        self.without_second_factor.then_some(outdated)
    }

    fn result(&self, left: Vec<String>, numbered: Vec<(usize, CaseResult)>) -> RunResult {
        let (mut judged, mut observations) = (Vec::new(), Vec::new());
        for (number, result) in numbered {
            let observed = self.cases.get(number).is_some_and(Case::is_observed);
            if observed { observations.push(result) } else { judged.push(result) }
        }
        let left_out = |result: &CaseResult| result.not_run == Some(NotRun::Budget);
        let budget = self.run.budget.map(|budget| result::Budget {
            seconds: budget.long.as_secs(),
            left: judged.iter().chain(&observations).filter(|result| left_out(result)).count(),
        });
        let today = self.started.to_zoned(jiff::tz::TimeZone::UTC).date();
        let Applied { stale: mut stale_deviations, flaky: flaky_deviations } =
            deviations::apply(&self.deviations, today, &self.known, &mut judged);
        stale_deviations.extend(self.outdated(&judged));
        RunResult {
            format: FORMAT.to_owned(),
            tool: format!("stepup {}", env!("CARGO_PKG_VERSION")),
            target: TargetInfo {
                name: self.name.clone(),
                unverified: self.unverified,
                factors: self.preflight.factors.clone(),
                without_second_factor: self.without_second_factor,
                clock_offset_ms: self.preflight.clock_offset_ms,
                // The host's state is valid between any two statements.
                ended: self.host.lock().unwrap_or_else(PoisonError::into_inner).has_ended(),
            },
            table: TableInfo {
                id: self.table.id.clone(),
                revision: self.table.revision.clone(),
                source: self.table.source.clone(),
            },
            level: self.run.level,
            config: Some(self.config.clone()),
            suite: Some(self.made_of.clone()),
            seed: self.run.seed,
            started: self.started.to_string(),
            finished: Timestamp::now().to_string(),
            complete: !self.run.stage.stop.is_interrupted(),
            summary: Summary::of(&judged, observations.len()),
            requests: self.run.stage.wire.sent(),
            stale_deviations,
            flaky_deviations,
            requires: self.requires.iter().copied().collect(),
            left,
            budget,
            timing: None,
            cases: judged,
            observations,
        }
    }
}
