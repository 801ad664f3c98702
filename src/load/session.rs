//! A session: a profile, a target that answers, and users enough, checked before anything is sent.

mod reach;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

pub use self::reach::Resolver;
use self::reach::{Whereabouts, address, consenting, foresee, share_out, tls};
use super::desk::Sent;
use super::embedded::Embedded;
use super::fate::Fate;
use super::journey::{self, act::Act};
use super::manner::Manner;
use super::mix::{Kind, Mix};
use super::pace::Pace;
use super::passphrase::Whence;
use super::pool::{self, PoolFile};
use super::preparing::{Means, Preparing, Ready};
use super::profile::Profile;
use super::roster::Serves;
use super::run::Plan;
use super::seal::Unlock;
use super::sizing::{self, Crew};
use super::users::{PoolSeed, Users};
use crate::check::suite;
use crate::dialect::{Dialect, Surface};
use crate::host::Host;
use crate::judge::Outcome;
use crate::persona::ledger::Skew;
use crate::quantity::Rate;
use crate::registry::{Mutant, Seeded, Statistics};
use crate::table::Mode;
use crate::target::{self, Start};
use crate::wire::{Limits, Reuse, Trust, Wire, is_loopback};
use crate::yaml::FileError;

/// Unspent codes are waited for no longer: two steps, and the one that a target may accept ahead.
const LONGEST_REST: Duration = Duration::from_secs(90);

/// What a session is asked for.
#[derive(Debug)]
pub struct Options {
    /// The profile.
    pub profile: Profile,
    /// A built-in target, a target file, or an address.
    pub target: String,
    /// The pool of users, where the target does not make its own.
    pub pool: Option<PathBuf>,
    /// Where the passphrase of a sealed pool comes from.
    pub passphrase: Whence,
    /// What chance depends on, and the embedded registry's users.
    pub seed: u64,
    /// How many threads send; as many as there are cores for unless said.
    pub threads: Option<u32>,
    /// Seeded faults of the embedded registry.
    pub mutants: Vec<Mutant>,
    /// The authorities (PEM) that an https target's certificate must come from.
    pub authorities: Option<PathBuf>,
    /// How the name of the target's host becomes an address.
    pub resolver: Resolver,
}

/// Why there is no session.
#[derive(Debug)]
pub enum Unready {
    /// A file is wrong.
    File(FileError),
    /// What is asked for cannot be had.
    Options(String),
    /// The target cannot be brought up.
    Target(String),
    /// The target lets through what carries no proof, so that nothing of a second factor would be measured.
    Unprotected(String),
}

impl From<FileError> for Unready {
    fn from(error: FileError) -> Self {
        Unready::File(error)
    }
}

/// A target that answers, and everything that is needed to load it.
#[derive(Debug)]
pub struct Session {
    /// The profile.
    pub profile: Profile,
    /// The target's name.
    pub target: String,
    /// Its address.
    pub base: Url,
    /// What to run.
    pub plan: Plan,
    /// The users that the profile needs.
    pub needed: Crew,
    /// How many users there are.
    pub users: u32,
    /// The pool, to note in it which codes have been spent.
    pub pool: Option<PathBuf>,
    /// The authorities that an https target's certificate must come from.
    pub authorities: Option<PathBuf>,
    keeper: Keeper,
    preparing: Option<Preparing>,
    /// Whether anything has to be made before the run.
    is_prepared: bool,
    /// For how many users something was made before the run.
    pub prepared: Option<u32>,
    /// What the embedded registry had counted by then.
    before: Statistics,
}

#[derive(Debug)]
enum Keeper {
    Embedded(Embedded),
    Host(#[expect(dead_code, reason = "dropping it ends the target")] Box<Host>),
}

/// What the users must bear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum For {
    /// The pace of the profile.
    Pace,
    /// A search for the capacity, whose rates lie up to the profile's own limit.
    Search,
}

