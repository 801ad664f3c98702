//! Load profiles: what is sent, how fast, and what the run must show. Raw file to checked type.

mod journey;

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::crowd::Crowd;
use super::journey::act::{Act, Journey};
use super::mix::{Kind, Mix};
use super::objective::Objective;
use super::pace::{Herd, Pace, Piece, Spacing};
use super::request::Connect;
use crate::built_in;
use crate::quantity::{Rate, Share, Span};
use crate::source::Source;
use crate::yaml::{self, FileError, Spanned};

/// The folder of the built-in profiles.
const FOLDER: &str = "scenarios/load";
/// No probe of a search is longer, in seconds, unless it is said to be.
const LONGEST_PROBE: f64 = 60.0;
/// No run is longer.
const LONGEST: Duration = Duration::from_secs(86_400);

/// A checked load profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it is for, in a line.
    pub about: String,
    /// The action, by its surface; of a journey, its acts in a line.
    pub action: String,
    /// The acts that users walk through, where there is more than one action.
    pub journey: Option<Journey>,
    /// When arrivals are due.
    pub pace: Pace,
    /// What they carry.
    pub mix: Mix,
    /// What is left out of the whole.
    pub warm_up: Duration,
    /// How many connections there may be at once.
    pub connections: u32,
    /// Whether they are used again.
    pub connect: Connect,
    /// How long an arrival waits for a connection, and then for its answer.
    pub patience: Duration,
    /// How often a user guesses at most.
    pub guesses_per_user: u32,
    /// What the run must show.
    pub objectives: Vec<Objective>,
    /// What must not fail for long, or the run is ended.
    pub abort: Vec<Objective>,
    /// When a run says nothing about the target.
    pub valid: Validity,
    /// How the capacity is searched for.
    pub capacity: Capacity,
}

/// What this program itself must do for a run to say something about the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Validity {
    /// Of a hundred arrivals ninety-nine are taken up no later than this. Unless said it is a tenth of the tightest
    /// objective about a time, and no less than a millisecond.
    pub lateness_p99: Span,
    /// At least this share of the planned arrivals finds a user with an unspent code.
    pub cast: Share,
    /// In the closed model, no sending thread is awake for a larger share of the time.
    pub busy: Share,
    /// In the closed model, no sending thread is ready to run, and not let, for a larger share of the time.
    pub held_up: Share,
}

#[derive(Debug, Clone, Copy, Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawValidity {
    lateness_p99: Option<Span>,
    cast: Option<Share>,
    busy: Option<Share>,
    held_up: Option<Share>,
}

impl RawValidity {
    fn checked(self, objectives: &[Objective]) -> Validity {
        let tightest = objectives.iter().filter_map(|objective| match objective {
            Objective::Time { below, .. } => Some(*below / 10),
            Objective::AtLeast(..) | Objective::AtMost(..) => None,
        });
        let least = Duration::from_millis(1);
        let unless_said = tightest.min().map_or(least, |tenth| tenth.max(least));
        Validity {
            lateness_p99: self.lateness_p99.unwrap_or(Span(unless_said)),
            cast: self.cast.unwrap_or(Share::of(0.99)),
            busy: self.busy.unwrap_or(Share::of(0.95)),
            held_up: self.held_up.unwrap_or(Share::of(0.05)),
        }
    }
}

