//! What a load run or a search says on a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroUsize;

use super::goose;
use super::words::{number, share, time};
use crate::load::document::{BreachNote, CapacityResult, Ending, LoadResult, Model, Probe, Verdict};
use crate::load::mix::Kind;
use crate::load::objective::Standing;
use crate::load::search::{Purpose, Shown};
use crate::quantity::Rate;
use crate::report::text::{clean, counted};

/// How a run ended, in a line.
pub(super) fn conclusion(result: &LoadResult) -> &'static str {
    match result.verdict {
        Verdict::Held => "Held: all objectives met",
        Verdict::Missed => "Missed: not all objectives met",
        Verdict::Breached => "Breached: the second factor let through what it must not",
        Verdict::Invalid => "Invalid: the run says nothing about the target",
        Verdict::NoData if !result.unperformed.is_empty() => "No data: not every act was performed",
        Verdict::NoData if result.totals.accepted == 0 && result.totals.sent > 0 => {
            "No data: nothing that must succeed was accepted, so nothing of a second factor was measured"
        }
        Verdict::NoData => "No data: an objective had nothing to measure",
        Verdict::Incomplete => "Incomplete: interrupted",
        Verdict::Unreachable => "Unreachable: nothing was answered",
    }
}

/// What became of an objective, in a word.
pub(super) fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Met => "met",
        Standing::Missed => "MISSED",
        Standing::NoData => "NO DATA",
    }
}

/// How arrivals came, in a few words.
pub(super) fn model(result: &LoadResult) -> String {
    match (result.profile.model, &result.profile.clients) {
        (Model::Closed, Some(clients)) if !result.profile.journey.is_empty() => format!(
            "closed: {} clients who walk through {} acts, driven by goose, and think for {} s after each",
            clients.number,
            result.profile.journey.len(),
            clients.think_s
        ),
        (Model::Closed, Some(clients)) if clients.think_s > 0.0 => {
            format!(
                "closed: {} clients who each wait for an answer and think for {} s",
                clients.number, clients.think_s
            )
        }
        (Model::Closed, Some(clients)) => {
            format!("closed: {} clients who each wait for an answer and ask again at once", clients.number)
        }
        (Model::Open, _) | (Model::Closed, None) => "open: by schedule, whatever became of those before".to_owned(),
    }
}

/// Some of what was let through and must not have been, a line each.
pub(super) fn breaches(evidence: &[BreachNote]) -> impl Iterator<Item = String> {
    evidence.iter().take(5).map(|breach| {
        let (kind, verdict) = (breach.kind.name(), breach.verdict);
        let (user, status, at) = (clean(&breach.user), breach.status, breach.at_s);
        format!("  {kind} ({verdict}) by {user} at {at:.3} s, status {status}")
    })
}

/// What stands on top: what makes everything below it worth less.
pub(super) fn warnings(result: &LoadResult) -> Vec<String> {
    let mut warnings: Vec<String> = result.invalid.iter().map(|reason| format!("INVALID: {reason}")).collect();
    if result.breaches.count > 0 {
        warnings.push(format!("BREACHED: {} requests were let through that must not be", result.breaches.count));
        warnings.extend(breaches(&result.breaches.evidence));
    }
    warnings.extend(result.unperformed.iter().map(|act| {
        let why = "the run was too short, its users had no more codes, or there was nothing to replay";
        format!("NOT PERFORMED: {}: {why}", clean(act))
    }));
    warnings.extend(result.aborted.as_ref().map(|aborted| format!("ABORTED: {aborted}")));
    if result.verdict == Verdict::Held {
        warnings.extend(unshown(&result.profile.mix));
    }
    warnings
}

/// That a second factor was not shown, where nothing in a mix had to be refused or challenged: a target that lets
/// everything through answers such a mix as well as a sound one. Users without a second factor are to show none.
pub(super) fn unshown(mix: &BTreeMap<String, u32>) -> Option<String> {
    let of = |kind: Kind| mix.get(kind.name()).is_some_and(|weight| *weight > 0);
    // The first request of these two carries no proof.
    let shows = |kind: Kind| !kind.must_succeed() || matches!(kind, Kind::Exchange | Kind::Key | Kind::Unprotected);
    let silent = Kind::ALL.into_iter().any(of) && !Kind::ALL.into_iter().any(|kind| of(kind) && shows(kind));
    silent.then(|| {
        "NOT SHOWN: nothing in the mix had to be refused, so a target that takes any code would do as well; \
         `wrong: 1` in the mix tells the two apart"
            .to_owned()
    })
}

/// The same of a search that has found something.
pub(super) fn unshown_by_search(result: &CapacityResult) -> Option<String> {
    let search = result.search.as_ref().filter(|_| result.breaches == 0 && result.borne_per_s.is_some())?;
    unshown(&search.mix)
}

