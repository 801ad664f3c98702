//! What a report is written on: its width, its colours, and lines that fit.

use anstyle::{AnsiColor, Style};

pub(super) use crate::report::text::clean;

/// The width where nothing says how wide the terminal is.
pub const WIDTH: usize = 100;
/// Where the text of a field begins.
const FIELD: usize = 10;

/// How a report is laid out. Colour repeats what the words say and carries nothing alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paper {
    /// Columns of text.
    pub width: usize,
    /// Whether verdicts are coloured.
    pub colour: bool,
}

impl Default for Paper {
    fn default() -> Self {
        Paper { width: WIDTH, colour: false }
    }
}

/// What a text is to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Tone {
    Plain,
    Heading,
    Good,
    Bad,
    Known,
    Quiet,
}

impl Paper {
    /// The text in its tone's colour.
    pub(in crate::report) fn paint(self, tone: Tone, text: &str) -> String {
        let style = match tone {
            Tone::Plain => Style::new(),
            Tone::Heading => Style::new().bold(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Known => AnsiColor::Yellow.on_default(),
            Tone::Quiet => Style::new().dimmed(),
        };
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// A paragraph.
    pub(in crate::report) fn text(self, out: &mut String, text: &str) {
        self.hanging(out, "", text);
    }

    /// A named text, its further lines below its first.
    pub(in crate::report) fn field(self, out: &mut String, indent: usize, name: &str, text: &str) {
        self.hanging(out, &format!("{:indent$}{name:FIELD$}", ""), text);
    }

    fn hanging(self, out: &mut String, lead: &str, text: &str) {
        let indent = lead.chars().count();
        for (number, line) in wrap(text, self.width.saturating_sub(indent)).iter().enumerate() {
            let lead = if number == 0 { lead } else { &format!("{:indent$}", "") };
            out.push_str(format!("{lead}{line}").trim_end());
            out.push('\n');
        }
    }

    /// A line that is never broken, so that it can be copied.
    pub(in crate::report) fn verbatim(out: &mut String, indent: usize, name: &str, text: &str) {
        out.push_str(&format!("{:indent$}{name:FIELD$}{}\n", "", clean(text)));
    }
}

/// The text's lines, broken at spaces; a word that is longer than the width has a line of its own.
pub(in crate::report) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in clean(text).split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_and_no_word_is_lost() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("averylongword a", 4), ["averylongword", "a"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn a_target_cannot_steer_the_terminal() {
        assert_eq!(wrap("a\u{1b}[2Jb\u{9b}c", 80), ["a\u{fffd}[2Jb\u{fffd}c"]);
    }
}
