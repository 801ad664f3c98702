//! Before the first case: how far the target's clock is from ours, and whether it has a second factor at all.

use jiff::fmt::rfc2822::DateTimeParser;

use super::journal::Entry;
use super::scene::{Conduct, Mistake, Scene, Stage};
use super::{Provisioner, Run, persona};
use crate::dialect::step::Method;
use crate::judge::Outcome;
use crate::table::Mode;
use crate::wire::Outgoing;

/// The header `date` has whole seconds, so a difference up to this says nothing, in milliseconds.
const RESOLUTION_MS: i64 = 1_000;

/// What is known of a target before its first case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preflight {
    /// The evidence that it has no second factor, when it has none.
    pub no_second_factor: Option<String>,
    /// How far its clock is ahead of ours, in milliseconds; zero when that cannot be told from none.
    pub clock_offset_ms: i64,
}

/// Looks at the target. The error says why it cannot be used.
pub async fn preflight(run: &mut Run) -> Result<Preflight, String> {
    // Accounts that were handed over say themselves that they have a factor.
    if matches!(run.provisioner, Provisioner::Accounts(_)) {
        return Ok(Preflight { no_second_factor: None, clock_offset_ms: run.stage.offset_ms });
    }
    let mut enrolled = enrol(run, "probe").await?;
    if enrolled == Enrolled::Refused && run.stage.offset_ms != 0 {
        // A relay may have stamped the answer. If codes of our own time are right, they are used.
        let stamped = std::mem::take(&mut run.stage.offset_ms);
        enrolled = enrol(run, "probe-again").await?;
        if enrolled != Enrolled::Works {
            run.stage.offset_ms = stamped;
        }
    }
    let no_second_factor = match enrolled {
        Enrolled::NoFactor(evidence) => Some(evidence),
        // Every case will show a refusal with its own evidence.
        Enrolled::Works | Enrolled::Refused => None,
    };
    Ok(Preflight { no_second_factor, clock_offset_ms: run.stage.offset_ms })
}

#[derive(Debug, PartialEq, Eq)]
enum Enrolled {
    Works,
    NoFactor(String),
    Refused,
}

/// Enrols one user, so that a registry without a second factor is told from one with a fault.
async fn enrol(run: &Run, role: &str) -> Result<Enrolled, String> {
    let user = persona(run, role);
    run.journal_user("pre-flight", &user.name)?;
    let mut scene = Scene::open(&run.stage, user, Mode::AuthOnly.name(), "pre-flight").await;
    let ended = scene.routine("sign-up", &Conduct::Bare).await?;
    if ended.outcome != Outcome::Accepted {
        return Err(format!("a user cannot be made: {}", ended.saw));
    }
    let ended = scene.routine("enrol", &Conduct::Bare).await?;
    Ok(match ended.outcome {
        Outcome::Accepted => Enrolled::Works,
        Outcome::NotImplemented => Enrolled::NoFactor(ended.saw),
        Outcome::Challenged { .. } | Outcome::Refused | Outcome::Throttled | Outcome::Failed => Enrolled::Refused,
    })
}

impl Stage {
    /// Sets the stage to the target's clock. The error says why the target gave no answer.
    pub async fn read_clock(&mut self) -> Result<(), String> {
        self.offset_ms = clock_offset(self).await?;
        Ok(())
    }
}

/// How far the target's clock is ahead of ours by its header `date` (RFC 9110 §6.6.1), in milliseconds.
async fn clock_offset(stage: &Stage) -> Result<i64, String> {
    let ping = "/-/ping".to_owned();
    let outgoing =
        Outgoing { method: Method::Get, place: ping.clone(), shown_place: ping, headers: Vec::new(), body: None };
    let before = stage.clock.now();
    let (answer, exchange) = stage.wire.send(outgoing, str::to_owned).await;
    let between = before.0.midpoint(stage.clock.now().0);
    let Some(answer) = answer else { return Err(exchange.fault.unwrap_or_else(|| "no usable answer".to_owned())) };
    let date = answer.header("date").next();
    let Some(date) = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok()) else { return Ok(0) };
    // On average the header is half a second behind what it stands for.
    let offset = date.as_millisecond() + RESOLUTION_MS / 2 - between;
    Ok(if offset.abs() <= RESOLUTION_MS { 0 } else { offset })
}

impl Run {
    /// Writes down that a user is about to be made.
    pub(super) fn journal_user(&self, case: &str, name: &str) -> Result<(), Mistake> {
        self.stage
            .journal
            .as_ref()
            .map_or(Ok(()), |journal| journal.write(&Entry::User { case: case.to_owned(), name: name.to_owned() }))
    }
}
