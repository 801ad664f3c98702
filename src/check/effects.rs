//! Effects: what a probe has changed, told by the same reads before it and after it.
//!
//! An effect is a difference. What a read shows after a probe counts as done only where it did not show it before; a probe
//! that makes something under a fresh name is known to find nothing there, and is not read before. What was not done is
//! told by a read that would show it: a "not found" says so only of a read that found something once in the run, and an
//! answer of a cache never does. What cannot be read is neither done nor undone.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Value;

use super::reads::Tried;
use super::scene::{Conduct, Ended, Mistake, Scene};
use crate::dialect::Fact;
use crate::dialect::predicate::{Answer, Predicate};
use crate::dialect::step::{Auth, Method, Request};
use crate::judge::{Effect, Outcome};

/// The reads that have found something in this run: only they can tell that something is not there.
#[derive(Debug, Clone, Default)]
pub struct Proven {
    reads: Arc<Mutex<BTreeSet<String>>>,
    /// The surfaces whose reads were tried for their own sake.
    pub(super) tried: Tried,
}

impl Proven {
    pub(super) fn note(&self, read: String) {
        self.known().insert(read);
    }

    pub(super) fn has(&self, read: &str) -> bool {
        self.known().contains(read)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of one fact before a probe.
#[derive(Debug, Clone)]
pub(super) enum Before {
    /// The probe makes what the fact is about, so there was nothing.
    Fresh,
    /// The read was answered so.
    Read(Answer),
    /// It could not be read, for this reason.
    Unknown(String),
}

/// What the facts showed after a probe.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) effect: Effect,
    /// Which reads said nothing, and why.
    pub(super) detail: Vec<String>,
    /// The reads that have yet to find something, for the effect to be known as not applied, or as not applied in full.
    pub(super) rests_on: Vec<String>,
    /// Whether a cache has answered, so that a later read may show more.
    pub(super) cached: bool,
    /// Why nothing is known, where archives alone would show it and are on a host that the target's file does not name.
    pub(super) elsewhere: Option<String>,
}

impl Reading {
    /// One that is known without a read.
    pub(super) fn of(effect: Effect) -> Self {
        Reading { effect, detail: Vec::new(), rests_on: Vec::new(), cached: false, elsewhere: None }
    }

    /// Whether a later read may show more of what was answered with success.
    pub(super) fn may_change(&self) -> bool {
        self.effect.is_unseen() || matches!(self.effect, Effect::PartlySeen | Effect::Partial)
    }

    /// Whether nothing is known, for a cache has answered.
    pub(super) fn is_stale(&self) -> bool {
        self.cached && self.effect == Effect::Unknown
    }
}

/// What one fact showed.
enum Shown {
    Applied,
    Partial,
    /// Not applied, as this read would have shown.
    Absent,
    /// Not applied, if this read has found something in this run.
    AbsentIf(String),
    /// Nothing was handed out, what is there was there before, or nothing was added to a list that may not have all.
    NothingNew(Option<String>),
    /// It says nothing by its nature, or for what the registry lacks.
    Nothing(Option<String>),
    /// It could not be read, for this reason.
    Unread(String),
    /// It is about an archive on another host, which the target's file does not name.
    Elsewhere(String),
    /// A cache has answered in place of the registry.
    Cached(String),
    /// There was no usable answer.
    Failed(String),
}

impl Scene {
    /// Reads what the facts are about before a probe changes it. The second part is how the first read ended to which there
    /// was no usable answer.
    pub(super) async fn read_before(&mut self, facts: &[Fact]) -> Result<(Vec<Before>, Option<Ended>), Mistake> {
        let noted = std::mem::take(&mut self.noted);
        let mut before = Vec::new();
        for fact in facts {
            if fact.is_about_something_fresh() {
                before.push(Before::Fresh);
                continue;
            }
            let request = &fact.read.request;
            // What comes before the command has read it already.
            if let Some((_, answer)) = noted.iter().find(|(read, _)| *read == name_of(request))
                && !self.is_cached(answer)?
            {
                before.push(Before::Read(answer.clone()));
                continue;
            }
            let (ended, answer) = self.read(fact).await?;
            if matches!(ended.outcome, Outcome::Failed | Outcome::Throttled) && self.elsewhere.is_none() {
                return Ok((before, Some(ended)));
            }
            before.push(match (answer, why_unread(fact, &ended)) {
                (Some(answer), None) if self.is_cached(&answer)? => {
                    Before::Unknown(format!("{}, which a cache has answered", ended.saw))
                }
                (Some(answer), None) => Before::Read(answer),
                (_, Some(why)) => Before::Unknown(why),
                (None, None) => Before::Unknown(self.elsewhere.clone().unwrap_or(ended.saw)),
            });
        }
        Ok((before, None))
    }

