//! How a profile's action is sent: as one request, as fast as can be, or as an errand of several, and whether each
//! arrival takes a user of its own.

use std::sync::Arc;

use reqwest::Url;

use super::desk::{Sent, Sort};
use super::mix::Kind;
use super::profile::Profile;
use super::request::{self, Forms};
use super::roster::Serves;
use super::script::{self, Script};
use crate::dialect::Dialect;
use crate::dialect::predicate::Predicate;

/// How an action is sent.
#[derive(Debug)]
pub struct Manner {
    /// As one request, where it is one.
    pub forms: Forms,
    /// As errands, where it is more.
    pub sent: Option<Sent>,
    /// How often a user serves.
    pub serves: Serves,
    /// Whether users are not as they were after it.
    pub changes_users: bool,
    /// Whether something is made for each arrival before the run.
    pub is_prepared: bool,
}

impl Manner {
    /// How a profile's action is sent to a target, or why it cannot be.
    pub fn of(dialect: &Arc<Dialect>, profile: &Profile, base: &Url) -> Result<Manner, String> {
        if let Some(journey) = &profile.journey {
            // Its acts write their own requests, and prepare what they work on.
            journey.surfaces(dialect)?;
            let forms = Forms::none(journey.line());
            let (changes_users, is_prepared) = (false, false);
            return Ok(Manner { forms, sent: None, serves: Serves::Again, changes_users, is_prepared });
        }
        let surface = &dialect.surfaces[request::surface_of(dialect, &profile.action)?];
        let by_key = profile.mix.weight(Kind::Key) > 0;
        let script = || Script::of(Arc::clone(dialect), &profile.action, base, profile.connect);
        let sent = |script: Script, sort| Sent { script, sort, prepared: Vec::new(), other: None };
        let changes_users = script::changes_users(surface);
        // What all answers must show alike is looked at once, and remembered.
        let alike =
            !dialect.rules().chain(request::expectation(dialect, &profile.action)).any(Predicate::reads_variables);
        if surface.prepare.is_empty()
            && !changes_users
            && alike
            && script::fits(surface).is_ok()
            && let Ok(forms) = request::forms(dialect, &profile.action, base, profile.connect)
        {
            let sent = if by_key { Some(sent(with_page(script()?)?, Sort::Keys)) } else { None };
            return Ok(Manner { forms, sent, serves: Serves::Again, changes_users, is_prepared: false });
        }
        let script = if by_key { with_page(script()?)? } else { script()? };
        let is_prepared = script::is_prepared(surface);
        let serves = if is_prepared || changes_users { Serves::Once } else { Serves::Again };
        if serves == Serves::Once && profile.mix.weight(Kind::Replayed) > 0 {
            return Err(format!(
                "`{}` takes a user of its own for each arrival, and who sends once has nothing to replay: leave \
                 `replayed` out of the mix",
                profile.action
            ));
        }
        let shown = request::shown(dialect, &profile.action, base, profile.connect);
        let forms = Forms::none(shown.unwrap_or_else(|| script.shown()));
        Ok(Manner { forms, sent: Some(sent(script, Sort::All)), serves, changes_users, is_prepared })
    }
}

/// A script whose challenges security keys can answer.
fn with_page(script: Script) -> Result<Script, String> {
    match script.without_keys() {
        Some(why) => Err(format!("`key` is in the mix, and no security key can answer: {why}")),
        None => Ok(script),
    }
}
