//! Web challenges under way, and the tokens that they end in.
//!
//! Each is bound to a user and an action from its first moment, so nothing that happens on its
//! page is good for anything else.

use std::time::{Duration, SystemTime};

use super::Action;
use crate::registry::keys::Question;
use crate::registry::model::{Expiring, Of, UserName};
use crate::registry::secrets::{WebToken, WebTokenDigest};

/// How long a client may take to send its request again.
const LIFETIME: Duration = Duration::from_secs(120);

/// A web challenge that waits for a person, or has been answered by him.
#[derive(Clone)]
pub(crate) struct Authorization {
    pub(crate) user: UserName,
    pub(crate) action: Action,
    /// How the user's second factor was when the page was opened.
    pub(crate) changes: FactorChanges,
    pub(crate) stage: Stage,
}

/// How often a user's second factor has changed. What a page made before a change is no good after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FactorChanges {
    /// The mode was chosen anew.
    pub(crate) modes: u32,
    /// What the user proves himself with was enabled, given up, or a part of it removed.
    pub(crate) means: u32,
}

/// How far the person has come.
#[derive(Clone)]
pub(crate) enum Stage {
    /// The question that was put to his keys last, if it is still open.
    Waiting(Option<Question>),
    Answered,
}

impl Authorization {
    pub(crate) fn new(user: UserName, action: Action, changes: FactorChanges) -> Self {
        Self { user, action, changes, stage: Stage::Waiting(None) }
    }

    pub(crate) fn question(&self) -> Option<&Question> {
        match &self.stage {
            Stage::Waiting(question) => question.as_ref(),
            Stage::Answered => None,
        }
    }
}

/// The tokens that answered challenges have ended in.
pub(crate) struct WebTokens(Expiring<WebTokenDigest, Record>);

#[derive(Debug, Clone)]
struct Record {
    user: UserName,
    action: Action,
    changes: FactorChanges,
    used: Use,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Unused,
    Used,
}

/// How strictly a token is looked at. Every member that is true is a fault.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leniency {
    pub(crate) used: bool,
    pub(crate) expired: bool,
    pub(crate) of_another_user: bool,
    pub(crate) for_another_action: bool,
    pub(crate) after_mode_change: bool,
    pub(crate) after_re_enrolment: bool,
}

/// What is to be said of a long proof as a web token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenVerdict {
    Good,
    /// It was handed out, and is used, expired, another's or for something else.
    Stale,
    /// No such token was handed out.
    Unknown,
}

impl Default for WebTokens {
    fn default() -> Self {
        Self(Expiring::new(LIFETIME))
    }
}

impl WebTokens {
    /// Hands out a token for what a challenge was about.
    pub(crate) fn mint(&mut self, authorization: &Authorization, now: SystemTime) -> WebToken {
        let token = WebToken::mint();
        let Authorization { user, action, changes, .. } = authorization;
        let record = Record { user: user.clone(), action: *action, changes: *changes, used: Use::Unused };
        self.0.keep(token.digest(), record, now);
        token
    }

    pub(crate) fn judge(
        &self,
        token: &WebToken,
        (user, changes): (&UserName, FactorChanges),
        action: Action,
        now: SystemTime,
        lenient: Leniency,
    ) -> TokenVerdict {
        let digest = token.digest();
        let Some(record) = self.0.get(&digest, Of::AnyAge) else {
            return TokenVerdict::Unknown;
        };
        let is_good = (record.used == Use::Unused || lenient.used)
            && (self.0.get(&digest, Of::GoodAt(now)).is_some() || lenient.expired)
            && (record.user == *user || lenient.of_another_user)
            && (record.action == action || lenient.for_another_action)
            && (record.changes.modes == changes.modes || lenient.after_mode_change)
            && (record.changes.means == changes.means || lenient.after_re_enrolment);
        if is_good { TokenVerdict::Good } else { TokenVerdict::Stale }
    }

    /// Uses a token up.
    pub(crate) fn use_up(&mut self, token: &WebToken) {
        if let Some(record) = self.0.get_mut(&token.digest(), Of::AnyAge) {
            record.used = Use::Used;
        }
    }
}
