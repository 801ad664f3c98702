//! Enrolling, confirming, changing the mode, disabling.
//!
//! Nothing that happens before a factor stands is challenged: there is nothing to answer with.
//! Once one stands, every change of it is, in both modes.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use super::profile::Tfa;
use super::unasked::{self, Asked};
use crate::registry::factor::{
    Action, CodeVerdict, Mode, Pending, RecoveryCodes, Spent, TwoFactor, Window, keeps_former_secret, step_at,
};
use crate::registry::model::UserName;
use crate::registry::mutants::{Mutant, Mutants};
use crate::registry::secrets::{Password, Proof, RecoveryCode};
use crate::registry::transaction::{Caller, Transaction};
use crate::registry::wire::{Answer, Call, ClientGeneration, Fields, Refusal, Reply};

/// What a `tfa` member asks for.
enum Change {
    /// Enrol, or change the mode of what stands.
    Mode { password: Option<Password>, mode: Option<Mode> },
    /// Disable, or drop what is pending.
    Disable { password: Option<Password> },
    /// Confirm what is pending.
    Confirm(Proof),
}

/// A change of 2FA through the profile.
pub(super) fn change(tx: &mut Transaction<'_>, call: &Call, caller: &Caller, tfa: Value) -> Reply {
    match Change::parse(tfa)? {
        Change::Confirm(proof) => confirm(tx, call, caller, &proof),
        Change::Mode { password, mode: named } => {
            let faults = if tx.mode_of(&caller.user).is_none() { &unasked::ENROL } else { &unasked::CHANGE_MODE };
            let asked = tx.check_password(caller, password.as_ref(), call, faults)?;
            let mode = named.unwrap_or(Mode::DEFAULT);
            let keys_alone = tx.users.get(&caller.user).is_some_and(|user| user.two_factor.is_keys_alone());
            match tx.mode_of(&caller.user) {
                None => {
                    let mode = enrolled_mode(&tx.settings().mutants, mode);
                    enrol(tx, call, caller, Action::Enrol, mode)
                }
                // There is no other way to ask for codes beside keys: whoever wants the mode that
                // he has wants what is missing in it.
                Some(current) if keys_alone && named.unwrap_or(current) == current => {
                    enrol(tx, call, caller, Action::AddCodes, current)
                }
                Some(_) => {
                    if asked == Asked::Both {
                        tx.demand(caller, Action::ChangeMode, call)?;
                    }
                    change_mode(tx, call, caller, mode)
                }
            }
        }
        Change::Disable { password } => {
            let asked = tx.check_password(caller, password.as_ref(), call, &unasked::DISABLE)?;
            let action = match tx.mode_of(&caller.user) {
                None => Action::ResetEnrolment,
                Some(_) => Action::DisableTwoFactor,
            };
            if asked == Asked::Both {
                tx.demand(caller, action, call)?;
            }
            tx.disable(&caller.user);
            Ok(Answer::ok(tx.describe(&caller.user)?))
        }
    }
}

impl Change {
    fn parse(tfa: Value) -> Result<Self, Refusal> {
        if let Value::Array(codes) = &tfa {
            return match codes.as_slice() {
                [Value::String(code)] => Ok(Change::Confirm(Proof::parse(code))),
                _ => Err(Refusal::malformed("`tfa` is confirmed with one code")),
            };
        }
        let mut fields = Fields::new(tfa).map_err(|_| Refusal::malformed("`tfa` is neither an object nor a list"))?;
        let password = fields.text("password")?.map(Password::new);
        match fields.text("mode")?.as_deref() {
            None => Ok(Change::Mode { password, mode: None }),
            Some("disable") => Ok(Change::Disable { password }),
            Some(name) => match Mode::parse(name) {
                Some(mode) => Ok(Change::Mode { password, mode: Some(mode) }),
                None => Err(Refusal::malformed("`mode` is auth-only, auth-and-writes or disable")),
            },
        }
    }
}

/// The mode that an enrolment which asks for this one is for.
fn enrolled_mode(mutants: &Mutants, asked: Mode) -> Mode {
    if asked == Mode::DEFAULT && mutants.has(Mutant::DefaultModeAuthOnly) { Mode::AuthOnly } else { asked }
}

