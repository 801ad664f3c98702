//! Goose drives: its scheduler starts the users and lets each think, and its metrics count every request.
//!
//! Each of goose's users is a [`Walker`]; its transactions are the acts. What goose measures stands in the result beside
//! what was judged. It runs on one thread, listens nowhere, writes no file and says nothing. Its switches for stopping a
//! run belong to the process, so there is one journey at a time.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime};

use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionError, TransactionFunction, TransactionResult};
use goose::metrics::GooseMetrics;
use goose::{GooseAttack, GooseError};
use tokio::sync::{OnceCell, Semaphore};

use super::Walked;
use super::act::Journey;
use super::book::Book;
use super::company::Company;
use super::walk::{Ground, Performed, Walker};
use crate::check::scene::Stage;
use crate::check::stop::Stop;
use crate::clock::Clock;
use crate::judge::Verdict;
use crate::load::document::{GooseNote, GooseRequests};
use crate::load::pace::Spacing;
use crate::load::request::Connect;
use crate::load::run::Outcome;
use crate::load::session::Session;
use crate::load::tally::{Sums, Tally};
use crate::load::thread::{self, Priority};
use crate::persona::key::Maker;
use crate::persona::ledger::{GUARD_MS, Skew};
use crate::wire::{Reuse, Trust, Wire, is_loopback};

/// Goose forgets what it has measured once it has started all its users. Nobody acts before that is over.
const AHEAD: Duration = Duration::from_secs(1);
/// How often it is looked whether a second has passed, and whether the run is over.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Goose would end a run of its own accord so much later, in seconds: it counts in whole ones, and the clock here is finer.
const LATER: u64 = 10;
/// How many users goose starts in a second, for each of them.
const STARTS_EACH: u32 = 10;

/// One journey at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// A logger that logs nothing. Goose would install one that writes on standard output.
struct Silent;

impl log::Log for Silent {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        false
    }

    fn log(&self, _: &log::Record<'_>) {}

    fn flush(&self) {}
}

/// What the threads of a run give back.
struct Driven {
    metrics: GooseMetrics,
    busy: Option<f64>,
    held_up: Option<f64>,
    priority: Priority,
    took: Duration,
}

/// Walks a journey to its end, or until `stop` is set. `watch` sees each second when it has passed.
pub fn conduct(
    session: &Session,
    journey: &Journey,
    stop: &AtomicBool,
    mut watch: impl FnMut(u64, &Sums),
) -> std::io::Result<Walked> {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Where the program has a logger already, goose speaks to that one.
    let _ = log::set_logger(&Silent);
    let (tell, told) = mpsc::channel();
    let ground = Arc::new(ground(session, journey, tell).map_err(std::io::Error::other)?);
    let driven = std::thread::scope(|scope| {
        let ground = Arc::clone(&ground);
        let thread = std::thread::Builder::new().name("journey".to_owned());
        let thread = thread.spawn_scoped(scope, move || {
            let driven = drive(session, &ground, stop);
            let (tally, mistakes) = ground.book.close();
            driven.map(|driven| (driven, tally, mistakes))
        })?;
        for second in told {
            // After the end only what is still outstanding is waited for.
            let is_over = Duration::from_secs(second.at) >= session.plan.pace.lasts();
            if !is_over || second.sums.planned > 0 || second.sums.requests > 0 {
                watch(second.at, &second.sums);
            }
        }
        thread.join().map_err(|_| std::io::Error::other("the thread of the journey panicked"))?
    })?;
    let (Driven { metrics, busy, held_up, priority, took }, tally, mistakes) = driven;
    let (_, started) = ground.book.began().unwrap_or((Instant::now(), SystemTime::now()));
    let complete = !stop.load(Ordering::Relaxed);
    let Tally { whole, requests, breaches, evidence, .. } = tally;
    let outcome = Outcome {
        started,
        took,
        whole,
        requests,
        breaches,
        evidence,
        rosters: Vec::new(),
        busy: busy.unwrap_or_default(),
        held_up,
        priority,
        complete,
    };
    let spent_through = ground.company.lock().unwrap_or_else(PoisonError::into_inner).spent_through();
    Ok(Walked { outcome, goose: note(&metrics, mistakes), unperformed: ground.unperformed(), spent_through })
}

