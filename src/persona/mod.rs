//! Personas: simulated users, their credentials and the ledger of their proofs.

pub mod key;
pub mod ledger;
pub mod totp;

use crate::secret::Secret;
use crate::table::Factor;
use key::SecurityKey;
use ledger::Ledger;

/// A simulated user.
#[derive(Debug)]
pub struct Persona {
    /// The account's name.
    pub name: String,
    /// Its password.
    pub password: Secret,
    /// The password that it had at first.
    pub first: Secret,
    /// The password before the last change.
    pub former: Option<Secret>,
    /// Its bearer token, once it has one.
    pub token: Option<Secret>,
    /// Its one-time passwords, once it has enrolled.
    pub ledger: Option<Ledger>,
    /// The one-time passwords of the secret before the last enrolment.
    pub former_ledger: Option<Ledger>,
    /// The one-time passwords of a secret that was handed out and not confirmed.
    pub pending_ledger: Option<Ledger>,
    /// Its security key, once it has registered one.
    pub key: Option<SecurityKey>,
    /// The security key before the last one that it registered.
    pub former_key: Option<SecurityKey>,
    /// The security key whose registration was wrong on purpose, so that the target must not know it.
    pub wrong_key: Option<SecurityKey>,
    /// The last assertion that a page was given.
    pub assertion: Option<serde_json::Value>,
    /// Whether a page spared the key what it was to leave out.
    pub spared: bool,
    /// The options of a page that was looked at.
    pub looked: Option<serde_json::Value>,
    /// The recovery codes that the enrolment handed out.
    pub recovery_codes: Vec<Secret>,
    /// Those of the enrolment before the last.
    pub former_recovery_codes: Vec<Secret>,
    /// Whether the account outlives the run, so that it must be left as it was.
    pub lent: bool,
    /// Whether its token is one that this run asked for, and has to give back.
    pub logged_in: bool,
    /// Its tokens before the present one, oldest first: all but the first are of sessions that this run has opened beside
    /// the one that the user came with.
    pub former_tokens: Vec<Secret>,
    /// How many proofs the target has refused since it last accepted one: it may lock an account that others use.
    pub refused: u32,
    /// Whether the target has accepted a code of this ledger, so that a refusal says something of the target.
    pub confirmed: bool,
    /// Whether something has shown that its second factor is in force: a challenge, or its profile.
    pub enrolled: bool,
}

impl Persona {
    /// Its second factor.
    pub fn factor(&self) -> Factor {
        Factor::made_of(self.ledger.as_ref(), self.key.as_ref())
    }

    /// Takes up its first token again. Returns those of the sessions that were opened beside it, the last first.
    pub fn first_session(&mut self) -> Vec<Secret> {
        let mut all = std::mem::take(&mut self.former_tokens);
        if all.is_empty() {
            return all;
        }
        all.extend(self.token.take());
        self.token = Some(all.remove(0));
        all.reverse();
        all
    }

    /// A user that does not exist on the target yet.
    pub fn new(name: String, password: Secret) -> Self {
        Persona {
            name,
            first: password.clone(),
            password,
            former: None,
            token: None,
            ledger: None,
            former_ledger: None,
            key: None,
            former_key: None,
            wrong_key: None,
            assertion: None,
            spared: false,
            looked: None,
            pending_ledger: None,
            recovery_codes: Vec::new(),
            former_recovery_codes: Vec::new(),
            lent: false,
            logged_in: false,
            former_tokens: Vec::new(),
            refused: 0,
            confirmed: false,
            enrolled: false,
        }
    }
}
