//! Before the first case: how far the target's clock is from ours, and which second factors it has.
//!
//! Each kind is looked for by its own enrolment, so that a registry with security keys alone has a second factor. One odd
//! answer is asked again, by another user, before anything follows from it.

use jiff::fmt::rfc2822::DateTimeParser;

use super::journal::Entry;
use super::plan::Case;
use super::scene::{Conduct, Mistake, Scene, Stage};
use super::{Provisioner, Run, persona};
use crate::dialect::Undriven;
use crate::dialect::step::Method;
use crate::judge::Outcome;
use crate::result::{Factors, Found, Look};
use crate::table::Mode;
use crate::wire::Outgoing;

/// The header `date` has whole seconds, so a difference up to this says nothing, in milliseconds.
const RESOLUTION_MS: i64 = 1_000;

/// What is known of a target before its first case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preflight {
    /// What was found of each kind of second factor.
    pub factors: Factors,
    /// How far its clock is ahead of ours, in milliseconds; zero when that cannot be told from none.
    pub clock_offset_ms: i64,
}

/// Looks at the target. The error says why it cannot be used.
pub async fn preflight(run: &mut Run) -> Result<Preflight, String> {
    // Accounts that were handed over say themselves that they have a factor.
    if matches!(run.provisioner, Provisioner::Accounts(_)) {
        return Ok(Preflight { factors: Factors::default(), clock_offset_ms: run.stage.offset_ms });
    }
    let totp = codes(run).await?;
    let security_key = keys(run).await;
    Ok(Preflight { factors: Factors { totp, security_key }, clock_offset_ms: run.stage.offset_ms })
}

/// Looks for one-time passwords.
async fn codes(run: &mut Run) -> Result<Look, String> {
    let first = enrol(run, Kind::Codes, "probe").await;
    if first == Ok(Enrolled::Works) {
        return Ok(Look::new(Found::Works, None));
    }
    let stamped = run.stage.offset_ms;
    if first.as_ref().is_ok_and(|first| matches!(first, Enrolled::Refused(_))) {
        // A relay may have stamped the answer. If codes of our own time are right, they are used.
        run.stage.offset_ms = 0;
    }
    let again = enrol(run, Kind::Codes, "probe-again").await;
    if again != Ok(Enrolled::Works) {
        run.stage.offset_ms = stamped;
    }
    Ok(both(first, again?))
}

/// Looks for security keys. Whatever goes wrong with them, each case with a key shows it for itself.
async fn keys(run: &Run) -> Look {
    match &run.stage.dialect.no_keys {
        None => {}
        Some(Undriven::NotDescribed(routine)) => return Look::new(Found::NotDescribed, routine.clone()),
        Some(Undriven::Missing(reason)) => return Look::new(Found::Absent, reason.clone()),
    }
    let first = enrol(run, Kind::Keys, "key-probe").await;
    if first == Ok(Enrolled::Works) {
        return Look::new(Found::Works, None);
    }
    match enrol(run, Kind::Keys, "key-probe-again").await {
        Ok(again) => both(first, again),
        Err(mistake) => Look::new(Found::Unclear, mistake),
    }
}

/// What two enrolments show together, of which the first did not work.
fn both(first: Result<Enrolled, String>, again: Enrolled) -> Look {
    match (first, again) {
        (_, Enrolled::Works) => Look::new(Found::Works, None),
        (Ok(Enrolled::NoRoute(..)), Enrolled::NoRoute(evidence, route)) => {
            Look { route, ..Look::new(Found::Absent, evidence) }
        }
        (_, Enrolled::NoRoute(saw, _) | Enrolled::Refused(saw)) => Look::new(Found::Unclear, saw),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Codes,
    Keys,
}

#[derive(Debug, PartialEq, Eq)]
enum Enrolled {
    Works,
    /// It answered that there is no such route.
    NoRoute(String, Option<String>),
    /// Anything else that was no success.
    Refused(String),
}

/// Enrols one user, so that a registry without a second factor is told from one with a fault.
async fn enrol(run: &Run, kind: Kind, role: &str) -> Result<Enrolled, String> {
    let user = persona(run, role);
    run.journal_user("pre-flight", &user.name)?;
    let mut scene = Scene::open(&run.stage, user, Mode::AuthOnly.name(), "pre-flight").await;
    let ended = scene.routine("sign-up", &Conduct::Bare).await?;
    if ended.outcome != Outcome::Accepted {
        return Err(format!("a user cannot be made: {}", ended.saw));
    }
    scene.web = kind == Kind::Keys;
    let routine = match kind {
        Kind::Codes => "enrol",
        Kind::Keys => "register-key",
    };
    let ended = scene.routine(routine, &Conduct::Bare).await?;
    Ok(match ended.outcome {
        Outcome::Accepted => Enrolled::Works,
        Outcome::NotImplemented => Enrolled::NoRoute(ended.saw, scene.missing.take()),
        Outcome::Challenged { .. } | Outcome::Refused | Outcome::Throttled | Outcome::Failed => {
            Enrolled::Refused(ended.saw)
        }
    })
}

impl Case {
    /// The look that shows that the target does not have a second factor that the case needs, where one does.
    pub(super) fn lacks<'a>(&self, preflight: &'a Preflight) -> Option<&'a Look> {
        preflight.factors.lacking(self.second_factor())
    }
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
    // Nobody has signed up yet, and what asks is the same client.
    let headers = stage.dialect.headers_alone("legacy").map_err(|error| error.to_string())?;
    let headers = headers.into_iter().map(|(name, value)| (name, value.clone(), value)).collect();
    let outgoing = Outgoing { method: Method::Get, place: ping.clone(), shown_place: ping, headers, body: None };
    let before = stage.clock.now();
    let (answer, exchange) = stage.wire.send(outgoing, str::to_owned).await;
    let between = before.0.midpoint(stage.clock.now().0);
    let Some(answer) = answer else { return Err(exchange.unanswered()) };
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
