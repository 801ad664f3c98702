//! What goose measured of a journey, beside what was judged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Goose's own numbers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct GooseNote {
    /// How many users it started.
    pub users: u64,
    /// How often a user came to the end of the journey.
    pub walks: u64,
    /// Its requests, the warm-up and all preparations included, by what they were for.
    pub requests: Vec<GooseRequests>,
    /// Why acts were not performed that should have been, in words: some of what went wrong on this side.
    pub mistakes: Vec<String>,
}

/// Requests that were for the same.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct GooseRequests {
    /// What they were for.
    pub name: String,
    /// The method.
    pub method: String,
    /// How many.
    pub count: u64,
    /// How many belonged to an act that did not end as it had to.
    pub failed: u64,
    /// The mean of their times, in microseconds.
    pub mean_us: f64,
    /// Quantiles of their times, in microseconds: 50, 90 and 99 percent.
    pub percentiles_us: [f64; 3],
    /// The longest, in microseconds.
    pub max_us: f64,
}
