//! Listing, registering and removing security keys.
//!
//! Registering is two requests. The first is the one that is challenged, for it is the last that
//! can be repeated with a proof: what a key has signed is good once.

use axum::http::StatusCode;
use serde_json::{Value, json};
use webauthn_rs::prelude::Uuid;

use super::pages;
use super::two_factor::recovery_codes;
use crate::registry::factor::{Action, Mode, TwoFactor};
use crate::registry::keys::{Ceremony, Key, RelyingParty, Removal, set_right};
use crate::registry::model::{Of, User, UserName};
use crate::registry::mutants::{Mutant, Mutants};
use crate::registry::secrets::{RecoveryCode, random_bytes};
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Fields, Refusal, Reply, iso8601};

/// The longest name of a key, in characters.
const LONGEST_NAME: usize = 64;

/// `GET /-/account`: the page. Its script logs in and does the rest, as any client does.
pub(crate) fn show_account() -> Reply {
    Ok(Answer::html(StatusCode::OK, pages::account()))
}

/// `GET /-/account/keys`.
pub(crate) fn list_keys(desk: &Desk, call: &Call) -> Reply {
    let mut tx = Transaction::begin(desk);
    let caller = tx.reader(call)?;
    let user = tx.users.get(&caller.user).ok_or_else(Refusal::no_user)?;
    let keys = user.two_factor.keys().into_iter().flat_map(|keys| keys.iter());
    let row = |key: &Key| json!({ "id": key.id, "name": key.name, "created": iso8601(key.created) });
    Ok(Answer::ok(json!({ "objects": keys.map(row).collect::<Vec<Value>>() })))
}

/// `POST /-/account/keys/options`: begins the registration of a key.
pub(crate) fn begin_key(desk: &Desk, call: &Call) -> Reply {
    let fields = call.fields();
    let mut tx = Transaction::begin(desk);
    let caller = tx.holder(call)?;
    let mut fields = fields?;
    tx.check_password_in(&mut fields, &caller, Mutant::KeyAddedPasswordMissing, Mutant::KeyAddedWithoutPassword)?;
    let mode = match fields.text("mode")?.as_deref() {
        None => Mode::DEFAULT,
        Some(name) => Mode::parse(name).ok_or_else(|| Refusal::malformed("`mode` is auth-only or auth-and-writes"))?,
    };
    tx.demand(&caller, Action::AddKey, call)?;
    let user = caller.user;
    let account = tx.users.get(&user).ok_or_else(Refusal::no_user)?;
    let keys = account.two_factor.keys();
    let handle = keys.map_or_else(|| Uuid::from_bytes(random_bytes()), |keys| keys.handle());
    let known = keys.into_iter().flat_map(|keys| keys.iter()).map(|key| key.credential().clone()).collect();
    let revision = account.revision.clone();
    let (options, state) = RelyingParty::at(call.base())?.begin(handle, user.as_str(), known)?;
    let challenge = options["challenge"].as_str().unwrap_or_default().to_owned();
    let now = tx.now();
    let id = tx.ceremonies.start(Ceremony { user, revision, handle, mode, challenge, state }, now);
    Ok(Answer::ok(json!({ "ceremony": id, "publicKey": options })))
}

/// `POST /-/account/keys`: ends the registration. It is not challenged, for its beginning was.
pub(crate) fn add_key(desk: &Desk, call: &Call) -> Reply {
    let fields = call.fields();
    let mut tx = Transaction::begin(desk);
    let caller = tx.holder(call)?;
    let mut fields = fields?;
    let id = fields.required("ceremony")?;
    let name = name(&mut fields)?;
    let mut credential = serde_json::from_value(Value::Object(fields.object("credential")?))
        .map_err(|why| Refusal::malformed(format!("`credential` is no public-key credential: {why}")))?;
    let ceremony = tx.take_ceremony(&id, &caller.user)?;
    let party = RelyingParty::at(call.base())?;
    let mutants = &tx.settings().mutants;
    set_right(&mut credential, &ceremony, party.origin(), |fault| mutants.has(fault));
    let mut judged = party.finish(&credential, &ceremony.state);
    let mut refusal = None;
    if mutants.has(Mutant::RefusedRegistrationKept)
        && let Err(why) = judged
    {
        set_right(&mut credential, &ceremony, party.origin(), |_| true);
        (judged, refusal) = (party.finish(&credential, &ceremony.state), Some(why));
    }
    let (passkey, counter) = judged?;
    if tx.credentials.contains_key(passkey.cred_id()) {
        return Err(Refusal::malformed("that security key is registered already"));
    }
    let now = tx.now();
    tx.credentials.insert(passkey.cred_id().clone(), caller.user.clone());
    let key = Key::new(passkey, counter, name, now);
    let mut row = json!({ "id": key.id, "name": key.name });
    let account = tx.users.get_mut(&caller.user).ok_or_else(Refusal::no_user)?;
    account.touch(now);
    if let Some(codes) = account.take_in(key, &ceremony, mutants) {
        row["recoveryCodes"] = recovery_codes(&codes, mutants);
        tx.mode_chosen_last = Some(ceremony.mode);
    }
    refusal.map_or_else(|| Ok(Answer::created(row)), Err)
}

