//! Quantities as people write them: `250 ms`, `1000/s`, `99.9 %`.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer};

/// How many a second. Never negative, never infinite.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// The highest rate that is taken seriously.
    pub const HIGHEST: f64 = 10_000_000.0;

    /// So many a second, within what makes sense.
    pub fn per_second(rate: f64) -> Self {
        Rate(if rate.is_finite() { rate.clamp(0.0, Self::HIGHEST) } else { 0.0 })
    }

    /// The number a second.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 100.0 || self.0.fract() == 0.0 {
            write!(f, "{:.0}/s", self.0)
        } else {
            write!(f, "{:.2}/s", self.0)
        }
    }
}

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = || format!("`{text}` is no rate; allowed: a number and `/s` or `/min`, as in `1000/s`");
        let (number, unit) = text.split_once('/').ok_or_else(allowed)?;
        let number = positive(number).ok_or_else(allowed)?;
        let rate = match unit.trim() {
            "s" => number,
            "min" => number / 60.0,
            _ => return Err(allowed()),
        };
        if rate > Self::HIGHEST {
            return Err(format!("`{text}` is more than {:.0}/s", Self::HIGHEST));
        }
        Ok(Rate(rate))
    }
}

/// A share of a whole, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// A share, held within 0 and 1. Beyond nine digits it is rounded, so that 999 of 1000 are `99.9 %` as written.
    pub fn of(share: f64) -> Self {
        Share(if share.is_finite() { (share.clamp(0.0, 1.0) * 1e9).round() / 1e9 } else { 0.0 })
    }

    /// As a number from 0 to 1.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = format!("{:.3}", self.0 * 100.0);
        write!(f, "{} %", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text.trim().strip_suffix('%').and_then(positive).filter(|percent| *percent <= 100.0);
        let percent = percent.ok_or_else(|| format!("`{text}` is no share; allowed: `0 %` to `100 %`"))?;
        Ok(Share::of(percent / 100.0))
    }
}

/// A length of time, from a microsecond to a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed =
            || format!("`{text}` is no length of time; allowed: a number and `us`, `ms`, `s` or `min`, as in `250 ms`");
        let text = text.trim();
        let at = text.find(|c: char| c.is_alphabetic()).ok_or_else(allowed)?;
        let (number, unit) = text.split_at(at);
        let number = positive(number).ok_or_else(allowed)?;
        let seconds = match unit {
            "us" => number / 1e6,
            "ms" => number / 1e3,
            "s" => number,
            "min" => number * 60.0,
            "h" => number * 3600.0,
            _ => return Err(allowed()),
        };
        if seconds > 604_800.0 {
            return Err(format!("`{text}` is more than a week"));
        }
        Ok(Span(Duration::from_secs_f64(seconds)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let (number, unit) = match seconds {
            s if s < 0.001 => (s * 1e6, "us"),
            s if s < 1.0 => (s * 1e3, "ms"),
            s => (s, "s"),
        };
        let digits = if number >= 100.0 || number.fract() < 0.005 { 0 } else { 2 };
        write!(f, "{number:.digits$} {unit}")
    }
}

fn positive(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

macro_rules! read_from_text {
    ($($quantity:ty),+) => {
        $(impl<'de> Deserialize<'de> for $quantity {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        })+
    };
}
read_from_text!(Rate, Share, Span);

macro_rules! written_as {
    ($($quantity:ident: $pattern:literal),+) => {
        $(impl schemars::JsonSchema for $quantity {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($quantity).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        })+
    };
}
written_as!(
    Rate: r"^\s*[0-9.eE+]+\s*/\s*(s|min)\s*$",
    Share: r"^\s*[0-9.eE+-]+\s*%\s*$",
    Span: r"^\s*[0-9.]+\s*(us|ms|s|min|h)\s*$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_people_write_them() {
        assert_eq!("1000/s".parse(), Ok(Rate(1000.0)));
        assert_eq!("90 / min".parse(), Ok(Rate(1.5)));
        assert_eq!("99.9 %".parse(), Ok(Share(0.999)));
        assert_eq!("250 ms".parse(), Ok(Span(Duration::from_millis(250))));
        assert_eq!("2min".parse(), Ok(Span(Duration::from_secs(120))));
        for wrong in ["", "1000", "-1/s", "NaN/s", "1/h", "inf/s", "20000000/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        for wrong in ["250", "ms", "-1 s", "1 day", "8000000 s"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
        for wrong in ["99.9", "101 %", "-1 %"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn quantities_print_as_they_are_read() {
        assert_eq!(Share::of(0.999).to_string(), "99.9 %");
        assert_eq!(Share::of(1.0).to_string(), "100 %");
        assert_eq!(Rate::per_second(2.5).to_string(), "2.50/s");
        assert_eq!(Span(Duration::from_millis(250)).to_string(), "250 ms");
        assert_eq!(Span(Duration::from_micros(1_500)).to_string(), "1.50 ms");
    }
}
