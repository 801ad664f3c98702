//! The engine, driven against the reference registry and against servers that misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stepup::load::crowd::Crowd;
use stepup::load::desk::{Sent, Sort};
use stepup::load::fate::Fate;
use stepup::load::mix::{Kind, Mix};
use stepup::load::objective::{Measured as _, Part};
use stepup::load::pace::{Pace, Spacing};
use stepup::load::request::{self, Connect};
use stepup::load::roster::Serves;
use stepup::load::run::{Outcome, Plan, conduct};
use stepup::load::script::Script;
use stepup::load::sizing::Crew;
use stepup::load::stream::Tls;
use stepup::load::tally::Unopened;
use stepup::load::users::{PoolSeed, Users};
use stepup::quantity::Rate;
use stepup::registry::Mutant;

use crate::stub::{Manner, Mortal, Stub, registry};

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
        errands: None,
        serves: Serves::Again,
        pace,
        mix,
        users: Users::seeded(SEED, crew.all()),
        crew,
        connections: 8,
        connect: Connect::KeepAlive,
        tls: None,
        patience: Duration::from_secs(2),
        warm_up: Duration::ZERO,
        skew: (1, 1),
        seed: 1,
        spent_through: 0,
        cores: vec![None, None],
        own_cores: false,
    }
}

/// Challenges answered by security keys, on the pages of the registry at an address.
fn by_key(plan: &Plan, address: std::net::SocketAddr) -> Option<Arc<Sent>> {
    let base = format!("http://{address}").parse().expect("an address");
    let script = Script::of(Arc::clone(&plan.dialect), &plan.surface, &base, plan.connect).expect("a script");
    Some(Arc::new(Sent { script, sort: Sort::Keys, prepared: Vec::new(), other: None }))
}

fn run(plan: &Plan) -> Outcome {
    conduct(plan, &AtomicBool::new(false), |_, _| {}).expect("the run ends")
}

fn count(outcome: &Outcome, kind: Kind, fate: Fate) -> u64 {
    outcome.whole.counts.of(kind, fate)
}

#[test]
fn every_kind_becomes_what_it_must_and_the_registry_counts_what_the_report_says() {
    let all =
        "{ right: 8, wrong: 1, replayed: 1, expired: 1, challenge-only: 2, recovery-code: 1, exchange: 2, key: 1 }";
    let mut plan = plan("127.0.0.1:1".parse().expect("an address"), mix(all), 500.0, 1.0);
    let registry = registry(SEED.0, plan.crew.all(), None);
    plan = Plan { address: registry.address, errands: by_key(&plan, registry.address), ..plan };
    let outcome = run(&plan);
    assert_eq!(outcome.whole.planned, 500);
    assert_eq!(outcome.whole.share(Part::Success).map(|share| share.get()), Some(1.0), "{:?}", outcome.whole.counts);
    // Users without a second factor are a mix of their own.
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Unprotected) {
        let fate = if kind.must() == Kind::Right.must() { Fate::Accepted } else { Fate::Challenged };
        let seen = count(&outcome, kind, fate);
        assert!(seen > 0, "{} was not {}: {:?}", kind.name(), fate.name(), outcome.whole.counts);
    }
    let seen = registry.statistics();
    let exchanges = count(&outcome, Kind::Exchange, Fate::Accepted);
    // The request, the page's options, the assertion, what the page has made, and the request again.
    let keys = count(&outcome, Kind::Key, Fate::Accepted);
    assert_eq!(seen.requests, outcome.requests);
    assert_eq!(outcome.requests, 500 + exchanges + 4 * keys);
    assert_eq!(seen.accepted_proofs, outcome.whole.counts.sum(|_, fate| fate == Fate::Accepted));
    assert_eq!(seen.bare_challenges, count(&outcome, Kind::ChallengeOnly, Fate::Challenged) + exchanges + keys);
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
        (Mutant::ProfileUnchallenged, Kind::Key),
    ] {
        let mut plan = plan(
            "127.0.0.1:1".parse().expect("an address"),
            mix(&format!("{{ right: 1, {}: 1 }}", kind.name())),
            100.0,
            0.3,
        );
        let registry = registry(SEED.0, plan.crew.all(), Some(mutant));
        plan = Plan { address: registry.address, errands: by_key(&plan, registry.address), ..plan };
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
        (Manner::Resets, Fate::BrokenOff),
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
fn a_target_that_dies_and_comes_back_is_found_again_within_the_schedule() {
    let mortal = Mortal::start(40);
    let mut plan = plan(mortal.address, Mix::of_right_codes(), 200.0, 3.0);
    plan.patience = Duration::from_millis(100);
    let outcome = conduct(&plan, &AtomicBool::new(false), |at, _| {
        if at == 0 {
            mortal.come_back();
        }
    })
    .expect("the run ends");
    let counts = &outcome.whole.counts;
    assert_eq!((outcome.whole.planned, counts.sum(|_, _| true)), (600, 600));
    let [accepted, broken, unsent] =
        [Fate::Accepted, Fate::BrokenOff, Fate::Unsent].map(|fate| count(&outcome, Kind::Right, fate));
    // It was asked 40 times before it died, and again after it had come back.
    assert!(accepted > 45 && broken > 0 && unsent > 0, "{counts:?}");
    assert_eq!(accepted + broken + unsent, 600, "{counts:?}");
    assert!(outcome.whole.unopened(Unopened::ByTarget) > 0);
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
    let unopened = outcome.whole.unopened(Unopened::ByTarget);
    assert!((2..40).contains(&unopened), "{unopened}");
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
fn clients_who_wait_for_an_answer_each_have_one_request_on_its_way() {
    for think in [Duration::ZERO, Duration::from_millis(20)] {
        let mut plan =
            plan("127.0.0.1:1".parse().expect("an address"), mix("{ right: 3, exchange: 1 }"), 90_000.0, 0.5);
        plan.pace.crowd = Some(Crowd { clients: 6, think });
        let registry = registry(SEED.0, plan.crew.all(), None);
        plan = Plan { address: registry.address, ..plan };
        let outcome = run(&plan);
        let accepted = outcome.whole.counts.sum(|_, fate| fate == Fate::Accepted);
        assert_eq!(accepted, outcome.whole.planned, "{:?}", outcome.whole.counts);
        assert_eq!(registry.statistics().requests, outcome.requests);
        assert_eq!(registry.statistics().accepted_proofs, accepted);
        // Who thinks for 20 ms comes at most 26 times in half a second, and everybody comes more than once.
        let most = if think.is_zero() { u64::MAX } else { 6 * 26 };
        assert!(accepted > 6 && accepted <= most, "{accepted}");
        assert_eq!(outcome.whole.waited, 0);
    }
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

/// A front that speaks TLS before a registry, and its certificate in PEM.
fn tls_front(upstream: std::net::SocketAddr) -> (std::net::SocketAddr, String) {
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("made");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).expect("a key");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (tell, told) = std::sync::mpsc::channel();
    // It ends with the process of the test.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let front = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(front.local_addr().expect("an address")).expect("the test listens");
            while let Ok((client, _)) = front.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let Ok(mut upstream) = tokio::net::TcpStream::connect(upstream).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
                });
            }
        });
    });
    (told.recv().expect("it starts"), made.cert.pem())
}

