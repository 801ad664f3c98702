//! The members of a JSON object, taken out by name and checked by kind.

use serde_json::{Map, Value};

use super::Refusal;

/// A JSON object that somebody sent. It has no `Debug`: it can hold a password.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn new(value: Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            _ => Err(Refusal::malformed("the body is not a JSON object")),
        }
    }

    /// Whether a member is there. One that is null is not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// Whether a member is there, even as null.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names of all members.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Takes a member out, whatever it is. Null counts as absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Takes a text out, if it is there.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::malformed(format!("`{name}` is not a text"))),
        }
    }

    /// Takes a text out that must be there.
    pub(crate) fn required(&mut self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| Refusal::malformed(format!("`{name}` is missing")))
    }

    /// Takes a truth value out, if it is there.
    pub(crate) fn truth(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(truth)),
            Some(_) => Err(Refusal::malformed(format!("`{name}` is not true or false"))),
        }
    }

    /// Takes an object out that must be there.
    pub(crate) fn object(&mut self, name: &str) -> Result<Map<String, Value>, Refusal> {
        match self.take(name) {
            Some(Value::Object(members)) => Ok(members),
            _ => Err(Refusal::malformed(format!("`{name}` is not an object"))),
        }
    }

    /// Takes a list of texts out, if it is there.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let wrong = || Refusal::malformed(format!("`{name}` is not a list of texts"));
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(items)) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text),
                    _ => Err(wrong()),
                })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(wrong()),
        }
    }

    /// Takes a whole number out, if it is there.
    pub(crate) fn whole(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => {
                value.as_u64().map(Some).ok_or_else(|| Refusal::malformed(format!("`{name}` is not a whole number")))
            }
        }
    }
}
