//! Signing up and logging in with a name and a password, npm's oldest door.
//!
//! Whatever `authorization` comes along is not looked at: clients send the token they still have,
//! and a dead one must not make a log-in fail (wire notes §3).

use serde_json::json;

use crate::registry::factor::{Action, Offer};
use crate::registry::model::{ScopeName, State, Token, TokenKind, User, UserName};
use crate::registry::mutants::Mutant;
use crate::registry::secrets::{Password, TokenText};
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Authorization, Call, Fields, Refusal, Reply, iso8601};

/// `PUT /-/user/org.couchdb.user:<name>`: a new name signs up, a known one logs in.
pub(crate) fn log_in(desk: &Desk, call: &Call, name: &UserName) -> Reply {
    let request = Request::parse(call, name)?;
    let mut tx = Transaction::begin(desk);
    if tx.users.contains_key(name) {
        return enter(&mut tx, call, name, &request.password);
    }
    tx.sign_up(name, &request.password, request.email)?;
    welcome(&mut tx, name)
}

/// `PUT /-/user/org.couchdb.user:<name>/-rev/<revision>`: the second attempt of a client that was
/// told of a conflict. It never signs up.
pub(crate) fn log_in_at(desk: &Desk, call: &Call, name: &UserName, revision: &str) -> Reply {
    let request = Request::parse(call, name)?;
    let mut tx = Transaction::begin(desk);
    if !tx.is_password(name, &request.password) {
        return Err(Refusal::wrong_password());
    }
    if let Some(user) = tx.users.get(name) {
        user.revision.check(revision)?;
    }
    if tx.is_due(name, Action::LogIn) && tx.settings().mutants.has(Mutant::LegacyLogInUnchallenged) {
        return welcome(&mut tx, name);
    }
    enter(&mut tx, call, name, &request.password)
}

/// `GET /-/user/org.couchdb.user:<name>`.
pub(crate) fn show_user(desk: &Desk, name: &UserName) -> Reply {
    let tx = Transaction::begin(desk);
    let user = tx.users.get(name).ok_or_else(Refusal::no_user)?;
    Ok(Answer::ok(json!({
        "_id": format!("org.couchdb.user:{name}"),
        "_rev": user.revision.to_string(),
        "name": name.as_str(),
        "email": user.profile.email,
        "type": "user",
        "roles": [],
        "date": iso8601(user.created),
    })))
}

struct Request {
    password: Password,
    email: Option<String>,
}

impl Request {
    fn parse(call: &Call, name: &UserName) -> Result<Self, Refusal> {
        let mut fields = call.fields()?;
        if fields.text("name")?.is_some_and(|sent| sent != name.as_str()) {
            return Err(Refusal::malformed("the name in the body is not the one in the path"));
        }
        let email = fields.text("email")?.filter(|email| !email.is_empty());
        Ok(Self { password: password(&mut fields, call)?, email })
    }
}

/// The password of a log-in, from the body or else from Basic credentials.
fn password(fields: &mut Fields, call: &Call) -> Result<Password, Refusal> {
    if let Some(password) = fields.text("password")? {
        return Ok(Password::new(password));
    }
    match call.authorization() {
        Some(Authorization::Basic { password, .. }) => Ok(password.clone()),
        Some(Authorization::Bearer(_) | Authorization::Unknown) | None => {
            Err(Refusal::malformed("`password` is missing"))
        }
    }
}

fn enter(tx: &mut Transaction<'_>, call: &Call, name: &UserName, password: &Password) -> Reply {
    if !tx.is_password(name, password) {
        if call.proof().is_some() && tx.settings().mutants.has(Mutant::StrangerLocksOut) {
            let (now, throttle) = (tx.now(), tx.settings().throttle);
            if let Some(user) = tx.users.get_mut(name) {
                user.wrong_codes.count(now, &throttle);
            }
        }
        return Err(Refusal::wrong_password());
    }
    let due = tx.is_due(name, Action::LogIn);
    tx.demand_if(due, name, Action::LogIn, &Offer::of(call))?;
    welcome(tx, name)
}

fn welcome(tx: &mut Transaction<'_>, name: &UserName) -> Reply {
    let token = tx.open_session(name);
    let revision = tx.users.get(name).map(|user| user.revision.to_string());
    Ok(Answer::created(json!({
        "ok": true,
        "id": format!("org.couchdb.user:{name}"),
        "rev": revision,
        "token": token.reveal(),
    })))
}

impl Transaction<'_> {
    /// Creates an account, unless its name is taken by an organisation.
    pub(super) fn sign_up(
        &mut self,
        name: &UserName,
        password: &Password,
        email: Option<String>,
    ) -> Result<(), Refusal> {
        if password.is_empty() {
            return Err(Refusal::malformed("the password is empty"));
        }
        if self.scopes.contains_key(&ScopeName::of_user(name)) {
            return Err(Refusal::forbidden("that name belongs to an organisation"));
        }
        let user = User::new(password, email, self.now());
        self.users.insert(name.clone(), Box::new(user));
        Ok(())
    }

    /// Hands out the token of a fresh session.
    pub(super) fn open_session(&mut self, name: &UserName) -> TokenText {
        let (token, text) = Token::mint(name.clone(), TokenKind::Session, self.now());
        if !self.settings().mutants.has(Mutant::LogInTokenDead) {
            State::keep_token(self, token, text.digest());
        }
        text
    }
}
