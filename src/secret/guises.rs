//! Guises: the forms in which a secret may turn up in a text that comes from elsewhere.
//!
//! A registry may show a secret in groups of four, in other letters, or encoded. All of these have the same letters and
//! digits in the same order, so case and whatever lies between them are not looked at.

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, HEXLOWER};
use memchr::memmem::Finder;

use super::SecretKind;

/// Texts with fewer letters and digits turn up by chance, so they are looked for as they are alone.
const TOO_SHORT: usize = 12;
const SIX_DIGITS: usize = 6;

/// What is looked for of one secret.
#[derive(Clone)]
pub struct Guises {
    kind: SecretKind,
    /// As it is.
    plain: Option<Finder<'static>>,
    /// The letters and digits of its forms, in lower case.
    forms: Vec<Finder<'static>>,
}

impl Guises {
    /// Those of a text.
    pub fn of_text(kind: SecretKind, text: &str) -> Self {
        let mut guises = Guises::of_bytes(kind, text.as_bytes());
        guises.add(text);
        Guises { plain: (!text.is_empty()).then(|| finder(text)), ..guises }
    }

    /// Those of bytes.
    pub fn of_bytes(kind: SecretKind, bytes: &[u8]) -> Self {
        let mut guises = Guises { kind, plain: None, forms: Vec::new() };
        // A short one is short in hexadecimal as well.
        if bytes.len() < TOO_SHORT / 2 {
            return guises;
        }
        guises.add(&HEXLOWER.encode(bytes));
        guises.add(&BASE32_NOPAD.encode(bytes));
        // In base64 three bytes are four letters, so what stands before decides between three forms (RFC 4648 §4).
        for before in 0..3 {
            let text = BASE64_NOPAD.encode(&[&[0].repeat(before), bytes].concat());
            let (first, after_last) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
            guises.add(&text[first..after_last]);
        }
        guises
    }

    fn add(&mut self, form: &str) {
        let form: String = letters(form).map(|(_, letter)| letter).collect();
        if form.len() >= TOO_SHORT {
            self.forms.push(finder(&form));
        }
    }
}

/// What looks for a text, made ready once: each secret is looked for in everything that is shown.
fn finder(text: &str) -> Finder<'static> {
    Finder::new(text).into_owned()
}

/// They are the secret as well.
impl std::fmt::Debug for Guises {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind.placeholder())
    }
}

/// A text in which secrets are looked for.
pub struct Searched<'a> {
    text: &'a str,
    letters: String,
    /// Where each letter stands in the text.
    places: Vec<usize>,
}

impl<'a> Searched<'a> {
    /// Prepares a text.
    pub fn new(text: &'a str) -> Self {
        let (places, letters) = letters(text).unzip();
        Searched { text, letters, places }
    }

    /// Whether a secret is in it. Six digits are in many texts, so a one-time password is not looked for.
    pub fn shows(&self, guises: &Guises) -> bool {
        let plain = guises.plain.as_ref().filter(|plain| plain.needle().len() > SIX_DIGITS);
        plain.is_some_and(|plain| plain.find(self.text.as_bytes()).is_some())
            || guises.forms.iter().any(|form| form.find(self.letters.as_bytes()).is_some())
    }

    /// The text with words in place of each secret.
    pub fn without<'g>(&self, secrets: impl IntoIterator<Item = &'g Guises>) -> String {
        let mut found: Vec<(usize, usize, SecretKind)> = Vec::new();
        for Guises { kind, plain, forms } in secrets {
            for form in forms {
                let last = form.needle().len() - 1;
                let starts = form.find_iter(self.letters.as_bytes());
                found.extend(starts.map(|at| (self.places[at], self.places[at + last] + 1, *kind)));
            }
            if let Some(plain) = plain {
                let starts = plain.find_iter(self.text.as_bytes());
                found.extend(starts.map(|at| (at, at + plain.needle().len(), *kind)));
            }
        }
        // Of those that begin together the longest is hidden, and what lies in it with it.
        found.sort_unstable_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
        let (mut shown, mut until) = (String::with_capacity(self.text.len()), 0);
        for (start, end, kind) in found {
            if start >= until {
                shown.push_str(&self.text[until..start]);
                shown.push_str(kind.placeholder());
            }
            until = until.max(end);
        }
        shown.push_str(&self.text[until..]);
        shown
    }
}

/// The ASCII letters and digits of a text in lower case, with their places.
fn letters(text: &str) -> impl Iterator<Item = (usize, char)> {
    let plain = text.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_alphanumeric());
    plain.map(|(at, byte)| (at, char::from(byte.to_ascii_lowercase())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Pw-0123456789abcdef-0";

    #[test]
    fn a_secret_is_found_in_every_guise() {
        let guises = || Guises::of_text(SecretKind::Password, SECRET);
        let encoded = |before: &str| BASE64_NOPAD.encode(format!("{before}{SECRET}:x").as_bytes());
        for text in [
            SECRET.to_owned(),
            SECRET.to_uppercase(),
            "Pw-0 1234 5678 9abc def-0".to_owned(),
            HEXLOWER.encode(SECRET.as_bytes()),
            data_encoding::HEXUPPER.encode(SECRET.as_bytes()),
            BASE32_NOPAD.encode(SECRET.as_bytes()),
            encoded(""),
            encoded("a"),
            encoded("ab"),
            data_encoding::BASE64URL_NOPAD.encode(SECRET.as_bytes()),
        ] {
            let said = format!("before {text} after");
            let searched = Searched::new(&said);
            assert!(searched.shows(&guises()), "{text}");
            let without = searched.without([&guises()]);
            assert!(without.starts_with("before ") && without.ends_with(" after"), "{without}");
            assert!(without.contains("‹password›") && without.len() < "before ‹password› after".len() + 9, "{without}");
        }
        assert!(!Searched::new("nothing here").shows(&guises()));
    }

    #[test]
    fn a_short_secret_is_hidden_as_it_is_alone() {
        let guises = || Guises::of_text(SecretKind::OneTimePassword, "287082");
        assert_eq!(Searched::new("287082, 28 70 82").without([&guises()]), "‹one-time password›, 28 70 82");
        assert!(!Searched::new("28 70 82").shows(&guises()));
    }

    #[test]
    fn secrets_within_each_other_are_hidden_once() {
        let of = |text: &str| Guises::of_text(SecretKind::Token, text);
        let searched = Searched::new("é npm_0123456789abcdef é");
        assert_eq!(searched.without([&of("0123456789ab"), &of("npm_0123456789abcdef")]), "é ‹token› é");
    }
}
