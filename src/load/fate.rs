//! What became of an arrival, by the dialect's recogniser and the judge that `check` uses.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use minijinja::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Reply;
use super::mix::Kind;
use super::request;
use crate::dialect::predicate::Predicate;
use crate::dialect::{Asked, Classified, Dialect, Failing, classify};
use crate::judge::{Asks, Effect, Outcome, Seen, Verdict, judge_attempts};

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It succeeded.
    Accepted,
    /// It was challenged, in a shape that stock clients act on.
    Challenged,
    /// It was challenged, in another shape.
    #[serde(rename = "misshapen-challenge")]
    Misshapen,
    /// It was refused without a challenge.
    Refused,
    /// It was asked for patience.
    Throttled,
    /// The target has no such route.
    NotImplemented,
    /// The target reported an error of its own, or sent it elsewhere.
    ServerError,
    /// What came back is no answer.
    Garbage,
    /// The connection ended before the answer did.
    BrokenOff,
    /// No answer came in time.
    TimedOut,
    /// No connection was free in time, so nothing was sent.
    Unsent,
    /// No user had an unspent code, so nothing was sent.
    Starved,
}

impl Fate {
    /// All of them.
    pub const ALL: [Fate; 12] = [
        Fate::Accepted,
        Fate::Challenged,
        Fate::Misshapen,
        Fate::Refused,
        Fate::Throttled,
        Fate::NotImplemented,
        Fate::ServerError,
        Fate::Garbage,
        Fate::BrokenOff,
        Fate::TimedOut,
        Fate::Unsent,
        Fate::Starved,
    ];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Accepted => "accepted",
            Fate::Challenged => "challenged",
            Fate::Misshapen => "misshapen-challenge",
            Fate::Refused => "refused",
            Fate::Throttled => "throttled",
            Fate::NotImplemented => "not-implemented",
            Fate::ServerError => "server-error",
            Fate::Garbage => "garbage",
            Fate::BrokenOff => "broken-off",
            Fate::TimedOut => "timed-out",
            Fate::Unsent => "unsent",
            Fate::Starved => "starved",
        }
    }

    /// Whether it was put on the wire.
    pub fn was_sent(self) -> bool {
        !matches!(self, Fate::Unsent | Fate::Starved)
    }

    /// Whether it is an answer of the target's, of whatever kind.
    pub fn is_answer(self) -> bool {
        !matches!(self, Fate::Unsent | Fate::Starved | Fate::TimedOut | Fate::BrokenOff | Fate::Garbage)
    }

    /// The judge's word for it.
    fn outcome(self) -> Outcome {
        match self {
            Fate::Accepted => Outcome::Accepted,
            Fate::Challenged => Outcome::Challenged { flaw: None, asks: Asks::ForCode },
            Fate::Misshapen => Outcome::Challenged { flaw: Some("a flaw".to_owned()), asks: Asks::ForCode },
            Fate::Refused => Outcome::Refused,
            Fate::Throttled => Outcome::Throttled,
            Fate::NotImplemented => Outcome::NotImplemented,
            Fate::ServerError | Fate::Garbage | Fate::BrokenOff | Fate::TimedOut | Fate::Unsent | Fate::Starved => {
                Outcome::Failed
            }
        }
    }

    /// What the judge says of an arrival of this kind that became this.
    pub fn judged(self, kind: Kind) -> Verdict {
        let seen = Seen { outcome: self.outcome(), effect: Effect::None };
        judge_attempts(&[(kind.must(), seen)]).first().copied().unwrap_or(Verdict::HarnessError)
    }

    /// Whether the second factor failed: somebody was let through who must not be. It fails a run, however rare it is.
    pub fn is_breach(self, kind: Kind) -> bool {
        matches!(
            self.judged(kind),
            Verdict::MissingChallenge
                | Verdict::EffectBeforeFactor
                | Verdict::WrongProofAccepted
                | Verdict::ReplayAccepted
                | Verdict::RightsExceeded
        )
    }
}

/// Which fates of which kinds are breaches: the judge's word, asked once for each.
#[derive(Debug)]
pub struct Breaches([[bool; Fate::ALL.len()]; Kind::ALL.len()]);

impl Breaches {
    /// By the judge.
    pub fn of_judge() -> Self {
        Breaches(Kind::ALL.map(|kind| Fate::ALL.map(|fate| fate.is_breach(kind))))
    }

