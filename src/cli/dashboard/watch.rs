//! What a run tells whoever watches: a dashboard where standard error is a terminal, and plain lines elsewhere.

use std::io::{IsTerminal as _, Stderr, Write as _};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use ratatui::layout::{Rect, Size};
use ratatui::{Terminal, TerminalOptions, Viewport};
use terminal_size::{Height, Width};

use super::draw::{HEIGHT, LEAST_WIDTH, draw};
use super::inline::Inline;
use super::view::View;
use crate::load::document::SecondNote;

/// How many lines a dashboard takes at the moment; 0 where there is none. A panic's message takes their place.
static LINES: AtomicU16 = AtomicU16::new(0);
static HOOK: Once = Once::new();

/// What a run tells. The dashboard goes when this is dropped.
#[derive(Debug)]
pub(in crate::cli) struct Watch(Mutex<How>);

#[derive(Debug)]
enum How {
    /// A line for each second, and for all else.
    Lines,
    /// A dashboard.
    Dashboard(Box<Dashboard>),
}

#[derive(Debug)]
struct Dashboard {
    view: View,
    screen: Option<Screen>,
}

#[derive(Debug)]
struct Screen {
    terminal: Terminal<Inline<Stderr>>,
    size: Size,
}

impl Watch {
    /// Watches a run of so many seconds, or one whose end is not foreseen.
    pub(in crate::cli) fn begin(title: String, lasts_s: Option<f64>) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        if !std::io::stderr().is_terminal() || dumb || room().is_none() {
            return Watch(Mutex::new(How::Lines));
        }
        HOOK.call_once(step_aside_for_panics);
        let colours = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
        let view = View { title, lasts_s, colours, ..View::default() };
        let mut dashboard = Box::new(Dashboard { view, screen: None });
        dashboard.show();
        Watch(Mutex::new(How::Dashboard(dashboard)))
    }

    fn how(&self) -> std::sync::MutexGuard<'_, How> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A second has passed; its line, where there is no dashboard.
    pub(in crate::cli) fn second(&self, second: &SecondNote, line: impl FnOnce() -> Option<String>) {
        match &mut *self.how() {
            How::Lines => {
                if let Some(line) = line() {
                    eprintln!("{line}");
                }
            }
            How::Dashboard(dashboard) => {
                dashboard.view.note(second);
                dashboard.show();
            }
        }
    }

    /// Another part of a search begins.
    pub(in crate::cli) fn doing(&self, doing: &str) {
        match &mut *self.how() {
            How::Lines => {}
            How::Dashboard(dashboard) => {
                dashboard.view.begin(doing);
                dashboard.show();
            }
        }
    }

    /// The run is over: what follows stands in the dashboard's place.
    pub(in crate::cli) fn close(&self) {
        let mut how = self.how();
        if let How::Dashboard(dashboard) = &mut *how {
            dashboard.hide();
            *how = How::Lines;
        }
    }

    /// Says something that stays, above the dashboard.
    pub(in crate::cli) fn say(&self, line: &str) {
        match &mut *self.how() {
            How::Lines => eprintln!("{line}"),
            How::Dashboard(dashboard) => {
                dashboard.hide();
                eprintln!("{line}");
                dashboard.show();
            }
        }
    }
}

impl Dashboard {
    /// Draws it. Where that fails, or there is no room, nothing is shown: it is no reason to end a run.
    fn show(&mut self) {
        let size = room();
        if self.screen.as_ref().map(|screen| screen.size) != size {
            self.hide();
            self.screen = size.and_then(Screen::open);
        }
        // A panic's message may have taken its place meanwhile.
        if LINES.load(Ordering::Relaxed) == 0 {
            self.screen = size.and_then(Screen::open);
        }
        let Some(screen) = &mut self.screen else { return };
        if screen.terminal.draw(|frame| draw(&self.view, frame)).is_err() {
            self.screen = None;
        }
    }

    fn hide(&mut self) {
        if let Some(mut screen) = self.screen.take()
            && LINES.swap(0, Ordering::Relaxed) > 0
        {
            let _ = screen.terminal.backend_mut().close();
        }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.hide();
    }
}

impl Screen {
    fn open(size: Size) -> Option<Self> {
        let lines = Inline::open(std::io::stderr(), size).ok()?;
        let viewport = Viewport::Fixed(Rect::new(0, 0, size.width, size.height));
        let terminal = Terminal::with_options(lines, TerminalOptions { viewport }).ok()?;
        LINES.store(size.height, Ordering::Relaxed);
        Some(Screen { terminal, size })
    }
}

/// The room for a dashboard, where there is enough and a line is left for what is typed.
fn room() -> Option<Size> {
    let (Width(width), Height(height)) = terminal_size::terminal_size_of(std::io::stderr())?;
    // A character in the last column would make some terminals begin another line.
    (width > LEAST_WIDTH && height > HEIGHT).then_some(Size::new(width - 1, HEIGHT))
}

/// From now on a panic's message takes the place of the dashboard.
fn step_aside_for_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let lines = LINES.swap(0, Ordering::Relaxed);
        if lines > 0 {
            let _ = write!(std::io::stderr(), "\x1b[{lines}A\r\x1b[J");
        }
        before(panic);
    }));
}
