//! Some lines of a terminal, drawn again and again in place.
//!
//! Only moves relative to where the cursor is are written: the terminal is asked nothing, its modes are as they were, and
//! what it shows above stays. So there is nothing to put right when a program ends, however it does; between two
//! drawings the cursor stands below, where the next line belongs.

use std::io::{self, Write};

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};

/// Lines of a terminal. The cursor is on the line below them, unless something is being drawn.
#[derive(Debug)]
pub(super) struct Inline<W> {
    out: W,
    size: Size,
    /// The line that the cursor is on; as many as there are, below them.
    at: u16,
}

impl<W: Write> Inline<W> {
    /// Makes room for so many lines below what is shown.
    pub(super) fn open(mut out: W, size: Size) -> io::Result<Self> {
        write!(out, "{}", "\n".repeat(usize::from(size.height)))?;
        out.flush()?;
        Ok(Inline { out, size, at: size.height })
    }

    /// Removes the lines. What is written next stands where they began.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.go_to(0)?;
        write!(self.out, "\r\x1b[J")?;
        self.out.flush()
    }

    fn go_to(&mut self, line: u16) -> io::Result<()> {
        match (line, self.at) {
            (line, at) if line < at => write!(self.out, "\x1b[{}A", at - line)?,
            (line, at) if line > at => write!(self.out, "\x1b[{}B", line - at)?,
            _ => {}
        }
        self.at = line;
        Ok(())
    }

    fn style(&mut self, cell: &Cell) -> io::Result<()> {
        let bold = if cell.modifier.contains(Modifier::BOLD) { ";1" } else { "" };
        let colour = match cell.fg {
            Color::Blue => ";34",
            Color::Cyan => ";36",
            Color::Green => ";32",
            Color::Yellow => ";33",
            _ => "",
        };
        write!(self.out, "\x1b[0{bold}{colour}m")
    }
}

impl<W: Write> Backend for Inline<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut before: Option<(u16, u16, &Cell)> = None;
        for (x, y, cell) in content {
            let follows = before.is_some_and(|(column, line, _)| (column + 1, line) == (x, y));
            if !follows {
                self.go_to(y)?;
                write!(self.out, "\x1b[{}G", x + 1)?;
            }
            let alike = before.is_some_and(|(_, _, last)| (last.fg, last.modifier) == (cell.fg, cell.modifier));
            if !alike {
                self.style(cell)?;
            }
            write!(self.out, "{}", cell.symbol())?;
            before = Some((x, y, cell));
        }
        if before.is_some() {
            write!(self.out, "\x1b[0m")?;
        }
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position { x: 0, y: self.at })
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.go_to(position.into().y)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, _: ClearType) -> io::Result<()> {
        self.go_to(0)?;
        write!(self.out, "\r\x1b[J")
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size, pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.go_to(self.size.height)?;
        write!(self.out, "\r")?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::TerminalOptions;
    use ratatui::Viewport;
    use ratatui::layout::Rect;
    use ratatui::text::Line;

    use super::*;

    #[test]
    fn nothing_is_written_but_relative_moves_and_what_has_changed() {
        let mut written = Vec::new();
        {
            let lines = Inline::open(&mut written, Size::new(8, 2)).expect("memory");
            let viewport = Viewport::Fixed(Rect::new(0, 0, 8, 2));
            let mut terminal = Terminal::with_options(lines, TerminalOptions { viewport }).expect("a terminal");
            for words in ["one", "owe"] {
                terminal.draw(|frame| frame.render_widget(Line::raw(words), frame.area())).expect("drawn");
            }
            terminal.backend_mut().close().expect("memory");
        }
        let text = String::from_utf8(written).expect("text").replace('\x1b', "^");
        assert_eq!(text, "\n\n^[2A^[1G^[0mone^[0m^[2B\r^[2A^[2G^[0mw^[0m^[2B\r^[2A\r^[J");
    }
}
