//! Whether a proof is right, and using it up.

use std::time::Duration;

use super::gate::Asker;
use super::totp::step_at;
use super::{Action, CodeVerdict, Factor, Leniency, Spent, TokenVerdict, TwoFactor, Window};
use crate::registry::in_flight::Matter;
use crate::registry::model::{User, UserName};
use crate::registry::mutants::{Mutant, Mutants};
use crate::registry::secrets::{LongProof, Proof};
use crate::registry::settings::Throttle;
use crate::registry::transaction::Transaction;

/// Steps accepted before and after the present one (RFC 6238 §5.2 recommends at most one).
const ACCEPTED: Window = Window(1);
const TOO_WIDE: Window = Window(10);

impl Transaction<'_> {
    /// Accepts a proof and uses it up. Otherwise it is not accepted, or for this long not even
    /// looked at.
    pub(super) fn spend(
        &mut self,
        user: &UserName,
        action: Action,
        proof: &Proof,
        asker: &Asker<'_>,
    ) -> Result<(), Option<Duration>> {
        if let (Proof::Long(long), Asker::Client | Asker::WebClient { .. }) = (proof, asker) {
            match self.spend_web_token(user, action, long) {
                TokenVerdict::Good => return Ok(()),
                TokenVerdict::Stale => return Err(None),
                TokenVerdict::Unknown => {}
            }
        }
        let now = self.now();
        let settings = self.settings();
        let mutants = &settings.mutants;
        let unsettled = mutants.has(Mutant::SpentTooLate) && self.in_flight(user.as_str(), Matter::Proof) > 1;
        let padded = proof.padded().filter(|_| mutants.has(Mutant::LeadingZeroDropped));
        let proof = padded.as_ref().unwrap_or(proof);
        let Some(account) = self.users.get_mut(user) else {
            return Err(None);
        };
        if account.two_factor.factor().is_none() {
            return Err(None);
        }
        let only_said = mutants.has(Mutant::LockOutOnlySaid)
            && matches!(account.judge(proof, action, now, unsettled, mutants), CodeVerdict::Fresh(_));
        if let Some(left) = account.wrong_codes.locked_for(now).filter(|_| !only_said) {
            self.tally().throttled();
            return Err((!mutants.has(Mutant::LockOutLooksLikeWrongCode)).then_some(left));
        }
        let verdict = mutated(account.judge(proof, action, now, unsettled, mutants), proof, account, mutants);
        let late = matches!((&verdict, proof), (CodeVerdict::Fresh(step), Proof::Code(_)) if *step < step_at(now));
        if late && mutants.has(Mutant::ExpiredByOneRefused) {
            return Err(None);
        }
        match (verdict, &mut account.two_factor) {
            (CodeVerdict::Fresh(step), TwoFactor::On(factor)) => {
                let reusable = unsettled
                    || mutants.has(Mutant::RecoveryCodeReusable)
                    || (action.logs_in() && mutants.has(Mutant::LogInRecoveryCodeReusable));
                factor.use_up(proof, Spent { step, on: action }, reusable);
                account.wrong_codes.forget();
                account.lapses.proven = true;
                self.tally().accepted();
                Ok(())
            }
            (CodeVerdict::Spent, _) => Err(None),
            (CodeVerdict::Wrong | CodeVerdict::Fresh(_), _) => {
                let Throttle { lockout, .. } = settings.throttle;
                if !mutants.has(Mutant::WrongCodesNeverThrottled) {
                    account.wrong_codes.count(now, &settings.throttle);
                }
                Err(mutants.has(Mutant::ThrottledAtOnce).then_some(lockout))
            }
        }
    }

    /// Uses up the token of a web challenge. It cannot be guessed, so impatience with wrong codes
    /// does not touch it, and the factor that it stands for has been counted.
    fn spend_web_token(&mut self, user: &UserName, action: Action, long: &LongProof) -> TokenVerdict {
        let now = self.now();
        let mutants = &self.settings().mutants;
        let lenient = Leniency {
            used: mutants.has(Mutant::WebTokenReusable)
                || (mutants.has(Mutant::SpentTooLate) && self.in_flight(user.as_str(), Matter::Proof) > 1),
            expired: mutants.has(Mutant::WebTokenAfterExpiry),
            of_another_user: mutants.has(Mutant::WebTokenOfAnotherUser),
            for_another_action: mutants.has(Mutant::WebTokenForAnotherAction),
        };
        let token = long.web_token();
        let verdict = self.web_tokens.judge(&token, user, action, now, lenient);
        if verdict == TokenVerdict::Good {
            self.web_tokens.use_up(&token);
            if let Some(account) = self.users.get_mut(user) {
                account.lapses.proven = true;
            }
        }
        verdict
    }
}

