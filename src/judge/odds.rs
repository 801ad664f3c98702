//! What can be said of chance: of races that did not show, and of codes that are guessed.

use super::Verdict;

/// How often at least a race that is there is taken to be lost: in one volley of four.
pub const LOST_AT_LEAST: f64 = 0.25;

/// How sure it is that so many clean volleys would have shown a race.
pub fn confidence(volleys: u32) -> f64 {
    1.0 - (1.0 - LOST_AT_LEAST).powf(f64::from(volleys))
}

/// How many clean volleys give this confidence, in percent.
pub fn volleys_for(percent: u8) -> u32 {
    (1..).find(|volleys| confidence(*volleys) * 100.0 >= f64::from(percent.min(99))).unwrap_or(1)
}

/// What became of many wrong codes, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guessed {
    /// One of them was answered otherwise than the first: the target said that it had stopped listening.
    Told,
    /// All were answered alike, and so was a right code after them.
    Untold,
    /// All were answered alike, and a right code after them was accepted.
    HeardOut,
}

/// Judges many wrong codes: whether the target must stop listening, or must say so when it does. Nothing is said where
/// it need not say what it never does.
pub fn judge_guesses(must_stop: bool, guessed: Guessed) -> Option<Verdict> {
    match (guessed, must_stop) {
        (Guessed::Told, _) | (Guessed::Untold, true) => Some(Verdict::Exact),
        // A right code was answered as a wrong one is.
        (Guessed::Untold, false) => Some(Verdict::RightProofRefused),
        (Guessed::HeardOut, true) => Some(Verdict::NeverThrottled),
        (Guessed::HeardOut, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_volleys_add_up_to_confidence() {
        assert_eq!(volleys_for(99), 17);
        assert!(confidence(17) >= 0.99 && confidence(16) < 0.99);
        assert_eq!((volleys_for(1), volleys_for(25)), (1, 1));
    }

    #[test]
    fn wrong_codes_are_not_heard_out_for_ever() {
        assert_eq!(judge_guesses(true, Guessed::HeardOut), Some(Verdict::NeverThrottled));
        assert_eq!(judge_guesses(true, Guessed::Untold), Some(Verdict::Exact));
        assert_eq!(judge_guesses(false, Guessed::Untold), Some(Verdict::RightProofRefused));
        assert_eq!(judge_guesses(false, Guessed::HeardOut), None);
    }
}