/// What sent, in a line.
pub(super) fn sender(generator: &crate::load::document::GeneratorNote) -> String {
    let cores: Vec<String> = generator.cores.iter().map(usize::to_string).collect();
    let cores = match cores.as_slice() {
        [] => "cores of the system's choice".to_owned(),
        [core] => format!("core {core}"),
        cores => format!("cores {}", cores.join(", ")),
    };
    let load = generator.load_average.map_or(String::new(), |load| format!(", load average of the machine {load}"));
    let held_up = generator.held_up.map_or(String::new(), |held_up| format!(", held up {}", share(held_up)));
    let (threads, priority, busy) = (generator.threads, generator.priority.name(), share(generator.busy));
    let threads = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    format!("{threads} on {cores}, priority {priority}, busy {busy}{held_up}{load}")
}

/// How connections were used, in a line.
pub(super) fn connections(result: &LoadResult) -> Option<String> {
    let note = result.connections.as_ref()?;
    let of = |us: Option<f64>| us.map_or_else(|| "no time".to_owned(), time);
    let (number, in_use, held, waited) =
        (note.number, share(note.in_use), of(note.held_mean_us), of(note.waited_mean_us));
    let times = format!("a request held one for {held} and waited {waited} for one on average");
    Some(if note.short {
        let all = if number == 1 { "the only one was".to_owned() } else { format!("all {number} were") };
        format!("{all} in use, {in_use} of the time, and {times}: they may be the limit, and not the target")
    } else {
        format!("up to {number}, in use {in_use} of the time; {times}")
    })
}

/// A run.
pub(super) fn of_run(result: &LoadResult) -> String {
    let mut text = String::new();
    let mut say = |line: std::fmt::Arguments<'_>| {
        // Writing into memory does not fail.
        let _ = writeln!(text, "{line}");
    };
    for warning in warnings(result) {
        say(format_args!("{warning}"));
    }
    say(format_args!("{}: {}", clean(&result.profile.name), clean(&result.profile.about)));
    say(format_args!("target: {}, {}", clean(&result.target.name), clean(&result.profile.request)));
    say(format_args!("model: {}", model(result)));
    say(format_args!("sender: {}", sender(&result.generator)));
    if let Some(line) = connections(result) {
        say(format_args!("connections: {line}"));
    }
    let totals = &result.totals;
    say(format_args!(""));
    for (name, count, rate) in [
        ("planned", totals.planned, totals.planned_per_s),
        ("sent", totals.sent, totals.sent_per_s),
        ("accepted", totals.accepted, totals.accepted_per_s),
    ] {
        say(format_args!("  {name:<10} {count:>10}   {rate:>10.1}/s"));
    }
    let users = &result.users;
    let (there, sustain) = (users.there, users.sustain_per_s);
    match users.prepared {
        Some(prepared) => say(format_args!("  {:<10} {prepared:>10}   each prepared for one arrival", "users")),
        None if sustain <= 0.0 => say(format_args!("  {:<10} {there:>10}   without a second factor", "users")),
        None => {
            say(format_args!("  {:<10} {there:>10}   {sustain:>10.1}/s sustained, one code for each 30 s", "users"));
        }
    }
    say(format_args!(""));
    say(format_args!("  {:<16}{:>10}{:>12}{:>12}{:>12}{:>12}{:>12}", "", "count", "p50", "p90", "p99", "p99.9", "max"));
    for (name, times) in &result.times {
        let at = |percent: f64| {
            times.percentiles.iter().find(|at| at.percent >= percent).map_or(String::new(), |at| time(at.us))
        };
        let (name, max) = (name.replace('_', " "), time(times.max_us));
        let (p50, p90, p99, p999) = (at(50.0), at(90.0), at(99.0), at(99.9));
        say(format_args!("  {name:<16}{:>10}{p50:>12}{p90:>12}{p99:>12}{p999:>12}{max:>12}", times.count));
    }
    say(format_args!(""));
    for outcome in &result.outcomes {
        let (kind, fate) = (outcome.kind.name(), outcome.fate.name());
        say(format_args!("  {kind:<16}{fate:<22}{:>10}   {}", outcome.count, outcome.verdict));
    }
    if let Some(note) = &result.goose {
        say(format_args!(""));
        say(format_args!("  {}", goose::line(note, result.totals.waited)));
        for row in [goose::HEAD.map(str::to_owned)].into_iter().chain(goose::rows(note)) {
            let [what, count, failed, p50, p90, p99, max] = row;
            say(format_args!("  {what:<46}{count:>8}{failed:>8}{p50:>11}{p90:>11}{p99:>11}{max:>11}"));
        }
    }
    say(format_args!(""));
    for note in &result.objectives {
        say(format_args!("  {:<40} {:<8} {}", note.objective.to_string(), standing(note.standing), note.seen));
    }
    say(format_args!("{}", conclusion(result)));
    text
}

