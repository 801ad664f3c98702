//! Guises: the forms in which a secret may turn up in a text that comes from elsewhere.
//!
//! A registry may show a secret in groups of four, in other letters, or encoded. All of these have the same letters and
//! digits in the same order, so case and whatever lies between them are not looked at.

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, HEXLOWER};
use memchr::memmem::Finder;

use super::SecretKind;

/// Texts with fewer letters and digits turn up by chance, so they are looked for as they are alone.
const TOO_SHORT: usize = 12;
/// What an encoding makes of a short secret is no word that turns up by chance.
const TOO_SHORT_ENCODED: usize = 7;
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
        guises.add(text, TOO_SHORT);
        // What an encoding leaves as it is, is as short as it was: `pass-word` must not hide each `password`.
        for form in escaped(text).iter().filter(|form| !same_letters(form, text)) {
            guises.add(form, TOO_SHORT_ENCODED);
        }
        Guises { plain: (!text.is_empty()).then(|| finder(text)), ..guises }
    }

    /// Those of bytes.
    pub fn of_bytes(kind: SecretKind, bytes: &[u8]) -> Self {
        let mut guises = Guises { kind, plain: None, forms: Vec::new() };
        guises.add(&HEXLOWER.encode(bytes), TOO_SHORT_ENCODED);
        // In base64 three bytes are four letters, so what stands before decides between three forms (RFC 4648 §4), and in
        // base32 five are eight (§6).
        for (encoding, bits, bytes_a_group) in [(BASE64_NOPAD, 6, 3), (BASE32_NOPAD, 5, 5)] {
            for before in 0..bytes_a_group {
                let text = encoding.encode(&[&[0].repeat(before), bytes].concat());
                let (first, after_last) = ((before * 8).div_ceil(bits), (before + bytes.len()) * 8 / bits);
                guises.add(text.get(first..after_last).unwrap_or_default(), TOO_SHORT_ENCODED);
            }
        }
        guises
    }

    fn add(&mut self, form: &str, too_short: usize) {
        let form: String = letters(form).map(|(_, letter)| letter).collect();
        if form.len() >= too_short && !self.forms.iter().any(|known| known.needle() == form.as_bytes()) {
            self.forms.push(finder(&form));
        }
    }
}

fn same_letters(one: &str, other: &str) -> bool {
    letters(one).map(|(_, letter)| letter).eq(letters(other).map(|(_, letter)| letter))
}

/// What forms, pages and JSON make of a text with signs in it.
fn escaped(text: &str) -> Vec<String> {
    let percent = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    // A form writes a space as a plus sign.
    let form = percent.replace("%20", "+");
    let json = |letter: char| match letter {
        letter if letter.is_ascii() => letter.to_string(),
        letter => letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    let page = |letter: char| match letter {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        letter => letter.to_string(),
    };
    let page: String = text.chars().map(page).collect();
    let quotes = ["&#39;", "&#x27;", "&apos;"].map(|quote| page.replace('\'', quote));
    [percent, form, text.chars().map(json).collect()].into_iter().chain(quotes).collect()
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
            BASE32_NOPAD.encode(format!("not {SECRET}").as_bytes()),
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
    fn a_secret_with_signs_is_found_as_forms_pages_and_json_write_it() {
        let guises = Guises::of_text(SecretKind::Password, "p&ss\"w<rd'1 ü%");
        for text in [
            "p%26ss%22w%3Crd%271+%C3%BC%25",
            "p%26ss%22w%3crd%271%20%c3%bc%25",
            "p&ss\\\"w<rd'1 \\u00fc%",
            "p&amp;ss&quot;w&lt;rd&#39;1 ü%",
            "p&amp;ss&quot;w&lt;rd&#x27;1 ü%",
        ] {
            let without = Searched::new(&format!("before {text} after")).without([&guises]);
            assert!(without.starts_with("before ‹password›") && without.ends_with(" after"), "{text}: {without}");
            assert!(without.len() < "before ‹password› after".len() + 6, "{text}: {without}");
        }
    }

    #[test]
    fn a_short_secret_with_signs_is_not_found_in_common_words() {
        let guises = Guises::of_text(SecretKind::Password, "pass-word");
        let searched = Searched::new("the password of { \"password\": 1 }");
        assert!(!searched.shows(&guises));
        assert_eq!(searched.without([&guises]), "the password of { \"password\": 1 }");
        assert_eq!(Searched::new("pass-word, pass%2Dword").without([&guises]), "‹password›, ‹password›");
    }

    #[test]
    fn a_short_secret_is_found_encoded() {
        let password = Guises::of_text(SecretKind::Password, "hunter2!");
        let code = Guises::of_text(SecretKind::OneTimePassword, "358680");
        for (secret, text) in
            [(&password, "aHVudGVyMiE="), (&password, "68756e7465723221"), (&code, "MzU4Njgw"), (&code, "GM2TQNRYGA")]
        {
            let without = Searched::new(&format!("before {text} after")).without([secret]);
            assert!(without.starts_with("before ‹") && without.len() < 45, "{text}: {without}");
        }
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
