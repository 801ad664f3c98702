//! Guessing: wrong codes one after the other, and what they would give an attacker.

use super::play::Play;
use super::scene::{Conduct, Ended, Mistake};
use crate::clock::UnixMillis;
use crate::dialect::waits;
use crate::judge::{Guessed, Outcome, Verdict, judge_guesses};
use crate::persona::ledger::Skew;
use crate::result::Probe;
use crate::scenario::{Guess, Listening};
use crate::wire::Exchange;

/// How many six-digit codes there are.
const CODES: f64 = 1_000_000.0;
/// The seconds of a day.
const DAY: f64 = 86_400.0;
/// The tries a second that are reckoned with where nothing slows an attacker down.
const UNHINDERED: f64 = 10.0;

/// What guesses led to, or why they say nothing.
pub(super) type Learnt = Result<Vec<Verdict>, String>;

/// How far the guesses came.
enum Came {
    /// All were answered alike.
    All,
    /// This one was answered in other words than the first: a lock-out that is told, or a warning before one.
    Reworded { seconds: Option<u64> },
    /// This one was throttled.
    Told { seconds: Option<u64> },
    /// This one cannot be counted: it was let through, or failed.
    Ended(Verdict),
}

impl Play<'_> {
    /// Sends wrong codes until the target says that it stops listening, and then a right one.
    pub(super) async fn guess(&mut self, guess: &Guess) -> Result<Learnt, Mistake> {
        // The right code is had before, for a wait would give the target time to forget.
        let right = self.scene.lasting_code().await?;
        let step = self.scene.step();
        let mut first: Option<Exchange> = None;
        let (mut sent, mut came, mut reworded) = (0, Came::All, None);
        while sent < guess.at_most && matches!(came, Came::All | Came::Reworded { .. }) {
            let wrong = if guess.bare { Conduct::Bare } else { Conduct::Proof(self.scene.wrong_code()) };
            let ended = self.scene.routine(&guess.routine.value, &wrong).await?;
            sent += 1;
            let exchanges = std::mem::take(&mut self.scene.exchanges);
            let last = exchanges.last().cloned();
            if guess.bare && is_limited(&ended, &exchanges) {
                self.note_guess(&format!("guess {sent}"), "none", &ended, exchanges);
                return Ok(Err(format!("request {sent} without a code was throttled, as any may be")));
            }
            came = compare(&ended, first.as_ref(), last.as_ref(), self.scene.told(last.as_ref()));
            if let (Came::Ended(verdict @ Verdict::WrongProofAccepted), true) = (&mut came, guess.bare) {
                *verdict = Verdict::MissingChallenge;
            }
            let news = matches!(came, Came::Reworded { .. }) && reworded.is_none();
            reworded = matches!(came, Came::Reworded { .. }).then(|| reworded.unwrap_or(sent));
            if sent == 1 || sent == guess.at_most || news || matches!(came, Came::Told { .. } | Came::Ended(_)) {
                let proof = if guess.bare { "none" } else { "wrong code" };
                self.note_guess(&format!("guess {sent}"), proof, &ended, exchanges);
            }
            first = first.or(last);
        }
        let told = self.scene.stage.target_time();
        if let Came::Ended(verdict) = came {
            return Ok(Ok(vec![verdict]));
        }
        // A lock-out may be of one door alone, so the right code goes where the wrong ones went, unless it is asked what
        // they do to somebody else.
        let strangers = matches!(guess.must, Listening::BeStated | Listening::BeHarmless);
        let routine = if strangers { "spend" } else { &guess.routine.value };
        let ended = self.scene.routine(routine, &Conduct::Proof(right)).await?;
        let exchanges = std::mem::take(&mut self.scene.exchanges);
        let still = self.scene.told(exchanges.last());
        self.note_guess("right", "valid code", &ended, exchanges);
        if ended.outcome == Outcome::Failed {
            // A connection that breaks is no refusal.
            return Ok(Ok(vec![Verdict::TargetFailed]));
        }
        let (heard, throttled) = (ended.outcome == Outcome::Accepted, ended.outcome == Outcome::Throttled);
        if !heard && step.is_some_and(|step| !self.scene.is_live(step)) {
            return Ok(Err("the code aged out before the target answered".to_owned()));
        }
        let guessed = match (&came, heard) {
            // It says that it does not listen, and listens: whoever guesses goes on.
            (Came::Told { seconds }, true) if self.is_within(told, *seconds) => Guessed::HeardOut,
            (Came::Told { .. }, _) | (Came::Reworded { .. }, false) => Guessed::Told,
            (_, true) => Guessed::HeardOut,
            (_, false) => Guessed::Untold,
        };
        let seconds = if let Came::Told { seconds } | Came::Reworded { seconds } = came { seconds } else { None };
        let skew = self.scene.user.ledger.as_ref().map_or(Skew { behind: 0, ahead: 0 }, |ledger| ledger.skew());
        // The one that told it was not listened to.
        let heard_out = match (&came, reworded) {
            (Came::Told { .. }, _) => sent - 1,
            (Came::Reworded { .. }, Some(first)) if !heard => first - 1,
            _ => sent,
        };
        let then = if heard { "accepted" } else { "refused" };
        self.statements.push(if guess.bare {
            format!("after {sent} requests without a code a right code was {then}")
        } else if strangers {
            // What a stranger's codes are worth depends on what else he knows; what is told is what they do to the user.
            let routine = &guess.routine.value;
            format!("after {sent} wrong codes in a row (`{routine}`) a right code of the user's own session was {then}")
        } else {
            state(&guess.routine.value, heard_out, guessed, seconds, skew) + "; after them a right code was " + then
        });
        Ok(match guess.must {
            Listening::BeStated => Ok(vec![]),
            Listening::BeHarmless if heard => Ok(vec![]),
            // A limit of the address alone would turn away whatever comes from it, and says nothing of the user.
            Listening::BeHarmless if throttled => match self.without_code().await? {
                Outcome::Failed => Ok(vec![Verdict::TargetFailed]),
                Outcome::Throttled => Err("whatever comes from this address is throttled by then".to_owned()),
                Outcome::Accepted | Outcome::Challenged { .. } | Outcome::Refused | Outcome::NotImplemented => {
                    Ok(vec![Verdict::RightProofRefused])
                }
            },
            Listening::BeHarmless => Ok(vec![Verdict::RightProofRefused]),
            Listening::Stop => Ok(judge_guesses(true, guessed).into_iter().collect()),
            Listening::EndAsTold | Listening::SayHowLong if heard => {
                Err(format!("after {sent} wrong codes a right one was accepted"))
            }
            Listening::EndAsTold => return self.outlive(routine, still.or(seconds)).await,
            Listening::SayHowLong => match came {
                Came::Told { seconds: Some(_) } => Ok(vec![]),
                Came::Told { seconds: None } => Ok(vec![Verdict::WrongShape]),
                Came::All | Came::Reworded { .. } | Came::Ended(_) => {
                    Err("it stops listening without answering 429".to_owned())
                }
            },
            Listening::BeTold => match judge_guesses(false, guessed) {
                Some(verdict) => Ok(vec![verdict]),
                None => Err(format!("after {sent} wrong codes a right one was accepted")),
            },
        })
    }

    /// What a request without any code is answered at first: a limit of the address throttles it as well.
    async fn without_code(&mut self) -> Result<Outcome, Mistake> {
        let ended = self.scene.routine("spend", &Conduct::Bare).await?;
        let exchanges = std::mem::take(&mut self.scene.exchanges);
        let limited = is_limited(&ended, &exchanges);
        self.note_guess("bare", "none", &ended, exchanges);
        Ok(if limited { Outcome::Throttled } else { ended.outcome })
    }

    /// Whether the time for which it said that it does not listen is not over yet.
    fn is_within(&self, told: UnixMillis, seconds: Option<u64>) -> bool {
        let passed = self.scene.stage.target_time().0.saturating_sub(told.0);
        seconds.is_none_or(|seconds| passed < i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX))
    }

    fn note_guess(&mut self, name: &str, proof: &str, ended: &Ended, exchanges: Vec<Exchange>) {
        let probe = Probe::new(name, proof, ended, crate::judge::Effect::None, exchanges);
        self.probes.push(Probe { route: self.scene.missing.take(), ..probe });
    }
}