/// What all who walk share.
fn ground(
    session: &Session,
    journey: &Journey,
    tell: mpsc::Sender<crate::load::tally::Second>,
) -> Result<Ground, String> {
    let plan = &session.plan;
    let (behind, ahead) = plan.skew;
    let skew = Skew { behind: behind.into(), ahead: ahead.into() };
    let stage = Stage {
        wire: wire(session)?,
        dialect: Arc::clone(&plan.dialect),
        clock: Clock::system(),
        skew,
        maker: Maker::default(),
        browser: Arc::new(OnceCell::new()),
        guard_ms: GUARD_MS,
        routes: Arc::default(),
        offset_ms: 0,
        journal: None,
        proven: Default::default(),
        jobs: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        waits: crate::check::waits::Waits::default(),
        spread: false,
        stop: Stop::default(),
    };
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(Ground {
        journey: journey.clone(),
        surfaces: journey.surfaces(&plan.dialect)?,
        stage,
        book: Book::new(plan.warm_up, plan.pace.lasts(), tell),
        company: Mutex::new(Company::new(plan.users.clone(), skew, GUARD_MS, plan.spent_through)),
        // A target that lives on remembers the names of earlier runs.
        prefix: format!("su-{:x}", since_epoch.as_millis()),
        walks: AtomicU64::new(0),
        patience: plan.patience,
        performed: journey.acts().iter().map(|_| AtomicU64::new(0)).collect(),
    })
}

/// Lets goose run on the present thread.
fn drive(session: &Session, ground: &Arc<Ground>, stop: &AtomicBool) -> std::io::Result<Driven> {
    let plan = &session.plan;
    let wanted = if plan.own_cores { Priority::Raised } else { Priority::Normal };
    let priority = thread::settle(plan.cores.first().copied().flatten(), wanted);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (ran, waited, from) = (thread::ran(), thread::held_up(), Instant::now());
    let metrics = runtime.block_on(async {
        let attack = attack(session, ground).map_err(std::io::Error::other)?;
        tokio::select! {
            metrics = attack.execute() => metrics.map_err(|error| std::io::Error::other(format!("goose: {error}"))),
            never = keep_time(&ground.book, stop) => match never {},
        }
    })?;
    let whole = from.elapsed().as_secs_f64().max(1e-9);
    let share = |after: Option<Duration>, before: Option<Duration>| {
        after.zip(before).map(|(after, before)| after.saturating_sub(before).as_secs_f64() / whole)
    };
    let (busy, held_up) = (share(thread::ran(), ran), share(thread::held_up(), waited));
    let took = ground.book.began().map_or(Duration::ZERO, |(began, _)| began.elapsed());
    Ok(Driven { metrics, busy, held_up, priority, took })
}

/// Ends each second, and the run when it is over or is stopped.
async fn keep_time(book: &Book, stop: &AtomicBool) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if stop.load(Ordering::Relaxed) {
            book.begin(Instant::now());
            book.end();
        }
        book.look_up();
        if book.is_over_for(Duration::ZERO) {
            goose::trigger_killswitch("the time is up");
        }
    }
}

/// What goose is to do.
fn attack(session: &Session, ground: &Arc<Ground>) -> Result<GooseAttack, String> {
    let crowd = session.plan.pace.crowd.ok_or("a journey without anybody who walks")?;
    let walkers = (0..crowd.clients)
        .map(|_| Ok(tokio::sync::Mutex::new(Walker::new(ground, wire(session)?))))
        .collect::<Result<Vec<_>, String>>()?;
    let walkers = Arc::new(walkers);
    let seconds = session.plan.pace.lasts().as_secs() + AHEAD.as_secs() + LATER;
    let arguments = [
        "--host".to_owned(),
        session.base.to_string(),
        "--users".to_owned(),
        crowd.clients.to_string(),
        "--increase-rate".to_owned(),
        crowd.clients.saturating_mul(STARTS_EACH).to_string(),
        "--run-time".to_owned(),
        seconds.to_string(),
        "--no-telnet".to_owned(),
        "--no-print-metrics".to_owned(),
        "--no-error-summary".to_owned(),
        "--quiet".to_owned(),
    ];
    let cannot = |error: GooseError| format!("goose: {error}");
    let configuration = GooseConfiguration::parse_args_default(&arguments).map_err(cannot)?;
    // Users who are as regular as clockwork think for just so long, others for half as long to half as long again.
    let (least, most) = match session.plan.pace.spacing {
        Spacing::Even => (crowd.think, crowd.think),
        Spacing::Poisson => (crowd.think / 2, crowd.think * 3 / 2),
    };
    let mut scenario = Scenario::new("journey").set_wait_time(least, most).map_err(cannot)?;
    let arrived = Arc::new(AtomicUsize::new(0));
    let (all, think) = (crowd.clients, crowd.think);
    let at_the_start = Arc::clone(ground);
    scenario = scenario.register_transaction(
        Transaction::new(transaction(move |user| {
            let (ground, arrived, at) = (Arc::clone(&at_the_start), Arc::clone(&arrived), user.weighted_users_index);
            Box::pin(async move {
                wait_for_all(&ground.book, &arrived, all as usize).await;
                // They do not all begin at once.
                tokio::time::sleep(think.mul_f64(at as f64 / f64::from(all.max(1)))).await;
                Ok(())
            })
        }))
        .set_on_start(),
    );
    for (number, act) in ground.journey.acts().iter().enumerate() {
        let (ground, walkers) = (Arc::clone(ground), Arc::clone(&walkers));
        let function = transaction(move |user| {
            let (ground, walkers) = (Arc::clone(&ground), Arc::clone(&walkers));
            Box::pin(async move {
                let Some(walker) = walkers.get(user.weighted_users_index) else { return Ok(()) };
                match walker.lock().await.act(&ground, number).await {
                    Some(performed) => tell(&ground.book, user, &performed).await,
                    // Goose is about to say that it is over.
                    None => {
                        tokio::time::sleep(AHEAD).await;
                        Ok(())
                    }
                }
            })
        });
        scenario =
            scenario.register_transaction(Transaction::new(function).set_name(&act.label()).set_sequence(number + 1));
    }
    let at_the_end = Arc::clone(ground);
    scenario = scenario.register_transaction(
        Transaction::new(transaction(move |user| {
            let (ground, walkers) = (Arc::clone(&at_the_end), Arc::clone(&walkers));
            Box::pin(async move {
                if let Some(walker) = walkers.get(user.weighted_users_index) {
                    walker.lock().await.come_home(&ground);
                }
                Ok(())
            })
        }))
        .set_on_stop(),
    );
    // Whoever walks has connections of his own; the client that goose would make for each is not used.
    let attack = GooseAttack::initialize_with_config(configuration).map_err(cannot)?;
    let attack = attack.set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies());
    Ok(attack.map_err(cannot)?.register_scenario(scenario))
}

