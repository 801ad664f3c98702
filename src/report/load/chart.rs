//! Charts as SVG: no script, no style of their own, every word and number theirs. The page's style sheet has the colours,
//! for light and for dark; lines of different series differ in their dashes as well.

use std::fmt::Write as _;

use serde::Serialize;

/// The size of a chart, in its own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
/// What lies around the plot: left, top, right, bottom.
const MARGIN: [f64; 4] = [74.0, 14.0, 34.0, 46.0];

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Evenly.
    Linear,
    /// By factors.
    Log,
}

/// An axis.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) scale: Scale,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Mark {
    Line,
    Dots,
    Rings,
    Squares,
    Crosses,
}

/// Points of one kind.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) name: String,
    /// Which of the colours and dashes.
    pub(super) look: usize,
    pub(super) mark: Mark,
    pub(super) points: Vec<(f64, f64)>,
}

/// Bars on each other, one pile for each place.
#[derive(Debug, Clone)]
pub(super) struct Piles {
    pub(super) names: Vec<(String, usize)>,
    /// From, to, and how much of each name.
    pub(super) piles: Vec<(f64, f64, Vec<f64>)>,
}

/// A line across the plot at a value of the vertical or the horizontal axis.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) at: f64,
    pub(super) upright: bool,
    pub(super) label: String,
}

/// A chart.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What it shows, in a sentence.
    pub(super) about: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    pub(super) piles: Option<Piles>,
    pub(super) rules: Vec<Rule>,
    /// The part of the horizontal axis that does not count.
    pub(super) left_out: Option<(f64, f64)>,
}

/// What stands beside a chart, as its template has it.
#[derive(Debug, Serialize)]
pub(super) struct Drawn {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) about: String,
    pub(super) legend: Vec<Entry>,
}

/// A line of the legend.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    name: String,
    look: usize,
    mark: &'static str,
}

impl Axis {
    /// An even axis from zero to what is needed.
    pub(super) fn even(label: &'static str, most: f64, unit: impl Fn(f64) -> String) -> Self {
        let most = if most.is_finite() && most > 0.0 { most } else { 1.0 };
        let rough = most / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(power * 10.0);
        let count = (most / step).ceil().max(1.0);
        let ticks = (0..=count as u32).map(|at| f64::from(at) * step).map(|at| (at, unit(at))).collect();
        Axis { label, scale: Scale::Linear, low: 0.0, high: count * step, ticks }
    }

    /// An axis of powers of ten around what there is.
    pub(super) fn powers(label: &'static str, values: impl Iterator<Item = f64>, unit: impl Fn(f64) -> String) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| *value > 0.0 && value.is_finite()) {
            (least, most) = (least.min(value), most.max(value));
        }
        if least > most {
            (least, most) = (1.0, 10.0);
        }
        let (first, last) = (least.log10().floor(), most.log10().ceil());
        let last = if last > first { last } else { first + 1.0 };
        let ticks = (first as i32..=last as i32).map(|power| 10_f64.powi(power)).map(|at| (at, unit(at))).collect();
        Axis { label, scale: Scale::Log, low: 10_f64.powf(first), high: 10_f64.powf(last), ticks }
    }

    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.max(self.low).log10() - self.low.log10()) / (self.high.log10() - self.low.log10()),
        };
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }
}

impl Chart {
    fn across(&self, value: f64) -> f64 {
        MARGIN[0] + self.x.place(value) * (WIDTH - MARGIN[0] - MARGIN[2])
    }

    fn up(&self, value: f64) -> f64 {
        HEIGHT - MARGIN[3] - self.y.place(value) * (HEIGHT - MARGIN[1] - MARGIN[3])
    }

    /// What stands beside it.
    pub(super) fn draw(&self) -> Drawn {
        let mut legend: Vec<Entry> = Vec::new();
        for (name, look) in self.piles.iter().flat_map(|piles| &piles.names) {
            legend.push(Entry { name: name.clone(), look: *look, mark: "pile" });
        }
        for series in &self.series {
            let mark = match series.mark {
                Mark::Line => "line",
                Mark::Dots => "dots",
                Mark::Rings => "rings",
                Mark::Squares => "squares",
                Mark::Crosses => "crosses",
            };
            legend.push(Entry { name: series.name.clone(), look: series.look, mark });
        }
        Drawn { id: self.id, title: self.title, about: self.about.clone(), legend }
    }