/// How a search ended, in a line.
pub(super) fn ended(result: &CapacityResult) -> String {
    let rate = |rate: Option<f64>| format!("{}/s", number(rate.unwrap_or_default()));
    let (borne, missed) = (rate(result.borne_per_s), rate(result.missed_per_s));
    let ended = match result.end {
        _ if result.breaches > 0 => {
            format!("Breached: {} requests were let through that must not be; the search was ended", result.breaches)
        }
        None => match &result.broken_off {
            Some(why) => format!("Incomplete: broken off, for this machine could not go on: {}", clean(why)),
            None => "Incomplete: interrupted".to_owned(),
        },
        Some(Ending::Found) => format!("Capacity: {borne} met the objectives, {missed} did not"),
        Some(Ending::Doomed) => format!("Doomed: the objectives are met at no rate, not even at {missed}"),
        Some(Ending::GeneratorBound) => format!("Generator-bound: at least {borne}; this program could not send more"),
        Some(Ending::UserBound) => {
            format!("User-bound: at least {borne}; {} users have no more codes to spend", result.users)
        }
        Some(Ending::BeyondAsked) => format!("At least {borne}, the highest rate that the profile asks for"),
        Some(Ending::ConnectionBound) => {
            let all =
                result.search.as_ref().map_or("all connections were".to_owned(), |search| all_of(search.connections));
            format!(
                "Connection-bound: at least {borne}; at {missed} {all} in use, and each request was answered as fast as at \
                 lower rates"
            )
        }
        Some(Ending::NoData) => format!("No data: an objective had nothing to measure at any rate, down to {missed}"),
        Some(Ending::Unreachable) => format!("Unreachable: nothing was answered, not at {missed} either"),
    };
    let is_cut_short = result.end.is_some() && !result.complete && result.breaches == 0;
    let why = if result.broken_off.is_some() { "broken off" } else { "interrupted" };
    if is_cut_short { format!("{ended}; {why} before all clients were measured") } else { ended }
}

/// So many connections, when they are all that there may be, and that they were.
fn all_of(connections: u32) -> String {
    if connections == 1 { "its connection was".to_owned() } else { format!("all {connections} connections were") }
}

/// What the confirmations showed.
pub(super) fn confirmed(result: &CapacityResult) -> Option<String> {
    let confirmed = result.confirmed.as_ref()?;
    let then =
        |how: &str, did: &str, rate: f64| format!("; the target was {how} for a while, and {did} {}/s", number(rate));
    let slower = confirmed.missed_below_per_s.map_or_else(String::new, |rate| then("slower", "missed", rate));
    let faster = confirmed.met_above_per_s.map_or_else(String::new, |rate| then("faster", "met", rate));
    let longer = |probe: &&Probe| probe.purpose == Purpose::Confirmation && probe.shown != Shown::Invalid;
    let above = |probe: &&Probe| {
        let at = |missed: f64| (probe.rate - missed).abs() <= missed * 1e-9;
        longer(probe) && result.missed_per_s.is_some_and(at)
    };
    let (met_above, tried_above) = result
        .probes
        .iter()
        .filter(above)
        .fold((0, 0), |(met, all), probe| (met + usize::from(probe.shown == Shown::Met), all + 1));
    let unsteady = match (met_above, result.missed_per_s) {
        (1.., Some(missed)) => format!("; {}/s was met {}", number(missed), times(met_above, tried_above - met_above)),
        (_, _) => String::new(),
    };
    let runs = confirmed.runs + confirmed.missed_runs.map_or(0, NonZeroUsize::get);
    let all = result.probes.iter().filter(longer).count();
    let of_all = if all > runs { format!(" in {all} longer probes up and down") } else { String::new() };
    let spread = match confirmed.runs {
        ..=1 => ", whose spread one run does not show".to_owned(),
        _ => format!(
            ", from {} to {}/s (spread {})",
            number(confirmed.least_per_s),
            number(confirmed.most_per_s),
            share(confirmed.spread)
        ),
    };
    Some(format!(
        "confirmed {}{of_all}: {}/s accepted{spread}{unsteady}{slower}{faster}",
        times(confirmed.runs, confirmed.missed_runs.map_or(0, NonZeroUsize::get)),
        number(confirmed.accepted_per_s),
    ))
}

/// How often a rate was met, of how often it was tried.
fn times(met: usize, missed: usize) -> String {
    if missed == 0 { counted(met, "time") } else { format!("{met} of {}", counted(met + missed, "time")) }
}

