//! Acts as files state them, and the acts that they are.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::key::{Assertion, Fetch};
use super::writing::Writing;
use super::{Act, Attempt, Carrier, Client, Errand, ErrandEnd, Guess, Listening, Must, Part, Proof, Race};
use crate::persona::key::Manner;
use crate::table::Mode;
use crate::yaml::Spanned;

/// Every word of `must`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Word {
    /// It succeeds, with its effect.
    Succeed,
    /// It is refused, without effect.
    BeRefused,
    /// It is refused, without effect, because no second factor gives the right to it.
    BeDenied,
    /// It is answered with a challenge that stock clients act on, without effect.
    BeChallenged,
    /// It is challenged likewise, or turned away without effect, as what the target does not have: for another spelling
    /// of what it may not know. Where all such attempts are turned away, the case is unsupported.
    BeChallengedIfKnown,
    /// Of its copies that are sent at once exactly one succeeds, and the others have no effect.
    SucceedOnce,
    /// It succeeds with its effect, or is refused without.
    BeWhole,
    /// The code is accepted where the target's file says so.
    AgreeWithFile,
    /// No answer of the routine shows a secret that is shown once.
    ShowNoSecret,
    /// The routine succeeds with an answer that stock clients take: what it expects.
    BeUnderstood,
    /// The target stops listening to wrong codes.
    BeThrottled,
    /// Where the target stops listening, its answer differs from the one to a wrong code.
    BeTold,
    /// Where the target stops listening to wrong codes and says for how long, it accepts a right code after that time.
    EndAsTold,
    /// Where the target stops listening to wrong codes with status 429, it says for how long.
    SayHowLong,
    /// It is stated what becomes of the wrong codes.
    BeStated,
    /// A right code of the user's own session is accepted after them.
    BeHarmless,
}

impl Word {
    fn of_attempt(self) -> Option<Must> {
        match self {
            Word::Succeed => Some(Must::Succeed),
            Word::BeRefused => Some(Must::BeRefused),
            Word::BeDenied => Some(Must::BeDenied),
            Word::BeChallenged => Some(Must::BeChallenged),
            Word::BeChallengedIfKnown => Some(Must::BeChallengedIfKnown),
            Word::SucceedOnce => Some(Must::SucceedOnce),
            Word::BeWhole => Some(Must::BeWhole),
            Word::AgreeWithFile => Some(Must::AgreeWithFile),
            Word::ShowNoSecret
            | Word::BeUnderstood
            | Word::BeThrottled
            | Word::BeTold
            | Word::EndAsTold
            | Word::SayHowLong
            | Word::BeStated
            | Word::BeHarmless => None,
        }
    }

    fn of_guess(self) -> Option<Listening> {
        match self {
            Word::BeThrottled => Some(Listening::Stop),
            Word::BeTold => Some(Listening::BeTold),
            Word::EndAsTold => Some(Listening::EndAsTold),
            Word::SayHowLong => Some(Listening::SayHowLong),
            Word::BeStated => Some(Listening::BeStated),
            Word::BeHarmless => Some(Listening::BeHarmless),
            Word::Succeed
            | Word::BeRefused
            | Word::BeDenied
            | Word::BeChallenged
            | Word::BeChallengedIfKnown
            | Word::SucceedOnce
            | Word::BeWhole
            | Word::AgreeWithFile
            | Word::ShowNoSecret
            | Word::BeUnderstood => None,
        }
    }
}

