//! Predicates over one answer: its status, headers, body.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use minijinja::Value;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use sha1::Digest as _;

use super::template::{Document, Template, Unfilled};
use super::unmet::{Came, Unmet, Wanted};

/// What a registry answered, as predicates see it.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The headers, names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// The body as JSON, when it is JSON.
    pub json: Option<serde_json::Value>,
}

impl Answer {
    /// All values of a header.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether it says that its body is JSON, and the body is something else: neither a yes nor a no.
    pub fn is_garbled(&self) -> bool {
        let claims_json = || self.header("content-type").any(|kind| kind.contains("json"));
        self.json.is_none() && !self.body.is_empty() && claims_json()
    }
}

/// What an answer must show. Every part that is given must hold.
#[derive(Debug, Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Predicate {
    /// The status: a number or a class such as `2xx`.
    pub status: Option<Status>,
    /// Headers by name.
    #[serde(default)]
    pub header: BTreeMap<String, Matcher>,
    /// Members of the JSON body by pointer (RFC 6901).
    #[serde(default)]
    pub json: BTreeMap<String, Matcher>,
    /// The body as text.
    pub text: Option<Matcher>,
    /// The SHA-512 digest of the body's bytes, in hex.
    pub sha512: Option<Template>,
    /// At least one of these holds.
    #[serde(default)]
    pub any: Vec<Predicate>,
    /// This does not hold.
    pub not: Option<Box<Predicate>>,
}

impl Predicate {
    /// Whether what it says depends on anything but the answer.
    pub fn reads_variables(&self) -> bool {
        let by_matcher = self.header.values().chain(self.json.values()).chain(&self.text).any(Matcher::reads_variables);
        let by_digest = self.sha512.as_ref().is_some_and(|digest| !digest.variables().is_empty());
        by_matcher || by_digest || self.any.iter().chain(self.not.as_deref()).any(Predicate::reads_variables)
    }

    /// Whether it names this status, itself or in one of its alternatives.
    pub fn names(&self, status: u16) -> bool {
        self.status.as_ref().is_some_and(|own| own.covers(status)) || self.any.iter().any(|other| other.names(status))
    }

    /// Whether `answer` shows it.
    pub fn holds(&self, answer: &Answer, variables: &Value) -> Result<bool, Unfilled> {
        self.unmet(answer, variables).map(|unmet| unmet.is_none())
    }

    /// The first part that `answer` does not show, if there is one.
    pub fn unmet<'a>(&'a self, answer: &'a Answer, variables: &Value) -> Result<Option<Unmet<'a>>, Unfilled> {
        if let Some(wanted) = self.status.as_ref().filter(|wanted| !wanted.covers(answer.status)) {
            return Ok(Some(Unmet::Status { wanted, came: answer.status }));
        }
        for (name, matcher) in &self.header {
            let values: Vec<&str> = answer.header(name).collect();
            let came = (!values.is_empty()).then(|| values.join(", "));
            let seen = came.as_deref().map(serde_json::Value::from);
            if let Some(wanted) = matcher.unmet(seen.as_ref(), variables)? {
                return Ok(Some(Unmet::Header { name, wanted, came }));
            }
        }
        for (pointer, matcher) in &self.json {
            let seen = answer.json.as_ref().and_then(|json| json.pointer(pointer));
            if let Some(wanted) = matcher.unmet(seen, variables)? {
                let came = match (&answer.json, seen) {
                    (_, Some(value)) => Came::Value(value),
                    (Some(_), None) => Came::Nothing,
                    (None, None) if answer.body.is_empty() => Came::NoBody,
                    (None, None) => Came::NoJson,
                };
                return Ok(Some(Unmet::Member { pointer, wanted, came }));
            }
        }
        if let Some(matcher) = &self.text {
            let text = serde_json::Value::from(String::from_utf8_lossy(&answer.body).into_owned());
            if let Some(wanted) = matcher.unmet(Some(&text), variables)? {
                return Ok(Some(Unmet::Text { wanted }));
            }
        }
        if let Some(digest) = &self.sha512 {
            let seen = data_encoding::HEXLOWER.encode(&sha2::Sha512::digest(&answer.body));
            if digest.text(variables)? != seen {
                return Ok(Some(Unmet::Bytes { are_json: answer.json.is_some(), came: answer.body.len() }));
            }
        }
        if !self.any.is_empty() {
            let mut none = Vec::new();
            for predicate in &self.any {
                match predicate.unmet(answer, variables)? {
                    Some(unmet) => none.push(unmet),
                    None => break,
                }
            }
            if none.len() == self.any.len() {
                return Ok(Some(Unmet::NoneOf(none)));
            }
        }
        match self.not.as_deref() {
            Some(predicate) if predicate.holds(answer, variables)? => Ok(Some(Unmet::RuledOut(predicate))),
            Some(_) | None => Ok(None),
        }
    }
}

