//! The engine, driven against the reference registry and against servers that misbehave.

mod load_stub;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use load_stub::{Manner, Stub, registry};
use stepup::load::fate::Fate;
use stepup::load::mix::{Kind, Mix};
use stepup::load::objective::{Measured as _, Part};
use stepup::load::pace::{Pace, Spacing};
use stepup::load::quantity::Rate;
use stepup::load::request::{self, Connect};
use stepup::load::run::{Outcome, Plan, conduct};
use stepup::load::sizing::Crew;
use stepup::load::users::{PoolSeed, Users};
use stepup::registry::Mutant;

const SEED: PoolSeed = PoolSeed([7; 32]);

fn mix(text: &str) -> Mix {
    stepup::yaml::parse("mix", text).expect("a mix")
}

fn plan(address: std::net::SocketAddr, mix: Mix, rate: f64, seconds: f64) -> Plan {
    let dialect = Arc::new(stepup::target::find("embedded").expect("the target").dialect);
    let base = format!("http://{address}").parse().expect("an address");
    let surface = "profile-set:fullname";
    let forms = request::forms(&dialect, surface, &base, Connect::KeepAlive).expect("forms");
    let pace = Pace::constant(Rate::per_second(rate), Duration::from_secs_f64(seconds), Spacing::Even);
    let crew = Crew::needed(&pace, &mix, 8, 2);
    Plan {
        address,
        dialect,
        surface: surface.to_owned(),
        forms,
        pace,
        mix,
        users: Users::seeded(SEED, crew.all()),
        crew,
        connections: 8,
        connect: Connect::KeepAlive,
        patience: Duration::from_secs(2),
        warm_up: Duration::ZERO,
        skew: (1, 1),
        seed: 1,
        spent_through: 0,
        cores: vec![None, None],
    }
}

fn run(plan: &Plan) -> Outcome {
    conduct(plan, &AtomicBool::new(false), |_, _| {}).expect("the run ends")
}

fn count(outcome: &Outcome, kind: Kind, fate: Fate) -> u64 {
    outcome.whole.counts.of(kind, fate)
}

#[test]
fn every_kind_becomes_what_it_must_and_the_registry_counts_what_the_report_says() {
    let all = "{ right: 8, wrong: 1, replayed: 1, expired: 1, challenge-only: 2, recovery-code: 1, exchange: 2 }";
    let mut plan = plan("127.0.0.1:1".parse().expect("an address"), mix(all), 500.0, 1.0);
    let registry = registry(SEED.0, plan.crew.all(), None);
    plan = Plan { address: registry.address, ..plan };
    let outcome = run(&plan);
    assert_eq!(outcome.whole.planned, 500);
    assert_eq!(outcome.whole.share(Part::Success).map(|share| share.get()), Some(1.0), "{:?}", outcome.whole.counts);
    for kind in Kind::ALL {
        let fate = if kind.must() == Kind::Right.must() { Fate::Accepted } else { Fate::Challenged };
        let seen = count(&outcome, kind, fate);
        assert!(seen > 0, "{} was not {}: {:?}", kind.name(), fate.name(), outcome.whole.counts);
    }
    let seen = registry.statistics();
    let exchanges = count(&outcome, Kind::Exchange, Fate::Accepted);
    assert_eq!(seen.requests, outcome.requests);
    assert_eq!(outcome.requests, 500 + exchanges);
    assert_eq!(seen.accepted_proofs, outcome.whole.counts.sum(|_, fate| fate == Fate::Accepted));
    assert_eq!(seen.bare_challenges, count(&outcome, Kind::ChallengeOnly, Fate::Challenged) + exchanges);
    assert_eq!(outcome.breaches, 0);
}

#[test]
fn what_a_faulty_registry_lets_through_is_a_breach_whatever_the_latency() {
    for (mutant, kind) in [
        (Mutant::ReplayAccepted, Kind::Replayed),
        (Mutant::WideWindow, Kind::Expired),
        (Mutant::ProfileUnchallenged, Kind::Wrong),
        (Mutant::ProfileUnchallenged, Kind::ChallengeOnly),
        (Mutant::ProfileUnchallenged, Kind::Exchange),
    ] {
        let mut plan = plan(
            "127.0.0.1:1".parse().expect("an address"),
            mix(&format!("{{ right: 1, {}: 1 }}", kind.name())),
            100.0,
            0.3,
        );
        let registry = registry(SEED.0, plan.crew.all(), Some(mutant));
        plan = Plan { address: registry.address, ..plan };
        let outcome = run(&plan);
        // An expired code is twenty steps old, further off than the fault looks.
        let wanted = mutant != Mutant::WideWindow;
        assert_eq!(outcome.breaches > 0, wanted, "{mutant:?} {}: {:?}", kind.name(), outcome.whole.counts);
    }
}

