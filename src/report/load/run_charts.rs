//! The charts of a load run.

use super::chart::{Axis, Chart, Mark, Piles, Rule, Series};
use super::words::{number, tick};
use crate::load::document::{LoadResult, SecondNote, TimesNote};
use crate::load::objective::{Objective, Timing};

/// No more places than this are drawn along the time; what lies in one is put together.
const PLACES: usize = 240;

/// What is drawn at one place along the time: some seconds, put together.
struct Place<'a> {
    from: f64,
    to: f64,
    seconds: &'a [SecondNote],
}

impl Place<'_> {
    fn middle(&self) -> f64 {
        f64::midpoint(self.from, self.to)
    }

    /// How many a second.
    fn rate(&self, of: impl Fn(&SecondNote) -> u64) -> f64 {
        self.seconds.iter().map(&of).sum::<u64>() as f64 / self.seconds.len().max(1) as f64
    }

    /// The highest of a quantile.
    fn highest(&self, of: impl Fn(&SecondNote) -> Option<[f64; 4]>, at: usize) -> Option<f64> {
        self.seconds.iter().filter_map(|second| of(second)?.get(at).copied()).reduce(f64::max)
    }
}

fn places(result: &LoadResult) -> Vec<Place<'_>> {
    let each = result.seconds.len().div_ceil(PLACES).max(1);
    let place = |seconds: &'_ [SecondNote]| -> Option<(f64, f64)> {
        Some((seconds.first()?.at as f64, seconds.last()?.at as f64 + 1.0))
    };
    let chunks = result.seconds.chunks(each);
    chunks.filter_map(|seconds| place(seconds).map(|(from, to)| Place { from, to, seconds })).collect()
}

/// All of them, as far as there is something to draw.
pub(super) fn of(result: &LoadResult) -> Vec<Chart> {
    let places = places(result);
    let mut charts = Vec::new();
    if !places.is_empty() {
        charts.push(rates(result, &places));
        charts.extend(percentiles_over_time(result, &places));
        charts.push(outcomes(result, &places));
        charts.extend(throughput_and_latency(&places));
        charts.extend(lateness(result, &places));
    }
    charts.extend(hdr(result));
    charts
}

