//! Ids that were changed. A case keeps its id; where one must change, it is listed here, so that old results and lists of
//! deviations are still understood.

/// The former id and the present one.
pub type Renamed = (&'static str, &'static str);

/// Every id that was changed.
pub const RENAMED: &[Renamed] = &[];

/// The id that a case has today.
pub fn today<'a>(id: &'a str, renamed: &[(&'a str, &'a str)]) -> &'a str {
    renamed.iter().find(|(former, _)| *former == id).map_or(id, |(_, present)| present)
}

/// The ids that a case has had, today's first.
pub fn all<'a>(id: &'a str, renamed: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = &'a str> {
    std::iter::once(id).chain(renamed.iter().filter(move |(_, present)| *present == id).map(|(former, _)| *former))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renamed_case_is_the_same_case() {
        let renamed = [("old/a", "new/a"), ("older/a", "new/a")];
        assert_eq!((today("old/a", &renamed), today("b", &renamed)), ("new/a", "b"));
        assert_eq!(all("new/a", &renamed).collect::<Vec<_>>(), ["new/a", "old/a", "older/a"]);
        assert_eq!(all("b", &renamed).collect::<Vec<_>>(), ["b"]);
    }
}
