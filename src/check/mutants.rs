//! The suite, measured: what it finds of each fault that the reference registry can be seeded with.

use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};

use super::faults::{self, Named};
use super::suite::{self, Options, Suite, Unready};
use crate::judge::Verdict;
use crate::registry::{Mutant, Mutants};
use crate::result::{CaseResult, RunResult, Status};

/// The format of the kill matrix.
pub const FORMAT: &str = "stepup/mutants/1";

/// How many faulty registries are measured at once: some spend most of their time in not answering.
const AT_ONCE: usize = 3;

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

    /// The cases that find no fault: redundant, or a fault is missing.
    pub fn idle_cases(&self) -> impl Iterator<Item = &String> {
        let found = |case: &String| self.mutants.iter().any(|row| row.killers().any(|by| by.case == *case));
        self.cases.iter().filter(move |case| !found(case))
    }
}

/// Runs the cases against the registry without a fault and with each, and tells of each as it ends.
pub async fn measure(cases: &[String], seed: u64, mut ended: impl FnMut(&Row)) -> Result<Matrix, Unready> {
    let sound = run(cases, seed, Mutants::none()).await?;
    let mut matrix = Matrix {
        format: FORMAT.to_owned(),
        tool: sound.tool.clone(),
        seed,
        cases: sound.cases.iter().map(|case| case.id.clone()).collect(),
        false_alarms: findings(&sound),
        mutants: Vec::new(),
    };
    let all: Vec<String> = suite::carried()?.into_iter().map(|case| case.id).collect();
    let mut named = faults::named(&all)?;
    let measured = Mutant::ALL.iter().map(|&mutant| {
        let mut named = named.remove(mutant.name()).unwrap_or_default();
        named.retain(|named| matrix.cases.contains(&named.case));
        let alone: Vec<String> = named.iter().filter(|named| named.alone).map(|named| named.case.clone()).collect();
        async move {
            let cases = if alone.is_empty() { cases } else { &alone };
            let found_by = findings(&run(cases, seed, mutant.into()).await?);
            let (mutant, about) = (mutant.name().to_owned(), mutant.about().to_owned());
            Ok::<_, Unready>(Row { mutant, about, named, found_by })
        }
    });
    let measured: Vec<_> = measured.collect();
    let mut rows = stream::iter(measured).buffered(AT_ONCE);
    while let Some(row) = rows.next().await {
        let row = row?;
        ended(&row);
        matrix.mutants.push(row);
    }
    drop(rows);
    Ok(matrix)
}

async fn run(cases: &[String], seed: u64, mutants: Mutants) -> Result<RunResult, Unready> {
    // Cases that a fault leaves without an answer wait for their time-out side by side.
    let options = Options { cases: cases.to_vec(), seed, jobs: 64, mutants, ..Options::default() };
    // The embedded registry is thrown away, so there is no journal to be written.
    let session = Suite::new(options)?.begin(std::path::Path::new("")).await?;
    Ok(session.run(|_| {}).await)
}

fn findings(result: &RunResult) -> Vec<Finding> {
    let failed = result.cases.iter().filter(|case| matches!(case.status, Status::Fail | Status::Error));
    let finding = |case: &CaseResult| {
        let (verdict, also) = case.verdicts.split_first()?;
        Some(Finding { case: case.id.clone(), verdict: *verdict, also: also.to_vec() })
    };
    failed.filter_map(finding).collect()
}
