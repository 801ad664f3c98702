//! Late effects: what a refused probe has left undone is read again, after waits that happen anyway and at the end of the
//! case. A registry that answers first and acts afterwards has acted all the same.

use super::effects::Proven;
use super::play::{Play, Worked};
use super::scene::Mistake;
use crate::clock::UnixMillis;
use crate::dialect::Fact;
use crate::judge::{Effect, Seen, Verdict, worst_first};
use crate::result::{CaseResult, Probe, Status, Unsettled};

/// A probe that was not let through, and of which nothing was seen.
#[derive(Debug, Clone)]
pub(super) struct Undone {
    /// The number of its object.
    pub(super) at: usize,
    /// Its number among the probes.
    pub(super) probe: usize,
    /// What it is where it is done all the same.
    pub(super) verdict: Verdict,
    /// The mode that it was sent in, and when it was last looked at.
    pub(super) mode: String,
    pub(super) looked: UnixMillis,
    /// Whether a surface's own facts tell.
    pub(super) by_surface: bool,
    /// Whether that has shown.
    pub(super) is_done: bool,
}

/// When it is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the first probe that must be let through: whatever has changed is the doing of one before it.
    BeforeRightProof,
    /// At the end: what is the probe's own alone tells who did it.
    End,
}

impl Play<'_> {
    /// Reads once more what refused probes have left undone. What shows then is judged as if it had been seen at once.
    pub(super) async fn look_again(&mut self, moment: Moment) -> Result<(), Mistake> {
        let now = self.scene.stage.target_time();
        let simulated = !self.scene.stage.clock.is_real();
        for number in 0..self.undone.len() {
            let undone = self.undone[number].clone();
            let Some(Worked { surface, object, kept, by, before }) = self.worked.get(undone.at).cloned() else {
                continue;
            };
            // What the requests since may have set off is seen before the right proof. At the end, in no time, nothing new is.
            let too_early = simulated && undone.looked == now && moment == Moment::End;
            let own = surface.effect.iter().find(|fact| !fact.if_applied).is_some_and(Fact::is_about_own_object);
            let tells = own || moment == Moment::BeforeRightProof;
            if undone.is_done || !undone.by_surface || !surface.read_again || too_early || !tells {
                continue;
            }
            let mode = std::mem::replace(&mut self.scene.mode, undone.mode);
            let user = self.scene.user.name.clone();
            self.scene.call(&by);
            self.scene.take_up(object, kept);
            let late = self.scene.late_effect(&surface.effect, &before).await;
            self.scene.mode = mode;
            let exchanges = std::mem::take(&mut self.scene.exchanges);
            let late = late?;
            self.undone[number].looked = now;
            if let Some(reading) = late {
                self.worked[undone.at].kept = self.scene.kept();
                self.undone[number].is_done = true;
                self.verdicts.push(undone.verdict);
                if let Some(probe) = self.probes.get_mut(undone.probe) {
                    probe.effect = reading.effect;
                    self.rests_on.extend(reading.rests_on);
                    probe.outcome.push_str(match moment {
                        Moment::BeforeRightProof => "; the effect came later, and was seen just before the right proof",
                        Moment::End => "; the effect came later, and was seen at the end",
                    });
                    probe.exchanges.extend(exchanges);
                }
            }
            self.scene.call(&user);
        }
        Ok(())
    }

    /// Says of what was not seen whether the reads that showed nothing have found something by now, elsewhere in the run:
    /// only then it was not there.
    pub(super) fn settle<'s>(&self, seen: impl IntoIterator<Item = &'s mut Seen>) {
        for seen in seen {
            seen.effect = self.settled(seen.effect);
        }
    }

    /// Notes what is shown by now, and what will have been shown where the reads find something later in the run.
    pub(super) fn note_unsettled(&mut self, by_now: &[Verdict], if_found: &[Verdict]) {
        let without = |some: &[Verdict], others: &[Verdict]| -> Vec<Verdict> {
            some.iter().filter(|verdict| !others.contains(verdict)).copied().collect()
        };
        let (withdrawn, instead) = (without(by_now, if_found), without(if_found, by_now));
        if !withdrawn.is_empty() || !instead.is_empty() {
            let reads = self.unproven().into_iter().cloned().collect();
            self.unsettled = Some(Unsettled { reads, withdrawn, instead, probes: Vec::new() });
        }
    }

    /// Says so of the probes.
    pub(super) fn settle_probes(&mut self) {
        let unproven: Vec<String> = self.unproven().into_iter().cloned().collect();
        let effects: Vec<Effect> = self.probes.iter().map(|probe| self.settled(probe.effect)).collect();
        for (number, (probe, settled)) in self.probes.iter_mut().zip(effects).enumerate() {
            let seen = std::mem::replace(&mut probe.effect, settled);
            if seen != settled && !unproven.is_empty() {
                if let Some(unsettled) = &mut self.unsettled {
                    unsettled.probes.push((number, if_found(seen), probe.effect_detail.clone()));
                }
                let told = unproven
                    .iter()
                    .map(|read| format!("{read} has found nothing in this run, so that nothing is no sign"));
                let told: Vec<String> = probe.effect_detail.take().into_iter().chain(told).collect();
                probe.effect_detail = Some(told.join("; "));
            }
        }
    }

    fn unproven(&self) -> Vec<&String> {
        self.rests_on.iter().filter(|read| !self.scene.stage.proven.has(read)).collect()
    }

    /// What is known of an effect, by what the reads have found by now.
    fn settled(&self, seen: Effect) -> Effect {
        match seen {
            _ if self.unproven().is_empty() => if_found(seen),
            Effect::Unproven => Effect::Unknown,
            Effect::PartlySeen => Effect::Applied,
            seen => seen,
        }
    }
}

/// What is known of an effect once the reads that it rests on have found something.
fn if_found(seen: Effect) -> Effect {
    match seen {
        Effect::Unproven => Effect::NotApplied,
        Effect::PartlySeen => Effect::Partial,
        seen => seen,
    }
}

impl CaseResult {
    /// The same, by what the reads of the whole run have found.
    #[must_use]
    pub(super) fn settled(mut self, proven: &Proven) -> Self {
        let Some(unsettled) = self.unsettled.take() else { return self };
        let stands = unsettled.withdrawn.iter().all(|verdict| self.verdicts.contains(verdict));
        if !stands || !unsettled.reads.iter().all(|read| proven.has(read)) {
            return self;
        }
        for (number, effect, detail) in unsettled.probes {
            let stands = |probe: &&mut Probe| matches!(probe.effect, Effect::Unknown | Effect::Applied);
            if let Some(probe) = self.probes.get_mut(number).filter(stands) {
                probe.effect = effect;
                probe.effect_detail = detail;
            }
        }
        let kept = self.verdicts.iter().filter(|verdict| !unsettled.withdrawn.contains(verdict)).copied();
        let verdicts = worst_first(kept.chain(unsettled.instead).collect());
        let statements = std::mem::take(&mut self.statements);
        let mut settled = self.ended(Status::of(&verdicts), verdicts, String::new());
        settled.state(&statements);
        settled
    }
}
