//! Templates: text with `{{ expressions }}`, filled in on parsed values and never on YAML text.
//!
//! A text that is one expression and nothing else keeps the type of its value, so that a template can stand for a
//! number or a whole document. Expressions are minijinja's; there are no statements, and each evaluation is bounded.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{Environment, Error, ErrorKind, Expression, UndefinedBehavior, Value};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use sha1::Digest as _;

/// How much work one evaluation may do, in minijinja's units of one instruction.
const FUEL: u64 = 20_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("npm_path", |name: String| name.replacen('/', "%2f", 1));
    environment.add_filter("escape", |text: String| utf8_percent_encode(&text, UNRESERVED).to_string());
    environment.add_filter("with", with);
    environment.add_filter("without", without);
    environment.add_filter("below", |address: String, base: String| {
        let path = |address: &str| Url::parse(address).map(|url| url.path().to_owned());
        let (Ok(path), Ok(base)) = (path(&address), path(&base)) else { return address };
        let below = path.strip_prefix(base.trim_end_matches('/')).filter(|below| below.starts_with('/'));
        below.unwrap_or(&path).to_owned()
    });
    environment.add_filter("query_value", |url: String, name: String| {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| *key == name)
            .map_or_else(|| Value::UNDEFINED, |(_, value)| Value::from(value.into_owned()))
    });
    environment.add_function("tarball", tarball);
    environment
});

/// RFC 3986 §2.3: what need not be percent-encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text with expressions.
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

enum Part {
    Literal(String),
    Expression(Box<Expression<'static, 'static>>),
}

impl Template {
    /// Reads a template; the error says what is wrong with its expression.
    pub fn parse(source: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some(start) = rest.find("{{") {
            let after = &rest[start + 2..];
            let end = after.find("}}").ok_or_else(|| format!("`{{{{` without `}}}}` in `{source}`"))?;
            if start > 0 {
                parts.push(Part::Literal(rest[..start].to_owned()));
            }
            let text = after[..end].trim().to_owned();
            let expression = ENVIRONMENT
                .compile_expression_owned(text.clone())
                .map_err(|error| format!("expression `{text}`: {error}"))?;
            if let Some(filter) = filters(&text).find(|filter| !is_filter(filter)) {
                return Err(format!("expression `{text}`: there is no filter `{filter}`"));
            }
            parts.push(Part::Expression(Box::new(expression)));
            rest = &after[end + 2..];
        }
        if !rest.is_empty() || parts.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Template { source: source.to_owned(), parts })
    }

    /// The variables that it reads, members after a dot: `kept.token`.
    pub fn variables(&self) -> HashSet<String> {
        let expressions = self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Expression(expression) => Some(expression),
        });
        expressions.flat_map(|expression| expression.undeclared_variables(true)).collect()
    }

    /// The value of the template, of the expression's own type when it is one expression.
    pub fn value(&self, variables: &Value) -> Result<Value, Unfilled> {
        match self.parts.as_slice() {
            [Part::Expression(expression)] => self.evaluate(expression, variables),
            _ => self.text(variables).map(Value::from),
        }
    }

    /// The template as text.
    pub fn text(&self, variables: &Value) -> Result<String, Unfilled> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Expression(expression) => text.push_str(&self.evaluate(expression, variables)?.to_string()),
            }
        }
        Ok(text)
    }

    fn evaluate(&self, expression: &Expression<'_, '_>, variables: &Value) -> Result<Value, Unfilled> {
        let value = expression.eval(variables.clone()).map_err(|error| self.unfilled(&error.to_string(), variables))?;
        if value.is_undefined() { Err(self.unfilled("a variable has no value", variables)) } else { Ok(value) }
    }

    fn unfilled(&self, reason: &str, variables: &Value) -> Unfilled {
        let kept = variables.get_attr("kept").unwrap_or_default();
        let is_missing = |name: &&str| kept.get_attr(name).map_or(true, |value| value.is_undefined());
        let read = self.variables();
        let read = read.iter().filter_map(|variable| variable.strip_prefix("kept."));
        let mut read: Vec<&str> = read.map(|name| name.split('.').next().unwrap_or(name)).collect();
        read.sort_unstable();
        let answers = match (read.iter().copied().find(is_missing), read.is_empty()) {
            (Some(name), _) => Some(format!("no answer had the `{name}` that it needs")),
            (None, false) => Some(format!("it does not go with what answers had: {reason}")),
            (None, true) => None,
        };
        Unfilled { template: self.source.clone(), reason: reason.to_owned(), answers }
    }
}