fn seconds_axis(places: &[Place<'_>]) -> Axis {
    let end = places.last().map_or(1.0, |place| place.to);
    let mut axis = Axis::even("seconds from the start", end, number);
    axis.high = end.max(1.0);
    axis.ticks.retain(|(at, _)| *at <= end);
    axis
}

fn warm_up(result: &LoadResult) -> Option<(f64, f64)> {
    (result.profile.warm_up_s > 0.0).then_some((0.0, result.profile.warm_up_s))
}

fn together(result: &LoadResult, places: &[Place<'_>], how: &str) -> String {
    match result.seconds.len().div_ceil(places.len().max(1)) {
        0 | 1 => String::new(),
        each => format!(" Of every {each} seconds, {how} is shown."),
    }
}

fn rates(result: &LoadResult, places: &[Place<'_>]) -> Chart {
    let line = |name: &str, look, of: &dyn Fn(&SecondNote) -> u64| Series {
        name: name.to_owned(),
        look,
        mark: Mark::Line,
        points: places.iter().map(|place| (place.middle(), place.rate(of))).collect(),
    };
    let series = vec![
        line("planned arrivals", 0, &|second| second.planned),
        line("requests sent", 1, &|second| second.requests),
        line("accepted", 2, &|second| second.accepted),
    ];
    let most = series.iter().flat_map(|series| &series.points).map(|(_, rate)| *rate).fold(0.0, f64::max);
    Chart {
        id: "rates",
        title: "Planned, sent and accepted",
        about: format!(
            "How many arrivals were due, how many requests were sent and how many verifications were accepted in each \
             second.{}",
            together(result, places, "the mean")
        ),
        x: seconds_axis(places),
        y: Axis::even("a second", most, number),
        series,
        piles: None,
        rules: Vec::new(),
        left_out: warm_up(result),
    }
}

fn limit(result: &LoadResult, wanted: Timing) -> Vec<Rule> {
    let limits = result.objectives.iter().filter_map(|note| match note.objective {
        Objective::Time { of, below, .. } if of == wanted => {
            Some(Rule { at: below.as_secs_f64() * 1e6, upright: false, label: note.objective.to_string() })
        }
        Objective::Time { .. } | Objective::AtLeast(..) | Objective::AtMost(..) => None,
    });
    limits.collect()
}

fn percentiles_over_time(result: &LoadResult, places: &[Place<'_>]) -> Option<Chart> {
    let of = |second: &SecondNote| second.response_us;
    let names = ["half", "90 %", "99 %", "the longest"];
    let series: Vec<Series> = (0..4)
        .map(|at| Series {
            name: names[at].to_owned(),
            look: at,
            mark: Mark::Line,
            points: places.iter().filter_map(|place| Some((place.middle(), place.highest(of, at)?))).collect(),
        })
        .collect();
    let all = || series.iter().flat_map(|series| &series.points).map(|(_, us)| *us);
    all().next()?;
    let rules = limit(result, Timing::ResponseTime);
    let y = Axis::powers("response time", all().chain(rules.iter().map(|rule| rule.at)), tick);
    Some(Chart {
        id: "percentiles",
        title: "Response time over time",
        about: format!(
            "How long half, 90 %, 99 % and all of the verifications of each second took, from when they were due.{}",
            together(result, places, "the highest")
        ),
        x: seconds_axis(places),
        y,
        series,
        piles: None,
        rules,
        left_out: warm_up(result),
    })
}

fn outcomes(result: &LoadResult, places: &[Place<'_>]) -> Chart {
    let mut names: Vec<String> = Vec::new();
    for name in result.seconds.iter().flat_map(|second| second.outcomes.keys()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names.sort_by_key(|name| (name != "accepted", name != "challenged", name.clone()));
    let count = |place: &Place<'_>, name: &str| place.rate(|second| second.outcomes.get(name).copied().unwrap_or(0));
    let piles: Vec<(f64, f64, Vec<f64>)> = places
        .iter()
        .map(|place| (place.from, place.to, names.iter().map(|name| count(place, name)).collect()))
        .collect();
    let most = piles.iter().map(|(_, _, parts)| parts.iter().sum::<f64>()).fold(0.0, f64::max);
    let looked = |(at, name): (usize, &String)| {
        let look = match name.as_str() {
            "accepted" => 2,
            "challenged" => 1,
            _ => 3 + at % 5,
        };
        (name.clone(), look)
    };
    Chart {
        id: "outcomes",
        title: "What became of them",
        about: format!(
            "What became of the arrivals that ended in each second, on each other.{}",
            together(result, places, "the mean")
        ),
        x: seconds_axis(places),
        y: Axis::even("a second", most, number),
        series: Vec::new(),
        piles: Some(Piles { names: names.iter().enumerate().map(looked).collect(), piles }),
        rules: Vec::new(),
        left_out: warm_up(result),
    }
}

fn throughput_and_latency(places: &[Place<'_>]) -> Option<Chart> {
    let of = |second: &SecondNote| second.response_us;
    let dots = |name: &str, look, mark, at| Series {
        name: name.to_owned(),
        look,
        mark,
        points: places
            .iter()
            .filter(|place| place.seconds.iter().all(|second| !second.warm_up))
            .filter_map(|place| Some((place.rate(|second| second.accepted), place.highest(of, at)?)))
            .collect(),
    };
    let series = vec![dots("half", 0, Mark::Rings, 0), dots("99 %", 2, Mark::Crosses, 2)];
    let all = || series.iter().flat_map(|series| &series.points);
    all().next()?;
    Some(Chart {
        id: "throughput",
        title: "Throughput and latency",
        about:
            "Each second by how many verifications were accepted in it and how long they took. Where the marks turn \
                upwards, the target has no more to give."
                .to_owned(),
        x: Axis::even("accepted a second", all().map(|(rate, _)| *rate).fold(0.0, f64::max), number),
        y: Axis::powers("response time", all().map(|(_, us)| *us), tick),
        series,
        piles: None,
        rules: Vec::new(),
        left_out: None,
    })
}

fn lateness(result: &LoadResult, places: &[Place<'_>]) -> Option<Chart> {
    let of = |second: &SecondNote| second.lateness_us;
    let names = [(0, "half"), (2, "99 %"), (3, "the latest")];
    let series: Vec<Series> = names
        .iter()
        .map(|(at, name)| Series {
            name: (*name).to_owned(),
            look: *at,
            mark: Mark::Line,
            points: places.iter().filter_map(|place| Some((place.middle(), place.highest(of, *at)?))).collect(),
        })
        .collect();
    let all = || series.iter().flat_map(|series| &series.points).map(|(_, us)| *us);
    all().next()?;
    let label = format!("a valid run: p99 up to {}", tick(result.profile.lateness_limit_us));
    let rules = vec![Rule { at: result.profile.lateness_limit_us, upright: false, label }];
    // Below a microsecond nothing is told apart.
    let values = all().map(|us| us.max(1.0)).chain([result.profile.lateness_limit_us]);
    Some(Chart {
        id: "lateness",
        title: "How late this program was",
        about: format!(
            "From when an arrival was due to when it was taken up: what the generator adds to the times above.{}",
            together(result, places, "the highest")
        ),
        x: seconds_axis(places),
        y: Axis::powers("lateness", values, tick),
        series,
        piles: None,
        rules,
        left_out: warm_up(result),
    })
}

/// The plot on which HDR histograms are drawn: each step to the right is ten times as rare.
fn hdr(result: &LoadResult) -> Option<Chart> {
    let rare = |percent: f64| (1.0 / (1.0 - percent / 100.0)).log10();
    // A quantile says something up to what one in so many is.
    let drawn = |times: &TimesNote| -> Vec<(f64, f64)> {
        let most = (times.count.max(2) as f64).log10();
        let steps = times.percentiles.iter().filter(|at| at.percent < 100.0 && rare(at.percent) <= most);
        let mut points: Vec<(f64, f64)> = steps.map(|at| (rare(at.percent), at.us.max(1.0))).collect();
        points.push((most.min(6.0), times.max_us.max(1.0)));
        points
    };
    let series: Vec<Series> = result
        .times
        .iter()
        .enumerate()
        .map(|(look, (name, times))| Series {
            name: name.replace('_', " "),
            look,
            mark: Mark::Line,
            points: drawn(times),
        })
        .collect();
    let all = || series.iter().flat_map(|series| &series.points);
    let most = all().map(|(x, _)| *x).reduce(f64::max)?;
    let high = most.ceil().max(1.0);
    let words = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"];
    let ticks = words.iter().enumerate().map(|(at, word)| (at as f64, (*word).to_owned()));
    let ticks = ticks.take_while(|(at, _)| *at <= high).collect();
    let y = Axis::powers("time", all().map(|(_, us)| *us), tick);
    Some(Chart {
        id: "hdr",
        title: "Times by how rare they are",
        about: "Of so many percent, all took no longer. Each division to the right is ten times as rare; the last point of \
                a line is the longest that was measured."
            .to_owned(),
        x: Axis { label: "percent", scale: super::chart::Scale::Linear, low: 0.0, high, ticks },
        y,
        series,
        piles: None,
        rules: Vec::new(),
        left_out: None,
    })
}