impl Session {
    /// Brings the target up and checks that all is there, before anything is sent.
    pub async fn begin(options: Options, what_for: For) -> Result<Session, Unready> {
        let Options { profile, target, pool, passphrase, seed, threads, mutants, authorities, resolver } = options;
        let walks = walks(&profile, what_for, threads)?;
        let threads = if walks { Some(1) } else { threads };
        let target = target::find_to_load(&target)?;
        let embedded = matches!(target.start, Start::Embedded { .. });
        if !embedded && !mutants.is_empty() {
            return Err(Unready::Options("`--mutant` is for the embedded registry".to_owned()));
        }
        if embedded && pool.is_some() {
            let message = "the embedded registry has users of its own seed; `--pool` is for other targets";
            return Err(Unready::Options(message.to_owned()));
        }
        foresee(profile.connections, if embedded { 2 } else { 1 }).map_err(Unready::Options)?;
        let (registry_core, cores) = share_out(Whereabouts::of(&target.start), threads);
        let shards = u32::try_from(cores.len()).unwrap_or(u32::MAX);
        // How the action is sent does not depend on where to.
        let somewhere = Url::parse("http://localhost/").map_err(|error| Unready::Options(error.to_string()))?;
        let dialect = Arc::new(target.dialect);
        let manner = Manner::of(&dialect, &profile, &somewhere).map_err(Unready::Options)?;
        suits(&manner, &profile, what_for, embedded).map_err(Unready::Options)?;
        let needed = match what_for {
            For::Pace if walks => walking(&profile, &dialect).map_err(Unready::Options)?,
            For::Pace if manner.serves == Serves::Once => Crew::once(&profile.pace, shards),
            For::Pace => Crew::needed(&profile.pace, &profile.mix, profile.guesses_per_user, shards),
            For::Search => searched(&profile, profile.capacity.up_to, shards),
        };
        let read = pool.as_deref().map(|path| PoolFile::read(path, &mut Unlock::new(passphrase))).transpose()?;
        let (users, spent_through) = match (&read, embedded) {
            (None, true) => (Users::seeded(PoolSeed::of_number(seed), needed.all()), 0),
            (Some(pool), _) => (pool.users.clone(), pool.spent_through),
            (None, false) => {
                let hint = format!("`stepup pool create --target {} --users {}` makes one", target.name, needed.all());
                return Err(Unready::Options(format!(
                    "target {} needs a pool of users: `--pool FILE`; {hint}",
                    target.name
                )));
            }
        };
        if profile.mix.weight(Kind::Key) > 0 && !users.have_keys() {
            let message =
                "`key` is in the mix, and users of the pool have no security key: `stepup pool create --keys`";
            return Err(Unready::Options(message.to_owned()));
        }
        let unprotected = !profile.mix.takes_factors();
        if let Some(pool) = &read {
            match (unprotected, pool.users.have_codes()) {
                (true, true) => {
                    let message = "`unprotected` is in the mix, and users of the pool have a second factor: `stepup pool create \
                                   --without-factor`";
                    return Err(Unready::Options(message.to_owned()));
                }
                (false, false) => {
                    let message = "users of the pool have no second factor, so that the mix can be `unprotected` alone";
                    return Err(Unready::Options(message.to_owned()));
                }
                (true, false) | (false, true) => {}
            }
        }
        let mut crew = crew(&users, &needed, &profile, what_for, shards)?;
        if manner.serves == Serves::Once {
            // No more are prepared than come.
            crew = needed;
        }
        let skew = (steps(target.skew.behind), steps(target.skew.ahead));
        let name = target.name;
        let cannot = |message: String| Unready::Target(format!("target {name}: {message}"));
        let (base, keeper) = if let Start::Embedded { verifiers } = target.start {
            let seeded = Seeded::new(&PoolSeed::of_number(seed).0, users.len());
            let seeded = if unprotected { seeded.without_factor() } else { seeded };
            let mutants = mutants.into_iter().collect();
            let registry = Embedded::start(seeded, mutants, verifiers, registry_core).map_err(cannot)?;
            let base = format!("http://{}", registry.address);
            (Url::parse(&base).map_err(|error| cannot(error.to_string()))?, Keeper::Embedded(registry))
        } else {
            let host = Host::bring_up(target.start, seed, std::iter::empty().collect()).await.map_err(cannot)?;
            (host.base.clone(), Keeper::Host(Box::new(host)))
        };
        let of_another = read.as_ref().and_then(|pool| pool.base.as_deref()).filter(|known| *known != base.as_str());
        if let Some(known) = of_another {
            return Err(Unready::Options(format!("the pool's users are on {known}, and the target is at {base}")));
        }
        let address = match is_loopback(&base) {
            true => address(&base).map_err(|message| Unready::Target(format!("target {name}: {message}")))?,
            false => consenting(&base, target.consent.as_deref(), authorities.clone(), resolver).await?,
        };
        let tls = tls(&base, authorities.as_deref()).map_err(Unready::Options)?;
        let of_walkers = authorities.clone();
        let manner = Manner::of(&dialect, &profile, &base).map_err(Unready::Options)?;
        let preparing = preparing(&base, address, authorities, (&dialect, &users), (target.skew, embedded))?;
        let plan = Plan {
            address,
            dialect,
            surface: profile.action.clone(),
            forms: manner.forms,
            errands: manner.sent.map(Arc::new),
            serves: manner.serves,
            pace: profile.pace.clone(),
            mix: profile.mix,
            crew,
            connections: profile.connections,
            connect: profile.connect,
            tls,
            patience: profile.patience,
            warm_up: profile.warm_up,
            skew,
            seed,
            spent_through,
            own_cores: cores.iter().all(Option::is_some),
            cores,
            users,
        };
        let users = plan.users.len();
        let before = Statistics::default();
        Ok(Session {
            profile,
            target: name,
            base,
            plan,
            needed,
            users,
            pool,
            authorities: of_walkers,
            keeper,
            preparing: Some(preparing),
            is_prepared: manner.is_prepared,
            before,
            prepared: None,
        })
    }