/// What the search came to its end at: what the lowest rate that missed the objectives missed, which is what bounds the
/// target as far as a client sees it, or why the last probe says nothing about it. With a word for what that is.
pub(super) fn bound_by(result: &CapacityResult) -> Option<(&'static str, String)> {
    let at = |probe: &Probe| format!("at {}/s: {}", number(probe.rate), clean(&probe.why.join("; ")));
    let mut latest = result.probes.iter().rev();
    match (result.missed_per_s, result.end) {
        (Some(missed), _) => latest
            .find(|probe| {
                !matches!(probe.shown, Shown::Met | Shown::Invalid) && (probe.rate - missed).abs() <= missed * 1e-9
            })
            .map(|probe| ("Missed", at(probe))),
        (None, Some(Ending::GeneratorBound | Ending::UserBound)) => {
            latest.find(|probe| probe.shown == Shown::Invalid).map(|probe| ("Invalid", at(probe)))
        }
        (None, _) => None,
    }
}

/// What the users bear.
pub(super) fn users(result: &CapacityResult) -> String {
    let users = number(f64::from(result.users));
    if result.users_sustain_per_s <= 0.0 {
        return format!("{users}, without a second factor");
    }
    let (sustain, bear) = (number(result.users_sustain_per_s), number(result.users_bear_per_s));
    let sustained = format!("{users}, who sustain {sustain} valid codes a second, one for each 30 s");
    // A mix that spends no codes is borne at any rate.
    if result.users_bear_per_s >= Rate::HIGHEST {
        sustained
    } else {
        format!("{sustained}; of this mix they bear {bear}/s")
    }
}

/// The law that fits the crowds.
pub(super) fn scaling(result: &CapacityResult) -> Vec<String> {
    let Some(fit) = &result.scaling else { return Vec::new() };
    let between = |of: &crate::load::scaling::Estimate, shown: &dyn Fn(f64) -> String| {
        format!("{} ({} to {})", shown(of.value), shown(of.low), shown(of.high))
    };
    let small = |value: f64| format!("{value:.4}");
    let mut lines = vec![format!(
        "law of {} crowds of {} to {} clients, nine in ten: λ {}/s, σ {}, κ {}; off by {} at most",
        fit.points,
        fit.from,
        fit.to,
        between(&fit.lambda, &number),
        between(&fit.sigma, &small),
        between(&fit.kappa, &small),
        share(fit.misfit)
    )];
    lines.push(match &fit.peak_at {
        Some(peak) if peak.value > fit.to => {
            format!("the peak lies beyond the {} clients that were measured, where the law is not answered for", fit.to)
        }
        Some(peak) => {
            format!("most, {}/s, at {} clients", between(&fit.most_per_s, &number), between(peak, &number))
        }
        None => format!(
            "most within the {} clients measured: {}/s; no peak is in sight",
            fit.to,
            between(&fit.most_per_s, &number)
        ),
    });
    lines
}

/// A search.
pub(super) fn of_capacity(result: &CapacityResult) -> String {
    let mut lines = vec![ended(result)];
    lines.extend(breaches(&result.evidence));
    lines.extend(confirmed(result).map(|line| format!("  {line}")));
    lines.extend(bound_by(result).map(|(what, line)| format!("  {} {line}", what.to_lowercase())));
    lines.extend(unshown_by_search(result).map(|line| format!("  {line}")));
    lines.push(format!("  users: {}", users(result)));
    lines.extend(scaling(result).into_iter().map(|line| format!("  {line}")));
    lines.push(format!("  sender: {}", sender(&result.generator)));
    lines.join("\n") + "\n"
}

/// What a probe was for, and what it showed.
pub(super) fn probe_words(purpose: Purpose, shown: Shown) -> (&'static str, &'static str) {
    let purpose = match purpose {
        Purpose::Search => "search",
        Purpose::Confirmation => "confirmation",
    };
    let shown = match shown {
        Shown::Met => "met",
        Shown::Missed => "missed",
        Shown::NoData => "no data",
        Shown::Silent => "no answer",
        Shown::Invalid => "invalid",
    };
    (purpose, shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_in_which_nothing_must_be_refused_shows_no_second_factor() {
        let said = |mix: &[(&str, u32)]| unshown(&mix.iter().map(|(kind, n)| ((*kind).to_owned(), *n)).collect());
        for mix in [&[("right", 1)][..], &[("right", 3), ("recovery-code", 1)], &[("right", 1), ("wrong", 0)]] {
            assert!(said(mix).is_some_and(|said| said.starts_with("NOT SHOWN")), "{mix:?}");
        }
        for mix in [
            &[("right", 1), ("wrong", 1)][..],
            &[("exchange", 1)],
            &[("key", 1)],
            &[("challenge-only", 1), ("right", 9)],
            &[("unprotected", 1)],
            &[],
        ] {
            assert_eq!(said(mix), None, "{mix:?}");
        }
    }
}
