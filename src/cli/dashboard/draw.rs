//! Draws a view: a pure function of it and of the room that there is.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{LineGauge, Sparkline};

use super::view::{Rates, View};
use crate::load::summary::time;

/// How many lines it takes.
pub(super) const HEIGHT: u16 = 7;
/// Nothing is drawn where there are fewer columns.
pub(super) const LEAST_WIDTH: u16 = 40;
/// The columns of the names.
const NAMES: u16 = 10;
/// The columns of a rate.
const RATES: u16 = 12;
/// In narrower room there is a shorter form of each line.
const WIDE: u16 = 72;

/// Draws a view.
pub(super) fn draw(view: &View, frame: &mut Frame<'_>) {
    let rows: [Rect; HEIGHT as usize] = Layout::vertical([Constraint::Length(1); HEIGHT as usize]).areas(frame.area());
    let [top, planned, achieved, accepted, response, late, outcomes] = rows;
    progress(view, frame, top);
    let rates: Vec<Rates> = view.seconds.iter().map(Rates::of).collect();
    let highest = rates.iter().map(|rates| rates.planned.max(rates.achieved)).max().unwrap_or_default();
    for (area, name, colour, of) in [
        (planned, "planned", Color::Blue, (|rates: &Rates| rates.planned) as fn(&Rates) -> u64),
        (achieved, "achieved", Color::Cyan, |rates| rates.achieved),
        (accepted, "accepted", Color::Green, |rates| rates.accepted),
    ] {
        let values: Vec<u64> = rates.iter().map(of).collect();
        rate(frame, area, name, &values, highest, coloured(view, colour));
    }
    let last = view.seconds.back();
    let wide = frame.area().width >= WIDE;
    times(frame, response, "response", last.and_then(|second| second.response_us), wide);
    times(frame, late, "lateness", last.and_then(|second| second.lateness_us), wide);
    fates(view, frame, outcomes);
}

fn coloured(view: &View, colour: Color) -> Style {
    if view.colours { Style::new().fg(colour) } else { Style::new() }
}

