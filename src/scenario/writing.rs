//! How a proof is written down.

use schemars::JsonSchema;
use serde::Deserialize;

/// How a proof is written: what a verifier may take for the same code, and what it remembers as spent need not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Writing {
    /// As it was handed out.
    #[default]
    AsIssued,
    /// With a space in the middle, as authenticators show codes.
    SpaceInside,
    /// With a space before and after it.
    SpacesAround,
    /// In full-width digits (U+FF10 to U+FF19).
    FullWidth,
    /// With a plus sign before it.
    PlusSign,
}

impl Writing {
    /// A proof that was handed out, written in this way.
    pub fn of(self, proof: &str) -> String {
        match self {
            Writing::AsIssued => proof.to_owned(),
            Writing::SpaceInside => {
                let middle = proof.chars().count() / 2;
                let (first, last): (Vec<_>, Vec<_>) = proof.chars().enumerate().partition(|(at, _)| *at < middle);
                let text = |part: Vec<(usize, char)>| part.into_iter().map(|(_, c)| c).collect::<String>();
                format!("{} {}", text(first), text(last))
            }
            Writing::SpacesAround => format!(" {proof} "),
            Writing::FullWidth => proof.chars().map(full_width).collect(),
            Writing::PlusSign => format!("+{proof}"),
        }
    }

    /// The writing in words, where it is not the usual one.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Writing::AsIssued => None,
            Writing::SpaceInside => Some("with a space inside"),
            Writing::SpacesAround => Some("with spaces around it"),
            Writing::FullWidth => Some("in full-width digits"),
            Writing::PlusSign => Some("with a plus sign"),
        }
    }
}

fn full_width(c: char) -> char {
    let digit = c.to_digit(10).and_then(|digit| char::from_u32(0xff10 + digit));
    digit.unwrap_or(c)
}

/// Whether npm's prompt takes a text: digits and spaces, or 64 hexadecimal digits. It asks again for anything else.
pub fn is_typeable(proof: &str) -> bool {
    let digits = !proof.is_empty() && proof.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ');
    digits || (proof.len() == 64 && proof.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_written_in_each_way() {
        for (writing, written) in [
            (Writing::AsIssued, "012345"),
            (Writing::SpaceInside, "012 345"),
            (Writing::SpacesAround, " 012345 "),
            (Writing::FullWidth, "\u{ff10}\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}"),
            (Writing::PlusSign, "+012345"),
        ] {
            assert_eq!(writing.of("012345"), written);
        }
    }

    #[test]
    fn the_prompt_takes_digits_and_64_hexadecimal_digits() {
        let hex = "0123456789abcdefABCDEF0123456789".repeat(2);
        for (text, typeable) in [
            ("123456", true),
            ("123 456", true),
            (hex.as_str(), true),
            (&hex[1..], false),
            ("abcd-efgh", false),
            ("", false),
            ("\u{ff11}23456", false),
        ] {
            assert_eq!(is_typeable(text), typeable, "{text}");
        }
    }
}
