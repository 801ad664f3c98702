//! What judging one case costs: `cargo bench --bench judge`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use stepup::judge::{Effect, Expectation, Observation, Outcome, Seen, judge};

fn judging(criterion: &mut Criterion) {
    let challenged = || Seen { outcome: Outcome::Challenged { flaw: None }, effect: Effect::NotApplied };
    let observation = Observation {
        bare: challenged(),
        wrong: Some(challenged()),
        right: Some(Seen { outcome: Outcome::Accepted, effect: Effect::Applied }),
        replay: Some(challenged()),
    };
    criterion.bench_function("judge a compliant case", |bencher| {
        bencher.iter(|| judge(Expectation::Challenged, black_box(&observation)));
    });
}

criterion_group!(benches, judging);
criterion_main!(benches);