/// Begins an enrolment of codes, or begins it anew.
fn enrol(tx: &mut Transaction<'_>, call: &Call, caller: &Caller, action: Action, mode: Mode) -> Reply {
    tx.demand(caller, action, call)?;
    let pending = Pending::new(mode);
    let address = pending.seed.enrolment_url(caller.user.as_str());
    let now = tx.now();
    if let Some(user) = tx.users.get_mut(&caller.user) {
        user.two_factor.begin(pending);
        user.touch(now);
    }
    profile_with(tx, &caller.user, json!(address))
}

fn change_mode(tx: &mut Transaction<'_>, call: &Call, caller: &Caller, mode: Mode) -> Reply {
    if let Some(address) = tx.begin_beside(&caller.user, mode) {
        return profile_with(tx, &caller.user, json!(address));
    }
    let applied = !tx.settings().mutants.has(Mutant::ModeChangeNoEffect);
    let now = tx.now();
    let mutants = &tx.settings().mutants;
    if let Some(user) = tx.users.get_mut(&caller.user) {
        user.lapses.unenforced |= user.lapses.disabled_before && mutants.has(Mutant::FactorForgottenAfterReenable);
        if applied {
            user.two_factor.set_mode(mode);
            user.changes.modes += 1;
            if mutants.has(Mutant::SpentForgottenAfterModeChange) {
                user.two_factor.forget_spent();
            }
        }
        user.touch(now);
    }
    tx.mode_chosen_last = Some(mode);
    let mutants = &tx.settings().mutants;
    let tfa = match call.generation() {
        ClientGeneration::WantsMode if mutants.has(Mutant::ModeChangeAnswersNull) => Value::Null,
        ClientGeneration::WantsNull if !mutants.has(Mutant::ModeChangeAnswersMode) => Value::Null,
        ClientGeneration::WantsNull | ClientGeneration::WantsMode => {
            json!({ "pending": false, "mode": mode.name() })
        }
    };
    profile_with(tx, &caller.user, tfa)
}

/// Enables what is pending, given its first code.
fn confirm(tx: &mut Transaction<'_>, call: &Call, caller: &Caller, proof: &Proof) -> Reply {
    tx.demand(caller, Action::ConfirmEnrolment, call)?;
    let now = tx.now();
    let throttle = tx.settings().throttle;
    let mutants = &tx.settings().mutants;
    let verdict = tx.judge_first(&caller.user, proof);
    if verdict.is_none()
        && let Some(codes) = tx.confirm_again(&caller.user, proof)
    {
        return profile_with(tx, &caller.user, recovery_codes(&codes, mutants));
    }
    let user = tx.users.get_mut(&caller.user).ok_or_else(Refusal::no_user)?;
    let (Some(verdict), Some(pending)) = (verdict, user.two_factor.pending()) else {
        return Err(Refusal::malformed("no enrolment is pending"));
    };
    if let Some(left) = user.wrong_codes.locked_for(now) {
        return Err(Refusal::Throttled(left));
    }
    let CodeVerdict::Fresh(step) = verdict else {
        user.wrong_codes.count(now, &throttle);
        return Err(Refusal::malformed("that code is not right; nothing was enabled"));
    };
    let chosen = pending.mode;
    user.wrong_codes.forget();
    user.lapses.begin_anew();
    let spent = Spent { step, on: Action::ConfirmEnrolment, during: step_at(now) };
    let (confirmed, codes) = std::mem::replace(&mut user.two_factor, TwoFactor::Off).confirm(spent);
    user.two_factor = confirmed;
    user.changes.means += 1;
    if mutants.has(Mutant::EnrolmentNoEffect) {
        user.two_factor = TwoFactor::Off;
    }
    if mutants.has(Mutant::EnrolmentCodeNotSpent) {
        user.two_factor.forget_spent();
    }
    if mutants.has(Mutant::LastRecoveryCodeNotKept)
        && let (TwoFactor::On(factor), Some(last)) = (&mut user.two_factor, codes.last())
    {
        factor.recovery.spend(last);
    }
    if mutants.has(Mutant::CodesReplaceKeys) {
        user.two_factor.drop_keys();
    }
    if mutants.has(Mutant::RecoveryCodesShownAgain) {
        user.lapses.keep().clear_recovery.clone_from(&codes);
    }
    user.touch(now);
    tx.mode_chosen_last = Some(chosen);
    profile_with(tx, &caller.user, recovery_codes(&codes, mutants))
}