impl User {
    /// Adds a key, and gives the recovery codes to be shown if it is the first factor.
    fn take_in(&mut self, key: Key, ceremony: &Ceremony, mutants: &Mutants) -> Option<Vec<RecoveryCode>> {
        let codes = self.two_factor.add_key(key, ceremony.handle, ceremony.mode);
        if codes.is_some() {
            self.lapses.begin_anew();
            if mutants.has(Mutant::KeyEnrolmentNoEffect) {
                self.two_factor = TwoFactor::Off;
            }
        } else if mutants.has(Mutant::KeyEnrolmentWeakensMode) {
            self.two_factor.set_mode(Mode::AuthOnly);
        }
        if mutants.has(Mutant::KeyReplacesCodes) {
            self.two_factor.drop_codes();
        }
        codes
    }
}

/// `DELETE /-/account/keys/<id>`.
pub(crate) fn remove_key(desk: &Desk, call: &Call, id: &str) -> Reply {
    let fields = call.fields();
    let mut tx = Transaction::begin(desk);
    let caller = tx.holder(call)?;
    let mut fields = fields?;
    tx.check_password_in(&mut fields, &caller, Mutant::KeyRemovedPasswordMissing, Mutant::KeyRemovedWithAnyPassword)?;
    let unknown = || Refusal::NotFound("security key not found");
    let two_factor = &tx.users.get(&caller.user).ok_or_else(Refusal::no_user)?.two_factor;
    let keys = two_factor.keys().ok_or_else(unknown)?;
    if !keys.iter().any(|key| key.id == id) {
        return Err(unknown());
    }
    let last = || Refusal::malformed("the last security key cannot be removed; disable 2FA instead");
    let is_last = two_factor.is_keys_alone() && keys.iter().count() == 1;
    if is_last {
        return Err(last());
    }
    tx.demand(&caller, Action::RemoveKey, call)?;
    let now = tx.now();
    let mutants = &tx.settings().mutants;
    let account = tx.users.get_mut(&caller.user).ok_or_else(Refusal::no_user)?;
    match account.two_factor.remove_key(id) {
        Removal::Removed(key) => {
            account.changes.means += 1;
            if mutants.has(Mutant::RemovedKeyAccepted) {
                account.lapses.keep().removed_keys.push(*key);
            }
            account.touch(now);
            Ok(Answer::ok(json!({})))
        }
        Removal::Last => Err(last()),
        Removal::Unknown => Err(unknown()),
    }
}

/// What a person calls his key.
fn name(fields: &mut Fields) -> Result<String, Refusal> {
    let name = fields.required("name")?.trim().to_owned();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Refusal::malformed(format!("`name` has 1 to {LONGEST_NAME} characters that can be read")));
    }
    Ok(name)
}

impl Transaction<'_> {
    /// A user's own registration, which is over from now on.
    fn take_ceremony(&mut self, id: &str, user: &UserName) -> Result<Ceremony, Refusal> {
        let unknown = Refusal::NotFound("registration not found, or expired");
        let ceremony = self.ceremonies.of_user(id, user, Of::GoodAt(self.now())).cloned().ok_or(unknown)?;
        self.ceremonies.end(id);
        let account = self.users.get(user).ok_or_else(Refusal::no_user)?;
        if account.revision != ceremony.revision {
            return Err(Refusal::malformed("the account has changed since the registration began; begin it anew"));
        }
        Ok(ceremony)
    }
}
