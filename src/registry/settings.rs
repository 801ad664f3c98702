//! How a registry is set up: its clock, its patience with wrong codes, and its seeded faults.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::mutants::Mutants;
use super::seeded::Seeded;
use super::verifiers::Verifiers;

/// The only clock that the registry reads.
pub type Now = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The largest request body that is taken in, in bytes. A longer one is answered 413.
pub const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// Everything that can be chosen about a registry.
#[derive(Clone)]
pub struct Settings {
    /// Tells the time. Injected, so that expiry and step edges are tested without waiting.
    pub now: Now,
    /// The faults that are switched on. None in a correct registry.
    pub mutants: Mutants,
    /// What happens after many wrong codes.
    pub throttle: Throttle,
    /// Users that exist from the beginning.
    pub seeded: Option<Seeded>,
    /// Who verifies proofs, where that takes a while; as fast as may be when there is nobody.
    pub verifiers: Option<Verifiers>,
}

impl Settings {
    /// A correct registry that reads the given clock.
    pub fn new(now: Now) -> Self {
        Self { now, mutants: Mutants::none(), throttle: Throttle::default(), seeded: None, verifiers: None }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("mutants", &self.mutants)
            .field("throttle", &self.throttle)
            .finish_non_exhaustive()
    }
}

/// How many wrong codes a user may send before the registry stops listening for a while
/// (RFC 4226 §7.3). A spent code is refused but is not a guess, so it is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Consecutive wrong codes that are still answered with a challenge.
    pub allowed: Limit,
    /// Wrong codes older than this no longer count.
    pub window: Duration,
    /// How long every proof is answered 429 once the limit is reached.
    pub lockout: Duration,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            allowed: Limit::Of(NonZeroU32::MIN.saturating_add(9)),
            window: Duration::from_secs(300),
            lockout: Duration::from_secs(60),
        }
    }
}

/// A bound that may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At most this many.
    Of(NonZeroU32),
    /// No bound.
    Unlimited,
}