/// The first line: what runs, and how far it has come.
fn progress(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let passed = view.passed;
    let far = match (&view.doing, view.lasts_s) {
        (Some(doing), _) => format!("{doing}, {passed} s in all"),
        (None, Some(lasts)) => format!("{passed} of {lasts:.0} s"),
        (None, None) => format!("{passed} s"),
    };
    let warm_up = if view.seconds.back().is_some_and(|second| second.warm_up) { ", warm-up" } else { "" };
    let words = format!("{}: {far}{warm_up}", view.title);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let Some(lasts) = view.lasts_s.filter(|lasts| *lasts > 0.0 && area.width >= WIDE) else {
        frame.render_widget(Line::styled(words, bold), area);
        return;
    };
    let taken = u16::try_from(words.chars().count() + 1).unwrap_or(u16::MAX).min(area.width / 2);
    let [left, right] = Layout::horizontal([Constraint::Length(taken), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Line::styled(words, bold), left);
    let ratio = (passed as f64 / lasts).clamp(0.0, 1.0);
    let filled = coloured(view, Color::Blue);
    // Told apart without colours, too.
    let gauge = LineGauge::default().ratio(ratio).label("").filled_style(filled);
    frame.render_widget(gauge.filled_symbol("━").unfilled_symbol("┄"), right);
}

/// A rate: of the last second, and of those before, all on one scale.
fn rate(frame: &mut Frame<'_>, area: Rect, name: &str, values: &[u64], highest: u64, style: Style) {
    let [left, number, right] =
        Layout::horizontal([Constraint::Length(NAMES), Constraint::Length(RATES), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Line::raw(name.to_owned()), left);
    let last = values.last().map_or_else(|| "–".to_owned(), |value| format!("{value}/s"));
    frame.render_widget(Line::raw(format!("{last:>width$}", width = usize::from(RATES) - 2)), number);
    let shown = values.len().saturating_sub(usize::from(right.width));
    frame.render_widget(Sparkline::default().data(&values[shown..]).max(highest.max(1)).style(style), right);
}

/// The quantiles of a time, in the last second.
fn times(frame: &mut Frame<'_>, area: Rect, name: &str, four: Option<[f64; 4]>, wide: bool) {
    let name = format!("{name:<width$}", width = usize::from(NAMES));
    let words = match four {
        None => "–".to_owned(),
        Some([p50, p90, p99, most]) if wide => {
            let [p50, p90, p99, most] = [p50, p90, p99, most].map(|us| format!("{:<10}", time(us)));
            format!("p50 {p50}  p90 {p90}  p99 {p99}  longest {most}")
        }
        Some([p50, _, p99, _]) => format!("p50 {}  p99 {}", time(p50), time(p99)),
    };
    frame.render_widget(Line::raw(name + &words), area);
}

/// What became of all arrivals, the most frequent first.
fn fates(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let mut counts: Vec<(&String, &u64)> = view.outcomes.iter().collect();
    counts.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    let mut spans = vec![Span::raw(format!("{:<width$}", "outcomes", width = usize::from(NAMES)))];
    if counts.is_empty() {
        spans.push(Span::raw("–"));
    }
    for (at, (fate, count)) in counts.into_iter().enumerate() {
        let style = match fate.as_str() {
            "accepted" => coloured(view, Color::Green),
            "challenged" => Style::new(),
            _ => coloured(view, Color::Yellow),
        };
        let gap = if at > 0 { "  " } else { "" };
        spans.push(Span::styled(format!("{gap}{fate} {count}"), style));
    }
    frame.render_widget(Line::from(spans), area);
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::load::document::SecondNote;

    pub(in super::super) fn second(at: u64, planned: u64, accepted: u64, outcomes: &[(&str, u64)]) -> SecondNote {
        let outcomes: BTreeMap<String, u64> =
            outcomes.iter().map(|(fate, count)| ((*fate).to_owned(), *count)).collect();
        SecondNote {
            at,
            warm_up: at < 2,
            planned,
            requests: planned,
            accepted,
            outcomes,
            response_us: (accepted > 0).then_some([210.0, 480.0, 1_230.0, 2_345_000.0]),
            service_us: None,
            lateness_us: (accepted > 0).then_some([12.0, 30.0, 85.0, 410.0]),
        }
    }

    fn drawn(view: &View, width: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, HEIGHT)).expect("a terminal");
        terminal.draw(|frame| draw(view, frame)).expect("it is drawn");
        terminal.backend().to_string()
    }

    /// Snapshots lie with all others.
    fn hold(name: &str, drawn: String) {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../../../tests/snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.bind(|| insta::assert_snapshot!(name, drawn));
    }

    fn run(title: &str, lasts_s: Option<f64>) -> View {
        let mut view = View { title: title.to_owned(), lasts_s, ..View::default() };
        for at in 0..24 {
            let planned = 100 + 20 * at;
            let accepted = if at > 18 { 300 } else { planned - 5 };
            let refused = planned - accepted - 2;
            let outcomes = [("accepted", accepted), ("refused", refused), ("timed-out", 1), ("starved", 1)];
            view.note(&second(at, planned, accepted, &outcomes));
        }
        view
    }

    #[test]
    fn a_run_is_drawn_wide_and_narrow() {
        let view = run("mixed on embedded", Some(30.0));
        hold("dashboard_wide", drawn(&view, 100));
        hold("dashboard_narrow", drawn(&view, 44));
    }

    #[test]
    fn a_search_says_what_it_tries_and_a_run_that_has_not_begun_shows_nothing() {
        let mut view = run("capacity of embedded", None);
        view.begin("probe of 4000/s");
        hold("dashboard_search", drawn(&view, 80));
        hold("dashboard_before", drawn(&View { title: "t".into(), ..View::default() }, 50));
    }

    #[test]
    fn no_room_is_too_small_to_be_drawn_on() {
        for width in [1, 9, 23] {
            let _ = drawn(&run("mixed on embedded", Some(30.0)), width);
        }
    }
}