    /// Makes what the action works on, where anything has to be there. `tell` hears for how many users it is.
    pub async fn prepare(&mut self, tell: impl Fn(usize)) -> Result<(), Unready> {
        let Some(preparing) = self.preparing.take() else { return Ok(()) };
        self.look(&preparing).await?;
        if !self.is_prepared {
            return Ok(());
        }
        let cannot = |message: String| Unready::Target(format!("target {}: {message}", self.target));
        let sent = self.plan.errands.take().and_then(|sent| Arc::try_unwrap(sent).ok());
        let Some(sent) = sent else { return Ok(()) };
        let wanted = self.plan.crew.spending;
        let (surface, spent) = (sent.script.surface(), self.plan.spent_through);
        let ready = preparing.prepare(surface, &self.plan.users, wanted, spent, tell).await.map_err(cannot)?;
        let Ready { prepared, other, spent_through } = ready;
        self.prepared = Some(wanted);
        self.plan.spent_through = spent_through;
        self.plan.errands = Some(Arc::new(Sent { prepared, other, ..sent }));
        if let Keeper::Embedded(embedded) = &self.keeper {
            self.before = embedded.statistics();
        }
        Ok(())
    }

    /// Sends an action that must be asked for a second factor once without one. A target that carries it out verifies
    /// nothing, and what it bears is no measure of a second factor. Whatever else comes of it, the run shows for itself.
    async fn look(&mut self, preparing: &Preparing) -> Result<(), Unready> {
        let dialect = Arc::clone(&self.plan.dialect);
        let Some(surface) = first_asked(&self.profile, &dialect) else { return Ok(()) };
        let last = self.plan.users.len().saturating_sub(1);
        let looked = preparing.look(surface, (&self.plan.users, last), self.plan.spent_through).await;
        if let Keeper::Embedded(embedded) = &self.keeper {
            self.before = embedded.statistics();
        }
        let Ok((ended, spent_through)) = looked else { return Ok(()) };
        self.plan.spent_through = spent_through;
        if ended.outcome != Outcome::Accepted {
            return Ok(());
        }
        Err(Unready::Unprotected(format!(
            "target {}: SECOND FACTOR NOT JUDGED: `{}` was carried out without one ({}), so its load would measure none",
            self.target,
            surface.id(),
            ended.saw
        )))
    }

    /// How long no user has an unspent code, because the codes of the present step were spent before. Who has no second
    /// factor waits for none.
    pub fn rest(&self) -> Duration {
        if !self.profile.mix.takes_factors() {
            return Duration::ZERO;
        }
        until_unspent(self.plan.spent_through, since_epoch())
    }

    /// The step of one-time passwords that it is.
    pub fn present_step(&self) -> u32 {
        steps(since_epoch().as_secs() / sizing::STEP.as_secs())
    }

    /// What the embedded registry has counted in the run.
    pub fn counted(&self) -> Option<Statistics> {
        match &self.keeper {
            Keeper::Embedded(embedded) => Some(embedded.statistics().since(&self.before)),
            Keeper::Host(_) => None,
        }
    }

    /// The plan of another pace: a probe of a search.
    pub fn probe(&self, pace: Pace, warm_up: Duration, patience: Duration, seed: u64) -> Plan {
        Plan { pace, warm_up, patience, seed, ..self.plan.clone() }
    }

    /// The highest rate of arrivals that the users sustain.
    pub fn users_bear(&self) -> Rate {
        let shards = u32::try_from(self.plan.cores.len()).unwrap_or(u32::MAX);
        let codes = codes_each(&self.profile, &self.plan.dialect);
        sizing::bearable(self.plan.crew.spending, codes, self.profile.mix.share(Kind::touches), shards)
    }

