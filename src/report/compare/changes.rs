//! What has changed between an earlier and a later result.

use globset::GlobMatcher;

use crate::judge::Verdict;
use crate::report::standing::{Ending, verdicts};
use crate::report::tables;
use crate::result::renamed::{RENAMED, today};
use crate::result::{CaseResult, RunResult, Standing, Status};

/// What has become of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It deviates where it did not, or in a way that it did not.
    Deviating,
    /// It deviates as it did, and the target's file does not list that any more.
    Unlisted,
    /// It is not there any more, or not run any more.
    Vanished,
    /// It could be judged and cannot any more.
    Unjudged,
    /// The registry has no such route any more.
    Unsupported,
    /// The target file does not describe it any more.
    NotDescribed,
    /// It deviated and does not any more, or in fewer ways.
    Fixed,
    /// It is new, or can be judged at last.
    Appeared,
    /// It has another id.
    Renamed,
}

impl Kind {
    /// Every one, in the order of attention.
    pub const ALL: [Kind; 9] = [
        Kind::Deviating,
        Kind::Unlisted,
        Kind::Vanished,
        Kind::Unjudged,
        Kind::Unsupported,
        Kind::NotDescribed,
        Kind::Fixed,
        Kind::Appeared,
        Kind::Renamed,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Deviating => "Newly deviating",
            Kind::Unlisted => "No longer listed as known",
            Kind::Vanished => "Vanished",
            Kind::Unjudged => "No longer judged",
            Kind::Unsupported => "Newly unsupported",
            Kind::NotDescribed => "No longer described",
            Kind::Fixed => "Fixed",
            Kind::Appeared => "New, or judged at last",
            Kind::Renamed => "Renamed",
        }
    }
}

/// A case that has changed.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// What has become of it.
    pub kind: Kind,
    /// As it was, where it was there.
    pub before: Option<&'a CaseResult>,
    /// As it is, where it is there.
    pub after: Option<&'a CaseResult>,
    /// Whether it alone makes the later result the worse one.
    pub decides: bool,
    /// Whether it would, were it not among the exceptions that were named.
    pub allowed: bool,
}

impl Change<'_> {
    /// The case's id today.
    pub fn id(&self) -> &str {
        self.after.or(self.before).map_or("", |case| &case.id)
    }

    /// What it showed and what it shows, in words.
    pub fn words(&self) -> String {
        if let (Kind::Renamed, Some(before), Some(after)) = (self.kind, self.before, self.after) {
            return format!("{} → {}", before.id, after.id);
        }
        if self.kind == Kind::Unlisted {
            return format!("{}: listed → not listed", self.after.map(verdicts).unwrap_or_default());
        }
        let side = |case: Option<&CaseResult>| match case {
            None => "not there".to_owned(),
            Some(case) if case.standing == Standing::Observed => tables::observed(case).to_owned(),
            Some(case) if case.status == Status::Skipped => "not run".to_owned(),
            Some(case) => verdicts(case),
        };
        format!("{} → {}", side(self.before), side(self.after))
    }
}

/// Two results of one registry.
#[derive(Debug)]
pub struct Changes<'a> {
    /// The earlier.
    pub before: &'a RunResult,
    /// The later.
    pub after: &'a RunResult,
    /// What has changed, in the order of attention.
    pub changes: Vec<Change<'a>>,
    /// How many cases are in both and the same.
    pub same: usize,
}

impl<'a> Changes<'a> {
    /// What has changed.
    pub fn of(before: &'a RunResult, after: &'a RunResult) -> Self {
        Changes::with(before, after, RENAMED)
    }

    /// What has changed, where these ids were changed in between: the former first.
    pub fn with(before: &'a RunResult, after: &'a RunResult, renamed: &[(&str, &str)]) -> Self {
        let (was, is) = (worst(before), worst(after));
        let same_case = |one: &CaseResult, other: &CaseResult| today(&one.id, renamed) == today(&other.id, renamed);
        let mut pairs: Vec<(Option<&CaseResult>, Option<&CaseResult>)> = Vec::new();
        for case in &was {
            pairs.push((Some(case), is.iter().find(|other| same_case(case, other)).copied()));
        }
        for case in is.iter().filter(|case| !was.iter().any(|other| same_case(case, other))) {
            pairs.push((None, Some(case)));
        }
        let (mut same, mut changes) = (pairs.len(), Vec::new());
        for (before, later) in pairs {
            if before.zip(later).is_some_and(|(before, later)| before.id != later.id) {
                changes.push(Change { kind: Kind::Renamed, before, after: later, decides: false, allowed: false });
            }
            if let Some(kind) = kind(before, later) {
                let decides = match kind {
                    Kind::Deviating | Kind::Unlisted | Kind::Unjudged => later.is_some_and(|case| after.decides(case)),
                    Kind::Vanished | Kind::Unsupported | Kind::NotDescribed => true,
                    Kind::Fixed | Kind::Appeared | Kind::Renamed => false,
                };
                same -= 1;
                changes.push(Change { kind, before, after: later, decides, allowed: false });
            }
        }
        changes.sort_by_key(|change| change.kind);
        Changes { before, after, changes, same }
    }