    /// The drawing itself, with its words escaped.
    pub(super) fn svg(&self) -> String {
        let mut out = String::new();
        // Writing into memory does not fail.
        let _ = write!(
            out,
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{0}-title {0}-about\">",
            self.id
        );
        let (left, right) = (MARGIN[0], WIDTH - MARGIN[2]);
        let (top, bottom) = (MARGIN[1], HEIGHT - MARGIN[3]);
        if let Some((from, to)) = self.left_out {
            let (from, to) = (self.across(from), self.across(to));
            let (width, height) = (to - from, bottom - top);
            let _ = write!(
                out,
                "<rect class=\"left-out\" x=\"{from:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height}\"/>"
            );
        }
        for (at, label) in &self.y.ticks {
            let y = self.up(*at);
            let _ = write!(out, "<path class=\"grid\" d=\"M{left} {y:.1}H{right}\"/>");
            let _ =
                write!(out, "<text class=\"end\" x=\"{}\" y=\"{:.1}\">{}</text>", left - 7.0, y + 4.0, escape(label));
        }
        for (at, label) in &self.x.ticks {
            let x = self.across(*at);
            let _ = write!(out, "<path class=\"grid\" d=\"M{x:.1} {bottom}v5\"/>");
            let _ = write!(out, "<text class=\"middle\" x=\"{x:.1}\" y=\"{}\">{}</text>", bottom + 18.0, escape(label));
        }
        let middle = (left + right) / 2.0;
        let _ = write!(
            out,
            "<text class=\"middle name\" x=\"{middle}\" y=\"{}\">{}</text>",
            HEIGHT - 8.0,
            escape(self.x.label)
        );
        let half = (top + bottom) / 2.0;
        let _ = write!(
            out,
            "<text class=\"middle name\" transform=\"translate(14 {half}) rotate(-90)\">{}</text>",
            escape(self.y.label)
        );
        self.draw_piles(&mut out);
        for series in &self.series {
            self.draw_series(series, &mut out);
        }
        for rule in &self.rules {
            let label = escape(&rule.label);
            if rule.upright {
                let x = self.across(rule.at);
                let (class, at) = if x > middle { ("end", x - 5.0) } else { ("begin", x + 5.0) };
                let _ = write!(out, "<path class=\"rule\" d=\"M{x:.1} {top}V{bottom}\"/>");
                let _ = write!(out, "<text class=\"{class} name\" x=\"{at:.1}\" y=\"{}\">{label}</text>", top + 12.0);
            } else {
                let y = self.up(rule.at);
                let at = if y < top + 18.0 { y + 14.0 } else { y - 5.0 };
                let _ = write!(out, "<path class=\"rule\" d=\"M{left} {y:.1}H{right}\"/>");
                let _ = write!(out, "<text class=\"end name\" x=\"{}\" y=\"{at:.1}\">{label}</text>", right - 4.0);
            }
        }
        let _ = write!(out, "<path class=\"frame\" d=\"M{left} {top}V{bottom}H{right}\"/></svg>");
        out
    }

    fn draw_series(&self, series: &Series, out: &mut String) {
        let look = series.look;
        let places = series.points.iter().map(|(x, y)| (self.across(*x), self.up(*y)));
        match series.mark {
            Mark::Line if series.points.len() > 1 => {
                let _ = write!(out, "<path class=\"line look-{look}\" d=\"");
                for (at, (x, y)) in places.enumerate() {
                    let _ = write!(out, "{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' });
                }
                out.push_str("\"/>");
            }
            Mark::Line | Mark::Dots => {
                for (x, y) in places {
                    let _ = write!(out, "<circle class=\"dot look-{look}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
                }
            }
            Mark::Rings => {
                for (x, y) in places {
                    let _ = write!(out, "<circle class=\"ring look-{look}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
                }
            }
            Mark::Squares => {
                for (x, y) in places {
                    let (left, top) = (x - 4.0, y - 4.0);
                    let _ = write!(out, "<path class=\"ring look-{look}\" d=\"M{left:.1} {top:.1}h8v8h-8z\"/>");
                }
            }
            Mark::Crosses => {
                for (x, y) in places {
                    let (left, top) = (x - 4.0, y - 4.0);
                    let _ = write!(out, "<path class=\"cross look-{look}\" d=\"M{left:.1} {top:.1}l8 8m0-8l-8 8\"/>");
                }
            }
        }
    }

    fn draw_piles(&self, out: &mut String) {
        let Some(Piles { names, piles }) = &self.piles else { return };
        for (from, to, parts) in piles {
            let (x, width) = (self.across(*from), (self.across(*to) - self.across(*from)).max(0.5));
            let mut below = 0.0;
            for (part, (_, look)) in parts.iter().zip(names) {
                let (bottom, top) = (self.up(below), self.up(below + part));
                below += part;
                if bottom > top {
                    let height = bottom - top;
                    let _ = write!(
                        out,
                        "<rect class=\"pile look-{look}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
                    );
                }
            }
        }
    }
}

fn escape(text: &str) -> String {
    crate::report::text::clean(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_axes_end_above_what_they_show_on_round_numbers() {
        for (most, high, ticks) in
            [(0.0, 1.0, 6), (7.0, 8.0, 5), (10.0, 10.0, 6), (1_234.0, 1_500.0, 4), (0.03, 0.03, 4)]
        {
            let axis = Axis::even("x", most, |at| format!("{at}"));
            assert!((axis.high - high).abs() < high * 1e-9 && axis.ticks.len() == ticks, "{most}: {axis:?}");
        }
    }

    #[test]
    fn axes_of_powers_hold_what_they_show_and_nothing_is_shown_as_something() {
        let axis = Axis::powers("y", [0.0, 120.0, 9_000.0].into_iter(), |at| format!("{at}"));
        assert_eq!((axis.low, axis.high, axis.ticks.len()), (100.0, 10_000.0, 3));
        assert!(axis.place(120.0) > 0.0 && axis.place(9_000.0) < 1.0);
        assert_eq!(axis.place(f64::NAN), 0.0);
        let none = Axis::powers("y", std::iter::empty(), |at| format!("{at}"));
        assert_eq!((none.low, none.high), (1.0, 10.0));
    }

    #[test]
    fn words_in_a_chart_steer_nothing() {
        let axis = Axis::even("x", 1.0, |_| "</svg><script>&".to_owned());
        let (x, y) = (axis.clone(), axis);
        let rules = vec![Rule { at: 0.5, upright: true, label: "<b>".to_owned() }];
        let (series, piles, left_out) = (Vec::new(), None, None);
        let chart = Chart { id: "c", title: "t", about: String::new(), x, y, series, piles, rules, left_out };
        let svg = chart.svg();
        assert!(!svg.contains("<script") && !svg.contains("<b>") && svg.ends_with("</svg>"), "{svg}");
    }
}
