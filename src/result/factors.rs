//! What a first look at a target has found of second factors, each kind by its own enrolment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::table::Factor;

/// What was found of each kind of second factor.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Factors {
    /// One-time passwords.
    pub totp: Look,
    /// Security keys.
    pub security_key: Look,
}

/// What was found of one kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
pub struct Look {
    /// What it came to.
    pub found: Found,
    /// What the enrolment was answered, or the routine that is not described.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The route that was answered by "no such route": the method, and the path before names are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

/// What a look came to.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// A user was enrolled.
    Works,
    /// Two users, one after the other, were answered that there is no such route.
    Absent,
    /// Neither could be shown; each case shows it for itself.
    Unclear,
    /// The target file does not describe the enrolment.
    NotDescribed,
    /// It was not looked for: accounts say themselves which factors they have.
    #[default]
    NotTried,
}

impl Look {
    /// A look, with what it saw.
    pub fn new(found: Found, evidence: impl Into<Option<String>>) -> Self {
        Look { found, evidence: evidence.into(), route: None }
    }

    /// The evidence that there is none of it, where there is none.
    pub fn absent(&self) -> Option<&str> {
        match self.found {
            Found::Absent => Some(self.evidence.as_deref().unwrap_or_default()),
            Found::Works | Found::Unclear | Found::NotDescribed | Found::NotTried => None,
        }
    }
}

impl Factors {
    /// The look that shows that a user cannot have this factor, where one does.
    pub fn lacking(&self, factor: Factor) -> Option<&Look> {
        let absent = |look: &'_ &Look| look.found == Found::Absent;
        let codes = || Some(&self.totp).filter(|_| factor.has_codes()).filter(absent);
        let keys = || Some(&self.security_key).filter(|_| factor.has_key()).filter(absent);
        codes().or_else(keys)
    }

    /// What is missing is so by the word of the target's file, whatever its routes show.
    pub fn are_stated_missing(&mut self) {
        self.totp.route = None;
        self.security_key.route = None;
    }

    /// Whether one kind was found to work.
    pub fn any_works(&self) -> bool {
        [&self.totp, &self.security_key].iter().any(|look| look.found == Found::Works)
    }

    /// Whether a kind was found to be absent and none to work.
    pub fn none_found(&self) -> bool {
        let absent = [&self.totp, &self.security_key].iter().any(|look| look.found == Found::Absent);
        absent && !self.any_works()
    }

    /// What is missing, in a sentence for people; nothing where no kind is known to be.
    pub fn missing(&self) -> Option<String> {
        let kinds = [(&self.totp, "one-time passwords"), (&self.security_key, "security keys")];
        let told: Vec<String> = kinds
            .into_iter()
            .filter_map(|(look, what)| Some(format!("no {what} (enrolment was answered {})", look.absent()?)))
            .collect();
        if told.is_empty() {
            return None;
        }
        let undescribed: Vec<String> = kinds
            .into_iter()
            .filter(|(look, _)| look.found == Found::NotDescribed)
            .map(|(look, what)| {
                let routine = look.evidence.as_deref().unwrap_or_default();
                format!("; of {what} nothing is known, for the target file does not describe `{routine}`")
            })
            .collect();
        Some(format!("This registry has {}{}.", told.join(" and "), undescribed.concat()))
    }
}
