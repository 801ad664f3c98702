//! The web login: the client gets two addresses, a person fills in a page at one of them, and the
//! client polls the other until it yields a token, once.

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use serde_json::json;

use super::{assertion, pages};
use crate::registry::factor::{Action, Offer};
use crate::registry::keys::{AskedBy, Question};
use crate::registry::model::{Addresses, Of, Revision, UserName};
use crate::registry::mutants::Mutant;
use crate::registry::secrets::{Password, Proof};
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Refusal, Reply};

/// A web login under way. It has no `Debug`: its page is as good as a password once it is open.
#[derive(Clone)]
pub(crate) struct LogIn {
    purpose: Purpose,
    pub(super) stage: Stage,
}

/// What the client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    LogIn,
    /// `npm adduser`: an unknown name signs up.
    SignUp,
}

/// How far the person has come.
#[derive(Clone)]
pub(super) enum Stage {
    WantsPassword,
    /// The password of this user was right, at this revision of his account. The question is what
    /// was put to his keys last.
    WantsFactor {
        user: UserName,
        revision: Revision,
        question: Option<Box<Question>>,
    },
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
    let Addresses { page, ticket } = tx.log_ins.start(LogIn { purpose, stage: Stage::WantsPassword }, now);
    let base = call.base();
    Ok(Answer::ok(json!({
        "loginUrl": format!("{base}/-/v1/login/{page}"),
        "doneUrl": format!("{base}/-/v1/done/{ticket}"),
    })))
}

/// `GET` of the page.
pub(crate) fn show_web_log_in(desk: &Desk, page: &str) -> Reply {
    let tx = Transaction::begin(desk);
    let Some(log_in) = tx.log_ins.at(page, Of::GoodAt(tx.now())) else {
        return Ok(gone());
    };
    let html = match &log_in.stage {
        Stage::WantsPassword => pages::password(None),
        Stage::WantsFactor { user, .. } => tx.factor_page(user, None),
        Stage::Finished(_) => pages::finished(),
    };
    Ok(Answer::html(StatusCode::OK, html))
}

/// `POST` of the page: `username` and `password`, then `otp`, or all three at once.
pub(crate) fn answer_web_log_in(desk: &Desk, call: &Call, page: &str) -> Reply {
    let form = Form::parse(call);
    let mut tx = Transaction::begin(desk);
    let now = tx.now();
    let Some(LogIn { purpose, stage }) = tx.log_ins.at(page, Of::GoodAt(now)).cloned() else {
        return Ok(gone());
    };
    if let Stage::Finished(_) = stage {
        return Ok(gone());
    }
    let Some(user) = identify(&mut tx, &form, purpose, &stage) else {
        tx.advance(page, Stage::WantsPassword);
        let html = pages::password(Some("The user name or the password is wrong."));
        return Ok(Answer::html(StatusCode::UNAUTHORIZED, html));
    };
    let due = tx.is_due(&user, Action::WebLogIn);
    match tx.demand_if(due, &user, Action::WebLogIn, &Offer::on_page(form.otp.as_ref())) {
        Ok(_) => {
            tx.advance(page, Stage::Finished(user));
            Ok(Answer::html(StatusCode::OK, pages::finished()))
        }
        Err(refusal) => {
            let answer = ask_again(&tx, &user, refusal, form.otp.is_some());
            if let Some(account) = tx.users.get(&user) {
                let revision = account.revision.clone();
                tx.advance(page, Stage::WantsFactor { user, revision, question: None });
            }
            Ok(answer)
        }
    }
}

/// `POST <page>/options`: a challenge for the keys of the user whose password was right.
pub(crate) fn ask_web_log_in(desk: &Desk, call: &Call, page: &str) -> Reply {
    let mut tx = Transaction::begin(desk);
    let now = tx.now();
    let log_in = tx.log_ins.at(page, Of::GoodAt(now)).ok_or(Refusal::NotFound("page not found"))?;
    let Some(user) = tx.awaited(log_in) else {
        return Err(Refusal::Conflict("there is nobody yet whose security key could be asked for"));
    };
    let (options, asked) = tx.put_question(&user, call)?;
    if let Some(Stage::WantsFactor { question, .. }) = tx.stage_mut(page) {
        *question = Some(Box::new(asked));
    }
    Ok(Answer::ok(json!({ "publicKey": options })))
}

