//! Making a sequence that deviates as small as it gets.
//!
//! First proptest's state machine leaves steps out and makes others simpler, one at a time. Some steps can only go
//! together, as enabling a factor and disabling it again; those it leaves are tried in pairs, until nothing can go.

use std::sync::atomic::Ordering;

use proptest::strategy::ValueTree;

use super::model::{Deed, Model, NAMES, Proof, Step};
use super::run::{Explorer, Tried};
use super::sequence;
use super::world::{Makes, World};
use crate::judge::Verdict;
use crate::table::Mode;

/// A sequence as small as it got.
pub(super) struct Shrunk {
    /// Its last play.
    pub least: Tried,
    /// Whether it was given up early.
    pub cut_short: bool,
}

impl Explorer {
    /// Shrinks the sequence of a seed, which ended in `first`.
    pub(super) async fn shrink(&self, seed: u64, first: Tried) -> Shrunk {
        let mut least = first;
        let mut left = self.most_tries();
        if let Ok(mut tree) = sequence::tree(&self.world, seed) {
            let seen = least.steps.len();
            if let (_, _, Some(counter)) = tree.current() {
                counter.store(seen, Ordering::SeqCst);
            }
            let mut changed = tree.simplify();
            while changed {
                match self.retry(&tree.current().1, &least, &mut left).await {
                    None => return Shrunk { least, cut_short: true },
                    Some(Some(tried)) => {
                        least = tried;
                        changed = tree.simplify();
                    }
                    Some(None) => changed = tree.complicate(),
                }
            }
        }
        loop {
            let mut went = None;
            for steps in simpler_sequences(&self.world, &least.steps) {
                match self.retry(&steps, &least, &mut left).await {
                    None => return Shrunk { least, cut_short: true },
                    Some(Some(tried)) => {
                        went = Some(tried);
                        break;
                    }
                    Some(None) => {}
                }
            }
            match went {
                Some(tried) => least = tried,
                None => return Shrunk { least, cut_short: false },
            }
        }
    }

    /// Plays steps again. The outer option is empty when there is no time for it, the inner when they do not show the
    /// same.
    async fn retry(&self, steps: &[Step], least: &Tried, left: &mut usize) -> Option<Option<Tried>> {
        // A step that was made simpler leaves the rest as it was; nothing longer is of use.
        let sensible = Model::new(self.world.clone()).allows_all(steps) && steps.len() <= least.steps.len();
        if !sensible || steps == least.steps {
            return Some(None);
        }
        if *left == 0 || self.is_over() {
            return None;
        }
        *left -= 1;
        let tried = self.play(0, steps).await;
        Some(is_of(tried.verdict(), least.verdict()).then_some(tried))
    }
}

/// Whether one verdict is the other, or what is behind it: where a wrong proof passes, none may have been asked for.
fn is_of(verdict: Option<Verdict>, other: Option<Verdict>) -> bool {
    let let_through = matches!(other, Some(Verdict::ReplayAccepted | Verdict::WrongProofAccepted));
    verdict == other || (let_through && verdict == Some(Verdict::MissingChallenge))
}

/// Sequences that are simpler, in the order in which they are worth a try.
fn simpler_sequences(world: &World, steps: &[Step]) -> Vec<Vec<Step>> {
    let last = steps.len().saturating_sub(1);
    let without = |gone: &[usize]| {
        let kept = steps.iter().enumerate().filter(|(at, _)| !gone.contains(at));
        kept.map(|(_, step)| *step).collect::<Vec<Step>>()
    };
    let mut sequences: Vec<Vec<Step>> = (0..last).map(|at| without(&[at])).collect();
    for one in 0..last {
        sequences.extend((one + 1..last).map(|other| without(&[one, other])));
    }
    for (at, step) in steps.iter().enumerate().rev() {
        for deed in simpler_deeds(world, step.deed) {
            let mut simpler = steps.to_vec();
            simpler[at].deed = deed;
            sequences.push(simpler);
        }
    }
    sequences.extend(chosen_at_once(world, steps));
    sequences.extend(renamed(steps));
    sequences
}

/// What people look for first, the plainest first: where these show the same, no other door says more.
const PLAIN_DOORS: [&str; 2] = ["token-create", "publish"];

/// What may do the same in a simpler way. No deed is simpler than one that is simpler than it.
fn simpler_deeds(world: &World, deed: Deed) -> Vec<Deed> {
    let (door, proof) = match deed {
        Deed::SignUp | Deed::Enrol(Mode::AuthAndWrites | Mode::Disabled) => return Vec::new(),
        Deed::Enrol(Mode::AuthOnly) => return vec![Deed::Enrol(Mode::AuthAndWrites)],
        Deed::Act { door, proof } => (door, proof),
    };
    let own = world.doors.get(door).map_or("", |door| door.id.as_str());
    let plainer = PLAIN_DOORS.iter().take_while(|id| **id != own);
    let doors = plainer.filter_map(|id| world.doors.iter().position(|door| door.id == *id));
    let proofs: &[Proof] = match proof {
        Proof::None | Proof::Right => &[],
        Proof::Recovery => &[Proof::Right],
        Proof::Wrong => &[Proof::None],
        Proof::Replayed(0) | Proof::OfAnother(_) | Proof::FormerSecret | Proof::FormerRecovery => {
            &[Proof::None, Proof::Wrong]
        }
        Proof::Replayed(_) => &[Proof::None, Proof::Wrong, Proof::Replayed(0)],
    };
    let proofs = proofs.iter().map(|proof| Deed::Act { door, proof: *proof });
    proofs.chain(doors.map(|door| Deed::Act { door, proof })).collect()
}

/// The same steps with a mode that is chosen as the factor is enabled, and not changed to later.
fn chosen_at_once(world: &World, steps: &[Step]) -> Option<Vec<Step>> {
    let changes = |step: &Step| match step.deed {
        Deed::Act { door, .. } => world.doors.get(door).is_some_and(|door| door.makes == Makes::OtherMode),
        Deed::SignUp | Deed::Enrol(_) => false,
    };
    let (_, before) = steps.split_last()?;
    let change = before.iter().position(changes)?;
    let enables = |step: &Step| step.by == steps[change].by && matches!(step.deed, Deed::Enrol(_));
    let enabled = before[..change].iter().rposition(enables)?;
    let mut chosen = steps.to_vec();
    chosen[enabled].deed = match chosen[enabled].deed {
        Deed::Enrol(Mode::AuthOnly) => Deed::Enrol(Mode::AuthAndWrites),
        _ => Deed::Enrol(Mode::AuthOnly),
    };
    chosen.remove(change);
    Some(chosen)
}

/// The same steps by users whose names come in their order.
fn renamed(steps: &[Step]) -> Option<Vec<Step>> {
    let mut order: Vec<usize> = Vec::new();
    for step in steps {
        if !order.contains(&step.by) {
            order.push(step.by);
        }
    }
    order.extend((0..NAMES.len()).filter(|user| !order.contains(user)).collect::<Vec<_>>());
    let name = |user: usize| order.iter().position(|known| *known == user).unwrap_or(user);
    let renamed = steps.iter().map(|step| {
        let deed = match step.deed {
            Deed::Act { door, proof: Proof::OfAnother(other) } => {
                Deed::Act { door, proof: Proof::OfAnother(name(other)) }
            }
            deed => deed,
        };
        Step { by: name(step.by), deed }
    });
    let renamed: Vec<Step> = renamed.collect();
    (renamed != steps).then_some(renamed)
}
