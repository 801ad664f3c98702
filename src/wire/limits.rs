//! How long a target is waited for.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::quantity::Span;

/// The shortest and the longest that can be set.
const ALLOWED: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(600);

/// How long a connection and an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A connection.
    pub connect: Duration,
    /// An answer, from the request on, with all of its body.
    pub answer: Duration,
    /// Who can set them.
    pub set_by: SetBy,
    /// What the command line said of them.
    pub command: ChosenLimits,
}

/// Where limits are set, as people are told who may want others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    /// Nowhere.
    Nobody,
    /// In the target file, and on the command line of `check`.
    Target,
    /// In the profile of a load.
    Profile,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(5),
            set_by: SetBy::Nobody,
            command: ChosenLimits::default(),
        }
    }
}

impl Limits {
    /// As a target file and a command line set them, the second before the first.
    pub fn chosen(target: ChosenLimits, command: ChosenLimits) -> Self {
        let all = Limits::default();
        let connect = command.connect.or(target.connect).map_or(all.connect, |Span(connect)| connect);
        let answer = command.answer.or(target.answer).map_or(all.answer, |Span(answer)| answer);
        Limits { connect, answer, set_by: SetBy::Target, command }
    }

    /// The same for both, as a profile sets it.
    pub fn of_profile(patience: Duration) -> Self {
        Limits { connect: patience, answer: patience, set_by: SetBy::Profile, ..Limits::default() }
    }

    /// What is said of a connection that took longer.
    pub(super) fn no_connection(&self) -> String {
        format!("no connection within {}{}", Span(self.connect), self.hint("connect"))
    }

    /// What is said of an answer that took longer.
    pub(super) fn no_answer(&self) -> String {
        format!("no answer within {}{}", Span(self.answer), self.hint("answer"))
    }

    fn hint(&self, which: &str) -> String {
        match self.set_by {
            SetBy::Nobody => String::new(),
            SetBy::Target => format!(" (`limits: {{ {which}: … }}` in the target file or --{which}-timeout sets that)"),
            SetBy::Profile => " (the profile's `patience` sets that)".to_owned(),
        }
    }
}

/// Limits in place of the default ones, as files and command lines have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ChosenLimits {
    /// How long a connection may take, such as `3 s`; at most ten minutes.
    #[serde(default, deserialize_with = "within")]
    pub connect: Option<Span>,
    /// How long an answer may take with all of its body, such as `5 s`; at most ten minutes.
    #[serde(default, deserialize_with = "within")]
    pub answer: Option<Span>,
}

impl ChosenLimits {
    /// As a target file alone sets them, for a command that takes none.
    pub fn in_file(self) -> Limits {
        Limits::chosen(self, ChosenLimits::default())
    }

    /// The same, and so long where nothing is said.
    #[must_use]
    pub fn or(self, long: Duration) -> Self {
        ChosenLimits { connect: self.connect.or(Some(Span(long))), answer: self.answer.or(Some(Span(long))) }
    }

    /// As options of a command line.
    pub fn options(&self) -> Vec<String> {
        let option = |name: &str, span: Option<Span>| span.map(|span| format!("--{name}-timeout '{span}'"));
        [option("connect", self.connect), option("answer", self.answer)].into_iter().flatten().collect()
    }
}

/// A limit as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub Span);

impl std::str::FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span: Span = text.parse()?;
        if ALLOWED.contains(&span.0) {
            Ok(Limit(span))
        } else {
            Err(format!("`{text}` is no limit; allowed: `1 ms` to `10 min`"))
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn within<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(|Limit(span)| Some(span)).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<ChosenLimits, String> {
        crate::yaml::parse("limits", text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_command_line_says_goes_before_what_the_file_says() {
        let (file, command) = (asked("{ connect: 1 s, answer: 20 s }"), asked("{ answer: 250 ms }"));
        let (file, command) = (file.expect("limits"), command.expect("limits"));
        let limits = Limits::chosen(file, command);
        assert_eq!((limits.connect, limits.answer), (Duration::from_secs(1), Duration::from_millis(250)));
        let patient = command.or(Duration::from_secs(30)).in_file();
        assert_eq!((patient.connect, patient.answer), (Duration::from_secs(30), Duration::from_millis(250)));
        let plain = Limits::chosen(ChosenLimits::default(), ChosenLimits::default());
        assert_eq!((plain.connect, plain.answer), (Duration::from_secs(3), Duration::from_secs(5)));
        assert_eq!(command.options(), ["--answer-timeout '250 ms'"]);
    }

    #[test]
    fn a_limit_has_bounds() {
        for (text, said) in [
            ("{ answer: 0 s }", "`0 s` is no limit; allowed: `1 ms` to `10 min`"),
            ("{ answer: 11 min }", "`11 min` is no limit"),
            ("{ connect: soon }", "`soon` is no length of time"),
            ("{ anwser: 1 s }", "unknown key"),
        ] {
            let error = asked(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn a_time_out_says_its_limit_and_who_sets_it() {
        let limits = Limits::chosen(ChosenLimits::default(), ChosenLimits::default());
        let hint = "(`limits: { answer: … }` in the target file or --answer-timeout sets that)";
        assert_eq!(limits.no_answer(), format!("no answer within 5 s {hint}"));
        assert_eq!(Limits::default().no_connection(), "no connection within 3 s");
        let of_profile = Limits::of_profile(Duration::from_millis(1_500));
        assert_eq!(of_profile.no_answer(), "no answer within 1.50 s (the profile's `patience` sets that)");
    }
}
