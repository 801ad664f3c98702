//! Profiles of journeys: the acts say what other profiles say for all arrivals.

use super::{Model, Raw};
use crate::load::journey::act::Journey;
use crate::source::Source;
use crate::yaml::FileError;

/// A profile that says neither an action nor a journey.
pub(super) fn nothing_to_do(source: &Source) -> FileError {
    let hint = Some("`action: profile-set:fullname`; or, in the closed model, a `journey` of several".to_owned());
    FileError::whole(source.name(), "it says no `action`", hint)
}

/// The journey, where there is one. Its acts say what other profiles say for all arrivals.
pub(super) fn of(source: &Source, raw: &Raw) -> Result<Option<Journey>, FileError> {
    let Some(written) = &raw.journey else { return Ok(None) };
    let beside = |what: &str| format!("`{what}` beside a `journey`");
    let of_acts = || Some("leave it out: each act has its own".to_owned());
    if let Some(action) = &raw.action {
        return Err(source.wrong(action, beside("action"), of_acts()));
    }
    if let Some(mix) = &raw.mix {
        return Err(source.wrong(mix, beside("mix"), of_acts()));
    }
    if let Some(connections) = &raw.connections {
        let hint = Some("leave it out: each client has a connection of his own".to_owned());
        return Err(source.wrong(connections, beside("connections"), hint));
    }
    if let Some(capacity) = &raw.capacity {
        let hint = Some("leave it out: a capacity is searched for with one action".to_owned());
        return Err(source.wrong(capacity, beside("capacity"), hint));
    }
    match raw.model {
        Model::Closed => {}
        Model::Open => {
            let hint = Some("`model: closed`: whoever walks waits for each answer".to_owned());
            return Err(source.wrong(written, "`journey` belongs to the closed model", hint));
        }
    }
    Journey::new(written.value.clone()).map(Some).map_err(|message| source.wrong(written, message, None))
}

#[cfg(test)]
mod tests {
    use super::super::{Profile, read};
    use super::*;
    use crate::load::mix::Kind;

    fn profile(text: &str) -> Result<Profile, FileError> {
        read(&Source::Written { name: "p.yaml".to_owned(), text: text.to_owned() })
    }

    #[test]
    fn a_journey_takes_the_place_of_an_action_and_what_is_said_of_it() {
        let rest = "name: p\nobjectives: [success >= 99 %]\nmodel: closed\n\
                    clients: { number: 8, think: 20 ms, for: 3 s, up-to: 400/s }\n";
        let acts = "journey: [{ action: login }, { action: publish, proof: none }]\n";
        let read = profile(&format!("{rest}{acts}")).expect("reads");
        assert_eq!((read.action.as_str(), read.connections), ("login (exchange) → publish (challenge-only)", 8));
        assert_eq!((read.mix.weight(Kind::Exchange), read.mix.weight(Kind::ChallengeOnly)), (1, 1));
        for (text, said) in [
            (rest.to_owned(), "says no `action`"),
            (format!("{rest}{acts}").replace("closed", "open"), "p.yaml:5:10: `journey` belongs to the closed model"),
            (format!("{rest}{acts}action: login\n"), "p.yaml:6:9: `action` beside a `journey`"),
            (format!("{rest}{acts}mix: {{ wrong: 1 }}\n"), "p.yaml:6:6: `mix` beside"),
            (format!("{rest}{acts}connections: 4\n"), "p.yaml:6:14: `connections` beside"),
            (format!("{rest}{acts}capacity: {{}}\n"), "p.yaml:6:11: `capacity` beside"),
            (format!("{rest}journey: []\n"), "p.yaml:5:10: 0 acts"),
            (format!("{rest}journey: [{{ action: login, proof: rihgt }}]\n"), "`rihgt`"),
        ] {
            let error = profile(&text).expect_err(&text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
