//! Decisions a second of one engine with 10,000 policies on an ordinary day. The goal is a million on one core.
//!
//! ```text
//! cargo bench -p floorkeeper-core
//! ```

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use steady::Fleet;

#[path = "../tests/steady/mod.rs"]
mod steady;

const POLICIES: usize = 10_000;

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decisions");
    group.throughput(Throughput::Elements(POLICIES as u64)).sample_size(20);

    let mut fleet = Fleet::of(POLICIES);
    assert_eq!(fleet.decided(), POLICIES);
    // A tick of the source for every policy: what was heard is judged, then decided.
    group.bench_function("observed_and_decided", |bencher| {
        let events = std::cell::RefCell::new(&mut fleet);
        bencher.iter_batched(
            || events.borrow().observations(),
            |told| events.borrow_mut().hear(told),
            BatchSize::PerIteration,
        );
    });
    // Time passes and nothing is heard: every policy decides by itself.
    group.bench_function("decided", |bencher| bencher.iter(|| fleet.wake()));
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
