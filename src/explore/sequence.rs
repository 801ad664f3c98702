//! Random sequences: which steps may follow, how likely each is, and the tree by which a sequence is made smaller.

use std::sync::Arc;

use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Just, Strategy, Union, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRunner};
use proptest_state_machine::Sequential;

use super::model::{Deed, Model, NAMES, Proof, Step};
use super::world::{Makes, World};
use crate::result::Standing;
use crate::table::Mode;

/// How long sequences are.
const LENGTH: std::ops::RangeInclusive<usize> = 6..=24;

/// A sequence that can be made smaller.
pub(super) trait Tree: ValueTree<Value = Value> {}
impl<T: ValueTree<Value = Value>> Tree for T {}

/// A sequence as the state machine has it: where it begins, its steps, and a counter of those that were seen.
pub(super) type Value = (Model, Vec<Step>, Option<Arc<std::sync::atomic::AtomicUsize>>);

/// The sequence of a seed. The error says why there is none.
pub(super) fn tree(world: &Arc<World>, seed: u64) -> Result<impl Tree + use<>, String> {
    // Nothing of the environment's may change which sequence a seed stands for.
    let config = Config {
        rng_seed: RngSeed::Fixed(seed),
        rng_algorithm: RngAlgorithm::ChaCha,
        failure_persistence: None,
        ..Config::default()
    };
    let first = Arc::clone(world);
    let strategy = Sequential::new(
        LENGTH.into(),
        move || Just(Model::new(Arc::clone(&first))),
        |model: &Model, step: &Step| model.allows(step),
        next,
        |model: Model, step: &Step| model.after(step),
    );
    strategy.new_tree(&mut TestRunner::new(config)).map_err(|reason| reason.message().to_owned())
}

/// The steps of a seed's sequence.
pub fn steps(world: &Arc<World>, seed: u64) -> Result<Vec<Step>, String> {
    Ok(tree(world, seed)?.current().1)
}

/// A kind of step, so that what is rare by number is not rare in sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    SignUp,
    Enrol,
    Switch,
    Read,
    Free,
    Bare,
    Proven,
    Foul,
    Replay,
}

const WEIGHTS: [(Kind, u32); 9] = [
    (Kind::SignUp, 5),
    (Kind::Enrol, 6),
    (Kind::Switch, 4),
    (Kind::Read, 1),
    (Kind::Free, 2),
    (Kind::Bare, 4),
    (Kind::Proven, 3),
    (Kind::Foul, 3),
    (Kind::Replay, 3),
];

/// What may follow.
fn next(model: &Model) -> BoxedStrategy<Step> {
    let mut kinds: Vec<(u32, BoxedStrategy<Step>)> = Vec::new();
    let possible: Vec<(Kind, Step)> = all(model.world()).filter(|(_, step)| model.allows(step)).collect();
    for (kind, weight) in WEIGHTS {
        let of_kind = possible.iter().filter(|(its, step)| refine(*its, model, step) == kind);
        let steps: Vec<Step> = of_kind.map(|(_, step)| *step).collect();
        if !steps.is_empty() {
            kinds.push((weight, select(steps).boxed()));
        }
    }
    Union::new_weighted(kinds).boxed()
}

/// Every step there is, simple ones first.
fn all(world: &World) -> impl Iterator<Item = (Kind, Step)> + '_ {
    (0..NAMES.len()).flat_map(move |by| {
        let step = move |deed| Step { by, deed };
        let modes = [Mode::AuthAndWrites, Mode::AuthOnly].into_iter();
        let first = std::iter::once((Kind::SignUp, step(Deed::SignUp)));
        let enrol = modes.map(move |mode| (Kind::Enrol, step(Deed::Enrol(mode))));
        let act = (0..world.doors.len()).flat_map(move |door| {
            let others = (0..NAMES.len()).filter(move |other| *other != by);
            let simple = [
                (Kind::Bare, Proof::None),
                (Kind::Proven, Proof::Right),
                (Kind::Proven, Proof::Recovery),
                (Kind::Foul, Proof::Wrong),
                (Kind::Replay, Proof::Replayed(0)),
                (Kind::Replay, Proof::Replayed(1)),
                (Kind::Foul, Proof::FormerSecret),
                (Kind::Foul, Proof::FormerRecovery),
            ];
            let foreign = others.map(|other| (Kind::Foul, Proof::OfAnother(other)));
            let proofs = simple.into_iter().chain(foreign);
            proofs.map(move |(kind, proof)| (kind, step(Deed::Act { door, proof })))
        });
        first.chain(enrol).chain(act)
    })
}

/// The kind of an action, by what it does where the user stands.
fn refine(kind: Kind, model: &Model, step: &Step) -> Kind {
    let Some(door) = model.door(step) else { return kind };
    let challenged = door.clause(model.mode(step.by)).is_some_and(|clause| clause.challenged);
    match kind {
        Kind::Bare if door.standing == Standing::Read => Kind::Read,
        Kind::Bare if !challenged => Kind::Free,
        Kind::Proven if door.makes != Makes::Nothing => Kind::Switch,
        _ => kind,
    }
}
