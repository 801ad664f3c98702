//! Enrolling, confirming, changing the mode, disabling.
//!
//! Nothing that happens before a factor stands is challenged: there is nothing to answer with.
//! Once one stands, every change of it is, in both modes.

use serde_json::{Value, json};

use super::profile::Tfa;
use crate::registry::factor::{
    Action, CodeVerdict, Mode, Pending, Spent, TwoFactor, Window, keeps_former_secret, step_at,
};
use crate::registry::model::UserName;
use crate::registry::mutants::{Mutant, Mutants};
use crate::registry::secrets::{Password, Proof, RecoveryCode};
use crate::registry::transaction::{Caller, Transaction};
use crate::registry::wire::{Answer, Call, ClientGeneration, Fields, Refusal, Reply};

/// What a `tfa` member asks for.
enum Change {
    /// Enrol, or change the mode of what stands.
    Mode { password: Password, mode: Option<Mode> },
    /// Disable, or drop what is pending.
    Disable { password: Password },
    /// Confirm what is pending.
    Confirm(Proof),
}

/// A change of 2FA through the profile.
pub(super) fn change(tx: &mut Transaction<'_>, call: &Call, caller: &Caller, tfa: Value) -> Reply {
    match Change::parse(tfa)? {
        Change::Confirm(proof) => confirm(tx, call, caller, &proof),
        Change::Mode { password, mode } => {
            tx.check_password(&caller.user, &password)?;
            let default = default_mode(&tx.settings().mutants);
            let keys_alone = tx.users.get(&caller.user).is_some_and(|user| user.two_factor.is_keys_alone());
            match tx.mode_of(&caller.user) {
                None => enrol(tx, call, caller, Action::Enrol, mode.unwrap_or(default)),
                // There is no other way to ask for codes beside keys: whoever wants the mode that
                // he has wants what is missing in it.
                Some(current) if keys_alone && mode.unwrap_or(current) == current => {
                    enrol(tx, call, caller, Action::AddCodes, current)
                }
                Some(_) => change_mode(tx, call, caller, mode.unwrap_or(default)),
            }
        }
        Change::Disable { password } => {
            tx.check_password(&caller.user, &password)?;
            let action = match tx.mode_of(&caller.user) {
                None => Action::ResetEnrolment,
                Some(_) => Action::DisableTwoFactor,
            };
            tx.demand(caller, action, call)?;
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
        let password = Password::new(fields.required("password")?);
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

fn default_mode(mutants: &Mutants) -> Mode {
    if mutants.has(Mutant::DefaultModeAuthOnly) { Mode::AuthOnly } else { Mode::DEFAULT }
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
    tx.demand(caller, Action::ChangeMode, call)?;
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
            if mutants.has(Mutant::SpentForgottenAfterModeChange) {
                user.two_factor.forget_spent();
            }
        }
        user.touch(now);
    }
    tx.mode_chosen_last = Some(mode);
    let tfa = match call.generation() {
        ClientGeneration::WantsNull => Value::Null,
        ClientGeneration::WantsMode => json!({ "pending": false, "mode": mode.name() }),
    };
    profile_with(tx, &caller.user, tfa)
}

/// Enables what is pending, given its first code.
fn confirm(tx: &mut Transaction<'_>, call: &Call, caller: &Caller, proof: &Proof) -> Reply {
    tx.demand(caller, Action::ConfirmEnrolment, call)?;
    let now = tx.now();
    let throttle = tx.settings().throttle;
    let mutants = &tx.settings().mutants;
    let user = tx.users.get_mut(&caller.user).ok_or_else(Refusal::no_user)?;
    let Some(pending) = user.two_factor.pending() else {
        return Err(Refusal::malformed("no enrolment is pending"));
    };
    if let Some(left) = user.wrong_codes.locked_for(now) {
        return Err(Refusal::Throttled(left));
    }
    let verdict = match proof {
        Proof::Code(code) => pending.seed.judge(code, now, Window::ACCEPTED, None),
        Proof::Long(_) | Proof::Other(_) => CodeVerdict::Wrong,
    };
    let CodeVerdict::Fresh(step) = verdict else {
        user.wrong_codes.count(now, &throttle);
        return Err(Refusal::malformed("that code is not right; nothing was enabled"));
    };
    user.wrong_codes.forget();
    let chosen = pending.mode;
    user.lapses.begin_anew();
    let spent = Spent { step, on: Action::ConfirmEnrolment, during: step_at(now) };
    let (confirmed, codes) = std::mem::replace(&mut user.two_factor, TwoFactor::Off).confirm(spent);
    user.two_factor = confirmed;
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
    let codes: Vec<String> = codes.iter().map(RecoveryCode::reveal).collect();
    profile_with(tx, &caller.user, json!(codes))
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

    fn check_password(&self, user: &UserName, password: &Password) -> Result<(), Refusal> {
        if self.is_password(user, password) { Ok(()) } else { Err(Refusal::wrong_password()) }
    }

    fn disable(&mut self, name: &UserName) {
        let now = self.now();
        let mutants = &self.settings().mutants;
        if let Some(user) = self.users.get_mut(name) {
            if let TwoFactor::On(former) = std::mem::replace(&mut user.two_factor, TwoFactor::Off) {
                user.lapses.disabled_before = true;
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
