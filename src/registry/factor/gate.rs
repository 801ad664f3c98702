//! The gate: every endpoint passes it after it knows that the request is otherwise in order and
//! before it changes anything.
//!
//! The gate is passed while the transaction holds the registry, so a proof is judged and spent
//! and its effect applied in one breath: two requests cannot pass on one code.

use super::{Action, Challenge, CodeVerdict, Factor, Shape, Spent, TwoFactor, Why, Window};
use crate::registry::model::{TokenKind, UserName};
use crate::registry::mutants::{Mutant, Mutants};
use crate::registry::secrets::{Proof, ProofDigest};
use crate::registry::transaction::{Caller, Credential, Transaction};
use crate::registry::wire::{Call, Refusal};

/// Steps accepted before and after the present one (RFC 6238 §5.2 recommends at most one).
const ACCEPTED: Window = Window(1);
const TOO_WIDE: Window = Window(10);

/// What let a request through the gate.
#[derive(Debug)]
pub(crate) enum Cleared {
    /// Nothing was asked for; a proof that came along is untouched.
    NotAsked,
    /// This proof, which is now spent.
    Proven(ProofDigest),
}

impl Transaction<'_> {
    /// Lets a caller's action through, or asks for a second factor.
    pub(crate) fn demand(&mut self, caller: &Caller, action: Action, call: &Call) -> Result<Cleared, Refusal> {
        let due = match &caller.credential {
            Credential::Token(TokenKind::Automation) => false,
            Credential::Token(_) => self.is_due(&caller.user, action),
            // A name and a password with each request are a log-in with each request.
            Credential::Basic => self.is_due(&caller.user, action) || self.is_due(&caller.user, Action::LogIn),
        };
        self.demand_if(due, &caller.user, action, call.proof())
    }

    /// Lets a user's action through, or asks for a second factor where it is due.
    pub(crate) fn demand_if(
        &mut self,
        due: bool,
        user: &UserName,
        action: Action,
        proof: Option<&Proof>,
    ) -> Result<Cleared, Refusal> {
        let mutants = &self.settings().mutants;
        if !due || unchallenged(action).is_some_and(|mutant| mutants.has(mutant)) {
            return Ok(Cleared::NotAsked);
        }
        let Some(proof) = proof else {
            let proven = self.users.get(user).is_some_and(|user| user.lapses.proven);
            if (mutants.has(Mutant::OpenWhileVerifying) && self.verifying() > 0)
                || (mutants.has(Mutant::UnchallengedAfterRightProof) && proven)
            {
                return Ok(Cleared::NotAsked);
            }
            return Err(self.challenge(Why::Missing));
        };
        self.spend(user, action, proof)?;
        Ok(Cleared::Proven(proof.digest()))
    }

    /// Whether the table asks this user for a second factor.
    pub(crate) fn is_due(&self, user: &UserName, action: Action) -> bool {
        let mutants = &self.settings().mutants;
        let enforcing = self.users.get(user).filter(|user| !user.lapses.unenforced);
        let mut mode = enforcing.and_then(|user| user.two_factor.mode());
        if mode.is_some() && mutants.has(Mutant::SecondUserWeakensFirst) {
            mode = self.mode_chosen_last;
        }
        let publishing = action == Action::Publish;
        action.is_challenged(mode)
            || (publishing && mode.is_none() && mutants.has(Mutant::DisabledPublishChallenged))
            || (publishing && mode.is_some() && mutants.has(Mutant::AuthOnlyPublishChallenged))
            || (action == Action::WhoAmI && mode.is_some() && mutants.has(Mutant::WhoAmIChallenged))
    }

    /// Accepts a proof and uses it up, or says why not.
    fn spend(&mut self, user: &UserName, action: Action, proof: &Proof) -> Result<(), Refusal> {
        let now = self.now();
        let settings = self.settings();
        let mutants = &settings.mutants;
        let unsettled = mutants.has(Mutant::SpentTooLate) && self.verifying() > 1;
        let Some(user) = self.users.get_mut(user) else {
            return Err(self.challenge(Why::NotAccepted));
        };
        let TwoFactor::On(factor) = &mut user.two_factor else {
            return Err(self.challenge(Why::NotAccepted));
        };
        if let Some(left) = user.wrong_codes.locked_for(now) {
            self.tally().throttled();
            return Err(Refusal::Throttled(left));
        }
        let window = if mutants.has(Mutant::WideWindow) { TOO_WIDE } else { ACCEPTED };
        let verdict = match proof {
            Proof::Code(code) => {
                let last = factor.last.filter(|last| !unsettled && !is_forgotten(last, action, mutants));
                let step = last.map(|last| last.step);
                let of_former = user.former_seed.as_ref().map(|seed| seed.judge(code, now, window, None));
                match (factor.seed.judge(code, now, window, step), of_former) {
                    (CodeVerdict::Wrong, Some(verdict)) => verdict,
                    (verdict, _) => verdict,
                }
            }
            Proof::Recovery(code) if factor.recovery.has(code) => CodeVerdict::Fresh(0),
            Proof::Recovery(code) if user.lapses.former_recovery.as_ref().is_some_and(|codes| codes.has(code)) => {
                CodeVerdict::Fresh(0)
            }
            Proof::Recovery(_) | Proof::Other(_) => CodeVerdict::Wrong,
        };
        match mutated(verdict, proof, mutants) {
            CodeVerdict::Fresh(step) => {
                factor.use_up(
                    proof,
                    Spent { step, on: action },
                    unsettled || mutants.has(Mutant::RecoveryCodeReusable),
                );
                user.wrong_codes.forget();
                user.lapses.proven = true;
                self.tally().accepted();
                Ok(())
            }
            CodeVerdict::Spent => Err(self.challenge(Why::NotAccepted)),
            CodeVerdict::Wrong => {
                user.wrong_codes.count(now, &settings.throttle);
                if mutants.has(Mutant::ThrottledAtOnce) {
                    return Err(Refusal::Throttled(settings.throttle.lockout));
                }
                Err(self.challenge(Why::NotAccepted))
            }
        }
    }

    fn challenge(&self, why: Why) -> Refusal {
        match why {
            Why::Missing => self.tally().challenged(),
            Why::NotAccepted => self.tally().refused(),
        }
        let shape = Shape::under(&self.settings().mutants);
        Refusal::Challenge(Challenge { why, shape })
    }
}