#[test]
fn over_tls_everything_becomes_what_it_must_whether_connections_are_used_again_or_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let authorities = folder.path().join("ca.pem");
    for connect in [Connect::KeepAlive, Connect::PerRequest] {
        let mut plan =
            plan("127.0.0.1:1".parse().expect("an address"), mix("{ right: 2, exchange: 1, wrong: 1 }"), 200.0, 0.5);
        let registry = registry(SEED.0, plan.crew.all(), None);
        let (front, pem) = tls_front(registry.address);
        std::fs::write(&authorities, pem).expect("written");
        plan.tls = Some(Tls::new("127.0.0.1", &authorities).expect("a certificate"));
        let base = format!("https://{front}").parse().expect("an address");
        plan.forms = request::forms(&plan.dialect, &plan.surface, &base, connect).expect("forms");
        plan = Plan { address: front, connect, connections: 64, ..plan };
        let outcome = run(&plan);
        assert_eq!(
            outcome.whole.share(Part::Success).map(|share| share.get()),
            Some(1.0),
            "{:?}",
            outcome.whole.counts
        );
        assert_eq!(registry.statistics().requests, outcome.requests);
        assert!(count(&outcome, Kind::Exchange, Fate::Accepted) > 5);
    }
}

#[test]
fn a_certificate_of_somebody_else_opens_no_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let authorities = folder.path().join("ca.pem");
    let stub = Stub::start(Manner::Fine);
    let (front, _) = tls_front(stub.address);
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("made");
    std::fs::write(&authorities, other.cert.pem()).expect("written");
    let mut plan = plan(front, Mix::of_right_codes(), 200.0, 0.25);
    plan.tls = Some(Tls::new("127.0.0.1", &authorities).expect("a certificate"));
    plan.patience = Duration::from_millis(50);
    let outcome = run(&plan);
    assert_eq!((count(&outcome, Kind::Right, Fate::Unsent), outcome.requests, stub.requests()), (50, 0, 0));
    assert!(outcome.whole.unopened(Unopened::ByTarget) > 0);
}

/// What tells this test that it is the process with few file descriptors, and where the target is.
const FEW_FILES: &str = "STEPUP_TEST_TARGET";

#[test]
fn file_descriptors_that_run_out_are_counted_as_such_and_make_the_run_invalid() {
    if let Ok(target) = std::env::var(FEW_FILES) {
        return with_few_file_descriptors(target.parse().expect("an address"));
    }
    let stub = Stub::start(Manner::Fine);
    let test = std::env::current_exe().expect("this test");
    let name = "engine::file_descriptors_that_run_out_are_counted_as_such_and_make_the_run_invalid";
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -n 40; exec \"$0\" --exact \"$1\""])
        .arg(test)
        .arg(name)
        .env(FEW_FILES, stub.address.to_string())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    assert!(stub.requests() >= 50, "the other process has sent what it was to: {said}");
}

/// What the process does that has few of them.
fn with_few_file_descriptors(address: std::net::SocketAddr) {
    let mut plan = plan(address, Mix::of_right_codes(), 200.0, 0.25);
    plan.connections = 60;
    let outcome = run(&plan);
    assert_eq!((outcome.whole.planned, outcome.whole.counts.sum(|_, _| true)), (50, 50));
    assert!(outcome.whole.unopened(Unopened::NoFile) > 0, "{:?}", outcome.whole.unopened);
    assert_eq!(outcome.whole.unopened(Unopened::ByTarget), 0);
    // Those connections that there are carry the load.
    assert_eq!(count(&outcome, Kind::Right, Fate::Accepted), 50, "{:?}", outcome.whole.counts);
    let valid = stepup::load::profile::find("verify").expect("the profile").valid;
    let reasons = stepup::load::noting::invalid(&valid, false, &outcome);
    let why = reasons.iter().map(|reason| reason.words.as_str()).collect::<Vec<_>>().join("; ");
    assert!(why.contains("no file descriptor was left"), "{why}");
}