/// One act: an attempt (`perform`), attempts `at-once`, a proof that is had and kept (`obtain`), a `wait`, a routine
/// (`run`), or wrong codes one after the other (`guess`).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("oneOf" = [
    { "required": ["perform", "proof"], "anyOf": [{ "required": ["must"] }, { "required": ["may"] }] },
    { "required": ["at-once"] },
    { "required": ["obtain", "as"] },
    { "required": ["wait"] },
    { "required": ["run"] },
    { "required": ["guess", "at-most", "must"] },
]))]
struct Raw {
    /// The action that is attempted, as in case ids: `publish`, or `login:web` where it has several surfaces.
    #[schemars(with = "Option<String>")]
    perform: Option<Spanned<String>>,
    /// A routine that performs the action, in place of the surface's own steps.
    #[schemars(with = "Option<String>")]
    through: Option<Spanned<String>>,
    /// Routines that are run for the attempt's object first, with what the user has.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    given: Vec<Spanned<String>>,
    /// Who acts, where there is a cast.
    #[schemars(with = "Option<String>")]
    by: Option<Spanned<String>>,
    /// The mode that who acts is in by then or, where the act enrols, asks for.
    mode: Option<Mode>,
    /// The token that an attempt is made with, or what a routine reads as `kept`: the name under which a routine kept it.
    /// `basic` stands for the user's name and password with each request.
    #[schemars(with = "Option<String>")]
    with: Option<Spanned<String>>,
    /// What the attempt carries. Guesses carry wrong codes; with `none` they are requests without a code.
    proof: Option<Proof>,
    /// How the proof travels.
    #[serde(default)]
    carried: Carrier,
    /// How the proof is written, where not as it was handed out.
    #[serde(default)]
    written: Writing,
    /// Whether the proof is typed at npm's prompt; one that the prompt does not take is of a wrong shape.
    #[serde(default)]
    typed: bool,
    /// The name under which the proof, or what a routine leaves, is used again.
    r#as: Option<String>,
    /// What must become of it.
    must: Option<Word>,
    /// How often the attempt is made.
    #[serde(default = "once")]
    #[schemars(range(min = 1, max = MOST))]
    times: u32,
    /// Attempts that are all sent before any is answered.
    #[serde(default)]
    at_once: Vec<Act>,
    /// The confidence, in percent, until which attempts at once are made again.
    #[schemars(range(min = 1, max = 99))]
    confidence: Option<u8>,
    /// So many one-time-password steps pass.
    #[schemars(range(min = 1, max = MOST))]
    wait: Option<u32>,
    /// A routine of the dialect that is run.
    #[schemars(with = "Option<String>")]
    run: Option<Spanned<String>>,
    /// The action for which a proof is had and kept back.
    #[schemars(with = "Option<String>")]
    obtain: Option<Spanned<String>>,
    /// Whether the client says that it can open a page; as the factor needs it when not said.
    client: Option<Client>,
    /// The client whose headers the attempt has, by the dialect's name for it.
    #[schemars(with = "Option<String>")]
    as_client: Option<Spanned<String>>,
    /// What may become of a routine beside its success, or of an attempt: beside what it must, or in place of it.
    may: Option<May>,
    /// The routine that carries wrong codes, one after the other.
    #[schemars(with = "Option<String>")]
    guess: Option<Spanned<String>>,
    /// The most wrong codes that are sent.
    #[schemars(range(min = 1, max = MOST_GUESSES))]
    at_most: Option<u32>,
    /// How a security key is registered, where the act registers one; as a browser and a key do when not said.
    registration: Option<Manner>,
}

/// What may become of a routine beside its success, or of an attempt.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum May {
    /// The target does not have what the scenario is about.
    BeUnsupported,
    /// It may be refused.
    BeRefused,
    /// The attempt may succeed. Then what follows would say nothing of the registry, and nothing follows.
    Succeed,
}

fn once() -> u32 {
    1
}

/// The longest wait of a scenario, in steps, and the most attempts of one act.
const MOST: u32 = 40;
/// The most wrong codes.
const MOST_GUESSES: u32 = 1_000;

crate::schema::read_as!(Act, Raw);

impl<'de> Deserialize<'de> for Act {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(deserializer)?;
        if raw.times == 0 || raw.times > MOST || raw.wait.is_some_and(|steps| steps == 0 || steps > MOST) {
            return Err(de::Error::custom(format!("`times` and `wait` are numbers from 1 to {MOST}")));
        }
        raw.act().map_err(de::Error::custom)
    }
}

