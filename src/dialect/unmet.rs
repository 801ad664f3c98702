//! What an answer lacks of what was wanted of it: which status, header, member or text, and what came in its place.

use serde_json::Value as Json;

use super::predicate::{Predicate, Status};

/// How many characters of a value are shown.
const SHOWN: usize = 60;

/// The first part of a predicate that an answer does not show.
///
/// It holds the answer's own values, which may be secrets. So it does not print: [`Unmet::told`] takes what hides them.
pub enum Unmet<'a> {
    /// The status is another.
    Status {
        /// What was wanted.
        wanted: &'a Status,
        /// What came.
        came: u16,
    },
    /// A header is missing, is there and must not be, or says something else.
    Header {
        /// Its name.
        name: &'a str,
        /// What was wanted.
        wanted: Wanted<'a>,
        /// What came, joined where there were several.
        came: Option<String>,
    },
    /// So is a member of the body.
    Member {
        /// Where it is (RFC 6901).
        pointer: &'a str,
        /// What was wanted.
        wanted: Wanted<'a>,
        /// What came.
        came: Came<'a>,
    },
    /// The body, as text, is another.
    Text {
        /// What was wanted.
        wanted: Wanted<'a>,
    },
    /// The body's bytes are others.
    Bytes {
        /// Whether they are JSON, and so say something of their own.
        are_json: bool,
        /// How many came.
        came: usize,
    },
    /// Of several alternatives none is shown: what each of them lacks.
    NoneOf(Vec<Unmet<'a>>),
    /// The answer shows what it must not.
    RuledOut(&'a Predicate),
}

/// What came where a member was wanted.
#[derive(Clone, Copy)]
pub enum Came<'a> {
    /// No body at all.
    NoBody,
    /// A body that is not JSON.
    NoJson,
    /// JSON without the member.
    Nothing,
    /// This.
    Value(&'a Json),
}

/// What was wanted of one value.
pub enum Wanted<'a> {
    /// That it is there.
    Present,
    /// That it is not.
    Absent,
    /// That it is an absolute address that a browser opens, or that it is none.
    WebAddress(bool),
    /// That it is a whole number, or that it is none.
    Number(bool),
    /// That it is a whole number within these bounds.
    Within {
        /// The least.
        least: Option<u64>,
        /// The most.
        most: Option<u64>,
    },
    /// That it is this.
    Equal(Json),
    /// That its text has this part.
    Containing(String),
    /// That it is a list with this element.
    Element(&'a str),
    /// That it is an array or an object of so many.
    Length(String),
}

impl Unmet<'_> {
    /// Whether what was wanted could not be looked for at all, since the body is not JSON. Such an answer says neither yes
    /// nor no.
    pub fn is_unreadable(&self) -> bool {
        match self {
            Unmet::Member { came: Came::NoBody | Came::NoJson, .. } | Unmet::Bytes { are_json: false, .. } => true,
            Unmet::Member { came: Came::Nothing | Came::Value(_), .. }
            | Unmet::Bytes { are_json: true, .. }
            | Unmet::Status { .. }
            | Unmet::Header { .. }
            | Unmet::Text { .. }
            | Unmet::RuledOut(_) => false,
            Unmet::NoneOf(all) => all.iter().any(Unmet::is_unreadable),
        }
    }

    /// Whether it is the status alone, where any success was wanted: the status itself says all there is to say.
    pub fn is_no_success(&self) -> bool {
        match self {
            Unmet::Status { wanted, came } => came / 100 != 2 && wanted.is_success(),
            Unmet::NoneOf(all) => all.iter().all(Unmet::is_no_success),
            Unmet::Header { .. }
            | Unmet::Member { .. }
            | Unmet::Text { .. }
            | Unmet::Bytes { .. }
            | Unmet::RuledOut(_) => false,
        }
    }

    /// In words: `/token is missing`. `hide` is given each text that may hold a secret, or JSON that may.
    pub fn told(&self, hide: &dyn Fn(&str) -> String) -> String {
        match self {
            Unmet::Status { wanted, came } => format!("the status is {came} and not {wanted}"),
            Unmet::Header { name, wanted, came } => {
                let came = came.as_deref().map(|came| quoted(&hide(came)));
                wanted.told(&format!("the header {name}"), came.as_deref(), &|wanted| hidden(wanted, name, hide))
            }
            Unmet::Member { pointer, wanted, came } => {
                let member = pointer.rsplit('/').next().unwrap_or_default();
                let what = if pointer.is_empty() { "the body" } else { *pointer };
                let came = match came {
                    Came::NoBody => return format!("{what} was wanted, and there is no body"),
                    Came::NoJson => return format!("{what} was wanted, and the body is not JSON"),
                    Came::Nothing => None,
                    Came::Value(value) => Some(hidden(value, member, hide)),
                };
                wanted.told(what, came.as_deref(), &|wanted| hidden(wanted, member, hide))
            }
            Unmet::Text { wanted } => wanted.told("the body", Some("another text"), &|wanted| hidden(wanted, "", hide)),
            Unmet::Bytes { came, .. } => format!("the body is other bytes than wanted ({came} of them)"),
            Unmet::NoneOf(all) => {
                let all: Vec<String> = all.iter().map(|unmet| unmet.told(hide)).collect();
                format!("no alternative holds: {}", all.join("; "))
            }
            Unmet::RuledOut(predicate) => format!("it shows what it must not: {}", parts(predicate)),
        }
    }
}

