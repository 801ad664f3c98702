//! The charts of a search for the capacity.

use super::chart::{Axis, Chart, Mark, Rule, Series};
use super::words::{number, tick};
use crate::load::document::{CapacityResult, Probe};
use crate::load::search::Shown;

/// Along how many places a law is drawn.
const PLACES: u32 = 120;

/// All of them, as far as there is something to draw.
pub(super) fn of(result: &CapacityResult) -> Vec<Chart> {
    let mut charts = Vec::new();
    charts.extend(latency(result));
    charts.extend(offered(result));
    charts.extend(crowds(result));
    charts
}

const MET: &[Shown] = &[Shown::Met];
const MISSED: &[Shown] = &[Shown::Missed, Shown::NoData, Shown::Silent];
const INVALID: &[Shown] = &[Shown::Invalid];

fn probes(result: &CapacityResult, shown: &[Shown], of: impl Fn(&Probe) -> Option<(f64, f64)>) -> Vec<(f64, f64)> {
    result.probes.iter().filter(|probe| shown.contains(&probe.shown)).filter_map(of).collect()
}

fn knee(result: &CapacityResult) -> Vec<Rule> {
    let borne = result.borne_per_s.map(|at| Rule { at, upright: true, label: format!("borne: {}/s", number(at)) });
    borne.into_iter().collect()
}

fn latency(result: &CapacityResult) -> Option<Chart> {
    let p99 = |probe: &Probe| Some((probe.accepted_per_s, probe.response_p99_us?));
    let p50 = |probe: &Probe| Some((probe.accepted_per_s, probe.response_p50_us?));
    let named = |name: &str, look, mark, points| Series { name: name.to_owned(), look, mark, points };
    let mut series = vec![
        named("half, objectives met", 0, Mark::Rings, probes(result, MET, p50)),
        named("99 %, objectives met", 2, Mark::Dots, probes(result, MET, p99)),
        named("99 %, objectives missed", 3, Mark::Crosses, probes(result, MISSED, p99)),
        named("99 %, this program was the limit", 5, Mark::Squares, probes(result, INVALID, p99)),
    ];
    series.retain(|series| !series.points.is_empty());
    let all = || series.iter().flat_map(|series| &series.points);
    all().next()?;
    let most = all().map(|(rate, _)| *rate).chain(result.borne_per_s).fold(0.0, f64::max);
    let (x, y) =
        (Axis::even("accepted a second", most, number), Axis::powers("response time", all().map(|(_, us)| *us), tick));
    Some(Chart {
        id: "latency",
        title: "Throughput and latency",
        about: "Each probe by how many verifications were accepted a second and how long they took; the line is the rate that \
                was found to be borne: the knee. Single probes may have met more, where the target is not always as fast."
            .to_owned(),
        x,
        y,
        series,
        piles: None,
        rules: knee(result),
        left_out: None,
    })
}

fn offered(result: &CapacityResult) -> Option<Chart> {
    let point = |probe: &Probe| Some((probe.rate, probe.accepted_per_s));
    let most = result.probes.iter().map(|probe| probe.rate).reduce(f64::max)?;
    let named = |name: &str, look, mark, points| Series { name: name.to_owned(), look, mark, points };
    let mut series = vec![
        named("all that is offered", 6, Mark::Line, vec![(0.0, 0.0), (most, most)]),
        named("objectives met", 2, Mark::Dots, probes(result, MET, point)),
        named("objectives missed", 3, Mark::Crosses, probes(result, MISSED, point)),
        named("this program was the limit", 5, Mark::Squares, probes(result, INVALID, point)),
    ];
    series.retain(|series| !series.points.is_empty());
    Some(Chart {
        id: "offered",
        title: "Offered and accepted",
        about: "Each probe by the rate that was offered and the rate that was accepted: how the target degrades beyond what \
                it bears."
            .to_owned(),
        x: Axis::even("offered a second", most, number),
        y: Axis::even("accepted a second", most, number),
        series,
        piles: None,
        rules: knee(result),
        left_out: None,
    })
}

fn crowds(result: &CapacityResult) -> Option<Chart> {
    let points = |valid: bool| -> Vec<(f64, f64)> {
        let of = result.crowds.iter().filter(|crowd| crowd.invalid.is_empty() == valid);
        of.map(|crowd| (f64::from(crowd.clients), crowd.accepted_per_s)).collect()
    };
    let named = |name: &str, look, mark, points| Series { name: name.to_owned(), look, mark, points };
    let curve = result.scaling.as_ref().map_or(Vec::new(), |fit| {
        let at = |place: u32| fit.from + (fit.to - fit.from) * f64::from(place) / f64::from(PLACES);
        (0..=PLACES).map(at).filter_map(|n| Some((n, fit.throughput(n)?))).collect()
    });
    let mut series = vec![
        named("the law that fits, within what was measured", 0, Mark::Line, curve),
        named("measured", 2, Mark::Dots, points(true)),
        named("measured, but it says nothing about the target", 5, Mark::Squares, points(false)),
    ];
    series.retain(|series| !series.points.is_empty());
    let all = || series.iter().flat_map(|series| &series.points);
    let most = all().map(|(clients, _)| *clients).reduce(f64::max)?;
    Some(Chart {
        id: "crowds",
        title: "Clients and throughput",
        about: "How many verifications a second so many clients get through who each wait for an answer and ask again at once, \
                and the universal scalability law that fits them."
            .to_owned(),
        x: Axis::even("clients at once", most, number),
        y: Axis::even("accepted a second", all().map(|(_, rate)| *rate).fold(0.0, f64::max), number),
        series,
        piles: None,
        rules: Vec::new(),
        left_out: None,
    })
}
