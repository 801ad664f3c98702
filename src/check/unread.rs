//! Undoing a request whose answer was never read: what that alone would have named is looked for in what the account has.
//!
//! Tokens are listed with the time at which they were made. On an account that is lent, one that came into being while
//! the request was under way is the request's, for an account plays one case at a time. Of what no list has, nothing is
//! known. What was there before the request is never touched, so where a registry's times are coarser than that, the token
//! is told as left and not revoked. The run's own session can have begun in the same millisecond, and is ended then.

use jiff::Timestamp;
use serde_json::Value;

use super::scene::{Conduct, Ended, Mistake, NOTHING_TO_DO, Scene};
use crate::clock::UnixMillis;
use crate::dialect::step::Step;
use crate::judge::Outcome;

/// The routine that keeps the list as `tokens-now`.
const LIST: &str = "list-tokens";
/// What undoing a token reads: the name under which its key is kept.
const KEY: &str = "key";
/// So long after it was sent, what a request makes may still come to be.
const LATE_MS: i64 = 15_000;

impl Scene {
    /// Undoes by these steps what a request that was sent at this time of the target's may have made. Whether anything was
    /// found; the error is what could not be undone.
    pub(super) async fn undo_unread(&mut self, steps: &[Step], sent: UnixMillis) -> Result<bool, Mistake> {
        if !self.stage.dialect.routines.contains_key(LIST) {
            return Ok(false);
        }
        let kept = self.kept();
        let listed = self.routine(LIST, &Conduct::Assisted).await;
        let tokens = self.kept.get("tokens-now").and_then(Value::as_array).cloned().unwrap_or_default();
        if !listed.is_ok_and(|ended| ended.outcome == Outcome::Accepted) {
            return Ok(false);
        }
        for key in made_meanwhile(&tokens, sent) {
            self.kept = kept.clone();
            self.kept.insert(KEY.to_owned(), key.into());
            let mut ended = self.perform(steps, &Conduct::Assisted).await?;
            if ended.outcome == Outcome::Refused && self.has_ended_own_session().await? {
                self.user.logged_in = self.routine("log-in", &Conduct::Assisted).await?.outcome == Outcome::Accepted;
                ended = self.perform(steps, &Conduct::Assisted).await?;
            }
            match ended {
                // It is no token that these steps undo.
                Ended { saw, .. } if saw == NOTHING_TO_DO => return Ok(false),
                Ended { outcome: Outcome::Accepted | Outcome::NotImplemented, .. } => {}
                Ended { saw, .. } => return Err(saw),
            }
        }
        Ok(!made_meanwhile(&tokens, sent).is_empty())
    }

    /// Whether one of the tokens was the one that is acted by.
    async fn has_ended_own_session(&mut self) -> Result<bool, Mistake> {
        Ok(self.routine("recognise", &Conduct::Assisted).await?.outcome == Outcome::Refused)
    }
}

/// The keys of the tokens that were made while the request was under way.
fn made_meanwhile(tokens: &[Value], sent: UnixMillis) -> Vec<String> {
    let under_way = sent.0..=sent.0.saturating_add(LATE_MS);
    let made = |token: &Value| {
        let created: Timestamp = token.get("created")?.as_str()?.parse().ok()?;
        under_way.contains(&created.as_millisecond()).then(|| token.get(KEY)?.as_str().map(str::to_owned))?
    };
    tokens.iter().filter_map(made).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_made_while_the_request_was_under_way_is_its() {
        let token = |key: &str, created: &str| json!({ "key": key, "created": created });
        let tokens = [
            token("of-last-year", "2025-01-02T03:04:05.000Z"),
            token("session", "2026-01-02T03:04:05.499Z"),
            token("its", "2026-01-02T03:04:06Z"),
            token("of-the-next-day", "2026-01-03T03:04:05.000Z"),
            token("of-no-time", "soon"),
            json!({ "created": "2026-01-02T03:04:05.000Z" }),
            json!(7),
        ];
        let sent: Timestamp = "2026-01-02T03:04:05.500Z".parse().expect("a time");
        assert_eq!(made_meanwhile(&tokens, UnixMillis(sent.as_millisecond())), ["its"]);
    }
}
