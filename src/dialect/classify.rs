//! What an answer means: one rule for the check, for single requests under load and for flows of several requests.

use minijinja::Value;

use super::predicate::{Answer, Predicate};
use super::step::Request;
use super::template::Unfilled;
use super::{Dialect, Recogniser};

/// What a request says of its own answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Its own challenges, where a page asks and not the protocol.
    pub challenge: &'a [Predicate],
    /// Its success; any 2xx where there is none.
    pub expect: Option<&'a Predicate>,
}

impl<'a> Asked<'a> {
    /// What a step of the dialect says.
    pub fn by(request: &'a Request) -> Self {
        Asked { challenge: &request.challenge, expect: request.expect.as_ref() }
    }
}

/// What an answer means.
#[derive(Debug)]
pub enum Classified<'d> {
    /// Success.
    Accepted,
    /// The request's own page asks for a second factor.
    AskedByPage,
    /// The protocol asks for one.
    Challenged {
        /// The rule that says so.
        by: &'d Recogniser,
        /// Whether it sends the user to a page.
        on_page: bool,
    },
    /// A request for patience.
    Throttled,
    /// There is no such route.
    NotImplemented,
    /// A no that asks for no second factor: a 4xx, or a success whose body can be read and is not the one that was wanted.
    Refused,
    /// No usable answer.
    Failed(Failing),
}

/// Why an answer is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// The target reports an error of its own: 5xx.
    ServerError,
    /// It sends the client elsewhere, which is not followed: 3xx.
    Redirect,
    /// A body that says that it is JSON and is not, or a success whose body is not what was to be read in it. It says
    /// neither yes nor no.
    Unreadable,
    /// A status that is no final one of HTTP.
    NoStatus,
}

/// Says what an answer means to who asked so.
pub fn classify<'d>(
    dialect: &'d Dialect,
    asked: Asked<'_>,
    answer: &Answer,
    variables: &Value,
) -> Result<Classified<'d>, Unfilled> {
    let any = |rules: &[Predicate]| any(rules, answer, variables);
    if answer.is_garbled() {
        return Ok(Classified::Failed(Failing::Unreadable));
    }
    if any(asked.challenge)? {
        return Ok(Classified::AskedByPage);
    }
    if asked.challenge.is_empty()
        && let Some(by) = dialect.recognise(answer, variables)?
    {
        // A page is named by both addresses, whether or not clients can act on them.
        let named = |pointer: &str| answer.json.as_ref().and_then(|json| json.pointer(pointer)).is_some();
        let web = &dialect.web_challenge;
        let on_page = web.when.holds(answer, variables)? || (named(&web.page) && named(&web.done));
        return Ok(Classified::Challenged { by, on_page });
    }
    let class = answer.status / 100;
    let unmet = match asked.expect {
        Some(expect) => expect.unmet(answer, variables)?,
        None => None,
    };
    let accepted = if asked.expect.is_some() { unmet.is_none() } else { class == 2 };
    Ok(if accepted {
        Classified::Accepted
    } else if any(&dialect.throttled)? {
        Classified::Throttled
    } else if any(&dialect.not_implemented)? {
        Classified::NotImplemented
    } else {
        match class {
            2 if unmet.is_some_and(|unmet| unmet.is_unreadable()) => Classified::Failed(Failing::Unreadable),
            2 | 4 => Classified::Refused,
            3 => Classified::Failed(Failing::Redirect),
            5 => Classified::Failed(Failing::ServerError),
            _ => Classified::Failed(Failing::NoStatus),
        }
    })
}

fn any(rules: &[Predicate], answer: &Answer, variables: &Value) -> Result<bool, Unfilled> {
    for rule in rules {
        if rule.holds(answer, variables)? {
            return Ok(true);
        }
    }
    Ok(false)
}