    /// Whether this fate of this kind is one.
    pub fn hold(&self, kind: Kind, fate: Fate) -> bool {
        self.0[kind as usize][fate as usize]
    }
}

/// How many different answers are remembered. Beyond it each is read anew.
const REMEMBERED: usize = 4_096;

/// Tells what answers mean.
pub struct Reader {
    dialect: Arc<Dialect>,
    surface: String,
    /// The 2xx codes of which no rule says that they are anything but success.
    plain: [bool; 100],
    remembered: HashMap<u64, Fate>,
    /// The last answer that was not plain, to the byte, and what it meant.
    last: Option<(Vec<u8>, Fate)>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What it has last read may hold a secret.
        f.debug_struct("Reader").field("surface", &self.surface).finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader of what a surface of a dialect answers.
    pub fn new(dialect: Arc<Dialect>, surface: &str) -> Self {
        let expected = request::expectation(&dialect, surface);
        let mut plain = [false; 100];
        for (status, plain) in (200..).zip(&mut plain) {
            *plain = expected.is_none() && !dialect.rules().any(|rule| may_hold(rule, status));
        }
        let surface = surface.to_owned();
        Reader { dialect, surface, plain, remembered: HashMap::new(), last: None }
    }

    /// What an answer means.
    pub fn read(&mut self, reply: &Reply<'_>) -> Fate {
        let plain = reply.status.checked_sub(200).and_then(|at| self.plain.get(usize::from(at)));
        if plain.copied().unwrap_or_default() {
            return Fate::Accepted;
        }
        // Within a second refusals are all alike.
        if let Some((last, fate)) = &self.last
            && last.strip_prefix(reply.head()).is_some_and(|body| *body == *reply.body)
        {
            return *fate;
        }
        let fate = self.recall(reply);
        self.last = Some(([reply.head(), &reply.body].concat(), fate));
        fate
    }

    fn recall(&mut self, reply: &Reply<'_>) -> Fate {
        // From one second to the next they are, but for the date.
        let mut hasher = DefaultHasher::new();
        reply.status.hash(&mut hasher);
        for (name, value) in reply.headers().filter(|(name, _)| !name.eq_ignore_ascii_case("date")) {
            (name, value).hash(&mut hasher);
        }
        reply.body.hash(&mut hasher);
        let key = hasher.finish();
        if let Some(fate) = self.remembered.get(&key) {
            return *fate;
        }
        let fate = self.recognise(reply);
        if self.remembered.len() < REMEMBERED {
            self.remembered.insert(key, fate);
        }
        fate
    }

    fn recognise(&self, reply: &Reply<'_>) -> Fate {
        let asked = Asked { expect: request::expectation(&self.dialect, &self.surface), ..Asked::default() };
        // A rule that reads what differs from request to request makes the action be sent in another way.
        match classify(&self.dialect, asked, &reply.for_rules(), &Value::UNDEFINED) {
            Ok(classified) => Fate::from(&classified),
            Err(_) => Fate::Garbage,
        }
    }
}

/// The load's word for what an answer means.
impl From<&Classified<'_>> for Fate {
    fn from(classified: &Classified<'_>) -> Self {
        match classified {
            Classified::Accepted => Fate::Accepted,
            Classified::AskedByPage => Fate::Challenged,
            Classified::Challenged { by, .. } if by.flaw.is_none() => Fate::Challenged,
            Classified::Challenged { .. } => Fate::Misshapen,
            Classified::Throttled => Fate::Throttled,
            Classified::NotImplemented => Fate::NotImplemented,
            Classified::Refused => Fate::Refused,
            Classified::Failed(Failing::ServerError | Failing::Redirect) => Fate::ServerError,
            Classified::Failed(Failing::Unreadable | Failing::NoStatus) => Fate::Garbage,
        }
    }
}

/// Whether a rule may hold for some answer of this status. It may be wrong in that direction alone.
fn may_hold(rule: &Predicate, status: u16) -> bool {
    let covered = rule.status.as_ref().is_none_or(|wanted| wanted.covers(status));
    let ruled_out = rule.not.as_ref().is_some_and(|not| must_hold(not, status));
    covered && !ruled_out && (rule.any.is_empty() || rule.any.iter().any(|rule| may_hold(rule, status)))
}

