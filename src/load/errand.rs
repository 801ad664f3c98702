//! An errand: one user on his way through the requests of a command, with what he has kept of the answers.
//!
//! It knows no clock and no socket. What it is told is an answer; what it says is whether there is something to send, when
//! to ask again, or what became of it. A proof serves the whole command.

use std::collections::BTreeMap;
use std::time::Duration;

use minijinja::Value;
use serde_json::Value as Json;

use super::answer::Reply;
use super::enrol;
use super::fate::Fate;
use super::keychain::{self, Keychain};
use super::mix::Kind;
use super::request::{self, Asks, Written};
use super::roster::{Part, Planned};
use super::script::{Script, Todo};
use super::users::Users;
use crate::dialect::predicate::Answer;
use crate::dialect::step::{Auth, CeremonyKind, Request};
use crate::dialect::template::Unfilled;
use crate::dialect::waits::{self, POLLS};
use crate::dialect::{Asked, Classified, classify};
use crate::persona::totp::{OtpStep, TotpSecret};
use crate::wire::locate;

/// What a command works on, and what has been kept before it.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// What it works on.
    pub object: Json,
    /// What has been kept.
    pub kept: BTreeMap<String, Json>,
}

/// A user without a second factor, whom some commands name.
#[derive(Debug, Clone)]
pub struct Companion {
    /// His name.
    pub name: String,
    /// His token.
    pub token: crate::secret::Secret,
}

/// What all errands of a shard have in common.
#[derive(Debug)]
pub struct Around<'a> {
    /// The command.
    pub script: &'a Script,
    /// Everyone.
    pub users: &'a Users,
    /// Whom some commands name.
    pub other: Option<&'a Companion>,
    /// The users' security keys.
    pub keys: &'a mut Keychain,
    /// The present step.
    pub step: u32,
}

/// One user on his way.
pub struct Errand {
    /// What he carries.
    pub kind: Kind,
    /// Who he is.
    pub user: u32,
    /// When it began, once something has been sent.
    pub sent: Option<u64>,
    number: u64,
    part: Part,
    at: usize,
    args: Value,
    outer: Vec<Value>,
    detours: Vec<Detour>,
    object: Value,
    kept: BTreeMap<String, Json>,
    proof: Option<String>,
    token: Option<String>,
    password: Option<String>,
    secret: Option<TotpSecret>,
    polls: u32,
}

impl std::fmt::Debug for Errand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "user {} at {}", self.user, self.at)
    }
}

/// A way round, and where it leads back to.
enum Detour {
    /// Through the page of a challenge.
    Page { again: usize, args: Value },
    /// To what the page has made.
    Collect { again: usize, args: Value },
    /// Through a page that asks for the factor itself; what follows it is next.
    ByKey { next: usize },
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// There is a request to send.
    Send,
    /// The same again, after so many nanoseconds.
    Rest(u64),
    /// The challenge is to be answered with a code, and then the same again.
    Prove,
    /// It is over.
    Ended(Fate),
}

impl From<Unfilled> for Next {
    /// An answer did not hold what the next request is made of.
    fn from(_: Unfilled) -> Self {
        Next::Ended(Fate::Garbage)
    }
}

impl Errand {
    /// A user who has not set out yet. `number` is one that no other errand of the run has.
    pub fn new(kind: Kind, user: u32, number: u64, prepared: Prepared) -> Self {
        Errand {
            kind,
            user,
            sent: None,
            number,
            part: Part { user, proof: Planned::Nothing },
            at: 0,
            args: Value::from(()),
            outer: Vec::new(),
            detours: Vec::new(),
            object: Value::from(minijinja::value::Serde(&prepared.object)),
            kept: prepared.kept,
            proof: None,
            token: None,
            password: None,
            secret: None,
            polls: 0,
        }
    }

    /// Which proof he carries, for the books.
    pub fn plan(&mut self, part: Part) {
        self.part = part;
    }

    /// See [`Self::plan`].
    pub fn part(&self) -> Part {
        self.part
    }

    /// He proves himself with this from now on.
    pub fn prove(&mut self, proof: &[u8]) {
        self.proof = Some(String::from_utf8_lossy(proof).into_owned());
    }

    /// Whether he has been asked for a proof, or has brought one.
    pub fn is_proven(&self) -> bool {
        self.proof.is_some()
    }

