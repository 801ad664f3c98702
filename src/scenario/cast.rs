//! Scenarios of several users: who acts is one of the cast, and has signed up before.

use super::{Act, Errand, Part, Proof, Scenario};
use crate::source::Source;
use crate::table::Mode;
use crate::yaml::{self, FileError, Spanned};

/// The routine by which a user of the cast comes into being.
pub const SIGN_UP: &str = "sign-up";

/// Checks who acts, and settles the modes that the scenario is played in.
pub(super) fn check(source: &Source, scenario: &mut Scenario) -> Result<(), FileError> {
    let cast: Vec<String> = scenario.cast.iter().map(|name| name.value.clone()).collect();
    if cast.is_empty() {
        if scenario.modes.is_empty() {
            scenario.modes = vec![Mode::AuthOnly, Mode::AuthAndWrites];
        }
        return nobody_named(source, scenario);
    }
    for (number, name) in scenario.cast.iter().enumerate() {
        let plain = !name.value.is_empty() && name.value.bytes().all(|byte| byte.is_ascii_lowercase());
        if !plain || cast[..number].contains(&name.value) {
            return Err(source.wrong(name, "each user of the cast has a name of its own, of small letters", None));
        }
    }
    if scenario.modes.is_empty() {
        scenario.modes = vec![Mode::Disabled];
    }
    if scenario.modes != [Mode::Disabled] {
        let hint = Some("its users enrol by acts: `run: enrol`".to_owned());
        return Err(source.wrong(&scenario.cast[0], "a scenario with a cast begins in mode `disabled` alone", hint));
    }
    let mut signed_up: Vec<&str> = Vec::new();
    for act in &scenario.acts {
        let (at, part, proof) = match act {
            Act::Wait(_) => continue,
            Act::AtOnce(race) => {
                let Some(first) = race.attempts.first() else { continue };
                return Err(source.wrong(&first.perform, "attempts at once are for scenarios without a cast", None));
            }
            Act::Guess(guess) => {
                return Err(source.wrong(&guess.routine, "guesses are for scenarios without a cast", None));
            }
            Act::Run(Errand { routine, part, .. }) => (routine, part, None),
            Act::Attempt(attempt) => (&attempt.perform, &attempt.part, Some(&attempt.proof)),
        };
        let Some(by) = &part.by else {
            return Err(source.wrong(at, "with a cast, each act says who acts: `by`", Some(yaml::allowed("", &cast))));
        };
        let known = |name: &str, at: &Spanned<String>| {
            let hint = || Some(yaml::allowed(name, &cast));
            if cast.iter().any(|known| known == name) {
                Ok(())
            } else {
                Err(source.wrong(at, format!("`{name}` is not of the cast"), hint()))
            }
        };
        known(&by.value, by)?;
        let signs_up = matches!(act, Act::Run(_)) && at.value == SIGN_UP;
        match (signs_up, signed_up.contains(&by.value.as_str())) {
            (true, true) => return Err(source.wrong(by, format!("`{}` has signed up already", by.value), None)),
            (true, false) => signed_up.push(&by.value),
            (false, false) => {
                let hint = Some(format!("`run: {SIGN_UP}` comes first"));
                return Err(source.wrong(by, format!("`{}` has not signed up by then", by.value), hint));
            }
            (false, true) => {}
        }
        match proof {
            Some(Proof::Of(name)) => known(name, at)?,
            Some(Proof::OfAnother) => {
                let hint = Some("`proof: { of: NAME }`".to_owned());
                return Err(source.wrong(at, "with a cast, another user's code is of one by name", hint));
            }
            _ => {}
        }
    }
    Ok(())
}

fn nobody_named(source: &Source, scenario: &Scenario) -> Result<(), FileError> {
    let attempts = scenario.attempts().map(|attempt| (&attempt.perform, &attempt.part, Some(&attempt.proof)));
    let errands = scenario.acts.iter().filter_map(|act| match act {
        Act::Run(errand) => Some((&errand.routine, &errand.part, None)),
        Act::Attempt(_) | Act::AtOnce(_) | Act::Wait(_) | Act::Guess(_) => None,
    });
    for (at, Part { by, mode }, proof) in attempts.chain(errands) {
        if by.is_some() || mode.is_some() || matches!(proof, Some(Proof::Of(_))) {
            let hint = Some("`cast: [ann, ben]`".to_owned());
            return Err(source.wrong(at, "`by`, `mode` and `of` are for scenarios with a `cast`", hint));
        }
    }
    Ok(())
}