impl Raw {
    fn act(self) -> Result<Act, String> {
        if !self.at_once.is_empty() {
            return race(self.at_once, self.confidence).map(Act::AtOnce);
        }
        if let Some(perform) = self.obtain {
            if self.perform.is_some() || self.wait.is_some() || self.run.is_some() || self.r#as.is_none() {
                return Err("what is obtained says the name that it is kept under: `as: NAME`".to_owned());
            }
            return Ok(Act::Attempt(Box::new(Attempt {
                perform,
                through: None,
                given: vec![],
                with: None,
                part: Part { by: self.by, mode: self.mode },
                proof: Proof::Key(Assertion::RIGHT),
                carried: Carrier::AsDocumented,
                written: Writing::AsIssued,
                typed: false,
                name: self.r#as,
                must: Must::Succeed,
                times: 1,
                client: self.client,
                as_client: None,
                where_supported: false,
                withheld: true,
                registration: Manner::Right,
                confidence: None,
            })));
        }
        match (self.perform.is_some(), self.wait, self.run.is_some(), self.guess.is_some()) {
            (true, None, false, false) => self.attempt().map(|attempt| Act::Attempt(Box::new(attempt))),
            (false, Some(steps), false, false) => Ok(Act::Wait(steps)),
            (false, None, true, false) => self.routine().map(Act::Run),
            (false, None, false, true) => self.guess().map(Act::Guess),
            _ => Err("an act is one of `perform`, `at-once`, `obtain`, `wait`, `run` and `guess`".to_owned()),
        }
    }

    fn attempt(self) -> Result<Attempt, String> {
        let says = "an attempt says its `proof` and what `must` become of it";
        let (Some(perform), Some(proof)) = (self.perform, self.proof) else { return Err(says.to_owned()) };
        let where_supported = self.must.is_some() && matches!(self.may, Some(May::BeUnsupported));
        let must = match (self.must, self.may) {
            (Some(must), None | Some(May::BeUnsupported)) => must.of_attempt().ok_or(
                "an attempt must `succeed`, `be-refused`, `be-denied`, `be-challenged`, `be-challenged-if-known`, \
                 `succeed-once`, `be-whole` or `agree-with-file`",
            )?,
            (None, Some(May::Succeed)) => Must::EndIfItSucceeds,
            (Some(_), Some(May::BeRefused)) => return Err("what an attempt may be is `be-unsupported`".to_owned()),
            (None, Some(_)) => return Err("an attempt may `succeed`".to_owned()),
            (Some(_), Some(May::Succeed)) | (None, None) => return Err(says.to_owned()),
        };
        if must == Must::AgreeWithFile && !matches!(proof, Proof::Expired(_) | Proof::Early(_)) {
            return Err("`agree-with-file` is for codes that are `expired` or `early`".to_owned());
        }
        let unbounded = match &proof {
            Proof::Fetched(Fetch::AtOnce(many) | Fetch::After(many)) => !(1..=MOST).contains(many),
            _ => false,
        };
        if unbounded {
            return Err(format!("`at-once` and `after` are numbers from 1 to {MOST}"));
        }
        let registration = self.registration.unwrap_or_default();
        if registration.registration_words().is_none() {
            let words = registration.words();
            return Err(format!(
                "a registration is not signed, counted or of a user, so it cannot be what an {words} is"
            ));
        }
        if registration != Manner::Right && proof != Proof::Key(Assertion::RIGHT) {
            return Err("a wrong `registration` is of an attempt with `proof: { key: right }`".to_owned());
        }
        if self.confidence.is_some() && !matches!(proof, Proof::Fetched(Fetch::AtOnce(_))) {
            return Err(
                "`confidence` is of attempts `at-once`, or of a proof that is `fetched: { at-once: … }`".to_owned()
            );
        }
        let confidence = percentage(self.confidence)?;
        let by_key = matches!(proof, Proof::Key(_) | Proof::Fetched(_));
        if (self.written != Writing::AsIssued || self.typed) && (by_key || proof == Proof::None) {
            return Err("what is `written` or `typed` is a code".to_owned());
        }
        let Raw { through, given, with, by, mode, carried, written, typed, r#as, times, client, as_client, .. } = self;
        let part = Part { by, mode };
        Ok(Attempt {
            perform,
            through,
            given,
            with,
            part,
            proof,
            carried,
            written,
            typed,
            name: r#as,
            must,
            times,
            client,
            as_client,
            where_supported,
            withheld: false,
            registration,
            confidence,
        })
    }

    fn routine(self) -> Result<Errand, String> {
        let end = match (self.must, self.may) {
            (None, None) => ErrandEnd::Succeed,
            (None, Some(May::BeUnsupported)) => ErrandEnd::SucceedWhereSupported,
            (None, Some(May::BeRefused)) => ErrandEnd::Any,
            (None, Some(May::Succeed)) => return Err("a routine succeeds unless it says otherwise".to_owned()),
            (Some(Word::Succeed), None) => ErrandEnd::Judged,
            (Some(Word::ShowNoSecret), None) => ErrandEnd::ShowNoSecret,
            (Some(Word::BeUnderstood), None) => ErrandEnd::BeUnderstood,
            (Some(_), _) => {
                return Err("a routine must `succeed`, `be-understood` or `show-no-secret`, or says nothing".to_owned());
            }
        };
        let routine = self.run.ok_or("a routine has a name")?;
        let part = Part { by: self.by, mode: self.mode };
        Ok(Errand { routine, part, name: self.r#as, with: self.with, end })
    }

    fn guess(self) -> Result<Guess, String> {
        let must = self.must.and_then(Word::of_guess).ok_or(
            "guesses must `be-throttled`, `be-told`, `end-as-told`, `say-how-long`, `be-harmless` or `be-stated`",
        )?;
        let bare = match self.proof {
            None => false,
            Some(Proof::None) if must == Listening::BeHarmless => true,
            Some(_) => return Err("guesses carry wrong codes; with `proof: none` they must `be-harmless`".to_owned()),
        };
        let at_most = self.at_most.filter(|most| (1..=MOST_GUESSES).contains(most));
        let at_most = at_most.ok_or_else(|| format!("guesses say `at-most` how many, from 1 to {MOST_GUESSES}"))?;
        Ok(Guess { routine: self.guess.ok_or("guesses name a routine")?, bare, at_most, must })
    }
}

fn percentage(confidence: Option<u8>) -> Result<Option<u8>, String> {
    match confidence {
        Some(percent) if !(1..=99).contains(&percent) => Err("`confidence` is a percentage from 1 to 99".to_owned()),
        confidence => Ok(confidence),
    }
}

fn race(acts: Vec<Act>, confidence: Option<u8>) -> Result<Race, String> {
    let confidence = percentage(confidence)?;
    let mut attempts = Vec::new();
    for act in acts {
        let Act::Attempt(attempt) = act else { return Err("only attempts are made at once".to_owned()) };
        let plain = attempt.with.is_none() && attempt.through.is_none() && attempt.given.is_empty();
        if !plain || attempt.as_client.is_some() || attempt.where_supported {
            let words = "attempts at once have neither `with`, `through`, `given`, `as-client` nor `may`";
            return Err(words.to_owned());
        }
        if attempt.written != Writing::AsIssued || attempt.typed || attempt.must == Must::EndIfItSucceeds {
            return Err("attempts at once are neither `written`, `typed` nor `may: succeed`".to_owned());
        }
        let by_key = matches!(attempt.proof, Proof::Key(_) | Proof::Fetched(_));
        if by_key && (attempt.proof != Proof::Key(Assertion::RIGHT) || attempt.registration != Manner::Right) {
            return Err(
                "attempts at once have what a page makes of a right assertion: `proof: { key: right }`".to_owned()
            );
        }
        attempts.push(*attempt);
    }
    Ok(Race { attempts, confidence })
}