    /// Sets out.
    pub fn set_out(&mut self, around: &mut Around<'_>) -> Next {
        self.go_on(around).unwrap_or_else(|next| next)
    }

    /// Goes on to the next request.
    fn go_on(&mut self, around: &mut Around<'_>) -> Result<Next, Next> {
        let script = around.script;
        while let Some((todo, when)) = script.todo(self.at) {
            if let Some(when) = when
                && !when.value(&self.variables(around, None))?.is_true()
            {
                self.at = script.beyond(self.at);
                continue;
            }
            match todo {
                Todo::Send(_) => return Ok(Next::Send),
                Todo::Hold(ceremony) => {
                    let options = ceremony.options.fill(&self.variables(around, None))?;
                    let made = match ceremony.kind {
                        CeremonyKind::Assert => around.keys.assert(around.users, self.user, &options),
                        CeremonyKind::Register => around.keys.register(&options),
                    };
                    // The page's options are such that no key can do its part.
                    let made = made.map_err(|_| Next::Ended(Fate::Garbage))?;
                    self.kept.insert(ceremony.to.clone(), made);
                    self.at += 1;
                }
                Todo::Enter(with) => {
                    let variables = self.variables(around, None);
                    let mut filled = serde_json::Map::new();
                    for (name, document) in with {
                        filled.insert(name.clone(), document.fill(&variables)?);
                    }
                    let args = Value::from(minijinja::value::Serde(&filled));
                    self.outer.push(std::mem::replace(&mut self.args, args));
                    self.at += 1;
                }
                Todo::Leave => {
                    self.args = self.outer.pop().unwrap_or_default();
                    self.at += 1;
                }
                Todo::End => match self.detours.pop() {
                    None => return Ok(Next::Ended(Fate::Accepted)),
                    Some(Detour::ByKey { next }) => self.at = next,
                    Some(Detour::Page { again, args }) => {
                        let (_, collect) = script.page().ok_or(Next::Ended(Fate::Challenged))?;
                        self.at = collect;
                        self.detours.push(Detour::Collect { again, args });
                    }
                    Some(Detour::Collect { again, args }) => {
                        let proof = self.kept.remove("proof");
                        let proof = proof.as_ref().and_then(Json::as_str).ok_or(Next::Ended(Fate::Garbage))?;
                        self.proof = Some(proof.to_owned());
                        self.args = args;
                        self.at = again;
                    }
                },
            }
        }
        Err(Next::Ended(Fate::Garbage))
    }

