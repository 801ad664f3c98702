//! The web login: the client gets two addresses, a person fills in a page at one of them, and the
//! client polls the other until it yields a token, once.
//!
//! The two addresses share nothing that can be guessed from one another: whoever sees the page's
//! address cannot collect the token.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use serde_json::json;

use super::pages;
use crate::registry::factor::Action;
use crate::registry::model::{Revision, UserName};
use crate::registry::secrets::{Password, Proof, random_hex};
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Refusal, Reply};

/// How long a person may take.
const LIFETIME: Duration = Duration::from_secs(600);

/// The web logins under way. They have no `Debug`: a ticket is as good as a token.
#[derive(Default)]
pub(crate) struct WebLogIns {
    by_page: HashMap<String, WebLogIn>,
    pages_by_ticket: HashMap<String, String>,
    /// Pages in the order in which they expire.
    expiring: VecDeque<(SystemTime, String)>,
}

struct WebLogIn {
    ticket: String,
    purpose: Purpose,
    stage: Stage,
    started: SystemTime,
}

/// What the client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    LogIn,
    /// `npm adduser`: an unknown name signs up.
    SignUp,
}

/// How far the person has come.
#[derive(Debug, Clone)]
enum Stage {
    WantsPassword,
    /// The password of this user was right, at this revision of his account.
    WantsCode(UserName, Revision),
    Finished(UserName),
}

/// `POST /-/v1/login`. It is never challenged: the page is.
pub(crate) fn start_web_log_in(desk: &Desk, call: &Call) -> Reply {
    let purpose = match call.fields().and_then(|mut fields| fields.truth("create")) {
        Ok(Some(true)) => Purpose::SignUp,
        Ok(Some(false) | None) | Err(_) => Purpose::LogIn,
    };
    let mut tx = Transaction::begin(desk);
    let now = tx.now();
    let (page, ticket) = tx.web_log_ins.start(purpose, now);
    let base = call.base();
    Ok(Answer::ok(json!({
        "loginUrl": format!("{base}/-/v1/login/{page}"),
        "doneUrl": format!("{base}/-/v1/done/{ticket}"),
    })))
}

/// `GET` of the page.
pub(crate) fn show_web_log_in(desk: &Desk, page: &str) -> Reply {
    let tx = Transaction::begin(desk);
    let now = tx.now();
    let Some(log_in) = tx.web_log_ins.open(page, now) else {
        return Ok(gone());
    };
    let html = match log_in.stage {
        Stage::WantsPassword => pages::password(None),
        Stage::WantsCode(..) => pages::code(None),
        Stage::Finished(_) => pages::finished(),
    };
    Ok(Answer::html(StatusCode::OK, html))
}

/// `POST` of the page: `username` and `password`, then `otp`, or all three at once.
pub(crate) fn answer_web_log_in(desk: &Desk, call: &Call, page: &str) -> Reply {
    let form = Form::parse(call);
    let mut tx = Transaction::begin(desk);
    let now = tx.now();
    let Some(log_in) = tx.web_log_ins.open(page, now) else {
        return Ok(gone());
    };
    let (purpose, stage) = (log_in.purpose, log_in.stage.clone());
    if let Stage::Finished(_) = stage {
        return Ok(gone());
    }
    let Some(user) = identify(&mut tx, &form, purpose, &stage) else {
        tx.web_log_ins.advance(page, Stage::WantsPassword);
        let html = pages::password(Some("The user name or the password is wrong."));
        return Ok(Answer::html(StatusCode::UNAUTHORIZED, html));
    };
    let due = tx.is_due(&user, Action::WebLogIn);
    match tx.demand_if(due, &user, Action::WebLogIn, form.otp.as_ref()) {
        Ok(_) => {
            tx.web_log_ins.advance(page, Stage::Finished(user));
            Ok(Answer::html(StatusCode::OK, pages::finished()))
        }
        Err(refusal) => {
            if let Some(account) = tx.users.get(&user) {
                let revision = account.revision.clone();
                tx.web_log_ins.advance(page, Stage::WantsCode(user, revision));
            }
            Ok(ask_again(refusal, form.otp.is_some()))
        }
    }
}

