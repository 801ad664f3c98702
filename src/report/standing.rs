//! What a case's end is to a reader, and what each verdict means to somebody who does not know the protocol.

use crate::judge::Verdict;
use crate::result::{Answered, CaseResult, Probe, RunResult, Status};

/// What a case's end is to a reader. What needs a look comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// It deviates, and that decides the exit code.
    New,
    /// It could not be judged.
    Unjudged,
    /// It deviates from a clause that does not decide in this run.
    Advisory,
    /// It deviates, and the target's file lists it.
    Known,
    /// It could not be judged at first, and was as documented when it was played again.
    Flaky,
    /// The target answered that it has no such route, or a client cannot express it.
    Unsupported,
    /// The target file does not describe how it is driven.
    NotDescribed,
    /// It was not run.
    NotRun,
    /// It is as documented.
    Held,
}

impl Ending {
    /// Every one, in the order of attention.
    pub const ALL: [Ending; 9] = [
        Ending::New,
        Ending::Unjudged,
        Ending::Advisory,
        Ending::Known,
        Ending::Flaky,
        Ending::Unsupported,
        Ending::NotDescribed,
        Ending::NotRun,
        Ending::Held,
    ];

    /// The end of a case of a run.
    pub fn of(case: &CaseResult, result: &RunResult) -> Self {
        match case.status {
            Status::Pass if case.is_flaky() => Ending::Flaky,
            Status::Pass => Ending::Held,
            Status::Fail if case.known.is_some() => Ending::Known,
            Status::Fail if result.decides(case) => Ending::New,
            Status::Fail => Ending::Advisory,
            Status::Error => Ending::Unjudged,
            Status::Unsupported => Ending::Unsupported,
            Status::NotDescribed => Ending::NotDescribed,
            Status::Skipped => Ending::NotRun,
        }
    }

    /// Whether the case was not tested, which is neither pass nor failure.
    pub fn is_untested(self) -> bool {
        match self {
            Ending::Unsupported | Ending::NotDescribed | Ending::NotRun => true,
            Ending::New | Ending::Unjudged | Ending::Advisory | Ending::Known | Ending::Flaky | Ending::Held => false,
        }
    }

    /// A word for it in links and filters.
    pub fn word(self) -> &'static str {
        match self {
            Ending::New => "new",
            Ending::Unjudged => "unjudged",
            Ending::Advisory => "advisory",
            Ending::Known => "known",
            Ending::Flaky => "flaky",
            Ending::Unsupported => "unsupported",
            Ending::NotDescribed => "not-described",
            Ending::NotRun => "not-run",
            Ending::Held => "held",
        }
    }

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Ending::New => "New deviations",
            Ending::Unjudged => "Could not be judged",
            Ending::Advisory => "Deviations from recommended clauses",
            Ending::Known => "Known deviations",
            Ending::Flaky => "Flaky",
            Ending::Unsupported => "Unsupported",
            Ending::NotDescribed => "Not described",
            Ending::NotRun => "Not run",
            Ending::Held => "As documented",
        }
    }

    /// What it counts for.
    pub fn about(self) -> &'static str {
        match self {
            Ending::New => "not as documented, and not on the target's list: these decide the exit code",
            Ending::Unjudged => "no usable evidence; never counted as passed",
            Ending::Advisory => "they decide the exit code with --level recommended alone",
            Ending::Known => "not as documented, and on the target's list with a reason",
            Ending::Flaky => "could not be judged at first, and as documented when played again (--retries)",
            Ending::Unsupported => {
                "the registry answered that it has no such route, or a client cannot do it; neither pass nor failure"
            }
            Ending::NotDescribed => {
                "the target file does not say how this is driven, so nothing was asked; neither pass nor failure"
            }
            Ending::NotRun => "left out or interrupted; neither pass nor failure",
            Ending::Held => "everything asked, refused and carried out as the documentation has it",
        }
    }
}