    fn request<'a>(&self, script: &'a Script) -> Option<&'a Request> {
        match script.todo(self.at)? {
            (Todo::Send(request), _) => Some(request),
            _ => None,
        }
    }

    /// Writes the request that is next. The error is what became of the errand when it cannot be written.
    pub fn write(&mut self, around: &Around<'_>, out: &mut Vec<u8>) -> Result<(), Fate> {
        let request = self.request(around.script).ok_or(Fate::Garbage)?;
        self.written(request, around, out).map_err(|next| match next {
            Next::Ended(fate) => fate,
            Next::Send | Next::Rest(_) | Next::Prove => Fate::Garbage,
        })
    }

    fn written(&self, request: &Request, around: &Around<'_>, out: &mut Vec<u8>) -> Result<(), Next> {
        let script = around.script;
        let entered = request.enters_code.then(|| self.fresh_code(around));
        let variables = self.variables(around, entered.as_deref());
        let place = request.line.place.text(&variables)?;
        // An address that the target handed out must be its own.
        let place = locate(&script.base, &place).map_err(|_| Next::Ended(Fate::Garbage))?;
        let path = match place.query() {
            Some(query) => format!("{}?{query}", place.path()),
            None => place.path().to_owned(),
        };
        let token = match request.auth {
            Auth::User => Some(self.token(around)),
            Auth::Other => around.other.map(|other| other.token.reveal().to_owned()),
            Auth::Kept => self.kept.get("token").and_then(Json::as_str).map(str::to_owned),
            Auth::Basic | Auth::None => None,
        };
        let first = around.users.password(self.user);
        let name = around.users.name(self.user);
        let asks = match request.auth {
            Auth::Basic => {
                let password = self.password.as_deref().unwrap_or(first.reveal());
                Some(Asks::Basic { name: &name, password })
            }
            Auth::User | Auth::Other | Auth::Kept | Auth::None => token.as_deref().map(Asks::Bearer),
        };
        let within = self.detours.is_empty();
        let written = Written {
            path: &path,
            command: script.command(),
            asks,
            proof: self.proof.as_deref().filter(|proof| within && !request.unproven && !proof.is_empty()),
            length: None,
        };
        let (head, body) =
            request::write(&script.dialect, request, (&script.base, script.connect), &variables, &written)?;
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(body.as_bytes());
        Ok(())
    }

    fn token(&self, around: &Around<'_>) -> String {
        self.token.clone().unwrap_or_else(|| around.users.token(self.user).reveal().to_owned())
    }

    /// A code of the present step, of the secret that was handed out last.
    fn fresh_code(&self, around: &Around<'_>) -> String {
        match &self.secret {
            Some(secret) => secret.code(OtpStep(around.step.into())).reveal().to_owned(),
            None => String::from_utf8_lossy(&around.users.papers(self.user).code(around.step)).into_owned(),
        }
    }

    /// Takes in the answer to the request that was sent last.
    pub fn answered(&mut self, reply: &Reply<'_>, around: &mut Around<'_>) -> Next {
        let answer = reply.for_rules();
        self.take_in(&answer, around).unwrap_or_else(|next| next)
    }

    fn take_in(&mut self, answer: &Answer, around: &mut Around<'_>) -> Result<Next, Next> {
        let script = around.script;
        let request = self.request(script).ok_or(Next::Ended(Fate::Garbage))?;
        let variables = self.variables(around, None);
        if let Some(poll) = &request.poll
            && self.polls < POLLS
            && poll.holds(answer, &variables)?
        {
            self.polls += 1;
            return Ok(Next::Rest(ns(waits::before_next_poll(answer))));
        }
        self.polls = 0;
        let classified = classify(&script.dialect, Asked::by(request), answer, &variables)?;
        let fate = Fate::from(&classified);
        let on_page = matches!(classified, Classified::AskedByPage | Classified::Challenged { on_page: true, .. });
        self.keep(request, answer);
        match fate {
            Fate::Accepted => {
                self.become_of(request, answer, &variables)?;
                self.at += 1;
                self.go_on(around)
            }
            Fate::Challenged if self.proof.is_none() && self.detours.is_empty() => {
                self.challenged(request, answer, on_page, around)
            }
            other => Ok(Next::Ended(other)),
        }
    }

    /// What a challenge is answered with.
    fn challenged(
        &mut self,
        request: &Request,
        answer: &Answer,
        on_page: bool,
        around: &mut Around<'_>,
    ) -> Result<Next, Next> {
        let script = around.script;
        match self.kind {
            Kind::Exchange => Ok(Next::Prove),
            Kind::Key => {
                if let Some(entry) = request.by_key.as_ref().and_then(|routine| script.by_key(&routine.value)) {
                    self.detours.push(Detour::ByKey { next: self.at + 1 });
                    self.at = entry;
                    // The page is the proof.
                    self.proof = Some(String::new());
                    return self.go_on(around);
                }
                let (page, _) = script.page().filter(|_| on_page).ok_or(Next::Ended(Fate::Challenged))?;
                let web = &script.dialect.web_challenge;
                let text = |pointer: &str| answer.json.as_ref()?.pointer(pointer)?.as_str().map(str::to_owned);
                let (Some(open), Some(done)) = (text(&web.page), text(&web.done)) else {
                    return Ok(Next::Ended(Fate::Misshapen));
                };
                let args = Value::from(minijinja::value::Serde(&serde_json::json!({ "page": open, "done": done })));
                let before = std::mem::replace(&mut self.args, args);
                self.detours.push(Detour::Page { again: self.at, args: before });
                self.at = page;
                self.go_on(around)
            }
            Kind::Right
            | Kind::Wrong
            | Kind::Replayed
            | Kind::Expired
            | Kind::ChallengeOnly
            | Kind::RecoveryCode
            | Kind::Unprotected => Ok(Next::Ended(Fate::Challenged)),
        }
    }

    fn keep(&mut self, request: &Request, answer: &Answer) {
        let Some(json) = &answer.json else { return };
        for (name, pointer) in &request.keep {
            if let Some(value) = json.pointer(pointer).filter(|value| !value.is_null()) {
                self.kept.insert(name.clone(), value.clone());
            }
        }
        for (name, pointer) in &request.count {
            if let Some(items) = json.pointer(pointer).and_then(Json::as_array) {
                self.kept.insert(name.clone(), items.len().into());
            }
        }
    }

    fn become_of(&mut self, request: &Request, answer: &Answer, variables: &Value) -> Result<(), Next> {
        let text = |pointer: &String| answer.json.as_ref()?.pointer(pointer)?.as_str().map(str::to_owned);
        let becomes = &request.r#become;
        if let Some(token) = becomes.token.as_ref().and_then(text) {
            self.token = Some(token);
        }
        if let Some(pointer) = &becomes.totp {
            let secret = TotpSecret::from_otpauth(&text(pointer).unwrap_or_default());
            self.secret = Some(secret.map_err(|_| Next::Ended(Fate::Garbage))?);
        }
        if let Some(password) = &becomes.password {
            self.password = Some(password.text(variables)?);
        }
        Ok(())
    }

    /// What templates read.
    fn variables(&self, around: &Around<'_>, entered: Option<&str>) -> Value {
        let users = around.users;
        let first = users.password(self.user).reveal().to_owned();
        let user = minijinja::context! {
            name => users.name(self.user), password => self.password.as_ref().unwrap_or(&first), former => first.clone(),
            first, token => self.token(around), lent => true,
        };
        let other = around.other.map(|other| {
            minijinja::context! { name => other.name.clone(), token => other.token.reveal() }
        });
        let plain = |url: &reqwest::Url| url.as_str().trim_end_matches('/').to_owned();
        minijinja::context! {
            user,
            other => other.unwrap_or_default(),
            base => plain(&around.script.base),
            origin => plain(&keychain::origin(&around.script.base)),
            mode => if self.kind == Kind::Unprotected { enrol::NO_MODE } else { enrol::MODE },
            object => self.object.clone(),
            args => self.args.clone(),
            kept => Value::from(minijinja::value::Serde(&self.kept)),
            tick => self.number,
            n => self.number,
            client => if self.kind == Kind::Key { "web" } else { "legacy" },
            proof => entered.unwrap_or_default(),
        }
    }
}