    /// How many connections there may be: each thread that sends has one at least.
    pub fn connections(&self) -> u32 {
        self.profile.connections.max(u32::try_from(self.plan.cores.len()).unwrap_or(u32::MAX))
    }

    /// How many valid codes a second the users have.
    pub fn users_sustain(&self) -> Rate {
        sizing::sustained(if self.profile.mix.takes_factors() { self.plan.crew.spending } else { 0 })
    }

    /// Notes in the pool which codes have been spent, so that the next run does not send them again.
    pub fn note_spent(&self, step: u32) -> std::io::Result<()> {
        match &self.pool {
            Some(path) => pool::note_spent(path, step),
            None => Ok(()),
        }
    }
}

/// The first action of a profile that the table asks a second factor for, where its users have one and nothing of the mix
/// would show, with evidence, that it is not asked for.
fn first_asked<'a>(profile: &Profile, dialect: &'a Dialect) -> Option<&'a Surface> {
    // The first request of an exchange, and of a key's, carries no proof.
    let first_bare = |kind: Kind| matches!(kind, Kind::Exchange | Kind::Key);
    let shows = |kind: &Kind| profile.mix.weight(*kind) > 0 && (Fate::Accepted.is_breach(*kind) || first_bare(*kind));
    if !profile.mix.takes_factors() || Kind::ALL.iter().any(shows) {
        return None;
    }
    let table = suite::table().ok()?;
    let acts = profile.journey.as_ref().map(|journey| journey.acts().iter().map(|act| act.action.as_str()));
    let actions: Vec<&str> = acts.map_or_else(|| vec![profile.action.as_str()], Iterator::collect);
    let asked = |surface: &&Surface| table.row(Mode::AuthAndWrites, &surface.action).is_some();
    actions.into_iter().find_map(|action| dialect.surfaces.iter().find(|known| known.id() == action).filter(asked))
}

/// Whether the profile is a journey that can be walked.
fn walks(profile: &Profile, what_for: For, threads: Option<u32>) -> Result<bool, Unready> {
    if profile.journey.is_none() {
        return Ok(false);
    }
    if let Some(refusal) = journey::refusal(&profile.name) {
        return Err(Unready::Options(refusal));
    }
    if what_for == For::Search {
        let message = format!("profile {} is a journey, and a capacity is searched for with one action", profile.name);
        return Err(Unready::Options(message));
    }
    if threads.is_some_and(|threads| threads > 1) {
        return Err(Unready::Options("`--threads`: a journey is walked on one thread".to_owned()));
    }
    Ok(true)
}

/// How many codes an arrival of a profile spends on average. An act that is prepared for spends one on that, too.
fn codes_each(profile: &Profile, dialect: &Dialect) -> f64 {
    let Some(journey) = &profile.journey else { return profile.mix.codes_each() };
    let of_mix = profile.mix.share(Kind::spends);
    let prepared =
        |act: &&Act| dialect.surfaces.iter().any(|surface| surface.id() == act.action && !surface.prepare.is_empty());
    let acts = journey.acts();
    of_mix + acts.iter().filter(prepared).count() as f64 / acts.len().max(1) as f64
}

/// Who is needed to walk a journey: whoever has a code to spend, and at least everyone who walks at once. Nobody who
/// guesses is spared, for it is part of the walk.
fn walking(profile: &Profile, dialect: &Dialect) -> Result<Crew, String> {
    profile.journey.as_ref().map(|journey| journey.surfaces(dialect)).transpose()?;
    let codes = profile.pace.peak().get() * codes_each(profile, dialect);
    let pace = Pace::constant(Rate::per_second(codes), profile.pace.lasts(), profile.pace.spacing);
    let crew = Crew::needed(&pace, &Mix::of_right_codes(), 1, 1);
    let at_once = profile.pace.crowd.map_or(0, |crowd| crowd.clients);
    Ok(Crew { spending: crew.spending.max(at_once), guessing: 0, recovering: 0 })
}

fn steps(steps: impl TryInto<u32>) -> u32 {
    steps.try_into().unwrap_or_default()
}

fn since_epoch() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// How long it is until a step begins in which nobody has spent a code. A clock that was far ahead is not waited for.
fn until_unspent(spent_through: u32, now: Duration) -> Duration {
    let unspent = sizing::STEP.saturating_mul(spent_through.saturating_add(1));
    Some(unspent.saturating_sub(now)).filter(|wait| *wait <= LONGEST_REST).unwrap_or_default()
}

