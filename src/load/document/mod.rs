//! The documents that load runs and searches write. Every report is a function of one.

mod capacity;
mod goose;
mod load;

pub use capacity::{CapacityResult, Confirmed, CrowdNote, Ending, FORMAT as CAPACITY, Probe, SearchNote};
pub use goose::{GooseNote, GooseRequests};
pub use load::{
    BreachNote, Breaches, ClientsNote, ConnectionsNote, CountedNote, FORMAT as LOAD, GeneratorNote, LoadResult, Model,
    ObjectiveNote, OutcomeCount, Percentile, ProfileNote, SecondNote, TargetNote, TimesNote, Totals, UsersNote,
    Verdict,
};