impl Factor {
    fn use_up(&mut self, proof: &Proof, spent: Spent, reusable: bool) {
        match proof {
            Proof::Code(_) => self.last = Some(spent),
            Proof::Recovery(_) if reusable => {}
            Proof::Recovery(code) => self.recovery.spend(code),
            Proof::Other(_) => {}
        }
    }
}

/// Whether a fault makes the registry forget that a code was spent.
fn is_forgotten(last: &Spent, action: Action, mutants: &Mutants) -> bool {
    mutants.has(Mutant::ReplayAccepted) || (mutants.has(Mutant::ReplayAcceptedElsewhere) && last.on != action)
}

/// The verdict, unless a fault turns it round.
fn mutated(verdict: CodeVerdict, proof: &Proof, mutants: &Mutants) -> CodeVerdict {
    let waved_through = mutants.has(Mutant::AnyProofAccepted)
        || (mutants.has(Mutant::AnySixDigitsAccepted) && matches!(proof, Proof::Code(_)));
    match verdict {
        CodeVerdict::Wrong | CodeVerdict::Spent if waved_through => CodeVerdict::Fresh(0),
        CodeVerdict::Fresh(_) if mutants.has(Mutant::RightProofRefused) => CodeVerdict::Wrong,
        CodeVerdict::Fresh(_) | CodeVerdict::Spent | CodeVerdict::Wrong => verdict,
    }
}

/// The fault that leaves an action of the documented tables unchallenged.
fn unchallenged(action: Action) -> Option<Mutant> {
    match action {
        Action::LogIn => Some(Mutant::LogInUnchallenged),
        Action::WebLogIn => Some(Mutant::WebLogInUnchallenged),
        Action::SetProfile => Some(Mutant::ProfileUnchallenged),
        Action::SetPassword => Some(Mutant::PasswordUnchallenged),
        Action::ChangeMode => Some(Mutant::ModeChangeUnchallenged),
        Action::DisableTwoFactor => Some(Mutant::DisableUnchallenged),
        Action::CreateToken => Some(Mutant::TokenCreateUnchallenged),
        Action::RevokeToken => Some(Mutant::TokenRevokeUnchallenged),
        Action::Publish => Some(Mutant::PublishUnchallenged),
        Action::Unpublish => Some(Mutant::UnpublishUnchallenged),
        Action::Deprecate => Some(Mutant::DeprecateUnchallenged),
        Action::SetVisibility => Some(Mutant::VisibilityUnchallenged),
        Action::GrantAccess => Some(Mutant::GrantUnchallenged),
        Action::RevokeAccess => Some(Mutant::RevokeGrantUnchallenged),
        Action::SetPackageTwoFactor => Some(Mutant::PackageTwoFactorUnchallenged),
        Action::ChangeOwners
        | Action::TagLatest
        | Action::ManageTeam
        | Action::ManageOrg
        | Action::ManageHook
        | Action::ApproveStage
        | Action::RejectStage
        | Action::TagOther
        | Action::Star
        | Action::StagePublish
        | Action::LogOut
        | Action::Enrol
        | Action::ConfirmEnrolment
        | Action::ResetEnrolment
        | Action::WhoAmI
        | Action::Read => None,
    }
}