impl Wanted<'_> {
    fn told(&self, what: &str, came: Option<&str>, shown: &dyn Fn(&Json) -> String) -> String {
        let wanted = match self {
            Wanted::Absent => return format!("{what} is there and must not be"),
            Wanted::Present => return format!("{what} is {}", came.unwrap_or("missing")),
            Wanted::WebAddress(true) => "an http address".to_owned(),
            Wanted::WebAddress(false) => "anything but an http address".to_owned(),
            Wanted::Number(true) => "a whole number".to_owned(),
            Wanted::Number(false) => "anything but a whole number".to_owned(),
            Wanted::Within { least, most } => match (least, most) {
                (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
                (Some(least), None) => format!("a whole number of at least {least}"),
                (None, Some(most)) => format!("a whole number of at most {most}"),
                (None, None) => "a whole number".to_owned(),
            },
            Wanted::Equal(value) => shown(value),
            Wanted::Containing(part) => format!("one with {}", shown(&part.as_str().into())),
            Wanted::Element(element) => format!("a list with `{element}`"),
            Wanted::Length(length) => format!("of length {length}"),
        };
        match came {
            None => format!("{what} is missing"),
            Some(came) => format!("{what} is {came} and not {wanted}"),
        }
    }
}

/// A value, short, without the secrets that it may hold: those of a member of this name, and those within it.
fn hidden(value: &Json, member: &str, hide: &dyn Fn(&str) -> String) -> String {
    // The rules that hide members go by their names, so it is shown as the member that it is.
    let whole = hide(&serde_json::json!({ member: value }).to_string());
    let value = serde_json::from_str::<Json>(&whole).ok().and_then(|mut whole| Some(whole.get_mut(member)?.take()));
    match value {
        Some(Json::String(text)) => quoted(&text),
        Some(other) => short(&other.to_string()),
        // What was hidden left no JSON.
        None => "another value".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", short(text))
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The parts of a predicate, by name.
fn parts(predicate: &Predicate) -> String {
    let status = predicate.status.iter().map(|status| format!("status {status}"));
    let headers = predicate.header.keys().map(|name| format!("header {name}"));
    let members = predicate.json.keys().cloned();
    let text = predicate.text.iter().map(|_| "its text".to_owned());
    let bytes = predicate.sha512.iter().map(|_| "its bytes".to_owned());
    let any = predicate.any.iter().map(parts);
    let not = predicate.not.iter().map(|not| format!("not {}", parts(not)));
    let all = status.chain(headers).chain(members).chain(text).chain(bytes).chain(any).chain(not);
    all.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::super::predicate::Answer;
    use super::*;

    fn told(predicate: &str, answer: &Answer) -> Option<String> {
        let predicate: Predicate = crate::yaml::parse("predicate", predicate).expect("a predicate");
        let variables = context! { user => context! { name => "anna" } };
        let hide = |text: &str| text.replace("s3cret", "‹token›");
        let unmet = predicate.unmet(answer, &variables).expect("it can be filled in");
        assert_eq!(unmet.is_none(), predicate.holds(answer, &variables).expect("it can be filled in"));
        unmet.map(|unmet| unmet.told(&hide))
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        Answer {
            status,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            json: serde_json::from_str(body).ok(),
        }
    }

    #[test]
    fn what_is_missing_or_different_is_named_with_what_came() {
        let json =
            answer(200, &[("retry-after", "soon")], r#"{"name":"berta","tfa":null,"list":[1],"token":"s3cret"}"#);
        for (predicate, wanted) in [
            ("{ status: 201 }", "the status is 200 and not 201"),
            ("{ status: 4xx }", "the status is 200 and not 4xx"),
            ("{ json: { /objects: { exists: true } } }", "/objects is missing"),
            ("{ json: { /tfa: { exists: true } } }", "/tfa is null"),
            ("{ json: { /name: { exists: false } } }", "/name is there and must not be"),
            ("{ json: { /name: \"{{ user.name }}\" } }", "/name is \"berta\" and not \"anna\""),
            ("{ json: { /key: 7 } }", "/key is missing"),
            ("{ json: { /name: { contains: otpauth } } }", "/name is \"berta\" and not one with \"otpauth\""),
            ("{ json: { /list: { length: 2 } } }", "/list is [1] and not of length 2"),
            ("{ json: { /token: x } }", "/token is \"‹token›\" and not \"x\""),
            (
                "{ header: { retry-after: { number: true } } }",
                "the header retry-after is \"soon\" and not a whole number",
            ),
            ("{ header: { www-authenticate: { element: otp } } }", "the header www-authenticate is missing"),
            ("{ header: { retry-after: { exists: false } } }", "the header retry-after is there and must not be"),
            ("{ text: { contains: no such } }", "the body is another text and not one with \"no such\""),
            (
                "{ any: [{ status: 201 }, { json: { /a: 1 } }] }",
                "no alternative holds: the status is 200 and not 201; /a is missing",
            ),
            ("{ not: { status: 2xx, json: { /name: berta } } }", "it shows what it must not: status 2xx, /name"),
            ("{ sha512: ab }", "the body is other bytes than wanted (55 of them)"),
        ] {
            assert_eq!(told(predicate, &json).as_deref(), Some(wanted), "{predicate}");
        }
        for predicate in ["{ status: 2xx }", "{ json: { /name: berta } }", "{ not: { status: 4xx } }", "{}"] {
            assert_eq!(told(predicate, &json), None, "{predicate}");
        }
    }

    #[test]
    fn a_body_that_cannot_be_read_is_told_from_one_that_says_no() {
        let predicate: Predicate =
            crate::yaml::parse("predicate", "{ status: 2xx, json: { /token: { exists: true } } }")
                .expect("a predicate");
        for (body, unreadable, wanted) in [
            ("", true, "/token was wanted, and there is no body"),
            ("<html>Sign in</html>", true, "/token was wanted, and the body is not JSON"),
            ("{}", false, "/token is missing"),
            (r#"{"token":null}"#, false, "/token is null"),
        ] {
            let came = answer(200, &[], body);
            let unmet = predicate.unmet(&came, &context! {}).expect("filled in").expect("unmet");
            assert_eq!((unmet.is_unreadable(), unmet.told(&str::to_owned).as_str()), (unreadable, wanted), "{body}");
        }
    }

    #[test]
    fn a_long_value_is_shortened() {
        let came = answer(200, &[], &serde_json::json!({ "name": "x".repeat(200) }).to_string());
        let words = told("{ json: { /name: z } }", &came).expect("unmet");
        assert_eq!(words, format!("/name is \"{}…\" and not \"z\"", "x".repeat(SHOWN)));
    }
}
