use super::*;
use crate::policy::tests::{policy, signal};
use crate::sample::Evidence;

const RESOLUTION: u64 = 15;

fn second(n: u64) -> Timestamp {
    Timestamp(n * 1000)
}

fn sample(value: f64, at: Timestamp) -> Sample {
    let evidence = Evidence { oldest: Some(Duration::ZERO), series: Some(9), partial: false, vouched: false };
    Sample { value, at, evidence }
}

/// One signal that carries ten a replica, and what it was told.
struct Told {
    state: SignalState,
    signal: Signal,
    policy: Policy,
}

impl Told {
    fn nothing() -> Self {
        let policy = policy();
        Self { state: SignalState::new(&policy), signal: signal("edge", 10.0), policy }
    }

    /// A tick at `now` with a sample of `at`, in replicas' worth.
    fn hears(&mut self, level: f64, at: Timestamp, now: Timestamp) -> bool {
        let answer = SignalAnswer { load: Answer::Value(sample(level * 10.0, at)), backlog: None };
        let fresh = self.state.observe(&answer, &self.signal, &self.policy, now);
        self.state.remember(self.level(now), now);
        fresh
    }

    /// Ticks at a distance of so many seconds.
    fn hears_steadily(&mut self, level: f64, span: std::ops::Range<u64>, distance: u64) {
        for now in span.step_by(distance as usize) {
            self.hears(level, second(now), second(now));
        }
    }

    fn level(&self, now: Timestamp) -> f64 {
        self.state.level(&self.signal, &self.policy, now)
    }

    fn full(&self, now: u64) -> bool {
        self.state.fullness(&self.policy, second(now)).full
    }

    fn have(&self, now: u64) -> u32 {
        self.state.fullness(&self.policy, second(now)).have
    }

    /// The past at these seconds is told at `now`.
    fn is_told(&mut self, past: impl Iterator<Item = u64>, now: u64) -> Option<LiveDemand> {
        let samples: Vec<_> = past.map(|at| sample(50.0, second(at))).collect();
        self.state.back_fill(&samples, &self.signal, &self.policy, 5, second(now))
    }
}

#[test]
fn what_the_past_saw_last_was_not_seen_beside_a_live_tick_after_it() {
    let mut told = Told::nothing();
    assert!(told.is_told((0..600).step_by(15), 600).is_some());
    told.hears(1.0, second(600), second(600));
    assert!(told.is_told((0..600).step_by(15), 615).is_none());
}

#[test]
fn a_window_is_full_when_nine_of_ten_samples_speak_for_the_whole_of_it() {
    let mut told = Told::nothing();
    told.hears_steadily(5.0, 6000..6585, RESOLUTION);
    assert!(!told.full(6570), "a tick is missing to ten minutes");
    told.hears_steadily(5.0, 6585..6601, RESOLUTION);
    let Fullness { full, have, want } = told.state.fullness(&told.policy, second(6600));
    assert_eq!((full, have, want), (true, 41, 36));
    assert_eq!(told.state.taken_at(), Some(second(6600)));
    assert!(told.full(6630) && !told.full(6631), "two ticks later it speaks no more");
}

#[test]
fn a_gap_begins_the_window_anew() {
    let mut told = Told::nothing();
    told.hears_steadily(5.0, 6000..6300, RESOLUTION);
    // One tick is missing, then two.
    told.hears_steadily(5.0, 6315..6601, RESOLUTION);
    assert!(told.full(6600));
    told.hears_steadily(5.0, 6630..7000, RESOLUTION);
    assert!(told.full(6990), "two resolutions are no gap");
    told.hears_steadily(5.0, 7036..7600, RESOLUTION);
    assert!(!told.full(7591), "more are");
    told.hears_steadily(5.0, 7600..7640, RESOLUTION);
    assert!(told.full(7630));
}

#[test]
fn what_is_told_twice_is_one_tick_and_nothing_new() {
    let mut told = Told::nothing();
    assert!(told.hears(5.0, second(6000), second(6000)));
    assert!(!told.hears(5.0, second(6000), second(6000)));
    assert!(told.hears(5.0, second(6007), second(6007)));
    assert_eq!(told.have(6007), 1, "within half a resolution it is the same tick");
    assert!(told.hears(5.0, second(6015), second(6015)));
    assert_eq!(told.have(6015), 2);
    told.hears(5.0, Timestamp(6_022_500), Timestamp(6_022_500));
    assert_eq!(told.have(6023), 3, "half a resolution later it is another");
    assert!(!told.hears(f64::NAN, second(6030), second(6030)), "what says nothing says nothing new");
}

#[test]
fn a_source_that_renews_its_number_once_a_minute_is_known_all_the_same() {
    let mut told = Told::nothing();
    let mut fresh = 0;
    for now in (6000..6615).step_by(15) {
        fresh += u32::from(told.hears(5.0, second(now / 60 * 60), second(now)));
    }
    assert_eq!(fresh, 11);
    assert!(told.full(6600));
}

