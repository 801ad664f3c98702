//! Journeys: simulated users of a pool who walk through several actions, one after the other, and think in between.
//!
//! An `act` is one action with one proof. A `company` hands out the users of a pool to those who walk, so that no
//! code is spent twice; a `walk` performs the acts with the scene that `check` performs its probes with, and says what
//! became of each; the `book` counts that. `drive` lets goose decide who acts when, and keeps goose's own numbers.
//! All but the first are built with the feature `goose` alone.

pub mod act;
#[cfg(feature = "goose")]
mod book;
#[cfg(feature = "goose")]
mod company;
#[cfg(feature = "goose")]
mod drive;
#[cfg(feature = "goose")]
mod walk;
#[cfg(not(feature = "goose"))]
mod without;

use super::document::GooseNote;
use super::run::Outcome;

#[cfg(feature = "goose")]
pub use drive::conduct;
#[cfg(not(feature = "goose"))]
pub use without::conduct;

/// What a run of a journey counted.
#[derive(Debug)]
pub struct Walked {
    /// As any other run's.
    pub outcome: Outcome,
    /// What goose measured itself.
    pub goose: GooseNote,
    /// The acts that nobody got to.
    pub unperformed: Vec<String>,
    /// The last step in which a code was spent.
    pub spent_through: u32,
}

/// Why a journey is not walked by a program that was built without goose, or none where it was built with it.
pub fn refusal(profile: &str) -> Option<String> {
    (!cfg!(feature = "goose")).then(|| refused(profile))
}

/// What is said then.
fn refused(profile: &str) -> String {
    format!(
        "profile {profile} is a journey, which goose drives, and this stepup was built without it; hint: build it with \
         its default features, or with `--features goose`"
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn without_goose_a_journey_is_refused_and_with_it_not() {
        assert_eq!(super::refusal("j").is_some(), !cfg!(feature = "goose"));
        let said = super::refused("j");
        assert!(said.contains("built without it") && said.contains("--features goose"), "{said}");
    }
}