    /// Reads what has become of it. What is known before has the order of the facts; of facts without any, nothing is.
    pub(super) async fn effect(&mut self, facts: &[Fact], before: &[Before]) -> Result<Reading, Mistake> {
        let mut shown: Vec<Shown> = Vec::new();
        for (number, fact) in facts.iter().enumerate() {
            let applied = shown.iter().any(|shown| matches!(shown, Shown::Applied));
            if fact.if_applied && !applied {
                continue;
            }
            if fact.needs.as_ref().is_some_and(|name| !self.kept.contains_key(name)) {
                shown.push(Shown::NothingNew(None));
                continue;
            }
            let (ended, answer) = self.read(fact).await?;
            let fresh = fact.is_about_something_fresh();
            let unknown = Before::Unknown("nothing was read before".to_owned());
            let before = if fresh { &Before::Fresh } else { before.get(number).unwrap_or(&unknown) };
            shown.push(self.shows(fact, before, &ended, answer)?);
        }
        Ok(self.sum_up(shown))
    }

    /// Looks once more whether something has become of a probe that had no effect: at its first fact, and at the others
    /// only where that shows something.
    pub(super) async fn late_effect(&mut self, facts: &[Fact], before: &[Before]) -> Result<Option<Reading>, Mistake> {
        let Some(first) = facts.iter().position(|fact| !fact.if_applied) else { return Ok(None) };
        let reading = self.effect(&facts[first..=first], before.get(first..).unwrap_or_default()).await?;
        if !reading.effect.leaked() {
            return Ok(None);
        }
        self.effect(facts, before).await.map(Some)
    }

    /// A read-back: it asks past caches, and is answered with a code only where the fact says so.
    async fn read(&mut self, fact: &Fact) -> Result<(Ended, Option<Answer>), Mistake> {
        let conduct = if fact.takes_code { Conduct::Assisted } else { Conduct::Bare };
        self.past_caches = true;
        let read = self.request(&fact.read.request, &fact.read.undo, &conduct).await;
        self.past_caches = false;
        read
    }

    fn shows(&self, fact: &Fact, before: &Before, ended: &Ended, answer: Option<Answer>) -> Result<Shown, Mistake> {
        let saw = &ended.saw;
        if let Some(elsewhere) = &self.elsewhere {
            return Ok(match fact.read.request.archive {
                true => Shown::Elsewhere(elsewhere.clone()),
                false => Shown::Unread(elsewhere.clone()),
            });
        }
        let Some(answer) = answer else { return Ok(Shown::Failed(saw.clone())) };
        let variables = self.variables(None, false);
        let holds = |predicate: &Predicate, answer: &Answer| {
            predicate.holds(answer, &variables).map_err(|error| error.to_string())
        };
        if let Some(neutral) = &fact.neutral
            && holds(neutral, &answer)?
        {
            return Ok(Shown::Nothing(None));
        }
        if let Some(why) = why_unread(fact, ended) {
            return Ok(Shown::Unread(why));
        }
        let held_before = |predicate: &Predicate| match before {
            Before::Fresh => Ok(Some(false)),
            Before::Read(before) => holds(predicate, before).map(Some),
            Before::Unknown(_) => Ok::<_, Mistake>(None),
        };
        let not_by_it = || match before {
            Before::Unknown(why) => Shown::Unread(format!("{saw}; before it: {why}")),
            // What did not change was not done, as far as this read tells.
            Before::Fresh | Before::Read(_) => Shown::NothingNew(None),
        };
        let cached = self.is_cached(&answer)?;
        let is_applied = holds(&fact.applied, &answer)?;
        if let Some(pointer) = &fact.gains
            && is_applied
        {
            let Before::Read(before) = before else { return Ok(not_by_it()) };
            let (Some(then), Some(now)) = (values(before, pointer), values(&answer, pointer)) else {
                return Ok(Shown::Nothing(Some(format!("{saw}, without a list"))));
            };
            return Ok(match now.difference(&then).count() {
                0 if cached => Shown::Cached(saw.clone()),
                0 => Shown::NothingNew(Some(gain_of(&fact.read.request))),
                1 => {
                    self.stage.proven.note(gain_of(&fact.read.request));
                    Shown::Applied
                }
                // It was done more than once.
                _ => Shown::Partial,
            });
        }
        if is_applied {
            return Ok(match held_before(&fact.applied)? {
                Some(false) => Shown::Applied,
                Some(true) | None => not_by_it(),
            });
        }
        if holds(&fact.absent, &answer)? {
            return Ok(match answer.status {
                _ if cached => Shown::Cached(saw.clone()),
                // An address that was handed out has no shape of its own.
                404 | 410 if fact.needs.is_some() => Shown::AbsentIf(name_of(&fact.read.request)),
                404 | 410 => Shown::AbsentIf(self.shape(&self.place)),
                _ => Shown::Absent,
            });
        }
        if let Some(partial) = &fact.partial
            && holds(partial, &answer)?
        {
            return Ok(match held_before(partial)? {
                Some(false) => Shown::Partial,
                Some(true) | None => not_by_it(),
            });
        }
        Ok(match ended.outcome {
            Outcome::Failed | Outcome::Throttled => Shown::Failed(saw.clone()),
            Outcome::NotImplemented => Shown::Nothing(Some(format!("{saw}, which shows nothing"))),
            Outcome::Accepted | Outcome::Refused | Outcome::Challenged { .. } => {
                Shown::Unread(format!("{saw}, which shows neither that it was done nor that it was not"))
            }
        })
    }