/// Whether a request without a code was throttled. It is sent again after the time that was asked for, so its first
/// answer counts.
fn is_limited(ended: &Ended, exchanges: &[Exchange]) -> bool {
    ended.outcome == Outcome::Throttled || retry_after(exchanges.first()).is_some()
}

/// What an answer to a wrong code says beside the first one; it asks to be left alone for so many seconds.
fn compare(ended: &Ended, first: Option<&Exchange>, last: Option<&Exchange>, seconds: Option<u64>) -> Came {
    match &ended.outcome {
        Outcome::Accepted => Came::Ended(Verdict::WrongProofAccepted),
        Outcome::NotImplemented => Came::Ended(Verdict::Unsupported),
        Outcome::Failed => Came::Ended(Verdict::TargetFailed),
        Outcome::Throttled => Came::Told { seconds },
        Outcome::Challenged { .. } | Outcome::Refused => match (first, last) {
            (Some(first), Some(last)) if said(first) != said(last) => Came::Reworded { seconds },
            _ => Came::All,
        },
    }
}

/// What an answer says: its status, and its words. Those with digits number or date the answer, so they always differ.
fn said(exchange: &Exchange) -> (Option<u16>, Vec<&str>) {
    let words = exchange.answer_body.as_deref().unwrap_or_default().split(|c: char| !c.is_alphanumeric() && c != '-');
    (exchange.status, words.filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect())
}

