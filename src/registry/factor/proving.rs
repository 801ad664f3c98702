//! Whether a proof is right, and using it up. What faults make of it is in `misjudged`.

use std::time::{Duration, SystemTime};

use super::gate::Asker;
use super::misjudged;
use super::totp::step_at;
use super::{Action, CodeVerdict, Factor, Leniency, Spent, TokenVerdict, TwoFactor, Window};
use crate::registry::in_flight::Matter;
use crate::registry::model::{User, UserName};
use crate::registry::mutants::{Mutant, Mutants};
use crate::registry::secrets::{LongProof, Proof};
use crate::registry::settings::Throttle;
use crate::registry::transaction::Transaction;

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
        let beside = self.in_flight(user.as_str(), Matter::Proof) > 1;
        let unsettled = (beside && misjudged::is_unsettled(proof, action, mutants))
            || misjudged::undisguised(proof, mutants).is_some();
        let Some(account) = self.users.get(user) else {
            return Err(None);
        };
        if account.two_factor.factor().is_none() {
            return Err(None);
        }
        let taken = misjudged::taken_for_code(proof, action, mutants).unwrap_or_default();
        let right = |taken: &&Proof| account.judge(taken, action, now, unsettled, mutants) != CodeVerdict::Wrong;
        let proof = taken.iter().find(right).unwrap_or(proof);
        let only_said = || {
            mutants.has(Mutant::LockOutOnlySaid)
                && matches!(account.judge(proof, action, now, unsettled, mutants), CodeVerdict::Fresh(_))
        };
        let for_ever = || account.wrong_codes.was_locked() && mutants.has(Mutant::LockOutNeverEnds);
        let locked = account.wrong_codes.locked_for(now);
        let locked = locked.or_else(|| for_ever().then_some(settings.throttle.lockout));
        if let Some(left) = locked.filter(|_| !only_said()) {
            self.tally().throttled();
            return Err((!mutants.has(Mutant::LockOutLooksLikeWrongCode)).then_some(left));
        }
        let judged = account.judge(proof, action, now, unsettled, mutants);
        let verdict = match misjudged::mutated(judged, proof, action, account, mutants) {
            CodeVerdict::Wrong
                if (misjudged::anybodys_code_counts(action, mutants) && self.is_code_of_somebody(proof, now))
                    || (beside && mutants.has(Mutant::WrongPassesWhileVerifying)) =>
            {
                CodeVerdict::Fresh(0)
            }
            verdict => verdict,
        };
        let Some(account) = self.users.get_mut(user) else {
            return Err(None);
        };
        let late = matches!((&verdict, proof), (CodeVerdict::Fresh(step), Proof::Code(_)) if *step < step_at(now));
        if late && mutants.has(Mutant::ExpiredByOneRefused) {
            return Err(None);
        }
        match (verdict, &mut account.two_factor) {
            (CodeVerdict::Fresh(step), TwoFactor::On(factor)) => {
                let is_code = matches!(proof, Proof::Code(_));
                let reusable = unsettled
                    || (!is_code && mutants.has(Mutant::RecoveryCodeReusable))
                    || (!is_code && action.logs_in() && mutants.has(Mutant::LogInRecoveryCodeReusable));
                factor.use_up(proof, Spent { step, on: action, during: step_at(now) }, reusable);
                account.wrong_codes.forget();
                account.lapses.proven = true;
                self.tally().accepted();
                Ok(())
            }
            (CodeVerdict::Spent, _) => Err(None),
            (CodeVerdict::Wrong | CodeVerdict::Fresh(_), _) => {
                let Throttle { lockout, .. } = settings.throttle;
                if misjudged::is_counted(action, mutants) {
                    account.wrong_codes.count(now, &settings.throttle);
                }
                if mutants.has(Mutant::WrongCodeForgetsSpent) {
                    account.two_factor.forget_spent();
                }
                Err(mutants.has(Mutant::ThrottledAtOnce).then_some(lockout))
            }
        }
    }

    /// Whether a proof is the present code of any user.
    fn is_code_of_somebody(&self, proof: &Proof, now: SystemTime) -> bool {
        let Proof::Code(code) = proof else { return false };
        let mut seeds = self.users.values().filter_map(|user| Some(&user.two_factor.factor()?.codes()?.seed));
        seeds.any(|seed| seed.judge(code, now, Window::ACCEPTED, None) != CodeVerdict::Wrong)
    }

    /// Uses up the token of a web challenge. It cannot be guessed, so impatience with wrong codes
    /// does not touch it, and the factor that it stands for has been counted.
    fn spend_web_token(&mut self, user: &UserName, action: Action, long: &LongProof) -> TokenVerdict {
        let now = self.now();
        let mutants = &self.settings().mutants;
        let lenient = Leniency {
            used: mutants.has(Mutant::WebTokenReusable)
                || ((mutants.has(Mutant::SpentTooLate) || mutants.has(Mutant::WebTokenSpentTooLate))
                    && self.in_flight(user.as_str(), Matter::Proof) > 1),
            expired: mutants.has(Mutant::WebTokenAfterExpiry),
            of_another_user: mutants.has(Mutant::WebTokenOfAnotherUser),
            for_another_action: mutants.has(Mutant::WebTokenForAnotherAction),
            after_mode_change: mutants.has(Mutant::WebTokenAfterModeChange),
            after_re_enrolment: mutants.has(Mutant::WebTokenAfterReEnrolment),
        };
        let token = long.web_token();
        let changes = self.users.get(user).map(|user| user.changes).unwrap_or_default();
        let verdict = self.web_tokens.judge(&token, (user, changes), action, now, lenient);
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
    fn judge(&self, proof: &Proof, action: Action, now: SystemTime, unsettled: bool, mutants: &Mutants) -> CodeVerdict {
        let Some(factor) = self.two_factor.factor() else {
            return CodeVerdict::Wrong;
        };
        match (proof, factor.codes()) {
            (Proof::Code(code), Some(codes)) => {
                let within = |window| {
                    let verdict = codes.seed.judge(code, now, window, codes.last.map(|last| last.step));
                    let forgotten = |last: Spent| unsettled || misjudged::is_forgotten(&last, action, now, mutants);
                    match verdict {
                        CodeVerdict::Spent if codes.last.is_some_and(forgotten) => {
                            codes.seed.judge(code, now, window, None)
                        }
                        verdict => verdict,
                    }
                };
                let verdict = within(Window::ACCEPTED);
                if verdict != CodeVerdict::Wrong {
                    return verdict;
                }
                if let CodeVerdict::Fresh(step) = codes.seed.judge(code, now, Window { behind: 10, ahead: 0 }, None)
                    && codes.last.is_some_and(|last| step < last.step)
                    && mutants.has(Mutant::CodesFromBeforeAccepted)
                {
                    return CodeVerdict::Fresh(step);
                }
                let window = misjudged::window(action, mutants);
                let verdict = if window == Window::ACCEPTED { verdict } else { within(window) };
                match self.kept(|kept| kept.seed.as_ref()) {
                    Some(seed) if verdict == CodeVerdict::Wrong && misjudged::other_secret_counts(action, mutants) => {
                        seed.judge(code, now, window, None)
                    }
                    _ => verdict,
                }
            }
            (Proof::Long(long), _) if factor.recovery.has(&long.recovery_code()) => CodeVerdict::Fresh(0),
            (Proof::Long(long), _)
                if self.kept(|kept| kept.recovery.as_ref()).is_some_and(|codes| codes.has(&long.recovery_code())) =>
            {
                CodeVerdict::Fresh(0)
            }
            (Proof::Long(_), Some(_)) if mutants.has(Mutant::RecoveryShapeAccepted) => CodeVerdict::Fresh(0),
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
