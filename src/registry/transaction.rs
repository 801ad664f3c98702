//! One request's exclusive hold of the registry's memory, and who the request comes from.
//!
//! The lock is held from the first look to the last change, so nothing that was checked can
//! change before it is acted upon. It is never held while waiting for anything.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;
use std::time::SystemTime;

use super::factor::{Action, Mode};
use super::in_flight::Matter;
use super::model::{State, TokenKind, UserName};
use super::mutants::Mutant;
use super::secrets::Password;
use super::service::{Desk, Tally};
use super::settings::Settings;
use super::wire::{Authorization, Call, Refusal};

/// The text for a bypass token on an action that it may not perform (wire notes §2.4).
pub(crate) const BYPASS: &str =
    "Granular access tokens that bypass two-factor authentication may not perform this action.";

/// The memory, held.
pub(crate) struct Transaction<'a> {
    desk: &'a Desk,
    state: MutexGuard<'a, State>,
    now: SystemTime,
}

/// Who a request comes from.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user: UserName,
    pub(crate) credential: Credential,
}

/// How the caller showed who he is.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// Name and password, sent with the request.
    Basic,
    /// A bearer token of a kind.
    Token(TokenKind),
}

impl<'a> Transaction<'a> {
    pub(crate) fn begin(desk: &'a Desk) -> Self {
        let state = desk.lock();
        let now = (desk.settings().now)();
        Self { desk, state, now }
    }

    /// The moment of the request. It is read once.
    pub(crate) fn now(&self) -> SystemTime {
        self.now
    }

    pub(crate) fn settings(&self) -> &'a Settings {
        self.desk.settings()
    }

    fn has(&self, mutant: Mutant) -> bool {
        self.settings().mutants.has(mutant)
    }

    /// How many of a user's or a ticket's requests are in flight: only faults ask.
    pub(crate) fn in_flight(&self, whose: &str, matter: Matter) -> usize {
        self.desk.in_flight().of(whose, matter)
    }

    pub(crate) fn tally(&self) -> &'a Tally {
        self.desk.tally()
    }

    /// The caller of a read that needs one.
    pub(crate) fn reader(&mut self, call: &Call) -> Result<Caller, Refusal> {
        let caller = self.caller(call)?;
        self.demand(&caller, Action::Read, call)?;
        Ok(caller)
    }

    /// The caller of a read that anyone may make. Credentials that are no good count as none.
    pub(crate) fn visitor(&mut self, call: &Call) -> Option<UserName> {
        self.reader(call).ok().map(|caller| caller.user)
    }

    /// The caller of a write.
    pub(crate) fn writer(&self, call: &Call) -> Result<Caller, Refusal> {
        let caller = self.caller(call)?;
        match caller.credential {
            Credential::Token(TokenKind::ReadOnly)
                if !self.oversteps(call, Mutant::ReadOnlyTokenWrites, Mutant::ReadOnlyTokenWithCodeWrites) =>
            {
                Err(Refusal::forbidden("a read-only token may not write"))
            }
            Credential::Basic | Credential::Token(_) => Ok(caller),
        }
    }

    /// The caller of a change to an account, which no bypass token may make.
    pub(crate) fn holder(&self, call: &Call) -> Result<Caller, Refusal> {
        let caller = self.writer(call)?;
        match caller.credential {
            Credential::Token(TokenKind::Automation)
                if !self.oversteps(
                    call,
                    Mutant::AutomationTokenChangesAccount,
                    Mutant::AutomationTokenWithCodeChangesAccount,
                ) =>
            {
                Err(Refusal::forbidden(BYPASS))
            }
            Credential::Basic | Credential::Token(_) => Ok(caller),
        }
    }

    /// Whether a fault lets a token do what it may not: always, or with a code beside it.
    fn oversteps(&self, call: &Call, always: Mutant, with_code: Mutant) -> bool {
        self.has(always) || (call.proof().is_some() && self.has(with_code))
    }

    /// Whether a user's password is right. An unknown user has none.
    pub(crate) fn is_password(&self, user: &UserName, password: &Password) -> bool {
        let user = self.users.get(user);
        user.is_some_and(|user| user.has_password(password))
    }

    /// The mode that a user enforces.
    pub(crate) fn mode_of(&self, user: &UserName) -> Option<Mode> {
        self.users.get(user)?.two_factor.mode()
    }

    /// Who the request comes from.
    pub(crate) fn caller(&self, call: &Call) -> Result<Caller, Refusal> {
        match call.authorization() {
            None => Err(Refusal::Unauthenticated("you must be logged in to do this")),
            Some(Authorization::Unknown) => Err(Refusal::Unauthenticated("the credentials are of no known kind")),
            Some(Authorization::Bearer(text)) => {
                let token = self.tokens.get(&text.digest());
                match token.filter(|token| token.is_live(self.now)) {
                    Some(token) if !token.admits(call.peer()) && !self.has(Mutant::TokenAddressIgnored) => {
                        Err(Refusal::Unauthenticated("the token may not be used from this address"))
                    }
                    Some(token) => Ok(Caller { user: token.owner.clone(), credential: Credential::Token(token.kind) }),
                    None => {
                        let seeded = self.settings().seeded.as_ref().and_then(|seeded| seeded.owner(text));
                        let credential = Credential::Token(TokenKind::Session);
                        seeded
                            .map(|user| Caller { user, credential })
                            .ok_or(Refusal::Unauthenticated("the token is not valid"))
                    }
                }
            }
            Some(Authorization::Basic { name, password }) => {
                let user = UserName::parse(name).map_err(|_| Refusal::wrong_password())?;
                if self.is_password(&user, password) {
                    let credential = Credential::Basic;
                    Ok(Caller { user, credential })
                } else {
                    Err(Refusal::wrong_password())
                }
            }
        }
    }
}

impl Deref for Transaction<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}