    fn sum_up(&self, shown: Vec<Shown>) -> Reading {
        let (mut applied, mut partial, mut absent, mut nothing_new) = (false, false, false, false);
        let (mut unread, mut failed, mut cached) = (false, false, false);
        let (mut detail, mut rests_on, mut lists) = (Vec::new(), Vec::new(), Vec::new());
        let mut elsewhere = Vec::new();
        for shown in shown {
            match shown {
                Shown::Applied => applied = true,
                Shown::Partial => partial = true,
                Shown::Absent => absent = true,
                Shown::AbsentIf(read) if self.stage.proven.has(&read) => absent = true,
                Shown::AbsentIf(read) => rests_on.push(read),
                Shown::NothingNew(None) => nothing_new = true,
                Shown::NothingNew(Some(list)) => lists.push(list),
                Shown::Nothing(why) => detail.extend(why),
                Shown::Unread(why) => {
                    unread = true;
                    detail.push(why);
                }
                Shown::Elsewhere(why) => elsewhere.push(why),
                Shown::Cached(saw) => {
                    (unread, cached) = (true, true);
                    detail.push(format!("{saw}, which a cache has answered"));
                }
                Shown::Failed(why) => {
                    failed = true;
                    detail.push(why);
                }
            }
        }
        let effect = if partial || (applied && absent) {
            Effect::Partial
        } else if applied {
            match rests_on.is_empty() {
                _ if failed => Effect::Unconfirmed,
                true => Effect::Applied,
                false => Effect::PartlySeen,
            }
        } else if failed {
            Effect::Unknown
        } else if absent {
            Effect::NotApplied
        } else if unread {
            Effect::Unknown
        } else if !rests_on.is_empty() {
            Effect::Unproven
        } else if nothing_new {
            // What would have been handed out was not; a list beside it adds nothing to that.
            Effect::NotApplied
        } else if !lists.is_empty() {
            rests_on = lists.into_iter().filter(|list| !self.stage.proven.has(list)).collect();
            if rests_on.is_empty() { Effect::NotApplied } else { Effect::Unproven }
        } else if detail.is_empty() && elsewhere.is_empty() {
            Effect::None
        } else {
            Effect::Unknown
        };
        let alone = effect == Effect::Unknown && !unread && !failed;
        detail.extend(elsewhere.iter().cloned());
        Reading { effect, detail, rests_on, cached, elsewhere: elsewhere.into_iter().next().filter(|_| alone) }
    }

    /// Notes that a read has found something, if it has, and whether that is what an undoing looks for.
    pub(super) fn note_found(&mut self, step: &Request, answer: &Answer) -> Result<(), Mistake> {
        if step.line.method == Method::Get && answer.status / 100 == 2 && !self.is_cached(answer)? {
            self.stage.proven.note(self.shape(&self.place));
            self.stage.proven.note(name_of(step));
        }
        if let Some(finds) = &step.finds {
            let found = finds.holds(answer, &self.variables(None, false)).map_err(|error| error.to_string())?;
            self.looked.push((self.place.clone(), found));
        }
        Ok(())
    }

