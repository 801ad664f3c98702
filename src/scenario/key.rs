//! What scenarios do with a security key: what a page is given for an assertion, and how its proof is fetched.

use serde::Deserialize;

use super::{Proof, Scenario};
use crate::persona::key::Manner;

/// What a page is given for an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assertion {
    /// What a browser and a key make.
    Right,
    /// See [`Manner::BrokenSignature`].
    BrokenSignature,
    /// See [`Manner::OtherChallenge`].
    OtherChallenge,
    /// See [`Manner::WrongOrigin`].
    WrongOrigin,
    /// See [`Manner::CrossOrigin`].
    CrossOrigin,
    /// See [`Manner::WrongType`].
    WrongType,
    /// See [`Manner::WrongRpId`].
    WrongRpId,
    /// See [`Manner::UserNotPresent`].
    UserNotPresent,
    /// See [`Manner::UserNotVerified`].
    UserNotVerified,
    /// See [`Manner::CounterBack`].
    CounterBack,
    /// See [`Manner::OtherUserHandle`].
    OtherUserHandle,
    /// The one that a page was given before.
    Again,
    /// A right one, for the challenge that the page gave out before its last.
    ForEarlierChallenge,
    /// A right one by the key that was registered before the last.
    OfFormerKey,
    /// A right one, for the challenge of another page of the same user.
    ForAnotherPage,
    /// A right one by the key of another user.
    OfAnother,
}

impl Assertion {
    /// How the persona's own key makes it for the page's own challenge, if that is what is wanted.
    pub fn manner(self) -> Option<Manner> {
        match self {
            Assertion::Right => Some(Manner::Right),
            Assertion::BrokenSignature => Some(Manner::BrokenSignature),
            Assertion::OtherChallenge => Some(Manner::OtherChallenge),
            Assertion::WrongOrigin => Some(Manner::WrongOrigin),
            Assertion::CrossOrigin => Some(Manner::CrossOrigin),
            Assertion::WrongType => Some(Manner::WrongType),
            Assertion::WrongRpId => Some(Manner::WrongRpId),
            Assertion::UserNotPresent => Some(Manner::UserNotPresent),
            Assertion::UserNotVerified => Some(Manner::UserNotVerified),
            Assertion::CounterBack => Some(Manner::CounterBack),
            Assertion::OtherUserHandle => Some(Manner::OtherUserHandle),
            Assertion::Again
            | Assertion::ForEarlierChallenge
            | Assertion::OfFormerKey
            | Assertion::ForAnotherPage
            | Assertion::OfAnother => None,
        }
    }

    /// The assertion in words.
    pub fn words(self) -> &'static str {
        match (self, self.manner()) {
            (_, Some(manner)) => manner.words(),
            (Assertion::Again, None) => "assertion that was given before",
            (Assertion::ForEarlierChallenge, None) => "assertion for the page's challenge before its last",
            (Assertion::OfFormerKey, None) => "assertion of the key before",
            (Assertion::OfAnother, None) => "assertion of another user's key",
            (_, None) => "assertion for another page's challenge",
        }
    }
}

/// How the proof of a page is fetched from the address that yields it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Fetch {
    /// Once, after the page was given a right assertion.
    #[default]
    Once,
    /// Without the page having been given anything.
    BeforeAssertion,
    /// After it, by another user.
    ByAnother,
    /// A second time.
    Twice,
    /// So many times at once; what is sent is the second of what was yielded.
    AtOnce(u32),
    /// So many one-time-password steps later.
    After(u32),
    /// By another routine than `collect-proof`, as other clients do it.
    By(String),
    /// Once, after this routine has succeeded on the page that waits for its answer.
    Seeing(String),
}

impl Fetch {
    /// What is sent, in words.
    pub fn words(&self) -> String {
        match self {
            Fetch::Once => "proof of the page".to_owned(),
            Fetch::BeforeAssertion => "proof fetched before the page was answered".to_owned(),
            Fetch::ByAnother => "proof fetched by another user".to_owned(),
            Fetch::Twice => "proof fetched a second time".to_owned(),
            Fetch::AtOnce(times) => format!("second proof of {times} fetched at once"),
            Fetch::After(steps) => format!("proof fetched {steps} steps late"),
            Fetch::By(routine) => format!("proof fetched by {routine}"),
            Fetch::Seeing(routine) => format!("proof of the page, which {routine} looks at while it waits"),
        }
    }
}

impl Scenario {
    /// Whether it needs a key that also does wrong, and pages that are answered by their requests.
    pub fn abuses_keys(&self) -> bool {
        self.attempts().any(|attempt| match &attempt.proof {
            Proof::Key(assertion) => *assertion != Assertion::Right,
            Proof::Fetched(_) => true,
            _ => false,
        })
    }
}
