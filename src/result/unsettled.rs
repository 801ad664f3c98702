//! What a case will have shown once a read has found something, elsewhere in the run.

use std::collections::BTreeSet;

use crate::judge::{Effect, Verdict};

/// Probes after which reads showed nothing that had found nothing yet in the run. That is no sign, unless each of them
/// finds something before the run ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsettled {
    /// The reads.
    pub reads: BTreeSet<String>,
    /// The verdicts that do not hold then.
    pub withdrawn: Vec<Verdict>,
    /// The verdicts that hold in their place.
    pub instead: Vec<Verdict>,
    /// The numbers of the probes that had another effect then, each with that and with what else is said of it.
    pub probes: Vec<(usize, Effect, Option<String>)>,
}