/// The recovery codes, as they are shown once.
pub(super) fn recovery_codes(codes: &[RecoveryCode], mutants: &Mutants) -> Value {
    let written = |code: &RecoveryCode| match code.reveal() {
        code if mutants.has(Mutant::RecoveryCodesUntypable) => in_letters(&code),
        code => code,
    };
    codes.iter().map(written).collect()
}

/// A code of hexadecimal digits in letters of another alphabet.
fn in_letters(code: &str) -> String {
    BASE32_NOPAD.encode(&HEXLOWER.decode(code.as_bytes()).unwrap_or_default())
}

/// The profile, with a `tfa` member that answers the change.
fn profile_with(tx: &Transaction<'_>, user: &UserName, tfa: Value) -> Reply {
    let mut profile = tx.describe(user)?;
    profile.tfa = Tfa::Changed(tfa);
    Ok(Answer::ok(profile))
}

impl Transaction<'_> {
    /// Begins an enrolment beside the factor that stands, where the mode asked for is on already: two faults. The new
    /// secret is accepted before it is confirmed, or the factor stands no more.
    fn begin_beside(&mut self, name: &UserName, mode: Mode) -> Option<String> {
        let mutants = &self.settings().mutants;
        let user = self.users.get_mut(name).filter(|user| user.two_factor.mode() == Some(mode))?;
        let pending = Pending::new(mode);
        let address = pending.seed.enrolment_url(name.as_str());
        if mutants.has(Mutant::PendingEnrolmentWeakens) {
            user.two_factor = TwoFactor::Pending(pending);
        } else if mutants.has(Mutant::PendingSecretAccepted) {
            user.lapses.keep().seed = Some(pending.seed);
        } else {
            return None;
        }
        Some(address)
    }

    /// What is to be said of the code that is to confirm what is pending, if anything is.
    fn judge_first(&self, name: &UserName, proof: &Proof) -> Option<CodeVerdict> {
        let mutants = &self.settings().mutants;
        let pending = self.users.get(name)?.two_factor.pending()?;
        let Proof::Code(code) = proof else { return Some(CodeVerdict::Wrong) };
        let of = |pending: &Pending, window| pending.seed.judge(code, self.now(), window, None);
        let verdict = of(pending, Window::ACCEPTED);
        if verdict != CodeVerdict::Wrong {
            return Some(verdict);
        }
        let is_far = of(pending, Window::either_way(10)) != CodeVerdict::Wrong;
        let mut all = self.users.values().filter_map(|user| user.two_factor.pending());
        let is_anybodys = all.any(|pending| of(pending, Window::ACCEPTED) != CodeVerdict::Wrong);
        let waved_through = (is_far && mutants.has(Mutant::FarCodeConfirms))
            || (is_anybodys && mutants.has(Mutant::AnybodysCodeConfirms))
            || mutants.has(Mutant::AnyCodeConfirms);
        Some(if waved_through { CodeVerdict::Fresh(0) } else { verdict })
    }

    /// New recovery codes for the code that confirmed what stands: a fault.
    fn confirm_again(&mut self, name: &UserName, proof: &Proof) -> Option<Vec<RecoveryCode>> {
        let (now, mutants) = (self.now(), &self.settings().mutants);
        let TwoFactor::On(factor) = &mut self.users.get_mut(name)?.two_factor else { return None };
        let (Proof::Code(code), Some(codes)) = (proof, factor.codes()) else { return None };
        let judged = codes.seed.judge(code, now, Window::ACCEPTED, codes.last.map(|last| last.step));
        if judged != CodeVerdict::Spent || !mutants.has(Mutant::ConfirmedAgain) {
            return None;
        }
        let (recovery, handed_out) = RecoveryCodes::mint();
        factor.recovery = recovery;
        Some(handed_out)
    }

    fn disable(&mut self, name: &UserName) {
        let now = self.now();
        let mutants = &self.settings().mutants;
        if let Some(user) = self.users.get_mut(name) {
            if let TwoFactor::On(former) = std::mem::replace(&mut user.two_factor, TwoFactor::Off) {
                user.lapses.disabled_before = true;
                user.changes.means += 1;
                let (seed, recovery) = former.into_parts();
                if keeps_former_secret(mutants) {
                    user.lapses.keep().seed = seed;
                }
                if mutants.has(Mutant::FormerRecoveryCodesAccepted) {
                    user.lapses.keep().recovery = Some(recovery);
                }
            }
            user.touch(now);
        }
    }
}
