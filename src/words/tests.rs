use core::time::Duration;
use std::collections::BTreeSet;

use floorkeeper_core::{
    Action, Doubt, Failure, Guard, Hold, InForce, Notice, Overwritten, Problem, Timestamp, Trust, Unknown,
};

use super::*;

const AT: Timestamp = Timestamp(1_709_602_560_000);

const DOUBTS: [Doubt; 10] = [
    Doubt::Errors { share: 0.314, above: 0.05 },
    Doubt::Unready { unready: 3, of: 10 },
    Doubt::Rollout { until: AT },
    Doubt::Dependency { place: 0 },
    Doubt::UnusualFall { need: 3, before: 40, since: AT },
    Doubt::Brake { namespaces: 4, of: 9, until: AT },
    Doubt::WindowNotFull { have: 3, want: 40 },
    Doubt::StepHarmful { from: 9, to: 7, until: AT },
    Doubt::Overdue { since: AT },
    Doubt::Settling { until: AT },
];

const UNKNOWNS: [Unknown; 14] = [
    Unknown::NeverSeen,
    Unknown::Failed(Failure::Status(502)),
    Unknown::Empty,
    Unknown::Several(2),
    Unknown::NotANumber,
    Unknown::Infinite,
    Unknown::Negative,
    Unknown::Absurd,
    Unknown::Partial,
    Unknown::Stale { age: Duration::from_secs(240) },
    Unknown::Future { ahead: Duration::from_secs(240) },
    Unknown::Shrunken { series: 3, highest: 9 },
    Unknown::NoEvidence,
    Unknown::UnconfirmedZero,
];

const FAILURES: [Failure; 7] = [
    Failure::Unreachable,
    Failure::Timeout,
    Failure::Status(502),
    Failure::TooLarge,
    Failure::Garbage,
    Failure::Refused,
    Failure::NotAllowed,
];

const PROBLEMS: [Problem; 5] = [
    Problem::TargetNotFound,
    Problem::ScalerNotFound,
    Problem::ScalerExists,
    Problem::NotOwner,
    Problem::BoundsCrossed,
];

fn holds() -> Vec<Hold> {
    let unknown = |signal| Hold::Unknown { signal, why: Unknown::NeverSeen };
    let mut holds = vec![
        unknown(None),
        unknown(Some(1)),
        Hold::Pace { next: AT },
        Hold::Verifying { from: 9, to: 7 },
        Hold::Frozen { until: AT },
        Hold::NoTarget,
        Hold::Fenced { stored: 4, ours: 3 },
    ];
    holds.extend(DOUBTS.map(Hold::Doubt));
    holds
}

fn notices() -> Vec<Notice> {
    let change = |from, to| Notice::TrustChanged { from, to };
    let force = |action| InForce { name: "night".into(), action, until: AT };
    vec![
        Notice::Raised { from: 4, to: 6, guard: Guard::LiveDemand },
        Notice::Lowered { from: 6, to: 5 },
        Notice::Held { floor: 6, hold: Hold::NoTarget },
        Notice::HoldEnded { floor: 6 },
        Notice::Overwritten { what: Overwritten::ScalerMinimum, found: 1, floor: 6 },
        Notice::Clamped { asked: 2, kept: 6, by: "argocd".into() },
        Notice::Contested { undos: 3 },
        Notice::StepUndone { from: 9, to: 7 },
        Notice::Limited { wanted: 14, max: 10 },
        change(Trust::Trusted, Trust::Blind),
        change(Trust::Blind, Trust::Doubtful),
        change(Trust::Trusted, Trust::Doubtful),
        change(Trust::Doubtful, Trust::Trusted),
        Notice::OverrideBegan(force(Action::Pin(9))),
        Notice::OverrideEnded(force(Action::Freeze)),
        Notice::BrakeBegan { source: "default".into(), namespaces: 4, of: 9 },
        Notice::BrakeEnded { source: "default".into() },
        Notice::SharedRise { source: "default".into(), policies: 40 },
    ]
}