/// A status code, or a class of them.
#[derive(Debug, PartialEq, Eq)]
pub enum Status {
    /// Exactly this code.
    Code(u16),
    /// All codes of the class with this first digit.
    Class(u16),
}

impl Status {
    /// Whether it is this status.
    pub fn covers(&self, status: u16) -> bool {
        match self {
            Status::Code(code) => *code == status,
            Status::Class(class) => status / 100 == *class,
        }
    }

    /// Whether it is a success, or the class of all of them.
    pub fn is_success(&self) -> bool {
        match self {
            Status::Code(code) => code / 100 == 2,
            Status::Class(class) => *class == 2,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Code(code) => code.fmt(f),
            Status::Class(class) => write!(f, "{class}xx"),
        }
    }
}

impl JsonSchema for Status {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": "^[1-5]([0-9][0-9]|xx)$" },
            ],
        })
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let class = text.strip_suffix("xx").and_then(|class| class.parse().ok());
        let class = class.filter(|class| (1..=5).contains(class)).map(Status::Class);
        let code = text.parse().ok().filter(|code| (100..600).contains(code)).map(Status::Code);
        class.or(code).ok_or_else(|| {
            de::Error::custom(format!("`{text}` is not a status; allowed: `100` to `599`, or a class such as `2xx`"))
        })
    }
}

/// What one value must be. A plain value stands for `equals`.
#[derive(Debug, Default)]
pub struct Matcher(MatcherFields);

/// What one value must be. Every part that is given must hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct MatcherFields {
    /// It is this.
    equals: Option<Document>,
    /// There is one, and it is not null; or there is none.
    exists: Option<bool>,
    /// Its text has this part.
    contains: Option<Template>,
    /// It is a list, as headers have them, with this element.
    element: Option<String>,
    /// It is an array or an object of so many.
    length: Option<Template>,
    /// It is an absolute address that a browser opens.
    url: Option<bool>,
    /// It is a whole number, as text or not.
    number: Option<bool>,
    /// It is a whole number, as text or not, and no less than this.
    at_least: Option<u64>,
    /// It is a whole number, as text or not, and no more than this.
    at_most: Option<u64>,
}

impl Matcher {
    fn reads_variables(&self) -> bool {
        let MatcherFields {
            equals,
            contains,
            length,
            exists: _,
            element: _,
            url: _,
            number: _,
            at_least: _,
            at_most: _,
        } = &self.0;
        let by_text = contains.iter().chain(length).any(|template| !template.variables().is_empty());
        by_text || equals.as_ref().is_some_and(Document::reads_variables)
    }