/// A time in nanoseconds, as errands count it.
fn ns(long: Duration) -> u64 {
    u64::try_from(long.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::load::answer::{Read, read};
    use crate::load::request::Connect;
    use crate::load::users::PoolSeed;

    const OPTIONS: &str = r#"{"publicKey":{"challenge":"AAAA","rpId":"localhost"}}"#;

    struct Way {
        script: Script,
        users: Users,
        keys: Keychain,
        errand: Errand,
    }

    impl Way {
        fn new(kind: Kind, surface: &str) -> Self {
            let dialect = Arc::new(crate::target::find("embedded").expect("the target").dialect);
            let base = "http://127.0.0.1:4873/".parse().expect("an address");
            let script = Script::of(dialect, surface, &base, Connect::KeepAlive).expect("a script");
            let users = Users::seeded(PoolSeed::of_number(1), 3);
            let object = serde_json::json!({ "name": "a", "value": "A" });
            let errand = Errand::new(kind, 1, 7, Prepared { object, ..Prepared::default() });
            Way { script, users, keys: Keychain::new(&base), errand }
        }

        fn with<T>(&mut self, deed: impl FnOnce(&mut Errand, &mut Around<'_>) -> T) -> T {
            let Way { script, users, keys, errand } = self;
            deed(errand, &mut Around { script, users, other: None, keys, step: 58_000_000 })
        }

        /// What is sent next: the first line, and all of it.
        fn sent(&mut self) -> (String, String) {
            let mut out = Vec::new();
            self.with(|errand, around| errand.write(around, &mut out)).expect("written");
            let text = String::from_utf8(out).expect("text");
            (text.lines().next().unwrap_or_default().to_owned(), text)
        }

        fn answered(&mut self, status: u16, headers: &str, body: &str) -> Next {
            let text = format!("HTTP/1.1 {status} S\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
            match read(text.as_bytes(), false) {
                Read::Whole(reply) => self.with(|errand, around| errand.answered(&reply, around)),
                other => panic!("{other:?}"),
            }
        }
    }

    const CHALLENGE: &str = "www-authenticate: OTP\r\ncontent-type: application/json\r\n";

    fn pages(at: &str) -> String {
        format!(r#"{{"authUrl":"{at}/-/auth/p","doneUrl":"{at}/-/v1/done/t"}}"#)
    }

    #[test]
    fn a_key_goes_the_way_of_the_page_and_waits_for_what_it_makes() {
        let mut way = Way::new(Kind::Key, "profile-set:fullname");
        assert_eq!(way.with(Errand::set_out), Next::Send);
        let (line, text) = way.sent();
        assert!(line.starts_with("POST /-/npm/v1/user ") && text.contains("\r\nnpm-auth-type: web\r\n"), "{text}");
        assert_eq!(way.answered(401, CHALLENGE, &pages("http://127.0.0.1:4873")), Next::Send);
        let (line, text) = way.sent();
        assert!(line.starts_with("POST /-/auth/p/options ") && !text.contains("authorization"), "{text}");
        assert_eq!(way.answered(200, "content-type: application/json\r\n", OPTIONS), Next::Send);
        let (line, text) = way.sent();
        assert!(line.starts_with("POST /-/auth/p/assertion ") && text.contains("\"signature\""), "{text}");
        assert_eq!(way.answered(200, "", "{}"), Next::Send);
        assert!(way.sent().0.starts_with("GET /-/v1/done/t "));
        assert_eq!(way.answered(202, "retry-after: 2\r\n", "{}"), Next::Rest(2_000_000_000));
        assert!(way.sent().0.starts_with("GET /-/v1/done/t "));
        assert_eq!(way.answered(200, "content-type: application/json\r\n", r#"{"token":"made"}"#), Next::Send);
        let (line, text) = way.sent();
        assert!(line.starts_with("POST /-/npm/v1/user ") && text.contains("\r\nnpm-otp: made\r\n"), "{text}");
        assert_eq!(way.answered(200, "", "{}"), Next::Ended(Fate::Accepted));
    }

    #[test]
    fn a_page_on_another_host_is_not_gone_to() {
        let mut way = Way::new(Kind::Key, "profile-set:fullname");
        way.with(Errand::set_out);
        way.sent();
        way.answered(401, CHALLENGE, &pages("http://192.0.2.1"));
        let mut out = Vec::new();
        assert_eq!(way.with(|errand, around| errand.write(around, &mut out)), Err(Fate::Garbage));
        assert!(out.is_empty());
    }

    #[test]
    fn one_proof_serves_all_of_a_command_and_the_first_answer_that_is_none_ends_it() {
        let document =
            r#"{"_rev":"1-a","versions":{"1.0.1":{"dist":{"tarball":"http://127.0.0.1:4873/a/-/a-1.0.1.tgz"}}}}"#;
        let mut way = Way::new(Kind::Right, "unpublish:version");
        for (name, value) in [("rev", "1-a"), ("tarball", "http://127.0.0.1:4873/a/-/a-1.0.1.tgz")] {
            way.errand.kept.insert(name.to_owned(), value.into());
        }
        let whole = serde_json::json!({ "versions": { "1.0.1": {} }, "dist-tags": {} });
        way.errand.kept.insert("document".to_owned(), whole);
        way.errand.prove(b"123456");
        assert_eq!(way.with(Errand::set_out), Next::Send);
        for wanted in ["PUT /a/-rev/1-a ", "GET /a?write=true ", "DELETE /a/-/a-1.0.1.tgz/-rev/1-a "] {
            let (line, text) = way.sent();
            assert!(line.starts_with(wanted) && text.contains("\r\nnpm-otp: 123456\r\n"), "{wanted}: {text}");
            let next = way.answered(200, "content-type: application/json\r\n", document);
            let last = wanted.starts_with("DELETE");
            assert_eq!(next, if last { Next::Ended(Fate::Accepted) } else { Next::Send });
        }
        let mut way = Way::new(Kind::Wrong, "unpublish:version");
        way.errand.kept.insert("document".to_owned(), serde_json::json!({ "dist-tags": {} }));
        way.with(Errand::set_out);
        way.sent();
        assert_eq!(way.answered(401, CHALLENGE, "{}"), Next::Ended(Fate::Challenged));
    }
}
