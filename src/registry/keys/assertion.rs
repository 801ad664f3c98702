//! The question that is put to a user's keys, and whether an answer to it is right.

use webauthn_rs::prelude::{PasskeyAuthentication, PublicKeyCredential};

use super::relying_party::RP_ID;
use super::steps::{ALL, Expected, Facts, LEFT_TO_US, Step};
use super::{Key, RelyingParty};
use crate::registry::model::UserName;
use crate::registry::mutants::{Mutant, Mutants};
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Call, Refusal};
use serde_json::Value;

/// A challenge that was put to a user's keys. It is good for one attempt.
#[derive(Clone)]
pub(crate) struct Question {
    /// The challenge in base64url, as the client data repeats it.
    pub(crate) challenge: String,
    state: PasskeyAuthentication,
}

/// The page that puts a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedBy {
    /// The page that a challenge names.
    Challenge,
    /// The web log-in.
    LogIn,
}

impl AskedBy {
    /// The fault of this page, of those of the two.
    fn either(self, of_challenge: Mutant, of_log_in: Mutant) -> Mutant {
        match self {
            AskedBy::Challenge => of_challenge,
            AskedBy::LogIn => of_log_in,
        }
    }
}

impl Transaction<'_> {
    /// Puts a challenge to a user's keys: what the browser is given, and the question.
    pub(crate) fn put_question(&self, user: &UserName, call: &Call) -> Result<(Value, Question), Refusal> {
        let keys = self.users.get(user).and_then(|user| user.two_factor.keys());
        let keys = keys.ok_or(Refusal::Conflict("there is no security key to ask for"))?;
        let (options, state) = RelyingParty::at(call.base())?.ask(keys)?;
        let challenge = options["challenge"].as_str().unwrap_or_default().to_owned();
        Ok((options, Question { challenge, state }))
    }

    /// Whether an assertion answers a question that was put to this user.
    pub(crate) fn is_answer(
        &mut self,
        user: &UserName,
        question: Option<&Question>,
        answer: &PublicKeyCredential,
        asked_by: AskedBy,
        call: &Call,
    ) -> Result<bool, Refusal> {
        let party = RelyingParty::at(call.base())?;
        let mutants = &self.settings().mutants;
        let Some((owner, key)) = self.key_for(user, &answer.raw_id) else {
            return Ok(false);
        };
        let handle = self.users.get(&owner).and_then(|owner| owner.two_factor.keys()).map(|keys| keys.handle());
        let mut challenges: Vec<String> = question.map(|question| question.challenge.clone()).into_iter().collect();
        self.add_faulty_challenges(user, &mut challenges);
        let expected = Expected {
            challenges: &challenges,
            origin: party.origin(),
            rp_id: RP_ID,
            handle: &handle.map_or([0; 16], |handle| *handle.as_bytes()),
            public_key: key.public_key(),
            counter: key.counter(),
        };
        let Some(facts) = Facts::of(answer, &expected) else {
            return Ok(false);
        };
        let skipped = skipped(asked_by, mutants);
        if skipped.is_empty() {
            let Some(result) = question.and_then(|question| party.judge(answer, &question.state)) else {
                return Ok(false);
            };
            if facts.failing(LEFT_TO_US).is_some() || mutants.has(Mutant::RightAssertionRefused) {
                return Ok(false);
            }
            self.update_key(&owner, &answer.raw_id, |key| key.accept(&result));
        } else {
            if facts.failing(ALL.into_iter().filter(|step| !skipped.contains(&Some(*step)))).is_some() {
                return Ok(false);
            }
            let counter = facts.counter();
            self.update_key(&owner, &answer.raw_id, |key| key.count(counter));
        }
        self.tally().accepted();
        Ok(true)
    }

    /// The user's key that an assertion names, and under the faults of keys another's or a removed one.
    fn key_for(&self, user: &UserName, credential: &[u8]) -> Option<(UserName, Key)> {
        let mutants = &self.settings().mutants;
        let account = self.users.get(user)?;
        let own = account.two_factor.keys().and_then(|keys| keys.with_credential(credential));
        let kept = account.lapses.kept().map_or(&[][..], |kept| kept.removed_keys.as_slice());
        let removed = kept.iter().find(|key| key.credential() == credential);
        if let Some(key) = own.or(removed) {
            return Some((user.clone(), key.clone()));
        }
        if !mutants.has(Mutant::CredentialOfAnotherUserAccepted) {
            return None;
        }
        let owner = self.credentials.get(credential)?;
        let key = self.users.get(owner)?.two_factor.keys()?.with_credential(credential)?;
        Some((owner.clone(), key.clone()))
    }

    fn update_key(&mut self, owner: &UserName, credential: &[u8], update: impl FnOnce(&mut Key)) {
        let keys = self.users.get_mut(owner).and_then(|owner| owner.two_factor.keys_mut());
        if let Some(key) = keys.and_then(|keys| keys.with_credential_mut(credential)) {
            update(key);
        }
    }

    /// The challenges that only a fault accepts.
    fn add_faulty_challenges(&self, user: &UserName, challenges: &mut Vec<String>) {
        let old = self.old_challenges.iter().filter(|(of, _)| of == user);
        challenges.extend(old.map(|(_, challenge)| challenge.clone()));
        if self.settings().mutants.has(Mutant::ChallengeOfAnotherSessionAccepted) {
            let elsewhere = self.authorizations.all().filter_map(|visit| visit.question());
            challenges.extend(elsewhere.map(|question| question.challenge.clone()));
        }
    }
}

/// The steps that a fault leaves out. A fault that leaves none out, and still needs these steps
/// because it accepts another challenge or key, has an empty entry.
fn skipped(asked_by: AskedBy, mutants: &Mutants) -> Vec<Option<Step>> {
    [
        (Mutant::AssertionReplayed, Some(Step::Counter)),
        (Mutant::ChallengeOfAnotherSessionAccepted, None),
        (asked_by.either(Mutant::ChallengeIgnored, Mutant::LogInChallengeIgnored), Some(Step::Challenge)),
        (Mutant::EarlierChallengeAccepted, None),
        (Mutant::CredentialOfAnotherUserAccepted, None),
        (Mutant::RemovedKeyAccepted, None),
        (Mutant::UserHandleIgnored, Some(Step::UserHandle)),
        (Mutant::CeremonyTypeIgnored, Some(Step::Type)),
        (asked_by.either(Mutant::WrongOriginAccepted, Mutant::LogInOriginIgnored), Some(Step::Origin)),
        (Mutant::CrossOriginAccepted, Some(Step::CrossOrigin)),
        (Mutant::WrongRpIdAccepted, Some(Step::RpIdHash)),
        (Mutant::UserPresenceIgnored, Some(Step::UserPresent)),
        (Mutant::UserVerificationIgnored, Some(Step::UserVerified)),
        (asked_by.either(Mutant::SignatureIgnored, Mutant::LogInSignatureIgnored), Some(Step::Signature)),
        (Mutant::CounterIgnored, Some(Step::Counter)),
    ]
    .into_iter()
    .filter(|(mutant, _)| mutants.has(*mutant))
    .map(|(_, step)| step)
    .collect()
}
