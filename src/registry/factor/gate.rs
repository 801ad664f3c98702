//! The gate: every endpoint passes it after it knows that the request is otherwise in order and
//! before it changes anything.
//!
//! The gate is passed while the transaction holds the registry, so a proof is judged and spent
//! and its effect applied in one breath: two requests cannot pass on one code.

use super::overlooked::{overlooks_basic, overlooks_client};
use super::{Action, Authorization, Challenge, Shape, TwoFactor, WebDoor, Why};
use crate::registry::in_flight::Matter;
use crate::registry::model::{Addresses, TokenKind, UserName};
use crate::registry::mutants::Mutant;
use crate::registry::overasked::fault_of_action;
use crate::registry::secrets::{Proof, ProofDigest};
use crate::registry::transaction::{BYPASS, Caller, Credential, Transaction};
use crate::registry::wire::{Call, Refusal, Spelling};

/// What let a request through the gate.
#[derive(Debug)]
pub(crate) enum Cleared {
    /// Nothing was asked for; a proof that came along is untouched.
    NotAsked,
    /// This proof, which is now spent.
    Proven(ProofDigest),
}

/// What a request has to offer at the gate.
pub(crate) struct Offer<'a> {
    pub(crate) proof: Option<&'a Proof>,
    pub(crate) asker: Asker<'a>,
    /// The request, where no page of the registry sends it. Only faults look at it.
    sender: Option<&'a Call>,
}

/// Who makes an offer, and so how he can be asked for more.
pub(crate) enum Asker<'a> {
    /// A client that cannot send a person to a page.
    Client,
    /// A client that can, at this address of the registry.
    WebClient { base: &'a str },
    /// A page of the registry. What it asks for it asks for itself, and the token that a page ends
    /// in is no answer to a page.
    Page,
}

impl<'a> Offer<'a> {
    pub(crate) fn of(call: &'a Call) -> Self {
        let asker = if call.is_from_web_client() { Asker::WebClient { base: call.base() } } else { Asker::Client };
        Self { proof: call.proof(), asker, sender: Some(call) }
    }

    /// What a person has filled in on a page.
    pub(crate) fn on_page(proof: Option<&'a Proof>) -> Self {
        Self { proof, asker: Asker::Page, sender: None }
    }
}