/// The names of filters in an expression: what stands after a bar that is in no text.
fn filters(expression: &str) -> impl Iterator<Item = &str> {
    let mut quoted = None;
    let bars = expression.char_indices().filter_map(move |(at, letter)| match (quoted, letter) {
        (None, '"' | '\'') => {
            quoted = Some(letter);
            None
        }
        (Some(quote), letter) => {
            if quote == letter {
                quoted = None;
            }
            None
        }
        (None, '|') => Some(at + 1),
        (None, _) => None,
    });
    bars.filter_map(|at| {
        let rest = expression.get(at..)?.trim_start();
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        rest.get(..end).filter(|name| !name.is_empty())
    })
}

/// Whether a filter of this name is there: minijinja itself says so when an expression is evaluated alone.
fn is_filter(name: &str) -> bool {
    let tried = ENVIRONMENT.compile_expression_owned(format!("''|{name}")).and_then(|tried| tried.eval(()));
    !tried.is_err_and(|error| error.kind() == minijinja::ErrorKind::UnknownFilter)
}

/// As it is written, not filled in.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

/// A template that could not be filled in.
#[derive(Debug, Clone)]
pub struct Unfilled {
    template: String,
    reason: String,
    /// Why the answers that it reads are not such that it could be, in words, where it reads any.
    pub answers: Option<String>,
}

impl fmt::Display for Unfilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template `{}`: {}", self.template, self.reason)
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A text with `{{ expressions }}`.", "type": ["string", "number", "boolean"] })
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        Template::parse(&source).map_err(de::Error::custom)
    }
}

/// A JSON document whose texts and keys are templates.
#[derive(Debug)]
pub enum Document {
    /// A value without templates.
    Plain(serde_json::Value),
    /// A text.
    Text(Template),
    /// An array.
    Array(Vec<Document>),
    /// An object.
    Object(Vec<(Template, Document)>),
}

impl Document {
    /// Whether a template in it reads a variable.
    pub fn reads_variables(&self) -> bool {
        match self {
            Document::Plain(_) => false,
            Document::Text(template) => !template.variables().is_empty(),
            Document::Array(items) => items.iter().any(Document::reads_variables),
            Document::Object(members) => {
                members.iter().any(|(key, member)| !key.variables().is_empty() || member.reads_variables())
            }
        }
    }

    /// The document with its templates filled in.
    pub fn fill(&self, variables: &Value) -> Result<serde_json::Value, Unfilled> {
        Ok(match self {
            Document::Plain(value) => value.clone(),
            Document::Text(template) => json(template.value(variables)?),
            Document::Array(items) => {
                serde_json::Value::Array(items.iter().map(|item| item.fill(variables)).collect::<Result<_, _>>()?)
            }
            Document::Object(members) => serde_json::Value::Object(
                members
                    .iter()
                    .map(|(key, member)| Ok((key.text(variables)?, member.fill(variables)?)))
                    .collect::<Result<_, Unfilled>>()?,
            ),
        })
    }
}