/// Who is needed to sustain a rate while it is searched for.
fn searched(profile: &Profile, rate: Rate, shards: u32) -> Crew {
    let confirm = profile.capacity.lasting(rate, profile.capacity.confirm);
    let lasts = confirm.max(sizing::STEP) * 2;
    let pace = Pace::constant(rate, lasts, profile.pace.spacing);
    Crew::needed(&pace, &profile.mix, profile.guesses_per_user, shards)
}

/// Who does what in a pool, or why it is too small.
fn crew(users: &Users, needed: &Crew, profile: &Profile, what_for: For, shards: u32) -> Result<Crew, Unready> {
    let there = users.len();
    if let Some(crew) = Crew::of_pool(there, needed) {
        return Ok(crew);
    }
    let bearable = sizing::bearable(there, profile.mix.codes_each(), profile.mix.share(Kind::touches), shards);
    match what_for {
        // A search ends at what the users bear, and says so; it needs some users all the same.
        For::Search => {
            let least = searched(profile, profile.capacity.from, shards);
            let (guessing, recovering) = (needed.guessing.min(there / 4), needed.recovering.min(there / 4));
            let crew = Crew { spending: there - guessing - recovering, guessing, recovering };
            if crew.spending >= least.spending {
                return Ok(crew);
            }
        }
        For::Pace => {}
    }
    let Crew { spending, guessing, recovering } = needed;
    Err(Unready::Options(format!(
        "the pool has {there} users, and {} are needed: {spending} to send valid codes, {guessing} to guess, {recovering} \
         to send recovery codes. A user has one code for each 30 seconds, so {there} users sustain {bearable} of this mix",
        needed.all()
    )))
}

/// Whether an action that is sent in this manner can be what is asked for.
fn suits(manner: &Manner, profile: &Profile, what_for: For, embedded: bool) -> Result<(), String> {
    let action = &profile.action;
    match (manner.serves, what_for) {
        (Serves::Once, For::Search) => Err(format!(
            "`{action}` takes a user of its own for each arrival, who is prepared for it, so its capacity is not \
             searched for: `stepup load` at one rate after the other says what is borne"
        )),
        (Serves::Once, For::Pace) if manner.changes_users && !embedded => {
            Err(format!("`{action}` leaves its users' accounts otherwise than they were, and would use up the pool"))
        }
        (Serves::Once | Serves::Again, For::Pace | For::Search) => Ok(()),
    }
}

/// Who makes what the action works on.
fn preparing(
    base: &Url,
    address: SocketAddr,
    authorities: Option<PathBuf>,
    (dialect, users): (&Arc<Dialect>, &Users),
    (skew, embedded): (Skew, bool),
) -> Result<Preparing, Unready> {
    let trust = authorities.map_or(Trust::System, Trust::Authorities);
    let wire = match is_loopback(base) {
        true => Wire::trusting(base.clone(), Reuse::WhenIdle, trust, Limits::default()),
        false => Wire::straight(base.clone(), trust, address),
    };
    // The users of a seed have keys on the registry that is here; whether on another nobody knows.
    let has_keys = dialect.no_keys.is_none() && users.have_keys() && (embedded || matches!(users, Users::Kept(_)));
    let means = if has_keys { Means::Keys } else { Means::Codes };
    Ok(Preparing::new(wire.map_err(Unready::Options)?, Arc::clone(dialect), skew, means))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_rests_until_a_step_that_nobody_has_spent() {
        let at = Duration::from_secs;
        assert_eq!(until_unspent(0, at(300)), Duration::ZERO);
        assert_eq!(until_unspent(9, at(300)), Duration::ZERO);
        assert_eq!(until_unspent(10, at(301)), at(29));
        assert_eq!(until_unspent(11, at(301)), at(59));
        assert_eq!(until_unspent(1_000, at(301)), Duration::ZERO);
    }

    #[test]
    fn a_pool_that_is_too_small_is_refused_with_the_arithmetic() {
        let profile = super::super::profile::find("verify").expect("the profile");
        let needed = Crew::needed(&profile.pace, &profile.mix, 8, 1);
        let users = Users::seeded(PoolSeed::of_number(1), 100);
        let Err(Unready::Options(message)) = crew(&users, &needed, &profile, For::Pace, 1) else {
            panic!("a hundred users are too few");
        };
        assert!(message.contains("the pool has 100 users"), "{message}");
        assert!(message.contains("one code for each 30 seconds"), "{message}");
    }
}
