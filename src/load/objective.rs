//! Objectives: what a run must show. `p99 response_time < 250 ms`, `success >= 99.9 %`, `achieved >= 99 % of planned`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};

use crate::quantity::{Share, Span};
use crate::yaml;

/// A quantile, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile(f64);

impl Quantile {
    /// Half of all.
    pub const MEDIAN: Quantile = Quantile(0.5);
    /// All but one in a hundred.
    pub const P99: Quantile = Quantile(0.99);

    /// As a number from 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

/// Something that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// From when an arrival was due to the whole answer of an accepted verification, waiting and timeouts included.
    ResponseTime,
    /// From the first byte sent to the whole answer of an accepted verification.
    ServiceTime,
    /// From when an arrival was due to the whole answer that challenged or refused it, where it had to be.
    RefusalTime,
    /// From when an arrival was due to the whole answer that asked for patience.
    ThrottledTime,
    /// How late this program itself was to take up an arrival.
    Lateness,
}

impl Timing {
    /// All of them.
    pub const ALL: [Timing; 5] =
        [Timing::ResponseTime, Timing::ServiceTime, Timing::RefusalTime, Timing::ThrottledTime, Timing::Lateness];

    /// Its name in objectives, results and logs.
    pub fn name(self) -> &'static str {
        match self {
            Timing::ResponseTime => "response_time",
            Timing::ServiceTime => "service_time",
            Timing::RefusalTime => "refusal_time",
            Timing::ThrottledTime => "throttled_time",
            Timing::Lateness => "lateness",
        }
    }
}

/// A share of a run's arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Those that were answered as they had to be.
    Success,
    /// Those of the planned that were put on the wire.
    Achieved,
    /// Those that were asked for patience.
    Throttled,
}

/// What an objective is about, and its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Objective {
    /// So much of something takes less than this.
    Time {
        /// Which quantile.
        quantile: Quantile,
        /// Of what.
        of: Timing,
        /// The limit.
        below: Duration,
    },
    /// A share is at least this.
    AtLeast(Part, Share),
    /// A share is at most this.
    AtMost(Part, Share),
}

/// What a run shows that objectives ask for.
pub trait Measured {
    /// A quantile of what was timed; none where nothing was.
    fn quantile(&self, quantile: Quantile, of: Timing) -> Option<Duration>;
    /// A share; none where it is a share of nothing.
    fn share(&self, part: Part) -> Option<Share>;
}

/// What became of an objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Met.
    Met,
    /// Missed.
    Missed,
    /// There was nothing to measure.
    NoData,
}

impl Objective {
    /// What became of it.
    pub fn judge(&self, measured: &impl Measured) -> Standing {
        let met = match self {
            Objective::Time { quantile, of, below } => measured.quantile(*quantile, *of).map(|time| time < *below),
            Objective::AtLeast(part, limit) => measured.share(*part).map(|share| share >= *limit),
            Objective::AtMost(part, limit) => measured.share(*part).map(|share| share <= *limit),
        };
        match met {
            Some(true) => Standing::Met,
            Some(false) => Standing::Missed,
            None => Standing::NoData,
        }
    }

    /// What was measured for it, in words.
    pub fn seen(&self, measured: &impl Measured) -> String {
        let words = match self {
            Objective::Time { quantile, of, .. } => {
                measured.quantile(*quantile, *of).map(|time| Span(time).to_string())
            }
            Objective::AtLeast(part, _) | Objective::AtMost(part, _) => {
                measured.share(*part).map(|share| share.to_string())
            }
        };
        words.unwrap_or_else(|| "no data".to_owned())
    }
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Part::Success => "success",
            Part::Achieved => "achieved",
            Part::Throttled => "throttled",
        }
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", (self.0 * 1e7).round() / 1e5)
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Objective::Time { quantile, of, below } => write!(f, "{quantile} {} < {}", of.name(), Span(*below)),
            Objective::AtLeast(Part::Achieved, share) => write!(f, "achieved >= {share} of planned"),
            Objective::AtLeast(part, share) => write!(f, "{} >= {share}", part.name()),
            Objective::AtMost(part, share) => write!(f, "{} <= {share}", part.name()),
        }
    }
}