/// How the capacity is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Capacity {
    /// The first rate.
    pub from: Rate,
    /// The highest that is asked for.
    pub up_to: Rate,
    /// How near the two sides of the answer must come.
    pub within: Share,
    /// How long a probe lasts, its warm-up left out.
    pub probe: Span,
    /// How long a confirmation lasts.
    pub confirm: Span,
    /// Either lasts longer, up to a minute, where fewer arrivals than this would come: few say little.
    pub arrivals: u32,
    /// How often each side of the answer is to be confirmed.
    pub repeats: u32,
    /// The beginning of each that is left out.
    pub warm_up: Span,
    /// Then 1, 2, 4 and so on clients up to so many, who never think, get through what they can; 0 for none.
    pub clients_up_to: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Capacity {
            from: Rate::per_second(100.0),
            up_to: Rate::per_second(50_000.0),
            within: Share::of(0.05),
            probe: Span(Duration::from_secs(4)),
            confirm: Span(Duration::from_secs(10)),
            arrivals: 200,
            repeats: 3,
            warm_up: Span(Duration::from_secs(1)),
            clients_up_to: 0,
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("oneOf" = [{ "required": ["action"] }, { "required": ["journey"] }]))]
pub(crate) struct Raw {
    /// Its name.
    name: String,
    /// What it is for, in a line.
    #[serde(default)]
    about: String,
    /// The action, by its surface.
    #[schemars(with = "Option<String>")]
    action: Option<Spanned<String>>,
    /// In place of one action, those that each client of the closed model performs one after the other, over and over.
    #[schemars(with = "Option<Vec<Act>>")]
    journey: Option<Spanned<Vec<Act>>>,
    /// How arrivals come.
    #[serde(default)]
    model: Model,
    /// When arrivals are due, in the open model: phases, one after the other.
    #[schemars(with = "Option<Vec<Phase>>")]
    pace: Option<Spanned<Vec<Phase>>>,
    /// Who comes again and again, in the closed model.
    #[schemars(with = "Option<RawClients>")]
    clients: Option<Spanned<RawClients>>,
    /// How arrivals are spaced.
    #[serde(default)]
    arrivals: Spacing,
    /// A herd that arrives at each edge of a 30-second step, beside the pace.
    herd: Option<RawHerd>,
    /// What arrivals carry, by weight; valid codes alone when not said.
    #[schemars(with = "Option<Mix>")]
    mix: Option<Spanned<Mix>>,
    /// The beginning that is left out of the whole.
    #[schemars(with = "Option<Span>")]
    warm_up: Option<Spanned<Span>>,
    /// How many connections there may be at once.
    #[schemars(with = "Option<u32>")]
    connections: Option<Spanned<u32>>,
    /// Whether connections are used again.
    #[serde(default)]
    connect: Connect,
    /// How long an arrival waits for a connection, and then for its answer.
    #[schemars(with = "Option<Span>")]
    patience: Option<Spanned<Span>>,
    /// How often a user guesses at most.
    #[schemars(with = "Option<u32>")]
    guesses_per_user: Option<Spanned<u32>>,
    /// What the run must show.
    #[schemars(with = "Vec<Objective>")]
    objectives: Spanned<Vec<Objective>>,
    /// What must not fail for long, or the run is ended.
    #[serde(default)]
    abort: Vec<Objective>,
    /// When a run says nothing about the target.
    #[serde(default)]
    valid: RawValidity,
    /// How the capacity is searched for.
    #[schemars(with = "Option<Capacity>")]
    capacity: Option<Spanned<Capacity>>,
}

#[derive(Debug, Deserialize, Default, Clone, Copy, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Model {
    /// Arrivals by schedule, whatever becomes of those before.
    #[default]
    Open,
    /// Clients who each wait for an answer, think, and come again.
    Closed,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawClients {
    /// How many there are.
    number: u32,
    /// How long each thinks after an answer: just so long where `arrivals` are even, on average where they are not.
    #[serde(default)]
    think: Option<Span>,
    /// How long the run lasts.
    r#for: Span,
    /// What they are foreseen to reach at most: the users that are needed follow from it.
    up_to: Rate,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawHerd {
    size: u32,
    within: Span,
}

/// A phase of a pace, as people think of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Phase {
    Constant {
        rate: Rate,
        r#for: Span,
    },
    Ramp {
        from: Rate,
        to: Rate,
        r#for: Span,
    },
    Steps {
        from: Rate,
        to: Rate,
        by: Rate,
        each: Span,
    },
    /// A base, a burst, and the base again.
    Spike {
        base: Rate,
        peak: Rate,
        before: Span,
        r#for: Span,
        after: Span,
    },
}

