//! What a run has seen of the target's routes: a 404 is "no such route" only where nothing shows that the route exists.
//!
//! A route is known by the method and by the path as the dialect writes it, before anything is filled in.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::play::Play;
use super::scene::Scene;
use crate::dialect::Dialect;
use crate::dialect::predicate::Answer;
use crate::dialect::step::{Auth, Method, Request};
use crate::judge::{Outcome, Verdict, worst_first};
use crate::result::{Answered, CaseResult, Status};

/// What says by its number that there is no such route (RFC 9110 §15.5.5, §15.5.6 and §15.6.2).
const MISSING: [u16; 3] = [404, 405, 501];

/// The routes that were answered in another way than that there is none.
#[derive(Debug, Default)]
pub struct RouteBook {
    /// Challenged, answered with success, or refused to nobody.
    seen: Mutex<BTreeSet<String>>,
    /// Answered with success, and no read.
    performed: Mutex<BTreeSet<String>>,
}

impl RouteBook {
    /// Notes how a route was answered.
    fn note(&self, step: &Request, answer: &Answer, outcome: &Outcome) {
        let route = step.line.route();
        let success = *outcome == Outcome::Accepted && answer.status / 100 == 2;
        let unknown = step.auth == Auth::None && answer.status == 401;
        let otherwise = success || unknown || matches!(outcome, Outcome::Challenged { .. });
        if otherwise && step.line.says_its_path() {
            add(&self.seen, &route);
        }
        if success && step.line.method != Method::Get {
            add(&self.performed, &route);
        }
    }

    /// Why a route exists though it was answered that it does not, where something shows that.
    pub(super) fn shows(&self, dialect: &Dialect, route: &str) -> Option<String> {
        if holds(&self.seen, route) {
            return Some(format!("{route} was answered otherwise in this run, so it is there"));
        }
        dialect.features().into_iter().filter(|(_, routes)| routes.contains(route)).find_map(|(feature, routes)| {
            let other = routes.iter().find(|other| holds(&self.performed, other))?;
            Some(format!("{other} was answered with success in this run, and {route} belongs to {feature} as it does"))
        })
    }
}

// Between any two statements the sets are valid.
fn add(set: &Mutex<BTreeSet<String>>, route: &str) {
    let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
    if !set.contains(route) {
        set.insert(route.to_owned());
    }
}

fn holds(set: &Mutex<BTreeSet<String>>, route: &str) -> bool {
    set.lock().unwrap_or_else(PoisonError::into_inner).contains(route)
}

impl Play<'_> {
    /// Whether the route of the last probe, which was answered by "no such route", is known to be there.
    pub(super) fn last_route_is_there(&self) -> bool {
        let route = self.probes.last().and_then(|probe| probe.route.as_deref());
        route.is_some_and(|route| self.run.stage.routes.shows(self.dialect(), route).is_some())
    }
}

impl Scene {
    /// Notes how a request was answered. The route of the last that was answered by "no such route" is kept.
    pub(super) fn note_route(&mut self, step: &Request, answer: Option<&Answer>, outcome: &Outcome) {
        self.missing = None;
        let Some(answer) = answer else { return };
        if *outcome == Outcome::NotImplemented && MISSING.contains(&answer.status) {
            self.missing = Some(step.line.route());
        } else {
            self.stage.routes.note(step, answer, outcome);
        }
    }
}

impl CaseResult {
    /// Whether it ended as unsupported by an answer, and not by what files say.
    pub(super) fn is_unsupported_by_an_answer(&self) -> bool {
        self.verdicts.contains(&Verdict::Unsupported) && self.probes.iter().any(|probe| probe.route.is_some())
    }

    /// The same, or as a failure of the target's where it said of a route that there is none and the run has seen it.
    #[must_use]
    pub(super) fn by_what_is_known(mut self, routes: &RouteBook, dialect: &Dialect) -> Self {
        if !self.is_unsupported_by_an_answer() {
            return self;
        }
        let missing = self.probes.iter().filter(|probe| probe.answer == Answered::NotImplemented);
        let Some(why) = missing.filter_map(|probe| probe.route.as_ref()).find_map(|route| routes.shows(dialect, route))
        else {
            return self;
        };
        let verdicts = self.verdicts.iter().map(|verdict| match verdict {
            Verdict::Unsupported => Verdict::TargetFailed,
            other => *other,
        });
        self.verdicts = worst_first(verdicts.collect());
        self.status = Status::of(&self.verdicts);
        self.statements.push(why.clone());
        self.observed = format!("{why}; {}", self.observed);
        self
    }
}
