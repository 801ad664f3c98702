//! Enrolment is seen, not believed: what shows that a second factor took hold.
//!
//! A registry that answers an enrolment with success, and recovery codes, may have done nothing. Whatever it lets through
//! then says nothing of its challenges, so before it is accused of that something must have shown the enrolment: a
//! challenge to the user, or the profile.

use super::play::{Play, Played};
use super::scene::{Conduct, Ended, Mistake, Scene};
use crate::dialect::LeavesAccount;
use crate::judge::{Outcome, Verdict};
use crate::table::Factor;

/// The routine that shows a second factor in the mode that was asked for.
const SHOW: &str = "show-enrolment";
/// An action that asks for the second factor in every mode.
const ASK: &str = "spend";

/// Whether an enrolment took hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hold {
    /// Something shows it.
    Seen,
    /// What would show it says that it did not.
    Denied(String),
    /// Nothing can show it.
    Unknown(String),
}

/// What is said only of a user whose enrolment was seen: there was something to ask for.
fn needs_enrolment(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::MissingChallenge | Verdict::WrongProofAccepted | Verdict::ReplayAccepted)
}

impl Scene {
    /// Looks for what shows that the user's enrolment took hold: the profile or, where it does not, a challenge.
    pub(super) async fn look_at_enrolment(&mut self) -> Result<Hold, Mistake> {
        // Of an account that was lent its owner says so.
        if self.user.enrolled || self.user.lent {
            return Ok(Hold::Seen);
        }
        let (object, kept) = (self.object.clone(), self.kept());
        let shown = self.ask_if_described(SHOW).await?;
        if let Some(Ended { outcome: Outcome::Accepted | Outcome::Challenged { .. }, .. }) = &shown {
            self.user.enrolled = true;
            self.take_up(object, kept);
            return Ok(Hold::Seen);
        }
        // A profile that is not handed out says nothing.
        let read = self.exchanges.last().and_then(|exchange| exchange.status).is_some_and(|status| status / 100 == 2)
            && matches!(&shown, Some(Ended { outcome: Outcome::Refused, .. }));
        let asked = self.ask_if_described(ASK).await?;
        self.take_up(object, kept);
        if let Some(Ended { outcome: Outcome::Challenged { .. }, .. }) = &asked {
            self.user.enrolled = true;
            return Ok(Hold::Seen);
        }
        let passed = matches!(&asked, Some(Ended { outcome: Outcome::Accepted, .. }));
        let saw: Vec<String> = [shown, asked].into_iter().flatten().map(|ended| ended.saw).collect();
        let saw = format!("the enrolment was answered with success, and nothing shows it: {}", saw.join("; "));
        Ok(if read && passed { Hold::Denied(saw) } else { Hold::Unknown(saw) })
    }

    async fn ask_if_described(&mut self, routine: &str) -> Result<Option<Ended>, Mistake> {
        if !self.stage.dialect.routines.contains_key(routine) {
            return Ok(None);
        }
        Box::pin(self.routine(routine, &Conduct::Bare)).await.map(Some)
    }
}

impl Play<'_> {
    /// Whether the case may end or change what it enrolled, so that only a look before tells whether that took hold.
    pub(super) fn changes_enrolment(&self) -> bool {
        self.case.leaves_account(self.dialect()) != LeavesAccount::AsItWas
    }

    /// What was shown, where the premise of an accusation was seen as well: the user has a second factor at all.
    pub(super) async fn with_premise(&mut self, played: Played) -> Result<Played, Mistake> {
        let Played::Judged(verdicts) = &played else { return Ok(played) };
        let has_factor = self.case.factor != Factor::None || self.scene.user.factor() != Factor::None;
        if !has_factor || !verdicts.iter().copied().any(needs_enrolment) {
            return Ok(played);
        }
        let hold = self.scene.look_at_enrolment().await?;
        let exchanges = std::mem::take(&mut self.scene.exchanges);
        if let Some(last) = self.probes.last_mut() {
            last.exchanges.extend(exchanges);
        }
        Ok(match hold {
            Hold::Seen => played,
            Hold::Denied(saw) | Hold::Unknown(saw) => {
                let others = verdicts.iter().copied().filter(|verdict| !needs_enrolment(*verdict)).collect::<Vec<_>>();
                if others.is_empty() {
                    Played::Inconclusive(saw)
                } else {
                    self.statements.push(saw);
                    Played::Judged(others)
                }
            }
        })
    }
}