/// The words that an objective can begin with.
const MEASURES: [&str; 8] =
    ["response_time", "service_time", "refusal_time", "throttled_time", "lateness", "success", "achieved", "throttled"];

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (left, sign, right) = ["<=", ">=", "<"]
            .iter()
            .find_map(|sign| text.split_once(sign).map(|(left, right)| (left.trim(), *sign, right.trim())))
            .ok_or_else(|| {
                format!("`{text}` compares nothing; allowed: `p99 response_time < 250 ms`, `success >= 99.9 %`")
            })?;
        let (quantile, name) = match left.split_once(' ') {
            Some((quantile, name)) => (Some(quantile), name.trim()),
            None => (None, left),
        };
        let timing = Timing::ALL.into_iter().find(|timing| timing.name() == name);
        let part = [Part::Success, Part::Achieved, Part::Throttled].into_iter().find(|part| part.name() == name);
        match (timing, part, quantile, sign) {
            (Some(of), _, Some(quantile), "<") => {
                let quantile = quantile.parse()?;
                let Span(below) = right.parse()?;
                Ok(Objective::Time { quantile, of, below })
            }
            (Some(_), _, None, _) => Err(format!("`{text}` does not say of which share; as in `p99 {name} < 250 ms`")),
            (Some(_), _, _, sign) => Err(format!("`{sign}` does not go with a time; allowed: `<`")),
            (None, Some(_), Some(_), _) => Err(format!("`{name}` is a share and has no quantiles")),
            (None, Some(part), None, sign) => {
                let share = right.strip_suffix("of planned").unwrap_or(right);
                let share: Share = share.parse()?;
                match sign {
                    ">=" => Ok(Objective::AtLeast(part, share)),
                    "<=" => Ok(Objective::AtMost(part, share)),
                    sign => Err(format!("`{sign}` does not go with a share; allowed: `>=`, `<=`")),
                }
            }
            (None, None, ..) => Err(format!("`{name}` is not measured; {}", yaml::allowed(name, &MEASURES))),
        }
    }
}

impl FromStr for Quantile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text.strip_prefix('p').and_then(|percent| percent.parse::<f64>().ok());
        percent
            .filter(|percent| *percent > 0.0 && *percent <= 100.0)
            .map(|percent| Quantile(percent / 100.0))
            .ok_or_else(|| format!("`{text}` is no quantile; allowed: `p50`, `p99`, `p99.9` and the like"))
    }
}

impl schemars::JsonSchema for Objective {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Objective".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "What is measured, and what it must be, as in `p99 response_time < 250 ms` or `success >= 99.9 %`.",
            "type": "string",
            "pattern": "^\\s*\\S+.*(<|<=|>=)\\s*[0-9]",
        })
    }
}

impl<'de> Deserialize<'de> for Objective {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Objective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Run {
        p99: Option<Duration>,
        success: Option<Share>,
    }

    impl Measured for Run {
        fn quantile(&self, quantile: Quantile, of: Timing) -> Option<Duration> {
            self.p99.filter(|_| quantile == Quantile::P99 && of == Timing::ResponseTime)
        }
        fn share(&self, part: Part) -> Option<Share> {
            self.success.filter(|_| part == Part::Success)
        }
    }

    #[test]
    fn objectives_print_as_they_are_read() {
        for text in [
            "p99 response_time < 250 ms",
            "p99.9 service_time < 2 s",
            "p50 lateness < 50 us",
            "success >= 99.9 %",
            "achieved >= 99 % of planned",
            "throttled <= 1 %",
        ] {
            let objective: Objective = text.parse().expect(text);
            assert_eq!(objective.to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_with_an_objective_is_said() {
        for (text, said) in [
            ("p99 response_time", "compares nothing"),
            ("response_time < 1 s", "does not say of which share"),
            ("p99 respons_time < 1 s", "did you mean `response_time`?"),
            ("p99 success >= 1 %", "has no quantiles"),
            ("success < 1 %", "does not go with a share"),
            ("p99 response_time <= 1 s", "does not go with a time"),
            ("p101 response_time < 1 s", "no quantile"),
            ("p99 response_time < 250", "no length of time"),
            ("success >= 99.9", "no share"),
        ] {
            let error = text.parse::<Objective>().expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn an_objective_is_met_missed_or_without_data() {
        let time: Objective = "p99 response_time < 250 ms".parse().expect("parses");
        let share: Objective = "success >= 99.9 %".parse().expect("parses");
        let run = |ms: Option<u64>, success: Option<f64>| Run {
            p99: ms.map(Duration::from_millis),
            success: success.map(Share::of),
        };
        assert_eq!(time.judge(&run(Some(249), None)), Standing::Met);
        assert_eq!(time.judge(&run(Some(250), None)), Standing::Missed);
        assert_eq!(time.judge(&run(None, None)), Standing::NoData);
        assert_eq!(share.judge(&run(None, Some(0.999))), Standing::Met);
        assert_eq!(share.judge(&run(None, Some(0.998))), Standing::Missed);
        assert_eq!(share.judge(&run(None, None)), Standing::NoData);
    }
}