/// `POST <page>/assertion`: what a key says.
pub(crate) fn assert_web_log_in(desk: &Desk, call: &Call, page: &str) -> Reply {
    let answer = assertion::parse(call);
    let mut tx = Transaction::begin(desk);
    let now = tx.now();
    let log_in = tx.log_ins.at(page, Of::GoodAt(now)).ok_or(Refusal::NotFound("page not found"))?;
    let user = tx.awaited(log_in);
    let answer = answer?;
    let question = match tx.stage_mut(page) {
        Some(Stage::WantsFactor { question, .. }) => question.take(),
        Some(Stage::WantsPassword | Stage::Finished(_)) | None => None,
    };
    let Some(user) = user else {
        return Ok(assertion::refused());
    };
    if !tx.is_answer(&user, question.as_deref(), &answer, AskedBy::LogIn, call)? {
        return Ok(assertion::refused());
    }
    tx.advance(page, Stage::Finished(user));
    Ok(Answer::ok(json!({})))
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
        (None, None, Stage::WantsFactor { user, revision, .. }) => {
            let account = tx.users.get(user)?;
            (account.revision == *revision).then(|| user.clone())
        }
        _ => None,
    }
}

/// The page that asks for a factor, in the status and with the header of the refusal it stands for.
fn ask_again(tx: &Transaction<'_>, user: &UserName, refusal: Refusal, code_was_sent: bool) -> Answer {
    match refusal {
        Refusal::Challenge(challenge) => {
            let notice = code_was_sent.then_some("The one-time pass was not accepted.");
            let answer = Answer::html(challenge.status(), tx.factor_page(user, notice));
            match challenge.header() {
                Some(value) => answer.with(WWW_AUTHENTICATE, HeaderValue::from_static(value)),
                None => answer,
            }
        }
        Refusal::Throttled(left) => {
            let html = tx.factor_page(user, Some("Too many wrong codes. Try again later."));
            let seconds = HeaderValue::from(left.as_secs().max(1));
            Answer::html(StatusCode::TOO_MANY_REQUESTS, html).with(RETRY_AFTER, seconds)
        }
        refusal => Answer::from(refusal),
    }
}

pub(super) fn gone() -> Answer {
    Answer::html(StatusCode::NOT_FOUND, pages::gone())
}

impl Transaction<'_> {
    /// Who the token of a login is for, once it may be handed out.
    pub(super) fn logged_in<'a>(&self, log_in: &'a LogIn) -> Option<&'a UserName> {
        match &log_in.stage {
            Stage::WantsPassword => None,
            Stage::WantsFactor { user, .. } => {
                self.settings().mutants.has(Mutant::WebLogInTokenBeforeFactor).then_some(user)
            }
            Stage::Finished(user) => Some(user),
        }
    }

    /// Who has finished a log-in last, for one that nobody has answered: a fault takes any for any.
    pub(super) fn logged_in_elsewhere(&self, log_in: &LogIn) -> Option<UserName> {
        let unanswered = matches!(log_in.stage, Stage::WantsPassword);
        let last = self.finished_last.as_ref().filter(|_| unanswered)?;
        self.settings().mutants.has(Mutant::LogInYieldsElsewhere).then(|| last.clone())
    }

    /// Who a login waits for, unless his account has changed since his password was right.
    fn awaited(&self, log_in: &LogIn) -> Option<UserName> {
        match &log_in.stage {
            Stage::WantsFactor { user, revision, .. } => {
                let account = self.users.get(user)?;
                (account.revision == *revision).then(|| user.clone())
            }
            Stage::WantsPassword | Stage::Finished(_) => None,
        }
    }

    fn factor_page(&self, user: &UserName, notice: Option<&str>) -> String {
        match self.users.get(user).and_then(|user| user.two_factor.keys()) {
            Some(_) => pages::key_or_code(notice),
            None => pages::code(notice),
        }
    }

    fn stage_mut(&mut self, page: &str) -> Option<&mut Stage> {
        let now = self.now();
        self.log_ins.at_mut(page, Of::GoodAt(now)).map(|log_in| &mut log_in.stage)
    }

    fn advance(&mut self, page: &str, to: Stage) {
        if let Stage::Finished(user) = &to {
            self.finished_last = Some(user.clone());
        }
        if let Some(stage) = self.stage_mut(page) {
            *stage = to;
        }
    }
}
