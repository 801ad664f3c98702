//! The profile: settings, password and 2FA, which npm's clients change through one path.

use serde::Serialize;
use serde_json::Value;

use super::two_factor;
use crate::registry::factor::{self, Action, Mode, TwoFactor};
use crate::registry::model::{Profile, UserName};
use crate::registry::mutants::Mutant;
use crate::registry::secrets::{Password, PasswordHash, RecoveryCode};
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Fields, Moment, Refusal, Reply};

/// `GET /-/npm/v1/user`.
pub(crate) fn show_profile(desk: &Desk, call: &Call) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    Ok(Answer::ok(tx.describe(&caller.user)?))
}

/// `POST /-/npm/v1/user`. The body tells a change of 2FA from a change of settings; a password is
/// one more setting, with a row of its own in the table.
pub(crate) fn change_profile(desk: &Desk, call: &Call) -> Reply {
    let fields = call.fields();
    let mut tx = Transaction::begin(desk);
    let caller = tx.holder(call)?;
    let mut fields = fields?;
    match fields.take("tfa") {
        Some(tfa) if fields.names().next().is_none() => two_factor::change(&mut tx, call, &caller, tfa),
        Some(_) => Err(Refusal::malformed("`tfa` is changed alone")),
        None => {
            let settings = Settings::parse(fields)?;
            let action = settings.action();
            if let Some(change) = &settings.password
                && !tx.is_password(&caller.user, &change.old)
            {
                return Err(Refusal::wrong_password());
            }
            let mutants = &tx.settings().mutants;
            if settings.password.is_some() && mutants.has(Mutant::PasswordBeforeChallenge) {
                tx.apply(&caller.user, &settings);
            }
            tx.demand(&caller, action, call)?;
            if !mutants.has(Mutant::ProfileNoEffect) {
                tx.apply(&caller.user, &settings);
            }
            Ok(Answer::ok(tx.describe(&caller.user)?))
        }
    }
}

struct Settings {
    changes: Vec<(Setting, Option<String>)>,
    password: Option<PasswordChange>,
}

struct PasswordChange {
    old: Password,
    new: Password,
}

#[derive(Debug, Clone, Copy)]
enum Setting {
    Email,
    Fullname,
    Homepage,
    Github,
    Twitter,
    Freenode,
}

const SETTINGS: [(&str, Setting); 6] = [
    ("email", Setting::Email),
    ("fullname", Setting::Fullname),
    ("homepage", Setting::Homepage),
    ("github", Setting::Github),
    ("twitter", Setting::Twitter),
    ("freenode", Setting::Freenode),
];

impl Settings {
    /// Takes the known members; clients send all of them, with null for what is empty. Others
    /// (`name`, `created` …) cannot be changed and are passed over.
    fn parse(mut fields: Fields) -> Result<Self, Refusal> {
        let mut changes = Vec::new();
        for (name, setting) in SETTINGS {
            if fields.mentions(name) {
                let value = fields.text(name)?.filter(|value| !value.is_empty());
                changes.push((setting, value));
            }
        }
        let password = match fields.take("password") {
            None => None,
            Some(change) => {
                let mut change = Fields::new(change)?;
                Some(PasswordChange {
                    old: Password::new(change.required("old")?),
                    new: Password::new(change.required("new")?),
                })
            }
        };
        if password.as_ref().is_some_and(|change| change.new.is_empty()) {
            return Err(Refusal::malformed("the new password is empty"));
        }
        Ok(Self { changes, password })
    }

    fn action(&self) -> Action {
        match self.password {
            Some(_) => Action::SetPassword,
            None => Action::SetProfile,
        }
    }
}

impl Setting {
    fn of(self, profile: &mut Profile) -> &mut Option<Box<str>> {
        match self {
            Setting::Email => &mut profile.email,
            Setting::Fullname => &mut profile.fullname,
            Setting::Homepage => &mut profile.homepage,
            Setting::Github => &mut profile.github,
            Setting::Twitter => &mut profile.twitter,
            Setting::Freenode => &mut profile.freenode,
        }
    }
}

impl Transaction<'_> {
    fn apply(&mut self, name: &UserName, settings: &Settings) {
        let now = self.now();
        let mutants = &self.settings().mutants;
        let Some(user) = self.users.get_mut(name) else {
            return;
        };
        for (setting, value) in &settings.changes {
            *setting.of(&mut user.profile) = value.as_deref().map(Box::from);
        }
        if let Some(change) = &settings.password {
            let old = std::mem::replace(&mut user.password, PasswordHash::of(&change.new));
            if mutants.has(Mutant::OldPasswordWorks) {
                user.lapses.keep().password = Some(old);
            }
            if let TwoFactor::On(factor) = &mut user.two_factor
                && mutants.has(Mutant::ModeLostAfterPasswordChange)
            {
                factor.mode = Mode::AuthOnly;
            }
        }
        user.touch(now);
    }

    /// A user's profile as he sees it.
    pub(super) fn describe<'a>(&'a self, name: &'a UserName) -> Result<Description<'a>, Refusal> {
        let user = self.users.get(name).ok_or_else(Refusal::no_user)?;
        let kept = user.lapses.kept();
        let codes = user.two_factor.factor().and_then(|factor| factor.codes());
        let shown = codes.filter(|_| self.settings().mutants.has(Mutant::SecretShownAgain));
        Ok(Description {
            tfa: Tfa::Standing(user.two_factor.describe()),
            name: name.as_str(),
            email: user.profile.email.as_deref(),
            email_verified: false,
            created: Moment(user.created),
            updated: Moment(user.updated),
            cidr_whitelist: (),
            fullname: user.profile.fullname.as_deref(),
            homepage: user.profile.homepage.as_deref(),
            github: user.profile.github.as_deref(),
            twitter: user.profile.twitter.as_deref(),
            freenode: user.profile.freenode.as_deref(),
            totp: shown.map(|codes| codes.seed.enrolment_url(name.as_str())),
            recovery_codes: kept.into_iter().flat_map(|kept| &kept.clear_recovery).map(RecoveryCode::reveal).collect(),
        })
    }
}

/// A profile as it is answered.
#[derive(Serialize)]
pub(super) struct Description<'a> {
    pub(super) tfa: Tfa,
    name: &'a str,
    email: Option<&'a str>,
    email_verified: bool,
    created: Moment,
    updated: Moment,
    cidr_whitelist: (),
    fullname: Option<&'a str>,
    homepage: Option<&'a str>,
    github: Option<&'a str>,
    twitter: Option<&'a str>,
    freenode: Option<&'a str>,
    /// Only a fault fills this in.
    #[serde(skip_serializing_if = "Option::is_none")]
    totp: Option<String>,
    /// Only a fault fills this in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    recovery_codes: Vec<String>,
}

/// The member of a profile that tells of the second factor.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Tfa {
    /// How it stands.
    Standing(Option<factor::Description>),
    /// The answer to a change of it.
    Changed(Value),
}
