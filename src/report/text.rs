//! Words of a target in a report: they say what they say and steer nothing, neither a terminal nor the order of letters.

/// The text on one line: characters that are not seen but act are replaced.
pub fn clean(text: &str) -> String {
    text.chars().map(|character| if acts(character) { '\u{fffd}' } else { character }).collect()
}

/// The text with its lines and tabs, and without other characters that are not seen but act.
pub fn clean_lines(text: &str) -> String {
    let plain = |character| matches!(character, '\n' | '\t') || !acts(character);
    text.replace("\r\n", "\n").chars().map(|character| if plain(character) { character } else { '\u{fffd}' }).collect()
}

/// What stands before the port of a program on this machine.
const LOCAL: [&str; 3] = ["127.0.0.1:", "localhost:", "[::1]:"];

/// The text with made-up names, ids and local ports replaced, so that alike reasons are alike.
pub fn without_names(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let made_up = |word: &str| {
        let rest = word.strip_prefix("su").unwrap_or(word);
        let digits = rest.chars().filter(char::is_ascii_digit).count();
        rest.len() >= 8 && digits > 0 && rest.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
    };
    // What begins with a percent sign is an escape of two digits before it is a name.
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let escape = rest.starts_with('%') && rest.len() > 2 && rest.is_char_boundary(3);
        let length = if escape { 3 } else { rest.find(|c| !is_part(c)).unwrap_or(rest.len()) };
        let length = if length == 0 { rest.chars().next().map_or(rest.len(), char::len_utf8) } else { length };
        let (word, after) = rest.split_at(length);
        // The port of a program on this machine is another each time.
        let port = LOCAL.iter().any(|host| out.ends_with(host)) && word.bytes().all(|byte| byte.is_ascii_digit());
        out.push_str(if made_up(word) || port { "…" } else { word });
        rest = after;
    }
    out
}

/// So many of a thing, in words.
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Control characters, those that no XML document may hold (XML 1.0 §2.2), and those that turn the direction of writing or break a line.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{fffe}' | '\u{ffff}' | '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_differ_in_names_alone_are_alike() {
        assert_eq!(
            without_names("POST /-/package/%40su865e88f3-112%2Fsu865e88f3-112-0/access → 404 no such route"),
            "POST /-/package/%40…%2F…/access → 404 no such route"
        );
        assert_eq!(without_names("login 5c9b6f4d-18f5-4479-8be9-f594973dd04e"), "login …");
        assert_eq!(
            without_names("http://127.0.0.1:40123/-/x at localhost: 7"),
            "http://127.0.0.1:…/-/x at localhost: 7"
        );
        assert_eq!(without_names("answered 500, decade facade 12-34 %"), "answered 500, decade facade 12-34 %");
    }

    #[test]
    fn what_acts_unseen_is_seen() {
        assert_eq!(clean("a\u{1b}[2J\u{202e}b\nc\u{2067}"), "a\u{fffd}[2J\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(clean_lines("a\r\n\tb\rc\u{0}"), "a\n\tb\u{fffd}c\u{fffd}");
        assert_eq!(clean("no character \u{fffe}"), "no character \u{fffd}");
        assert_eq!(clean("Größe ‹token› →"), "Größe ‹token› →");
    }
}