    fn is_cached(&self, answer: &Answer) -> Result<bool, Mistake> {
        let mut cached = false;
        for predicate in &self.stage.dialect.cached {
            cached |= predicate.holds(answer, &Value::from(())).map_err(|error| error.to_string())?;
        }
        Ok(cached)
    }

    /// The shape of a read: where it goes, whatever the object, the user and the version are called.
    fn shape(&self, place: &str) -> String {
        let named = |name: &str| self.object.get_attr(name).ok().and_then(|name| name.as_str().map(str::to_owned));
        let names = [named("scoped"), named("name"), named("team"), Some(self.user.name.clone())];
        shape_without(place, &names.into_iter().flatten().collect::<Vec<_>>())
    }
}

/// Why an answer is no answer to what was read, where that is so.
fn why_unread(fact: &Fact, ended: &Ended) -> Option<String> {
    match ended.outcome {
        // A user without a second factor who is asked for one is refused.
        Outcome::Challenged { .. } if fact.takes_code || fact.read.request.auth == Auth::Other => None,
        Outcome::Challenged { .. } => Some(format!("{}, and a read-back spends no code", ended.saw)),
        Outcome::Accepted | Outcome::Refused | Outcome::NotImplemented | Outcome::Throttled | Outcome::Failed => None,
    }
}

/// A read, as the dialect names it.
pub(super) fn name_of(request: &Request) -> String {
    format!("{} {}", request.line.method.name(), request.line.place)
}

/// That a list which is read so has grown.
fn gain_of(request: &Request) -> String {
    format!("a new entry by {}", name_of(request))
}

/// The values that a pointer leads to, `*` standing for each element or member. None where there is no list on the way.
fn values(answer: &Answer, pointer: &str) -> Option<BTreeSet<String>> {
    let mut found = vec![answer.json.as_ref()?];
    for part in pointer.split('/').skip(1) {
        found = match part {
            "*" => {
                let mut all = Vec::new();
                for value in found {
                    match value {
                        serde_json::Value::Array(items) => all.extend(items),
                        serde_json::Value::Object(members) => all.extend(members.values()),
                        _ => return None,
                    }
                }
                all
            }
            name => {
                let members: Vec<_> = found.iter().filter_map(|value| value.get(name)).collect();
                if members.is_empty() && !found.is_empty() {
                    return None;
                }
                members
            }
        };
    }
    Some(found.into_iter().map(ToString::to_string).collect())
}

/// The path of a place, with each of the names as `*`, however it is escaped, and each number as 0.
fn shape_without(place: &str, names: &[String]) -> String {
    let path = match place.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => place,
    };
    let mut path = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    for name in names.iter().filter(|name| !name.is_empty()) {
        path = path.replace(name.as_str(), "*");
    }
    let mut shape = String::from("GET ");
    let mut in_number = false;
    for letter in path.chars() {
        let is_digit = letter.is_ascii_digit();
        if !is_digit {
            shape.push(letter);
        } else if !in_number {
            shape.push('0');
        }
        in_number = is_digit;
    }
    shape
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_read_has_one_shape_whatever_it_is_about() {
        let names = ["@su1-2/su1-2-0".to_owned(), "su1-2-0".to_owned(), "su1-2".to_owned()];
        assert_eq!(shape_without("/su1-2-0/-/su1-2-0-1.0.1.tgz", &names), "GET /*/-/*-0.0.0.tgz");
        assert_eq!(shape_without("http://h:1/su1-2-0/-/su1-2-0-1.10.0.tgz", &names), "GET /*/-/*-0.0.0.tgz");
        assert_eq!(shape_without("/@su1-2%2fsu1-2-0", &names), "GET /*");
        assert_eq!(shape_without("/su1-2-0?write=true", &names), "GET /*?write=true");
    }

    #[test]
    fn what_a_list_has_is_told_by_one_member_of_each_entry() {
        let of = |json: serde_json::Value| {
            values(&Answer { status: 200, json: Some(json), ..Answer::default() }, "/objects/*/key")
        };
        let one = of(json!({ "objects": [{ "key": "a", "updated": 1 }] })).expect("a list");
        let touched = of(json!({ "objects": [{ "key": "a", "updated": 2 }] })).expect("a list");
        let two = of(json!({ "objects": [{ "key": "b" }, { "key": "a" }] })).expect("a list");
        assert!(touched.is_subset(&one) && one.is_subset(&two) && !two.is_subset(&one));
        assert_eq!(of(json!({ "objects": [] })), Some(BTreeSet::new()));
        assert_eq!((of(json!({})), of(json!({ "objects": 7 }))), (None, None));
    }
}