impl User {
    fn judge(
        &self,
        proof: &Proof,
        action: Action,
        now: std::time::SystemTime,
        unsettled: bool,
        mutants: &Mutants,
    ) -> CodeVerdict {
        let Some(factor) = self.two_factor.factor() else {
            return CodeVerdict::Wrong;
        };
        let window = if is_wide(action, mutants) { TOO_WIDE } else { ACCEPTED };
        match (proof, factor.codes()) {
            (Proof::Code(code), Some(codes)) => {
                let last = codes.last.filter(|last| !unsettled && !is_forgotten(last, action, mutants));
                let of_former = self.former_seed.as_ref().map(|seed| seed.judge(code, now, window, None));
                match (codes.seed.judge(code, now, window, last.map(|last| last.step)), of_former) {
                    (CodeVerdict::Wrong, Some(verdict)) => verdict,
                    (verdict, _) => verdict,
                }
            }
            (Proof::Long(long), _) if factor.recovery.has(&long.recovery_code()) => CodeVerdict::Fresh(0),
            (Proof::Long(long), _)
                if self.lapses.former_recovery.as_ref().is_some_and(|codes| codes.has(&long.recovery_code())) =>
            {
                CodeVerdict::Fresh(0)
            }
            (Proof::Code(_), None) | (Proof::Long(_) | Proof::Other(_), _) => CodeVerdict::Wrong,
        }
    }
}

impl Factor {
    fn use_up(&mut self, proof: &Proof, spent: Spent, reusable: bool) {
        match proof {
            Proof::Code(_) => {
                if let Some(codes) = self.codes_mut() {
                    codes.last = Some(spent);
                }
            }
            Proof::Long(_) if reusable => {}
            Proof::Long(long) => self.recovery.spend(&long.recovery_code()),
            Proof::Other(_) => {}
        }
    }
}

/// Whether a fault makes the registry accept codes of distant steps.
fn is_wide(action: Action, mutants: &Mutants) -> bool {
    let writes = action.governs() || matches!(action, Action::Publish | Action::Deprecate);
    mutants.has(Mutant::WideWindow)
        || (writes && mutants.has(Mutant::WideWindowOnWrites))
        || (action.logs_in() && mutants.has(Mutant::WideWindowAtLogIn))
}

/// Whether a fault makes the registry forget that a code was spent.
fn is_forgotten(last: &Spent, action: Action, mutants: &Mutants) -> bool {
    mutants.has(Mutant::ReplayAccepted) || (mutants.has(Mutant::ReplayAcceptedElsewhere) && last.on != action)
}

/// The verdict, unless a fault turns it round.
fn mutated(verdict: CodeVerdict, proof: &Proof, account: &User, mutants: &Mutants) -> CodeVerdict {
    let is_code = matches!(proof, Proof::Code(_));
    let keys_alone = account.two_factor.is_keys_alone();
    let waved_through = mutants.has(Mutant::AnyProofAccepted)
        || (mutants.has(Mutant::AnySixDigitsAccepted) && is_code)
        || (mutants.has(Mutant::AnyCodeForKeyUser) && is_code && keys_alone);
    let turned_away =
        mutants.has(Mutant::RightProofRefused) || (mutants.has(Mutant::RecoveryCodeRefusedForKeyUser) && keys_alone);
    match verdict {
        CodeVerdict::Wrong | CodeVerdict::Spent if waved_through => CodeVerdict::Fresh(0),
        CodeVerdict::Fresh(_) if turned_away => CodeVerdict::Wrong,
        CodeVerdict::Fresh(_) | CodeVerdict::Spent | CodeVerdict::Wrong => verdict,
    }
}