#[test]
fn what_a_newer_sample_overtook_says_nothing() {
    let mut told = Told::nothing();
    told.hears(5.0, second(6000), second(6001));
    assert!(!told.hears(1.0, second(5990), second(6002)));
    assert_eq!(told.level(second(6002)), 5.0);
}

#[test]
fn after_a_clock_that_went_back_it_begins_anew() {
    for (back, level) in [(10_000, 5.0), (10_001, 1.0)] {
        let mut told = Told::nothing();
        told.hears(5.0, second(6000), second(6000));
        let now = Timestamp(6_000_000 - back);
        told.hears(1.0, now, now);
        assert_eq!(told.level(now), level, "back by {back} ms");
    }
}

#[test]
fn a_fall_is_measured_against_an_hour_in_which_something_was_known() {
    for distance in [RESOLUTION, 2 * RESOLUTION] {
        let mut told = Told::nothing();
        told.hears(20.0, second(6000), second(6000));
        told.hears_steadily(10.0, 6000 + distance..6000 + 3900, distance);
        assert_eq!(told.state.hour_peak(second(9900)), 10.0, "ticks every {distance} s");
    }
    let mut told = Told::nothing();
    told.hears_steadily(10.0, 6000..6600, RESOLUTION);
    // Nothing is heard for two hours.
    told.hears(2.0, second(13_800), second(13_800));
    assert_eq!(told.state.hour_peak(second(13_800)), 10.0);
    told.state.forget_hour();
    assert_eq!(told.state.hour_peak(second(13_800)), 0.0);
}

#[test]
fn a_past_without_gaps_fills_the_window() {
    let past = |from: u64, to: u64| (from..to).step_by(15);
    let mut told = Told::nothing();
    told.is_told(past(6000, 6600), 6600);
    assert!(told.full(6600), "{:?}", told.state.fullness(&told.policy, second(6600)));
    assert_eq!((told.have(6600), told.state.window_peak(second(6600))), (40, 5.0));

    let mut holed = Told::nothing();
    holed.is_told(past(6000, 6300).chain(past(6345, 6600)), 6600);
    assert!(!holed.full(6600), "it speaks for what comes after the hole");

    let mut early = Told::nothing();
    early.is_told(past(5900, 6500), 6600);
    early.hears_steadily(5.0, 6600..6616, RESOLUTION);
    assert!(!early.full(6615), "it ends before the live ticks begin");

    let mut twice = Told::nothing();
    twice.is_told(past(6000, 6600).flat_map(|at| [at, at]), 6600);
    assert_eq!(twice.have(6600), 40, "what is told twice counts once");
}

#[test]
fn a_past_that_is_told_late_counts_nothing_twice() {
    let mut told = Told::nothing();
    told.hears_steadily(5.0, 6300..6601, RESOLUTION);
    let live = told.have(6600);
    // It tells of what was heard live, too, and of what is to come.
    told.is_told((6000..6700).step_by(15), 6600);
    assert_eq!(told.have(6600), live + 20);
    assert!(told.full(6600));
}

#[test]
fn waiting_work_that_is_not_told_is_not_known() {
    let mut told = Told::nothing();
    told.signal.drain_within = Some(Duration::from_secs(60));
    let mut backlog = |backlog: Option<Answer>| {
        let answer = SignalAnswer { load: Answer::Value(sample(50.0, second(6000))), backlog };
        told.state.observe(&answer, &told.signal, &told.policy, second(6000));
        let level = told.state.backlog_level(&told.signal, &told.policy, second(6000));
        (told.state.backlog_unknown(), level)
    };
    assert_eq!(backlog(Some(Answer::Value(sample(1200.0, second(6000))))), (None, Some(7.0)));
    assert_eq!(backlog(Some(Answer::Empty)), (Some(Unknown::Empty), Some(5.0)));
    assert_eq!(backlog(None), (Some(Unknown::NeverSeen), Some(5.0)));
}

#[test]
fn a_past_speaks_of_needs_where_it_is_known() {
    let samples =
        [sample(50.0, second(10)), sample(-1.0, second(20)), sample(90.0, second(30)), sample(70.0, second(41))];
    let of = |signal: &Signal| levels(&samples, signal, &policy(), second(40)).collect::<Vec<_>>();
    let known = of(&signal("edge", 10.0));
    assert_eq!(known, [(second(10), Some(5.0)), (second(20), None), (second(30), Some(9.0))]);
    let unmeasured = of(&Signal { capacity: None, ..signal("edge", 10.0) });
    assert_eq!(unmeasured.iter().filter(|(_, level)| level.is_some()).count(), 0, "{unmeasured:?}");
}