/// The API takes a letter, then letters, digits and some signs; ours are plain CamelCase and all different.
fn words(words: impl IntoIterator<Item = &'static str>) {
    let mut seen = BTreeSet::new();
    for word in words {
        let mut letters = word.chars();
        assert!(letters.next().is_some_and(|first| first.is_ascii_uppercase()), "{word}");
        assert!(letters.all(|letter| letter.is_ascii_alphanumeric()) && word.len() <= 64, "{word}");
        assert!(seen.insert(word), "{word} stands for two things");
    }
}

#[test]
fn every_word_is_camel_case_and_means_one_thing() {
    words(DOUBTS.iter().map(doubt_reason));
    words(UNKNOWNS.iter().map(unknown_reason));
    words(FAILURES.map(failure_reason));
    words(PROBLEMS.map(problem_reason));
    words(holds().iter().map(hold_reason));
    words(notices().iter().map(notice_reason));
    words([Trust::Trusted, Trust::Doubtful, Trust::Blind].map(trust_word));
    let guards = [
        Guard::StaticMinimum,
        Guard::LiveDemand,
        Guard::RecentPeak,
        Guard::UsualFall,
        Guard::UsualDay,
        Guard::Held,
        Guard::Backlog,
        Guard::SpecChanged,
        Guard::Override,
        Guard::Peer,
    ];
    words(guards.map(guard_reason));
    for guard in guards {
        assert_eq!(guard_named(guard_reason(guard)), Some(guard));
        assert!(!falls(guard).is_empty());
    }
    assert_eq!(guard_named("Nobody"), None);
}

#[test]
fn every_sentence_is_one_line_that_fits_an_event() {
    let sentences = DOUBTS.iter().map(|it| doubt(it, None));
    let sentences = sentences.chain(UNKNOWNS.iter().map(unknown));
    let sentences = sentences.chain(FAILURES.map(|it| unknown(&Unknown::Failed(it))));
    let sentences = sentences.chain(PROBLEMS.map(|it| problem(it, None)));
    let sentences = sentences.chain(holds().iter().map(|it| hold(it, None)).collect::<Vec<_>>());
    let sentences = sentences.chain(notices().iter().map(|it| notice(it, None)).collect::<Vec<_>>());
    for sentence in sentences {
        assert!(!sentence.is_empty() && sentence.len() < 400, "{sentence}");
        assert!(!sentence.contains(['\n', '{', '}', '?']) && !sentence.contains("  "), "{sentence}");
        assert!(!sentence.ends_with(['.', ' ', ':', ';']), "{sentence}");
    }
}

#[test]
fn sentences_say_the_numbers_and_the_end() {
    let said = [
        (
            doubt(&DOUBTS[0], None),
            "31.4 % of the work fails, more than 5.00 %; lowered again once it has been less for a window",
        ),
        (
            doubt(&DOUBTS[1], None),
            "3 of 10 pods that were ready are not; lowered again once they have been for a window",
        ),
        (
            doubt(&DOUBTS[3], None),
            "dependency 1 is failing, so the load may be wrong; lowered again once it has been well for a window",
        ),
        (unknown(&UNKNOWNS[9]), "is 4m old, older than maxAge"),
        (
            hold(&Hold::Unknown { signal: Some(1), why: Unknown::Empty }, None),
            "signal 2 came back with no series (which is not zero); held until it does better or a person decides",
        ),
        (hold(&Hold::Frozen { until: AT }, None), "a FloorOverride forbids lowering until 2024-03-05T01:36:00Z"),
        (
            notice(&Notice::Limited { wanted: 14, max: 10 }, None),
            "14 replicas are needed, maxReplicas is 10: raise maxReplicas or shed load",
        ),
    ];
    for (found, expected) in said {
        assert_eq!(found, expected);
    }
}

#[test]
fn times_and_numbers_as_people_read_them() {
    let spans = [(0, "0s"), (59, "59s"), (150, "2m30s"), (3600, "1h"), (90_061, "1d1h1m1s")];
    for (seconds, text) in spans {
        assert_eq!(duration(Duration::from_secs(seconds)), text);
    }
    assert_eq!(moment(Timestamp::NEVER), "never");
    let numbers = [(0.0, "0.00"), (0.126, "0.13"), (12.34, "12.3"), (481.5, "482"), (f64::NAN, "unknown")];
    for (value, text) in numbers {
        assert_eq!(number(value), text);
    }
    assert!(duration(Duration::MAX).ends_with("15s"), "the longest span has a text too");
}