/// A connection to the target for one who walks.
fn wire(session: &Session) -> Result<Wire, String> {
    let reuse = match session.plan.connect {
        Connect::KeepAlive => Reuse::WhenIdle,
        Connect::PerRequest => Reuse::Never,
    };
    let trust = session.authorities.clone().map_or(Trust::System, Trust::Authorities);
    // The address that has consented, so that no name leads elsewhere a moment later.
    let address = Some(session.plan.address).filter(|_| !is_loopback(&session.base));
    Wire::patient(session.base.clone(), reuse, trust, address, session.plan.patience)
}

/// The type of a function that goose calls.
fn transaction(
    function: impl for<'r> Fn(&'r mut GooseUser) -> Pin<Box<dyn Future<Output = TransactionResult> + Send + 'r>>
    + Send
    + Sync
    + 'static,
) -> TransactionFunction {
    Arc::new(function)
}

/// Waits until everyone has been started, and the run begins.
async fn wait_for_all(book: &Book, arrived: &AtomicUsize, all: usize) {
    if arrived.fetch_add(1, Ordering::Relaxed) + 1 == all {
        book.begin(Instant::now() + AHEAD);
    }
    loop {
        if let Some((began, _)) = book.began() {
            tokio::time::sleep_until(began.into()).await;
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Tells goose of the requests of an act, which hold as the act does: a challenge is what had to come. Goose counts a
/// transaction as failed that says why.
async fn tell(book: &Book, user: &mut GooseUser, performed: &Performed) -> TransactionResult {
    book.note(performed);
    let verdict = performed.fate.map_or(Verdict::Exact, |fate| fate.judged(performed.kind));
    for request in performed.requests.iter().filter(|request| request.was_sent) {
        user.record_custom_request_duration(
            &request.method,
            &request.name,
            request.took,
            verdict == Verdict::Exact,
            request.status,
            Some(verdict.word()),
        )
        .await?;
    }
    match verdict {
        Verdict::Exact => Ok(()),
        verdict => Err(Box::new(TransactionError::Custom(verdict.word().to_owned()))),
    }
}

/// What goose measured.
fn note(metrics: &GooseMetrics, mistakes: Vec<String>) -> GooseNote {
    let mut requests: Vec<GooseRequests> = metrics
        .requests
        .values()
        .map(|request| {
            let times = &request.raw_data;
            let us = |percent| times.percentile_us(percent) as f64;
            GooseRequests {
                name: request.path.clone(),
                method: request.method_label().to_owned(),
                count: times.counter as u64,
                failed: request.fail_count as u64,
                mean_us: if times.counter > 0 { times.total_time_us as f64 / times.counter as f64 } else { 0.0 },
                percentiles_us: [us(0.5), us(0.9), us(0.99)],
                max_us: times.maximum_time_us as f64,
            }
        })
        .collect();
    requests.sort_by(|one, other| (&one.name, &one.method).cmp(&(&other.name, &other.method)));
    let walks = metrics.scenarios.first().map_or(0, |scenario| scenario.run_times.counter as u64);
    GooseNote { users: metrics.total_users as u64, walks, requests, mistakes }
}
