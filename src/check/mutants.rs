//! The suite, measured: what it finds of each fault that the reference registry can be seeded with.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};

use super::Preflight;
use super::faults::{self, Named};
use super::plan::{Case, Script};
use super::session::Session;
use super::suite::{self, Options, Suite, Unready};
use crate::judge::Verdict;
use crate::registry::{Mutant, Mutants};
use crate::result::{CaseResult, RunResult, Status};

/// The format of the kill matrix.
pub const FORMAT: &str = "stepup/mutants/1";

/// How many faulty registries are measured at once: some spend most of their time in not answering.
const AT_ONCE: usize = 4;

/// Which cases find which faults.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Matrix {
    /// Always [`FORMAT`].
    pub format: String,
    /// The program and its version.
    pub tool: String,
    /// The seed.
    pub seed: u64,
    /// The judged cases, by id.
    pub cases: Vec<String>,
    /// What was found on the registry without a fault: nothing, or the suite is wrong.
    pub false_alarms: Vec<Finding>,
    /// The faults.
    pub mutants: Vec<Row>,
}

/// What was found of one fault.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Row {
    /// The fault.
    pub mutant: String,
    /// What is wrong.
    pub about: String,
    /// The cases, among those that were run, that must find it.
    #[serde(default)]
    pub named: Vec<Named>,
    /// How many cases were played against it: those that can meet it, unless every one was asked for.
    pub played: usize,
    /// The cases that did not hold, or could not be judged.
    pub found_by: Vec<Finding>,
}

/// A case that did not hold, or could not be judged.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Finding {
    /// The case's id.
    pub case: String,
    /// Its worst verdict.
    pub verdict: Verdict,
    /// Its other verdicts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Verdict>,
}

impl Finding {
    /// Whether it tells what is wrong, and not only that something could not be judged.
    pub fn tells(&self) -> bool {
        !matches!(self.verdict, Verdict::Throttled | Verdict::TargetFailed | Verdict::HarnessError)
    }
}

impl Row {
    /// The cases that must find the fault by a verdict and do not.
    pub fn missed(&self) -> impl Iterator<Item = &Named> {
        self.named.iter().filter(|named| {
            !self
                .found_by
                .iter()
                .any(|by| by.case == named.case && (by.verdict == named.verdict || by.also.contains(&named.verdict)))
        })
    }

    /// The cases that find the fault: by a verdict that tells what is wrong, or by one that is named for it. That a case
    /// could not be judged finds nothing.
    pub fn killers(&self) -> impl Iterator<Item = &Finding> {
        let named =
            |by: &Finding| self.named.iter().any(|named| (&named.case, named.verdict) == (&by.case, by.verdict));
        self.found_by.iter().filter(move |by| by.tells() || named(by))
    }

    /// How many cases could not be judged.
    pub fn unjudged(&self) -> usize {
        self.found_by.len() - self.killers().count()
    }
}

impl Matrix {
    /// The faults that no case finds.
    pub fn survivors(&self) -> impl Iterator<Item = &Row> {
        self.mutants.iter().filter(|row| row.killers().next().is_none())
    }

    /// The faults that no case is named for.
    pub fn unnamed(&self) -> impl Iterator<Item = &Row> {
        self.mutants.iter().filter(|row| row.named.is_empty())
    }

    /// Whether every fault is found by the cases that are named for it, and nothing else is.
    pub fn holds(&self) -> bool {
        self.false_alarms.is_empty()
            && self.survivors().next().is_none()
            && self.mutants.iter().all(|row| row.missed().next().is_none())
    }

    /// Whether every fault was measured.
    pub fn is_whole(&self) -> bool {
        self.mutants.len() == Mutant::ALL.len()
    }