/// What a verdict means, and why it matters, in a sentence each.
pub fn meaning(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::MissingChallenge => (
            "The action went through without the second factor that it must ask for.",
            "A stolen password or token alone is enough to do this.",
        ),
        Verdict::EffectBeforeFactor => (
            "A second factor was asked for, and the action had been carried out all the same.",
            "The question protects nothing: whoever does not answer it has already won.",
        ),
        Verdict::WrongProofAccepted => {
            ("A wrong proof let the action through.", "Any guess passes, so the second factor protects nothing here.")
        }
        Verdict::ReplayAccepted => (
            "A proof that was spent already let the action through.",
            "Whoever sees a code once, over a shoulder or in a log, can use it again.",
        ),
        Verdict::RightsExceeded => (
            "Somebody was let through whom no second factor gives the right: a token, or a user without one.",
            "A token or a member can do more than it was given.",
        ),
        Verdict::SecretShown => (
            "An answer shows a secret that must be shown once only.",
            "Whoever reads the answer later can make valid codes.",
        ),
        Verdict::UnexpectedChallenge => (
            "A second factor was asked for where the documentation does not ask for it.",
            "Users and pipelines are stopped where they need not be.",
        ),
        Verdict::WrongShape => {
            ("The challenge is one that stock clients cannot act on.", "Users see an error in place of a question.")
        }
        Verdict::WrongFactorOffered => (
            "The challenge asks for a factor that the user does not have.",
            "The user cannot answer, and is locked out of the action.",
        ),
        Verdict::RightProofRefused => ("A valid proof was refused.", "Users who do everything right are turned away."),
        Verdict::NoEffect => (
            "The action was answered with success and did not happen.",
            "Users believe that something is done which is not.",
        ),
        Verdict::NeverThrottled => (
            "Wrong codes, one after the other, are listened to without end.",
            "A code has six digits: whoever may guess for long enough finds one.",
        ),
        Verdict::Throttled => {
            ("The registry asked for more patience than the run has.", "Nothing is known of the case.")
        }
        Verdict::TargetFailed => ("The registry gave no usable answer.", "Nothing is known of the case."),
        Verdict::SetUpRefused => {
            ("The registry refused what the case is set up with.", "Nothing is known of the case.")
        }
        Verdict::HarnessError => ("The checker could not do its part.", "Nothing is known of the case."),
        Verdict::ClientLimit => (
            "The client could not do its part; what the registry showed until then holds.",
            "Users of this client do not get through, and the registry cannot change that.",
        ),
        Verdict::NotDescribed => (
            "The target file does not describe how the action is driven.",
            "Nothing was asked of the registry, and nothing is known of it; the routine to write is named.",
        ),
        Verdict::Unsupported => {
            ("The registry answered that it has no such route.", "Nothing can be said of the action.")
        }
        Verdict::Exact => ("As documented.", "Nothing needs to be done."),
    }
}

/// A case's verdicts in words, the worst first.
pub fn verdicts(case: &CaseResult) -> String {
    case.verdicts.iter().map(|verdict| verdict.word()).collect::<Vec<_>>().join(", ")
}

/// Why a case was not tested, in the words of what was seen.
pub fn why_untested(case: &CaseResult) -> &str {
    match case.status {
        Status::Unsupported if case.situation.is_some() => &case.observed,
        Status::Unsupported => missing(case).map_or(&case.observed, |probe| &probe.outcome),
        Status::NotDescribed | Status::Skipped | Status::Error | Status::Pass | Status::Fail => &case.observed,
    }
}

/// The probe that shows what the registry does not have.
pub fn missing(case: &CaseResult) -> Option<&Probe> {
    let found_none = |probe: &&Probe| probe.answer == Answered::NotImplemented;
    case.probes.iter().find(found_none).or(case.probes.first())
}

/// The number of the probe that tells most: the one that shows the worst verdict, or else the last.
pub fn telling(case: &CaseResult) -> Option<usize> {
    showing(case).or(case.probes.len().checked_sub(1))
}

/// The number of the probe that shows the worst verdict, where that is one probe for sure.
pub fn showing(case: &CaseResult) -> Option<usize> {
    let name = match case.verdicts.first()? {
        Verdict::MissingChallenge
        | Verdict::EffectBeforeFactor
        | Verdict::UnexpectedChallenge
        | Verdict::WrongShape
        | Verdict::WrongFactorOffered => "bare",
        Verdict::WrongProofAccepted => "wrong",
        Verdict::ReplayAccepted => "replay",
        Verdict::RightProofRefused | Verdict::NoEffect => "right",
        Verdict::RightsExceeded
        | Verdict::SecretShown
        | Verdict::NeverThrottled
        | Verdict::Throttled
        | Verdict::TargetFailed
        | Verdict::SetUpRefused
        | Verdict::HarnessError
        | Verdict::ClientLimit
        | Verdict::NotDescribed
        | Verdict::Unsupported
        | Verdict::Exact => "",
    };
    let is_it = |probe: &Probe| probe.name == name;
    case.probes.iter().position(is_it)
}