/// Whether a rule holds for every answer of this status.
fn must_hold(rule: &Predicate, status: u16) -> bool {
    let by_status = rule.status.as_ref().is_none_or(|wanted| wanted.covers(status));
    let by_all = rule.header.is_empty() && rule.json.is_empty() && rule.text.is_none() && rule.sha512.is_none();
    let by_any = rule.any.is_empty() || rule.any.iter().any(|rule| must_hold(rule, status));
    by_status && by_all && by_any && rule.not.as_ref().is_none_or(|not| !may_hold(not, status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::answer::{Read, read};

    fn fate(reader: &mut Reader, text: &str) -> Fate {
        match read(text.as_bytes(), true) {
            Read::Whole(reply) => reader.read(&reply),
            other => panic!("{other:?}"),
        }
    }

    fn dialect() -> Arc<Dialect> {
        Arc::new(crate::target::find("embedded").expect("the target").dialect)
    }

    #[test]
    fn a_success_that_lacks_what_the_dialect_expects_is_none() {
        let mut reader = Reader::new(dialect(), "token-create");
        let answer = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        assert_eq!(fate(&mut reader, &answer(r#"{"token":"t"}"#)), Fate::Accepted);
        assert_eq!(fate(&mut reader, &answer("{}")), Fate::Refused);
        assert_eq!(fate(&mut reader, &answer("<html>Sign in</html>")), Fate::Garbage);
        assert_eq!(fate(&mut reader, &answer("")), Fate::Garbage);
    }

    #[test]
    fn answers_mean_what_they_mean_to_check() {
        let mut reader = Reader::new(dialect(), "profile-set:fullname");
        let challenge = "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: OTP\r\ncontent-length: 0\r\n\r\n";
        for _ in 0..2 {
            assert_eq!(fate(&mut reader, challenge), Fate::Challenged);
        }
        for (answer, wanted) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Fate::Accepted),
            ("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n", Fate::Accepted),
            ("HTTP/1.1 401 No\r\nwww-authenticate: Bearer\r\ncontent-length: 0\r\n\r\n", Fate::Refused),
            ("HTTP/1.1 403 No\r\nwww-authenticate: OTP\r\ncontent-length: 0\r\n\r\n", Fate::Misshapen),
            ("HTTP/1.1 429 Slow down\r\ncontent-length: 0\r\n\r\n", Fate::Throttled),
            ("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", Fate::NotImplemented),
            ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", Fate::ServerError),
            ("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", Fate::ServerError),
        ] {
            assert_eq!(fate(&mut reader, answer), wanted, "{answer}");
        }
        // No rule of this dialect takes a success for anything else, so none is looked at.
        assert!(reader.plain.iter().all(|plain| *plain));
    }

    #[test]
    fn a_rule_about_successes_makes_them_be_looked_at() {
        let mut dialect = crate::target::find("embedded").expect("the target").dialect;
        dialect.throttled = crate::yaml::parse("rules", "[{ status: 200, text: { contains: slow } }]").expect("rules");
        let reader = Reader::new(Arc::new(dialect), "profile-set:fullname");
        assert!(!reader.plain[0] && reader.plain[1]);
    }

    #[test]
    fn the_judge_says_which_fates_are_breaches() {
        for kind in Kind::ALL {
            let must_be_refused = matches!(kind, Kind::Wrong | Kind::Expired | Kind::Replayed | Kind::ChallengeOnly);
            assert_eq!(Fate::Accepted.is_breach(kind), must_be_refused, "{}", kind.name());
            for fate in Fate::ALL.into_iter().filter(|fate| *fate != Fate::Accepted) {
                assert!(!fate.is_breach(kind), "{} {}", kind.name(), fate.name());
            }
        }
        assert_eq!(Fate::Accepted.judged(Kind::Right), Verdict::Exact);
        assert_eq!(Fate::Challenged.judged(Kind::Right), Verdict::RightProofRefused);
        assert_eq!(Fate::Challenged.judged(Kind::Wrong), Verdict::Exact);
        assert_eq!(Fate::Accepted.judged(Kind::Replayed), Verdict::ReplayAccepted);
        assert_eq!(Fate::Throttled.judged(Kind::Right), Verdict::Throttled);
    }
}