/// As JSON, with its templates as they are written.
impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What JSON cannot say is no text of a template's.
        let quoted = |template: &Template| serde_json::Value::String(template.to_string()).to_string();
        match self {
            Document::Plain(value) => value.fmt(f),
            Document::Text(template) => f.write_str(&quoted(template)),
            Document::Array(items) => {
                f.write_str("[")?;
                for (number, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if number == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Document::Object(members) => {
                f.write_str("{")?;
                for (number, (key, member)) in members.iter().enumerate() {
                    write!(f, "{}{}: {member}", if number == 0 { "" } else { ", " }, quoted(key))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// A template's value as JSON; null for what JSON cannot say.
pub fn json(value: Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or(serde_json::Value::Null)
}

impl JsonSchema for Document {
    fn schema_name() -> Cow<'static, str> {
        "Document".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Any value; its texts and keys may have `{{ expressions }}`." })
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Document;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Document, E> {
                Ok(Document::Plain(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Document, E> {
                Ok(Document::Plain(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Document, E> {
                Ok(Document::Plain(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Document, E> {
                Ok(Document::Plain(value.into()))
            }
            fn visit_unit<E>(self) -> Result<Document, E> {
                Ok(Document::Plain(serde_json::Value::Null))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Document, E> {
                Template::parse(text).map(Document::Text).map_err(E::custom)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Document, A::Error> {
                let mut array = Vec::new();
                while let Some(item) = items.next_element()? {
                    array.push(item);
                }
                Ok(Document::Array(array))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Document, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = entries.next_entry()? {
                    members.push(member);
                }
                Ok(Document::Object(members))
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

/// `document | with('/pointer', value)`: the document with that member set (RFC 6901 pointer).
fn with(document: Value, pointer: String, value: Value) -> Result<Value, Error> {
    let mut document = json(document);
    let (parent, member) = split(&pointer)?;
    match document.pointer_mut(parent) {
        Some(serde_json::Value::Object(object)) => {
            object.insert(member, json(value));
            Ok(Value::from(minijinja::value::Serde(&document)))
        }
        _ => Err(Error::new(ErrorKind::InvalidOperation, format!("no object at `{parent}`"))),
    }
}

/// `document | without('/pointer')`: the document without that member.
fn without(document: Value, pointer: String) -> Result<Value, Error> {
    let mut document = json(document);
    let (parent, member) = split(&pointer)?;
    if let Some(serde_json::Value::Object(object)) = document.pointer_mut(parent) {
        object.shift_remove(&member);
    }
    Ok(Value::from(minijinja::value::Serde(&document)))
}

fn split(pointer: &str) -> Result<(&str, String), Error> {
    pointer
        .rsplit_once('/')
        .map(|(parent, member)| (parent, member.replace("~1", "/").replace("~0", "~")))
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "a pointer starts with `/`"))
}

/// How many archives are kept; a request asks for the same one a few times over, and then never again.
const KEPT_ARCHIVES: usize = 64;

/// The archives that were packed last, by name and version.
static PACKED: LazyLock<Mutex<HashMap<(String, String), Value>>> = LazyLock::new(Mutex::default);

/// `tarball(name, version)`: a real package archive with its digests, the same each time it is made.
fn tarball(name: String, version: String) -> Result<Value, Error> {
    let key = (name, version);
    let packed = || PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = packed().get(&key) {
        return Ok(value.clone());
    }
    let value = described(&key.0, &key.1)?;
    let mut packed = packed();
    if packed.len() >= KEPT_ARCHIVES {
        packed.clear();
    }
    packed.insert(key, value.clone());
    Ok(value)
}

fn described(name: &str, version: &str) -> Result<Value, Error> {
    let archive = archive(name, version)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, "the archive cannot be packed").with_source(error))?;
    Ok(Value::from(minijinja::value::Serde(serde_json::json!({
        "base64": STANDARD.encode(&archive),
        "length": archive.len(),
        "shasum": data_encoding::HEXLOWER.encode(&sha1::Sha1::digest(&archive)),
        "integrity": format!("sha512-{}", STANDARD.encode(sha2::Sha512::digest(&archive))),
        "sha512": data_encoding::HEXLOWER.encode(&sha2::Sha512::digest(&archive)),
    }))))
}

/// A real package archive, the same each time it is made.
pub fn archive(name: &str, version: &str) -> std::io::Result<Vec<u8>> {
    let manifest = serde_json::json!({ "name": name, "version": version, "description": "made by stepup" });
    pack(&manifest.to_string())
}

fn pack(manifest: &str) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(manifest.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "package/package.json", manifest.as_bytes())?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&archive.into_inner()?)?;
    gzip.finish()
}

#[cfg(test)]
mod tests {
    use minijinja::context;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_expression_keeps_its_type_and_mixed_text_is_text() {
        let variables = context! { n => 2, name => "@a/b" };
        let filled = |text: &str| json(Template::parse(text).expect("parses").value(&variables).expect("fills"));
        assert_eq!(filled("{{ n + 1 }}"), serde_json::json!(3));
        assert_eq!(filled("v{{ n }}"), serde_json::json!("v2"));
        assert_eq!(filled("/{{ name | npm_path }}"), serde_json::json!("/@a%2fb"));
        assert_eq!(filled("{{ name | escape }}"), serde_json::json!("%40a%2Fb"));
    }

    /// As npm addresses the tarball that it unpublishes: on the registry, wherever the document says that it is.
    #[test]
    fn an_address_is_told_below_a_base_whatever_its_host() {
        let filled = |template: &str| {
            let template = Template::parse(template).expect("a template");
            template.text(&minijinja::context! {}).expect("it is filled in")
        };
        for (address, base, path) in [
            ("http://127.0.0.1:1/a/-/a-1.0.0.tgz", "http://127.0.0.1:1", "/a/-/a-1.0.0.tgz"),
            ("https://cdn.example.test/npm/a/-/a-1.0.0.tgz", "https://registry.example.test/npm/", "/a/-/a-1.0.0.tgz"),
            ("https://cdn.example.test/npmx/a.tgz", "https://registry.example.test/npm", "/npmx/a.tgz"),
            ("no address", "http://127.0.0.1:1", "no address"),
        ] {
            assert_eq!(filled(&format!("{{{{ '{address}' | below('{base}') }}}}")), path);
        }
    }

    #[test]
    fn a_filter_that_is_none_is_an_error_of_the_template() {
        let wrong = |text: &str| Template::parse(text).err().unwrap_or_default();
        assert_eq!(wrong("{{ name | nope }}"), "expression `name | nope`: there is no filter `nope`");
        assert_eq!(wrong("{{ name|npm_path|nope2 }}"), "expression `name|npm_path|nope2`: there is no filter `nope2`");
        assert_eq!(wrong("{{ '| nope' }}/{{ name | default('|x') }}/{{ name | query_value('a') }}"), "");
    }

    #[test]
    fn a_variable_without_a_value_is_an_error_not_an_empty_text() {
        let template = Template::parse("/{{ kept.token }}").expect("parses");
        let unfilled = template.text(&context! { kept => context! {} }).expect_err("it has no value");
        assert_eq!(unfilled.answers.as_deref(), Some("no answer had the `token` that it needs"));
        let kept = context! { token => "t" };
        let other = Template::parse("{{ kept.token | with('/a/b', 1) }}").expect("parses");
        let unfilled = other.text(&context! { kept }).expect_err("a text has no members").answers;
        assert!(unfilled.is_some_and(|why| why.starts_with("it does not go with what answers had: ")));
        let mistaken = Template::parse("{{ nobody }}").expect("parses");
        assert_eq!(mistaken.text(&context! {}).expect_err("it has no value").answers, None);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_engine_panic(text in ".{0,60}") {
            if let Ok(template) = Template::parse(&text) {
                let _ = template.value(&context! { user => "u" });
            }
            if let Ok(template) = Template::parse(&format!("{{{{ {text} }}}}")) {
                let _ = template.value(&context! { user => "u" });
            }
        }
    }
}