impl Transaction<'_> {
    /// Lets a caller's action through, or asks for a second factor.
    pub(crate) fn demand(&mut self, caller: &Caller, action: Action, call: &Call) -> Result<Cleared, Refusal> {
        let mutants = &self.settings().mutants;
        if matches!(caller.credential, Credential::Token(TokenKind::Automation))
            && action.governs()
            && !mutants.has(Mutant::AutomationTokenGoverns)
        {
            return Err(Refusal::forbidden(BYPASS));
        }
        if of_spelling(action, call.spelling()).is_some_and(|fault| mutants.has(fault)) {
            return Ok(Cleared::NotAsked);
        }
        let due = match &caller.credential {
            Credential::Token(TokenKind::Automation) if !mutants.has(Mutant::AutomationTokenChallenged) => false,
            Credential::Token(_) => self.is_due(&caller.user, action),
            // A name and a password with each request are a log-in with each request.
            Credential::Basic => self.is_due(&caller.user, action) || self.is_due(&caller.user, Action::LogIn),
        };
        let due = due && !overlooks_basic(&caller.credential, action, mutants);
        self.demand_if(due, &caller.user, action, &Offer::of(call))
    }

    /// Lets a user's action through, or asks for a second factor where it is due.
    pub(crate) fn demand_if(
        &mut self,
        due: bool,
        user: &UserName,
        action: Action,
        offer: &Offer<'_>,
    ) -> Result<Cleared, Refusal> {
        let mutants = &self.settings().mutants;
        if !due
            || unchallenged(action).is_some_and(|mutant| mutants.has(mutant))
            || offer.sender.is_some_and(|call| overlooks_client(call, mutants))
        {
            if let (Action::Read, Some(proof)) = (action, offer.proof)
                && mutants.has(Mutant::ReadsSpendCodes)
            {
                // Whatever comes of it, the read is answered.
                let _ = self.spend(user, action, proof, &offer.asker);
            }
            return Ok(Cleared::NotAsked);
        }
        let Some(proof) = offer.proof else {
            let proven = self.users.get(user).is_some_and(|user| user.lapses.proven);
            let open = |fault, matter| mutants.has(fault) && self.in_flight(user.as_str(), matter) > 0;
            if open(Mutant::OpenWhileVerifying, Matter::Proof)
                || (action == Action::Publish && open(Mutant::ModeChangeOpensWrites, Matter::Mode))
                || (proven && mutants.has(Mutant::UnchallengedAfterRightProof))
                || (matches!(offer.asker, Asker::WebClient { .. })
                    && !self.is_offered_a_page(user)
                    && mutants.has(Mutant::WebClientUnchallenged))
            {
                return Ok(Cleared::NotAsked);
            }
            if mutants.has(Mutant::BareRequestsCount) {
                let (now, throttle) = (self.now(), self.settings().throttle);
                if let Some(user) = self.users.get_mut(user) {
                    user.wrong_codes.count(now, &throttle);
                }
            }
            return Err(self.challenge(Why::Missing, user, action, offer));
        };
        match self.spend(user, action, proof, &offer.asker) {
            Ok(()) => Ok(Cleared::Proven(proof.digest())),
            Err(Some(left)) => Err(Refusal::Throttled(left)),
            Err(None) if mutants.has(Mutant::WrongCodeForbidden) => Err(Refusal::forbidden("that code is not right")),
            Err(None) => Err(self.challenge(Why::NotAccepted, user, action, offer)),
        }
    }

    /// Whether the table asks this user for a second factor.
    pub(crate) fn is_due(&self, user: &UserName, action: Action) -> bool {
        let mutants = &self.settings().mutants;
        let enforcing = self.users.get(user).filter(|user| !user.lapses.unenforced).map(|user| &user.two_factor);
        if enforcing.is_some_and(|factor| factor.is_keys_alone()) && mutants.has(Mutant::KeyUsersUnchallenged) {
            return false;
        }
        let mut mode = enforcing.and_then(|two_factor| match two_factor {
            TwoFactor::Pending(pending) if mutants.has(Mutant::PendingEnrolmentEnforced) => Some(pending.mode),
            standing => standing.mode(),
        });
        if mode.is_some() && mode != self.mode_chosen_last && mutants.has(Mutant::SecondUserWeakensFirst) {
            mode = self.mode_chosen_last;
        }
        action.is_challenged(mode) || fault_of_action(action, mode).is_some_and(|fault| mutants.has(fault))
    }

    fn challenge(&mut self, why: Why, user: &UserName, action: Action, offer: &Offer<'_>) -> Refusal {
        match why {
            Why::Missing => self.tally().challenged(),
            Why::NotAccepted => self.tally().refused(),
        }
        let web = match offer.asker {
            Asker::WebClient { base } if self.is_offered_a_page(user) => Some(self.open_door(user, action, base)),
            Asker::WebClient { .. } | Asker::Client | Asker::Page => None,
        };
        let shape = Shape::under(&self.settings().mutants, web.is_some());
        Refusal::Challenge(Challenge { why, shape, web })
    }

    /// Whether a user has a key, which only a page can ask for.
    fn is_offered_a_page(&self, user: &UserName) -> bool {
        let mutants = &self.settings().mutants;
        let Some(two_factor) = self.users.get(user).map(|user| &user.two_factor) else {
            return false;
        };
        match two_factor.keys() {
            Some(_) => !(two_factor.is_keys_alone() && mutants.has(Mutant::ClassicChallengeToKeyUser)),
            None => two_factor.mode().is_some() && mutants.has(Mutant::KeyOfferedToCodeUser),
        }
    }

    /// Opens a web challenge of its own for one user and one action.
    fn open_door(&mut self, user: &UserName, action: Action, base: &str) -> WebDoor {
        let now = self.now();
        let changes = self.users.get(user).map(|user| user.changes).unwrap_or_default();
        let authorization = Authorization::new(user.clone(), action, changes);
        let Addresses { page, ticket } = self.authorizations.start(authorization, now);
        let mutants = &self.settings().mutants;
        let base = if mutants.has(Mutant::WebChallengeRelativeUrls) { "" } else { base };
        let done_url = format!("{base}/-/v1/done/{ticket}");
        WebDoor {
            auth_url: format!("{base}/-/auth/{page}"),
            done_url: (!mutants.has(Mutant::WebChallengeWithoutDoneUrl)).then_some(done_url),
        }
    }
}

/// The fault that leaves changes of a package unchallenged where its name is spelled like this.
fn of_spelling(action: Action, spelling: Option<Spelling>) -> Option<Mutant> {
    if !action.changes_package() {
        return None;
    }
    match spelling? {
        Spelling::Lower => None,
        Spelling::Upper => Some(Mutant::UpperSpellingUnchallenged),
        Spelling::Slash => Some(Mutant::SlashSpellingUnchallenged),
    }
}

/// The fault that leaves an action unchallenged.
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
        Action::AddCodes => Some(Mutant::CodesAddedUnchallenged),
        Action::AddKey => Some(Mutant::KeyAddedUnchallenged),
        Action::RemoveKey => Some(Mutant::KeyRemovedUnchallenged),
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