    /// The same, where cases that these globs match may be unsupported, not described or not judged from now on.
    #[must_use]
    pub fn allowing(mut self, globs: &[GlobMatcher]) -> Self {
        for change in &mut self.changes {
            let untested = match change.kind {
                Kind::Unjudged | Kind::Unsupported | Kind::NotDescribed => true,
                Kind::Deviating | Kind::Unlisted | Kind::Vanished | Kind::Fixed | Kind::Appeared | Kind::Renamed => {
                    false
                }
            };
            change.allowed = change.decides && untested && globs.iter().any(|glob| glob.is_match(change.id()));
            change.decides &= !change.allowed;
        }
        self
    }

    /// Whether the later result is worse in a way that decides.
    pub fn regresses(&self) -> bool {
        self.changes.iter().any(|change| change.decides)
    }

    /// The changes of a kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Change<'a>> {
        self.changes.iter().filter(move |change| change.kind == kind)
    }

    /// All of it in one sentence.
    pub fn conclusion(&self) -> String {
        let deciding = self.changes.iter().filter(|change| change.decides).count();
        let told: Vec<String> = Kind::ALL
            .into_iter()
            .map(|kind| (kind, self.of_kind(kind).count()))
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| format!("{count} {}", kind.title().to_lowercase()))
            .collect();
        let so = match (told.is_empty(), deciding) {
            (true, _) => format!("Nothing has changed: {} cases are as they were", self.same),
            (false, 0) => format!("Not worse: {}; {} as they were", told.join(", "), self.same),
            (false, _) => format!("Worse: {}; {} as they were", told.join(", "), self.same),
        };
        let allowed = self.changes.iter().filter(|change| change.allowed).count();
        let so = if allowed > 0 { format!("{so}; {allowed} of them allowed (--allow)") } else { so };
        match (self.before.complete, self.after.complete) {
            (true, true) => so,
            (true, false) => format!("{so}; the later run was interrupted"),
            (false, true) => format!("{so}; the earlier run was interrupted"),
            (false, false) => format!("{so}; both runs were interrupted"),
        }
    }
}

/// The judged cases, each once: one that was repeated by its worst end.
fn worst(result: &RunResult) -> Vec<&CaseResult> {
    let mut cases: Vec<&CaseResult> = Vec::new();
    let mut at = std::collections::HashMap::new();
    for case in &result.cases {
        match at.get(case.id.as_str()) {
            None => {
                at.insert(case.id.as_str(), cases.len());
                cases.push(case);
            }
            Some(&known) if Ending::of(case, result) < Ending::of(cases[known], result) => cases[known] = case,
            Some(_) => {}
        }
    }
    cases
}

fn kind(before: Option<&CaseResult>, after: Option<&CaseResult>) -> Option<Kind> {
    let was = before.map(|case| case.status);
    let Some(later) = after else { return Some(Kind::Vanished) };
    match (was, later.status) {
        (Some(Status::Fail), Status::Fail) => {
            let shown = |case: Option<&CaseResult>| case.map(|case| case.verdicts.clone()).unwrap_or_default();
            let (old, new): (Vec<Verdict>, Vec<Verdict>) = (shown(before), shown(after));
            if new.iter().any(|verdict| !old.contains(verdict)) {
                Some(Kind::Deviating)
            } else if before.is_some_and(|case| case.known.is_some()) && later.known.is_none() {
                Some(Kind::Unlisted)
            } else if old.len() > new.len() {
                Some(Kind::Fixed)
            } else {
                None
            }
        }
        (_, Status::Fail) => Some(Kind::Deviating),
        (Some(Status::Error), Status::Error)
        | (Some(Status::Skipped), Status::Skipped)
        | (Some(Status::Pass), Status::Pass) => None,
        (_, Status::Error) => Some(Kind::Unjudged),
        (None, Status::Skipped) => None,
        (_, Status::Skipped) => Some(Kind::Vanished),
        // What was not tested before is no worse for not being tested for another reason.
        (
            None | Some(Status::Skipped | Status::Unsupported | Status::NotDescribed),
            Status::Unsupported | Status::NotDescribed,
        ) => None,
        (Some(Status::Pass | Status::Fail | Status::Error), Status::Unsupported) => Some(Kind::Unsupported),
        (Some(Status::Pass | Status::Fail | Status::Error), Status::NotDescribed) => Some(Kind::NotDescribed),
        (Some(Status::Fail), Status::Pass) => Some(Kind::Fixed),
        (None | Some(Status::Error | Status::Unsupported | Status::NotDescribed | Status::Skipped), Status::Pass) => {
            Some(Kind::Appeared)
        }
    }
}