    /// The first part that a value does not meet, if there is one.
    fn unmet(&self, seen: Option<&serde_json::Value>, variables: &Value) -> Result<Option<Wanted<'_>>, Unfilled> {
        let MatcherFields { equals, exists, contains, element, length, url, number, at_least, at_most } = &self.0;
        match exists {
            Some(true) if seen.is_none_or(serde_json::Value::is_null) => return Ok(Some(Wanted::Present)),
            Some(false) if seen.is_some_and(|value| !value.is_null()) => return Ok(Some(Wanted::Absent)),
            Some(_) | None => {}
        }
        if let Some(url) = *url
            && url != seen.and_then(|value| value.as_str()).is_some_and(is_web_address)
        {
            return Ok(Some(Wanted::WebAddress(url)));
        }
        let whole = seen.and_then(|value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.trim().parse::<u64>().ok()
        });
        let (least, most) = (*at_least, *at_most);
        if least.is_some_and(|least| whole.is_none_or(|whole| whole < least))
            || most.is_some_and(|most| whole.is_none_or(|whole| whole > most))
        {
            return Ok(Some(Wanted::Within { least, most }));
        }
        if let Some(number) = *number
            && number != whole.is_some()
        {
            return Ok(Some(Wanted::Number(number)));
        }
        if let Some(document) = equals {
            let wanted = document.fill(variables)?;
            if *seen.unwrap_or(&serde_json::Value::Null) != wanted {
                return Ok(Some(Wanted::Equal(wanted)));
            }
        }
        if let Some(part) = contains {
            let text = seen.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            // A part that cannot be filled in is in no text.
            let Ok(part) = part.text(variables) else { return Ok(Some(Wanted::Containing(part.to_string()))) };
            if !text.is_some_and(|text| text.contains(&part)) {
                return Ok(Some(Wanted::Containing(part)));
            }
        }
        if let Some(element) = element {
            // RFC 9110 §5.6.1 allows white space on both sides of a comma; stock npm clients drop what follows one only.
            let listed = seen
                .and_then(|value| value.as_str())
                .is_some_and(|list| list.trim().split(',').any(|item| item.trim_start().eq_ignore_ascii_case(element)));
            if !listed {
                return Ok(Some(Wanted::Element(element)));
            }
        }
        if let Some(length) = length {
            let count = match seen {
                Some(serde_json::Value::Array(items)) => items.len(),
                Some(serde_json::Value::Object(members)) => members.len(),
                // What has no length has none that could be worked out wrongly.
                _ => return Ok(Some(Wanted::Length(length.text(variables).unwrap_or_else(|_| length.to_string())))),
            };
            let wanted = length.text(variables)?;
            if wanted != count.to_string() {
                return Ok(Some(Wanted::Length(wanted)));
            }
        }
        Ok(None)
    }
}

/// Whether a text is an absolute address that a browser opens.
fn is_web_address(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

impl JsonSchema for Matcher {
    fn schema_name() -> Cow<'static, str> {
        "Matcher".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<MatcherFields>();
        json_schema!({ "anyOf": [{ "type": ["string", "boolean", "integer", "null"] }, fields] })
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PlainOrFields;
        fn equals(document: Document) -> Matcher {
            Matcher(MatcherFields { equals: Some(document), ..MatcherFields::default() })
        }
        impl<'de> Visitor<'de> for PlainOrFields {
            type Value = Matcher;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or `equals`, `exists`, `contains`, `element`, `length`, `url`, `number`, `at-least` or `at-most`")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Matcher, E> {
                Ok(equals(Document::Plain(value.into())))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Matcher, E> {
                Ok(equals(Document::Plain(value.into())))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Matcher, E> {
                Ok(equals(Document::Plain(value.into())))
            }
            fn visit_unit<E>(self) -> Result<Matcher, E> {
                Ok(equals(Document::Plain(serde_json::Value::Null)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Matcher, E> {
                Template::parse(text).map(|template| equals(Document::Text(template))).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Matcher, A::Error> {
                MatcherFields::deserialize(MapAccessDeserializer::new(map)).map(Matcher)
            }
        }
        deserializer.deserialize_any(PlainOrFields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_has_bounds_as_a_header_and_as_a_member() {
        let bounded = "{ header: { retry-after: { at-least: 1, at-most: 60 } }, json: { /wait: { at-most: 60 } } }";
        let bounded: Predicate = crate::yaml::parse("predicate", bounded).expect("a predicate");
        let holds = |header: &str, wait: serde_json::Value| {
            let headers = vec![("retry-after".to_owned(), header.to_owned())];
            let answer = Answer { headers, json: Some(serde_json::json!({ "wait": wait })), ..Answer::default() };
            bounded.holds(&answer, &Value::from(())).expect("nothing to fill in")
        };
        assert!(holds("1", 0.into()) && holds(" 60", "60".into()));
        for (header, wait) in [("0", 0), ("61", 0), ("soon", 0), ("1", 61), ("1", -1)] {
            assert!(!holds(header, wait.into()), "{header} {wait}");
        }
        assert!(!holds("1", serde_json::Value::Null));
    }
}