impl Phase {
    fn pieces(&self) -> Result<Vec<Piece>, String> {
        match self {
            Phase::Constant { rate, r#for } => Ok(vec![Piece::constant(*rate, r#for.0)]),
            Phase::Ramp { from, to, r#for } => Ok(vec![Piece { from: *from, to: *to, lasts: r#for.0 }]),
            Phase::Steps { from, to, by, each } => {
                let steps = (to.get() - from.get()).abs() / by.get();
                if !(steps.is_finite() && steps <= 1_000.0) {
                    return Err(format!("from {from} to {to} by {by} is no number of steps up to 1000"));
                }
                let sign = if to >= from { 1.0 } else { -1.0 };
                let rate = |step: u32| Rate::per_second(from.get() + sign * f64::from(step) * by.get());
                Ok((0..=steps as u32).map(|step| Piece::constant(rate(step), each.0)).collect())
            }
            Phase::Spike { base, peak, before, r#for, after } => Ok(vec![
                Piece::constant(*base, before.0),
                Piece::constant(*peak, r#for.0),
                Piece::constant(*base, after.0),
            ]),
        }
    }
}

impl Profile {
    /// How many clients at once a search for the capacity tries.
    pub fn capacity_clients(&self) -> impl Iterator<Item = u32> + use<> {
        let up_to = self.capacity.clients_up_to;
        std::iter::successors(Some(1_u32), |clients| clients.checked_mul(2))
            .take_while(move |clients| *clients <= up_to)
    }
}

impl Capacity {
    /// How long a probe of a rate lasts that would last so long.
    pub fn lasting(&self, rate: Rate, usual: Span) -> Duration {
        let enough = f64::from(self.arrivals) / rate.get().max(1e-3);
        usual.0.max(Duration::from_secs_f64(enough.min(LONGEST_PROBE)))
    }
}

/// The names of the built-in profiles.
pub fn names() -> Vec<&'static str> {
    built_in::names(FOLDER)
}

/// Finds a profile by built-in name or file.
pub fn find(name: &str) -> Result<Profile, FileError> {
    let is_file = Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_file {
        read(&Source::File(PathBuf::from(name)))
    } else if names().contains(&name) {
        read(&Source::BuiltIn(format!("{FOLDER}/{name}.yaml")))
    } else {
        let hint = format!("{}; or a .yaml file", yaml::allowed(name, &names()));
        Err(FileError::whole(name, "no load profile of this name", Some(hint)))
    }
}

/// Reads a profile and checks it.
pub fn read(source: &Source) -> Result<Profile, FileError> {
    let raw: Raw = source.parse()?;
    let journey = journey::of(source, &raw)?;
    let connections = match (&raw.clients, &journey) {
        // Whoever walks has connections of his own.
        (Some(clients), Some(_)) => clients.value.number,
        _ => within(source, raw.connections.as_ref(), 64, 1..=60_000)?,
    };
    let pace = pace(source, &raw, connections)?;
    let warm_up = raw.warm_up.as_ref().map_or(Duration::ZERO, |span| span.value.0);
    if let Some(written) = raw.warm_up.as_ref().filter(|_| warm_up >= pace.lasts()) {
        let message = format!("the warm-up takes all of the run, which lasts {}", Span(pace.lasts()));
        return Err(source.wrong(written, message, None));
    }
    let mix = match (&raw.mix, &journey) {
        (Some(written), _) => written.value,
        (None, Some(journey)) => journey.mix(),
        (None, None) => Mix::of_right_codes(),
    };
    if let Some(written) = &raw.mix {
        if mix.whole() == 0 {
            return Err(source.wrong(written, "no kind has a weight", Some("`{ right: 1 }`".to_owned())));
        }
        if mix.weight(Kind::Unprotected) > 0 && mix.share(|kind| kind == Kind::Unprotected) < 1.0 {
            let message = "whoever has no second factor has nothing to prove himself with";
            let hint = Some("let `unprotected` be the only kind, in a profile of its own".to_owned());
            return Err(source.wrong(written, message, hint));
        }
        if mix.weight(Kind::Replayed) > 0 && mix.share(Kind::spends) == 0.0 {
            let hint = Some("give `right` or `exchange` a weight".to_owned());
            return Err(source.wrong(written, "there is nothing to replay where nothing is accepted", hint));
        }
    }
    let guesses_per_user = within(source, raw.guesses_per_user.as_ref(), 8, 1..=1_000_000)?;
    let patience = raw.patience.as_ref().map_or(Duration::from_secs(5), |span| span.value.0);
    let allowed = Duration::from_millis(1)..=Duration::from_secs(120);
    if let Some(written) = raw.patience.as_ref().filter(|_| !allowed.contains(&patience)) {
        let message = format!("`{}`; allowed: {} to {}", Span(patience), Span(*allowed.start()), Span(*allowed.end()));
        return Err(source.wrong(written, message, None));
    }
    if raw.objectives.value.is_empty() {
        let hint = Some("`success >= 99.9 %`, `p99 response_time < 250 ms`".to_owned());
        return Err(source.wrong(&raw.objectives, "a run without objectives says nothing", hint));
    }
    let capacity = raw.capacity.as_ref().map(|capacity| capacity.value).unwrap_or_default();
    if let Some(written) = &raw.capacity {
        check(&capacity, connections).map_err(|message| source.wrong(written, message, None))?;
    }
    Ok(Profile {
        name: raw.name,
        about: raw.about,
        action: match (raw.action, &journey) {
            (Some(action), _) => action.value,
            (None, Some(journey)) => journey.line(),
            (None, None) => return Err(journey::nothing_to_do(source)),
        },
        journey,
        pace,
        mix,
        warm_up,
        connections,
        connect: raw.connect,
        patience,
        guesses_per_user,
        valid: raw.valid.checked(&raw.objectives.value),
        objectives: raw.objectives.value,
        abort: raw.abort,
        capacity,
    })
}

/// How arrivals come, by the model.
fn pace(source: &Source, raw: &Raw, connections: u32) -> Result<Pace, FileError> {
    let lasts_wrongly = |lasts: Duration| format!("it lasts {}; allowed: up to {}", Span(lasts), Span(LONGEST));
    match (raw.model, &raw.pace, &raw.clients) {
        (Model::Open, Some(written), None) => {
            let mut pieces = Vec::new();
            for phase in &written.value {
                pieces.extend(phase.pieces().map_err(|message| source.wrong(written, message, None))?);
            }
            let herd = raw.herd.as_ref().map(|herd| Herd { size: herd.size, within: herd.within.0 });
            let pace = Pace { pieces, spacing: raw.arrivals, herd, crowd: None };
            match pace.lasts() {
                lasts if lasts.is_zero() || lasts > LONGEST => Err(source.wrong(written, lasts_wrongly(lasts), None)),
                _ => Ok(pace),
            }
        }
        (Model::Closed, None, Some(written)) => {
            let RawClients { number, think, r#for, up_to } = &written.value;
            let think = think.map_or(Duration::ZERO, |span| span.0);
            let pace = Pace {
                crowd: Some(Crowd { clients: *number, think }),
                ..Pace::constant(*up_to, r#for.0, raw.arrivals)
            };
            if r#for.0.is_zero() || r#for.0 > LONGEST {
                return Err(source.wrong(written, lasts_wrongly(r#for.0), None));
            }
            if *number == 0 || (think.is_zero() && *number > connections) {
                let message = format!("{number} clients on {connections} connections");
                let hint = "at least one; and where nobody thinks, each takes a connection all the time".to_owned();
                return Err(source.wrong(written, message, Some(hint)));
            }
            if raw.herd.is_some() {
                let hint = Some("it belongs to the open model".to_owned());
                return Err(source.wrong(written, "clients who wait for an answer are no herd", hint));
            }
            Ok(pace)
        }
        (Model::Open, None, _) => {
            let hint = Some("`pace: [{ constant: { rate: 100/s, for: 10 s } }]`; or `model: closed`".to_owned());
            Err(FileError::whole(source.name(), "the open model has no `pace`", hint))
        }
        (Model::Closed, _, None) => {
            let hint = Some("`clients: { number: 50, think: 1 s, for: 10 s, up-to: 1000/s }`".to_owned());
            Err(FileError::whole(source.name(), "the closed model has no `clients`", hint))
        }
        (Model::Open, Some(_), Some(written)) => {
            let hint = Some("`model: closed`, or leave them out".to_owned());
            Err(source.wrong(written, "`clients` belong to the closed model", hint))
        }
        (Model::Closed, Some(written), Some(_)) => {
            let hint = Some("leave it out: how fast clients come depends on the answers".to_owned());
            Err(source.wrong(written, "`pace` belongs to the open model", hint))
        }
    }
}

fn check(capacity: &Capacity, connections: u32) -> Result<(), String> {
    let Capacity { from, up_to, within, probe, confirm, repeats, clients_up_to, .. } = capacity;
    if from.get() <= 0.0 || from > up_to {
        return Err(format!("from {from} up to {up_to} is nowhere to search"));
    }
    if within.get() < 0.005 {
        return Err(format!("within {within}; allowed: 0.5 % and more"));
    }
    if probe.0 < Duration::from_millis(100) || confirm.0 < probe.0 {
        return Err(format!("a probe of {probe} and a confirmation of {confirm}; a confirmation is no shorter"));
    }
    if *clients_up_to > connections {
        return Err(format!("{clients_up_to} clients on {connections} connections; each takes one all the time"));
    }
    if *repeats > 100 {
        return Err(format!("{repeats} repeats; allowed: up to 100"));
    }
    Ok(())
}

fn within(
    source: &Source,
    written: Option<&Spanned<u32>>,
    default: u32,
    allowed: std::ops::RangeInclusive<u32>,
) -> Result<u32, FileError> {
    match written {
        None => Ok(default),
        Some(written) if allowed.contains(&written.value) => Ok(written.value),
        Some(written) => {
            let message = format!("`{}`; allowed: {} to {}", written.value, allowed.start(), allowed.end());
            Err(source.wrong(written, message, None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(text: &str) -> Result<Profile, FileError> {
        read(&Source::Written { name: "p.yaml".to_owned(), text: text.to_owned() })
    }

    const REST: &str = "name: p\naction: profile-set:fullname\nobjectives: [success >= 99 %]\n";

    #[test]
    fn every_built_in_profile_reads_and_its_action_can_be_sent() {
        let dialect = std::sync::Arc::new(crate::target::find("embedded").expect("the target").dialect);
        let base = "http://127.0.0.1:1".parse().expect("an address");
        assert!(names().len() >= 4, "{:?}", names());
        for name in names() {
            let profile = find(name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(profile.name, name);
            super::super::manner::Manner::of(&dialect, &profile, &base).expect(name);
        }
    }

    #[test]
    fn phases_become_pieces() {
        let pieces = |pace: &str| profile(&format!("{REST}pace: {pace}\n")).expect("reads").pace.pieces;
        let steps = pieces("[{ steps: { from: 100/s, to: 300/s, by: 100/s, each: 2 s } }]");
        assert_eq!(steps.iter().map(|piece| piece.from.get()).collect::<Vec<_>>(), [100.0, 200.0, 300.0]);
        let down = pieces("[{ steps: { from: 300/s, to: 100/s, by: 100/s, each: 2 s } }]");
        assert_eq!(down.iter().map(|piece| piece.to.get()).collect::<Vec<_>>(), [300.0, 200.0, 100.0]);
        let spike = pieces("[{ spike: { base: 1/s, peak: 9/s, before: 1 s, for: 2 s, after: 3 s } }]");
        assert_eq!(spike.len(), 3);
        assert_eq!(pieces("[{ ramp: { from: 1/s, to: 9/s, for: 1 s } }]")[0].to.get(), 9.0);
    }

    #[test]
    fn a_slow_probe_lasts_until_enough_have_come_or_a_minute() {
        let capacity = Capacity::default();
        let lasting = |rate| capacity.lasting(Rate::per_second(rate), capacity.probe).as_secs_f64();
        assert_eq!([lasting(1_000.0), lasting(50.0), lasting(10.0), lasting(0.5)], [4.0, 4.0, 20.0, 60.0]);
    }

    #[test]
    fn clients_take_the_place_of_a_pace() {
        let clients = "model: closed\nclients: { number: 8, think: 20 ms, for: 3 s, up-to: 400/s }\n";
        let read = profile(&format!("{REST}{clients}")).expect("reads").pace;
        assert_eq!(read.crowd, Some(Crowd { clients: 8, think: Duration::from_millis(20) }));
        assert_eq!((read.peak().get(), read.lasts()), (400.0, Duration::from_secs(3)));
        let constant = "pace: [{ constant: { rate: 10/s, for: 1 s } }]\n";
        for (text, said) in [
            (REST.to_owned(), "the open model has no `pace`"),
            (format!("{REST}model: closed\n"), "the closed model has no `clients`"),
            (format!("{REST}{constant}{}", clients.replace("closed", "open")), "p.yaml:6:10: `clients` belong to"),
            (format!("{REST}{constant}{clients}"), "p.yaml:4:7: `pace` belongs to"),
            (format!("{REST}{}", clients.replace("8, think: 20 ms", "65")), "65 clients on 64 connections"),
            (format!("{REST}{}", clients.replace("for: 3 s", "for: 0 s")), "it lasts 0"),
            (format!("{REST}{clients}herd: {{ size: 4, within: 1 s }}\n"), "no herd"),
        ] {
            let error = profile(&text).expect_err(&text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let constant = "pace: [{ constant: { rate: 10/s, for: 1 s } }]\n";
        for (text, said) in [
            (format!("{REST}pace: []\n"), "p.yaml:4:7: it lasts"),
            (format!("{REST}{constant}warm-up: 1 s\n"), "p.yaml:5:10: the warm-up takes all"),
            (format!("{REST}{constant}mix: {{ right: 0 }}\n"), "p.yaml:5:6: no kind has a weight"),
            (format!("{REST}{constant}mix: {{ replayed: 1 }}\n"), "nothing to replay"),
            (format!("{REST}{constant}mix: {{ unprotected: 1, right: 1 }}\n"), "nothing to prove himself with"),
            (format!("{REST}{constant}mix: {{ rigth: 1 }}\n"), "unknown key `rigth`"),
            (format!("{REST}{constant}connections: 0\n"), "p.yaml:5:14: `0`; allowed: 1 to 60000"),
            (format!("{REST}{constant}patience: 10 min\n"), "allowed: 1 ms to 120 s"),
            (format!("{REST}{constant}colour: red\n"), "p.yaml:5:1: unknown key `colour`"),
            (format!("{REST}pace: [{{ constant: {{ rate: fast, for: 1 s }} }}]\n"), "`fast` is no rate"),
            (
                format!("{REST}pace: [{{ steps: {{ from: 1/s, to: 9/s, by: 0/s, each: 1 s }} }}]\n"),
                "no number of steps",
            ),
            (format!("{REST}{constant}capacity: {{ from: 9/s, up-to: 1/s }}\n"), "nowhere to search"),
            (REST.replace("99 %", "99") + constant, "no share"),
            (REST.replace("[success >= 99 %]", "[]") + constant, "says nothing"),
        ] {
            let error = profile(&text).expect_err(&text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
