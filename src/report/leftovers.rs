//! What is left on a target, grouped: what differs in made-up names alone is one thing, left in several places.

use super::text::{counted, without_names};
use crate::result::RunResult;

/// How many places of a group are named; the document has all.
const NAMED: usize = 3;

/// What is left in the same way, and by whom.
#[derive(Debug, PartialEq, Eq)]
pub struct Leftover<'a> {
    /// What it is, without the names of objects where there are several.
    pub what: String,
    /// Each: the case that left it, where it was one, and all that is said of it, with its object.
    pub places: Vec<(Option<&'a str>, &'a str)>,
}

impl Leftover<'_> {
    /// The cases and objects, the first few by name.
    pub fn places(&self) -> String {
        let place = |(case, left): &(Option<&str>, &str)| {
            let object = left.split_once(": ").map_or("", |(object, _)| object);
            match case {
                Some(case) if object.is_empty() => (*case).to_owned(),
                Some(case) => format!("{case} ({object})"),
                None => "the run as a whole".to_owned(),
            }
        };
        let named: Vec<String> = self.places.iter().take(NAMED).map(place).collect();
        match self.places.len().saturating_sub(NAMED) {
            0 => named.join(", "),
            more => format!("{} and {more} more", named.join(", ")),
        }
    }

    /// In one line.
    pub fn line(&self) -> String {
        match self.places.as_slice() {
            [(None, left)] => (*left).to_owned(),
            [(Some(case), left)] => format!("{left}, by {case}"),
            _ => format!("{}: {}, by {}", self.what, counted(self.places.len(), "time"), self.places()),
        }
    }
}

/// What is left of a run, in the order of the first of each.
pub fn of(result: &RunResult) -> Vec<Leftover<'_>> {
    let of_run = result.left.iter().map(|left| (None, left.as_str()));
    let cases = result.cases.iter().chain(&result.observations);
    let of_cases = cases.flat_map(|case| case.left.iter().map(|left| (Some(case.id.as_str()), left.as_str())));
    let mut groups: Vec<Leftover<'_>> = Vec::new();
    for (case, left) in of_run.chain(of_cases) {
        let what = without_names(left);
        match groups.iter_mut().find(|group| group.what == what) {
            Some(group) => group.places.push((case, left)),
            None => groups.push(Leftover { what, places: vec![(case, left)] }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_names_alone_is_one_thing_left_in_several_places() {
        let left = |number: u32| format!("su0000000a-{number}-0: DELETE /su0000000a-{number}-0/-rev/1-a → 403 refused");
        let all: Vec<String> = (1..=5).map(left).collect();
        let places = all.iter().map(|left| (Some("disabled/publish/none/wire"), left.as_str())).collect();
        let group = Leftover { what: without_names(&all[0]), places };
        let of = |number| format!("disabled/publish/none/wire (su0000000a-{number}-0)");
        let wanted =
            format!("…: DELETE /…/-rev/1-a → 403 refused: 5 times, by {}, {}, {} and 2 more", of(1), of(2), of(3));
        assert_eq!(group.line(), wanted);
        let one = Leftover { what: without_names(&all[0]), places: vec![(Some("a/b"), &all[0])] };
        assert_eq!(one.line(), format!("{}, by a/b", all[0]));
    }
}