#[test]
fn each_way_to_fail_is_counted_as_what_it_is_and_the_run_ends() {
    for (manner, fate) in [
        (Manner::HalfWay, Fate::BrokenOff),
        (Manner::Hangs, Fate::BrokenOff),
        (Manner::Garbage, Fate::Garbage),
        (Manner::Silent, Fate::TimedOut),
    ] {
        let stub = Stub::start(manner);
        let mut plan = plan(stub.address, Mix::of_right_codes(), 200.0, 0.25);
        plan.patience = Duration::from_millis(100);
        plan.connections = 64;
        let outcome = run(&plan);
        let ended = outcome.whole.counts.sum(|_, _| true);
        assert_eq!((outcome.whole.planned, ended), (50, 50), "{manner:?}: {:?}", outcome.whole.counts);
        let seen = count(&outcome, Kind::Right, fate);
        let unsent = count(&outcome, Kind::Right, Fate::Unsent);
        assert!(seen > 0 && seen + unsent == 50, "{manner:?}: {:?}", outcome.whole.counts);
        assert_eq!(stub.requests(), outcome.requests, "{manner:?}");
        assert_eq!(outcome.whole.share(Part::Success).map(|share| share.get()), Some(0.0));
    }
}

#[test]
fn a_target_that_is_not_there_is_tried_again_within_the_schedule() {
    // A port that was free a moment ago, and that nobody listens on.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let mut plan = plan(gone, Mix::of_right_codes(), 200.0, 0.25);
    plan.patience = Duration::from_millis(50);
    let outcome = run(&plan);
    assert_eq!(count(&outcome, Kind::Right, Fate::Unsent), 50);
    assert_eq!(outcome.requests, 0);
    // Each shard backs off, so that there are fewer attempts than arrivals.
    assert!((2..40).contains(&outcome.whole.unopened), "{}", outcome.whole.unopened);
}

#[test]
fn a_connection_for_each_request_is_opened_for_each() {
    let mut plan = plan("127.0.0.1:1".parse().expect("an address"), Mix::of_right_codes(), 300.0, 0.5);
    let registry = registry(SEED.0, plan.crew.all(), None);
    let base = format!("http://{}", registry.address).parse().expect("an address");
    plan.forms = request::forms(&plan.dialect, &plan.surface, &base, Connect::PerRequest).expect("forms");
    plan = Plan { address: registry.address, connect: Connect::PerRequest, connections: 64, ..plan };
    let outcome = run(&plan);
    assert_eq!(count(&outcome, Kind::Right, Fate::Accepted), 150, "{:?}", outcome.whole.counts);
    assert!(outcome.whole.opened >= 150, "{}", outcome.whole.opened);
    assert_eq!(registry.statistics().requests, 150);
}

#[test]
fn users_without_an_unspent_code_starve_and_are_not_made_to_replay() {
    let mut plan = plan("127.0.0.1:1".parse().expect("an address"), Mix::of_right_codes(), 400.0, 0.5);
    plan.crew = Crew { spending: 20, guessing: 0, recovering: 0 };
    plan.users = Users::seeded(SEED, 20);
    let registry = registry(SEED.0, 20, None);
    plan = Plan { address: registry.address, ..plan };
    let outcome = run(&plan);
    // A run that lies across the edge of a step has two codes for each user.
    let accepted = count(&outcome, Kind::Right, Fate::Accepted);
    assert!((20..=40).contains(&accepted), "{accepted}");
    assert_eq!(count(&outcome, Kind::Right, Fate::Starved), 200 - accepted);
    assert_eq!(registry.statistics().refused_proofs, 0);
}

#[test]
fn a_stop_is_heard_and_what_was_measured_is_kept() {
    let stub = Stub::start(Manner::Fine);
    let plan = plan(stub.address, Mix::of_right_codes(), 500.0, 600.0);
    let stop = AtomicBool::new(false);
    let mut seconds = Vec::new();
    let outcome = conduct(&plan, &stop, |at, sums| {
        seconds.push((at, sums.planned));
        stop.store(true, Ordering::Relaxed);
    })
    .expect("the run ends");
    assert!(!outcome.complete);
    assert_eq!(stub.requests(), outcome.requests);
    assert!(outcome.requests > 0);
    assert_eq!(seconds.iter().map(|(_, planned)| planned).sum::<u64>(), outcome.whole.planned);
}
