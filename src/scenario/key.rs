//! What scenarios do with a security key: what a page is given for an assertion or a registration, and how its proof is
//! fetched.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, Error as _, IntoDeserializer as _};
use serde_json::json;

use super::{Proof, Scenario};
use crate::persona::key::Manner;

/// What a page is given for an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assertion {
    /// One that the user's key makes for the page's challenge.
    Made(Manner),
    /// The one that a page was given before.
    Again,
    /// A right one, for the challenge that the page gave out before its last.
    ForEarlierChallenge,
    /// A right one, for the challenge of another page of the same user.
    ForAnotherPage,
    /// A right one by the key that was registered before the last.
    OfFormerKey,
    /// A right one by the key whose registration was wrong on purpose.
    OfWrongKey,
    /// A right one by the key of another user.
    OfAnother,
}

impl Assertion {
    /// What a browser and a key make.
    pub const RIGHT: Assertion = Assertion::Made(Manner::Right);

    /// Those that no key makes for the page's own challenge, by name.
    const OTHERS: [(&str, Assertion); 6] = [
        ("again", Assertion::Again),
        ("for-earlier-challenge", Assertion::ForEarlierChallenge),
        ("for-another-page", Assertion::ForAnotherPage),
        ("of-former-key", Assertion::OfFormerKey),
        ("of-wrong-key", Assertion::OfWrongKey),
        ("of-another", Assertion::OfAnother),
    ];

    /// Whether a browser with its virtual authenticator can be made to give it, and shows that it did. It signs with no
    /// key that the page does not name, and what the page demands is not seen there, so the user's verification is not
    /// left out.
    pub fn is_for_browsers(self) -> bool {
        matches!(self, Assertion::Made(Manner::Right | Manner::BrokenSignature | Manner::UserNotPresent))
    }

    /// The assertion in words.
    pub fn words(self) -> &'static str {
        match self {
            Assertion::Made(manner) => manner.words(),
            Assertion::Again => "assertion that was given before",
            Assertion::ForEarlierChallenge => "assertion for the page's challenge before its last",
            Assertion::ForAnotherPage => "assertion for another page's challenge",
            Assertion::OfFormerKey => "assertion of the key before",
            Assertion::OfWrongKey => "assertion of the key that was registered wrongly",
            Assertion::OfAnother => "assertion of another user's key",
        }
    }
}

/// A manner's name, or one of the others.
impl<'de> Deserialize<'de> for Assertion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if let Some((_, other)) = Assertion::OTHERS.iter().find(|(known, _)| *known == name) {
            return Ok(*other);
        }
        let manner: Result<Manner, de::value::Error> = Manner::deserialize(name.as_str().into_deserializer());
        manner.map(Assertion::Made).map_err(|error| {
            let others = Assertion::OTHERS.map(|(known, _)| format!("`{known}`"));
            D::Error::custom(format!("{error}, {}", others.join(", ")))
        })
    }
}

impl JsonSchema for Assertion {
    fn schema_name() -> Cow<'static, str> {
        "Assertion".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let others = Assertion::OTHERS.map(|(name, other)| json!({ "const": name, "description": other.words() }));
        json_schema!({ "anyOf": [generator.subschema_for::<Manner>(), { "oneOf": others }] })
    }
}

/// How the proof of a page is fetched from the address that yields it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default, JsonSchema)]
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
    /// Of a log-in's page: from the address of another log-in, which a routine has kept as `done` under this name.
    At(String),
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
            Fetch::At(name) => format!("session fetched at the address of `{name}`"),
            Fetch::Seeing(routine) => format!("proof of the page, which {routine} looks at while it waits"),
        }
    }
}

impl Scenario {
    /// Whether it needs a key that also does wrong, and pages that are answered by their requests.
    pub fn abuses_keys(&self) -> bool {
        self.attempts().any(|attempt| match &attempt.proof {
            Proof::Key(assertion) => *assertion != Assertion::RIGHT || attempt.registration != Manner::Right,
            Proof::Fetched(_) => true,
            _ => false,
        })
    }
}
