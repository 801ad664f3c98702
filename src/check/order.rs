//! In which order cases begin: the longest first, or, where time is short, the most telling first.

use std::collections::BTreeMap;

use super::estimate::{Means, cost};
use super::plan::{Case, Script};
use crate::dialect::{Dialect, LeavesAccount};
use crate::judge::Expectation;
use crate::scenario::Scenario;
use crate::table::{Factor, Mode};

/// The actions whose doors cost most where they stand open, the worst first. Others come after them.
const HARM: [&str; 12] = [
    "publish",
    "token-create",
    "disable-2fa",
    "mode-change",
    "profile-set",
    "login",
    "key-add",
    "code-add",
    "owner",
    "package-access",
    "unpublish",
    "deprecate",
];

/// The numbers of the cases, the one that takes longest first, so that no long one is begun when all others are done.
/// Accounts that are lent are used up by the last cases.
pub(super) fn longest_first(cases: &[Case], dialect: &Dialect, means: Means) -> Vec<usize> {
    let mut order: Vec<usize> = (0..cases.len()).collect();
    let uses_up = |case: &Case| means != Means::Fresh && case.leaves_account(dialect) == LeavesAccount::UsedUp;
    order.sort_by_key(|number| {
        let case = &cases[*number];
        (uses_up(case), std::cmp::Reverse(cost(case, dialect, means).long))
    });
    order
}

/// The numbers of the cases, the most telling first: by level, one case of each surface before others of it, rows
/// before scenarios, and what does most harm before what does less.
pub(super) fn most_telling_first(cases: &[Case], dialect: &Dialect) -> Vec<usize> {
    let mut order: Vec<usize> = (0..cases.len()).collect();
    order.sort_by_key(|number| (about(&cases[*number], dialect), within(&cases[*number])));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut rounds = vec![0; cases.len()];
    for number in &order {
        let before = seen.entry(about(&cases[*number], dialect)).or_default();
        rounds[*number] = *before;
        *before += 1;
    }
    order.sort_by_key(|number| {
        let case = &cases[*number];
        let is_scenario = matches!(case.script, Script::Scenario(_));
        (case.is_observed(), case.level, rounds[*number], is_scenario, harm(case, dialect), within(case))
    });
    order
}

/// What a case is about: a surface, or a rule.
fn about(case: &Case, dialect: &Dialect) -> String {
    match &case.script {
        Script::Row { surface, .. } => dialect.surfaces[*surface].id(),
        Script::Scenario(scenario) => scenario.id.clone(),
    }
}

/// How much harm an open door does; less is worse.
fn harm(case: &Case, dialect: &Dialect) -> usize {
    let action = match &case.script {
        Script::Row { surface, .. } => Some(dialect.surfaces[*surface].action.as_str()),
        Script::Scenario(scenario) => {
            let first = scenario.attempts().find_map(|attempt| Scenario::surface(attempt, dialect));
            first.map(|surface| dialect.surfaces[surface].action.as_str())
        }
    };
    HARM.iter().position(|known| Some(*known) == action).unwrap_or(HARM.len())
}

/// Of one surface or rule: where a second factor is asked for first, the strictest mode, and codes before keys.
fn within(case: &Case) -> (bool, u8, u8) {
    let asked = match &case.script {
        Script::Row { expectation, .. } => *expectation == Some(Expectation::Challenged),
        Script::Scenario(_) => true,
    };
    let mode = match case.mode {
        Mode::AuthAndWrites => 0,
        Mode::AuthOnly => 1,
        Mode::Disabled => 2,
    };
    let factor = match case.factor {
        Factor::Totp => 0,
        Factor::SecurityKey => 1,
        Factor::Both => 2,
        Factor::None => 3,
    };
    (!asked, mode, factor)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::suite;
    use super::*;
    use crate::table::Level;
    use crate::target;

    #[test]
    fn the_most_telling_case_is_a_publication_and_each_surface_comes_before_its_variants() {
        let cases = suite::carried().expect("the cases");
        let dialect = target::find("embedded").expect("npm").dialect;
        let order = most_telling_first(&cases, &dialect);
        let ids: Vec<&str> = order.iter().map(|number| cases[*number].id.as_str()).collect();
        assert_eq!(ids[0], "auth-and-writes/publish/totp/wire");
        let at = |id: &str| ids.iter().position(|known| *known == id).unwrap_or_else(|| panic!("{id}"));
        assert!(at("auth-and-writes/token-create/totp/wire") < at("auth-and-writes/deprecate/totp/wire"));
        assert!(at("auth-and-writes/deprecate/totp/wire") < at("auth-only/publish/totp/wire"));
        let levels: Vec<Level> =
            order.iter().filter(|number| !cases[**number].is_observed()).map(|number| cases[*number].level).collect();
        assert!(levels.is_sorted(), "{levels:?}");
        let mut all = order.clone();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..cases.len()), "each case once");
    }

    #[test]
    fn what_waits_longest_begins_first() {
        let cases = suite::carried().expect("the cases");
        let dialect = target::find("embedded").expect("npm").dialect;
        let order = longest_first(&cases, &dialect, Means::Fresh);
        let costs: Vec<Duration> =
            order.iter().map(|number| cost(&cases[*number], &dialect, Means::Fresh).long).collect();
        assert!(costs.is_sorted_by(|one, next| one >= next) && costs[0] >= Duration::from_secs(1_200), "{costs:?}");
        let lent = longest_first(&cases, &dialect, Means::Lent { shared: false });
        let uses_up = |number: &usize| cases[*number].leaves_account(&dialect) == LeavesAccount::UsedUp;
        assert!(lent.iter().is_sorted_by_key(uses_up) && uses_up(&lent[lent.len() - 1]));
    }
}
