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

/// Control characters, and those that turn the direction of writing or break a line.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_unseen_is_seen() {
        assert_eq!(clean("a\u{1b}[2J\u{202e}b\nc\u{2067}"), "a\u{fffd}[2J\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(clean_lines("a\r\n\tb\rc\u{0}"), "a\n\tb\u{fffd}c\u{fffd}");
        assert_eq!(clean("Größe ‹token› →"), "Größe ‹token› →");
    }
}