    /// The cases that find no fault: redundant, or a fault is missing.
    pub fn idle_cases(&self) -> impl Iterator<Item = &String> {
        let found = |case: &String| self.mutants.iter().any(|row| row.killers().any(|by| by.case == *case));
        self.cases.iter().filter(move |case| !found(case))
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// Only the cases whose id one of these globs matches; all when there is none.
    pub cases: &'a [String],
    /// Only these faults; all when there is none.
    pub faults: &'a [Mutant],
    /// The seed.
    pub seed: u64,
    /// Whether every case is played against each fault, those that cannot meet it as well.
    pub every_case: bool,
}

/// The cases that can meet each fault.
type Reach = BTreeMap<Mutant, Vec<String>>;

/// Runs the cases against the registry without a fault and with each, and tells of each as it ends.
///
/// Against a fault only those cases are played that can meet it: whose requests, on the registry without a fault, come to
/// where the fault's switch is read, and those that are named for it; against a fault of races, those that race. To the others a registry with the fault is one
/// without. Where a fault shows before the first case, everything is played.
pub async fn measure(measured: Measured<'_>, mut ended: impl FnMut(&Row)) -> Result<Matrix, Unready> {
    let Measured { cases, seed, .. } = measured;
    let (mutants, reached) = Mutants::watched();
    let session = begin(cases, seed, mutants).await?;
    let sound = session.preflight().clone();
    let races = |case: &&Case| matches!(&case.script, Script::Scenario(scenario) if scenario.races());
    let racing: Vec<String> = session.cases().iter().filter(races).map(|case| case.id.clone()).collect();
    let every: Vec<String> = session.cases().iter().map(|case| case.id.clone()).collect();
    let mut reach = Reach::new();
    if !measured.every_case {
        for (number, case) in session.cases().iter().enumerate() {
            reached.take();
            session.play(number).await;
            for mutant in reached.take() {
                reach.entry(mutant).or_default().push(case.id.clone());
            }
        }
    }
    let without = begin(cases, seed, Mutants::none()).await?.run(|_| {}).await;
    let mut matrix = Matrix {
        format: FORMAT.to_owned(),
        tool: without.tool.clone(),
        seed,
        cases: without.cases.iter().map(|case| case.id.clone()).collect(),
        false_alarms: findings(&without),
        mutants: Vec::new(),
    };
    let all: Vec<String> = suite::carried()?.into_iter().map(|case| case.id).collect();
    let mut named = faults::named(&all)?;
    let wanted = |mutant: &Mutant| measured.faults.is_empty() || measured.faults.contains(mutant);
    let rows = Mutant::ALL.iter().copied().filter(wanted).map(|mutant| {
        let mut named = named.remove(mutant.name()).unwrap_or_default();
        named.retain(|named| matrix.cases.contains(&named.case));
        let reaching = match mutant.is_race() {
            // Whether requests meet under way is for the moment to say, and not for one run without the fault.
            true => racing.clone(),
            false => reach.remove(&mutant).unwrap_or_default(),
        };
        let (sound, every) = (&sound, every.as_slice());
        async move {
            let alone: Vec<String> = named.iter().filter(|named| named.alone).map(|named| named.case.clone()).collect();
            let meeting = named.iter().map(|named| named.case.clone()).chain(reaching);
            let played = match alone.is_empty() {
                false => found(&alone, seed, mutant, None).await?,
                true if measured.every_case => found(every, seed, mutant, None).await?,
                true => {
                    let meeting: Vec<String> = meeting.collect::<BTreeSet<_>>().into_iter().collect();
                    found(&meeting, seed, mutant, Some((sound, every))).await?
                }
            };
            let (mutant, about) = (mutant.name().to_owned(), mutant.about().to_owned());
            Ok::<_, Unready>(Row { mutant, about, named, played: played.0, found_by: played.1 })
        }
    });
    let rows: Vec<_> = rows.collect();
    let mut rows = stream::iter(rows).buffer_unordered(AT_ONCE);
    while let Some(row) = rows.next().await {
        let row = row?;
        ended(&row);
        matrix.mutants.push(row);
    }
    drop(rows);
    let place = |row: &Row| Mutant::ALL.iter().position(|mutant| mutant.name() == row.mutant);
    matrix.mutants.sort_by_key(place);
    Ok(matrix)
}

/// How many cases were played against a fault, and what was found. Where the fault shows before the first of them,
/// `otherwise` has what is known of a registry without one, and the cases that are played then.
async fn found(
    cases: &[String],
    seed: u64,
    mutant: Mutant,
    otherwise: Option<(&Preflight, &[String])>,
) -> Result<(usize, Vec<Finding>), Unready> {
    // Where no case can meet it, it may show before the first one all the same.
    let first = if cases.is_empty() { otherwise.map_or(cases, |(_, every)| every) } else { cases };
    let mut session = begin(first, seed, mutant.into()).await?;
    if let Some((sound, every)) = otherwise
        && session.preflight() != sound
    {
        session = begin(every, seed, mutant.into()).await?;
    } else if cases.is_empty() {
        return Ok((0, Vec::new()));
    }
    let result = session.run(|_| {}).await;
    Ok((session.len(), findings(&result)))
}

async fn begin(cases: &[String], seed: u64, mutants: Mutants) -> Result<Session, Unready> {
    // Cases that a fault leaves without an answer wait for their time-out side by side.
    let options = Options { cases: cases.to_vec(), seed, jobs: Some(64), mutants, ..Options::default() };
    // The embedded registry is thrown away, so there is no journal to be written.
    Suite::new(options)?.begin(std::path::Path::new("")).await
}

pub(super) fn findings(result: &RunResult) -> Vec<Finding> {
    let failed = result.cases.iter().filter(|case| matches!(case.status, Status::Fail | Status::Error));
    let finding = |case: &CaseResult| {
        let (verdict, also) = case.verdicts.split_first()?;
        Some(Finding { case: case.id.clone(), verdict: *verdict, also: also.to_vec() })
    };
    failed.filter_map(finding).collect()
}