/// How many seconds an answer asks to be left alone.
pub(super) fn retry_after(exchange: Option<&Exchange>) -> Option<u64> {
    waits::retry_after(&exchange?.answer_headers).map(|wait| wait.as_secs())
}

/// What an attacker who guesses without pause gets, in words.
fn state(routine: &str, sent: u32, guessed: Guessed, seconds: Option<u64>, skew: Skew) -> String {
    let tries = match guessed {
        Guessed::Told | Guessed::Untold => seconds.map(|seconds| f64::from(sent) * DAY / (seconds.max(1) as f64)),
        Guessed::HeardOut => Some(UNHINDERED * DAY),
    };
    let seen = match (guessed, seconds) {
        (Guessed::Told, Some(seconds)) => {
            format!("{sent} wrong codes in a row (`{routine}`), then it stops listening and says so, for {seconds} s")
        }
        (Guessed::Told, None) => {
            format!("{sent} wrong codes in a row (`{routine}`), then it stops listening and says so, not for how long")
        }
        (Guessed::Untold, _) => format!("within {sent} wrong codes in a row (`{routine}`) it stops listening unsaid"),
        (Guessed::HeardOut, _) => {
            format!("{sent} wrong codes in a row (`{routine}`) are listened to; reckoned with {UNHINDERED} a second")
        }
    };
    let Some(tries) = tries else { return seen };
    let right = (skew.behind + 1 + skew.ahead) as f64;
    let day = within(right, tries);
    let year = within(right, tries * 365.0);
    format!(
        "{seen}: at most {tries:.0} tries a day, so that one is right with {} within a day and {} within a year",
        percent(day),
        percent(year)
    )
}

/// The chance that one of so many tries is right, when so many of all codes are right at any time.
fn within(right: f64, tries: f64) -> f64 {
    1.0 - (1.0 - right / CODES).powf(tries)
}

fn percent(chance: f64) -> String {
    if chance > 0.999 { "more than 99.9 %".to_owned() } else { format!("{:.1} %", chance * 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_answer_says_the_same_as_the_one_before() {
        let answer = |status, body: &str| Exchange {
            request: "GET /".to_owned(),
            headers: vec![],
            body: None,
            status: Some(status),
            answer_headers: vec![],
            answer_body: Some(body.to_owned()),
            fault: None,
            fault_kind: None,
            elapsed_us: 1,
        };
        let first = answer(401, r#"{"error":"wrong code","request":"7f3a-01"}"#);
        for (status, body, same) in [
            (401, r#"{"error":"wrong code","request":"9c00-02"}"#, true),
            (401, r#"{"error":"too many codes","request":"9c00-02"}"#, false),
            (403, r#"{"error":"wrong code","request":"7f3a-01"}"#, false),
        ] {
            assert_eq!(said(&first) == said(&answer(status, body)), same, "{body}");
        }
    }

    #[test]
    fn the_statement_says_what_a_guesser_gets() {
        let skew = Skew { behind: 1, ahead: 1 };
        let locked = state("spend", 10, Guessed::Told, Some(60), skew);
        assert!(
            locked.ends_with(
                "14400 tries a day, so that one is right with 4.2 % within a day and more than 99.9 % within a year"
            ),
            "{locked}"
        );
        let open = state("spend", 100, Guessed::HeardOut, None, skew);
        assert!(open.contains("864000 tries a day, so that one is right with 92.5 %"), "{open}");
        assert!(!state("spend", 10, Guessed::Told, None, skew).contains("tries a day"));
    }
}
