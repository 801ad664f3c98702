//! Undoing what a case made and changed, what is said of what stays, and what is found there: an object whose request was
//! refused, and that is there all the same when it is looked for, was made late.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;

use super::scene::{Conduct, Ended, NEVER_READ, NOTHING_TO_DO, Scene};
use crate::clock::UnixMillis;
use crate::dialect::step::Step;
use crate::judge::Outcome;
use crate::result::Wait;
use crate::wire::{Exchange, FaultKind};

/// So many times the limit for an answer after it was sent, what timed out is looked for once more.
const LATE: u32 = 2;

/// What has to be done so that a step that was sent is as if it had not been.
#[derive(Clone)]
pub(super) struct Undo {
    pub steps: Arc<Vec<Step>>,
    pub object: Value,
    pub args: Value,
    pub kept: BTreeMap<String, serde_json::Value>,
    pub by: String,
    /// Whether its answer was read.
    pub answered: bool,
    /// Whether it was a success.
    pub accepted: bool,
    /// Whether the target may still be at it.
    pub may_land: bool,
    /// When it was sent, by the target's clock.
    pub sent: UnixMillis,
    /// The number of the object of the probe that it was sent for.
    pub probe: Option<usize>,
}

/// What undoing a case came to.
#[derive(Debug, Default)]
pub(super) struct Undone {
    /// What could not be undone, in words, each with its object.
    pub left: Vec<String>,
    /// The numbers of the objects that were there though their probes were not let through.
    pub done_all_the_same: Vec<usize>,
}

/// Where an undoing has looked for what to undo, for which probe, and what it knew.
struct Look {
    place: String,
    found: bool,
    accepted: bool,
    probe: Option<usize>,
}

/// What came of undoing something.
enum End {
    /// It is as if it had not been.
    Gone,
    /// No step had anything to do.
    Nothing,
    /// It stays, for this reason.
    Left(String),
}

/// Whether the target may still be at a request to which no answer came in time, or whose connection ended before.
pub(super) fn may_land(exchange: Option<&Exchange>) -> bool {
    exchange.is_some_and(|exchange| matches!(exchange.fault_kind, Some(FaultKind::TimedOut | FaultKind::BrokenOff)))
}

impl Scene {
    /// Whether there is anything to undo.
    pub fn has_undos(&self) -> bool {
        !self.undos.is_empty()
    }

    /// Undoes everything, the last first; `None` when there was nothing.
    pub(super) async fn undo(&mut self) -> Option<Undone> {
        let undos = std::mem::take(&mut self.undos);
        if undos.is_empty() {
            return None;
        }
        let (mut left, mut late, mut looks) = (Vec::new(), Vec::new(), Vec::new());
        for undo in undos.into_iter().rev() {
            let end = self.undo_one(&undo).await;
            looks.extend(self.take_looks(&undo));
            match end {
                End::Gone if undo.may_land => late.push(undo),
                End::Gone | End::Nothing => {}
                End::Left(why) => left.push(named(&undo, &why)),
            }
        }
        // What was not there may have come since: a target that answers late also acts late.
        if let Some(last) = late.iter().map(|undo| undo.sent).max() {
            let over = last.after(self.stage.wire.limits().answer * LATE);
            if let Err(why) = self.rest(Wait::Settling, self.stage.target_time().until(over)).await {
                let perhaps = format!("no answer came, and it may come to be yet: {why}");
                left.extend(late.drain(..).map(|undo| named(&undo, &perhaps)));
            }
        }
        for undo in late {
            let end = self.undo_one(&undo).await;
            looks.extend(self.take_looks(&undo));
            let mut looked = looks.iter().filter(|look| look.probe == undo.probe).peekable();
            let absent = looked.peek().is_some() && looked.all(|look| !look.found);
            match end {
                End::Left(why) => left.push(named(&undo, &why)),
                End::Gone if absent => left.push(named(&undo, "no answer came, and it may come to be yet")),
                End::Gone | End::Nothing => {}
            }
        }
        // What undoing it made is not to be undone in turn.
        self.undos.clear();
        let may_be_there: Vec<&String> = looks.iter().filter(|look| look.accepted).map(|look| &look.place).collect();
        let late = looks.iter().filter(|look| look.found && !look.accepted && !may_be_there.contains(&&look.place));
        let mut done_all_the_same: Vec<usize> = late.filter_map(|look| look.probe).collect();
        done_all_the_same.dedup();
        Some(Undone { left, done_all_the_same })
    }

    /// Where the last undoing has looked for what to undo.
    fn take_looks(&mut self, undo: &Undo) -> Vec<Look> {
        let looked = std::mem::take(&mut self.looked);
        let (accepted, probe) = (undo.accepted, undo.probe);
        looked.into_iter().map(|(place, found)| Look { place, found, accepted, probe }).collect()
    }

    async fn undo_one(&mut self, undo: &Undo) -> End {
        self.looked.clear();
        self.call(&undo.by);
        self.take_up(undo.object.clone(), undo.kept.clone());
        self.set_args(undo.args.clone());
        match self.perform(&undo.steps, &Conduct::Assisted).await {
            Ok(Ended { saw, .. }) if !undo.answered && saw == NOTHING_TO_DO && self.user.lent => {
                match self.undo_unread(&undo.steps, undo.sent).await {
                    Ok(true) => End::Nothing,
                    Ok(false) => End::Left(NEVER_READ.to_owned()),
                    Err(mistake) => End::Left(mistake),
                }
            }
            Ok(Ended { saw, .. }) if saw == NOTHING_TO_DO => End::Nothing,
            // Where the dialect takes that for an answer, it says so.
            Ok(Ended { outcome: Outcome::NotImplemented, saw }) if undo.accepted => End::Left(saw),
            // What was never made is not there to be removed.
            Ok(Ended { outcome: Outcome::Accepted | Outcome::NotImplemented, .. }) => End::Gone,
            Ok(ended) => End::Left(ended.saw),
            Err(mistake) => End::Left(mistake),
        }
    }

    /// Ends the sessions that were opened beside the one that each user came with. Returns those that live on, in words.
    pub(super) async fn end_sessions(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for name in self.everyone() {
            self.call(&name);
            let opened = self.user.first_session();
            let first = self.user.token.clone();
            for session in opened {
                self.user.token = Some(session);
                let lives = self.routine("recognise", &Conduct::Assisted).await;
                if lives.is_ok_and(|ended| ended.outcome == Outcome::Refused) {
                    continue;
                }
                match self.routine("log-out", &Conduct::Assisted).await {
                    Ok(Ended { outcome: Outcome::Accepted, .. }) => {}
                    Ok(ended) => left.push(format!("{name}: a session beside the first: {}", ended.saw)),
                    Err(mistake) => left.push(format!("{name}: a session beside the first: {mistake}")),
                }
            }
            self.user.token = first;
        }
        left
    }
}

/// What stays, with the object that it is about.
fn named(undo: &Undo, why: &str) -> String {
    match undo.object.get_attr("name").ok().and_then(|name| name.as_str().map(str::to_owned)) {
        Some(name) => format!("{name}: {why}"),
        None => why.to_owned(),
    }
}
