//! Lock-outs: for how long a target says that it stops listening, and whether it listens again when that time is over.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

use super::guess::Learnt;
use super::play::Play;
use super::scene::{Conduct, Ended, Mistake, Scene};
use crate::clock::UnixMillis;
use crate::dialect::waits;
use crate::judge::{Effect, Outcome, Verdict};
use crate::result::{Probe, Wait};
use crate::wire::Exchange;

/// How much later than told it may be: whole seconds are rounded, and clocks read at different moments.
const ROUNDING: Duration = Duration::from_secs(1);

impl Scene {
    /// For how many seconds an answer asks to be left alone, where it says so.
    pub(super) fn told(&self, exchange: Option<&Exchange>) -> Option<u64> {
        seconds_in(exchange?, self.stage.dialect.retry_after.as_deref(), self.stage.target_time())
    }
}

impl Play<'_> {
    /// Waits until the time that was told is over, and sends a right code, which must pass.
    pub(super) async fn outlive(&mut self, routine: &str, told: Option<u64>) -> Result<Learnt, Mistake> {
        let Some(seconds) = told else {
            return Ok(Err("it stops listening, and does not say for how long".to_owned()));
        };
        let long = Duration::from_secs(seconds);
        if long > self.run.lock_out_patience {
            let most = self.run.lock_out_patience.as_secs();
            return Ok(Err(format!(
                "it says that it listens again in {seconds} s, and {most} s are waited for; \
                 `--wait-for-lock-out {seconds}s` waits for longer"
            )));
        }
        let mut ended = self.after_lock_out(routine, long).await?;
        if let Ok((Ended { outcome: Outcome::Throttled, .. }, Some(left))) = &ended
            && Duration::from_secs(*left) <= ROUNDING * 2
        {
            ended = self.after_lock_out(routine, Duration::from_secs(*left)).await?;
        }
        let (ended, _) = match ended {
            Ok(ended) => ended,
            Err(reason) => return Ok(Err(reason)),
        };
        let then = if ended.outcome == Outcome::Accepted { "accepted" } else { "refused" };
        self.statements
            .push(format!("{seconds} s later, when it had said that it listens again, a right code was {then}"));
        Ok(Ok(match ended.outcome {
            Outcome::Accepted => vec![],
            Outcome::Failed => vec![Verdict::TargetFailed],
            Outcome::Challenged { .. } | Outcome::Refused | Outcome::NotImplemented | Outcome::Throttled => {
                vec![Verdict::RightProofRefused]
            }
        }))
    }

    /// Sends a right code after so long. The second part is for how many seconds the answer asks to be left alone; the
    /// error is why it says nothing.
    async fn after_lock_out(
        &mut self,
        routine: &str,
        long: Duration,
    ) -> Result<Result<(Ended, Option<u64>), String>, Mistake> {
        self.scene.rest(Wait::LockOut, long + ROUNDING).await?;
        let code = self.scene.lasting_code().await?;
        let step = self.scene.step();
        let ended = self.scene.routine(routine, &Conduct::Proof(code)).await?;
        let exchanges = std::mem::take(&mut self.scene.exchanges);
        let told = self.scene.told(exchanges.last());
        self.probes.push(Probe::new("after the lock-out", "valid code", &ended, Effect::None, exchanges));
        if ended.outcome != Outcome::Accepted && step.is_some_and(|step| !self.scene.is_live(step)) {
            return Ok(Err("the code aged out before the target answered".to_owned()));
        }
        Ok(Ok((ended, told)))
    }
}

/// The seconds for which an answer asks to be left alone: its header `retry-after` has a number or a date (RFC 9110
/// §10.2.3), or its body has a number at this place.
fn seconds_in(exchange: &Exchange, place: Option<&str>, now: UnixMillis) -> Option<u64> {
    let until = || {
        let (_, date) = exchange.answer_headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
        let then = DateTimeParser::new().parse_timestamp(date.trim()).ok()?.as_millisecond();
        u64::try_from(then.saturating_sub(now.0)).ok().map(|left| left.div_ceil(1_000))
    };
    let in_body = || {
        let body: serde_json::Value = serde_json::from_str(exchange.answer_body.as_deref()?).ok()?;
        let value = body.pointer(place?)?;
        value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
    };
    waits::retry_after(&exchange.answer_headers).map(|wait| wait.as_secs()).or_else(until).or_else(in_body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_told_as_a_number_as_a_date_or_in_the_body() {
        let told = |header: Option<&str>, body: &str| {
            let exchange = Exchange {
                request: "GET /".to_owned(),
                headers: vec![],
                body: None,
                status: Some(429),
                answer_headers: header.map(|value| ("retry-after".to_owned(), value.to_owned())).into_iter().collect(),
                answer_body: Some(body.to_owned()),
                fault: None,
                fault_kind: None,
                elapsed_us: 1,
            };
            // 1994-11-06T08:49:07Z
            seconds_in(&exchange, Some("/locked/seconds"), UnixMillis(784_111_747_500))
        };
        assert_eq!(told(Some(" 60 "), "{}"), Some(60));
        assert_eq!(told(Some("Sun, 06 Nov 1994 08:49:37 GMT"), "{}"), Some(30));
        assert_eq!(told(Some("Sun, 06 Nov 1994 08:48:37 GMT"), "{}"), None);
        assert_eq!(told(None, r#"{"locked":{"seconds":"45"}}"#), Some(45));
        assert_eq!(told(Some("soon"), r#"{"locked":{"seconds":45}}"#), Some(45));
        assert_eq!(told(None, "later"), None);
    }
}