/// Any verb on the other address: 202 while the person is at it, then the token, once.
pub(crate) fn poll_web_log_in(desk: &Desk, ticket: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let now = tx.now();
    let unknown = Refusal::NotFound("not found");
    let Some(page) = tx.web_log_ins.pages_by_ticket.get(ticket).cloned() else {
        return Err(unknown);
    };
    let Some(log_in) = tx.web_log_ins.open(&page, now) else {
        return Err(unknown);
    };
    match log_in.stage.clone() {
        Stage::WantsPassword | Stage::WantsCode(..) => {
            let pending = json!({ "message": "waiting for the log-in in the browser" });
            Ok(Answer::json(StatusCode::ACCEPTED, pending).with(RETRY_AFTER, HeaderValue::from_static("1")))
        }
        Stage::Finished(user) => {
            tx.web_log_ins.remove(&page);
            let token = tx.open_session(&user);
            Ok(Answer::ok(json!({ "token": token.reveal() })))
        }
    }
}

struct Form {
    username: Option<String>,
    password: Option<Password>,
    otp: Option<Proof>,
}

impl Form {
    fn parse(call: &Call) -> Self {
        let mut form = Form { username: None, password: None, otp: None };
        for (name, value) in call.form() {
            match name.as_str() {
                "username" => form.username = Some(value),
                "password" => form.password = Some(Password::new(value)),
                "otp" if !value.trim().is_empty() => form.otp = Some(Proof::parse(&value)),
                _ => {}
            }
        }
        form
    }
}

/// The user whose password was right, in this form or in the one before it.
fn identify(tx: &mut Transaction<'_>, form: &Form, purpose: Purpose, stage: &Stage) -> Option<UserName> {
    match (&form.username, &form.password, stage) {
        (Some(name), Some(password), _) => {
            let user = UserName::parse(name.trim()).ok()?;
            if purpose == Purpose::SignUp && !tx.users.contains_key(&user) {
                tx.sign_up(&user, password, None).ok()?;
            }
            tx.is_password(&user, password).then_some(user)
        }
        (None, None, Stage::WantsCode(user, revision)) => {
            let account = tx.users.get(user)?;
            (account.revision == *revision).then(|| user.clone())
        }
        _ => None,
    }
}

/// The page that asks for a code, in the status and with the header of the refusal it stands for.
fn ask_again(refusal: Refusal, code_was_sent: bool) -> Answer {
    match refusal {
        Refusal::Challenge(challenge) => {
            let notice = code_was_sent.then_some("The one-time pass was not accepted.");
            let answer = Answer::html(challenge.status(), pages::code(notice));
            match challenge.header() {
                Some(value) => answer.with(WWW_AUTHENTICATE, HeaderValue::from_static(value)),
                None => answer,
            }
        }
        Refusal::Throttled(left) => {
            let notice = "Too many wrong codes. Try again later.";
            let html = pages::code(Some(notice));
            let seconds = HeaderValue::from(left.as_secs().max(1));
            Answer::html(StatusCode::TOO_MANY_REQUESTS, html).with(RETRY_AFTER, seconds)
        }
        refusal => Answer::from(refusal),
    }
}

fn gone() -> Answer {
    Answer::html(StatusCode::NOT_FOUND, pages::gone())
}

impl WebLogIns {
    fn start(&mut self, purpose: Purpose, now: SystemTime) -> (String, String) {
        while let Some((started, page)) = self.expiring.front()
            && has_expired(*started, now)
        {
            let page = page.clone();
            self.remove(&page);
            self.expiring.pop_front();
        }
        let (page, ticket) = (random_hex::<24>(), random_hex::<24>());
        let log_in = WebLogIn { ticket: ticket.clone(), purpose, stage: Stage::WantsPassword, started: now };
        self.by_page.insert(page.clone(), log_in);
        self.pages_by_ticket.insert(ticket.clone(), page.clone());
        self.expiring.push_back((now, page.clone()));
        (page, ticket)
    }

    /// A login that is under way and has not expired.
    fn open(&self, page: &str, now: SystemTime) -> Option<&WebLogIn> {
        let log_in = self.by_page.get(page)?;
        (!has_expired(log_in.started, now)).then_some(log_in)
    }

    fn advance(&mut self, page: &str, stage: Stage) {
        if let Some(log_in) = self.by_page.get_mut(page) {
            log_in.stage = stage;
        }
    }

    fn remove(&mut self, page: &str) {
        if let Some(log_in) = self.by_page.remove(page) {
            self.pages_by_ticket.remove(&log_in.ticket);
        }
    }
}

fn has_expired(started: SystemTime, now: SystemTime) -> bool {
    now.duration_since(started).is_ok_and(|age| age >= LIFETIME)
}
